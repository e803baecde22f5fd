package appliance

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/dmpool/dmpool/appliance/backup"
)

// A backup is restored in steps of which each is a rename, so that a power cut leaves
// the box between two of them:
//
//	restore/          the parts, unpacked, checked and made ready; worth nothing yet
//	restore.json      the order: from now on all of them take their places
//
// Until the order is written nothing of the box has changed, and what lies in restore is
// thrown away at the next start. After that the next start carries it out to its end
// (restore_swap.go); nobody opens the books in between. What was there is put aside, and
// never deleted.
//
// The node has no part in it. What it needs of the backup, the wallet, is laid where
// the box finds it after the start (restore_wallet.go).

// Restoration is a backup that was unpacked in the data directory, beside what is there,
// and was found to be whole. [Restoration.Commit] has it take its place. Nothing was
// changed by it until then.
type Restoration struct {
	// Preview tells what is in the backup and what it would replace.
	Preview RestorePreview

	d    dataDir
	m    backup.Manifest
	log  *slog.Logger
	lock io.Closer // of the data directory, nil: somebody else has it
}

// OpenRestoration takes a data directory, in which no box may run, and unpacks a backup
// there. Errors are sentences. The caller closes it.
func OpenRestoration(ctx context.Context, dir string, in io.Reader, passphrase string, log *slog.Logger) (*Restoration, error) {
	root, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	d := dataDir{root}
	if err := os.MkdirAll(root, 0o700); err != nil {
		return nil, fmt.Errorf("data directory %s cannot be made: %w; choose another with --data-dir or make it writable", root, errors.Unwrap(err))
	}
	lock, err := d.lock()
	if err != nil {
		return nil, fmt.Errorf("a backup is not restored over a running box: %w", err)
	}
	r, err := d.receive(ctx, in, passphrase, log)
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	r.lock = lock
	return r, nil
}

// receive is OpenRestoration for who has the lock.
func (d dataDir) receive(ctx context.Context, in io.Reader, passphrase string, log *slog.Logger) (r *Restoration, err error) {
	if err := d.finishRestore(); err != nil {
		return nil, err
	}
	r = &Restoration{d: d, log: log}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(d.restored("")))
		}
	}()
	if r.m, err = unpack(ctx, in, passphrase, d.restored(""), 0); err != nil {
		return nil, err
	}
	if err := d.mayRestore(ctx, r.m.Network); err != nil {
		return nil, err
	}
	if err := checkParts(ctx, r.m, d.restored(""), log); err != nil {
		return nil, err
	}
	r.Preview, err = d.preview(ctx, r.m, d.restored(""))
	return r, err
}

// Commit puts the backup in the place of what is there, which is put aside in the folder
// that it returns, empty when there was nothing. When it fails, the next start of the box
// carries it out or nothing has changed; a second call goes on.
func (r *Restoration) Commit(ctx context.Context, actor, ip string) (aside string, err error) {
	turn, err := r.d.turn()
	if err != nil {
		return "", err
	}
	defer turn.Close()
	if !exists(r.d.restoreOrder()) {
		if err := r.ready(ctx, actor, ip); err != nil {
			return "", fmt.Errorf("make the backup ready, nothing was changed: %w", err)
		}
		if err := r.d.writeRestoreOrder(r.m); err != nil {
			return "", fmt.Errorf("write down what is to be restored: %w", err)
		}
	}
	return r.d.carryOut()
}

// Close throws away what was unpacked, unless it was committed.
func (r *Restoration) Close() error {
	var errs []error
	if !exists(r.d.restoreOrder()) {
		errs = append(errs, os.RemoveAll(r.d.restored("")))
	}
	if r.lock != nil {
		errs = append(errs, r.lock.Close())
	}
	return errors.Join(errs...)
}

// mayRestore refuses a backup of another network than the one of a box that is set up.
func (d dataDir) mayRestore(ctx context.Context, network string) error {
	now, err := d.network()
	if err != nil {
		return err
	}
	if now == "" || now == network {
		return d.oneDisk(network)
	}
	if used, err := d.hasOperator(ctx, now); used || err != nil { // or its books are damaged
		return wrongNetwork(network, now)
	}
	return d.oneDisk(network)
}

// oneDisk sees that what is unpacked can be moved to its place by a rename.
func (d dataDir) oneDisk(network string) error {
	if err := d.prepare(network); err != nil {
		return err
	}
	var root, inner unix.Stat_t
	if err := errors.Join(unix.Stat(d.root, &root), unix.Stat(d.of(network), &inner)); err != nil {
		return fmt.Errorf("look at the data directory: %w", err)
	}
	if root.Dev != inner.Dev {
		return fmt.Errorf("%s lies on another disk than %s, so a backup cannot take its place in one step; restore into another data directory, then move it there", d.of(network), d.root)
	}
	return nil
}
