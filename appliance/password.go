package appliance

import (
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/alexedwards/argon2id"
)

// passwordCost are the argon2id parameters: OWASP's 19 MiB, 2 passes, 1 lane.
func passwordCost() *argon2id.Params {
	return &argon2id.Params{Memory: 19 * 1024, Iterations: 2, Parallelism: 1, SaltLength: 16, KeyLength: 32}
}

// HashPassword returns the argon2id hash of a password in PHC format.
func HashPassword(password string) (string, error) {
	hash, err := argon2id.CreateHash(password, passwordCost())
	if err != nil {
		return "", fmt.Errorf("hash password: %w", err)
	}
	return hash, nil
}

const (
	minPassword = 12  // characters
	maxPassword = 128 // characters
	minDistinct = 5   // characters that differ
)

// CheckPassword returns nil when a password is good enough for the operator, or
// an error that says in a sentence what it lacks. The demand for kinds of
// characters deviates from ASVS 6.2.5 on purpose: it was promised.
func CheckPassword(password, user string) error {
	n := utf8.RuneCountInString(password)
	if !utf8.ValidString(password) || n < minPassword || n > maxPassword {
		return fmt.Errorf("password has %d characters; give it %d to %d", n, minPassword, maxPassword)
	}
	var upper, special bool
	for _, r := range password {
		upper = upper || unicode.IsUpper(r)
		special = special || !unicode.IsLetter(r) && !unicode.IsDigit(r)
	}
	switch {
	case !upper:
		return errors.New("password has no upper-case letter; add one")
	case !special:
		return errors.New("password has no special character; add one, a blank for instance")
	case user != "" && strings.Contains(strings.ToLower(password), strings.ToLower(user)):
		return errors.New("password contains the user name; choose another")
	case isCommon(password):
		return errors.New("password is one of those that are tried first; a few words that have nothing to do with each other make a good one")
	}
	return nil
}

// commonWords are what the passwords that leaked most often are made of, and the
// words of this trade. With what isCommon strips off each stands for thousands:
// Password2026!!, P@ssw0rd..., PASSWORD-password.
//
//go:embed common_words.txt
var commonWords string

// isCommon reports whether a password is a word of the list or two, once or again
// and again, in any disguise: capitals, digits and signs around it, digits and
// signs in place of letters. A run along the keyboard or the alphabet is one, too.
// Three words of the list are no harm: that is how passphrases are made.
func isCommon(password string) bool {
	lower := strings.ToLower(password)
	if distinct(lower) < minDistinct || isRun(lower) {
		return true
	}
	words := strings.Fields(commonWords)
	known := func(core string) bool {
		return core == "" || isRun(core) || slices.Contains(words, core) || slices.ContainsFunc(words, func(first string) bool {
			second, ok := strings.CutPrefix(core, first)
			return ok && slices.Contains(words, second)
		})
	}
	return known(repeated(letters(lower))) || known(repeated(letters(disguise().Replace(trimmed(lower))))) ||
		known(repeated(letters(disguise().Replace(lower))))
}

func distinct(text string) int {
	runes := []rune(text)
	slices.Sort(runes)
	return len(slices.Compact(runes))
}

// letters leaves out everything else. What has no case, such as Chinese, counts.
func letters(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) {
			return r
		}
		return -1
	}, text)
}

// trimmed takes off what stands around the letters.
func trimmed(text string) string {
	return strings.TrimFunc(text, func(r rune) bool { return !unicode.IsLetter(r) })
}

// disguise undoes what people write in place of letters.
func disguise() *strings.Replacer {
	return strings.NewReplacer("@", "a", "4", "a", "3", "e", "€", "e", "1", "i", "!", "i", "|", "l", "0", "o", "$", "s", "5", "s", "7", "t", "+", "t", "8", "b")
}

// repeated returns the shortest text that a text is made of again and again.
func repeated(text string) string {
	for n := 1; n <= len(text)/2; n++ {
		if len(text)%n == 0 && strings.Repeat(text[:n], len(text)/n) == text {
			return text[:n]
		}
	}
	return text
}

// isRun reports whether a text goes along a row of keys or the alphabet, in either
// direction, and on from its beginning again.
func isRun(text string) bool {
	text = strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return r
		}
		return -1
	}, text)
	for _, row := range []string{"abcdefghijklmnopqrstuvwxyz", "1234567890", "0123456789", "qwertyuiop", "qwertzuiop", "azertyuiop", "asdfghjkl", "zxcvbnm", "1qaz2wsx3edc4rfv5tgb6yhn7ujm", "1q2w3e4r5t6y7u8i9o0p", "qazwsxedcrfvtgbyhnujm"} {
		for _, way := range []string{row, backwards(row)} {
			if len(text) > 3 && strings.Contains(strings.Repeat(way, 1+len(text)/len(way)+1), text) {
				return true
			}
		}
	}
	return false
}

func backwards(text string) string {
	b := []byte(text)
	slices.Reverse(b)
	return string(b)
}
