// Dmpool-image is what root does on a box that was made from the disk image, and on
// no other: a package does not take over a machine's screen or its SSH server.
//
//	dmpool-image boot-file   takes up dmpool-setup.txt from the boot partition
//	dmpool-image screen      puts address and claim code above the login on the screen
package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/google/renameio/v2"

	"github.com/dmpool/dmpool/appliance/bitcoind/laid"
	"github.com/dmpool/dmpool/appliance/bootfile"
)

func main() {
	if err := run("/", os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "dmpool-image:", err)
		os.Exit(1)
	}
}

// run does what args say; root stands in front of all paths, for tests.
func run(root string, args []string) error {
	b := box{root: root}
	switch strings.Join(args, " ") {
	case "boot-file":
		return b.takeBootFile()
	case "screen":
		return b.writeScreen()
	}
	return errors.New("usage: dmpool-image boot-file|screen")
}

// box says where everything lies. What the boot file gives is below /run, so that it
// ends with the line that gave it, at the next start.
type box struct{ root string }

func (b box) bootFile() string  { return filepath.Join(b.root, "efi/dmpool-setup.txt") }
func (b box) keys() string      { return filepath.Join(b.root, "run/dmpool-image/authorized_keys") }
func (b box) wrong() string     { return filepath.Join(b.root, "run/dmpool-image/wrong") }
func (b box) claimWish() string { return filepath.Join(b.root, "run/credstore/claim-code") }
func (b box) claimCode() string { return filepath.Join(b.root, "var/lib/dmpool/claim-code") }
func (b box) screen() string    { return filepath.Join(b.root, "run/issue.d/dmpool.issue") }

// takeBootFile lays what the boot file says where the SSH server and the pool look
// for it. A file that cannot be read is one without settings: the box has to start.
func (b box) takeBootFile() error {
	var s bootfile.Settings
	text, err := laid.Read(b.bootFile(), bootfile.Most)
	switch {
	case err == nil:
		s = bootfile.Parse(text)
	case !errors.Is(err, fs.ErrNotExist):
		s.Wrong = []string{"the file cannot be read"}
		fmt.Fprintln(os.Stderr, "Boot file not read:", err)
	}
	for _, line := range s.Wrong {
		fmt.Fprintln(os.Stderr, "dmpool-setup.txt:", line)
	}
	return errors.Join(
		b.lay(b.keys(), strings.Join(s.Keys, "\n"), 0o755),
		b.lay(b.claimWish(), s.ClaimCode, 0o700),
		b.lay(b.wrong(), strings.Join(s.Wrong, "\n"), 0o755),
	)
}

// lay writes a file for root alone, or removes it where there is nothing to say.
func (b box) lay(path, text string, folder os.FileMode) error {
	if text == "" {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), folder); err != nil {
		return err
	}
	return renameio.WriteFile(path, []byte(text+"\n"), 0o600)
}

// codeForm is all that goes from the claim code's file, which belongs to the pool, to
// the screen, whose terminal has commands of its own.
var codeForm = regexp.MustCompile(`\A[0-9A-Z]{5}-[0-9A-Z]{5}\n`)

// writeScreen writes what agetty(8) shows above the login. It fills in the box's
// address itself, also when that changes later.
func (b box) writeScreen() error {
	var text strings.Builder
	code, err := laid.Read(b.claimCode(), 1<<10)
	switch {
	case err == nil && codeForm.Match(code):
		fmt.Fprintf(&text, "\n  Set up DMPool in a browser, in the home network:\n\n    http://\\4/setup   or   http://\\n.local/setup\n    claim code   %s\n", code[:11])
	case err == nil, errors.Is(err, fs.ErrNotExist):
		text.WriteString("\n  DMPool\n\n    http://\\4/   or   http://\\n.local/\n")
	default:
		return err
	}
	if _, err := os.Stat(b.keys()); err == nil {
		text.WriteString("\n  SSH is on: root@\\4, with a key of dmpool-setup.txt\n")
	}
	wrong, err := os.ReadFile(b.wrong())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for line := range strings.Lines(string(wrong)) {
		text.WriteString("  dmpool-setup.txt: " + line)
	}
	text.WriteString("\n")
	if err := os.MkdirAll(filepath.Dir(b.screen()), 0o755); err != nil {
		return err
	}
	return renameio.WriteFile(b.screen(), []byte(text.String()), 0o644)
}
