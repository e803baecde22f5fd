//go:build nspawn

package main

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/dmpool/dmpool/pool/stratum/minersim"
)

// checkRestart restarts the pool while fifty miners mine and others knock without
// a pause at the ports of miners and pages: nobody is refused, every miner comes
// back to its session, and what it had found meanwhile counts.
func checkRestart(t *testing.T) {
	const stratum = "127.0.0.1:3333"
	crowd := minersim.NewCrowd(stratum, "tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx", 50)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- crowd.Run(ctx, stratum, "127.0.0.1:8080", "127.0.0.1:8443") }()
	waitFor(t, "each miner has a share accepted", func() bool { return crowd.GoesOn(make([]uint64, 50)) })
	for range 2 {
		before, begun := crowd.Accepted(), time.Now()
		command(t, "systemctl", "restart", "dmpool.service")
		waitFor(t, "each miner goes on", func() bool { return crowd.GoesOn(before) })
		t.Logf("restart to the last miner's next share: %s", time.Since(begun).Round(10*time.Millisecond))
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	e := crowd.Experience()
	t.Logf("%+v", e)
	if e.Refused > 0 || e.Knocks < 100 || e.FewestConnections < 3 || len(e.Rejected) > 0 {
		t.Errorf("through two restarts: %+v", e)
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
