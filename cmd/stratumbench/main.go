// Stratumbench measures the Stratum server: how many shares a second it answers,
// how long each takes, what a connection costs, how fast a new block reaches the
// last miner. It prints one line of JSON.
//
// # What runs where
//
// The server under test is a process of its own, pinned to one core: the real
// Stratum server and the real share log on a real disk, so an accepted share is
// durable before its answer. Its job has twelve merkle branches and so low a
// difficulty that every nonce is a share and none a block. Every connection is a
// worker with an account of its own.
// The generator, pinned to another core, drives all connections from one epoll
// loop and sends lines that it made beforehand.
//
// How a new tip spreads is measured on a whole pool with its ledger, watching a
// node of the generator's: a regtest bitcoind when $DMPOOL_BITCOIND names one,
// else the fake of package nodetest. The generator mines a block and submits it.
//
// A bare echo server, which reads a line and writes an answer that it made
// beforehand, is measured in the same way in the same run. Figures drift with the
// machine; their ratio to the echo server's hardly does.
//
// # Measurements
//
//	closed    each connection sends its next share when the last one is answered
//	open      shares at a fixed rate, whatever the answers do; the time counts from when a share was due
//	memory    quiet connections: resident set, and heap and stacks after a collection
//	idle      CPU time with the most connections and nothing to do
//	storm     all connect at once: until the last one has a job
//	tip       from submitblock returning to the first, median, p99 and last clean job, with an empty
//	          mempool, and with 4400 transactions in it (tip_full); less than zero where the node tells of
//	          a block before it answers. seen_to_template and seen_to_first count from the moment at which
//	          the pool saw the first sign of the tip until it had read the template and until the first
//	          clean job; by_… is how often which watcher of the node was first. The echo server has no
//	          node: its time begins when it is told.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"time"
)

// plan is how much is measured.
type plan struct {
	miners   int           // of the closed and the open loop
	loop     time.Duration // of each of them
	warmUp   time.Duration
	rate     int   // shares per second of the open loop
	crowds   []int // numbers of quiet connections, growing
	idle     time.Duration
	tips     int // repetitions
	txs      int // in a full mempool
	profile  string
	loops    bool   // nothing but the closed and the open loop
	dir      string // of the share log
	affinity bool
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "stratumbench:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	flags := flag.NewFlagSet("stratumbench", flag.ContinueOnError)
	serve := flags.String("serve", "", "be a server under test: echo, dmpool or pool")
	var o serveOptions
	flags.IntVar(&o.core, "core", -1, "with -serve: the core to be pinned to")
	flags.StringVar(&o.nodeURL, "url", "", "with -serve pool: address of the node's RPC server")
	flags.StringVar(&o.nodeCookie, "cookie", "", "with -serve pool: the node's cookie file")
	flags.StringVar(&o.nodeZMQ, "zmq", "", "with -serve pool: the node's publisher of block hashes")
	targets := flags.String("targets", "echo,dmpool", "servers to measure, in this order")
	quick := flags.Bool("quick", false, "measure less, in less than 20 seconds")
	rate := flags.Int("rate", 2000, "shares per second of the open loop")
	profile := flags.String("profile", "", "write a CPU profile of dmpool's closed loop to this file")
	loops := flags.Bool("loops", false, "measure the closed and the open loop alone")
	dir := flags.String("dir", os.TempDir(), "directory for the share log: which disk is measured")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *serve != "" {
		o.dir = *dir
		return serveTarget(ctx, *serve, o)
	}

	p := plan{
		miners: 1000, loop: 6 * time.Second, warmUp: time.Second, rate: *rate,
		crowds: []int{1000, 5000, 10_000}, idle: 10 * time.Second, tips: 5, txs: 4400,
		profile: *profile, loops: *loops, dir: *dir, affinity: runtime.NumCPU() > 1,
	}
	if *quick {
		p.loop, p.warmUp = 1500*time.Millisecond, 500*time.Millisecond
		p.crowds, p.idle, p.tips = []int{500, 1000}, time.Second, 2
	}
	if err := raiseFileLimit(p.crowds[len(p.crowds)-1] + 100); err != nil {
		return err
	}
	if p.affinity {
		if err := pin(1); err != nil {
			return err
		}
	}
	results := map[string]figures{}
	for name := range strings.SplitSeq(*targets, ",") {
		f, err := measure(ctx, name, p)
		if err != nil {
			return fmt.Errorf("measure %s: %w", name, err)
		}
		results[name] = f
	}
	return json.NewEncoder(os.Stdout).Encode(report(results, p))
}

// figures are named measurements. Lower is better except for those that end in _per_s.
type figures map[string]float64

// report adds to the figures of each server their ratio to the echo server's.
func report(results map[string]figures, p plan) map[string]any {
	out := map[string]any{
		"node": nodeName(), "cores": runtime.NumCPU(), "pinned": p.affinity, "go": runtime.Version(),
		"connections": p.miners, "rate": p.rate, "at": time.Now().UTC().Format(time.RFC3339),
	}
	for name, f := range results {
		out[name] = rounded(f)
		if echo := results["echo"]; echo != nil && name != "echo" {
			ratio := figures{}
			for key, value := range f {
				if base := echo[key]; base > 0 {
					ratio[key] = value / base
				}
			}
			out[name+"_to_echo"] = rounded(ratio)
		}
	}
	return out
}

// rounded cuts off digits that mean nothing.
func rounded(f figures) figures {
	out := figures{}
	for key, value := range f {
		var short float64
		if _, err := fmt.Sscan(fmt.Sprintf("%.4g", value), &short); err == nil {
			out[key] = short
		}
	}
	return out
}

// measure runs all measurements of one server.
func measure(ctx context.Context, name string, p plan) (figures, error) {
	f := figures{}
	parts := []func(context.Context, *target, plan, figures) error{measureLoops, measureCrowds}
	if p.loops {
		parts = parts[:1]
	}
	for _, part := range parts {
		t, err := startTarget(ctx, name, p)
		if err != nil {
			return nil, err
		}
		if err := errors.Join(part(ctx, t, p, f), t.stop()); err != nil {
			return nil, err
		}
	}
	if p.loops {
		return f, nil
	}
	if name == "echo" {
		return f, measureEchoTips(ctx, p, f)
	}
	return f, measurePoolTips(ctx, p, f)
}

// quantile returns the value below which a part q of the sorted values lies.
func quantile(sorted []int64, q float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	return float64(sorted[min(int(q*float64(len(sorted))), len(sorted)-1)])
}

// spread stores median, p99, p99.9 or others of nanoseconds as milliseconds.
func (f figures) spread(prefix string, values []int64, points map[string]float64) {
	slices.Sort(values)
	for name, q := range points {
		f[prefix+"_"+name+"_ms"] = quantile(values, q) / 1e6
	}
}
