package shares

import (
	"encoding/json"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// scores writes a window's scores by address as fractions.
func scores(w Window) map[string]string {
	got := map[string]string{}
	for _, e := range w.Entries {
		got[e.Address] = e.Score.RatString()
	}

	return got
}

// bitsOf returns nBits of which a block takes so many hashes.
func bitsOf(t *testing.T, network int64) uint32 {
	t.Helper()

	target := new(big.Int).Lsh(big.NewInt(1), 256)
	target.Quo(target, big.NewInt(network))
	size := uint32(target.BitLen()+8) / 8 // one bit is left for the sign
	bits := size<<24 | uint32(new(big.Int).Rsh(target, uint(8*(size-3))).Uint64())

	if got, err := networkWork(bits); err != nil || got.Int64() != network {
		t.Fatalf("networkWork(%08x) = %v, %v, want %d", bits, got, err, network)
	}

	return bits
}

func TestNetworkWork(t *testing.T) {
	for bits, want := range map[uint32]string{
		0x1d00ffff: "4295032833",
		0x17030000: "402975273204876391568725",
		0x207fffff: "2",
		0x1e0377ae: "4838420",
		0x04123456: "379124398474419013879284526518031960495046739116833825857510150719261",
	} {
		got, err := networkWork(bits)
		if err != nil || got.String() != want {
			t.Errorf("networkWork(%08x) = %v, %v, want %s", bits, got, err, want)
		}
	}
}

// pplnsVectors are the published test vectors of the window.
type pplnsVectors struct {
	Shares []struct {
		Account     string
		Work        int64
		NetworkWork int64 `json:"network_work"`
	}
	Cases []struct {
		Name        string
		FirstShare  int               `json:"first_share"`
		WindowMilli int64             `json:"window_milli"`
		Scores      map[string]string `json:"scores"`
	}
}

func readVectors(t *testing.T) (vectors pplnsVectors) {
	t.Helper()

	raw, err := os.ReadFile("testdata/pplns.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &vectors); err != nil {
		t.Fatal(err)
	}
	if len(vectors.Cases) == 0 {
		t.Fatal("no vectors")
	}

	return vectors
}

// With one share in each shift the window is that of single shares.
func TestWindowVectors(t *testing.T) {
	vectors := readVectors(t)
	for _, c := range vectors.Cases {
		t.Run(c.Name, func(t *testing.T) {
			l, _ := start(t, filepath.Join(t.TempDir(), "shares.db"), Options{})
			var seq int64
			for i, v := range vectors.Shares[c.FirstShare:] {
				s := share(v.Account, v.Work, time.Duration(i)*time.Minute)
				s.Bits = bitsOf(t, v.NetworkWork)
				seq = put(t, l, s)
			}

			w, err := l.Window(t.Context(), seq, c.WindowMilli)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.Scores, scores(w)); diff != "" {
				t.Errorf("scores (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWindow(t *testing.T) {
	l, _ := start(t, filepath.Join(t.TempDir(), "shares.db"), Options{})
	bits := bitsOf(t, 1000)
	s := func(account, worker string, work int64, after time.Duration) Share {
		s := share(account, work, after)
		s.Worker, s.Bits = worker, bits

		return s
	}

	first := put(t, l, s("bob", "x", 300, 0), s("alice", "x", 100, time.Second), s("bob", "y", 100, 2*time.Second))
	winner := put(t, l, s("alice", "x", 200, 2*time.Minute), win(s("bob", "y", 300, 2*time.Minute), 1))
	middle := put(t, l, s("carol", "", 400, 2*time.Minute))
	last := put(t, l, s("carol", "", 500, 2*time.Minute))

	tests := []struct {
		name  string
		seq   int64
		milli int64
		want  map[string]string
	}{
		{"all there is", winner, 2000, map[string]string{"bob": "7/10", "alice": "3/10"}},
		{"the edge is scaled for all its workers", winner, 750, map[string]string{"bob": "1/2", "alice": "1/4"}},
		{"the limit falls on a border", winner, 500, map[string]string{"bob": "3/10", "alice": "1/5"}},
		{"only an edge", winner, 100, map[string]string{"bob": "3/50", "alice": "1/25"}},
		{"an older share", first, 1000, map[string]string{"bob": "2/5", "alice": "1/10"}},
		{"the middle of a shift", middle, 600, map[string]string{"carol": "2/5", "bob": "3/25", "alice": "2/25"}},
		{"the newest share", last, 1000, map[string]string{"carol": "9/10", "bob": "3/50", "alice": "1/25"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w, err := l.Window(t.Context(), test.seq, test.milli)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, scores(w)); diff != "" {
				t.Errorf("scores (-want +got):\n%s", diff)
			}
			sum := new(big.Rat)
			for _, e := range w.Entries {
				sum.Add(sum, e.Score)
			}
			if sum.Cmp(w.Sum) != 0 {
				t.Errorf("Sum = %s, the entries have %s", w.Sum, sum)
			}
			checkParts(t, w)
		})
	}

	w, err := l.Window(t.Context(), winner, 2000)
	if err != nil {
		t.Fatal(err)
	}
	if w.Entries[0].Address != "bob" || !w.From.Equal(noon) || w.Seq != winner {
		t.Errorf("window %+v: want bob, who was first, in front, and noon as the begin", w)
	}

	if _, err := l.Window(t.Context(), last+1, 2000); err == nil {
		t.Error("a share of the future has a window")
	}
	if _, err := l.Window(t.Context(), last, 0); err == nil {
		t.Error("an empty window was accepted")
	}

	effort, err := l.RoundWork(t.Context(), winner)
	if err != nil || effort.Cmp(big.NewRat(9, 10)) != 0 {
		t.Errorf("RoundWork = %v, %v, want 9/10", effort, err)
	}
	whole, err := l.RoundWork(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	rounds, err := l.RoundWorks(t.Context(), []int64{0, winner, last})
	if err != nil || len(rounds) != 2 || rounds[1].Cmp(effort) != 0 || new(big.Rat).Add(rounds[0], rounds[1]).Cmp(whole) != 0 {
		t.Errorf("RoundWorks = %v, %v, want two that add up to %v", rounds, err, whole)
	}
	seq, ok, err := l.Winner(t.Context(), *win(Share{}, 1).Block)
	if seq != winner || !ok || err != nil {
		t.Errorf("Winner = %d, %v, %v, want %d", seq, ok, err, winner)
	}
	if _, ok, err := l.Winner(t.Context(), *win(Share{}, 2).Block); ok || err != nil {
		t.Errorf("Winner of a foreign block = %v, %v, want none", ok, err)
	}
}

// drawn is a share that rapid made up.
type drawn struct {
	account string
	work    int64
	network int64
	gap     time.Duration
}

func drawShares(t *rapid.T) []drawn {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) drawn {
		return drawn{
			account: rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "account"),
			work:    rapid.Int64Range(1, 1000).Draw(t, "work"),
			network: rapid.SampledFrom([]int64{1000, 1000, 1000, 1250, 7}).Draw(t, "network"),
			gap:     rapid.SampledFrom([]time.Duration{0, 0, 0, 20 * time.Second, time.Minute, 26 * time.Hour}).Draw(t, "gap"),
		}
	}), 1, 30).Draw(t, "shares")
}

// truth is the window by its definition, out of single shares and the shifts
// that they were put into: newest first, the edge scaled.
func truth(list []drawn, ends []int64, limit *big.Rat) (map[string]string, *big.Rat) {
	byAccount, sum := map[string]*big.Rat{}, new(big.Rat)
	to := len(list)
	for i := len(ends) - 1; i >= 0 && sum.Cmp(limit) < 0; i-- {
		from := 0
		if i > 0 {
			from = int(ends[i-1])
		}
		score := func(d drawn) *big.Rat { return big.NewRat(min(d.work, d.network), d.network) }

		shift := new(big.Rat)
		for _, d := range list[from:to] {
			shift.Add(shift, score(d))
		}
		scale := big.NewRat(1, 1)
		if left := new(big.Rat).Sub(limit, sum); left.Cmp(shift) < 0 {
			scale.Quo(left, shift)
		}
		for _, d := range list[from:to] {
			if byAccount[d.account] == nil {
				byAccount[d.account] = new(big.Rat)
			}
			byAccount[d.account].Add(byAccount[d.account], new(big.Rat).Mul(scale, score(d)))
		}
		sum.Add(sum, new(big.Rat).Mul(scale, shift))
		to = from
	}

	text := map[string]string{}
	for account, score := range byAccount {
		text[account] = score.RatString()
	}

	return text, sum
}

// The stored window is the defined one, its sum is exactly min(X, what there is)
// (I7), and merging shifts that do not cut the edge changes nothing (I4).
func TestWindowProperties(t *testing.T) {
	dir, n := t.TempDir(), 0
	bits := map[int64]uint32{1000: bitsOf(t, 1000), 1250: bitsOf(t, 1250), 7: bitsOf(t, 7)}

	rapid.Check(t, func(rt *rapid.T) {
		n++
		list := drawShares(rt)
		milli := rapid.Int64Range(1, 12_000).Draw(rt, "milli")
		limit := big.NewRat(milli, 1000)

		l, stop := start(t, filepath.Join(dir, fmt.Sprintf("%d.db", n)), Options{})
		defer stop()
		var batch []Share
		at := time.Duration(0)
		for _, d := range list {
			at += d.gap
			s := share(d.account, d.work, at)
			s.Bits = bits[d.network]
			batch = append(batch, s)
		}
		seq := put(t, l, batch...)

		window := func(milli int64) Window {
			w, err := l.Window(t.Context(), seq, milli)
			if err != nil {
				rt.Fatal(err)
			}

			return w
		}
		want, sum := truth(list, column[int64](t, l, "SELECT to_seq FROM shift ORDER BY id"), limit)
		got := window(milli)
		if diff := cmp.Diff(want, scores(got)); diff != "" {
			rt.Errorf("scores (-want +got):\n%s", diff)
		}
		if got.Sum.Cmp(sum) != 0 {
			rt.Errorf("Sum = %s, want %s", got.Sum, sum)
		}
		checkParts(rt, got)

		all := window(1_000_000)
		if want := minRat(limit, all.Sum); got.Sum.Cmp(want) != 0 {
			rt.Errorf("Sum = %s, want min(X, available) = %s", got.Sum, want)
		}

		if err := l.Prune(t.Context(), noon.Add(at+72*time.Hour)); err != nil {
			rt.Fatal(err)
		}
		if diff := cmp.Diff(scores(all), scores(window(1_000_000))); diff != "" {
			rt.Errorf("scores of all shares after Prune (-want +got):\n%s", diff)
		}
		if after := window(milli); after.Sum.Cmp(got.Sum) != 0 {
			rt.Errorf("Sum after Prune = %s, want %s", after.Sum, got.Sum)
		}
	})
}

func minRat(a, b *big.Rat) *big.Rat {
	if a.Cmp(b) < 0 {
		return a
	}

	return b
}
