package work

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
)

func TestWitnessAgrees(t *testing.T) {
	for _, count := range []int{0, 1, 2, 3, 4, 5, 100} {
		j, template, layout := newJob(t, count)
		if err := Witness(j, template, layout); err != nil {
			t.Errorf("%d transactions: %v", count, err)
		}
		if err := Witness(j.WithID(77, j.Time+30), template, layout); err != nil {
			t.Errorf("%d transactions, other number: %v", count, err)
		}
	}
}

// TestWitnessAtAllHeights goes through every length of the height push.
func TestWitnessAtAllHeights(t *testing.T) {
	for _, height := range []int32{1, 2, 15, 16, 17, 127, 128, 255, 256, 32767, 32768, 840_000, 8_388_607, 8_388_608} {
		raw := newRawTemplate(t, 2)
		raw["height"] = height
		template := raw.parse(t)
		for _, tag := range []string{"", "/DMPool/", strings.Repeat("x", MaxTag)} {
			layout := newLayout(template.CoinbaseValue)
			layout.Tag = tag
			j, err := NewJob(template, layout, 1, template.CurTime)
			if err != nil {
				t.Fatal(err)
			}
			if err := Witness(j, template, layout); err != nil {
				t.Errorf("height %d, tag %q: %v", height, tag, err)
			}
		}
	}
}

// TestWitnessObjects corrupts one thing at a time in a good job and expects an
// objection that names it.
//
// Places in Coinbase1: 4 input count, 5 outpoint, 41 script length, 42 height
// (02 3c 01), 45 tag, 54 push of 16, 55 job number. In Coinbase2: 0 sequence, 4 output
// count, 5 first value, 13 script length, 14 script, 36 second value; from the
// end: 4 lock time, 36 commitment hash, 42 commitment script, 43 its length, 51
// its value.
func TestWitnessObjects(t *testing.T) {
	prefix := func(at int, b ...byte) func(*Job, *Template, *Layout) {
		return func(j *Job, _ *Template, _ *Layout) { copy(j.Coinbase1[at:], b) }
	}
	suffix := func(at int, b ...byte) func(*Job, *Template, *Layout) {
		return func(j *Job, _ *Template, _ *Layout) {
			if at < 0 {
				at += len(j.Coinbase2)
			}
			copy(j.Coinbase2[at:], b)
		}
	}
	for _, tt := range []struct {
		name  string
		spoil func(*Job, *Template, *Layout)
		want  string
	}{
		{"height of the job", func(j *Job, _ *Template, _ *Layout) { j.Height++ }, "header fields: height 317"},
		{"previous block", func(j *Job, _ *Template, _ *Layout) { j.PrevHash[31]++ }, "header fields: previous block"},
		{"version", func(j *Job, _ *Template, _ *Layout) { j.Version ^= 1 }, "header fields: version"},
		{"version with rolling bits", func(j *Job, tp *Template, _ *Layout) { j.Version = tp.Version }, "header fields: version"},
		{"bits", func(j *Job, _ *Template, _ *Layout) { j.Bits++ }, "header fields: bits"},
		{"target too easy", func(j *Job, _ *Template, _ *Layout) { j.Target[3]++ }, "header fields: target"},
		{"target too hard", func(j *Job, _ *Template, _ *Layout) { j.Target[31]++ }, "header fields: target"},
		{"time below the minimum", func(j *Job, _ *Template, _ *Layout) { j.Time = j.MinTime - 1 }, "header fields: time"},
		{"minimum time", func(j *Job, _ *Template, _ *Layout) { j.MinTime-- }, "header fields: time"},
		{"value", func(j *Job, _ *Template, _ *Layout) { j.Value++ }, "header fields: value"},

		{"transaction version", prefix(0, 1), "coinbase input: version 1"},
		{"two inputs", prefix(4, 2), "coinbase"},
		{"two whole inputs", func(j *Job, _ *Template, _ *Layout) {
			j.Coinbase1[4] = 2
			j.Coinbase1 = slices.Insert(j.Coinbase1, 5, make([]byte, 41)...)
		}, "coinbase input: 2 inputs"},
		{"no input", prefix(4, 0), "coinbase"},
		{"spends something", prefix(5, 1), "coinbase input: spends"},
		{"output index", prefix(37, 0), "coinbase input: spends"},
		{"script length", prefix(41, 28), "coinbase"},
		{"script length 0", prefix(41, 0), "coinbase"},
		{"another height", prefix(43, 0x3d), "coinbase input: height 317"},
		{"height with a sign", prefix(44, 0x81), "coinbase input: height: negative"},
		{"height with a zero too many", prefix(44, 0), "coinbase input: height: not in its shortest form"},
		{"height as an opcode", prefix(42, 0x60), "coinbase input: height 16"},
		{"no height", prefix(42, 0x6a), "coinbase input: height: not a direct push"},
		{"tag", prefix(47, 'X'), "coinbase input: tag"},
		{"tag length", prefix(45, 7), "coinbase input: tag"},
		{"push of 15", prefix(54, 15), "coinbase input: no single push"},
		{"push of 17", prefix(54, 17), "coinbase input: no single push"},
		{"job number", prefix(55, 0), "coinbase input: pushes 0078b602e1"},
		{"extranonce cut short", func(j *Job, _ *Template, _ *Layout) {
			j.Coinbase1 = j.Coinbase1[:len(j.Coinbase1)-1]
		}, "coinbase"},
		{"extranonce shifted", func(j *Job, _ *Template, _ *Layout) {
			j.Coinbase2 = append([]byte{j.Coinbase1[len(j.Coinbase1)-1]}, j.Coinbase2...)
			j.Coinbase1 = j.Coinbase1[:len(j.Coinbase1)-1]
		}, "coinbase input: pushes"},
		{"final sequence", suffix(0, 0xff, 0xff, 0xff, 0xff), "coinbase input: sequence"},
		{"lock time", suffix(-4, 0), "coinbase input: lock time"},
		{"script longer than 100 bytes", func(j *Job, _ *Template, _ *Layout) {
			j.Coinbase1[41] += 72
			j.Coinbase1 = slices.Insert(j.Coinbase1, 45, append([]byte{71}, make([]byte, 71)...)...)
		}, "coinbase input: script of 101 bytes"},

		{"an output less", suffix(4, 2), "coinbase"},
		{"an output more", suffix(4, 4), "coinbase"},
		{"a satoshi less", suffix(5, 0), "coinbase outputs: output 0"},
		{"negative output", suffix(12, 0x80), "coinbase outputs: output 0 has value"},
		{"paid to another", suffix(16, 8), "coinbase outputs: output 0"},
		{"paid to another second", suffix(50, 8), "coinbase outputs: output 1"},
		{"commitment with a value", suffix(-51, 1), "coinbase outputs: the last output"},
		{"commitment script", suffix(-42, 0x51), "coinbase outputs: the last output"},
		{"commitment hash", suffix(-5, 0), "coinbase outputs: the last output"},
		{"bytes after the end", func(j *Job, _ *Template, _ *Layout) { j.Coinbase2 = append(j.Coinbase2, 0) }, "1 bytes after the end"},
		{"cut at the end", func(j *Job, _ *Template, _ *Layout) { j.Coinbase2 = j.Coinbase2[:len(j.Coinbase2)-1] }, "coinbase"},
		{"layout with another order", func(_ *Job, _ *Template, l *Layout) { slices.Reverse(l.Outputs) }, "coinbase outputs: output 0"},
		{"layout with an output less", func(_ *Job, _ *Template, l *Layout) { l.Outputs = l.Outputs[:1] }, "coinbase outputs: 3 outputs, want 2"},
		{"layout with another tag", func(_ *Job, _ *Template, l *Layout) { l.Tag = "/Other/" }, "coinbase input: tag"},
		{"layout without tag", func(_ *Job, _ *Template, l *Layout) { l.Tag = "" }, "coinbase input: no single push"},
		{"outputs keep a satoshi", func(j *Job, _ *Template, l *Layout) {
			l.Outputs[1].Value--
			binary.LittleEndian.PutUint64(j.Coinbase2[36:], uint64(l.Outputs[1].Value))
		}, "coinbase outputs: outputs sum to 4999999999"},

		{"branch", func(j *Job, _ *Template, _ *Layout) { j.Branches[1][0]++ }, "merkle root"},
		{"branch missing", func(j *Job, _ *Template, _ *Layout) { j.Branches = j.Branches[:2] }, "merkle root"},
		{"branch too many", func(j *Job, _ *Template, _ *Layout) { j.Branches = append(j.Branches, chainhash.Hash{}) }, "merkle root"},
		{"branches swapped", func(j *Job, _ *Template, _ *Layout) { slices.Reverse(j.Branches) }, "merkle root"},
		{"transaction missing", func(_ *Job, tp *Template, _ *Layout) { tp.Txs = tp.Txs[:4] }, "commitment"},
		{"txid", func(_ *Job, tp *Template, _ *Layout) { tp.Txs[0].TxID[0]++ }, "merkle root"},
		{"witness hash", func(_ *Job, tp *Template, _ *Layout) { tp.Txs[0].WTxID[0]++ }, "commitment"},
		{"transactions swapped", func(_ *Job, tp *Template, _ *Layout) { tp.Txs[0], tp.Txs[1] = tp.Txs[1], tp.Txs[0] }, "commitment"},
		{"commitment of both", func(j *Job, tp *Template, _ *Layout) {
			tp.WitnessCommitment[6]++
			j.Coinbase2[len(j.Coinbase2)-36]++
		}, "commitment: script"},
		{"commitment of neither", func(j *Job, tp *Template, _ *Layout) {
			tp.WitnessCommitment = nil
			j.Coinbase2[4]--
			end := len(j.Coinbase2)
			j.Coinbase2 = slices.Delete(j.Coinbase2, end-51, end-4)
		}, "commitment: transactions have witnesses"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			j, template, layout := newJob(t, 5)
			// The job shares slices with its template; spoil only one of the two.
			j.Branches = slices.Clone(j.Branches)
			j.Coinbase1 = bytes.Clone(j.Coinbase1)
			j.Coinbase2 = bytes.Clone(j.Coinbase2)
			tt.spoil(j, template, &layout)
			err := Witness(j, template, layout)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Witness = %v, want an objection with %q", err, tt.want)
			}
		})
	}
}

// TestWitnessCatchesEveryByte: no byte of the coinbase can change unnoticed,
// except that of the sequence, any value of which but one is as good.
func TestWitnessCatchesEveryByte(t *testing.T) {
	j, template, layout := newJob(t, 2)
	for _, part := range []*[]byte{&j.Coinbase1, &j.Coinbase2} {
		whole := *part
		for i := range whole {
			if part == &j.Coinbase2 && i < 4 {
				continue
			}
			for bit := range 8 {
				spoiled := bytes.Clone(whole)
				spoiled[i] ^= 1 << bit
				*part = spoiled
				if Witness(j, template, layout) == nil {
					t.Errorf("byte %d, bit %d of %x changed unnoticed", i, bit, whole)
				}
			}
		}
		*part = whole
	}
}

func TestReadNumberRefuses(t *testing.T) {
	for _, tt := range []struct{ script, want string }{
		{"00", "not a direct push"},
		{"4c0111", "not a direct push"},
		{"0211", "not a direct push"},
		{"0110", "not in its shortest form"}, // OP_16 is
		{"0100", "not in its shortest form"},
		{"021100", "not in its shortest form"},
		{"0191", "negative"},
		{"050000000001", "a number of 5 bytes"},
	} {
		n, _, err := readNumber(unhex(t, tt.script))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("readNumber(%s) = %d, %v, want an error with %q", tt.script, n, err, tt.want)
		}
	}
}
