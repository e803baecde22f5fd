package alert

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func conditions(subjects ...string) (list []Condition) {
	for _, s := range subjects {
		list = append(list, Condition{Subject: s})
	}
	return list
}

// looker looks at one rule again and again.
type looker struct {
	t    *testing.T
	w    *watch
	rule Rule
	kind Kind
	now  time.Time
}

func newLooker(t *testing.T, kind string) *looker {
	k, ok := KindOf(kind)
	if !ok {
		t.Fatalf("no kind %s", kind)
	}
	return &looker{t, newWatch(), k.Default, k, noon}
}

// after looks once more, later.
func (l *looker) after(d time.Duration, list []Condition) outcome {
	l.now = l.now.Add(d)
	return l.w.look(l.now, l.rule, l.kind, list, true)
}

func (l *looker) want(o outcome, raised, over []string) {
	l.t.Helper()
	var got []string
	for _, c := range o.raise {
		got = append(got, c.Subject)
	}
	if !slices.Equal(got, raised) || !slices.Equal(o.over, over) {
		l.t.Errorf("at %s: raised %v, over %v; want %v and %v", l.now.Format(time.TimeOnly), got, o.over, raised, over)
	}
}

func TestRaisedOnceAndOverOnce(t *testing.T) {
	l := newLooker(t, NodeStalled)
	stalled := only(5*time.Minute, false, nil)
	l.want(l.after(0, stalled), nil, nil)
	l.want(l.after(4*time.Minute, stalled), nil, nil)
	l.want(l.after(time.Minute, stalled), []string{""}, nil)
	l.want(l.after(time.Minute, stalled), nil, nil)
	l.want(l.after(time.Hour, stalled), nil, nil)
	l.want(l.after(30*time.Second, nil), nil, nil)
	l.want(l.after(30*time.Second, stalled), nil, nil) // it was away for a moment only
	l.want(l.after(30*time.Second, nil), nil, nil)
	l.want(l.after(time.Minute, nil), nil, []string{""})
	l.want(l.after(time.Minute, nil), nil, nil)
}

func TestNotRaisedBeforeItHolds(t *testing.T) {
	l := newLooker(t, NodeStalled)
	stalled := only(5*time.Minute, false, nil)
	for range 20 { // it comes and goes
		l.want(l.after(2*time.Minute, stalled), nil, nil)
		l.want(l.after(2*time.Minute, stalled), nil, nil)
		l.want(l.after(30*time.Second, nil), nil, nil)
	}
}

func TestCooldown(t *testing.T) {
	l := newLooker(t, LedgerFrozen)
	frozen := only(0, false, nil)
	l.want(l.after(0, frozen), []string{""}, nil)
	l.want(l.after(10*time.Minute, nil), nil, nil)
	l.want(l.after(10*time.Minute, nil), nil, []string{""})
	l.want(l.after(10*time.Minute, frozen), nil, nil)
	l.want(l.after(29*time.Minute, frozen), nil, nil)
	l.want(l.after(time.Minute, frozen), []string{""}, nil)
}

func TestKeepRaisesNothing(t *testing.T) {
	l := newLooker(t, HashrateDrop)
	l.rule.Minutes = 0
	l.want(l.after(0, only(0, true, nil)), nil, nil)
	l.want(l.after(time.Minute, only(0, false, nil)), []string{""}, nil)
	for range 10 {
		l.want(l.after(5*time.Minute, only(0, true, nil)), nil, nil)
	}
	l.want(l.after(time.Minute, nil), nil, nil)
	l.want(l.after(time.Minute, nil), nil, []string{""})
}

func TestUnknownChangesNothing(t *testing.T) {
	l := newLooker(t, LedgerFrozen)
	l.want(l.after(0, only(0, false, nil)), []string{""}, nil)
	for range 10 {
		l.now = l.now.Add(time.Hour)
		l.want(l.w.look(l.now, l.rule, l.kind, nil, false), nil, nil)
	}
	l.want(l.after(time.Second, only(0, false, nil)), nil, nil)
}

// A hundred miners that go within a minute are one alert; so are those that follow.
func TestStorm(t *testing.T) {
	l := newLooker(t, WorkerOffline)
	var all []string
	var list []Condition
	for i := range 100 {
		name := fmt.Sprintf("w%03d", i)
		all, list = append(all, name), conditions(append(all, name)...)
		if i%10 == 0 {
			l.want(l.after(5*time.Second, list), nil, nil)
		}
	}
	l.want(l.after(20*time.Second, list), all, nil)
	alerts := 0
	for i := range 50 { // one more every ten seconds
		list = append(list, conditions(fmt.Sprintf("x%03d", i))...)
		if o := l.after(10*time.Second, list); len(o.raise) > 0 {
			alerts++
		}
	}
	if alerts > 2 {
		t.Errorf("%d alerts in eight minutes", alerts)
	}
	l.want(l.after(time.Minute, nil), nil, nil)
	if o := l.after(time.Minute, nil); len(o.over) < 100 {
		t.Errorf("%d of them are over", len(o.over))
	}
}

func TestFirstLookIsNoNews(t *testing.T) {
	l := newLooker(t, BlockFound)
	o := l.after(0, conditions("a", "b"))
	if l.want(o, nil, nil); !o.first || !slices.Equal(o.seen, []string{"a", "b"}) {
		t.Errorf("the first look has seen %v", o.seen)
	}
	l.want(l.after(time.Minute, conditions("a", "b", "c")), []string{"c"}, nil)
	l.want(l.after(time.Minute, conditions("a", "b", "c", "d")), nil, nil)
	l.want(l.after(3*time.Minute, conditions("a", "b", "c", "d", "e")), nil, nil)
	l.want(l.after(time.Minute, conditions("a", "b", "c", "d", "e")), []string{"d", "e"}, nil)

	upgraded := newLooker(t, FormatNew)
	upgraded.want(upgraded.after(0, conditions("17-2")), []string{"17-2"}, nil)
}

// What happens while a rule is off is no news when it is on again.
func TestSwitchedOff(t *testing.T) {
	l := newLooker(t, BlockFound)
	l.after(0, nil)
	l.rule.Enabled = false
	l.want(l.after(time.Hour, conditions("a")), nil, nil)
	l.rule.Enabled = true
	l.want(l.after(time.Hour, conditions("a", "b")), []string{"b"}, nil)

	lasting := newLooker(t, LedgerFrozen)
	lasting.want(lasting.after(0, only(0, false, nil)), []string{""}, nil)
	lasting.rule.Enabled = false
	lasting.want(lasting.after(time.Minute, only(0, false, nil)), nil, []string{""})
	lasting.want(lasting.after(time.Minute, only(0, false, nil)), nil, nil)
}

// A new best share within the cool-down waits, and only the best of them is told.
func TestBestShareOncePerCooldown(t *testing.T) {
	l := newLooker(t, BestShare)
	l.after(0, conditions("1"))
	l.want(l.after(time.Hour, conditions("2")), []string{"2"}, nil)
	l.want(l.after(10*time.Minute, conditions("3")), nil, nil)
	l.want(l.after(10*time.Minute, conditions("4")), nil, nil)
	l.want(l.after(40*time.Minute, conditions("4")), []string{"4"}, nil)
}

// A clock that was wrong does not keep a rule silent.
func TestClockSetBack(t *testing.T) {
	l := newLooker(t, LedgerFrozen)
	l.now = noon.AddDate(1, 0, 0)
	l.want(l.after(0, only(0, false, nil)), []string{""}, nil)
	l.now = noon
	l.want(l.after(0, nil), nil, nil)
	l.want(l.after(time.Minute, nil), nil, []string{""})
	l.want(l.after(time.Minute, only(0, false, nil)), []string{""}, nil)
}

// However conditions come and go: what is over was raised, nothing is raised twice
// before it is over or within its cool-down, no alert follows another of its rule
// within the silence, and what holds for long is raised.
func TestWatchProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		kind, _ := KindOf(rapid.SampledFrom([]string{WorkerOffline, PayoutStuck, NodeStalled}).Draw(t, "kind"))
		rule := kind.Default
		rule.Cooldown = rapid.IntRange(0, 120).Draw(t, "cooldown")
		hold := time.Duration(rapid.IntRange(0, 10).Draw(t, "hold")) * time.Minute
		w, now := newWatch(), noon
		raised, last, lastAlert := map[string]bool{}, map[string]time.Time{}, time.Time{}
		since := map[string]time.Time{}
		for range rapid.IntRange(1, 60).Draw(t, "looks") {
			now = now.Add(time.Duration(rapid.IntRange(1, 600).Draw(t, "seconds")) * time.Second)
			var list []Condition
			for _, s := range rapid.SliceOfDistinct(rapid.SampledFrom([]string{"a", "b", "c"}), rapid.ID).Draw(t, "holds") {
				list = append(list, Condition{Subject: s, Hold: hold})
			}
			before := since
			since = map[string]time.Time{}
			for _, c := range list {
				since[c.Subject] = now
				if at, ok := before[c.Subject]; ok {
					since[c.Subject] = at
				}
			}
			o := w.look(now, rule, kind, list, true)
			for _, s := range o.over {
				if !raised[s] {
					t.Fatalf("%s is over and was not raised", s)
				}
				raised[s] = false
			}
			for _, c := range o.raise {
				if raised[c.Subject] {
					t.Fatalf("%s is raised twice", c.Subject)
				}
				if at, ok := last[c.Subject]; ok && now.Sub(at) < rule.cooldown() {
					t.Fatalf("%s is raised again after %s", c.Subject, now.Sub(at))
				}
				if now.Sub(since[c.Subject]) < hold {
					t.Fatalf("%s is raised after %s", c.Subject, now.Sub(since[c.Subject]))
				}
				raised[c.Subject], last[c.Subject] = true, now
			}
			if len(o.raise) > 0 {
				if !lastAlert.IsZero() && now.Sub(lastAlert) < silence {
					t.Fatalf("two alerts within %s", now.Sub(lastAlert))
				}
				lastAlert = now
			}
		}
		// From here on everything holds: in the end all of it is raised.
		list := conditions("a", "b", "c")
		for range 200 {
			now = now.Add(2 * time.Minute)
			for _, c := range w.look(now, rule, kind, list, true).raise {
				raised[c.Subject] = true
			}
		}
		if !raised["a"] || !raised["b"] || !raised["c"] {
			t.Fatalf("not raised in the end: %v", raised)
		}
	})
}
