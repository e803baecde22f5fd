package stratum

import (
	"fmt"
	"net/netip"
	"testing"
	"time"
)

// Whoever is banned is told so, and those who are at work end; everybody else
// stays, and the same miner is welcome again when the ban is lifted.
func TestEnforce(t *testing.T) {
	for name, tc := range map[string]struct {
		ban  Ban
		text string
		out  []string // usernames that are out, of those below
	}{
		"address": {Ban{Address: "alice"}, "Address is banned here", []string{"alice.rig1", "alice.rig2"}},
		"worker":  {Ban{Address: "alice", Worker: "rig1"}, "Worker is banned here", []string{"alice.rig1"}},
		"network": {Ban{Network: netip.MustParsePrefix("192.168.1.0/24")}, "Network is banned here", []string{"alice.rig1", "bob.rig1"}},
		"mapped":  {Ban{Network: netip.MustParsePrefix("192.168.2.7/32")}, "Network is banned here", []string{"alice.rig2"}},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, Config{}, &fakeBackend{}, func(w *world) {
				w.server.Publish(w.job(1, hard), true)
				from := map[string]string{"alice.rig1": "192.168.1.5:1", "alice.rig2": "[::ffff:192.168.2.7]:2", "bob.rig1": "192.168.1.6:3"}
				greet := func(username string) *miner {
					m := w.connectFrom(from[username])
					m.send(subscribeLine("x"))
					m.received()
					m.send(request("4", "authorize", fmt.Sprintf(`["%s","x"]`, username)) + "\n")
					return m
				}
				running := map[string]*miner{}
				for username := range from {
					running[username] = greet(username)
					running[username].received()
				}
				w.server.Enforce([]Ban{tc.ban})
				out := map[string]bool{}
				for _, username := range tc.out {
					out[username] = true
				}
				for username, m := range running {
					if m.closed() != out[username] {
						t.Errorf("session of %s is closed: %v", username, !out[username])
					}
					again := greet(username).received()
					want := accepted
					if out[username] {
						want = refusal("24", tc.text)
					}
					if len(again) == 0 || again[0] != want+"\n" {
						t.Errorf("%s is told %q, want %q", username, again, want)
					}
				}
				w.server.Enforce(nil)
				for username := range from {
					if again := greet(username).received(); len(again) == 0 || again[0] != accepted+"\n" {
						t.Errorf("%s is told %q after the ban", username, again)
					}
				}
			})
		})
	}
}

// A worker that was let in while the ban came ends at its next turn, and shares
// under a banned name count for the session's own worker.
func TestBannedLater(t *testing.T) {
	inWorld(t, Config{}, &fakeBackend{}, func(w *world) {
		m := w.ready("x")
		session := m.session()
		list := []Ban{{Address: "addr"}}
		w.server.bans.Store(&list)
		if worker := session.workerOf(t.Context(), []byte("addr.other")); worker.Name == "other" {
			t.Error("a banned name is let in by its shares")
		}
		time.Sleep(tickTime)
		if !m.closed() {
			t.Error("the session goes on")
		}
	})
}
