package snapshot

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/btcsuite/btcd/chainhash/v2"
)

// Walk reads all coins behind the header h of a snapshot of base and returns nil
// when the file is whole: as many coins as it promises, each of them possible, and
// nothing behind them. It is [ErrShort] when the file ends too early, and
// [ErrDamaged] when it is not what it should be; any other error is r's.
func Walk(r *bufio.Reader, h Header, base Base) error {
	w := walker{r: r, base: base}
	for left := h.Coins; left > 0; {
		n := w.transaction(left)
		if w.err != nil {
			return w.verdict(h.Coins - left)
		}
		left -= n
	}
	switch _, err := r.ReadByte(); {
	case err == nil:
		return fmt.Errorf("%w: there is more behind its %d coins", ErrDamaged, h.Coins)
	case !errors.Is(err, io.EOF):
		return fmt.Errorf("read snapshot: %w", err)
	}
	return nil
}

// walker reads one field after the other until the first error.
type walker struct {
	r    *bufio.Reader
	base Base
	err  error
}

// verdict puts into words what ended the walk after some coins.
func (w *walker) verdict(coins uint64) error {
	switch {
	case errors.Is(w.err, io.EOF), errors.Is(w.err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%w (it ends after %d coins)", ErrShort, coins)
	case errors.Is(w.err, ErrDamaged):
		return fmt.Errorf("%w after %d coins", w.err, coins)
	}
	return fmt.Errorf("read snapshot: %w", w.err)
}

// transaction reads the coins of one transaction and returns how many they are.
func (w *walker) transaction(left uint64) uint64 {
	w.skip(chainhash.HashSize)
	count := w.compactSize()
	if w.err == nil && (count == 0 || count > left) {
		w.err = fmt.Errorf("%w: a transaction has %d coins", ErrDamaged, count)
	}
	for i := uint64(0); i < count && w.err == nil; i++ {
		w.coin()
	}
	return count
}

// What no coin exceeds: 21 million coins, and the largest message.
const (
	mostSats  = 21_000_000 * 100_000_000
	mostBytes = 32 << 20
)

func (w *walker) coin() {
	output, origin, amount, form := w.compactSize(), w.varint(), w.varint(), w.varint()
	switch {
	case w.err != nil:
		return
	case output >= 1<<32-1:
		w.err = fmt.Errorf("%w: an output has number %d", ErrDamaged, output)
	case origin>>1 > uint64(w.base.Height):
		w.err = fmt.Errorf("%w: a coin is of block %d, which comes later than its own", ErrDamaged, origin>>1)
	case !possible(amount):
		w.err = fmt.Errorf("%w: a coin is worth more than there is", ErrDamaged)
	case form > mostBytes:
		w.err = fmt.Errorf("%w: a script has %d bytes", ErrDamaged, form)
	case form < 2: // the hash of a key, or of a script
		w.skip(20)
	case form < 6: // a public key: its form tells the other coordinate
		w.skip(32)
	default:
		w.skip(int(form - 6))
	}
}

// possible tells whether a compressed amount is one of at most 21 million coins.
// The form keeps the zeros at the end of a number as an exponent of ten:
// 1+10*(9*rest+last-1)+exponent, or 1+10*(rest-1)+9 where there are nine of them.
func possible(compressed uint64) bool {
	if compressed == 0 {
		return true
	}
	compressed--
	exponent, n := compressed%10, compressed/10
	if exponent < 9 {
		n = n/9*10 + n%9 + 1
	} else {
		n++
	}
	for range exponent {
		if n > mostSats {
			return false
		}
		n *= 10
	}
	return n <= mostSats
}

func (w *walker) skip(n int) {
	if w.err == nil {
		_, w.err = w.r.Discard(n)
	}
}

func (w *walker) byte() byte {
	if w.err != nil {
		return 0
	}
	var b byte
	b, w.err = w.r.ReadByte()
	return b
}

// compactSize reads a number as transactions have it: small ones in one byte.
func (w *walker) compactSize() uint64 {
	first := w.byte()
	if first < 0xfd {
		return uint64(first)
	}
	var b [8]byte
	size := 2 << (first - 0xfd)
	for i := range size {
		b[i] = w.byte()
	}
	n := binary.LittleEndian.Uint64(b[:])
	if w.err == nil && (size == 2 && n < 0xfd || size > 2 && n>>(4*size) == 0) {
		w.err = fmt.Errorf("%w: a number is written longer than it is", ErrDamaged)
	}
	return n
}

// varint reads a number as bitcoind's databases have it: each byte but the last has
// its highest bit set, and counts one more than it says, so that no number has two forms.
func (w *walker) varint() uint64 {
	n := uint64(0)
	for {
		b := w.byte()
		if w.err != nil {
			return 0
		}
		if n > 1<<57-1 {
			w.err = fmt.Errorf("%w: a number has too many digits", ErrDamaged)
			return 0
		}
		n = n<<7 | uint64(b&0x7f)
		if b&0x80 == 0 {
			return n
		}
		n++
	}
}
