package stratum

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"runtime/debug"
	"sync"
	"time"
)

// Limits of a session.
const (
	handshakeTime  = 30 * time.Second // until subscribed and authorised
	writeTime      = 10 * time.Second // for one write
	tickTime       = 10 * time.Second // how often a session looks after itself
	parseErrors    = 5                // so many of them
	parseErrorTime = time.Minute      // within this time end the session
	keptBuffer     = 64 << 10         // the writer gives larger buffers back
)

// errLeave ends a session that the miner or the rules have ended; it is not
// worth a line in the log.
var errLeave = errors.New("session over")

// session is one miner's connection. Its reader goroutine takes lines to their
// answers, its writer goroutine sends what the outbox holds.
type session struct {
	server      *Server
	conn        net.Conn
	log         *slog.Logger
	id          string // extranonce1 in hex, which also is the subscription id
	extranonce1 uint32
	connectedAt time.Time
	out         *outbox

	// Of the reader alone.
	lines      *lineReader
	answers    []byte   // to lines that have been handled, not yet sent
	commits    []Commit // that must succeed before the answers may leave
	mask       uint32   // version bits that the miner may roll
	subscribed bool
	workers    map[string]Worker // authorised, by username
	badLines   int
	badSince   time.Time

	mu    sync.Mutex
	state state // guarded by mu
}

func newSession(server *Server, conn net.Conn, extranonce1 uint32) *session {
	now := time.Now()
	id := fmt.Sprintf("%08x", extranonce1)
	return &session{
		server:      server,
		conn:        conn,
		log:         server.log.With("session", id, "peer", conn.RemoteAddr()),
		id:          id,
		extranonce1: extranonce1,
		connectedAt: now,
		out:         newOutbox(),
		lines:       newLineReader(conn, now.Add(handshakeTime)),
		mask:        server.config.Mask,
		workers:     make(map[string]Worker),
		state:       newState(now),
	}
}

// run serves the session until the miner leaves. It gives the miner a moment
// more after stopping has ended, and none after ctx has.
func (s *session) run(ctx, stopping context.Context) {
	endReading := context.AfterFunc(stopping, func() { s.lines.deadline.end(time.Now().Add(linger)) })
	defer endReading()
	abort := context.AfterFunc(ctx, func() { _ = s.conn.Close() })
	defer abort()

	var writer sync.WaitGroup
	writer.Go(func() {
		defer func() { _ = s.conn.Close() }() // so that the reader ends, too
		s.guard(s.write)
	})
	s.guard(func() error { return s.read(ctx) })
	s.out.close()
	writer.Wait()
	s.logEnd()
}

// guard runs one of the session's two loops. Whatever a stranger manages to
// break, only his own connection ends.
func (s *session) guard(loop func() error) {
	defer func() {
		if cause := recover(); cause != nil {
			s.log.Error("Session panicked", "err", fmt.Sprint(cause), "stack", string(debug.Stack()))
		}
	}()
	err := loop()
	switch {
	case err == nil, errors.Is(err, errLeave):
	case errors.Is(err, errGarbage):
		s.server.stranger(s.conn.RemoteAddr(), time.Now())
	case errors.Is(err, errShareLost):
		s.log.Error("Session ended without answering its shares", "err", err)
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, errLineTooLong), errors.Is(err, errTooSlow):
		s.log.Debug("Session cut off", "err", err)
	default:
		s.log.Debug("Connection lost", "err", err)
	}
}

// read handles line after line. Answers leave when no further line is waiting,
// so that a burst of shares needs one commit and one write.
func (s *session) read(ctx context.Context) error {
	for {
		limit := maxEarlyLine
		if len(s.workers) > 0 {
			limit = maxLine
		}
		line, err := s.lines.next(limit)
		if err != nil {
			return err
		}
		leave := s.handle(ctx, line)
		if leave == nil && s.lines.more() {
			continue
		}
		if err := errors.Join(s.flush(ctx), leave); err != nil {
			return err
		}
	}
}

// handle answers one line. An error ends the session.
func (s *session) handle(ctx context.Context, line []byte) error {
	if submission, ok := parseSubmit(line); ok {
		return s.submit(ctx, submission)
	}
	m, err := ParseMessage(line)
	if err != nil {
		return s.parseError(time.Now())
	}
	switch m.Method {
	case "mining.submit":
		submission, err := m.submission()
		if err != nil {
			return s.refuse(submission, err)
		}
		return s.submit(ctx, submission)
	case "mining.authorize":
		s.answer(m.ID, s.authorize(ctx, m))
	case "mining.subscribe":
		s.subscribe(m)
	case "mining.configure":
		s.configure(m)
	case "mining.suggest_difficulty":
		s.suggestDifficulty(m)
		s.answer(m.ID, nil)
	case "mining.suggest_target":
		// BFGMiner sends it without an id and takes any line for the answer to
		// the subscribe that follows.
		if !m.silent() {
			s.answer(m.ID, nil)
		}
	case "mining.extranonce.subscribe":
		s.answer(m.ID, nil) // extranonce1 never changes
	case "mining.get_transactions", "mining.get_txnhashes":
		s.answer(m.ID, errNotSupported)
	case "mining.term":
		return errLeave
	case "", "pong": // an answer to something that we did not ask
	default:
		if s.suggestLegacy(m) {
			s.answer(m.ID, nil)
		} else if !m.silent() {
			s.answer(m.ID, errNoMethod)
		}
	}
	return nil
}

// answer appends "true", or the fault that err is.
func (s *session) answer(id json.RawMessage, err error) {
	if err == nil {
		s.answers = appendResult(s.answers, id, "true")
		return
	}
	f, ok := errors.AsType[*fault](err)
	if !ok {
		panic(err) // every complaint to a miner is a fault
	}
	s.answers = appendFault(s.answers, id, f)
}

// parseError answers a line that is not JSON, and loses patience at the fifth
// within a minute.
func (s *session) parseError(at time.Time) error {
	s.answer(nil, errParse)
	if at.Sub(s.badSince) > parseErrorTime {
		s.badLines, s.badSince = 0, at
	}
	s.badLines++
	if s.badLines >= parseErrors {
		return errLeave
	}
	return nil
}

// flush waits until the shares are durable and lets the answers go, together
// with a job if one is due: the first one, or one with another difficulty.
func (s *session) flush(ctx context.Context) error {
	for _, commit := range s.commits {
		if err := commit.Wait(ctx); err != nil {
			return fmt.Errorf("%w: %w", errShareLost, err)
		}
	}
	clear(s.commits)
	s.commits = s.commits[:0]

	s.mu.Lock()
	defer s.mu.Unlock()
	items := make([]item, 0, 2)
	if len(s.answers) > 0 {
		items = append(items, item{line: s.answers})
		s.answers = nil // the outbox has it now
	}
	switch {
	case !s.state.active && s.subscribed && len(s.workers) > 0:
		s.lines.idle = time.Time{} // a miner may be silent for as long as it likes
		s.begin()
		if n := s.server.current.Load(); n != nil {
			items = append(items, s.issue(n, true, time.Now()))
		}
	case s.due(time.Now()):
		items = append(items, s.renew(time.Now(), false))
	}
	if len(items) > 0 {
		s.out.push(items...)
	}
	return nil
}

// write sends what the outbox holds, one write per batch, and looks after the
// session now and then.
func (s *session) write() error {
	ticker := time.NewTicker(tickTime)
	defer ticker.Stop()
	var batch []byte
	for {
		select {
		case <-s.out.wake:
		case <-ticker.C:
			if err := s.tick(time.Now()); err != nil {
				return err
			}
		}
		next, clean, done := s.out.take(batch[:0])
		if batch = next; len(batch) > 0 {
			if err := s.conn.SetWriteDeadline(time.Now().Add(writeTime)); err != nil {
				return err
			}
			if _, err := s.conn.Write(batch); err != nil {
				return err
			}
		}
		if clean != nil {
			s.departed(clean, time.Now())
		}
		if done {
			return s.out.err()
		}
		if cap(batch) > keptBuffer {
			batch = nil
		}
	}
}

// logEnd tells of the end of a session that did some work; the others are
// probes and health checks, many an hour.
func (s *session) logEnd() {
	info := s.info(time.Now())
	level := slog.LevelDebug
	if info.Accepted > 0 {
		level = slog.LevelInfo
	}
	s.log.Log(context.Background(), level, "Miner disconnected", "agent", info.UserAgent, "accepted", info.Accepted)
}
