package bitcoind

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// A run that ends before the node has a log of its own does not end for the reason of
// the run before.
func TestReportOfARunWithoutALog(t *testing.T) {
	f := newFakeServices(t)
	conf := f.places.Conf(NetworkRegtest)
	if err := os.WriteFile(conf.debugLog(), []byte("2026-11-22T20:24:28Z Error: Error opening coins database.\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	said := int(os.Stderr.Fd()) // which is standard output under go test -json
	stderr, err := unix.Dup(said)
	if err != nil {
		t.Fatal(err)
	}
	err = f.places.SpeakTo(NetworkRegtest)
	_, _ = os.Stderr.WriteString("Error: the installed Bitcoin Core is damaged\n")
	if err := fmtErr(err, unix.Dup3(stderr, said, 0), unix.Close(stderr)); err != nil {
		t.Fatal(err)
	}
	told := map[string]string{"EXIT_CODE": "exited", "EXIT_STATUS": "1", "INVOCATION_ID": "one"}
	if _, err := f.places.Report(NetworkRegtest, func(name string) string { return told[name] }); err != nil {
		t.Fatal(err)
	}
	r, err := f.places.readReport(NetworkRegtest, "one")
	if err != nil || r.Class != ClassCrash || !strings.Contains(r.Text, "is damaged") {
		t.Errorf("readReport = %+v, %v, want what was said", r, err)
	}
	if _, err := f.places.readReport(NetworkRegtest, "two"); err == nil {
		t.Error("readReport of another run = nil, want an error")
	}
}

// The program that has used a directory is known by its log also when that was put
// aside for a run that was refused.
func TestProgramIsKnownByTheLogBefore(t *testing.T) {
	conf := Conf{Network: NetworkMain, Dir: t.TempDir()}
	if err := os.WriteFile(conf.oldLog(), []byte("2026-11-22T20:24:28Z Bitcoin Knots version v29.3\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := conf.program(); err != nil || got != "Bitcoin Knots" {
		t.Errorf("program = %q, %v, want Bitcoin Knots", got, err)
	}
}

// The node's user may give no reason that the pool has for itself, such as the one by
// which it starts a node again without a pause.
func TestReadReportDistrusts(t *testing.T) {
	f := newFakeServices(t)
	for class, good := range map[Class]bool{
		ClassDisk: true, ClassChainstate: true, ClassStopped: true,
		"": false, classRestart: false, ClassService: false, ClassAway: false, "<b>": false,
	} {
		text, err := json.Marshal(exitReport{Invocation: "one", Class: class})
		if err != nil {
			t.Fatal(err)
		}
		if err := replace(f.places.report(NetworkRegtest), text, 0o640); err != nil {
			t.Fatal(err)
		}
		if _, err := f.places.readReport(NetworkRegtest, "one"); good != (err == nil) {
			t.Errorf("readReport with the reason %q = %v, want good: %v", class, err, good)
		}
	}
}
