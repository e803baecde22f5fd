package pool

import (
	"bytes"
	"fmt"

	"github.com/btcsuite/btcd/txscript/v2"

	"github.com/dmpool/dmpool/pool/ledger"
)

// Whose says whose an output of a coinbase is.
type Whose string

// An output belongs to the pool's wallet, to a miner of the split, to nobody because
// it only commits to the witnesses, or to somebody that we do not know.
const (
	OfPool       Whose = "pool"
	OfMiner      Whose = "miner"
	OfCommitment Whose = "commitment"
	OfOther      Whose = "other"
)

// Output is one output of a coinbase.
type Output struct {
	Amount  int64  // sat
	Address string // empty when the script pays no address
	Whose   Whose
}

// Coinbase is the coinbase of a found block as its bytes say it.
type Coinbase struct {
	Text    string // the longest readable text in its input, such as the pool's signature
	Outputs []Output
}

// DecodeCoinbase reads the coinbase of b, from the whole block or from what was kept
// of it. Whose an output is follows from b: its split, and the script of the pool's
// wallet, which a block of the ledger settlement pays as a whole.
func DecodeCoinbase(b ledger.Block, network string) (Coinbase, error) {
	params, ok := ChainParams(network)
	if !ok {
		return Coinbase{}, fmt.Errorf("network %q is not known", network)
	}
	tx, err := b.Coinbase()
	if err != nil {
		return Coinbase{}, fmt.Errorf("read coinbase of block %s: %w", b.Hash, err)
	}
	miners := map[string]bool{}
	for _, row := range b.Split {
		miners[row.Address] = true
	}
	var c Coinbase
	if len(tx.TxIn) == 1 {
		c.Text = longestText(tx.TxIn[0].SignatureScript)
	}
	for _, out := range tx.TxOut {
		o := Output{Amount: out.Value, Address: payee(out.PkScript, params), Whose: OfOther}
		switch {
		case len(b.PoolScript) == 0 && out.Value > 0, len(b.PoolScript) > 0 && bytes.Equal(out.PkScript, b.PoolScript):
			o.Whose = OfPool
		case miners[o.Address]:
			o.Whose = OfMiner
		case out.Value == 0 && bytes.HasPrefix(out.PkScript, witnessCommitment):
			o.Whose = OfCommitment
		}
		c.Outputs = append(c.Outputs, o)
	}
	return c, nil
}

// witnessCommitment begins the script of the output that commits to the witnesses
// (BIP 141): OP_RETURN, 36 bytes, and the header of the commitment.
var witnessCommitment = []byte{txscript.OP_RETURN, 36, 0xaa, 0x21, 0xa9, 0xed}

// longestText is the longest run of at least four printable ASCII characters.
func longestText(script []byte) string {
	const least = 4
	var best, run []byte
	for _, c := range append(bytes.Clone(script), 0) {
		if c >= ' ' && c <= '~' {
			run = append(run, c)
			continue
		}
		if len(run) >= least && len(run) > len(best) {
			best = run
		}
		run = nil
	}
	return string(bytes.TrimSpace(best))
}
