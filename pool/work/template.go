package work

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/dmpool/dmpool/pool/jsoncut"
)

const (
	maxBlockWeight = 4_000_000                // BIP141
	maxMoney       = 21_000_000 * 100_000_000 // satoshis that can ever exist
)

// Tx is one transaction of a template.
type Tx struct {
	Raw    []byte         // as it goes into the block, with witness
	TxID   chainhash.Hash // hash without the witness
	WTxID  chainhash.Hash // hash with the witness; equals TxID when there is none
	Fee    int64          // satoshis
	Weight int64          // BIP141 weight units
}

// Template is what the node's getblocktemplate offered, decoded and checked.
// It is immutable and may be shared.
type Template struct {
	Height   int32          // of the block to be found
	Version  uint32         // as the node wants it
	PrevHash chainhash.Hash // the tip to build on
	Bits     uint32         // compact network target
	Target   Target         // Bits expanded

	CurTime uint32 // the node's time, unix seconds
	MinTime uint32 // the earliest header time that consensus allows

	CoinbaseValue int64 // subsidy and fees, satoshis

	// WitnessCommitment is the output script that BIP141 wants in the
	// coinbase, nil when the node gave none.
	WitnessCommitment []byte

	Txs      []Tx             // in block order, without the coinbase
	Branches []chainhash.Hash // merkle branches of the coinbase, lowest first

	Rules           []string // active rules, as the node names them
	LongPollID      string   // for the next getblocktemplate call
	SignetChallenge []byte   // BIP325 script, nil when not a signet
}

// templateJSON is the part of getblocktemplate's result that matters here.
type templateJSON struct {
	Height            int32    `json:"height"`
	Version           int32    `json:"version"`
	PreviousBlockHash string   `json:"previousblockhash"`
	Bits              string   `json:"bits"`
	Target            string   `json:"target"`
	CurTime           uint32   `json:"curtime"`
	MinTime           uint32   `json:"mintime"`
	CoinbaseValue     int64    `json:"coinbasevalue"`
	Transactions      []txJSON `json:"transactions"`
	Rules             []string `json:"rules"`
	LongPollID        string   `json:"longpollid"`
	WitnessCommitment string   `json:"default_witness_commitment"`
	SignetChallenge   string   `json:"signet_challenge"`
}

// ParseTemplate decodes the JSON result of getblocktemplate (BIP22, BIP23,
// BIP145, BIP325). It believes nothing that it can compute: transaction ids
// and weights come from the transactions, the target from the bits, and a
// contradiction is an error. So is a rule marked "!" (the miner must know it)
// that this package does not know.
func ParseTemplate(result []byte) (*Template, error) {
	in, err := decodeTemplate(result)
	if err != nil {
		return nil, fmt.Errorf("parse template: %w", err)
	}
	t, err := in.template()
	if err != nil {
		return nil, fmt.Errorf("parse template: %w", err)
	}
	return t, nil
}

// decodeTemplate reads the transactions by hand and the little that is left with
// encoding/json, or all with encoding/json when the node writes in another way.
func decodeTemplate(result []byte) (*templateJSON, error) {
	in := new(templateJSON)
	if array, rest, ok := jsoncut.Cut(result, "transactions"); ok {
		txs, ok := scanTxs(array)
		if ok && json.Unmarshal(rest, in) == nil {
			in.Transactions = txs
			return in, nil
		}
		in = new(templateJSON)
	}
	return in, json.Unmarshal(result, in)
}

// template checks each field and fills in what follows from it.
func (in *templateJSON) template() (*Template, error) {
	t := &Template{
		Height:        in.Height,
		Version:       uint32(in.Version),
		CurTime:       in.CurTime,
		MinTime:       in.MinTime,
		CoinbaseValue: in.CoinbaseValue,
		Rules:         in.Rules,
		LongPollID:    in.LongPollID,
	}
	if err := in.checkNumbers(); err != nil {
		return nil, err
	}
	if err := in.setTarget(t); err != nil {
		return nil, err
	}
	if err := in.setScripts(t); err != nil {
		return nil, err
	}
	if err := in.setTxs(t); err != nil {
		return nil, err
	}
	return t, nil
}

// checkNumbers refuses what cannot be.
func (in *templateJSON) checkNumbers() error {
	if in.Height < 1 {
		return fmt.Errorf("height %d is not that of a new block", in.Height)
	}
	if in.CurTime == 0 || in.CurTime < in.MinTime {
		return fmt.Errorf("time %d is before the minimum %d", in.CurTime, in.MinTime)
	}
	if in.CoinbaseValue < 0 || in.CoinbaseValue > maxMoney {
		return fmt.Errorf("coinbase value %d is out of range", in.CoinbaseValue)
	}
	for _, rule := range in.Rules {
		if name, must := strings.CutPrefix(rule, "!"); must && !Understands(name) {
			return fmt.Errorf("rule %q is unknown", name)
		}
	}
	return nil
}

// Understands tells whether blocks built here obey a rule that a miner must
// know, as getblocktemplate names it behind a "!" (BIP9, BIP23).
func Understands(name string) bool {
	return slices.Contains([]string{"csv", "segwit", "taproot", "signet"}, name)
}

// setTarget fills in the previous block and the target, which the node gives
// twice.
func (in *templateJSON) setTarget(t *Template) error {
	if err := decodeHash(&t.PrevHash, in.PreviousBlockHash); err != nil {
		return fmt.Errorf("previous block hash: %w", err)
	}
	bits, err := strconv.ParseUint(in.Bits, 16, 32)
	if err != nil || len(in.Bits) != 8 {
		return fmt.Errorf("bits %q are not 8 hex digits", in.Bits)
	}
	t.Bits = uint32(bits)
	if t.Target, err = TargetFromBits(t.Bits); err != nil {
		return err
	}
	if want := hex.EncodeToString(t.Target[:]); in.Target != want {
		return fmt.Errorf("target %q does not follow from bits %s", in.Target, in.Bits)
	}
	return nil
}

// setScripts fills in the witness commitment and the signet challenge.
func (in *templateJSON) setScripts(t *Template) error {
	var err error
	if t.WitnessCommitment, err = decodeScript(in.WitnessCommitment); err != nil {
		return fmt.Errorf("witness commitment: %w", err)
	}
	if t.SignetChallenge, err = decodeScript(in.SignetChallenge); err != nil {
		return fmt.Errorf("signet challenge: %w", err)
	}
	return nil
}

// setTxs fills in the transactions and what follows from them.
func (in *templateJSON) setTxs(t *Template) error {
	count := len(in.Transactions)
	known := make(map[chainhash.Hash]struct{}, count)
	txids := make([]chainhash.Hash, count)
	wtxids := make([]chainhash.Hash, count)
	t.Txs = make([]Tx, count)

	digits := 0
	for i := range in.Transactions {
		digits += len(in.Transactions[i].Data)
	}
	space := make([]byte, digits/2) // for all transactions, one after the other
	var reader txReader

	var fees, weight int64
	for i := range in.Transactions {
		from := &in.Transactions[i]
		size := len(from.Data) / 2
		tx, err := from.tx(&reader, space[:size:size])
		if err != nil {
			return fmt.Errorf("transaction %d: %w", i, err)
		}
		space = space[size:]
		known[tx.TxID] = struct{}{}
		if len(known) == i {
			return fmt.Errorf("transaction %d: %s appears twice", i, tx.TxID)
		}
		t.Txs[i], txids[i], wtxids[i] = tx, tx.TxID, tx.WTxID
		weight += tx.Weight
		if fees += tx.Fee; fees > in.CoinbaseValue {
			return fmt.Errorf("fees exceed the coinbase value %d", in.CoinbaseValue)
		}
	}
	if weight > maxBlockWeight {
		return fmt.Errorf("transactions weigh %d, more than a block", weight)
	}

	want := commitmentScript(wtxids)
	switch {
	case t.WitnessCommitment == nil && slices.Equal(txids, wtxids):
		// nothing to commit to: a block without any witness
	case !bytes.Equal(t.WitnessCommitment, want):
		return fmt.Errorf("witness commitment is %x, not %x", want, t.WitnessCommitment)
	}
	t.Branches = MerkleBranches(txids)
	return nil
}

// tx decodes one transaction into raw, which has the right size, and compares its
// hashes with the node's.
func (in *txJSON) tx(r *txReader, raw []byte) (Tx, error) {
	if _, err := hex.Decode(raw, in.Data); err != nil {
		return Tx{}, err
	}
	tx, err := r.read(raw)
	if err != nil {
		return Tx{}, err
	}
	tx.Fee = in.Fee

	if !displays(in.TxID, tx.TxID) {
		return Tx{}, fmt.Errorf("txid is %s, not %q", tx.TxID, in.TxID)
	}
	if !displays(in.Hash, tx.WTxID) {
		return Tx{}, fmt.Errorf("witness hash is %s, not %q", tx.WTxID, in.Hash)
	}
	if tx.Fee < 0 || tx.Fee > maxMoney {
		return Tx{}, fmt.Errorf("fee %d is out of range", tx.Fee)
	}
	return tx, nil
}

// displays tells whether s is a hash in display order, as the node writes it.
func displays(s []byte, h chainhash.Hash) bool {
	slices.Reverse(h[:])
	var digits [chainhash.MaxHashStringSize]byte
	hex.Encode(digits[:], h[:])
	return bytes.Equal(s, digits[:])
}

// decodeHash reads a hash in display order.
func decodeHash(h *chainhash.Hash, s string) error {
	if len(s) != chainhash.MaxHashStringSize {
		return fmt.Errorf("%q is not 64 hex digits", s)
	}
	return chainhash.Decode(h, s)
}

// decodeScript reads a script in hex; none gives nil.
func decodeScript(s string) ([]byte, error) {
	if s == "" {
		return nil, nil
	}
	return hex.DecodeString(s)
}
