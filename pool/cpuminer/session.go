package cpuminer

import (
	"bufio"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/dmpool/dmpool/pool/stratum"
)

const (
	dialTime   = 10 * time.Second
	writeTime  = 10 * time.Second
	silentTime = 3 * time.Minute // a pool that says nothing for so long is gone
	maxLine    = 1 << 20         // large coinbases exist
)

// The ids of our requests; shares have higher ones.
const (
	idSubscribe = 1 + iota
	idAuthorize
	idFirstShare
)

// session is one connection to the pool. One goroutine reads lines; another
// one, the caller of serve, does everything else, so nothing here needs a lock.
type session struct {
	miner      *Miner
	conn       net.Conn
	found      chan solution
	ended      chan struct{}
	authorized bool

	extranonce1     []byte
	extranonce2Size int
	difficulty      float64
	generation      int             // clean jobs so far
	job             *stratum.Notify // the newest one
	nextID          int
	waiting         map[string]bool // ids of shares without an answer
}

// mine connects and mines until the connection ends. It reports whether the
// pool let us in.
func (m *Miner) mine(ctx context.Context) (authorized bool, err error) {
	dialer := net.Dialer{Timeout: dialTime}
	conn, err := dialer.DialContext(ctx, "tcp", m.address)
	if err != nil {
		return false, fmt.Errorf("connect: %w", err)
	}
	s := &session{
		miner:      m,
		conn:       conn,
		found:      make(chan solution, 64),
		ended:      make(chan struct{}),
		difficulty: 1, // what Stratum assumes when nothing is said
		nextID:     idFirstShare,
		waiting:    make(map[string]bool),
	}
	lines := make(chan []byte)
	var readErr error
	var reader sync.WaitGroup
	reader.Go(func() {
		defer close(lines)
		readErr = s.read(lines)
	})

	err = s.serve(ctx, lines)
	m.connected.Store(false)
	m.board.post(nil)
	close(s.ended)
	_ = conn.Close()
	reader.Wait()
	return s.authorized, errors.Join(err, readErr)
}

// read passes lines on until the connection or the session ends.
func (s *session) read(lines chan<- []byte) error {
	scanner := bufio.NewScanner(s.conn)
	scanner.Buffer(make([]byte, 4096), maxLine)
	for {
		if err := s.conn.SetReadDeadline(time.Now().Add(silentTime)); err != nil {
			return fmt.Errorf("read from pool: %w", err)
		}
		if !scanner.Scan() {
			if err := scanner.Err(); err != nil {
				return fmt.Errorf("read from pool: %w", err)
			}
			return errors.New("read from pool: connection closed by the pool")
		}
		select {
		case lines <- append([]byte(nil), scanner.Bytes()...):
		case <-s.ended:
			return nil
		}
	}
}

func (s *session) serve(ctx context.Context, lines <-chan []byte) error {
	if err := s.request(idSubscribe, "mining.subscribe", "dmpool-cpuminer/1.0"); err != nil {
		return err
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case line, ok := <-lines:
			if !ok {
				return nil // the reader knows why
			}
			if err := s.handle(line); err != nil {
				return err
			}
		case found := <-s.found:
			if err := s.submit(found); err != nil {
				return err
			}
		}
	}
}

// handle takes one line of the pool. What it does not know it ignores.
func (s *session) handle(line []byte) error {
	m, err := stratum.ParseMessage(line)
	if err != nil {
		return nil // noise is the pool's problem as long as it keeps talking
	}
	switch m.Method {
	case "":
		return s.handleAnswer(m)
	case "mining.notify":
		job, err := stratum.ParseNotify(m.Params)
		if err != nil {
			return err
		}
		if job.Clean {
			s.generation++
		}
		s.job = &job
		s.post()
	case "mining.set_difficulty":
		var params []float64
		if json.Unmarshal(m.Params, &params) == nil && len(params) > 0 && params[0] > 0 {
			s.difficulty = params[0] // from the next job on
		}
	case "client.reconnect":
		return errors.New("the pool asks us to reconnect")
	case "mining.ping":
		return s.write(`{"id":` + idText(m.ID) + `,"result":"pong","error":null}`)
	}
	return nil
}

func idText(id json.RawMessage) string {
	if len(id) == 0 {
		return "null"
	}
	return string(id)
}

func (s *session) handleAnswer(m stratum.Message) error {
	problem := stratum.ErrorText(m.Error)
	ok := problem == "" && string(m.Result) != "false" && string(m.Result) != "null" && len(m.Result) > 0
	id := string(m.ID)
	switch {
	case id == strconv.Itoa(idSubscribe):
		if !ok {
			return fmt.Errorf("subscribe: refused: %s", problem)
		}
		if err := s.subscribed(m.Result); err != nil {
			return err
		}
		return s.request(idAuthorize, "mining.authorize", s.miner.config.User, s.miner.config.Password)
	case id == strconv.Itoa(idAuthorize):
		if !ok {
			return fmt.Errorf("authorize: refused: %s", problem)
		}
		s.authorized = true
		s.miner.connected.Store(true)
		s.miner.log.Info("Mining")
		s.post()
	case s.waiting[id]:
		delete(s.waiting, id)
		s.count(ok, problem)
	}
	return nil
}

// subscribed takes the answer [subscriptions, extranonce1, extranonce2 size].
func (s *session) subscribed(result json.RawMessage) error {
	var list []json.RawMessage
	var text string
	err := json.Unmarshal(result, &list)
	if err == nil && len(list) < 3 {
		err = errors.New("too few elements")
	}
	if err == nil {
		err = errors.Join(json.Unmarshal(list[1], &text), json.Unmarshal(list[2], &s.extranonce2Size))
	}
	if err == nil {
		s.extranonce1, err = hex.DecodeString(text)
	}
	if err == nil && (s.extranonce2Size < 0 || s.extranonce2Size > 64) {
		err = fmt.Errorf("extranonce2 of %d bytes", s.extranonce2Size)
	}
	if err != nil {
		return fmt.Errorf("subscribe: unexpected answer: %w", err)
	}
	return nil
}

// post gives the newest job to the threads.
func (s *session) post() {
	if s.job == nil || !s.authorized {
		return
	}
	t := &task{
		jobID:           s.job.JobID,
		generation:      s.generation,
		coinbase1:       append(append([]byte(nil), s.job.Coinbase1...), s.extranonce1...),
		coinbase2:       s.job.Coinbase2,
		job:             *s.job,
		extranonce2Size: s.extranonce2Size,
		target:          shareTarget(s.difficulty, s.job.Bits),
		found:           s.found,
		ended:           s.ended,
	}
	t.units = s.miner.progress.of(t)
	s.miner.board.post(t)
}

// submit sends a share, unless the pool has meanwhile said that its job is
// worthless.
func (s *session) submit(found solution) error {
	if found.task.generation != s.generation {
		return nil
	}
	id := s.nextID
	s.nextID++
	s.waiting[strconv.Itoa(id)] = true
	return s.request(id, "mining.submit", s.miner.config.User, found.task.jobID, hex.EncodeToString(found.extranonce2),
		fmt.Sprintf("%08x", found.task.job.Time), fmt.Sprintf("%08x", found.nonce))
}

// count takes the pool's answer to a share.
func (s *session) count(accepted bool, reason string) {
	m := s.miner
	if accepted {
		m.accepted.Add(1)
		m.log.Debug("Share accepted")
	} else {
		m.rejected.Add(1)
		m.log.Debug("Share rejected", "reason", reason)
	}
	if m.config.OnShare != nil {
		m.config.OnShare(accepted, reason)
	}
}

// request sends a request; all that we send have only strings for parameters.
func (s *session) request(id int, method string, params ...string) error {
	list, err := json.Marshal(params)
	if err != nil {
		return fmt.Errorf("encode %s: %w", method, err)
	}
	return s.write(fmt.Sprintf(`{"id":%d,"method":%q,"params":%s}`, id, method, list))
}

func (s *session) write(line string) error {
	if err := s.conn.SetWriteDeadline(time.Now().Add(writeTime)); err != nil {
		return fmt.Errorf("write to pool: %w", err)
	}
	if _, err := s.conn.Write([]byte(line + "\n")); err != nil {
		return fmt.Errorf("write to pool: %w", err)
	}
	return nil
}
