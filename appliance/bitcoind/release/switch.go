package release

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/renameio/v2"
)

// ErrDowngrade is the error of going to an older version than the one in use.
var ErrDowngrade = errors.New("an older Bitcoin Core may not understand what the newer one has written to the disk, so DMPool does not go back to one")

// Trial is a switch that has yet to prove itself.
type Trial struct {
	From   Version `json:"from"`
	To     Version `json:"to"`
	Height int32   `json:"height"` // of the chain before the switch
}

// Probation is how long a new version may take to be as good as the old one.
const Probation = 30 * time.Minute

// Path is the bitcoind of the version in use, by a name that stays when another
// comes into use.
func (f Folder) Path() string { return f.at("current", bitcoind) }

// Current returns the version in use, the zero one when there is none.
func (f Folder) Current() (Version, error) {
	target, err := os.Readlink(f.at("current"))
	if errors.Is(err, fs.ErrNotExist) {
		return Version{}, nil
	}
	if err != nil {
		return Version{}, fmt.Errorf("look for the version in use: %w", err)
	}
	text, ok := strings.CutPrefix(target, "bitcoin-")
	if !ok {
		return Version{}, fmt.Errorf("%s leads to %q, which is no version", f.at("current"), target)
	}
	return ParseVersion(text)
}

// Switch brings an installed version into use; the node takes it at its next
// start. Unless it is the first one, it is on trial from then on: height is that
// of the chain now. A version that is in use already stays so.
func (f Folder) Switch(to Version, height int32) error {
	if err := f.Verify(to); err != nil {
		return err
	}
	from, err := f.Current()
	if err != nil {
		return err
	}
	switch order := to.Compare(from); {
	case order == 0:
		return nil
	case order < 0:
		return fmt.Errorf("%w: %s is in use, %s is older", ErrDowngrade, from, to)
	}
	if !from.IsZero() {
		text, err := json.Marshal(Trial{From: from, To: to, Height: height})
		if err != nil {
			return fmt.Errorf("note the switch: %w", err)
		}
		if err := renameio.WriteFile(f.at("trial.json"), append(text, '\n'), 0o644); err != nil {
			return fmt.Errorf("note the switch: %w", err)
		}
	}
	return f.link(to)
}

// link makes current lead to v, in one step.
func (f Folder) link(v Version) error {
	if err := renameio.Symlink(Release{Version: v}.Name(), f.at("current")); err != nil {
		return fmt.Errorf("switch to Bitcoin Core %s: %w", v, err)
	}
	return sync(f.Root)
}

// Trial returns the trial that is under way, and whether there is one.
func (f Folder) Trial() (Trial, bool, error) {
	text, err := os.ReadFile(f.at("trial.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return Trial{}, false, nil
	}
	var t Trial
	if err == nil {
		err = json.Unmarshal(text, &t)
	}
	if err != nil {
		return Trial{}, false, fmt.Errorf("read the note of the switch: %w", err)
	}
	// The note is written first; without the switch it means nothing.
	current, err := f.Current()
	return t, err == nil && current == t.To, err
}

// Sight is what can be seen of the node while a version is on trial.
type Sight struct {
	Serving bool   // its RPC answers
	Height  int32  // of its chain
	Refused string // why it may not be used at all, a sentence; empty: it may, or it is not known yet
}

// Verdict is what to do with a version on trial.
type Verdict int

// The verdicts.
const (
	Wait Verdict = iota
	Keep
	GoBack
)

// Judge decides about a version that has had so much time; why is a sentence
// for going back.
func (t Trial) Judge(s Sight, after time.Duration) (v Verdict, why string) {
	switch {
	case s.Refused != "":
		return GoBack, s.Refused
	case s.Serving && s.Height >= t.Height:
		return Keep, ""
	case after < Probation:
		return Wait, ""
	case s.Serving:
		return GoBack, fmt.Sprintf("After %d minutes it had come to block %d only; Bitcoin Core %s was at %d.", int(after.Minutes()), s.Height, t.From, t.Height)
	}
	return GoBack, fmt.Sprintf("After %d minutes it still did not answer.", int(after.Minutes()))
}

// Keep ends a trial well. The version before stays, older ones go.
func (f Folder) Keep(t Trial) error {
	if err := f.endTrial(); err != nil {
		return err
	}
	versions, err := f.Versions()
	if err != nil {
		return err
	}
	for _, v := range versions {
		if v != t.To && v != t.From {
			if err := f.drop(v); err != nil {
				return err
			}
		}
	}
	return nil
}

// Back ends a trial with the version before; the node takes it at its next
// start. What was on trial is thrown away, so that nothing takes it by mistake.
func (f Folder) Back(t Trial) error {
	if err := f.Verify(t.From); err != nil {
		return err
	}
	if err := f.link(t.From); err != nil {
		return err
	}
	return errors.Join(f.endTrial(), f.drop(t.To))
}

func (f Folder) endTrial() error {
	if err := remove(f.at("trial.json")); err != nil {
		return err
	}
	return sync(f.Root)
}

// drop removes a version: first its name, then what it was.
func (f Folder) drop(v Version) error {
	gone, err := os.MkdirTemp(f.Root, ".unpack-*")
	if err != nil {
		return fmt.Errorf("remove Bitcoin Core %s: %w", v, err)
	}
	defer discard(gone)
	name := Release{Version: v}.Name()
	if err := os.Rename(f.at(name), filepath.Join(gone, name)); err != nil {
		return fmt.Errorf("remove Bitcoin Core %s: %w", v, err)
	}
	return nil
}
