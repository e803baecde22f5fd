package rehearsal

import (
	"errors"
	"os"
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
	report := Run(t.Context(), Config{Dir: t.TempDir(), Bitcoind: realNode(t), Release: "test"})
	t.Log("\n" + report.Text())
	if report.Verdict != drill.Passed || report.Done() != len(report.Steps) {
		t.Errorf("verdict %s", report.Verdict)
	}
}
