package release

import (
	"bytes"
	"errors"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// guarded returns a folder as its owner and as a guest see it; the owner knows
// these releases and believes in Ann.
func guarded(t *testing.T, known ...Release) (owner Folder, guest Guarded, ann signer) {
	t.Helper()
	owner, hand := newFolder(t), newFolder(t)
	ann = newSigner(t, "ann", 0)
	ring, err := newKeyring([][]byte{ann.key()}, []builder{ann.builder("ann")}, 1)
	if err != nil {
		t.Fatal(err)
	}
	by := Authority{Known: known, Keys: func() (Keyring, error) { return ring, nil }, Now: func() time.Time { return signedAt }}
	return owner, Guarded{
		Folder: Folder{Root: owner.Root, Platform: X86}, Hand: hand, Known: known,
		Ask: func() error {
			if owner.Grant(t.Context(), hand.Root, by) != nil {
				return errors.New("the unit failed")
			}
			return nil
		},
	}, ann
}

// A guest uploads a release, and the owner installs what is known to it: then a
// newer one for which Ann has signed, on trial, and back again.
func TestOwnerGrantsWishes(t *testing.T) {
	first, firstFile := published(t, Version{31, 1})
	second, secondFile := published(t, Version{32, 0})
	owner, guest, ann := guarded(t, first)

	if r, err := guest.Upload(t.Context(), bytes.NewReader(firstFile), 0, []Release{first}, silent); err != nil || r != first {
		t.Fatalf("Upload = %v, %v", r, err)
	}
	if v := current(t, owner); !v.IsZero() {
		t.Errorf("Current before the wish = %v, want none", v)
	}
	if err := guest.Switch(first.Version, 7); err != nil || current(t, owner) != first.Version {
		t.Fatalf("Switch = %v, in use is %v", err, current(t, owner))
	}
	if left := list(t, guest.Hand.Root); strings.Contains(strings.Join(left, " "), ".tar.gz") {
		t.Errorf("left over: %v", left)
	}

	sums := []byte(strings.Repeat("11", 32) + "  bitcoin-32.0-aarch64-linux-gnu.tar.gz\n" + second.SHA256.String() + "  " + second.File() + "\n")
	files := map[string][]byte{"SHA256SUMS": sums, "SHA256SUMS.asc": ann.sign(sums), second.File(): secondFile}
	source := serve(t, func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write(files[path.Base(r.URL.Path)]) })
	for _, end := range []func(Trial) error{guest.Back, guest.Keep} {
		if err := guest.Get(t.Context(), source, second, silent); err != nil {
			t.Fatal(err)
		}
		if err := guest.Switch(second.Version, 8); err != nil || current(t, owner) != second.Version {
			t.Fatalf("Switch = %v, in use is %v", err, current(t, owner))
		}
		trial, on, err := guest.Trial()
		if err != nil || !on || trial.Height != 8 {
			t.Fatalf("Trial = %v, %v, %v", trial, on, err)
		}
		if err := end(trial); err != nil {
			t.Fatal(err)
		}
	}
	if v := current(t, owner); v != second.Version {
		t.Errorf("Current = %v, want the one that was kept", v)
	}
	if err := guest.Keep(Trial{To: second.Version}); err == nil || !strings.Contains(err.Error(), "no version on trial") {
		t.Errorf("Keep without a trial = %v, want the owner's reason", err)
	}
	away := errors.New("no owner there")
	guest.Ask = func() error { return away }
	if err := guest.Keep(Trial{To: second.Version}); !errors.Is(err, away) {
		t.Errorf("Keep without an owner = %v, want %v and not what it said earlier", err, away)
	}
}

// Whatever a guest lays there, nothing but what the owner believes in is installed.
func TestOwnerDistrustsItsGuest(t *testing.T) {
	known, _ := published(t, Version{31, 1})
	newer, newerFile := published(t, Version{32, 0})
	older, olderFile := published(t, Version{29, 0})
	stranger := newSigner(t, "stranger", 0)
	sums := []byte(strings.Repeat("11", 32) + "  bitcoin-32.0-aarch64-linux-gnu.tar.gz\n" + newer.SHA256.String() + "  " + newer.File() + "\n")
	tests := map[string]struct {
		wish  string
		files map[string][]byte
		links map[string]string
		says  string
	}{
		"other content":     {`{"do":"install","version":"31.1"}`, map[string][]byte{known.File(): newerFile}, nil, "none of the releases"},
		"no file":           {`{"do":"install","version":"31.1"}`, nil, nil, "no such file"},
		"link":              {`{"do":"install","version":"31.1"}`, nil, map[string]string{known.File(): "/etc/passwd"}, "too many levels of symbolic links"},
		"unsigned":          {`{"do":"install","version":"32.0"}`, map[string][]byte{newer.File(): newerFile}, nil, "signed for this version"},
		"signed by others":  {`{"do":"install","version":"32.0"}`, map[string][]byte{newer.File(): newerFile, "SHA256SUMS": sums, "SHA256SUMS.asc": stranger.sign(sums)}, nil, "signed for this version"},
		"old and not known": {`{"do":"install","version":"29.0"}`, map[string][]byte{older.File(): olderFile}, nil, "not among those"},
		"no version":        {`{"do":"install"}`, nil, nil, "names no version"},
		"a path":            {`{"do":"install","version":"../../etc"}`, nil, nil, "not a version"},
		"negative height":   {`{"do":"install","version":"31.1","height":-1}`, nil, nil, "names no version"},
		"another wish":      {`{"do":"remove","version":"31.1"}`, nil, nil, "nobody grants"},
		"nonsense":          {`[]`, nil, nil, "read the wish"},
		"back from nothing": {`{"do":"back"}`, nil, nil, "no version on trial"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			owner, guest, _ := guarded(t, known)
			hand := guest.Hand.Root
			if err := os.WriteFile(filepath.Join(hand, wishFile), []byte(test.wish), 0o640); err != nil {
				t.Fatal(err)
			}
			for file, content := range test.files {
				if err := os.WriteFile(filepath.Join(hand, file), content, 0o640); err != nil {
					t.Fatal(err)
				}
			}
			for file, target := range test.links {
				if err := os.Symlink(target, filepath.Join(hand, file)); err != nil {
					t.Fatal(err)
				}
			}
			if err := guest.Ask(); err == nil {
				t.Fatal("granted")
			}
			refusal, err := os.ReadFile(filepath.Join(owner.Root, refusalFile))
			if err != nil || !strings.Contains(string(refusal), test.says) {
				t.Errorf("refusal (%v) = %q, want %q in it", err, refusal, test.says)
			}
			if versions, err := owner.Versions(); err != nil || len(versions) > 0 {
				t.Errorf("installed: %v (%v), want nothing", versions, err)
			}
		})
	}
}

func TestGuardedUploadKnowsItsFiles(t *testing.T) {
	known, _ := published(t, Version{31, 1})
	_, guest, _ := guarded(t, known)
	if _, err := guest.Upload(t.Context(), strings.NewReader("something"), 0, []Release{known}, silent); !errors.Is(err, ErrUnknown) {
		t.Errorf("Upload of something else = %v, want %v", err, ErrUnknown)
	}
	source := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("something else")) })
	if err := guest.Get(t.Context(), source, known, silent); !errors.Is(err, ErrHash) {
		t.Errorf("Get of something else = %v, want %v", err, ErrHash)
	}
	if left := list(t, guest.Hand.Root); strings.Contains(strings.Join(left, " "), ".tar.gz") {
		t.Errorf("left over: %v", left)
	}
}
