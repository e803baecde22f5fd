package main

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dmpool/dmpool/appliance"
)

// A box that does not run is told of in lines for people and in JSON for programs, and
// both exit with 1.
func TestDoctor(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "box")
	answers, err := appliance.ParseAnswers(strings.NewReader(`{"network":"practice","operator":{"password":"Correct horse, battery!"}}`))
	if err != nil {
		t.Fatal(err)
	}
	if err := appliance.SetUp(t.Context(), dir, answers); err != nil {
		t.Fatal(err)
	}
	ask := func(more ...string) (stdout, stderr string) {
		t.Helper()
		var out, errs bytes.Buffer
		args := append([]string{"doctor", "--data-dir", dir, "--http", "127.0.0.1:0", "--stratum", "127.0.0.1:0"}, more...)
		if code := run(t.Context(), args, strings.NewReader(""), &out, &errs); code != 1 {
			t.Errorf("%q: exit code %d, %s", more, code, errs.String())
		}
		return out.String(), errs.String()
	}
	text, _ := ask()
	for _, line := range []string{
		"PROBLEM  service  The pool does not run.\n", "-> Start it with dmpool serve.\n", "ok       ledger   All sums agree", "ok       ports    The ports that the pool opens are free.\n",
		"Network practice. The pool does not run, so node, miners and wallet were not asked.\n",
	} {
		if !strings.Contains(text, line) {
			t.Errorf("there is no %q in:\n%s", line, text)
		}
	}
	var v struct {
		Network, Status string
		Running         bool
		Checks          []struct{ Name, Status, Reason string }
	}
	asJSON, _ := ask("--json")
	if err := json.Unmarshal([]byte(asJSON), &v); err != nil || v.Network != "practice" || v.Status != "down" || v.Running || len(v.Checks) != strings.Count(text, "\nok ")+strings.Count("\n"+text, "\nPROBLEM ")+1 {
		t.Errorf("%v in %s", err, asJSON)
	}
	dir = filepath.Join(dir, "nowhere")
	if _, stderr := ask(); !strings.Contains(stderr, "--data-dir") {
		t.Errorf("a folder that is not there: %s", stderr)
	}
}
