package place

import (
	"bytes"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// A watch counts only while an answer is due, and each byte begins anew.
func TestWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cut := 0
		w := newWatch(time.Second, func() { cut++ })
		w.Reader = bytes.NewReader(make([]byte, 100))
		for range 3 {
			time.Sleep(900 * time.Millisecond)
			if _, err := w.Read(make([]byte, 1)); err != nil {
				t.Fatal(err)
			}
		}
		w.rest()
		time.Sleep(time.Hour)
		synctest.Wait()
		if cut != 0 || w.verdict() != nil {
			t.Fatalf("cut %d times, %v, while nothing was late", cut, w.verdict())
		}
		w.wait()
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if cut != 1 || !errors.Is(w.verdict(), errLate) {
			t.Errorf("cut %d times, %v, after an answer that did not come", cut, w.verdict())
		}
	})
}

func TestWatchBoundsAnAnswer(t *testing.T) {
	cut := 0
	w := newWatch(time.Hour, func() { cut++ })
	defer w.rest()
	w.Reader = bytes.NewReader(make([]byte, 100))
	w.allow(50)
	if n, err := w.Read(make([]byte, 40)); n != 40 || err != nil {
		t.Errorf("Read = %d, %v, want all that is allowed", n, err)
	}
	if n, err := w.Read(make([]byte, 40)); n != 0 || !errors.Is(err, errFlood) || cut != 1 {
		t.Errorf("Read = %d, %v and %d cuts, want none", n, err, cut)
	}
	w.allow(-1)
	if n, err := w.Read(make([]byte, 40)); n != 20 || err != nil {
		t.Errorf("Read = %d, %v without a bound", n, err)
	}
}
