package payout

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/btcsuite/btcd/wire/v2"

	"github.com/dmpool/dmpool/pool/ledger"
	"github.com/dmpool/dmpool/pool/node"
)

// fund lets the wallet build the transaction of a draft, checks it against all
// that is known, and stores it as the plan to be approved. A crash before it is
// stored leaves nothing but coins that the wallet keeps locked; tidyLocks frees
// them.
func (d *Desk) fund(ctx context.Context, p pass, one Payout) (bool, error) {
	policy := d.policy()
	if err := checkAddresses(one.Items, p.params); err != nil {
		return false, err
	}
	if err := d.checkForeign(ctx, one, p.params); err != nil {
		return false, err
	}
	rate, err := d.feeRate(ctx, policy)
	if err != nil {
		return false, err
	}

	f := funding{
		payout: one.ID, rev: one.Rev + 1, purpose: one.Purpose, items: one.Items, feePolicy: one.FeePolicy,
		feeRate: rate, feeCap: policy.feeCap(one.Total), height: p.chain.Blocks,
	}
	if f.coins, err = d.coins(ctx); err != nil {
		return false, err
	}
	if f.leased, err = leases(ctx, d.db.Reader()); err != nil {
		return false, err
	}

	outputs := make([]node.PayTo, len(one.Items))
	for i, item := range one.Items {
		outputs[i] = node.PayTo{Address: item.Address, Amount: item.Amount}
	}
	funded, err := d.wallet.FundPSBT(ctx, outputs, node.FundOptions{
		FeeRate: formatFeeRate(rate), LockUnspents: true, MinConf: 1, Replaceable: true,
		SubtractFee: one.FeePolicy == FeeMiners,
	})
	if err != nil {
		return false, fundProblem(err, one.Total)
	}

	plan, err := d.checkFunded(ctx, p, f, funded.PSBT)
	if err != nil {
		return false, err
	}
	if err := d.storePlan(ctx, one, plan, funded.PSBT, policy.Expiry); err != nil {
		return false, err
	}

	d.log.Info("Payout planned", "payout", one.ID, "sats", one.Total, "fee", plan.Fee, "txid", plan.TxID)
	one.State, one.TxID = Pending, &plan.TxID
	d.changed(one)

	return true, d.lockCoins(ctx, plan.outPoints())
}

// checkFunded asks the wallet whether the change is its own and checks the rest.
func (d *Desk) checkFunded(ctx context.Context, p pass, f funding, text string) (Plan, error) {
	packet, err := decodePSBT(text)
	if err != nil {
		return Plan{}, refusedPlan(err)
	}
	due := make(map[string]bool, len(f.items))
	for _, i := range f.items {
		due[string(i.Script)] = true
	}

	var change []byte
	for _, out := range packet.UnsignedTx.TxOut {
		if due[string(out.PkScript)] {
			continue
		}
		mine, err := d.isMine(ctx, out.PkScript, p.params)
		if err != nil {
			return Plan{}, err
		}
		if mine {
			change = out.PkScript
		}
	}
	f.mine = func(script []byte) bool { return change != nil && bytes.Equal(script, change) }

	plan, err := f.check(text)
	if err != nil {
		return Plan{}, refusedPlan(err)
	}

	return plan, nil
}

// refusedPlan puts into words that the wallet's proposal is not accepted.
func refusedPlan(err error) error {
	return problemf("The transaction that the wallet built is refused: %v.", err)
}

// fundProblem puts into words why the wallet could not build a transaction.
func fundProblem(err error, total int64) error {
	if node.IsCode(err, node.ErrCodeFunds) || says(err, "insufficient funds") {
		return problemf("The wallet does not have %d sats, and the fee, in confirmed coins that are free.", total)
	}
	if says(err, "fee estimation failed") {
		return errNoFeeRate
	}
	if says(err, "too small to pay the fee", "too small to send after the fee") {
		return problemError("The smallest amount of this payout is not worth its share of the network fee. " +
			"Cancel the payout, and raise the minimum or wait for a lower fee.")
	}

	return err
}

// errNoFeeRate is the problem of a chain on which there is nothing to estimate from.
var errNoFeeRate error = problemError("The node has no estimate of the network fee yet. Set a fee rate in the payout settings, or wait.")

// feeRate is the rate to build with, in satoshis per 1000 vB: the operator's, or
// else the node's estimate. There is no fallback.
func (d *Desk) feeRate(ctx context.Context, policy Policy) (int64, error) {
	text := policy.FeeRate
	if text == "" {
		var err error
		text, err = d.wallet.FeeRate(ctx, policy.ConfirmTarget)
		if errors.Is(err, node.ErrNoEstimate) {
			return 0, errNoFeeRate
		}
		if err != nil {
			return 0, err
		}
	}

	rate, err := parseFeeRate(text)
	if err != nil {
		return 0, problemf("The payout is not built: %v.", err)
	}

	return rate, nil
}

// coins are the confirmed coins that the wallet can spend now. Immature ones and
// those that are locked are not among them.
func (d *Desk) coins(ctx context.Context) (map[wire.OutPoint]wire.TxOut, error) {
	unspent, err := d.wallet.ListUnspent(ctx, 1)
	if err != nil {
		return nil, err
	}

	coins := make(map[wire.OutPoint]wire.TxOut, len(unspent))
	for _, u := range unspent {
		if u.Spendable && u.Safe && u.Confirmations > 0 {
			coins[wire.OutPoint{Hash: u.TxID, Index: u.Vout}] = wire.TxOut{Value: int64(u.Amount), PkScript: u.Script}
		}
	}

	return coins, nil
}

// storePlan makes the payout pending: the PSBT, its txid, the lease of its
// inputs and the digest, all or nothing.
func (d *Desk) storePlan(ctx context.Context, one Payout, plan Plan, psbt string, expiry time.Duration) error {
	now := d.now()
	digest := plan.Digest()

	err := d.ledger.Update(ctx, func(tx *ledger.Tx) error {
		if err := move(ctx, tx.Tx, one, Pending, now); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `
			UPDATE payout SET fee_cap = ?, plan_digest = ?, expires_at = ? WHERE id = ?`,
			plan.FeeCap, digest[:], now.Add(expiry).UnixMilli(), one.ID)
		if err != nil {
			return err
		}

		if _, err := insertAttempt(ctx, tx, one.ID, KindPay, plan, psbt); err != nil {
			return err
		}
		for _, i := range plan.Items {
			_, err := tx.ExecContext(ctx, `UPDATE payout_item SET fee_share = ? WHERE payout = ? AND account = ?`,
				i.FeeShare, one.ID, i.Account)
			if err != nil {
				return err
			}
		}
		for _, in := range plan.Inputs {
			_, err := tx.ExecContext(ctx, `INSERT INTO utxo_lease (txid, vout, payout) VALUES (?, ?, ?)`,
				in.OutPoint.Hash[:], in.OutPoint.Index, one.ID)
			if err != nil {
				return err
			}
		}

		return nil
	})
	if err != nil {
		return fmt.Errorf("store plan: %w", err)
	}

	return nil
}

// outPoints are the coins that the plan spends.
func (p Plan) outPoints() []wire.OutPoint {
	return outPointsOf(p.Inputs)
}

func outPointsOf(inputs []Input) []wire.OutPoint {
	all := make([]wire.OutPoint, len(inputs))
	for i, in := range inputs {
		all[i] = in.OutPoint
	}

	return all
}
