package ledger_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dmpool/dmpool/pool/ledger"
)

// origins are those of bob, who is account 102.
func origins(t *testing.T, l *ledger.Ledger, key string) []string {
	t.Helper()
	all, err := l.Origins(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	var text []string
	for _, o := range all {
		if o.Account != 102 {
			t.Errorf("origin %+v of somebody else", o)
		}
		about := o.Ref
		if o.Block != nil {
			about = fmt.Sprint("block ", o.Block.Height)
		}
		text = append(text, fmt.Sprintf("%s %d first=%t", about, o.Amount, o.First))
	}
	return text
}

// Each payout is explained by what came since the one before that stands, to the
// satoshi: blocks, and payouts that were given up, whenever that was.
func TestOrigins(t *testing.T) {
	const each = 107191734 // bob's part of a block
	l, _ := open(t)
	height := func(n int) int32 { return found(n).Height }
	earn := func(n int) {
		t.Helper()
		observe(t, l, mine(t, l, n), confirmed(1), confirmed(101))
	}
	pay := func(n int, amount int64) string {
		t.Helper()
		key := fmt.Sprintf("pay:%d:reserve", n)
		e := event(key, ledger.KindReserve)
		e.Ref = fmt.Sprintf("pay:%d", n)
		if err := post(t, l, e, reserve(102, amount)); err != nil {
			t.Fatal(err)
		}
		return key
	}
	giveUp := func(n int) {
		t.Helper()
		if err := reverse(t, l, fmt.Sprintf("pay:%d:reserve", n), fmt.Sprintf("pay:%d:release", n)); err != nil {
			t.Fatal(err)
		}
	}
	want := func(key string, lines ...string) {
		t.Helper()
		if diff := cmp.Diff(lines, origins(t, l, key)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", key, diff)
		}
	}
	block := func(n int, first bool) string { return fmt.Sprintf("block %d %d first=%t", height(n), each, first) }

	earn(1)
	earn(2)
	first := pay(1, 2*each)
	want(first, block(2, true), block(1, true))

	earn(3)
	second := pay(2, each)
	want(second, block(3, false))
	giveUp(2)
	third := pay(3, each)
	want(third, block(3, false))

	// The first one turns out to be dead long after: its money comes with the next.
	giveUp(1)
	earn(4)
	fourth := pay(4, 3*each)
	want(fourth, block(4, false), fmt.Sprintf("pay:1 %d first=false", 2*each))

	// A block that leaves the chain after it was paid makes a debt, which the next
	// payment bears.
	observe(t, l, found(4).Hash, ledger.Observation{Known: true, Confirmations: -1, Maturity: 101})
	earn(5)
	earn(6)
	fifth := pay(5, each)
	want(fifth, block(6, false), block(5, false), fmt.Sprintf("block %d %d first=false", height(4), -each))

	want(first, block(2, true), block(1, true))
	want("pay:9:reserve")
}
