// Package bootfile reads dmpool-setup.txt, the file on a disk image's boot partition
// by which its owner can tell the box something before its first start: any computer
// can write to that partition.
//
//	# Everything is optional.
//	ssh-key    = ssh-ed25519 AAAA… you@home     several are fine
//	claim-code = 7QK2M-4XH9B
//
// Nothing in the file is trusted to be well-formed. What is wrong is told by its line
// and never repeated: it goes on a screen whose terminal has commands of its own.
package bootfile

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
)

// Most is the length in bytes beyond which the file is not read.
const Most = 64 << 10

const mostKeys = 16

// Settings is what the file says.
type Settings struct {
	Keys      []string // for signing in over SSH, as "TYPE BASE64"
	ClaimCode string   // XXXXX-XXXXX, empty: none
	Wrong     []string // what is not understood, as sentences
}

// Parse reads the file. A line that is wrong costs only itself.
func Parse(text []byte) Settings {
	var s Settings
	if bytes.HasPrefix(text, []byte{0xff, 0xfe}) || bytes.HasPrefix(text, []byte{0xfe, 0xff}) {
		s.Wrong = []string{"the file is saved as UTF-16; save it as UTF-8"}
		return s
	}
	number := 0
	for line := range strings.Lines(strings.TrimPrefix(string(text), "\ufeff")) {
		number++
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if err := s.take(line); err != nil {
			s.Wrong = append(s.Wrong, fmt.Sprintf("line %d: %v", number, err))
		}
	}
	return s
}

func (s *Settings) take(line string) error {
	name, value, found := strings.Cut(line, "=")
	if !found {
		return fmt.Errorf("there is no = in it")
	}
	value = strings.TrimSpace(value)
	switch strings.ToLower(strings.TrimSpace(name)) {
	case "ssh-key":
		key, err := publicKey(value)
		if err != nil {
			return err
		}
		if len(s.Keys) == mostKeys {
			return fmt.Errorf("there are more than %d keys", mostKeys)
		}
		s.Keys = append(s.Keys, key)
	case "claim-code":
		code, err := claimCode(value)
		if err != nil {
			return err
		}
		s.ClaimCode = code
	default:
		return fmt.Errorf("no such setting; there are ssh-key and claim-code")
	}
	return nil
}

// publicKey reads a line of a .pub file (RFC 4253, section 6.6) and drops its comment.
// Options in front of a key, such as command="…", are no key.
func publicKey(value string) (string, error) {
	fields := strings.Fields(value)
	if len(fields) < 2 {
		return "", fmt.Errorf("an SSH key is a type, a blank and a long word, as in the .pub file")
	}
	kind := fields[0]
	if !slices.Contains([]string{
		"ssh-ed25519", "ssh-rsa", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521",
		"sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com",
	}, kind) {
		return "", fmt.Errorf("that is no type of SSH key; one begins with ssh-ed25519, say")
	}
	blob, err := base64.StdEncoding.Strict().DecodeString(fields[1])
	if err != nil || !isKey(blob, kind) {
		return "", fmt.Errorf("the SSH key is damaged; copy the whole line of the .pub file")
	}
	return kind + " " + base64.StdEncoding.EncodeToString(blob), nil
}

// isKey tells whether blob is a row of strings, each behind its length in four bytes,
// of which the first is the key's type.
func isKey(blob []byte, kind string) bool {
	var parts [][]byte
	for len(blob) >= 4 {
		size := binary.BigEndian.Uint32(blob)
		blob = blob[4:]
		if uint64(size) > uint64(len(blob)) {
			return false
		}
		parts, blob = append(parts, blob[:size]), blob[size:]
	}
	return len(blob) == 0 && len(parts) > 1 && string(parts[0]) == kind
}

// claimCode reads a code as the set-up page does: in any case, and O, I and L for the
// digits that they look like.
func claimCode(value string) (string, error) {
	const letters, length = "0123456789ABCDEFGHJKMNPQRSTVWXYZ", 10
	plain := strings.NewReplacer("-", "", " ", "", "O", "0", "I", "1", "L", "1").Replace(strings.ToUpper(value))
	if len(plain) != length || strings.Trim(plain, letters) != "" {
		return "", fmt.Errorf("a claim code has %d letters or digits, and no U", length)
	}
	return plain[:length/2] + "-" + plain[length/2:], nil
}
