package appliance

import (
	"bytes"
	"errors"
	"log/slog"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/dmpool/dmpool/appliance/bitcoind"
	"github.com/dmpool/dmpool/appliance/bitcoind/release"
)

// wizardIn is a wizard on a machine without a bitcoind, with a shop to buy one.
func wizardIn(t *testing.T, dir string, s *shop) *Wizard {
	t.Helper()
	if runtime.GOARCH != "amd64" {
		t.Skip("this test's releases are for x86_64")
	}
	t.Setenv("DMPOOL_BITCOIND", "")
	t.Setenv("PATH", "/usr/bin:/bin")
	if _, err := bitcoind.Find(""); !errors.Is(err, bitcoind.ErrNotFound) {
		t.Skip("there is a bitcoind on this machine")
	}
	w, err := NewWizard(t.Context(), Config{DataDir: dir, Logger: slog.New(slog.DiscardHandler), Core: s.config()}, "http://192.168.1.50:8080")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	return w
}

// untilFetched waits for what the wizard says about Bitcoin Core.
func untilFetched(t *testing.T, w *Wizard, what string, want func(CoreStatus) bool) {
	t.Helper()
	for late := time.Now().Add(time.Minute); !want(w.Core()); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(late) {
			t.Fatalf("did not happen: %s; %+v", what, w.Core())
		}
	}
}

func halfWay(s CoreStatus) bool   { return s.State == CoreDownloading && s.Done == 10 }
func installed(s CoreStatus) bool { return s.State == CoreIdle && s.InUse == "31.1" }

// The step of the node begins the download, which neither holds up the steps after it
// nor is lost when the box stops. The box that comes of it has the program.
func TestWizardGetsBitcoinCore(t *testing.T) {
	ctx, dir := t.Context(), filepath.Join(t.TempDir(), "box")
	s := newShop(t, sham, release.Version{Major: 31, Minor: 1})
	s.hold = make(chan struct{})
	w := wizardIn(t, dir, s)
	wanted := Answers{Node: nodeSettings{Download: true}}
	for _, step := range WizardSteps() {
		answer := wizardAnswers()[step]
		if step == StepNode {
			answer = wanted
		}
		if err := w.Answer(ctx, step, answer); err != nil {
			t.Fatalf("%s: %v", step, err)
		}
	}
	untilFetched(t, w, "the download has begun", halfWay)
	if err := w.GetCore(); err == nil || !strings.Contains(err.Error(), "under way") {
		t.Errorf("a second download: %v", err)
	}
	if err := w.UploadCore(ctx, strings.NewReader("")); err == nil || !strings.Contains(err.Error(), "under way") {
		t.Errorf("an upload beside it: %v", err)
	}
	w.StopCore()
	untilFetched(t, w, "it was stopped", func(c CoreStatus) bool { return c.State == CoreFailed && strings.Contains(c.Text, "was stopped") })
	if err := w.Answer(ctx, StepNode, wanted); err != nil {
		t.Fatal(err)
	}
	untilFetched(t, w, "the answer begins it again", halfWay)
	if err := w.Answer(ctx, StepNode, Answers{}); err != nil {
		t.Fatal(err)
	}
	untilFetched(t, w, "an answer without it ends it", func(c CoreStatus) bool { return c.State == CoreFailed })
	if err := w.Answer(ctx, StepNode, wanted); err != nil {
		t.Fatal(err)
	}
	untilFetched(t, w, "it has begun once more", halfWay)
	if err := w.Close(); err != nil { // in the middle
		t.Fatal(err)
	}
	w = wizardIn(t, dir, newShop(t, sham, release.Version{Major: 31, Minor: 1})) // one that delivers
	untilFetched(t, w, "it goes on after a restart", installed)
	if f, err := w.Facts(ctx); err != nil || f.Program != "Bitcoin Core 31.1" {
		t.Errorf("the wizard knows of %q, %v", f.Program, err)
	}
	if err := w.Finish(ctx); err != nil {
		t.Fatal(err)
	}
	box, err := w.Open(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = box.Close() }()
	if c := box.Core(); c.InUse != "31.1" || c.State != CoreIdle {
		t.Errorf("the box has %+v", c)
	}
}

// A file is taken only if it is what was published.
func TestWizardTakesBitcoinCore(t *testing.T) {
	s := newShop(t, sham, release.Version{Major: 31, Minor: 1})
	w := wizardIn(t, filepath.Join(t.TempDir(), "box"), s)
	if c := w.Core(); c.State != CoreIdle || c.InUse != "" || c.File != s.releases[0].File() {
		t.Errorf("before: %+v", c)
	}
	if err := w.UploadCore(t.Context(), strings.NewReader("holiday.jpg")); !errors.Is(err, release.ErrUnknown) {
		t.Errorf("something else: %v", err)
	}
	if c := w.Core(); c.State != CoreFailed || !strings.Contains(c.Text, "was not installed") {
		t.Errorf("after it: %+v", c)
	}
	if err := w.UploadCore(t.Context(), bytes.NewReader(s.files[s.releases[0].File()])); err != nil || !installed(w.Core()) {
		t.Errorf("the release: %v, %+v", err, w.Core())
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := w.GetCore(); !errors.Is(err, errSetUpEnds) {
		t.Errorf("after the end: %v", err)
	}
}

// The chain of a node that is a service lies on the disk of its own user, which is
// measured in the place of the data directory's.
func TestWizardMeasuresTheDiskOfTheNode(t *testing.T) {
	c := Config{Service: &NodeService{Places: bitcoind.Places{Root: "/srv"}}}
	if dir := c.nodeDisk(dataDir{"/data"}, "main"); !strings.HasPrefix(dir, "/srv/") {
		t.Errorf("as a service: %s", dir)
	}
	if dir := (Config{}).nodeDisk(dataDir{"/data"}, "main"); dir != "/data/main" {
		t.Errorf("as a child: %s", dir)
	}
	dir := t.TempDir()
	w := openWizard(t, dir)
	w.config.Service = &NodeService{Places: bitcoind.Places{Root: filepath.Join(dir, "not there")}}
	if _, err := w.Recommended("main"); err == nil {
		t.Error("the recommendation did not look at the node's disk")
	}
	if _, err := w.Facts(t.Context()); err == nil {
		t.Error("the facts are of another disk")
	}
}
