package appliance

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// part is something without which the box does not do what it is for, and which
// answers only while its own loop goes round.
type part struct {
	name string
	ask  func(ctx context.Context) error
}

// watchdog feeds the service manager's watchdog (sd_watchdog_enabled(3)) as long
// as all parts answer. A part that answers with an error is alive: a full disk is
// told of elsewhere, and a restart would not empty it but cost the miners their
// connections. Silence is what a restart is for.
type watchdog struct {
	period time.Duration // in which it must be fed; 0: there is none
	tell   func(state string)
	log    *slog.Logger
}

// newWatchdog reads what the service manager asks for.
func newWatchdog(log *slog.Logger) watchdog {
	period, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		log.Warn("The service manager's watchdog is not understood", "err", err)
	}
	return watchdog{period: period, tell: func(state string) { tellSystemd(log, state) }, log: log}
}

// statusEvery is how often the service's status line is looked at without a watchdog.
const statusEvery = 15 * time.Second

// run asks the parts and feeds until ctx ends. With each round it tells the status
// line, if that is another one. A round takes half the period at most, and begins a
// quarter after the last, so that an answer is never too late by the asking.
func (w watchdog) run(ctx context.Context, parts func() []part, status func() string) {
	every := w.period / 4
	if w.period <= 0 {
		every = statusEvery
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	said := ""
	for {
		if line := status(); line != said {
			said = line
			w.tell("STATUS=" + line)
		}
		if w.period > 0 && w.answered(ctx, parts()) {
			w.tell(daemon.SdNotifyWatchdog)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// answered tells whether every part answers in time.
func (w watchdog) answered(ctx context.Context, parts []part) bool {
	ctx, cancel := context.WithTimeout(ctx, w.period/2)
	defer cancel()
	silent := make([]bool, len(parts))
	var all sync.WaitGroup
	for i, p := range parts {
		all.Go(func() { silent[i] = !answers(ctx, p) })
	}
	all.Wait()
	if errors.Is(ctx.Err(), context.Canceled) {
		return false // the box stops
	}
	for i, p := range parts {
		if silent[i] {
			w.log.Error("A part of the pool does not answer; systemd restarts the pool if this lasts", "part", p.name, "waited", w.period/2)
		}
	}
	return !slices.Contains(silent, true)
}

// answers asks one part. What is stuck does not look at its context, so nobody
// waits for it here; the end of this process ends it.
func answers(ctx context.Context, p part) bool {
	said := make(chan error, 1)
	go func() { said <- p.ask(ctx) }()
	select {
	case err := <-said:
		return err == nil || ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

// vitalParts are the parts that must answer now: the ledger always, with a write, and
// the pool's loops once it runs.
func (a *Appliance) vitalParts() []part {
	parts := []part{{"ledger", a.db.Touch}}
	if p := a.pool.Load(); p != nil {
		parts = append(parts, part{"pool", p.Alive})
	}
	return parts
}

// statusLine is what `systemctl status` shows, in plain words.
func (a *Appliance) statusLine() string {
	p := a.pool.Load()
	if p == nil {
		if now := time.Now(); a.clockUnset(now) {
			text, next := clockText(now)
			return text + " " + next
		}
		if core := a.Core(); core.Text != "" {
			return core.Text
		}
		return "The pages are open; the node is being prepared."
	}
	s := p.Status()
	if !s.Serving {
		return fmt.Sprintf("Miners connected: %d. They get no new work: %s.", len(s.Sessions), s.Reason)
	}
	return fmt.Sprintf("Miners connected: %d. Working on block %d, network %s.", len(s.Sessions), s.Height+1, a.network)
}
