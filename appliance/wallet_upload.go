package appliance

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/btcsuite/btcd/chaincfg/v2"
	"golang.org/x/sys/unix"

	"github.com/dmpool/dmpool/appliance/bitcoind"
	"github.com/dmpool/dmpool/pool"
	"github.com/dmpool/dmpool/pool/sqlite"
)

// MaxWalletFile is the size in bytes of the largest wallet that is taken. It has room
// for thousands of payouts to a thousand miners each, of 34 kB.
const MaxWalletFile = 256 << 20

// uploadPattern names a file that is being uploaded; copySuffix is not in it, so
// that no list shows it.
const uploadPattern = "upload-*.tmp"

// RestoreUpload is [Appliance.RestoreWallet] with a file that somebody has taken
// away and brings back. It is looked at before the node sees it, and gone
// afterwards: the wallet that is made of it is a copy.
func (a *Appliance) RestoreUpload(ctx context.Context, content io.Reader, r Restoring) error {
	w := a.wallet
	if w.ready() {
		return errNothingToRestore() // before all of it is read
	}
	if !w.receiving.TryLock() {
		return refuse("Another file is being uploaded. Wait until that is done.")
	}
	defer w.receiving.Unlock()
	file, err := w.receive(content, MaxWalletFile)
	if err != nil {
		return err
	}
	err = checkWalletFile(ctx, file, a.network)
	if err == nil {
		err = a.restore(ctx, r, func(ctx context.Context, _ Restoring, passphrase string, entry AuditEntry) error {
			entry.Detail = map[string]string{"from": "upload"}
			return w.fromFile(ctx, file, passphrase, entry)
		})
	}
	if removed := os.Remove(file); removed != nil {
		a.log.Warn("Uploaded wallet not removed", "err", removed)
	}
	return err
}

// receive writes what comes into a file beside the copies, where the node can read
// it, unless it is larger than most bytes. What an upload that a crash cut off left
// behind goes first.
func (w *walletKeeper) receive(content io.Reader, most int64) (file string, err error) {
	if err := os.MkdirAll(w.dir, 0o700); err != nil {
		return "", fmt.Errorf("make folder for copies: %w", err)
	}
	old, err := filepath.Glob(filepath.Join(w.dir, uploadPattern))
	if err != nil {
		return "", fmt.Errorf("look for old uploads: %w", err)
	}
	for _, left := range old {
		if err := os.Remove(left); err != nil {
			return "", fmt.Errorf("remove old upload: %w", err)
		}
	}
	f, err := os.CreateTemp(w.dir, uploadPattern)
	if err != nil {
		return "", fmt.Errorf("make file for the upload: %w", err)
	}
	n, err := io.Copy(f, io.LimitReader(content, most+1))
	switch err = errors.Join(err, w.openToNode(f), f.Close()); {
	case err != nil:
		err = refuse("The file did not arrive: %v.", err)
	case n > most:
		err = refuse("The file is larger than %d MB, which no wallet of this pool is.", most>>20)
	case n == 0:
		err = refuse("The file is empty. Choose a copy of the wallet, whose name ends in %s or .dat.", copySuffix)
	}
	if err != nil {
		return "", errors.Join(err, os.Remove(f.Name()))
	}
	return f.Name(), nil
}

// openToNode lets the node read a file, which may have a user of its own: by the group
// of the folder, which is closed to all others.
func (w *walletKeeper) openToNode(f *os.File) error {
	var folder unix.Stat_t
	if err := unix.Stat(w.dir, &folder); err != nil {
		return err
	}
	return errors.Join(f.Chown(-1, int(folder.Gid)), f.Chmod(0o640))
}

// letIn is openToNode of a file that is closed.
func (w *walletKeeper) letIn(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("open a file to the node: %w", err)
	}
	return errors.Join(w.openToNode(f), f.Close())
}

// checkWalletFile refuses a file that is no whole wallet of the network, in words.
// The node would do so, too, and in its own.
func checkWalletFile(ctx context.Context, file, network string) error {
	if old, err := isBerkeley(file); err != nil || old {
		return errors.Join(err, when(old, refuse("This is a wallet of the old kind (Berkeley DB), which this pool never makes. It is not a copy of the pool’s wallet.")))
	}
	found, err := sqlite.Examine(ctx, file)
	switch {
	case errors.Is(err, sqlite.ErrNoDatabase):
		return refuse("This file is no wallet, or it is damaged. Choose the copy as it was downloaded, neither packed nor encrypted by another program.")
	case err != nil:
		return err
	case !slices.Equal(found.Tables, []string{"main"}):
		return refuse("This file is a database, but no wallet of bitcoind.")
	case found.ApplicationID != walletMark(network):
		return refuse("This is a wallet of %s; this box is on the network %s, and nothing of the one can be used on the other.", markedFor(found.ApplicationID), network)
	}
	return nil
}

// walletMark is what bitcoind writes into a wallet's file to tell the chains apart
// (application_id): the four bytes with which each message of that network begins.
func walletMark(network string) uint32 {
	if network == bitcoind.NetworkPractice {
		_, magic, _ := strings.Cut(bitcoind.DataDirName(network), "-")
		raw, err := hex.DecodeString(magic)
		if err != nil || len(raw) != 4 {
			return 0
		}
		return binary.BigEndian.Uint32(raw)
	}
	params, ok := pool.ChainParams(network)
	if !ok {
		return 0
	}
	return bits.ReverseBytes32(uint32(params.Net))
}

// markedFor names the network of a mark.
func markedFor(mark uint32) string {
	for _, network := range []string{bitcoind.NetworkMain, bitcoind.NetworkTestnet4, bitcoind.NetworkSignet, bitcoind.NetworkPractice, bitcoind.NetworkRegtest} {
		if walletMark(network) == mark {
			return "the network " + network
		}
	}
	if mark == bits.ReverseBytes32(uint32(chaincfg.TestNet3Params.Net)) {
		return "the network testnet3"
	}
	return "a network that this box does not know"
}

// isBerkeley tells whether a file is a Berkeley DB, in either order of bytes.
func isBerkeley(file string) (bool, error) {
	f, err := os.Open(file)
	if err != nil {
		return false, fmt.Errorf("look at the upload: %w", err)
	}
	defer f.Close()
	var head [16]byte
	if _, err := io.ReadFull(f, head[:]); err != nil {
		return false, nil // too short for any
	}
	const magic = 0x00053162
	return binary.LittleEndian.Uint32(head[12:]) == magic || binary.BigEndian.Uint32(head[12:]) == magic, nil
}
