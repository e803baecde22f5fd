package appliance

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/dmpool/dmpool/appliance/bitcoind"
	"github.com/dmpool/dmpool/appliance/bitcoind/release"
	"github.com/dmpool/dmpool/pool"
)

// CoreConfig says where Bitcoin Core comes from. The zero value is its own site
// and the hashes in this program; tests bring theirs.
type CoreConfig struct {
	Source   release.Source
	Releases []release.Release // known by their hash, the newest first
	Keys     *release.Keyring  // for versions that are newer
	Runs     func(ctx context.Context, program string) (string, error)
}

// complete fills in what a box uses that nobody told otherwise.
func (c CoreConfig) complete() CoreConfig {
	if c.Releases == nil {
		c.Releases = release.Pins()
	}
	if c.Runs == nil {
		c.Runs = bitcoind.Runs
	}
	return c
}

// What the box does about Bitcoin Core.
const (
	CoreIdle        = "idle"
	CoreDownloading = "downloading"
	CoreUploading   = "uploading"
	CoreTrial       = "trial"  // a new version runs and has yet to prove itself
	CoreFailed      = "failed" // the last try; Text says why
)

// CoreStatus is what the box has of Bitcoin Core, and what it does about it.
type CoreStatus struct {
	State   string
	Version string // that State is about
	Done    int64  // bytes
	Total   int64  // bytes, 0 is not known
	Text    string // a sentence

	InUse     string   // installed version that is in use, empty: none
	Elsewhere bool     // the node, or its program, was named at the start, so none of these is used
	Choices   []string // versions that are known by their hash, the newest first
	File      string   // name of the newest one's file, for who downloads it elsewhere
	Site      string   // where that file is
}

// Busy tells whether something is under way, so that nothing else can begin.
func (s CoreStatus) Busy() bool {
	return s.State == CoreDownloading || s.State == CoreUploading || s.State == CoreTrial
}

// CoreError says why Bitcoin Core cannot be got, for people.
type CoreError struct{ Err error }

func (e *CoreError) Error() string { return e.Err.Error() }
func (e *CoreError) Unwrap() error { return e.Err }

// coreKeeper gets Bitcoin Core onto the box, and new versions into use.
type coreKeeper struct {
	a        *Appliance
	config   CoreConfig
	folder   shelf
	platform release.Platform
	nowhere  error // why there is nothing for this machine
	orders   chan coreOrder
	inUse    chan struct{} // a value when a version has come into use

	mu    sync.Mutex
	now   CoreStatus
	stop  context.CancelCauseFunc // of a download
	trial *trial
	seen  bool // a trial, by this process
}

// coreOrder is a wish for a version, and who has it.
type coreOrder struct {
	version   release.Version
	actor, ip string
}

func newCoreKeeper(a *Appliance) (*coreKeeper, error) {
	k := &coreKeeper{
		a: a, config: a.config.Core.complete(), orders: make(chan coreOrder, 1), inUse: make(chan struct{}, 1),
		now: CoreStatus{State: CoreIdle},
	}
	k.platform, k.nowhere = release.PlatformOf(runtime.GOOS, runtime.GOARCH)
	k.folder = a.config.coreShelf(a.dir, k.platform, k.config)
	if err := k.folder.Prepare(); err != nil {
		return nil, err
	}
	return k, k.findTrial()
}

// Core returns what the box has of Bitcoin Core, and what it does about it.
func (a *Appliance) Core() CoreStatus {
	k := a.core
	k.mu.Lock()
	s := k.now
	k.mu.Unlock()
	if v, err := k.folder.Current(); err == nil && !v.IsZero() {
		s.InUse = v.String()
	}
	s.Elsewhere = k.elsewhere()
	s.offer(k.config.Releases, k.platform)
	return s
}

// offer names the releases for this kind of machine.
func (s *CoreStatus) offer(releases []release.Release, platform release.Platform) {
	for _, r := range releases {
		if r.Platform != platform {
			continue
		}
		s.Choices = append(s.Choices, r.Version.String())
		if s.File == "" {
			s.File, s.Site = r.File(), release.Site+r.Version.Dir()
		}
	}
}

// GetCore begins to download a version and returns; [Appliance.Core] tells how
// it goes. An error for people is a [*CoreError].
func (a *Appliance) GetCore(ctx context.Context, version, actor, ip string) error {
	k := a.core
	v, err := release.ParseVersion(version)
	if err == nil {
		err = k.admit(ctx, v)
	}
	if err == nil {
		err = k.begin(CoreDownloading, version, "Looking for Bitcoin Core "+version+".")
	}
	if err != nil {
		return k.refuse(ctx, "core.get", version, actor, ip, err)
	}
	if err := a.Audit(ctx, AuditEntry{Actor: actor, Action: "core.get", Object: version, Result: "ok", IP: ip}); err != nil {
		k.end(CoreIdle, "")
		return err
	}
	k.orders <- coreOrder{v, actor, ip} // begin has made sure that there is room
	return nil
}

// StopCore ends a download. What has arrived stays.
func (a *Appliance) StopCore(ctx context.Context, actor, ip string) error {
	k := a.core
	k.mu.Lock()
	stop, version := k.stop, k.now.Version
	k.mu.Unlock()
	if stop == nil {
		return nil
	}
	if err := a.Audit(ctx, AuditEntry{Actor: actor, Action: "core.stop", Object: version, Result: "ok", IP: ip}); err != nil {
		return err
	}
	stop(errors.New("it was stopped by " + actor + "; another try goes on from there"))
	return nil
}

// UploadCore takes a release that a person has downloaded elsewhere, checks and
// installs it as a download is, and returns when that is done. An error for
// people is a [*CoreError].
func (a *Appliance) UploadCore(ctx context.Context, content io.Reader, actor, ip string) error {
	k := a.core
	if err := k.begin(CoreUploading, "", "A file is being uploaded."); err != nil {
		return k.refuse(ctx, "core.upload", "", actor, ip, err)
	}
	r, err := k.folder.Upload(ctx, content, 0, k.config.Releases, k.progress)
	if err == nil {
		err = k.use(ctx, r.Version)
	}
	return k.finish(ctx, "core.upload", coreOrder{r.Version, actor, ip}, err)
}

// admit tells whether a version may be got at all.
func (k *coreKeeper) admit(ctx context.Context, v release.Version) error {
	if k.nowhere != nil {
		return k.nowhere
	}
	newest, known := k.newest(), k.known(v)
	switch {
	case known == nil && v.Compare(newest) <= 0:
		return fmt.Errorf("version %s is not among those that DMPool knows", v)
	case known == nil && v.Major != newest.Major && !k.a.privateChain():
		return fmt.Errorf("version %s of Bitcoin Core has not been tried with this DMPool, so it is not used where coins may be worth something; update DMPool first", v)
	}
	return k.older(ctx, v)
}

// known returns the release that has a version, nil if its hash is not known.
func (k *coreKeeper) known(v release.Version) *release.Release {
	i := slices.IndexFunc(k.config.Releases, func(r release.Release) bool { return r.Version == v && r.Platform == k.platform })
	if i < 0 {
		return nil
	}
	return &k.config.Releases[i]
}

func (k *coreKeeper) newest() (v release.Version) {
	for _, r := range k.config.Releases {
		if r.Version.Compare(v) > 0 {
			v = r.Version
		}
	}
	return v
}

// older refuses a version that is older than the one in use, be it an installed
// one or the one that answers.
func (k *coreKeeper) older(ctx context.Context, v release.Version) error {
	now, err := k.folder.Current()
	if err != nil {
		return err
	}
	if client := k.a.NodeClient(); client != nil && now.IsZero() {
		if info, err := client.NetworkInfo(ctx); err == nil {
			now = release.Version{Major: info.Version / 10_000, Minor: info.Version / 100 % 100}
		}
	}
	if v.Compare(now) < 0 {
		return fmt.Errorf("%w: %s is in use, %s is older", release.ErrDowngrade, now, v)
	}
	return nil
}

// begin takes the keeper for one thing, if it is free.
func (k *coreKeeper) begin(state, version, text string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case k.a.config.External.named():
		return errors.New("this box uses a node that somebody else runs (--node-url), so a program of its own would not be used")
	case k.elsewhere():
		return errors.New("this box was started with a node's program of its own (--bitcoind or DMPOOL_BITCOIND), so another one would not be used")
	case k.now.State == CoreTrial:
		return fmt.Errorf("version %s is still on trial; wait until it has proved itself", k.now.Version)
	case k.now.Busy():
		return errors.New("a download or an upload is under way; wait for it, or stop it first")
	}
	k.now = CoreStatus{State: state, Version: version, Text: text}
	return nil
}

// end shows how it came out, unless a trial has begun.
func (k *coreKeeper) end(state, text string) {
	k.mu.Lock()
	if k.now.State != CoreTrial {
		k.now = CoreStatus{State: state, Version: k.now.Version, Text: text}
	}
	k.stop = nil
	k.mu.Unlock()
	k.tell(text)
}

// tell wakes the pages.
func (k *coreKeeper) tell(text string) {
	k.a.events.Publish(pool.Event{Kind: "core", At: time.Now(), Text: text})
}

// progress shows how far something is, and tells the pages with each percent.
func (k *coreKeeper) progress(done, total int64) {
	k.mu.Lock()
	before := k.now.Done
	k.now.Done, k.now.Total = done, max(total, 0)
	k.mu.Unlock()
	if step := max(total/100, 1<<20); done/step != before/step {
		k.tell("")
	}
}

// refuse notes a wish that is not granted.
func (k *coreKeeper) refuse(ctx context.Context, action, object, actor, ip string, why error) error {
	if err := k.a.Audit(ctx, AuditEntry{Actor: actor, Action: action, Object: object, Result: why.Error(), IP: ip}); err != nil {
		return err
	}
	return &CoreError{why}
}

// finish notes and shows the end of a download or an upload.
func (k *coreKeeper) finish(ctx context.Context, action string, o coreOrder, outcome error) error {
	entry := AuditEntry{Actor: o.actor, Action: action + ".done", Result: "ok", IP: o.ip}
	if !o.version.IsZero() {
		entry.Object = o.version.String()
	}
	if outcome != nil {
		entry.Result = outcome.Error()
	}
	err := k.a.Audit(context.WithoutCancel(ctx), entry)
	if outcome != nil {
		k.a.log.Warn("Bitcoin Core not installed", "version", entry.Object, "err", outcome)
		k.end(CoreFailed, "Bitcoin Core was not installed: "+entry.Result+".")
		return errors.Join(&CoreError{outcome}, err)
	}
	k.a.log.Info("Bitcoin Core installed", "version", entry.Object)
	k.end(CoreIdle, "Bitcoin Core "+entry.Object+" is installed and checked.")
	return err
}

// elsewhere tells whether the node's program, or the node, was named at the start.
func (k *coreKeeper) elsewhere() bool {
	named := k.a.config.Bitcoind != "" || os.Getenv("DMPOOL_BITCOIND") != "" && k.a.config.Service == nil
	return k.a.config.External.named() || named
}

// locate returns the node's program: the one that was named at the start, the
// installed one if it is as it was unpacked, or what is on this machine.
func (k *coreKeeper) locate(ctx context.Context) (string, error) {
	if k.elsewhere() {
		return bitcoind.Find(k.a.config.Bitcoind)
	}
	v, err := k.folder.Current()
	if err != nil {
		return "", err
	}
	switch {
	case v.IsZero() && k.a.config.Service != nil:
		return k.a.config.Service.bundledNode()
	case v.IsZero():
		return k.found(ctx)
	}
	if err := k.folder.Verify(v); err != nil {
		return "", fmt.Errorf("%w. Get Bitcoin Core %s once more on the node page", err, v)
	}
	return k.folder.Path(), nil
}

// found returns the program that is on this machine. One that leaves Bitcoin on the
// network is none: nobody has asked for it.
func (k *coreKeeper) found(ctx context.Context) (string, error) {
	path, err := bitcoind.Find("")
	if err != nil {
		return "", err
	}
	if said, err := bitcoind.Version(ctx, path); err == nil && bitcoind.Leaves(said, k.a.network) {
		return "", &strayError{said, k.a.network}
	}
	return path, nil
}

// strayError is that the only program on this machine leaves Bitcoin.
type strayError struct{ program, network string }

func (e *strayError) Error() string {
	return fmt.Sprintf("%s, the only node's program on this machine, leaves Bitcoin on %s", e.program, e.network)
}

func (e *strayError) Unwrap() error { return bitcoind.ErrNotFound }
