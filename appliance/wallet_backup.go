package appliance

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/dmpool/dmpool/pool/node"
)

// WalletBackup is how the last copy of the wallet went. A copy holds the keys, as
// encrypted as the wallet itself; without its passphrase it shows amounts and
// moves nothing.
type WalletBackup struct {
	At      time.Time `json:"at"`       // of the last attempt; zero: none yet
	SoundAt int64     `json:"sound_at"` // Unix ms; of the last copy that was opened and found whole, 0: none yet
	File    string    `json:"file"`     // its name
	Size    int64     `json:"size"`     // its bytes
	Problem string    `json:"problem"`  // what was wrong at the last attempt, a sentence
}

// LastSound is when the last copy was made that was opened and found whole, zero
// when there is none.
func (b WalletBackup) LastSound() time.Time { return orZero(b.SoundAt) }

const (
	copySuffix = ".wallet"
	copiesKept = 7
)

// dailyCopy is the name of a file that this box made. What somebody has put beside
// them stays.
var dailyCopy = regexp.MustCompile(`^\d{4}-\d\d-\d\d-dmpool-.+\.wallet$`)

// copyOf is what stands behind the day in the names of a wallet's copies.
func copyOf(wallet string) string { return "-" + wallet + copySuffix }

// copies returns the names of the wallet's copies, the newest first.
func (w *walletKeeper) copies() []string {
	entries, err := os.ReadDir(w.dir)
	if err != nil {
		return nil // there is no folder before the first copy
	}
	var names []string
	for _, e := range entries {
		if e.Type().IsRegular() && strings.HasSuffix(e.Name(), copySuffix) {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	slices.Reverse(names)
	return names
}

// backUpWallet copies the wallet and opens the copy. One file is kept per day, so
// that restarts do not push the old ones out.
func (a *Appliance) backUpWallet(ctx context.Context) (string, error) {
	if !a.wallet.ready() {
		return walletNotReady, nil
	}
	a.wallet.making.Lock()
	defer a.wallet.making.Unlock()
	var last WalletBackup
	if _, err := a.readSetting(ctx, settingBackup, &last); err != nil {
		return "", err
	}
	last.At, last.Problem = time.Now(), ""
	name, size, err := a.wallet.copyNow(ctx, last.At)
	switch {
	case ctx.Err() != nil, node.Unavailable(err):
		return "", err // box or node stop: that says nothing about the wallet
	case err != nil:
		last.Problem = err.Error()
	default:
		last.SoundAt, last.File, last.Size = last.At.UnixMilli(), name, size
	}
	if saveErr := a.saveSetting(context.WithoutCancel(ctx), settingBackup, last); saveErr != nil || err != nil {
		return "", errors.Join(err, saveErr)
	}
	return "the copy is whole: " + name, nil
}

// copyIfOld has the job run when there is no copy of this wallet from the last
// hours: at the start the job comes before the wallet is ready.
func (w *walletKeeper) copyIfOld(ctx context.Context) {
	var last WalletBackup
	_, err := w.a.readSetting(ctx, settingBackup, &last)
	fresh := time.Since(orZero(last.SoundAt)) < 12*time.Hour && strings.HasSuffix(last.File, copyOf(w.current()))
	s := w.a.schedule.Load()
	if err != nil || fresh || s == nil {
		return // without a schedule yet, its start runs the job
	}
	if err := s.jobs["wallet-backup"].RunNow(); err != nil {
		w.a.log.Warn("Wallet not copied", "err", err)
	}
}

func (w *walletKeeper) copyNow(ctx context.Context, now time.Time) (name string, size int64, err error) {
	if err := os.MkdirAll(w.dir, 0o700); err != nil {
		return "", 0, fmt.Errorf("make folder for copies: %w", err)
	}
	fresh := filepath.Join(w.dir, "new.tmp")
	if err := w.a.node.BackupWallet(ctx, fresh); err != nil {
		if w.a.config.External.named() && !node.Unavailable(err) {
			err = fmt.Errorf("the node belongs to somebody else and cannot write into %s, so copy the wallet %s on its machine: %w", w.dir, w.current(), err)
		}
		return "", 0, fmt.Errorf("copy wallet: %w", err)
	}
	if err := w.tryCopy(ctx, fresh); err != nil {
		return "", 0, fmt.Errorf("try the copy: %w", err)
	}
	info, err := os.Stat(fresh)
	if err != nil {
		return "", 0, fmt.Errorf("look at the copy: %w", err)
	}
	name = now.UTC().Format(time.DateOnly) + copyOf(w.current())
	if err := os.Rename(fresh, filepath.Join(w.dir, name)); err != nil {
		return "", 0, fmt.Errorf("keep the copy: %w", err)
	}
	own := slices.DeleteFunc(w.copies(), func(file string) bool { return !dailyCopy.MatchString(file) })
	for _, old := range own[min(copiesKept, len(own)):] {
		if err := os.Remove(filepath.Join(w.dir, old)); err != nil {
			return "", 0, fmt.Errorf("remove old copy: %w", err)
		}
	}
	return name, info.Size(), nil
}

// tryCopy opens a copy and compares its keys with those of the wallet.
func (w *walletKeeper) tryCopy(ctx context.Context, file string) error {
	return w.openTrial(ctx, file, func(n *node.Client) error {
		want, err := w.a.node.Descriptors(ctx)
		if err != nil {
			return err
		}
		got, err := n.Descriptors(ctx)
		if err != nil {
			return err
		}
		for _, d := range want {
			if !slices.ContainsFunc(got, func(o node.Descriptor) bool { return o.Desc == d.Desc }) {
				return errors.New("it lacks keys of the wallet")
			}
		}
		return nil
	})
}

// openTrial restores a copy under a name of its own, looks at it, and throws it away.
// No wallet that is there is touched. The caller holds making.
func (w *walletKeeper) openTrial(ctx context.Context, file string, look func(*node.Client) error) (err error) {
	scratch := filepath.Join(w.dir, "trial")
	n := w.a.node.ForWallet(scratch)
	if err := n.UnloadWallet(ctx, scratch); err != nil && !node.IsCode(err, node.ErrCodeNoWallet) {
		return err // of a trial that was cut short
	}
	if err := w.a.clearTrial(ctx, scratch); err != nil {
		return err
	}
	if err := n.RestoreWallet(ctx, scratch, file); err != nil {
		return &copyError{err}
	}
	defer func() {
		after := context.WithoutCancel(ctx)
		err = errors.Join(err, n.UnloadWallet(after, scratch), w.a.clearTrial(after, scratch))
	}()
	return look(n)
}

// copyError is what the node says when it is to restore a copy of the wallet.
type copyError struct{ error }

func (e *copyError) Unwrap() error { return e.error }

// CopyOfWallet opens the newest sound copy for somebody who takes it away, and
// writes that down. The caller closes it.
func (a *Appliance) CopyOfWallet(ctx context.Context, actor, ip string) (*os.File, error) {
	var backup WalletBackup
	if _, err := a.readSetting(ctx, settingBackup, &backup); err != nil {
		return nil, err
	}
	if backup.SoundAt == 0 {
		return nil, refuse("There is no copy yet. Run the job “wallet-backup” on the jobs page first.")
	}
	file, err := os.Open(filepath.Join(a.wallet.dir, backup.File))
	if err != nil {
		return nil, fmt.Errorf("open copy of the wallet: %w", err)
	}
	if err := a.noteTested(ctx, AuditEntry{Actor: actor, Action: "wallet.copy", Object: backup.File, Result: "ok", IP: ip}); err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}
