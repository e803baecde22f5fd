package appliance

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/dmpool/dmpool/appliance/backup/place"
	"github.com/dmpool/dmpool/pool/sqlite"
)

// The places of backups besides [PlaceBox], by their names in the history.
const (
	PlaceFolder = "folder"
	PlaceDisk   = "disk"
	PlaceServer = "server"
)

// BackupDisk is where a disk for backups is mounted when somebody plugs it in; the
// package's rule for udev does that.
const BackupDisk = "/media/dmpool/disk"

// BackupPlan is where backups go besides this box, and when they are made.
type BackupPlan struct {
	Rev    int64  // to be named in a change
	At     int    // minutes after midnight by the clock of the settings' time zone
	Folder string // empty: none
	Same   bool   // the folder was on the disk of the box when it was chosen, and is lost together with it
	Disk   bool
	Server *BackupServer // nil: none
	Key    string        // line for authorized_keys of a server, by which the box signs in; empty: not made yet
}

// BackupServer is a server that keeps backups.
type BackupServer struct {
	Address, User, Folder string
	HostKey               ServerKey
	ByPassword            bool // else by the key of the box
}

// ServerKey is the host key by which a server is known.
type ServerKey struct {
	Line        string // as in known_hosts, without the name
	Kind        string // such as ED25519
	Fingerprint string // SHA256:…
}

// BackupChange changes the plan, the passphrase of the backups, or both at once. What
// is nil or empty stays.
type BackupChange struct {
	Rev        int64
	At         *int
	Folder     *string // empty: none
	Disk       *bool
	Server     *ServerChange
	Passphrase string
	Actor, IP  string
}

// ServerChange is another server, or none when it has no address.
type ServerChange struct {
	Address, User, Folder string
	HostKey               string // the line of the key that the operator has confirmed
	ByPassword            bool
	Password              string // empty with ByPassword: the one that is kept, if the server is the same
}

// settingBackupPlan is the key of storedPlan.
const settingBackupPlan = "backup_plan"

// usualBackupTime is at two in the morning.
const usualBackupTime = 2 * 60

// storedPlan is the plan in the database. What is sealed is so under the key of the
// backups.
type storedPlan struct {
	At     int           `json:"at"`
	Folder string        `json:"folder,omitempty"`
	Mount  string        `json:"mount,omitempty"` // of the folder's file system when it was chosen
	Same   bool          `json:"same,omitempty"`  // that is the one of the box
	Disk   bool          `json:"disk,omitempty"`
	Server *storedServer `json:"server,omitempty"`
	Key    string        `json:"key,omitempty"` // the box's own, sealed, in base64
}

type storedServer struct {
	Address  string `json:"address"`
	User     string `json:"user"`
	Folder   string `json:"folder,omitempty"`
	HostKey  string `json:"host_key"`
	Password string `json:"password,omitempty"` // sealed, in base64; empty: by the box's key
}

// readBackupPlan returns the plan and its revision, 0 when nobody has changed it yet.
func readBackupPlan(ctx context.Context, q queryer) (p storedPlan, rev int64, err error) {
	p.At = usualBackupTime
	var text string
	err = q.QueryRowContext(ctx, `SELECT value, rev FROM setting WHERE key = ?`, settingBackupPlan).Scan(&text, &rev)
	if errors.Is(err, sql.ErrNoRows) {
		return p, 0, nil
	}
	if err == nil {
		err = json.Unmarshal([]byte(text), &p)
	}
	if err != nil {
		return p, 0, fmt.Errorf("read setting %s: %w", settingBackupPlan, err)
	}
	return p, rev, nil
}

// BackupPlan returns the plan, without its secrets.
func (a *Appliance) BackupPlan(ctx context.Context) (BackupPlan, error) {
	stored, rev, err := readBackupPlan(ctx, a.db.Reader())
	if err != nil {
		return BackupPlan{}, err
	}
	p := BackupPlan{Rev: rev, At: stored.At, Folder: stored.Folder, Same: stored.Same, Disk: stored.Disk}
	if s := stored.Server; s != nil {
		key, err := serverKey(s.HostKey)
		if err != nil {
			return p, err
		}
		p.Server = &BackupServer{s.Address, s.User, s.Folder, key, s.Password != ""}
	}
	if stored.Key == "" {
		return p, nil
	}
	if secret, err := backupUnsealed(a.dir, a.network, stored.Key); err == nil {
		p.Key, err = place.PublicLine([]byte(secret))
		return p, err
	}
	return p, nil
}

// ChangeBackups checks and stores another plan, and the passphrase if one is given,
// together with the entry of the audit log. A folder or a server is tried first: what
// does not take a small file is refused. The refusals are [*PersonError], and
// [ErrSettingsChanged] when the plan is no longer as the caller saw it. The caller has
// made sure that the operator is who they say.
func (a *Appliance) ChangeBackups(ctx context.Context, c BackupChange) error {
	old, rev, err := readBackupPlan(ctx, a.db.Reader())
	if err != nil {
		return err
	}
	if rev != c.Rev {
		return ErrSettingsChanged
	}
	next, err := a.planned(ctx, old, c)
	if err != nil {
		return err
	}
	if err := a.tryChanged(ctx, c, next); err != nil {
		return err
	}
	keep := func(context.Context, *sql.Tx) error { return nil }
	if c.Passphrase != "" {
		if keep, err = newBackupPassphrase(a.dir, a.network, c.Passphrase, AuditEntry{Actor: c.Actor, IP: c.IP}); err != nil {
			return err
		}
	}
	return a.db.Update(ctx, func(tx *sql.Tx) error {
		_, now, err := readBackupPlan(ctx, tx)
		if err != nil {
			return err
		}
		if now != c.Rev {
			return ErrSettingsChanged
		}
		if err := keep(ctx, tx); err != nil || next == old {
			return err
		}
		at := time.Now()
		if err := writeSetting(ctx, tx, settingBackupPlan, next, at); err != nil {
			return err
		}
		return writeAudit(ctx, tx, AuditEntry{At: at, Actor: c.Actor, Action: "backup.plan", Result: "ok", IP: c.IP, Detail: planDiff(old, next)})
	})
}

// planned is the plan after a change.
func (a *Appliance) planned(ctx context.Context, p storedPlan, c BackupChange) (storedPlan, error) {
	if c.At != nil {
		if p.At = *c.At; p.At < 0 || p.At >= 24*60 {
			return p, &PersonError{errors.New("the time of the backup is one of a day, such as 02:00")}
		}
	}
	if c.Disk != nil {
		p.Disk = *c.Disk
	}
	if c.Folder != nil && *c.Folder != p.Folder {
		p.Folder, p.Mount, p.Same = strings.TrimSpace(*c.Folder), "", false
		if p.Folder != "" {
			if err := place.CheckFolder(p.Folder); err != nil {
				return p, &PersonError{err}
			}
			ctx, cancel := limitedTry(ctx)
			defer cancel()
			found, err := a.findFolder(ctx, p.Folder)
			if err != nil {
				return p, a.refusedByPlace(err)
			}
			p.Mount, p.Same = found.mount, found.same
		}
	}
	if c.Server == nil {
		return p, nil
	}
	return a.plannedServer(p, *c.Server)
}

// foundFolder is what there is to know of a folder that somebody chooses.
type foundFolder struct {
	mount string
	same  bool
}

func (a *Appliance) findFolder(ctx context.Context, dir string) (foundFolder, error) {
	return place.Look(ctx, &a.patience, dir, func() (found foundFolder, err error) {
		found.mount, err = place.MountOf(dir)
		found.same = place.SameDisk(dir, a.dir.root)
		return found, err
	})
}

func (a *Appliance) plannedServer(p storedPlan, c ServerChange) (storedPlan, error) {
	was := p.Server
	if p.Server = nil; c.Address == "" {
		return p, nil
	}
	next := storedServer{Address: c.Address, User: c.User, Folder: c.Folder, HostKey: c.HostKey}
	if err := (place.Server{Address: c.Address, User: c.User, Folder: c.Folder}).Check(); err != nil {
		return p, &PersonError{err}
	}
	if _, err := place.Fingerprint(c.HostKey); err != nil {
		return p, &PersonError{errNotConfirmedKey}
	}
	switch same := was != nil && was.Address == next.Address && was.User == next.User && was.HostKey == next.HostKey; {
	case !c.ByPassword:
	case c.Password != "":
		sealed, err := backupSealed(a.dir, a.network, c.Password)
		if err != nil {
			return p, err
		}
		next.Password = sealed
	case same && was.Password != "":
		next.Password = was.Password
	default:
		return p, &PersonError{errors.New("type the password of the user on the server")}
	}
	p.Server = &next
	return p, nil
}

// tryTime is how long the trial of a place may take: somebody waits for the answer.
const tryTime = 20 * time.Second

// tryChanged tries the places that a change brings.
func (a *Appliance) tryChanged(ctx context.Context, c BackupChange, next storedPlan) error {
	for _, p := range next.places(a.dir, a.network, &a.patience) {
		if p.Name == PlaceFolder && c.Folder != nil || p.Name == PlaceServer && c.Server != nil {
			if err := a.try(ctx, p); err != nil {
				return err
			}
		}
	}
	return nil
}

func limitedTry(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, tryTime, &PersonError{errors.New("the place does not answer in time")})
}

func (a *Appliance) try(ctx context.Context, p BackupPlace) error {
	ctx, cancel := limitedTry(ctx)
	defer cancel()
	return a.refusedByPlace(place.Try(ctx, p))
}

// TryBackupPlace lays a small file into one of the places of the plan and takes it
// away again. A refusal is a [*PersonError]; [ErrNoPlace] means that it is not in the
// plan.
func (a *Appliance) TryBackupPlace(ctx context.Context, name string) error {
	all, err := plannedPlaces(ctx, a.dir, a.network, a.db, &a.patience)
	if err != nil {
		return err
	}
	for _, p := range all {
		if p.Name == name {
			return a.try(ctx, p)
		}
	}
	return ErrNoPlace
}

// ErrNoPlace says that backups are not brought to a place of that name.
var ErrNoPlace = errors.New("backups are not brought there")

// plannedPlaces are the places of the plan as it is stored.
func plannedPlaces(ctx context.Context, d dataDir, network string, db *sqlite.DB, patience *place.Patience) ([]BackupPlace, error) {
	p, _, err := readBackupPlan(ctx, db.Reader())
	if err != nil {
		return nil, err
	}
	return p.places(d, network, patience), nil
}

func (p storedPlan) places(d dataDir, network string, patience *place.Patience) (all []BackupPlace) {
	if p.Folder != "" {
		all = append(all, BackupPlace{PlaceFolder, patience.With(place.NewFolder(p.Folder, p.Mount))})
	}
	if p.Disk {
		all = append(all, BackupPlace{PlaceDisk, patience.With(place.NewDisk(BackupDisk, d.root))})
	}
	if p.Server != nil {
		all = append(all, BackupPlace{PlaceServer, place.NewSFTP(p.server(d, network))})
	}
	return all
}

// names are the places of a plan, and the box itself.
func (p storedPlan) names() []string {
	all := []string{PlaceBox}
	if p.Folder != "" {
		all = append(all, PlaceFolder)
	}
	if p.Disk {
		all = append(all, PlaceDisk)
	}
	if p.Server != nil {
		all = append(all, PlaceServer)
	}
	return all
}

// server is the server of a plan with its secret, or without one when that cannot be
// unsealed any more: then nobody signs in there.
func (p storedPlan) server(d dataDir, network string) place.Server {
	s := place.Server{Address: p.Server.Address, User: p.Server.User, Folder: p.Server.Folder, HostKey: p.Server.HostKey}
	if p.Server.Password != "" {
		s.Password, _ = backupUnsealed(d, network, p.Server.Password)
		return s
	}
	key, _ := backupUnsealed(d, network, p.Key)
	s.Key = []byte(key)
	return s
}

// planDiff says what has changed, without secrets.
func planDiff(old, next storedPlan) map[string]string {
	diff := map[string]string{}
	note := func(key, was, is string) {
		if was != is {
			diff[key] = was + " → " + is
		}
	}
	server := func(p storedPlan) string {
		if p.Server == nil {
			return ""
		}
		return p.Server.User + "@" + p.Server.Address + ":" + p.Server.Folder
	}
	clock := func(p storedPlan) string { return fmt.Sprintf("%02d:%02d", p.At/60, p.At%60) }
	note("at", clock(old), clock(next))
	note("folder", old.Folder, next.Folder)
	note("disk", strconv.FormatBool(old.Disk), strconv.FormatBool(next.Disk))
	note("server", server(old), server(next))
	if next.Server != nil && len(diff) == 0 {
		diff["server"] = server(next)
	}
	return diff
}
