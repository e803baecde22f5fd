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

// outbox holds what has not been written to a session's connection yet.
// Appending never waits. No goroutine stands by to write: whoever appends to an
// outbox that nobody is emptying has to do it, and is told so. The zero value
// is ready.
type outbox struct {
	mu      sync.Mutex
	items   []item
	bytes   int
	emptied chan struct{} // closed when the last writer leaves a closed outbox
	writing bool          // somebody is emptying it
	closed  bool          // nothing more will come; what is there is still written
	failure error         // nothing more can be written
}

// push appends items that will leave in one write, and reports whether the
// caller must now call the session's send. When there is no room the superseded
// jobs go first; if that does not help, the outbox fails.
func (o *outbox) push(items ...item) (mine bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed || o.failure != nil {
		return false
	}
	o.items = append(o.items, items...)
	for _, it := range items {
		o.bytes += len(it.difficulty) + len(it.line)
	}
	if o.full() {
		o.dropSuperseded()
		if o.full() {
			o.failure = errTooSlow
			o.items = nil
		}
	}
	mine = !o.writing
	o.writing = true
	return mine
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

// take empties the outbox into buf. The clean job is the newest one of the
// batch, nil if it has none. When there is nothing to take, the caller is no
// longer the writer and ok is false.
func (o *outbox) take(buf []byte) (batch []byte, clean *work.Job, ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.items) == 0 || o.failure != nil {
		o.leave()
		return nil, nil, false
	}
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
	return buf, clean, true
}

// leave ends the writer's turn. The caller holds mu.
func (o *outbox) leave() {
	o.writing = false
	if o.emptied != nil {
		close(o.emptied)
		o.emptied = nil
	}
}

// fail says that nothing more can be written, and why.
func (o *outbox) fail(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.failure == nil {
		o.failure = err
	}
}

// abandon fails an outbox whose writer may have panicked, so that nobody waits
// for it.
func (o *outbox) abandon(err error) {
	o.fail(err)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.leave()
}

// err returns why nothing more can be written, nil if it can.
func (o *outbox) err() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.failure
}

// close lets nothing more in and waits for the writer, if there is one.
func (o *outbox) close() {
	o.mu.Lock()
	o.closed = true
	if !o.writing {
		o.mu.Unlock()
		return
	}
	emptied := make(chan struct{})
	o.emptied = emptied
	o.mu.Unlock()
	<-emptied
}
