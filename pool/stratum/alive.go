package stratum

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

// Alive returns nil as soon as both loops of each port, the one that accepts and
// the one that looks after sessions, have come round once more. It goes through the
// loops and the locks themselves, so that what holds them up holds up the answer,
// for longer than ctx lasts if it is the server's own lock.
func (s *Server) Alive(ctx context.Context) error {
	for _, p := range s.openPorts() {
		if err := p.alive(ctx); err != nil {
			return fmt.Errorf("port for miners at %s: %w", p.listener.Addr(), err)
		}
	}
	return nil
}

// enterPort makes a port one that [Server.Alive] asks, until leave is called.
func (s *Server) enterPort(p *port, ln net.Listener) (leave func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p.listener = ln
	s.ports[p] = struct{}{}
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.ports, p)
		p.accepting.stop()
		p.watching.stop()
	}
}

func (s *Server) openPorts() []*port {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]*port, 0, len(s.ports))
	for p := range s.ports {
		list = append(list, p)
	}
	return list
}

// waker is a listener whose Accept can be made to return.
type waker interface{ SetDeadline(t time.Time) error }

func (p *port) alive(ctx context.Context) error {
	came := []<-chan struct{}{p.watching.next()}
	if ln, ok := p.listener.(waker); ok {
		came = append(came, p.accepting.next())
		if err := ln.SetDeadline(time.Now()); err != nil && !errors.Is(err, net.ErrClosed) {
			return err
		}
	}
	for _, beat := range came {
		select {
		case <-beat:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// answer is what the accepting loop does when it was woken for [Server.Alive].
func (p *port) answer(ln net.Listener) {
	if ln, ok := ln.(waker); ok {
		_ = ln.SetDeadline(time.Time{}) // it fails only when the listener is closed
	}
	p.server.count() // which every new session needs, too
	p.accepting.beat()
}

// pulse lets others wait until a loop has come round.
type pulse struct {
	mu    sync.Mutex
	ended bool
	came  chan struct{} // closed at the next beat; nil: nobody waits
}

// next is closed when the loop comes round, and when it ends.
func (p *pulse) next() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		return p.came
	}
	if p.came == nil {
		p.came = make(chan struct{})
	}
	return p.came
}

func (p *pulse) beat() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.came != nil {
		close(p.came)
		p.came = nil
	}
}

// stop says that the loop has ended.
func (p *pulse) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = true
	if p.came == nil {
		p.came = make(chan struct{})
	}
	close(p.came)
}
