//go:build nspawn

package packaging

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// TestInsideReadme types the commands of the README's section on installing, and says
// yes when apt asks. Between them the owner sits at another computer (TestOwner).
func TestInsideReadme(t *testing.T) {
	outside(t)
	const install = "sudo apt install ./dmpool_*_amd64.deb"
	share(t, "installed", typed(t, install, "y\n"))
	if said := typed(t, "sudo dmpool claim-code", ""); !strings.Contains(said, "claim code ") {
		t.Error("it does not say the claim code again")
	}
	for !exists("/test/seen") { // the owner has time; the container has not for ever
		time.Sleep(100 * time.Millisecond)
	}
	noTrouble(t)
	found := blocks()
	goesOn := func() (said string) {
		t.Helper()
		said = typed(t, install, "y\n")
		waitFor(t, "the box is healthy again", healthy)
		if n := blocks(); n < found {
			t.Errorf("%d blocks, there were %d", n, found)
		}
		return said
	}
	typed(t, "sudo apt remove dmpool", "y\n")
	goesOn()
	typed(t, "sudo apt purge dmpool", "y\n")
	if said := goesOn(); !strings.Contains(said, "set up already") {
		t.Error("the installation does not say that it has found a box")
	}
	noTrouble(t)

	typed(t, "sudo systemctl stop dmpool 'dmpool-bitcoind@*'", "")
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	typed(t, "sudo dmpool purge-data --i-have-my-seed", host+"\n")
	if said := typed(t, "sudo apt purge dmpool", "y\n"); strings.Contains(said, "still there") {
		t.Error("the end of purge names data that is not there")
	}
	if left := command(t, "find", "/var/lib/dmpool", "/var/lib/dmpool-node", "-type", "f"); left != "" {
		t.Errorf("there is still\n%s", left)
	}
}

// typed runs a command that the README has, in the folder of the download.
func typed(t *testing.T, line, in string) string {
	t.Helper()
	if !strings.Contains(read(t, "/test/README.md"), line) {
		t.Fatalf("the README does not say %q", line)
	}
	shell := exec.CommandContext(t.Context(), "bash", "-c", `sudo() { "$@"; }; `+line)
	shell.Dir, shell.Stdin = "/home/anna", strings.NewReader(in)
	out, err := shell.CombinedOutput()
	t.Logf("$ %s\n%s", line, out)
	if err != nil {
		t.Errorf("%s: %v", line, err)
	}
	return string(out)
}

// share writes a file for the test outside, whole or not at all.
func share(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile("/test/part", []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename("/test/part", "/test/"+name); err != nil {
		t.Fatal(err)
	}
}
