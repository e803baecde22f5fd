// Package systemd asks the service manager for what the box needs of it: units
// started and stopped, and how they are. What this user may ask for is not decided
// here but by the rules of polkit that came with the package.
package systemd

import (
	"context"
	"encoding/hex"
	"fmt"
	"sync"

	"github.com/coreos/go-systemd/v22/dbus"

	"github.com/dmpool/dmpool/appliance/bitcoind"
)

// Bus is a connection to systemd over the system's D-Bus, made when it is needed
// and made again when it was lost. The zero value is ready. Safe for concurrent
// use.
type Bus struct {
	mu   sync.Mutex
	conn *dbus.Conn
}

var _ bitcoind.Services = (*Bus)(nil)

// connection returns the connection that there is, or a new one.
func (b *Bus) connection(ctx context.Context) (*dbus.Conn, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.conn != nil && b.conn.Connected() {
		return b.conn, nil
	}
	b.drop()
	// It outlives the call for which it is made.
	conn, err := dbus.NewSystemConnectionContext(context.WithoutCancel(ctx))
	if err != nil {
		return nil, fmt.Errorf("connect to systemd: %w", err)
	}
	b.conn = conn
	return conn, nil
}

func (b *Bus) drop() {
	if b.conn != nil {
		b.conn.Close()
		b.conn = nil
	}
}

// Close ends the connection.
func (b *Bus) Close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.drop()
}

// Start has a unit started. The channel gets the result of the job, "done" when
// it went well.
func (b *Bus) Start(ctx context.Context, unit string) (<-chan string, error) {
	conn, err := b.connection(ctx)
	if err != nil {
		return nil, err
	}
	done := make(chan string, 1)
	if _, err := conn.StartUnitContext(ctx, unit, "replace", done); err != nil {
		return nil, fmt.Errorf("start %s: %w", unit, err)
	}
	return done, nil
}

// Stop has a unit stopped, see [Bus.Start].
func (b *Bus) Stop(ctx context.Context, unit string) (<-chan string, error) {
	conn, err := b.connection(ctx)
	if err != nil {
		return nil, err
	}
	done := make(chan string, 1)
	if _, err := conn.StopUnitContext(ctx, unit, "replace", done); err != nil {
		return nil, fmt.Errorf("stop %s: %w", unit, err)
	}
	return done, nil
}

// Forgive forgets the failures of a unit.
func (b *Bus) Forgive(ctx context.Context, unit string) error {
	conn, err := b.connection(ctx)
	if err != nil {
		return err
	}
	if err := conn.ResetFailedUnitContext(ctx, unit); err != nil {
		return fmt.Errorf("reset %s: %w", unit, err)
	}
	return nil
}

// Status tells how a unit is; one that was never started is inactive.
func (b *Bus) Status(ctx context.Context, unit string) (s bitcoind.ServiceStatus, err error) {
	conn, err := b.connection(ctx)
	if err != nil {
		return s, err
	}
	all, err := conn.GetAllPropertiesContext(ctx, unit)
	if err != nil {
		return s, fmt.Errorf("look at %s: %w", unit, err)
	}
	if loaded, _ := all["LoadState"].(string); loaded != "loaded" {
		return s, fmt.Errorf("look at %s: this machine has no such unit (%s)", unit, loaded)
	}
	s.Active, _ = all["ActiveState"].(string)
	s.Sub, _ = all["SubState"].(string)
	s.Text, _ = all["StatusText"].(string)
	id, _ := all["InvocationID"].([]byte)
	s.Invocation = hex.EncodeToString(id)
	pid, _ := all["MainPID"].(uint32)
	s.PID = int(pid)
	if job, _ := all["Job"].([]any); len(job) > 0 { // its number and its path
		number, _ := job[0].(uint32)
		s.Queued = number != 0
	}
	return s, nil
}
