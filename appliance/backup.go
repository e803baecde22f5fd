package appliance

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/dmpool/dmpool/appliance/backup"
	"github.com/dmpool/dmpool/pool/node"
)

// vault returns what makes and keeps the backups of this box.
func (a *Appliance) vault(ctx context.Context) (*vault, error) {
	others, err := plannedPlaces(ctx, a.dir, a.network, a.db, &a.patience)
	if err != nil {
		return nil, err
	}
	v := &vault{
		dir: a.dir, network: a.network, db: a.db, program: a.config.Release, log: a.log, work: a.config.backupWork,
		wallet: a.walletForBackup, others: others,
	}
	if a.wallet != nil && a.nodeIsReady() {
		v.try = a.tryWalletCopy
	}
	return v, nil
}

// backupLog is the history of the backups.
func (a *Appliance) backupLog() backupLog { return backupLog{a.db} }

// ErrStarting says that the parts of the box are not there yet.
var ErrStarting = errors.New("the box is still starting; try again in a minute")

// CreateBackup makes a backup, restores it to a scratch place to see that this can be
// done, and brings it to all places. The backup is returned also with an error, when
// there is something of it: it then says what is wrong with it.
func (a *Appliance) CreateBackup(ctx context.Context, actor, ip string) (Backup, error) {
	if a.pool.Load() == nil {
		return Backup{}, ErrStarting
	}
	v, err := a.vault(ctx)
	if err != nil {
		return Backup{}, err
	}
	defer a.underWay(BackupCreate)()
	return v.create(ctx, actor, ip)
}

// VerifyBackup restores a backup of this box to a scratch place once more, under the
// passphrase that is set now, and writes down what came out. One that does not stand
// the test is returned with the error that says why.
func (a *Appliance) VerifyBackup(ctx context.Context, id int64, actor, ip string) (Backup, error) {
	v, err := a.vault(ctx)
	if err != nil {
		return Backup{}, err
	}
	defer a.underWay(BackupVerify)()
	return v.verify(ctx, id, actor, ip)
}

// Backups returns the newest backups and attempts older than the one numbered before,
// 0 for all.
func (a *Appliance) Backups(ctx context.Context, before int64, limit int) ([]Backup, error) {
	return a.backupLog().list(ctx, before, limit)
}

// Backup returns one of them, or ErrNoBackup.
func (a *Appliance) Backup(ctx context.Context, id int64) (Backup, error) {
	return a.backupLog().one(ctx, id)
}

// OpenBackup opens a backup for somebody who takes it away, and writes that down. The
// caller closes it. One that is nowhere any more is ErrNoBackup.
func (a *Appliance) OpenBackup(ctx context.Context, id int64, actor, ip string) (io.ReadCloser, Backup, error) {
	v, err := a.vault(ctx)
	if err != nil {
		return nil, Backup{}, err
	}
	b, err := v.history().one(ctx, id)
	if err != nil {
		return nil, b, err
	}
	content, err := v.open(ctx, b)
	if err != nil {
		return nil, b, err
	}
	if err := a.Audit(ctx, AuditEntry{Actor: actor, Action: "backup.download", Object: b.Name, Result: "ok", IP: ip}); err != nil {
		return nil, b, errors.Join(err, content.Close())
	}
	return content, b, nil
}

// RemoveBackup deletes a backup in one place. The last sound one stays.
func (a *Appliance) RemoveBackup(ctx context.Context, id int64, place, actor, ip string) error {
	v, err := a.vault(ctx)
	if err != nil {
		return err
	}
	return v.drop(ctx, id, place, actor, ip)
}

// walletForBackup has the node copy the wallet and returns the copy. No state of the
// wallet keeps the books from being backed up: where there is no copy of today, the
// newest one is taken, or none, and the backup says so.
func (a *Appliance) walletForBackup(ctx context.Context) (part walletPart, err error) {
	w := a.wallet
	if _, err := a.backUpWallet(ctx); ctx.Err() != nil {
		return part, err
	} else if err != nil && a.config.External.named() && !node.Unavailable(err) {
		part.Notice = "The wallet is not in it: it is on the machine of the node, which belongs to somebody else. Copy it there."
		return part, nil
	}
	if w.ready() {
		if keys, err := a.node.Descriptors(ctx); err == nil {
			part.Descriptors = keys
		}
	}
	part.File, part.Name, part.Notice, err = newestCopy(ctx, a.db.Reader(), w.dir, w.current())
	if err == nil && part.File == "" && !a.Wallet(ctx).Wanted {
		part.Notice = "" // there is no wallet, and none is needed
	}
	return part, err
}

// tryWalletCopy has the node open a copy of the wallet that lies elsewhere. The notice
// says why it could not, when that says nothing about the copy.
func (a *Appliance) tryWalletCopy(ctx context.Context, file string) (notice string, err error) {
	if a.config.External.named() {
		return "", nil // it may see other files than this box
	}
	w := a.wallet
	w.making.Lock()
	defer w.making.Unlock()
	laid := filepath.Join(w.dir, "trial.tmp")
	if err := os.RemoveAll(laid); err != nil {
		return "", fmt.Errorf("lay the wallet before the node: %w", err)
	}
	if err := copyFile(file, laid); err != nil {
		return "", fmt.Errorf("lay the wallet before the node: %w", err)
	}
	defer func() { err = errors.Join(err, os.Remove(laid)) }()
	if err := w.letIn(laid); err != nil {
		return "", err
	}
	limited, cancel := context.WithTimeout(ctx, restoreTakes)
	defer cancel()
	return walletVerdict(w.openTrial(limited, laid, func(*node.Client) error { return nil }))
}

// walletVerdict tells what the node says of a copy of the wallet from what it says of
// itself: that it has pruned the blocks of its time, that it still reads those after half
// an hour, or has not got rid of the trial before. Who reads the backup should know that
// nobody has opened the wallet in it; the backup is no worse for it.
func walletVerdict(err error) (notice string, _ error) {
	refused, ofTheCopy := errors.AsType[*copyError](err)
	switch {
	case err == nil:
		return "", nil
	case errors.Is(err, context.DeadlineExceeded):
		return "The node has not opened the wallet in it: it read the chain for it for too long.", nil
	case node.Unavailable(err):
		return "", nil // as on a box whose node does not run
	case !ofTheCopy || node.Pruned(refused.error):
		return "The node has not opened the wallet in it. " + node.Sentence(err), nil
	}
	return "", fmt.Errorf("the node does not open the wallet in the backup: %w", err)
}

// BackupState is how the backups of the box are, in a few words.
type BackupState struct {
	Ready        bool      // there is a passphrase, so that backups are made
	LastVerified time.Time // when the newest backup was made that is there and was restored to a scratch place; zero: there is none
	Last         Backup    // the newest attempt; zero: there was none
	Kept         int       // backups that are there
	Problem      string    // a sentence, empty when all is well
	Next         string    // what to do about it, a sentence
}

// backupOld is the age from which on the newest backup is a reason to look.
const backupOld = 48 * time.Hour

// BackupState looks at the history of the backups; it asks neither node nor places.
func (a *Appliance) BackupState(ctx context.Context) (s BackupState, err error) {
	if _, s.Ready, err = a.HasBackupPassphrase(ctx); err != nil {
		return s, err
	}
	all, err := a.backupLog().list(ctx, 0, historyMost)
	if err != nil {
		return s, err
	}
	plan, _, err := readBackupPlan(ctx, a.db.Reader())
	if err != nil {
		return s, err
	}
	s.look(all, plan.names(), time.Now(), func() bool { return backupsBusy(a.dir.backups(a.network)) })
	return s, nil
}

// clockOff is how far a clock may be wrong, and then some.
const clockOff = time.Hour

// look judges by the history, the newest first, and by the places where a backup should
// be. busy tells whether one is being made or checked: what that leaves undone is no
// reason to worry.
func (s *BackupState) look(all []Backup, places []string, now time.Time, busy func() bool) {
	var ahead time.Time
	for i, b := range all {
		if s.Last.ID == 0 && !b.untried() && (i > 0 || b.Problem != cutShort || !busy()) {
			s.Last = b
		}
		if !b.thereIn(places) {
			continue
		}
		s.Kept++
		switch {
		case !b.Sound:
		case b.At.After(now.Add(clockOff)):
			ahead = b.At
		case b.At.After(s.LastVerified):
			s.LastVerified = b.At
		}
	}
	s.judge(now)
	if s.Problem != "" {
		return
	}
	if !ahead.IsZero() {
		s.Problem = fmt.Sprintf("A backup says that it was made on %s, which is yet to come: a clock was wrong. It counts for nothing before that day.", ahead.UTC().Format("2 January 2006"))
		s.Next = "Look whether the clock of the box is right, then remove that backup on the backup page."
		return
	}
	if missing := s.Last.missingIn(places); len(missing) > 0 && !busy() {
		s.Problem = fmt.Sprintf("The newest backup was not brought to the place %s yet.", missing[0])
		s.Next = "The box does that within the hour, or make another backup on the backup page."
	}
}

// missingIn names those of some places to which a sound backup was to be brought, and
// where nobody knows what became of it.
func (b Backup) missingIn(places []string) (missing []string) {
	for _, place := range places {
		if c := b.in(place); b.Sound && c.Place == "" {
			missing = append(missing, place)
		}
	}
	return missing
}

// thereIn tells whether the backup can be had from one of some places.
func (b Backup) thereIn(places []string) bool {
	return slices.ContainsFunc(places, func(place string) bool { return b.in(place).There() })
}

func (s *BackupState) judge(now time.Time) {
	const open = "Open the backup page."
	switch {
	case !s.Ready:
		s.Problem, s.Next = "Nothing is backed up: there is no passphrase for the backups yet.", "Open the backup page and set one; backups are then made every night."
	case s.Last.Problem != "":
		s.Problem, s.Next = "The last backup is not good: "+s.Last.Problem, open
	case s.LastVerified.IsZero():
		s.Problem, s.Next = "There is no backup yet.", "Open the backup page and make one, or wait for the night."
	case now.Sub(s.LastVerified) > backupOld:
		s.Problem = fmt.Sprintf("The newest backup that is known to restore is %d days old.", int(now.Sub(s.LastVerified).Hours()/24))
		s.Next = open
	case s.Last.Notice != "":
		s.Problem, s.Next = "Something is missing in the newest backup: "+s.Last.Notice, open
	default:
		for _, c := range s.Last.Copies {
			switch {
			case c.Problem == "":
			case c.There():
				s.Problem, s.Next = fmt.Sprintf("The newest backup is damaged in the place %s: %s", c.Place, c.Problem), open
			default:
				s.Problem, s.Next = fmt.Sprintf("The newest backup is not in the place %s: %s", c.Place, c.Problem), open
			}
		}
	}
}

// open returns the content of a backup, from this box if it is here. A damaged copy is
// only for whoever has no other.
func (v *vault) open(ctx context.Context, b Backup) (io.ReadCloser, error) {
	for _, whole := range []bool{true, false} {
		for _, p := range v.places() {
			if c := b.in(p.Name); !c.There() || c.Whole() != whole {
				continue
			}
			content, err := p.Open(ctx, b.Name)
			if err == nil || !errors.Is(err, backup.ErrMissing) && !errors.Is(err, backup.ErrAway) {
				return content, err
			}
		}
	}
	return nil, ErrNoBackup
}
