package seed

import (
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	_ "embed" // the list of words
	"fmt"
	"slices"
	"strings"
)

// english is the list of BIP 39: 2048 words in order, told apart by their first
// four letters.
//
//go:embed english.txt
var english string

const (
	wordBits   = 11
	listLength = 1 << wordBits
)

// list returns the 2048 words.
func list() []string { return strings.Fields(english) }

// List returns all words that there are, so that what may be a wallet's words can be
// told from other text.
func List() []string { return list() }

// Words are the words of one wallet. Their checksum is right.
type Words struct {
	index []uint16 // into the list
}

// Generate returns twelve new words: 128 random bits and 4 bits of checksum.
func Generate() Words {
	entropy := make([]byte, 16)
	rand.Read(entropy) // never fails
	defer clear(entropy)
	return fromEntropy(entropy)
}

// fromEntropy cuts entropy and its checksum, one bit for each four bytes, into
// pieces of eleven bits. The bits of the last byte that no word takes are dropped.
func fromEntropy(entropy []byte) Words {
	sum := sha256.Sum256(entropy)
	bits := append(slices.Clone(entropy), sum[0])
	defer clear(bits)
	index := make([]uint16, (len(entropy)*8+len(entropy)/4)/wordBits)
	for i := range index {
		for bit := i * wordBits; bit < (i+1)*wordBits; bit++ {
			index[i] = index[i]<<1 | uint16(bits[bit/8]>>(7-bit%8)&1)
		}
	}
	return Words{index}
}

// valid tells whether the checksum is right.
func (w Words) valid() bool {
	entropy := make([]byte, len(w.index)*wordBits*32/33/8)
	defer clear(entropy)
	for bit := range len(entropy) * 8 {
		entropy[bit/8] = entropy[bit/8]<<1 | byte(w.index[bit/wordBits]>>(wordBits-1-bit%wordBits)&1)
	}
	again := fromEntropy(entropy)
	defer again.Erase()
	return slices.Equal(again.index, w.index)
}

// List returns the words for a person to read. They cannot be erased: the list
// itself is no secret, but which of it were picked is.
func (w Words) List() []string {
	all := list()
	words := make([]string, len(w.index))
	for i, index := range w.index {
		words[i] = all[index]
	}
	return words
}

// Len is how many words there are.
func (w Words) Len() int { return len(w.index) }

// Is tells whether the word at a place, counted from 1, is the one that was typed.
func (w Words) Is(place int, typed string) bool {
	return place >= 1 && place <= len(w.index) && list()[w.index[place-1]] == normal(typed)
}

// Erase overwrites the words.
func (w Words) Erase() { clear(w.index) }

// String implements [fmt.Stringer], so that no log ever holds the words.
func (w Words) String() string { return fmt.Sprintf("%d secret words", len(w.index)) }

// GoString implements [fmt.GoStringer] for the same reason.
func (w Words) GoString() string { return w.String() }

// seed stretches the words into the 64 bytes of which the master key is made.
// The phrase of BIP 39 that may extend the words is always empty: it would be one
// more thing to lose.
func (w Words) seed(phrase string) ([]byte, error) {
	key, err := pbkdf2.Key(sha512.New, strings.Join(w.List(), " "), []byte("mnemonic"+phrase), 2048, 64)
	if err != nil {
		return nil, fmt.Errorf("stretch words: %w", err)
	}
	return key, nil
}
