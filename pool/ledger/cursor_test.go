package ledger_test

import (
	"errors"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

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

// What was lost for good is neither waited for, nor given back, nor looked at when it
// was deep; it keeps its money, and is not lost when the node knows it again.
func TestLoseAbove(t *testing.T) {
	l, _ := open(t)
	for n := 1; n <= 6; n++ {
		mine(t, l, n)
	}
	for n := 1; n <= 5; n++ {
		observe(t, l, hash(n), confirmed(1))
	}
	for n := 1; n <= 3; n++ {
		observe(t, l, hash(n), confirmed(101))
	}
	unknown := ledger.Observation{Maturity: 101}
	observe(t, l, hash(4), unknown)
	observe(t, l, hash(5), unknown)
	if err := l.SetCursor(t.Context(), 500, hash(500)); err != nil {
		t.Fatal(err)
	}
	before, err := l.Sums(t.Context())
	if err == nil {
		err = l.LoseAbove(t.Context(), 2, hash(2))
	}
	if err != nil {
		t.Fatal(err)
	}
	want := func(reached int32, above, unfinished string) {
		t.Helper()
		if got, err := l.Reached(t.Context()); got != reached || err != nil {
			t.Errorf("Reached = %d, %v, want %d", got, err, reached)
		}
		high, err := l.Above(t.Context(), 0)
		open, openErr := l.Unfinished(t.Context())
		if err := errors.Join(err, openErr); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{above, unfinished}, []string{heights(high), heights(open)}); diff != "" {
			t.Errorf("above and unfinished (-want +got):\n%s", diff)
		}
	}
	want(6, "1 2 6", "1 2 4 lost 5 lost 6") // the last one has just been found
	observe(t, l, hash(6), unknown)
	if err := l.LoseAbove(t.Context(), 2, hash(2)); err != nil {
		t.Fatal(err)
	}
	want(2, "1 2", "1 2 4 lost 5 lost 6 lost")
	if after, err := l.Sums(t.Context()); after != before || err != nil {
		t.Errorf("sums %+v, %v, want %+v", after, err, before)
	}
	observe(t, l, hash(5), confirmed(1))
	want(5, "1 2 5", "1 2 4 lost 5 6 lost")
}

func heights(blocks []ledger.Block) string {
	var all []string
	for _, b := range blocks {
		all = append(all, strconv.Itoa(int(b.Height)))
		if b.Lost {
			all = append(all, "lost")
		}
	}

	return strings.Join(all, " ")
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
