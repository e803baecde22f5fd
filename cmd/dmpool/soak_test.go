//go:build e2e && soak

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/dmpool/dmpool/pool/cpuminer"
	"github.com/dmpool/dmpool/pool/stratum/minersim"
)

const (
	soakAddress = "tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx"
	// Devices that know only whole difficulties get the practice chain's own,
	// 4.8 million hashes for a share; the others get what suits them.
	soakHashrate     = 60_000
	soakSlowHashrate = 30_000
	// soakTicket is above the chain's difficulty as every real chip's is.
	soakTicket = 0.0012
)

// TestSoak lets everything that speaks Stratum V1 mine side by side at a real
// pool on the practice chain, whose own two miners find about one block a
// second, for $DURATION: all simulated devices, the CPU miner, and a client
// from npm where there is one.
func TestSoak(t *testing.T) {
	bitcoind := needed(t, "DMPOOL_BITCOIND")
	duration := 10 * time.Minute
	if text := os.Getenv("DURATION"); text != "" {
		var err error
		if duration, err = time.ParseDuration(text); err != nil {
			t.Fatalf("DURATION: %v", err)
		}
	}
	d := startDemo(t, buildProgram(t), t.TempDir(), bitcoind)
	d.await("first-block", 2*time.Minute)
	pool, err := url.Parse(d.stratum)
	if err != nil {
		t.Fatal(err)
	}

	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var running sync.WaitGroup
	devices := soakDevices(pool.Host)
	faults := make([]error, len(devices))
	for i, device := range devices {
		running.Go(func() { faults[i] = device.Run(ctx) })
	}
	own := startCPUMiner(t, ctx, &running, d.stratum)
	foreign := startForeignMiner(t, ctx, &running, pool)
	start := time.Now()
	soakFor(t, d, duration)
	stop()
	running.Wait()

	var rows []soakRow
	for i, device := range devices {
		s := device.Stats()
		if faults[i] != nil {
			t.Error(faults[i])
		}
		if device.Profile.Visit == minersim.Stay && s.Connections != 1 {
			t.Errorf("%s connected %d times", device.Profile.Name, s.Connections)
		}
		rows = append(rows, soakRow{device.Profile.Name, s.Accepted, s.Rejected, s.Jobs, s.Connections})
	}
	rows = append(rows, own(), foreign())
	report(t, rows, time.Since(start))
	everybodyHadWork(t, d, devices)
	d.stop(t)
}

// soakDevices returns one device of each kind.
func soakDevices(pool string) (devices []*minersim.Device) {
	dial := func(ctx context.Context) (net.Conn, error) {
		var dialer net.Dialer
		return dialer.DialContext(ctx, "tcp", pool)
	}
	for _, profile := range minersim.Profiles() {
		name := strings.Map(func(r rune) rune {
			if r == ' ' || r == '(' || r == ')' || r == '+' {
				return -1
			}
			return r
		}, profile.Name)
		device := &minersim.Device{
			Profile: profile, Dial: dial, User: soakAddress + "." + name, Password: "x",
			Hashrate: soakHashrate, Ticket: soakTicket, Patience: 4,
		}
		if strings.HasPrefix(profile.Name, "NerdMiner") || strings.HasPrefix(profile.Name, "cpuminer") {
			device.Hashrate = soakSlowHashrate
		}
		devices = append(devices, device)
	}
	return devices
}

// soakFor waits, and says every half a minute that it still does.
func soakFor(t *testing.T, d *demoProcess, duration time.Duration) {
	t.Helper()
	end := time.After(duration)
	tick := time.NewTicker(30 * time.Second)
	defer tick.Stop()
	for {
		select {
		case <-end:
			return
		case <-tick.C:
			t.Log("mining")
		case err := <-d.ended:
			t.Fatalf("the demo ended: %v", err)
		}
	}
}

// startCPUMiner runs our own miner and returns what it has to report.
func startCPUMiner(t *testing.T, ctx context.Context, running *sync.WaitGroup, pool string) func() soakRow {
	t.Helper()
	row := soakRow{name: "DMPool cpuminer", rejected: map[string]uint64{}}
	var mu sync.Mutex
	miner, err := cpuminer.New(cpuminer.Config{
		URL: pool, User: soakAddress + ".own", Password: "d=0.00003", Threads: 1, MaxHashrate: soakSlowHashrate,
		Logger: slog.New(slog.DiscardHandler),
		OnShare: func(accepted bool, reason string) {
			mu.Lock()
			defer mu.Unlock()
			if accepted {
				row.accepted++
				return
			}
			row.rejected[reason]++
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	running.Go(func() { _ = miner.Run(ctx) })
	return func() soakRow { return row }
}

// startForeignMiner runs the client from npm in the same way. Without npm its
// row says so.
func startForeignMiner(t *testing.T, ctx context.Context, running *sync.WaitGroup, pool *url.URL) func() soakRow {
	t.Helper()
	dir := t.TempDir()
	install := exec.CommandContext(ctx, "npm", "install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts", "stratum-client@1.1.0")
	install.Dir = dir
	if out, err := install.CombinedOutput(); err != nil {
		t.Logf("stratum-client from npm is not to be had: %v\n%s", err, out)
		return func() soakRow { return soakRow{name: "npm stratum-client (absent)"} }
	}
	cmd := exec.CommandContext(ctx, "node", filepath.Join("testdata", "stratum-client", "miner.cjs"),
		pool.Hostname(), pool.Port(), soakAddress+".npm", "d=0.00003", fmt.Sprint(soakSlowHashrate))
	cmd.Env = append(os.Environ(), "NODE_PATH="+filepath.Join(dir, "node_modules"))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	row := soakRow{name: "npm stratum-client"}
	running.Go(func() {
		for lines := bufio.NewScanner(out); lines.Scan(); {
			var counts struct {
				Accepted uint64
				Rejected map[string]uint64
				Jobs     int
			}
			if err := json.Unmarshal(lines.Bytes(), &counts); err == nil {
				row.accepted, row.rejected, row.jobs = counts.Accepted, counts.Rejected, counts.Jobs
			}
		}
		_ = cmd.Wait() // it was killed
	})
	return func() soakRow { return row }
}

// soakRow is what one miner has to report.
type soakRow struct {
	name     string
	accepted uint64
	rejected map[string]uint64
	jobs     int
	visits   int
}

// report prints the table and counts the rejected shares of all.
func report(t *testing.T, rows []soakRow, duration time.Duration) {
	t.Helper()
	var table strings.Builder
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "device\taccepted\trejected\tper minute\tjobs\tconnections\tby reason\t")
	var accepted, rejected uint64
	for _, r := range rows {
		var refused uint64
		var reasons []string
		for _, reason := range slices.Sorted(maps.Keys(r.rejected)) {
			refused += r.rejected[reason]
			reasons = append(reasons, fmt.Sprintf("%s %d", reason, r.rejected[reason]))
		}
		accepted, rejected = accepted+r.accepted, rejected+refused
		fmt.Fprintf(w, "%s\t%d\t%d\t%.1f\t%d\t%d\t%s\t\n", r.name, r.accepted, refused,
			float64(r.accepted)/duration.Minutes(), r.jobs, r.visits, strings.Join(reasons, ", "))
	}
	fmt.Fprintf(w, "all\t%d\t%d\t%.1f\t\t\t\t\n", accepted, rejected, float64(accepted)/duration.Minutes())
	_ = w.Flush()
	t.Logf("side by side for %v:\n%s", duration.Round(time.Second), &table)
	if 1000*rejected >= 5*(accepted+rejected) {
		t.Errorf("%d of %d shares were rejected, want less than 0.5 %%", rejected, accepted+rejected)
	}
}

// everybodyHadWork compares the previous blocks of each device's jobs with the
// chain: from its first job to its last one no device may miss a block that
// another one got work on.
func everybodyHadWork(t *testing.T, d *demoProcess, devices []*minersim.Device) {
	t.Helper()
	height := heights(t, d)
	offered := map[int32]bool{} // heights that somebody had work on
	tips := make([][]int32, len(devices))
	for i, device := range devices {
		for _, tip := range device.Stats().Tips {
			if h, ok := height[tip]; ok {
				offered[h] = true
				tips[i] = append(tips[i], h)
			}
		}
	}
	all := slices.Sorted(maps.Keys(offered))
	if len(all) < 10 {
		t.Fatalf("work on %d blocks only", len(all))
	}
	t.Logf("work on %d of the %d blocks from %d to %d", len(all), all[len(all)-1]-all[0]+1, all[0], all[len(all)-1])
	for i, device := range devices {
		if device.Profile.Visit != minersim.Stay {
			continue
		}
		// The first and the last few may have come before it connected, and
		// after it was stopped.
		var missed []int32
		for _, h := range all[5 : len(all)-2] {
			if !slices.Contains(tips[i], h) {
				missed = append(missed, h)
			}
		}
		if len(missed) > 0 {
			t.Errorf("%s had no work on %d blocks: %v", device.Profile.Name, len(missed), missed)
		}
	}
}

// heights returns the chain's blocks.
func heights(t *testing.T, d *demoProcess) map[[32]byte]int32 {
	t.Helper()
	client := nodeOf(t, d.box)
	info, err := client.BlockchainInfo(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	list := make(map[[32]byte]int32)
	for h := range info.Blocks + 1 {
		hash, err := client.BlockHash(t.Context(), h)
		if err != nil {
			t.Fatal(err)
		}
		list[hash] = h
	}
	return list
}
