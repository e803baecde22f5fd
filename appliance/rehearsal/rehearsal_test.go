package rehearsal

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/dmpool/dmpool/appliance/bitcoind"
	"github.com/dmpool/dmpool/appliance/drill"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// realNode returns a bitcoind, or skips the test where there is none and none is
// demanded.
func realNode(t *testing.T) string {
	t.Helper()
	binary, err := bitcoind.Find("")
	if errors.Is(err, bitcoind.ErrNotFound) && os.Getenv("DMPOOL_TEST_ALL") == "" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return binary
}

// TestDrill does a whole one.
func TestDrill(t *testing.T) {
	t.Parallel()
	told := 0
	report := Run(t.Context(), Config{
		Dir: t.TempDir(), Bitcoind: realNode(t), Release: "test", Progress: func(drill.Report) { told++ },
	})
	t.Log("\n" + report.Text())
	if report.Verdict != drill.Passed || report.Done() != len(report.Steps) || told != 2*len(report.Steps) {
		t.Errorf("verdict %s, %d steps passed, told %d times", report.Verdict, report.Done(), told)
	}
}

// TestDrillIsStopped stops one in the middle: it ends in order, and says so.
func TestDrillIsStopped(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	report := Run(ctx, Config{Dir: t.TempDir(), Bitcoind: realNode(t), Progress: func(r drill.Report) {
		if r.Done() == 2 {
			cancel()
		}
	}})
	failed := report.Failure()
	if report.Verdict != drill.Failed || failed == nil || failed.Name != "job" || failed.Seen != "The drill was stopped before this was done." || failed.Next == "" {
		t.Errorf("%s", report.Text())
	}
	if last := report.Steps[len(report.Steps)-1]; last.State != drill.NotRun {
		t.Errorf("the last step is %s", last.State)
	}
}

// TestDrillFails does drills on what is no node, and with a backup that is lost.
func TestDrillFails(t *testing.T) {
	t.Parallel()
	report := Run(t.Context(), Config{Dir: t.TempDir(), Bitcoind: "/bin/true"})
	if f := report.Failure(); report.Verdict != drill.Failed || report.Done() != 0 || !strings.Contains(f.Seen, "/bin/true is not a bitcoind") || f.Next == "" {
		t.Errorf("%s", report.Text())
	}
	r := &run{config: Config{Dir: t.TempDir()}}
	if err := r.takeBackup(t.Context(), r.folder("restored")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("restore a backup that is not there: %v", err)
	}
}

func TestDifference(t *testing.T) {
	for _, tc := range []struct {
		before, now []string
		want        string
	}{
		{[]string{"a 1", "b 2"}, []string{"a 1", "b 2"}, ""},
		{[]string{"a 1", "b 2"}, []string{"a 1", "b 3"}, `"b 3" was "b 2"`},
		{[]string{"a 1", "b 2"}, []string{"a 1"}, `"b 2" is missing`},
		{[]string{"a 1"}, []string{"a 1", "b 2"}, `"b 2" is new`},
	} {
		if got := difference(tc.before, tc.now); got != tc.want {
			t.Errorf("difference(%q, %q) = %q, want %q", tc.before, tc.now, got, tc.want)
		}
	}
}
