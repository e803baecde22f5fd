package shares

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dmpool/dmpool/pool/sqlite"
)

//go:embed schema/*.sql
var schema embed.FS

// applicationID marks a share log: "DMSH".
const applicationID = 0x444d5348

// Schema is what [sqlite.Open] needs to open shares.db.
var Schema = sqlite.Schema{FS: schema, ApplicationID: applicationID}

const (
	defaultQueue = 8192
	tick         = time.Second // between looks for something other than shares to write
	maxRejects   = 10_000      // different rejects counted between two commits

	// A batch of a crowd leaves the sums to a later one, but not for long: with
	// as many workers as shares they cost ten times what the shares cost.
	crowd       = 64
	settleEvery = 2 * time.Second
)

// ErrClosed says that the log takes no more shares because Run has ended.
var ErrClosed = errors.New("share log is closed")

// Options tune a [Log]. The zero value is good.
type Options struct {
	// Queue is the number of shares that may wait for their commit before Append blocks. 0 means 8192.
	Queue int
	// MinInterval is the least time between the beginnings of two commits.
	// 0 commits whenever there is something to commit; 50 ms spares an SD card.
	MinInterval time.Duration
	// Now is the clock, nil means time.Now.
	Now func() time.Time
	// Logger, nil means slog.Default().
	Logger *slog.Logger
}

// Log is the share log. Its methods can be called concurrently.
type Log struct {
	db     *sqlite.DB
	opts   Options
	writer *writer // belongs to Run

	running *running // the newest window in memory
	past    *past    // sums over what is done with
	ever    ever     // work since the beginning

	most atomic.Pointer[mostWork] // of the latest share

	wake   chan struct{} // says that the pending batch is not empty
	closed chan struct{} // closed when Run no longer takes shares
	ended  chan struct{} // closed when Run has written the last of them

	mu       sync.Mutex
	ending   bool
	last     int64 // seq of the newest share
	gap      int64 // numbers to leave out before the next one
	pending  *batch
	spare    []entry       // room of a batch that was written, for the next one
	queued   int           // shares that are pending or being committed
	room     chan struct{} // closed and replaced when queued falls
	rejects  map[reject]int64
	stored   int64         // the database and its sums hold what there is up to this seq
	wanted   int64         // somebody waits for this seq to be stored
	settled  time.Time     // when stored grew last
	progress chan struct{} // closed and replaced when stored grows
}

// batch is what one transaction holds.
type batch struct {
	entries []entry
	done    chan struct{} // closed when err is final
	err     error
}

func newBatch(room []entry) *batch { return &batch{entries: room[:0], done: make(chan struct{})} }

// reject identifies a counter of rejected shares.
type reject struct {
	day     int64 // unix seconds of its begin, UTC
	address string
	worker  string
	reason  string
}

// Open opens the share log at path, creating it when there is none, and replays
// what the spool beside it holds. The log takes shares at once; they are written
// when Run runs. For the errors see [sqlite.Open].
func Open(ctx context.Context, path string, opts Options) (*Log, error) {
	if opts.Queue <= 0 {
		opts.Queue = defaultQueue
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Logger == nil {
		opts.Logger = slog.Default()
	}

	db, err := sqlite.Open(ctx, path, Schema)
	if err != nil {
		return nil, fmt.Errorf("open share log: %w", err)
	}
	w, err := newWriter(ctx, db, opts)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open share log: %w", err), db.Close())
	}

	l := &Log{
		db:       db,
		opts:     opts,
		writer:   w,
		running:  w.running,
		past:     w.past,
		wake:     make(chan struct{}, 1),
		closed:   make(chan struct{}),
		ended:    make(chan struct{}),
		pending:  newBatch(nil),
		room:     make(chan struct{}),
		rejects:  map[reject]int64{},
		last:     w.handled,
		stored:   w.stored,
		progress: make(chan struct{}),
	}

	// A number that was handed out and died in the queue with a crash is not
	// given again. The queue bounds how many of them there can be.
	if l.last > 0 {
		l.gap = int64(opts.Queue)
	}

	return l, nil
}

// Run writes the log until ctx ends, then what is queued, and returns nil. It
// must run once. Append fails from then on.
func (l *Log) Run(ctx context.Context) error {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	defer close(l.ended)

	// What was appended is written to the end.
	writing := context.WithoutCancel(ctx)

	l.commit(writing)
	for {
		select {
		case <-ctx.Done():
			l.mu.Lock()
			l.ending = true
			close(l.closed)
			l.mu.Unlock()
			l.commit(writing)

			return nil
		case <-l.wake:
			start := time.Now()
			l.commit(writing)
			pause(ctx, l.opts.MinInterval-time.Since(start))
		case <-ticker.C:
			l.commit(writing)
		}
	}
}

// pause waits for d, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()

	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// commit writes the pending batch, the counted rejects, the sums unless they can
// wait, and the sign of life.
func (l *Log) commit(ctx context.Context) {
	l.mu.Lock()
	b, rejects := l.pending, l.rejects
	l.pending, l.rejects = newBatch(l.spare), map[reject]int64{}
	l.spare = nil
	small := len(b.entries) < crowd && l.writer.stored == l.writer.handled
	settle := small || l.wanted > l.stored || l.ending || time.Since(l.settled) >= settleEvery
	l.mu.Unlock()

	var counted bool
	counted, b.err = l.writer.write(ctx, b.entries, rejects, settle)
	close(b.done)

	l.mu.Lock()
	if !counted {
		for key, n := range rejects {
			l.rejects[key] += n
		}
	}
	l.queued -= len(b.entries)
	close(l.room)
	l.room = make(chan struct{})
	clear(b.entries)
	l.spare, b.entries = b.entries, nil
	if stored := l.writer.stored; stored > l.stored {
		l.stored, l.settled = stored, time.Now()
		close(l.progress)
		l.progress = make(chan struct{})
	}
	l.mu.Unlock()
}

// Append queues a share and gives it its place in the log. It blocks while the
// queue is full. An error means that the share is not in the log: it is not
// valid, ctx ended while it waited, or [ErrClosed].
func (l *Log) Append(ctx context.Context, s Share) (*Commit, error) {
	if err := l.check(&s); err != nil {
		return nil, fmt.Errorf("append share: %w", err)
	}

	l.mu.Lock()
	defer l.mu.Unlock()
	for l.queued >= l.opts.Queue && !l.ending {
		if err := l.waitForRoom(ctx); err != nil {
			return nil, fmt.Errorf("append share: %w", err)
		}
	}
	if l.ending {
		return nil, ErrClosed
	}

	l.queued++
	l.last += 1 + l.gap
	l.gap = 0
	c := &Commit{seq: l.last, batch: l.pending}
	l.pending.entries = append(l.pending.entries, entry{c.seq, s})
	l.rouse()

	return c, nil
}

// waitForRoom waits for the end of a commit, or of ctx. The caller holds mu,
// which is free meanwhile.
func (l *Log) waitForRoom(ctx context.Context) error {
	room := l.room
	l.mu.Unlock()
	defer l.mu.Lock()

	select {
	case <-room:
		return nil
	case <-l.closed:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// check remembers the work that belongs to nBits: they change once in two weeks.
func (l *Log) check(s *Share) error {
	most := l.most.Load()
	if most == nil || most.bits != s.Bits {
		var err error
		if most, err = newMostWork(s.Bits); err != nil {
			return err
		}
		l.most.Store(most)
	}

	return s.check(most.work)
}

// rouse lets Run commit.
func (l *Log) rouse() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// Commit is the promise that a share becomes durable.
type Commit struct {
	seq   int64
	batch *batch
}

// Seq returns the share's place in the log. Numbers grow in the order of Append, over restarts too, and have gaps.
func (c *Commit) Seq() int64 { return c.seq }

// Wait waits until the share is durable. An error other than that of ctx means
// that neither the database nor the spool could take it.
func (c *Commit) Wait(ctx context.Context) error {
	select {
	case <-c.batch.done:
		return c.batch.err
	default:
	}

	select {
	case <-c.batch.done:
		return c.batch.err
	case <-ctx.Done():
		return fmt.Errorf("wait for commit: %w", ctx.Err())
	}
}

// Reject counts a rejected share. Counts are kept in memory until the next
// commit, about a second. Workers that never had a share accepted are counted together.
func (l *Log) Reject(address, worker, reason string, at time.Time) {
	key := reject{floor(at.Unix(), day), address, worker, reason}

	l.mu.Lock()
	defer l.mu.Unlock()
	if _, known := l.rejects[key]; !known && len(l.rejects) >= maxRejects {
		key.address, key.worker = "", "" // somebody makes up names
	}
	l.rejects[key]++
}

// Last returns the seq of the newest share, which need not be committed yet, and 0 when there is none.
func (l *Log) Last() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()

	return l.last
}

// await waits until the shares up to seq and their sums are in the database, not
// only in the spool, and sees to it that this is soon.
func (l *Log) await(ctx context.Context, seq int64) error {
	for {
		ended := false
		select {
		case <-l.ended:
			ended = true
		default:
		}

		l.mu.Lock()
		stored, last, progress := l.stored, l.last, l.progress
		if seq > stored && seq <= last && seq > l.wanted {
			l.wanted = seq
			l.rouse()
		}
		l.mu.Unlock()

		switch {
		case seq <= stored:
			return nil
		case seq > last:
			return fmt.Errorf("share %d does not exist", seq)
		case ended:
			return fmt.Errorf("wait for share %d: %w", seq, ErrClosed)
		}

		select {
		case <-progress:
		case <-l.ended:
		case <-ctx.Done():
			return fmt.Errorf("wait for share %d: %w", seq, ctx.Err())
		}
	}
}

// DB returns the database, for backup and check. Its tables belong to this package.
func (l *Log) DB() *sqlite.DB { return l.db }

// Close closes the files. Run must have returned.
func (l *Log) Close() error {
	return errors.Join(l.writer.spool.close(), l.db.Close())
}
