package payout

import (
	"context"
	"encoding/hex"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/dmpool/dmpool/pool/ledger"
	"github.com/dmpool/dmpool/pool/node"
	"github.com/dmpool/dmpool/pool/sqlite"
)

// realNode is a bitcoind on a regtest chain of its own, with the pool's wallet.
type realNode struct {
	*node.Client
	t       *testing.T
	config  node.Config
	command *exec.Cmd
	binary  string
	args    []string
}

// startRealNode starts $DMPOOL_BITCOIND or the bitcoind in $PATH with additional
// arguments, or skips the test.
func startRealNode(t *testing.T, more ...string) *realNode {
	t.Helper()
	binary := os.Getenv("DMPOOL_BITCOIND")
	if binary == "" {
		found, err := exec.LookPath("bitcoind")
		if err != nil {
			t.Skip("no bitcoind: set DMPOOL_BITCOIND, see scripts/bitcoind.sh")
		}
		binary = found
	}

	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := strconv.Itoa(listener.Addr().(*net.TCPAddr).Port)
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}

	dir := t.TempDir()
	cookie := filepath.Join(dir, ".cookie")
	config := node.Config{URL: "http://127.0.0.1:" + port, CookieFile: cookie, Wallet: "pool"}
	n := &realNode{
		t: t, binary: binary, config: config, Client: node.New(config),
		args: append([]string{
			"-regtest", "-datadir=" + dir, "-rpccookiefile=" + cookie, "-rpcport=" + port,
			"-connect=0", "-listen=0", "-fallbackfee=0", "-spendzeroconfchange=0", "-nosettings", "-printtoconsole=0",
		}, more...),
	}
	n.start()
	t.Cleanup(func() {
		n.CloseIdle()
		n.kill()
	})

	return n
}

// start starts the process and waits until it answers.
func (n *realNode) start() {
	n.t.Helper()
	n.command = exec.CommandContext(context.Background(), n.binary, n.args...)
	n.command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := n.command.Start(); err != nil {
		n.t.Fatal(err)
	}
	for {
		_, err := n.BlockchainInfo(n.t.Context())
		if err == nil {
			return
		}
		if !node.Unavailable(err) || n.t.Context().Err() != nil {
			n.t.Fatal(err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// kill is kill -9.
func (n *realNode) kill() {
	_ = n.command.Process.Kill()
	_ = n.command.Wait()
}

// restart is an orderly stop, which writes the chain to the disk, and a new start.
func (n *realNode) restart() {
	n.t.Helper()
	if err := n.Stop(n.t.Context()); err != nil {
		n.t.Fatal(err)
	}
	_ = n.command.Wait()
	n.start()
	n.load()
}

func (n *realNode) load() {
	n.t.Helper()
	if err := n.LoadWallet(n.t.Context(), "pool"); err != nil {
		n.t.Fatal(err)
	}
}

// generate mines blocks that pay an address.
func (n *realNode) generate(blocks int, address string) {
	n.t.Helper()
	if err := n.Call(n.t.Context(), "generatetoaddress", nil, blocks, address); err != nil {
		n.t.Fatal(err)
	}
}

// received is what the unspent outputs of an address add up to.
func (n *realNode) received(address string) int64 {
	n.t.Helper()
	var result struct {
		Total node.Sats `json:"total_amount"`
	}
	if err := n.Call(n.t.Context(), "scantxoutset", &result, "start", []string{"addr(" + address + ")"}); err != nil {
		n.t.Fatal(err)
	}

	return int64(result.Total)
}

// realBox is a ledger whose rewards are in a real wallet.
type realBox struct {
	*box
	node *realNode
}

// newRealBox mines ten rewards of 50 bitcoins to an encrypted wallet and books
// them. All later blocks pay somebody else.
func newRealBox(t *testing.T, more ...string) realBox {
	t.Helper()
	t.Parallel() // these tests mostly wait for their node
	n := startRealNode(t, more...)
	ctx := t.Context()
	if err := n.CreateWallet(ctx, "pool", passphrase); err != nil {
		t.Fatal(err)
	}
	own, err := n.NewAddress(ctx, "rewards")
	if err != nil {
		t.Fatal(err)
	}
	n.generate(10, own)
	n.generate(100, stranger(t))
	n.restart()

	path := filepath.Join(t.TempDir(), "ledger.db")
	db, err := sqlite.Open(ctx, path, ledger.Schema)
	if err != nil {
		t.Fatal(err)
	}
	b := &box{
		t: t, path: path, db: db, ledger: ledger.New(db),
		policy: Policy{ConfirmationsToSettle: 3, FeeRate: "2.5"}, now: time.Now(),
	}
	for height := range int32(10) {
		hash, err := n.BlockHash(ctx, height+1)
		if err != nil {
			t.Fatal(err)
		}
		earnBlock(t, b.ledger, hash, height+1, 50e8, 101)
	}
	r := realBox{box: b, node: n}
	r.sitDown()
	t.Cleanup(func() { _ = r.db.Close() })

	return r
}

func stranger(t *testing.T) string { return addressOf(t, script(500)) }

// sitDown makes a new desk, as a start of the program does.
func (r realBox) sitDown() {
	r.desk = New(r.db, r.ledger, r.node, func() Policy { return r.policy }, r.pass, r.journal, nil, slog.New(slog.DiscardHandler))
	r.desk.now = func() time.Time { return r.now }
}

// mineOnly adds a block that holds only these transactions; the node need not have
// them in its mempool.
func (r realBox) mineOnly(raw ...[]byte) {
	r.t.Helper()
	list := make([]string, len(raw))
	for i, tx := range raw {
		list[i] = hex.EncodeToString(tx)
	}
	if err := r.node.Call(context.Background(), "generateblock", nil, r.somebody(), list); err != nil {
		r.t.Fatal(err)
	}
}

// mine adds blocks that do not pay the wallet.
func (r realBox) mine(blocks int) {
	r.t.Helper()
	r.node.generate(blocks, r.somebody())
}

// somebody is an address that is not the wallet's, and another one each time: a
// block that was invalidated must not be made again.
func (r realBox) somebody() string {
	r.requests++

	return addressOf(r.t, script(int64(1000+r.requests)))
}

// invalidate takes a block and all after it out of the chain.
func (r realBox) invalidate(block chainhash.Hash) {
	r.t.Helper()
	var none any
	if err := r.node.Call(context.Background(), "invalidateblock", &none, block.String()); err != nil {
		r.t.Fatal(err)
	}
}

// checkAgree makes sure that each miner has received, on the chain, what the
// ledger says, and that the wallet holds what the ledger says.
func (r realBox) checkAgree() {
	r.t.Helper()
	ctx := context.Background()
	balances, err := r.ledger.Balances(ctx)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, b := range balances {
		if got := r.node.received(b.Address); got != b.Paid || b.Reserved != 0 {
			r.t.Errorf("%s got %d sats on the chain, the ledger says %+v", b.Address, got, b)
		}
	}
	r.checkWallet()
}

// checkWallet makes sure that the books balance, and that the wallet is locked
// and holds what they say.
func (r realBox) checkWallet() {
	r.t.Helper()
	ctx := context.Background()
	sums, err := r.ledger.Sums(ctx)
	if err != nil {
		r.t.Fatal(err)
	}
	wallet, err := r.node.Balances(ctx)
	if err != nil {
		r.t.Fatal(err)
	}
	if int64(wallet.Trusted) != sums.Spendable || wallet.Pending != 0 || wallet.Immature != 0 {
		r.t.Errorf("wallet has %+v, the ledger says %+v", wallet, sums)
	}
	if err := r.ledger.Check(ctx); err != nil {
		r.t.Error(err)
	}
	info, err := r.node.WalletInfo(ctx)
	if err != nil || info.UnlockedUntil == nil || *info.UnlockedUntil != 0 {
		r.t.Errorf("wallet is not locked: %+v, %v", info, err)
	}
}

// TestBitcoindPayout takes a payout from draft to settled on a real node, which
// is killed when it has just taken the transaction.
func TestBitcoindPayout(t *testing.T) {
	r := newRealBox(t)
	p := r.draft()

	r.policy.FeeRate = ""
	r.advance()
	r.want(p.ID, Draft, "no estimate of the network fee")
	r.policy.FeeRate = "0.01"
	r.advance()
	r.want(p.ID, Draft, "outside 0.1 to 1000 sat/vB")
	r.policy.FeeRate = "2.5"
	r.advance()
	p = r.want(p.ID, Pending, "")

	r.node.restart() // the locks survive
	locked, err := r.node.LockedUnspent(t.Context())
	if err != nil || len(locked) != len(p.Inputs) {
		t.Errorf("locked coins %v, %v, want %d", locked, err, len(p.Inputs))
	}

	r.approve(p)
	r.pass.err = ErrLocked
	r.sitDown()
	r.advance()
	r.want(p.ID, Approved, "The wallet is locked")
	r.pass.err = nil
	r.sitDown()
	r.advance()
	p = r.want(p.ID, Broadcast, "")
	if rate := p.Fee * 1000 / p.VSize; rate < 2500 || rate > 2600 {
		t.Errorf("fee of %d sats for %d vB, want 2.5 sat/vB", p.Fee, p.VSize)
	}

	r.node.kill()
	if err := r.desk.Advance(t.Context()); err == nil {
		t.Error("Advance without a node: no error")
	}
	r.want(p.ID, Broadcast, "does not answer")
	r.node.start()
	if err := r.desk.Advance(t.Context()); err == nil {
		t.Error("Advance without a wallet: no error")
	}
	r.want(p.ID, Broadcast, "wallet is not loaded")
	r.node.load()
	r.sitDown()
	r.advance()
	r.want(p.ID, Broadcast, "")

	r.mine(1)
	r.advance()
	r.want(p.ID, Confirmed, "")
	r.mine(2)
	r.advance()
	r.want(p.ID, Settled, "")
	r.checkAgree()
}

// TestBitcoindCancel gives up a payout: its coins and its money are free again.
func TestBitcoindCancel(t *testing.T) {
	r := newRealBox(t)
	p := r.draft()
	r.advance()
	p = r.get(p.ID)
	if err := r.desk.Cancel(t.Context(), Change{ID: p.ID, Rev: p.Rev, Actor: "ann"}); err != nil {
		t.Fatal(err)
	}
	r.advance()
	locked, err := r.node.LockedUnspent(t.Context())
	if err != nil || len(locked) != 0 {
		t.Errorf("locked coins %v, %v, want none", locked, err)
	}

	p = r.draft()
	r.advance()
	r.approve(r.get(p.ID))
	r.advance()
	r.mine(3)
	r.advance()
	r.want(p.ID, Settled, "")
	r.checkAgree()
}
