package appliance

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/dmpool/dmpool/pool/node"
)

// TestRestoreFromUpload brings back a copy of the wallet that somebody has taken
// away, after the wallet and all copies on the disk are gone.
func TestRestoreFromUpload(t *testing.T) {
	binary := realNode(t)
	ctx := t.Context()
	dir := setUpDir(t)
	b := startBox(t, dir, binary)
	b.mine()
	b.eventually("a block is mature", func() bool { return b.sums().Spendable > 0 })
	b.rest()
	if err := b.box.RestoreUpload(ctx, strings.NewReader("x"), Restoring{}); !isRefusal(err, "nothing to restore") {
		t.Errorf("beside a sound wallet: %v", err)
	}
	if _, err := b.box.backUpWallet(ctx); err != nil {
		t.Fatal(err)
	}
	taken, err := b.box.CopyOfWallet(ctx, "admin", "127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	whole, err := io.ReadAll(taken)
	if err != nil {
		t.Fatal(err)
	}
	if err := taken.Close(); err != nil {
		t.Fatal(err)
	}
	want := b.wallet()
	folder := b.box.wallet.dir
	stranger := walletOfSomebodyElse(t, b.box.node)
	b.stop()
	damageWallet(t, dir, "dmpool-regtest")
	if err := os.RemoveAll(folder); err != nil {
		t.Fatal(err)
	}

	b = launchBox(t, dir, binary)
	b.eventually("the wallet is said to be damaged", func() bool { return strings.Contains(b.wallet().Problem, "restore it on the wallet page") })
	foreign := bytes.Clone(whole)
	copy(foreign[68:], []byte{0xf9, 0xbe, 0xb4, 0xd9})
	for _, v := range []struct {
		name       string
		content    []byte
		passphrase string
		want       string
	}{
		{"nothing", nil, "", "The file is empty"},
		{"a picture", bytes.Repeat([]byte("picture"), 1000), "", "no wallet, or it is damaged"},
		{"half of it", whole[:len(whole)/2], "", "no wallet, or it is damaged"},
		{"another network's", foreign, "", "a wallet of the network main; this box is on the network regtest"},
		{"somebody else's", stranger, "", "a copy of another wallet"},
		{"with a wrong passphrase", whole, "wrong", "does not open with this passphrase"},
	} {
		err := b.box.RestoreUpload(ctx, bytes.NewReader(v.content), Restoring{Passphrase: v.passphrase, Actor: "admin", IP: "127.0.0.1"})
		if !isRefusal(err, v.want) {
			t.Errorf("%s: %v, want %q", v.name, err, v.want)
		}
	}
	if err := b.box.RestoreUpload(ctx, bytes.NewReader(whole), Restoring{Actor: "admin", IP: "127.0.0.1"}); err != nil {
		t.Fatal(err)
	}
	b.eventually("the box is healthy", func() bool { return b.box.Health(ctx).Status == Healthy })
	got := b.wallet()
	if got.Address != want.Address || got.Trusted+got.Immature < want.Trusted+want.Immature || got.Name == want.Name {
		t.Errorf("restored %+v, want the coins of %+v under a new name", got, want)
	}
	if left, err := filepath.Glob(filepath.Join(folder, uploadPattern)); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	wantAudit(t, b.box, "wallet.restore", got.Name, "ok")
	b.check()
	b.stop()
}

// walletOfSomebodyElse is the file of a wallet that is not the pool's.
func walletOfSomebodyElse(t *testing.T, n *node.Client) []byte {
	t.Helper()
	ctx := t.Context()
	other := n.ForWallet("somebody")
	if err := other.CreateWallet(ctx, "somebody", "secret"); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "somebody.dat")
	if err := other.BackupWallet(ctx, file); err != nil {
		t.Fatal(err)
	}
	if err := other.UnloadWallet(ctx, "somebody"); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// TestUploadIsBounded ends an upload that is larger than any wallet, and clears away
// what a crash left of another.
func TestUploadIsBounded(t *testing.T) {
	w := &walletKeeper{dir: filepath.Join(t.TempDir(), "copies")}
	if err := os.MkdirAll(w.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(w.dir, "upload-1.tmp"), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := w.receive(endless{}, 1<<20); !isRefusal(err, "larger than") {
		t.Errorf("an endless file: %v", err)
	}
	if left, err := os.ReadDir(w.dir); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// The node reads an upload by the group of the folder, and nobody else does.
func TestUploadIsOpenToTheNode(t *testing.T) {
	w := &walletKeeper{dir: t.TempDir()}
	file, err := w.receive(strings.NewReader("a wallet"), 100)
	if err != nil {
		t.Fatal(err)
	}
	var folder, upload unix.Stat_t
	if err := errors.Join(unix.Stat(w.dir, &folder), unix.Stat(file, &upload)); err != nil {
		t.Fatal(err)
	}
	if upload.Gid != folder.Gid || upload.Mode&0o777 != 0o640 {
		t.Errorf("the upload has group %d and mode %o, the folder group %d", upload.Gid, upload.Mode&0o777, folder.Gid)
	}
}

// endless is a file without an end.
type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

// TestWalletMarks: the marks are those with which the networks' messages begin.
func TestWalletMarks(t *testing.T) {
	for network, want := range map[string]uint32{
		"main": 0xf9beb4d9, "testnet4": 0x1c163f28, "signet": 0x0a03cf40, "regtest": 0xfabfb5da,
	} {
		if got := walletMark(network); got != want {
			t.Errorf("walletMark(%s) = %08x, want %08x", network, got, want)
		}
		if got := markedFor(want); got != "the network "+network {
			t.Errorf("markedFor(%08x) = %q", want, got)
		}
	}
	if got := walletMark("practice"); got == 0 || got == walletMark("signet") {
		t.Errorf("walletMark(practice) = %08x", got)
	}
	if got := markedFor(0x0b110907); got != "the network testnet3" {
		t.Errorf("markedFor(testnet3) = %q", got)
	}
	if got := markedFor(1); !strings.Contains(got, "does not know") {
		t.Errorf("markedFor(1) = %q", got)
	}
	berkeley := make([]byte, 5000)
	copy(berkeley[12:], []byte{0x62, 0x31, 0x05, 0x00})
	file := fileWith(t, string(berkeley))
	if err := checkWalletFile(t.Context(), file, "regtest"); !isRefusal(err, "Berkeley DB") {
		t.Errorf("a wallet of the old kind: %v", err)
	}
}
