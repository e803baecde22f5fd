package appliance

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dmpool/dmpool/appliance/bitcoind"
	"github.com/dmpool/dmpool/appliance/drill"
)

// drilling is a box that is set up and whose fire drills are a shell script.
func drilling(t *testing.T, script string) *Appliance {
	t.Helper()
	a := setUpBox(t)
	a.config.Bitcoind = "/bin/true"
	a.drills.mine = filepath.Join(t.TempDir(), "dmpool")
	if err := os.WriteFile(a.drills.mine, []byte("#!/bin/sh\n"+script), 0o700); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		a.drills.run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	return a
}

// awaitDrill waits for the end of a drill.
func awaitDrill(t *testing.T, a *Appliance) Drills {
	t.Helper()
	for range 600 {
		d, err := a.Drills()
		if err != nil {
			t.Fatal(err)
		}
		if !d.Busy {
			return d
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatal("the drill does not end")
	return Drills{}
}

// A drill of the box is its own program, with the data directory and the node's
// program; its report is what came out.
func TestStartDrill(t *testing.T) {
	a := drilling(t, `
test "$*" = "drill --data-dir $3 --bitcoind /bin/true" || { echo "dmpool: called with $*" >&2; exit 1; }
id=$(date -u +%Y%m%dT%H%M%SZ)
printf '{"id":"%s","began":"%s","verdict":"pass"}' "$id" "$(date -u +%Y-%m-%dT%H:%M:%SZ)" > "$3/drills/$id.json"
`)
	if err := os.MkdirAll(a.drills.folder.Dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := a.StartDrill(t.Context(), "anna", "192.168.1.7"); err != nil {
		t.Fatal(err)
	}
	if err := a.StartDrill(t.Context(), "bert", ""); err == nil {
		t.Error("a second one began")
	}
	d := awaitDrill(t, a)
	if len(d.Last) != 1 || d.Problem != "" || d.Last[0].Verdict != drill.Passed {
		t.Fatalf("%+v", d)
	}
	wantAudit(t, a, "drill.start", "", "ok")
	wantAudit(t, a, "drill.start", "", drill.ErrBusy.Error())
	wantAudit(t, a, "drill.done", d.Last[0].ID, "pass")
	if r, err := a.DrillReport(d.Last[0].ID); err != nil || r.Verdict != drill.Passed {
		t.Errorf("%+v, %v", r, err)
	}
}

// What keeps a drill from beginning is told, and the next one may begin.
func TestDrillDoesNotBegin(t *testing.T) {
	a := drilling(t, `echo "dmpool: the stage is on fire" >&2; exit 1`)
	if err := a.StartDrill(t.Context(), "anna", ""); err != nil {
		t.Fatal(err)
	}
	if d := awaitDrill(t, a); d.Problem != "The fire drill did not begin, or left no report: the stage is on fire." || d.Last != nil {
		t.Errorf("%+v", d)
	}
	wantAudit(t, a, "drill.done", "", "the stage is on fire")

	stage, err := a.drills.folder.Take()
	if err != nil {
		t.Fatal(err)
	}
	if err := a.StartDrill(t.Context(), "anna", ""); err == nil || err.Error() != drill.ErrBusy.Error() {
		t.Errorf("beside one of the terminal: %v", err)
	}
	if err := stage.End(drill.NewReport("1", time.Now(), nil)); err != nil {
		t.Fatal(err)
	}
	a.config.Bitcoind = "/nowhere/bitcoind"
	if err := a.StartDrill(t.Context(), "anna", ""); err == nil || !strings.Contains(err.Error(), "/nowhere/bitcoind") {
		t.Errorf("without a node: %v", err)
	}
}

func TestDrillGround(t *testing.T) {
	t.Setenv("DMPOOL_BITCOIND", "")
	dir := filepath.Join(t.TempDir(), "box")
	if got, err := DrillGround(dir, "/bin/true"); err != nil || got != "/bin/true" {
		t.Errorf("named: %q, %v", got, err)
	}
	if _, err := DrillGround(dir, "/nowhere"); err == nil {
		t.Error("a program that is not there was taken")
	}
	t.Setenv("PATH", "")
	if _, err := os.Stat(bitcoind.Places{}.Core()); err != nil {
		if _, err := DrillGround(dir, ""); err == nil {
			t.Error("without a node's program")
		}
	}
	// The box's own is the one that was brought into use.
	core := dataDir{dir}.core()
	if err := os.MkdirAll(filepath.Join(core, "bitcoin-31.1"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("bitcoin-31.1", filepath.Join(core, "current")); err != nil {
		t.Fatal(err)
	}
	if got, err := DrillGround(dir, ""); err != nil || got != filepath.Join(core, "current", "bin", "bitcoind") {
		t.Errorf("the box's own: %q, %v", got, err)
	}
}
