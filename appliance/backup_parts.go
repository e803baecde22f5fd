package appliance

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/dmpool/dmpool/appliance/backup"
	"github.com/dmpool/dmpool/pool/shares"
	"github.com/dmpool/dmpool/pool/sqlite"
)

// What is in a backup. The ledger holds the settings, the operators and the audit log,
// too. Of the share log all is there that PPLNS, charts and statistics stand on: the
// single shares, which are most of it, only the list of the newest ones needs. What the
// node has is not: its chain comes from its peers.
//
//	ledger.db, shares.db                     as they are at one moment, the ledger first
//	passphrase, second-factor.key, backup.key   secrets of the network's folder
//	pages.pem, stratum.pem, node-password    secrets of the data directory
//	wallet.dat                               a copy that the node has made
//	descriptors.json                         the wallet's public keys, for another program
const (
	partWallet      = "wallet.dat"
	partDescriptors = "descriptors.json"
)

// inNetwork and inRoot are the files that are taken as they are, if they are there.
func inNetwork() []string { return []string{"passphrase", "second-factor.key", "backup.key"} }
func inRoot() []string    { return []string{"pages.pem", "stratum.pem", "node-password"} }

// home is where a file of a backup belongs; known is false for what has no place on the
// disk, or is of no version that this program knows.
func (d dataDir) home(network, name string) (path string, known bool) {
	switch {
	case name == ledgerFile, name == sharesFile, slices.Contains(inNetwork(), name):
		return filepath.Join(d.of(network), name), true
	case slices.Contains(inRoot(), name):
		return filepath.Join(d.root, name), true
	}
	return "", name == partWallet || name == partDescriptors
}

// walletPart is what a backup gets of the wallet.
type walletPart struct {
	File        string // the copy, empty: there is none
	Name        string // of the wallet
	Descriptors any    // the public keys, nil: not known
	Notice      string // what is missing, a sentence
}

// gather lays copies of all parts into a folder and returns what a backup of them
// says of itself.
func (v *vault) gather(ctx context.Context, folder string) (m backup.Manifest, err error) {
	m = backup.Manifest{Network: v.network, Program: v.program, Schemas: map[string]int{}}
	if err := sqlite.Copy(ctx, v.dir.ledger(v.network), filepath.Join(folder, ledgerFile)); err != nil {
		return m, err
	}
	if err := shares.Copy(ctx, v.dir.shares(v.network), filepath.Join(folder, sharesFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return m, err
	}
	for _, name := range slices.Concat(inNetwork(), inRoot()) {
		path, _ := v.dir.home(v.network, name)
		if err := copyFile(path, filepath.Join(folder, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return m, fmt.Errorf("copy %s: %w", name, err)
		}
	}
	wallet, err := v.wallet(ctx)
	if err != nil {
		return m, err
	}
	m.Notice = wallet.Notice
	if wallet.File != "" {
		m.Wallet = wallet.Name
		if err := copyFile(wallet.File, filepath.Join(folder, partWallet)); err != nil {
			return m, fmt.Errorf("copy the wallet: %w", err)
		}
	}
	if wallet.Descriptors != nil {
		text, err := json.MarshalIndent(wallet.Descriptors, "", "  ")
		if err != nil {
			return m, fmt.Errorf("write down the wallet's public keys: %w", err)
		}
		if err := os.WriteFile(filepath.Join(folder, partDescriptors), text, 0o600); err != nil {
			return m, fmt.Errorf("write down the wallet's public keys: %w", err)
		}
	}
	return m, v.list(ctx, folder, &m)
}

// list fills in which files lie in a folder. The ledger comes first.
func (v *vault) list(ctx context.Context, folder string, m *backup.Manifest) error {
	names := slices.Concat([]string{ledgerFile, sharesFile}, inNetwork(), inRoot(), []string{partWallet, partDescriptors})
	for _, name := range names {
		f, err := describe(ctx, filepath.Join(folder, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("look at %s: %w", name, err)
		}
		f.Name = name
		m.Files = append(m.Files, f)
		if name != ledgerFile && name != sharesFile {
			continue
		}
		if m.Schemas[name], err = number[int](ctx, filepath.Join(folder, name), `SELECT user_version FROM pragma_user_version`); err != nil {
			return err
		}
	}
	return nil
}

// describe reads a file for its size and sum.
func describe(ctx context.Context, path string) (f backup.File, err error) {
	in, err := os.Open(path)
	if err != nil {
		return f, err
	}
	defer in.Close()
	sum := sha256.New()
	if f.Size, err = io.Copy(sum, backup.Until(ctx, in)); err != nil {
		return f, err
	}
	f.SHA256 = sum.Sum(nil)
	return f, nil
}
