package stratum

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
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

type failing struct{}

func (failing) Wait(context.Context) error { return errDisk }
