//go:build nspawn

package main

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dmpool/dmpool/pool/stratum/minersim"
)

// checkRestart restarts the pool while fifty miners mine and others knock without
// a pause at the ports of miners and pages: nobody is refused, every miner comes
// back to its session, and what it had found meanwhile counts.
func checkRestart(t *testing.T) {
	const miners = 50
	profile := minersim.Profiles()[0]
	for _, p := range minersim.Profiles() {
		if strings.HasPrefix(p.Name, "cpuminer") { // it takes small difficulties, and asks for its session again
			profile = p
		}
	}
	profile.Retry = 100 * time.Millisecond
	var refused atomic.Int64
	dial := func(ctx context.Context, addr string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
		if err != nil && ctx.Err() == nil {
			refused.Add(1)
		}
		return conn, err
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var group sync.WaitGroup
	devices := make([]*minersim.Device, miners)
	for i := range devices {
		devices[i] = &minersim.Device{
			Profile: profile, User: fmt.Sprintf("tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx.rig%d", i),
			Password: "d=0.00001", Hashrate: 8000, Patience: 50, // a share in about five seconds
			Dial: func(ctx context.Context) (net.Conn, error) { return dial(ctx, "127.0.0.1:3333") },
		}
		group.Go(func() {
			if err := devices[i].Run(ctx); err != nil && ctx.Err() == nil {
				t.Errorf("miner %d: %v", i, err)
			}
		})
	}
	accepted := func(than []uint64) bool {
		for i, d := range devices {
			if d.Stats().Accepted <= than[i] {
				return false
			}
		}
		return true
	}
	waitFor(t, "each miner has a share accepted", func() bool { return accepted(make([]uint64, miners)) })

	var knocks atomic.Int64
	knocking, rest := context.WithCancel(ctx)
	for _, addr := range []string{"127.0.0.1:3333", "127.0.0.1:8080", "127.0.0.1:8443"} {
		group.Go(func() {
			for knocking.Err() == nil {
				if conn, err := dial(knocking, addr); err == nil {
					knocks.Add(1)
					_ = conn.Close()
				}
				time.Sleep(5 * time.Millisecond)
			}
		})
	}
	before := make([]uint64, miners)
	for range 2 {
		for i, d := range devices {
			before[i] = d.Stats().Accepted
		}
		begun := time.Now()
		command(t, "systemctl", "restart", "dmpool.service")
		waitFor(t, "each miner goes on", func() bool { return accepted(before) })
		t.Logf("restart to the last miner's next share: %s", time.Since(begun).Round(10*time.Millisecond))
	}
	rest()
	cancel()
	group.Wait()
	rejected := map[string]uint64{}
	for i, d := range devices {
		s := d.Stats()
		if s.Connections < 3 {
			t.Errorf("miner %d had %d connections through two restarts", i, s.Connections)
		}
		for why, n := range s.Rejected {
			rejected[why] += n
		}
	}
	for why := range rejected {
		// A new job may come between a share and its way; a session that is not its own any more may not.
		if !strings.Contains(strings.ToLower(why), "stale") && !strings.Contains(strings.ToLower(why), "job not found") {
			t.Errorf("shares were rejected: %v", rejected)
		}
	}
	t.Logf("%d knocks, %d refused, rejected shares %v", knocks.Load(), refused.Load(), rejected)
	if refused.Load() > 0 || knocks.Load() < 100 {
		t.Errorf("%d of %d connections were refused", refused.Load(), knocks.Load())
	}
}

// checkStop sees that a pool that is stopped stays stopped, its ports with it,
// whoever knocks; and that it feeds its watchdog while it runs.
func checkStop(t *testing.T) {
	if got := property(t, "dmpool.service", "WatchdogTimestamp"); got == "" {
		t.Error("the pool does not feed its watchdog")
	}
	if got := property(t, "dmpool.service", "StatusText"); !strings.Contains(got, "practice") {
		t.Errorf("the status line is %q", got)
	}
	command(t, "systemctl", "stop", "dmpool.service")
	waitFor(t, "the ports are closed", func() bool {
		return property(t, "dmpool-stratum.socket", "ActiveState") == "inactive" && property(t, "dmpool-http.socket", "ActiveState") == "inactive"
	})
	if conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", "127.0.0.1:3333"); err == nil {
		_ = conn.Close()
		t.Error("the port of a pool that was stopped is open")
	}
	if got := property(t, "dmpool.service", "ActiveState"); got != "inactive" {
		t.Errorf("the pool that was stopped is %s", got)
	}
}
