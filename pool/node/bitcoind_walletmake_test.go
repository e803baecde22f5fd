package node

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// The first account of the wallet of BIP 84's test vectors, on a test network.
const (
	receivePrivate = "wpkh([73c5da0a/84h/1h/0h]tprv8fSjiqEQ8YG7Ro7gw2ScwcvweYuuWi1ZzGUtrPz918HvDtBzL5s2voFTrN4y3yUwj5cYD54pLhxk6NKCzHUjcka3zbKjbTEcsuAnkzbjhkL/0/*)#zpvtp3mt"
	firstAddress   = "bcrt1q6rz28mcfaxtmd6v789l9rrlrusdprr9pz3cppk"
)

func TestBitcoindWalletOfOtherKeys(t *testing.T) {
	n := startBitcoind(t, "regtest", "-keypool=5")
	ctx := t.Context()
	if err := n.CreateBlankWallet(ctx, "pool", ""); err == nil {
		t.Error("CreateBlankWallet() without a passphrase succeeds")
	}
	if err := n.CreateBlankWallet(ctx, "pool", passphrase); err != nil {
		t.Fatal(err)
	}
	if all, err := n.Descriptors(ctx); err != nil || len(all) != 0 {
		t.Errorf("Descriptors() of a blank wallet = %v, %v", all, err)
	}
	if _, err := n.NewAddress(ctx, ""); err == nil {
		t.Error("a wallet without keys gives an address")
	}

	keys := []Descriptor{{Desc: receivePrivate, Active: true}}
	wantCode(t, "ImportDescriptors() locked", n.ImportDescriptors(ctx, keys), ErrCodeNeedPassphrase)
	if err := n.Unlock(ctx, passphrase, time.Minute); err != nil {
		t.Fatal(err)
	}
	wantCode(t, "ImportDescriptors(no descriptor)", n.ImportDescriptors(ctx, []Descriptor{{Desc: "wpkh(nothing)"}}), ErrCodeNotFound)
	for range 2 {
		if err := n.ImportDescriptors(ctx, keys); err != nil {
			t.Fatal(err)
		}
	}
	if err := n.Lock(ctx); err != nil {
		t.Fatal(err)
	}
	if got, err := n.NewAddress(ctx, ""); err != nil || got != firstAddress {
		t.Errorf("NewAddress() = %s, %v, want %s", got, err, firstAddress)
	}
	public, err := n.Descriptors(ctx)
	if err != nil || len(public) != 1 || !public[0].Active || public[0].Internal {
		t.Fatalf("Descriptors() = %+v, %v", public, err)
	}

	t.Run("backup", func(t *testing.T) { backUp(t, n, public) })
}

// backUp copies a wallet with a coin, and finds the coin by the backup, and by the descriptors alone.
func backUp(t *testing.T, n *bitcoind, public []Descriptor) {
	ctx := t.Context()
	info, err := n.AddressInfo(ctx, firstAddress)
	if err != nil || !info.Mine {
		t.Fatalf("AddressInfo() = %+v, %v", info, err)
	}
	n.mine(t, info.Script, 1)
	n.mine(t, anyone, 100)

	dir := t.TempDir()
	file, scratch := filepath.Join(dir, "copy.dat"), filepath.Join(dir, "scratch")
	if err := n.BackupWallet(ctx, file); err != nil {
		t.Fatal(err)
	}
	wantCode(t, "RestoreWallet(existing)", n.RestoreWallet(ctx, "pool", file), ErrCodeWalletExists)
	noWallet := filepath.Join(dir, "nothing.dat")
	if err := os.WriteFile(noWallet, []byte("this is no wallet"), 0o600); err != nil {
		t.Fatal(err)
	}
	wantCode(t, "RestoreWallet(no wallet)", n.RestoreWallet(ctx, filepath.Join(dir, "none"), noWallet), ErrCodeNoWallet)
	if err := n.RestoreWallet(ctx, scratch, file); err != nil {
		t.Fatal(err)
	}
	copied := n.ForWallet(scratch)
	if got, err := copied.Balances(ctx); err != nil || got.Trusted != 50_0000_0000 {
		t.Errorf("Balances() of the backup = %+v, %v", got, err)
	}
	if err := n.UnloadWallet(ctx, scratch); err != nil {
		t.Error(err)
	}

	if got, err := n.ScanCoins(ctx, public); err != nil || got != 50_0000_0000 {
		t.Errorf("ScanCoins() = %v, %v", got, err)
	}
	wantCode(t, "Rescan() locked", n.Rescan(ctx, 0), ErrCodeNeedPassphrase)
	if err := n.Unlock(ctx, passphrase, time.Minute); err != nil {
		t.Fatal(err)
	}
	if err := n.Rescan(ctx, 0); err != nil {
		t.Error(err)
	}
	n.UseWallet(scratch)
	_, err = n.Balances(ctx)
	wantCode(t, "Balances() of an unloaded wallet", err, ErrCodeNoWallet)
}
