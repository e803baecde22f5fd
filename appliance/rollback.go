package appliance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/google/renameio/v2"
)

// Going back puts a copy of the books in the place of the books. Only what the
// older version cannot read goes back: mostly the ledger alone, so that no share is
// lost. What was there is moved aside and never deleted.
//
// The order is written down first, in rollback.json. Until then nothing has
// changed; from then on nobody opens the books before all of it is done.

const (
	rollbackOrder = "rollback.json"
	stagedFolder  = "staged" // in backups: the files that are to take their places
)

// order is what rollback.json says.
type order struct {
	Copy  string   `json:"copy"`
	Files []string `json:"files"` // that go back
	Aside string   `json:"aside"` // folder in backups for what was there
}

// WayBack is a copy that the books can go back to, and what that would lose.
type WayBack struct {
	Kept
	Ledger, Shares bool // which of the two would go back
	Loss           Loss
}

// ErrPaidSince says that the pool has signed payments that a copy does not know.
var ErrPaidSince = errors.New("the pool has signed payments since this copy was made")

// ErrCutShort says that a rollback has begun and has to be brought to its end.
var ErrCutShort = errors.New("going back to older books was cut short; run `dmpool rollback` once more, which goes on where it stopped")

// checkRollback returns ErrCutShort while an order is not carried out.
func (b books) checkRollback() error {
	if exists(b.file(rollbackOrder)) {
		return ErrCutShort
	}
	return nil
}

// WaysBack lists the copies of the books that are older than the books, the newest
// first, for the network that the data directory is used with.
func WaysBack(ctx context.Context, dir string) ([]WayBack, error) {
	b, err := usedBooks(dir)
	if err != nil {
		return nil, err
	}
	if err := b.checkRollback(); err != nil {
		return nil, err
	}
	return b.waysBack(ctx)
}

// usedBooks are those of the network that a data directory is used with.
func usedBooks(dir string) (books, error) {
	root, err := filepath.Abs(dir)
	if err != nil {
		return books{}, fmt.Errorf("data directory: %w", err)
	}
	d := dataDir{root}
	network, err := d.used()
	return d.books(network), err
}

func (b books) waysBack(ctx context.Context) ([]WayBack, error) {
	have, err := b.writtenAs(ctx)
	if err != nil {
		return nil, err
	}
	all, err := b.allKept()
	if err != nil {
		return nil, err
	}
	var ways []WayBack
	for _, k := range all {
		w := WayBack{Kept: k, Ledger: have.Ledger > k.From.Ledger, Shares: have.Shares > k.From.Shares && exists(b.kept(k.Name, sharesFile))}
		if !w.Ledger && !w.Shares {
			continue
		}
		if w.Loss, err = b.loss(ctx, w); err != nil {
			return nil, err
		}
		ways = append(ways, w)
	}
	return ways, nil
}

// Rollback puts the copy of that name in the place of the books; the pool must be
// stopped. When the pool has paid since, it is ErrPaidSince, unless paid says
// that this is known. It returns the folder of what was there. One that was cut
// short is brought to its end, whatever name is given.
func Rollback(ctx context.Context, dir, name string, paid bool) (aside string, err error) {
	b, err := usedBooks(dir)
	if err != nil {
		return "", err
	}
	lock, err := dataDir{filepath.Dir(b.dir)}.lock()
	if err != nil {
		return "", err
	}
	defer lock.Close()
	return b.rollback(ctx, name, paid)
}

func (b books) rollback(ctx context.Context, name string, paid bool) (aside string, err error) {
	o, err := b.ordered()
	if errors.Is(err, fs.ErrNotExist) {
		o, err = b.newOrder(ctx, name, paid)
	}
	if err != nil {
		return "", err
	}
	for _, s := range b.rollbackSteps(o) {
		if err := s.do(ctx); err != nil {
			return "", fmt.Errorf("go back to older books: %w", err)
		}
	}
	return filepath.Join(b.backups(), o.Aside), nil
}

// ordered reads the order that is not carried out yet.
func (b books) ordered() (o order, err error) {
	text, err := os.ReadFile(b.file(rollbackOrder))
	if err == nil {
		err = json.Unmarshal(text, &o)
	}
	return o, err
}

// newOrder decides what goes back.
func (b books) newOrder(ctx context.Context, name string, paid bool) (o order, err error) {
	ways, err := b.waysBack(ctx)
	if err != nil {
		return o, err
	}
	for _, w := range ways {
		if w.Name != name {
			continue
		}
		if w.Loss.Payouts > 0 && !paid {
			return o, ErrPaidSince
		}
		o = order{Copy: name, Aside: b.newAside("undone")}
		if w.Ledger {
			o.Files = append(o.Files, ledgerFile)
		}
		if w.Shares {
			o.Files = append(o.Files, sharesFile)
		}
		return o, nil
	}
	return o, fmt.Errorf("there is no copy %q that is older than the books; `dmpool rollback` lists what there is", name)
}

// newAside names a folder that is not there yet.
func (b books) newAside(what string) string {
	first := what + "-" + time.Now().UTC().Format("20060102-150405")
	name := first
	for n := 2; exists(filepath.Join(b.backups(), name)); n++ {
		name = fmt.Sprintf("%s-%d", first, n)
	}
	return name
}

func (b books) rollbackSteps(o order) []step {
	var steps []step
	if !exists(b.file(rollbackOrder)) {
		steps = append(steps, step{"lay the copy ready", func(context.Context) error { return b.stage(o) }},
			step{"write the order", func(context.Context) error { return b.writeOrder(o) }})
	}
	for _, name := range o.Files {
		steps = append(steps, step{"put " + name + " aside", func(context.Context) error { return b.putAside(o, name) }},
			step{"put " + name + " in its place", func(context.Context) error { return b.replace(name) }})
	}
	return append(steps, step{"forget the order", func(context.Context) error { return b.forgetOrder() }})
}

// stage copies what goes back, so that the copy itself stays.
func (b books) stage(o order) error {
	folder := filepath.Join(b.backups(), stagedFolder)
	if err := os.RemoveAll(folder); err != nil {
		return err
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	for _, name := range o.Files {
		if err := copyFile(b.kept(o.Copy, name), filepath.Join(folder, name)); err != nil {
			return errors.Join(fmt.Errorf("copy %s, nothing was changed: %w", name, err), os.RemoveAll(folder))
		}
	}
	return errors.Join(syncFolder(folder), syncFolder(b.backups()))
}

func copyFile(from, to string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Sync(), out.Close())
}

func (b books) writeOrder(o order) error {
	text, err := json.Marshal(o)
	if err != nil {
		return err
	}
	if err := renameio.WriteFile(b.file(rollbackOrder), text, 0o600); err != nil {
		return err
	}
	return syncFolder(b.dir)
}

// putAside moves a database away, with what belongs to it. It has been done when
// the copy is in its place.
func (b books) putAside(o order, name string) error {
	if !exists(b.kept(stagedFolder, name)) {
		return nil
	}
	if err := os.MkdirAll(filepath.Join(b.backups(), o.Aside), 0o700); err != nil {
		return err
	}
	for _, part := range []string{name, name + "-wal", name + "-shm", name + ".spool"} {
		err := os.Rename(b.file(part), b.kept(o.Aside, part))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return errors.Join(syncFolder(b.kept(o.Aside, "")), syncFolder(b.backups()), syncFolder(b.dir))
}

func (b books) replace(name string) error {
	err := os.Rename(b.kept(stagedFolder, name), b.file(name))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return syncFolder(b.dir)
}

func (b books) forgetOrder() error {
	if err := os.RemoveAll(filepath.Join(b.backups(), stagedFolder)); err != nil {
		return err
	}
	if err := os.Remove(b.file(rollbackOrder)); err != nil {
		return err
	}
	return syncFolder(b.dir)
}
