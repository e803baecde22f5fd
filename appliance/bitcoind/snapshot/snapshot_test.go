package snapshot

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"slices"
	"testing"
	"testing/iotest"
)

// realBase is the block of testdata/regtest-110.dat, which Bitcoin Knots 29.5 wrote:
// one of those that a node up to version 29 begins with on regtest.
func realBase() Base {
	return pin(110, "696e92821f65549c7ee134edceeeeaaa4105647a3c4fd9f298c0aec0ab50425c", "6657b736d4fe4db0cbc796789e812d5dba7f5c143764b1b6905612f1830609d1")
}

func realFile(t testing.TB) []byte {
	t.Helper()
	content, err := os.ReadFile("testdata/regtest-110.dat")
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// examine does with a file what a box does before a node gets it.
func examine(content []byte, network string, bases []Base) (Base, error) {
	r := bufio.NewReader(bytes.NewReader(content))
	h, err := ReadHeader(r)
	if err != nil {
		return Base{}, err
	}
	base, err := Judge(h, int64(len(content)), network, bases)
	if err != nil {
		return Base{}, err
	}
	return base, Walk(r, h, base)
}

func TestPins(t *testing.T) {
	for network, want := range map[string]int{"main": 4, "signet": 2, "testnet4": 0, "practice": 0, "regtest": 0} {
		bases := Pins(network)
		if len(bases) != want {
			t.Errorf("Pins(%s) has %d bases, want %d", network, len(bases), want)
		}
		if !slices.IsSortedFunc(bases, func(a, b Base) int { return int(b.Height - a.Height) }) {
			t.Errorf("Pins(%s) does not begin with the newest", network)
		}
	}
	if got := Pins("main")[0].Block.String(); got != "0000000000000000000147034958af1652b2b91bba607beacc5e72a56f0fb5ee" {
		t.Errorf("the newest block is %s", got)
	}
}

func TestRealFile(t *testing.T) {
	base, err := examine(realFile(t), "regtest", []Base{realBase()})
	if err != nil || base != realBase() {
		t.Errorf("a real snapshot: %+v, %v", base, err)
	}
	h, err := ReadHeader(bytes.NewReader(realFile(t)))
	if err != nil || h.Coins != 110 || !bytes.Equal(h.Bytes(), realFile(t)[:HeaderSize]) {
		t.Errorf("its header: %+v, %v", h, err)
	}
}

func TestRefusedFiles(t *testing.T) {
	real := realFile(t)
	with := func(at int, b ...byte) []byte {
		c := slices.Clone(real)
		copy(c[at:], b)
		return c
	}
	const firstCoin = HeaderSize + 32 + 1 // its output number, origin, amount, script
	tests := []struct {
		name    string
		content []byte
		network string
		bases   []Base
		want    error
	}{
		{"empty", nil, "regtest", []Base{realBase()}, ErrNone},
		{"a photograph", []byte("\xff\xd8\xff\xe0 and so on, for quite a few more bytes than a header"), "regtest", []Base{realBase()}, ErrNone},
		{"the form before version 28", real[11:], "regtest", []Base{realBase()}, ErrNone},
		{"a later form", with(5, 3), "regtest", []Base{realBase()}, ErrVersion},
		{"half a magic", real[:3], "regtest", []Base{realBase()}, ErrShort},
		{"half a header", real[:HeaderSize-1], "regtest", []Base{realBase()}, ErrShort},
		{"of regtest, on main", real, "main", Pins("main"), ErrNetwork},
		{"of a signet of somebody's", with(7, 1, 2, 3, 4), "signet", Pins("signet"), ErrNetwork},
		{"of main, on regtest", with(7, 0xf9, 0xbe, 0xb4, 0xd9), "regtest", []Base{realBase()}, ErrNetwork},
		{"of another block", with(11, 0), "regtest", []Base{realBase()}, ErrBlock},
		{"of a block that nobody pinned", real, "regtest", nil, ErrBlock},
		{"no coins", with(43, 0, 0, 0, 0, 0, 0, 0, 0), "regtest", []Base{realBase()}, ErrShort},
		{"only a header", real[:HeaderSize], "regtest", []Base{realBase()}, ErrShort},
		{"a count that the file cannot hold", with(43, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff), "regtest", []Base{realBase()}, ErrShort},
		{"one byte less", real[:len(real)-1], "regtest", []Base{realBase()}, ErrShort},
		{"one byte more", append(slices.Clone(real), 0), "regtest", []Base{realBase()}, ErrDamaged},
		{"one coin more", with(43, 111), "regtest", []Base{realBase()}, ErrShort},
		{"one coin less", with(43, 109), "regtest", []Base{realBase()}, ErrDamaged},
		{"a transaction without coins", with(firstCoin-1, 0), "regtest", []Base{realBase()}, ErrDamaged},
		{"a transaction with all coins and more", with(firstCoin-1, 0xfd, 0xff, 0xff), "regtest", []Base{realBase()}, ErrDamaged},
		{"a number in its longer form", with(firstCoin, 0xfd, 0, 0), "regtest", []Base{realBase()}, ErrDamaged},
		{"an output with the number that none has", with(firstCoin, 0xfe, 0xff, 0xff, 0xff, 0xff), "regtest", []Base{realBase()}, ErrDamaged},
		{"a coin of a later block", with(firstCoin+1, 0x80, 0xfe, 0x7f), "regtest", []Base{realBase()}, ErrDamaged},
		{"a number without an end", with(firstCoin+1, bytes.Repeat([]byte{0xff}, 20)...), "regtest", []Base{realBase()}, ErrDamaged},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if _, err := examine(test.content, test.network, test.bases); !errors.Is(err, test.want) {
				t.Errorf("examine: %v, want %v", err, test.want)
			}
		})
	}
}

// Every place at which a copy may break off is noticed.
func TestTruncated(t *testing.T) {
	real := realFile(t)
	for n := range len(real) {
		if _, err := examine(real[:n], "regtest", []Base{realBase()}); err == nil {
			t.Fatalf("the first %d of %d bytes are taken for a whole snapshot", n, len(real))
		}
	}
}

// A disk that fails is not told as a bad file.
func TestUnreadable(t *testing.T) {
	broken := errors.New("input/output error")
	if _, err := ReadHeader(iotest.ErrReader(broken)); !errors.Is(err, broken) {
		t.Errorf("ReadHeader: %v", err)
	}
	real := realFile(t)
	r := bufio.NewReader(io.MultiReader(bytes.NewReader(real[:2000]), iotest.ErrReader(broken)))
	h, err := ReadHeader(r)
	if err != nil {
		t.Fatal(err)
	}
	if err := Walk(r, h, realBase()); !errors.Is(err, broken) || errors.Is(err, ErrDamaged) {
		t.Errorf("Walk: %v", err)
	}
}

func TestAmounts(t *testing.T) {
	// The vectors of Bitcoin Core's compress_tests.cpp, and what is beyond them.
	for compressed, want := range map[uint64]bool{
		0: true, 1: true, 7: true, 9: true, 0x32: true, 0x1406f40: true,
		0x1406f4a: false, 1 << 63: false, 1<<64 - 1: false,
	} {
		if got := possible(compressed); got != want {
			t.Errorf("possible(%#x) = %t, want %t", compressed, got, want)
		}
	}
}

func FuzzExamine(f *testing.F) {
	real := realFile(f)
	f.Add(real)
	f.Add(real[:len(real)-1])
	f.Add(append(slices.Clone(real[:HeaderSize]), 0xff))
	f.Fuzz(func(t *testing.T, content []byte) {
		if _, err := examine(content, "regtest", []Base{realBase()}); err == nil {
			// What is whole is whole only as it is.
			if _, err := examine(append(content, 0), "regtest", []Base{realBase()}); err == nil {
				t.Error("a snapshot with a byte behind it is whole, too")
			}
		}
	})
}
