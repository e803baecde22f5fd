package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
)

// announcement lets a server learn of a new tip and returns when its time began.
type announcement func(context.Context) (began int64, err error)

// measureEchoTips measures how fast an echo server writes a line to everybody.
func measureEchoTips(ctx context.Context, p plan, f figures) error {
	t, err := startTarget(ctx, "echo", p)
	if err != nil {
		return err
	}
	tell := func(context.Context) (int64, error) {
		r, err := t.ask(command{Do: "tip"})
		return r.Began, err
	}
	err = withCrowds(ctx, t.address, "", p, func(c *crowd) error {
		for _, kind := range []string{"tip", "tip_full"} {
			if err := c.measureTips(ctx, kind, p, f, func() (announcement, error) { return tell, nil }, nil); err != nil {
				return err
			}
		}
		return nil
	})
	return errors.Join(err, t.stop())
}

// measurePoolTips measures a whole pool on a node.
func measurePoolTips(ctx context.Context, p plan, f figures) (err error) {
	dir, err := os.MkdirTemp(p.dir, "stratumbench-node-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	n, err := startChain(ctx, dir)
	if err != nil {
		return fmt.Errorf("start node: %w", err)
	}
	defer func() { err = errors.Join(err, n.stop()) }()
	if err := n.makeCoins(ctx, p.txs); err != nil {
		return fmt.Errorf("make coins: %w", err)
	}
	t, err := startTarget(ctx, "pool", p, "-url", n.config.URL, "-cookie", n.config.CookieFile, "-zmq", n.zmq)
	if err != nil {
		return err
	}
	err = withCrowds(ctx, t.address, account+".", p, func(c *crowd) error {
		if err := c.measureChain(ctx, t, n, "tip", 0, p, f); err != nil {
			return err
		}
		if err := n.spendCoins(ctx); err != nil {
			return fmt.Errorf("fill the mempool: %w", err)
		}
		if err := c.measureChain(ctx, t, n, "tip_full", p.txs, p, f); err != nil {
			return err
		}
		clear, err := n.mine(ctx, withTxs)
		if err == nil {
			_, _, err = c.newTip(ctx, clear)
		}
		return err
	})
	return errors.Join(err, t.stop())
}

// withCrowds measures with the smallest and the largest number of miners.
func withCrowds(ctx context.Context, address, user string, p plan, measure func(*crowd) error) error {
	c, err := newCrowd(address)
	if err != nil {
		return err
	}
	defer c.close()
	c.user = user
	for _, count := range slices.Compact([]int{p.crowds[0], p.crowds[len(p.crowds)-1]}) {
		if err := c.gather(ctx, count); err != nil {
			return err
		}
		if err := measure(c); err != nil {
			return fmt.Errorf("new tip for %d: %w", count, err)
		}
	}
	return nil
}

// measureChain measures tips whose next block has so many transactions.
func (c *crowd) measureChain(ctx context.Context, t *target, n *chain, kind string, txs int, p plan, f figures) error {
	key := fmt.Sprintf("%s_%d", kind, len(c.miners))
	var templates, firsts []int64
	err := c.measureTips(ctx, kind, p, f,
		func() (announcement, error) { return n.mine(ctx, empty) },
		func(first int64) error {
			r, err := t.ask(command{Do: "signal"})
			if err != nil {
				return err
			}
			f[key+"_by_"+strings.ReplaceAll(r.Signal, " ", "_")]++
			templates = append(templates, int64(r.Template))
			firsts = append(firsts, first-r.Seen)
			offered, err := n.client.Template(ctx, "")
			if err == nil && len(offered.Txs) != txs {
				err = fmt.Errorf("the node offers %d transactions instead of %d", len(offered.Txs), txs)
			}
			return err
		})
	f.spread(key+"_seen_to", templates, map[string]float64{"template": .5})
	f.spread(key+"_seen_to", firsts, map[string]float64{"first": .5})
	return err
}

// measureTips announces tips one after the other. Of the repetitions the median
// counts. After each, after learns when the first miner had its job.
func (c *crowd) measureTips(ctx context.Context, kind string, p plan, f figures,
	next func() (announcement, error), after func(first int64) error,
) error {
	runs := map[string][]int64{}
	for range p.tips {
		announce, err := next()
		if err != nil {
			return err
		}
		arrivals, began, err := c.newTip(ctx, announce)
		if err != nil {
			return fmt.Errorf("%s: %w", kind, err)
		}
		slices.Sort(arrivals)
		for name, q := range map[string]float64{"first": 0, "median": .5, "p99": .99, "last": 1} {
			runs[name] = append(runs[name], int64(quantile(arrivals, q)))
		}
		if after == nil {
			continue
		}
		if err := after(began + arrivals[0]); err != nil {
			return err
		}
	}
	for name, values := range runs {
		f.spread(fmt.Sprintf("%s_%d", kind, len(c.miners)), values, map[string]float64{name: .5})
	}
	return nil
}

// newTip returns how long after the beginning each miner got its clean job.
func (c *crowd) newTip(ctx context.Context, announce announcement) (arrivals []int64, began int64, err error) {
	c.onTip = func(at int64) { arrivals = append(arrivals, at) }
	defer func() { c.onTip = nil }()
	type answer struct {
		began int64
		err   error
	}
	told := make(chan answer, 1)
	go func() {
		began, err := announce(ctx)
		told <- answer{began, err}
	}()
	waiting := true
	for deadline := time.Now().Add(patience); waiting || len(arrivals) < len(c.miners); {
		if err := c.poll(10); err != nil {
			return nil, 0, err
		}
		if c.failed > 0 || time.Now().After(deadline) || ctx.Err() != nil {
			return nil, 0, fmt.Errorf("%d of %d miners got the job, %d connections failed", len(arrivals), len(c.miners), c.failed)
		}
		select {
		case a := <-told:
			if a.err != nil {
				return nil, 0, a.err
			}
			began, waiting = a.began, false
		default:
		}
	}
	for i := range arrivals {
		arrivals[i] -= began
	}
	return arrivals, began, nil
}
