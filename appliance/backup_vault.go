package appliance

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/dmpool/dmpool/appliance/backup"
	"github.com/dmpool/dmpool/appliance/bitcoind"
	"github.com/dmpool/dmpool/pool/sqlite"
)

// vault makes, checks and keeps the backups of a box, for the box itself and for a
// command beside it.
//
// A backup is first made here, in the folder backups: all parts are copied into a
// scratch folder and written from there into one file, which gets its name when it is
// complete. Then that file is read back and restored to a scratch place (backup_check.go).
// Only then it is brought to the other places, and only then older ones go.
type vault struct {
	dir     dataDir
	network string
	db      *sqlite.DB
	program string // its version
	log     *slog.Logger
	work    int // of scrypt, 0: as usual

	wallet func(ctx context.Context) (walletPart, error)
	try    func(ctx context.Context, file string) (notice string, err error) // has the node open a copy of the wallet; nil: there is no node
	others []BackupPlace                                                     // where backups go, besides this box

	patience time.Duration // with each of these; 0: as usual
}

const (
	// makeTakes is how long it may take to make and try out a backup, on a slow disk.
	makeTakes = 2 * time.Hour
	// placeTakes is how long it may take to bring it to a place and to read it back,
	// over the slowest line that is of use.
	placeTakes = 6 * time.Hour
)

// BackupPlace is a place for backups with its name in the settings.
type BackupPlace struct {
	Name string
	backup.Place
}

// ErrBackupBusy says that a backup is being made, or checked, already.
var ErrBackupBusy = errors.New("a backup is being made or checked at this moment; wait until that is done")

// scratchFolder is where parts lie while a backup is made, and where it is restored to.
const scratchFolder = ".scratch"

func (v *vault) history() backupLog { return backupLog{v.db} }

func (v *vault) here() BackupPlace {
	return BackupPlace{PlaceBox, backup.Folder{Dir: v.dir.backups(v.network)}}
}

func (v *vault) places() []BackupPlace { return append([]BackupPlace{v.here()}, v.others...) }

// take makes this the only one at work, with an empty scratch folder. The function that
// it returns ends that.
func (v *vault) take() (scratch string, end func(), err error) {
	folder := v.dir.backups(v.network)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return "", nil, fmt.Errorf("make folder for backups: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(folder, ".busy"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return "", nil, fmt.Errorf("make folder for backups: %w", err)
	}
	for tries := 0; ; tries++ { // who looks whether it is taken has it for a moment
		err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			break
		}
		if tries == 5 {
			return "", nil, errors.Join(ErrBackupBusy, lock.Close())
		}
		time.Sleep(5 * time.Millisecond)
	}
	scratch = filepath.Join(folder, scratchFolder)
	if err := errors.Join(os.RemoveAll(scratch), os.Mkdir(scratch, 0o700)); err != nil {
		return "", nil, errors.Join(fmt.Errorf("make scratch folder: %w", err), lock.Close())
	}
	if err := removeLeft(folder); err != nil {
		v.log.Warn("Scratch folder of a backup that was tried out not removed", "err", err)
	}
	return scratch, func() {
		if err := errors.Join(os.RemoveAll(scratch), lock.Close()); err != nil {
			v.log.Warn("Scratch folder of the backups not removed", "err", err)
		}
	}, nil
}

// backupsBusy tells whether somebody has taken the folder of the backups, this process or
// another one.
func backupsBusy(folder string) bool {
	lock, err := os.Open(filepath.Join(folder, ".busy"))
	if err != nil {
		return false
	}
	defer lock.Close()
	return errors.Is(unix.Flock(int(lock.Fd()), unix.LOCK_SH|unix.LOCK_NB), unix.EWOULDBLOCK)
}

// removeLeft removes what [VerifyFile] was cut short over, long enough ago.
func removeLeft(folder string) error {
	all, err := filepath.Glob(filepath.Join(folder, verifyFolder))
	for _, left := range all {
		if info, gone := os.Stat(left); gone == nil && time.Since(info.ModTime()) > makeTakes {
			err = errors.Join(err, os.RemoveAll(left))
		}
	}
	return err
}

// create makes a backup, checks it, brings it everywhere, and lets old ones go. When it
// could not be made, or is not sound, the backup says so and there is an error.
func (v *vault) create(ctx context.Context, actor, ip string) (b Backup, err error) {
	passphrase, err := backupPassphrase(ctx, v.dir, v.network, v.db)
	if err != nil {
		return b, err
	}
	scratch, end, err := v.take()
	if err != nil {
		return b, err
	}
	defer end()
	b, err = v.history().begin(ctx, v.network, time.Now(), AuditEntry{Actor: actor, Action: "backup.create", Result: "ok", IP: ip})
	if err != nil {
		return b, err
	}
	defer func() { // whatever comes of it: else each try leaves a file more
		_, left := v.expire(context.WithoutCancel(ctx), v.here(), b.ID)
		err = errors.Join(err, left)
	}()
	making, cancel := context.WithTimeout(ctx, makeTakes)
	defer cancel()
	if err = v.make(making, scratch, passphrase, &b); err == nil {
		err = v.judge(making, scratch, passphrase, &b)
	}
	if making.Err() != nil {
		return b, err // it was cut short, as is written down already
	}
	if err != nil {
		b.Problem = sentence(err)
	}
	if saved := v.history().save(ctx, b); saved != nil || err != nil {
		return b, errors.Join(err, saved)
	}
	return b, v.spread(ctx, &b)
}

// make writes the file.
func (v *vault) make(ctx context.Context, scratch, passphrase string, b *Backup) error {
	if err := v.room(); err != nil {
		return err
	}
	parts := filepath.Join(scratch, "parts")
	if err := os.Mkdir(parts, 0o700); err != nil {
		return fmt.Errorf("make scratch folder: %w", err)
	}
	m, err := v.gather(ctx, parts)
	if err != nil {
		return fmt.Errorf("gather what goes into the backup: %w", err)
	}
	m.Name, m.Made, b.Notice = b.Name, b.At, m.Notice
	reader, writer := io.Pipe()
	sum := sha256.New()
	counted := &counter{w: io.MultiWriter(writer, sum)}
	written := make(chan error, 1)
	go func() {
		open := func(name string) (io.ReadCloser, error) { return os.Open(filepath.Join(parts, name)) }
		err := backup.Write(ctx, counted, backup.Lock{Passphrase: passphrase, WorkFactor: v.work}, m, open)
		writer.CloseWithError(err)
		written <- err
	}()
	err = v.here().Put(ctx, b.Name, reader)
	reader.CloseWithError(err) // the writer does not wait for somebody who has given up
	if err = errors.Join(<-written, err); err != nil {
		return err
	}
	b.Size, b.SHA256 = counted.n, hex.EncodeToString(sum.Sum(nil))
	if err := v.history().arrived(ctx, b.ID, PlaceBox, time.Now(), ""); err != nil {
		return err
	}
	return os.RemoveAll(parts)
}

// room refuses to begin what the disk has no room for: the parts and the file made of
// them, or the file and what is unpacked from it, are there at a time. Meanwhile enough
// has to be left that nobody is alarmed, let alone the node stopped.
func (v *vault) room() error {
	var size int64
	for _, path := range []string{v.dir.ledger(v.network), v.dir.shares(v.network)} {
		for _, file := range []string{path, path + "-wal"} {
			if info, err := os.Stat(file); err == nil {
				size += info.Size()
			}
		}
	}
	m, err := bitcoind.Survey(v.dir.of(v.network))
	if err != nil {
		return err
	}
	if need := 2*size + bitcoind.LimitsOf(v.network, m.DiskTotal).Alarm; m.DiskFree < need {
		return fmt.Errorf("a backup is begun with %d MB of free space, so that the pool and its node keep enough while it is made, and %d MB are free; make room, then try again", need/1e6+1, m.DiskFree/1e6)
	}
	return nil
}

// reserve is how many bytes of the disk are left free, so that nobody is alarmed, let
// alone the node stopped.
func (v *vault) reserve() (int64, error) {
	m, err := bitcoind.Survey(v.dir.of(v.network))
	return bitcoind.LimitsOf(v.network, m.DiskTotal).Alarm, err
}

// sentence is an error as history and pages show it.
func sentence(err error) string {
	text := err.Error()
	return strings.ToUpper(text[:1]) + strings.TrimSuffix(text[1:], ".") + "."
}

// counter counts what is written.
type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}
