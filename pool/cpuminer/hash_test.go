package cpuminer

import (
	"crypto/sha256"
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"github.com/dmpool/dmpool/pool/work"
)

func TestHash(t *testing.T) {
	h := newHasher()
	random := rand.NewChaCha8([32]byte{})
	for range 100 {
		var header [headerSize]byte
		_, _ = random.Read(header[:])
		h.start(&header)
		for range 3 {
			nonce := uint32(random.Uint64())
			binary.LittleEndian.PutUint32(header[76:], nonce)
			first := sha256.Sum256(header[:])
			want := sha256.Sum256(first[:])
			if got := *h.hash(nonce); got != want {
				t.Fatalf("hash(%08x) of %x = %x, want %x", nonce, header, got, want)
			}
		}
	}
}

func TestMeets(t *testing.T) {
	target := work.TargetFromDifficulty(0.7)
	at := func(change int) *[32]byte {
		var hash [32]byte
		for i, b := range target {
			hash[len(hash)-1-i] = b
		}
		hash[0] += byte(change)
		return &hash
	}
	tests := []struct {
		name string
		hash *[32]byte
		want bool
	}{
		{"zero", new([32]byte), true},
		{"below", at(-1), true},
		{"equal", at(0), true},
		{"far above", &[32]byte{31: 1}, false},
	}
	for _, test := range tests {
		if got := meets(test.hash, &target); got != test.want {
			t.Errorf("%s: meets = %v, want %v", test.name, got, test.want)
		}
	}
	above := target
	above[31]--
	if meets(at(0), &above) {
		t.Error("a hash one above the target meets it")
	}
}

// BenchmarkHash compares what the miner does with the plain way. One operation
// is one header: 1000/(ns/op) is MH/s per core.
func BenchmarkHash(b *testing.B) {
	var header [headerSize]byte
	target := work.TargetFromDifficulty(1)
	b.Run("midstate", func(b *testing.B) {
		h := newHasher()
		h.start(&header)
		nonce := uint32(0)
		for b.Loop() {
			nonce++
			if meets(h.hash(nonce), &target) {
				b.Log("found a share of difficulty 1")
			}
		}
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds()/1e6, "MH/s")
	})
	b.Run("plain", func(b *testing.B) {
		nonce := uint32(0)
		for b.Loop() {
			nonce++
			binary.LittleEndian.PutUint32(header[76:], nonce)
			first := sha256.Sum256(header[:])
			second := sha256.Sum256(first[:])
			if meets(&second, &target) {
				b.Log("found a share of difficulty 1")
			}
		}
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds()/1e6, "MH/s")
	})
}
