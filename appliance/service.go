package appliance

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/dmpool/dmpool/appliance/bitcoind"
	"github.com/dmpool/dmpool/appliance/bitcoind/release"
)

// NodeService says that the node is a unit of systemd under a user of its own, as
// on an installed box, and how systemd is asked. The flag in the pool's own unit
// decides that, and nothing that is found out: a box whose systemd does not answer
// says so, and does not start a second node as its child.
type NodeService struct {
	Units  bitcoind.Services
	Places bitcoind.Places // the zero value but in tests
}

// check returns what of the configuration contradicts the node's being a service.
func (s *NodeService) check(c Config) error {
	switch {
	case s == nil:
		return nil
	case c.External.named():
		return errors.New("--node-service and --node-url exclude each other: one says that the box has a node of its own, the other that it has none")
	case c.Bitcoind != "":
		return errors.New("--node-service and --bitcoind exclude each other: the program of a node that is a service belongs to root and is not chosen by the pool")
	}
	return nil
}

// runAsUnit makes the runner of a node that is a service.
func (a *Appliance) runAsUnit(care bitcoind.Care) *bitcoind.Unit {
	s := a.config.Service
	return bitcoind.NewUnit(bitcoind.UnitConfig{Care: care, Places: s.Places, Services: s.Units})
}

// nodeDir is the data directory of the box's own node.
func (a *Appliance) nodeDir() string {
	if s := a.config.Service; s != nil {
		return s.Places.Conf(a.network).Dir
	}
	return filepath.Join(a.dir.node(a.network), bitcoind.DataDirName(a.network))
}

// nodeDisk is a folder on the disk of the node's chain, which is there before the
// node is.
func (a *Appliance) nodeDisk(network string) string { return a.config.nodeDisk(a.dir, network) }

func (c Config) nodeDisk(d dataDir, network string) string {
	if s := c.Service; s != nil {
		return s.Places.Node()
	}
	return d.of(network)
}

// walletCopies is where the node puts copies of the wallet.
func (a *Appliance) walletCopies() string {
	if s := a.config.Service; s != nil {
		return s.Places.Copies(a.network)
	}
	return filepath.Join(a.nodeDir(), "wallet-backups")
}

// snapshotDir is where the node reads a snapshot that the pool has laid there.
func (a *Appliance) snapshotDir() string {
	if s := a.config.Service; s != nil {
		return filepath.Join(s.Places.Requests(), "snapshot")
	}
	return filepath.Join(a.nodeDir(), "snapshot")
}

// clearTrial removes the wallet that was a trial of a copy. Of a node with a user
// of its own the files are that user's, who opens the copies to the pool at the
// same time.
func (a *Appliance) clearTrial(ctx context.Context, folder string) error {
	if s := a.config.Service; s != nil {
		return bitcoind.RunService(ctx, s.Units, bitcoind.CopiesUnit(a.network))
	}
	return os.RemoveAll(folder)
}

// shelf is where the versions of Bitcoin Core lie, in the hands of who may bring
// one into use.
type shelf interface {
	Prepare() error
	Current() (release.Version, error)
	Verify(v release.Version) error
	Path() string
	Get(ctx context.Context, s release.Source, r release.Release, progress release.Progress) error
	Upload(ctx context.Context, content io.Reader, limit int64, known []release.Release, progress release.Progress) (release.Release, error)
	Switch(to release.Version, height int32) error
	Trial() (release.Trial, bool, error)
	Keep(t release.Trial) error
	Back(t release.Trial) error
}

// coreShelf returns the pool's own folder, or its view of root's.
func (c Config) coreShelf(d dataDir, platform release.Platform, config CoreConfig) shelf {
	own := release.Folder{Root: d.core(), Platform: platform, Runs: config.Runs}
	s := c.Service
	if s == nil {
		return own
	}
	own.Root = s.Places.Requests()
	return release.Guarded{
		Folder: release.Folder{Root: s.Places.Core(), Platform: platform}, Hand: own, Known: config.Releases,
		// What was begun is waited for, also at the end of the box.
		Ask: func() error { return bitcoind.RunService(context.Background(), s.Units, bitcoind.InstallUnit) },
	}
}

// bundledNode returns the program that came with DMPool, for a service.
func (s *NodeService) bundledNode() (string, error) {
	path := s.Places.Bundled()
	about, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) {
		return "", bitcoind.ErrNotFound
	}
	if err == nil && about.Mode().Perm()&0o111 == 0 {
		err = fmt.Errorf("%s is no program", path)
	}
	return path, err
}
