package stratum

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/dmpool/dmpool/pool/work"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeBackend lets everybody in and notes what it is told.
type fakeBackend struct {
	authorize func(username string) (Worker, error)
	commit    func(Share) (Commit, error)
	onFound   func(Share)

	mu       sync.Mutex
	events   []string // "found", "accepted", and reasons, in order
	accepted []Share
	found    []Share
}

func (b *fakeBackend) Authorize(_ context.Context, username string) (Worker, error) {
	if b.authorize != nil {
		return b.authorize(username)
	}
	address, name, _ := strings.Cut(username, ".")
	return Worker{Address: address, Name: name}, nil
}

func (b *fakeBackend) Found(s Share) {
	b.mu.Lock()
	b.events = append(b.events, "found")
	b.found = append(b.found, s)
	b.mu.Unlock()
	if b.onFound != nil {
		b.onFound(s)
	}
}

func (b *fakeBackend) Accepted(_ context.Context, s Share) (Commit, error) {
	b.mu.Lock()
	b.events = append(b.events, "accepted")
	b.accepted = append(b.accepted, s)
	b.mu.Unlock()
	if b.commit != nil {
		return b.commit(s)
	}
	return waiter(nil), nil
}

func (b *fakeBackend) Rejected(_ Worker, reason string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.events = append(b.events, reason)
}

// takeEvents returns what happened since the last call.
func (b *fakeBackend) takeEvents() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	events := b.events
	b.events = nil
	return events
}

func (b *fakeBackend) lastAccepted(t *testing.T) Share {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.accepted) == 0 {
		t.Fatal("no share was accepted")
	}
	return b.accepted[len(b.accepted)-1]
}

// waiter is a Commit that waits for a value of the channel; a nil one does not
// wait.
type waiter chan error

func (w waiter) Wait(ctx context.Context) error {
	if w == nil {
		return nil
	}
	select {
	case err := <-w:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// pipes is a listener whose connections are in memory, so that a test can run
// on fake time.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-p.conns:
		return conn, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}
func (p *pipes) Close() error   { p.once.Do(func() { close(p.done) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }

// world is a running server on fake time.
type world struct {
	*testing.T
	server  *Server
	backend *fakeBackend
	ln      *pipes
	stop    context.CancelFunc
	served  chan error
}

// inWorld runs a test against a server, and stops the server after it.
func inWorld(t *testing.T, c Config, b *fakeBackend, test func(w *world)) {
	t.Helper()
	inWorldAt(t, time.Time{}, c, b, test)
}

// inWorldAt does so from a given time on.
func inWorldAt(t *testing.T, start time.Time, c Config, b *fakeBackend, test func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(start)) // before there is a timer: it may be decades
		w := &world{T: t, server: NewServer(c, b), backend: b, served: make(chan error, 1)}
		w.serve()
		defer func() {
			w.stop()
			if err := <-w.served; err != nil {
				t.Errorf("Serve = %v", err)
			}
		}()
		test(w)
	})
}

func (w *world) serve() {
	w.ln = &pipes{conns: make(chan net.Conn), done: make(chan struct{})}
	var ctx context.Context
	ctx, w.stop = context.WithCancel(w.Context())
	go func() { w.served <- w.server.Serve(ctx, w.ln) }()
}

// restart serves again with the same server, which has been stopped.
func (w *world) restart() {
	w.Helper()
	if err := <-w.served; err != nil {
		w.Errorf("Serve = %v", err)
	}
	w.serve()
}

// easy has a target that every second hash meets.
const easy = 0x207fffff

// job makes a job on a previous block that is known by one byte.
func (w *world) job(prev byte, bits uint32) *work.Job {
	w.Helper()
	return newJob(w.T, w.server, prev, bits)
}

func newJob(tb testing.TB, s *Server, prev byte, bits uint32) *work.Job {
	tb.Helper()
	target, err := work.TargetFromBits(bits)
	if err != nil {
		tb.Fatal(err)
	}
	now := uint32(time.Now().Unix())
	template := &work.Template{
		Height: 100, Version: 0x20000000, PrevHash: chainhash.Hash{prev}, Bits: bits, Target: target,
		CurTime: now, MinTime: now - 600, CoinbaseValue: 50e8,
	}
	layout := work.Layout{Tag: "/test/", Outputs: []work.Output{{Script: []byte{0x51}, Value: 50e8}}}
	job, err := work.NewJob(template, layout, s.NextJobID(), now)
	if err != nil {
		tb.Fatal(err)
	}
	return job
}

// miner is a client that notes what arrives, write by write.
type miner struct {
	w        *world
	conn     net.Conn
	segments chan string
}

// connect opens a connection and reads from it all the time.
func (w *world) connect() *miner { return w.listen(w.dial()) }

func (w *world) listen(conn net.Conn) *miner {
	m := &miner{w: w, conn: conn, segments: make(chan string, 10_000)}
	go func() {
		defer close(m.segments)
		buffer := make([]byte, 1<<20)
		for {
			n, err := m.conn.Read(buffer)
			if err != nil {
				return
			}
			m.segments <- string(buffer[:n])
		}
	}()
	w.Cleanup(func() { _ = m.conn.Close() })
	return m
}

func (w *world) dial() net.Conn {
	w.Helper()
	client, server := net.Pipe()
	w.ln.conns <- server
	return client
}

// ready returns a miner that has shaken hands and received the first job, if
// there is one.
func (w *world) ready(agent string) *miner {
	w.Helper()
	m := w.connect()
	m.send(subscribeLine(agent) + authorizeLine)
	if lines := m.received(); len(lines) < 2 {
		w.Fatalf("handshake: received %q", lines)
	}
	return m
}

const authorizeLine = `{"id":2,"method":"mining.authorize","params":["addr.rig","x"]}` + "\n"

func subscribeLine(agent string) string {
	return `{"id":1,"method":"mining.subscribe","params":["` + agent + `"]}` + "\n"
}

// send writes text at once.
func (m *miner) send(text string) {
	m.w.Helper()
	if _, err := m.conn.Write([]byte(text)); err != nil {
		m.w.Fatalf("send %.80q: %v", text, err)
	}
}

// received returns the lines that have come since the last call, once
// everybody has done what there was to do.
func (m *miner) received() []string {
	synctest.Wait()
	var lines []string
	for _, segment := range m.receivedSegments() {
		lines = append(lines, strings.SplitAfter(segment, "\n")...)
		lines = lines[:len(lines)-1] // behind the last newline
	}
	return lines
}

func (m *miner) receivedSegments() (segments []string) {
	synctest.Wait()
	for {
		select {
		case segment, ok := <-m.segments:
			if !ok {
				return segments
			}
			segments = append(segments, segment)
		default:
			return segments
		}
	}
}

// closed reports whether the server has closed the connection.
func (m *miner) closed() bool {
	synctest.Wait()
	for {
		select {
		case _, open := <-m.segments:
			if !open {
				return true
			}
		default:
			return false
		}
	}
}

// ask sends a line and returns the only line that comes back.
func (m *miner) ask(line string) string {
	m.w.Helper()
	m.send(line + "\n")
	lines := m.received()
	if len(lines) != 1 {
		m.w.Fatalf("%s\nanswered by %q, want one line", line, lines)
	}
	return strings.TrimSuffix(lines[0], "\n")
}

// session returns the server's side, once it has taken the connection.
func (m *miner) session() *session {
	m.w.Helper()
	synctest.Wait()
	live := m.w.server.live()
	if len(live) != 1 {
		m.w.Fatalf("%d sessions, want 1", len(live))
	}
	return live[0]
}

// mine returns a submit line with id 4 for a share whose hash passes ok.
func (m *miner) mine(job *work.Job, ok func(work.Proof) bool) string {
	m.w.Helper()
	return submitLine(job, solve(m.w, m.session().extranonce1, job, ok))
}

// solve mines as a miner does: what comes before the nonce is hashed out once.
func solve(tb testing.TB, extranonce1 uint32, job *work.Job, ok func(work.Proof) bool) work.Solution {
	tb.Helper()
	s := work.Solution{Version: job.Version, Time: job.Time}
	hexID := appendHex32(nil, extranonce1)
	if _, err := hex.Decode(s.Extranonce[:4], hexID); err != nil {
		tb.Fatal(err)
	}
	p := job.Prove(s)
	for ; s.Nonce < 1<<24; s.Nonce++ {
		binary.LittleEndian.PutUint32(p.Header[76:], s.Nonce)
		first := sha256.Sum256(p.Header[:])
		p.Hash = sha256.Sum256(first[:])
		if p.Block = job.Target.Meets(p.Hash); ok(p) {
			return s
		}
	}
	tb.Fatal("no solution")
	return s
}

func submitLine(job *work.Job, s work.Solution) string {
	return `{"id":4,"method":"mining.submit","params":["addr.rig","` +
		string(appendHex32(nil, job.ID)) + `","` + hex.EncodeToString(s.Extranonce[4:]) + `","` +
		string(appendHex32(nil, s.Time)) + `","` + string(appendHex32(nil, s.Nonce)) + `"]}`
}

// anyHash, share and notShare choose what to mine for.
func anyHash(work.Proof) bool { return true }

func share(d float64) func(work.Proof) bool {
	target := work.TargetFromDifficulty(d)
	return func(p work.Proof) bool { return target.Meets(p.Hash) }
}

func notShare(d float64) func(work.Proof) bool {
	target := work.AcceptTarget(d)
	return func(p work.Proof) bool { return !target.Meets(p.Hash) }
}

// bare returns a session on a connection that a test plays, with a given
// extranonce1, which nobody looks after.
func bare(s *Server, conn net.Conn, extranonce1 uint32) *session {
	p := &port{server: s}
	for i := range p.sessions {
		p.sessions[i] = make(map[*session]struct{})
	}
	session := newSession(p, conn, conn.RemoteAddr(), netip.Addr{}, time.Now())
	session.name(extranonce1)
	s.sessions[extranonce1] = session
	return session
}

const accepted = `{"id":4,"result":true,"error":null}`

var errDisk = errors.New("disk on fire")
