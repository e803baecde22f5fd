package alert

import (
	"fmt"
	"strconv"
	"time"
)

// blocks makes conditions of the blocks of a snapshot that a function picks out.
func blocks(s Snapshot, pick func(Block) (subject string, ok bool)) (list []Condition, known bool) {
	if s.Books == nil {
		return nil, false
	}
	for _, b := range s.Books.Blocks {
		subject, ok := pick(b)
		if !ok {
			continue
		}
		list = append(list, Condition{Subject: subject, Detail: b.Finder.detail(
			"height", count(int64(b.Height)), "hash", b.Hash, "sats", count(b.Sats), "refusal", plain(b.Refusal, 200),
		)})
	}
	return list, true
}

func judgeFound(_ Rule, s Snapshot) ([]Condition, bool) {
	return blocks(s, func(b Block) (string, bool) { return b.Hash, true })
}

// turn names a block's way to a state: it may go there more than once.
func (b Block) turn() string { return fmt.Sprintf("%s:%s:%d", b.Hash, b.State, b.Flips) }

func judgeMature(_ Rule, s Snapshot) ([]Condition, bool) {
	return blocks(s, func(b Block) (string, bool) { return b.turn(), b.State == "mature" })
}

func judgeOrphaned(_ Rule, s Snapshot) ([]Condition, bool) {
	return blocks(s, func(b Block) (string, bool) { return b.turn(), b.State == "orphaned" || b.State == "stale" })
}

func judgeRejected(_ Rule, s Snapshot) ([]Condition, bool) {
	return blocks(s, func(b Block) (string, bool) { return b.Hash, b.State == "rejected" })
}

func judgeNoBlock(r Rule, s Snapshot) (list []Condition, known bool) {
	if s.Books == nil || s.Mine == nil {
		return nil, false
	}
	last := s.Mine.FirstShare
	for _, b := range s.Books.Blocks {
		if b.At.After(last) {
			last = b.At
		}
	}
	if last.IsZero() || s.At.Sub(last) < r.hold() {
		return nil, true
	}
	return only(0, false, map[string]string{"hours": strconv.Itoa(int(s.At.Sub(last).Hours()))}), true
}

// payouts is blocks for payouts.
func payouts(s Snapshot, pick func(Payout) (c Condition, ok bool)) (list []Condition, known bool) {
	if s.Books == nil {
		return nil, false
	}
	for _, p := range s.Books.Payouts {
		c, ok := pick(p)
		if !ok {
			continue
		}
		detail := map[string]string{
			"payout": strconv.FormatInt(p.ID, 10), "sats": count(p.Sats), "miners": strconv.Itoa(p.Recipients), "txid": p.TxID,
			detailReason: p.Problem,
		}
		for name, value := range c.Detail {
			detail[name] = value
		}
		c.Subject, c.Detail = strconv.FormatInt(p.ID, 10), detail
		list = append(list, c)
	}
	return list, true
}

func judgeApprove(_ Rule, s Snapshot) ([]Condition, bool) {
	return payouts(s, func(p Payout) (c Condition, ok bool) { return c, p.Waits })
}

func judgeConfirmed(_ Rule, s Snapshot) ([]Condition, bool) {
	return payouts(s, func(p Payout) (c Condition, ok bool) { return c, p.State == "confirmed" || p.State == "settled" })
}

// judgeStuck finds payouts that something keeps from going on, and those that are on
// their way for too long without a block that takes them.
func judgeStuck(r Rule, s Snapshot) ([]Condition, bool) {
	patience := time.Duration(r.Threshold * float64(time.Hour))
	return payouts(s, func(p Payout) (c Condition, ok bool) {
		if p.Problem != "" && open(p.State) {
			return Condition{Hold: r.hold()}, true
		}
		waits := s.At.Sub(p.Changed)
		if sent(p.State) && waits >= patience {
			return Condition{Detail: map[string]string{detailAs: "waits", "hours": strconv.Itoa(int(waits.Hours()))}}, true
		}
		return c, false
	})
}

// open tells whether a payout in this state has somewhere to go.
func open(state string) bool {
	switch state {
	case "draft", "pending", "approved", "failed":
		return true
	}
	return sent(state)
}

func sent(state string) bool {
	return state == "signed" || state == "broadcast" || state == "cancelling"
}

func judgeFrozen(r Rule, s Snapshot) (list []Condition, known bool) {
	if s.Books == nil {
		return nil, false
	}
	return s.Books.Frozen.condition(r)
}

// condition is that of a part which is bad.
func (p *Part) condition(r Rule) (list []Condition, known bool) {
	if p == nil {
		return nil, false
	}
	if !p.Bad {
		return nil, true
	}
	return only(r.hold(), false, p.detail()), true
}

func (p *Part) detail() map[string]string {
	return map[string]string{detailReason: p.Reason, detailNext: p.Next}
}
