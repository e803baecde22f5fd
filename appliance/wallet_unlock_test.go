package appliance

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestUnlockModeIsChanged goes from a box that unlocks by itself to one that asks,
// and back, with a real wallet.
func TestUnlockModeIsChanged(t *testing.T) {
	binary := realNode(t)
	ctx := t.Context()
	dir := setUpDir(t)
	file := dataDir{dir}.passphrase("regtest")
	b := startBox(t, dir, binary)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	passphrase := strings.TrimSpace(string(text))
	change := func(unlock, typed string) error {
		return b.box.ChangeUnlock(ctx, UnlockChange{Unlock: unlock, Passphrase: typed, Actor: "admin", IP: "127.0.0.1"})
	}
	for _, v := range []struct{ unlock, typed, want string }{
		{"ask", "", "Type the passphrase of the wallet"},
		{"ask", "wrong", "does not open with this passphrase"},
		{"auto", "wrong", "does not open with this passphrase"},
		{"never", passphrase, "Choose whether"},
	} {
		if err := change(v.unlock, v.typed); !isRefusal(err, v.want) {
			t.Errorf("%s with %q: %v, want %q", v.unlock, v.typed, err, v.want)
		}
	}
	if now, err := os.ReadFile(file); err != nil || string(now) != string(text) || b.wallet().Unlock != unlockAuto {
		t.Fatalf("a refusal changed something: %v, %q", err, b.wallet().Unlock)
	}

	if err := change(unlockAsk, " "+passphrase+" "); err != nil {
		t.Fatal(err)
	}
	if w := b.wallet(); w.Unlock != unlockAsk || w.Kept != keptInMemory || exists(file) {
		t.Errorf("asking: %q, kept by %q, file there %t", w.Unlock, w.Kept, exists(file))
	}
	wantAudit(t, b.box, "wallet.keep", "", "wrong passphrase")
	wantAudit(t, b.box, "wallet.keep", "dmpool-regtest", "ok")
	b.stop()

	b = launchBox(t, dir, binary)
	b.eventually("the wallet waits for its passphrase", func() bool { return b.wallet().Loaded && b.wallet().NeedsKey })
	if err := change(unlockAuto, passphrase); err != nil {
		t.Fatal(err)
	}
	if w := b.wallet(); w.Unlock != unlockAuto || w.Kept != keptInFile || w.NeedsKey {
		t.Errorf("unlocking by itself: %q, kept by %q", w.Unlock, w.Kept)
	}
	b.stop()
	b = startBox(t, dir, binary)
	if got, err := b.box.keys.Passphrase(ctx); err != nil || got != passphrase {
		t.Errorf("after the restart the box has %q, %v", got, err)
	}
	b.stop()
}

// What the service manager hands over wins at each start, so nothing is chosen that
// it would undo. A file that holds the same is of no use any more.
func TestPassphraseOfTheServiceManager(t *testing.T) {
	t.Setenv("CREDENTIALS_DIRECTORY", t.TempDir())
	k := &keyring{file: filepath.Join(t.TempDir(), "passphrase"), unlock: unlockAuto}
	put := func(file, text string) {
		if err := os.WriteFile(file, []byte(text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := k.serviceAgrees(unlockAsk, "ours"); err != nil {
		t.Errorf("without a credential: %v", err)
	}
	put(k.file, "ours")
	put(credentialFile(), "another")
	if err := k.serviceAgrees(unlockAsk, "ours"); !isRefusal(err, "would not ask") {
		t.Errorf("asking beside a credential: %v", err)
	}
	if err := k.serviceAgrees(unlockAuto, "ours"); !isRefusal(err, "hands over another passphrase") {
		t.Errorf("beside another credential: %v", err)
	}
	if err := k.forgetFile(); err != nil || !exists(k.file) {
		t.Errorf("the file that holds something else: %v, there %t", err, exists(k.file))
	}
	put(credentialFile(), "ours")
	if err := k.serviceAgrees(unlockAuto, "ours"); err != nil {
		t.Errorf("beside the same credential: %v", err)
	}
	if err := k.forgetFile(); err != nil || exists(k.file) {
		t.Errorf("the file that holds the same: %v, there %t", err, exists(k.file))
	}
	if err := k.keep("new"); err != nil || exists(k.file) {
		t.Errorf("a passphrase was written beside the credential: %v", err)
	}
	put(credentialFile(), "")
	if _, err := readPassphrase(credentialFile()); err == nil {
		t.Error("an empty credential is a passphrase")
	}
}

// The bytes are gone from the file itself, which another name may still lead to.
func TestShred(t *testing.T) {
	dir := t.TempDir()
	file, other := filepath.Join(dir, "passphrase"), filepath.Join(dir, "other")
	if err := os.WriteFile(file, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(file, other); err != nil {
		t.Fatal(err)
	}
	if err := shred(file); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(file); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the file is there: %v", err)
	}
	if text, err := os.ReadFile(other); err != nil || string(text) != "\x00\x00\x00\x00\x00\x00" {
		t.Errorf("what was in it: %q, %v", text, err)
	}
	if err := shred(file); err != nil {
		t.Errorf("a file that is not there: %v", err)
	}
}
