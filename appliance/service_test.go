package appliance

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/dmpool/dmpool/appliance/bitcoind"
	"github.com/dmpool/dmpool/appliance/bitcoind/release"
)

// closedUnits is a systemd that starts nothing, and remembers what it was asked for.
type closedUnits struct {
	bitcoind.Services
	mu    sync.Mutex
	asked []string
}

var errClosed = errors.New("access denied")

func (c *closedUnits) Start(_ context.Context, unit string) (<-chan string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked = append(c.asked, unit)
	return nil, errClosed
}

func (c *closedUnits) Forgive(context.Context, string) error { return nil }

func (c *closedUnits) Status(context.Context, string) (bitcoind.ServiceStatus, error) {
	return bitcoind.ServiceStatus{Active: "inactive"}, nil
}

// serviceBox is a box that is set up, with its node as a service.
func serviceBox(t *testing.T, program string) (*closedUnits, Config) {
	t.Helper()
	units := &closedUnits{}
	places := bitcoind.Places{Root: t.TempDir()}
	for _, dir := range []string{places.Node(), places.Requests(), places.Core(), filepath.Dir(places.Bundled())} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if program != "" {
		if err := os.WriteFile(places.Bundled(), []byte(program), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	dir := filepath.Join(t.TempDir(), "box")
	if err := SetUp(t.Context(), dir, parse(t, `{"network":"practice","operator":{"password":"`+goodPassword+`"}}`)); err != nil {
		t.Fatal(err)
	}
	return units, Config{DataDir: dir, Service: &NodeService{Units: units, Places: places}}
}

// A systemd that refuses is told of; no second node is started as a child.
func TestServiceThatIsRefusedIsToldOf(t *testing.T) {
	units, config := serviceBox(t, "#!/bin/sh\n")
	b := launchWith(t, config)
	b.eventually("the refusal is told", func() bool {
		s := b.box.Node(t.Context())
		return s.Phase == "failed" && s.Class == string(bitcoind.ClassService) && strings.Contains(s.Text, errClosed.Error()) && s.PID == 0
	})
	b.stop()
	units.mu.Lock()
	defer units.mu.Unlock()
	if len(units.asked) == 0 || units.asked[0] != "dmpool-node-apply@practice.service" {
		t.Errorf("asked for %q, want the options first", units.asked)
	}
}

// runningUnits is a systemd whose node has been running since before the pool.
type runningUnits struct {
	closedUnits
	stopped bool
}

func (r *runningUnits) Start(_ context.Context, unit string) (<-chan string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked = append(r.asked, unit)
	done := make(chan string, 1)
	done <- "done"
	return done, nil
}

func (r *runningUnits) Stop(_ context.Context, unit string) (<-chan string, error) {
	r.mu.Lock()
	r.stopped = r.stopped || unit == "dmpool-bitcoind@practice.service"
	r.mu.Unlock()
	return r.Start(context.Background(), "stop "+unit)
}

func (r *runningUnits) Status(_ context.Context, unit string) (bitcoind.ServiceStatus, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if unit != "dmpool-bitcoind@practice.service" || r.stopped {
		return bitcoind.ServiceStatus{Active: "inactive"}, nil
	}
	return bitcoind.ServiceStatus{Active: "active", Invocation: "old", PID: 1 << 30}, nil
}

// A version that was switched for an earlier pool proves nothing while the node still
// runs the one before. The trial may come to light late, when the installer went on
// after that pool had ended.
func TestServiceRunsTheVersionOnTrial(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("this test's releases are for x86_64")
	}
	for name, late := range map[string]bool{"at the start": false, "late": true} {
		t.Run(name, func(t *testing.T) {
			_, config := serviceBox(t, "#!/bin/sh\n")
			units := &runningUnits{}
			config.Service.Units = units
			s := newShop(t, strings.ReplaceAll(sham, "31.1", "30.3"), release.Version{Major: 30, Minor: 3})
			s.add(release.Version{Major: 31, Minor: 1}, sham)
			root := release.Folder{Root: config.Service.Places.Core(), Platform: release.X86, Runs: s.config().Runs}
			if err := root.Prepare(); err != nil {
				t.Fatal(err)
			}
			begin := func() {
				t.Helper()
				for _, r := range slices.Backward(s.releases) { // the older one first
					_, err := root.Upload(t.Context(), bytes.NewReader(s.files[r.File()]), 0, s.releases, func(int64, int64) {})
					if err = errors.Join(err, root.Switch(r.Version, 7)); err != nil {
						t.Fatal(err)
					}
				}
			}
			if !late {
				begin()
			}
			b := launchWith(t, config)
			if late {
				b.eventually("the node is found", func() bool { return b.box.Node(t.Context()).PID != 0 })
				begin()
			}
			b.eventually("the node is stopped, to run what is on trial", func() bool {
				units.mu.Lock()
				defer units.mu.Unlock()
				return units.stopped
			})
			if s := b.box.Core(); s.State != CoreTrial {
				t.Errorf("Core = %+v, want the trial under way", s)
			}
			b.stop()
		})
	}
}

// Only the programs of root's folder count, whatever lies in $PATH: the node's user
// would not run that.
func TestServiceRunsRootsProgramsOnly(t *testing.T) {
	for program, want := range map[string]error{"": bitcoind.ErrNotFound, "#!/bin/sh\n": nil} {
		_, config := serviceBox(t, program)
		box, err := New(t.Context(), config)
		if err != nil {
			t.Fatal(err)
		}
		path, err := box.core.locate(t.Context())
		if !errors.Is(err, want) || err == nil && path != config.Service.Places.Bundled() {
			t.Errorf("with the bundled program %q: locate = %q, %v", program, path, err)
		}
		if err := box.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestServiceContradictsOtherNodes(t *testing.T) {
	for flag, config := range map[string]Config{
		"--bitcoind": {Bitcoind: "/usr/bin/bitcoind"},
		"--node-url": {External: ExternalNode{URL: "http://127.0.0.1:8332", CookieFile: "/none"}},
	} {
		config.DataDir, config.Service, config.Logger = t.TempDir(), &NodeService{}, slog.New(slog.DiscardHandler)
		if _, err := New(t.Context(), config); err == nil || !strings.Contains(err.Error(), flag) {
			t.Errorf("New with %s = %v, want that it contradicts", flag, err)
		}
	}
}
