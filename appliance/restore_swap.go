package appliance

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/google/renameio/v2"

	"github.com/dmpool/dmpool/appliance/backup"
)

// restoring is what restore.json says.
type restoring struct {
	Network string   `json:"network"`
	Files   []string `json:"files"` // that take their places
	Aside   string   `json:"aside"` // folder for what was there, in backups
}

// ErrRestoring says that a backup is being restored, or that this was cut short.
var ErrRestoring = errors.New("a backup is being restored into this data directory, which was cut short; start the pool, which goes on where it stopped")

func (d dataDir) restoreOrder() string { return filepath.Join(d.root, "restore.json") }
func (d dataDir) restored(name string) string {
	return filepath.Join(d.root, "restore", name)
}

// checkRestore returns ErrRestoring while an order is not carried out.
func (d dataDir) checkRestore() error { return when(exists(d.restoreOrder()), ErrRestoring) }

// writeRestoreOrder has all that was unpacked take its place, whatever happens.
func (d dataDir) writeRestoreOrder(m backup.Manifest) error {
	o := restoring{Network: m.Network, Aside: d.books(m.Network).newAside("replaced")}
	for _, f := range m.Files {
		if _, known := d.home(m.Network, f.Name); known && f.Name != partDescriptors {
			o.Files = append(o.Files, f.Name)
		}
	}
	text, err := json.Marshal(o)
	if err != nil {
		return err
	}
	if err := errors.Join(syncFolder(d.restored("")), syncFolder(d.root)); err != nil {
		return err
	}
	if err := renameio.WriteFile(d.restoreOrder(), text, 0o600); err != nil {
		return err
	}
	return syncFolder(d.root)
}

// finishRestore carries out an order that was cut short, or else throws away what was
// unpacked for none. The caller has the directory's lock.
func (d dataDir) finishRestore() error {
	if d.checkRestore() == nil {
		if err := os.RemoveAll(d.restored("")); err != nil {
			return fmt.Errorf("remove what is left of a restore: %w", err)
		}
		return nil
	}
	_, err := d.carryOut()
	return err
}

// goOnRestoring is finishRestore for who does not have the lock yet, where there is an
// order.
func (d dataDir) goOnRestoring() error {
	if d.checkRestore() == nil {
		return nil
	}
	lock, err := d.lock()
	if err != nil {
		return err
	}
	return errors.Join(d.finishRestore(), lock.Close())
}

// carryOut does what the order says, from wherever it stopped.
func (d dataDir) carryOut() (aside string, err error) {
	text, err := os.ReadFile(d.restoreOrder())
	var o restoring
	if err == nil {
		err = json.Unmarshal(text, &o)
	}
	if err != nil {
		return "", fmt.Errorf("restore backup: %w", err)
	}
	for _, s := range d.swapSteps(o) {
		if err := s.do(); err != nil {
			return "", fmt.Errorf("restore backup: %s: %w", s.name, err)
		}
	}
	if aside = filepath.Join(d.backups(o.Network), o.Aside); !exists(aside) {
		aside = ""
	}
	return aside, nil
}

type swapStep struct {
	name string
	do   func() error
}

// swapSteps are done in this order; each may be done again.
func (d dataDir) swapSteps(o restoring) (steps []swapStep) {
	for _, name := range d.replaceable() {
		steps = append(steps, swapStep{"put " + name + " aside", func() error { return d.putAside(o, name) }})
		if slices.Contains(o.Files, name) {
			steps = append(steps, swapStep{"put " + name + " in its place", func() error { return d.takePlace(o, name) }})
		}
	}
	return append(steps,
		swapStep{"write down the network", func() error { return errors.Join(d.setNetwork(o.Network), syncFolder(d.root)) }},
		swapStep{"forget the order", func() error {
			if err := os.Remove(d.restoreOrder()); err != nil {
				return err
			}
			return errors.Join(syncFolder(d.root), os.RemoveAll(d.restored("")))
		}})
}

// replaceable are all files that a restore replaces, whether or not they are in the
// backup: none of another time may stay between those of the backup.
func (d dataDir) replaceable() []string {
	return slices.Concat([]string{ledgerFile, sharesFile}, inNetwork(), inRoot(), []string{partWallet, "jobs.held", rollbackOrder})
}

// target is where a file is that a restore replaces.
func (d dataDir) target(network, name string) string {
	if path, known := d.home(network, name); known && path != "" {
		return path
	}
	if name == partWallet {
		return d.broughtWallet(network)
	}
	return filepath.Join(d.of(network), name)
}

// putAside moves a file away, with what belongs to it. It has been done when the one of
// the backup is in its place.
func (d dataDir) putAside(o restoring, name string) error {
	if slices.Contains(o.Files, name) && !exists(d.restored(name)) {
		return nil
	}
	path := d.target(o.Network, name)
	aside := filepath.Join(d.backups(o.Network), o.Aside)
	for _, suffix := range []string{"", "-wal", "-shm", ".spool"} {
		if !exists(path + suffix) {
			continue
		}
		if err := os.MkdirAll(aside, 0o700); err != nil {
			return err
		}
		if err := os.Rename(path+suffix, filepath.Join(aside, name+suffix)); err != nil {
			return err
		}
	}
	if !exists(aside) {
		return nil
	}
	return errors.Join(syncFolder(aside), syncFolder(filepath.Dir(aside)), syncFolder(d.of(o.Network)), syncFolder(d.root))
}

func (d dataDir) takePlace(o restoring, name string) error {
	err := os.Rename(d.restored(name), d.target(o.Network, name))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return errors.Join(syncFolder(d.of(o.Network)), syncFolder(d.root))
}
