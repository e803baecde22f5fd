package payout

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/btcsuite/btcd/psbt/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"
)

const (
	// maxWeight is the weight above which nodes do not relay a transaction.
	maxWeight = 400_000
	// signatureWeight is what signing adds to one segwit input: count, length,
	// signature of 71 bytes and public key of 33, each behind its length. A
	// taproot key spend is lighter, which only makes the estimate cautious.
	signatureWeight = 1 + 1 + 71 + 1 + 33
	// heightLockTimes is where lock times stop being heights and become times.
	heightLockTimes = 500_000_000
)

// funding is what is known about a transaction before the wallet is asked to
// build it. The wallet's answer is believed only as far as it agrees.
type funding struct {
	payout, rev int64
	purpose     Purpose
	items       []Item
	coins       map[wire.OutPoint]wire.TxOut // confirmed, mature coins of the wallet
	leased      map[wire.OutPoint]int64      // coins promised to a payout
	mine        func(script []byte) bool     // whether change may go there
	feePolicy   FeePolicy
	feeRate     int64 // satoshis per 1000 vB
	feeCap      int64 // satoshis
	height      int32 // of the chain's tip
}

// decodePSBT reads a base64 PSBT (BIP 174) down to its last byte.
func decodePSBT(text string) (*psbt.Packet, error) {
	r := strings.NewReader(text)
	packet, err := psbt.NewFromRawBytes(r, true)
	if err != nil {
		return nil, fmt.Errorf("read psbt: %w", err)
	}

	return packet, nil
}

// unplanned splits off the outputs that pay no item. It refuses a transaction
// in which an item is missing, has another amount, or is paid more than once.
func unplanned(tx *wire.MsgTx, items []Item) ([]*wire.TxOut, error) {
	due := make(map[string]int64, len(items))
	for _, i := range items {
		if _, twice := due[string(i.Script)]; twice {
			return nil, fmt.Errorf("two items pay %s", i.Address)
		}
		due[string(i.Script)] = i.Net()
	}

	var rest []*wire.TxOut
	for _, out := range tx.TxOut {
		amount, ok := due[string(out.PkScript)]
		if !ok || amount != out.Value {
			rest = append(rest, out)
			continue
		}
		delete(due, string(out.PkScript))
	}
	for _, i := range items {
		if _, missing := due[string(i.Script)]; missing {
			return nil, fmt.Errorf("no output pays %d sats to %s", i.Net(), i.Address)
		}
	}

	return rest, nil
}

// check compares the PSBT that the wallet built with everything that was known
// before, and returns the plan to be approved. Whatever is not expected is an
// error: an output too many, change that is not ours, a coin that is unknown,
// immature, not segwit or promised to another payout, a fee outside its bounds.
func (f funding) check(text string) (Plan, error) {
	packet, err := decodePSBT(text)
	if err != nil {
		return Plan{}, err
	}

	tx := packet.UnsignedTx
	if f.items, err = f.feePolicy.share(tx, f.items); err != nil {
		return Plan{}, err
	}
	plan := Plan{
		Payout: f.payout, Rev: f.rev, Purpose: f.purpose, FeePolicy: f.feePolicy,
		Items: f.items, FeeCap: f.feeCap, TxID: tx.TxHash(),
	}

	rest, err := unplanned(tx, f.items)
	switch {
	case err != nil:
		return Plan{}, err
	case len(f.items) == 0:
		return Plan{}, errors.New("the payout is empty")
	case len(rest) > 1:
		return Plan{}, fmt.Errorf("%d outputs are not in the plan, only one may be (the change)", len(rest))
	case len(rest) == 1:
		plan.Change, plan.ChangeScript = rest[0].Value, rest[0].PkScript
		if plan.Change < dustLimit(plan.ChangeScript) {
			return Plan{}, fmt.Errorf("the change of %d sats is dust", plan.Change)
		}
		if !f.mine(plan.ChangeScript) {
			return Plan{}, fmt.Errorf("the change script %x is not the wallet's", plan.ChangeScript)
		}
	}

	plan.Inputs, err = f.inputs(packet)
	if err != nil {
		return Plan{}, err
	}
	plan.Fee = plan.spent() - plan.paid() - plan.Change
	if poolPart := plan.Fee - shares(plan.Items); poolPart < 0 {
		return Plan{}, fmt.Errorf("the miners bear %d sats of a network fee of %d sats", shares(plan.Items), plan.Fee)
	}

	if tx.LockTime >= heightLockTimes || int64(tx.LockTime) > int64(f.height) {
		return Plan{}, fmt.Errorf("the transaction is locked until %d", tx.LockTime)
	}

	return plan, f.checkFee(tx, plan.Fee)
}

// inputs looks each input up among the wallet's coins.
func (f funding) inputs(packet *psbt.Packet) ([]Input, error) {
	seen := make(map[wire.OutPoint]bool)
	inputs := make([]Input, 0, len(packet.UnsignedTx.TxIn))

	for n, in := range packet.UnsignedTx.TxIn {
		op := in.PreviousOutPoint
		coin, known := f.coins[op]
		payout, leased := f.leased[op]
		given, err := spentOutput(packet, n)
		if err != nil {
			return nil, err
		}

		switch {
		case seen[op]:
			return nil, fmt.Errorf("coin %v is spent twice", op)
		case leased:
			return nil, fmt.Errorf("coin %v belongs to payout %d", op, payout)
		case !known:
			return nil, fmt.Errorf("coin %v is not a confirmed and mature coin of the wallet", op)
		case !txscript.IsWitnessProgram(coin.PkScript):
			return nil, fmt.Errorf("coin %v is not segwit, so the transaction has no id before it is signed", op)
		case given.Value != coin.Value || !bytes.Equal(given.PkScript, coin.PkScript):
			return nil, fmt.Errorf("the psbt says that coin %v holds %d sats, the wallet says %d", op, given.Value, coin.Value)
		}

		seen[op] = true
		inputs = append(inputs, Input{OutPoint: op, Amount: coin.Value, Script: coin.PkScript})
	}

	return inputs, nil
}

// spentOutput is what the PSBT says that its n-th input spends.
func spentOutput(packet *psbt.Packet, n int) (*wire.TxOut, error) {
	in, op := packet.Inputs[n], packet.UnsignedTx.TxIn[n].PreviousOutPoint
	prev := in.NonWitnessUtxo

	switch {
	case in.WitnessUtxo != nil:
		return in.WitnessUtxo, nil
	case prev != nil && prev.TxHash() == op.Hash && int(op.Index) < len(prev.TxOut):
		return prev.TxOut[op.Index], nil
	}

	return nil, fmt.Errorf("the psbt does not say what coin %v is", op)
}

// checkFee compares the fee with its cap and with the rate that was asked for.
func (f funding) checkFee(tx *wire.MsgTx, fee int64) error {
	weight := signedWeight(tx)
	vsize := (weight + 3) / 4
	least := max(f.feeRate, minFeeRate) * vsize / 1000

	switch {
	case weight > maxWeight:
		return fmt.Errorf("the transaction weighs %d units, nodes relay at most %d", weight, maxWeight)
	case fee > f.feeCap:
		return fmt.Errorf("%w: the network fee of %d sats, at most %d sats are allowed", ErrCap, fee, f.feeCap)
	case fee < least:
		return fmt.Errorf("the network fee of %d sats is below the %d sats for %s sat/vB",
			fee, least, formatFeeRate(max(f.feeRate, minFeeRate)))
	}

	return nil
}

// signedWeight estimates the weight of the transaction once it is signed
// (BIP 141: four units per stripped byte, one per witness byte).
func signedWeight(tx *wire.MsgTx) int64 {
	const markerAndFlag = 2

	return 4*int64(tx.SerializeSizeStripped()) + markerAndFlag + int64(len(tx.TxIn))*signatureWeight
}

// spent is the sum of the inputs in satoshis.
func (p Plan) spent() int64 {
	var sum int64
	for _, in := range p.Inputs {
		sum += in.Amount
	}

	return sum
}

// paid is the sum of what arrives at the miners, in satoshis.
func (p Plan) paid() int64 { return total(p.Items) - shares(p.Items) }

// checkSigned accepts raw only if it is the planned transaction, byte for byte
// but for its witnesses, and if every witness satisfies the coin that it spends.
// Nothing that the wallet or the database said since the plan was approved can
// change what is paid.
func (p Plan) checkSigned(raw []byte) (*wire.MsgTx, error) {
	tx, err := p.checkPaid(raw)
	if err != nil {
		return nil, err
	}

	return tx, p.verify(tx)
}

// checkPaid is checkSigned for a transaction that is in a block: the whole network
// has verified its witnesses.
func (p Plan) checkPaid(raw []byte) (*wire.MsgTx, error) {
	r := bytes.NewReader(raw)
	tx := new(wire.MsgTx)
	if err := tx.Deserialize(r); err != nil {
		return nil, fmt.Errorf("read transaction: %w", err)
	}

	switch txid := tx.TxHash(); {
	case r.Len() != 0:
		return nil, fmt.Errorf("%d bytes follow the transaction", r.Len())
	case txid != p.TxID:
		return nil, fmt.Errorf("the signed transaction is %v, not the approved %v", txid, p.TxID)
	case len(tx.TxIn) != len(p.Inputs):
		return nil, fmt.Errorf("the transaction spends %d coins, the plan %d", len(tx.TxIn), len(p.Inputs))
	}

	rest, err := unplanned(tx, p.Items)
	if err != nil {
		return nil, err
	}
	change := len(rest) == 1 && rest[0].Value == p.Change && bytes.Equal(rest[0].PkScript, p.ChangeScript)
	if len(rest) != 0 && !change || len(rest) == 0 && p.Change != 0 {
		return nil, errors.New("the change is not the planned one")
	}
	if fee := p.spent() - p.paid() - p.Change; fee != p.Fee || fee > p.FeeCap {
		return nil, fmt.Errorf("the network fee is %d sats, approved were %d, at most %d", fee, p.Fee, p.FeeCap)
	}

	return tx, nil
}

// verify runs the scripts of all inputs.
func (p Plan) verify(tx *wire.MsgTx) error {
	coins := make(map[wire.OutPoint]*wire.TxOut, len(p.Inputs))
	for _, in := range p.Inputs {
		coins[in.OutPoint] = wire.NewTxOut(in.Amount, in.Script)
	}
	for _, in := range tx.TxIn {
		if coins[in.PreviousOutPoint] == nil {
			return fmt.Errorf("coin %v is not in the plan", in.PreviousOutPoint)
		}
	}

	prevOuts := txscript.NewMultiPrevOutFetcher(coins)
	hashes := txscript.NewTxSigHashes(tx, prevOuts)
	for n, in := range tx.TxIn {
		coin := coins[in.PreviousOutPoint]
		engine, err := txscript.NewEngine(coin.PkScript, tx, n, txscript.StandardVerifyFlags, nil, hashes, coin.Value, prevOuts)
		if err == nil {
			err = engine.Execute()
		}
		if err == nil {
			err = coversAll(in.Witness, txscript.IsPayToTaproot(coin.PkScript))
		}
		if err != nil {
			return fmt.Errorf("verify signature of coin %v: %w", in.PreviousOutPoint, err)
		}
	}

	return nil
}
