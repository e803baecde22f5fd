package shares

import (
	"fmt"
	"math/big"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// checkParts compares what the accounts did with the sums of the epochs.
func checkParts(t interface{ Errorf(string, ...any) }, w Window) {
	for n, epoch := range w.Epochs {
		sum := new(big.Int)
		for _, e := range w.Entries {
			sum.Add(sum, e.Parts[n].Work)
			if (e.Parts[n].Work.Sign() == 0) != (e.Parts[n].Shares == 0) {
				t.Errorf("epoch %d: %s did %v in %d shares", n, e.Address, e.Parts[n].Work, e.Parts[n].Shares)
			}
		}
		if sum.Cmp(epoch.Work) != 0 {
			t.Errorf("epoch %d holds %v, its accounts did %v", n, epoch.Work, sum)
		}
	}
}

// Work is told by network difficulty, in whole and where the window ends.
func TestWindowEpochs(t *testing.T) {
	l, _ := start(t, filepath.Join(t.TempDir(), "shares.db"), Options{})
	easy, hard := bitsOf(t, 1000), bitsOf(t, 1250)
	s := func(account string, work int64, bits uint32) Share {
		s := share(account, work, 0)
		s.Bits = bits

		return s
	}
	put(t, l, s("bob", 300, easy), s("alice", 100, easy))
	second := put(t, l, s("bob", 250, hard))
	put(t, l, s("bob", 100, hard))
	seq := put(t, l, s("alice", 200, easy), s("bob", 100, easy), s("bob", 100, easy))

	w, err := l.Window(t.Context(), seq, 750)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for n, e := range w.Epochs {
		line := fmt.Sprintf("%08x: %v of %v:", e.Bits, e.Take.RatString(), e.Work)
		for _, entry := range w.Entries {
			line += fmt.Sprintf(" %s %v in %d", entry.Address, entry.Parts[n].Work, entry.Parts[n].Shares)
		}
		got = append(got, line)
	}
	want := []string{
		fmt.Sprintf("%08x: 1 of 400: bob 200 in 2 alice 200 in 1", easy),
		fmt.Sprintf("%08x: 1 of 350: bob 350 in 2 alice 0 in 0", hard),
		fmt.Sprintf("%08x: 7/40 of 400: bob 300 in 1 alice 100 in 1", easy),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("epochs (-want +got):\n%s", diff)
	}
	if w.FromSeq != 1 {
		t.Errorf("FromSeq = %d, want that of the oldest shift, 1", w.FromSeq)
	}

	if w, err = l.Window(t.Context(), second, 2000); err != nil {
		t.Fatal(err)
	}
	if len(w.Epochs) != 2 || w.Epochs[0].Work.Int64() != 250 {
		t.Errorf("epochs up to the middle of a shift: %v", w.Epochs)
	}
}
