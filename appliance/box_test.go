package appliance

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/dmpool/dmpool/appliance/bitcoind"
	"github.com/dmpool/dmpool/appliance/metrics"
	"github.com/dmpool/dmpool/pool/cpuminer"
	"github.com/dmpool/dmpool/pool/ledger"
	"github.com/dmpool/dmpool/pool/payout"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestWholeBox runs everything but the pages on a real node, on regtest, where a
// block takes two hashes: from an empty directory to a settled payout, through
// the sudden death of the node, and once more after a restart.
func TestWholeBox(t *testing.T) {
	t.Parallel()
	binary := realNode(t)
	dir := filepath.Join(t.TempDir(), "box")
	if err := SetUp(t.Context(), dir, parse(t, `{"network":"regtest","operator":{"password":"`+goodPassword+`"}}`)); err != nil {
		t.Fatal(err)
	}

	b := startBox(t, dir, binary)
	b.mine()
	b.eventually("a block is mature", func() bool { return b.sums().Spendable > 0 })
	b.tellsFigures()
	first := b.approve()
	b.eventually("the payout is settled", func() bool { return b.state(first) == payout.Settled })

	b.killNode()
	height := b.box.Pool().Status().Height
	b.eventually("mining goes on after the node died", func() bool { return b.box.Pool().Status().Height > height+3 })
	b.rest()
	b.check()
	before := b.figures()
	b.stop()

	b = startBox(t, dir, binary)
	if after := b.figures(); after.Mine.Accepted < before.Mine.Accepted || after.Mine.Work < before.Mine.Work || after.Workers[0].Work < before.Workers[0].Work {
		t.Errorf("counters fell from %+v to %+v", before.Mine, after.Mine)
	}
	b.mine()
	second := b.approve()
	b.eventually("a payout after the restart is settled", func() bool { return b.state(second) == payout.Settled })
	if got := b.state(first); got != payout.Settled {
		t.Errorf("the first payout is %s after the restart", got)
	}
	b.rest()
	b.check()
	b.stop()
}

// realNode returns a bitcoind, or skips the test where there is none and none is
// demanded.
func realNode(t *testing.T) string {
	t.Helper()
	binary, err := bitcoind.Find("")
	if errors.Is(err, bitcoind.ErrNotFound) && os.Getenv("DMPOOL_TEST_ALL") == "" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return binary
}

// runningBox is a box that runs inside the test.
type runningBox struct {
	t       *testing.T
	box     *Appliance
	cancel  context.CancelFunc
	ended   chan error
	rest    func() // stops the miner
	stopped bool
}

func startBox(t *testing.T, dir, binary string) *runningBox {
	t.Helper()
	b := launchBox(t, dir, binary)
	b.eventually("the box is healthy", func() bool { return b.box.Health(context.Background()).Status == Healthy })
	return b
}

// launchBox starts a box and does not wait until it is healthy.
func launchBox(t *testing.T, dir, binary string) *runningBox {
	t.Helper()
	return launchWith(t, Config{DataDir: dir, Bitcoind: binary})
}

func launchWith(t *testing.T, c Config) *runningBox {
	t.Helper()
	box, err := unlocked(func() (*Appliance, error) {
		ln, err := Listen(t.Context(), "miners", "127.0.0.1:0", "--stratum")
		if err != nil {
			return nil, err
		}
		c.Stratum, c.Logger = []net.Listener{ln}, slog.New(slog.DiscardHandler)
		return New(t.Context(), c)
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	b := &runningBox{t: t, box: box, cancel: cancel, ended: make(chan error, 1), rest: func() {}}
	go func() { b.ended <- box.Run(ctx) }()
	t.Cleanup(b.stop)
	b.eventually("the box has its parts", func() bool { return box.Pool() != nil })
	return b
}

// unlocked repeats what fails because a data directory is in use: a process that another
// test starts at this moment has its lock, too, until its program begins.
func unlocked[T any](do func() (T, error)) (got T, err error) {
	for range 100 {
		got, err = do()
		if _, held := errors.AsType[*InUseError](err); !held {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	return got, err
}

// mine connects the CPU miner, slow enough for a few blocks a second.
func (b *runningBox) mine() { b.mineAt(20) }

// mineAt connects it with a hashrate; a block takes two hashes.
func (b *runningBox) mineAt(hashrate float64) {
	m, err := cpuminer.New(cpuminer.Config{
		URL:  "stratum+tcp://" + b.box.config.Stratum[0].Addr().String(),
		User: "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080.rig", Password: "x",
		Threads: 1, MaxHashrate: hashrate, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		b.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- m.Run(ctx) }()
	b.rest = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			b.t.Errorf("mine: %v", err)
		}
	})
}

// stop ends the box in order and checks that it took the node along.
func (b *runningBox) stop() {
	b.t.Helper()
	if b.stopped {
		return
	}
	b.stopped = true
	pid := b.box.runner.Load().State().PID
	b.rest()
	b.cancel()
	if err := <-b.ended; err != nil {
		b.t.Errorf("run: %v", err)
	}
	if err := b.box.Close(); err != nil {
		b.t.Error(err)
	}
	if err := syscall.Kill(pid, 0); pid > 0 && !errors.Is(err, syscall.ESRCH) {
		b.t.Errorf("the node outlived the box: %v", err)
	}
}

func (b *runningBox) eventually(what string, done func() bool) {
	b.t.Helper()
	for range 1800 {
		select {
		case err := <-b.ended:
			b.ended <- err
			b.t.Fatalf("the box ended before %s: %v", what, err)
		default:
		}
		if done() {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	b.t.Fatalf("did not happen: %s; health %+v", what, b.box.Health(context.Background()))
}

func (b *runningBox) sums() ledger.Sums {
	s, err := b.box.Ledger().Sums(context.Background())
	if err != nil {
		b.t.Fatal(err)
	}
	return s
}

func (b *runningBox) state(id int64) payout.State {
	p, err := b.box.Payouts().Get(context.Background(), id)
	if err != nil {
		b.t.Fatal(err)
	}
	return p.State
}

// figures are what a monitor reads of the box, all of which is known.
func (b *runningBox) figures() metrics.Snapshot {
	b.t.Helper()
	s, err := b.box.Metrics(context.Background())
	if err != nil {
		b.t.Fatal(err)
	}
	if s.Mine == nil || s.Money == nil || s.Mine.Accepted == 0 || s.Mine.Work == 0 || len(s.Workers) != 1 || s.Workers[0].Work != s.Mine.Work ||
		!s.Node.Synced || s.Node.Calls == 0 || s.Node.Waited == 0 || len(s.Money.Wallet) != 3 || len(s.Mine.Coinbase) != 1 || s.Mine.Coinbase[0].Sats != s.Mine.CoinbaseValue ||
		len(s.Mine.Blocks) == 0 || s.Money.Payouts[string(payout.Settled)] == 0 || s.Mine.RoundWork == nil || len(s.Jobs) == 0 || s.Machine.DiskFree == nil {
		b.t.Errorf("figures %+v", s)
	}
	return s
}

// approve waits for a payout that asks for it and approves it.
func (b *runningBox) approve() (id int64) {
	b.t.Helper()
	ctx := context.Background()
	var waiting []payout.Payout
	b.eventually("a payout waits for approval", func() bool {
		var err error
		if waiting, err = b.box.Payouts().List(ctx, payout.Pending); err != nil {
			b.t.Fatal(err)
		}
		return len(waiting) > 0
	})
	p := waiting[0]
	err := b.box.Payouts().Approve(ctx, payout.Approval{ID: p.ID, Rev: p.Rev, Digest: p.Digest, User: "admin", Method: "password", IP: "127.0.0.1"})
	if err != nil {
		b.t.Fatal(err)
	}
	b.box.tellPayout(payout.Event{Payout: p.ID, State: payout.Approved, Total: p.Total})
	return p.ID
}

// killNode ends bitcoind as a power cut would.
func (b *runningBox) killNode() {
	b.t.Helper()
	if err := syscall.Kill(b.box.runner.Load().State().PID, syscall.SIGKILL); err != nil {
		b.t.Fatal(err)
	}
}

// check compares the books with themselves and with the wallet, which must be
// at rest.
func (b *runningBox) check() {
	b.t.Helper()
	if err := b.box.Ledger().Check(context.Background()); err != nil {
		b.t.Error(err)
	}
	var sums ledger.Sums
	var wallet WalletStatus
	b.t.Cleanup(func() {
		if b.t.Failed() {
			b.t.Logf("books %+v, wallet %+v", sums, wallet)
		}
	})
	b.eventually("books and wallet agree", func() bool {
		sums, wallet = b.sums(), b.box.Wallet(context.Background())
		return wallet.Known && sums.Immature == wallet.Immature && sums.Spendable == wallet.Trusted
	})
}
