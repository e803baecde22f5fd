package shares

import (
	"fmt"
	"math/big"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// I4: neither the order of the workers, nor shares or shifts that are split
// without cutting the edge, change a score.
func TestTallyProperties(t *testing.T) {
	networks := []uint32{bitsOf(t, 1000), bitsOf(t, 1250), 0x17030000}

	rapid.Check(t, func(t *rapid.T) {
		type done struct{ worker, work int64 }
		type block struct {
			shift shift
			parts []done
		}
		var plain, varied []block
		for range rapid.IntRange(1, 12).Draw(t, "shifts") {
			b := block{shift: shift{bits: rapid.SampledFrom(networks).Draw(t, "bits")}}
			for worker := range rapid.Int64Range(1, 4).Draw(t, "workers") {
				p := done{worker, rapid.Int64Range(2, 1000).Draw(t, "work")}
				b.parts = append(b.parts, p)
				b.shift.work += p.work
			}
			plain = append(plain, b)

			other := block{b.shift, rapid.Permutation(b.parts).Draw(t, "order")}
			if !rapid.Bool().Draw(t, "split") {
				varied = append(varied, other)
				continue
			}
			// Two shifts with the same shares of the work; the edge may fall on
			// either, so every worker must be cut in the same proportion.
			half := block{shift: shift{bits: b.shift.bits}}
			for i := range other.parts {
				other.parts[i].work *= 2
				other.shift.work += other.parts[i].work / 2
				half.parts = append(half.parts, done{other.parts[i].worker, other.parts[i].work / 2})
				half.shift.work += other.parts[i].work / 2
			}
			third := block{half.shift, slices.Clone(half.parts)}
			plain[len(plain)-1] = other
			varied = append(varied, half, third)
		}
		limit := big.NewRat(rapid.Int64Range(1, 9000).Draw(t, "milli"), 1000)

		run := func(list []block) map[string]string {
			tally := newTally(limit)
			for i, b := range list {
				b.shift.id = int64(len(list) - i)
				full, err := tally.add(b.shift, nil)
				if err != nil {
					t.Fatal(err)
				}
				if full {
					break
				}
			}
			scores := map[int64]*big.Rat{}
			for _, r := range tally.counted() {
				for id := r.first; id <= r.last; id++ {
					for _, p := range list[int64(len(list))-id].parts {
						score := new(big.Rat).SetFrac(big.NewInt(p.work), tally.network[r.bits])
						score.Mul(score, r.take)
						if more := scores[p.worker]; more != nil {
							score.Add(score, more)
						}
						scores[p.worker] = score
					}
				}
			}
			text := map[string]string{}
			for worker, score := range scores {
				text[fmt.Sprint(worker)] = score.RatString()
			}

			return text
		}
		if diff := cmp.Diff(run(plain), run(varied)); diff != "" {
			t.Errorf("scores (-plain +varied):\n%s", diff)
		}
	})
}
