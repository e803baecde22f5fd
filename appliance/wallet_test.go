package appliance

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dmpool/dmpool/appliance/bitcoind"
	"github.com/dmpool/dmpool/appliance/seed"
	"github.com/dmpool/dmpool/pool/node"
)

const walletPassphrase = "a passphrase of the test"

// wordsOfBIP84 are those of another wallet than the test's.
const wordsOfBIP84 = "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about"

// TestWalletOfWords makes a wallet of twelve words, mines to it, and gets it back:
// in an unrelated wallet from the words alone, after its file was damaged from the
// words and from a copy, and not from what belongs to another wallet.
func TestWalletOfWords(t *testing.T) {
	t.Parallel()
	binary := realNode(t)
	ctx := t.Context()
	dir := filepath.Join(t.TempDir(), "box")
	answers := parse(t, `{"network":"regtest","operator":{"password":"`+goodPassword+`"},"wallet":{"words":true,"unlock":"ask","passphrase":"`+walletPassphrase+`"}}`)
	if err := SetUp(ctx, dir, answers); err != nil {
		t.Fatal(err)
	}

	b := launchBox(t, dir, binary)
	b.eventually("the box asks for the words", func() bool {
		w := b.wallet()
		return w.Words == WordsWanted && strings.Contains(w.Problem, "twelve words")
	})
	if b.box.Pool().Status().Serving {
		t.Error("miners get work before there is a wallet")
	}
	words := b.drawAndConfirm()
	b.eventually("the box is healthy", func() bool { return b.box.Health(ctx).Status == Healthy })
	b.mine()
	b.eventually("a block is mature", func() bool { return b.sums().Spendable > 0 })
	b.rest()
	b.check()
	sameWalletElsewhere(t, b, words)
	for _, secret := range words {
		if strings.Contains(b.wallet().Problem, " "+secret+" ") {
			t.Error("the status tells a word")
		}
	}
	if err := b.box.TestWords(ctx, strings.Join(words, " "), "admin", "127.0.0.1"); err != nil {
		t.Errorf("the words are not taken for those of the wallet: %v", err)
	}
	b.stop()

	t.Run("damaged wallet.dat", func(t *testing.T) { restoreFromWords(t, dir, binary, words) })
	t.Run("damaged again", func(t *testing.T) { restoreFromCopy(t, dir, binary) })
}

func (b *runningBox) wallet() WalletStatus { return b.box.Wallet(b.t.Context()) }

// drawAndConfirm takes the words down, mistypes one, is asked for others, and
// types those.
func (b *runningBox) drawAndConfirm() []string {
	b.t.Helper()
	ctx := b.t.Context()
	if _, err := b.box.DrawWords(ctx, "admin", "127.0.0.1"); err != nil {
		b.t.Fatal(err)
	}
	words, err := b.box.DrawWords(ctx, "admin", "127.0.0.1")
	if err != nil || len(words) != 12 {
		b.t.Fatalf("%d words, %v", len(words), err)
	}
	typed := func() []string {
		var at []string
		for _, place := range b.wallet().Ask {
			at = append(at, words[place-1])
		}
		return at
	}
	wrong := typed()
	wrong[1] = "wrong"
	for _, try := range [][]string{wrong, typed()[:2], nil} {
		if err := b.box.ConfirmWords(ctx, try, "admin", "127.0.0.1"); !isRefusal(err, "not the words at those places") {
			b.t.Fatalf("wrong words: %v", err)
		}
	}
	// A form that is sent twice makes one wallet, of these words.
	right := typed()
	var confirmed [2]error
	var group sync.WaitGroup
	for i := range confirmed {
		group.Go(func() { confirmed[i] = b.box.ConfirmWords(ctx, right, "admin", "127.0.0.1") })
	}
	group.Wait()
	if (confirmed[0] == nil) == (confirmed[1] == nil) || !isRefusal(errors.Join(confirmed[:]...), "No words wait for their confirmation") {
		b.t.Fatalf("the same words, confirmed twice: %v", confirmed)
	}
	b.eventually("the wallet is there", func() bool { return b.wallet().Words == WordsConfirmed && b.wallet().Loaded })
	if _, err := b.box.DrawWords(ctx, "admin", "127.0.0.1"); !isRefusal(err, "There is a wallet already") {
		b.t.Errorf("words for a wallet that is there: %v", err)
	}
	return words
}

// sameWalletElsewhere is what a person does who has the words and nothing else.
func sameWalletElsewhere(t *testing.T, b *runningBox, text []string) {
	t.Helper()
	ctx := t.Context()
	words, err := seed.Parse(strings.Join(text, " "))
	if err != nil {
		t.Fatal(err)
	}
	account, err := b.box.accountOf(words)
	if err != nil {
		t.Fatal(err)
	}
	other := b.box.node.ForWallet("unrelated")
	if err := other.CreateBlankWallet(ctx, "unrelated", "another passphrase"); err != nil {
		t.Fatal(err)
	}
	if err := importKeys(ctx, other, account, "another passphrase"); err != nil {
		t.Fatal(err)
	}
	if err := other.Unlock(ctx, "another passphrase", time.Minute); err != nil {
		t.Fatal(err)
	}
	if err := other.Rescan(ctx, 0); err != nil {
		t.Fatal(err)
	}
	want, err := b.box.node.Balances(ctx)
	if err != nil {
		t.Fatal(err)
	}
	got, err := other.Balances(ctx)
	if err != nil || got != want || got.Trusted == 0 {
		t.Errorf("the wallet from the words alone has %+v, %v, want %+v", got, err, want)
	}
	keys, err := b.box.node.Descriptors(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range keys {
		first := deriveAddresses(t, b.box.node, d)
		theirs, err := other.Descriptors(ctx)
		if err != nil || !slices.ContainsFunc(theirs, func(o node.Descriptor) bool { return slices.Equal(deriveAddresses(t, other, o), first) }) {
			t.Errorf("the addresses %v are not those of the wallet from the words alone: %v", first, err)
		}
	}
	if err := other.UnloadWallet(ctx, "unrelated"); err != nil {
		t.Error(err)
	}
}

func deriveAddresses(t *testing.T, n *node.Client, d node.Descriptor) []string {
	t.Helper()
	var addresses []string
	if err := n.Call(t.Context(), "deriveaddresses", &addresses, d.Desc, []int{0, 20}); err != nil {
		t.Fatal(err)
	}
	return addresses
}

// restoreFromWords starts the box with a wallet.dat that is no wallet any more. The
// node runs and miners work, because the words were confirmed.
func restoreFromWords(t *testing.T, dir, binary string, words []string) {
	ctx := t.Context()
	damageWallet(t, dir, "dmpool-regtest")
	b := launchBox(t, dir, binary)
	b.eventually("the wallet is said to be damaged", func() bool { return strings.Contains(b.wallet().Problem, "restore it on the wallet page") })
	b.eventually("miners get work", func() bool { return b.box.Pool().Status().Serving })
	if c := b.box.checkWalletHealth(ctx); c.Status != Degraded || !strings.Contains(c.NextStep, "Mining goes on") {
		t.Errorf("health %+v", c)
	}

	right := strings.Join(words, " ")
	typo := strings.Replace(right, words[3], words[3]+"xq", 1)
	restoring := Restoring{Passphrase: "another passphrase", Actor: "admin", IP: "127.0.0.1"}
	for _, v := range []struct{ name, words, want string }{
		{"words with a typo", typo, "Word 4 is not of the list"},
		{"words in another language", strings.Repeat("abaisser abeille ", 6), "are not words of the English list"},
		{"words of another wallet", wordsOfBIP84, "These are the words of another wallet (fingerprint 73c5da0a)"},
	} {
		restoring.Words = v.words
		if err := b.box.RestoreWallet(ctx, restoring); !isRefusal(err, v.want) {
			t.Errorf("%s: %v, want %q", v.name, err, v.want)
		}
	}
	restoring.Words, restoring.Since = right, time.Now().Add(-time.Hour)
	if err := b.box.RestoreWallet(ctx, restoring); err != nil {
		t.Fatal(err)
	}
	b.eventually("the box is healthy", func() bool { return b.box.Health(ctx).Status == Healthy })
	if w := b.wallet(); w.Name != "dmpool-regtest-2" || w.Words != WordsConfirmed || w.Missing != 0 {
		t.Errorf("restored: %+v", w)
	}
	b.check()
	if err := b.box.UnlockWallet(ctx, walletPassphrase, "admin", "127.0.0.1"); !errors.Is(err, ErrPassphrase) {
		t.Errorf("the old passphrase: %v, want %v", err, ErrPassphrase)
	}
	if err := b.box.RestoreWallet(ctx, restoring); !isRefusal(err, "nothing to restore") {
		t.Errorf("restoring what is sound: %v", err)
	}
	if message, err := b.box.backUpWallet(ctx); err != nil || !strings.Contains(message, "the copy is whole") {
		t.Errorf("backup: %q, %v", message, err)
	}
	b.stop()
}

// restoreFromCopy damages the restored wallet and goes back to its copy.
func restoreFromCopy(t *testing.T, dir, binary string) {
	ctx := t.Context()
	damageWallet(t, dir, "dmpool-regtest-2")
	b := launchBox(t, dir, binary)
	b.eventually("the wallet is said to be damaged", func() bool { return strings.Contains(b.wallet().Problem, "restore it on the wallet page") })
	newest := b.wallet().Backup.File
	if copies := b.wallet().Copies; !slices.Contains(copies, newest) || !strings.HasSuffix(newest, "-dmpool-regtest-2.wallet") {
		t.Fatalf("the newest copy is %q of %v", newest, copies)
	}
	if err := os.WriteFile(filepath.Join(b.box.wallet.dir, "nonsense.wallet"), []byte("this is no wallet"), 0o600); err != nil {
		t.Fatal(err)
	}
	restoring := Restoring{Passphrase: "another passphrase", Actor: "admin", IP: "127.0.0.1"}
	for _, v := range []struct{ name, file, passphrase, want string }{
		{"no such file", "../passphrase", "x", "There is no copy of that name"},
		{"a file that is no wallet", "nonsense.wallet", "x", "The wallet was not restored"},
		{"wrong passphrase", newest, walletPassphrase, "does not open with this passphrase"},
	} {
		restoring.Copy, restoring.Passphrase = v.file, v.passphrase
		if err := b.box.RestoreWallet(ctx, restoring); !isRefusal(err, v.want) {
			t.Errorf("%s: %v, want %q", v.name, err, v.want)
		}
	}
	restoring.Copy, restoring.Passphrase = newest, "another passphrase"
	if err := b.box.RestoreWallet(ctx, restoring); err != nil {
		t.Fatal(err)
	}
	b.eventually("the box is healthy", func() bool { return b.box.Health(ctx).Status == Healthy })
	b.check()
	if err := b.box.UnlockWallet(ctx, "another passphrase", "admin", "127.0.0.1"); err != nil {
		t.Errorf("the copy's passphrase: %v", err)
	}
	if got, err := b.box.keys.Passphrase(ctx); err != nil || got != "another passphrase" {
		t.Errorf("the box unlocks with %q, %v", got, err)
	}
	b.stop()
}

// damageWallet overwrites the file of a wallet while the node is down.
func damageWallet(t *testing.T, dir, name string) {
	t.Helper()
	file := filepath.Join(dataDir{dir}.node("regtest"), bitcoind.DataDirName("regtest"), "regtest", "wallets", name, "wallet.dat")
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for i := range content {
		content[i] ^= 0x5a
	}
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func isRefusal(err error, part string) bool {
	refusal, ok := errors.AsType[*WalletError](err)
	return ok && strings.Contains(fmt.Sprint(refusal), part)
}
