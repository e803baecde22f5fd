package work

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestNewJob(t *testing.T) {
	j, template, _ := newJob(t, 3)
	if j.Version != 0x20000004 {
		t.Errorf("Version = %08x, want the rolling bits of 30000004 cleared", j.Version)
	}
	if j.Template() != template {
		t.Error("Template is not the one that the job was made of")
	}
	if j.Time != template.CurTime || j.Value != template.CoinbaseValue || j.Height != template.Height {
		t.Errorf("Time, Value, Height = %d, %d, %d", j.Time, j.Value, j.Height)
	}
	if got := TargetFromDifficulty(j.NetworkDifficulty); bytes.Compare(got[:], j.Target[:]) < 0 {
		t.Errorf("NetworkDifficulty %v is above the network's", j.NetworkDifficulty)
	}
}

func TestJobTimeIsNotBelowMinimum(t *testing.T) {
	j, template, layout := newJob(t, 0)
	early, err := NewJob(template, layout, 2, template.MinTime-1)
	if err != nil {
		t.Fatal(err)
	}
	if early.Time != template.MinTime {
		t.Errorf("NewJob: Time = %d, want %d", early.Time, template.MinTime)
	}
	if got := j.WithID(3, 0).Time; got != template.MinTime {
		t.Errorf("WithID: Time = %d, want %d", got, template.MinTime)
	}
}

// TestWithID: the same job under another number differs from it where the
// miner looks, and nowhere else; the first one stays as it was.
func TestWithID(t *testing.T) {
	first, _, _ := newJob(t, 2)
	rapid.Check(t, func(t *rapid.T) {
		id := rapid.Uint32().Draw(t, "id")
		other := rapid.Uint32().Filter(func(n uint32) bool { return n != id }).Draw(t, "other")
		before := bytes.Clone(first.Coinbase1)

		a, b := first.WithID(id, first.Time), first.WithID(other, first.Time)
		if bytes.Equal(a.Coinbase1, b.Coinbase1) {
			t.Errorf("jobs %08x and %08x have equal content", id, other)
		}
		if !bytes.Equal(first.Coinbase1, before) {
			t.Error("WithID changed the job that it was called on")
		}
		var s Solution
		if a.Prove(s).Hash == b.Prove(s).Hash {
			t.Errorf("jobs %08x and %08x hash alike", id, other)
		}
		cut := len(before) - 4
		if !bytes.Equal(a.Coinbase1[:cut], before[:cut]) || binary.BigEndian.Uint32(a.Coinbase1[cut:]) != id {
			t.Errorf("Coinbase1 = %x, want %x%08x", a.Coinbase1, before[:cut], id)
		}

		back := b.WithID(first.ID, first.Time)
		if diff := cmp.Diff(first, back, cmp.AllowUnexported(Job{}), cmp.Comparer(func(x, y *Template) bool { return x == y })); diff != "" {
			t.Errorf("back under its own number (-want +got):\n%s", diff)
		}
	})
}

// TestWithIDEqualsNewJob: making a job anew under the number gives the same.
func TestWithIDEqualsNewJob(t *testing.T) {
	j, template, layout := newJob(t, 2)
	want, err := NewJob(template, layout, 99, j.Time+5)
	if err != nil {
		t.Fatal(err)
	}
	got := j.WithID(99, j.Time+5)
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(Job{}), cmp.Comparer(func(x, y *Template) bool { return x == y })); diff != "" {
		t.Errorf("WithID (-NewJob +WithID):\n%s", diff)
	}
}

// TestBlock decodes blocks as a node does: the header solves them, its merkle
// root and the coinbase's witness are right, the transactions are all there.
func TestBlock(t *testing.T) {
	for _, count := range []int{0, 1, 2, 7, 300} {
		raw := newRawTemplate(t, count)
		raw["bits"] = "207fffff"
		raw["target"] = "7fffff0000000000000000000000000000000000000000000000000000000000"
		template := raw.parse(t)
		j, err := NewJob(template, newLayout(template.CoinbaseValue), 1, template.CurTime)
		if err != nil {
			t.Fatal(err)
		}
		s := solve(t, j)
		block := decodeBlock(t, j.Block(s))

		if got, want := block.Header.BlockHash(), j.Prove(s).Hash; got != want {
			t.Errorf("%d transactions: block %s, proof %s", count, got, want)
		}
		if len(block.Transactions) != 1+count {
			t.Fatalf("%d transactions, want %d", len(block.Transactions), 1+count)
		}
		coinbase := block.Transactions[0]
		if got, want := coinbase.TxHash(), j.CoinbaseTxID(s.Extranonce); got != want {
			t.Errorf("%d transactions: coinbase %s, want %s", count, got, want)
		}
		if diff := cmp.Diff(wire.TxWitness{make([]byte, 32)}, coinbase.TxIn[0].Witness); diff != "" {
			t.Errorf("%d transactions: witness (-want +got):\n%s", count, diff)
		}
		var leaves []chainhash.Hash
		for _, tx := range block.Transactions {
			leaves = append(leaves, tx.TxHash())
		}
		if got, want := treeRoot(leaves), block.Header.MerkleRoot; got != want {
			t.Errorf("%d transactions: merkle root %s, want %s", count, want, got)
		}
		if got, want := int64(len(j.Block(s)))+3*int64(block.SerializeSizeStripped()), j.weight(); got != want {
			t.Errorf("%d transactions: block weighs %d, job says %d", count, got, want)
		}
	}
}

// TestBlockWithoutCommitment: no commitment, no witness.
func TestBlockWithoutCommitment(t *testing.T) {
	raw := newRawTemplate(t, 0)
	delete(raw, "default_witness_commitment")
	template := raw.parse(t)
	j, err := NewJob(template, newLayout(template.CoinbaseValue), 1, template.CurTime)
	if err != nil {
		t.Fatal(err)
	}
	block := decodeBlock(t, j.Block(Solution{}))
	if w := block.Transactions[0].TxIn[0].Witness; len(w) != 0 {
		t.Errorf("witness = %x, want none", w)
	}
	if n := len(block.Transactions[0].TxOut); n != 2 {
		t.Errorf("%d outputs, want 2", n)
	}
}

func TestProveAllocatesNothing(t *testing.T) {
	j, _, _ := newJob(t, 20)
	seen := NewSeen()
	terms := Terms{Tip: j.PrevHash, Now: j.Time, Difficulty: 1e9}
	s := Solution{Time: j.Time}
	if n := testing.AllocsPerRun(100, func() {
		s.Nonce++
		if j.Judge(j.Prove(s), s, terms, seen) != LowDifficulty {
			t.Error("a random hash meets difficulty 1e9")
		}
	}); n != 0 {
		t.Errorf("a rejected share allocates %v times", n)
	}
}

func TestAppendCompactSize(t *testing.T) {
	for _, n := range []int{0, 1, 0xfc, 0xfd, 0xff, 0x100, 0xffff, 0x10000, 1 << 31} {
		var want bytes.Buffer
		if err := wire.WriteVarInt(&want, 0, uint64(n)); err != nil {
			t.Fatal(err)
		}
		if got := appendCompactSize(nil, n); !bytes.Equal(got, want.Bytes()) {
			t.Errorf("appendCompactSize(%d) = %x, want %x", n, got, want.Bytes())
		}
	}
}

// BenchmarkShareCheck is all of a share's arithmetic: coinbase hash, twelve
// merkle branches, header hash, comparison with the network's target and with
// the share's.
func BenchmarkShareCheck(b *testing.B) {
	j, _, _ := newJob(b, 4000)
	if len(j.Branches) != 12 {
		b.Fatalf("%d branches, want 12", len(j.Branches))
	}
	s := Solution{Version: j.Version, Time: j.Time}
	accepted := 0
	b.ReportAllocs()
	for b.Loop() {
		s.Nonce++
		p := j.Prove(s)
		if p.Block || AcceptTarget(931.25).Meets(p.Hash) {
			accepted++
		}
	}
	if accepted > b.N/1000 {
		b.Errorf("%d of %d random hashes meet difficulty 931.25", accepted, b.N)
	}
}

func decodeBlock(t *testing.T, raw []byte) *wire.MsgBlock {
	t.Helper()
	var block wire.MsgBlock
	r := bytes.NewReader(raw)
	if err := block.Deserialize(r); err != nil {
		t.Fatal(err)
	}
	if r.Len() != 0 {
		t.Fatalf("%d bytes after the block", r.Len())
	}
	return &block
}
