package appliance

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"strconv"

	"github.com/google/renameio/v2"
)

// Secrets that the box itself must read again, unlike passwords, lie in the
// database sealed with AES-256-GCM under a key that is a file of its own: a copy of
// the database alone, a backup that was lost, opens nothing. What is sealed is
//
//	nonce (12 bytes)  ciphertext and tag
//
// bound to whose it is: an operator, or a channel of alerts.

const sealKeySize = 32

// errSealed says that a sealed secret cannot be opened. Whoever asks is refused: a
// missing key is no reason to let somebody in.
var errSealed = errors.New("the second factor cannot be read, so nobody is let in with it; on the box, dmpool passwd --reset-second-factor takes it away")

// sealKey reads the key of a network's secrets. It is made when there is none and
// make is set; never when something is sealed already, which a new key cannot open.
func sealKey(file string, make bool) ([]byte, error) {
	key, err := os.ReadFile(file)
	switch {
	case err == nil && len(key) == sealKeySize:
		return key, nil
	case err == nil:
		return nil, fmt.Errorf("%w: %s has %d bytes, not %d", errSealed, file, len(key), sealKeySize)
	case !errors.Is(err, os.ErrNotExist) || !make:
		return nil, fmt.Errorf("%w: %w", errSealed, err)
	}
	key = randomBytes(sealKeySize)
	if err := renameio.WriteFile(file, key, 0o600); err != nil {
		return nil, fmt.Errorf("write key: %w", err)
	}
	return key, nil
}

// seal encrypts an operator's secret.
func seal(key []byte, op int64, secret []byte) ([]byte, error) {
	return sealFor(key, owner(op), secret)
}

// unseal is the way back, or errSealed.
func unseal(key []byte, op int64, sealed []byte) ([]byte, error) {
	return unsealFor(key, owner(op), sealed)
}

// sealFor encrypts a secret of somebody.
func sealFor(key []byte, owner string, secret []byte) ([]byte, error) {
	box, err := sealer(key)
	if err != nil {
		return nil, err
	}
	nonce := randomBytes(box.NonceSize())
	return box.Seal(nonce, nonce, secret, []byte(owner)), nil
}

// unsealFor is the way back, or errSealed.
func unsealFor(key []byte, owner string, sealed []byte) ([]byte, error) {
	box, err := sealer(key)
	if err != nil {
		return nil, err
	}
	if len(sealed) < box.NonceSize() {
		return nil, errSealed
	}
	secret, err := box.Open(nil, sealed[:box.NonceSize()], sealed[box.NonceSize():], []byte(owner))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errSealed, err)
	}
	return secret, nil
}

func sealer(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("read key: %w", err)
	}
	return cipher.NewGCM(block)
}

func owner(op int64) string { return "operator " + strconv.FormatInt(op, 10) }

func randomBytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails, see crypto/rand
	return b
}
