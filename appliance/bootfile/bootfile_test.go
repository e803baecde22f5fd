package bootfile

import (
	"slices"
	"strings"
	"testing"
)

const (
	ed25519 = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"
	ecdsa   = "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAAADBAEC"
)

func TestParse(t *testing.T) {
	for _, c := range []struct {
		name, text string
		keys       []string
		code       string
		wrong      []string // part of each sentence
	}{
		{"empty", "", nil, "", nil},
		{"comments", "# a\n\n  # b\n", nil, "", nil},
		{"a key with its comment", "ssh-key = " + ed25519 + " me@home, at \x1b[2J\n", []string{ed25519}, "", nil},
		{"two keys", "ssh-key=" + ed25519 + "\nSSH-Key =" + ecdsa + "\n", []string{ed25519, ecdsa}, "", nil},
		{"from Windows", "\ufeffssh-key = " + ed25519 + "\r\nclaim-code = 7qk2m-4xh9b\r\n", []string{ed25519}, "7QK2M-4XH9B", nil},
		{"as people type a code", "claim-code = o1il mabcde", nil, "0111M-ABCDE", nil},
		{"UTF-16", "\xff\xfes\x00", nil, "", []string{"UTF-16"}},
		{"short code", "claim-code = 12345", nil, "", []string{"line 1: a claim code has 10"}},
		{"code with another letter", "claim-code = UUUUU-UUUUU", nil, "", []string{"line 1: a claim code"}},
		{"code with commands", "claim-code = 12345\x1b6789", nil, "", []string{"line 1: a claim code"}},
		{"code in many bytes", "claim-code = ÄÖÜÄÖ", nil, "", []string{"line 1: a claim code"}},
		{"nothing known", "password = x", nil, "", []string{"line 1: no such setting"}},
		{"no sign", "ssh-key", nil, "", []string{"line 1: there is no ="}},
		{"options", `ssh-key = command="reboot" ` + ed25519, nil, "", []string{"no type of SSH key"}},
		{"another type than it says", "ssh-key = ssh-rsa " + strings.Fields(ed25519)[1], nil, "", []string{"damaged"}},
		{"cut off", "ssh-key = " + ed25519[:60], nil, "", []string{"damaged"}},
		{"a private key", "ssh-key = -----BEGIN OPENSSH PRIVATE KEY-----", nil, "", []string{"no type"}},
		{"one wrong line of two", "x = y\nssh-key = " + ed25519, []string{ed25519}, "", []string{"line 1"}},
		{"too many", strings.Repeat("ssh-key = "+ed25519+"\n", mostKeys+1), slices.Repeat([]string{ed25519}, mostKeys), "", []string{"line 17: there are more"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := Parse([]byte(c.text))
			if !slices.Equal(s.Keys, c.keys) || s.ClaimCode != c.code || len(s.Wrong) != len(c.wrong) {
				t.Fatalf("Parse = %+v", s)
			}
			for i, part := range c.wrong {
				if !strings.Contains(s.Wrong[i], part) {
					t.Errorf("Wrong = %q, want %q", s.Wrong[i], part)
				}
			}
		})
	}
}

// FuzzParse: whatever is in the file, what comes out is fit for the key file of an
// SSH server and for a terminal.
func FuzzParse(f *testing.F) {
	f.Add([]byte("ssh-key = " + ed25519 + "\nclaim-code = 7QK2M-4XH9B\n"))
	f.Add([]byte("ssh-key = ssh-rsa AAAAB3NzaC1yc2E=\x00\nx"))
	f.Fuzz(func(t *testing.T, text []byte) {
		s := Parse(text)
		for _, key := range s.Keys {
			if again, err := publicKey(key); err != nil || again != key || strings.ContainsAny(key, "\n\r\t\"\x00") {
				t.Errorf("key %q, read again %q, %v", key, again, err)
			}
		}
		if s.ClaimCode != "" {
			if again, err := claimCode(s.ClaimCode); err != nil || again != s.ClaimCode {
				t.Errorf("code %q, read again %q, %v", s.ClaimCode, again, err)
			}
		}
		for _, sentence := range s.Wrong {
			if strings.ContainsFunc(sentence, func(r rune) bool { return r < ' ' || r == '\\' || r == 0x7f }) {
				t.Errorf("%q is not fit for a terminal", sentence)
			}
		}
	})
}
