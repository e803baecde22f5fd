package shares

import (
	"fmt"
	"math/big"
	"path/filepath"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// The work of a worker is the sum over its shares and never falls, whatever comes in
// between: shifts and blocks, merged shifts, restarts, and many or few questions.
func TestWorkEver(t *testing.T) {
	dir, n := inMemory(t), 0
	bits := bitsOf(t, 1250)

	rapid.Check(t, func(rt *rapid.T) {
		n++
		path := filepath.Join(dir, fmt.Sprintf("%d.db", n))
		l, stop := start(t, path, Options{})
		defer func() { stop() }()
		at, want := time.Duration(0), map[string]*big.Int{}

		rt.Repeat(map[string]func(*rapid.T){
			"shares": func(rt *rapid.T) {
				var batch []Share
				for _, d := range drawShares(rt) {
					at += d.gap
					s := share(d.account, min(d.work, 1250), at)
					s.Bits = bits
					batch = append(batch, s)
					if want[d.account] == nil {
						want[d.account] = new(big.Int)
					}
					want[d.account].Add(want[d.account], big.NewInt(s.Work))
				}
				put(t, l, batch...)
			},
			"prune": func(rt *rapid.T) {
				ago := rapid.SampledFrom([]time.Duration{0, 50 * time.Hour}).Draw(rt, "ago")
				if err := l.Prune(t.Context(), noon.Add(at+ago)); err != nil {
					rt.Fatal(err)
				}
			},
			"restart": func(*rapid.T) {
				stop()
				l, stop = start(t, path, Options{})
			},
			"ask": func(rt *rapid.T) {
				awaitSums(t, l)
				got, err := l.WorkEver(t.Context())
				if err != nil {
					rt.Fatal(err)
				}
				known, err := l.Workers(t.Context(), "", noon.Add(at))
				if err != nil {
					rt.Fatal(err)
				}
				if len(got) != len(want) {
					rt.Fatalf("work of %d workers, want %d", len(got), len(want))
				}
				for _, w := range known {
					sum, _ := new(big.Float).SetInt(want[w.Address]).Float64()
					if got[w.ID] != sum {
						rt.Fatalf("work of %s = %v, want %v", w.Address, got[w.ID], sum)
					}
				}
			},
		})
	})
}

// Sums of years do not fit into 63 bits, and are exact all the same.
func TestWorkEverIsLarge(t *testing.T) {
	l, _ := start(t, filepath.Join(t.TempDir(), "shares.db"), Options{})
	const many = 1 << 61
	for i := range 9 {
		s := share("a", many, time.Duration(i)*time.Hour)
		s.Bits = 0x17030000 // a block takes more
		put(t, l, s)
	}
	awaitSums(t, l)
	for range 2 {
		got, err := l.WorkEver(t.Context())
		if err != nil || got[1] != 9*many {
			t.Errorf("work = %v, %v", got, err)
		}
	}
}
