package pool

import (
	"context"
	"log/slog"
	"strings"
	"time"
	"unicode"

	"github.com/dmpool/dmpool/pool/node"
	"github.com/dmpool/dmpool/pool/work"
)

// templatePatience is how long the node may fail to give templates before the
// miners are told that the pool pauses. The last job stays alive until then.
const templatePatience = 10 * time.Second

// serveTemplates turns templates into jobs until ctx ends.
func (p *Pool) serveTemplates(ctx context.Context) error {
	health := time.NewTicker(time.Second)
	defer health.Stop()
	var last node.Update
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case last = <-p.Source.Updates():
		case <-p.again:
		case err := <-p.doubts:
			p.tellDoubt(err)
			continue
		case r := <-p.rejected:
			p.ban(r)
			continue
		case now := <-health.C:
			p.watchSource(now)
			continue
		}
		if last = newer(last, p.Source.Updates()); last.Template != nil {
			p.offer(ctx, last)
		}
	}
}

// newer returns the update that waits, if there is one: another job of the last
// template must not hold up the first one of the next.
func newer(last node.Update, updates <-chan node.Update) node.Update {
	select {
	case next := <-updates:
		return next
	default:
		return last
	}
}

// offer makes a job of a template, has the independent witness decode it, and
// publishes it. A job that the witness refuses never leaves the pool.
func (p *Pool) offer(ctx context.Context, update node.Update) {
	t, arrived := update.Template, time.Now()
	last := p.serving.Load()
	newTip := last.template == nil || last.template.PrevHash != t.PrevHash
	if p.holdBack(ctx, t, last, newTip) {
		return
	}
	settings := *p.settings.Load()
	script, wanting := p.restScript(settings)
	if wanting != "" {
		p.pause(last, wanting)
		return
	}
	if newTip {
		p.direct.forgetRefusals()
	}
	o, err := p.makeOrder(ctx, t, settings, script, newTip)
	if err != nil {
		p.refuse(err)
		return
	}
	if o.interim {
		p.offerAgain()
		o.fallback, o.alarm = last.fallback, last.alarm // until the next job there is nothing to tell
	}
	now := time.Now()
	next := &serving{order: o, template: t, at: now, tipAt: last.tipAt, offered: last.offered, fees: feesOf(t)}
	if newTip {
		next.tipAt, next.offered = update.SeenAt, arrived
	}
	p.server.Resume()
	switch {
	case o.layOut != nil:
		p.server.PublishOwn(o.job, o.layOut, newTip)
	case o.narrow != nil:
		p.server.PublishWide(o.job, o.narrow, newTip)
	default:
		p.server.Publish(o.job, newTip)
	}
	p.serving.Store(next)
	p.tellFallback(last, o)
	if !newTip {
		return
	}
	p.forgetBlocks()
	p.wakeChain(sweepDue)
	p.Events.Publish(Event{Kind: "tip", At: now, Height: t.Height - 1, Hash: t.PrevHash.String()})
}

// feesOf adds up what the transactions of a template pay.
func feesOf(t *work.Template) (sum int64) {
	for _, tx := range t.Txs {
		sum += tx.Fee
	}
	return sum
}

// refuse stops the mining for a job that no miner must get.
func (p *Pool) refuse(err error) {
	p.Logger.Error("Job refused, no work is sent", "err", err)
	p.pause(p.serving.Load(), "a job failed the check by the independent decoder: "+sentence(err))
}

// tellFallback says when jobs begin or cease to settle otherwise than the
// settings want.
func (p *Pool) tellFallback(last *serving, o order) {
	if o.fallback == last.fallback {
		return
	}
	event := Event{Kind: "settlement", At: time.Now(), State: o.settlement, Text: o.fallback}
	switch {
	case o.alarm:
		p.Logger.Error("Blocks pay the pool's wallet instead of the miners", "reason", o.fallback)
	case o.fallback != "":
		p.Logger.Info("Blocks pay the pool's wallet for now", "reason", o.fallback)
	default:
		p.Logger.Info("Blocks pay as the settings say", "settlement", o.settlement)
	}
	p.Events.Publish(event)
}

// tellDoubt says that a miner gets no work because its own job failed the check.
// The others do: no stranger must be able to stop them.
func (p *Pool) tellDoubt(err error) {
	next := *p.serving.Load()
	next.fallback, next.alarm = "a job failed the check by the independent decoder and was not sent: "+err.Error(), true
	p.serving.Store(&next)
	p.Logger.Error("Job refused, one miner gets no work", "err", err)
	p.Events.Publish(Event{Kind: "settlement", At: time.Now(), State: next.settlement, Text: next.fallback})
}

// bitsDependOnTime tells whether a block that comes late may be easier, as on
// the public testnets. Then the time of a job cannot be moved.
func (p *Pool) bitsDependOnTime() bool { return p.Network == "testnet4" }

// lateBlock is the time after its predecessor from which on a testnet block has
// the least difficulty, in seconds.
const lateBlock = 20 * 60

// boundTime limits the header time of a job to that side of the 20 minutes for
// which its bits hold: miners roll the time, and the node would refuse the
// block. If the node does not answer, its own bounds have to do.
func (p *Pool) boundTime(ctx context.Context, job *work.Job) {
	tip, err := p.Node.Header(ctx, job.PrevHash)
	if err != nil {
		p.Logger.Warn("Time of the tip not known", "hash", job.PrevHash, "err", err)
		return
	}
	edge := uint32(tip.Time) + lateBlock
	if job.Time > edge {
		job.MinTime = max(job.MinTime, edge+1)
		return
	}
	job.MaxTime = edge
}

// watchSource pauses the miners when the node has not given a template for a
// while, or at once when it turns out to follow another chain; the next good
// template resumes them.
func (p *Pool) watchSource(now time.Time) {
	state := p.Source.State()
	last := p.serving.Load()
	if state.Problem == "" || !node.Refused(state.Err) && now.Sub(state.Since) <= templatePatience {
		return
	}
	if node.NotReady(state.Err) {
		p.idle(last, "the node does not have the whole chain yet; the node page tells how far it is")
		return
	}
	p.pause(last, strings.TrimSuffix(state.Problem, "."))
}

// pause tells the server and the pages why no new jobs are made.
func (p *Pool) pause(last *serving, reason string) {
	if last.reason == reason {
		return
	}
	p.server.Pause(reason)
	p.tellPause(last, reason, false)
}

// idle is a pause that keeps the miners connected: the node is well and on its
// way.
func (p *Pool) idle(last *serving, reason string) {
	if last.reason == reason {
		return
	}
	p.server.Idle(reason)
	p.tellPause(last, reason, true)
}

func (p *Pool) tellPause(last *serving, reason string, idle bool) {
	next := *last
	next.reason, next.idle = reason, idle
	p.serving.Store(&next)
	level := slog.LevelWarn
	if last.job == nil {
		level = slog.LevelInfo // still starting
	}
	p.Logger.Log(context.Background(), level, "Mining paused", "reason", reason)
	p.Events.Publish(Event{Kind: "node", At: time.Now(), State: "paused", Text: reason})
}

// coinbaseTag is the text by which the pool's blocks are known on the chain:
// the printable ASCII of its name between slashes, short enough for the
// smallest miners (stratum.md 2.2).
func coinbaseTag(name string) string {
	printable := strings.Map(func(r rune) rune {
		if r > unicode.MaxASCII || !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, name)
	if printable == "" {
		printable = "DMPool"
	}
	return "/" + printable + "/"
}
