package pool

import (
	"sync"
	"time"
)

// Event is something that happened and that a page may want to show at once.
// It carries enough for a log line; pages read the rest from its owner.
type Event struct {
	Kind    string // "tip", "job", "share", "block", "block-state", "payout", "node", "core", "worker", "settlement", "device"
	At      time.Time
	Height  int32
	Hash    string // block hash or txid, display order
	Address string
	Worker  string
	State   string // new state of a block, payout or the node, or how blocks settle
	Amount  int64  // satoshis
	Text    string
}

// Events hands events to whoever listens. A listener that does not keep up is
// dropped: its channel closes and it may subscribe again. The zero value is
// ready for use; it is safe for concurrent use.
type Events struct {
	mu        sync.Mutex
	listeners map[chan Event]struct{}
}

// eventBuffer is how far a listener may fall behind before it is dropped.
const eventBuffer = 256

// Subscribe returns a channel of events and a function that ends the
// subscription, which may be called more than once.
func (e *Events) Subscribe() (events <-chan Event, cancel func()) {
	ch := make(chan Event, eventBuffer)
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.listeners == nil {
		e.listeners = make(map[chan Event]struct{})
	}
	e.listeners[ch] = struct{}{}
	return ch, func() { e.drop(ch) }
}

// Publish hands ev to every listener and never blocks.
func (e *Events) Publish(ev Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for ch := range e.listeners {
		select {
		case ch <- ev:
		default:
			delete(e.listeners, ch)
			close(ch)
		}
	}
}

func (e *Events) drop(ch chan Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if _, ok := e.listeners[ch]; ok {
		delete(e.listeners, ch)
		close(ch)
	}
}
