package pool

import (
	"context"
	"fmt"
)

// Alive returns nil as soon as the parts that miners depend on have answered: the
// loops of the Stratum server, and the one that writes shares. Before Run there is
// nothing to ask.
func (p *Pool) Alive(ctx context.Context) error {
	if !p.began.Load() {
		return nil
	}
	if err := p.server.Alive(ctx); err != nil {
		return err
	}
	if err := p.Shares.Alive(ctx); err != nil {
		return fmt.Errorf("share log: %w", err)
	}
	return nil
}
