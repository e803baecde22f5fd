package bitcoind

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"syscall"
	"time"
)

// ChildConfig says what a Child runs and how patient it is. Zero durations mean
// the defaults.
type ChildConfig struct {
	Binary string // path of bitcoind, see Find
	Conf   Conf

	// Locate is asked for the path before each start, instead of Binary; its
	// error is a sentence on why there is none. Nil: Binary it is.
	Locate func(context.Context) (string, error)

	// Probe asks whether the RPC serves: nil when it does. Required.
	Probe func(context.Context) error
	// Stop asks the node by RPC to stop. Required; an error is answered with
	// SIGTERM, which means the same.
	Stop func(context.Context) error
	// Warmup takes the text out of a Probe error that is progress ("Loading
	// block index…") and tells whether it is one. Nil: no error is.
	Warmup func(error) (text string, ok bool)
	// Mend is asked before the node repairs damage by itself, and keeps a record
	// of it. Its error is half a sentence on why a person has to decide, with the
	// next step. Nil: a person always decides.
	Mend func(context.Context, Class, Repair) error
	// Measure tells the free space of the file system of a directory; nil: Survey.
	Measure func(dir string) (Machine, error)
	Logger  *slog.Logger // gets the node's log lines at level Debug; nil: slog.Default

	LogLines     int           // of the node's log to keep; 500
	ProbeEvery   time.Duration // until ready; 250 ms
	WatchEvery   time.Duration // between probes of a ready node; 2 s
	ProbeTimeout time.Duration // of one probe; 5 s
	RetryMin     time.Duration // first pause after a failure, doubled each time; 1 s
	RetryMax     time.Duration // longest pause; 1 min
	HealthyAfter time.Duration // being ready this long forgives earlier failures; 5 min
	TermAfter    time.Duration // from a successful Stop to SIGTERM, in case it was lost; 30 s
	StopLimit    time.Duration // from there to SIGKILL, which loses blocks; 10 min
}

// Child runs bitcoind as a child of this process. Its methods are safe for
// concurrent use; Run is called once.
type Child struct {
	config ChildConfig
	log    *ring
	board  *board
	again  chan struct{} // holds a wish to restart
	full   bool          // the node waits for room on the disk; only for Run

	mu      sync.Mutex
	ordered Repair // of the next start
}

var _ Runner = (*Child)(nil)

// NewChild prepares a Child and starts nothing.
func NewChild(config ChildConfig) *Child {
	if config.Logger == nil {
		config.Logger = slog.Default()
	}
	if config.Warmup == nil {
		config.Warmup = func(error) (string, bool) { return "", false }
	}
	if config.Measure == nil {
		config.Measure = Survey
	}
	if config.LogLines <= 0 {
		config.LogLines = 500
	}
	for _, d := range []struct {
		value *time.Duration
		usual time.Duration
	}{
		{&config.ProbeEvery, 250 * time.Millisecond},
		{&config.WatchEvery, 2 * time.Second},
		{&config.ProbeTimeout, 5 * time.Second},
		{&config.RetryMin, time.Second},
		{&config.RetryMax, time.Minute},
		{&config.HealthyAfter, 5 * time.Minute},
		{&config.TermAfter, 30 * time.Second},
		{&config.StopLimit, 10 * time.Minute},
	} {
		if *d.value <= 0 {
			*d.value = d.usual
		}
	}

	return &Child{
		config: config,
		log:    newRing(config.LogLines, func(line string) { config.Logger.Debug("Node log", "line", line) }),
		board:  newBoard(),
		again:  make(chan struct{}, 1),
	}
}

// Restart stops a running node in order and starts it again at once, from where
// Locate finds it then. It returns before that has happened.
func (c *Child) Restart() {
	select {
	case c.again <- struct{}{}:
	default: // it is wished for already
	}
}

// State tells how the node is now.
func (c *Child) State() State { return c.board.read() }

// Changed returns a channel that is closed at the next change of State. Ask for
// it before State, and no change is missed.
func (c *Child) Changed() <-chan struct{} { return c.board.next() }

// Log returns the newest lines of the node's log, oldest first.
func (c *Child) Log() []string { return c.log.since(0) }

// Run writes bitcoin.conf and keeps the node running until ctx ends; then it
// stops the node and returns nil when the process is gone. It returns an error
// at once when the configuration cannot work or cannot be written.
func (c *Child) Run(ctx context.Context) error {
	if c.config.Probe == nil || c.config.Stop == nil {
		return errors.New("run node: Probe and Stop are required")
	}
	if err := c.config.Conf.Write(); err != nil {
		return fmt.Errorf("run node: %w", err)
	}

	pause := c.config.RetryMin
	for ctx.Err() == nil {
		failed, healthy := c.once(ctx)
		if ctx.Err() != nil {
			break
		}
		if failed.class == classRestart {
			c.live(PhaseStarting, failed.text)
			continue
		}
		if healthy >= c.config.HealthyAfter {
			pause = c.config.RetryMin
		}

		if failed.class == ClassLock {
			// Nothing is wrong with the node; a predecessor needs its time.
			c.report(PhaseStarting, failed)
			sleep(ctx, c.config.RetryMin)
			continue
		}
		failed, repairing := c.mend(ctx, failed)
		if repairing {
			c.report(PhaseFailed, failed)
			continue
		}
		failed.text = strings.TrimSuffix(failed.text, ".") + fmt.Sprintf(". Next try in %s.", pause)
		c.report(PhaseFailed, failed)
		c.rest(ctx, pause)
		pause = min(2*pause, c.config.RetryMax)
	}

	c.board.update(func(s *State) { *s = State{Phase: PhaseAbsent, Text: "The node is stopped.", Restarts: s.Restarts} })
	return nil
}

// once runs the node a single time: until it ends by itself, which is a
// failure, or until ctx ends and it was stopped. It also tells for how long the
// node was ready.
func (c *Child) once(ctx context.Context) (failure, time.Duration) {
	if f, ok := c.obstacle(ctx); ok {
		return f, 0
	}

	binary, err := c.locate(ctx)
	if err != nil {
		return failure{class: ClassBinary, text: fmt.Sprintf("The node cannot start: %v", err)}, 0
	}
	args, failed := c.prepare(ctx, binary)
	if failed.class != "" || ctx.Err() != nil {
		return failed, 0
	}
	mark := c.log.mark()
	p, err := start(binary, args, c.log)
	if err != nil {
		return failure{class: ClassBinary, text: fmt.Sprintf("The node's program cannot be started: %v", err)}, 0
	}
	c.board.update(func(s *State) {
		*s = State{Phase: PhaseStarting, Text: "The node is starting.", PID: p.pid(), Restarts: s.Restarts, Repair: s.Repair}
	})
	c.config.Logger.Info("Node started", "pid", p.pid())

	healthy, again, failed := c.watch(ctx, p)
	if ctx.Err() != nil || again || failed.class != "" {
		c.stop(ctx, p)
	}
	<-p.done
	c.log.flush()
	c.config.Logger.Info("Node ended", "pid", p.pid(), "status", p.exit().String())

	switch {
	case again:
		return failure{class: classRestart, text: "The node is starting again."}, healthy
	case failed.class != "":
		return failed, healthy
	}
	return classify(p.exit(), c.log.since(mark), c.config.Conf.Dir), healthy
}

// classRestart is no failure: the node was stopped to be started again.
const classRestart Class = "restart"

// locate finds the program, and forgets a wish to restart: this start is it.
func (c *Child) locate(ctx context.Context) (string, error) {
	select {
	case <-c.again:
	default:
	}
	if c.config.Locate == nil {
		return c.config.Binary, nil
	}
	return c.config.Locate(ctx)
}

// obstacle looks for what would keep the node from starting, or, worse, from
// telling: a ZMQ port that is taken is no error to bitcoind.
func (c *Child) obstacle(ctx context.Context) (failure, bool) {
	if f, ok := c.room(); !ok {
		return f, true
	}
	holder, pid, err := lockHolder(c.config.Conf.lockFile())
	switch {
	case err != nil:
		return failure{class: ClassDirectory, text: "The node cannot start: " + err.Error()}, true
	case pid != 0:
		return failure{class: ClassLock, text: fmt.Sprintf("Another bitcoind, %s, still uses %s; waiting for it to finish. "+
			"If it is not ending, stop it with: kill %d", holder, c.config.Conf.Dir, pid)}, true
	case holder != "":
		return failure{class: ClassLock, text: fmt.Sprintf("Another bitcoind, %s, still uses %s; waiting for it to finish", holder, c.config.Conf.Dir)}, true
	}

	for _, port := range []int{c.config.Conf.RPCPort, c.config.Conf.ZMQPort, c.config.Conf.P2PPort} {
		if port == 0 {
			continue
		}
		if err := CheckPort(ctx, port); err != nil {
			return failure{class: ClassPort, text: fmt.Sprintf("The node cannot start: %v. Stop that program or choose another port", err)}, true
		}
	}

	return failure{}, false
}

// watch probes the node until it ends, ctx does, it is to be started again,
// or the disk has no more room for it, and returns for how long it was ready
// without a break at the end.
func (c *Child) watch(ctx context.Context, p *process) (healthy time.Duration, again bool, failed failure) {
	var watcher sync.WaitGroup
	ctx, cancel := context.WithCancel(ctx)
	watcher.Go(func() {
		select {
		case <-p.done:
			cancel() // a probe of a dead node need not run into its time-out
		case <-c.again:
			again = true
			cancel()
		case <-ctx.Done():
		}
	})

	var ready time.Time // zero while it is not
	every := c.config.ProbeEvery
	for sleep(ctx, every) {
		var ok bool
		if failed, ok = c.room(); !ok {
			break
		}
		err := c.probe(ctx)
		switch {
		case ctx.Err() != nil:
			// The probe was cut short and says nothing.
		case err == nil:
			if ready.IsZero() {
				ready = time.Now()
			}
			c.live(PhaseReady, "The node is ready.")
			every = c.config.WatchEvery
		default:
			c.unready(err, !ready.IsZero())
			ready, every = time.Time{}, c.config.ProbeEvery
		}
	}

	cancel()
	watcher.Wait()
	if ready.IsZero() {
		return 0, again, failed
	}
	return time.Since(ready), again, failed
}

func (c *Child) probe(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, c.config.ProbeTimeout)
	defer cancel()

	return c.config.Probe(ctx)
}

// unready shows a failed probe: as progress when it is that, as trouble when
// the node had been ready before, and else as a start that takes its time.
func (c *Child) unready(err error, wasReady bool) {
	text, warming := c.config.Warmup(err)
	switch {
	case warming:
		c.live(PhaseWarming, text)
	case wasReady:
		c.live(PhaseWarming, fmt.Sprintf("The node has stopped answering: %v", err))
	case c.State().Phase == PhaseStarting:
		c.live(PhaseStarting, "The node is starting.")
	}
}

// stop ends the process without losing what it holds in memory: it asks by RPC,
// then by SIGTERM, and waits. SIGKILL comes only at the limit.
func (c *Child) stop(ctx context.Context, p *process) {
	c.live(PhaseStopping, "The node is stopping: it writes its state to disk.")

	ask, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.config.ProbeTimeout)
	err := c.config.Stop(ask)
	cancel()
	if err == nil && p.ended(c.config.TermAfter) {
		return
	}

	p.signal(syscall.SIGTERM)
	if p.ended(c.config.StopLimit) {
		return
	}
	c.config.Logger.Error("Node killed: it did not stop in time and may have lost blocks", "pid", p.pid(), "limit", c.config.StopLimit)
	p.signal(syscall.SIGKILL)
}

// live shows a phase of the running process.
func (c *Child) live(phase Phase, text string) {
	c.board.update(func(s *State) {
		s.Phase, s.Text, s.Class = phase, text, ""
		if phase == PhaseReady {
			s.Repair = RepairNone
		}
	})
}

// report shows and logs why there is no process.
func (c *Child) report(phase Phase, f failure) {
	changed := c.board.update(func(s *State) {
		s.Phase, s.Text, s.Class, s.PID, s.Repair = phase, f.text, f.class, 0, f.repair
		if phase == PhaseFailed {
			s.Restarts++
		}
	})
	if changed {
		c.config.Logger.Warn("Node not running", "class", f.class, "reason", f.text)
	}
}

// rest waits for d, or until the node is wanted at once.
func (c *Child) rest(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()

	select {
	case <-timer.C:
	case <-c.again:
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
