package work

import (
	"math"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
)

// TestJudgeOrder spoils a share in every combination of ways. The verdict
// names the first in the order time, tip, difficulty, duplicate, and only a
// share without fault is remembered.
func TestJudgeOrder(t *testing.T) {
	j, _, _ := newJob(t, 0)
	good := Solution{Time: j.Time}
	proof := j.Prove(good)
	easy := HashDifficulty(proof.Hash)

	for bits := range 1 << 5 {
		wrongTime, oldTip, grace, tooHard, repeated := bits&1 != 0, bits&2 != 0, bits&4 != 0, bits&8 != 0, bits&16 != 0
		seen, s := NewSeen(), good
		terms := Terms{Tip: j.PrevHash, Grace: grace, Now: j.Time, Difficulty: easy}
		size := 0
		if repeated {
			if got := j.Judge(proof, good, terms, seen); got != Accepted {
				t.Fatalf("first share: %s", got)
			}
			size = 1
		}
		if wrongTime {
			s.Time = j.MinTime - 1
		}
		if oldTip {
			terms.Tip[0]++
		}
		if tooHard {
			terms.Difficulty *= 2
		}

		var want Verdict
		switch {
		case wrongTime:
			want = TimeOutOfRange
		case oldTip && !grace:
			want = Stale
		case tooHard:
			want = LowDifficulty
		case repeated:
			want = Duplicate
		case oldTip:
			want = AcceptedLate
		default:
			want = Accepted
		}
		if got := j.Judge(proof, s, terms, seen); got != want {
			t.Errorf("time %t, tip %t, grace %t, hard %t, repeated %t: %s, want %s",
				wrongTime, oldTip, grace, tooHard, repeated, got, want)
		}
		if want.Accepted() {
			size++
		}
		if got := len(seen.byPrev[j.PrevHash]); got != size {
			t.Errorf("case %05b: %d shares remembered, want %d", bits, got, size)
		}
	}
}

func TestJudgeTime(t *testing.T) {
	const minTime, jobTime = 1000, 100_000
	for _, tt := range []struct {
		name      string
		now, time uint32
		want      Verdict
	}{
		{"the job's", jobTime, jobTime, Accepted},
		{"the minimum", jobTime, minTime, Accepted},
		{"below the minimum", jobTime, minTime - 1, TimeOutOfRange},
		{"zero", jobTime, 0, TimeOutOfRange},
		{"rolled as far as allowed", jobTime, jobTime + 7000, Accepted},
		{"rolled too far", jobTime, jobTime + 7001, TimeOutOfRange},
		{"rolled, on an old job", jobTime + 3600, jobTime + 7000, Accepted},
		{"rolled too far, on an old job", jobTime + 3600, jobTime + 7001, TimeOutOfRange},
		{"node's clock ahead of ours", jobTime - 7140, jobTime, Accepted},
		{"our clock hours behind the node's", jobTime - 7141, jobTime, Accepted},
		{"our clock a year behind, rolled", 0, jobTime + 7000, Accepted},
		{"our clock a year behind, rolled too far", 0, jobTime + 7001, TimeOutOfRange},
		{"ahead of the clock as far as allowed", jobTime - 1000, jobTime + 6140, Accepted},
		{"too far ahead of the clock", jobTime - 1000, jobTime + 6141, TimeOutOfRange},
		{"greatest", jobTime, math.MaxUint32, TimeOutOfRange},
	} {
		t.Run(tt.name, func(t *testing.T) {
			j := &Job{Time: jobTime, MinTime: minTime}
			terms := Terms{Now: tt.now, Difficulty: 1}
			if got := j.Judge(Proof{}, Solution{Time: tt.time}, terms, NewSeen()); got != tt.want {
				t.Errorf("Judge = %s, want %s", got, tt.want)
			}
		})
	}

	late := &Job{Time: math.MaxUint32 - 10}
	terms := Terms{Now: math.MaxUint32 - 10, Difficulty: 1}
	if got := late.Judge(Proof{}, Solution{Time: math.MaxUint32}, terms, NewSeen()); got != Accepted {
		t.Errorf("at the end of time: %s, want no overflow", got)
	}
}

func TestJudgeDifficulty(t *testing.T) {
	j := &Job{}
	var h chainhash.Hash
	if err := decodeHash(&h, "0000000000cdd305efb7cb9d86c7dc8eccf504a32fdf781ea053f87b6f5b3642"); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		difficulty float64
		want       Verdict
	}{
		{1e-5, Accepted},
		{318.40, Accepted},
		{318.4026, Accepted},
		{318.4026 * (1 + 2.9e-5), Accepted},
		{318.4026 * (1 + 3.1e-5), LowDifficulty},
		{512, LowDifficulty},
		{0, LowDifficulty},
		{-1, LowDifficulty},
		{math.NaN(), LowDifficulty},
		{math.Inf(1), LowDifficulty},
	} {
		if got := j.Judge(Proof{Hash: h}, Solution{}, Terms{Difficulty: tt.difficulty}, NewSeen()); got != tt.want {
			t.Errorf("difficulty %v: %s, want %s", tt.difficulty, got, tt.want)
		}
	}
}

// TestSeenHoldsNoJunk: however many worthless shares arrive, the set does not
// grow, and it shrinks when a tip is forgotten.
func TestSeenHoldsNoJunk(t *testing.T) {
	j, _, _ := newJob(t, 0)
	seen := NewSeen()
	terms := Terms{Tip: j.PrevHash, Now: j.Time, Difficulty: 1e9}
	for nonce := range uint32(10_000) {
		s := Solution{Time: j.Time, Nonce: nonce}
		if got := j.Judge(j.Prove(s), s, terms, seen); got != LowDifficulty {
			t.Fatalf("nonce %d: %s", nonce, got)
		}
	}
	if len(seen.byPrev) != 0 {
		t.Errorf("%d tips remembered after junk", len(seen.byPrev))
	}

	terms.Difficulty = 1e-10
	s := Solution{Time: j.Time}
	for _, want := range []Verdict{Accepted, Duplicate, Duplicate} {
		if got := j.Judge(j.Prove(s), s, terms, seen); got != want {
			t.Errorf("Judge = %s, want %s", got, want)
		}
	}
	seen.Forget(chainhash.Hash{})
	if got := j.Judge(j.Prove(s), s, terms, seen); got != Duplicate {
		t.Errorf("after forgetting another tip: %s, want %s", got, Duplicate)
	}
	seen.Forget(j.PrevHash)
	if len(seen.byPrev) != 0 {
		t.Errorf("%d tips remembered after Forget", len(seen.byPrev))
	}
}

// TestSeenOnce: of many goroutines that submit the same share, one succeeds.
func TestSeenOnce(t *testing.T) {
	j, _, _ := newJob(t, 0)
	seen := NewSeen()
	s := Solution{Time: j.Time}
	terms := Terms{Tip: j.PrevHash, Now: j.Time, Difficulty: 1e-10}

	var accepted atomic.Int32
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if j.Judge(j.Prove(s), s, terms, seen).Accepted() {
				accepted.Add(1)
			}
		})
	}
	wg.Wait()
	if n := accepted.Load(); n != 1 {
		t.Errorf("accepted %d times, want once", n)
	}
}

func TestVerdictWords(t *testing.T) {
	words := map[Verdict]string{
		Accepted:       "accepted",
		AcceptedLate:   "accepted-late",
		JobNotFound:    "job-not-found",
		Stale:          "stale",
		Duplicate:      "duplicate",
		LowDifficulty:  "low-difficulty",
		TimeOutOfRange: "time-out-of-range",
		Verdict(200):   "unknown",
	}
	for v, want := range words {
		if got := v.String(); got != want {
			t.Errorf("Verdict(%d) = %q, want %q", v, got, want)
		}
		if got, want := v.Accepted(), v == Accepted || v == AcceptedLate; got != want {
			t.Errorf("%s.Accepted() = %t, want %t", v, got, want)
		}
	}
}

// Where a network's bits depend on the time, a job ends with them.
func TestJudgeMaxTime(t *testing.T) {
	j, _, _ := newJob(t, 0)
	j.MaxTime = j.Time + 100
	for _, test := range []struct {
		time uint32
		want Verdict
	}{{j.MaxTime, Accepted}, {j.MaxTime + 1, TimeOutOfRange}} {
		s := Solution{Time: test.time}
		proof := j.Prove(s)
		terms := Terms{Tip: j.PrevHash, Now: j.Time, Difficulty: HashDifficulty(proof.Hash)}
		if got := j.Judge(proof, s, terms, NewSeen()); got != test.want {
			t.Errorf("time %d after the job's: %s, want %s", test.time-j.Time, got, test.want)
		}
	}
}
