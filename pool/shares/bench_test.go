package shares

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// BenchmarkGroupCommit measures what a miner waits for: from Append until its
// share is on the disk. Each submitter sends its next share when that is done.
func BenchmarkGroupCommit(b *testing.B) {
	for _, submitters := range []int{1, 100, 1000} {
		b.Run(fmt.Sprintf("submitters=%d", submitters), func(b *testing.B) {
			l, _ := start(b, filepath.Join(b.TempDir(), "shares.db"), Options{})
			ctx := context.Background()

			var next atomic.Int64
			latencies := make([]time.Duration, b.N)
			var group sync.WaitGroup
			b.ResetTimer()
			for i := range submitters {
				s := share(fmt.Sprintf("account%d", i), 1000, 0)
				group.Go(func() {
					for n := next.Add(1) - 1; n < int64(b.N); n = next.Add(1) - 1 {
						begin := time.Now()
						s.At = begin
						c, err := l.Append(ctx, s)
						if err == nil {
							err = c.Wait(ctx)
						}
						if err != nil {
							b.Error(err)

							return
						}
						latencies[n] = time.Since(begin)
					}
				})
			}
			group.Wait()
			b.StopTimer()

			slices.Sort(latencies)
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "shares/s")
			b.ReportMetric(float64(latencies[b.N/2].Microseconds())/1000, "p50-ms")
			b.ReportMetric(float64(latencies[b.N*99/100].Microseconds())/1000, "p99-ms")
		})
	}
}
