package appliance

import (
	"context"
	"errors"
	"io"
)

// ErrNoBackupHere says that no backup waits to take its place.
var ErrNoBackupHere = errors.New("there is no backup to restore; upload it once more")

// ReceiveBackup unpacks a backup that somebody uploads, in the place of one that was
// uploaded before, looks at all of it, and tells what is in it. Nothing else is done with
// it before [Wizard.Restore]. What is wrong with it is an error in a sentence.
func (w *Wizard) ReceiveBackup(ctx context.Context, content io.Reader, passphrase string) (RestorePreview, error) {
	if !w.receiving.TryLock() {
		return RestorePreview{}, ErrBackupBusy
	}
	defer w.receiving.Unlock()
	if err := w.drop(); err != nil {
		return RestorePreview{}, err
	}
	r, err := w.dir.receive(ctx, content, passphrase, w.log)
	if err != nil {
		return RestorePreview{}, err
	}
	w.backup = r
	return r.Preview, nil
}

// ReceivedBackup tells what is in the backup that waits, false when none does.
func (w *Wizard) ReceivedBackup() (RestorePreview, bool) {
	w.receiving.Lock()
	defer w.receiving.Unlock()
	if w.backup == nil {
		return RestorePreview{}, false
	}
	return w.backup.Preview, true
}

// Restore makes this box the one of the backup that was uploaded. The set-up ends with
// it, as with any other operator.
func (w *Wizard) Restore(ctx context.Context, ip string) error {
	w.receiving.Lock()
	defer w.receiving.Unlock()
	if w.backup == nil {
		return ErrNoBackupHere
	}
	if _, err := w.backup.Commit(context.WithoutCancel(ctx), "set-up", ip); err != nil {
		return err
	}
	w.log.Info("The box is restored from a backup", "network", w.backup.Preview.Network, "made", w.backup.Preview.Made)
	w.backup = nil
	w.end()
	return nil
}

// DropBackup throws away the backup that was uploaded, if there is one.
func (w *Wizard) DropBackup() error {
	w.receiving.Lock()
	defer w.receiving.Unlock()
	return w.drop()
}

func (w *Wizard) drop() error {
	if w.backup == nil {
		return nil
	}
	err := w.backup.Close()
	w.backup = nil
	return err
}
