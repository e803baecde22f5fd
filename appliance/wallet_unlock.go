package appliance

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/dmpool/dmpool/pool/node"
)

// UnlockChange asks for another way to keep the wallet's passphrase.
type UnlockChange struct {
	Unlock     string // "auto" or "ask"
	Passphrase string // of the wallet; it is tried before anything changes
	Actor, IP  string
}

// ChangeUnlock changes how the wallet's passphrase is kept: by the box, which then
// unlocks by itself, or by the operator, who types it after each start. Either way
// the passphrase is typed and has to open the wallet: the box must not keep a wrong
// one, nor destroy one that nobody else has. The refusals are [*WalletError].
func (a *Appliance) ChangeUnlock(ctx context.Context, c UnlockChange) error {
	if c.Unlock != unlockAuto && c.Unlock != unlockAsk {
		return refuse("Choose whether the box keeps the passphrase or asks for it.")
	}
	w := a.wallet
	w.making.Lock()
	defer w.making.Unlock()
	if a.payouts.Cold() {
		return refuse("This wallet has no keys here, so there is no passphrase to keep.")
	}
	if !w.ready() {
		return refuse("The wallet is not open, so its passphrase cannot be tried. Nothing was changed.")
	}
	passphrase := strings.TrimSpace(c.Passphrase)
	if err := a.prove(ctx, passphrase, c); err != nil {
		return err
	}
	if err := a.keys.serviceAgrees(c.Unlock, passphrase); err != nil {
		return err
	}
	if c.Unlock == unlockAuto {
		// The file comes first: without the setting, it is removed at the next start.
		if err := a.keys.store(passphrase); err != nil {
			return err
		}
	}
	settings := walletSettings{Name: w.current(), Unlock: c.Unlock, Words: w.words}
	err := a.db.Update(ctx, func(tx *sql.Tx) error {
		if err := writeSetting(ctx, tx, settingWallet, settings, time.Now()); err != nil {
			return err
		}
		return writeAudit(ctx, tx, AuditEntry{
			Actor: c.Actor, Action: "wallet.keep", Object: settings.Name, Result: "ok", IP: c.IP, Detail: map[string]string{"unlock": c.Unlock},
		})
	})
	if err != nil {
		return err
	}
	a.keys.remember(passphrase)
	a.keys.setMode(c.Unlock)
	return a.keys.forgetFile()
}

// prove tries the passphrase on the wallet.
func (a *Appliance) prove(ctx context.Context, passphrase string, c UnlockChange) error {
	if passphrase == "" {
		return refuse("Type the passphrase of the wallet, too: it is tried before anything changes.")
	}
	err := a.payouts.TryPassphrase(ctx, passphrase)
	switch {
	case node.IsCode(err, node.ErrCodeWrongPassphrase):
		refusal := refuse("The wallet does not open with this passphrase. Nothing was changed.")
		return errors.Join(refusal, a.Audit(ctx, AuditEntry{Actor: c.Actor, Action: "wallet.keep", Result: "wrong passphrase", IP: c.IP}))
	case node.IsCode(err, node.ErrCodeWrongEncryption):
		return refuse("This wallet is not encrypted, so there is no passphrase to keep.")
	case err != nil:
		return refuse("The passphrase could not be tried. %s", node.Sentence(err))
	}
	return nil
}

// serviceAgrees refuses what a credential of the service manager stands against: it
// is there at each start and wins.
func (k *keyring) serviceAgrees(unlock, passphrase string) error {
	handed, err := readPassphrase(credentialFile())
	if err != nil || handed == "" {
		return err
	}
	const next = "Change the line LoadCredentialEncrypted= of the service (systemctl edit dmpool) and restart it"
	switch {
	case unlock == unlockAsk:
		return refuse("The service manager hands the passphrase over at each start, so the box would not ask. %s without that line.", next)
	case handed != passphrase:
		return refuse("The service manager hands over another passphrase, with which the wallet does not open. %s.", next)
	}
	return nil
}

// setMode says from now on how the passphrase is kept.
func (k *keyring) setMode(unlock string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.unlock = unlock
}

func (k *keyring) mode() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.unlock
}

// shred overwrites a file and removes it, durably. A disk that writes elsewhere than
// it is told, as every SSD does, may still hold what was in it: who is to have no use
// of an old passphrase on a lost disk encrypts that disk.
func shred(file string) error {
	f, err := os.OpenFile(file, os.O_WRONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("overwrite passphrase file: %w", err)
	}
	info, err := f.Stat()
	if err == nil {
		_, err = f.Write(make([]byte, info.Size()))
	}
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("overwrite passphrase file: %w", err)
	}
	if err := os.Remove(file); err != nil {
		return fmt.Errorf("remove passphrase file: %w", err)
	}
	dir, err := os.Open(filepath.Dir(file))
	if err != nil {
		return fmt.Errorf("remove passphrase file: %w", err)
	}
	return errors.Join(dir.Sync(), dir.Close())
}
