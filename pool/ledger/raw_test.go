package ledger_test

import (
	"bytes"
	"errors"
	"reflect"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/dmpool/dmpool/pool/ledger"
	"github.com/dmpool/dmpool/pool/receipt"
)

// TestDropRaw: the bytes of a block are kept until nothing can take it back, and
// for ever when it never became mature.
func TestDropRaw(t *testing.T) {
	l, _ := open(t)
	ctx := t.Context()
	mature, orphan := mine(t, l, 1), mine(t, l, 2)
	observe(t, l, mature, confirmed(1), confirmed(101))
	observe(t, l, orphan, confirmed(1), ledger.Observation{Known: true, Confirmations: -1, Maturity: 101})
	b, err := l.Block(ctx, mature)
	if err != nil {
		t.Fatal(err)
	}

	proof := ledger.Proof{Header: make([]byte, 80), Coinbase: []byte{1, 2}, Branch: []chainhash.Hash{{3}, {4}}}
	var unreadable error
	prove := func(raw []byte) (ledger.Proof, error) {
		if !bytes.Equal(raw, b.Raw) {
			t.Errorf("proof wanted of %x", raw)
		}
		return proof, unreadable
	}
	if n, err := l.DropRaw(ctx, 101, prove); n != 0 || err != nil {
		t.Errorf("without a chain cursor: dropped %d, %v", n, err)
	}
	for _, step := range []struct {
		confirmations int32
		want          int
	}{{101, 0}, {1100, 0}, {1101, 1}, {1102, 0}, {5000, 0}} {
		if err := l.SetCursor(ctx, b.Height+step.confirmations-1, mature); err != nil {
			t.Fatal(err)
		}
		if step.want > 0 {
			unreadable = errors.New("no block")
			if n, err := l.DropRaw(ctx, 101, prove); n != 0 || !errors.Is(err, unreadable) {
				t.Errorf("without a proof: dropped %d, %v", n, err)
			}
			unreadable = nil
		}
		if n, err := l.DropRaw(ctx, 101, prove); n != step.want || err != nil {
			t.Errorf("at %d confirmations: dropped %d, %v, want %d", step.confirmations, n, err, step.want)
		}
	}

	after, err := l.Block(ctx, mature)
	if err != nil || len(after.Raw) != 0 || after.Proof == nil || !reflect.DeepEqual(*after.Proof, proof) || after.Value != b.Value || after.State != ledger.StateMature {
		t.Errorf("block %+v, %v", after, err)
	}
	if kept, err := l.Block(ctx, orphan); err != nil || len(kept.Raw) == 0 {
		t.Errorf("an orphaned block has %d bytes left, %v", len(kept.Raw), err)
	}
	if err := l.Check(ctx); err != nil {
		t.Error(err)
	}
}

// TestDropRawOfDirectBlock: the books of a block that paid miners itself are still
// checked against its coinbase when only that was kept of it. A check that could no
// longer read it would freeze all payouts for nothing.
func TestDropRawOfDirectBlock(t *testing.T) {
	l, _ := open(t)
	ctx := t.Context()
	f := directBlock(t, l, 1)
	if err := errors.Join(l.RecordFound(ctx, f), l.FreezeCoinbase(ctx, f.Hash, 1)); err != nil {
		t.Fatal(err)
	}
	observe(t, l, f.Hash, confirmed(1), confirmed(101))
	if err := l.SetCursor(ctx, f.Height+2000, f.Hash); err != nil {
		t.Fatal(err)
	}
	if n, err := l.DropRaw(ctx, 101, receipt.Prove); n != 1 || err != nil {
		t.Fatalf("dropped %d, %v", n, err)
	}
	if b, err := l.Block(ctx, f.Hash); err != nil || len(b.Raw) != 0 || b.Paid == 0 {
		t.Fatalf("block %+v, %v", b, err)
	}
	if err := l.Check(ctx); err != nil {
		t.Errorf("without the bytes of the block: %v", err)
	}
}
