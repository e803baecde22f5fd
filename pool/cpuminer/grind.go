package cpuminer

import "context"

// grind is one thread: it looks at the board for a task and works on it until
// there is another or ctx ends.
func (m *Miner) grind(ctx context.Context) {
	h := newHasher()
	for ctx.Err() == nil {
		t, changed := m.board.look()
		for t != nil && m.workOn(ctx, h, t) {
		}
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
}

// workOn works through one unit of a task. It returns false when the thread
// should look at the board again.
func (m *Miner) workOn(ctx context.Context, h *hasher, t *task) bool {
	header, extranonce2, nonce, ok := t.unit(t.units.Add(1) - 1)
	if !ok {
		return false
	}
	h.start(&header)
	for left := unitNonces; left > 0; {
		if t.replaced.Load() || ctx.Err() != nil {
			return false
		}
		n := min(m.chunk, left)
		if m.limiter != nil && m.limiter.WaitN(ctx, n) != nil {
			return false
		}
		for range n {
			if meets(h.hash(nonce), &t.target) {
				select {
				case t.found <- solution{t, extranonce2, nonce}:
				case <-t.ended:
					return false
				}
			}
			nonce++
		}
		m.hashes.Add(uint64(n))
		left -= n
	}
	return true
}
