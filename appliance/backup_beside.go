package appliance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/dmpool/dmpool/appliance/backup/place"
	"github.com/dmpool/dmpool/appliance/bitcoind"
	"github.com/dmpool/dmpool/pool/sqlite"
)

// Beside is a data directory whose backups a command looks after, whether or not a box
// runs on it. It asks no node: of the wallet it takes the newest copy that the box has
// made and tried, and of the wallet in a backup it sees that the file is whole.
type Beside struct {
	Dir     string
	Places  *bitcoind.Places // of a node with a user of its own; nil: it is a child of the pool
	Release string
	Work    int // what a guess at a passphrase costs, see [backup.Lock]; 0: as usual
	Logger  *slog.Logger
}

// vault opens the books; the caller closes what it returns.
func (s Beside) vault(ctx context.Context) (*vault, *sqlite.DB, error) {
	root, err := filepath.Abs(s.Dir)
	if err != nil {
		return nil, nil, fmt.Errorf("data directory: %w", err)
	}
	d := dataDir{root}
	network, err := d.used()
	if err != nil {
		return nil, nil, err
	}
	db, err := d.openLedger(ctx, network)
	if err != nil {
		return nil, nil, err
	}
	others, err := plannedPlaces(ctx, d, network, db, new(place.Patience))
	if err != nil {
		return nil, nil, errors.Join(err, db.Close())
	}
	v := &vault{dir: d, network: network, db: db, program: s.Release, work: s.Work, log: s.Logger, others: others}
	v.wallet = func(ctx context.Context) (walletPart, error) { return s.wallet(ctx, d, network, db) }
	return v, db, nil
}

func (s Beside) wallet(ctx context.Context, d dataDir, network string, db *sqlite.DB) (p walletPart, err error) {
	dir := filepath.Join(d.node(network), bitcoind.DataDirName(network), "wallet-backups")
	if s.Places != nil {
		dir = s.Places.Copies(network)
	}
	var text string
	var wallet walletSettings
	if err := db.Reader().QueryRowContext(ctx, `SELECT value FROM setting WHERE key = ?`, settingWallet).Scan(&text); err != nil {
		return p, fmt.Errorf("read setting %s: %w", settingWallet, err)
	}
	if err := json.Unmarshal([]byte(text), &wallet); err != nil {
		return p, fmt.Errorf("decode setting %s: %w", settingWallet, err)
	}
	p.File, p.Name, p.Notice, err = newestCopy(ctx, db.Reader(), dir, wallet.Name)
	return p, err
}

// Create is [Appliance.CreateBackup].
func (s Beside) Create(ctx context.Context) (b Backup, err error) {
	v, db, err := s.vault(ctx)
	if err != nil {
		return b, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	return v.create(ctx, "terminal", "")
}

// Verify is [Appliance.VerifyBackup] of the newest backup that is there.
func (s Beside) Verify(ctx context.Context) (b Backup, err error) {
	v, db, err := s.vault(ctx)
	if err != nil {
		return b, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	all, err := v.history().list(ctx, 0, historyMost)
	if err != nil {
		return b, err
	}
	for _, b := range all {
		if b.There() {
			return v.verify(ctx, b.ID, "terminal", "")
		}
	}
	return b, ErrNoBackup
}

// List returns the newest backups and attempts.
func (s Beside) List(ctx context.Context, limit int) (all []Backup, err error) {
	v, db, err := s.vault(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	return v.history().list(ctx, 0, limit)
}

// SetPassphrase is [Appliance.SetBackupPassphrase].
func (s Beside) SetPassphrase(ctx context.Context, passphrase string) (err error) {
	v, db, err := s.vault(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	return keepBackupPassphrase(ctx, v.dir, v.network, db, passphrase, AuditEntry{Actor: "terminal"})
}

// VerifyFile restores any backup to a scratch folder, which is gone afterwards, and tells
// what is in it. It needs no box, and changes none. All secrets of the backup lie in the
// scratch folder meanwhile: it is made in the given folder, for its owner alone.
func VerifyFile(ctx context.Context, in io.Reader, scratch, passphrase string, log *slog.Logger) (p RestorePreview, err error) {
	scratch, err = os.MkdirTemp(scratch, verifyFolder)
	if err != nil {
		return p, fmt.Errorf("make scratch folder: %w; name another one with --scratch", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(scratch)) }()
	folder := filepath.Join(scratch, "trial")
	m, err := unpack(ctx, in, passphrase, folder, 0)
	if err != nil {
		return p, err
	}
	if err := checkParts(ctx, m, folder, log); err != nil {
		return p, err
	}
	nowhere := dataDir{filepath.Join(scratch, "box")}
	return nowhere.preview(ctx, m, folder)
}

// verifyFolder is what a scratch folder of VerifyFile is called.
const verifyFolder = ".dmpool-verify-*"

// ScratchFolder is where VerifyFile unpacks in a data directory: what a power cut leaves
// there goes with the next backup. It is empty where there is no box.
func ScratchFolder(dir string) string {
	d := dataDir{dir}
	network, err := d.used()
	if err != nil || !exists(d.backups(network)) {
		return ""
	}
	return d.backups(network)
}
