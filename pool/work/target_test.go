package work

import (
	"bytes"
	"encoding/hex"
	"math"
	"math/big"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
	"pgregory.net/rapid"
)

func TestTargetFromBits(t *testing.T) {
	for _, tt := range []struct {
		bits uint32
		want string // the target's significant digits, "" for an error
	}{
		{0x1d00ffff, "ffff0000000000000000000000000000000000000000000000000000"},
		{0x1e0377ae, "0377ae000000000000000000000000000000000000000000000000000000"},
		{0x207fffff, "7fffff0000000000000000000000000000000000000000000000000000000000"},
		{0x17030000, "030000" + "0000000000000000000000000000000000000000"},
		{0x01120000, "12"},
		{0x02123400, "1234"},
		{0x0201ff00, "01ff"},
		{0x03123456, "123456"},
		{0x04123456, "12345600"},
		{0x05009234, "92340000"},
		{0x20123456, "12345600" + "00000000000000000000000000000000000000000000000000000000"},
		{0x2100ffff, "ffff000000000000000000000000000000000000000000000000000000000000"},
		{0x220000ff, "ff00000000000000000000000000000000000000000000000000000000000000"},

		{0x00000000, ""}, // zero
		{0x00123456, ""}, // shifted out
		{0x01003456, ""},
		{0x1d000000, ""},
		{0x04923456, ""}, // negative
		{0x01fedcba, ""},
		{0x01800000, ""}, // negative zero
		{0x21010000, ""}, // 257 bits
		{0x22000100, ""},
		{0x23000001, ""},
		{0xff123456, ""},
	} {
		got, err := TargetFromBits(tt.bits)
		if tt.want == "" {
			if err == nil {
				t.Errorf("TargetFromBits(%08x) = %x, want an error", tt.bits, got)
			}
			continue
		}
		want := make([]byte, 32-len(tt.want)/2, 32)
		want = append(want, unhex(t, tt.want)...)
		if err != nil || !bytes.Equal(got[:], want) {
			t.Errorf("TargetFromBits(%08x) = %x, %v, want %x", tt.bits, got, err, want)
		}
	}
}

func TestNetworkWork(t *testing.T) {
	for _, tt := range []struct {
		bits uint32
		want string
	}{
		{0x1d00ffff, "4295032833"},
		{0x17030000, "402975273204876391568725"},
		{0x207fffff, "2"},
		{0x1e0377ae, "4838420"},
	} {
		got, err := NetworkWork(tt.bits)
		if err != nil || got.String() != tt.want {
			t.Errorf("NetworkWork(%08x) = %v, %v, want %s", tt.bits, got, err, tt.want)
		}
	}
	if got, err := NetworkWork(0); err == nil {
		t.Errorf("NetworkWork(0) = %v, want an error", got)
	}
}

func TestShareWork(t *testing.T) {
	for _, tt := range []struct {
		difficulty float64
		want       int64
	}{
		{1, 4295032833},
		{512, 2199056810496},
		{65536, 281479271743489},
		{math.SmallestNonzeroFloat64, 1},
		{1e-10, 1},
		{1e300, math.MaxInt64},
		{3e9, math.MaxInt64},
		{0, 1},
		{-1, 1},
		{math.NaN(), 1},
		{math.Inf(1), 1},
		{math.Inf(-1), 1},
	} {
		if got := ShareWork(tt.difficulty); got != tt.want {
			t.Errorf("ShareWork(%v) = %d, want %d", tt.difficulty, got, tt.want)
		}
	}
}

func TestTargetFromDifficultyEdges(t *testing.T) {
	for _, d := range []float64{0, math.Copysign(0, -1), -1, math.NaN(), math.Inf(1), math.Inf(-1), math.MaxFloat64, 1e68} {
		if got := TargetFromDifficulty(d); got != (Target{}) {
			t.Errorf("TargetFromDifficulty(%v) = %x, want zero", d, got)
		}
		if got := AcceptTarget(d); got != (Target{}) {
			t.Errorf("AcceptTarget(%v) = %x, want zero", d, got)
		}
	}
	for _, d := range []float64{math.SmallestNonzeroFloat64, 0x1p-1022, 1e-300, 0x1p-33} {
		if got := TargetFromDifficulty(d); got != maxTarget() {
			t.Errorf("TargetFromDifficulty(%v) = %x, want the greatest target", d, got)
		}
	}
	// The last difficulties before either end.
	if got := TargetFromDifficulty(0xffff * 0x1p208); got != targetOf(big.NewInt(1)) {
		t.Errorf("greatest difficulty has target %x, want 1", got)
	}
	want := new(big.Int).Lsh(big.NewInt(0xffff), 240)
	if got := TargetFromDifficulty(0x1p-32); got != targetOf(want) {
		t.Errorf("TargetFromDifficulty(2^-32) = %x, want %x", got, want)
	}
}

// TestTargetExact compares the limb arithmetic with rational numbers.
func TestTargetExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := anyDifficulty().Draw(t, "difficulty")
		if got, want := TargetFromDifficulty(d), exactTarget(d, 1, 1); got != want {
			t.Errorf("TargetFromDifficulty(%v) = %x, want %x", d, got, want)
		}
		if got, want := AcceptTarget(d), exactTarget(d, 100_000, 99_997); got != want {
			t.Errorf("AcceptTarget(%v) = %x, want %x", d, got, want)
		}
	})
}

// TestTargetMonotone: more difficulty never has a higher target, a lower
// target never has less work.
func TestTargetMonotone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := anyDifficulty().Draw(t, "a")
		b := anyDifficulty().Draw(t, "b")
		a, b = min(a, b), max(a, b)
		easy, hard := TargetFromDifficulty(a), TargetFromDifficulty(b)

		if bytes.Compare(easy[:], hard[:]) < 0 {
			t.Errorf("target of %v is below that of %v", a, b)
		}
		if easy.Work().Cmp(hard.Work()) > 0 {
			t.Errorf("work of %v is above that of %v", a, b)
		}
		if ShareWork(a) > ShareWork(b) {
			t.Errorf("ShareWork(%v) = %d > ShareWork(%v) = %d", a, ShareWork(a), b, ShareWork(b))
		}
		if accept := AcceptTarget(b); bytes.Compare(accept[:], hard[:]) < 0 {
			t.Errorf("AcceptTarget(%v) is below the target itself", b)
		}
	})
}

// TestWorkInvertsTarget: floor(2^256/(t+1)) hashes are expected, no more and
// no less.
func TestWorkInvertsTarget(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		target := Target(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "target"))
		next := new(big.Int).Add(new(big.Int).SetBytes(target[:]), big.NewInt(1))
		space := new(big.Int).Lsh(big.NewInt(1), 256)

		w := target.Work()
		if low := new(big.Int).Mul(w, next); low.Cmp(space) > 0 {
			t.Errorf("Work(%x) = %d is too much", target, w)
		}
		w.Add(w, big.NewInt(1))
		if high := new(big.Int).Mul(w, next); high.Cmp(space) <= 0 {
			t.Errorf("Work(%x) is too little", target)
		}
	})
}

// TestDifficultyMissesNothing: working at a target's difficulty finds all
// that meets the target.
func TestDifficultyMissesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		target := Target(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "target"))
		if target == (Target{}) {
			return
		}
		d := target.Difficulty()
		if got := TargetFromDifficulty(d); bytes.Compare(got[:], target[:]) < 0 {
			t.Errorf("TargetFromDifficulty(%v) = %x, below %x", d, got, target)
		}
		if got := TargetFromDifficulty(math.Nextafter(d, math.Inf(1))); bytes.Compare(got[:], target[:]) > 0 {
			t.Errorf("Difficulty(%x) = %v, although the next number does too", target, d)
		}
	})
}

func TestDifficulty(t *testing.T) {
	for _, tt := range []struct {
		bits uint32
		want float64
	}{
		{0x1d00ffff, 1},
		{0x1b0404cb, 16307.420938523983}, // main network, height 100 000
		{0x207fffff, 4.6565423739069247e-10},
	} {
		target, err := TargetFromBits(tt.bits)
		if err != nil {
			t.Fatal(err)
		}
		if got := target.Difficulty(); math.Abs(got/tt.want-1) > 1e-15 {
			t.Errorf("Difficulty of %08x = %v, want %v", tt.bits, got, tt.want)
		}
	}
	if got := (Target{}).Difficulty(); !math.IsInf(got, 1) {
		t.Errorf("Difficulty of the zero target = %v, want infinity", got)
	}
}

// TestMeets walks around the exact target and around the slack below it.
func TestMeets(t *testing.T) {
	for _, d := range []float64{0.00015, 0.02, 1, 42, 512, 931.25, 1e6, 8e13} {
		target := TargetFromDifficulty(d)
		exact := new(big.Int).SetBytes(target[:])
		above := func(millionths int64) chainhash.Hash {
			n := new(big.Int).Mul(exact, big.NewInt(1_000_000+millionths))
			return hashFrom(n.Quo(n, big.NewInt(1_000_000)))
		}
		next := new(big.Int).Add(exact, big.NewInt(1))

		for _, tt := range []struct {
			name          string
			hash          chainhash.Hash
			meets, accept bool
		}{
			{"zero", chainhash.Hash{}, true, true},
			{"target", hashFrom(exact), true, true},
			{"target+1", hashFrom(next), false, true},
			{"2e-5 above", above(20), false, true},
			{"3e-5 above", above(30), false, true},
			{"3.1e-5 above", above(31), false, false},
			{"1e-3 above", above(1000), false, false},
		} {
			if got := target.Meets(tt.hash); got != tt.meets {
				t.Errorf("difficulty %v, %s: Meets = %t, want %t", d, tt.name, got, tt.meets)
			}
			if got := AcceptTarget(d).Meets(tt.hash); got != tt.accept {
				t.Errorf("difficulty %v, %s: accepted = %t, want %t", d, tt.name, got, tt.accept)
			}
		}

		slack := AcceptTarget(d)
		last := new(big.Int).SetBytes(slack[:])
		if !slack.Meets(hashFrom(last)) || slack.Meets(hashFrom(last.Add(last, big.NewInt(1)))) {
			t.Errorf("difficulty %v: the accepted target is not sharp", d)
		}
	}
}

func TestAcceptTargetAllocatesNothing(t *testing.T) {
	var sink Target
	d := 931.25
	if n := testing.AllocsPerRun(100, func() { sink = AcceptTarget(d) }); n != 0 {
		t.Errorf("AcceptTarget allocates %v times", n)
	}
	if sink == (Target{}) {
		t.Error("AcceptTarget(931.25) is zero")
	}
}

// anyDifficulty draws positive finite floats: wild ones and likely ones.
func anyDifficulty() *rapid.Generator[float64] {
	return rapid.OneOf(
		rapid.Float64Range(math.SmallestNonzeroFloat64, math.MaxFloat64),
		rapid.Float64Range(1e-11, 1e15),
		rapid.Float64Range(1e-5, 10),
		rapid.Custom(func(t *rapid.T) float64 {
			return math.Ldexp(rapid.Float64Range(0.5, 1).Draw(t, "fraction"), rapid.IntRange(-60, 240).Draw(t, "exponent"))
		}),
	)
}

// exactTarget is 0xffff·2^208·num / (d·den), rounded down, by the book.
func exactTarget(d float64, num, den int64) Target {
	unit := new(big.Int).Lsh(big.NewInt(0xffff*num), 208)
	divisor := new(big.Rat).SetFloat64(d)
	divisor.Mul(divisor, new(big.Rat).SetInt64(den))
	q := new(big.Rat).Quo(new(big.Rat).SetInt(unit), divisor)
	return targetOf(new(big.Int).Quo(q.Num(), q.Denom()))
}

func targetOf(n *big.Int) Target {
	if n.BitLen() > 256 {
		return maxTarget()
	}
	var t Target
	n.FillBytes(t[:])
	return t
}

func hashFrom(n *big.Int) chainhash.Hash {
	target := targetOf(n)
	var h chainhash.Hash
	if err := chainhash.Decode(&h, hex.EncodeToString(target[:])); err != nil {
		panic(err)
	}
	return h
}

// HashDifficulty is the difficulty of the hash as a target, nearly exact.
func TestHashDifficultyIsNear(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		raw := rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "hash")
		for i := range rapid.IntRange(0, 31).Draw(t, "zeros") {
			raw[31-i] = 0
		}
		h := chainhash.Hash(raw)
		var target Target
		for i := range target {
			target[i] = h[31-i]
		}
		want, got := target.Difficulty(), HashDifficulty(h)
		if math.IsInf(want, 1) {
			t.Skip("zero")
		}
		if math.Abs(got/want-1) > 1e-15 {
			t.Errorf("HashDifficulty(%s) = %v, want %v", h, got, want)
		}
	})
	if got := HashDifficulty(chainhash.Hash{}); !math.IsInf(got, 1) {
		t.Errorf("HashDifficulty(0) = %v, want +Inf", got)
	}
	if got := testing.AllocsPerRun(10, func() { HashDifficulty(chainhash.Hash{7: 9}) }); got != 0 {
		t.Errorf("%v allocations", got)
	}
}
