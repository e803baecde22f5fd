package webui

import (
	"context"
	"time"

	"github.com/dmpool/dmpool/appliance/metrics"
)

// told is what a monitor was told last.
type told struct {
	figures metrics.Snapshot
	err     error
}

// monitorPatience is less than the ten seconds after which Prometheus hangs up.
const monitorPatience = 8 * time.Second

// Measures asks once for all monitors of a second.
func (m *machine) Measures() (metrics.Snapshot, error) {
	v := m.told.get(nodeTTL, func() told {
		ctx, cancel := context.WithTimeout(context.Background(), monitorPatience)
		defer cancel()
		figures, err := m.box.Metrics(ctx)
		return told{figures, err}
	})
	return v.figures, v.err
}
