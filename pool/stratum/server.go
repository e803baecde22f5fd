package stratum

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/dmpool/dmpool/pool/work"
)

// How a server stops: sessions go on reading for linger, so that shares that
// are on their way are not lost, and have drainTime in all.
const (
	linger    = 200 * time.Millisecond
	drainTime = 2 * time.Second
)

// jobMemory is how long a job is remembered after a newer one went out.
const jobMemory = 10 * time.Minute

// Server serves any number of listeners. Make one with [NewServer]; all its
// methods may be called at any time by any goroutine.
type Server struct {
	config  Config
	backend Backend
	log     *slog.Logger
	bounds  atomic.Pointer[bounds]
	jobID   atomic.Uint32
	seen    *work.Seen

	publishing sync.Mutex // jobs go out one after the other
	current    atomic.Pointer[notice]

	mu          sync.Mutex
	sessions    map[uint32]*session // by extranonce1
	extranonce1 uint32              // the last one given out
	retired     map[chainhash.Hash]time.Time
	pausedAt    time.Time // zero: not paused
	hintedAt    time.Time // last time the log told of a stranger
}

// NewServer returns a server that has not started.
func NewServer(c Config, b Backend) *Server {
	s := &Server{
		config:   c.withDefaults(),
		backend:  b,
		seen:     work.NewSeen(),
		sessions: make(map[uint32]*session),
		retired:  make(map[chainhash.Hash]time.Time),
	}
	s.log = s.config.Logger
	s.SetDifficulty(c.StartDifficulty, c.MinDifficulty, c.MaxDifficulty)

	// Numbers of jobs must not come back after a restart, when miners still
	// remember the old ones.
	s.jobID.Store(uint32(time.Now().UnixMilli()))

	var random [4]byte
	_, _ = rand.Read(random[:]) // never fails
	s.extranonce1 = binary.BigEndian.Uint32(random[:])
	return s
}

// SetDifficulty replaces the three difficulties of [Config]. They count from
// each session's next job.
func (s *Server) SetDifficulty(start, floor, ceiling float64) {
	s.bounds.Store(newBounds(start, floor, ceiling))
}

// NextJobID returns a number for a job that no other job has.
func (s *Server) NextJobID() uint32 { return s.jobID.Add(1) }

// Serve accepts miners until ctx ends or the listener fails, closes the
// listener, lets the sessions finish what they have received, for two seconds
// at most, and returns when all of them have ended. It returns nil when ctx
// ended it.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	closeListener := context.AfterFunc(ctx, func() { _ = ln.Close() })
	defer closeListener()

	// The sessions outlive ctx by the time they need to finish.
	lasting, abort := context.WithCancel(context.WithoutCancel(ctx))
	defer abort()
	var sessions sync.WaitGroup
	err := s.accept(ctx, ln, func(conn net.Conn) {
		if session := s.admit(conn); session != nil {
			sessions.Go(func() {
				defer s.release(session)
				session.run(lasting, ctx)
			})
			return
		}
		_ = conn.Close()
	})
	_ = ln.Close()

	if ctx.Err() == nil { // the listener failed: nothing will end the sessions
		abort()
	}
	patience := time.AfterFunc(drainTime, abort)
	defer patience.Stop()
	sessions.Wait()
	return err
}

// accept hands each connection to serve. A failing accept, such as for lack of
// file descriptors, is tried again after a while.
func (s *Server) accept(ctx context.Context, ln net.Listener, serve func(net.Conn)) error {
	var delay time.Duration
	for {
		conn, err := ln.Accept()
		switch {
		case err == nil:
			delay = 0
			tuneTCP(conn)
			serve(conn)
			continue
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, net.ErrClosed):
			return fmt.Errorf("accept on %s: %w", ln.Addr(), err)
		}
		delay = min(max(2*delay, 5*time.Millisecond), time.Second)
		s.log.Warn("Cannot accept a connection", "err", err)
		select {
		case <-time.After(delay):
		case <-ctx.Done():
		}
	}
}

// tuneTCP makes a dead peer show within two minutes. Go's default of not
// delaying small writes is what we need, too.
func tuneTCP(conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetNoDelay(true)
		_ = tcp.SetKeepAliveConfig(net.KeepAliveConfig{
			Enable: true, Idle: 45 * time.Second, Interval: 15 * time.Second, Count: 4,
		})
	}
}

// admit makes a session, or returns nil when there is no place for it.
func (s *Server) admit(conn net.Conn) *session {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.away(time.Now()) {
		return nil
	}
	if len(s.sessions) >= s.config.MaxSessions {
		s.log.Warn("Too many connections", "limit", s.config.MaxSessions, "peer", conn.RemoteAddr())
		return nil
	}
	for taken := true; taken; {
		s.extranonce1++
		_, taken = s.sessions[s.extranonce1]
	}
	session := newSession(s, conn, s.extranonce1)
	s.sessions[s.extranonce1] = session
	return session
}

func (s *Server) release(session *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.sessions, session.extranonce1)
}

// live returns the sessions there are.
func (s *Server) live() []*session {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]*session, 0, len(s.sessions))
	for _, session := range s.sessions {
		list = append(list, session)
	}
	return list
}

// Publish sends a job to every session. Clean makes miners drop all work for
// earlier jobs; a job on another previous block than the last one is always
// clean. It returns when the job is on its way, without waiting for any miner.
func (s *Server) Publish(job *work.Job, clean bool) {
	n := newNotice(job)
	s.publishing.Lock()
	defer s.publishing.Unlock()

	at := time.Now()
	last := s.current.Swap(n)
	if last != nil && last.job.PrevHash != job.PrevHash {
		clean = true
		s.retire(last.job.PrevHash, job.PrevHash, at)
	}
	for _, session := range s.live() {
		session.notify(n, clean, at)
	}
}

// retire notes that the tip moved, and forgets the shares on tips for which no
// session has a job any more.
func (s *Server) retire(from, to chainhash.Hash, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.retired[from] = at
	delete(s.retired, to)
	for prev, since := range s.retired {
		if at.Sub(since) > jobMemory+time.Minute {
			s.seen.Forget(prev)
			delete(s.retired, prev)
		}
	}
}

// Pause says that the node is away, and why. Miners keep the last job, under
// new numbers, for Config.Away. Then they are sent away, too, so that they turn
// to the next pool on their list, and new ones are not let in.
func (s *Server) Pause(reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pausedAt.IsZero() {
		s.pausedAt = time.Now()
		s.log.Info("Stratum paused", "reason", reason)
	}
}

// Resume ends a pause.
func (s *Server) Resume() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.pausedAt.IsZero() {
		s.pausedAt = time.Time{}
		s.log.Info("Stratum resumed")
	}
}

// away reports whether the pause has become too long. The caller holds mu.
func (s *Server) away(at time.Time) bool {
	return !s.pausedAt.IsZero() && at.Sub(s.pausedAt) >= s.config.Away
}

// pause reports whether the server is paused, and whether for too long.
func (s *Server) pause(at time.Time) (paused, away bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.pausedAt.IsZero(), s.away(at)
}

// stranger logs, at most once a minute, that somebody speaks something else.
func (s *Server) stranger(peer net.Addr, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if at.Sub(s.hintedAt) < time.Minute {
		return
	}
	s.hintedAt = at
	s.log.Info("Not a miner: this port speaks Stratum V1 without TLS", "peer", peer)
}
