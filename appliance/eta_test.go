package appliance

import (
	"testing"
	"time"
)

func TestETA(t *testing.T) {
	start := time.Unix(1_700_000_000, 0)
	// fed returns an estimate after samples a minute apart.
	fed := func(minutes int, progress func(minute int) float64) eta {
		var e eta
		for m := range minutes + 1 {
			e = e.add(start.Add(time.Duration(m)*time.Minute), progress(m))
		}
		return e
	}
	steady := func(perMinute float64) func(int) float64 {
		return func(m int) float64 { return 0.2 + perMinute*float64(m) }
	}
	tests := []struct {
		name        string
		e           eta
		known       bool
		least, most time.Duration // bounds for the answer
	}{
		{"nothing", eta{}, false, 0, 0},
		{"nine minutes", fed(9, steady(0.001)), false, 0, 0},
		{"ten minutes", fed(10, steady(0.001)), true, 789 * time.Minute, 791 * time.Minute},
		{"standstill", fed(60, steady(0)), false, 0, 0},
		{"more than 30 days", fed(60, steady(0.8/(31*24*60))), false, 0, 0},
		{"nearly 30 days", fed(60, steady(0.8/(29*24*60))), true, 28 * 24 * time.Hour, 29 * 24 * time.Hour},
		{"slower and slower", fed(120, func(m int) float64 {
			if m <= 60 {
				return 0.2 + 0.004*float64(m)
			}
			return 0.44 + 0.001*float64(m-60)
		}), true, 5 * time.Hour / 2, 9 * time.Hour},
		{"the progress falls", fed(60, func(m int) float64 { return 0.5 - float64(m)/1000 }), false, 0, 0},
		{"done", fed(20, func(m int) float64 { return 0.9 + float64(m)/200 }), true, 0, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			least, most, known := test.e.left()
			if known != test.known || least < test.least || most > test.most || least > most {
				t.Errorf("left() = %v to %v, %t; want %t within %v to %v", least, most, known, test.known, test.least, test.most)
			}
		})
	}

	// A box that slept has a new start.
	e := fed(30, steady(0.001)).add(start.Add(5*time.Hour), 0.3)
	if _, _, known := e.left(); known {
		t.Error("left() after a night is known at once")
	}
	// A range, because the speed changes.
	if least, most, _ := tests[6].e.left(); most-least < time.Minute {
		t.Errorf("left() of a node that slows down = %v to %v, want a range", least, most)
	}
}
