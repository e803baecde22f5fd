package pool

import (
	"context"
	"time"

	"github.com/dmpool/dmpool/pool/shares"
	"github.com/dmpool/dmpool/pool/stratum"
)

// rememberEvery is how often the difficulties that suit the miners are stored.
const rememberEvery = time.Minute

// recallMiners gives the server what it knew of the miners before the restart.
// Without it they only start a little worse.
func (p *Pool) recallMiners(ctx context.Context) {
	stored, err := p.Shares.LoadMemory(ctx)
	if err != nil {
		p.Logger.Warn("Miners not remembered", "err", err)
	}
	m := stratum.Memory{Clean: stored.Clean, Closed: stored.Closed}
	for _, r := range stored.Rigs {
		m.Rigs = append(m.Rigs, stratum.Rig(r))
	}
	if m.Held, err = p.held().take(); err != nil {
		p.Logger.Warn("Jobs from before the start not taken over", "err", err)
	}
	p.server.Recall(m)
}

func (p *Pool) held() heldFile { return heldFile{p.Dir} }

// rememberMiners stores the difficulties that suit the miners until ctx ends.
func (p *Pool) rememberMiners(ctx context.Context) error {
	ticker := time.NewTicker(rememberEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
			p.saveMemory(ctx, shares.Memory{})
		}
	}
}

// rememberSessions stores the sessions that have been closed, and their jobs, so
// that their miners can take them up after the restart.
func (p *Pool) rememberSessions(ctx context.Context) {
	if err := p.held().write(p.server.Held()); err != nil {
		p.Logger.Warn("Jobs not kept over the restart", "err", err)
	}
	p.saveMemory(ctx, shares.Memory{Clean: true, Closed: p.server.Closed()})
}

func (p *Pool) saveMemory(ctx context.Context, m shares.Memory) {
	for _, r := range p.server.Changed() {
		m.Rigs = append(m.Rigs, shares.Rig(r))
	}
	if !m.Clean && len(m.Rigs) == 0 {
		return
	}
	if err := p.Shares.SaveMemory(ctx, m); err != nil {
		p.Logger.Warn("Miners not stored", "err", err)
	}
}
