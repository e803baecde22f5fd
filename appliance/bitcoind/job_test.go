package bitcoind

import (
	"context"
	"testing"
	"testing/synctest"
)

// busyService is a unit whose run ends when it is looked at once more, without news,
// and which ends in the states of a list.
type busyService struct {
	Services
	states []ServiceStatus
	starts int
}

func (b *busyService) Start(context.Context, string) (<-chan string, error) {
	b.starts++
	return make(chan string), nil
}

func (b *busyService) Forgive(context.Context, string) error { return nil }

func (b *busyService) Status(context.Context, string) (ServiceStatus, error) {
	s := b.states[0]
	b.states = b.states[1:]
	return s, nil
}

func TestRunService(t *testing.T) {
	busy, idle, failed := ServiceStatus{Active: "activating", Queued: true}, ServiceStatus{Active: "inactive"}, ServiceStatus{Active: "failed"}
	tests := map[string]struct {
		states []ServiceStatus
		starts int
		failed bool
	}{
		"done":              {[]ServiceStatus{idle, busy, idle}, 1, false},
		"failed":            {[]ServiceStatus{idle, busy, failed}, 1, true},
		"of somebody first": {[]ServiceStatus{busy, busy, failed, busy, idle}, 2, false},
		"fails after that":  {[]ServiceStatus{busy, idle, failed}, 2, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := &busyService{states: test.states}
				err := RunService(t.Context(), b, InstallUnit)
				if test.failed != (err != nil) || b.starts != test.starts || len(b.states) > 0 {
					t.Errorf("RunService = %v after %d starts, want failed %v after %d", err, b.starts, test.failed, test.starts)
				}
			})
		})
	}
}
