package release

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/renameio/v2"

	"github.com/dmpool/dmpool/appliance/bitcoind/laid"
)

// Wish is what a user who may not write into a [Folder] asks its owner to do.
type Wish struct {
	Do      string  `json:"do"` // one of the constants below
	Version Version `json:"version"`
	Height  int32   `json:"height"` // of the chain, with WishInstall
}

// What can be wished for.
const (
	WishInstall = "install" // the release whose file lies beside the wish, and switch to it
	WishKeep    = "keep"    // end the trial well
	WishBack    = "back"    // end it with the version before
)

const (
	wishFile = "core.json"
	// refusalFile tells, in the owner's folder, why the last wish was not granted.
	refusalFile = "refusal"
)

// Authority is by what the owner of a folder judges a release.
type Authority struct {
	Known []Release               // by their hash
	Keys  func() (Keyring, error) // for versions that are newer
	Now   func() time.Time
}

// Grant does what a wish in dir asks for, if it may be had. Whoever wrote there is
// trusted with nothing: the file of a release is copied, and the copy checked
// against the hash that its version has by authority. The reason of a refusal is
// left in the folder for all to read.
func (f Folder) Grant(ctx context.Context, dir string, by Authority) error {
	if err := f.Prepare(); err != nil {
		return err
	}
	err := f.grant(ctx, dir, by)
	if err == nil {
		return remove(f.at(refusalFile))
	}
	return errors.Join(err, renameio.WriteFile(f.at(refusalFile), []byte(err.Error()), 0o644))
}

func (f Folder) grant(ctx context.Context, dir string, by Authority) error {
	var w Wish
	text, err := laid.Read(filepath.Join(dir, wishFile), 4096)
	if err == nil {
		err = json.Unmarshal(text, &w)
	}
	if err != nil {
		return fmt.Errorf("read the wish: %w", err)
	}
	switch w.Do {
	case WishInstall:
		return f.installLaid(ctx, dir, w, by)
	case WishKeep, WishBack:
		t, on, err := f.Trial()
		if err != nil || !on {
			return errors.Join(err, errors.New("there is no version on trial"))
		}
		if w.Do == WishBack {
			return f.Back(t)
		}
		return f.Keep(t)
	}
	return fmt.Errorf("nobody grants the wish %q", w.Do)
}

// installLaid installs the version whose file lies in dir, and switches to it.
func (f Folder) installLaid(ctx context.Context, dir string, w Wish, by Authority) error {
	if w.Version.IsZero() || w.Height < 0 {
		return errors.New("the wish names no version of Bitcoin Core")
	}
	if f.Verify(w.Version) == nil {
		return f.Switch(w.Version, w.Height)
	}
	r, err := f.judge(dir, w.Version, by)
	if err != nil {
		return err
	}
	archive, err := laid.Open(filepath.Join(dir, r.File()))
	if err != nil {
		return fmt.Errorf("open %s: %w", r.File(), err)
	}
	defer archive.Close()
	if _, err := f.Upload(ctx, archive, 0, []Release{r}, func(int64, int64) {}); err != nil {
		return err
	}
	return f.Switch(w.Version, w.Height)
}

// judge returns the release that a version is: one that is known, or else a newer
// one for which the builders have signed in the files that lie in dir.
func (f Folder) judge(dir string, v Version, by Authority) (Release, error) {
	for _, r := range by.Known {
		switch {
		case r.Platform != f.Platform:
		case r.Version == v:
			return r, nil
		case v.Compare(r.Version) < 0:
			return Release{}, fmt.Errorf("version %s is not among those that DMPool knows", v)
		}
	}
	keys, err := by.Keys()
	if err != nil {
		return Release{}, err
	}
	sums, err := laid.Read(filepath.Join(dir, sumsFile), 1<<20)
	if err != nil {
		return Release{}, fmt.Errorf("%w: %w", ErrUnvouched, err)
	}
	signatures, err := laid.Read(filepath.Join(dir, signaturesFile), 1<<20)
	if err != nil {
		return Release{}, fmt.Errorf("%w: %w", ErrUnvouched, err)
	}
	// The file names hold the version, so the list of another one does not do.
	releases, _, err := keys.Vouch(v, sums, signatures, by.Now())
	if err != nil {
		return Release{}, err
	}
	i := slices.IndexFunc(releases, func(r Release) bool { return r.Platform == f.Platform })
	if i < 0 {
		return Release{}, ErrMissing
	}
	return releases[i], nil
}

// Guarded is a folder that belongs to another user, as somebody sees it who may
// only read it: what is fetched is laid beside a wish, and the owner asked to
// grant that.
type Guarded struct {
	Folder        // of the owner
	Hand   Folder // of ours, in which wishes and files lie
	Known  []Release
	Ask    func() error // has the owner look, and waits for that
}

// Prepare clears away what an earlier process left of its own.
func (g Guarded) Prepare() error { return g.Hand.Prepare() }

// Get downloads a release, checks it and lays it out for the owner.
func (g Guarded) Get(ctx context.Context, s Source, r Release, progress Progress) error {
	if g.Verify(r.Version) == nil {
		return nil
	}
	part, err := g.Hand.fetch(ctx, s, r, progress)
	if err != nil {
		return err
	}
	hash, err := hashFile(part)
	if err != nil {
		return err
	}
	if hash != r.SHA256 {
		return errors.Join(fmt.Errorf("%w: %s should have the SHA-256 %s, this one has %s; nothing of it was used", ErrHash, r.File(), r.SHA256, hash), remove(part))
	}
	if !slices.Contains(g.Known, r) {
		sums, signatures, err := s.statement(ctx, r.Version)
		if err != nil {
			return err
		}
		if err := errors.Join(g.lay(sumsFile, sums), g.lay(signaturesFile, signatures)); err != nil {
			return err
		}
	}
	return g.offer(part, r)
}

// Upload takes a release that a person has downloaded, finds out which it is, and
// lays it out for the owner.
func (g Guarded) Upload(ctx context.Context, content io.Reader, limit int64, known []Release, progress Progress) (Release, error) {
	r, part, err := g.Hand.take(ctx, content, limit, known, progress)
	if err != nil {
		return r, err
	}
	defer discard(part)
	if r.Platform != g.Platform {
		return r, fmt.Errorf("%w: %s is made for %s, this is one of the %s", ErrPlatform, r.File(), r.Platform.machine(), g.Platform.machine())
	}
	return r, g.offer(part, r)
}

// offer lays a release's file out under its name, for the owner's group to read.
func (g Guarded) offer(part string, r Release) error {
	if err := os.Chmod(part, 0o640); err != nil {
		return fmt.Errorf("hand over %s: %w", r.File(), err)
	}
	if err := os.Rename(part, g.Hand.at(r.File())); err != nil {
		return fmt.Errorf("hand over %s: %w", r.File(), err)
	}
	return nil
}

func (g Guarded) lay(name string, text []byte) error {
	path := g.Hand.at(name)
	if err := renameio.WriteFile(path, text, 0o640, renameio.WithTempDir(g.Hand.Root)); err != nil {
		return fmt.Errorf("hand over %s: %w", name, err)
	}
	return nil
}

// Switch has the owner install what was laid out and bring it into use, see
// [Folder.Switch].
func (g Guarded) Switch(to Version, height int32) error {
	if err := g.wish(Wish{Do: WishInstall, Version: to, Height: height}); err != nil {
		return err
	}
	left := []string{g.Hand.at(sumsFile), g.Hand.at(signaturesFile)}
	for _, p := range []Platform{X86, ARM} {
		left = append(left, g.Hand.at(Release{Version: to, Platform: p}.File()))
	}
	return remove(left...)
}

// Keep has the owner end a trial well.
func (g Guarded) Keep(t Trial) error { return g.wish(Wish{Do: WishKeep, Version: t.To}) }

// Back has the owner end a trial with the version before.
func (g Guarded) Back(t Trial) error { return g.wish(Wish{Do: WishBack, Version: t.To}) }

func (g Guarded) wish(w Wish) error {
	text, err := json.Marshal(w)
	if err != nil {
		return fmt.Errorf("write the wish: %w", err)
	}
	if err := g.lay(wishFile, append(text, '\n')); err != nil {
		return err
	}
	before, _ := os.Stat(g.at(refusalFile)) // of an earlier wish
	asked := g.Ask()
	if asked == nil {
		return nil
	}
	now, err := os.Stat(g.at(refusalFile))
	if err != nil || os.SameFile(before, now) {
		return asked // the owner has not even looked
	}
	refusal, err := os.ReadFile(g.at(refusalFile))
	if err != nil || len(refusal) == 0 {
		return asked
	}
	return errors.New(strings.TrimSpace(string(refusal)))
}
