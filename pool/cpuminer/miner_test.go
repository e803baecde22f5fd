package cpuminer

import (
	"context"
	"encoding/hex"
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
