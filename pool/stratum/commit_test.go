package stratum

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dmpool/dmpool/pool/work"
)

// An answer waits for its share to be durable, and so does everything behind
// it.
func TestAnswersWaitForCommit(t *testing.T) {
	backend := &fakeBackend{}
	inWorld(t, Config{}, backend, func(w *world) {
		disk := make(waiter, 1)
		backend.commit = func(Share) (Commit, error) { return disk, nil }
		m, j := w.readyAt(1e-5)
		good := m.mine(j, share(1e-5))
		bad := m.mine(j, notShare(1e-5))
		m.send(good + "\n" + bad + "\n")
		if got := m.received(); got != nil {
			t.Fatalf("answered %q before the share was durable", got)
		}
		w.server.Publish(w.job(1, hard), false)
		if diff := cmp.Diff([]string{"job clean=false"}, kinds(m.received())); diff != "" {
			t.Errorf("while the share waits (-want +got):\n%s", diff)
		}
		disk <- nil
		if diff := cmp.Diff([]string{accepted + "\n" + refusal("23", "Low difficulty share") + "\n"}, m.receivedSegments()); diff != "" {
			t.Errorf("after the commit (-want +got):\n%s", diff)
		}
	})
}

func TestLostShareIsNotAnswered(t *testing.T) {
	tests := []struct {
		name   string
		commit func(Share) (Commit, error)
	}{
		{"not queued", func(Share) (Commit, error) { return nil, errDisk }},
		{"not durable", func(Share) (Commit, error) { return failing{}, nil }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			inWorld(t, Config{}, &fakeBackend{commit: test.commit}, func(w *world) {
				m, j := w.readyAt(1e-5)
				m.send(m.mine(j, share(1e-5)) + "\n")
				if got := m.received(); got != nil {
					t.Errorf("answered %q", got)
				}
				if !m.closed() {
					t.Error("the session goes on")
				}
			})
		})
	}
}

// A share that could not be recorded was never sent, as far as anybody knows: it
// counts when the miner sends it again. One that was recorded with it, and one of
// which nobody knows, still are duplicates.
func TestLostShareCountsWhenSentAgain(t *testing.T) {
	lost := func(Share) (Commit, error) { return failing{}, nil }
	tests := []struct {
		name   string
		commit func(Share) (Commit, error)
		end    func(*world)
		want   string
	}{
		{"not queued", func(Share) (Commit, error) { return nil, errDisk }, nil, "4 true"},
		{"not durable", lost, nil, "4 true"},
		{"fate unknown", func(Share) (Commit, error) { return make(waiter), nil }, func(w *world) { w.stop() }, `4 [22,"Duplicate share",null]`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			backend := &fakeBackend{commit: test.commit}
			inWorld(t, Config{}, backend, func(w *world) {
				m, job := w.readyAt(1e-5)
				sid := m.session().id
				line := m.mine(job, share(1e-5))
				m.send(line + "\n")
				m.received()
				if test.end != nil {
					test.end(w)
					time.Sleep(2 * drainTime)
					w.restart()
				}
				backend.commit = nil
				m, got := w.resuming(sid)
				if got != sid {
					t.Fatalf("resumed as %s, want %s", got, sid)
				}
				m.send(authorizeLine)
				m.received()
				m.expect("the same share", line, test.want)
			})
		})
	}
}

// Of shares that wait together, those that were recorded stay known.
func TestOnlyLostSharesCountAgain(t *testing.T) {
	backend := &fakeBackend{}
	inWorld(t, Config{}, backend, func(w *world) {
		m, job := w.readyAt(1e-5)
		sid := m.session().id
		lines := []string{
			m.mine(job, func(p work.Proof) bool { return share(1e-5)(p) && p.Header[76]%2 == 0 }),
			m.mine(job, func(p work.Proof) bool { return share(1e-5)(p) && p.Header[76]%2 == 1 }),
		}
		backend.commit = func(Share) (Commit, error) {
			if len(backend.accepted) == 1 {
				return failing{}, nil
			}
			return waiter(nil), nil
		}
		m.send(lines[0] + "\n" + lines[1] + "\n")
		if got := m.received(); got != nil {
			t.Errorf("answered %q", got)
		}
		m, _ = w.resuming(sid)
		m.send(authorizeLine)
		m.received()
		m.expect("the lost one", lines[0], "4 true")
		m.expect("the other one", lines[1], `4 [22,"Duplicate share",null]`)
	})
}

type failing struct{}

func (failing) Wait(context.Context) error { return errDisk }
