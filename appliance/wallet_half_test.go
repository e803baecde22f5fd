package appliance

import (
	"path/filepath"
	"testing"
)

// TestWalletThatWasHalfMade is that of a node which was killed while it made the
// wallet: the file is there and has no keys. Another one is made, and what is
// there is left alone.
func TestWalletThatWasHalfMade(t *testing.T) {
	binary := realNode(t)
	ctx := t.Context()
	dir := filepath.Join(t.TempDir(), "box")
	answers := parse(t, `{"network":"regtest","operator":{"password":"`+goodPassword+`"},"wallet":{"words":true,"unlock":"auto"}}`)
	if err := SetUp(ctx, dir, answers); err != nil {
		t.Fatal(err)
	}
	b := launchBox(t, dir, binary)
	b.eventually("the box asks for the words", func() bool { return b.wallet().Words == WordsWanted && b.box.nodeIsReady() })
	if err := b.box.node.CreateBlankWallet(ctx, "dmpool-regtest", walletPassphrase); err != nil {
		t.Fatal(err)
	}
	var wallet walletSettings
	if _, err := b.box.readSetting(ctx, settingWallet, &wallet); err != nil {
		t.Fatal(err)
	}
	wallet.Words = false
	if err := b.box.saveSetting(ctx, settingWallet, wallet); err != nil {
		t.Fatal(err)
	}
	b.stop()

	for range 2 { // and it stays with that one
		b = launchBox(t, dir, binary)
		b.eventually("the wallet is there", func() bool { return b.wallet().Loaded })
		if w := b.wallet(); w.Problem != "" || b.box.wallet.current() != "dmpool-regtest-2" {
			t.Errorf("wallet %s: %q", b.box.wallet.current(), w.Problem)
		}
		b.stop()
	}
}

// TestWalletMadeElsewhere is that of somebody who made it with other means, such as
// one that only watches, before drawing the words that the set-up spoke of. It is
// taken as it is, and no words are offered any more.
func TestWalletMadeElsewhere(t *testing.T) {
	binary := realNode(t)
	dir := filepath.Join(t.TempDir(), "box")
	answers := parse(t, `{"network":"regtest","operator":{"password":"`+goodPassword+`"},"wallet":{"words":true}}`)
	if err := SetUp(t.Context(), dir, answers); err != nil {
		t.Fatal(err)
	}
	b := launchBox(t, dir, binary)
	b.eventually("the box asks for the words", func() bool { return b.wallet().Words == WordsWanted && b.box.nodeIsReady() })
	if err := b.box.node.CreateWallet(t.Context(), "dmpool-regtest", walletPassphrase); err != nil {
		t.Fatal(err)
	}
	b.eventually("the wallet is taken", func() bool { return b.wallet().Loaded })
	if w := b.wallet(); w.Words != WordsNone || w.Address == "" {
		t.Errorf("the wallet: %+v", w)
	}
	if _, err := b.box.DrawWords(t.Context(), "admin", "::1"); !isRefusal(err, "There is a wallet already") {
		t.Errorf("words for it: %v", err)
	}
	b.stop()
}
