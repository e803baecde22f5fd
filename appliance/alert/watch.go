package alert

import (
	"maps"
	"slices"
	"time"
)

const (
	// silence is how long a rule says nothing after an alert; what it notices
	// meanwhile is gathered.
	silence = 5 * time.Minute
	// calm is how long a condition must be away before it is over.
	calm = time.Minute
)

// watch is what one rule has noticed, and what of that was raised. It is pure: time
// comes in with each look, and what has to outlast a restart is put in by load.
type watch struct {
	begun   bool                 // it has had its first look
	raised  map[string]time.Time // subjects of lasting alerts that are not over
	away    map[string]time.Time // of these, those whose condition does not hold, and since when
	told    map[string]time.Time // when a subject was raised last, as long as the cool-down wants it
	seen    map[string]bool      // subjects of what has happened
	waiting map[string]wait
	last    time.Time // of the rule's last alert
}

// wait is a condition that has not been raised.
type wait struct {
	since time.Time // when it was seen first
	due   time.Time // since when it could have been raised; zero: not yet
}

func newWatch() *watch {
	return &watch{
		raised: map[string]time.Time{}, away: map[string]time.Time{}, told: map[string]time.Time{},
		seen: map[string]bool{}, waiting: map[string]wait{},
	}
}

// outcome is what follows from a look.
type outcome struct {
	raise []Condition // they are one alert
	over  []string    // subjects whose condition has ended
	seen  []string    // subjects that have happened, told or not, since the look before
	first bool        // it was the first look of all
}

func (o outcome) empty() bool { return len(o.raise)+len(o.over)+len(o.seen) == 0 && !o.first }

// setBack forgets what lies ahead of now: the clock was wrong then, and would keep the
// rule silent until it is there.
func (w *watch) setBack(now time.Time) {
	if w.last.After(now) {
		w.last = time.Time{}
	}
	maps.DeleteFunc(w.told, func(_ string, at time.Time) bool { return at.After(now) })
	for subject, one := range w.waiting {
		if one.since.After(now) {
			w.waiting[subject] = wait{since: now}
		}
	}
	for subject, since := range w.away {
		if since.After(now) {
			w.away[subject] = now
		}
	}
}

// look takes in what holds now. A rule that is not in force ends what it has raised, and
// what happens passes it by.
func (w *watch) look(now time.Time, r Rule, k Kind, list []Condition, known bool) (o outcome) {
	w.setBack(now)
	if !r.Enabled && k.Lasting {
		o.over = slices.Sorted(maps.Keys(w.raised))
		clear(w.raised)
		clear(w.waiting)
		clear(w.away)
		return o
	}
	if !known {
		return o
	}
	if k.Lasting {
		o.over = w.end(now, list)
		list = slices.DeleteFunc(slices.Clone(list), func(c Condition) bool {
			_, raised := w.raised[c.Subject]
			return c.Keep || raised
		})
	} else {
		list = w.fresh(r, k, list, &o)
	}
	maps.DeleteFunc(w.told, func(_ string, at time.Time) bool { return now.Sub(at) >= r.cooldown() })
	w.await(now, r, k, list)
	o.raise = w.raise(now, k, list)
	return o
}

// end returns the subjects that are over: their condition has been away for a while.
func (w *watch) end(now time.Time, list []Condition) (over []string) {
	holds := map[string]bool{}
	for _, c := range list {
		holds[c.Subject] = true
	}
	for _, subject := range slices.Sorted(maps.Keys(w.raised)) {
		since, away := w.away[subject]
		switch {
		case holds[subject]:
			delete(w.away, subject)
		case !away:
			w.away[subject] = now
		case now.Sub(since) >= calm:
			over = append(over, subject)
			delete(w.away, subject)
			delete(w.raised, subject)
		}
	}
	return over
}

// fresh returns what has happened since the look before.
func (w *watch) fresh(r Rule, k Kind, list []Condition, o *outcome) (news []Condition) {
	o.first = !w.begun
	pass := !r.Enabled || o.first && !k.First
	w.begun = true
	for _, c := range list {
		switch {
		case w.seen[c.Subject]:
		case pass:
			w.seen[c.Subject] = true
			o.seen = append(o.seen, c.Subject)
		default:
			news = append(news, c)
		}
	}
	if !pass {
		return news
	}
	for subject := range w.waiting { // what was gathered when the rule was switched off
		w.seen[subject] = true
		o.seen = append(o.seen, subject)
	}
	clear(w.waiting)
	return nil
}

// await notes since when each condition holds, and forgets those that do not.
func (w *watch) await(now time.Time, r Rule, k Kind, list []Condition) {
	still := make(map[string]wait, len(list))
	for _, c := range list {
		one, ok := w.waiting[c.Subject]
		if !ok {
			one.since = now
		}
		if one.due.IsZero() && now.Sub(one.since) >= c.Hold && w.cool(now, r, k, c.Subject) {
			one.due = now
		}
		still[c.Subject] = one
	}
	w.waiting = still
}

// cool tells whether a subject was not raised lately.
func (w *watch) cool(now time.Time, r Rule, k Kind, subject string) bool {
	if k.Single {
		return w.last.IsZero() || now.Sub(w.last) >= r.cooldown()
	}
	_, told := w.told[subject] // of the past already, see look
	return !told
}

// raise returns what is due, all at once, when the rule may speak.
func (w *watch) raise(now time.Time, k Kind, list []Condition) (due []Condition) {
	var first time.Time
	for _, c := range list {
		one := w.waiting[c.Subject]
		if one.due.IsZero() {
			continue
		}
		due = append(due, c)
		if first.IsZero() || one.due.Before(first) {
			first = one.due
		}
	}
	if len(due) == 0 || now.Sub(first) < k.Gather || !w.last.IsZero() && now.Sub(w.last) < silence {
		return nil
	}
	for _, c := range due {
		delete(w.waiting, c.Subject)
		if k.Lasting {
			w.raised[c.Subject] = now
			w.told[c.Subject] = now
		} else {
			w.seen[c.Subject] = true
		}
	}
	w.last = now
	return due
}
