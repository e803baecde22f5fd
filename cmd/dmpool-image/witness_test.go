//go:build image

package main

import (
	"bufio"
	"context"
	"encoding/hex"
	"encoding/json"
	"io"
	"net"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/dmpool/dmpool/pool/stratum"
	"github.com/dmpool/dmpool/pool/work"
)

// told is what a pool was told and said of one share.
type told struct {
	round  int             // in which it was sent: that many cuts were before it
	block  *chainhash.Hash // that it makes
	yes    bool            // answered true
	stored int             // how often the share log has it; counted at the end
}

// witness stands between miners and a pool and writes down what was promised. It is
// not on the pool's computer, so that it remembers what that one may forget.
type witness struct {
	t    *testing.T
	pool string // host:port

	mu      sync.Mutex
	round   int
	shares  map[float64]*told // by the difficulty that their hash achieved, which the share log keeps
	answers int               // true ones
	over    bool              // what is promised from now on does not count
}

// listen lets miners connect, until ctx ends.
func (w *witness) listen(ctx context.Context) (address string) {
	w.t.Helper()
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		w.t.Fatal(err)
	}
	context.AfterFunc(ctx, func() { ln.Close() })
	go func() {
		for {
			miner, err := ln.Accept()
			if err != nil {
				return
			}
			go w.attend(ctx, miner)
		}
	}()
	return ln.Addr().String()
}

// attend passes lines on in both directions, until one side is gone.
func (w *witness) attend(ctx context.Context, miner net.Conn) {
	defer miner.Close()
	dialer := net.Dialer{Timeout: 10 * time.Second}
	pool, err := dialer.DialContext(ctx, "tcp", w.pool)
	if err != nil {
		return // the miner tries again
	}
	defer pool.Close()
	defer context.AfterFunc(ctx, func() { pool.Close() })()
	s := &session{witness: w, jobs: map[string]*work.Job{}, waiting: map[string]*told{}}
	go func() {
		pass(miner, pool, s.sent)
		pool.Close()
	}()
	pass(pool, miner, s.said)
}

// pass copies lines and shows each to see before it goes on.
func pass(from io.Reader, to io.Writer, see func(stratum.Message)) {
	lines := bufio.NewReaderSize(from, 1<<20)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return
		}
		if m, err := stratum.ParseMessage(line); err == nil {
			see(m)
		}
		if _, err := to.Write(line); err != nil {
			return
		}
	}
}

// session is one connection; the witness's lock guards it.
type session struct {
	*witness
	subscribe  string // id of the request
	extranonce [work.ExtranonceSize]byte
	jobs       map[string]*work.Job
	waiting    map[string]*told // for an answer, by the request's id
}

// sent sees what the miner sends.
func (s *session) sent(m stratum.Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch m.Method {
	case "mining.subscribe":
		s.subscribe = string(m.ID)
	case "mining.submit":
		var p []string
		if json.Unmarshal(m.Params, &p) != nil || len(p) != 5 || s.jobs[p[1]] == nil {
			s.t.Errorf("a miner of ours sends %s", m.Params)
			return
		}
		job := s.jobs[p[1]]
		solution := work.Solution{Extranonce: s.extranonce, Version: job.Version, Time: word(p[3]), Nonce: word(p[4])}
		if _, err := hex.Decode(solution.Extranonce[work.Extranonce1Size:], []byte(p[2])); err != nil {
			s.t.Error(err)
		}
		proof := job.Prove(solution)
		share := &told{round: s.round}
		if proof.Block {
			share.block = &proof.Hash
		}
		s.shares[work.HashDifficulty(proof.Hash)] = share
		s.waiting[string(m.ID)] = share
	}
}

func word(text string) uint32 {
	n, _ := strconv.ParseUint(text, 16, 32) // a miner of ours has made it
	return uint32(n)
}

// said sees what the pool says.
func (s *session) said(m stratum.Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case m.Method == "mining.notify":
		n, err := stratum.ParseNotify(m.Params)
		if err != nil {
			s.t.Error(err)
			return
		}
		target, err := work.TargetFromBits(n.Bits)
		if err != nil {
			s.t.Error(err)
		}
		s.jobs[n.JobID] = &work.Job{
			Version: n.Version, PrevHash: n.PrevHash, Bits: n.Bits, Time: n.Time,
			Coinbase1: n.Coinbase1, Coinbase2: n.Coinbase2, Branches: n.Branches, Target: target,
		}
	case m.Method == "" && string(m.ID) == s.subscribe:
		var result []json.RawMessage
		var extranonce string
		if json.Unmarshal(m.Result, &result) != nil || len(result) < 2 || json.Unmarshal(result[1], &extranonce) != nil {
			s.t.Errorf("the pool answers a subscription with %s", m.Result)
			return
		}
		if _, err := hex.Decode(s.extranonce[:work.Extranonce1Size], []byte(extranonce)); err != nil {
			s.t.Error(err)
		}
	case m.Method == "" && s.waiting[string(m.ID)] != nil:
		share := s.waiting[string(m.ID)]
		delete(s.waiting, string(m.ID))
		if stratum.ErrorText(m.Error) == "" && string(m.Result) == "true" && !s.over {
			share.yes = true
			s.answers++
		}
	}
}

// next begins a round: what is sent from now on was sent after a cut.
func (w *witness) next() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.round++
}

// rest ends what counts: the books that are copied after it have to hold all of it.
func (w *witness) rest() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.over = true
}

// answered returns how many shares were answered true.
func (w *witness) answered() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.answers
}
