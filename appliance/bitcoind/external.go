package bitcoind

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// ExternalConfig says which node is watched and how often. Zero durations mean
// the defaults.
type ExternalConfig struct {
	Address string // for people, such as "http://10.0.0.7:8332"; no password in it

	// Probe asks whether the node can be worked with: nil when it can. Required.
	Probe func(context.Context) error
	// Warmup takes the text out of a Probe error that is progress, see
	// [Care]. Nil: no error is.
	Warmup func(error) (text string, ok bool)
	// Explain says in a sentence what any other Probe error means. Nil: the
	// error's own words.
	Explain func(error) string
	Logger  *slog.Logger // nil: slog.Default

	RetryEvery   time.Duration // between probes of a node that does not serve; 2 s
	WatchEvery   time.Duration // between probes of a ready node; 2 s
	ProbeTimeout time.Duration // of one probe; 10 s
}

// External watches a node that somebody else runs. It never starts, stops or
// configures it; what it knows it has asked. Its methods are safe for concurrent
// use; Run is called once.
type External struct {
	config ExternalConfig
	board  *board
}

var _ Runner = (*External)(nil)

// NewExternal prepares an External and asks nothing yet.
func NewExternal(config ExternalConfig) *External {
	if config.Logger == nil {
		config.Logger = slog.Default()
	}
	if config.Warmup == nil {
		config.Warmup = func(error) (string, bool) { return "", false }
	}
	if config.Explain == nil {
		config.Explain = error.Error
	}
	for _, d := range []struct {
		value *time.Duration
		usual time.Duration
	}{
		{&config.RetryEvery, 2 * time.Second},
		{&config.WatchEvery, 2 * time.Second},
		{&config.ProbeTimeout, 10 * time.Second},
	} {
		if *d.value <= 0 {
			*d.value = d.usual
		}
	}

	return &External{config: config, board: newBoard()}
}

// State tells how the node was when it was asked last.
func (e *External) State() State { return e.board.read() }

// Changed returns a channel that is closed at the next change of State.
func (e *External) Changed() <-chan struct{} { return e.board.next() }

// Log says where the node's log is: it cannot be read from here.
func (e *External) Log() []string {
	return []string{
		"The node at " + e.config.Address + " belongs to somebody else, and its log is there.",
		"bitcoind writes it to debug.log in its data directory.",
	}
}

// Run asks the node how it is until ctx ends. The node runs on.
func (e *External) Run(ctx context.Context) error {
	if e.config.Probe == nil {
		return errors.New("watch node: Probe is required")
	}

	e.show(PhaseStarting, "", fmt.Sprintf("The node at %s is being asked how it is.", e.config.Address))
	for ctx.Err() == nil {
		every := e.config.WatchEvery
		if !e.look(ctx) {
			every = e.config.RetryEvery
		}
		sleep(ctx, every)
	}
	e.show(PhaseAbsent, "", fmt.Sprintf("Nobody asks the node at %s any more; it runs on.", e.config.Address))

	return nil
}

// look asks once and tells whether the node is ready.
func (e *External) look(ctx context.Context) bool {
	ask, cancel := context.WithTimeout(ctx, e.config.ProbeTimeout)
	err := e.config.Probe(ask)
	cancel()

	switch text, warming := e.config.Warmup(err); {
	case ctx.Err() != nil: // the probe was cut short and says nothing
	case err == nil:
		e.show(PhaseReady, "", "The node is ready.")
		return true
	case warming:
		e.show(PhaseWarming, "", text)
	default:
		e.show(PhaseFailed, ClassAway, e.config.Explain(err))
	}

	return false
}

func (e *External) show(phase Phase, class Class, text string) {
	changed := e.board.update(func(s *State) { s.Phase, s.Class, s.Text = phase, class, text })
	if changed && class != "" {
		e.config.Logger.Warn("Node cannot be asked", "node", e.config.Address, "class", class, "reason", text)
	}
}
