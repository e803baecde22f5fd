package bitcoind

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

// A node of somebody else goes through its phases as its answers say, and is left
// alone in the end.
func TestExternalFollowsAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		warm := errors.New("Loading block index…")
		var answer atomic.Pointer[error]
		say := func(err error) { answer.Store(&err) }
		e := NewExternal(ExternalConfig{
			Address: "http://10.0.0.7:8332",
			Probe:   func(context.Context) error { return *answer.Load() },
			Warmup:  func(err error) (string, bool) { return warm.Error(), errors.Is(err, warm) },
			Explain: func(err error) string { return "Trouble: " + err.Error() },
			Logger:  slog.New(slog.DiscardHandler),
		})
		say(errors.New("no route"))
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- e.Run(ctx) }()

		for _, step := range []struct {
			say  error
			want State
		}{
			{errors.New("no route"), State{Phase: PhaseFailed, Class: ClassAway, Text: "Trouble: no route"}},
			{warm, State{Phase: PhaseWarming, Text: warm.Error()}},
			{nil, State{Phase: PhaseReady, Text: "The node is ready."}},
			{errors.New("gone"), State{Phase: PhaseFailed, Class: ClassAway, Text: "Trouble: gone"}},
			{nil, State{Phase: PhaseReady, Text: "The node is ready."}},
		} {
			say(step.say)
			sleep(t.Context(), 2*e.config.RetryEvery)
			synctest.Wait()
			got := e.State()
			got.Since = step.want.Since
			if got != step.want {
				t.Errorf("after %v: %+v, want %+v", step.say, got, step.want)
			}
		}
		if log := strings.Join(e.Log(), " "); !strings.Contains(log, "http://10.0.0.7:8332") {
			t.Errorf("the log does not say where it is: %s", log)
		}

		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run() = %v", err)
		}
		if s := e.State(); s.Phase != PhaseAbsent || !strings.Contains(s.Text, "runs on") {
			t.Errorf("in the end: %+v", s)
		}
	})
}

func TestExternalNeedsProbe(t *testing.T) {
	if err := NewExternal(ExternalConfig{}).Run(t.Context()); err == nil {
		t.Error("Run() without Probe began")
	}
}
