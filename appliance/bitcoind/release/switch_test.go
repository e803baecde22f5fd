package release

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

func current(t *testing.T, f Folder) Version {
	t.Helper()
	v, err := f.Current()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func onTrial(t *testing.T, f Folder) (Trial, bool) {
	t.Helper()
	trial, on, err := f.Trial()
	if err != nil {
		t.Fatal(err)
	}
	return trial, on
}

func switchTo(t *testing.T, f Folder, v Version, height int32) {
	t.Helper()
	upload(t, f, v)
	if err := f.Switch(v, height); err != nil {
		t.Fatal(err)
	}
}

func TestSwitch(t *testing.T) {
	f := newFolder(t)
	v29, v30, v31, v32 := Version{29, 4}, Version{30, 3}, Version{31, 1}, Version{32, 0}
	if got := current(t, f); !got.IsZero() {
		t.Errorf("an empty folder has version %s in use", got)
	}
	if err := f.Switch(v29, 0); !errors.Is(err, ErrDamaged) {
		t.Errorf("Switch to what is not there: %v, want %v", err, ErrDamaged)
	}

	switchTo(t, f, v29, 0)
	if trial, on := onTrial(t, f); on {
		t.Errorf("the first version is on trial: %v", trial)
	}
	if text, err := os.ReadFile(f.Path()); err != nil || string(text) != program(v29) {
		t.Errorf("%s has %q, %v", f.Path(), text, err)
	}

	for _, v := range []Version{v30, v31, v32} {
		from := current(t, f)
		switchTo(t, f, v, 100)
		trial, on := onTrial(t, f)
		if want := (Trial{From: from, To: v, Height: 100}); !on || trial != want {
			t.Errorf("Trial = %v, %v, want %v", trial, on, want)
		}
		if err := f.Switch(v, 200); err != nil || current(t, f) != v {
			t.Errorf("Switch to the same: %v, current %s", err, current(t, f))
		}
		if err := f.Keep(trial); err != nil {
			t.Fatal(err)
		}
		if _, on := onTrial(t, f); on {
			t.Error("Keep does not end the trial")
		}
		if got, err := f.Versions(); err != nil || !slices.Equal(got, []Version{v, from}) {
			t.Errorf("Versions = %v, %v, want %v and %v", got, err, v, from)
		}
	}

	if err := f.Switch(v31, 100); !errors.Is(err, ErrDowngrade) {
		t.Errorf("Switch back: %v, want %v", err, ErrDowngrade)
	}
	if current(t, f) != v32 {
		t.Errorf("current = %s after a refused switch", current(t, f))
	}
}

func TestBack(t *testing.T) {
	f := newFolder(t)
	v30, v31 := Version{30, 3}, Version{31, 1}
	switchTo(t, f, v30, 0)
	switchTo(t, f, v31, 100)
	trial, _ := onTrial(t, f)
	if err := f.Back(trial); err != nil {
		t.Fatal(err)
	}
	if _, on := onTrial(t, f); on || current(t, f) != v30 {
		t.Errorf("after Back: on trial %v, current %s", on, current(t, f))
	}
	if got := list(t, f.Root); !slices.Equal(got, []string{"bitcoin-30.3", "current", "download"}) {
		t.Errorf("after Back the folder has %v", got)
	}
	switchTo(t, f, v31, 100) // a person may try once more
	if trial, on := onTrial(t, f); !on || trial.From != v30 {
		t.Errorf("Trial = %v, %v", trial, on)
	}
}

// TestBackNeedsAWholeVersion: with the old one damaged, the new one is the
// better choice.
func TestBackNeedsAWholeVersion(t *testing.T) {
	f := newFolder(t)
	v30, v31 := Version{30, 3}, Version{31, 1}
	switchTo(t, f, v30, 0)
	switchTo(t, f, v31, 100)
	if err := os.Remove(f.Program(v30)); err != nil {
		t.Fatal(err)
	}
	trial, _ := onTrial(t, f)
	if err := f.Back(trial); !errors.Is(err, ErrDamaged) || current(t, f) != v31 {
		t.Errorf("Back: %v, current %s", err, current(t, f))
	}
}

// TestPowerCutWhileSwitching cuts between the note and the switch, and between
// going back and the end of the note.
func TestPowerCutWhileSwitching(t *testing.T) {
	f := newFolder(t)
	v30, v31 := Version{30, 3}, Version{31, 1}
	switchTo(t, f, v30, 0)
	switchTo(t, f, v31, 100)
	if err := f.link(v30); err != nil {
		t.Fatal(err)
	}
	if trial, on := onTrial(t, f); on {
		t.Errorf("on trial without the switch: %v", trial)
	}
	if err := f.Switch(v31, 50); err != nil {
		t.Fatal(err)
	}
	if trial, on := onTrial(t, f); !on || trial.Height != 50 {
		t.Errorf("Trial = %v, %v", trial, on)
	}
	if err := os.Truncate(f.at("trial.json"), 3); err != nil {
		t.Fatal(err)
	}
	if _, _, err := f.Trial(); err == nil {
		t.Error("a damaged note is no error")
	}
}

func TestCurrentLeadsAstray(t *testing.T) {
	f := newFolder(t)
	for _, target := range []string{"/usr/bin", "bitcoin-../evil", "evil"} {
		if err := os.Symlink(target, f.at("current")); err != nil {
			t.Fatal(err)
		}
		if v, err := f.Current(); err == nil {
			t.Errorf("Current = %s for a link to %s", v, target)
		}
		if err := os.Remove(f.at("current")); err != nil {
			t.Fatal(err)
		}
	}
}

func TestJudge(t *testing.T) {
	trial := Trial{From: Version{30, 3}, To: Version{31, 1}, Height: 100}
	tests := []struct {
		name  string
		sight Sight
		after time.Duration
		want  Verdict
		why   string
	}{
		{"just started", Sight{}, 0, Wait, ""},
		{"reading its index", Sight{}, 29 * time.Minute, Wait, ""},
		{"behind", Sight{Serving: true, Height: 99}, 29 * time.Minute, Wait, ""},
		{"as far as before", Sight{Serving: true, Height: 100}, time.Minute, Keep, ""},
		{"late, but there", Sight{Serving: true, Height: 101}, time.Hour, Keep, ""},
		{"silent", Sight{}, 30 * time.Minute, GoBack, "did not answer"},
		{"stuck", Sight{Serving: true, Height: 7}, 31 * time.Minute, GoBack, "block 7 only"},
		{"on another chain", Sight{Serving: true, Height: 100, Refused: "It follows other rules."}, 0, GoBack, "other rules"},
	}
	for _, tt := range tests {
		if got, why := trial.Judge(tt.sight, tt.after); got != tt.want || !strings.Contains(why, tt.why) {
			t.Errorf("%s: Judge = %v, %q, want %v, %q", tt.name, got, why, tt.want, tt.why)
		}
	}
}
