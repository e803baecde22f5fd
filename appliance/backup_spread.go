package appliance

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/dmpool/dmpool/appliance/backup"
)

// spread brings a sound backup to the other places, and lets go in each what has had
// its time. A place that fails, or takes too long, keeps no other from getting it.
func (v *vault) spread(ctx context.Context, b *Backup) error { return v.spreadTo(ctx, b, v.others) }

// spreadAgain brings a sound backup to those places of which nobody knows whether it was
// ever brought there: that was cut short, or the place is new.
func (v *vault) spreadAgain(ctx context.Context, b *Backup) error {
	_, end, err := v.take()
	if err != nil {
		return err
	}
	defer end()
	return v.spreadTo(ctx, b, slices.DeleteFunc(slices.Clone(v.others), func(p BackupPlace) bool { return b.in(p.Name).Place != "" }))
}

func (v *vault) spreadTo(ctx context.Context, b *Backup, places []BackupPlace) error {
	var errs []error
	for _, p := range places {
		if err := v.bring(ctx, *b, p); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", p.Name, err))
		}
		if errors.Is(ctx.Err(), context.Canceled) {
			break // the box stops
		}
	}
	again, err := v.history().one(context.WithoutCancel(ctx), b.ID)
	if err == nil {
		*b = again
	}
	return errors.Join(append(errs, err)...)
}

var errSlowPlace = errors.New("it took too long to bring the backup there; see whether the disk or the line is too slow")

// bring brings a backup to a place within the time that there is for that, writes down
// how that went, and lets go there what has had its time.
func (v *vault) bring(ctx context.Context, b Backup, p BackupPlace) error {
	limited, cancel := context.WithTimeout(ctx, cmp.Or(v.patience, placeTakes))
	defer cancel()
	err, problem := v.carry(limited, b, p), ""
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return err
	case err != nil && limited.Err() != nil:
		err = errSlowPlace
	}
	if err != nil {
		problem = sentence(err)
	}
	if noted := v.history().arrived(ctx, b.ID, p.Name, time.Now(), problem); noted != nil {
		return errors.Join(err, noted)
	}
	if _, left := v.expire(limited, p, b.ID); limited.Err() == nil && !errors.Is(left, backup.ErrAway) {
		err = errors.Join(err, left)
	}
	return err
}

// carry copies a backup from this box to a place and reads it back from there.
func (v *vault) carry(ctx context.Context, b Backup, p BackupPlace) error {
	if used, err := v.history().used(ctx, p.Name); err != nil {
		return err
	} else if used { // then its folder is there, or it is another one
		if _, err := p.List(ctx); err != nil {
			return err
		}
	}
	if free, known, err := p.Free(ctx); err != nil || known && free < b.Size {
		return errors.Join(err, when(known && free < b.Size, fmt.Errorf("the backup has %d MB and %d MB are free", b.Size/1e6+1, free/1e6)))
	}
	in, err := v.here().Open(ctx, b.Name)
	if err != nil {
		return err
	}
	defer in.Close()
	if err := p.Put(ctx, b.Name, in); err != nil {
		return err
	}
	err = sameFile(ctx, b, p)
	if errors.Is(err, backup.ErrAltered) {
		err = errors.Join(err, p.Remove(ctx, b.Name)) // what the place has is worth nothing
	}
	return err
}

// sameFile reads a backup in a place and compares it with what was made.
func sameFile(ctx context.Context, b Backup, p BackupPlace) error {
	in, err := p.Open(ctx, b.Name)
	if err != nil {
		return err
	}
	defer in.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, backup.Until(ctx, in)); err != nil {
		return fmt.Errorf("read backup: %w", err)
	}
	if hex.EncodeToString(sum.Sum(nil)) != b.SHA256 {
		return backup.ErrAltered
	}
	return nil
}
