package main

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// patience is how long a measurement waits for what must come.
const patience = 20 * time.Second

// gather connects miners until there are count and all have a job. Not too many
// knock at once: how a server takes that is a measurement of its own.
func (c *crowd) gather(ctx context.Context, count int) error {
	deadline := now() + int64(patience)
	for c.working < count {
		for range min(64, count-len(c.miners)) {
			if len(c.miners)-c.working >= 256 {
				break
			}
			if err := c.connect(); err != nil {
				return err
			}
		}
		if err := c.poll(10); err != nil {
			return err
		}
		if c.failed > 0 || now() > deadline || ctx.Err() != nil {
			return fmt.Errorf("%d of %d miners have work, %d connections failed", c.working, count, c.failed)
		}
	}
	return nil
}

// measureLoops measures shares: as many as possible, and at a fixed rate.
func measureLoops(ctx context.Context, t *target, p plan, f figures) error {
	c, err := newCrowd(t.address)
	if err != nil {
		return err
	}
	defer c.close()
	if err := c.gather(ctx, p.miners); err != nil {
		return err
	}
	if err := c.closedLoop(ctx, t, p, f); err != nil {
		return fmt.Errorf("closed loop: %w", err)
	}
	if err := c.openLoop(ctx, p, f); err != nil {
		return fmt.Errorf("open loop: %w", err)
	}
	f["rejected"] = float64(c.rejected)
	r, err := t.ask(command{Do: "accepted"})
	if err == nil && r.Accepted != c.accepted {
		err = fmt.Errorf("the server accepted %d shares and answered %d", r.Accepted, c.accepted)
	}
	return err
}

// closedLoop lets each miner send a share when its last one is answered.
func (c *crowd) closedLoop(ctx context.Context, t *target, p plan, f figures) error {
	latencies := make([]int64, 0, 4<<20)
	sending := true
	c.onAnswer = func(m *miner, at int64) {
		latencies = append(latencies, at-m.due[0])
		m.due = m.due[:0]
		if sending {
			c.submit(m, at)
		}
	}
	for _, m := range c.miners {
		c.submit(m, now())
	}
	if err := c.runUntil(ctx, now()+int64(p.warmUp)); err != nil {
		return err
	}
	latencies = latencies[:0]
	if p.profile != "" {
		if _, err := t.ask(command{Do: "profile", Profile: p.profile}); err != nil {
			return err
		}
	}
	used, err := cpuTime(t.pid)
	if err != nil {
		return err
	}
	began, before := now(), c.accepted
	if err := c.runUntil(ctx, began+int64(p.loop)); err != nil {
		return err
	}
	elapsed, count := now()-began, float64(c.accepted-before)
	usedNow, err := cpuTime(t.pid)
	if err != nil {
		return err
	}
	if p.profile != "" {
		if _, err := t.ask(command{Do: "profile-end"}); err != nil {
			return err
		}
	}
	f["closed_per_s"] = count / time.Duration(elapsed).Seconds()
	f["closed_cpu_us"] = float64((usedNow - used).Microseconds()) / count
	f["closed_cpu_share"] = float64(usedNow-used) / float64(elapsed)
	f.spread("closed", latencies, map[string]float64{"p50": .5, "p99": .99, "p999": .999})

	sending = false
	return c.drain(ctx)
}

// submit sends the miner's next share, which was due at this time.
func (c *crowd) submit(m *miner, due int64) {
	m.due = append(m.due, due)
	c.write(m, m.next())
}

func (c *crowd) runUntil(ctx context.Context, end int64) error {
	for now() < end {
		if err := c.poll(10); err != nil {
			return err
		}
		if c.failed > 0 || ctx.Err() != nil {
			return fmt.Errorf("%d connections failed", c.failed)
		}
	}
	return nil
}

// drain waits until no share is under way.
func (c *crowd) drain(ctx context.Context) error {
	busy := func(m *miner) bool { return len(m.due) > 0 }
	for deadline := now() + int64(patience); slices.ContainsFunc(c.miners, busy); {
		if err := c.poll(10); err != nil {
			return err
		}
		if now() > deadline || ctx.Err() != nil {
			return fmt.Errorf("some shares were never answered")
		}
	}
	return nil
}

// openLoop sends shares at a fixed rate, miner after miner. A share's time
// counts from when it was due, so that a server which stands still is not
// spared the shares that nobody could send meanwhile.
func (c *crowd) openLoop(ctx context.Context, p plan, f figures) error {
	latencies := make([]int64, 0, p.rate*int(p.loop/time.Second+1))
	c.onAnswer = func(m *miner, at int64) {
		latencies = append(latencies, at-m.due[0])
		m.due = m.due[:copy(m.due, m.due[1:])]
	}
	interval := int64(time.Second) / int64(p.rate)
	began := now()
	next, end := began, began+int64(p.loop)
	for i := 0; next < end; {
		for ; next <= now(); next += interval {
			c.submit(c.miners[i%len(c.miners)], next)
			i++
		}
		if err := c.poll(0); err != nil { // a core of its own: it need not sleep
			return err
		}
		if c.failed > 0 || ctx.Err() != nil {
			return fmt.Errorf("%d connections failed", c.failed)
		}
	}
	if err := c.drain(ctx); err != nil {
		return err
	}
	f.spread("open", latencies, map[string]float64{"p50": .5, "p99": .99, "p999": .999})
	return nil
}

// measureCrowds measures quiet connections: memory, idle time, storms.
func measureCrowds(ctx context.Context, t *target, p plan, f figures) error {
	c, err := newCrowd(t.address)
	if err != nil {
		return err
	}
	defer c.close()
	empty, err := weigh(t)
	if err != nil {
		return err
	}
	for _, count := range p.crowds {
		if err := c.gather(ctx, count); err != nil {
			return err
		}
		full, err := weigh(t)
		if err != nil {
			return err
		}
		f[fmt.Sprintf("rss_%d_kib", count)] = float64(full.resident-empty.resident) / 1024 / float64(count)
		f[fmt.Sprintf("heap_%d_kib", count)] = float64(full.inUse-empty.inUse) / 1024 / float64(count)
	}
	if err := c.measureIdle(ctx, t, p, f); err != nil {
		return err
	}
	c.close()
	for _, count := range []int{p.crowds[0], p.crowds[len(p.crowds)-1]} {
		if err := storm(ctx, t.address, count, f); err != nil {
			return err
		}
	}
	return nil
}

// weight is a process's memory in bytes.
type weight struct{ resident, inUse int64 }

func weigh(t *target) (weight, error) {
	r, err := t.ask(command{Do: "memory"})
	if err != nil {
		return weight{}, err
	}
	rss, err := resident(t.pid)
	return weight{rss, r.InUse}, err
}

// measureIdle stores the part of a core that the server uses for nothing.
func (c *crowd) measureIdle(ctx context.Context, t *target, p plan, f figures) error {
	c.onTip, c.onAnswer = nil, nil
	before, err := cpuTime(t.pid)
	if err != nil {
		return err
	}
	if err := c.runUntil(ctx, now()+int64(p.idle)); err != nil {
		return err
	}
	after, err := cpuTime(t.pid)
	if err != nil {
		return err
	}
	f["idle_cpu_percent"] = 100 * float64(after-before) / float64(p.idle)
	return nil
}

// storm lets count miners connect at once, as after a power cut.
func storm(ctx context.Context, address string, count int, f figures) error {
	c, err := newCrowd(address)
	if err != nil {
		return err
	}
	defer c.close()
	began := now()
	for range count {
		if err := c.connect(); err != nil {
			return err
		}
	}
	for c.working+c.failed < count && now() < began+int64(patience) && ctx.Err() == nil {
		if err := c.poll(10); err != nil {
			return err
		}
	}
	f[fmt.Sprintf("storm_%d_ms", count)] = float64(now()-began) / 1e6
	f[fmt.Sprintf("storm_%d_failed", count)] = float64(count - c.working)
	return nil
}
