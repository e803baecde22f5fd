package appliance

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/dmpool/dmpool/appliance/backup"
)

// historyMost bounds how many backups are looked at; those before have long had their
// time everywhere.
const historyMost = 1000

// expire brings the history in line with what is in a place, and removes there what the
// rule does not keep. It tells how many these were.
//
// Disks take turns, and a share may not be mounted: what is not there now may be there
// another time, and counts again then. The backup that was just made stays whatever the
// clock says; 0: none was.
func (v *vault) expire(ctx context.Context, p BackupPlace, made int64) (removed int, err error) {
	stored, err := p.List(ctx)
	if err != nil {
		return 0, err
	}
	if used, err := v.history().used(ctx, p.Name); err != nil || used && len(stored) == 0 && p.Name != PlaceBox {
		return 0, errors.Join(err, when(err == nil, backup.ErrAway)) // an empty folder under what is not mounted
	}
	all, err := v.history().list(ctx, 0, historyMost)
	if err != nil {
		return 0, err
	}
	sizes := map[string]int64{}
	for _, s := range stored {
		sizes[s.Name] = s.Size
	}
	byID := map[int64]Backup{}
	var tried, untried, ahead []backup.Kept
	horizon := time.Now().Add(clockOff)
	for _, b := range all {
		size, listed := sizes[b.Name]
		there, err := v.reconcile(ctx, b, p, listed, size)
		if err != nil {
			return 0, err
		}
		if !there {
			continue
		}
		byID[b.ID] = b
		if b.untried() { // nobody knows what it is worth: it pushes out no other, nor is it pushed out by one
			untried = append(untried, backup.Kept{ID: b.ID, Made: b.At, Sound: true})
			continue
		}
		one := backup.Kept{ID: b.ID, Made: b.At, Sound: b.sound && b.in(p.Name).SpoiledAt.IsZero()}
		if b.At.After(horizon) { // a clock was, or is, wrong: its date says nothing about the others
			ahead = append(ahead, one)
			continue
		}
		tried = append(tried, one)
	}
	rule := backup.Usual()
	for _, old := range slices.Concat(rule.Expired(tried), rule.Expired(untried), rule.Expired(ahead)) {
		if old.ID == made {
			continue
		}
		if err := v.remove(ctx, byID[old.ID], p); err != nil {
			return removed, err
		}
		removed++
	}
	return removed, nil
}

// reconcile writes down whether a backup is in a place, where it is listed or not.
func (v *vault) reconcile(ctx context.Context, b Backup, p BackupPlace, listed bool, size int64) (there bool, err error) {
	c := b.in(p.Name)
	switch {
	case listed && c.There():
		return true, nil
	case listed && !c.At.IsZero():
		return true, v.history().back(ctx, b.ID, p.Name)
	case listed && p.Name == PlaceBox: // which was cut short behind it
		return true, v.history().arrived(ctx, b.ID, p.Name, time.Now(), "")
	case listed && b.SHA256 != "" && size == b.Size: // nobody has seen it arrive; it may be another box's
		if sameFile(ctx, b, p) != nil {
			return false, nil //nolint:nilerr // why it is not there stands in the history already
		}
		return true, v.history().arrived(ctx, b.ID, p.Name, time.Now(), "")
	case c.There():
		return false, v.history().left(ctx, b.ID, p.Name, time.Now())
	}
	return false, nil
}

// CleanUpBackups lets go, in all places, what the rule does not keep, and tells how many
// copies that were. A place that is not there keeps no other from it.
func (a *Appliance) CleanUpBackups(ctx context.Context, actor, ip string) (removed int, err error) {
	v, err := a.vault(ctx)
	if err != nil {
		return 0, err
	}
	_, end, err := v.take()
	if err != nil {
		return 0, err
	}
	defer end()
	if err := a.Audit(ctx, AuditEntry{Actor: actor, Action: "backup.cleanup", Result: "ok", IP: ip}); err != nil {
		return 0, err
	}
	for _, p := range v.places() {
		n, err := v.expire(ctx, p, 0)
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
