package webui

import "testing"

// The books say "code" of all that the box takes for one.
func TestMethodOf(t *testing.T) {
	for proof, want := range map[string]string{
		"123456": "code", "123 456": "code", "123-456": "code", "123\u00a0456": "code",
		"12345": "password", "Correct horse 7": "password", "": "password",
	} {
		if got := methodOf(proof); got != want {
			t.Errorf("methodOf(%q) = %q, want %q", proof, got, want)
		}
	}
}
