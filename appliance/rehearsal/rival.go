package rehearsal

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/dmpool/dmpool/pool/ledger"
	"github.com/dmpool/dmpool/pool/work"
)

func (r *run) loseBlock(ctx context.Context) (string, error) {
	n, err := r.overtake(ctx, r.lost)
	if err != nil {
		return "", err
	}
	state := r.lost.State
	err = r.box.await(ctx, "the books know that the block is orphaned", func() (bool, error) {
		b, err := r.box.Ledger().Block(ctx, r.lost.Hash)
		state = b.State
		return state == ledger.StateOrphaned, err
	})
	if err != nil {
		return "", fmt.Errorf("%w: it is %s", err, state)
	}
	sums, err := r.box.Ledger().Sums(ctx)
	if err != nil {
		return "", err
	}
	if sums.Owed() != 0 || sums.Immature != 0 || sums.Fee != 0 {
		return "", fmt.Errorf("after the loss of the only block the books still have %d sat in the wallet, %d sat for miners and a fee of %d sat", sums.Immature, sums.Owed(), sums.Fee)
	}
	return fmt.Sprintf("%d blocks from elsewhere made a longer chain without block %d. It counts as orphaned, and its %d sat are out of the books.", n, r.lost.Height, r.lost.Value), nil
}

// overtake gives the node a chain that leaves out a block and is one longer than the
// chain with it, and returns its length. The node changes over by its own rules.
func (r *run) overtake(ctx context.Context, block ledger.Block) (n int, err error) {
	chain := r.box.NodeClient()
	info, err := chain.BlockchainInfo(ctx)
	if err != nil {
		return 0, fmt.Errorf("ask for the chain: %w", err)
	}
	prev := block.Prev
	at := uint32(time.Now().Unix())
	for height := block.Height; height <= info.Blocks+1; height++ {
		rival, err := rivalBlock(prev, height, block.Bits, at)
		if err != nil {
			return 0, err
		}
		var raw bytes.Buffer
		if err := rival.Serialize(&raw); err != nil {
			return 0, fmt.Errorf("write a rival block: %w", err)
		}
		// The first ones are as good as ours, which were there before: "inconclusive".
		if answer, err := chain.SubmitBlock(ctx, raw.Bytes()); err != nil || answer != "" && answer != "inconclusive" {
			return 0, fmt.Errorf("the node does not take a block from elsewhere: %q, %w", answer, err)
		}
		prev, at, n = rival.BlockHash(), at+1, n+1
	}
	if best, err := chain.BestBlockHash(ctx); err != nil || best != prev {
		return 0, fmt.Errorf("the node stays on the shorter chain: %w", err)
	}
	return n, nil
}

// rivalBlock makes an empty block of a chain that is still in its first 150 blocks.
func rivalBlock(prev chainhash.Hash, height int32, bits, at uint32) (*wire.MsgBlock, error) {
	const subsidy = 50e8
	tag, err := txscript.NewScriptBuilder().AddInt64(int64(height)).AddData([]byte("elsewhere")).Script() // the height by BIP 34
	if err != nil {
		return nil, fmt.Errorf("make a rival block: %w", err)
	}
	coinbase := wire.NewMsgTx(2)
	coinbase.AddTxIn(wire.NewTxIn(wire.NewOutPoint(&chainhash.Hash{}, math.MaxUint32), tag, nil))
	coinbase.AddTxOut(wire.NewTxOut(subsidy, []byte{txscript.OP_TRUE}))
	b := &wire.MsgBlock{
		Header: wire.BlockHeader{
			Version: 0x20000000, PrevBlock: prev, MerkleRoot: coinbase.TxHash(), // of one transaction
			Timestamp: time.Unix(int64(at), 0), Bits: bits,
		},
		Transactions: []*wire.MsgTx{coinbase},
	}
	target, err := work.TargetFromBits(bits)
	if err != nil {
		return nil, fmt.Errorf("make a rival block: %w", err)
	}
	for !target.Meets(b.BlockHash()) {
		b.Header.Nonce++
	}
	return b, nil
}
