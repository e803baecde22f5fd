package appliance

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/dmpool/dmpool/appliance/backup"
	"github.com/dmpool/dmpool/pool/ledger"
	"github.com/dmpool/dmpool/pool/shares"
	"github.com/dmpool/dmpool/pool/sqlite"
)

// judge restores a backup to a scratch folder and writes its verdict into b. The error
// is what is wrong with the backup, or why that could not be found out; only the first
// is a verdict.
func (v *vault) judge(ctx context.Context, scratch, passphrase string, b *Backup) error {
	_, notice, err := v.tryOut(ctx, v.here(), scratch, passphrase, b.Name)
	if ctx.Err() != nil {
		return err
	}
	b.CheckedAt, b.sound, b.Sound, b.Problem = time.Now(), err == nil, err == nil, ""
	if err != nil {
		return fmt.Errorf("the backup was made, but to restore it failed: %w", err)
	}
	b.Notice = notice
	return nil
}

// tryOut restores a backup from a place to a scratch folder. It returns the hash of what
// it has read, also with an error: without one the backup was not read to its end, and
// nothing is known about it. The notice says what is not in it, or was not tried.
func (v *vault) tryOut(ctx context.Context, place backup.Place, scratch, passphrase, name string) (sum, notice string, err error) {
	folder := filepath.Join(scratch, "trial")
	if err := os.RemoveAll(folder); err != nil {
		return "", "", fmt.Errorf("make scratch folder: %w", err)
	}
	spare, err := v.reserve()
	if err != nil {
		return "", "", err
	}
	in, err := place.Open(ctx, name)
	if err != nil {
		return "", "", err
	}
	defer in.Close()
	read := &witness{from: backup.Until(ctx, in), sum: sha256.New()}
	m, failed := unpack(ctx, read, passphrase, folder, spare)
	if _, err := io.Copy(io.Discard, read); err != nil {
		return "", "", fmt.Errorf("read backup: %w", err)
	}
	notice, err = v.tryParts(ctx, m, folder, failed)
	return hex.EncodeToString(read.sum.Sum(nil)), strings.TrimSpace(m.Notice + " " + notice), err
}

// tryParts looks at what was unpacked, unless that failed.
func (v *vault) tryParts(ctx context.Context, m backup.Manifest, folder string, failed error) (notice string, err error) {
	if failed != nil {
		return "", failed
	}
	if m.Network != v.network {
		return "", wrongNetwork(m.Network, v.network)
	}
	if err := checkParts(ctx, m, folder, v.log); err != nil {
		return "", err
	}
	if _, there := m.File(partWallet); !there || v.try == nil {
		return "", nil
	}
	return v.try(ctx, filepath.Join(folder, partWallet))
}

// witness remembers what was read, and why no more could be.
type witness struct {
	from io.Reader
	sum  hash.Hash
	err  error
}

func (w *witness) Read(p []byte) (int, error) {
	if w.err != nil {
		return 0, w.err
	}
	n, err := w.from.Read(p)
	w.sum.Write(p[:n])
	w.err = err
	return n, err
}

// unpack restores a backup into a folder that it makes. So many bytes are spare: they
// are left free on the disk.
func unpack(ctx context.Context, in io.Reader, passphrase, folder string, spare int64) (m backup.Manifest, err error) {
	archive, err := backup.Open(ctx, in, passphrase)
	if err != nil {
		return m, err
	}
	m = archive.Manifest()
	d := dataDir{}
	for _, f := range m.Files {
		if _, known := d.home(m.Network, f.Name); !known {
			return m, backup.ErrNewer
		}
	}
	if _, there := m.File(ledgerFile); !there {
		return m, fmt.Errorf("%w (there is no ledger in it)", backup.ErrAltered)
	}
	if err := knownNetwork(m.Network); err != nil {
		return m, backup.ErrNewer
	}
	if err := os.Mkdir(folder, 0o700); err != nil {
		return m, fmt.Errorf("make scratch folder: %w", err)
	}
	root, err := os.OpenRoot(folder)
	if err != nil {
		return m, fmt.Errorf("make scratch folder: %w", err)
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	return m, archive.Extract(root, spare)
}

// wrongNetwork refuses a backup of another network.
func wrongNetwork(of, box string) error {
	return fmt.Errorf("this is a backup of a box on the network %s; this one is on %s, and nothing of the one can be used on the other", of, box)
}

// checkParts opens everything that was unpacked: the databases are whole and of a kind
// that this program reads, the ledger adds up when it is replayed from its first
// booking on, and the wallet is one of the network. The databases are of this
// version afterwards.
func checkParts(ctx context.Context, m backup.Manifest, folder string, log *slog.Logger) error {
	for _, name := range []string{ledgerFile, sharesFile} {
		if _, there := m.File(name); !there {
			continue
		}
		if _, err := sqlite.Examine(ctx, filepath.Join(folder, name)); err != nil {
			return fmt.Errorf("%s in the backup: %w", name, err)
		}
	}
	if err := checkBackedUpLedger(ctx, filepath.Join(folder, ledgerFile)); err != nil {
		return fmt.Errorf("%s in the backup: %w", ledgerFile, err)
	}
	if _, there := m.File(sharesFile); there {
		opened, err := shares.Open(ctx, filepath.Join(folder, sharesFile), shares.Options{Logger: log})
		if err == nil {
			err = opened.Close()
		}
		if err != nil {
			return fmt.Errorf("%s in the backup: %w", sharesFile, err)
		}
	}
	if _, there := m.File(partWallet); there {
		if err := checkWalletFile(ctx, filepath.Join(folder, partWallet), m.Network); err != nil {
			return fmt.Errorf("the wallet in the backup: %w", err)
		}
	}
	return nil
}

func checkBackedUpLedger(ctx context.Context, path string) (err error) {
	db, err := sqlite.Open(ctx, path, ledger.Schema)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if done, err := hasOperator(ctx, db.Reader()); err != nil || !done {
		return errors.Join(err, when(!done, errors.New("it is of a box that was never set up")))
	}
	if err := ledger.New(db).Check(ctx); err != nil && !ledger.Uncovered(err) {
		return err
	}
	return nil
}
