package shares

import (
	"math/big"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// Mistakes that were found in the code of other pools (money.md 1.9). Each test
// is named after what the other pool does.

// A day without shares does not end the window, and there is no number of shares
// a day from which on older ones are left out (p2poolv2: 100 000).
func TestFault50PeerStopsAtAnEmptyDay(t *testing.T) {
	l, _ := start(t, filepath.Join(t.TempDir(), "shares.db"), Options{})

	const many = 100_001
	total := big.NewRat(0, 1)
	var seq int64
	for i, gap := range []time.Duration{0, 25 * time.Hour, 400 * 24 * time.Hour} {
		batch := make([]Share, many)
		for j := range batch {
			batch[j] = share([]string{"a", "b", "c"}[i], 10, gap+time.Duration(j)*time.Millisecond)
		}
		total.Add(total, big.NewRat(10*many, 4838420))
		seq = put(t, l, batch...)
		if err := l.Prune(t.Context(), noon.Add(gap)); err != nil {
			t.Fatal(err)
		}
	}

	w, err := l.Window(t.Context(), seq, 2000)
	if err != nil {
		t.Fatal(err)
	}
	if w.Sum.Cmp(total) != 0 {
		t.Errorf("Sum = %s, want %s", w.Sum, total)
	}
	third := new(big.Rat).Quo(total, big.NewRat(3, 1)).RatString()
	if diff := cmp.Diff(map[string]string{"a": third, "b": third, "c": third}, scores(w)); diff != "" {
		t.Errorf("scores (-want +got):\n%s", diff)
	}
}

// Shares of one second, or of one batch, at the border of two readings are
// neither counted twice nor dropped: the order is that of seq.
func TestPeerCountsTheBorderSecondTwice(t *testing.T) {
	l, _ := start(t, filepath.Join(t.TempDir(), "shares.db"), Options{})
	bits := bitsOf(t, 1000)
	var seq int64
	for i := range 40 {
		s := share([]string{"a", "b"}[i%2], 10, 0) // all at the same instant
		s.Bits = bits
		if i%5 == 4 { // a block, and so a border of shifts
			s = win(s, byte(i))
		}
		seq = put(t, l, s)
	}
	w, err := l.Window(t.Context(), seq, 100_000)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"a": "1/5", "b": "1/5"}, scores(w)); diff != "" {
		t.Errorf("scores (-want +got):\n%s", diff)
	}
}

// A window of 750 is not 900 because its oldest share reaches beyond it.
func TestPeerTakesTheEdgeShareWhole(t *testing.T) {
	l, _ := start(t, filepath.Join(t.TempDir(), "shares.db"), Options{})
	bits := bitsOf(t, 1000)
	var seq int64
	for i, account := range []string{"a", "b", "c"} {
		s := share(account, 300, time.Duration(i)*time.Minute)
		s.Bits = bits
		seq = put(t, l, s)
	}
	w, err := l.Window(t.Context(), seq, 750)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"a": "3/20", "b": "3/10", "c": "3/10"}, scores(w)); diff != "" {
		t.Errorf("scores (-want +got):\n%s", diff)
	}
}

// X = 0.5 is half a block's work, not none.
func TestFault51PeerTruncatesX(t *testing.T) {
	l, _ := start(t, filepath.Join(t.TempDir(), "shares.db"), Options{})
	s := share("a", 900, 0)
	s.Bits = bitsOf(t, 1000)
	seq := put(t, l, s)
	for _, read := range []func() (Window, error){
		func() (Window, error) { return l.Window(t.Context(), seq, 500) },
		func() (Window, error) { return l.Running(t.Context(), 500) },
	} {
		if w, err := read(); err != nil || w.Sum.Cmp(big.NewRat(1, 2)) != 0 {
			t.Errorf("window %+v, %v, want a sum of 1/2", w, err)
		}
	}
}
