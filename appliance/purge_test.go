package appliance

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/dmpool/dmpool/appliance/bitcoind"
)

// furnished makes an installed box with two networks, and a folder outside to which
// links lead.
func furnished(t *testing.T) (p Purge, outside string) {
	t.Helper()
	root := t.TempDir()
	outside = filepath.Join(root, "outside", "precious")
	p = Purge{Dir: filepath.Join(root, "var/lib/dmpool"), Places: &bitcoind.Places{Root: root}}
	for _, file := range []string{
		outside, filepath.Join(p.Dir, "lock"), filepath.Join(p.Dir, "main/ledger.db"), filepath.Join(p.Dir, "practice/ledger.db"),
		filepath.Join(p.Places.Node(), "main/wallets/w/wallet.dat"), filepath.Join(p.Places.Node(), "practice/signet/.lock"),
		p.Places.Conf("main").Path(), p.Places.Conf("practice").Path(), filepath.Join(p.Places.Core(), "bitcoin-31.1/bin/bitcoind"),
	} {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte("1234"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, link := range []string{filepath.Join(p.Dir, "main/link"), filepath.Join(p.Places.Node(), "main/link")} {
		if err := os.Symlink(filepath.Dir(outside), link); err != nil {
			t.Fatal(err)
		}
	}
	return p, outside
}

func left(t *testing.T, p Purge) (files []string) {
	t.Helper()
	for _, folder := range []string{p.Dir, p.Places.Node(), filepath.Dir(p.Places.Conf("main").Path()), p.Places.Core()} {
		err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() {
				files = append(files, filepath.Base(filepath.Dir(path))+"/"+d.Name())
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return files
}

func TestPurge(t *testing.T) {
	p, outside := furnished(t)
	list, err := p.List()
	if err != nil {
		t.Fatal(err)
	}
	var all int64
	for _, h := range list {
		all += h.Bytes
	}
	if len(list) != 8 || all != 8*4 {
		t.Errorf("it lists %d things with %d bytes: %v", len(list), all, list)
	}
	if err := p.Do(); err != nil {
		t.Fatal(err)
	}
	if files := left(t, p); len(files) != 0 {
		t.Errorf("left: %v", files)
	}
	if !exists(outside) {
		t.Error("it followed a link")
	}
	if _, err := p.List(); !errors.Is(err, ErrNothingThere) {
		t.Errorf("the second time: %v", err)
	}
}

func TestPurgeOneNetwork(t *testing.T) {
	p, _ := furnished(t)
	p.Network = "main"
	if err := p.Do(); err != nil {
		t.Fatal(err)
	}
	want := []string{"dmpool/lock", "practice/ledger.db", "signet/.lock", "dmpool-node-conf/practice.conf", "bin/bitcoind"}
	if files := left(t, p); !slices.Equal(files, want) {
		t.Errorf("left: %v, want %v", files, want)
	}
	p.Network = "../outside"
	if err := p.Do(); err == nil || !strings.Contains(err.Error(), "not known") {
		t.Errorf("a network that is a path: %v", err)
	}
}

func TestPurgeRefuses(t *testing.T) {
	untouched := func(t *testing.T, p Purge, says string) {
		t.Helper()
		before := left(t, p)
		if err := p.Do(); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("it says %v, want %q", err, says)
		}
		if after := left(t, p); !slices.Equal(before, after) {
			t.Errorf("left: %v, want %v", after, before)
		}
	}
	t.Run("pool runs", func(t *testing.T) {
		p, _ := furnished(t)
		lock, err := dataDir{p.Dir}.lock()
		if err != nil {
			t.Fatal(err)
		}
		defer lock.Close()
		untouched(t, p, "the pool runs")
	})
	t.Run("node runs", func(t *testing.T) {
		p, _ := furnished(t)
		file := filepath.Join(p.Places.Node(), "practice/signet/.lock")
		child := lockedElsewhere(t, file)
		untouched(t, p, "a node, still uses")
		child()
		if err := p.Do(); err != nil {
			t.Errorf("when it has ended: %v", err)
		}
	})
	t.Run("folder is a link", func(t *testing.T) {
		p, _ := furnished(t)
		away := p.Places.Node() + "-away"
		if err := errors.Join(os.Rename(p.Places.Node(), away), os.Symlink(away, p.Places.Node())); err != nil {
			t.Fatal(err)
		}
		if err := p.Do(); err == nil || !strings.Contains(err.Error(), "links are not followed") {
			t.Errorf("it says %v", err)
		}
		if !exists(filepath.Join(away, "main/wallets/w/wallet.dat")) {
			t.Error("the wallet behind the link is gone")
		}
	})
}

// lockedElsewhere locks a file as bitcoind does: with a lock of another open file
// description, which this process sees as somebody else's.
func lockedElsewhere(t *testing.T, file string) (release func()) {
	t.Helper()
	f, err := os.OpenFile(file, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &unix.Flock_t{Type: unix.F_WRLCK}); err != nil {
		t.Fatal(err)
	}
	return func() { f.Close() }
}
