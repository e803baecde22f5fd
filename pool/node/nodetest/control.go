package nodetest

import (
	"bytes"
	"slices"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
)

// Tip returns the tip of the main chain.
func (n *Node) Tip() (hash chainhash.Hash, height int32) {
	n.mu.Lock()
	defer n.mu.Unlock()

	return n.chain.tip.hash, n.chain.tip.height
}

// Block returns the serialized block, nil when the node does not know it or it is the genesis block.
func (n *Node) Block(hash chainhash.Hash) []byte {
	n.mu.Lock()
	defer n.mu.Unlock()

	if b := n.chain.blocks[hash]; b != nil {
		return slices.Clone(b.raw)
	}

	return nil
}

// Mine appends count blocks of a stranger to the main chain and returns their hashes.
func (n *Node) Mine(count int) []chainhash.Hash {
	n.mu.Lock()
	defer n.mu.Unlock()

	return n.grow(n.chain.tip, count)
}

// Fork mines count blocks of a stranger on top of a block that need not be the tip. The branch becomes the main
// chain as soon as it is longer.
func (n *Node) Fork(on chainhash.Hash, count int) []chainhash.Hash {
	n.mu.Lock()
	defer n.mu.Unlock()

	parent := n.chain.blocks[on]
	if parent == nil {
		n.tb.Errorf("nodetest: fork on %s: %v", on, errNoBlock)
		return nil
	}

	return n.grow(parent, count)
}

// grow mines on parent. n.mu is held.
func (n *Node) grow(parent *block, count int) []chainhash.Hash {
	hashes := make([]chainhash.Hash, 0, count)
	for range count {
		b, err := n.chain.mine(parent)
		if err != nil {
			n.tb.Errorf("nodetest: mine: %v", err)
			break
		}
		hashes = append(hashes, b.hash)
		parent = b
	}

	if !parent.invalid && parent.height > n.chain.tip.height {
		n.chain.tip = parent
		n.wake()
	}

	return hashes
}

// Invalidate takes a block and all that stand on it out of the main chain, as invalidateblock does. They have -1
// confirmations from then on.
func (n *Node) Invalidate(hash chainhash.Hash) {
	n.mu.Lock()
	defer n.mu.Unlock()

	if err := n.chain.invalidate(hash); err != nil {
		n.tb.Errorf("nodetest: invalidate %s: %v", hash, err)
	}
	n.wake()
}

// Forget loses the newest count blocks of the main chain, as a bitcoind that was killed before it wrote them: it does not
// know them any more.
func (n *Node) Forget(count int) {
	n.mu.Lock()
	defer n.mu.Unlock()

	if err := n.chain.forget(count); err != nil {
		n.tb.Errorf("nodetest: forget %d blocks: %v", count, err)
	}
	n.wake()
}

// AddTx puts a serialized transaction, which pays a fee in satoshis, into the templates until a block contains it.
func (n *Node) AddTx(raw []byte, fee int64) {
	tx := new(wire.MsgTx)
	if err := tx.Deserialize(bytes.NewReader(raw)); err != nil {
		n.tb.Errorf("nodetest: add transaction: %v", err)
		return
	}

	n.mu.Lock()
	defer n.mu.Unlock()

	n.chain.txs = append(n.chain.txs, templateTx{tx: tx, raw: slices.Clone(raw), fee: fee})
}
