package stratum

import (
	"fmt"
	"log/slog"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/dmpool/dmpool/pool/work"
)

// jobMemory is how long a job is remembered after a newer one went out.
const jobMemory = 10 * time.Minute

// Server serves any number of listeners. Make one with [NewServer]; all its
// methods may be called at any time by any goroutine.
//
// Of its locks, mu may be held while a session's mu is taken, never the other
// way round.
type Server struct {
	backend Backend
	config  atomic.Pointer[Config]
	bans    atomic.Pointer[[]Ban] // nil: none
	jobID   atomic.Uint32
	seen    *work.Seen
	gate    *gate
	memory  *memory
	metrics metrics
	buffers sync.Pool // of *[]byte, for writing

	publishing  sync.Mutex // jobs go out one after the other
	current     atomic.Pointer[notice]
	publishedAt time.Time      // guarded by publishing
	heldTip     chainhash.Hash // see tip; set before the server starts

	mu         sync.Mutex
	ports      map[*port]struct{}  // that are served
	sessions   map[uint32]*session // by extranonce1
	draw       func() uint32       // an extranonce1 that may be taken
	closed     map[uint32]remains  // sessions that can be resumed
	adoptUntil time.Time           // until then unknown ones, too
	buriedAt   time.Time
	retired    map[chainhash.Hash]time.Time
	pausedAt   time.Time            // zero: not paused
	patient    bool                 // the pause is an Idle
	said       map[string]time.Time // when the log last told of something that strangers cause
}

// NewServer returns a server that has not started.
func NewServer(c Config, b Backend) *Server {
	now := time.Now()
	s := &Server{
		backend:  b,
		seen:     work.NewSeen(),
		gate:     newGate(now),
		memory:   newMemory(),
		buffers:  sync.Pool{New: func() any { return new([]byte) }},
		ports:    make(map[*port]struct{}),
		sessions: make(map[uint32]*session),
		closed:   make(map[uint32]remains),
		retired:  make(map[chainhash.Hash]time.Time),
		said:     make(map[string]time.Time),
		draw:     drawExtranonce1,
	}
	s.Apply(c)

	// Numbers of jobs must not come back after a restart, when miners still
	// remember the old ones.
	s.jobID.Store(uint32(now.UnixMilli()))
	return s
}

// Apply replaces the configuration. Difficulties count from each session's next
// job, limits from the next connection.
func (s *Server) Apply(c Config) { s.config.Store(c.withDefaults()) }

// rules returns the configuration; it does not change.
func (s *Server) rules() *Config { return s.config.Load() }

func (s *Server) log() *slog.Logger { return s.rules().Logger }

// NextJobID returns a number for a job that no other job has.
func (s *Server) NextJobID() uint32 { return s.jobID.Add(1) }

// live returns the sessions there are.
func (s *Server) live() []*session {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]*session, 0, len(s.sessions))
	for _, session := range s.sessions {
		list = append(list, session)
	}
	return list
}

func (s *Server) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.sessions)
}

// Publish sends a job to every session. Clean makes miners drop all work for
// earlier jobs; a job on another previous block than the last one is always
// clean. It returns when the job is in every socket that takes it at once; no
// miner can delay it.
func (s *Server) Publish(job *work.Job, clean bool) {
	defer s.survive("publish")
	s.publish(newNotice(job, nil), clean)
}

// PublishWide is Publish for a job whose coinbase some devices cannot hold: these
// get the narrow one, of the same template, and nobody else notices.
func (s *Server) PublishWide(job, narrow *work.Job, clean bool) {
	defer s.survive("publish")
	n := newNotice(job, nil)
	n.narrow = newNotice(narrow, nil)
	s.publish(n, clean)
}

// PublishOwn is Publish for jobs whose coinbase pays the miner itself: each
// session gets what layOut makes of the job for the first worker that it was
// authorised with, and nothing if that fails.
func (s *Server) PublishOwn(job *work.Job, layOut LayOut, clean bool) {
	defer s.survive("publish")
	s.publish(newNotice(job, layOut), clean)
}

func (s *Server) publish(n *notice, clean bool) {
	s.publishing.Lock()
	defer s.publishing.Unlock()
	s.spread(n, clean, time.Now())
}

// spread does the work of Publish. The caller holds publishing.
func (s *Server) spread(n *notice, clean bool, at time.Time) {
	job, last := n.job, s.tip()
	s.current.Store(n)
	if last != (chainhash.Hash{}) && last != job.PrevHash {
		clean = true
		s.retire(last, job.PrevHash, at)
	}
	s.publishedAt = at

	// Writing is most of the work, and every core helps.
	live := s.live()
	var tip *tipMetrics // nil: not a new one
	if last != job.PrevHash {
		tip = s.metrics.newTip(len(live), at)
	}
	workers := min(runtime.GOMAXPROCS(0), 1+len(live)/100)
	size := (len(live) + workers - 1) / workers
	var group sync.WaitGroup
	for from := 0; from < len(live); from += size {
		part := live[from:min(from+size, len(live))]
		group.Go(func() {
			for _, session := range part {
				session.notify(n, clean, at)
				tip.left()
			}
		})
	}
	group.Wait()
	tip.done()
	s.log().Debug("Job published", "job", job.ID, "height", job.Height, "clean", clean, "sessions", len(live), "took", time.Since(at))
}

// keepAlive publishes the last job again, under a new number, when the pool has
// not published anything for so long that miners would think the connection
// dead: many hang up after 90 seconds of silence.
func (s *Server) keepAlive(at time.Time) {
	defer s.survive("keep alive")
	paused, _ := s.pause(at)
	s.publishing.Lock()
	defer s.publishing.Unlock()
	n, patience := s.current.Load(), s.rules().KeepAlive
	if !paused {
		patience *= 2 // the pool is expected to publish by itself
	}
	if n == nil || at.Sub(s.publishedAt) < patience {
		return
	}
	t := n.job.Time
	if !s.rules().FixedTime {
		t = max(t, uint32(at.Unix()))
	}
	s.spread(n.again(s.NextJobID, t), false, at)
}

// survive is deferred where a fault of this program is no one session's: the next
// job may well go out, and the shares for the last one still count.
func (s *Server) survive(doing string) {
	if cause := recover(); cause != nil {
		s.log().Error("Server panicked", "doing", doing, "err", fmt.Sprint(cause), "stack", string(debug.Stack()))
	}
}

// retire notes that the tip moved, and forgets the shares on tips for which no
// session has a job any more.
func (s *Server) retire(from, to chainhash.Hash, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.retired[from] = at
	delete(s.retired, to)
	for prev, since := range s.retired {
		// A session that closed at the end of a job's life takes its jobs along.
		if at.Sub(since) > jobMemory+resumeTime+time.Minute {
			s.seen.Forget(prev)
			delete(s.retired, prev)
		}
	}
}

// Pause says that the node is away, and why. Miners keep the last job, under
// new numbers, for Config.Away. Then they are sent away, too, so that they turn
// to the next pool on their list, and new ones are not let in.
func (s *Server) Pause(reason string) { s.halt(reason, false) }

// Idle is a Pause whose end is foreseen, as when the node catches up with the
// chain: nobody is sent away, however long it takes.
func (s *Server) Idle(reason string) { s.halt(reason, true) }

func (s *Server) halt(reason string, patient bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pausedAt.IsZero() || s.patient != patient {
		s.pausedAt, s.patient = time.Now(), patient
		s.log().Info("Stratum paused", "reason", reason)
	}
}

// Resume ends a pause.
func (s *Server) Resume() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.pausedAt.IsZero() {
		s.pausedAt = time.Time{}
		s.log().Info("Stratum resumed")
	}
}

// pause reports whether the server is paused, and whether for so long that the
// miners should go elsewhere.
func (s *Server) pause(at time.Time) (paused, away bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	paused = !s.pausedAt.IsZero()
	return paused, paused && !s.patient && at.Sub(s.pausedAt) >= s.rules().Away
}

// seldom reports whether the log may tell of something again that strangers can
// cause as often as they like: once a minute.
func (s *Server) seldom(what string, at time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if last, known := s.said[what]; known && at.Sub(last) < time.Minute {
		return false
	}
	s.said[what] = at
	return true
}
