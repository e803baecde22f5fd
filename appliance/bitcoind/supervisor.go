package bitcoind

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"
)

// Care says how a node is looked after, by whatever means it runs. Zero
// durations mean the defaults.
type Care struct {
	Conf Conf

	// Probe asks whether the RPC serves: nil when it does. Required.
	Probe func(context.Context) error
	// Warmup takes the text out of a Probe error that is progress ("Loading
	// block index…") and tells whether it is one. Nil: no error is.
	Warmup func(error) (text string, ok bool)
	// Mend is asked before the node repairs damage by itself, and keeps a record
	// of it. Its error is half a sentence on why a person has to decide, with the
	// next step. Nil: a person always decides.
	Mend func(context.Context, Class, Repair) error
	// Measure tells the free space of the file system of a directory; nil: Survey.
	Measure func(dir string) (Machine, error)
	Logger  *slog.Logger // nil: slog.Default

	ProbeEvery   time.Duration // until ready; 250 ms
	WatchEvery   time.Duration // between probes of a ready node; 2 s
	ProbeTimeout time.Duration // of one probe; 5 s
	RetryMin     time.Duration // first pause after a failure, doubled each time; 1 s
	RetryMax     time.Duration // longest pause; 1 min
	HealthyAfter time.Duration // being ready this long forgives earlier failures; 5 min
}

func (c Care) withDefaults() Care {
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Warmup == nil {
		c.Warmup = func(error) (string, bool) { return "", false }
	}
	if c.Measure == nil {
		c.Measure = Survey
	}
	usual(&c.ProbeEvery, 250*time.Millisecond)
	usual(&c.WatchEvery, 2*time.Second)
	usual(&c.ProbeTimeout, 5*time.Second)
	usual(&c.RetryMin, time.Second)
	usual(&c.RetryMax, time.Minute)
	usual(&c.HealthyAfter, 5*time.Minute)
	return c
}

// usual gives a duration that is not set its default.
func usual(d *time.Duration, value time.Duration) {
	if *d <= 0 {
		*d = value
	}
}

// host runs the node's process: all in which a child of this process and a unit
// of systemd differ.
type host interface {
	// prepare comes before the first start. Its error ends Run.
	prepare() error
	// start starts the node and returns its process; or why there is none; or
	// neither, when ctx ended.
	start(ctx context.Context) (instance, failure)
	// hold sees to it that nothing runs, because there is no room.
	hold(ctx context.Context)
	// parting says what becomes of the node at the end of Run.
	parting() string
}

// instance is one process of the node, from its start to its end.
type instance interface {
	pid() int
	gone() <-chan struct{} // closed once it has ended
	// stop ends it in order, with all that it holds in memory on the disk, and
	// returns when it is gone.
	stop(ctx context.Context)
	// leave is the end of our care for it; gone is closed when it returns.
	leave(ctx context.Context)
	// end tells why it ended by itself; only after gone.
	end() failure
}

// supervisor keeps a node running on its host. What both runners have in common
// is here.
type supervisor struct {
	care  *Care // of the runner's configuration
	host  host
	board *board
	again chan struct{} // holds a wish to restart
	full  bool          // the node waits for room on the disk; only for Run

	mu      sync.Mutex
	ordered Repair // of the next start
}

func newSupervisor(care *Care, h host) *supervisor {
	return &supervisor{care: care, host: h, board: newBoard(), again: make(chan struct{}, 1)}
}

// Restart stops a running node in order and starts it again at once, from where
// its program is then. It returns before that has happened.
func (s *supervisor) Restart() {
	select {
	case s.again <- struct{}{}:
	default: // it is wished for already
	}
}

// State tells how the node is now.
func (s *supervisor) State() State { return s.board.read() }

// Changed returns a channel that is closed at the next change of State. Ask for
// it before State, and no change is missed.
func (s *supervisor) Changed() <-chan struct{} { return s.board.next() }

// Run keeps the node running until ctx ends; what becomes of the node then is
// for the kind of runner to say. It returns an error at once when the
// configuration cannot work or cannot be written.
func (s *supervisor) Run(ctx context.Context) error {
	if err := s.host.prepare(); err != nil {
		return fmt.Errorf("run node: %w", err)
	}

	pause := s.care.RetryMin
	for ctx.Err() == nil {
		failed, healthy := s.once(ctx)
		if ctx.Err() != nil {
			break
		}
		if failed.class == classRestart {
			s.live(PhaseStarting, failed.text)
			continue
		}
		if healthy >= s.care.HealthyAfter {
			pause = s.care.RetryMin
		}

		if failed.class == ClassLock {
			// Nothing is wrong with the node; a predecessor needs its time.
			s.report(PhaseStarting, failed)
			sleep(ctx, s.care.RetryMin)
			continue
		}
		failed, repairing := s.mend(ctx, failed)
		if repairing {
			s.report(PhaseFailed, failed)
			continue
		}
		failed.text = strings.TrimSuffix(failed.text, ".") + fmt.Sprintf(". Next try in %s.", pause)
		s.report(PhaseFailed, failed)
		s.rest(ctx, pause)
		pause = min(2*pause, s.care.RetryMax)
	}

	s.board.update(func(n *State) { *n = State{Phase: PhaseAbsent, Text: s.host.parting(), Restarts: n.Restarts} })
	return nil
}

// once runs the node a single time: until it ends by itself, which is a
// failure, or until ctx ends and nobody looks after it any more. It also tells
// for how long the node was ready.
func (s *supervisor) once(ctx context.Context) (failure, time.Duration) {
	if f, ok := s.room(); !ok {
		s.host.hold(ctx)
		return f, 0
	}
	p, failed := s.host.start(ctx)
	if p == nil {
		return failed, 0
	}
	s.board.update(func(n *State) {
		*n = State{Phase: PhaseStarting, Text: "The node is starting.", PID: p.pid(), Restarts: n.Restarts, Repair: n.Repair}
	})
	s.care.Logger.Info("Node started", "pid", p.pid())

	healthy, again, failed := s.watch(ctx, p)
	switch {
	case again, failed.class != "":
		s.live(PhaseStopping, stopping)
		p.stop(ctx)
	case ctx.Err() != nil:
		p.leave(ctx)
	}
	<-p.gone()

	switch {
	case again:
		return failure{class: classRestart, text: "The node is starting again."}, healthy
	case failed.class != "":
		return failed, healthy
	}
	return p.end(), healthy
}

// classRestart is no failure: the node was stopped to be started again.
const classRestart Class = "restart"

// stopping is what a node does that was asked to end.
const stopping = "The node is stopping: it writes its state to disk."

// forgetWish forgets a wish to restart: the start that begins now is it.
func (s *supervisor) forgetWish() {
	select {
	case <-s.again:
	default:
	}
}

// watch probes the node until it ends, ctx does, it is to be started again,
// or the disk has no more room for it, and returns for how long it was ready
// without a break at the end.
func (s *supervisor) watch(ctx context.Context, p instance) (healthy time.Duration, again bool, failed failure) {
	var watcher sync.WaitGroup
	ctx, cancel := context.WithCancel(ctx)
	watcher.Go(func() {
		select {
		case <-p.gone():
			cancel() // a probe of a dead node need not run into its time-out
		case <-s.again:
			again = true
			cancel()
		case <-ctx.Done():
		}
	})

	var ready time.Time // zero while it is not
	every := s.care.ProbeEvery
	for sleep(ctx, every) {
		var ok bool
		if failed, ok = s.room(); !ok {
			break
		}
		err := s.probe(ctx)
		switch {
		case ctx.Err() != nil:
			// The probe was cut short and says nothing.
		case err == nil:
			if ready.IsZero() {
				ready = time.Now()
			}
			s.live(PhaseReady, "The node is ready.")
			every = s.care.WatchEvery
		default:
			s.unready(err, !ready.IsZero())
			ready, every = time.Time{}, s.care.ProbeEvery
		}
	}

	cancel()
	watcher.Wait()
	if ready.IsZero() {
		return 0, again, failed
	}
	return time.Since(ready), again, failed
}

func (s *supervisor) probe(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.care.ProbeTimeout)
	defer cancel()

	return s.care.Probe(ctx)
}

// unready shows a failed probe: as progress when it is that, as trouble when
// the node had been ready before, and else as a start that takes its time.
func (s *supervisor) unready(err error, wasReady bool) {
	text, warming := s.care.Warmup(err)
	switch {
	case warming:
		s.live(PhaseWarming, text)
	case wasReady:
		s.live(PhaseWarming, fmt.Sprintf("The node has stopped answering: %v", err))
	case s.State().Phase == PhaseStarting:
		s.live(PhaseStarting, "The node is starting.")
	}
}

// live shows a phase of the running process.
func (s *supervisor) live(phase Phase, text string) {
	s.board.update(func(n *State) {
		n.Phase, n.Text, n.Class = phase, text, ""
		if phase == PhaseReady {
			n.Repair = RepairNone
		}
	})
}

// report shows and logs why there is no process.
func (s *supervisor) report(phase Phase, f failure) {
	changed := s.board.update(func(n *State) {
		n.Phase, n.Text, n.Class, n.PID, n.Repair = phase, f.text, f.class, 0, f.repair
		if phase == PhaseFailed {
			n.Restarts++
		}
	})
	if changed {
		s.care.Logger.Warn("Node not running", "class", f.class, "reason", f.text)
	}
}

// rest waits for d, or until the node is wanted at once.
func (s *supervisor) rest(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()

	select {
	case <-timer.C:
	case <-s.again:
	case <-ctx.Done():
	}
}

// sleep waits for d and tells whether ctx is still alive.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()

	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}
