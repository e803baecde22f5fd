package stratum

import (
	"strings"
	"sync"
	"time"
)

// Memory is what miners should find again when the server comes back. The pool
// keeps it where it keeps its shares.
type Memory struct {
	// Clean says that the server was stopped in order, so that Closed is
	// complete. After a crash nobody knows which sessions there were.
	Clean  bool
	Closed map[uint32]time.Time // when sessions closed, by extranonce1
	Rigs   []Rig
	Held   Held
}

// Rig is the last difficulty that suited a worker on one kind of device.
type Rig struct {
	Address, Worker string
	Family          string // of user agents, see family
	Difficulty      float64
	At              time.Time
}

// Recall gives a server that has not started the memory of the one before it.
// After a crash every session id that a miner presents within the time in which
// sessions can be resumed is taken as one of ours: it does no harm to a stranger
// and keeps the unsent shares of a miner alive.
func (s *Server) Recall(m Memory) {
	s.memory.learn(m.Rigs)
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	for extranonce1, at := range m.Closed {
		if now.Sub(at) < resumeTime {
			s.closed[extranonce1] = remains{at: at}
		}
	}
	s.recallHeld(m.Held, now)
	if !m.Clean {
		s.adoptUntil = now.Add(resumeTime)
	}
}

// Changed returns the rigs whose difficulty has changed since the last call.
func (s *Server) Changed() []Rig { return s.memory.changed() }

// Closed returns the sessions that can be resumed, with the time at which they
// closed, by extranonce1. After [Server.Serve] has returned this is all of them.
func (s *Server) Closed() map[uint32]time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.buryOld(time.Now())
	closed := make(map[uint32]time.Time, len(s.closed))
	for extranonce1, r := range s.closed {
		closed[extranonce1] = r.at
	}
	return closed
}

// rig names a worker on one kind of device: the same name on a Bitaxe and on an
// S21 says nothing about each other.
type rig struct{ address, worker, family string }

// family returns the kind of device that a user agent belongs to: the known
// device, or else the agent's first word.
func family(agent string) string {
	if name := deviceOf(agent).name; name != "" {
		return name
	}
	agent = strings.ToLower(agent)
	if i := strings.IndexAny(agent, "/ "); i >= 0 {
		agent = agent[:i]
	}
	return agent[:min(len(agent), 32)]
}

// maxRigs bounds what strangers can make the server remember.
const maxRigs = 50_000

// memory holds the rigs. It is safe for concurrent use; its zero value is not
// ready.
type memory struct {
	mu    sync.Mutex
	rigs  map[rig]float64
	fresh map[rig]time.Time // changed since the last call of changed
}

func newMemory() *memory {
	return &memory{rigs: make(map[rig]float64), fresh: make(map[rig]time.Time)}
}

func (m *memory) learn(list []Rig) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range list {
		if sensible(r.Difficulty) && len(m.rigs) < maxRigs {
			m.rigs[rig{r.Address, r.Worker, r.Family}] = r.Difficulty
		}
	}
}

// recall returns 0 for a rig that is not known.
func (m *memory) recall(r rig) float64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.rigs[r]
}

func (m *memory) note(r rig, difficulty float64, at time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	known, ok := m.rigs[r]
	if known == difficulty || !ok && len(m.rigs) >= maxRigs {
		return
	}
	m.rigs[r] = difficulty
	m.fresh[r] = at
}

func (m *memory) changed() []Rig {
	m.mu.Lock()
	defer m.mu.Unlock()
	list := make([]Rig, 0, len(m.fresh))
	for r, at := range m.fresh {
		list = append(list, Rig{r.address, r.worker, r.family, m.rigs[r], at})
	}
	clear(m.fresh)
	return list
}
