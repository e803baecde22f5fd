package backup

import (
	"cmp"
	"slices"
	"time"
)

// Rule is how many backups are kept: the newest of each of so many days, weeks and
// months in which there was one.
type Rule struct{ Daily, Weekly, Monthly int }

// Usual is the rule of a box.
func Usual() Rule { return Rule{Daily: 7, Weekly: 4, Monthly: 12} }

// Kept is a backup that the rule judges.
type Kept struct {
	ID    int64
	Made  time.Time
	Sound bool // it was restored to a scratch place, and all was well
}

// Expired returns those that have had their time. Only sound ones count for the
// rule, so that one which cannot be restored never pushes out one that can. Of the
// others the newest stays, as long as no sound one is newer: somebody may want to
// look at it.
func (r Rule) Expired(all []Kept) (gone []Kept) {
	newest := slices.Clone(all)
	slices.SortFunc(newest, func(a, b Kept) int { return cmp.Or(b.Made.Compare(a.Made), cmp.Compare(b.ID, a.ID)) })
	periods := []struct {
		left int
		of   func(time.Time) [2]int
		last [2]int
	}{
		{left: r.Daily, of: func(t time.Time) [2]int { return [2]int{t.Year(), t.YearDay()} }},
		{left: r.Weekly, of: func(t time.Time) [2]int { year, week := t.ISOWeek(); return [2]int{year, week} }},
		{left: r.Monthly, of: func(t time.Time) [2]int { return [2]int{t.Year(), int(t.Month())} }},
	}
	spare := 1
	for _, k := range newest {
		if !k.Sound {
			if spare == 0 {
				gone = append(gone, k)
			}
			spare = 0
			continue
		}
		spare = 0
		stays := false
		for i := range periods {
			p := &periods[i]
			of := p.of(k.Made.UTC())
			if p.left > 0 && p.last != of {
				p.last = of
				p.left--
				stays = true
			}
		}
		if !stays {
			gone = append(gone, k)
		}
	}
	return gone
}
