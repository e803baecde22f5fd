package webui

import (
	"math"
	"net/http"
	"time"
)

// backupJSON is a backup, or an attempt at one, in the earlier project's words where
// they mean the same.
type backupJSON struct {
	ID        int64      `json:"id"`
	Timestamp time.Time  `json:"timestamp"`
	Name      string     `json:"name"` // of the file
	Actor     string     `json:"actor"`
	Size      *int64     `json:"backup_size"` // bytes; null: it was not made
	Checksum  *string    `json:"checksum"`    // SHA-256 of the file
	State     string     `json:"state"`
	Validated bool       `json:"validated"` // it was restored to a scratch place, and all was well
	CheckedAt *time.Time `json:"checked_at"`
	Problem   *string    `json:"problem"`
	Notice    *string    `json:"notice"`
	Places    []copyJSON `json:"places"`
}

// copyJSON is a place that has a backup, or should.
type copyJSON struct {
	Place   string  `json:"place"`
	There   bool    `json:"there"`
	Problem *string `json:"problem"`
}

func backupOf(l backupLine) backupJSON {
	b := backupJSON{
		ID: l.ID, Timestamp: l.At.UTC(), Name: l.Name, Actor: l.Actor, Checksum: orNull(l.SHA256), State: l.State,
		Validated: l.State == "sound", Problem: orNull(l.Problem), Notice: orNull(l.Notice), Places: []copyJSON{},
	}
	if l.Size > 0 {
		b.Size = &l.Size
	}
	if !l.CheckedAt.IsZero() {
		b.CheckedAt = new(l.CheckedAt.UTC())
	}
	for _, c := range l.Copies {
		b.Places = append(b.Places, copyJSON{c.Place, c.There, orNull(c.Problem)})
	}
	return b
}

// backupListJSON is the answer of /api/backup/list, the newest first.
type backupListJSON struct {
	Backups []backupJSON `json:"backups"`
	Count   int          `json:"count"`
	Next    *int64       `json:"next_before"` // where the list goes on; null: it is all
}

func (s *site) apiBackups(r *http.Request) (any, error) {
	before, err := countOf(r.URL.Query().Get("before"), 0, 0, math.MaxInt32)
	if err != nil {
		return nil, invalid("The field before is the number of a backup.")
	}
	v, err := s.box.Backups(r.Context(), int64(before))
	if err != nil {
		return nil, err
	}
	answer := backupListJSON{Backups: []backupJSON{}, Count: len(v.Lines)}
	for _, l := range v.Lines {
		answer.Backups = append(answer.Backups, backupOf(l))
	}
	if v.More > 0 {
		answer.Next = &v.More
	}
	return answer, nil
}

func (s *site) apiBackup(r *http.Request) (any, error) {
	id, err := backupID(r)
	if err != nil {
		return nil, err
	}
	l, err := s.box.Backup(r.Context(), id)
	return map[string]any{"backup": backupOf(l)}, err
}

// backupStatsJSON is the answer of /api/backup/stats.
type backupStatsJSON struct {
	Ready    bool        `json:"ready"` // there is a passphrase, so that backups are made
	Total    int         `json:"total_backups"`
	Size     int64       `json:"total_size_bytes"` // of those in the list
	Latest   *backupJSON `json:"latest_backup"`
	Verified *time.Time  `json:"last_verified_at"` // when the newest was made that is known to restore
	Next     *time.Time  `json:"next_at"`
	Doing    *string     `json:"doing"`
	Problem  *string     `json:"problem"`
	NextStep *string     `json:"next_step"`
}

func (s *site) apiBackupStats(r *http.Request) (any, error) {
	v, err := s.box.Backups(r.Context(), 0)
	if err != nil {
		return nil, err
	}
	answer := backupStatsJSON{Ready: v.Ready, Total: v.Kept, Doing: orNull(v.Doing.What), Problem: orNull(v.Problem), NextStep: orNull(v.Next)}
	for _, l := range v.Lines {
		if l.There() {
			answer.Size += l.Size
		}
	}
	if len(v.Lines) > 0 {
		answer.Latest = new(backupOf(v.Lines[0]))
	}
	if !v.Verified.IsZero() {
		answer.Verified = new(v.Verified.UTC())
	}
	if !v.NextAt.IsZero() {
		answer.Next = new(v.NextAt.UTC())
	}
	return map[string]any{"stats": answer}, nil
}

// saidJSON is the answer to a command about a backup.
type saidJSON struct {
	Message string `json:"message"`
}

// doBackup has the box begin a backup. It is done when the list says so.
func (s *site) doBackup(r *http.Request, who caller, c command) (int, any, error) {
	if err := c.decode(&struct{}{}); err != nil {
		return 0, nil, err
	}
	if err := s.box.OrderBackup(r.Context(), who.Operator, who.IP.String()); err != nil {
		return 0, nil, err
	}
	return http.StatusAccepted, saidJSON{"A backup is being made; /api/backup/stats tells when it is done."}, nil
}

// doRemoveBackup deletes a backup in one place, or wherever it is.
func (s *site) doRemoveBackup(r *http.Request, who caller, c command) (int, any, error) {
	id, err := backupID(r)
	if err != nil {
		return 0, nil, err
	}
	var in struct {
		Place string `json:"place"`
	}
	if err := c.decode(&in); err != nil {
		return 0, nil, err
	}
	l, err := s.box.Backup(r.Context(), id)
	if err != nil {
		return 0, nil, err
	}
	removed := 0
	for _, copied := range l.Copies {
		if !copied.There || in.Place != "" && in.Place != copied.Place {
			continue
		}
		if err := s.box.RemoveBackup(r.Context(), id, copied.Place, who.Operator, who.IP.String()); err != nil {
			return 0, nil, err
		}
		removed++
	}
	if removed == 0 {
		return 0, nil, notFound()
	}
	return http.StatusOK, saidJSON{"The backup is deleted."}, nil
}

// restoringJSON is the answer to the wish to restore a backup.
type restoringJSON struct {
	Message string     `json:"message"`
	Note    string     `json:"note"` // the command that restores it
	Backup  backupJSON `json:"backup"`
}

// doRestoreBackup tells how a backup is restored: a running box is not overwritten, so
// it is done by a command while the pool is stopped.
func (s *site) doRestoreBackup(r *http.Request, _ caller, c command) (int, any, error) {
	id, err := backupID(r)
	if err != nil {
		return 0, nil, err
	}
	if err := c.decode(&struct{}{}); err != nil {
		return 0, nil, err
	}
	l, err := s.box.Backup(r.Context(), id)
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, restoringJSON{
		Message: "Nothing was changed: a running box is not overwritten. The command in the note shows what would change and asks first.",
		Note:    restoreCommand(l.File), Backup: backupOf(l),
	}, nil
}

// cleanedJSON is the answer to a clean-up.
type cleanedJSON struct {
	Message string `json:"message"`
	Deleted int    `json:"deleted_count"`
}

// doCleanBackups lets go what the rule does not keep, in all places.
func (s *site) doCleanBackups(r *http.Request, who caller, c command) (int, any, error) {
	if err := c.decode(&struct{}{}); err != nil {
		return 0, nil, err
	}
	n, err := s.box.CleanUpBackups(r.Context(), who.Operator, who.IP.String())
	return http.StatusOK, cleanedJSON{"What had its time is gone.", n}, err
}
