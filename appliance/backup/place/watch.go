package place

import (
	"errors"
	"io"
	"sync"
	"time"
)

var (
	errLate  = errors.New("no answer in time")
	errFlood = errors.New("more was sent than was asked for")
)

// watch ends a connection whose other end has stopped answering, and bounds how much
// one answer may be. It is read in place of what it watches.
type watch struct {
	io.Reader
	patience time.Duration
	cut      func() // ends the connection

	mu    sync.Mutex
	timer *time.Timer
	owed  bool  // an answer is waited for
	most  int64 // bytes that may still come; not counted while negative
	why   error // of the cut
}

func newWatch(patience time.Duration, cut func()) *watch {
	w := &watch{patience: patience, cut: cut, most: -1}
	w.timer = time.AfterFunc(patience, func() { w.end(errLate) })
	w.owed = true
	return w
}

// wait begins to count the time: an answer is due.
func (w *watch) wait() { w.owe(true) }

// rest stops counting: nothing was asked.
func (w *watch) rest() { w.owe(false) }

func (w *watch) owe(owed bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.owed = owed; owed {
		w.timer.Reset(w.patience)
	} else {
		w.timer.Stop()
	}
}

// bear changes how long may pass without a sign of life.
func (w *watch) bear(patience time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.patience = patience; w.owed {
		w.timer.Reset(patience)
	}
}

// allow bounds what comes from now on, or lifts the bound when it is negative.
func (w *watch) allow(bytes int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.most = bytes
}

// Read implements io.Reader. Each byte is a sign of life.
func (w *watch) Read(p []byte) (int, error) {
	n, err := w.Reader.Read(p)
	if n > 0 && !w.heard(int64(n)) {
		w.end(errFlood)
		return 0, errFlood
	}
	return n, err
}

// heard counts what came, and tells whether it is not too much.
func (w *watch) heard(n int64) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.owed {
		w.timer.Reset(w.patience)
	}
	if w.most < 0 {
		return true
	}
	w.most = max(w.most-n, 0)
	return w.most > 0
}

func (w *watch) end(why error) {
	w.mu.Lock()
	if w.why == nil {
		w.why = why
	}
	w.mu.Unlock()
	w.cut()
}

// verdict returns why the connection was ended, nil if it was not.
func (w *watch) verdict() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.why
}
