package shares

import (
	"math/big"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// The rows of money.md section 4 about the order of shares and the cut of
// shifts. Row 43 is in log_test.go, row 44 in crash_test.go, row 50 in peer_test.go.

// A clock that jumps, by hours and both ways, changes nothing about who did how
// much: shares count in the order of their seq.
func TestFault48ClockJumps(t *testing.T) {
	shared := func(jumps ...time.Duration) map[string]string {
		l, stop := start(t, filepath.Join(t.TempDir(), "shares.db"), Options{})
		defer stop()
		var seq int64
		for i, jump := range jumps {
			s := share([]string{"a", "b", "c", "a", "d"}[i], 300, time.Duration(i)*time.Minute+jump)
			s.Bits = bitsOf(t, 1000)
			seq = put(t, l, s)
		}
		checkSums(t, l)
		stored, err := l.Window(t.Context(), seq, 1000)
		if err != nil {
			t.Fatal(err)
		}
		running, err := l.Running(t.Context(), 1000)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(scores(stored), scores(running)); diff != "" {
			t.Errorf("scores (-stored +running):\n%s", diff)
		}

		return scores(stored)
	}
	want := map[string]string{"b": "1/10", "c": "3/10", "a": "3/10", "d": "3/10"}
	if diff := cmp.Diff(want, shared(0, 0, 0, 0, 0)); diff != "" {
		t.Errorf("scores with a steady clock (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want, shared(0, 5*time.Hour, -30*time.Hour, 2*time.Minute, -time.Second)); diff != "" {
		t.Errorf("scores with a jumping clock (-want +got):\n%s", diff)
	}
}

// The network's difficulty changes a millisecond after a share: the shift ends
// there, and vector A comes out to the last digit.
func TestFault49NewBitsCutTheShift(t *testing.T) {
	l, _ := start(t, filepath.Join(t.TempDir(), "shares.db"), Options{})
	vectors := readVectors(t)
	var seq int64
	at := time.Duration(0)
	for i, v := range vectors.Shares {
		switch {
		case i > 0 && v.NetworkWork != vectors.Shares[i-1].NetworkWork:
			at += time.Millisecond
		case i > 0:
			at += time.Minute
		}
		s := share(v.Account, v.Work, at)
		s.Bits = bitsOf(t, v.NetworkWork)
		seq = put(t, l, s)
	}
	checkSums(t, l)

	a := vectors.Cases[0]
	w, err := l.Window(t.Context(), seq, a.WindowMilli)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(a.Scores, scores(w)); diff != "" || a.FirstShare != 0 {
		t.Errorf("scores of vector A (-want +got):\n%s", diff)
	}
	if got := column[int](t, l, "SELECT count(DISTINCT nbits) FROM shift")[0]; got != 2 {
		t.Errorf("shifts with %d different nBits, want 2", got)
	}
}

// Without its single shares the log knows the same windows and charts, also
// after a crash that left some of them behind the sums.
func TestDropSingles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "shares.db")
	l, stop := start(t, path, Options{})
	var seq int64
	for i := range 20 {
		s := share([]string{"a", "b"}[i%2], int64(100+i), time.Duration(i)*10*time.Second)
		if i == 12 {
			s = win(s, 1)
		}
		seq = put(t, l, s)
	}
	checkSums(t, l)
	type facts struct {
		Window  map[string]string
		Workers any
		Chart   []float64
	}
	look := func() facts {
		t.Helper()
		w, err := l.Window(t.Context(), seq, 2000)
		if err != nil {
			t.Fatal(err)
		}
		workers, err := l.Workers(t.Context(), "", noon)
		if err != nil {
			t.Fatal(err)
		}

		return facts{scores(w), workers, column[float64](t, l, "SELECT work FROM r10m ORDER BY t, worker")}
	}
	want := look()

	if err := l.DropSingles(t.Context()); err != nil {
		t.Fatal(err)
	}
	if left := works(t, l); len(left) != 0 {
		t.Errorf("%d single shares are left", len(left))
	}
	stop()
	l, stop = start(t, path, Options{})
	if diff := cmp.Diff(want, look()); diff != "" {
		t.Errorf("without single shares (-before +after):\n%s", diff)
	}

	// What the sums lack is kept: as if the log had been killed before they were written.
	seq = put(t, l, share("c", 7, time.Hour))
	awaitSums(t, l)
	change(t, l, "INSERT INTO share SELECT seq + 1, at_ms, worker, 5, difficulty, achieved, late FROM share WHERE seq = ?", seq)
	if err := l.DropSingles(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]int64{5}, works(t, l)); diff != "" {
		t.Errorf("single shares (-want +got):\n%s", diff)
	}
	stop()
	l, _ = start(t, path, Options{})
	awaitSums(t, l)
	if got := column[int64](t, l, "SELECT accepted FROM worker WHERE address = 'c'"); len(got) != 1 || got[0] != 2 {
		t.Errorf("accepted shares of c: %v, want 2", got)
	}
	w, err := l.Window(t.Context(), seq+1, 2000)
	if err != nil {
		t.Fatal(err)
	}
	if got := scores(w)["c"]; got != big.NewRat(12, 4838420).RatString() {
		t.Errorf("score of c: %s", got)
	}
}
