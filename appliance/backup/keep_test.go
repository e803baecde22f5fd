package backup_test

import (
	"testing"
	"time"

	"github.com/dmpool/dmpool/appliance/backup"
)

// TestYears makes a backup each night for three years, lets go after each what has had
// its time, and looks at what is left.
func TestYears(t *testing.T) {
	rule, start := backup.Usual(), time.Date(2024, 1, 1, 2, 0, 0, 0, time.UTC)
	var kept []backup.Kept
	const nights = 3 * 366
	for night := range nights {
		kept = without(kept, rule.Expired(append(kept, backup.Kept{ID: int64(night), Made: start.AddDate(0, 0, night), Sound: true})), backup.Kept{ID: int64(night), Made: start.AddDate(0, 0, night), Sound: true})
		if night > 400 && (len(kept) < 7+2+10 || len(kept) > 7+4+12) {
			t.Fatalf("night %d: %d backups are kept", night, len(kept))
		}
	}
	last := start.AddDate(0, 0, nights-1)
	days, months := map[string]bool{}, map[string]bool{}
	var oldest time.Duration
	for _, k := range kept {
		days[k.Made.Format(time.DateOnly)], months[k.Made.Format("2006-01")] = true, true
		oldest = max(oldest, last.Sub(k.Made))
	}
	for back := range 7 {
		if day := last.AddDate(0, 0, -back).Format(time.DateOnly); !days[day] {
			t.Errorf("the backup of %s is gone", day)
		}
	}
	for back := range 12 {
		if month := time.Date(last.Year(), last.Month()-time.Month(back), 1, 0, 0, 0, 0, time.UTC).Format("2006-01"); !months[month] {
			t.Errorf("there is no backup of %s", month)
		}
	}
	if oldest < 300*24*time.Hour || oldest > 366*24*time.Hour {
		t.Errorf("the oldest backup is %v old", oldest)
	}
}

// without is all of the backups, and the one that was made, less those that go.
func without(all, gone []backup.Kept, fresh backup.Kept) (left []backup.Kept) {
	going := map[int64]bool{}
	for _, k := range gone {
		going[k.ID] = true
	}
	for _, k := range append(all, fresh) {
		if !going[k.ID] {
			left = append(left, k)
		}
	}
	return left
}

func TestExpired(t *testing.T) {
	day := time.Date(2026, 11, 1, 2, 0, 0, 0, time.UTC)
	sound := func(id int64, days, hours int) backup.Kept {
		return backup.Kept{ID: id, Made: day.AddDate(0, 0, days).Add(time.Duration(hours) * time.Hour), Sound: true}
	}
	bad := func(id int64, days int) backup.Kept {
		return backup.Kept{ID: id, Made: day.AddDate(0, 0, days)}
	}
	for _, c := range []struct {
		name string
		rule backup.Rule
		all  []backup.Kept
		gone []int64
	}{
		{"nothing", backup.Usual(), nil, nil},
		{"one", backup.Usual(), []backup.Kept{sound(1, 0, 0)}, nil},
		{"the newest of a day", backup.Usual(), []backup.Kept{sound(1, 0, 0), sound(2, 0, 5), sound(3, 0, 3)}, []int64{3, 1}},
		{"only so many days", backup.Rule{Daily: 2}, []backup.Kept{sound(1, 0, 0), sound(2, 1, 0), sound(3, 9, 0)}, []int64{1}},
		{"a bad one pushes out nothing", backup.Rule{Daily: 1}, []backup.Kept{sound(1, 0, 0), bad(2, 1)}, nil},
		{"of bad ones the newest stays", backup.Rule{Daily: 1}, []backup.Kept{sound(1, 0, 0), bad(2, 1), bad(3, 2)}, []int64{2}},
		{"until a sound one is newer", backup.Rule{Daily: 2}, []backup.Kept{sound(1, 0, 0), bad(2, 1), sound(3, 2, 0)}, []int64{2}},
		{"bad ones alone", backup.Usual(), []backup.Kept{bad(1, 0), bad(2, 1), bad(3, 2)}, []int64{2, 1}},
		{"nothing is to be kept", backup.Rule{}, []backup.Kept{sound(1, 0, 0)}, []int64{1}},
	} {
		var gone []int64
		for _, k := range c.rule.Expired(c.all) {
			gone = append(gone, k.ID)
		}
		if len(gone) != len(c.gone) {
			t.Errorf("%s: %v go, want %v", c.name, gone, c.gone)
			continue
		}
		for i := range gone {
			if gone[i] != c.gone[i] {
				t.Errorf("%s: %v go, want %v", c.name, gone, c.gone)
			}
		}
	}
}
