package cpuminer

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/dmpool/dmpool/pool/stratum"
	"github.com/dmpool/dmpool/pool/work"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestNew(t *testing.T) {
	tests := []struct {
		name   string
		config Config
		want   string // part of the error; empty: none
	}{
		{"URL", Config{URL: "stratum+tcp://localhost:3333", User: "a"}, ""},
		{"URL with a slash", Config{URL: "stratum+tcp://localhost:3333/", User: "a"}, ""},
		{"address", Config{URL: "[::1]:3333", User: "a"}, ""},
		{"other scheme", Config{URL: "http://localhost:3333", User: "a"}, "stratum+tcp"},
		{"no port", Config{URL: "localhost", User: "a"}, "missing port"},
		{"no user", Config{URL: "localhost:3333"}, "payout address"},
		{"negative hashrate", Config{URL: "localhost:3333", User: "a", MaxHashrate: -1}, "negative"},
		{"negative threads", Config{URL: "localhost:3333", User: "a", Threads: -1}, "negative"},
	}
	for _, test := range tests {
		_, err := New(test.config)
		switch {
		case test.want == "" && err != nil:
			t.Errorf("%s: %v", test.name, err)
		case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
			t.Errorf("%s: error %v, want one with %q", test.name, err, test.want)
		}
	}
}

func TestUnit(t *testing.T) {
	tests := []struct {
		size        int
		n           uint64
		extranonce2 string
		nonce       uint32
		ok          bool
	}{
		{0, 0, "", 0, true},
		{0, 255, "", 0xff000000, true},
		{0, 256, "", 0, false},
		{1, 256, "01", 0, true},
		{1, 256*256 - 1, "ff", 0xff000000, true},
		{1, 256 * 256, "", 0, false},
		{3, 256*0x010203 + 2, "030201", 0x02000000, true},
		{8, 1 << 63, "0000000000008000", 0, true},
		{12, 257, "010000000000000000000000", 0x01000000, true},
	}
	for _, test := range tests {
		task := &task{extranonce2Size: test.size}
		_, extranonce2, nonce, ok := task.unit(test.n)
		if got := hex.EncodeToString(extranonce2); got != test.extranonce2 || nonce != test.nonce || ok != test.ok {
			t.Errorf("size %d, unit %d = %s, %08x, %v, want %s, %08x, %v", test.size, test.n, got, nonce, ok, test.extranonce2, test.nonce, test.ok)
		}
	}
}

func TestShareTarget(t *testing.T) {
	network, err := work.TargetFromBits(0x207fffff)
	if err != nil {
		t.Fatal(err)
	}
	if got := shareTarget(1, 0x207fffff); got != network {
		t.Errorf("where blocks are easier than shares: target %x, want %x", got, network)
	}
	if got, want := shareTarget(1, 0x1703255b), work.TargetFromDifficulty(1); got != want {
		t.Errorf("where shares are easier than blocks: target %x, want %x", got, want)
	}
}

// The limit holds exactly, on a clock that only moves while the miner sleeps.
func TestMaxHashrate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, err := New(Config{URL: "localhost:1", User: "a", Threads: 2, MaxHashrate: 1000})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		task := &task{extranonce2Size: 4, units: new(atomic.Uint64)}
		var threads sync.WaitGroup
		for range 2 {
			threads.Go(func() { m.workOn(ctx, newHasher(), task) })
		}
		threads.Wait()
		if got := m.Stats().Hashes; got < 9_800 || got > 10_200 {
			t.Errorf("%d hashes in 10 s at 1000 H/s", got)
		}
	})
}

// checker is a pool that checks every share.
type checker struct {
	t      *testing.T
	enough chan struct{}

	mu     sync.Mutex
	hashes map[chainhash.Hash]bool
	found  int
}

func (c *checker) Authorize(_ context.Context, username string) (stratum.Worker, error) {
	return stratum.Worker{Name: username}, nil
}

func (c *checker) Found(s stratum.Share) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.found++
	if raw := s.Job.Block(s.Solution); len(raw) < 81 || [80]byte(raw[:80]) != s.Proof.Header {
		c.t.Errorf("block %x does not begin with header %x", raw, s.Proof.Header)
	}
}

func (c *checker) Accepted(_ context.Context, s stratum.Share) (stratum.Commit, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	proof := s.Job.Prove(s.Solution)
	if proof != s.Proof || !work.AcceptTarget(s.Difficulty).Meets(proof.Hash) || c.hashes[proof.Hash] {
		c.t.Errorf("share %+v of difficulty %v is wrong or came twice", s.Solution, s.Difficulty)
	}
	c.hashes[proof.Hash] = true
	if len(c.hashes) == 300 {
		close(c.enough)
	}
	return durable{}, nil
}

func (c *checker) Rejected(_ stratum.Worker, reason string) {
	if reason != work.Stale.String() {
		c.t.Errorf("share rejected: %s", reason)
	}
}

type durable struct{}

func (durable) Wait(context.Context) error { return nil }

func listen(t *testing.T) net.Listener {
	t.Helper()
	var lc net.ListenConfig
	ln, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return ln
}

// The miner and our own server, over a socket, on jobs whose every second hash
// is a block.
func TestMineForPool(t *testing.T) {
	pool := &checker{t: t, enough: make(chan struct{}), hashes: make(map[chainhash.Hash]bool)}
	server := stratum.NewServer(stratum.Config{}, pool)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ln := listen(t)
	var all sync.WaitGroup
	defer all.Wait()
	all.Go(func() {
		if err := server.Serve(ctx, ln); err != nil {
			t.Errorf("Serve = %v", err)
		}
	})

	m, err := New(Config{URL: "stratum+tcp://" + ln.Addr().String(), User: "addr.cpu", Threads: 2, MaxHashrate: 4000})
	if err != nil {
		t.Fatal(err)
	}
	all.Go(func() {
		if err := m.Run(ctx); err != nil {
			t.Errorf("Run = %v", err)
		}
	})
	defer stop()

	for prev := byte(1); ; prev++ {
		server.Publish(easyJob(t, server, prev), true)
		for range 3 {
			select {
			case <-pool.enough:
				pool.mu.Lock()
				defer pool.mu.Unlock()
				if pool.found < 250 { // the two targets are nearly the same
					t.Errorf("%d blocks among 300 shares", pool.found)
				}
				if stats := m.Stats(); stats.Accepted == 0 || stats.Hashes < 300 || !stats.Connected {
					t.Errorf("stats %+v", stats)
				}
				return
			case <-time.After(20 * time.Millisecond):
				server.Publish(easyJob(t, server, prev), false)
			}
		}
	}
}

func easyJob(t *testing.T, s *stratum.Server, prev byte) *work.Job {
	t.Helper()
	target, err := work.TargetFromBits(0x207fffff)
	if err != nil {
		t.Fatal(err)
	}
	now := uint32(time.Now().Unix())
	job, err := work.NewJob(
		&work.Template{
			Height: int32(prev), Version: 0x20000000, PrevHash: chainhash.Hash{prev}, Bits: 0x207fffff, Target: target,
			CurTime: now, MinTime: now - 600, CoinbaseValue: 50e8, Branches: []chainhash.Hash{{7}, {8}},
		},
		work.Layout{Outputs: []work.Output{{Script: []byte{0x51}, Value: 50e8}}}, s.NextJobID(), now)
	if err != nil {
		t.Fatal(err)
	}
	return job
}

// foreignPool is a pool of somebody else: other sizes of the extranonces, other
// ids of jobs, a proxy's habits.
type foreignPool struct {
	t           *testing.T
	extranonce1 string
	size        int
	conn        net.Conn
	lines       *bufio.Scanner
	seen        map[chainhash.Hash]bool
}

func (p *foreignPool) accept(ln net.Listener) {
	p.t.Helper()
	conn, err := ln.Accept()
	if err != nil {
		p.t.Fatal(err)
	}
	p.conn, p.lines = conn, bufio.NewScanner(conn)
	p.t.Cleanup(func() { _ = conn.Close() })
}

func (p *foreignPool) send(format string, args ...any) {
	p.t.Helper()
	if _, err := fmt.Fprintf(p.conn, format+"\n", args...); err != nil {
		p.t.Fatal(err)
	}
}

type request struct {
	ID     int      `json:"id"`
	Method string   `json:"method"`
	Params []string `json:"params"`
}

func (p *foreignPool) next() (r request) {
	p.t.Helper()
	if !p.lines.Scan() {
		p.t.Fatal("the miner has gone: ", p.lines.Err())
	}
	if err := json.Unmarshal(p.lines.Bytes(), &r); err != nil {
		p.t.Fatalf("%s: %v", p.lines.Text(), err)
	}
	return r
}

// shakeHands sends the difficulty and a job before the answer to authorize, as
// some pools do.
func (p *foreignPool) shakeHands() {
	p.t.Helper()
	if r := p.next(); r.Method != "mining.subscribe" {
		p.t.Fatalf("first request %+v", r)
	}
	p.send(`{"id":1,"result":[[["mining.notify","x"]],"%s",%d],"error":null}`, p.extranonce1, p.size)
	r := p.next()
	if r.Method != "mining.authorize" || len(r.Params) != 2 || r.Params[0] != "addr.cpu" || r.Params[1] != `"p\` {
		p.t.Fatalf("second request %+v", r)
	}
	p.send(`{"id":null,"method":"mining.set_difficulty","params":[1e-9]}`)
	p.notify("job-α", true)
	p.send(`{"result":true,"id":%d}`, r.ID)
}

const (
	foreignCoinbase1 = "01000000010000"
	foreignCoinbase2 = "ffffffff00"
	foreignBranch    = "0101010101010101010101010101010101010101010101010101010101010101"
	foreignPrev      = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
)

func (p *foreignPool) notify(id string, clean bool) {
	p.t.Helper()
	p.send(`{"id":null,"method":"mining.notify","params":["%s","%s","%s","%s",["%s"],"20000000","1703255b","6b0330cf",%v]}`,
		id, foreignPrev, foreignCoinbase1, foreignCoinbase2, foreignBranch, clean)
}

// share takes the next share, checks it with code of its own and answers it.
func (p *foreignPool) share() (jobID string) {
	p.t.Helper()
	r := p.next()
	if r.Method != "mining.submit" || len(r.Params) != 5 || len(r.Params[2]) != 2*p.size {
		p.t.Fatalf("submit %+v", r)
	}
	unhex := func(text string) []byte {
		raw, err := hex.DecodeString(text)
		if err != nil {
			p.t.Fatal(err)
		}
		return raw
	}
	coinbase := chainhash.DoubleHashB(unhex(foreignCoinbase1 + p.extranonce1 + r.Params[2] + foreignCoinbase2))
	root := chainhash.DoubleHashB(append(coinbase, unhex(foreignBranch)...))
	header := binary.LittleEndian.AppendUint32(nil, 0x20000000)
	prev := unhex(foreignPrev)
	for i := 0; i < len(prev); i += 4 {
		header = binary.LittleEndian.AppendUint32(header, binary.BigEndian.Uint32(prev[i:]))
	}
	header = append(header, root...)
	for _, field := range []string{r.Params[3], "1703255b", r.Params[4]} {
		header = binary.LittleEndian.AppendUint32(header, binary.BigEndian.Uint32(unhex(field)))
	}
	hash := chainhash.DoubleHashH(header)
	if !work.TargetFromDifficulty(1e-9).Meets(hash) {
		p.t.Errorf("share %v has hash %v", r.Params, hash)
	}
	if p.seen[hash] {
		p.t.Errorf("share %v came twice", r.Params)
	}
	p.seen[hash] = true
	if len(p.seen)%2 == 0 {
		p.send(`{"id":%d,"result":null,"error":[23,"Low difficulty share",null]}`, r.ID)
	} else {
		p.send(`{"id":%d,"result":true,"error":null}`, r.ID)
	}
	return r.Params[1]
}

func TestMineForForeignPool(t *testing.T) {
	for _, size := range []int{0, 1, 3, 11} {
		t.Run(fmt.Sprint("extranonce2 of ", size), func(t *testing.T) {
			t.Parallel()
			ln := listen(t)
			defer func() { _ = ln.Close() }()
			pool := &foreignPool{t: t, extranonce1: "0102030405", size: size, seen: make(map[chainhash.Hash]bool)}
			reasons := make(chan string, 1000)
			m, err := New(Config{
				URL: ln.Addr().String(), User: "addr.cpu", Password: `"p\`, Threads: 2, MaxHashrate: 2000,
				OnShare: func(_ bool, reason string) { reasons <- reason },
			})
			if err != nil {
				t.Fatal(err)
			}
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			ran := make(chan error, 1)
			go func() { ran <- m.Run(ctx) }()

			pool.accept(ln)
			pool.shakeHands()
			for range 20 {
				if id := pool.share(); id != "job-α" {
					t.Errorf("share for job %q", id)
				}
			}
			if got := <-reasons; got != "" {
				t.Errorf("first share: %q", got)
			}
			if got := <-reasons; got != "Low difficulty share" {
				t.Errorf("second share: %q", got)
			}

			// The same work again, under another number.
			pool.notify("again", true)
			for pool.share() != "again" {
			}
			for range 20 {
				if id := pool.share(); id != "again" {
					t.Errorf("share for job %q after a clean one", id)
				}
			}

			// And once more, after a lost connection, with the same extranonce1.
			_ = pool.conn.Close()
			pool.accept(ln)
			pool.shakeHands()
			for range 20 {
				pool.share()
			}
			if stats := m.Stats(); stats.Accepted < 10 || stats.Rejected < 10 {
				t.Errorf("stats %+v", stats)
			}
			stop()
			if err := <-ran; err != nil {
				t.Errorf("Run = %v", err)
			}
			_, _ = io.Copy(io.Discard, pool.conn)
		})
	}
}

func TestRefusedMinerTriesAgain(t *testing.T) {
	ln := listen(t)
	defer func() { _ = ln.Close() }()
	m, err := New(Config{URL: ln.Addr().String(), User: "addr.cpu", Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- m.Run(ctx) }()
	for _, answer := range []string{
		`{"id":1,"result":null,"error":[20,"no",null]}`,
		`{"id":1,"result":[[],"zz",4],"error":null}`,
		`{"id":1,"result":[[],"00"],"error":null}`,
	} {
		pool := &foreignPool{t: t}
		pool.accept(ln)
		pool.next()
		pool.send("%s", answer)
		if pool.lines.Scan() {
			t.Errorf("after %s the miner says %s", answer, pool.lines.Text())
		}
	}
	stop()
	if err := <-ran; err != nil {
		t.Errorf("Run = %v", err)
	}
}
