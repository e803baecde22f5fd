package node

import (
	"errors"
	"testing"
	"time"
)

// The newest calls count for the times, all of them for the counters.
func TestTiming(t *testing.T) {
	c := New(Config{URL: "http://127.0.0.1:1"})
	if got := c.Timing(); got != (Timing{}) {
		t.Errorf("before the first call: %+v", got)
	}
	for range timed { // forgotten below
		c.timing.note(time.Hour, errors.New("slow"))
	}
	for i := range timed {
		c.ForWallet("x").timing.note(time.Duration(i+1)*time.Millisecond, nil)
	}
	sum := timed*time.Hour + timed*(timed+1)/2*time.Millisecond
	want := Timing{Calls: 2 * timed, Failed: timed, Sum: sum, Median: 257 * time.Millisecond, P99: 507 * time.Millisecond}
	if got := c.Timing(); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// A call that fails is counted as such.
func TestFailedCallIsTimed(t *testing.T) {
	c := New(Config{URL: "http://127.0.0.1:1"})
	if err := c.Call(t.Context(), "getblockcount", nil); err == nil {
		t.Fatal("somebody answers on port 1")
	}
	if got := c.Timing(); got.Calls != 1 || got.Failed != 1 {
		t.Errorf("%+v", got)
	}
}
