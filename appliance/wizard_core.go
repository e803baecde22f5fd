package appliance

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"

	"github.com/dmpool/dmpool/appliance/bitcoind/release"
)

// coreFetcher gets Bitcoin Core while the set-up still asks, into the same folder
// and by the same check as the box does later (coreKeeper). It knows the releases in
// this program only, and there is no node yet that a version could disturb: so there
// is no trial. What has not arrived when the set-up ends, the box goes on with.
type coreFetcher struct {
	w        *Wizard
	config   CoreConfig
	folder   shelf
	platform release.Platform
	nowhere  error // why there is nothing for this machine
	work     sync.WaitGroup

	mu     sync.Mutex
	now    CoreStatus
	stop   context.CancelCauseFunc // of a download
	closed bool
}

func newCoreFetcher(w *Wizard) (*coreFetcher, error) {
	f := &coreFetcher{w: w, config: w.config.Core.complete(), now: CoreStatus{State: CoreIdle}}
	f.platform, f.nowhere = release.PlatformOf(runtime.GOOS, runtime.GOARCH)
	f.folder = w.config.coreShelf(w.dir, f.platform, f.config)
	return f, f.folder.Prepare()
}

// Core returns what there is of Bitcoin Core already, and what is done about it.
func (w *Wizard) Core() CoreStatus {
	f := w.core
	f.mu.Lock()
	s := f.now
	f.mu.Unlock()
	if v, err := f.folder.Current(); err == nil && !v.IsZero() {
		s.InUse = v.String()
	}
	s.Elsewhere = w.nodeNamed()
	s.offer(f.config.Releases, f.platform)
	return s
}

// GetCore begins to download the newest release that is known and returns;
// [Wizard.Core] tells how it goes. Why it cannot begin is a [*PersonError].
func (w *Wizard) GetCore() error {
	f := w.core
	r, err := f.newest()
	if err != nil {
		return &PersonError{err}
	}
	ctx, stop := context.WithCancelCause(context.Background())
	if err := f.begin(CoreDownloading, r.Version.String(), "Downloading Bitcoin Core "+r.Version.String()+".", stop); err != nil {
		stop(nil)
		return &PersonError{err}
	}
	f.work.Go(func() {
		defer stop(nil)
		err := f.folder.Get(ctx, f.config.Source, r, f.progress)
		if err != nil && ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		_ = f.finish(r.Version, err) // shown; there is nobody else here to tell
	})
	return nil
}

var (
	errCoreStopped = errors.New("the download was stopped; another try goes on from there")
	errSetUpEnds   = errors.New("the set-up is over; the box goes on from there")
)

// StopCore ends a download. What has arrived stays.
func (w *Wizard) StopCore() { w.core.halt(errCoreStopped) }

// UploadCore takes a release that was downloaded elsewhere and returns when it is
// installed. An error for people is a [*PersonError].
func (w *Wizard) UploadCore(ctx context.Context, content io.Reader) error {
	f := w.core
	if err := f.begin(CoreUploading, "", "A file is being uploaded.", nil); err != nil {
		return &PersonError{err}
	}
	r, err := f.folder.Upload(ctx, content, 0, f.config.Releases, f.progress)
	if err := f.finish(r.Version, err); err != nil {
		return &PersonError{err}
	}
	return nil
}

// followNode downloads Bitcoin Core for as long as the answers want it: from the step
// of the node on, and again after a restart.
func (w *Wizard) followNode(ctx context.Context) error {
	d, err := w.read(ctx)
	if err != nil {
		return err
	}
	if !d.Node.Download || d.Node.External.named() {
		w.StopCore()
		return nil
	}
	if status := w.Core(); status.Busy() || status.InUse != "" || status.Elsewhere || w.program(ctx, d.Network, false) != "" {
		return nil
	}
	if err := w.GetCore(); err != nil {
		w.log.Warn("Bitcoin Core not ordered", "err", err)
	}
	return nil
}

// newest returns the first release for this machine.
func (f *coreFetcher) newest() (release.Release, error) {
	for _, r := range f.config.Releases {
		if f.nowhere == nil && r.Platform == f.platform {
			return r, nil
		}
	}
	return release.Release{}, errors.Join(f.nowhere, when(f.nowhere == nil, release.ErrMissing))
}

// begin takes the fetcher for one thing, if it is free.
func (f *coreFetcher) begin(state, version, text string, stop context.CancelCauseFunc) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.closed:
		return errSetUpEnds
	case f.w.nodeNamed():
		return errors.New("the node was named when the box was started, so a program of its own would not be used")
	case f.now.Busy():
		return errors.New("a download or an upload is under way; wait for it, or stop it first")
	}
	f.now, f.stop = CoreStatus{State: state, Version: version, Text: text}, stop
	return nil
}

func (f *coreFetcher) progress(done, total int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now.Done, f.now.Total = done, max(total, 0)
}

// finish brings what arrived into use and shows how it came out.
func (f *coreFetcher) finish(v release.Version, err error) error {
	if err == nil {
		err = f.folder.Switch(v, 0)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now, f.stop = CoreStatus{State: CoreIdle, Version: v.String(), Text: fmt.Sprintf("Bitcoin Core %s is installed and checked.", v)}, nil
	if err != nil {
		f.w.log.Warn("Bitcoin Core not installed", "err", err)
		f.now = CoreStatus{State: CoreFailed, Text: "Bitcoin Core was not installed: " + err.Error() + "."}
	}
	return err
}

func (f *coreFetcher) halt(why error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.stop != nil {
		f.stop(why)
	}
}

// close ends a download and waits for it.
func (f *coreFetcher) close() {
	f.mu.Lock()
	f.closed = true
	f.mu.Unlock()
	f.halt(errSetUpEnds)
	f.work.Wait()
}
