package webui

import (
	"math"
	"testing"
)

// The efforts of the blocks are those of the rounds between them, however many are
// asked for, and together all the work that was done.
func TestEffortsOnRealNode(t *testing.T) {
	t.Parallel()
	b := startRealBox(t)
	m := &machine{box: b.box}
	blocks, err := b.box.Ledger().Blocks(t.Context(), 1000, 0)
	if err != nil || len(blocks) < 3 || !blocks[0].Frozen {
		t.Fatalf("%d blocks, %v", len(blocks), err)
	}
	all, err := m.Efforts(t.Context(), 0, len(blocks))
	if err != nil || len(all) != len(blocks) {
		t.Fatalf("%d of %d blocks have an effort, %v", len(all), len(blocks), err)
	}
	sum := 0.0
	for _, block := range blocks {
		one, err := m.Efforts(t.Context(), block.ID+1, 1)
		if err != nil || len(one) != 1 || one[block.ID] != all[block.ID] || one[block.ID] <= 0 {
			t.Errorf("alone the effort of block %d is %v, beside the others %v, %v", block.ID, one, all[block.ID], err)
		}
		sum += all[block.ID]
	}
	rounds, err := b.box.Shares().RoundWorks(t.Context(), []int64{0, blocks[0].WinnerSeq})
	if err != nil {
		t.Fatal(err)
	}
	if whole, _ := rounds[0].Float64(); math.Abs(sum-whole) > 1e-9*whole {
		t.Errorf("together they are %v of %v", sum, whole)
	}
}
