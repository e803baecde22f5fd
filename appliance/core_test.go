package appliance

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dmpool/dmpool/appliance/bitcoind"
	"github.com/dmpool/dmpool/appliance/bitcoind/release"
)

// shop is a server of releases whose node is a script.
type shop struct {
	t        *testing.T
	script   string
	releases []release.Release
	files    map[string][]byte
	hold     chan struct{} // a download waits half way until it is closed
}

func newShop(t *testing.T, script string, versions ...release.Version) *shop {
	t.Helper()
	s := &shop{t: t, script: script, files: map[string][]byte{}}
	for _, v := range versions {
		s.add(v, script)
	}
	return s
}

// add publishes a version whose node is a script of its own.
func (s *shop) add(v release.Version, script string) {
	s.t.Helper()
	var out bytes.Buffer
	zip := gzip.NewWriter(&out)
	w := tar.NewWriter(zip)
	name := release.Release{Version: v}.Name() + "/bin/bitcoind"
	if err := w.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o755, Size: int64(len(script))}); err != nil {
		s.t.Fatal(err)
	}
	if _, err := io.WriteString(w, script); err != nil {
		s.t.Fatal(err)
	}
	if err := errors.Join(w.Close(), zip.Close()); err != nil {
		s.t.Fatal(err)
	}
	r := release.Release{Version: v, Platform: release.X86, SHA256: sha256.Sum256(out.Bytes())}
	s.releases = append([]release.Release{r}, s.releases...)
	s.files[r.File()] = out.Bytes()
}

func (s *shop) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	file := s.files[path.Base(r.URL.Path)]
	if file == nil {
		http.NotFound(w, r)
		return
	}
	if s.hold != nil {
		w.Header().Set("Content-Length", "1000000")
		_, _ = w.Write(file[:10])
		_ = http.NewResponseController(w).Flush()
		select {
		case <-s.hold:
		case <-r.Context().Done():
		}
		return
	}
	w.Header().Set("ETag", `"a"`)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(file))
}

// config is what a box needs to buy here. Which version a script is, its
// folder tells: the test's node may be any.
func (s *shop) config() CoreConfig {
	server := httptest.NewServer(s)
	s.t.Cleanup(server.Close)
	return CoreConfig{
		Source: release.Source{Site: server.URL, Plain: true}, Releases: s.releases,
		Runs: func(ctx context.Context, program string) (string, error) {
			if _, err := bitcoind.Runs(ctx, program); err != nil {
				return "", err
			}
			text, err := os.ReadFile(program)
			_, after, _ := strings.Cut(string(text), "# version ")
			v, _, _ := strings.Cut(after, "\n")
			return "Bitcoin Core " + v, err
		},
	}
}

// emptyBox is a box on a machine without a bitcoind; it runs until stop.
func emptyBox(t *testing.T, dir string, core CoreConfig) (box *Appliance, stop func()) {
	t.Helper()
	if runtime.GOARCH != "amd64" {
		t.Skip("this test's releases are for x86_64")
	}
	t.Setenv("DMPOOL_BITCOIND", "")
	t.Setenv("PATH", "/usr/bin:/bin")
	if _, err := bitcoind.Find(""); !errors.Is(err, bitcoind.ErrNotFound) {
		t.Skip("there is a bitcoind on this machine")
	}
	ln, err := Listen(t.Context(), "miners", "127.0.0.1:0", "--stratum")
	if err != nil {
		t.Fatal(err)
	}
	box, err = New(t.Context(), Config{DataDir: dir, Stratum: []net.Listener{ln}, Core: core})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- box.Run(ctx) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := errors.Join(<-ended, box.Close()); err != nil {
			t.Errorf("run: %v", err)
		}
	}
	t.Cleanup(stop)
	return box, stop
}

func setUpDir(t *testing.T) (dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "box")
	if err := SetUp(t.Context(), dir, parse(t, `{"network":"regtest","operator":{"password":"`+goodPassword+`"}}`)); err != nil {
		t.Fatal(err)
	}
	return dir
}

// untilCore waits for what the box says about Bitcoin Core.
func untilCore(t *testing.T, box *Appliance, what string, want func(CoreStatus) bool) CoreStatus {
	t.Helper()
	events, cancel := box.Subscribe()
	defer cancel()
	late := time.After(time.Minute)
	for {
		if s := box.Core(); want(s) {
			return s
		}
		select {
		case <-events:
		case <-time.After(100 * time.Millisecond):
		case <-late:
			t.Fatalf("did not happen: %s; %+v, node %+v", what, box.Core(), box.Node(t.Context()))
		}
	}
}

func wantAudit(t *testing.T, box *Appliance, action, object, result string) {
	t.Helper()
	entries, err := box.AuditLog(t.Context(), 100)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(entries, func(e AuditEntry) bool {
		return e.Action == action && e.Object == object && strings.Contains(e.Result, result)
	}) {
		t.Errorf("the audit log has no %s of %q with %q: %+v", action, object, result, entries)
	}
}

const sham = "#!/bin/sh\n# version 31.1\necho 'Bitcoin Core daemon version v31.1.0'\n"

// TestBoxWaitsForBitcoinCore: without a node the box does not end. It says what
// is missing, and takes what it is given only if it is what it should be.
func TestBoxWaitsForBitcoinCore(t *testing.T) {
	v := release.Version{Major: 31, Minor: 1}
	s := newShop(t, sham, v)
	s.hold = make(chan struct{})
	box, _ := emptyBox(t, setUpDir(t), s.config())
	untilCore(t, box, "it says that a node is missing", func(c CoreStatus) bool { return strings.Contains(c.Text, "no Bitcoin node") })
	if n := box.Node(t.Context()); !strings.Contains(n.Text, "no Bitcoin node") {
		t.Errorf("Node = %+v", n)
	}
	if h := box.Health(t.Context()); h.Status != Down || !strings.Contains(h.Checks[0].NextStep, "get Bitcoin Core") {
		t.Errorf("Health = %+v", h)
	}
	if c := box.Core(); c.InUse != "" || c.Elsewhere || !slices.Equal(c.Choices, []string{"31.1"}) || c.File != "bitcoin-31.1-x86_64-linux-gnu.tar.gz" {
		t.Errorf("Core = %+v", c)
	}

	for _, version := range []string{"", "31", "28.0", "../31.1"} {
		if err := box.GetCore(t.Context(), version, "admin", "::1"); !errors.As(err, new(*CoreError)) {
			t.Errorf("GetCore(%q): %v, want a sentence", version, err)
		}
		wantAudit(t, box, "core.get", version, "version")
	}
	if err := box.UploadCore(t.Context(), strings.NewReader("holiday.jpg"), "admin", "::1"); !errors.Is(err, release.ErrUnknown) {
		t.Errorf("UploadCore of something else: %v", err)
	}
	if c := box.Core(); c.State != CoreFailed || !strings.Contains(c.Text, "was not installed") {
		t.Errorf("Core after a wrong file = %+v", c)
	}
	wantAudit(t, box, "core.upload.done", "", "none of the releases")

	if err := box.GetCore(t.Context(), "31.1", "admin", "::1"); err != nil {
		t.Fatal(err)
	}
	untilCore(t, box, "the download has begun", func(c CoreStatus) bool { return c.Done == 10 && c.Total == 1_000_000 })
	if err := box.GetCore(t.Context(), "31.1", "admin", "::1"); !errors.As(err, new(*CoreError)) {
		t.Errorf("GetCore during a download: %v, want a sentence", err)
	}
	if err := box.UploadCore(t.Context(), bytes.NewReader(nil), "admin", "::1"); !errors.As(err, new(*CoreError)) {
		t.Errorf("UploadCore during a download: %v, want a sentence", err)
	}
	if err := box.StopCore(t.Context(), "admin", "::1"); err != nil {
		t.Fatal(err)
	}
	c := untilCore(t, box, "the download has stopped", func(c CoreStatus) bool { return !c.Busy() })
	if c.State != CoreFailed || !strings.Contains(c.Text, "stopped by admin") {
		t.Errorf("Core after a stop = %+v", c)
	}
	wantAudit(t, box, "core.stop", "31.1", "ok")
	if err := box.GetCore(t.Context(), "32.0", "admin", "::1"); err != nil {
		t.Fatalf("GetCore of a newer one, where coins are worth nothing: %v", err)
	}
	c = untilCore(t, box, "the newer one is refused", func(c CoreStatus) bool { return !c.Busy() })
	if c.State != CoreFailed || !strings.Contains(c.Text, "does not have this release") {
		t.Errorf("Core after a newer one = %+v", c)
	}
}

// TestBoxRefusesUntriedVersions: where coins are worth something, a new major
// version waits for a new DMPool.
func TestBoxRefusesUntriedVersions(t *testing.T) {
	s := newShop(t, sham, release.Version{Major: 31, Minor: 1})
	box := open(t, filepath.Join(t.TempDir(), "box"))
	box.core.config.Releases = s.releases
	for network, want := range map[string]bool{"main": false, "signet": false, "practice": true} {
		box.network = network
		if err := box.core.admit(t.Context(), release.Version{Major: 32}); (err == nil) != want {
			t.Errorf("admit 32.0 on %s: %v", network, err)
		}
		if err := box.core.admit(t.Context(), release.Version{Major: 31, Minor: 2}); err != nil {
			t.Errorf("admit 31.2 on %s: %v", network, err)
		}
	}
}

// TestCoreFromNothing is the way of a new box, with a real node: it has none,
// gets one, mines with it, gets a newer one, which proves itself, and one that
// does not start, after which it is back with the one before.
func TestCoreFromNothing(t *testing.T) {
	binary := realNode(t)
	node := func(v string) string { return "#!/bin/sh\n# version " + v + "\nexec '" + binary + "' \"$@\"\n" }
	s := newShop(t, node("30.1"), release.Version{Major: 30, Minor: 1})
	s.add(release.Version{Major: 31, Minor: 1}, node("31.1"))
	s.add(release.Version{Major: 31, Minor: 2}, "#!/bin/sh\n# version 31.2\n[ \"$1\" = -version ] && exec '"+binary+"' -version\nexit 1\n")
	dir := setUpDir(t)
	box, stop := emptyBox(t, dir, s.config())
	b := &runningBox{t: t, box: box, ended: make(chan error, 1), rest: func() {}}

	if err := box.GetCore(t.Context(), "30.1", "admin", "::1"); err != nil {
		t.Fatal(err)
	}
	b.eventually("the box is healthy", func() bool { return box.Health(t.Context()).Status == Healthy })
	wantAudit(t, box, "core.get.done", "30.1", "ok")
	b.mine()
	b.eventually("blocks are found", func() bool { return box.Pool().Status().Height > 3 })

	before := time.Now()
	if err := box.UploadCore(t.Context(), bytes.NewReader(s.files[s.releases[1].File()]), "admin", "::1"); err != nil {
		t.Fatal(err)
	}
	if copied := box.Wallet(t.Context()).Backup; copied.LastSound().Before(before.Truncate(time.Millisecond)) {
		t.Errorf("the wallet was not copied before the switch: %+v", copied)
	}
	wantAudit(t, box, "core.switch", "31.1", "ok")
	c := untilCore(t, box, "the trial ends", func(c CoreStatus) bool { return !c.Busy() })
	if c.State != CoreIdle || c.InUse != "31.1" || !strings.Contains(c.Text, "has proved itself") {
		t.Errorf("Core after a good trial = %+v", c)
	}
	wantAudit(t, box, "core.trial", "31.1", "kept")
	if err := box.GetCore(t.Context(), "30.1", "admin", "::1"); !errors.Is(err, release.ErrDowngrade) {
		t.Errorf("GetCore of an older one: %v, want %v", err, release.ErrDowngrade)
	}

	if err := box.GetCore(t.Context(), "31.2", "admin", "::1"); err != nil {
		t.Fatal(err)
	}
	c = untilCore(t, box, "the trial of a bad one begins", func(c CoreStatus) bool { return c.State == CoreTrial })
	if c.InUse != "31.2" || !strings.Contains(c.Text, "half an hour") {
		t.Errorf("Core in a trial = %+v", c)
	}
	untilCore(t, box, "the bad one is tried", func(CoreStatus) bool { return box.runner.Load().State().Phase == bitcoind.PhaseFailed })
	box.core.mu.Lock()
	box.core.trial.begun = time.Now().Add(-time.Hour)
	box.core.mu.Unlock()
	c = untilCore(t, box, "the box goes back", func(c CoreStatus) bool { return !c.Busy() })
	if c.State != CoreFailed || c.InUse != "31.1" || !strings.Contains(c.Text, "went back to 31.1") {
		t.Errorf("Core after a bad trial = %+v", c)
	}
	wantAudit(t, box, "core.trial", "31.2", "went back")
	height := box.Pool().Status().Height
	b.eventually("mining goes on", func() bool { return box.Pool().Status().Height > height+2 })
	b.rest()
	stop()

	// What the disk did to it meanwhile is found at the next start.
	program := filepath.Join(dir, "core", "bitcoin-31.1", "bin", "bitcoind")
	if err := os.WriteFile(program, []byte(node("31.1")+"#\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	box, _ = emptyBox(t, dir, s.config())
	untilCore(t, box, "it says that the node is damaged", func(c CoreStatus) bool { return strings.Contains(c.Text, "is damaged") })
	if err := box.GetCore(t.Context(), "31.1", "admin", "::1"); err != nil {
		t.Fatal(err)
	}
	b = &runningBox{t: t, box: box, ended: make(chan error, 1), rest: func() {}}
	b.eventually("the box is healthy again", func() bool { return box.Health(t.Context()).Status == Healthy })
}

// TestStrayKnotsIsNotUsed is that of a machine on which Debian's package is
// installed: where it leaves Bitcoin, the box has no node yet, the wizard offers to
// download one, and no directory is spoilt for it.
func TestStrayKnotsIsNotUsed(t *testing.T) {
	folder := t.TempDir()
	stray := filepath.Join(folder, "bitcoind")
	if err := os.WriteFile(stray, []byte("#!/bin/sh\necho 'Bitcoin Knots daemon version v29.5.knots20261101'\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("DMPOOL_BITCOIND", "")
	t.Setenv("PATH", folder)
	for network, leaves := range map[string]bool{"testnet4": true, "signet": false, "practice": false} {
		dir := filepath.Join(t.TempDir(), "box")
		box, err := New(t.Context(), Config{DataDir: dir, Network: network, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		path, err := box.core.locate(t.Context())
		if leaves && (!errors.Is(err, bitcoind.ErrNotFound) || !strings.Contains(asReason(err), "leaves Bitcoin on testnet4")) || !leaves && path != stray {
			t.Errorf("%s: locate = %q, %v", network, path, err)
		}
		if err := box.Close(); err != nil {
			t.Error(err)
		}

		w := openWizard(t, dir)
		if f, err := w.Facts(t.Context()); err != nil || (f.Program == "") != leaves {
			t.Errorf("%s: the wizard finds %q, %v", network, f.Program, err)
		}
		w.config.Bitcoind = stray // somebody has asked for it, and the guard answers
		if f, err := w.Facts(t.Context()); err != nil || f.Program == "" {
			t.Errorf("%s: the wizard does not find what it was given: %v", network, err)
		}
	}
}
