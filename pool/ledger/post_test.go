package ledger_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dmpool/dmpool/pool/ledger"
)

// event is what pool/payout books.
func event(key, kind string) ledger.Event {
	return ledger.Event{Key: key, Kind: kind, Ref: "pay:1", Actor: "test", At: time.UnixMilli(1_700_000_000_000)}
}

// reserve moves an amount of a miner into a payout.
func reserve(account, amount int64) []ledger.Posting {
	return []ledger.Posting{{Account: account, Bucket: ledger.Payable, Amount: amount}, {Account: account, Bucket: ledger.Reserved, Amount: -amount}}
}

// settle takes a reserved amount and a fee out of the wallet.
func settle(account, amount, fee int64) []ledger.Posting {
	return []ledger.Posting{
		{Account: account, Bucket: ledger.Reserved, Amount: amount},
		{Account: ledger.PoolTxFee, Amount: fee},
		{Account: ledger.WalletSpendable, Amount: -amount - fee},
	}
}

// post books one event in a transaction of its own.
func post(t *testing.T, l *ledger.Ledger, e ledger.Event, postings []ledger.Posting) error {
	t.Helper()

	return l.Update(t.Context(), func(tx *ledger.Tx) error { return tx.Post(t.Context(), e, postings) })
}

// reverse reverses one event in a transaction of its own.
func reverse(t *testing.T, l *ledger.Ledger, key, newKey string) error {
	t.Helper()

	return l.Update(t.Context(), func(tx *ledger.Tx) error {
		return tx.Reverse(t.Context(), key, newKey, "test", time.UnixMilli(1_700_000_000_000))
	})
}

func TestPostRefuses(t *testing.T) {
	l, _ := open(t)
	observe(t, l, mine(t, l, 1), confirmed(1), confirmed(101))
	if err := post(t, l, event("pay:1:reserve", ledger.KindReserve), reserve(102, 100_000_000)); err != nil {
		t.Fatal(err)
	}

	tests := []struct {
		name     string
		key      string
		postings []ledger.Posting
		is       error
		says     string
	}{
		{"the same key", "pay:1:reserve", reserve(102, 5), ledger.ErrPosted, "book pay:1:reserve: already booked"},
		{"a sum that is not zero", "x", []ledger.Posting{{Account: 101, Bucket: ledger.Pending, Amount: -1}}, nil, "add up to -1 sat"},
		{"more than is payable", "x", reserve(102, 7_191_735), ledger.ErrUncovered, "7191735 sat wanted of 7191734"},
		{"more than is payable, in two parts", "x", append(reserve(102, 7_000_000), reserve(102, 200_000)...), ledger.ErrUncovered, "7200000 sat wanted"},
		{"more than is reserved", "x", settle(102, 100_000_001, 10), ledger.ErrUncovered, "100000001 sat wanted of 100000000"},
		{"more than there can be", "x", reserve(102, 2_100_000_000_000_001), nil, "more than there can be"},
		{"nobody's account", "x", []ledger.Posting{{Account: 999, Bucket: ledger.Pending, Amount: -1}, {Account: ledger.PoolFee, Amount: 1}}, nil, "FOREIGN KEY"},
		{"a bucket that is not", "x", []ledger.Posting{{Account: 101, Bucket: "purse", Amount: -1}, {Account: ledger.PoolFee, Amount: 1}}, nil, "CHECK"},
		{"a miner without a bucket", "x", []ledger.Posting{{Account: 101, Amount: -1}, {Account: ledger.PoolFee, Amount: 1}}, nil, "CHECK"},
		{"a bucket of the pool", "x", []ledger.Posting{{Account: ledger.PoolFee, Bucket: ledger.Payable, Amount: -1}, {Account: ledger.PoolFee, Amount: 1}}, nil, "CHECK"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := post(t, l, event(tt.key, ledger.KindReserve), tt.postings)
			if err == nil || tt.is != nil && !errors.Is(err, tt.is) || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("Post = %v, want %q", err, tt.says)
			}
		})
	}

	if got, want := owed(t, l, "bob"), [4]int64{0, 7_191_734, 100_000_000, 0}; got != want {
		t.Errorf("bob after refusals = %v, want %v", got, want)
	}
	if err := l.Check(t.Context()); err != nil {
		t.Error(err)
	}
}

// After ErrPosted and ErrUncovered the same transaction can go on and be committed.
func TestPostGoesOn(t *testing.T) {
	l, _ := open(t)
	observe(t, l, mine(t, l, 1), confirmed(1), confirmed(101))

	err := l.Update(t.Context(), func(tx *ledger.Tx) error {
		if err := tx.Post(t.Context(), event("a", ledger.KindReserve), reserve(102, 1<<40)); !errors.Is(err, ledger.ErrUncovered) {
			return fmt.Errorf("first Post = %w", err)
		}
		if err := tx.Post(t.Context(), event("a", ledger.KindReserve), reserve(102, 1000)); err != nil {
			return err
		}
		if err := tx.Post(t.Context(), event("a", ledger.KindReserve), reserve(102, 1000)); !errors.Is(err, ledger.ErrPosted) {
			return fmt.Errorf("third Post = %w", err)
		}
		balance, err := tx.Balance(t.Context(), 102, ledger.Reserved)
		if balance != -1000 {
			return fmt.Errorf("Balance = %d, %w", balance, err)
		}

		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := owed(t, l, "bob"), [4]int64{0, 107_190_734, 1000, 0}; got != want {
		t.Errorf("bob = %v, want %v", got, want)
	}
}

// A failed transaction leaves nothing, not even the number of an event.
func TestUpdateIsAtomic(t *testing.T) {
	l, _ := open(t)
	observe(t, l, mine(t, l, 1), confirmed(1), confirmed(101))
	before := owed(t, l, "bob")

	stop := errors.New("stop")
	err := l.Update(t.Context(), func(tx *ledger.Tx) error {
		return errors.Join(tx.Post(t.Context(), event("a", ledger.KindReserve), reserve(102, 1000)), stop)
	})
	if !errors.Is(err, stop) {
		t.Errorf("Update = %v, want the error of the function", err)
	}
	if got := owed(t, l, "bob"); got != before {
		t.Errorf("bob = %v, want %v", got, before)
	}
	if err := post(t, l, event("a", ledger.KindReserve), reserve(102, 1000)); err != nil {
		t.Error(err)
	}
	if err := l.Check(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestPayoutThroughTheBooks(t *testing.T) {
	l, _ := open(t)
	observe(t, l, mine(t, l, 1), confirmed(1), confirmed(101))

	steps := []struct {
		name string
		do   func() error
		bob  [4]int64
	}{
		{"reserve", func() error { return post(t, l, event("pay:1:reserve", ledger.KindReserve), reserve(102, 100_000_000)) }, [4]int64{0, 7_191_734, 100_000_000, 0}},
		{"release", func() error { return reverse(t, l, "pay:1:reserve", "pay:1:release") }, [4]int64{0, 107_191_734, 0, 0}},
		{"reserve again", func() error { return post(t, l, event("pay:2:reserve", ledger.KindReserve), reserve(102, 107_191_734)) }, [4]int64{0, 0, 107_191_734, 0}},
		{"settle", func() error {
			return post(t, l, event("pay:2:settle:t", ledger.KindSettle), settle(102, 107_191_734, 141))
		}, [4]int64{0, 0, 0, 107_191_734}},
		{"unsettle", func() error { return reverse(t, l, "pay:2:settle:t", "pay:2:unsettle:t:0") }, [4]int64{0, 0, 107_191_734, 0}},
		{"settle again", func() error {
			return post(t, l, event("pay:2:settle:t:1", ledger.KindSettle), settle(102, 107_191_734, 141))
		}, [4]int64{0, 0, 0, 107_191_734}},
	}
	for _, s := range steps {
		if err := s.do(); err != nil {
			t.Fatalf("%s: %v", s.name, err)
		}
		if got := owed(t, l, "bob"); got != s.bob {
			t.Errorf("%s: bob = %v, want %v", s.name, got, s.bob)
		}
		if err := l.Check(t.Context()); err != nil {
			t.Errorf("%s: %v", s.name, err)
		}
	}

	if err := reverse(t, l, "pay:1:reserve", "pay:1:release:again"); !errors.Is(err, ledger.ErrPosted) {
		t.Errorf("second reversal = %v, want ErrPosted", err)
	}
	if err := reverse(t, l, "pay:9:reserve", "pay:9:release"); !errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("reversal of nothing = %v, want ErrNotFound", err)
	}

	sums, err := l.Sums(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := ledger.Sums{Spendable: 205_320_469, Payable: 199_070_364, Fee: 4_687_685, Donation: 1_562_561, TxFee: 141}
	if diff := cmp.Diff(want, sums); diff != "" {
		t.Errorf("Sums (-want +got):\n%s", diff)
	}
}

// A block that leaves the chain after its reward was paid leaves a debt, which
// Check reports because the others are not covered, and which later credits reduce.
func TestOrphanAfterPayout(t *testing.T) {
	l, _ := open(t)
	h := mine(t, l, 1)
	observe(t, l, h, confirmed(1), confirmed(101))
	if err := post(t, l, event("pay:1:reserve", ledger.KindReserve), reserve(102, 107_191_734)); err != nil {
		t.Fatal(err)
	}
	if err := post(t, l, event("pay:1:settle:t", ledger.KindSettle), settle(102, 107_191_734, 141)); err != nil {
		t.Fatal(err)
	}

	observe(t, l, h, ledger.Observation{Known: true, Confirmations: -1, Maturity: 101})
	if got, want := owed(t, l, "bob"), [4]int64{0, -107_191_734, 0, 107_191_734}; got != want {
		t.Errorf("bob after the orphan = %v, want %v", got, want)
	}
	if err := post(t, l, event("pay:2:reserve", ledger.KindReserve), reserve(102, 1)); !errors.Is(err, ledger.ErrUncovered) {
		t.Errorf("a payout to a debtor = %v, want ErrUncovered", err)
	}
	sums, err := l.Sums(t.Context())
	want := ledger.Sums{Spendable: -107_191_875, Payable: -107_191_734, Debt: 107_191_734, TxFee: 141}
	if sums != want || err != nil {
		t.Errorf("Sums = %+v, %v; want %+v", sums, err, want)
	}
	if got := sums.Shortfall(); got != 107_191_875 {
		t.Errorf("Shortfall = %d, want 107191875", got)
	}
	if diff := cmp.Diff([]string{ledger.InvariantCovered}, broken(l.Check(t.Context()))); diff != "" {
		t.Errorf("broken invariants (-want +got):\n%s", diff)
	}

	observe(t, l, mine(t, l, 2), confirmed(1), confirmed(101))
	if got, want := owed(t, l, "bob"), [4]int64{0, 0, 0, 107_191_734}; got != want {
		t.Errorf("bob after the next block = %v, want %v", got, want)
	}
}

func TestEvents(t *testing.T) {
	l, _ := open(t)
	observe(t, l, mine(t, l, 1), confirmed(1), confirmed(101))
	if err := post(t, l, event("pay:1:reserve", ledger.KindReserve), reserve(102, 1000)); err != nil {
		t.Fatal(err)
	}
	if err := reverse(t, l, "pay:1:reserve", "pay:1:release"); err != nil {
		t.Fatal(err)
	}

	kinds := func(f ledger.EventFilter, limit int) (list []string) {
		entries, err := l.Events(t.Context(), f, limit)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			list = append(list, fmt.Sprintf("%d %s %d %d", e.ID, e.Kind, e.Reverses, len(e.Postings)))
		}

		return list
	}
	tests := []struct {
		name   string
		filter ledger.EventFilter
		limit  int
		want   []string
	}{
		{"all", ledger.EventFilter{}, 10, []string{"4 release 3 2", "3 reserve 0 2", "2 mature 0 10", "1 credit 0 7"}},
		{"a page", ledger.EventFilter{Before: 4}, 2, []string{"3 reserve 0 2", "2 mature 0 10"}},
		{"alice", ledger.EventFilter{Account: 101}, 10, []string{"2 mature 0 10", "1 credit 0 7"}},
		{"a payout", ledger.EventFilter{Ref: "pay:1"}, 10, []string{"4 release 3 2", "3 reserve 0 2"}},
		{"bob and a payout", ledger.EventFilter{Account: 102, Ref: "pay:1"}, 1, []string{"4 release 3 2"}},
		{"nobody", ledger.EventFilter{Account: 999}, 10, nil},
	}
	for _, tt := range tests {
		if diff := cmp.Diff(tt.want, kinds(tt.filter, tt.limit)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}

	entries, err := l.Events(t.Context(), ledger.EventFilter{}, 1)
	if err != nil {
		t.Fatal(err)
	}
	want := []ledger.Entry{{
		ID: 4, Event: event("pay:1:release", ledger.KindRelease), Reverses: 3,
		Postings: []ledger.Posting{{Account: 102, Bucket: "payable", Amount: -1000}, {Account: 102, Bucket: "reserved", Amount: 1000}},
	}}
	if diff := cmp.Diff(want, entries); diff != "" {
		t.Errorf("newest event (-want +got):\n%s", diff)
	}
}

func TestAccounts(t *testing.T) {
	l, _ := open(t)
	mine(t, l, 1)

	got, ok, err := l.Account(t.Context(), "carol")
	if want := (ledger.Account{ID: 103, Address: "carol", Script: []byte("script of carol")}); !ok || err != nil || !cmp.Equal(want, got) {
		t.Errorf("Account = %+v, %v, %v; want %+v", got, ok, err, want)
	}
	for _, address := range []string{"nobody", "pool:fee", ""} {
		if a, ok, err := l.Account(t.Context(), address); ok || err != nil {
			t.Errorf("Account(%q) = %+v, %v, %v; want none", address, a, ok, err)
		}
		if b, ok, err := l.BalanceOf(t.Context(), address); ok || err != nil {
			t.Errorf("BalanceOf(%q) = %+v, %v, %v; want none", address, b, ok, err)
		}
	}

	all, err := l.Balances(t.Context())
	if err != nil || len(all) != 4 || all[2].Address != "carol" {
		t.Errorf("Balances = %+v, %v; want the four of the block in its order", all, err)
	}

	err = l.Update(t.Context(), func(tx *ledger.Tx) error {
		_, err := tx.OpenAccount(t.Context(), "carol", []byte("another script"), time.UnixMilli(0))

		return err
	})
	if err == nil {
		t.Error("one address with two scripts = nil, want an error")
	}
	err = l.Update(t.Context(), func(tx *ledger.Tx) error {
		_, err := tx.OpenAccount(t.Context(), "erin", nil, time.UnixMilli(0))

		return err
	})
	if err == nil {
		t.Error("an account without a script = nil, want an error")
	}
}
