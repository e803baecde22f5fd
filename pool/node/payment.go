package node

import (
	"cmp"
	"context"
	"encoding/hex"
	"fmt"
	"slices"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
)

// The order of a payment is FundPSBT, ProcessPSBT, FinalizePSBT, SendRaw. Only the last lets money leave, and sending the
// same bytes twice pays once; so a caller stores the bytes first and may then repeat it for as long as needed. The calls
// that fund, sign and send in one step (send, sendmany, sendtoaddress) are not offered: after a lost answer nobody knows
// whether they have paid.

// PayTo is one output of a payment; Amount in satoshis.
type PayTo struct {
	Address string
	Amount  int64
}

// FundOptions say how FundPSBT chooses coins and the fee.
type FundOptions struct {
	FeeRate      string // sat/vB, a decimal with up to 3 places; empty = the node's estimate
	ConfirmIn    int    // blocks within which the estimate aims to confirm; 0 = the node's default
	ChangeType   string // empty = bech32
	LockUnspents bool   // lock the chosen coins until they are spent, unlocked, or the node restarts
	MinConf      int    // confirmations that a chosen coin must have
	Replaceable  bool   // signal BIP 125
	SubtractFee  bool   // the outputs, in equal parts, bear the fee instead of the change
}

// Funded is an unsigned payment.
type Funded struct {
	PSBT      string // BIP 174, base64
	Fee       int64  // satoshis
	ChangePos int    // index of the change output, -1 without one
}

// FundPSBT chooses coins for a payment and returns it unsigned. ErrCodeWallet: no fee estimate, or an output below dust,
// or (with ErrCodeFunds) not enough money; ErrCodeNotFound: an address of another chain.
func (c *Client) FundPSBT(ctx context.Context, outputs []PayTo, o FundOptions) (Funded, error) {
	options := map[string]any{
		"change_type":    cmp.Or(o.ChangeType, addressType),
		"lockUnspents":   o.LockUnspents,
		"minconf":        o.MinConf,
		"include_unsafe": false,
		"replaceable":    o.Replaceable,
	}
	if o.FeeRate != "" {
		if _, err := parseFeeRate(o.FeeRate); err != nil {
			return Funded{}, fmt.Errorf("fund payment: %w", err)
		}
		options["fee_rate"] = o.FeeRate
	}
	if o.ConfirmIn > 0 && o.FeeRate == "" {
		options["conf_target"] = o.ConfirmIn
	}

	if o.SubtractFee {
		bearers := make([]int, len(outputs))
		for i := range bearers {
			bearers[i] = i
		}
		options["subtractFeeFromOutputs"] = bearers
	}

	// One object for each output keeps their order, and two outputs to one address are refused by the node.
	list := make([]map[string]Sats, len(outputs))
	for i, out := range outputs {
		if out.Amount <= 0 {
			return Funded{}, fmt.Errorf("fund payment: amount of %d sat", out.Amount)
		}
		list[i] = map[string]Sats{out.Address: Sats(out.Amount)}
	}

	var result struct {
		PSBT      string `json:"psbt"`
		Fee       Sats   `json:"fee"`
		ChangePos int    `json:"changepos"`
	}
	err := c.WalletCall(ctx, "walletcreatefundedpsbt", &result, []any{}, list, 0, options)

	return Funded{PSBT: result.PSBT, Fee: int64(result.Fee), ChangePos: result.ChangePos}, err
}

// ProcessPSBT adds the wallet's signatures and reports whether none is missing. ErrCodeNeedPassphrase when the wallet is
// locked. Signing the same PSBT again gives the same signatures.
func (c *Client) ProcessPSBT(ctx context.Context, psbt string) (signed string, complete bool, err error) {
	var result struct {
		PSBT     string `json:"psbt"`
		Complete bool   `json:"complete"`
	}
	err = c.WalletCall(ctx, "walletprocesspsbt", &result, psbt)

	return result.PSBT, result.Complete, err
}

// FinalizePSBT turns a signed PSBT into the transaction for the network. raw is nil as long as a signature is missing.
func (c *Client) FinalizePSBT(ctx context.Context, psbt string) (raw []byte, complete bool, err error) {
	var result struct {
		Hex      Hex  `json:"hex"`
		Complete bool `json:"complete"`
	}
	err = c.Call(ctx, "finalizepsbt", &result, psbt)

	return result.Hex, result.Complete, err
}

// TestAccept asks whether the mempool would take a transaction; if not, reason is the node's short text. A transaction
// that is known already is not allowed either: "txn-already-in-mempool", "txn-already-known".
func (c *Client) TestAccept(ctx context.Context, raw []byte) (allowed bool, reason string, err error) {
	var results []struct {
		Allowed bool   `json:"allowed"`
		Reason  string `json:"reject-reason"`
	}
	if err := c.Call(ctx, "testmempoolaccept", &results, []string{hex.EncodeToString(raw)}); err != nil {
		return false, "", err
	}
	if len(results) != 1 {
		return false, "", fmt.Errorf("test acceptance: %w: %d results for one transaction", ErrBadAnswer, len(results))
	}

	return results[0].Allowed, results[0].Reason, nil
}

// SendRaw broadcasts a transaction and returns its id, also when it is in the mempool already. maxFeeRate, in sat/vB,
// refuses a higher one; empty means the node's own limit. ErrCodeInChain: it is confirmed already.
// ErrCodeVerify with a missing input says only that the inputs are not there now: the transaction may be confirmed and its
// outputs spent, a conflict may be, or the node may have gone back in time.
func (c *Client) SendRaw(ctx context.Context, raw []byte, maxFeeRate string) (chainhash.Hash, error) {
	params := []any{hex.EncodeToString(raw)}
	if maxFeeRate != "" {
		perKvB, err := parseFeeRate(maxFeeRate)
		if err != nil {
			return chainhash.Hash{}, fmt.Errorf("send transaction: %w", err)
		}
		params = append(params, Sats(perKvB))
	}

	var txid chainhash.Hash
	err := c.Call(ctx, "sendrawtransaction", &txid, params...)

	return txid, err
}

// Descendants counts the unconfirmed transactions that spend an output of this one, directly or not. ErrCodeNotFound when
// it is not in the mempool itself.
func (c *Client) Descendants(ctx context.Context, txid chainhash.Hash) (int, error) {
	var entry struct {
		Descendants int `json:"descendantcount"` // itself included
	}
	err := c.Call(ctx, "getmempoolentry", &entry, txid)

	return max(entry.Descendants-1, 0), err
}

// Spenders returns the transactions of the mempool that spend one of these coins, each once.
func (c *Client) Spenders(ctx context.Context, coins []wire.OutPoint) ([]chainhash.Hash, error) {
	list := make([]outpoint, len(coins))
	for i, o := range coins {
		list[i] = outpoint{TxID: o.Hash, Vout: o.Index}
	}
	var spent []struct {
		By *chainhash.Hash `json:"spendingtxid"`
	}
	if err := c.Call(ctx, "gettxspendingprevout", &spent, list); err != nil {
		return nil, err
	}

	var spenders []chainhash.Hash
	for _, s := range spent {
		if s.By != nil && !slices.Contains(spenders, *s.By) {
			spenders = append(spenders, *s.By)
		}
	}

	return spenders, nil
}

// FeeRate returns the node's estimate, in sat/vB with three places, of what confirms within so many blocks.
// ErrNoEstimate when it has none.
func (c *Client) FeeRate(ctx context.Context, blocks int) (string, error) {
	var result struct {
		FeeRate *Sats `json:"feerate"` // per 1000 vB
	}
	if err := c.Call(ctx, "estimatesmartfee", &result, blocks); err != nil {
		return "", err
	}
	if result.FeeRate == nil || *result.FeeRate <= 0 {
		return "", ErrNoEstimate
	}

	return formatFeeRate(int64(*result.FeeRate)), nil
}
