package appliance

import (
	"errors"
	"strings"
	"testing"
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
