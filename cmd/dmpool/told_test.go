package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// countdown is a context that ends when it was asked a number of times.
type countdown struct {
	context.Context
	end  context.CancelFunc
	left atomic.Int64
}

func (c *countdown) Done() <-chan struct{} {
	if c.left.Add(-1) == 0 {
		c.end()
	}
	return c.Context.Done()
}

// Whatever a box is doing at its start when it is told to stop: it ends well and
// says nothing. What ends none of the starts is stopped after a second.
func TestToldToStopAtStart(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "box")
	answers := strings.NewReader(`{"operator": {"password": "Correct horse 7"}}`)
	if code := run(t.Context(), []string{"setup", "--data-dir", dir, "--answers", "-"}, answers, io.Discard, t.Output()); code != 0 {
		t.Fatalf("setup: code %d", code)
	}
	t.Setenv("PATH", "") // a box that is up waits for a node
	for asked := int64(1); asked <= 128; asked += asked/4 + 1 {
		for _, box := range []string{dir, filepath.Join(t.TempDir(), "new")} {
			ctx := &countdown{}
			ctx.Context, ctx.end = context.WithCancel(t.Context())
			ctx.left.Store(asked)
			late := time.AfterFunc(time.Second, ctx.end)
			var said strings.Builder
			code := run(ctx, []string{"serve", "--data-dir", box, "--http", "127.0.0.1:0", "--stratum", "127.0.0.1:0", "--log-level", "error"}, nil, io.Discard, &said)
			late.Stop()
			ctx.end()
			if code != 0 || said.Len() > 0 {
				t.Errorf("told to stop at the %dth look: code %d, %s", asked, code, &said)
			}
		}
	}
}

// Only what says nothing but that is hidden.
func TestOnlyEnded(t *testing.T) {
	ended := fmt.Errorf("read setting: %w", context.Canceled)
	other := errors.New("disk full")
	for _, c := range []struct {
		name string
		err  error
		want bool
	}{
		{"ended", ended, true},
		{"ended twice", fmt.Errorf("open: %w", errors.Join(ended, context.Canceled)), true},
		{"something else", other, false},
		{"something else, too", errors.Join(ended, other), false},
		{"something else deep down", fmt.Errorf("open: %w", errors.Join(ended, fmt.Errorf("close: %w", errors.Join(ended, other)))), false},
	} {
		if got := onlyEnded(c.err); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}
