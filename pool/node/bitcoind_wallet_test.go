package node

import (
	"bytes"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
)

const (
	passphrase = "a passphrase of the test"

	// stranger is an address of somebody else.
	stranger = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"
)

func TestBitcoindWallet(t *testing.T) {
	n := startBitcoind(t, "regtest")
	ctx := t.Context()

	wantCode(t, "LoadWallet(missing)", n.LoadWallet(ctx, "pool"), ErrCodeNoWallet)
	_, err := n.Balances(ctx)
	wantCode(t, "Balances() without a wallet", err, ErrCodeNoWallet)
	if err := n.CreateWallet(ctx, "pool", ""); err == nil {
		t.Error("CreateWallet() without a passphrase succeeds")
	}
	if err := n.CreateWallet(ctx, "pool", passphrase); err != nil {
		t.Fatal(err)
	}
	wantCode(t, "CreateWallet(existing)", n.CreateWallet(ctx, "pool", passphrase), ErrCodeWallet, ErrCodeWalletExists)
	if err := n.LoadWallet(ctx, "pool"); err != nil {
		t.Errorf("LoadWallet(loaded): %v", err)
	}
	if err := n.UnloadWallet(ctx, "pool"); err != nil {
		t.Errorf("UnloadWallet(): %v", err)
	}
	if err := n.LoadWallet(ctx, "pool"); err != nil {
		t.Fatal(err)
	}
	if names, err := n.ListWallets(ctx); err != nil || !slices.Equal(names, []string{"pool"}) {
		t.Errorf("ListWallets() = %v, %v", names, err)
	}

	info, err := n.WalletInfo(ctx)
	if err != nil || !info.Descriptors || !info.PrivateKeysEnabled || info.UnlockedUntil == nil || *info.UnlockedUntil != 0 || bool(info.Scanning) {
		t.Errorf("WalletInfo() = %+v, %v, want an encrypted descriptor wallet, locked", info, err)
	}

	address, err := n.NewAddress(ctx, "mining")
	if err != nil {
		t.Fatal(err)
	}
	a, err := n.AddressInfo(ctx, address)
	if err != nil || !a.Mine || !a.Witness || len(a.Script) != 22 || !slices.Equal(a.Labels, []string{"mining"}) {
		t.Errorf("AddressInfo(%s) = %+v, %v, want our own P2WPKH", address, a, err)
	}
	_, err = n.AddressInfo(ctx, "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4")
	wantCode(t, "AddressInfo(of mainnet)", err, ErrCodeNotFound)

	_, err = n.FundPSBT(ctx, []PayTo{{stranger, 1000}}, FundOptions{FeeRate: "2", MinConf: 1})
	wantCode(t, "FundPSBT() without money", err, ErrCodeWallet, ErrCodeFunds)

	last := n.mine(t, a.Script, 2)
	if got, err := n.Balances(ctx); err != nil || got != (Balances{Immature: 100_0000_0000, LastBlock: last}) {
		t.Errorf("Balances() after two blocks = %+v, %v", got, err)
	}
	last = n.mine(t, anyone, 100)
	if got, err := n.Balances(ctx); err != nil || got != (Balances{Trusted: 100_0000_0000, LastBlock: last}) {
		t.Errorf("Balances() 100 blocks later = %+v, %v", got, err)
	}

	t.Run("refusals", func(t *testing.T) { refusedPayments(t, n) })
	t.Run("coins", func(t *testing.T) { lockCoins(t, n) })
	t.Run("payment", func(t *testing.T) { pay(t, n) })
}

func refusedPayments(t *testing.T, n *bitcoind) {
	ctx := t.Context()
	fund := func(p PayTo, rate string) error {
		_, err := n.FundPSBT(ctx, []PayTo{p}, FundOptions{FeeRate: rate, MinConf: 1})
		return err
	}

	wantCode(t, "no fee estimate", fund(PayTo{stranger, 1_0000_0000}, ""), ErrCodeWallet)
	wantCode(t, "dust", fund(PayTo{stranger, 100}, "2"), ErrCodeWallet)
	wantCode(t, "other chain", fund(PayTo{"bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", 1_0000_0000}, "2"), ErrCodeNotFound)
	wantCode(t, "too much", fund(PayTo{stranger, 1000_0000_0000}, "2"), ErrCodeWallet, ErrCodeFunds)
	wantCode(t, "absurd rate", fund(PayTo{stranger, 1_0000_0000}, "500000"), ErrCodeWallet)
	for _, rate := range []string{"0", "-1", "2.0001", "fast"} {
		if err := fund(PayTo{stranger, 1_0000_0000}, rate); err == nil || Unavailable(err) {
			t.Errorf("FundPSBT() at rate %q: %v, want a refusal", rate, err)
		}
	}
	_, err := n.FundPSBT(ctx, []PayTo{{stranger, 1_0000_0000}, {stranger, 1_0000_0000}}, FundOptions{FeeRate: "2", MinConf: 1})
	wantCode(t, "one address twice", err, ErrCodeParameter)

	if _, err := n.FeeRate(ctx, 6); !errors.Is(err, ErrNoEstimate) {
		t.Errorf("FeeRate() = %v, want ErrNoEstimate", err)
	}
	_, err = n.WalletTx(ctx, chainhash.Hash{1})
	wantCode(t, "WalletTx(unknown)", err, ErrCodeNotFound)
	_, err = n.ListSinceBlock(ctx, chainhash.Hash{1})
	wantCode(t, "ListSinceBlock(unknown)", err, ErrCodeNotFound)
	_, err = n.SendRaw(ctx, []byte{1, 2, 3}, "")
	wantCode(t, "SendRaw(nonsense)", err, ErrCodeDeserialization)
	wantCode(t, "Unlock(wrong)", n.Unlock(ctx, "wrong", time.Second), ErrCodeWrongPassphrase)
}

func lockCoins(t *testing.T, n *bitcoind) {
	ctx := t.Context()
	coins, err := n.ListUnspent(ctx, 1)
	if err != nil || len(coins) != 2 || coins[0].Amount != 50_0000_0000 || !coins[0].Spendable {
		t.Fatalf("ListUnspent() = %+v, %v, want two coinbases", coins, err)
	}

	point := wire.OutPoint{Hash: coins[0].TxID, Index: coins[0].Vout}
	if err := n.LockUnspent(ctx, false, []wire.OutPoint{point}, true); err != nil {
		t.Fatal(err)
	}
	if locked, err := n.LockedUnspent(ctx); err != nil || !slices.Equal(locked, []wire.OutPoint{point}) {
		t.Errorf("LockedUnspent() = %v, %v, want %v", locked, err, point)
	}
	wantCode(t, "LockUnspent(locked)", n.LockUnspent(ctx, false, []wire.OutPoint{point}, false), ErrCodeParameter)
	if free, err := n.ListUnspent(ctx, 1); err != nil || len(free) != 1 {
		t.Errorf("ListUnspent() = %+v, %v, want the other coin", free, err)
	}
	if err := n.LockUnspent(ctx, true, []wire.OutPoint{}, false); err != nil {
		t.Error(err)
	}
	if locked, err := n.LockedUnspent(ctx); err != nil || len(locked) != 1 {
		t.Errorf("LockedUnspent() after unlocking nothing = %v, %v", locked, err)
	}
	if err := n.LockUnspent(ctx, true, nil, false); err != nil {
		t.Error(err)
	}
	if locked, err := n.LockedUnspent(ctx); err != nil || len(locked) != 0 {
		t.Errorf("LockedUnspent() after unlocking all = %v, %v", locked, err)
	}
}

// pay walks a payment from funding to confirmation, repeating every step that may be repeated.
func pay(t *testing.T, n *bitcoind) {
	ctx := t.Context()
	start, err := n.BestBlockHash(ctx)
	if err != nil {
		t.Fatal(err)
	}

	funded, err := n.FundPSBT(ctx, []PayTo{{stranger, 60_0000_0001}}, FundOptions{FeeRate: "2.5", LockUnspents: true, MinConf: 1, Replaceable: true})
	if err != nil || funded.Fee <= 0 || funded.ChangePos < 0 {
		t.Fatalf("FundPSBT() = %+v, %v, want a fee and change", funded, err)
	}
	if locked, err := n.LockedUnspent(ctx); err != nil || len(locked) != 2 {
		t.Errorf("LockedUnspent() = %v, %v, want both coins", locked, err)
	}

	_, _, err = n.ProcessPSBT(ctx, funded.PSBT)
	wantCode(t, "ProcessPSBT() locked", err, ErrCodeNeedPassphrase)
	if raw, complete, err := n.FinalizePSBT(ctx, funded.PSBT); complete || raw != nil || err != nil {
		t.Errorf("FinalizePSBT(unsigned) = %x, %v, %v", raw, complete, err)
	}

	raw := sign(t, n, funded.PSBT)
	if again := sign(t, n, funded.PSBT); !bytes.Equal(raw, again) {
		t.Error("a second signature differs")
	}
	if err := n.Lock(ctx); err != nil {
		t.Error(err)
	}
	var tx wire.MsgTx
	if err := tx.Deserialize(bytes.NewReader(raw)); err != nil {
		t.Fatal(err)
	}
	txid := tx.TxHash()

	_, err = n.WalletTx(ctx, txid)
	wantCode(t, "WalletTx() before it is sent", err, ErrCodeNotFound)
	if ok, reason, err := n.TestAccept(ctx, raw); !ok || reason != "" || err != nil {
		t.Errorf("TestAccept() = %v, %q, %v", ok, reason, err)
	}
	_, err = n.SendRaw(ctx, raw, "0.1")
	wantCode(t, "SendRaw() under its own rate", err, ErrCodeVerify)
	for range 2 {
		if got, err := n.SendRaw(ctx, raw, "3"); got != txid || err != nil {
			t.Fatalf("SendRaw() = %v, %v, want %v", got, err, txid)
		}
	}
	if ok, reason, err := n.TestAccept(ctx, raw); ok || reason != "txn-already-in-mempool" || err != nil {
		t.Errorf("TestAccept(sent) = %v, %q, %v", ok, reason, err)
	}
	if in, err := n.InMempool(ctx, txid); !in || err != nil {
		t.Errorf("InMempool() = %v, %v", in, err)
	}

	// The template must contain it, with its witness, and so must the block that is made of it.
	for {
		template, err := n.Template(ctx, "")
		if err != nil {
			t.Fatal(err)
		}
		if len(template.Txs) == 1 && template.Txs[0].TxID == txid && template.Txs[0].Fee == funded.Fee {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	block := n.mine(t, anyone, 1)

	got, err := n.WalletTx(ctx, txid)
	if err != nil || got.TxID != txid || got.Confirmations != 1 || got.BlockHash == nil || *got.BlockHash != block ||
		got.Fee != Sats(-funded.Fee) || got.Amount != -60_0000_0001 || len(got.Details) != 1 || !bytes.Equal(got.Raw, raw) {
		t.Errorf("WalletTx() = %+v, %v", got, err)
	}
	_, err = n.SendRaw(ctx, raw, "")
	wantCode(t, "SendRaw(confirmed)", err, ErrCodeInChain)
	since, err := n.ListSinceBlock(ctx, start)
	if err != nil || len(since.Transactions) != 1 || since.Transactions[0].TxID != txid || since.Transactions[0].Category != "send" || since.LastBlock != block {
		t.Errorf("ListSinceBlock() = %+v, %v, want the payment", since, err)
	}
	if all, err := n.ListSinceBlock(ctx, chainhash.Hash{}); err != nil || len(all.Transactions) != 3 {
		t.Errorf("ListSinceBlock(all) = %+v, %v, want 3 movements", all, err)
	}
}

// sign unlocks, signs and finalizes.
func sign(t *testing.T, n *bitcoind, psbt string) []byte {
	t.Helper()

	if err := n.Unlock(t.Context(), passphrase, 10*time.Second); err != nil {
		t.Fatal(err)
	}
	signed, complete, err := n.ProcessPSBT(t.Context(), psbt)
	if err != nil || !complete {
		t.Fatalf("ProcessPSBT() = complete %v, %v", complete, err)
	}
	raw, complete, err := n.FinalizePSBT(t.Context(), signed)
	if err != nil || !complete {
		t.Fatalf("FinalizePSBT() = complete %v, %v", complete, err)
	}

	return raw
}
