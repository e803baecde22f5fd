package place

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/ssh"
)

// NewKey makes a key of the box's own for its servers, in the format of OpenSSH.
func NewKey() ([]byte, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make SSH key: %w", err)
	}
	block, err := ssh.MarshalPrivateKey(key, "dmpool")
	if err != nil {
		return nil, fmt.Errorf("encode SSH key: %w", err)
	}
	return pem.EncodeToMemory(block), nil
}

// PublicLine is the line for the file authorized_keys of a server.
func PublicLine(key []byte) (string, error) {
	signer, err := ssh.ParsePrivateKey(key)
	if err != nil {
		return "", fmt.Errorf("read SSH key: %w", err)
	}
	return lineOf(signer.PublicKey()) + " dmpool", nil
}

// Fingerprint returns the fingerprint of a host key that [HostKey] returned, as
// OpenSSH writes it: SHA256:….
func Fingerprint(hostKey string) (string, error) {
	key, err := parseHostKey(hostKey)
	if err != nil {
		return "", err
	}
	return ssh.FingerprintSHA256(key), nil
}

// KeyKind names the kind of a host key as OpenSSH shows it, such as ED25519.
func KeyKind(hostKey string) (string, error) {
	key, err := parseHostKey(hostKey)
	if err != nil {
		return "", err
	}
	switch kind := key.Type(); kind {
	case ssh.KeyAlgoED25519:
		return "ED25519", nil
	case ssh.KeyAlgoRSA:
		return "RSA", nil
	case ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521:
		return "ECDSA", nil
	default:
		return kind, nil
	}
}

// lineOf writes a public key as one line without a comment.
func lineOf(key ssh.PublicKey) string {
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key)))
}

func parseHostKey(line string) (ssh.PublicKey, error) {
	key, _, _, rest, err := ssh.ParseAuthorizedKey([]byte(line))
	if err == nil && len(rest) > 0 {
		err = errors.New("there is more than one key")
	}
	if err != nil {
		return nil, fmt.Errorf("read host key: %w", err)
	}
	return key, nil
}

// hostKeyKinds are the algorithms by which a server may prove to be itself, the
// best first: none that are known to be weak, and no certificates, whose authority
// nobody has told us of.
func hostKeyKinds() []string {
	return []string{
		ssh.KeyAlgoED25519, ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521,
		ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256,
	}
}

// kindsFor are those that a server with this key can use. It may have others, too,
// and must be asked for the one that is known.
func kindsFor(key ssh.PublicKey) []string {
	if key.Type() == ssh.KeyAlgoRSA {
		return []string{ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256}
	}
	return []string{key.Type()}
}
