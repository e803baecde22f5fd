package drill

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if kind := os.Getenv("TMPDIR"); strings.HasPrefix(kind, "as-drill-") {
		os.Exit(asDrill(kind))
	}
	goleak.VerifyTestMain(m)
}

// asDrill is what this program does when a test starts it as `dmpool drill`.
func asDrill(kind string) int {
	switch kind {
	case "as-drill-good":
		fmt.Println("pass\nits words")
		return 0
	case "as-drill-failed":
		fmt.Println("fail")
		return 1
	case "as-drill-refused":
		fmt.Fprintln(os.Stderr, "dmpool: there is no room")
		return 1
	}
	for _, name := range []string{"CREDENTIALS_DIRECTORY", "NOTIFY_SOCKET", "DMPOOL_SECRET"} {
		if os.Getenv(name) != "" {
			fmt.Fprintln(os.Stderr, name+" is passed on")
		}
	}
	return 1
}

func twoSteps() []Step {
	return []Step{{Name: "first", Title: "The first thing"}, {Name: "second", Title: "The second thing"}, {Name: "third", Title: "The third thing"}}
}

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func TestReport(t *testing.T) {
	r := NewReport("1.0", noon, twoSteps())
	if r.ID != "20261123T120000Z" || r.Summary() != "RUNNING: 0 of 3 steps are done." {
		t.Errorf("%+v", r)
	}
	r.Node = "Bitcoin Core 31.1.0"
	r.Steps[0].State, r.Steps[0].Seen, r.Steps[0].Seconds = Passed, "It was there.", 1.25
	r.Fail(1, "It was not there.", "Put it there.")
	r.Log = []string{"12:00:01 WARN Gone"}
	want := `DMPool fire drill of 23 November 2026, 12:00:00 UTC
DMPool 1.0, Bitcoin Core 31.1.0

pass    The first thing (1.2 s)
        It was there.
fail    The second thing (0.0 s)
        It was not there.
        Put it there.
not-run The third thing

FAILED at the step "The second thing", after 1 of 3.

The last warnings in its log:
  12:00:01 WARN Gone
`
	if diff := cmp.Diff(want, r.Text()); diff != "" {
		t.Errorf("the report (-want +got):\n%s", diff)
	}
}

func TestFolder(t *testing.T) {
	f := In(t.TempDir())
	if list, err := f.Reports(); err != nil || list != nil || f.Taken() || f.Sweep() != nil {
		t.Fatalf("of a box without drills: %v, %v", list, err)
	}
	for i := range keep + 3 {
		s, err := f.Take()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Take(); !errors.Is(err, ErrBusy) {
			t.Errorf("a second one at a time: %v", err)
		}
		if err := f.Sweep(); err != nil {
			t.Errorf("sweep beside a drill: %v", err)
		}
		if err := os.WriteFile(filepath.Join(s.Dir(), "chain"), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
		r := NewReport("1.0", noon.Add(time.Duration(i)*time.Minute), twoSteps())
		if err := s.Show(r); err != nil {
			t.Fatal(err)
		}
		if now, runs := f.Running(); !runs || now.ID != r.ID {
			t.Errorf("running: %v %+v", runs, now)
		}
		r.Verdict = Passed
		if err := s.End(r); err != nil {
			t.Fatal(err)
		}
	}
	if _, runs := f.Running(); runs {
		t.Error("one runs after the last has ended")
	}
	list, err := f.Reports()
	if err != nil || len(list) != keep || list[0].ID != "20261123T122200Z" {
		t.Fatalf("%d reports, %v", len(list), err)
	}
	names, err := filepath.Glob(filepath.Join(f.Dir, "*"))
	if err != nil || len(names) != 2*keep+1 { // and the lock
		t.Errorf("left: %v", names)
	}
	for _, id := range []string{"20261123T120000Z", "../network", "running"} {
		if _, err := f.Report(id); !errors.Is(err, ErrNoReport) {
			t.Errorf("report %q: %v", id, err)
		}
	}
}

// A power cut in the middle leaves a report that says so, and nothing else.
func TestCutOff(t *testing.T) {
	f := In(t.TempDir())
	s, err := f.Take()
	if err != nil {
		t.Fatal(err)
	}
	r := NewReport("1.0", noon, twoSteps())
	r.Steps[0].State = Passed
	r.Steps[1].State = Running
	if err := s.Show(r); err != nil {
		t.Fatal(err)
	}
	s.lock.Close() // as the kernel does it
	if _, runs := f.Running(); runs {
		t.Error("it runs without its process")
	}
	if err := f.Sweep(); err != nil {
		t.Fatal(err)
	}
	got, err := f.Report(r.ID)
	if err != nil || got.Verdict != Failed || got.Failure().Name != "second" || got.Steps[2].State != NotRun {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := os.Stat(s.Dir()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("its box: %v", err)
	}
	if err := os.WriteFile(f.running(), []byte("{"), 0o600); err != nil { // torn
		t.Fatal(err)
	}
	if err := f.Sweep(); err == nil {
		t.Error("a torn report was not told of")
	}
	if s, err := f.Take(); err != nil {
		t.Errorf("after a torn report: %v", err)
	} else if kept, err := s.Keep("x"); err != nil {
		t.Error(err)
	} else if _, err := os.Stat(kept); err != nil || s.End(r) != nil {
		t.Errorf("kept: %v", err)
	}
}

func TestStart(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("CREDENTIALS_DIRECTORY", "/run/credentials")
	t.Setenv("NOTIFY_SOCKET", "/run/notify")
	t.Setenv("DMPOOL_SECRET", "x")
	for kind, want := range map[string]string{
		"as-drill-good": "", "as-drill-failed": "", "as-drill-refused": "there is no room", "as-drill-curious": "",
	} {
		t.Setenv("TMPDIR", kind)
		lines := 0
		err := Start(t.Context(), Command{Program: self, DataDir: "d", Bitcoind: "b", Progress: func() { lines++ }})
		got := ""
		if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s: %q, want %q", kind, got, want)
		}
		if kind == "as-drill-good" && lines != 2 {
			t.Errorf("told of %d lines", lines)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Start(ctx, Command{Program: self}); err == nil {
		t.Error("it began after the end")
	}
}

func TestRoom(t *testing.T) {
	if err := Room(t.TempDir(), "practice"); err != nil {
		t.Errorf("here: %v", err)
	}
	if err := Room("/proc", "practice"); err == nil || !strings.HasPrefix(err.Error(), "the disk has 0 MB left, and a fire drill begins with 756 MB") {
		t.Errorf("where nothing is free: %v", err)
	}
	stopped := make(chan error, 1)
	dir := t.TempDir()
	if err := os.Truncate(newFile(t, dir), Bound+1); err != nil {
		t.Fatal(err)
	}
	Guard(t.Context(), dir, func(err error) { stopped <- err })
	if err := <-stopped; err.Error() != "its folder grew to 256 MB, and a fire drill may take 256 MB" {
		t.Error(err)
	}
}

func newFile(t *testing.T, dir string) string {
	t.Helper()
	name := filepath.Join(dir, "large")
	if err := os.WriteFile(name, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}
