package alert

import (
	"fmt"
	"strconv"
	"time"
)

// Condition is something that a rule has noticed in a snapshot.
type Condition struct {
	Subject string            // a worker, a block, a payout; empty: the box
	Detail  map[string]string // what the sentences say, see texts
	Hold    time.Duration     // for so long it has to be so before it is raised
	Keep    bool              // it is no reason to raise an alert, only to go on with one
}

// only is the condition of a rule about the box as a whole.
func only(hold time.Duration, keep bool, detail map[string]string) []Condition {
	return []Condition{{Hold: hold, Keep: keep, Detail: detail}}
}

// Names of details that are more than a value.
const (
	detailReason = "reason" // an English sentence of the floors below
	detailNext   = "next"   // the same: what to do
	detailAs     = "as"     // which of several sentences of the type is said
)

// remember is for how long a worker that has gone is missed: one that was away for
// longer when the box looked first raises no alert.
const remember = 24 * time.Hour

// judgeWorkers finds workers without a share. While no work goes out nobody can have
// one, and afterwards everybody has as long as ever for the first. Whoever is banned is
// not missed, and is not back by that.
func judgeWorkers(r Rule, s Snapshot) (list []Condition, known bool) {
	if s.Mine == nil || s.Mine.WorkSince.IsZero() {
		return nil, false
	}
	for _, w := range s.Mine.Workers {
		silent := s.At.Sub(w.LastShare)
		if silent < r.hold() {
			continue
		}
		list = append(list, Condition{
			Subject: w.subject(),
			Keep:    w.Banned || silent > remember+r.hold() || s.At.Sub(s.Mine.WorkSince) < r.hold(),
			Detail:  w.detail("minutes", strconv.Itoa(int(silent.Minutes()))),
		})
	}
	return list, true
}

func (w Worker) subject() string { return w.Address + "." + w.Name }

// detail names the worker, with pairs of further names and values.
func (w Worker) detail(pairs ...string) map[string]string {
	d := map[string]string{"address": w.Address, "worker": w.Name, "label": w.Label}
	for i := 0; i+1 < len(pairs); i += 2 {
		d[pairs[i]] = pairs[i+1]
	}
	return d
}

// settled is how long the pool must have had work out, and have been mined at, before
// its hash rate is compared: the shortest average covers up to 20 minutes.
const settled = 25 * time.Minute

// slack is how much better than its threshold a hash rate must be for the end of an
// alert, as a part of what it is compared with.
const slack = 0.1

func (m *Mine) rated(at time.Time) bool {
	return m != nil && !m.WorkSince.IsZero() && at.Sub(m.WorkSince) >= settled && !m.FirstShare.IsZero()
}

func judgeDrop(r Rule, s Snapshot) (list []Condition, known bool) {
	if !s.Mine.rated(s.At) || s.Mine.Day <= 0 { // when all have been away for a day, too
		return nil, false
	}
	if s.At.Sub(s.Mine.FirstShare) < 2*time.Hour {
		return nil, true // there is nothing to compare with
	}
	left := s.Mine.Recent / s.Mine.Day
	limit := 1 - r.Threshold/100
	if left >= limit+slack {
		return nil, true
	}
	return only(r.hold(), left >= limit, map[string]string{
		"now": hashrate(s.Mine.Recent), "day": hashrate(s.Mine.Day), "percent": figure(float64(int(100*(1-left) + 0.5))),
	}), true
}

func judgeBelow(r Rule, s Snapshot) (list []Condition, known bool) {
	limit := r.Threshold * 1e12
	if !s.Mine.rated(s.At) {
		return nil, false
	}
	if s.Mine.Recent >= limit*(1+slack) {
		return nil, true
	}
	return only(r.hold(), s.Mine.Recent >= limit, map[string]string{"now": hashrate(s.Mine.Recent), "limit": hashrate(limit)}), true
}

func judgeAbove(r Rule, s Snapshot) (list []Condition, known bool) {
	limit := r.Threshold * 1e12
	if !s.Mine.rated(s.At) {
		return nil, false
	}
	if s.Mine.Recent <= limit*(1-slack) {
		return nil, true
	}
	return only(r.hold(), s.Mine.Recent <= limit, map[string]string{"now": hashrate(s.Mine.Recent), "limit": hashrate(limit)}), true
}

// working is how old the last share of a worker that counts may be.
const working = 10 * time.Minute

func judgeCount(r Rule, s Snapshot) (list []Condition, known bool) {
	if s.Mine == nil || s.Mine.WorkSince.IsZero() || s.At.Sub(s.Mine.WorkSince) < working {
		return nil, false
	}
	n := 0
	for _, w := range s.Mine.Workers {
		if s.At.Sub(w.LastShare) < working {
			n++
		}
	}
	if float64(n) >= r.Threshold {
		return nil, true
	}
	return only(r.hold(), false, map[string]string{"workers": strconv.Itoa(n), "limit": figure(r.Threshold)}), true
}

// judged is how many shares of an hour a part of rejected ones is worth telling of. For
// the end of an alert fewer are enough, if any of them was accepted: a worker that has
// gone silent does no better by that.
const judged = 50

func judgeRejects(r Rule, s Snapshot) (list []Condition, known bool) {
	if s.Mine == nil {
		return nil, false
	}
	for _, w := range s.Mine.Workers {
		all := w.Accepted + w.Rejected
		percent := 100 * float64(w.Rejected) / float64(max(all, 1))
		if w.Accepted > 0 && percent <= r.Threshold/2 {
			continue
		}
		list = append(list, Condition{
			Subject: w.subject(), Keep: all < judged || percent <= r.Threshold,
			Detail: w.detail("percent", fmt.Sprintf("%.1f", percent), "rejected", count(w.Rejected), "shares", count(all)),
		})
	}
	return list, true
}

func judgeBest(_ Rule, s Snapshot) (list []Condition, known bool) {
	if s.Mine == nil {
		return nil, false
	}
	best := s.Mine.Best
	if best.Difficulty <= 0 {
		return nil, true
	}
	return []Condition{{
		Subject: strconv.FormatInt(best.At.UnixMilli(), 10),
		Detail:  best.Worker.detail("difficulty", scale(best.Difficulty)),
	}}, true
}
