package appliance

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/dmpool/dmpool/pool/node"
)

// The wallet of a backup waits in the network's folder until there is a node. Then it is
// laid among the copies of the wallet, where it stays, and unless the node has the
// wallet already, is restored from there. A crash at any moment has this begin again.

// broughtWallet is a wallet that waits for the node.
func (d dataDir) broughtWallet(network string) string {
	return filepath.Join(d.of(network), "restored-wallet.dat")
}

// walletBrought says that a wallet came with a backup.
type walletBrought struct {
	File string `json:"file"` // its name among the copies
	Done bool   `json:"done"` // the node has the wallet
}

// readyWallet writes into the unpacked ledger that the wallet is to be brought to the
// node, and that it is a copy which can be had again.
func (r *Restoration) readyWallet(ctx context.Context, tx *sql.Tx, now time.Time) error {
	f, there := r.m.File(partWallet)
	if !there {
		return nil
	}
	name := "restored-" + r.m.Made.UTC().Format("20060102-150405") + copyOf(r.m.Wallet)
	if err := writeSetting(ctx, tx, settingBrought, walletBrought{File: name}, now); err != nil {
		return err
	}
	made := WalletBackup{At: r.m.Made, SoundAt: r.m.Made.UnixMilli(), File: name, Size: f.Size}
	return writeSetting(ctx, tx, settingBackup, made, now)
}

// layBrought lays the wallet among the copies, and tells whether it has still to be
// restored from there. The caller holds making.
func (w *walletKeeper) layBrought(ctx context.Context) (b walletBrought, waits bool, err error) {
	known, err := w.a.readSetting(ctx, settingBrought, &b)
	if err != nil || !known || b.Done {
		return b, false, err
	}
	source, path := w.a.dir.broughtWallet(w.a.network), filepath.Join(w.dir, b.File)
	if !exists(source) {
		return b, exists(path), nil
	}
	if err := os.MkdirAll(w.dir, 0o700); err != nil {
		return b, false, fmt.Errorf("make folder for copies: %w", err)
	}
	laid := filepath.Join(w.dir, "restored.tmp")
	err = os.RemoveAll(laid)
	if err == nil {
		err = copyFile(source, laid)
	}
	if err == nil {
		err = w.letIn(laid)
	}
	if err == nil {
		err = os.Rename(laid, path)
	}
	if err == nil {
		err = syncFolder(w.dir)
	}
	if err == nil {
		err = os.Remove(source)
	}
	if err != nil {
		return b, false, fmt.Errorf("lay the wallet of the backup before the node: %w", err)
	}
	return b, true, nil
}

// load has the node open the wallet. One that came with a backup, and that the node does
// not have, is restored; one that it has is newer.
func (w *walletKeeper) load(ctx context.Context, name string) error {
	brought, waits, err := w.layBrought(ctx)
	if err != nil {
		return err
	}
	err = w.a.node.LoadWallet(ctx, name)
	if !waits {
		return err
	}
	if node.IsCode(err, node.ErrCodeNoWallet) {
		w.say("the wallet is restored from the backup; the node reads the chain for it")
		within, cancel := context.WithTimeout(ctx, restoreTakes)
		defer cancel()
		err = w.a.node.RestoreWallet(within, name, filepath.Join(w.dir, brought.File))
	}
	if err != nil {
		return err
	}
	brought.Done = true
	return errors.Join(w.a.saveSetting(ctx, settingBrought, brought),
		w.a.Audit(ctx, AuditEntry{Actor: "box", Action: "wallet.restore", Object: name, Result: "ok", Detail: map[string]string{"from": "backup"}}))
}
