package receipt

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/dmpool/dmpool/pool/ledger"
	"github.com/dmpool/dmpool/pool/work"
)

// Prove takes out of a raw block what shows that its coinbase is part of it.
//
//	coinbase ─► txid ─┬─► … ─► merkle root ─► header ─► hash, below the target
//	        branch ───┘
func Prove(raw []byte) (ledger.Proof, error) {
	var m wire.MsgBlock
	if err := m.Deserialize(bytes.NewReader(raw)); err != nil {
		return ledger.Proof{}, fmt.Errorf("read raw block: %w", err)
	}
	if len(m.Transactions) == 0 {
		return ledger.Proof{}, errors.New("the raw block has no coinbase")
	}
	var header, coinbase bytes.Buffer
	if err := m.Header.Serialize(&header); err != nil {
		return ledger.Proof{}, err
	}
	if err := m.Transactions[0].SerializeNoWitness(&coinbase); err != nil {
		return ledger.Proof{}, err
	}
	var txids []chainhash.Hash
	for _, tx := range m.Transactions[1:] {
		txids = append(txids, tx.TxHash())
	}

	return ledger.Proof{Header: header.Bytes(), Coinbase: coinbase.Bytes(), Branch: work.MerkleBranches(txids)}, nil
}

// blockOf writes a block and its proof, as kept or taken from its bytes.
func blockOf(b ledger.Block) (Block, error) {
	proof := b.Proof
	if proof == nil {
		fresh, err := Prove(b.Raw)
		if err != nil {
			return Block{}, err
		}
		proof = &fresh
	}

	block := Block{
		Hash: b.Hash.String(), Height: b.Height, FoundAt: b.At.UTC(), Value: b.Value,
		Header: hex.EncodeToString(proof.Header), Coinbase: hex.EncodeToString(proof.Coinbase), Branch: []string{},
	}
	for _, h := range proof.Branch {
		block.Branch = append(block.Branch, h.String())
	}

	return block, nil
}

// verify checks that the block is what its header and coinbase say, and returns
// the header.
func (b Block) verify() (wire.BlockHeader, error) {
	var header wire.BlockHeader
	raw, err := hex.DecodeString(b.Header)
	if err != nil || len(raw) != wire.MaxBlockHeaderPayload {
		return header, errors.New("the header is not 80 bytes in hexadecimal")
	}
	if err := header.Deserialize(bytes.NewReader(raw)); err != nil {
		return header, fmt.Errorf("the header cannot be read: %w", err)
	}
	hash := header.BlockHash()
	if hash.String() != b.Hash {
		return header, fmt.Errorf("the header has the hash %s, and the receipt is for block %s", hash, b.Hash)
	}
	target, err := work.TargetFromBits(header.Bits)
	if err != nil {
		return header, fmt.Errorf("the header has no target: %w", err)
	}
	if !target.Meets(hash) {
		return header, fmt.Errorf("the hash %s is above the target of the header: nobody worked for it", hash)
	}

	coinbase, err := b.coinbase()
	if err != nil {
		return header, err
	}
	branch := make([]chainhash.Hash, len(b.Branch))
	for i, text := range b.Branch {
		h, err := chainhash.NewHashFromStr(text)
		if err != nil || len(text) != 2*chainhash.HashSize {
			return header, fmt.Errorf("hash %d of the merkle branch is not one: %q", i+1, text)
		}
		branch[i] = *h
	}
	if root := work.MerkleRoot(coinbase.TxHash(), branch); root != header.MerkleRoot {
		return header, fmt.Errorf("the coinbase %s is not in the block: its merkle root would be %s, and the header has %s",
			coinbase.TxHash(), root, header.MerkleRoot)
	}

	return header, b.verifyCoinbase(coinbase)
}

func (b Block) coinbase() (*wire.MsgTx, error) {
	raw, err := hex.DecodeString(b.Coinbase)
	if err != nil {
		return nil, errors.New("the coinbase is not hexadecimal")
	}
	var tx wire.MsgTx
	r := bytes.NewReader(raw)
	if err := tx.DeserializeNoWitness(r); err != nil {
		return nil, fmt.Errorf("the coinbase cannot be read: %w", err)
	}
	if r.Len() > 0 || len(tx.TxIn) != 1 {
		return nil, errors.New("the coinbase is not a coinbase transaction")
	}

	return &tx, nil
}

// verifyCoinbase checks the height (BIP 34) and the value.
func (b Block) verifyCoinbase(tx *wire.MsgTx) error {
	if b.Height < 0 || !bytes.HasPrefix(tx.TxIn[0].SignatureScript, work.HeightPush(b.Height)) {
		return fmt.Errorf("the coinbase is not for height %d", b.Height)
	}
	var sum int64
	for _, out := range tx.TxOut {
		sum += out.Value
	}
	if sum != b.Value {
		return fmt.Errorf("the coinbase pays %d sat, and the receipt shares out %d", sum, b.Value)
	}

	return nil
}
