package snapshot

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/btcsuite/btcd/chainhash/v2"
)

// Why a file is refused. All but ErrDamaged show in its first bytes.
var (
	ErrNone    = errors.New("the file is no snapshot of coins, as dumptxoutset writes it")
	ErrVersion = errors.New("the snapshot is of a format that is not known; make it with Bitcoin Core 28 or newer")
	ErrNetwork = errors.New("the snapshot is of another network")
	ErrBlock   = errors.New("the snapshot is of a block that no node begins with")
	ErrShort   = errors.New("the file is shorter than the coins that it promises; it was not copied to its end")
	ErrDamaged = errors.New("the snapshot is damaged")
)

const (
	// HeaderSize is how long a header is.
	HeaderSize = 51
	magic      = "utxo\xff"
	version    = 2
)

// networks returns what the messages of each network begin with.
func networks() map[string][4]byte {
	return map[string][4]byte{
		"main":     {0xf9, 0xbe, 0xb4, 0xd9},
		"testnet3": {0x0b, 0x11, 0x09, 0x07},
		"testnet4": {0x1c, 0x16, 0x3f, 0x28},
		"signet":   {0x0a, 0x03, 0xcf, 0x40},
		"regtest":  {0xfa, 0xbf, 0xb5, 0xda},
	}
}

// networkOf returns the name of a network, empty when it is not known.
func networkOf(begin [4]byte) string {
	for name, known := range networks() {
		if known == begin {
			return name
		}
	}
	return ""
}

// Header is how a snapshot begins.
type Header struct {
	Network [4]byte        // what messages of its network begin with
	Block   chainhash.Hash // after which its coins are unspent
	Coins   uint64         // how many follow
}

// ReadHeader reads the header and nothing behind it. The errors that mean the
// file, and not the reading, are the sentinels of this package.
func ReadHeader(r io.Reader) (Header, error) {
	var b [HeaderSize]byte
	n, err := io.ReadFull(r, b[:])
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return Header{}, fmt.Errorf("read snapshot: %w", err)
	}
	known := min(n, len(magic))
	switch {
	case known == 0, string(b[:known]) != magic[:known]:
		return Header{}, ErrNone
	case n >= 7 && binary.LittleEndian.Uint16(b[5:]) != version:
		return Header{}, ErrVersion
	case n < HeaderSize:
		return Header{}, ErrShort
	}
	h := Header{Coins: binary.LittleEndian.Uint64(b[43:])}
	copy(h.Network[:], b[7:])
	copy(h.Block[:], b[11:])
	return h, nil
}

// Bytes returns the header as it stands in a file.
func (h Header) Bytes() []byte {
	b := append(make([]byte, 0, HeaderSize), magic...)
	b = binary.LittleEndian.AppendUint16(b, version)
	b = append(b, h.Network[:]...)
	b = append(b, h.Block[:]...)
	return binary.LittleEndian.AppendUint64(b, h.Coins)
}

// Probe returns a header of a network for a block that does not exist. A node that
// is asked to load it refuses, and names the heights that it would take.
func Probe(network string) Header {
	return Header{Network: networks()[network], Coins: 1}
}

// A coin takes at least a byte for each of its four fields, and the first one of a
// transaction comes with an id and a count.
const (
	leastCoin  = 4
	leastCoins = chainhash.HashSize + 1
)

// Judge returns the base that a file of size bytes, with header h, is of; bases
// are those that do. The error is one of the sentinels, with what is wrong.
func Judge(h Header, size int64, network string, bases []Base) (Base, error) {
	if name := networkOf(h.Network); name != network {
		if name == "" {
			return Base{}, fmt.Errorf("%w, which is not known here, and the node is on %s", ErrNetwork, network)
		}
		return Base{}, fmt.Errorf("%w: it is of %s, and the node is on %s", ErrNetwork, name, network)
	}
	i := slices.IndexFunc(bases, func(b Base) bool { return b.Block == h.Block })
	if i < 0 {
		return Base{}, fmt.Errorf("%w: block %s is none of the %d that are known", ErrBlock, h.Block, len(bases))
	}
	if rest := size - HeaderSize - leastCoins; h.Coins == 0 || rest < 0 || h.Coins > uint64(rest)/leastCoin {
		return Base{}, ErrShort
	}
	return bases[i], nil
}
