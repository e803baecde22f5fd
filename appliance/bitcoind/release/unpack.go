package release

import (
	"archive/tar"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// ErrArchive is the error of a file that is no release, or is one that wants to
// do more than put files into its folder.
var ErrArchive = errors.New("the file cannot be unpacked")

var errBomb = fmt.Errorf("%w: it unpacks to more than any release does", ErrArchive)

// limits is what an archive may be at most.
type limits struct {
	entries        int
	file, unpacked int64 // bytes
}

// usual are far above what a release has: some forty entries, and programs of
// which the largest is the one with windows.
func usual() limits { return limits{entries: 1000, file: 256 << 20, unpacked: 1 << 30} }

// file is a file of an installed release.
type file struct {
	Name   string `json:"name"` // below the release's folder
	Size   int64  `json:"size"`
	SHA256 Hash   `json:"sha256"`
}

// wanted returns the mode of a file that is unpacked, 0 for all others: of a
// release the box needs the node, its command line for people in need, and what
// says whose work it is.
func wanted(name string) fs.FileMode {
	switch name {
	case bitcoind, "bin/bitcoin-cli":
		return 0o755
	case "COPYING", "README.md":
		return 0o644
	}
	return 0
}

// bitcoind is the node's program below a release's folder.
const bitcoind = "bin/bitcoind"

// unpack writes the wanted files of the release called name into dir, which is
// empty, and returns them; nothing is synced yet. The rest of the archive is read, too: an archive with
// anything odd in it is refused as a whole.
func unpack(archive io.Reader, name, dir string, most limits) ([]file, error) {
	unzipped, err := gzip.NewReader(archive)
	if err != nil {
		return nil, fmt.Errorf("%w: it is no .tar.gz (%w)", ErrArchive, err)
	}
	unzipped.Multistream(false)
	return untar(unzipped, name, most, func(name string, size int64) (io.WriteCloser, error) { return create(dir, name, size) })
}

// create makes a file below dir.
func create(dir, name string, size int64) (io.WriteCloser, error) {
	target := filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(target, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	// Whatever the umask says, the node may run as another user.
	if err := errors.Join(f.Chmod(wanted(name)), enough(f, size)); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// untar takes the wanted files out of what the compression has let through; place
// says where they go.
func untar(archive io.Reader, name string, most limits, place func(name string, size int64) (io.WriteCloser, error)) ([]file, error) {
	limited := &io.LimitedReader{R: archive, N: most.unpacked}
	u := unpacking{name: name, most: most, place: place, seen: map[string]bool{}}
	entries := tar.NewReader(limited)
	for {
		header, err := entries.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			err = u.entry(header, entries)
		}
		if limited.N <= 0 {
			err = errBomb
		}
		if err != nil {
			return nil, archiveError(err)
		}
	}
	// What follows the last entry is padding, and behind it a checksum.
	if _, err := io.Copy(io.Discard, limited); err != nil {
		return nil, archiveError(err)
	}
	if limited.N <= 0 {
		return nil, errBomb
	}
	if !u.seen[bitcoind] {
		return nil, fmt.Errorf("%w: there is no %s in it", ErrArchive, path.Join(name, bitcoind))
	}
	return u.files, nil
}

// archiveError names the error of a reader that did not understand its input.
func archiveError(err error) error {
	if errors.Is(err, ErrArchive) || errors.Is(err, ErrNoSpace) {
		return err
	}
	if _, ok := errors.AsType[*fs.PathError](err); ok {
		return err
	}
	return fmt.Errorf("%w: it is damaged (%w)", ErrArchive, err)
}

// unpacking is the state of one archive.
type unpacking struct {
	name  string
	most  limits
	place func(name string, size int64) (io.WriteCloser, error)
	seen  map[string]bool
	files []file
}

// entry checks one entry and writes it if it is wanted.
func (u *unpacking) entry(h *tar.Header, content io.Reader) error {
	name, err := u.inside(h.Name)
	if err != nil {
		return err
	}
	if len(u.seen) >= u.most.entries {
		return fmt.Errorf("%w: it has more files than any release", ErrArchive)
	}
	switch h.Typeflag {
	case tar.TypeDir:
		if wanted(name) != 0 {
			return fmt.Errorf("%w: %s is a folder in it", ErrArchive, name)
		}
		return nil
	case tar.TypeReg:
	case tar.TypeSymlink, tar.TypeLink:
		return u.link(h, name)
	default:
		return fmt.Errorf("%w: %q is neither a file nor a folder", ErrArchive, h.Name)
	}
	if u.seen[name] {
		return fmt.Errorf("%w: %s is in it twice", ErrArchive, name)
	}
	u.seen[name] = true
	if h.Size > u.most.file {
		return fmt.Errorf("%w: %s is larger than any file of a release", ErrArchive, name)
	}
	if wanted(name) == 0 {
		return nil
	}
	return u.write(name, h.Size, content)
}

// inside returns a name below the release's folder, "." for that folder itself.
func (u *unpacking) inside(name string) (string, error) {
	clean := strings.TrimSuffix(name, "/")
	if clean == u.name {
		return ".", nil
	}
	below, ok := strings.CutPrefix(clean, u.name+"/")
	if !ok || !fs.ValidPath(below) || strings.ContainsAny(below, "\\\x00") {
		return "", fmt.Errorf("%w: %q does not belong into the folder %s", ErrArchive, name, u.name)
	}
	return below, nil
}

// link accepts a link that nobody wants and that stays inside, for the sake of
// releases that had some. None is ever made.
func (u *unpacking) link(h *tar.Header, name string) error {
	target := h.Linkname
	if h.Typeflag == tar.TypeSymlink && !path.IsAbs(target) {
		target = path.Join(u.name, path.Dir(name), target)
	}
	if _, err := u.inside(target); err != nil || path.Clean(target) != target {
		return fmt.Errorf("%w: %s is a link to %q outside of it", ErrArchive, name, h.Linkname)
	}
	if wanted(name) != 0 {
		return fmt.Errorf("%w: %s is a link", ErrArchive, name)
	}
	if u.seen[name] {
		return fmt.Errorf("%w: %s is in it twice", ErrArchive, name)
	}
	u.seen[name] = true
	return nil
}

// write takes one file out.
func (u *unpacking) write(name string, size int64, content io.Reader) error {
	f, err := u.place(name, size)
	if err != nil {
		return err
	}
	defer f.Close()
	hash := sha256.New()
	if _, err := io.CopyN(io.MultiWriter(f, hash), content, size); err != nil {
		if wrapped := noSpace(err); errors.Is(wrapped, ErrNoSpace) {
			return wrapped
		}
		return err
	}
	u.files = append(u.files, file{Name: name, Size: size, SHA256: Hash(hash.Sum(nil))})
	return nil
}
