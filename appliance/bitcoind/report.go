package bitcoind

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/dmpool/dmpool/appliance/bitcoind/laid"
)

// exitReport says why a node ended that runs as a unit: its log is the node's
// alone, so its own user reads it and leaves for the pool what follows from it.
type exitReport struct {
	Invocation string   `json:"invocation"` // of the unit, systemd's number of this one run
	Class      Class    `json:"class"`
	Text       string   `json:"text"`
	Log        []string `json:"log"` // the end of it
}

// maxReport bounds a report in bytes: the lines of two files, each escaped.
const maxReport = 4 << 20

// Report writes the reason of the node's end where the pool looks for it, and
// returns it. It runs as the node's user when the unit has ended; getenv returns
// what systemd tells of that (systemd.exec(5): EXIT_CODE, EXIT_STATUS,
// INVOCATION_ID).
func (p Places) Report(network string, getenv func(string) string) (string, error) {
	if err := KnownNetwork(network); err != nil {
		return "", err
	}
	conf := p.Conf(network)
	lines := append(tail(conf.debugLog()), tail(p.words(network))...)
	why := classify(endingTold(getenv), lines, conf.Dir)
	text, err := json.Marshal(exitReport{getenv("INVOCATION_ID"), why.class, why.text, lines})
	if err != nil {
		return "", fmt.Errorf("write exit report: %w", err)
	}
	// The folder and the group of the file let the pool read it.
	if err := replace(p.report(network), append(text, '\n'), 0o640); err != nil {
		return why.text, fmt.Errorf("write exit report: %w", err)
	}
	return why.text, nil
}

// endingTold is how a process ended in systemd's words.
func endingTold(getenv func(string) string) ending {
	status := getenv("EXIT_STATUS")
	if getenv("EXIT_CODE") == "exited" {
		n, err := strconv.Atoi(status)
		if err != nil {
			n = -1
		}
		return ending{status: n}
	}
	if signal := unix.SignalNum("SIG" + status); signal != 0 {
		return ending{signal: signal}
	}
	return ending{status: -1} // it was never started
}

// readReport returns the report of one run of the unit.
func (p Places) readReport(network, invocation string) (exitReport, error) {
	var r exitReport
	text, err := laid.Read(p.report(network), maxReport)
	if err == nil {
		err = json.Unmarshal(text, &r)
	}
	if err != nil {
		return exitReport{}, fmt.Errorf("read exit report: %w", err)
	}
	if !r.Class.reported() {
		return exitReport{}, fmt.Errorf("read exit report: %q is no reason", r.Class)
	}
	if r.Invocation != invocation {
		return exitReport{}, errors.New("read exit report: it is that of another run")
	}
	return r, nil
}

// reported tells whether a report may give this reason: the node's user is trusted
// with none that the pool has for itself.
func (c Class) reported() bool {
	switch c {
	case ClassLock, ClassPort, ClassDisk, ClassDrive, ClassClock, ClassChainstate, ClassBlocks,
		ClassWallet, ClassDirectory, ClassConfig, ClassKilled, ClassStopped, ClassCrash:
		return true
	}
	return false
}

// tail returns the last lines of a file, none when it cannot be read.
func tail(path string) []string {
	file, err := laid.Open(path)
	if err != nil {
		return nil
	}
	defer file.Close()
	const most = 64 << 10
	if about, err := file.Stat(); err == nil && about.Size() > most {
		if _, err := file.Seek(-most, io.SeekEnd); err != nil {
			return nil
		}
	}
	log := newRing(lastLines, func(string) {})
	_, _ = io.Copy(log, io.LimitReader(file, most)) // what could be read is better than nothing
	log.flush()
	return log.since(0)
}

// ShareCopies clears away what a trial of a copy has left, and opens the copies of
// the wallet to the group, so that the pool can hand them out: the node makes them
// for its own user alone. It runs as the node's user. The pool may put what it
// likes into that folder; only regular files with one name, of this user, are
// opened, so that none of them is another file of the node.
func (p Places) ShareCopies(network string) error {
	if err := KnownNetwork(network); err != nil {
		return err
	}
	// The node could put a link in its place, to a folder that is out of its own reach.
	data, err := os.OpenRoot(p.Conf(network).Dir)
	if err != nil {
		return fmt.Errorf("open data directory: %w", err)
	}
	defer func() { _ = data.Close() }()
	name := filepath.Base(p.Copies(network))
	if err := data.Mkdir(name, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("make folder for copies: %w", err)
	}
	root, err := data.OpenRoot(name)
	if err != nil {
		return fmt.Errorf("open folder for copies: %w", err)
	}
	defer func() { _ = root.Close() }()
	if err := root.Chmod(".", 0o770); err != nil {
		return fmt.Errorf("open folder for copies: %w", err)
	}
	if err := root.RemoveAll("trial"); err != nil {
		return fmt.Errorf("clear away the trial: %w", err)
	}
	entries, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		return fmt.Errorf("look for copies: %w", err)
	}
	for _, e := range entries {
		if e.Type().IsRegular() && (strings.HasSuffix(e.Name(), ".wallet") || e.Name() == "new.tmp") {
			if err := share(root, e.Name()); err != nil {
				return fmt.Errorf("share %s: %w", e.Name(), err)
			}
		}
	}
	return nil
}

// share opens one copy to the group.
func share(root *os.Root, name string) error {
	file, err := root.OpenFile(name, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	switch {
	case errors.Is(err, fs.ErrPermission), errors.Is(err, fs.ErrNotExist):
		return nil // somebody else's, such as an administrator's; or taken away just now
	case err != nil:
		return err
	}
	defer file.Close()
	about, err := file.Stat()
	if err != nil {
		return err
	}
	owned, ok := about.Sys().(*syscall.Stat_t)
	if !ok || !about.Mode().IsRegular() || owned.Nlink != 1 || int(owned.Uid) != os.Getuid() {
		return nil // laid there by somebody else
	}
	return file.Chmod(0o640)
}
