package release

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/renameio/v2"
)

// Folder is where the versions lie; see the package comment for what is in it.
type Folder struct {
	Root     string
	Platform Platform
	// Runs starts a bitcoind just to ask for its name and version, such as
	// "Bitcoin Core 31.1.0"; the error is a sentence on why it does not run
	// here. Required for what installs.
	Runs func(ctx context.Context, program string) (string, error)
}

// The errors of a version in the folder.
var (
	ErrDamaged  = errors.New("the installed Bitcoin Core is damaged")
	ErrPlatform = errors.New("this Bitcoin Core does not run on this machine")
)

// contents is the file release.json: what a version's folder holds.
type contents struct {
	Release
	Files []file `json:"files"`
}

func (f Folder) at(names ...string) string {
	return filepath.Join(append([]string{f.Root}, names...)...)
}

// Program returns the path of a version's bitcoind.
func (f Folder) Program(v Version) string { return f.at(Release{Version: v}.Name(), bitcoind) }

// Prepare makes the folder and clears away what a power cut left half done.
// What was downloaded stays.
func (f Folder) Prepare() error {
	if err := os.MkdirAll(f.at("download"), 0o755); err != nil {
		return fmt.Errorf("make folder for Bitcoin Core: %w", err)
	}
	left, err := filepath.Glob(f.at(".unpack-*"))
	if err != nil {
		return fmt.Errorf("look for leftovers: %w", err)
	}
	uploads, err := filepath.Glob(f.at("download", "upload-*"))
	if err != nil {
		return fmt.Errorf("look for leftovers: %w", err)
	}
	for _, name := range append(left, uploads...) {
		if err := os.RemoveAll(name); err != nil {
			return fmt.Errorf("clear away leftovers: %w", err)
		}
	}
	return nil
}

// Versions returns what is installed, the newest first. Whether it is whole is
// for [Folder.Verify] to say.
func (f Folder) Versions() ([]Version, error) {
	entries, err := os.ReadDir(f.Root)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("look for versions: %w", err)
	}
	var versions []Version
	for _, e := range entries {
		text, ok := strings.CutPrefix(e.Name(), "bitcoin-")
		if v, err := ParseVersion(text); ok && err == nil && e.IsDir() {
			versions = append(versions, v)
		}
	}
	slices.SortFunc(versions, func(a, b Version) int { return b.Compare(a) })
	return versions, nil
}

// install checks the archive against its release, unpacks it and puts the
// version into the folder, whole. The archive is not needed any more after.
func (f Folder) install(ctx context.Context, r Release, archive string) error {
	if r.Platform != f.Platform {
		return fmt.Errorf("%w: %s is made for %s, this is one of the %s", ErrPlatform, r.File(), r.Platform.machine(), f.Platform.machine())
	}
	hash, err := hashFile(archive)
	if err != nil {
		return err
	}
	if hash != r.SHA256 {
		return fmt.Errorf("%w: %s should have the SHA-256 %s, this one has %s; nothing of it was used", ErrHash, r.File(), r.SHA256, hash)
	}
	work, err := os.MkdirTemp(f.Root, ".unpack-*")
	if err != nil {
		return fmt.Errorf("unpack %s: %w", r.File(), err)
	}
	defer discard(work)
	if err := f.fill(ctx, r, archive, work); err != nil {
		return fmt.Errorf("unpack %s: %w", r.File(), err)
	}
	return f.place(r, work)
}

// fill unpacks the archive into work and tries what it got.
func (f Folder) fill(ctx context.Context, r Release, archive, work string) error {
	in, err := os.Open(archive)
	if err != nil {
		return err
	}
	defer in.Close()
	files, err := unpack(in, r.Name(), work, usual())
	if err != nil {
		return err
	}
	list, err := json.MarshalIndent(contents{r, files}, "", "\t")
	if err != nil {
		return err
	}
	if err := renameio.WriteFile(filepath.Join(work, "release.json"), append(list, '\n'), 0o644); err != nil {
		return err
	}
	if err := f.try(ctx, r.Version, filepath.Join(work, bitcoind)); err != nil {
		return err
	}
	return settle(work, files)
}

// settle puts everything onto the disk, and opens the folders to the user that
// the node runs as.
func settle(work string, files []file) error {
	for _, x := range files {
		if err := sync(filepath.Join(work, filepath.FromSlash(x.Name))); err != nil {
			return err
		}
	}
	for _, dir := range []string{filepath.Join(work, "bin"), work} {
		if err := os.Chmod(dir, 0o755); err != nil {
			return err
		}
		if err := sync(dir); err != nil {
			return err
		}
	}
	return nil
}

// try starts the program and compares what it says with what it should be.
func (f Folder) try(ctx context.Context, v Version, program string) error {
	said, err := f.Runs(ctx, program)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrPlatform, err)
	}
	if !strings.HasPrefix(said+".", "Bitcoin Core "+v.String()+".") {
		return fmt.Errorf("%w: its program calls itself %q instead of Bitcoin Core %s", ErrPlatform, said, v)
	}
	return nil
}

// place renames the finished folder to its name. A version that is there
// already, and damaged, makes room.
func (f Folder) place(r Release, work string) error {
	target := f.at(r.Name())
	if f.Verify(r.Version) == nil {
		return nil
	}
	if _, err := os.Lstat(target); err == nil {
		aside := work + ".old"
		defer discard(aside)
		if err := os.Rename(target, aside); err != nil {
			return fmt.Errorf("put the damaged version aside: %w", err)
		}
	}
	if err := os.Rename(work, target); err != nil {
		return fmt.Errorf("put the new version in place: %w", err)
	}
	return sync(f.Root)
}

// Verify compares an installed version with the hashes that were recorded when
// it was unpacked. It finds what a bad disk or a careless hand did; whoever may
// write in the folder could change the record, too.
func (f Folder) Verify(v Version) error {
	dir := f.at(Release{Version: v}.Name())
	text, err := os.ReadFile(filepath.Join(dir, "release.json"))
	if err != nil {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	var c contents
	if err := json.Unmarshal(text, &c); err != nil {
		return fmt.Errorf("%w: its list of files cannot be read (%w)", ErrDamaged, err)
	}
	if c.Version != v || c.Platform != f.Platform || !slices.ContainsFunc(c.Files, func(x file) bool { return x.Name == bitcoind }) {
		return fmt.Errorf("%w: its list of files is that of another release", ErrDamaged)
	}
	for _, x := range c.Files {
		if wanted(x.Name) == 0 {
			return fmt.Errorf("%w: its list names %q, which no release of ours has", ErrDamaged, x.Name)
		}
		name := filepath.Join(dir, filepath.FromSlash(x.Name))
		about, err := os.Lstat(name)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrDamaged, err)
		}
		if !about.Mode().IsRegular() || about.Size() != x.Size || about.Mode().Perm() != wanted(x.Name) {
			return fmt.Errorf("%w: %s is not as it was unpacked", ErrDamaged, x.Name)
		}
		hash, err := hashFile(name)
		if err != nil {
			return err
		}
		if hash != x.SHA256 {
			return fmt.Errorf("%w: the content of %s has changed", ErrDamaged, x.Name)
		}
	}
	return nil
}
