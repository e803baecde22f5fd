package payout

import (
	"bytes"
	"context"
	"errors"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/dmpool/dmpool/pool/node"
)

// accept judges a transaction as the node's mempool does.
func (w *fakeWallet) accept(raw []byte) (*wire.MsgTx, error) {
	tx := new(wire.MsgTx)
	if err := tx.Deserialize(bytes.NewReader(raw)); err != nil {
		return nil, refusal("sendrawtransaction", node.ErrCodeDeserialization, "TX decode failed")
	}
	if w.refuse != nil {
		return tx, w.refuse
	}

	txid := tx.TxHash()
	if t := w.txs[txid]; t != nil && t.block > 0 {
		return tx, refusal("sendrawtransaction", node.ErrCodeInChain, "Transaction outputs already in utxo set")
	}
	for _, in := range tx.TxIn {
		out, _ := w.coin(in.PreviousOutPoint)
		other := w.spender(in.PreviousOutPoint, txid)
		switch {
		case out == nil, other != nil && other.block > 0:
			return tx, refusal("sendrawtransaction", node.ErrCodeVerify, "bad-txns-inputs-missingorspent")
		case other != nil && w.feeOf(tx) < w.feeOf(other.tx)+int64(vsize(tx)):
			return tx, refusal("sendrawtransaction", node.ErrCodeRejected, "insufficient fee, rejecting replacement")
		}
	}

	return tx, nil
}

func (w *fakeWallet) TestAccept(_ context.Context, raw []byte) (allowed bool, reason string, err error) {
	err = w.call("testmempoolaccept", func() error {
		tx, err := w.accept(raw)
		code, _ := node.Code(err)
		switch {
		case node.Unavailable(err):
			return err
		case code == node.ErrCodeInChain:
			reason = "txn-already-known"
		case code == node.ErrCodeVerify && says(err, "missing"):
			reason = "missing-inputs"
		case err != nil:
			rpc, _ := errors.AsType[*node.RPCError](err)
			reason = rpc.Message
		case w.txs[tx.TxHash()] != nil && w.txs[tx.TxHash()].mempool:
			reason = "txn-already-in-mempool"
		default:
			allowed = true
		}

		return nil
	})

	return allowed, reason, err
}

func (w *fakeWallet) SendRaw(_ context.Context, raw []byte, _ string) (txid chainhash.Hash, err error) {
	err = w.call("sendrawtransaction", func() error {
		tx, err := w.accept(raw)
		if err != nil {
			return err
		}
		txid = tx.TxHash()
		if t := w.txs[txid]; t == nil || !t.mempool {
			w.sent++
			w.txs[txid] = &fakeTx{tx: tx, mempool: true}
			for _, in := range tx.TxIn {
				delete(w.locks, in.PreviousOutPoint)
				if other := w.spender(in.PreviousOutPoint, txid); other != nil {
					other.mempool = false
				}
			}
		}

		return nil
	})

	return txid, err
}

func (w *fakeWallet) Descendants(_ context.Context, txid chainhash.Hash) (n int, err error) {
	err = w.call("getmempoolentry", func() error {
		t := w.txs[txid]
		if t == nil || !t.mempool {
			return refusal("getmempoolentry", node.ErrCodeNotFound, "Transaction not in mempool")
		}
		for _, other := range w.txs {
			if other.mempool && other.tx.TxIn[0].PreviousOutPoint.Hash == txid {
				n++
			}
		}

		return nil
	})

	return n, err
}

func (w *fakeWallet) Spenders(_ context.Context, coins []wire.OutPoint) (spenders []chainhash.Hash, err error) {
	err = w.call("gettxspendingprevout", func() error {
		for _, coin := range coins {
			if t := w.spender(coin, chainhash.Hash{}); t != nil && t.mempool {
				spenders = append(spenders, t.tx.TxHash())
			}
		}

		return nil
	})

	return spenders, err
}
