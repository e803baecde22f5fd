package payout

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/dmpool/dmpool/pool/ledger"
	"github.com/dmpool/dmpool/pool/node"
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
}

// fullLedger returns a file with a ledger in which three miners have earned.
func fullLedger(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ledger.db")
	db, err := sqlite.Open(t.Context(), path, ledger.Schema)
	if err != nil {
		t.Fatal(err)
	}
	l := ledger.New(db)
	for n := range blocks {
		earn(t, l, int32(n+1))
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}

	return path
}

// earn books a mature block.
func earn(t testing.TB, l *ledger.Ledger, height int32) {
	t.Helper()
	var weights []ledger.Weight
	for n := int64(1); n <= miners; n++ {
		weights = append(weights, ledger.Weight{Address: addressOf(t, script(n)), Script: script(n), Score: big.NewRat(n, 6)})
	}
	hash := chainhash.HashH(fmt.Append(nil, height))
	ctx := t.Context()
	err := errors.Join(
		l.RecordFound(ctx, ledger.Found{
			Hash: hash, Height: height, At: time.UnixMilli(1_800_000_000_000),
			Address: weights[0].Address, Script: weights[0].Script, Work: 1, Bits: 0x207fffff,
			CoinbaseTxID: hash, Value: reward, Raw: []byte("block"),
			Terms: ledger.Terms{Settlement: "ledger", FeeBps: 100, WindowMilli: 2000, Underfill: "scale"},
		}),
		l.RecordSubmit(ctx, hash, ""),
		l.Freeze(ctx, hash, int64(height), weights),
	)
	for _, confirmations := range []int32{1, 101} {
		_, observed := l.Observe(ctx, hash, ledger.Observation{Known: true, Confirmations: confirmations, Maturity: 101})
		err = errors.Join(err, observed)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// newBox returns a box with a copy of a full ledger and a wallet with its coins.
func newBox(t testing.TB, full string) *box {
	t.Helper()
	content, err := os.ReadFile(full)
	if err != nil {
		t.Fatal(err)
	}
	b := &box{
		t: t, path: filepath.Join(t.TempDir(), "ledger.db"), wallet: newFakeWallet(),
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
	b.desk = New(db, b.ledger, b.wallet, func() Policy { return b.policy }, b.pass,
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
	p, err := b.desk.Draft(b.t.Context(), DraftRequest{Actor: "ann", IdemKey: fmt.Sprint("request ", b.requests), Note: "test"})
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

func TestPayout(t *testing.T) {
	b := newBox(t, fullLedger(t))
	p := b.draft()
	if p.State != Draft || p.Recipients != miners || p.Total != earned(1)+earned(2)+earned(3) || p.CreatedBy != "ann" || p.Note != "test" {
		t.Errorf("draft = %+v", p)
	}
	b.advance()

	p = b.want(p.ID, Pending, "")
	if p.Fee <= 0 || p.Fee > p.FeeCap || p.Change <= 0 || len(p.Inputs) != blocks || p.TxID == nil || len(p.Digest) != 32 {
		t.Errorf("pending = %+v", p)
	}
	if p.ExpiresAt.Sub(b.now) != 24*time.Hour {
		t.Errorf("expires after %v", p.ExpiresAt.Sub(b.now))
	}
	b.approve(p)
	if b.wallet.sent != 0 {
		t.Error("an approval alone sends money")
	}
	b.advance()
	txid := *p.TxID

	p = b.want(p.ID, Broadcast, "")
	if *p.TxID != txid || p.VSize == 0 || len(p.Raw) == 0 {
		t.Errorf("broadcast = %+v, want transaction %v", p, txid)
	}
	b.wallet.mine(1, 0)
	b.advance()
	p = b.want(p.ID, Confirmed, "")
	if p.Confirmations != 1 || p.Height != b.wallet.height {
		t.Errorf("confirmed = %+v", p)
	}
	b.wallet.mine(2, 0)
	b.advance()
	b.want(p.ID, Settled, "")
	b.checkPaid()

	paid, err := b.desk.PaidTo(t.Context(), addressOf(t, script(3)), 10)
	if err != nil || len(paid) != 1 || paid[0].Amount != earned(3) || *paid[0].TxID != txid || paid[0].Confirmations != 3 {
		t.Errorf("PaidTo = %+v, %v", paid, err)
	}
	if _, err := b.desk.Draft(t.Context(), DraftRequest{Actor: "ann", IdemKey: "again"}); !errors.Is(err, ErrNothingDue) {
		t.Errorf("draft of nothing: %v, want ErrNothingDue", err)
	}

	var states []State
	for _, e := range b.events {
		states = append(states, e.State)
	}
	if got, want := fmt.Sprint(states), "[draft pending approved signed broadcast confirmed settled]"; got != want {
		t.Errorf("events %s, want %s", got, want)
	}

	b.wallet.mine(deep, 0)
	b.advance()
	b.checkBooks()
	if leased, err := leases(t.Context(), b.db.Reader()); err != nil || len(leased) != 0 {
		t.Errorf("leases of a payout %d blocks deep: %v, %v", deep, leased, err)
	}
}

func TestDraftTwice(t *testing.T) {
	b := newBox(t, fullLedger(t))
	request := DraftRequest{Actor: "ann", IdemKey: "one click"}

	var wg sync.WaitGroup
	ids := make([]int64, 20)
	for i := range ids {
		wg.Go(func() {
			p, err := b.desk.Draft(t.Context(), request)
			if err != nil {
				t.Error(err)
			}
			ids[i] = p.ID
		})
	}
	wg.Wait()
	for _, id := range ids {
		if id != ids[0] {
			t.Fatalf("payouts %v for one request", ids)
		}
	}

	if _, err := b.desk.Draft(t.Context(), DraftRequest{Actor: "ann", IdemKey: "other"}); !errors.Is(err, ErrNothingDue) {
		t.Errorf("a second payout of the same money: %v, want ErrNothingDue", err)
	}

	owed, err := b.desk.Owed(t.Context())
	if err != nil || len(owed) != miners || owed[0].Reserved != earned(3) || owed[0].Payable != 0 {
		t.Errorf("Owed = %+v, %v", owed, err)
	}
	earn(t, b.ledger, 50)
	owed, err = b.desk.Owed(t.Context())
	if err != nil || owed[0].Payable == 0 || !strings.Contains(owed[0].Reason, fmt.Sprintf("Payout %d", ids[0])) {
		t.Errorf("Owed = %+v, %v", owed, err)
	}
}

func TestApproveOnce(t *testing.T) {
	b := newBox(t, fullLedger(t))
	p := b.draft()
	b.advance()
	p = b.get(p.ID)

	var wg sync.WaitGroup
	errs := make([]error, 50)
	for i := range errs {
		wg.Go(func() { errs[i] = b.desk.Approve(t.Context(), approvalOf(p)) })
	}
	wg.Wait()

	won := 0
	for _, err := range errs {
		switch {
		case err == nil:
			won++
		case !errors.Is(err, ErrStale):
			t.Errorf("a late click: %v, want ErrStale", err)
		}
	}
	if won != 1 {
		t.Errorf("%d of 50 clicks won, want 1", won)
	}

	for range 10 {
		wg.Go(func() {
			if err := b.desk.Advance(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	b.wallet.mine(3, 0)
	b.advance()
	b.want(p.ID, Settled, "")
	if b.wallet.sent != 1 {
		t.Errorf("%d transactions were sent, want 1", b.wallet.sent)
	}
	b.checkPaid()
}

func TestApproveOnlyWhatWasSeen(t *testing.T) {
	tests := map[string]struct {
		change func(b *box, a *Approval)
		want   error
	}{
		"older revision":       {func(_ *box, a *Approval) { a.Rev-- }, ErrStale},
		"other digest":         {func(_ *box, a *Approval) { a.Digest = make([]byte, 32) }, ErrStale},
		"no digest":            {func(_ *box, a *Approval) { a.Digest = nil }, ErrStale},
		"unknown payout":       {func(_ *box, a *Approval) { a.ID++ }, ErrNotFound},
		"too late":             {func(b *box, _ *Approval) { b.now = b.now.Add(24 * time.Hour) }, ErrExpired},
		"cap lowered":          {func(b *box, _ *Approval) { b.policy.MaxPayout = 1000 }, ErrCap},
		"daily cap lowered":    {func(b *box, _ *Approval) { b.policy.Max24h = 1000 }, ErrCap},
		"fee cap lowered":      {func(b *box, _ *Approval) { b.policy.FeeCap, b.policy.FeeCapBps = 1, -1 }, ErrCap},
		"fewer recipients":     {func(b *box, _ *Approval) { b.policy.MaxItems = 2 }, ErrCap},
		"wallet used by other": {func(b *box, _ *Approval) { b.thief(); b.advance() }, ErrFrozen},
	}
	full := fullLedger(t)
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			b := newBox(t, full)
			p := b.draft()
			b.advance()
			a := approvalOf(b.want(p.ID, Pending, ""))
			tt.change(b, &a)

			if err := b.desk.Approve(t.Context(), a); !errors.Is(err, tt.want) {
				t.Errorf("Approve = %v, want %v", err, tt.want)
			}
			b.want(p.ID, Pending, "")
		})
	}
}

// thief spends a coin of the wallet with a transaction that is no payout.
func (b *box) thief() chainhash.Hash {
	b.wallet.mu.Lock()
	coin := b.wallet.unspent()[0]
	tx := b.wallet.txs[coin.TxID].tx.Copy()
	tx.TxIn[0].PreviousOutPoint.Hash, tx.TxIn[0].PreviousOutPoint.Index = coin.TxID, coin.Vout
	b.wallet.mu.Unlock()

	return b.wallet.steal(tx)
}

func TestCancelAndExpire(t *testing.T) {
	full := fullLedger(t)
	tests := map[string]struct {
		before func(b *box, id int64)
		expire bool
		want   State
	}{
		"cancel draft":    {func(*box, int64) {}, false, Cancelled},
		"cancel pending":  {func(b *box, _ int64) { b.advance() }, false, Cancelled},
		"cancel approved": {func(b *box, id int64) { b.advance(); b.approve(b.get(id)) }, false, Cancelled},
		"expire pending":  {func(b *box, _ int64) { b.advance() }, true, Expired},
		"expire approved": {func(b *box, id int64) { b.advance(); b.approve(b.get(id)) }, true, Expired},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			b := newBox(t, full)
			p := b.draft()
			tt.before(b, p.ID)
			p = b.get(p.ID)
			if tt.expire {
				b.now = b.now.Add(25 * time.Hour)
			} else {
				if err := b.desk.Cancel(t.Context(), p.ID, p.Rev-1, "ann"); !errors.Is(err, ErrStale) {
					t.Errorf("cancel of an old revision: %v, want ErrStale", err)
				}
				if err := b.desk.Cancel(t.Context(), p.ID, p.Rev, "ann"); err != nil {
					t.Fatal(err)
				}
			}
			b.advance()
			b.want(p.ID, tt.want, "")
			b.checkReleased()

			// The money is free for the next payout.
			b.settled()
			b.checkPaid()
		})
	}
}

func TestNoWayBackAfterTheSignature(t *testing.T) {
	b := newBox(t, fullLedger(t))
	b.wallet.refuse = refusal("sendrawtransaction", node.ErrCodeRejected, "mempool min fee not met, 219 < 925")
	p := b.draft()
	b.advance()
	b.approve(b.get(p.ID))
	b.advance()
	p = b.want(p.ID, Signed, "does not take the transaction at the moment")

	if err := b.desk.Cancel(t.Context(), p.ID, p.Rev, "ann"); !errors.Is(err, ErrStale) {
		t.Errorf("cancel of a signed payout: %v, want ErrStale", err)
	}
	b.now = b.now.Add(1000 * time.Hour)
	b.advance()
	b.want(p.ID, Signed, "does not take")

	b.wallet.refuse = nil
	b.advance()
	again := b.want(p.ID, Broadcast, "")
	if string(again.Raw) != string(p.Raw) {
		t.Error("other bytes were sent than were signed")
	}
	b.wallet.mine(3, 0)
	b.advance()
	b.checkPaid()
}
