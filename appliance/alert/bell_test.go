package alert

import (
	"database/sql"
	"strings"
	"testing"
	"time"
)

// At night only what is urgent comes; in the morning the rest, in one message.
func TestQuietHours(t *testing.T) {
	b, r := newBench(t), newReceiver(t)
	b.channel(Channel{Kind: Webhook}, Secret{URL: r.URL})
	b.update(func(tx *sql.Tx) error {
		return b.bell.SetPolicy(t.Context(), tx, Policy{Quiet: true, From: 22 * 60, To: 7 * 60, Language: "zh-Hans"})
	})
	b.sleep(11 * time.Hour) // 23:00
	b.run()
	offline := func(s *Snapshot) { s.Mine.Workers[0].LastShare = b.clock().Add(-20 * time.Minute) }
	old := func(s *Snapshot) { s.Backup.Verified = b.clock().AddDate(0, 0, -9) }
	b.look(func(s *Snapshot) { offline(s); old(s) })
	b.sleep(2 * time.Minute)
	b.look(func(s *Snapshot) { offline(s); old(s); frozen(s) })
	h := r.next(t).hook(t)
	if len(h.Alerts) != 1 || h.Alerts[0].Type != LedgerFrozen || h.Title != "支付已冻结" {
		t.Errorf("at night came %+v", h)
	}
	b.awaitState(stateSent, 1)
	b.sleep(time.Hour)
	b.look(old) // the miner is back
	b.sleep(2 * time.Minute)
	b.look(old)
	b.awaitState(stateSent, 2) // and payouts are not frozen any more, which was urgent, too
	r.next(t)
	b.sleep(4 * time.Hour)
	r.none(t)
	b.sleep(3 * time.Hour)
	h = r.next(t).hook(t)
	if len(h.Alerts) != 2 {
		t.Fatalf("in the morning came %+v", h)
	}
	for _, a := range h.Alerts {
		if a.Type == WorkerOffline && a.News != "over" {
			t.Errorf("the miner is told to be %s", a.News)
		}
	}
}

func TestQuietUntil(t *testing.T) {
	day := Policy{Quiet: true, From: 60, To: 120}
	night := Policy{Quiet: true, From: 22 * 60, To: 7 * 60}
	for _, test := range []struct {
		p          Policy
		hour, want int // -1: not quiet
	}{
		{day, 0, -1},
		{day, 1, 1},
		{day, 2, -1},
		{night, 21, -1},
		{night, 22, 9},
		{night, 0, 7},
		{night, 6, 1},
		{night, 7, -1},
		{Policy{From: 0, To: 1439}, 5, -1},
	} {
		now := time.Date(2026, 11, 23, test.hour, 0, 0, 0, time.UTC)
		end, quiet := test.p.quietUntil(now)
		if got := int(end.Sub(now).Hours()); quiet != (test.want >= 0) || quiet && got != test.want {
			t.Errorf("%+v at %d: quiet %t for %d h, want %d", test.p, test.hour, quiet, got, test.want)
		}
	}
}

// A channel has no more messages an hour than it may; what is too much comes together.
func TestRateLimit(t *testing.T) {
	b, r := newBench(t), newReceiver(t)
	b.channel(Channel{Kind: Webhook, PerHour: 2}, Secret{URL: r.URL})
	b.run()
	blocks := func(n int) func(s *Snapshot) {
		return func(s *Snapshot) {
			for i := range n {
				s.Books.Blocks = append(s.Books.Blocks, Block{Hash: string(rune('a' + i)), State: "found"})
			}
		}
	}
	b.look(nil)
	for i := 1; i <= 6; i++ {
		b.sleep(6 * time.Minute)
		b.look(blocks(i))
		if i <= 2 {
			r.next(t)
			b.awaitState(stateSent, i)
		}
	}
	b.awaitState(stateWaiting, 4)
	r.none(t)
	b.sleep(30 * time.Minute)
	h := r.next(t).hook(t)
	if len(h.Alerts) != 4 {
		t.Errorf("%d alerts came together, want 4", len(h.Alerts))
	}
}

// A hundred miners at once are one message, with not more lines than one can read.
func TestStormIsOneMessage(t *testing.T) {
	b, r := newBench(t), newReceiver(t)
	b.channel(Channel{Kind: Webhook}, Secret{URL: r.URL})
	b.run()
	storm := func(s *Snapshot) {
		s.Mine.Workers = nil
		for i := range 100 {
			s.Mine.Workers = append(s.Mine.Workers, Worker{Address: "bc1q" + strings.Repeat("z", i), Name: "rig", LastShare: s.At.Add(-15 * time.Minute)})
		}
	}
	b.look(storm)
	b.sleep(time.Minute)
	b.look(storm)
	h := r.next(t).hook(t)
	if len(h.Alerts) != 1 || h.Title != "100 miners are offline" || h.Alerts[0].Count != 100 || len(h.Alerts[0].Lines) != spelled+1 || len(h.Alerts[0].About) != listed {
		t.Errorf("hook %+v", h)
	}
	b.awaitState(stateSent, 1)
	for range 20 {
		b.sleep(time.Minute)
		b.look(storm)
	}
	if n := len(b.deliveries()); n != 1 {
		t.Errorf("%d deliveries", n)
	}
}

// A rule tells the channels that it was told to tell, and no others.
func TestRuleAndChannel(t *testing.T) {
	b, r, other := newBench(t), newReceiver(t), newReceiver(t)
	first := b.channel(Channel{Kind: Webhook, Name: "one"}, Secret{URL: r.URL})
	b.channel(Channel{Kind: Webhook, Name: "two"}, Secret{URL: other.URL})
	b.update(func(tx *sql.Tx) error {
		kind, _ := KindOf(LedgerFrozen)
		rule := kind.Default
		rule.Channels, rule.Name = []int64{first}, "My money"
		_, err := b.bell.SetRule(t.Context(), tx, rule)
		return err
	})
	b.run()
	b.look(frozen)
	if h := r.next(t).hook(t); h.Title != "My money: Payouts are frozen" {
		t.Errorf("title %q", h.Title)
	}
	b.awaitState(stateSent, 1)
	other.none(t)
}
