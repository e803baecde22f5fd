package stratum

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"
)

// Port is the profile of a listener. The zero value is the ordinary port: each
// miner starts by its user agent.
type Port struct {
	Name  string      // for the log and the pages
	Start float64     // difficulty to start at; 0: by user agent
	Floor float64     // difficulty that no wish goes below; 0: the server's
	TLS   *tls.Config // nil: plain TCP
}

// How a server stops: sessions go on reading for linger, so that shares that
// are on their way are not lost, and have drainTime in all.
const (
	linger    = 200 * time.Millisecond
	drainTime = 2 * time.Second
)

// turns is in how many groups the sessions of a port are looked after, one
// group a second: so each session has its turn every ten seconds, and there is
// one timer for all of them.
const turns = 10

// tickTime is how often a session has its turn.
const tickTime = turns * time.Second

// port is a listener at work.
type port struct {
	Port
	server   *Server
	listener net.Listener

	mu       sync.Mutex
	sessions [turns]map[*session]struct{}
	next     int // turn of the next new session

	accepting, watching pulse // of the two loops
}

// Serve is [Server.ServePort] for the ordinary port.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	return s.ServePort(ctx, ln, Port{})
}

// ServePort accepts miners until ctx ends or the listener fails, closes the
// listener, lets the sessions finish what they have received, for two seconds
// at most, and returns when all of them have ended. It returns nil when ctx
// ended it.
func (s *Server) ServePort(ctx context.Context, ln net.Listener, profile Port) error {
	p := &port{Port: profile, server: s}
	for i := range p.sessions {
		p.sessions[i] = make(map[*session]struct{})
	}
	closeListener := context.AfterFunc(ctx, func() { _ = ln.Close() })
	defer closeListener()
	defer s.enterPort(p, ln)()

	// The sessions outlive ctx by the time they need to finish.
	lasting, abort := context.WithCancel(context.WithoutCancel(ctx))
	defer abort()
	var watch, sessions sync.WaitGroup
	watch.Go(func() { p.watch(lasting) })
	err := p.accept(ctx, ln, func(conn net.Conn) {
		sessions.Add(1)
		if s.rules().trusts(conn.RemoteAddr()) {
			go func() {
				defer sessions.Done()
				p.introduce(lasting, conn)
			}()
			return
		}
		session, delay := p.admit(conn, conn.RemoteAddr())
		go func() {
			p.serve(lasting, session, delay)
			sessions.Done()
		}()
	})
	_ = ln.Close()

	p.each(func(session *session) { session.lines.deadline.end(time.Now().Add(linger)) })
	closeAll := func() {
		abort() // whoever waits for a commit, or to come in
		p.each(func(session *session) { _ = session.conn.Close() })
	}
	if ctx.Err() == nil { // the listener failed: nothing will end the sessions
		closeAll()
	}
	patience := time.AfterFunc(drainTime, closeAll)
	defer patience.Stop()
	sessions.Wait()
	abort()
	watch.Wait()
	return err
}

// introduce serves a miner behind a proxy.
func (p *port) introduce(ctx context.Context, conn net.Conn) {
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	peer, err := proxied(conn)
	if err != nil {
		if p.server.seldom("proxy", time.Now()) {
			p.server.log().Warn("Trusted proxy does not say whom it speaks for", "peer", conn.RemoteAddr(), "err", err)
		}
		_ = conn.Close()
		return
	}
	session, delay := p.admit(conn, peer)
	p.serve(ctx, session, delay)
}

// serve runs a session, if there is one, when its time has come.
func (p *port) serve(ctx context.Context, session *session, delay time.Duration) {
	if session == nil {
		return
	}
	defer p.release(session)
	defer session.recovered(nil)
	if wait(ctx, delay) {
		session.run(ctx)
	}
}

// wait reports whether ctx lasts for d.
func wait(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// accept hands each connection to serve. A failing accept, such as for lack of
// file descriptors, is tried again after a while. Nothing here waits for a
// miner, so the kernel's queue (net.core.somaxconn long) stays short.
func (p *port) accept(ctx context.Context, ln net.Listener, serve func(net.Conn)) error {
	var delay time.Duration
	for {
		conn, err := ln.Accept()
		switch {
		case err == nil:
			delay = 0
			serve(conn)
			continue
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, os.ErrDeadlineExceeded):
			p.answer(ln)
			continue
		case errors.Is(err, net.ErrClosed):
			return fmt.Errorf("accept on %s: %w", ln.Addr(), err)
		}
		delay = min(max(2*delay, 5*time.Millisecond), time.Second)
		p.server.log().Warn("Cannot accept a connection", "err", err)
		wait(ctx, delay)
	}
}

// admit makes a session and says how long it has to wait for its turn. When
// there is no place for it, it closes the connection and returns nil.
func (p *port) admit(conn net.Conn, peer net.Addr) (session *session, delay time.Duration) {
	s, at := p.server, time.Now()
	defer func() {
		if session == nil {
			_ = conn.Close()
		}
	}()
	if _, away := s.pause(at); away {
		return nil, 0
	}
	public := publicAddr(peer)
	limit := s.rules().MaxSessions
	if public.IsValid() {
		limit -= limit / 4 // strangers cannot take the places of the miners at home
	}
	if s.count() >= limit {
		if s.seldom("full", at) {
			s.log().Warn("Too many connections", "limit", limit, "peer", peer)
		}
		return nil, 0
	}
	delay, ok := s.gate.enter(public, s.rules().MaxPerAddress, at)
	if !ok {
		if s.seldom("refused", at) {
			s.log().Info("Connection refused: too many from this address, or banned", "peer", peer)
		}
		return nil, 0
	}
	tuneTCP(conn)
	if p.TLS != nil {
		conn = tls.Server(conn, p.TLS)
	}
	session = newSession(p, conn, peer, public, at.Add(delay))
	s.enlist(session)
	p.mu.Lock()
	defer p.mu.Unlock()
	session.turn = p.next
	p.next = (p.next + 1) % turns
	p.sessions[session.turn][session] = struct{}{}
	return session, delay
}

func (p *port) release(session *session) {
	defer session.recovered(nil)
	p.server.gate.leave(session.public)
	p.forget(session)
	p.server.release(session, time.Now())
}

func (p *port) forget(session *session) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.sessions[session.turn], session)
}

// group returns the sessions of a turn.
func (p *port) group(turn int) []*session {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := make([]*session, 0, len(p.sessions[turn]))
	for session := range p.sessions[turn] {
		list = append(list, session)
	}
	return list
}

func (p *port) each(do func(*session)) {
	for turn := range turns {
		for _, session := range p.group(turn) {
			do(session)
		}
	}
}

// watch looks after the sessions, whether or not they do anything by
// themselves, until ctx ends.
func (p *port) watch(ctx context.Context) {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for turn := 0; ; turn = (turn + 1) % turns {
		select {
		case <-ctx.Done():
			return
		case at := <-ticker.C:
			p.server.keepAlive(at)
			for _, session := range p.group(turn) {
				session.tick(at) // which survives whatever happens in it
			}
			p.watching.beat()
		}
	}
}
