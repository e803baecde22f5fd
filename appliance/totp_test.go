package appliance

import (
	"testing"
	"time"
)

// The vectors of RFC 6238, appendix B, for SHA-1, with the six digits that apps show.
func TestTOTPVectors(t *testing.T) {
	secret := []byte("12345678901234567890")
	for at, want := range map[int64]string{
		59: "287082", 1111111109: "081804", 1111111111: "050471", 1234567890: "005924", 2000000000: "279037", 20000000000: "353130",
	} {
		if got := totpCode(secret, at/totpStep); got != want {
			t.Errorf("code at %d = %s, want %s", at, got, want)
		}
	}
}

func TestTOTPMatch(t *testing.T) {
	secret, now := []byte("12345678901234567890"), time.Unix(1111111111, 0)
	step := now.Unix() / totpStep
	for _, tc := range []struct {
		of, last int64
		ok       bool
	}{
		{step, 0, true},
		{step - 1, 0, true},
		{step + 1, 0, true},
		{step - 2, 0, false},
		{step + 2, 0, false},
		{step, step, false}, // used
		{step - 1, step, false},
		{step + 1, step, true},
	} {
		got, ok := totpMatch(secret, totpCode(secret, tc.of), now, tc.last)
		if ok != tc.ok || ok && got != tc.of {
			t.Errorf("code of step %+d after %+d: %d, %v", tc.of-step, tc.last-step, got, ok)
		}
	}
}

func TestIsCode(t *testing.T) {
	for text, want := range map[string]bool{"123456": true, "123 456": true, "12345": false, "1234567": false, "12345a": false, "": false, goodPassword: false} {
		if got := IsCode(text); got != want {
			t.Errorf("IsCode(%q) = %v", text, got)
		}
	}
}

func TestFactorURI(t *testing.T) {
	got := FactorURI("JBSWY3DP", "Hill & Valley", "anna")
	const want = "otpauth://totp/Hill%20&%20Valley:anna?secret=JBSWY3DP&issuer=Hill%20%26%20Valley&algorithm=SHA1&digits=6&period=30"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
