package stratum

import (
	"errors"
	"sync"

	"github.com/dmpool/dmpool/pool/work"
)

// Limits of what waits for a slow miner.
const (
	maxOutboxItems = 64
	maxOutboxBytes = 256 << 10
)

// errTooSlow means that a miner does not read what it is sent.
var errTooSlow = errors.New("miner reads too slowly")

// item is something to be written to a miner: answers, or a job.
type item struct {
	difficulty []byte // the line that must directly precede line; may be empty
	line       []byte // one or more complete lines; shared, never written to
	job        *work.Job
	clean      bool
}

// outbox holds what a session's writer has not taken yet. Appending never
// waits. The zero value is not ready; see newOutbox.
type outbox struct {
	wake chan struct{} // has room for one; the writer waits on it

	mu       sync.Mutex
	items    []item
	bytes    int
	closed   bool // nothing more will come; what is there is still written
	overflow bool // the miner reads too slowly and must go
}

func newOutbox() *outbox { return &outbox{wake: make(chan struct{}, 1)} }

// push appends items that will leave in one write. When there is no room the
// superseded jobs go first; if that does not help, the outbox overflows.
func (o *outbox) push(items ...item) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed || o.overflow {
		return
	}
	o.items = append(o.items, items...)
	for _, it := range items {
		o.bytes += len(it.difficulty) + len(it.line)
	}
	if o.full() {
		o.dropSuperseded()
		if o.full() {
			o.overflow = true
			o.items = nil
		}
	}
	o.signal()
}

func (o *outbox) full() bool { return len(o.items) > maxOutboxItems || o.bytes > maxOutboxBytes }

// dropSuperseded removes every job that another one follows, except clean
// ones: those also say that all before them is worthless. A difficulty that a
// removed job carried moves on to the next job unless that has its own.
func (o *outbox) dropSuperseded() {
	last := -1
	for i, it := range o.items {
		if it.job != nil {
			last = i
		}
	}
	kept := o.items[:0]
	o.bytes = 0
	var difficulty []byte
	for i, it := range o.items {
		if it.job != nil {
			if it.difficulty == nil {
				it.difficulty = difficulty
			}
			difficulty = nil
			if i != last && !it.clean {
				difficulty = it.difficulty
				continue
			}
		}
		o.bytes += len(it.difficulty) + len(it.line)
		kept = append(kept, it)
	}
	clear(o.items[len(kept):])
	o.items = kept
}

// close lets the writer finish.
func (o *outbox) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
	o.signal()
}

func (o *outbox) signal() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// take empties the outbox into buf. The clean job is the newest one of the
// batch, nil if it has none. After done nothing more will come.
func (o *outbox) take(buf []byte) (batch []byte, clean *work.Job, done bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, it := range o.items {
		buf = append(buf, it.difficulty...)
		buf = append(buf, it.line...)
		if it.clean {
			clean = it.job
		}
	}
	clear(o.items)
	o.items = o.items[:0]
	o.bytes = 0
	return buf, clean, o.closed || o.overflow
}

// err returns why the outbox will take nothing more: nil when it was closed.
func (o *outbox) err() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.overflow {
		return errTooSlow
	}
	return nil
}
