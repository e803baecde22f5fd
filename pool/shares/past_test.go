package shares

import (
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// What is kept of the past is what a log that has just been opened reads, whatever
// order shares and rejects come in, and however often somebody looked.
func TestPastIsForgottenWhenItChanges(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var clock atomic.Int64
		clock.Store(noon.Unix())
		read := func() time.Time { return time.Unix(clock.Load(), 0) }
		path := filepath.Join(t.TempDir(), "shares.db")
		l, stop := start(t, path, Options{Now: read})
		var last []WorkerStats
		for range rapid.IntRange(1, 6).Draw(rt, "turns") {
			clock.Add(60 * rapid.Int64Range(0, 15).Draw(rt, "minutes"))
			now := read()
			ago := time.Duration(rapid.IntRange(0, 200).Draw(rt, "ago")) * time.Minute
			s := share([]string{"a", "b"}[rapid.IntRange(0, 1).Draw(rt, "account")], 1<<40, 0)
			s.At = now.Add(-ago)
			put(t, l, s)
			got, err := l.Workers(t.Context(), "", now)
			if err != nil {
				rt.Fatal(err)
			}
			last = got
		}
		stop()
		again, stop := start(t, path, Options{Now: read})
		defer stop()
		want, err := again.Workers(t.Context(), "", read())
		if err != nil {
			rt.Fatal(err)
		}
		if diff := cmp.Diff(want, last); diff != "" {
			rt.Fatalf("what is kept differs from what is stored (-want +got):\n%s", diff)
		}
	})
}
