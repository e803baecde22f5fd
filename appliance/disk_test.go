package appliance

import (
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/dmpool/dmpool/appliance/bitcoind"
)

func TestRoom(t *testing.T) {
	tests := map[string]struct {
		room      room
		noSingles bool
		noPayouts bool
		status    string
		reason    string
	}{
		"plenty":            {room{free: 1_234_567_890_123}, false, false, Healthy, "has 1234.5 GB left."},
		"just enough":       {room{free: 1_000_000_000}, false, false, Healthy, "has 1.0 GB left."},
		"too little to log": {room{free: 999_999_999}, true, false, Degraded, "has 999 MB left. Single shares are not kept"},
		"enough to pay":     {room{free: 300_000_000}, true, false, Degraded, "has 300 MB left."},
		"too little to pay": {room{free: 299_999_999}, true, true, Down, "has 299 MB left. There are no new payouts"},
		"full":              {room{}, true, true, Down, "has 0 MB left."},
		"not known":         {room{err: errors.New("no such disk")}, false, false, Degraded, "not known: no such disk."},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := tt.room.noSingles(); got != tt.noSingles {
				t.Errorf("noSingles = %v", got)
			}
			if got := tt.room.notNow(); (got != "") != tt.noPayouts || strings.HasSuffix(got, ".") {
				t.Errorf("notNow = %q", got)
			}
			c := tt.room.check()
			if c.Name != "disk" || c.Status != tt.status || !strings.Contains(c.Reason, tt.reason) || (c.NextStep == "") != (tt.status == Healthy) {
				t.Errorf("check = %+v", c)
			}
		})
	}

	box := &Appliance{dir: dataDir{t.TempDir()}}
	if r := box.room(); r.err != nil || r.free <= 0 {
		t.Errorf("room of a folder = %+v", r)
	}
	box.dir.root += "/missing"
	if r := box.room(); r.err == nil {
		t.Errorf("room of no folder = %+v", r)
	}
}

// What is given up when the disk fills up is given up one after the other, and what
// the ballast gives back begins nothing anew.
func TestBallastIsTheLastStep(t *testing.T) {
	for _, network := range []string{"main", "testnet4", "signet"} {
		limits := bitcoind.LimitsOf(network, 1_000_000_000_000)
		steps := []int64{limits.Warn, limits.Alarm, limits.Stop, singlesRoom, payoutRoom, ballastLetGo}
		for i := range steps[1:] {
			if steps[i+1] >= steps[i] {
				t.Errorf("%s: step %d is at %d, not below %d", network, i+1, steps[i+1], steps[i])
			}
		}
	}

	a, err := New(t.Context(), Config{DataDir: t.TempDir(), Network: "signet", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.Close() })
	// look is what the box sees of a disk with so much room for ballast and databases.
	look := func(all int64) room {
		measure := func() (m bitcoind.Machine) {
			m.DiskTotal, m.DiskFree = 1_000_000_000_000, all
			if exists(a.dir.ballast("signet")) {
				m.DiskFree -= ballastSize
			}
			return m
		}
		a.trimBallast(measure())
		return a.roomOf(measure(), nil)
	}
	for _, step := range []struct {
		what    string
		all     int64
		payouts bool
		reserve bool // the ballast is gone
	}{
		{"the ballast is laid in", 50_000_000_000, true, false},
		{"payouts end first", ballastSize + payoutRoom - 1, false, false},
		{"the ballast stays until there is almost nothing", ballastSize + ballastLetGo, false, false},
		{"what it gives back is for the databases", ballastSize + ballastLetGo - 1, false, true},
		{"others made some room", ballastSize + payoutRoom - 1, false, true},
		{"and enough for payouts", ballastSize + payoutRoom, true, true},
		{"and for the ballast", 50_000_000_000, true, false},
	} {
		r := look(step.all)
		if r.free != step.all-ballastSize || r.reserve != step.reserve || (r.notNow() == "") != step.payouts {
			t.Errorf("%s: room %+v, %q", step.what, r, r.notNow())
		}
	}
	look(ballastSize)
	if c := look(ballastSize).check(); c.Status != Down || !strings.Contains(c.Reason, "has 0 MB left.") || !strings.Contains(c.Reason, "is not counted and in use") {
		t.Errorf("check = %+v", c)
	}
}
