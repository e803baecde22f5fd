package appliance

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/google/renameio/v2"
	"golang.org/x/sys/unix"

	"github.com/dmpool/dmpool/pool"
	"github.com/dmpool/dmpool/pool/ledger"
	"github.com/dmpool/dmpool/pool/sqlite"
)

// dataDir is the folder that holds everything of one box.
type dataDir struct{ root string }

func (d dataDir) networkFile() string        { return filepath.Join(d.root, "network") }
func (d dataDir) lockFile() string           { return filepath.Join(d.root, "lock") }
func (d dataDir) of(network string) string   { return filepath.Join(d.root, network) }
func (d dataDir) ledger(net string) string   { return filepath.Join(d.of(net), "ledger.db") }
func (d dataDir) shares(net string) string   { return filepath.Join(d.of(net), "shares.db") }
func (d dataDir) node(net string) string     { return filepath.Join(d.of(net), "node") }
func (d dataDir) ballast(n string) string    { return filepath.Join(d.of(n), "ballast") }
func (d dataDir) health(n string) string     { return filepath.Join(d.of(n), "health.json") }
func (d dataDir) core() string               { return filepath.Join(d.root, "core") }
func (d dataDir) certificate() string        { return filepath.Join(d.root, "stratum.pem") }
func (d dataDir) pages() string              { return filepath.Join(d.root, "pages.pem") }
func (d dataDir) wizard() string             { return filepath.Join(d.root, "setup.db") }
func (d dataDir) wizardKey() string          { return filepath.Join(d.root, "setup.key") }
func (d dataDir) claimFile() string          { return filepath.Join(d.root, "claim-code") }
func (d dataDir) nodePassword() string       { return filepath.Join(d.root, "node-password") }
func (d dataDir) passphrase(n string) string { return filepath.Join(d.of(n), "passphrase") }
func (d dataDir) sealKey(n string) string    { return filepath.Join(d.of(n), "second-factor.key") }
func (d dataDir) backupKey(n string) string  { return filepath.Join(d.of(n), "backup.key") }
func (d dataDir) backups(n string) string    { return filepath.Join(d.of(n), "backups") }

// prepare makes the folder, and the network's folder inside it, and checks that
// they can be written to. The errors are sentences with the next step.
func (d dataDir) prepare(network string) error {
	if err := os.MkdirAll(d.of(network), 0o700); err != nil {
		return fmt.Errorf("data directory %s cannot be made: %w; choose another with --data-dir or make it writable", d.root, errors.Unwrap(err))
	}
	probe, err := os.CreateTemp(d.of(network), ".writable-*")
	if err != nil {
		return fmt.Errorf("data directory %s is not writable by this user; choose another with --data-dir or change its owner", d.root)
	}
	probe.Close()
	if err := os.Remove(probe.Name()); err != nil {
		return fmt.Errorf("remove probe: %w", err)
	}
	return nil
}

// network returns the network that this directory was first used with, or ""
// for a new one.
func (d dataDir) network() (string, error) {
	text, err := os.ReadFile(d.networkFile())
	if errors.Is(err, os.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("data directory %s cannot be read: %w; choose another with --data-dir", d.root, err)
	}
	return strings.TrimSpace(string(text)), nil
}

// used returns the network of a directory that a box has been set up in.
func (d dataDir) used() (string, error) {
	network, err := d.network()
	if err == nil {
		err = d.checkRestore()
	}
	if err == nil && network == "" {
		err = fmt.Errorf("%s is not the data directory of a box; name it with --data-dir", d.root)
	}
	return network, err
}

func (d dataDir) setNetwork(network string) error {
	if err := renameio.WriteFile(d.networkFile(), []byte(network+"\n"), 0o600); err != nil {
		return fmt.Errorf("write %s: %w", d.networkFile(), err)
	}
	return nil
}

// InUseError says that another process has the data directory.
type InUseError struct {
	Dir string
	PID string // of that process, empty: not known
}

// Error returns a sentence for the person at the terminal.
func (e *InUseError) Error() string {
	holder := "another dmpool"
	if e.PID != "" {
		holder = "the dmpool with process id " + e.PID
	}
	return fmt.Sprintf("data directory %s is in use by %s; stop that one first, or choose another with --data-dir", e.Dir, holder)
}

// lock takes the directory for this process. It is released when the file is
// closed, or by the kernel when the process dies.
func (d dataDir) lock() (*os.File, error) {
	f, err := os.OpenFile(d.lockFile(), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open lock: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		holder, _ := os.ReadFile(d.lockFile())
		f.Close()
		return nil, &InUseError{d.root, strings.TrimSpace(string(holder))}
	}
	if err := f.Truncate(0); err != nil {
		f.Close()
		return nil, fmt.Errorf("write lock: %w", err)
	}
	if _, err := f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0); err != nil {
		f.Close()
		return nil, fmt.Errorf("write lock: %w", err)
	}
	return f, nil
}

// turn waits until nobody else sets the directory up, and keeps others waiting
// until the file is closed.
func (d dataDir) turn() (*os.File, error) {
	if err := os.MkdirAll(d.root, 0o700); err != nil {
		return nil, fmt.Errorf("data directory %s cannot be made: %w; choose another with --data-dir or make it writable", d.root, errors.Unwrap(err))
	}
	f, err := os.Open(d.root)
	if err != nil {
		return nil, fmt.Errorf("open data directory: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		return nil, errors.Join(fmt.Errorf("lock data directory: %w", err), f.Close())
	}
	return f, nil
}

// chosenNetwork returns the network to use: the directory's own, else the one
// wished for, else practice.
func (d dataDir) chosenNetwork(wish string) (string, error) {
	network, err := d.network()
	if err != nil {
		return "", err
	}
	if network == "" {
		network = cmp.Or(wish, "practice")
	}
	return network, knownNetwork(network)
}

// knownNetwork returns a sentence when there is no network of that name.
func knownNetwork(network string) error {
	if _, ok := pool.ChainParams(network); !ok {
		return fmt.Errorf("network %q is not known; use main, testnet4, signet, regtest, or practice: a private chain on which everything but the coins is real", network)
	}
	return nil
}

// isSetUp tells whether the directory has an operator on a network. It waits for
// a set-up that is under way: two that open a new database would both migrate it.
func (d dataDir) isSetUp(ctx context.Context, network string) (bool, error) {
	if network == "" {
		return false, nil
	}
	if !exists(d.ledger(network)) {
		return false, d.books(network).checkRollback() // a box whose books are on their way back is not a new one
	}
	turn, err := d.turn()
	if err != nil {
		return false, err
	}
	defer turn.Close()
	if exists(d.restoreOrder()) {
		return false, nil // not before all of it is there
	}
	return d.hasOperator(ctx, network)
}

// hasOperator is isSetUp for who has the turn.
func (d dataDir) hasOperator(ctx context.Context, network string) (bool, error) {
	if err := d.checkRestore(); err != nil {
		return false, err
	}
	if !exists(d.ledger(network)) {
		return false, d.books(network).checkRollback()
	}
	// Nothing is changed by a look: what a new version changes it copies first.
	if _, _, err := sqlite.Version(ctx, d.ledger(network), ledger.Schema); err != nil {
		return false, fmt.Errorf("open ledger: %w", err)
	}
	db := sqlite.View(d.ledger(network))
	defer db.Close()
	var tables int // 0 in a ledger that a crash left while it was made
	err := db.QueryRowContext(ctx, `SELECT COUNT(*) FROM sqlite_schema WHERE name = 'operator'`).Scan(&tables)
	if err != nil || tables == 0 {
		return false, when(err != nil, fmt.Errorf("read ledger: %w", err))
	}
	return hasOperator(ctx, db)
}

// writeSetUp writes what was answered and returns the operator.
