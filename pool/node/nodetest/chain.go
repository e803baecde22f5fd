package nodetest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"time"

	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/dmpool/dmpool/pool/work"
)

const (
	bits            = 0x207fffff // every block: two hashes on average
	subsidy         = 50_0000_0000
	halvingInterval = 150 // blocks, as on regtest
)

// block is a node of the tree of blocks.
type block struct {
	hash    chainhash.Hash
	height  int32
	header  wire.BlockHeader
	parent  *block
	raw     []byte
	invalid bool // by Invalidate, also of a parent
}

// chain is the tree and its main branch. Node.mu guards it.
type chain struct {
	blocks map[chainhash.Hash]*block
	tip    *block
	txs    []templateTx
	mined  uint32 // blocks made by mine, so that no two are equal
}

// templateTx is a transaction that templates contain.
type templateTx struct {
	tx  *wire.MsgTx
	raw []byte
	fee int64
}

func newChain() *chain {
	genesis := chaincfg.RegressionNetParams.GenesisBlock
	b := &block{hash: genesis.BlockHash(), header: genesis.Header}

	return &chain{blocks: map[chainhash.Hash]*block{b.hash: b}, tip: b}
}

// at returns the main chain's block at height.
func (c *chain) at(height int32) *block {
	if height < 0 || height > c.tip.height {
		return nil
	}
	b := c.tip
	for b.height > height {
		b = b.parent
	}

	return b
}

// confirmations is 1 for the tip and -1 for a block outside the main chain.
func (c *chain) confirmations(b *block) int32 {
	if c.at(b.height) != b {
		return -1
	}

	return c.tip.height - b.height + 1
}

// submit is submitblock: it returns the text of BIP 22, empty for a block that became the tip.
func (c *chain) submit(raw []byte) (string, error) {
	var m wire.MsgBlock
	if err := m.Deserialize(bytes.NewReader(raw)); err != nil || len(m.Transactions) == 0 {
		return "", &Error{-22, "Block decode failed"}
	}

	hash := m.BlockHash()
	if known := c.blocks[hash]; known != nil {
		if known.invalid {
			return "duplicate-invalid", nil
		}

		return "duplicate", nil
	}
	parent := c.blocks[m.Header.PrevBlock]
	if parent == nil {
		return "prev-blk-not-found", nil
	}
	if reason := c.check(&m, parent.height+1, true); reason != "" {
		return reason, nil
	}

	b := &block{hash: hash, height: parent.height + 1, header: m.Header, parent: parent, raw: raw, invalid: parent.invalid}
	c.blocks[hash] = b
	if b.invalid || b.height <= c.tip.height {
		return "inconclusive", nil
	}
	c.tip = b
	c.drop(&m)

	return "", nil
}

// check returns the reason why a block is not valid at height, empty when it is.
func (c *chain) check(m *wire.MsgBlock, height int32, proof bool) string {
	target, err := work.TargetFromBits(m.Header.Bits)
	if err != nil || m.Header.Bits != bits {
		return "bad-diffbits"
	}
	if proof && !target.Meets(m.BlockHash()) {
		return "high-hash"
	}
	if merkleRoot(m.Transactions, (*wire.MsgTx).TxHash) != m.Header.MerkleRoot {
		return "bad-txnmrklroot"
	}

	coinbase := m.Transactions[0]
	if len(coinbase.TxIn) != 1 || coinbase.TxIn[0].PreviousOutPoint.Index != wire.MaxPrevOutIndex {
		return "bad-cb-missing"
	}
	script := coinbase.TxIn[0].SignatureScript
	if len(script) < 2 || len(script) > 100 {
		return "bad-cb-length"
	}
	if !bytes.HasPrefix(script, work.HeightPush(height)) {
		return "bad-cb-height"
	}
	if reason := checkCommitment(m); reason != "" {
		return reason
	}

	paid := int64(0)
	for _, out := range coinbase.TxOut {
		paid += out.Value
	}
	if paid > subsidyAt(height)+c.fees(m) {
		return "bad-cb-amount"
	}

	return ""
}

// fees sums what the transactions of a block pay, as far as the test has told.
func (c *chain) fees(m *wire.MsgBlock) int64 {
	known := make(map[chainhash.Hash]int64, len(c.txs))
	for _, t := range c.txs {
		known[t.tx.TxHash()] = t.fee
	}
	sum := int64(0)
	for _, tx := range m.Transactions[1:] {
		sum += known[tx.TxHash()]
	}

	return sum
}

// drop removes a block's transactions from the templates.
func (c *chain) drop(m *wire.MsgBlock) {
	mined := make(map[chainhash.Hash]bool)
	for _, tx := range m.Transactions {
		mined[tx.TxHash()] = true
	}

	var rest []templateTx
	for _, t := range c.txs {
		if !mined[t.tx.TxHash()] {
			rest = append(rest, t)
		}
	}
	c.txs = rest
}

func subsidyAt(height int32) int64 {
	return subsidy >> (height / halvingInterval)
}

// errNoBlock means that a test named a block that does not exist.
var errNoBlock = errors.New("no such block")

// invalidate takes a block and what stands on it out of the chain. The tip becomes the highest block that is left.
func (c *chain) invalidate(hash chainhash.Hash) error {
	bad := c.blocks[hash]
	if bad == nil || bad.parent == nil {
		return errNoBlock
	}

	for _, b := range c.blocks {
		for at := b; at != nil; at = at.parent {
			if at == bad {
				b.invalid = true
			}
		}
	}

	best := bad.parent
	for _, b := range c.blocks {
		if !b.invalid && b.height > best.height {
			best = b
		}
	}
	c.tip = best

	return nil
}

// forget removes the newest n blocks of the main chain as if they had never been seen.
func (c *chain) forget(n int) error {
	for range n {
		if c.tip.parent == nil {
			return errNoBlock
		}
		delete(c.blocks, c.tip.hash)
		c.tip = c.tip.parent
	}

	return nil
}

// mine makes an empty block on parent and returns it. The tip stays where it is.
func (c *chain) mine(parent *block) (*block, error) {
	height := parent.height + 1
	coinbase := wire.NewMsgTx(2)
	c.mined++
	script := binary.BigEndian.AppendUint32(append(work.HeightPush(height), 4), c.mined)
	coinbase.AddTxIn(wire.NewTxIn(&wire.OutPoint{Index: wire.MaxPrevOutIndex}, script, nil))
	coinbase.AddTxOut(wire.NewTxOut(subsidyAt(height), []byte{0x51}))

	m := wire.MsgBlock{Header: wire.BlockHeader{
		Version: 0x20000000, PrevBlock: parent.hash, MerkleRoot: coinbase.TxHash(),
		Timestamp: parent.header.Timestamp.Add(time.Second), Bits: bits,
	}}
	m.Transactions = []*wire.MsgTx{coinbase}

	target, err := work.TargetFromBits(bits)
	if err != nil {
		return nil, err
	}
	for !target.Meets(m.BlockHash()) {
		m.Header.Nonce++
	}

	var raw bytes.Buffer
	if err := m.Serialize(&raw); err != nil {
		return nil, err
	}
	b := &block{hash: m.BlockHash(), height: height, header: m.Header, parent: parent, raw: raw.Bytes()}
	c.blocks[b.hash] = b

	return b, nil
}
