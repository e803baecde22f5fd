package payout

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"pgregory.net/rapid"

	"github.com/dmpool/dmpool/pool/ledger"
	"github.com/dmpool/dmpool/pool/sqlite"
)

const (
	reward = 100_000_000 // of each block, in satoshis
	blocks = 4           // mature blocks in the ledger and in the wallet
	miners = 3
)

// box is a ledger, a wallet and the desk between them. Its desk can be thrown
// away at any moment and made anew from what is on the disk.
type box struct {
	t      testing.TB
	path   string
	db     *sqlite.DB
	ledger *ledger.Ledger
	wallet *fakeWallet
	desk   *Desk

	policy   Policy
	pass     fixedPass
	now      time.Time
	events   []Event
	requests int
	sweeps   bool // its payouts go to the cold address

	unwritten error // of the journal, which cannot be written
}

// request asks for a payout of all that is due, or of all that is the pool's own.
func (b *box) request(r DraftRequest) (Payout, error) {
	if b.sweeps {
		return b.desk.Sweep(b.t.Context(), SweepRequest{DraftRequest: r, All: true})
	}

	return b.desk.Draft(b.t.Context(), r)
}

// fullLedger returns a file with a ledger in which three miners have earned.
func fullLedger(t testing.TB) string {
	t.Helper()
	path := filepath.Join(fastDir(t), "ledger.db")
	db, err := sqlite.Open(t.Context(), path, ledger.Schema)
	if err != nil {
		t.Fatal(err)
	}
	l := ledger.New(db)
	for n := range blocks {
		earn(t, l, int32(n+1), reward)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}

	return path
}

// fastDir is a temporary directory in memory where the system has one: these
// tests commit some ten thousand times, and each commit waits for the disk.
func fastDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "payout")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })

	return dir
}

// earn books a mature block of some value in satoshis.
func earn(t testing.TB, l *ledger.Ledger, height int32, value int64) {
	t.Helper()
	earnBlock(t, l, chainhash.HashH(fmt.Append(nil, height)), height, value, 101)
}

// earnBlock books a block that has so many confirmations.
func earnBlock(t testing.TB, l *ledger.Ledger, hash chainhash.Hash, height int32, value int64, confirmations int32) {
	t.Helper()
	var weights []ledger.Weight
	for n := int64(1); n <= miners; n++ {
		weights = append(weights, ledger.Weight{Address: addressOf(t, script(n)), Script: script(n), Score: big.NewRat(n, 6)})
	}
	earnAs(t, l, hash, height, value, confirmations, weights)
}

// earnAs books a block for miners with the given weights.
func earnAs(t testing.TB, l *ledger.Ledger, hash chainhash.Hash, height int32, value int64, confirmations int32, weights []ledger.Weight) {
	t.Helper()
	ctx := t.Context()
	err := errors.Join(
		l.RecordFound(ctx, ledger.Found{
			Hash: hash, Height: height, At: time.UnixMilli(1_800_000_000_000),
			Address: weights[0].Address, Script: weights[0].Script, Work: 1, Bits: 0x207fffff,
			CoinbaseTxID: hash, Value: value, Raw: []byte("block"),
			Terms: ledger.Terms{Settlement: "ledger", FeeBps: 100, WindowMilli: 2000, Underfill: "scale"},
		}),
		l.RecordSubmit(ctx, hash, ""),
		l.Freeze(ctx, hash, ledger.Window{WinnerSeq: int64(height), Weights: weights}),
	)
	for _, seen := range []int32{1, confirmations} {
		_, observed := l.Observe(ctx, hash, ledger.Observation{Known: true, Confirmations: seen, Maturity: 101})
		err = errors.Join(err, observed)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// newBox returns a box with a copy of a full ledger and a wallet with its coins.
func newBox(t testing.TB, full string) *box {
	t.Helper()

	return newBoxIn(t, full, fastDir(t))
}

func newBoxIn(t testing.TB, full, dir string) *box {
	t.Helper()
	content, err := os.ReadFile(full)
	if err != nil {
		t.Fatal(err)
	}
	b := &box{
		t: t, path: filepath.Join(dir, "ledger.db"), wallet: newFakeWallet(),
		policy: Policy{ConfirmationsToSettle: 3},
		now:    time.UnixMilli(1_800_000_000_000),
	}
	if err := os.WriteFile(b.path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	b.wallet.mine(blocks, reward)
	b.wallet.mine(106, 0)
	b.wallet.mine(2, 7*reward) // immature
	b.open()
	t.Cleanup(func() { _ = b.db.Close() })

	return b
}

// open makes a desk from what is on the disk.
func (b *box) open() {
	b.t.Helper()
	db, err := sqlite.Open(context.Background(), b.path, ledger.Schema)
	if err != nil {
		b.t.Fatal(err)
	}
	b.db, b.ledger = db, ledger.New(db)
	b.desk = New(db, b.ledger, b.wallet, func() Policy { return b.policy }, b.pass, b.journal,
		func(e Event) { b.events = append(b.events, e) }, slog.New(slog.DiscardHandler))
	b.desk.now = func() time.Time { return b.now }
}

// reopen is a new start of the program.
func (b *box) reopen() {
	b.t.Helper()
	if err := b.db.Close(); err != nil {
		b.t.Fatal(err)
	}
	b.wallet.dead = false
	b.open()
}

func (b *box) draft() Payout {
	b.t.Helper()
	b.requests++
	p, err := b.request(DraftRequest{Actor: "ann", IdemKey: fmt.Sprint("request ", b.requests), Note: "test"})
	if err != nil {
		b.t.Fatal(err)
	}

	return p
}

func (b *box) advance() {
	b.t.Helper()
	if err := b.desk.Advance(b.t.Context()); err != nil {
		b.t.Fatal(err)
	}
}

func (b *box) approve(p Payout) {
	b.t.Helper()
	if err := b.desk.Approve(b.t.Context(), approvalOf(p)); err != nil {
		b.t.Fatal(err)
	}
}

func approvalOf(p Payout) Approval {
	return Approval{ID: p.ID, Rev: p.Rev, Digest: p.Digest, User: "ann", Method: "password", IP: "192.0.2.1"}
}

func (b *box) get(id int64) Payout {
	b.t.Helper()
	p, err := b.desk.Get(b.t.Context(), id)
	if err != nil {
		b.t.Fatal(err)
	}

	return p
}

// want reads a payout and compares its state, and whether its problem contains a
// text; an empty text means no problem.
func (b *box) want(id int64, state State, problem string) Payout {
	b.t.Helper()
	p := b.get(id)
	if p.State != state {
		b.t.Fatalf("payout %d is %s (%s), want %s", id, p.State, p.Problem, state)
	}
	if problem == "" && p.Problem != "" || !strings.Contains(p.Problem, problem) {
		b.t.Fatalf("problem of payout %d is %q, want %q", id, p.Problem, problem)
	}

	return p
}

// sent takes a new payout as far as the mempool.
func (b *box) sent() Payout {
	b.t.Helper()
	p := b.draft()
	b.advance()
	b.approve(b.want(p.ID, Pending, ""))
	b.advance()

	return b.want(p.ID, Broadcast, "")
}

// settled takes a new payout to its end.
func (b *box) settled() Payout {
	b.t.Helper()
	p := b.sent()
	b.wallet.mine(1, 0)
	b.advance()
	b.want(p.ID, Confirmed, "")
	b.wallet.mine(2, 0)
	b.advance()

	return b.want(p.ID, Settled, "")
}

// earned is what a miner got for the blocks of a full ledger.
func earned(n int64) int64 { return blocks * (reward / 100 * 99) * n / 6 }

// checkPaid makes sure that every miner got what they earned exactly once (I13),
// that nothing is owed or locked any more, and that ledger and wallet agree.
func (b *box) checkPaid() {
	b.t.Helper()
	for n := int64(1); n <= miners; n++ {
		if got := b.wallet.paidTo(script(n)); got != earned(n) {
			b.t.Errorf("miner %d got %d sats, want %d", n, got, earned(n))
		}
	}
	sums, err := b.ledger.Sums(context.Background())
	if err != nil {
		b.t.Fatal(err)
	}
	if sums.Payable != 0 || sums.Reserved != 0 || sums.Spendable != b.wallet.balance() {
		b.t.Errorf("ledger says %+v, the wallet has %d sats", sums, b.wallet.balance())
	}
	b.checkBooks()
}

// checkReleased makes sure that nobody was paid and everything is payable.
func (b *box) checkReleased() {
	b.t.Helper()
	sums, err := b.ledger.Sums(context.Background())
	if err != nil {
		b.t.Fatal(err)
	}
	if want := earned(1) + earned(2) + earned(3); sums.Payable != want || sums.Reserved != 0 || b.wallet.sent != 0 {
		b.t.Errorf("ledger says %+v after %d payments, want %d payable", sums, b.wallet.sent, want)
	}
	leased, err := leases(context.Background(), b.db.Reader())
	if err != nil || len(leased) != 0 {
		b.t.Errorf("leases = %v, %v, want none", leased, err)
	}
	b.checkBooks()
}

func (b *box) checkBooks() {
	b.t.Helper()
	if err := b.ledger.Check(context.Background()); err != nil {
		b.t.Error(err)
	}
	if b.wallet.open {
		b.t.Error("the wallet was left open")
	}
	for coin := range b.wallet.locks {
		leased, err := leases(context.Background(), b.db.Reader())
		if err != nil || leased[coin] == 0 {
			b.t.Errorf("coin %v is locked for no payout (%v)", coin, err)
		}
	}
}

// exec changes the database behind the desk's back.
func (b *box) exec(statement string, args ...any) {
	b.t.Helper()
	if err := b.tryExec(statement, args...); err != nil {
		b.t.Fatal(err)
	}
}

func (b *box) tryExec(statement string, args ...any) error {
	return b.db.Update(b.t.Context(), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(b.t.Context(), statement, args...)

		return err
	})
}

// fixedPass is a passphrase that was entered, or an error.
type fixedPass struct{ err error }

func (p fixedPass) Passphrase(context.Context) (string, error) { return passphrase, p.err }

// addressOf is the regtest address of a script.
func addressOf(t rapid.TB, script []byte) string {
	t.Helper()
	_, addresses, _, err := txscript.ExtractPkScriptAddrs(script, &chaincfg.RegressionNetParams)
	if err != nil || len(addresses) != 1 {
		t.Fatalf("script %x has no address: %v", script, err)
	}

	return addresses[0].EncodeAddress()
}

// wrongPass is a passphrase that is not the wallet's.
type wrongPass struct{}

func (wrongPass) Passphrase(context.Context) (string, error) { return "wrong", nil }
