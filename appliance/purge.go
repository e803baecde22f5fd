package appliance

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/dmpool/dmpool/appliance/bitcoind"
)

// Purge deletes what a box has collected: its books, its node's chain, and its
// wallet. It looks and deletes inside of folders that it holds open, so that a link
// which somebody has put there leads nowhere ([os.Root]).
type Purge struct {
	Dir     string           // the data directory
	Places  *bitcoind.Places // of a node with a user of its own; nil: there is none
	Network string           // only what belongs to this one; empty: everything
}

// Holding is something that a purge deletes.
type Holding struct {
	Path  string
	Bytes int64 // of the files in it
}

// ErrNothingThere says that there is nothing to delete.
var ErrNothingThere = errors.New("there is nothing to delete")

// holding is an entry of a folder that stays.
type holding struct{ folder, name string }

func (h holding) path() string { return filepath.Join(h.folder, h.name) }

// List returns what would be deleted, with its size, or ErrNothingThere.
func (p Purge) List() ([]Holding, error) {
	all, err := p.holdings()
	if err != nil {
		return nil, err
	}
	list := make([]Holding, 0, len(all))
	for _, h := range all {
		bytes, err := h.size()
		if err != nil {
			return nil, err
		}
		list = append(list, Holding{h.path(), bytes})
	}
	return list, nil
}

// Do deletes, unless the pool or a node of it runs. What cannot be deleted is
// told, and the rest is gone then; it can be called again.
func (p Purge) Do() error {
	all, err := p.holdings()
	if err != nil {
		return err
	}
	lock, err := p.idle()
	if err != nil {
		return err
	}
	defer lock.Close()
	for _, h := range all {
		root, err := os.OpenRoot(h.folder)
		if err != nil {
			return fmt.Errorf("delete %s: %w", h.path(), err)
		}
		if err := errors.Join(root.RemoveAll(h.name), root.Close()); err != nil {
			return fmt.Errorf("delete %s: %w", h.path(), err)
		}
	}
	return nil
}

// holdings lists what is there.
func (p Purge) holdings() (all []holding, err error) {
	dir, err := filepath.Abs(p.Dir)
	if err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	var wanted []holding
	if p.Network != "" {
		if err := knownNetwork(p.Network); err != nil {
			return nil, err
		}
		wanted = []holding{{dir, p.Network}}
		if p.Places != nil {
			conf := p.Places.Conf(p.Network).Path()
			wanted = append(wanted, holding{p.Places.Node(), p.Network}, holding{filepath.Dir(conf), filepath.Base(conf)})
		}
	} else {
		folders := []string{dir}
		if p.Places != nil {
			folders = append(folders, p.Places.Node(), filepath.Dir(p.Places.Conf("main").Path()), p.Places.Core(), p.Places.Requests())
		}
		for _, folder := range folders {
			entries, err := entriesOf(folder)
			if err != nil {
				return nil, err
			}
			for _, e := range entries {
				wanted = append(wanted, holding{folder, e.Name()})
			}
		}
	}
	for _, h := range wanted {
		if err := ownFolder(h.folder); err != nil {
			return nil, err
		}
		if _, err := os.Lstat(h.path()); err == nil {
			all = append(all, h)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("look at %s: %w; run it as root", h.path(), err)
		}
	}
	if len(all) == 0 {
		return nil, ErrNothingThere
	}
	return all, nil
}

func entriesOf(folder string) ([]os.DirEntry, error) {
	if err := ownFolder(folder); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look into %s: %w; run it as root", folder, err)
	}
	return entries, nil
}

// ownFolder refuses a folder that is a link: what is at its end may be somebody
// else's.
func ownFolder(folder string) error {
	info, err := os.Lstat(folder)
	if err == nil && info.Mode().Type() == fs.ModeSymlink {
		to, _ := os.Readlink(folder)
		return fmt.Errorf("%s is a link to %s, and links are not followed; nothing was deleted. Look there and delete yourself what is to go", folder, to)
	}
	return nil
}

// size adds up the files, without following links.
func (h holding) size() (bytes int64, err error) {
	err = filepath.WalkDir(h.path(), func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if info, err := d.Info(); err == nil && info.Mode().IsRegular() {
			bytes += info.Size()
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("look into %s: %w; run it as root", h.path(), err)
	}
	return bytes, nil
}

// idle takes the data directory's lock and sees that no node runs.
func (p Purge) idle() (io.Closer, error) {
	root, err := os.OpenRoot(p.Dir)
	if err != nil {
		return nil, fmt.Errorf("open data directory: %w", err)
	}
	defer func() { _ = root.Close() }()
	lock, err := root.OpenFile("lock", os.O_RDWR, 0)
	switch {
	case errors.Is(err, fs.ErrNotExist): // no pool has ever run
		lock = nil
	case err != nil:
		return nil, fmt.Errorf("open lock: %w", err)
	case unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil:
		lock.Close()
		return nil, fmt.Errorf("the pool runs with %s; stop it first (systemctl stop dmpool). Nothing was deleted", p.Dir)
	}
	for _, dir := range p.nodeDirs() {
		if pid := lockedBy(dir); pid != 0 {
			lock.Close()
			return nil, fmt.Errorf("process %d, a node, still uses %s; stop it first (systemctl stop 'dmpool-bitcoind@*'). Nothing was deleted", pid, dir)
		}
	}
	return lock, nil
}

// nodeDirs are the folders in which a node of this box may run.
func (p Purge) nodeDirs() (dirs []string) {
	networks := []string{p.Network}
	if p.Network == "" {
		networks = []string{"main", "testnet4", "signet", "regtest", "practice"}
	}
	for _, network := range networks {
		dirs = append(dirs, filepath.Join(dataDir{p.Dir}.node(network), bitcoind.DataDirName(network)))
		if p.Places != nil {
			dirs = append(dirs, p.Places.Conf(network).Dir)
		}
	}
	return dirs
}

// lockedBy returns the process of the bitcoind that runs in a data directory, 0 for
// none: it holds a lock in the folder of its chain.
func lockedBy(dir string) int {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return 0
	}
	defer func() { _ = root.Close() }()
	files, _ := fs.Glob(root.FS(), "*/.lock")
	for _, name := range slices.Concat([]string{".lock"}, files) {
		f, err := root.OpenFile(name, os.O_RDWR, 0)
		if err != nil {
			continue
		}
		held := unix.Flock_t{Type: unix.F_WRLCK}
		err = unix.FcntlFlock(f.Fd(), unix.F_GETLK, &held)
		f.Close()
		if err == nil && held.Type != unix.F_UNLCK {
			return int(held.Pid)
		}
	}
	return 0
}
