package shares

import (
	"math"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// A histogram counts each share of the account once, in the bucket of what it reached.
func TestHistogram(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		l, stop := start(t, filepath.Join(t.TempDir(), "shares.db"), Options{})
		defer stop()
		want := map[int]int64{}
		var batch []Share
		for i, exponent := range rapid.SliceOfN(rapid.Float64Range(-20, 70), 0, 50).Draw(rt, "log2") {
			s := share([]string{"a", "b"}[i%2], 1, time.Duration(i)*time.Second)
			s.Achieved = math.Exp2(exponent)
			if s.Address == "a" {
				want[int(math.Floor(math.Log2(s.Achieved)))]++
			}
			batch = append(batch, s)
		}
		if len(batch) > 0 {
			put(t, l, batch...)
		}
		got, err := l.Histogram(t.Context(), "a")
		if err != nil {
			rt.Fatal(err)
		}
		if diff := cmp.Diff(want, got.Buckets); diff != "" {
			rt.Fatalf("buckets (-want +got):\n%s", diff)
		}
		if len(batch) > 0 && !got.From.Equal(batch[0].At) || got.Shares != int64((len(batch)+1)/2) {
			rt.Fatalf("%d shares from %v", got.Shares, got.From)
		}
	})
}
