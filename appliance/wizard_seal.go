package appliance

import (
	"encoding/base64"
	"fmt"
)

// The passphrase of the wallet is the one secret that the set-up has to keep as it
// was typed, until the wallet is made. A database cannot be made to forget: pages
// and write-ahead log that it gave back still lie on the disk. So setup.db has it
// sealed, under a key in a file of its own, which is overwritten at the end.

// nobody is whose secrets these are: there is no operator yet.
const nobody = 0

// hide seals the passphrase of an answer that is about to be kept.
func (w *Wizard) hide(a *WalletAnswer) error {
	if a.Passphrase == "" {
		return nil
	}
	key, err := sealKey(w.dir.wizardKey(), true)
	if err != nil {
		return fmt.Errorf("keep passphrase: %w", err)
	}
	sealed, err := seal(key, nobody, []byte(a.Passphrase))
	if err != nil {
		return fmt.Errorf("keep passphrase: %w", err)
	}
	a.Passphrase = base64.StdEncoding.EncodeToString(sealed)
	return nil
}

// reveal is the way back. Without the key it is false: the question has to be
// asked again.
func (w *Wizard) reveal(a *WalletAnswer) bool {
	if a.Passphrase == "" {
		return true
	}
	sealed, err := base64.StdEncoding.DecodeString(a.Passphrase)
	if err != nil {
		return false
	}
	key, err := sealKey(w.dir.wizardKey(), false)
	if err != nil {
		return false
	}
	text, err := unseal(key, nobody, sealed)
	a.Passphrase = string(text)
	return err == nil
}
