package appliance

import (
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
// its time. A place that fails keeps no other from getting it.
func (v *vault) spread(ctx context.Context, b *Backup) error {
	var errs []error
	for _, p := range v.others {
		err := v.carry(ctx, *b, p)
		if ctx.Err() != nil {
			return err
		}
		problem := ""
		if err != nil {
			problem = sentence(err)
			errs = append(errs, fmt.Errorf("%s: %w", p.Name, err))
		}
		if err := v.history().arrived(ctx, b.ID, p.Name, time.Now(), problem); err != nil {
			return err
		}
	}
	for _, p := range v.places() {
		if _, err := v.expire(ctx, p); err != nil && !errors.Is(err, backup.ErrAway) {
			errs = append(errs, fmt.Errorf("%s: %w", p.Name, err))
		}
	}
	again, err := v.history().one(ctx, b.ID)
	if err == nil {
		*b = again
	}
	return errors.Join(append(errs, err)...)
}

// carry copies a backup from this box to a place and reads it back from there.
func (v *vault) carry(ctx context.Context, b Backup, p BackupPlace) error {
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
	if _, err := io.Copy(sum, untilDone{ctx, in}); err != nil {
		return fmt.Errorf("read backup: %w", err)
	}
	if hex.EncodeToString(sum.Sum(nil)) != b.SHA256 {
		return backup.ErrAltered
	}
	return nil
}

// historyMost bounds how many backups are looked at; those before have long had their
// time everywhere.
const historyMost = 1000

// expire writes down what is not in a place any more, and removes there what the rule
// does not keep. It tells how many these were.
func (v *vault) expire(ctx context.Context, p BackupPlace) (removed int, err error) {
	stored, err := p.List(ctx)
	if err != nil {
		return removed, err
	}
	all, err := v.history().list(ctx, 0, historyMost)
	if err != nil {
		return removed, err
	}
	byID := map[int64]Backup{}
	var kept []backup.Kept
	for _, b := range all {
		i := slices.IndexFunc(b.Copies, func(c BackupCopy) bool { return c.Place == p.Name && c.There() })
		if i < 0 {
			continue
		}
		if !slices.ContainsFunc(stored, func(s backup.Stored) bool { return s.Name == b.Name }) {
			if err := v.history().left(ctx, b.ID, p.Name, time.Now()); err != nil {
				return removed, err
			}
			continue
		}
		byID[b.ID] = b
		kept = append(kept, backup.Kept{ID: b.ID, Made: b.At, Sound: b.Sound})
	}
	for _, old := range backup.Usual().Expired(kept) {
		if err := v.remove(ctx, byID[old.ID], p); err != nil {
			return removed, err
		}
		removed++
	}
	return removed, nil
}

// CleanUpBackups lets go, in all places, what the rule does not keep, and tells how many
// copies that were. A place that is not there keeps no other from it.
func (a *Appliance) CleanUpBackups(ctx context.Context, actor, ip string) (removed int, err error) {
	v, err := a.vault(ctx)
	if err != nil {
		return 0, err
	}
	if err := a.Audit(ctx, AuditEntry{Actor: actor, Action: "backup.cleanup", Result: "ok", IP: ip}); err != nil {
		return 0, err
	}
	for _, p := range v.places() {
		n, err := v.expire(ctx, p)
		if err != nil && !errors.Is(err, backup.ErrAway) {
			return removed, err
		}
		removed += n
	}
	return removed, nil
}

// remove deletes a backup in one place.
func (v *vault) remove(ctx context.Context, b Backup, p BackupPlace) error {
	if err := p.Remove(ctx, b.Name); err != nil && !errors.Is(err, backup.ErrMissing) {
		return err
	}
	return v.history().left(ctx, b.ID, p.Name, time.Now())
}
