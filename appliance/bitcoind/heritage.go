package bitcoind

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/google/renameio/v2"
)

// What earlier programs, and earlier accidents, have left in a data directory.

// programFile holds the name of the implementation that has used the directory.
func (c Conf) programFile() string { return filepath.Join(c.chainDir(), "program") }

// debugLog is where a bitcoind writes its log that nobody told otherwise, such as
// the one that made a directory which was copied from elsewhere.
func (c Conf) debugLog() string { return filepath.Join(c.chainDir(), "debug.log") }

// oldLog is the log before that of this run, see Places.SpeakTo.
func (c Conf) oldLog() string { return c.debugLog() + ".1" }

// inherit refuses a directory that another implementation has used, and writes down
// which one uses it. On the chains where they disagree, Bitcoin Knots marks blocks as
// invalid that Bitcoin Core takes for good, and Core would believe the mark (and the
// other way round); nothing but a reconsiderblock for each of them undoes that.
func (c Conf) inherit(ctx context.Context, binary string) (failure, bool) {
	if !contested(c.Network) {
		return failure{}, true
	}
	said, err := Version(ctx, binary)
	if err != nil {
		return failure{}, true // its start tells better what is wrong with it
	}
	now := implementation.FindString(said)
	before, err := c.program()
	switch {
	case err != nil:
		return unwritable(c.Dir, err), false
	case before != "" && now != before:
		return failure{class: ClassDirectory, text: fmt.Sprintf("%s%s%s, which marks blocks of this network otherwise than %s, and %s would believe the marks. "+
			"Move the directory away, so that the chain is downloaded again; keep its wallets and wallet-backups", c.Dir, usedBy, before, now, now)}, false
	case before == "" && now != "":
		err = os.MkdirAll(c.chainDir(), 0o700)
		if err == nil {
			err = renameio.WriteFile(c.programFile(), []byte(now+"\n"), 0o600)
		}
		if err != nil {
			return unwritable(c.Dir, fmt.Errorf("write which program uses it: %w", err)), false
		}
	}
	return failure{}, true
}

// usedBy stands in the refusal of a directory, and nowhere in a node's log.
const usedBy = " was used by "

var implementation = regexp.MustCompile(`Bitcoin [A-Z][a-z]+`)

// contested tells whether implementations disagree about a network.
func contested(network string) bool { return network == NetworkMain || network == NetworkTestnet4 }

// Leaves tells whether a program, of which [Version] said that, leaves Bitcoin on a
// network. Package guard looks at what such a node does. This is for what lies about
// on a machine and would not be asked for: once it has run, its directory is no use
// to Bitcoin Core any more.
func Leaves(said, network string) bool {
	return contested(network) && implementation.FindString(said) == "Bitcoin Knots"
}

// program returns the implementation that has used the directory: the one that was
// written down, or else the one that the end of its log names. Empty: none is known.
func (c Conf) program() (string, error) {
	text, err := os.ReadFile(c.programFile())
	if err == nil {
		return strings.TrimSpace(string(text)), nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	log, err := os.Open(c.debugLog())
	if errors.Is(err, fs.ErrNotExist) {
		log, err = os.Open(c.oldLog())
	}
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer log.Close()
	const tail = 8 << 20
	if _, err := log.Seek(-tail, io.SeekEnd); err != nil { // shorter than that
		_, err = log.Seek(0, io.SeekStart)
		if err != nil {
			return "", err
		}
	}
	end, err := io.ReadAll(io.LimitReader(log, tail))
	if err != nil {
		return "", err
	}
	starts := logStart.FindAllSubmatch(end, -1)
	if len(starts) == 0 {
		return "", nil
	}
	return string(starts[len(starts)-1][1]), nil
}

// logStart is the line with which a bitcoind begins.
var logStart = regexp.MustCompile(`(?m)^(?:\S+Z )?(Bitcoin [A-Z][a-z]+) version v`)

// dropEmptyKey removes the key with which the node obfuscates its block files when
// there is nothing in it. The node writes it at its very first start and does not
// wait until the disk has it: a power cut within the next half minute leaves the name
// alone, and every later start ends at once. Without the file the node goes on, and
// what it cannot read, some first blocks at most, it gets again.
func (c Conf) dropEmptyKey() error {
	key := filepath.Join(c.chainDir(), "blocks", "xor.dat")
	info, err := os.Stat(key)
	if err != nil || info.Size() > 0 {
		return nil
	}
	if err := os.Remove(key); err != nil {
		return fmt.Errorf("remove empty key of the block files: %w", err)
	}
	return nil
}
