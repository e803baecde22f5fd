package shares

import "context"

// Alive returns nil as soon as Run has come round once more, which it does not
// while the database holds it up: at least every half minute it writes there even
// when nobody mines. It returns the end of ctx otherwise, and nil when Run has ended.
func (l *Log) Alive(ctx context.Context) error {
	l.mu.Lock()
	done := l.pending.done
	l.mu.Unlock()
	l.rouse()

	select {
	case <-done:
		return nil
	case <-l.ended:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
