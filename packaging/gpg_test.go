package packaging

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// keyring makes an empty one for gpg, where the name of its socket is short enough.
func keyring(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "gpg")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		//nolint:noctx // the test's context has ended
		if out, err := exec.Command("gpgconf", "--homedir", dir, "--kill", "all").CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out)
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// newKey makes a key that is thrown away, and returns its fingerprint.
func newKey(t *testing.T, home, name string) string {
	t.Helper()
	command(t, "gpg", "--homedir", home, "--batch", "--quiet", "--passphrase", "", "--quick-generate-key", name, "ed25519", "sign", "1d")
	for line := range strings.Lines(command(t, "gpg", "--homedir", home, "--batch", "--with-colons", "--list-secret-keys", "="+name)) {
		if f := strings.Split(line, ":"); f[0] == "fpr" {
			return f[9]
		}
	}
	t.Fatal("gpg does not know its own key")
	return ""
}

// command runs something that has to work, and returns what it says.
func command(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput()
	if err != nil {
		t.Fatal(fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, out))
	}
	return string(out)
}
