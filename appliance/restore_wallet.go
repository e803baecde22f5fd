package appliance

import (
	"context"
	"database/sql"
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

// load has the node open the wallet and returns its name. One that came with a backup is
// restored first, unless the node has it.
func (w *walletKeeper) load(ctx context.Context) (name string, err error) {
	brought, waits, err := w.layBrought(ctx)
	if err != nil {
		return w.current(), err
	}
	if waits {
		if err := w.bring(ctx, brought); err != nil {
			return w.current(), err
		}
	}
	name = w.current()
	return name, w.a.node.LoadWallet(ctx, name)
}

// bring has the node have the wallet of a backup: one that owns the address which the
// blocks of the books pay and is there already, which is newer, or else the copy, under
// the wallet's own name or the first that is free. A wallet of another box that was set
// up here before has the same name; it stays as it is. The caller holds making.
func (w *walletKeeper) bring(ctx context.Context, brought walletBrought) error {
	file := filepath.Join(w.dir, brought.File)
	brought.Done = true
	names := []string{w.current()}
	for number := range maxWallets {
		names = append(names, walletName(w.a.network, number+1))
	}
	for _, name := range names {
		n := w.a.node.ForWallet(name)
		entry := AuditEntry{Actor: "box", Action: "wallet.found", Object: name, Result: "ok"}
		err := n.LoadWallet(ctx, name)
		switch {
		case err == nil:
			ours, err := w.ownsReward(ctx, n)
			if err != nil {
				return err
			}
			if !ours {
				if err := n.UnloadWallet(ctx, name); err != nil {
					return err
				}
				continue
			}
		case node.IsCode(err, node.ErrCodeNoWallet):
			w.say("the wallet is restored from the backup; the node reads the chain for it")
			if err := w.restoreBrought(ctx, n, name, file); err != nil {
				return err
			}
			entry.Action, entry.Detail = "wallet.restore", map[string]string{"from": "backup"}
		case node.IsCode(err, node.ErrCodeWallet) && name != names[0]:
			continue // damaged, and another's as far as anybody knows
		default:
			return err
		}
		return w.become(ctx, name, map[string]any{settingBrought: brought}, entry)
	}
	return fmt.Errorf("none of %d names is free for the wallet of the backup", maxWallets)
}

func (w *walletKeeper) restoreBrought(ctx context.Context, n *node.Client, name, file string) error {
	ctx, cancel := context.WithTimeout(ctx, restoreTakes)
	defer cancel()
	return n.RestoreWallet(ctx, name, file)
}

// ownsReward tells whether a wallet is the one that the blocks of the books pay.
func (w *walletKeeper) ownsReward(ctx context.Context, n *node.Client) (bool, error) {
	var reward string
	known, err := w.a.readSetting(ctx, settingReward, &reward)
	if err != nil || !known {
		return false, err
	}
	info, err := n.AddressInfo(ctx, reward)
	if err != nil {
		return false, err
	}
	return info.Mine, nil
}
