package stratum

import (
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A fault of this program that one session brings to light ends that session,
// whoever works for it: who publishes, who writes, the watch, and who looks after
// the end of it.
func TestPanicOutsideTheReader(t *testing.T) {
	poison := func(s *session) { // a job without a job: whoever looks at its template panics
		s.mu.Lock()
		defer s.mu.Unlock()
		s.state.issued = append(s.state.issued[:0], issued{}, issued{}, s.state.issued[0])
	}
	tests := []struct {
		name  string
		spoil func(w *world, s *session)
	}{
		{"publisher", func(w *world, s *session) {
			poison(s)
			w.server.Publish(w.job(1, hard), false)
		}},
		{"watch", func(w *world, s *session) {
			poison(s)
			s.mu.Lock()
			s.state.want, s.state.urgent = 7, true
			s.mu.Unlock()
			time.Sleep(tickTime)
		}},
		{"writer", func(w *world, s *session) {
			s.pen.conn = brokenConn{s.conn}
			w.server.Publish(w.job(1, hard), false)
		}},
		{"end", func(w *world, s *session) {
			poison(s)
			_ = s.conn.Close()
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			inWorld(t, Config{}, &fakeBackend{}, func(w *world) {
				w.server.Publish(w.job(1, hard), true)
				m := w.ready("x")
				bad := m.session()
				other := w.ready("y")
				synctest.Wait()
				test.spoil(w, bad)
				if !m.closed() {
					t.Error("the session goes on")
				}
				other.received()
				w.server.Publish(w.job(2, hard), false)
				if diff := cmp.Diff([]string{"job clean=true"}, kinds(other.received())); diff != "" {
					t.Errorf("another session (-want +got):\n%s", diff)
				}
				if n := len(w.server.Sessions()); n != 1 {
					t.Errorf("%d sessions are left, want 1", n)
				}
			})
		})
	}
}

// brokenConn panics when it is written to.
type brokenConn struct{ net.Conn }

func (brokenConn) SetWriteDeadline(time.Time) error { panic("boom") }

// A job that cannot be sent to anybody costs that job.
func TestPublishSurvives(t *testing.T) {
	inWorld(t, Config{}, &fakeBackend{}, func(w *world) {
		w.server.Publish(w.job(1, hard), true)
		m := w.ready("x")
		w.server.Publish(nil, false)
		m.received()
		w.server.Publish(w.job(1, hard), false)
		if diff := cmp.Diff([]string{"job clean=false"}, kinds(m.received())); diff != "" {
			t.Errorf("the next job (-want +got):\n%s", diff)
		}
	})
}
