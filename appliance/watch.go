package appliance

import (
	"context"
	"time"

	"github.com/dmpool/dmpool/appliance/bitcoind"
	"github.com/dmpool/dmpool/pool"
	"github.com/dmpool/dmpool/pool/node"
	"github.com/dmpool/dmpool/pool/payout"
)

// watchNode tells the others when the node becomes ready again.
func (a *Appliance) watchNode(ctx context.Context) error {
	runner := a.runner.Load()
	last := bitcoind.State{}
	for {
		changed := runner.Changed()
		state := runner.State()
		if state.Phase != last.Phase {
			a.tellNode(string(state.Phase), state.Text)
			if state.Phase == bitcoind.PhaseReady {
				select {
				case a.nodeReady <- struct{}{}:
				default:
				}
				if s := a.schedule.Load(); s != nil {
					s.runNodeJobs()
				}
			}
		}
		last = state
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		}
	}
}

// tellNode tells log and pages that the node got to another phase.
func (a *Appliance) tellNode(phase, text string) {
	a.log.Info("Node", "phase", phase, "text", text)
	a.events.Publish(pool.Event{Kind: "node", At: time.Now(), State: phase, Text: text})
}

// payoutRetry is how often payouts are looked at when nothing wakes them.
const payoutRetry = 5 * time.Second

// followPayouts moves the payouts on with every new block and every approval.
func (a *Appliance) followPayouts(ctx context.Context) error {
	events, cancel := a.events.Subscribe()
	defer func() { cancel() }()
	retry := time.NewTicker(payoutRetry)
	defer retry.Stop()
	problem := ""
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-retry.C:
		case e, ok := <-events:
			if !ok {
				events, cancel = a.events.Subscribe()
			} else if e.Kind != "tip" && (e.Kind != "payout" || e.State != string(payout.Approved)) {
				continue
			}
		}
		err := a.advancePayouts(ctx)
		switch {
		case err == nil:
			problem = ""
		case ctx.Err() == nil && !node.Unavailable(err) && err.Error() != problem:
			problem = err.Error()
			a.log.Warn("Payouts do not move", "err", err)
		}
	}
}
