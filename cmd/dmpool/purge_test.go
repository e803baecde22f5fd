package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// ask runs a command and returns its exit code and all that it says.
func ask(t *testing.T, in string, args ...string) (code int, said string) {
	t.Helper()
	var out strings.Builder
	code = run(t.Context(), args, strings.NewReader(in), &out, &out)
	return code, out.String()
}

// newBox makes a data directory that is set up.
func newBox(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "box")
	answers := strings.NewReader(`{"operator": {"password": "Correct horse 7"}}`)
	if code := run(t.Context(), []string{"setup", "--data-dir", dir, "--answers", "-"}, answers, io.Discard, t.Output()); code != 0 {
		t.Fatalf("setup: code %d", code)
	}
	return dir
}

func TestPurgeData(t *testing.T) {
	dir := newBox(t)
	name, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		in   string
		args []string
		code int
		says string
	}{
		{"", nil, 1, "--i-have-my-seed"},
		{"somebody\n", []string{"--i-have-my-seed"}, 1, "that is not the name"},
		{name + "\n", []string{"--i-have-my-seed", "--network", "mars"}, 1, "not known"},
		{name + "\n", []string{"--i-have-my-seed", "--network", "main"}, 0, "nothing to delete"},
		{name + "\n", []string{"--i-have-my-seed"}, 0, "practice"},
		{name + "\n", []string{"--i-have-my-seed"}, 0, "nothing to delete"},
	} {
		code, said := ask(t, c.in, append([]string{"purge-data", "--data-dir", dir}, c.args...)...)
		if code != c.code || !strings.Contains(said, c.says) {
			t.Errorf("%q %v: code %d, %s; want %d, %q", c.in, c.args, code, said, c.code, c.says)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

func TestRollbackTellsWhatThereIs(t *testing.T) {
	dir := newBox(t)
	if code, said := ask(t, "", "rollback", "--data-dir", dir); code != 0 || !strings.Contains(said, "There is no copy that is older") {
		t.Errorf("code %d, %s", code, said)
	}
	if code, said := ask(t, "", "rollback", "--data-dir", dir, "--to", "books-1-1"); code != 1 || !strings.Contains(said, "no copy \"books-1-1\"") {
		t.Errorf("code %d, %s", code, said)
	}
	if code, said := ask(t, "", "rollback", "--data-dir", t.TempDir()); code != 1 || !strings.Contains(said, "not the data directory of a box") {
		t.Errorf("code %d, %s", code, said)
	}
}
