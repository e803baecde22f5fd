package bitcoind

import (
	"context"
	"fmt"
	"time"
)

// RunService starts a unit that does one thing and waits until that is done.
func RunService(ctx context.Context, s Services, unit string) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	if err := s.Forgive(ctx, unit); err != nil && ctx.Err() != nil {
		return err
	}
	was, err := s.Status(ctx, unit)
	if err != nil {
		return err
	}
	done, err := s.Start(ctx, unit)
	if err == nil && was.Queued {
		// This has joined a start that was under way, and may have read an earlier wish.
		if _, err = outcome(ctx, s, unit, done, time.Second); err == nil {
			done, err = s.Start(ctx, unit)
		}
	}
	if err != nil {
		return err
	}
	result, err := outcome(ctx, s, unit, done, time.Second)
	switch {
	case err != nil:
		return fmt.Errorf("wait for %s: %w", unit, err)
	case result != "done":
		return fmt.Errorf("%s ended with %q; see: journalctl -u %s", unit, result, unit)
	}
	return nil
}

// outcome waits for the end of a unit's job and returns its result. The news of it is
// lost with the connection to systemd, so the unit is looked at, too.
func outcome(ctx context.Context, s Services, unit string, done <-chan string, every time.Duration) (string, error) {
	look := time.NewTicker(every)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case result := <-done:
			return result, nil
		case <-look.C:
		}
		now, err := s.Status(ctx, unit)
		switch {
		case err != nil, now.Queued: // systemd, or the way to it, may be replaced just now
		case now.Active == "failed":
			return "failed", nil
		default:
			return "done", nil
		}
	}
}

// untold returns the result of a job that is over, also when the news is lost.
func untold(done <-chan string) string {
	select {
	case result := <-done:
		return result
	default:
		return "untold"
	}
}
