package appliance

import (
	"testing"
	"time"
)

// How long a disk lasts is told from a day of measuring on, and only while it fills up.
func TestGrowth(t *testing.T) {
	const gb = 1_000_000_000
	begin := time.Unix(0, 0)
	run := func(g growth, hours int, free func(hour int) int64) growth {
		for h := range hours {
			for _, minute := range []int{0, 20, 40} { // more often than is kept
				g = g.add(begin.Add(time.Duration(h)*time.Hour+time.Duration(minute)*time.Minute), free(h))
			}
		}
		return g
	}
	filling := func(h int) int64 { return 100*gb - int64(h)*gb/24 }
	if left, known := run(growth{}, 24, filling).left(2 * gb); known {
		t.Errorf("%s after 23 hours", left)
	}
	day := run(growth{}, 25, filling)
	if left, known := day.left(2 * gb); !known || left.Round(time.Hour) != 97*24*time.Hour {
		t.Errorf("1 GB a day, and 97 GB above the limit: %s, %t", left, known)
	}
	if left, known := day.left(99 * gb); !known || left != 0 {
		t.Errorf("below the limit: %s, %t", left, known)
	}
	if left, known := run(growth{}, 48, func(int) int64 { return 100 * gb }).left(2 * gb); known {
		t.Errorf("a disk that does not fill up lasts %s", left)
	}
	if left, known := run(growth{}, 48, func(h int) int64 { return 100*gb - int64(h) }).left(2 * gb); !known || left != growthFarthest {
		t.Errorf("a byte an hour: %s, %t", left, known)
	}
	long := run(growth{}, 30*24, filling)
	if n := len(long.points); n != growthPoints {
		t.Errorf("%d points are kept", n)
	}
	roomier := long.add(begin.Add(30*24*time.Hour), 90*gb)
	if left, known := roomier.left(2 * gb); known || len(roomier.points) != 1 {
		t.Errorf("after somebody made room: %s", left)
	}
	if _, known := day.left(2 * gb); !known || len(day.points) != 25 {
		t.Error("a value changed with the next ones")
	}
}
