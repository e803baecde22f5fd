package stratum

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"
)

// Strangers who come and go leave room for the miners at home to be remembered.
func TestStrangersLeaveRoomToResume(t *testing.T) {
	const home, stranger = "192.168.1.9:1", "203.0.113.5:1"
	inWorld(t, Config{MaxSessions: 4}, &fakeBackend{}, func(w *world) {
		w.server.Publish(w.job(1, hard), true)
		visit := func(addr string) {
			m := w.connectFrom(addr)
			m.send(subscribeLine("x") + authorizeLine)
			m.received()
			_ = m.conn.Close()
			synctest.Wait()
			time.Sleep(time.Second)
		}
		for range 20 {
			visit(stranger)
		}
		if n := len(w.server.Closed()); n != 6 {
			t.Errorf("%d sessions of strangers can be resumed, want 6 of 8", n)
		}
		visit(home)
		visit(home)
		if n := len(w.server.Closed()); n != 8 {
			t.Errorf("%d sessions can be resumed, want 8", n)
		}
	})
}

// What suits a stranger is remembered only after an hour of shares, what suits a
// miner at home at once.
func TestStrangersAreRememberedLate(t *testing.T) {
	tests := []struct {
		addr string
		work time.Duration
		want int
	}{
		{"192.168.1.9:1", 20 * time.Minute, 1},
		{"203.0.113.5:1", 50 * time.Minute, 0},
		{"203.0.113.5:1", 70 * time.Minute, 1},
	}
	for _, test := range tests {
		inWorld(t, Config{}, &fakeBackend{}, func(w *world) {
			job := w.job(1, easy)
			w.server.Publish(job, true)
			m := w.connectFrom(test.addr)
			m.send(subscribeLine("cpuminer") + authorizeLine)
			m.received()
			s := solve(t, m.session().extranonce1, job, anyHash)
			for end := time.Now().Add(test.work); time.Now().Before(end); time.Sleep(time.Minute) {
				for !job.Prove(s).Block { // every share is, on such a network
					s.Nonce++
				}
				m.send(submitLine(job, s) + "\n")
				m.received()
				s.Nonce++
			}
			time.Sleep(tickTime)
			if got := w.server.Changed(); len(got) != test.want {
				t.Errorf("%s after %v: remembered %v, want %d", test.addr, test.work, got, test.want)
			}
		})
	}
}

// A worker without a name is called by the last octet of its address.
func TestNamelessWorker(t *testing.T) {
	tests := []struct{ addr, username, want string }{
		{"192.168.1.17:4000", "addr", "17"},
		{"[::ffff:10.0.0.5]:4000", "addr", "5"},
		{"[fd00::17]:4000", "addr", "worker"},
		{"192.168.1.17:4000", "addr.rig", "rig"},
	}
	for _, test := range tests {
		inWorld(t, Config{}, &fakeBackend{}, func(w *world) {
			m := w.connectFrom(test.addr)
			m.ask(request("1", "authorize", `["`+test.username+`"]`))
			if got := w.server.Sessions()[0].Workers[0].Name; got != test.want {
				t.Errorf("%s from %s is called %q, want %q", test.username, test.addr, got, test.want)
			}
		})
	}
	if got := nameless(nil); got != "worker" {
		t.Errorf("from nowhere: %q", got)
	}
}

// A flood from ever new addresses fills no memory: only who is let in is known.
func TestGateForgetsWhoWasTurnedAway(t *testing.T) {
	at := time.Now()
	g := newGate(at)
	in := 0
	for i := range 10_000 {
		addr := netip.AddrFrom4([4]byte{8, 8, byte(i >> 8), byte(i)})
		if _, ok := g.enter(addr, 1, at); ok {
			in++
		}
	}
	if limit := publicRate * (2 + int(maxDelay.Seconds())); in > limit || len(g.visitors) != in {
		t.Errorf("%d of at most %d were let in, and %d are known", in, limit, len(g.visitors))
	}
}
