package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/dmpool/dmpool/pool/ledger"
	"github.com/dmpool/dmpool/pool/sqlite"
)

// model keeps the same books as the ledger in the simplest way that can be: it
// adds and subtracts.
type model struct {
	ctx    context.Context
	ledger *ledger.Ledger

	blocks  []*modelBlock
	payouts []*modelPayout
	owed    map[string][4]int64 // pending, payable, reserved, paid by address
	wallet  int64               // immature and spendable together
	fees    int64               // chain fees
}

type modelBlock struct {
	ledger.Block

	state  ledger.State
	booked int // 0, 1 = pending, 2 = payable
	flips  int
}

type modelPayout struct {
	address  string
	account  int64
	amount   int64
	fee      int64
	state    string // reserved, released, settled
	settled  int    // times
	reserved string // key
}

const modelMaturity = 3

func newModel(t *rapid.T, dir string) *model {
	db, err := sqlite.Open(t.Context(), filepath.Join(dir, "ledger.db"), ledger.Schema)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })

	return &model{ctx: t.Context(), ledger: ledger.New(db), owed: map[string][4]int64{}}
}

func (m *model) move(address string, bucket int, amount int64) {
	row := m.owed[address]
	row[bucket] += amount
	m.owed[address] = row
}

// find records and freezes a block.
func (m *model) find(t *rapid.T) {
	f := found(len(m.blocks) + 1)
	f.Value = rapid.Int64Range(0, 5_000_000_000).Draw(t, "value")
	f.Terms.Underfill = rapid.SampledFrom([]string{ledger.UnderfillScale, ledger.UnderfillHold}).Draw(t, "underfill")
	var window []ledger.Weight
	for _, name := range []string{"alice", "bob", "carol"} {
		if w := rapid.Int64Range(0, 5).Draw(t, name); w > 0 {
			window = append(window, ledger.Weight{Address: name, Script: []byte("script of " + name), Score: big.NewRat(w, 7)})
		}
	}
	if len(window) == 0 {
		t.Skip("nobody worked")
	}
	f.Terms.Settlement = rapid.SampledFrom([]string{ledger.SettlementLedger, ledger.SettlementDirect, ledger.SettlementSolo}).Draw(t, "settlement")
	if f.Terms.PaysMiners() {
		m.findPaying(t, f, window)

		return
	}

	if err := m.ledger.RecordFound(m.ctx, f); err != nil {
		t.Fatal(err)
	}
	if err := m.ledger.Freeze(m.ctx, f.Hash, ledger.Window{WinnerSeq: 1, Weights: window}); err != nil {
		t.Fatal(err)
	}
	b, err := m.ledger.Block(m.ctx, f.Hash)
	if err != nil {
		t.Fatal(err)
	}
	m.blocks = append(m.blocks, &modelBlock{Block: b, state: ledger.StateFound})
}

// findPaying records and freezes a block whose coinbase pays miners.
func (m *model) findPaying(t *rapid.T, f ledger.Found, window []ledger.Weight) {
	if f.Terms.Settlement == ledger.SettlementSolo {
		window = window[:1]
	}
	limits := ledger.CoinbaseLimits{
		MinOutput: rapid.SampledFrom([]int64{1, 10_000, 900_000_000}).Draw(t, "minimum"),
		Room:      rapid.SampledFrom([]int{0, 60, 100, 700}).Draw(t, "room"),
	}
	f, err := paying(m.ctx, m.ledger, f, window, limits)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.ledger.RecordFound(m.ctx, f); err != nil {
		t.Fatal(err)
	}
	if err := m.ledger.FreezeCoinbase(m.ctx, f.Hash, 1); err != nil {
		t.Fatal(err)
	}
	b, err := m.ledger.Block(m.ctx, f.Hash)
	if err != nil {
		t.Fatal(err)
	}
	m.blocks = append(m.blocks, &modelBlock{Block: b, state: ledger.StateFound})
}

// see observes a block: known or not, in the chain or not, deep or not.
func (m *model) see(t *rapid.T) {
	if len(m.blocks) == 0 {
		t.Skip("no block")
	}
	b := rapid.SampledFrom(m.blocks).Draw(t, "block")
	o := ledger.Observation{
		Known:         rapid.IntRange(0, 4).Draw(t, "known") > 0,
		Confirmations: rapid.SampledFrom([]int32{-1, 1, 2, modelMaturity, 50}).Draw(t, "confirmations"),
		Maturity:      modelMaturity,
	}
	got, err := m.ledger.Observe(m.ctx, b.Hash, o)
	if err != nil {
		t.Fatal(err)
	}

	from := b.state
	switch {
	case !o.Known:
		b.state = ledger.StateUnknown
	case o.Confirmations > 0 && b.booked == 0:
		b.state, b.booked = ledger.StateAccepted, 1
		m.book(b, 0, +1)
		m.pay(b, +1)
		m.wallet += b.Value - b.Paid
	case o.Confirmations > 0 && b.booked == 1 && o.Confirmations >= modelMaturity:
		b.state, b.booked = ledger.StateMature, 2
		m.book(b, 0, -1)
		m.book(b, 1, +1)
	case o.Confirmations > 0:
		b.state = []ledger.State{1: ledger.StateAccepted, 2: ledger.StateMature}[b.booked]
	case b.booked > 0:
		m.book(b, b.booked-1, -1)
		m.pay(b, -1)
		m.wallet -= b.Value - b.Paid
		b.state, b.booked = ledger.StateOrphaned, 0
		b.flips++
	case b.flips > 0:
		b.state = ledger.StateOrphaned
	default:
		b.state = ledger.StateStale
	}
	if want := (ledger.Transition{From: from, To: b.state}); got != want {
		t.Fatalf("Observe(%+v) = %+v, want %+v", o, got, want)
	}
}

// book adds the split of a block to a bucket, or takes it off.
func (m *model) book(b *modelBlock, bucket int, sign int64) {
	for _, r := range b.Split {
		m.move(r.Address, bucket, sign*(r.Amount-r.Paid))
	}
}

// pay adds what the coinbase of a block paid by itself, or takes it off.
func (m *model) pay(b *modelBlock, sign int64) {
	for _, r := range b.Split {
		m.move(r.Address, 3, sign*r.Paid)
	}
}

// reserve drafts a payout, also one that is not covered.
func (m *model) reserve(t *rapid.T) {
	name := rapid.SampledFrom([]string{"alice", "bob", "carol"}).Draw(t, "miner")
	account, ok, err := m.ledger.Account(m.ctx, name)
	if err != nil {
		t.Fatal(err)
	}
	if !ok {
		t.Skip("no such miner yet")
	}
	payable := m.owed[name][1]
	amount := rapid.Int64Range(1, max(2, payable+payable/4)).Draw(t, "amount")
	p := &modelPayout{address: name, account: account.ID, amount: amount, state: "reserved", reserved: fmt.Sprintf("pay:%d:reserve", len(m.payouts))}

	err = m.post(p.reserved, ledger.KindReserve, reserve(p.account, amount))
	if amount > payable {
		if !errors.Is(err, ledger.ErrUncovered) {
			t.Fatalf("reserve of %d with %d payable = %v, want ErrUncovered", amount, payable, err)
		}

		return
	}
	if err != nil {
		t.Fatal(err)
	}
	m.payouts = append(m.payouts, p)
	m.move(name, 1, -amount)
	m.move(name, 2, +amount)
}

// advance releases, settles or unsettles a payout.
func (m *model) advance(t *rapid.T) {
	if len(m.payouts) == 0 {
		t.Skip("no payout")
	}
	p := rapid.SampledFrom(m.payouts).Draw(t, "payout")
	settled := func() string { return fmt.Sprintf("%s:settle:%d", p.reserved, p.settled) }

	var err error
	switch {
	case p.state == "reserved" && rapid.Bool().Draw(t, "release"):
		p.state = "released"
		m.move(p.address, 2, -p.amount)
		m.move(p.address, 1, +p.amount)
		err = m.reverse(p.reserved, p.reserved+":release")
	case p.state == "reserved":
		p.state = "settled"
		p.settled++
		p.fee = rapid.Int64Range(0, 1000).Draw(t, "fee")
		m.move(p.address, 2, -p.amount)
		m.move(p.address, 3, +p.amount)
		m.wallet -= p.amount + p.fee
		m.fees += p.fee
		err = m.post(settled(), ledger.KindSettle, settle(p.account, p.amount, p.fee))
	case p.state == "settled":
		p.state = "reserved"
		m.move(p.address, 3, -p.amount)
		m.move(p.address, 2, +p.amount)
		m.wallet += p.amount + p.fee
		m.fees -= p.fee
		err = m.reverse(settled(), settled()+":undone")
	case p.state == "released":
		if err := m.reverse(p.reserved, p.reserved+":again"); !errors.Is(err, ledger.ErrPosted) {
			t.Fatalf("second release = %v, want ErrPosted", err)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
}

func (m *model) post(key, kind string, postings []ledger.Posting) error {
	return m.ledger.Update(m.ctx, func(tx *ledger.Tx) error { return tx.Post(m.ctx, event(key, kind), postings) })
}

func (m *model) reverse(key, newKey string) error {
	return m.ledger.Update(m.ctx, func(tx *ledger.Tx) error {
		return tx.Reverse(m.ctx, key, newKey, "test", time.UnixMilli(1_700_000_000_000))
	})
}

// agree compares the ledger with the model.
func (m *model) agree(t *rapid.T) {
	balances, err := m.ledger.Balances(m.ctx)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string][4]int64{}
	for _, b := range balances {
		if row := [4]int64{b.Pending, b.Payable, b.Reserved, b.Paid}; row != [4]int64{} {
			got[b.Address] = row
		}
	}
	want := map[string][4]int64{}
	for address, row := range m.owed {
		if row != [4]int64{} {
			want[address] = row
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("balances (-want +got):\n%s", diff)
	}

	sums, err := m.ledger.Sums(m.ctx)
	if err != nil {
		t.Fatal(err)
	}
	if sums.Immature+sums.Spendable != m.wallet || sums.TxFee != m.fees {
		t.Fatalf("Sums = %+v, want %d in the wallet and %d of chain fees", sums, m.wallet, m.fees)
	}
	if rest := sums.Immature + sums.Spendable + sums.TxFee - sums.Pending - sums.Payable - sums.Reserved - sums.Fee - sums.Donation - sums.Reserve; rest != 0 {
		t.Fatalf("I9: the book adds up to %d sat", rest)
	}

	// Being covered is the one rule that the world can break.
	err = m.ledger.Check(m.ctx)
	if names := broken(err); names != nil && (sums.Debt == 0 || !slices.Equal(names, []string{ledger.InvariantCovered})) {
		t.Fatalf("Check = %v", err)
	}
}

// Whatever happens to blocks and payouts in whatever order, the books are what
// plain arithmetic says, add up to zero (I9) and replay to themselves (I12).
func TestRandomBooks(t *testing.T) {
	root := directory(t)

	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp(root, "")
		if err != nil {
			t.Fatal(err)
		}
		m := newModel(t, dir)
		t.Repeat(map[string]func(*rapid.T){
			"find": m.find, "see": m.see, "see more": m.see, "reserve": m.reserve, "advance": m.advance,
			"": m.agree,
		})
	})
}
