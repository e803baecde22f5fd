package webui

import (
	"math"
	"time"
)

// reached counts shares of an address by the difficulty that they reached.
type reached struct {
	From    time.Time     // of the oldest share that was looked at
	Shares  int64         // of the address
	Buckets map[int]int64 // by floor(log2(difficulty))
}

// histogram is reached as bars, drawn on the server in a box of chartWidth ×
// barHeight. Their height is the logarithm of their number: by chance alone each
// bar has half as many shares as the one before, which makes even steps.
type histogram struct {
	From   time.Time
	Shares int64
	Bars   []bar
}

// bar counts the shares that reached from Low to twice that.
type bar struct {
	Low                 float64
	Count               int64
	X, Y, Width, Height float64
}

const barHeight = 120

// newHistogram draws bars for all buckets from the first to the last.
func newHistogram(r reached) *histogram {
	h := &histogram{From: r.From, Shares: r.Shares}
	first, last, most := math.MaxInt, math.MinInt, 0.0
	for bucket, n := range r.Buckets {
		first, last, most = min(first, bucket), max(last, bucket), max(most, steps(n))
	}
	if most == 0 {
		return h
	}
	width := float64(chartWidth) / float64(last-first+1)
	for bucket := first; bucket <= last; bucket++ {
		n := r.Buckets[bucket]
		height := barHeight * steps(n) / most
		h.Bars = append(h.Bars, bar{
			Low: math.Ldexp(1, bucket), Count: n,
			X: round1(float64(bucket-first)*width + width*0.1), Y: round1(barHeight - height), Width: round1(width * 0.8), Height: round1(height),
		})
	}
	return h
}

// steps is how often n can be halved until nothing is left.
func steps(n int64) float64 { return math.Log2(1 + float64(n)) }
