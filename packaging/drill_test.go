//go:build nspawn

package packaging

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// drillInService does a fire drill as the button of the page does: as a child of the
// service, within all that its unit forbids. Nothing of it stays but the report.
func drillInService(t *testing.T) {
	t.Helper()
	p := signIn(t)
	var begun struct{ Begun bool }
	if err := p.call("/api/v1/drills", map[string]any{}, &begun); err != nil || !begun.Begun {
		t.Fatalf("begin a drill: %v", err)
	}
	type report struct {
		Verdict string
		Seconds float64
		Steps   []struct{ Name, State, Seen, Next string }
	}
	var list struct{ Items []report }
	waitFor(t, "the drill ends", func() bool {
		err := p.call("/api/v1/drills", nil, &list)
		return err == nil && len(list.Items) > 0 && list.Items[0].Verdict != "running"
	})
	r := list.Items[0]
	t.Logf("a drill in the service: %s, %.1f s", r.Verdict, r.Seconds)
	if r.Verdict != "pass" {
		t.Errorf("%+v", r.Steps)
	}
	left := command(t, "ls", "/var/lib/dmpool/drills")
	if strings.Contains(left, "scratch") {
		t.Errorf("left:\n%s", left)
	}
	// Its process and its node were in the service's own group.
	group := filepath.Join("/sys/fs/cgroup", property(t, "dmpool.service", "ControlGroup"), "cgroup.procs")
	waitFor(t, "the pool is alone in its service", func() bool {
		pids, err := os.ReadFile(group)
		return err == nil && len(strings.Fields(string(pids))) == 1
	})
}
