package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"time"

	"github.com/dmpool/dmpool/pool/cpuminer"
)

// miner mines with the processor, at any Stratum V1 pool.
func miner(ctx context.Context, c *cli) error {
	url := c.flags.String("o", "", "pool, as stratum+tcp://HOST:PORT")
	user := c.flags.String("u", "", "user, as ADDRESS.WORKER")
	password := c.flags.String("p", "x", "password")
	threads := c.flags.Int("t", runtime.NumCPU(), "threads")
	limit := c.flags.Float64("max-hashrate", 0, "most hashes per second of all threads together, 0: no limit")
	if err := c.parse(); err != nil {
		return err
	}
	if *url == "" || *user == "" {
		return errors.New("miner needs -o stratum+tcp://HOST:PORT and -u ADDRESS.WORKER")
	}
	m, err := cpuminer.New(cpuminer.Config{
		URL: *url, User: *user, Password: *password, Threads: *threads, MaxHashrate: *limit,
		Logger: slog.New(slog.NewTextHandler(c.stderr, nil)),
	})
	if err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- m.Run(ctx) }()
	tick := time.NewTicker(10 * time.Second)
	defer tick.Stop()
	for {
		select {
		case err := <-ended:
			if ctx.Err() != nil {
				return nil
			}
			return err
		case <-tick.C:
			s := m.Stats()
			fmt.Fprintf(c.stdout, "%.2f MH/s, %d accepted, %d rejected\n", s.Hashrate/1e6, s.Accepted, s.Rejected)
		}
	}
}
