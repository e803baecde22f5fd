package work

import (
	"bytes"
	"encoding/hex"
	"math"
	"strconv"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/wire/v2"
	"pgregory.net/rapid"
)

func TestHeightPush(t *testing.T) {
	var file struct{ Heights map[string]string }
	readJSON(t, "testdata/heights.json", &file)
	if len(file.Heights) == 0 {
		t.Fatal("no heights")
	}
	file.Heights["0"] = "00"
	file.Heights["2147483647"] = "04ffffff7f"

	for text, want := range file.Heights {
		height, err := strconv.ParseInt(text, 10, 32)
		if err != nil {
			t.Fatal(err)
		}
		if got := hex.EncodeToString(HeightPush(int32(height))); got != want {
			t.Errorf("HeightPush(%d) = %s, want %s", height, got, want)
		}
	}
}

// TestHeightPushReadsBack decodes each push with the witness's own reader,
// which insists on the shortest form.
func TestHeightPushReadsBack(t *testing.T) {
	check := func(t interface{ Errorf(string, ...any) }, height int32) {
		got, rest, err := readNumber(HeightPush(height))
		if err != nil || len(rest) != 0 || got != int64(height) {
			t.Errorf("HeightPush(%d) = %x reads %d, %x, %v", height, HeightPush(height), got, rest, err)
		}
	}
	for height := int32(1); height <= 70_000; height++ {
		check(t, height)
	}
	rapid.Check(t, func(t *rapid.T) {
		check(t, rapid.Int32Range(1, math.MaxInt32).Draw(t, "height"))
	})
}

func TestHeightPushRefusesNegative(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("HeightPush(-1) did not panic")
		}
	}()
	HeightPush(-1)
}

func TestNewJobRefuses(t *testing.T) {
	script := append([]byte{0, 20}, make([]byte, 20)...)
	pay := func(values ...int64) []Output {
		var outputs []Output
		for _, v := range values {
			outputs = append(outputs, Output{Script: script, Value: v})
		}
		return outputs
	}
	const value = 5_000_000_000

	for _, tt := range []struct {
		name   string
		height int32
		layout Layout
		want   string // part of the error, "" for success
	}{
		{"one output", 1, Layout{Outputs: pay(value)}, ""},
		{"no tag, two outputs", 1, Layout{Outputs: pay(1, value-1)}, ""},
		{"empty output", 1, Layout{Outputs: pay(0, value)}, ""},
		{"tag of 75 bytes", 8_388_608, Layout{Tag: strings.Repeat("t", 75), Outputs: pay(value)}, ""},
		{"tag of 76 bytes", 1, Layout{Tag: strings.Repeat("t", 76), Outputs: pay(value)}, "tag has 76 bytes"},
		{"no output", 1, Layout{}, "no output"},
		{"one satoshi short", 1, Layout{Outputs: pay(value - 1)}, "leave 1 of"},
		{"one satoshi over", 1, Layout{Outputs: pay(value + 1)}, "output 0: value"},
		{"sum over", 1, Layout{Outputs: pay(value, 1)}, "output 1: value"},
		{"sum overflows", 1, Layout{Outputs: pay(math.MaxInt64, math.MaxInt64, value+2)}, "output 0: value"},
		{"negative", 1, Layout{Outputs: pay(-1, value+1)}, "output 0: value"},
		{"no script", 1, Layout{Outputs: []Output{{Value: value}}}, "script has 0 bytes"},
		{"huge script", 1, Layout{Outputs: []Output{{Script: make([]byte, 10_001), Value: value}}}, "script has 10001 bytes"},
		{"height 0", 0, Layout{Outputs: pay(value)}, "height 0"},
		{"height -1", -1, Layout{Outputs: pay(value)}, "height -1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			template := &Template{Height: tt.height, CoinbaseValue: value}
			j, err := NewJob(template, tt.layout, 1, 1)
			if tt.want != "" {
				if err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("NewJob = %v, want %q", err, tt.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if n := int(j.Coinbase1[41]); n < 2 || n > 100 {
				t.Errorf("scriptSig has %d bytes", n)
			}
		})
	}
}

// TestNewJobWeighs: the last output that fits into a full block is accepted,
// one more is not.
func TestNewJobWeighs(t *testing.T) {
	layout := Layout{Outputs: []Output{{Script: make([]byte, 22), Value: 0}, {Script: make([]byte, 22), Value: 9}}}
	template := &Template{Height: 17, CoinbaseValue: 9, Txs: []Tx{{}}}
	j, err := NewJob(template, layout, 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	room := maxBlockWeight - int64(4*len(j.Block(Solution{})))

	full := *template
	full.Txs = []Tx{{Weight: room}}
	if _, err := NewJob(&full, layout, 1, 1); err != nil {
		t.Errorf("a block of exactly 4000000: %v", err)
	}
	full.Txs = []Tx{{Weight: room + 1}}
	if _, err := NewJob(&full, layout, 1, 1); err == nil {
		t.Error("a block of 4000001 was accepted")
	}
}

// TestDefaultCoinbaseIsSmall: 255 bytes is what the smallest firmware can
// hold, for the default tag and one Taproot output even with a long tag.
func TestDefaultCoinbaseIsSmall(t *testing.T) {
	template := newRawTemplate(t, 2).parse(t)
	for _, tag := range []string{"", "/DMPool/", strings.Repeat("x", MaxTag)} {
		layout := Layout{Tag: tag, Outputs: []Output{{
			Script: append([]byte{0x51, 32}, make([]byte, 32)...),
			Value:  template.CoinbaseValue,
		}}}
		j, err := NewJob(template, layout, 1, 0)
		if err != nil {
			t.Fatal(err)
		}
		if n := len(j.Coinbase1) + ExtranonceSize + len(j.Coinbase2); n > 255 {
			t.Errorf("tag of %d bytes: coinbase has %d bytes", len(tag), n)
		}
	}
}

// FuzzCoinbase: whatever layout NewJob accepts, an independent decoder reads
// back the same.
func FuzzCoinbase(f *testing.F) {
	f.Add(int32(1), "", []byte{0x51}, int64(50), int64(0), uint32(0))
	f.Add(int32(16), "/DMPool/", []byte{0, 1, 7}, int64(1), int64(1), uint32(1))
	f.Add(int32(17), strings.Repeat("x", 75), make([]byte, 300), int64(7), int64(5_000_000_000), uint32(0xffffffff))
	f.Add(int32(8_388_608), "\x00\xff", []byte{0x6a}, int64(0), int64(0), uint32(0x8000_0000))

	f.Fuzz(func(t *testing.T, height int32, tag string, script []byte, a, b int64, id uint32) {
		if a < 0 || b < 0 || a > maxMoney || b > maxMoney {
			return
		}
		target, err := TargetFromBits(0x207fffff)
		if err != nil {
			t.Fatal(err)
		}
		template := &Template{Height: height, Bits: 0x207fffff, Target: target, CoinbaseValue: a + b}
		layout := Layout{Tag: tag, Outputs: []Output{{script, a}, {script, b}}}
		j, err := NewJob(template, layout, id, 5)
		if err != nil {
			return
		}
		if err := Witness(j, template, layout); err != nil {
			t.Fatal(err)
		}

		var extranonce [ExtranonceSize]byte
		copy(extranonce[:], tag)
		raw := bytes.Join([][]byte{j.Coinbase1, extranonce[:], j.Coinbase2}, nil)
		var tx wire.MsgTx
		if err := tx.DeserializeNoWitness(bytes.NewReader(raw)); err != nil {
			t.Fatal(err)
		}
		if got, want := j.CoinbaseTxID(extranonce), tx.TxHash(); got != want {
			t.Errorf("CoinbaseTxID = %s, want %s", got, want)
		}
	})
}
