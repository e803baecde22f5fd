package appliance

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/google/renameio/v2"

	"github.com/dmpool/dmpool/pool/payout"
)

// How the wallet's passphrase is kept.
const (
	// unlockAuto: the box keeps it and pays what was approved by itself. The
	// file protects backups of the wallet, not a stolen disk.
	unlockAuto = "auto"
	// unlockAsk: it lives in memory only; the operator types it after a start.
	unlockAsk = "ask"
)

// credentialName is the passphrase's name among the service's credentials
// (systemd.exec(5), LoadCredentialEncrypted=). It wins over the file.
const credentialName = "wallet-passphrase"

// defaultUnlock is ask wherever coins are worth something.
func defaultUnlock(network string) string {
	if network == "practice" || network == "regtest" {
		return unlockAuto
	}
	return unlockAsk
}

// keepPassphrase stores the passphrase at set-up: for good with unlockAuto, and
// until the wallet is made with unlockAsk. Without an answer it makes one. A
// passphrase that is there already may open a wallet, so it is never replaced.
func keepPassphrase(d dataDir, network string, answer WalletAnswer) error {
	file := d.passphrase(network)
	old, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("read passphrase: %w", err)
	}
	if kept := strings.TrimSpace(string(old)); kept != "" {
		if answer.Passphrase == "" || answer.Passphrase == kept {
			return nil
		}
		return fmt.Errorf("%s holds the passphrase of an earlier set-up, which may open a wallet with coins; move it away to use another", file)
	}
	passphrase := answer.Passphrase
	if passphrase == "" {
		passphrase = rand.Text()
	}
	if err := renameio.WriteFile(file, []byte(passphrase+"\n"), 0o600); err != nil {
		return fmt.Errorf("write passphrase: %w", err)
	}
	return nil
}

// Where the passphrase comes from.
const (
	keptByService = "service" // a credential of the service manager
	keptInFile    = "file"
	keptInMemory  = "memory" // typed since the start
)

// keyring gives the wallet's passphrase to whoever has to unlock it.
type keyring struct {
	file   string
	unlock string

	mu     sync.Mutex
	memory *secret // nil: not known yet
}

// Passphrase implements [payout.Passphrase]. It returns [payout.ErrLocked] when
// the operator has to type it first.
func (k *keyring) Passphrase(context.Context) (string, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.memory != nil {
		return k.memory.text(), nil
	}
	for _, file := range []string{credentialFile(), k.file} {
		passphrase, err := readPassphrase(file)
		if err != nil {
			return "", err
		}
		if passphrase != "" {
			k.memory = newSecret(passphrase)
			return passphrase, nil
		}
	}
	return "", payout.ErrLocked
}

// readPassphrase reads the passphrase in a file, empty when there is no file.
func readPassphrase(file string) (string, error) {
	if file == "" {
		return "", nil
	}
	text, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read passphrase: %w", err)
	}
	passphrase := strings.TrimSpace(string(text))
	clear(text)
	if passphrase == "" {
		return "", fmt.Errorf("read passphrase: %s is empty", file)
	}
	return passphrase, nil
}

// remember keeps a passphrase that the operator typed, until the box stops.
func (k *keyring) remember(passphrase string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.memory != nil {
		k.memory.erase()
	}
	k.memory = newSecret(passphrase)
}

// keep remembers the passphrase of a wallet that was made or restored, and writes
// it down where the box is to unlock by itself. A credential of the service
// manager is not ours to write.
func (k *keyring) keep(passphrase string) error {
	k.remember(passphrase)
	if k.mode() != unlockAuto {
		return nil
	}
	return k.store(passphrase)
}

// store writes the passphrase down, unless the service manager has it, whose
// credential is not ours to write.
func (k *keyring) store(passphrase string) error {
	if exists(credentialFile()) {
		return nil
	}
	if err := renameio.WriteFile(k.file, []byte(passphrase+"\n"), 0o600); err != nil {
		return fmt.Errorf("write passphrase: %w", err)
	}
	return nil
}

// forget erases what is in memory.
func (k *keyring) forget() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.memory != nil {
		k.memory.erase()
		k.memory = nil
	}
}

// kept tells where the passphrase comes from, empty when it has to be typed.
func (k *keyring) kept() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case exists(credentialFile()):
		return keptByService
	case k.unlock == unlockAuto && exists(k.file):
		return keptInFile
	case k.memory != nil:
		return keptInMemory
	}
	return ""
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return file != "" && err == nil
}

// forgetFile destroys the file once the wallet exists, when the operator wants to be
// asked, or when the service manager hands over the same and keeps it encrypted.
func (k *keyring) forgetFile() error {
	if k.mode() == unlockAsk {
		return shred(k.file)
	}
	handed, err := readPassphrase(credentialFile())
	if err != nil || handed == "" || !exists(k.file) {
		return err
	}
	if kept, err := readPassphrase(k.file); err != nil || kept != handed {
		return err
	}
	return shred(k.file)
}

func credentialFile() string {
	if dir := os.Getenv("CREDENTIALS_DIRECTORY"); dir != "" {
		return filepath.Join(dir, credentialName)
	}
	return ""
}
