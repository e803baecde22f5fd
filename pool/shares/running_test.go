package shares

import (
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// inMemory returns a folder in memory where the system has such: what is tested
// does not depend on how long a disk takes to sync thousands of commits.
func inMemory(t *testing.T) string {
	t.Helper()

	dir, err := os.MkdirTemp("/dev/shm", "shares-test-*")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})

	return dir
}

// sameWindow compares the running window with the stored one.
func sameWindow(t *rapid.T, l *Log, seq, milli int64) {
	got, err := l.Running(t.Context(), milli)
	if err != nil {
		t.Fatal(err)
	}
	want, err := l.Window(t.Context(), seq, milli)
	if err != nil {
		t.Fatal(err)
	}
	byValue := cmp.Comparer(func(a, b *big.Rat) bool { return a.Cmp(b) == 0 })
	want.Epochs = nil
	for i := range want.Entries {
		want.Entries[i].Parts = nil
	}
	if diff := cmp.Diff(want, got, byValue); diff != "" {
		t.Fatalf("window of %d thousandths at %d (-stored +running):\n%s", milli, seq, diff)
	}
}

// The window in memory and the one in the database are the same, down to the
// order of the accounts, whatever comes in between: shifts and blocks, other
// difficulties, other X, merged shifts and restarts.
func TestRunningIsTheStoredWindow(t *testing.T) {
	dir, n := inMemory(t), 0
	bits := map[int64]uint32{1000: bitsOf(t, 1000), 1250: bitsOf(t, 1250), 7: bitsOf(t, 7)}
	milli := rapid.OneOf(rapid.Int64Range(1, 4000), rapid.Int64Range(1, 60_000))

	rapid.Check(t, func(rt *rapid.T) {
		n++
		path := filepath.Join(dir, fmt.Sprintf("%d.db", n))
		l, stop := start(t, path, Options{})
		defer func() { stop() }()
		at, blocks, seq := time.Duration(0), byte(0), int64(0)
		x := milli.Draw(rt, "X")

		rt.Repeat(map[string]func(*rapid.T){
			"shares": func(rt *rapid.T) {
				var batch []Share
				for _, d := range drawShares(rt) {
					at += d.gap
					s := share(d.account, d.work, at)
					s.Bits = bits[d.network]
					s.Worker = rapid.SampledFrom([]string{"x", "y"}).Draw(rt, "worker")
					batch = append(batch, s)
				}
				if rapid.Bool().Draw(rt, "block") {
					blocks++
					batch[len(batch)-1] = win(batch[len(batch)-1], blocks)
				}
				seq = put(t, l, batch...)
			},
			"prune": func(rt *rapid.T) {
				ago := rapid.SampledFrom([]time.Duration{0, 50 * time.Hour, 1000 * time.Hour}).Draw(rt, "ago")
				if err := l.Prune(t.Context(), noon.Add(at+ago)); err != nil {
					rt.Fatal(err)
				}
			},
			"restart": func(*rapid.T) {
				stop()
				l, stop = start(t, path, Options{})
			},
			"other X": func(rt *rapid.T) { x = milli.Draw(rt, "X") },
			"": func(rt *rapid.T) {
				if seq > 0 {
					sameWindow(rt, l, seq, x)
				}
			},
		})
	})
}

// Whoever asks before the first share gets a window with nobody in it.
func TestRunningEmpty(t *testing.T) {
	l, _ := start(t, filepath.Join(t.TempDir(), "shares.db"), Options{})
	for _, account := range []string{"", "alice"} {
		if account != "" {
			put(t, l, share(account, 10, 0))
		}
		w, err := l.Running(t.Context(), 2000)
		if err != nil {
			t.Fatal(err)
		}
		if (len(w.Entries) == 1) != (account == "alice") {
			t.Errorf("with shares of %q: %+v", account, w)
		}
	}
	if _, err := l.Running(t.Context(), 0); err == nil {
		t.Error("an empty window was accepted")
	}
}

// Nobody is told of a window while the database fails. What the spool kept
// meanwhile counts once it is replayed, and then once.
func TestRunningAfterAFailure(t *testing.T) {
	l, _ := start(t, filepath.Join(t.TempDir(), "shares.db"), quiet())
	put(t, l, share("alice", 10, 0))
	if _, err := l.Running(t.Context(), 2000); err != nil {
		t.Fatal(err)
	}

	change(t, l, breakIt)
	put(t, l, share("bob", 20, time.Second))
	if w, err := l.Running(t.Context(), 2000); err == nil {
		t.Errorf("a window of a database that fails: %v", scores(w))
	}
	change(t, l, mendIt)
	seq := put(t, l, share("carol", 30, 2*time.Minute))

	stored, err := l.Window(t.Context(), seq, 2000) // waits for the replay
	if err != nil {
		t.Fatal(err)
	}
	running, err := l.Running(t.Context(), 2000)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(scores(stored), scores(running)); diff != "" || len(stored.Entries) != 3 {
		t.Errorf("scores (-stored +running):\n%s", diff)
	}
}

// What a job of the direct settlement costs, with a window of 400 days of 100 workers.
func BenchmarkRunning(b *testing.B) {
	r := &running{live: true, limit: big.NewRat(2, 1), newest: map[int64]int{}, epochs: map[uint32]*epoch{}, workers: map[int64]Entry{}}
	var list []arrival
	for hour := range int64(400 * 24) {
		for worker := range int64(100) {
			list = append(list, arrival{
				seq: int64(len(list) + 1), worker: worker, work: 1 + worker<<30, address: fmt.Sprint(worker), script: fmt.Append(nil, worker),
				shift: shift{id: hour, bits: 0x17030000 + uint32(hour/336)},
			})
		}
	}
	r.follow(list)
	b.ReportAllocs()
	for b.Loop() {
		if w := r.window(); len(w.Entries) != 100 {
			b.Fatal(len(w.Entries))
		}
	}
}
