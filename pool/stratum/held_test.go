package stratum

import (
	"encoding/json"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dmpool/dmpool/pool/work"
)

// newLife stops the server in order and lets another one take its place after
// some time, with what it would have stored, changed by the test.
func (w *world) newLife(after time.Duration, change func(*Memory)) {
	w.Helper()
	w.stop()
	if err := <-w.served; err != nil {
		w.Errorf("Serve = %v", err)
	}
	text, err := json.Marshal(w.server.Held())
	if err != nil {
		w.Fatal(err)
	}
	m := Memory{Clean: true, Closed: w.server.Closed()}
	if err := json.Unmarshal(text, &m.Held); err != nil {
		w.Fatal(err)
	}
	time.Sleep(after)
	if change != nil {
		change(&m)
	}
	w.server = NewServer(*w.server.rules(), w.backend)
	w.server.Recall(m)
	w.serve()
}

// halves returns two share lines for a job.
func (m *miner) halves(job *work.Job, d float64) (even, odd string) {
	even = m.mine(job, func(p work.Proof) bool { return share(d)(p) && p.Header[76]%2 == 0 })
	odd = m.mine(job, func(p work.Proof) bool { return share(d)(p) && p.Header[76]%2 == 1 })
	return even, odd
}

// A miner that takes its session up after a restart in order sends the shares
// that it could not send before. They count, whether or not the node has given a
// template yet; those that had counted do not count twice.
func TestKeptSharesCountAfterRestart(t *testing.T) {
	for _, templateFirst := range []bool{true, false} {
		t.Run(fmt.Sprint("template first: ", templateFirst), func(t *testing.T) {
			inWorld(t, Config{}, &fakeBackend{}, func(w *world) {
				m, job := w.readyAt(1e-5)
				sid := m.session().id
				sent, unsent := m.halves(job, 1e-5)
				m.expect("before the restart", sent, "4 true")
				w.newLife(5*time.Second, nil)
				next := w.job(job.PrevHash[0], hard)
				if templateFirst {
					w.server.Publish(next, true)
				}
				m, got := w.resuming(sid)
				if got != sid {
					t.Fatalf("resumed as %s, want %s", got, sid)
				}
				m.send(authorizeLine)
				m.received()
				m.expect("share that was not sent", unsent, "4 true")
				if got := w.backend.lastAccepted(t); got.Difficulty != 1e-5 || got.Job.ID != job.ID || got.Late {
					t.Errorf("credited as %+v", got)
				}
				m.expect("share that was", sent, `4 [22,"Duplicate share",null]`)
				m.expect("the other one again", unsent, `4 [22,"Duplicate share",null]`)
				if !templateFirst {
					w.server.Publish(next, true)
					if got := kinds(m.received()); len(got) != 2 || got[1] != "job clean=true" {
						t.Errorf("after the first template: received %q", got)
					}
				}

				// And the same over another restart.
				_, third := m.halves(next, 1e-5)
				w.newLife(5*time.Second, nil)
				m, _ = w.resuming(sid)
				m.send(authorizeLine)
				m.received()
				m.expect("an old share, two restarts later", unsent, `4 [22,"Duplicate share",null]`)
				m.expect("a new one", third, "4 true")
			})
		})
	}
}

// A block on a job from before the restart is a block, with all its
// transactions.
func TestBlockOnKeptJob(t *testing.T) {
	inWorld(t, Config{}, &fakeBackend{}, func(w *world) {
		job := w.job(1, easy)
		w.server.Publish(job, true)
		m := w.ready("x")
		sid := m.session().id
		s := solve(t, m.session().extranonce1, job, func(p work.Proof) bool { return p.Block })
		w.newLife(5*time.Second, nil)
		m, _ = w.resuming(sid)
		m.send(authorizeLine)
		m.received()
		m.expect("block", submitLine(job, s), "4 true")
		w.backend.mu.Lock()
		defer w.backend.mu.Unlock()
		if len(w.backend.found) != 1 || cmp.Diff(job.Block(s), w.backend.found[0].Job.Block(s)) != "" {
			t.Errorf("%d blocks found, or another one", len(w.backend.found))
		}
	})
}

// When the tip has moved meanwhile, the shares are stale, after the time of grace
// if the miner has not heard of it.
func TestKeptSharesOnAnOldTip(t *testing.T) {
	inWorld(t, Config{}, &fakeBackend{}, func(w *world) {
		m, job := w.readyAt(1e-5)
		sid := m.session().id
		soon, late := m.halves(job, 1e-5)
		w.newLife(5*time.Second, nil)
		m, _ = w.resuming(sid)
		m.send(authorizeLine)
		m.received()
		w.server.Publish(w.job(2, hard), true)
		m.received()
		m.expect("soon after the first template", soon, "4 true")
		if !w.backend.lastAccepted(t).Late {
			t.Error("not marked as late")
		}
		time.Sleep(10 * time.Second)
		m.expect("long after it", late, `4 [21,"Stale share",null]`)
		if n := len(w.server.seen.On(job.PrevHash)); n != 1 {
			t.Errorf("%d shares on the old tip are known, want 1", n)
		}
		for i := range 5 {
			time.Sleep(10 * time.Minute)
			w.server.Publish(w.job(byte(3+i), hard), true)
		}
		if n := len(w.server.seen.On(job.PrevHash)); n != 0 {
			t.Errorf("%d shares on the old tip are never forgotten", n)
		}
	})
}

// What is no use after the restart is not taken over.
func TestHeldThatIsNotTaken(t *testing.T) {
	tests := []struct {
		name   string
		after  time.Duration
		change func(*Memory)
	}{
		{"too old", resumeTime, func(m *Memory) {
			for id := range m.Closed {
				m.Closed[id] = time.Now() // by a clock that was set
			}
		}},
		{"session unknown", time.Second, func(m *Memory) { m.Closed, m.Clean = nil, false }},
		{"job missing", time.Second, func(m *Memory) { m.Held.Jobs = m.Held.Jobs[:1] }},
		{"job on another tip", time.Second, func(m *Memory) { m.Held.Tip[5]++ }},
		{"difficulty without sense", time.Second, func(m *Memory) {
			for _, list := range m.Held.Sessions {
				for i := range list {
					list[i].Difficulty = 0
				}
			}
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			inWorld(t, Config{}, &fakeBackend{}, func(w *world) {
				m, _ := w.readyAt(1e-5)
				job := w.job(1, hard)
				w.server.Publish(job, false)
				m.received()
				sid := m.session().id
				line := m.mine(job, share(1e-5))
				w.newLife(test.after, test.change)
				m, got := w.resuming(sid)
				if got != sid {
					t.Fatalf("resumed as %s, want %s", got, sid)
				}
				m.send(authorizeLine)
				m.received()
				m.expect("share", line, `4 [21,"Job not found",null]`)
			})
		})
	}
}

// What is held has bounds: the jobs of the last templates on the tip, and none at
// all when there are too many shares to keep them from counting twice.
func TestHeldIsBounded(t *testing.T) {
	inWorld(t, Config{}, &fakeBackend{}, func(w *world) {
		w.server.Publish(w.job(9, hard), true)
		m := w.ready("x")
		for range 10 {
			w.server.Publish(w.job(1, hard), false)
			time.Sleep(time.Second)
		}
		m.received()
		_ = m.conn.Close()
		synctest.Wait()
		h := w.server.Held()
		if len(h.Jobs) != heldTemplates || len(h.Sessions) != 1 || h.Jobs[heldTemplates-1] != w.server.current.Load().job {
			t.Errorf("%d jobs of %d sessions are held, want the last %d of 1", len(h.Jobs), len(h.Sessions), heldTemplates)
		}
		for i := range heldShares + 1 {
			w.server.seen.Learn(h.Tip, []work.Mark{{byte(i), byte(i >> 8), byte(i >> 16)}})
		}
		if h = w.server.Held(); len(h.Jobs) != 0 || len(h.Accepted) != 0 || h.LastJob == 0 {
			t.Errorf("too many shares: %d jobs and %d shares are held", len(h.Jobs), len(h.Accepted))
		}
	})
}

// Numbers of jobs go on from where they were, even if the clock does not.
func TestJobNumbersGoOn(t *testing.T) {
	inWorld(t, Config{}, &fakeBackend{}, func(w *world) {
		next := w.server.NextJobID()
		for _, test := range []struct{ last, want uint32 }{{next + 1000, next + 1001}, {next - 1000, next + 1002}} {
			w.server.Recall(Memory{Held: Held{LastJob: test.last}})
			if got := w.server.NextJobID(); got != test.want {
				t.Errorf("after job %d: %d, want %d", test.last, got, test.want)
			}
		}
	})
}
