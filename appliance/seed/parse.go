package seed

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
)

var (
	// ErrLanguage says that the words are none of the English list.
	ErrLanguage = errors.New("these are not words of the English list, which is the only one that this box reads; a wallet that was made with words of another language opens in the program that made it")

	// ErrChecksum says that each word is of the list, but that they do not belong
	// together like this.
	ErrChecksum = errors.New("each word exists, but together they are not right: one of them is another word of the list, or two have changed places")

	// ErrCount says that there are too few words, or too many.
	ErrCount = errors.New("a wallet has 12, 15, 18, 21 or 24 words")
)

// TypoError says which words are not of the list.
type TypoError struct{ Typos []Typo }

// Typo is one word that is not of the list.
type Typo struct {
	Place int      // counted from 1
	Near  []string // what it may have been, at most three
}

// Error implements error with a sentence that names the places and not what was
// typed there, since almost all of a word is a secret too.
func (e *TypoError) Error() string {
	var parts []string
	for _, t := range e.Typos {
		part := fmt.Sprintf("word %d is not of the list", t.Place)
		if len(t.Near) > 0 {
			part += "; near to it: " + strings.Join(t.Near, ", ")
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, ". ")
}

// Parse reads words that were typed: between blanks, commas or lines, with or
// without their numbers, in any case of letters. The error is ErrCount,
// ErrLanguage, a [*TypoError] or ErrChecksum, with a sentence for the page.
func Parse(text string) (Words, error) {
	typed := split(text)
	if n := len(typed); n == 0 {
		return Words{}, ErrCount
	}
	all := list()
	words := Words{index: make([]uint16, len(typed))}
	var typos []Typo
	for i, word := range typed {
		at, found := slices.BinarySearch(all, word)
		if !found {
			typos = append(typos, Typo{Place: i + 1, Near: near(all, word)})
			continue
		}
		words.index[i] = uint16(at)
	}
	err := judge(typed, typos, words)
	if err != nil {
		words.Erase()
		return Words{}, err
	}
	return words, nil
}

func judge(typed []string, typos []Typo, words Words) error {
	switch n := len(typed); {
	case 2*len(typos) > n:
		return ErrLanguage
	case n < 12 || n > 24 || n%3 != 0:
		return fmt.Errorf("%w; these are %d", ErrCount, n)
	case len(typos) > 0:
		return &TypoError{typos}
	case !words.valid():
		return ErrChecksum
	}
	return nil
}

// split returns what looks like words.
func split(text string) []string {
	return strings.FieldsFunc(normal(text), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsMark(r) })
}

func normal(text string) string { return strings.ToLower(strings.TrimSpace(text)) }

// near returns the words of the list that differ least from the one typed, and by
// no more than two letters that are wrong, missing, too many or swapped: at most
// three of them.
func near(all []string, typed string) []string {
	least := 2
	var words []string
	for _, word := range all {
		d := distance(word, typed)
		if d < least {
			least, words = d, nil
		}
		if d == least {
			words = append(words, word)
		}
	}
	return words[:min(3, len(words))]
}

// distance counts the letters to insert, remove, replace, or swap with their
// neighbour, to get from one word to the other.
func distance(a, b string) int {
	x, y := []rune(a), []rune(b)
	if d := len(x) - len(y); d > 2 || d < -2 {
		return 3 // far enough, and spares most of the list
	}
	rows := make([][]int, len(x)+1)
	for i := range rows {
		rows[i] = make([]int, len(y)+1)
		rows[i][0] = i
	}
	for j := range y {
		rows[0][j+1] = j + 1
	}
	for i := 1; i <= len(x); i++ {
		for j := 1; j <= len(y); j++ {
			cost := 1
			if x[i-1] == y[j-1] {
				cost = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(x)][len(y)]
}
