package ledger_test

import (
	"errors"
	"fmt"
	"math/big"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dmpool/dmpool/pool/ledger"
)

func TestRecordFound(t *testing.T) {
	l, _ := open(t)
	f := found(1)

	for range 2 { // the second time as after a crash between the disk and the node
		if err := l.RecordFound(t.Context(), f); err != nil {
			t.Fatal(err)
		}
	}

	b, err := l.Block(t.Context(), f.Hash)
	if err != nil {
		t.Fatal(err)
	}
	want := ledger.Block{Found: f, ID: 1, State: ledger.StateFound}
	if diff := cmp.Diff(want, b); diff != "" {
		t.Errorf("Block (-want +got):\n%s", diff)
	}

	unfinished, err := l.Unfinished(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]ledger.Block{want}, unfinished); diff != "" {
		t.Errorf("Unfinished (-want +got):\n%s", diff)
	}

	if _, err := l.Block(t.Context(), hash(2)); !errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("Block of another hash = %v, want ErrNotFound", err)
	}
}

func TestRecordSubmit(t *testing.T) {
	tests := []struct {
		name    string
		answers []string
		want    ledger.State
	}{
		{"accepted", []string{""}, ledger.StateFound},
		{"another block was first", []string{"inconclusive"}, ledger.StateFound},
		{"submitted again", []string{"", "duplicate"}, ledger.StateFound},
		{"refused", []string{"bad-cb-amount"}, ledger.StateRejected},
		{"the parent is missing", []string{"prev-blk-not-found"}, ledger.StateFound},
		{"the parent is still missing", []string{"prev-blk-not-found", "prev-blk-not-found"}, ledger.StateRejected},
		{"refused and then not", []string{"time-too-new", ""}, ledger.StateFound},
	}
	for i, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l, _ := open(t)
			f := found(i)
			if err := l.RecordFound(t.Context(), f); err != nil {
				t.Fatal(err)
			}
			for _, answer := range tt.answers {
				if err := l.RecordSubmit(t.Context(), f.Hash, answer); err != nil {
					t.Fatal(err)
				}
			}
			b, err := l.Block(t.Context(), f.Hash)
			if err != nil {
				t.Fatal(err)
			}
			if last := tt.answers[len(tt.answers)-1]; b.State != tt.want || !b.Submitted || b.SubmitResult != last {
				t.Errorf("block is %s with %q, want %s with %q", b.State, b.SubmitResult, tt.want, last)
			}
		})
	}

	l, _ := open(t)
	if err := l.RecordSubmit(t.Context(), hash(1), ""); !errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("RecordSubmit of another hash = %v, want ErrNotFound", err)
	}
}

// A text does not take back what the chain says, and a lost block that the node
// refuses for good is not submitted for ever.
func TestSubmitAgain(t *testing.T) {
	l, _ := open(t)
	lost := ledger.Observation{Maturity: 101}

	paid := mine(t, l, 1)
	observe(t, l, paid, confirmed(1), lost)
	never := mine(t, l, 2)
	observe(t, l, never, lost)

	for _, answer := range []string{"prev-blk-not-found", "prev-blk-not-found"} {
		if err := errors.Join(l.RecordSubmit(t.Context(), paid, answer), l.RecordSubmit(t.Context(), never, answer)); err != nil {
			t.Fatal(err)
		}
	}
	if b, _ := l.Block(t.Context(), paid); b.State != ledger.StateUnknown {
		t.Errorf("the accepted block is %s, want unknown", b.State)
	}
	if b, _ := l.Block(t.Context(), never); b.State != ledger.StateRejected {
		t.Errorf("the block that never was in the chain is %s, want rejected", b.State)
	}

	observe(t, l, never, confirmed(1))
	if b, _ := l.Block(t.Context(), never); b.State != ledger.StateAccepted {
		t.Errorf("the rejected block in the chain is %s, want accepted", b.State)
	}
}

// The work behind the weights is kept to the last hash, for whoever asks why.
func TestWindow(t *testing.T) {
	l, _ := open(t)
	f := found(1)
	if err := l.RecordFound(t.Context(), f); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Window(t.Context(), f.Hash); !errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("Window before Freeze = %v, want ErrNotFound", err)
	}

	// Bob's work comes in two halves, the second under another spelling.
	want := window(7)
	given := window(7)
	huge, _ := new(big.Int).SetString("540000000000000000000000", 10)
	want.Weights[1].Parts[0].Work = new(big.Int).Add(huge, big.NewInt(500))
	want.Weights[1].Parts[0].Shares = 2
	given.Weights[1].Score = big.NewRat(1, 10)
	given.Weights = append(given.Weights, ledger.Weight{
		Address: "BOB", Script: []byte("script of bob"), Score: big.NewRat(6, 10),
		Parts: []ledger.Part{{Work: huge, Shares: 1}, {Work: new(big.Int)}, {Work: new(big.Int)}},
	})
	if err := l.Freeze(t.Context(), f.Hash, given); err != nil {
		t.Fatal(err)
	}

	got, err := l.Window(t.Context(), f.Hash)
	if err != nil {
		t.Fatal(err)
	}
	exact := cmp.Options{
		cmp.Comparer(func(a, b *big.Rat) bool { return a.Cmp(b) == 0 }),
		cmp.Comparer(func(a, b *big.Int) bool { return a.Cmp(b) == 0 }),
	}
	if diff := cmp.Diff(want, got, exact); diff != "" {
		t.Errorf("Window (-want +got):\n%s", diff)
	}

	torn := window(8)
	torn.Weights[0].Parts = nil
	if err := l.Freeze(t.Context(), mine(t, l, 2), torn); err == nil {
		t.Error("Freeze took a miner without work in any epoch")
	}
}

func TestFreeze(t *testing.T) {
	l, db := open(t)
	f := found(1)
	if err := l.RecordFound(t.Context(), f); err != nil {
		t.Fatal(err)
	}

	// Bob comes twice, the second time with the same script under another spelling.
	halves := weights()
	halves[1].Score = big.NewRat(1, 10)
	halves = append(halves, ledger.Weight{Address: "BOB", Script: []byte("script of bob"), Score: big.NewRat(6, 10)})
	if err := l.Freeze(t.Context(), f.Hash, ledger.Window{WinnerSeq: 7, Weights: halves}); err != nil {
		t.Fatal(err)
	}

	b, err := l.Block(t.Context(), f.Hash)
	if err != nil {
		t.Fatal(err)
	}
	want := []ledger.SplitRow{
		{Account: 101, Address: "alice", Score: big.NewRat(3, 5), Amount: 91_878_630},
		{Account: 102, Address: "bob", Score: big.NewRat(7, 10), Amount: 107_191_734},
		{Account: 103, Address: "carol", Score: big.NewRat(3, 5), Amount: 91_878_629},
		{Account: 104, Address: "dave", Score: big.NewRat(1, 10), Amount: 15_313_105},
	}
	same := cmp.Comparer(func(a, b *big.Rat) bool { return a.Cmp(b) == 0 })
	if diff := cmp.Diff(want, b.Split, same); diff != "" {
		t.Errorf("Split (-want +got):\n%s", diff)
	}
	if !b.Frozen || b.WinnerSeq != 7 || b.Fee != 4_687_685 || b.Donation != 1_562_561 || b.Reserve != 0 {
		t.Errorf("block = frozen %v, winner %d, fee %d, donation %d, reserve %d", b.Frozen, b.WinnerSeq, b.Fee, b.Donation, b.Reserve)
	}

	less := weights()
	less[3].Score = big.NewRat(1, 11)
	stranger := weights()
	stranger[3] = ledger.Weight{Address: "erin", Script: []byte("script of erin"), Score: big.NewRat(1, 10)}
	again := []struct {
		name    string
		seq     int64
		weights []ledger.Weight
		want    error
	}{
		{"the same", 7, weights(), nil},
		{"another winner", 8, weights(), ledger.ErrFrozen},
		{"another score", 7, less, ledger.ErrFrozen},
		{"one miner less", 7, weights()[:3], ledger.ErrFrozen},
		{"another miner", 7, stranger, ledger.ErrFrozen},
	}
	for _, tt := range again {
		if err := l.Freeze(t.Context(), f.Hash, ledger.Window{WinnerSeq: tt.seq, Weights: tt.weights}); !errors.Is(err, tt.want) {
			t.Errorf("Freeze again with %s = %v, want %v", tt.name, err, tt.want)
		}
	}
	if _, ok, err := l.Account(t.Context(), "erin"); ok || err != nil {
		t.Errorf("a refused split left an account: %v, %v", ok, err)
	}

	empty := found(2)
	if err := l.RecordFound(t.Context(), empty); err != nil {
		t.Fatal(err)
	}
	if err := l.Freeze(t.Context(), empty.Hash, ledger.Window{WinnerSeq: 9}); err == nil {
		t.Error("Freeze with an empty window = nil, want an error")
	}
	if err := l.Freeze(t.Context(), hash(3), ledger.Window{WinnerSeq: 9, Weights: weights()}); !errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("Freeze of another hash = %v, want ErrNotFound", err)
	}

	var rows int
	if err := db.Reader().QueryRowContext(t.Context(), `SELECT COUNT(*) FROM block_weight`).Scan(&rows); err != nil || rows != 4 {
		t.Errorf("%d rows of weights, %v; want 4", rows, err)
	}
}

// A reward goes into the books, out of them and in again, as often as the chain
// changes its mind, and each time exactly.
func TestFault34Reorgs(t *testing.T) {
	l, _ := open(t)
	h := mine(t, l, 1)
	off := ledger.Observation{Known: true, Confirmations: -1, Maturity: 101}
	lost := ledger.Observation{Maturity: 101}

	steps := []struct {
		seen ledger.Observation
		want ledger.State
		bob  [4]int64
	}{
		{confirmed(1), ledger.StateAccepted, [4]int64{107_191_734, 0, 0, 0}},
		{lost, ledger.StateUnknown, [4]int64{107_191_734, 0, 0, 0}},
		{confirmed(2), ledger.StateAccepted, [4]int64{107_191_734, 0, 0, 0}},
		{off, ledger.StateOrphaned, [4]int64{}},
		{lost, ledger.StateUnknown, [4]int64{}},
		{off, ledger.StateOrphaned, [4]int64{}},
		{confirmed(1), ledger.StateAccepted, [4]int64{107_191_734, 0, 0, 0}},
		{confirmed(101), ledger.StateMature, [4]int64{0, 107_191_734, 0, 0}},
		{lost, ledger.StateUnknown, [4]int64{0, 107_191_734, 0, 0}},
		{confirmed(50), ledger.StateMature, [4]int64{0, 107_191_734, 0, 0}},
		{off, ledger.StateOrphaned, [4]int64{}},
		{confirmed(1), ledger.StateAccepted, [4]int64{107_191_734, 0, 0, 0}},
	}
	from := ledger.StateFound
	for i, s := range steps {
		for range 2 { // observing again changes nothing
			got, err := l.Observe(t.Context(), h, s.seen)
			if err != nil {
				t.Fatal(err)
			}
			if want := (ledger.Transition{From: from, To: s.want}); got != want {
				t.Errorf("step %d: %+v, want %+v", i, got, want)
			}
			from = s.want
		}
		if got := owed(t, l, "bob"); got != s.bob {
			t.Errorf("step %d: bob is owed %v, want %v", i, got, s.bob)
		}
		if err := l.Check(t.Context()); err != nil {
			t.Errorf("step %d: %v", i, err)
		}
	}

	var keys []string
	entries, err := l.Events(t.Context(), ledger.EventFilter{Ref: "blk:" + h.String()}, 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		keys = append(keys, e.Key[len("blk:")+64+1:])
	}
	want := []string{"credit:2", "orphan:1", "unmature:1", "mature:1", "credit:1", "orphan:0", "credit:0"}
	if diff := cmp.Diff(want, keys); diff != "" {
		t.Errorf("events, newest first (-want +got):\n%s", diff)
	}
}

func TestObserveRefuses(t *testing.T) {
	l, _ := open(t)
	h := mine(t, l, 1)
	if _, err := l.Observe(t.Context(), h, ledger.Observation{Known: true, Confirmations: 1}); err == nil {
		t.Error("Observe without a maturity = nil, want an error")
	}
	if _, err := l.Observe(t.Context(), hash(9), confirmed(1)); !errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("Observe of another hash = %v, want ErrNotFound", err)
	}
}

func TestUnfinished(t *testing.T) {
	l, _ := open(t)
	waiting, old, recent := mine(t, l, 1), mine(t, l, 2), mine(t, l, 3)
	observe(t, l, old, confirmed(1), confirmed(101))
	observe(t, l, recent, confirmed(1), confirmed(101))
	if err := l.SetCursor(t.Context(), 222, hash(222)); err != nil {
		t.Fatal(err)
	}

	blocks, err := l.Unfinished(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, b := range blocks {
		got = append(got, fmt.Sprintf("%d %s %v", b.Height, b.State, len(b.Raw) > 0))
	}
	if diff := cmp.Diff([]string{"1 found true", "3 mature true"}, got); diff != "" {
		t.Errorf("Unfinished 220 blocks after %s, with %s (-want +got):\n%s", old, waiting, diff)
	}
}

func TestAbove(t *testing.T) {
	l, _ := open(t)
	for _, n := range []int{4, 2, 3, 1} {
		mine(t, l, n)
	}
	observe(t, l, hash(3), ledger.Observation{Known: true, Confirmations: -1, Maturity: 101})
	observe(t, l, hash(2), confirmed(1), confirmed(101))

	blocks, err := l.Above(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, b := range blocks {
		got = append(got, fmt.Sprintf("%d %s %v", b.Height, b.State, len(b.Raw) > 0))
	}
	if diff := cmp.Diff([]string{"2 mature true", "4 found true"}, got); diff != "" {
		t.Errorf("Above 1 (-want +got):\n%s", diff)
	}
}

func TestBlocks(t *testing.T) {
	l, _ := open(t)
	for n := 1; n <= 5; n++ {
		mine(t, l, n)
	}

	heights := func(limit int, before int64) (list []int32) {
		blocks, err := l.Blocks(t.Context(), limit, before)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range blocks {
			if b.Raw != nil || b.Split != nil {
				t.Errorf("a list has the raw block or the split of %d", b.Height)
			}
			list = append(list, b.Height)
		}

		return list
	}
	if diff := cmp.Diff([]int32{5, 4}, heights(2, 0)); diff != "" {
		t.Errorf("first page (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]int32{3, 2, 1}, heights(9, 4)); diff != "" {
		t.Errorf("page after 4 (-want +got):\n%s", diff)
	}
}

// Two blocks of the same height are both kept, and all are counted by what became
// of them.
func TestBlocksAt(t *testing.T) {
	l, _ := open(t)
	mine(t, l, 1)
	rival := found(2)
	rival.Height = 1
	if err := l.RecordFound(t.Context(), rival); err != nil {
		t.Fatal(err)
	}
	mine(t, l, 3)
	observe(t, l, hash(3), confirmed(1))

	blocks, err := l.BlocksAt(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	if len(blocks) != 2 || blocks[0].Hash != rival.Hash || blocks[1].Hash != hash(1) {
		t.Errorf("BlocksAt(1) = %v", blocks)
	}
	if blocks, err := l.BlocksAt(t.Context(), 2); err != nil || len(blocks) != 0 {
		t.Errorf("BlocksAt(2) = %v, %v, want none", blocks, err)
	}
	counts, err := l.CountBlocks(t.Context())
	if diff := cmp.Diff(map[ledger.State]int64{ledger.StateFound: 2, ledger.StateAccepted: 1}, counts); diff != "" || err != nil {
		t.Errorf("CountBlocks (-want +got):\n%s%v", diff, err)
	}
}
