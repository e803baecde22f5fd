package appliance

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/dmpool/dmpool/appliance/backup"
	"github.com/dmpool/dmpool/pool/ledger"
	"github.com/dmpool/dmpool/pool/payout"
	"github.com/dmpool/dmpool/pool/sqlite"
)

// RestorePreview tells what is in a backup, and what would change if it were restored.
type RestorePreview struct {
	Name    string // of the file, when it was made
	Network string
	Made    time.Time
	Program string // version of the one that wrote it
	Wallet  string // name of the wallet that is in it, empty: none is
	Notice  string // what is not in it, and why: a sentence
	Backup  Books
	Here    *Books // what would be put aside; nil: there is nothing
	Broken  string // why that cannot be read, a sentence; nothing is known of it then
	Lost    Loss   // what is here and not in the backup
}

// Books are the books of a box in a few figures.
type Books struct {
	Pool      string // its name
	Operators []string
	Miners    []ledger.Balance
	Sums      ledger.Sums
	Blocks    int       // found, ever
	Last      time.Time // of the latest booking, zero: there is none
	Freeze    bool      // payouts are frozen when these books are restored
}

// preview looks at what was unpacked, and at what is there.
func (d dataDir) preview(ctx context.Context, m backup.Manifest, folder string) (p RestorePreview, err error) {
	p = RestorePreview{Name: m.Name, Network: m.Network, Made: m.Made, Program: m.Program, Wallet: m.Wallet, Notice: m.Notice}
	fresh := filepath.Join(folder, ledgerFile)
	if p.Backup, err = booksIn(ctx, fresh); err != nil {
		return p, err
	}
	here := d.ledger(m.Network)
	if !exists(here) {
		return p, nil
	}
	known, err := booksIn(ctx, here)
	if err == nil {
		err = p.Lost.ledgerSince(ctx, here, fresh)
	}
	if _, there := m.File(sharesFile); err == nil && there && exists(d.shares(m.Network)) {
		p.Lost.Shares, err = sharesSince(ctx, d.shares(m.Network), filepath.Join(folder, sharesFile))
	}
	switch {
	case ctx.Err() != nil:
		return p, err
	case err != nil: // damaged, which may be why somebody has come with a backup
		p.Here, p.Lost, p.Broken = &Books{}, Loss{}, sentence(err)
	case len(known.Operators) > 0:
		p.Here = &known
	}
	return p, nil
}

// booksIn reads books, also those of an older version.
func booksIn(ctx context.Context, path string) (b Books, err error) {
	db := sqlite.View(path)
	defer func() { err = errors.Join(err, db.Close()) }()
	operators, err := people(ctx, db)
	if err != nil {
		return b, err
	}
	for _, o := range operators {
		b.Operators = append(b.Operators, o.Name)
	}
	if b.Miners, err = ledger.ReadBalances(ctx, db); err != nil {
		return b, err
	}
	if b.Sums, err = ledger.ReadSums(ctx, db); err != nil {
		return b, err
	}
	var last int64
	err = db.QueryRowContext(ctx, `
		SELECT COALESCE((SELECT json_extract(value, '$.name') FROM setting WHERE key = 'pool'), ''),
		       (SELECT COUNT(*) FROM block), COALESCE((SELECT MAX(at) FROM event), 0)`).Scan(&b.Pool, &b.Blocks, &last)
	if err != nil {
		return b, fmt.Errorf("read books: %w", err)
	}
	b.Last = orZero(last)
	b.Freeze, err = payout.MayPayTwice(ctx, db)
	return b, err
}

// PreviewBackup tells what would change if a backup of this box were restored into it.
func (a *Appliance) PreviewBackup(ctx context.Context, id int64) (RestorePreview, error) {
	v, err := a.vault(ctx)
	if err != nil {
		return RestorePreview{}, err
	}
	return v.preview(ctx, id)
}

func (v *vault) preview(ctx context.Context, id int64) (p RestorePreview, err error) {
	b, err := v.history().one(ctx, id)
	if err != nil {
		return p, err
	}
	passphrase, err := backupPassphrase(ctx, v.dir, v.network, v.db)
	if err != nil {
		return p, err
	}
	content, err := v.open(ctx, b)
	if err != nil {
		return p, err
	}
	defer content.Close()
	scratch, end, err := v.take()
	if err != nil {
		return p, err
	}
	defer end()
	return v.look(ctx, content, passphrase, filepath.Join(scratch, "look"))
}

func (v *vault) look(ctx context.Context, content io.Reader, passphrase, folder string) (p RestorePreview, err error) {
	spare, err := v.reserve()
	if err != nil {
		return p, err
	}
	m, err := unpack(ctx, content, passphrase, folder, spare)
	if err != nil {
		return p, err
	}
	if m.Network != v.network {
		return p, wrongNetwork(m.Network, v.network)
	}
	if err := checkParts(ctx, m, folder, v.log); err != nil {
		return p, err
	}
	return v.dir.preview(ctx, m, folder)
}
