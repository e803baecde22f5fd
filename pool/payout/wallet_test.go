package payout

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/btcsuite/btcd/address/v2"
	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/psbt/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/dmpool/dmpool/pool/node"
)

var (
	_ Wallet = (*node.Client)(nil)
	_ Wallet = (*fakeWallet)(nil)
)

func (w *fakeWallet) BlockchainInfo(context.Context) (info node.ChainInfo, err error) {
	err = w.call("getblockchaininfo", func() error {
		info = node.ChainInfo{Chain: "regtest", Blocks: w.height, Headers: w.height, BestBlockHash: w.blockHash(w.height)}
		return nil
	})

	return info, err
}

// Header knows the blocks of this chain, those that a reorganisation took out of it
// and, as long as they are not orphaned, those that earn books.
func (w *fakeWallet) Header(_ context.Context, hash chainhash.Hash) (header node.Header, err error) {
	err = w.call("getblockheader", func() error {
		header = node.Header{Hash: hash, Confirmations: 1}
		for height := int32(1); height <= w.height; height++ {
			if w.blockHash(height) == hash {
				header.Confirmations = w.height - height + 1
			}
		}
		if w.orphans[hash] {
			header.Confirmations = -1
		}

		return nil
	})

	return header, err
}

func (w *fakeWallet) WalletInfo(context.Context) (info node.WalletInfo, err error) {
	err = w.walletCall("getwalletinfo", func() error {
		info = node.WalletInfo{Name: "pool", PrivateKeysEnabled: !w.cold, Descriptors: true, Scanning: node.Scanning(w.scans)}
		return nil
	})

	return info, err
}

func (w *fakeWallet) Balances(context.Context) (sums node.Balances, err error) {
	err = w.walletCall("getbalances", func() error {
		sums.LastBlock = w.blockHash(w.height)
		for _, u := range w.unspent() {
			sums.Trusted += u.Amount
		}
		for _, t := range w.txs {
			if t.coinbase && t.block > 0 && w.height-t.block < 100 {
				sums.Immature += node.Sats(t.tx.TxOut[0].Value)
			}
		}

		return nil
	})

	return sums, err
}

func (w *fakeWallet) AddressInfo(_ context.Context, text string) (info node.Address, err error) {
	err = w.walletCall("getaddressinfo", func() error {
		a, err := address.DecodeAddress(text, &chaincfg.RegressionNetParams)
		if err != nil {
			return refusal("getaddressinfo", node.ErrCodeNotFound, "Invalid address")
		}
		script, err := txscript.PayToAddrScript(a)
		info = node.Address{Address: text, Script: script, Mine: w.keys[string(script)] != nil, Witness: true}

		return err
	})

	return info, err
}

func (w *fakeWallet) ListUnspent(_ context.Context, minConf int) (coins []node.Unspent, err error) {
	err = w.walletCall("listunspent", func() error {
		for _, u := range w.unspent() {
			_, locked := w.locks[wire.OutPoint{Hash: u.TxID, Index: u.Vout}]
			if !locked && int(u.Confirmations) >= minConf {
				coins = append(coins, u)
			}
		}

		return nil
	})

	return coins, err
}

func (w *fakeWallet) LockUnspent(_ context.Context, unlock bool, coins []wire.OutPoint, persistent bool) error {
	return w.walletCall("lockunspent", func() error {
		if unlock && coins == nil {
			clear(w.locks)
			return nil
		}
		for _, coin := range coins {
			_, locked := w.locks[coin]
			out, _ := w.coin(coin)
			switch {
			case unlock && !locked:
				return refusal("lockunspent", node.ErrCodeParameter, "Invalid parameter, expected locked output")
			case out == nil || w.spender(coin, chainhash.Hash{}) != nil:
				return refusal("lockunspent", node.ErrCodeParameter, "Invalid parameter, expected unspent output")
			case !unlock && locked && !persistent:
				return refusal("lockunspent", node.ErrCodeParameter, "Invalid parameter, output already locked")
			}
		}
		for _, coin := range coins {
			if unlock {
				delete(w.locks, coin)
			} else {
				w.locks[coin] = persistent
			}
		}

		return nil
	})
}

func (w *fakeWallet) LockedUnspent(context.Context) (coins []wire.OutPoint, err error) {
	err = w.walletCall("listlockunspent", func() error {
		for coin := range w.locks {
			coins = append(coins, coin)
		}

		return nil
	})

	return coins, err
}

func (w *fakeWallet) FeeRate(context.Context, int) (rate string, err error) {
	err = w.call("estimatesmartfee", func() error {
		if rate = w.fee; rate == "" {
			return node.ErrNoEstimate
		}

		return nil
	})

	return rate, err
}

func (w *fakeWallet) FundPSBT(_ context.Context, outputs []node.PayTo, o node.FundOptions) (funded node.Funded, err error) {
	err = w.walletCall("walletcreatefundedpsbt", func() error {
		tx := wire.NewMsgTx(2)
		var out int64
		for _, p := range outputs {
			a, err := address.DecodeAddress(p.Address, &chaincfg.RegressionNetParams)
			if err != nil {
				return refusal("walletcreatefundedpsbt", node.ErrCodeNotFound, "Invalid Bitcoin address")
			}
			script, err := txscript.PayToAddrScript(a)
			if err != nil {
				return err
			}
			tx.AddTxOut(wire.NewTxOut(p.Amount, script))
			out += p.Amount
		}
		tx.AddTxOut(wire.NewTxOut(0, w.newScript()))

		rate, err := parseFeeRate(o.FeeRate)
		if err != nil {
			return err
		}
		var in, fee int64
		var spent []*wire.TxOut
		for _, u := range w.unspent() {
			op := wire.OutPoint{Hash: u.TxID, Index: u.Vout}
			if _, locked := w.locks[op]; locked || int(u.Confirmations) < o.MinConf {
				continue
			}
			txIn := wire.NewTxIn(&op, nil, nil)
			txIn.Sequence = 0xfffffffd
			tx.AddTxIn(txIn)
			spent = append(spent, wire.NewTxOut(int64(u.Amount), u.Script))
			in += int64(u.Amount)
			if fee = (signedWeight(tx) + 3) / 4 * rate / 1000; in >= out+fee+1000 || o.SubtractFee && in >= out+1000 {
				break
			}
		}
		if in < out+1000 || !o.SubtractFee && in < out+fee+1000 {
			return refusal("walletcreatefundedpsbt", node.ErrCodeWallet, "Insufficient funds")
		}
		tx.TxOut[len(tx.TxOut)-1].Value = in - out - fee
		if o.SubtractFee {
			n := int64(len(outputs))
			for _, out := range tx.TxOut[:n] {
				out.Value -= fee / n
			}
			tx.TxOut[0].Value -= fee % n
			tx.TxOut[n].Value += fee
			if slices.ContainsFunc(tx.TxOut, func(out *wire.TxOut) bool { return out.Value < dustLimit(out.PkScript) }) {
				return refusal("walletcreatefundedpsbt", node.ErrCodeWallet, "The transaction amount is too small to pay the fee")
			}
		}

		packet, err := psbt.NewFromUnsignedTx(tx)
		if err != nil {
			return err
		}
		for n := range packet.Inputs {
			packet.Inputs[n].WitnessUtxo = spent[n]
			if o.LockUnspents {
				w.locks[tx.TxIn[n].PreviousOutPoint] = false
			}
		}
		funded.PSBT, err = packet.B64Encode()
		funded.Fee, funded.ChangePos = fee, len(tx.TxOut)-1

		return err
	})

	return funded, err
}

func (w *fakeWallet) Unlock(_ context.Context, pass string, d time.Duration) error {
	return w.walletCall("walletpassphrase", func() error {
		if d > unlockFor {
			return fmt.Errorf("unlocked for %v", d)
		}
		if pass != passphrase {
			return refusal("walletpassphrase", node.ErrCodeWrongPassphrase, "Error: The wallet passphrase entered was incorrect.")
		}
		w.open = true

		return nil
	})
}

func (w *fakeWallet) Lock(context.Context) error {
	return w.walletCall("walletlock", func() error {
		w.open = false
		return nil
	})
}

func (w *fakeWallet) ProcessPSBT(_ context.Context, text string) (signed string, complete bool, err error) {
	err = w.walletCall("walletprocesspsbt", func() error {
		if !w.open {
			return refusal("walletprocesspsbt", node.ErrCodeNeedPassphrase, "Error: Please enter the wallet passphrase with walletpassphrase first.")
		}
		packet, err := decodePSBT(text)
		if err != nil {
			return err
		}
		signPacket(packet, w.keys)
		signed, err = packet.B64Encode()
		complete = true

		return err
	})

	return signed, complete, err
}

// signPacket adds the signature of each input whose key is known.
func signPacket(packet *psbt.Packet, keys map[string]*btcec.PrivateKey) {
	coins := map[wire.OutPoint]*wire.TxOut{}
	for n, in := range packet.UnsignedTx.TxIn {
		coins[in.PreviousOutPoint] = packet.Inputs[n].WitnessUtxo
	}
	hashes := txscript.NewTxSigHashes(packet.UnsignedTx, txscript.NewMultiPrevOutFetcher(coins))
	for n := range packet.Inputs {
		coin := packet.Inputs[n].WitnessUtxo
		key := keys[string(coin.PkScript)]
		if key == nil {
			continue
		}
		sig, err := txscript.RawTxInWitnessSignature(packet.UnsignedTx, hashes, n, coin.Value, coin.PkScript, txscript.SigHashAll, key)
		if err != nil {
			panic(err)
		}
		packet.Inputs[n].PartialSigs = []*psbt.PartialSig{{PubKey: key.PubKey().SerializeCompressed(), Signature: sig}}
	}
}

func (w *fakeWallet) FinalizePSBT(_ context.Context, text string) (raw []byte, complete bool, err error) {
	err = w.call("finalizepsbt", func() error {
		packet, err := decodePSBT(text)
		if err != nil {
			return err
		}
		raw, err = extract(packet)
		complete = err == nil // a signature is missing: no error

		return nil
	})

	return raw, complete, err
}

func (w *fakeWallet) ChangeAddress(context.Context) (text string, err error) {
	err = w.walletCall("getrawchangeaddress", func() error {
		_, addresses, _, err := txscript.ExtractPkScriptAddrs(w.newScript(), &chaincfg.RegressionNetParams)
		text = addresses[0].EncodeAddress()

		return err
	})

	return text, err
}

func (w *fakeWallet) WalletTx(_ context.Context, txid chainhash.Hash) (tx node.WalletTx, err error) {
	err = w.walletCall("gettransaction", func() error {
		t := w.txs[txid]
		if t == nil {
			return refusal("gettransaction", node.ErrCodeNotFound, "Invalid or non-wallet transaction id")
		}
		tx = node.WalletTx{TxID: txid}
		var buf bytes.Buffer
		if err := t.tx.Serialize(&buf); err != nil {
			return err
		}
		tx.Raw = buf.Bytes()
		if t.block > 0 {
			hash := w.blockHash(t.block)
			tx.Confirmations, tx.BlockHeight, tx.BlockHash = w.height-t.block+1, t.block, &hash
		}
		if !t.coinbase && t.block == 0 {
			for _, in := range t.tx.TxIn {
				if other := w.spender(in.PreviousOutPoint, txid); other != nil && other.block > 0 {
					tx.Confirmations = -(w.height - other.block + 1)
				}
			}
		}

		return nil
	})

	return tx, err
}

func (w *fakeWallet) ListSinceBlock(_ context.Context, from chainhash.Hash) (since node.Since, err error) {
	err = w.walletCall("listsinceblock", func() error {
		low := int32(-1)
		for h := int32(0); h <= w.height; h++ {
			if w.blockHash(h) == from {
				low = h
			}
		}
		if low < 0 && from != (chainhash.Hash{}) {
			return refusal("listsinceblock", node.ErrCodeNotFound, "Block not found")
		}
		for txid, t := range w.txs {
			if t.block > 0 && t.block <= low {
				continue
			}
			category := "generate"
			if !t.coinbase {
				category = "send"
			}
			since.Transactions = append(since.Transactions, node.WalletEntry{TxID: txid, Category: category})
		}
		since.LastBlock = w.blockHash(w.height)

		return nil
	})

	return since, err
}
