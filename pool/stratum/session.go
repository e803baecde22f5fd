package stratum

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"runtime/debug"
	"sync"
	"time"
)

// Limits of a session.
const (
	handshakeTime  = 30 * time.Second // until subscribed and authorised
	parseErrors    = 5                // so many of them
	parseErrorTime = time.Minute      // within this time end the session
	keptBuffer     = 64 << 10         // larger ones are not kept for the next write
)

var (
	// errLeave ends a session that the miner or the rules have ended; it is not
	// worth a line in the log.
	errLeave = errors.New("session over")
	// errBroken ends a session that has found a fault in this program.
	errBroken = errors.New("session panicked")
	// errNoise ends a session that sends anything but JSON.
	errNoise = errors.New("too many lines that are not JSON")
)

// session is one miner's connection. Its goroutine reads lines, takes them to
// their answers and writes these; jobs are written by whoever publishes them,
// see outbox.
type session struct {
	server      *Server
	port        *port
	turn        int // of port.sessions
	conn        net.Conn
	peer        net.Addr   // the miner's, or that of the nearest router
	public      netip.Addr // by which it is counted, see publicAddr
	connectedAt time.Time
	out         outbox
	pen         pen // of the writer alone

	// Changes once at most, before the first job; guarded by server.mu and mu.
	extranonce1 uint32
	id          string // extranonce1 in hex, which also is the subscription id

	// Of the reader alone.
	lines      lineReader
	answers    []byte    // to lines that have been handled, not yet sent
	commits    []pending // shares that must be durable before the answers may leave
	mask       uint32    // version bits that the miner may roll
	subscribed bool
	refused    bool // some username was
	strange    bool // the log knows of its odd submit names
	badLines   int
	badSince   time.Time
	pace       pace
	weight     weight
	streak     streak
	remedy     remedy // to go out with the next answers

	mu    sync.Mutex
	state state // guarded by mu; only the reader changes state.names
}

func newSession(p *port, conn net.Conn, peer net.Addr, public netip.Addr, at time.Time) *session {
	return &session{
		server:      p.server,
		port:        p,
		conn:        conn,
		peer:        peer,
		public:      public,
		connectedAt: at,
		pen:         newPen(conn),
		lines:       newLineReader(conn, at.Add(handshakeTime)),
		mask:        p.server.rules().Mask,
		state:       newState(p.Port, at),
	}
}

// name gives the session its identity.
func (s *session) name(extranonce1 uint32) {
	s.extranonce1 = extranonce1
	s.id = string(appendHex32(nil, extranonce1))
}

func (s *session) log() *slog.Logger {
	return s.server.log().With("session", s.id, "peer", s.peer.String())
}

// run serves the session until the miner leaves or the connection is closed. A
// quiet miner costs little more than the stack on which its reader waits, so
// the way down to there is kept short.
func (s *session) run(ctx context.Context) {
	err := s.read(ctx)
	s.out.close()
	_ = s.conn.Close()
	s.end(err)
}

// recovered is deferred wherever anybody works for a session: its reader, who
// publishes a job, who writes what the socket did not take at once, and the
// watch. Whatever a stranger manages to break, only his own connection ends. The
// error goes to err unless that is nil.
func (s *session) recovered(err *error) {
	if cause := recover(); cause != nil {
		if err != nil {
			*err = errBroken
		}
		s.out.abandon(errBroken)
		_ = s.conn.Close()
		s.log().Error("Session panicked", "err", fmt.Sprint(cause), "stack", string(debug.Stack()))
	}
}

// end draws conclusions from how a session ended, and tells of one that did
// some work; the others are probes and health checks, many an hour.
func (s *session) end(err error) {
	at := time.Now()
	if s.suspicious(err) {
		if s.server.seldom("stranger", at) {
			s.log().Info("Not a miner: this port speaks Stratum V1", "tls", s.port.TLS != nil, "err", err)
		}
		if s.server.gate.failed(s.public, at) {
			s.log().Warn("Address banned for a while: too many failed handshakes", "peer", s.public)
		}
	}
	s.remember(at)
	if slow := s.out.err(); slow != nil {
		err = slow
	}
	if errors.Is(err, errShareLost) {
		s.log().Error("Session ended without answering its shares", "err", err)
	}
	info := s.info(at)
	level := slog.LevelDebug
	if info.Accepted > 0 {
		level = slog.LevelInfo
	}
	s.log().Log(context.Background(), level, "Miner disconnected", "agent", info.UserAgent, "accepted", info.Accepted, "err", err)
}

// suspicious reports whether no miner would end a session like this.
func (s *session) suspicious(err error) bool {
	if errors.Is(err, errNoise) {
		return true
	}
	if s.subscribed || len(s.state.names) > 0 || s.refused {
		return false
	}
	_, noTLS := errors.AsType[tls.RecordHeaderError](err)
	return noTLS || errors.Is(err, errGarbage) || errors.Is(err, errLineTooLong) || errors.Is(err, os.ErrDeadlineExceeded)
}

// read handles line after line.
func (s *session) read(ctx context.Context) (err error) {
	defer s.recovered(&err)
	for {
		limit := maxEarlyLine
		if len(s.state.names) > 0 {
			limit = maxLine
		}
		line, err := s.lines.next(limit)
		if err != nil {
			return err
		}
		if err := s.respond(ctx, line); err != nil {
			return err
		}
	}
}

// respond handles a line. Answers leave when no further line is waiting, so that
// a burst of shares needs one commit and one write.
func (s *session) respond(ctx context.Context, line []byte) error {
	leave := s.handle(ctx, line)
	if leave == nil && s.lines.more() {
		return nil
	}
	return errors.Join(s.flush(ctx), leave)
}

// handle answers one line. An error ends the session.
func (s *session) handle(ctx context.Context, line []byte) error {
	if submission, ok := parseSubmit(line); ok {
		return s.submit(ctx, submission, nil)
	}
	m, err := ParseMessage(line)
	if err != nil {
		return s.parseError(time.Now())
	}
	switch m.Method {
	case "mining.submit":
		submission, err := m.submission()
		return s.submit(ctx, submission, err)
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
	if s.server.seldom("parse", at) {
		s.log().Info("Line is not JSON; some firmware does not escape a quotation mark in its password")
	}
	if at.Sub(s.badSince) > parseErrorTime {
		s.badLines, s.badSince = 0, at
	}
	s.badLines++
	if s.badLines >= parseErrors {
		return errNoise
	}
	return nil
}

// flush waits until the shares are durable and lets the answers go, together
// with what else is due: the first job, one with another difficulty, or a
// remedy.
func (s *session) flush(ctx context.Context) error {
	if err := s.settle(ctx); err != nil {
		return err
	}
	if mine := s.hand(time.Now()); mine {
		s.send(true)
		s.answers = s.answers[:0] // they are written
		if cap(s.answers) > maxLine {
			s.answers = nil
		}
		return nil
	}
	s.answers = nil // the outbox has them
	return nil
}

// hand puts the answers and what is due into the outbox.
func (s *session) hand(at time.Time) (mine bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var room [2]item
	items := room[:0]
	if len(s.answers) > 0 {
		items = append(items, item{line: s.answers})
	}
	remedy := s.remedy
	s.remedy = nothing
	switch {
	case !s.state.active && s.subscribed && len(s.state.names) > 0:
		s.lines.idle = time.Time{} // a miner may be silent for as long as it likes
		s.begin()
		if n := s.server.current.Load(); n != nil {
			if first, ok := s.first(n, at); ok {
				items = append(items, first)
			}
		}
	case remedy == reconnect:
		items = append(items, item{line: []byte(reconnectLine)})
	case remedy == freshJob && s.state.last() != nil:
		s.state.current = 0 // so that the difficulty is told again
		items = append(items, s.renew(true, at))
	case s.due(at):
		items = append(items, s.renew(false, at))
	}
	return len(items) > 0 && s.push(items...)
}

// reconnectLine asks a miner to connect again to where it is.
const reconnectLine = `{"id":null,"method":"client.reconnect","params":[]}` + "\n"

// tick looks after a session that may have nothing else to do.
func (s *session) tick(at time.Time) {
	defer s.recovered(nil)
	_, away := s.server.pause(at)
	mine, leave := s.look(away, at)
	if leave || s.banned() {
		_ = s.conn.Close()
	}
	if mine {
		s.send(false)
	}
}

// look reports whether the session has no business here any more, or whether
// something is now to be sent to it.
func (s *session) look(away bool, at time.Time) (mine, leave bool) {
	workless := s.server.rules().Workless
	s.mu.Lock()
	defer s.mu.Unlock()
	if away || workless > 0 && s.state.accepted == 0 && at.Sub(s.connectedAt) > workless {
		return false, true
	}
	if s.state.last() == nil {
		return false, false
	}
	s.adjust(at)
	s.note(at)
	return s.due(at) && s.push(s.renew(false, at)), false
}
