package node

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/dmpool/dmpool/pool/work"
)

// Update is a template for the miners to work on.
type Update struct {
	Template *work.Template

	// NewTip: it builds on another block than the update that was received before it. What miners do now is worthless.
	NewTip bool

	// SeenAt is when this process first saw the cause: for a new tip, the first sign of it.
	SeenAt time.Time

	// Reason names the watcher that asked first: "start", "zmq", "long poll", "poll" or "interval".
	Reason string
}

// SourceState is how a Source is doing.
type SourceState struct {
	// Problem is a sentence saying why there is no fresh template, empty when all is well.
	Problem string
	Err     error     // behind Problem
	Since   time.Time // when the problem began, or ended

	TemplateAt time.Time      // when the last template came, zero before the first
	Tip        chainhash.Hash // which it builds on
	TipSeenAt  time.Time      // when a watcher saw the first sign of that tip
	TipReason  string         // which one, as in Update
	Height     int32          // of the block to be found
	ZMQ        bool           // the ZMQ subscription stands
}

// Source watches the node and keeps the newest block template ready. Create it with NewSource, run Run, receive
// from Updates.
type Source struct {
	client *Client
	zmq    string
	log    *slog.Logger
	pace   pace

	updates chan Update
	wake    chan struct{} // a hint is waiting

	mu    sync.Mutex
	hint  *hint
	state SourceState
}

// pace are the intervals of a source. Tests shorten them.
type pace struct {
	refresh     time.Duration // at least this often a template is fetched
	poll        time.Duration // of the best block's hash
	pause       time.Duration // after an error of a watcher; the refresh doubles it up to the next one
	longestWait time.Duration // between two attempts to get a template
	settle      time.Duration // between two looks when the template is older than the hint
	settleTries int
}

// hint is a reason to fetch a template.
type hint struct {
	tip    chainhash.Hash // that the node is said to have; zero when unknown
	reason string
	seenAt time.Time
}

// NewSource returns a source that fetches templates through c. zmqAddress is the publisher of -zmqpubhashblock, such as
// "tcp://127.0.0.1:28332"; empty does without, and AskZMQ asks the node. A nil log is slog.Default.
func NewSource(c *Client, zmqAddress string, log *slog.Logger) *Source {
	if log == nil {
		log = slog.Default()
	}

	return &Source{
		client: c,
		zmq:    zmqAddress,
		log:    log,
		pace: pace{
			refresh:     30 * time.Second,
			poll:        250 * time.Millisecond,
			pause:       time.Second,
			longestWait: 5 * time.Second,
			settle:      50 * time.Millisecond,
			settleTries: 5,
		},
		updates: make(chan Update, 1),
		wake:    make(chan struct{}, 1),
	}
}

// Updates returns the channel of templates. It holds only the newest: one that was not received in time is replaced, and
// its NewTip and SeenAt live on in its successor.
func (s *Source) Updates() <-chan Update {
	return s.updates
}

// State returns how the source is doing.
func (s *Source) State() SourceState {
	s.mu.Lock()
	defer s.mu.Unlock()

	return s.state
}

// Run works until ctx ends, and then returns nil. A node that is away, starting, or without peers is no reason to
// return: State says so, and Run tries again.
func (s *Source) Run(ctx context.Context) error {
	var watchers sync.WaitGroup
	defer watchers.Wait()

	watchers.Go(func() { s.pollBest(ctx) })
	watchers.Go(func() { s.longPoll(ctx) })
	if s.zmq != "" {
		watchers.Go(func() { s.subscribe(ctx) })
	}

	s.suggest(hint{reason: "start", seenAt: time.Now()})
	s.refreshLoop(ctx)

	return nil
}

// refreshLoop fetches one template at a time: whenever a watcher suggests it, after a while of silence, and again after
// an error.
func (s *Source) refreshLoop(ctx context.Context) {
	wait := s.pace.pause
	timer := time.NewTimer(s.pace.refresh)
	defer timer.Stop()

	for {
		why := hint{reason: "interval"}
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
			why.seenAt = time.Now()
		case <-s.wake:
			why = s.suggestion()
		}

		if why.tip != (chainhash.Hash{}) && why.tip == s.State().Tip {
			continue // another watcher was first
		}

		err := s.refresh(ctx, why)
		if ctx.Err() != nil {
			return
		}
		s.report(err)

		if err != nil {
			timer.Reset(wait)
			wait = min(2*wait, s.pace.longestWait)

			continue
		}
		timer.Reset(s.pace.refresh)
		wait = s.pace.pause
	}
}

// refresh fetches a template and publishes it, as soon as the node is ready to give one that is worth working on. When it still builds on the tip that we know while why speaks of another
// one, the node has announced a block a moment before it offers work on it: look again a few times.
func (s *Source) refresh(ctx context.Context, why hint) error {
	if err := s.client.Ready(ctx); err != nil {
		return err
	}
	for try := 0; ; try++ {
		t, err := s.client.Template(ctx, "")
		if err != nil {
			return err
		}

		hinted := why.tip == (chainhash.Hash{}) || why.tip == t.PrevHash
		if hinted || t.PrevHash != s.State().Tip || try == s.pace.settleTries {
			s.publish(t, why)
			return nil
		}
		if !sleep(ctx, s.pace.settle) {
			return ctx.Err()
		}
	}
}

// publish replaces what waits in the channel. Only refreshLoop calls it, so the channel cannot fill up in between.
func (s *Source) publish(t *work.Template, why hint) {
	s.mu.Lock()
	update := Update{Template: t, NewTip: t.PrevHash != s.state.Tip, SeenAt: why.seenAt, Reason: why.reason}
	s.state.Tip, s.state.Height, s.state.TemplateAt = t.PrevHash, t.Height, time.Now()
	if update.NewTip {
		s.state.TipSeenAt, s.state.TipReason = update.SeenAt, update.Reason
	}
	s.mu.Unlock()

	select {
	case missed := <-s.updates:
		if missed.NewTip && !update.NewTip {
			update.NewTip, update.SeenAt, update.Reason = true, missed.SeenAt, missed.Reason
		}
	default:
	}
	s.updates <- update
}

// suggest leaves a hint for refreshLoop. A newer hint replaces one that is still waiting, unless both say the same.
func (s *Source) suggest(h hint) {
	s.mu.Lock()
	if s.hint == nil || s.hint.tip != h.tip {
		s.hint = &h
	}
	s.mu.Unlock()

	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// suggestion takes the hint that waits. There is one whenever wake was signalled, and an earlier look may have taken it:
// then the tip is that of the last template and nothing is to do.
func (s *Source) suggestion() hint {
	s.mu.Lock()
	defer s.mu.Unlock()

	if s.hint == nil {
		return hint{tip: s.state.Tip, reason: "interval", seenAt: time.Now()}
	}
	h := *s.hint
	s.hint = nil

	return h
}

// report keeps the outcome of an attempt for State, and logs it when it differs from the one before.
func (s *Source) report(err error) {
	problem := Sentence(err)

	s.mu.Lock()
	changed := problem != s.state.Problem && (!NotReady(err) || !NotReady(s.state.Err)) // a node that is not ready counts the blocks
	if (problem == "") != (s.state.Problem == "") {
		s.state.Since = time.Now()
	}
	s.state.Problem, s.state.Err = problem, err
	s.mu.Unlock()

	switch {
	case !changed:
	case err != nil:
		s.log.Info("No block template for the moment", "problem", problem, "err", err)
	default:
		s.log.Info("Block templates arrive")
	}
}

// sleep waits and reports whether ctx still runs.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()

	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
