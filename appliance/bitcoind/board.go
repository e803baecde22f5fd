package bitcoind

import (
	"sync"
	"time"
)

// board holds the State for everybody to read and tells of its changes. Safe
// for concurrent use.
type board struct {
	mu      sync.Mutex
	state   State
	changed chan struct{} // closed and replaced at each change
}

func newBoard() *board {
	return &board{
		state:   State{Phase: PhaseAbsent, Text: "The node is not started yet.", Since: time.Now()},
		changed: make(chan struct{}),
	}
}

func (b *board) read() State {
	b.mu.Lock()
	defer b.mu.Unlock()

	return b.state
}

func (b *board) next() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()

	return b.changed
}

// update lets edit change the state, keeps Since with the phase, and tells
// whether anything is different now.
func (b *board) update(edit func(*State)) bool {
	b.mu.Lock()
	defer b.mu.Unlock()

	was := b.state
	edit(&b.state)
	b.state.Since = was.Since
	if b.state == was {
		return false
	}
	if b.state.Phase != was.Phase {
		b.state.Since = time.Now()
	}
	close(b.changed)
	b.changed = make(chan struct{})

	return true
}
