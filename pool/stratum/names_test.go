package stratum

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A proxy's workers are known only by the names in their shares (stratum.md
// sections 4 and 7).
func TestSubmitNames(t *testing.T) {
	backend := rowBackend()
	asked := map[string]int{}
	known := backend.authorize
	backend.authorize = func(username string) (Worker, error) {
		asked[username]++
		if username == "addr.offline" {
			return Worker{}, errDisk
		}
		return known(username)
	}
	inWorld(t, Config{StartDifficulty: 1e-5}, backend, func(w *world) {
		job := w.job(1, hard)
		w.server.Publish(job, true)
		m := w.ready("cpuminer")
		s := solve(t, m.session().extranonce1, job, share(1e-5))
		for _, test := range []struct{ username, address, name string }{
			{"addr.rig", "addr", "rig"},      // authorised
			{"addr.one", "addr", "one"},      // a proxy's worker
			{"addr.one", "addr", "one"},      //
			{"addr2.rig", "addr", "rig"},     // somebody else's address: the coinbase of the session counts
			{"addr2.rig", "addr", "rig"},     //
			{"nobody", "addr", "rig"},        // no address at all
			{"", "addr", "rig"},              //
			{"addr.offline", "addr", "rig"},  // not known now, asked again
			{"addr.offline", "addr", "rig"},  //
			{"addr.two+2048", "addr", "two"}, // its wish is not the session's
			{strings.Repeat("x", 300), "addr", "rig"},
		} {
			for !share(1e-5)(job.Prove(s)) {
				s.Nonce++
			}
			line := strings.Replace(submitLine(job, s), "addr.rig", test.username, 1)
			if got := m.ask(line); got != accepted {
				t.Fatalf("%s: %s", test.username, got)
			}
			s.Nonce++
			if got := w.backend.lastAccepted(t).Worker; got.Address != test.address || got.Name != test.name {
				t.Errorf("share of %q counts for %s.%s, want %s.%s", test.username, got.Address, got.Name, test.address, test.name)
			}
		}
		want := map[string]int{"addr.rig": 1, "addr.one": 1, "addr2.rig": 1, "nobody": 1, "addr.offline": 2, "addr.two+2048": 1}
		if diff := cmp.Diff(want, asked); diff != "" {
			t.Errorf("names asked for (-want +got):\n%s", diff)
		}
		var names []string
		for _, worker := range w.server.Sessions()[0].Workers {
			names = append(names, worker.Name)
		}
		if diff := cmp.Diff([]string{"rig", "one", "two"}, names); diff != "" {
			t.Errorf("workers (-want +got):\n%s", diff)
		}
		if got := w.server.Sessions()[0].Difficulty; got != 1e-5 {
			t.Errorf("difficulty %v, want that of the session", got)
		}
	})
}

// Made-up names end somewhere.
func TestSubmitNamesAreBounded(t *testing.T) {
	inWorld(t, Config{}, rowBackend(), func(w *world) {
		m, _ := w.readyAt(1)
		for i := range 2 * maxNames {
			m.ask(request("4", "submit", fmt.Sprintf(`["addr.%d","00000001","0000000000000000","00000001","00000001"]`, i)))
		}
		if n := len(w.server.Sessions()[0].Workers); n != maxNames {
			t.Errorf("%d workers, want %d", n, maxNames)
		}
	})
}

func TestManyWorkers(t *testing.T) {
	inWorld(t, Config{}, &fakeBackend{}, func(w *world) {
		m := w.connect()
		for i := range maxNames {
			m.ask(fmt.Sprintf(`{"id":1,"method":"mining.authorize","params":["addr.%d"]}`, i))
		}
		want := `{"id":1,"result":null,"error":[24,"Too many workers",null]}`
		if got := m.ask(`{"id":1,"method":"mining.authorize","params":["addr.more"]}`); got != want {
			t.Errorf("one worker too many: %s, want %s", got, want)
		}
		if got := m.ask(`{"id":1,"method":"mining.authorize","params":["addr.0"]}`); got != `{"id":1,"result":true,"error":null}` {
			t.Errorf("known worker again: %s", got)
		}
	})
}
