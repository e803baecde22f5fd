package ledger_test

import (
	"testing"

	"github.com/dmpool/dmpool/pool/ledger"
)

// The node has had what the cursor saw, and our own blocks that came after it, but
// for those that it refused, lost for good or put aside.
func TestReached(t *testing.T) {
	l, _ := open(t)
	want := func(want int32, when string) {
		t.Helper()
		if got, err := l.Reached(t.Context()); got != want || err != nil {
			t.Errorf("Reached %s = %d, %v, want %d", when, got, err, want)
		}
	}
	want(0, "at the start")
	for n := 3; n <= 8; n++ {
		mine(t, l, n)
	}
	if err := l.SetCursor(t.Context(), 2, hash(2)); err != nil {
		t.Fatal(err)
	}
	want(8, "with blocks above the cursor whose answer is not known")
	observe(t, l, hash(8), ledger.Observation{Maturity: 101})
	want(7, "without one that the node does not know")
	if err := l.RecordSubmit(t.Context(), hash(7), "high-hash"); err != nil {
		t.Fatal(err)
	}
	observe(t, l, hash(6), ledger.Observation{Known: true, Confirmations: -1, Maturity: 101})
	want(5, "without one that it refused, and one that was late")
	observe(t, l, hash(5), confirmed(1))
	want(5, "with one that is in the chain")
	observe(t, l, hash(5), ledger.Observation{Known: true, Confirmations: -1, Maturity: 101})
	observe(t, l, hash(4), confirmed(1), confirmed(101))
	want(4, "with a mature one, and an orphan above it")
	if err := l.SetCursor(t.Context(), 9, hash(9)); err != nil {
		t.Fatal(err)
	}
	want(9, "with the cursor above them")
}

func TestCursor(t *testing.T) {
	l, _ := open(t)
	if _, _, ok, err := l.Cursor(t.Context()); ok || err != nil {
		t.Errorf("Cursor of a new ledger = %v, %v", ok, err)
	}
	for _, height := range []int32{5, 3} {
		if err := l.SetCursor(t.Context(), height, hash(int(height))); err != nil {
			t.Fatal(err)
		}
		got, at, ok, err := l.Cursor(t.Context())
		if got != height || at != hash(int(height)) || !ok || err != nil {
			t.Errorf("Cursor = %d, %s, %v, %v", got, at, ok, err)
		}
	}
}
