package stratum

import (
	"fmt"
	"testing"
	"time"
)

// A proxy has as much as its miners would. Another name adds to what is allowed;
// it does not begin anew.
func TestPace(t *testing.T) {
	at := time.Unix(1_800_000_000, 0)
	var p pace
	count := func(rate float64) (n int) {
		for !p.excess(rate, at) {
			n++
		}
		return n
	}
	if got := count(10); got != 50 {
		t.Errorf("%d at once, want 50", got)
	}
	at = at.Add(time.Second)
	if got := count(10); got != 10 {
		t.Errorf("%d a second later, want 10", got)
	}
	if got := count(30); got != 100 {
		t.Errorf("%d more with two more names, want 100", got)
	}
	p.restart(1)
	if count(30) != 0 {
		t.Error("the first difficulty is no new start")
	}
	p.restart(2)
	if got := count(10); got != 50 {
		t.Errorf("%d at once after a new difficulty, want 50", got)
	}
}

// A stranger's names beyond the fourth buy nothing.
func TestPaceOfStrangers(t *testing.T) {
	tests := []struct {
		addr string
		want float64
	}{
		{"192.168.1.9:1", 50 * 200},
		{"203.0.113.5:1", publicNames * 200},
	}
	for _, test := range tests {
		inWorld(t, Config{}, &fakeBackend{}, func(w *world) {
			m := w.connectFrom(test.addr)
			for i := range 50 {
				m.ask(request("1", "authorize", fmt.Sprintf(`["addr.%d"]`, i)))
			}
			if got := m.session().allowance(); got != test.want {
				t.Errorf("%s may send %g submissions a second, want %g", test.addr, got, test.want)
			}
		})
	}
}

// A session ends when a burst has been dropped of late; what was dropped an hour
// ago is forgotten.
func TestDroppedSubmissionsAreForgotten(t *testing.T) {
	const rate = 10
	at := time.Unix(1_800_000_000, 0)
	var p pace
	flood := func(dropped int) {
		for range dropped {
			for !p.excess(rate, at) {
			}
		}
	}
	for range 24 {
		flood(burst * rate)
		if p.hopeless() {
			t.Fatal("given up after one burst in an hour")
		}
		at = at.Add(time.Hour)
	}
	flood(burst * rate)
	at = at.Add(time.Second)
	flood(2)
	if !p.hopeless() {
		t.Error("two bursts at once are put up with")
	}
}
