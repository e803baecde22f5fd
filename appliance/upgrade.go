package appliance

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/google/renameio/v2"

	"github.com/dmpool/dmpool/appliance/bitcoind"
	"github.com/dmpool/dmpool/pool/ledger"
	"github.com/dmpool/dmpool/pool/shares"
	"github.com/dmpool/dmpool/pool/sqlite"
)

// A new version may change how the books are written, and the old one cannot read
// them then. So before the first change both databases are copied, as they are at
// that moment, and the copy is the way back (rollback.go):
//
//	backups/.partial      a copy that is being made; worth nothing
//	backups/begun         a whole copy; the change is under way
//	backups/books-17-2    a copy from before a change that was made: ledger 17, shares 2
//
// A step is a rename or a transaction, so a power cut leaves the box between two of
// them, and the next start goes on there.

// books are the two databases of a network, which change together.
type books struct {
	dir            string // of the network
	ledger, shares sqlite.Schema
}

func (d dataDir) books(network string) books {
	return books{dir: d.of(network), ledger: ledger.Schema, shares: shares.Schema}
}

// BooksVersion says how the books are written: the schemas of both databases.
type BooksVersion struct {
	Ledger int `json:"ledger"`
	Shares int `json:"shares"`
}

// Kept is a copy of the books from before a new version changed them.
type Kept struct {
	Name    string       `json:"-"`       // of its folder
	Release string       `json:"release"` // of the program that had written them, empty when that is not known
	Made    time.Time    `json:"made"`
	From    BooksVersion `json:"from"` // as they are in the copy
	To      BooksVersion `json:"to"`   // what they were changed to
}

const (
	keptCopies = 2 // as many as packages are kept
	begunCopy  = "begun"
	aboutCopy  = "about.json"
	ledgerFile = "ledger.db"
	sharesFile = "shares.db"
)

func (b books) backups() string                    { return filepath.Join(b.dir, "backups") }
func (b books) kept(name string, of string) string { return filepath.Join(b.backups(), name, of) }
func (b books) file(name string) string            { return filepath.Join(b.dir, name) }

// versions returns how the books are written, and how this program writes them. A
// database that is not there is written as this program does.
func (b books) versions(ctx context.Context) (have, newest BooksVersion, err error) {
	if have.Ledger, newest.Ledger, err = sqlite.Version(ctx, b.file(ledgerFile), b.ledger); err != nil {
		return have, newest, fmt.Errorf("open ledger: %w", err)
	}
	if have.Shares, newest.Shares, err = sqlite.Version(ctx, b.file(sharesFile), b.shares); err != nil {
		return have, newest, fmt.Errorf("open share log: %w", err)
	}
	if have.Ledger == 0 {
		have.Ledger = newest.Ledger
	}
	if have.Shares == 0 {
		have.Shares = newest.Shares
	}
	return have, newest, nil
}

// step is a part of a change that is done or not done, never half.
type step struct {
	name string
	do   func(ctx context.Context) error
}

// upgrade brings the books to how this program writes them. The caller has the
// directory's lock. release is the one that wrote them so far.
func (b books) upgrade(ctx context.Context, release string) error {
	steps, err := b.upgradeSteps(ctx, release)
	if err != nil {
		return err
	}
	for _, s := range steps {
		if err := s.do(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (b books) upgradeSteps(ctx context.Context, release string) ([]step, error) {
	if err := b.checkRollback(); err != nil {
		return nil, err
	}
	have, newest, err := b.versions(ctx)
	if err != nil {
		return nil, err
	}
	begun, found, err := b.readKept(begunCopy)
	if err != nil {
		return nil, err
	}
	closing := step{"keep the copy", func(context.Context) error { return b.keepBegun() }}
	var steps []step
	ours := found && begun.To == newest && have != newest // cut short
	if found && !ours {
		steps = append(steps, closing)
	}
	if have == newest {
		return steps, nil
	}
	if !ours {
		about := Kept{Release: release, Made: time.Now().UTC(), From: have, To: newest}
		steps = append(steps, step{"copy", func(ctx context.Context) error { return b.copyBooks(ctx, about) }})
	}
	return append(steps,
		step{"change the ledger", func(ctx context.Context) error { return b.migrate(ctx, ledgerFile, b.ledger) }},
		step{"change the share log", func(ctx context.Context) error { return b.migrate(ctx, sharesFile, b.shares) }},
		closing), nil
}

// copyBooks makes the copy. When it cannot, nothing is changed.
func (b books) copyBooks(ctx context.Context, about Kept) error {
	partial := filepath.Join(b.backups(), ".partial")
	err := b.copyInto(ctx, partial, about)
	if err == nil {
		if err = os.Rename(partial, filepath.Join(b.backups(), begunCopy)); err == nil {
			err = syncFolder(b.backups())
		}
	}
	if err == nil {
		return nil
	}
	return errors.Join(fmt.Errorf("this version writes the books in another way and copies them first, which failed%s; "+
		"nothing was changed: make room on the disk, or install the version before again: %w", b.spaceFor(), err), os.RemoveAll(partial))
}

// spaceFor says what a copy takes and what there is, when that can be measured.
func (b books) spaceFor() string {
	var size int64
	for _, name := range []string{ledgerFile, sharesFile} {
		if info, err := os.Stat(b.file(name)); err == nil {
			size += info.Size()
		}
	}
	m, err := bitcoind.Survey(b.dir)
	if err != nil {
		return ""
	}
	return fmt.Sprintf(" (it takes up to %d MB, and %d MB are free)", size/1e6+1, m.DiskFree/1e6)
}

func (b books) copyInto(ctx context.Context, folder string, about Kept) error {
	if err := os.RemoveAll(folder); err != nil {
		return err
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	for _, name := range []string{ledgerFile, sharesFile} {
		if !exists(b.file(name)) {
			continue
		}
		if err := sqlite.Copy(ctx, b.file(name), filepath.Join(folder, name)); err != nil {
			return err
		}
	}
	text, err := json.Marshal(about)
	if err != nil {
		return err
	}
	if err := renameio.WriteFile(filepath.Join(folder, aboutCopy), text, 0o600); err != nil {
		return err
	}
	return errors.Join(syncFolder(folder), syncFolder(b.backups()), syncFolder(b.dir))
}

// migrate brings one database to the newest schema, if there is one.
func (b books) migrate(ctx context.Context, name string, s sqlite.Schema) error {
	if !exists(b.file(name)) {
		return nil
	}
	db, err := sqlite.Open(ctx, b.file(name), s)
	if err != nil {
		return fmt.Errorf("the books could not be brought to this version; as they were they lie in %s, and nothing of them is lost: %w",
			filepath.Join(b.backups(), begunCopy), err)
	}
	return db.Close()
}

// keepBegun gives the copy of a change that was made its name, and removes those
// that are older than the ones to be kept.
func (b books) keepBegun() error {
	about, _, err := b.readKept(begunCopy)
	if err != nil {
		return err
	}
	name := fmt.Sprintf("books-%d-%d", about.From.Ledger, about.From.Shares)
	// One of the same name is from before somebody went back.
	if err := os.RemoveAll(filepath.Join(b.backups(), name)); err != nil {
		return fmt.Errorf("keep copy of the books: %w", err)
	}
	if err := os.Rename(filepath.Join(b.backups(), begunCopy), filepath.Join(b.backups(), name)); err != nil {
		return fmt.Errorf("keep copy of the books: %w", err)
	}
	all, err := b.allKept()
	if err != nil {
		return err
	}
	for _, old := range all[min(keptCopies, len(all)):] {
		if err := os.RemoveAll(filepath.Join(b.backups(), old.Name)); err != nil {
			return fmt.Errorf("remove old copy of the books: %w", err)
		}
	}
	return syncFolder(b.backups())
}

// allKept lists the copies, the newest first.
func (b books) allKept() ([]Kept, error) {
	entries, err := os.ReadDir(b.backups())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list copies of the books: %w", err)
	}
	var all []Kept
	for _, e := range entries {
		if !e.IsDir() {
			continue // a backup of the whole box
		}
		k, found, err := b.readKept(e.Name())
		if err != nil {
			return nil, err
		}
		if found && e.Name() != ".partial" {
			all = append(all, k)
		}
	}
	slices.SortFunc(all, func(x, y Kept) int { return cmp.Or(y.Made.Compare(x.Made), cmp.Compare(x.Name, y.Name)) })
	return all, nil
}

// readKept reads what a copy says of itself.
func (b books) readKept(name string) (k Kept, found bool, err error) {
	text, err := os.ReadFile(b.kept(name, aboutCopy))
	if errors.Is(err, fs.ErrNotExist) {
		return k, false, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &k)
	}
	if err != nil {
		return k, false, fmt.Errorf("read about the copy %s of the books: %w", name, err)
	}
	k.Name = name
	return k, true, nil
}

// syncFolder makes what was renamed in a folder durable.
func syncFolder(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
