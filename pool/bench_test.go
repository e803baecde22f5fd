package pool

import (
	"cmp"
	"context"
	"log/slog"
	"net"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/dmpool/dmpool/pool/ledger"
	"github.com/dmpool/dmpool/pool/node"
	"github.com/dmpool/dmpool/pool/node/nodetest"
	"github.com/dmpool/dmpool/pool/shares"
	"github.com/dmpool/dmpool/pool/sqlite"
	"github.com/dmpool/dmpool/pool/stratum"
	"github.com/dmpool/dmpool/pool/work"
)

// bench is a pool on a fake node, or on a real one, with real databases.
type bench struct {
	t      *testing.T
	node   *nodetest.Node // nil with a real one
	real   *realNode      // nil with a fake one
	rpc    node.Config
	wallet string // address of the pool's wallet
	tip    func() chainhash.Hash
	dir    string
	pool   *Pool
	ledger *ledger.Ledger
	shares *shares.Log
	events Events
	stop   func()

	network    string        // "" = regtest
	settlement string        // wait for jobs that are settled so; "" = any
	opinion    *opinion      // of the node on proposed blocks
	gate       chan struct{} // no block reaches the node before it is closed; nil: each does
}

// opinion is a node whose opinion on proposed blocks a test can change.
type opinion struct {
	Node
	refusal atomic.Pointer[string]
	silence atomic.Pointer[chan struct{}] // no answer until it is closed
	asked   atomic.Int32
	gate    chan struct{}
}

func (o *opinion) SubmitBlock(ctx context.Context, raw []byte) (string, error) {
	if o.gate != nil {
		select {
		case <-o.gate:
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
	return o.Node.SubmitBlock(ctx, raw)
}

func (o *opinion) ProposeBlock(ctx context.Context, raw []byte) (string, error) {
	o.asked.Add(1)
	if silence := o.silence.Load(); silence != nil {
		select {
		case <-*silence:
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
	if refusal := o.refusal.Load(); refusal != nil {
		return *refusal, nil
	}
	return o.Node.ProposeBlock(ctx, raw)
}

const testMaturity = 5

func newBench(t *testing.T) *bench {
	t.Helper()
	fake := nodetest.New(t)
	b := &bench{
		t: t, node: fake, dir: t.TempDir(), wallet: poolAddress,
		rpc: node.Config{URL: fake.URL, CookieFile: fake.CookieFile},
		tip: func() chainhash.Hash { tip, _ := fake.Tip(); return tip },
	}
	b.start()
	t.Cleanup(func() { b.stop() })
	return b
}

// start opens the databases and runs a pool; stop ends it in order.
func (b *bench) start() {
	b.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	db, err := sqlite.Open(ctx, filepath.Join(b.dir, "ledger.db"), ledger.Schema)
	if err != nil {
		b.t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	b.ledger = ledger.New(db)
	b.shares, err = shares.Open(ctx, filepath.Join(b.dir, "shares.db"), shares.Options{Logger: log})
	if err != nil {
		b.t.Fatal(err)
	}
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		b.t.Fatal(err)
	}
	client := node.New(b.rpc)
	network := cmp.Or(b.network, "regtest")
	_, script, err := ParseAddress(b.wallet, network)
	if err != nil {
		b.t.Fatal(err)
	}
	b.opinion = &opinion{Node: client, gate: b.gate}
	b.pool, err = New(Config{
		Network: network, Maturity: testMaturity, Script: script, Node: b.opinion,
		Source: node.NewSource(client, "", log), Shares: b.shares, Ledger: b.ledger, Dir: b.dir,
		Settings: DefaultSettings(network), Listeners: []net.Listener{ln}, Events: &b.events, Logger: log,
	})
	if err != nil {
		b.t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- b.pool.Run(ctx) }()
	stopped := false
	b.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-ended; err != nil {
			b.t.Errorf("run: %v", err)
		}
		client.CloseIdle()
		if err := b.shares.Close(); err != nil {
			b.t.Error(err)
		}
		if err := db.Close(); err != nil {
			b.t.Error(err)
		}
	}
}

// eventually waits until done returns true.
func (b *bench) eventually(what string, done func() bool) {
	b.t.Helper()
	for range 1000 {
		if done() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	b.t.Fatalf("did not happen: %s", what)
}

// poolAddress is that of the pool's wallet, and of most miners of these tests.
const poolAddress = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"

// solve finds a block on the pool's current job, which must build on the node's
// tip.
func (b *bench) solve(name string) stratum.Share {
	b.t.Helper()
	return b.solveFor(poolAddress + "." + name)
}

// solveFor finds a block under a username.
func (b *bench) solveFor(username string) stratum.Share {
	b.t.Helper()
	tip := b.tip()
	worker, err := b.pool.Authorize(context.Background(), username)
	if err != nil {
		b.t.Fatal(err)
	}
	var job *work.Job
	b.eventually("a job on the tip", func() bool {
		s := b.pool.serving.Load()
		job = s.job
		if s.reason != "" || job == nil || job.PrevHash != tip || s.settlement != b.settlement && b.settlement != "" {
			return false
		}
		if s.layOut != nil {
			job, err = s.layOut(job, b.pool.server.NextJobID(), worker)
		}
		return err == nil
	})
	return solveJob(job, worker)
}

// solveJob finds a block on a job.
func solveJob(job *work.Job, worker stratum.Worker) stratum.Share {
	share := stratum.Share{Worker: worker, Job: job, Difficulty: job.NetworkDifficulty, Work: work.ShareWork(job.NetworkDifficulty), At: time.Now()}
	share.Solution = work.Solution{Version: job.Version, Time: job.Time}
	for {
		share.Proof = job.Prove(share.Solution)
		if share.Proof.Block {
			return share
		}
		share.Solution.Nonce++
	}
}

// mine finds a block and lets it go the whole way.
func (b *bench) mine() chainhash.Hash {
	b.t.Helper()
	return b.mineFor(poolAddress + ".rig")
}

func (b *bench) mineFor(username string) chainhash.Hash {
	b.t.Helper()
	share := b.solveFor(username)
	b.finish(share)
	return share.Proof.Hash
}

func (b *bench) awaitState(hash chainhash.Hash, want ledger.State) {
	b.t.Helper()
	var block ledger.Block
	b.eventually("block "+hash.String()+" is "+string(want), func() bool {
		var err error
		block, err = b.ledger.Block(context.Background(), hash)
		// The node's answer can come before the share is on disk, and a stale
		// block books nothing that would have to wait for its split.
		return err == nil && block.State == want && (block.Frozen || want != ledger.StateStale)
	})
	if !block.Frozen {
		b.t.Errorf("block %s is %s without a frozen split", hash, want)
		return
	}
	b.receipt(hash)
}

func (b *bench) sums() ledger.Sums {
	b.t.Helper()
	if err := b.ledger.Check(context.Background()); err != nil {
		b.t.Errorf("ledger: %v", err)
	}
	s, err := b.ledger.Sums(context.Background())
	if err != nil {
		b.t.Fatal(err)
	}
	return s
}

const subsidy = 50_0000_0000
