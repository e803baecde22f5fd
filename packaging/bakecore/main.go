// Bakecore puts an official Bitcoin Core into a package, or into an image, that is
// being built:
//
//	go run ./packaging/bakecore -arch amd64 bitcoin-31.1-x86_64-linux-gnu.tar.gz FOLDER
//
// The file is held against the releases that DMPool knows by their hash, and unpacked
// by the code that does it on a box. FOLDER then holds the version, the record of its
// hashes and, as current, a link to it.
package main

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"

	"github.com/dmpool/dmpool/appliance/bitcoind"
	"github.com/dmpool/dmpool/appliance/bitcoind/release"
)

func main() {
	arch := flag.String("arch", runtime.GOARCH, "machine that the node is for: amd64 or arm64")
	pins := flag.String("pins", "", "JSON file with other releases than those that DMPool knows, for tests")
	flag.Parse()
	if flag.NArg() != 2 {
		fmt.Fprintln(os.Stderr, "usage: bakecore [-arch ARCH] FILE.tar.gz FOLDER")
		os.Exit(2)
	}
	known, err := releases(*pins)
	if err == nil {
		err = bake(context.Background(), flag.Arg(0), flag.Arg(1), *arch, known)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bakecore:", err)
		os.Exit(1)
	}
}

// releases returns what may be baked in.
func releases(file string) (known []release.Release, err error) {
	if file == "" {
		return release.Pins(), nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read pins: %w", err)
	}
	if err := json.Unmarshal(text, &known); err != nil {
		return nil, fmt.Errorf("read pins: %w", err)
	}
	return known, nil
}

// bake unpacks file, one of the known releases, into dir.
func bake(ctx context.Context, file, dir, arch string, known []release.Release) error {
	platform, err := release.PlatformOf("linux", arch)
	if err != nil {
		return err
	}
	archive, err := os.Open(file)
	if err != nil {
		return err
	}
	defer archive.Close()
	wanted, err := find(archive, known)
	if err != nil {
		return err
	}
	folder := release.Folder{Root: dir, Platform: platform, Runs: bitcoind.Runs}
	if arch != runtime.GOARCH {
		// It cannot be tried here; the hash says what it is.
		folder.Runs = func(context.Context, string) (string, error) { return "Bitcoin Core " + wanted.Version.String(), nil }
	}
	if err := folder.Prepare(); err != nil {
		return err
	}
	if _, err := folder.Upload(ctx, archive, 0, []release.Release{wanted}, func(int64, int64) {}); err != nil {
		return err
	}
	return errors.Join(folder.Switch(wanted.Version, 0), os.Remove(filepath.Join(dir, "download")))
}

// find returns which of the known releases the archive is, and rewinds it.
func find(archive io.ReadSeeker, known []release.Release) (release.Release, error) {
	hash := sha256.New()
	if _, err := io.Copy(hash, archive); err != nil {
		return release.Release{}, fmt.Errorf("read archive: %w", err)
	}
	for _, r := range known {
		if r.SHA256 == release.Hash(hash.Sum(nil)) {
			_, err := archive.Seek(0, io.SeekStart)
			return r, err
		}
	}
	return release.Release{}, fmt.Errorf("%w: its SHA-256 is %x", release.ErrUnknown, hash.Sum(nil))
}
