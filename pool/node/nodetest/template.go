package nodetest

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
)

// commitmentPrefix begins the output script of a witness commitment (BIP 141): OP_RETURN, push of 36, tag.
const commitmentPrefix = "\x6a\x24\xaa\x21\xa9\xed"

// getBlockTemplate answers BIP 22 and 23: template, long poll, proposal.
func (n *Node) getBlockTemplate(ctx context.Context, params json.RawMessage) (any, error) {
	var request struct {
		Mode       string   `json:"mode"`
		Rules      []string `json:"rules"`
		LongPollID string   `json:"longpollid"`
		Data       string   `json:"data"`
	}
	if err := arguments(params, &request); err != nil {
		return nil, err
	}
	if request.Mode == "proposal" {
		return n.propose(request.Data)
	}
	if !slices.Contains(request.Rules, "segwit") {
		return nil, &Error{-8, "getblocktemplate must be called with the segwit rule set"}
	}

	n.mu.Lock()
	defer n.mu.Unlock()

	// Like bitcoind, a waiting call is not told that its client went away; unlike it, it ends with the test.
	for request.LongPollID == n.chain.longPollID() && !n.down && ctx.Err() == nil {
		changed := n.changed
		n.waiting++
		n.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
		}
		n.mu.Lock()
		n.waiting--
	}

	return n.chain.template()
}

func (n *Node) propose(data string) (any, error) {
	raw, err := hex.DecodeString(data)
	if err != nil {
		return nil, &Error{-22, "Block decode failed"}
	}
	var m wire.MsgBlock
	if err := m.Deserialize(bytes.NewReader(raw)); err != nil || len(m.Transactions) == 0 {
		return nil, &Error{-22, "Block decode failed"}
	}

	n.mu.Lock()
	defer n.mu.Unlock()

	if m.Header.PrevBlock != n.chain.tip.hash {
		return "inconclusive-not-best-prevblk", nil
	}
	if reason := n.chain.check(&m, n.chain.tip.height+1, false); reason != "" {
		return reason, nil
	}

	return nil, nil
}

func (c *chain) longPollID() string {
	return c.tip.hash.String()
}

// template is the next block's.
func (c *chain) template() (any, error) {
	height := c.tip.height + 1
	value := subsidyAt(height)
	txs := make([]map[string]any, 0, len(c.txs))
	all := []*wire.MsgTx{wire.NewMsgTx(2)} // any coinbase: its wtxid counts as zero
	for _, t := range c.txs {
		value += t.fee
		all = append(all, t.tx)
		txs = append(txs, map[string]any{
			"data": hex.EncodeToString(t.raw), "txid": t.tx.TxHash(), "hash": t.tx.WitnessHash(), "depends": []int{},
			"fee": t.fee, "sigops": 0, "weight": 3*t.tx.SerializeSizeStripped() + t.tx.SerializeSize(),
		})
	}

	earliest := c.tip.header.Timestamp.Unix() + 1

	return map[string]any{
		"capabilities": []string{"proposal"}, "version": 0x20000000, "rules": []string{"csv", "!segwit", "taproot"},
		"previousblockhash": c.tip.hash, "height": height, "bits": fmt.Sprintf("%08x", bits),
		"target":  "7fffff" + fmt.Sprintf("%058d", 0),
		"curtime": max(time.Now().Unix(), earliest), "mintime": earliest,
		"coinbasevalue": value, "transactions": txs, "longpollid": c.longPollID(),
		"default_witness_commitment": hex.EncodeToString(commitment(all, make([]byte, 32))),
	}, nil
}

// commitment is the script that commits to the witnesses of txs, of which the first is the coinbase.
func commitment(txs []*wire.MsgTx, reserved []byte) []byte {
	root := merkleRoot(txs, func(tx *wire.MsgTx) chainhash.Hash {
		if tx == txs[0] {
			return chainhash.Hash{}
		}

		return tx.WitnessHash()
	})
	hash := chainhash.DoubleHashB(append(root[:], reserved...))

	return append([]byte(commitmentPrefix), hash...)
}

// checkCommitment applies BIP 141 to a block: the last output that looks like a commitment must be right, and without one
// no transaction may have a witness.
func checkCommitment(m *wire.MsgBlock) string {
	coinbase := m.Transactions[0]
	for _, out := range slices.Backward(coinbase.TxOut) {
		if len(out.PkScript) < 38 || !bytes.HasPrefix(out.PkScript, []byte(commitmentPrefix)) {
			continue
		}
		witness := coinbase.TxIn[0].Witness
		if len(witness) != 1 || len(witness[0]) != 32 {
			return "bad-witness-nonce-size"
		}
		if !bytes.Equal(out.PkScript[:38], commitment(m.Transactions, witness[0])) {
			return "bad-witness-merkle-match"
		}

		return ""
	}

	for _, tx := range m.Transactions {
		if tx.HasWitness() {
			return "unexpected-witness"
		}
	}

	return ""
}

// merkleRoot hashes pairs level by level; an odd one is paired with itself.
func merkleRoot(txs []*wire.MsgTx, leaf func(*wire.MsgTx) chainhash.Hash) chainhash.Hash {
	level := make([]chainhash.Hash, len(txs))
	for i, tx := range txs {
		level[i] = leaf(tx)
	}
	for len(level) > 1 {
		if len(level)%2 == 1 {
			level = append(level, level[len(level)-1])
		}
		for i := range len(level) / 2 {
			level[i] = chainhash.DoubleHashH(append(level[2*i].CloneBytes(), level[2*i+1][:]...))
		}
		level = level[:len(level)/2]
	}

	return level[0]
}
