//go:build torture

package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/dmpool/dmpool/pool/stratum"
	"github.com/dmpool/dmpool/pool/work"
)

// record is what a miner knows of one of its shares.
type record struct {
	index    int // in the order in which the miner sent them
	round    int // of its last submission
	line     string
	block    *chainhash.Hash // that it found
	accepted bool            // answered true
	again    bool            // sent once more after the connection broke
	stored   int             // how often the share log has it; counted at the end
}

// tortureMiner is one simulated device with one worker name. It keeps several
// shares under way, connects again as soon as its connection breaks, and sends
// once more what was not answered.
type tortureMiner struct {
	bench    *torture
	worker   string
	username string
	rng      *rand.Rand

	// Shares by the achieved difficulty of their hash, which is what the share
	// log keeps of it: 53 bits tell any two shares of a miner apart.
	shares  map[float64]*record
	session string // of the last connection

	// Of the present connection.
	conn       net.Conn
	extranonce [work.ExtranonceSize]byte
	difficulty float64
	hard, easy *work.Job       // the newest of each kind; see torture
	hardUntil  time.Time       // so long shares for hard are still taken
	waiting    map[int]*record // for an answer, by id
	depth      int             // how many may wait
}

// run mines until ctx ends.
func (m *tortureMiner) run(ctx context.Context, address string) {
	var dialer net.Dialer
	for ctx.Err() == nil {
		conn, err := dialer.DialContext(ctx, "tcp", address)
		if err != nil {
			continue
		}
		abort := context.AfterFunc(ctx, func() { _ = conn.Close() })
		err = m.serve(conn)
		abort()
		_ = conn.Close()
		if err != nil && ctx.Err() == nil {
			m.bench.complain("miner %s: %v", m.worker, err)
		}
	}
}

// serve speaks with the pool until the connection breaks, which is no error.
func (m *tortureMiner) serve(conn net.Conn) error {
	m.conn, m.difficulty, m.hard, m.easy = conn, 1, nil, nil
	m.depth = 1 + m.rng.IntN(24)

	// Everything in one segment, as an ESP does.
	hello := fmt.Sprintf(`{"id":1,"method":"mining.subscribe","params":["cpuminer/2.5.1","%s"]}`+"\n"+
		`{"id":2,"method":"mining.authorize","params":["%s","d=0.00001"]}`+"\n", m.session, m.username)
	for _, r := range m.waiting {
		r.again, r.round = true, m.bench.now()
		hello += r.line
	}
	if _, err := conn.Write([]byte(hello)); err != nil {
		return nil
	}

	lines := bufio.NewReaderSize(conn, 16<<10)
	for {
		line, err := lines.ReadSlice('\n')
		if err != nil {
			return nil
		}
		if err := m.handle(line); err != nil {
			return fmt.Errorf("line %q: %w", line, err)
		}
		if lines.Buffered() > 0 {
			continue
		}
		if _, err := conn.Write(m.more()); err != nil {
			return nil
		}
	}
}

func (m *tortureMiner) handle(line []byte) error {
	msg, err := stratum.ParseMessage(line)
	if err != nil {
		return err
	}
	switch msg.Method {
	case "mining.notify":
		return m.takeJob(msg)
	case "mining.set_difficulty":
		var params []float64
		if err := json.Unmarshal(msg.Params, &params); err != nil {
			return err
		}
		m.difficulty = params[0]
		return nil
	}
	id, err := strconv.Atoi(string(msg.ID))
	if err != nil {
		return err
	}
	switch id {
	case 1:
		return m.subscribed(msg)
	case 2:
		return nil
	default:
		return m.answered(id, msg)
	}
}

func (m *tortureMiner) subscribed(msg stratum.Message) error {
	var result []json.RawMessage
	if err := json.Unmarshal(msg.Result, &result); err != nil {
		return err
	}
	if err := json.Unmarshal(result[1], &m.session); err != nil {
		return err
	}
	_, err := hex.Decode(m.extranonce[:work.Extranonce1Size], []byte(m.session))
	return err
}

func (m *tortureMiner) takeJob(msg stratum.Message) error {
	n, err := stratum.ParseNotify(msg.Params)
	if err != nil {
		return err
	}
	target, err := work.TargetFromBits(n.Bits)
	if err != nil {
		return err
	}
	id, err := strconv.ParseUint(n.JobID, 16, 32)
	if err != nil {
		return err
	}
	job := &work.Job{
		ID: uint32(id), Version: n.Version, PrevHash: n.PrevHash, Bits: n.Bits, Time: n.Time,
		Coinbase1: n.Coinbase1, Coinbase2: n.Coinbase2, Branches: n.Branches, Target: target,
	}
	if n.Bits == hardBits {
		m.hard, m.easy, m.hardUntil = job, nil, time.Now().Add(2*time.Second)
		m.bench.hardSeen(n.PrevHash)
	} else {
		m.easy = job
	}
	return nil
}

func (m *tortureMiner) answered(id int, msg stratum.Message) error {
	r := m.waiting[id]
	if r == nil {
		return fmt.Errorf("nobody waits for this answer")
	}
	delete(m.waiting, id)
	if text := stratum.ErrorText(msg.Error); text != "" {
		m.bench.reject(text)
		return nil
	}
	r.accepted = true
	m.bench.answered.Add(1)
	return nil
}

// more returns lines with as many shares as may be under way.
func (m *tortureMiner) more() []byte {
	var lines []byte
	for len(m.waiting) < m.depth && m.difficulty < cheap {
		// Without a hard job, or when it is old, only a block on the easy one gets
		// the chain on.
		old := m.hard == nil || time.Now().After(m.hardUntil)
		job := m.hard
		if m.easy != nil && (old || m.rng.IntN(sharesPerBlock) == 0) {
			job = m.easy
		}
		if job == nil || job == m.hard && old {
			break
		}
		lines = append(lines, m.mine(job)...)
	}
	return lines
}

// mine finds a share of job and returns its line.
func (m *tortureMiner) mine(job *work.Job) string {
	target := work.TargetFromDifficulty(m.difficulty)
	for {
		binary.BigEndian.PutUint64(m.extranonce[work.Extranonce1Size:], m.rng.Uint64())
		s := work.Solution{Extranonce: m.extranonce, Version: job.Version, Time: job.Time, Nonce: m.rng.Uint32()}
		proof := job.Prove(s)
		if !target.Meets(proof.Hash) {
			continue
		}
		id := len(m.shares) + 3 // 1 and 2 are the handshake's
		r := &record{index: id, round: m.bench.now()}
		r.line = fmt.Sprintf(`{"id":%d,"method":"mining.submit","params":["%s","%08x","%x","%08x","%08x"]}`+"\n",
			id, m.username, job.ID, s.Extranonce[work.Extranonce1Size:], s.Time, s.Nonce)
		if proof.Block {
			r.block = &proof.Hash
		}
		m.shares[work.HashDifficulty(proof.Hash)] = r
		m.waiting[id] = r
		return r.line
	}
}
