package seed

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/address/v2"
	"github.com/btcsuite/btcd/chaincfg/v2"
	"pgregory.net/rapid"
)

// about is the wallet of BIP 84's vectors.
const about = "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about"

func TestListIsTheOneOfBIP39(t *testing.T) {
	const want = "2f5eed53a4727b4bf8880d8f3f199efc90e58503646d9ff8eff3a2ed3b24dbda"
	if got := fmt.Sprintf("%x", sha256.Sum256([]byte(english))); got != want {
		t.Errorf("SHA-256 of the list is %s, want %s", got, want)
	}
	if all := list(); len(all) != listLength || !slices.IsSorted(all) {
		t.Errorf("the list has %d words, sorted %v", len(all), slices.IsSorted(all))
	}
}

// TestVectorsOfBIP39 are the published ones; their phrase is TREZOR.
func TestVectorsOfBIP39(t *testing.T) {
	file, err := os.ReadFile("testdata/bip39.tsv")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(file)), "\n")
	if len(lines) != 24 {
		t.Fatalf("%d vectors, want 24", len(lines))
	}
	for _, line := range lines {
		field := strings.Split(line, "\t")
		entropy, err := hex.DecodeString(field[0])
		if err != nil {
			t.Fatal(err)
		}
		made := fromEntropy(entropy)
		if got := strings.Join(made.List(), " "); got != field[1] {
			t.Errorf("words of %s are %q, want %q", field[0], got, field[1])
		}
		read, err := Parse(field[1])
		if err != nil || !slices.Equal(read.index, made.index) {
			t.Errorf("Parse(%q) = %v, %v", field[1], read.List(), err)
		}
		if seed, err := read.seed("TREZOR"); err != nil || hex.EncodeToString(seed) != field[2] {
			t.Errorf("seed of %q is %x, %v, want %s", field[1], seed, err, field[2])
		}
	}
}

// TestVectorsOfBIP84 makes the three addresses that the standard prints.
func TestVectorsOfBIP84(t *testing.T) {
	params := &chaincfg.MainNetParams
	a := account(t, about, params)
	if got := a.Fingerprint(); got != "73c5da0a" {
		t.Errorf("fingerprint %s, want 73c5da0a", got)
	}
	for _, v := range []struct {
		branch int
		number uint32
		want   string
	}{
		{Receive, 0, "bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu"},
		{Receive, 1, "bc1qnjg0jd8228aq7egyzacy8cys3knf9xvrerkf9g"},
		{Change, 0, "bc1q8c6fshw2dlwun7ekn9qwf37cu2rn755upcp6el"},
	} {
		script, err := a.Script(v.branch, v.number)
		if err != nil {
			t.Fatal(err)
		}
		addr, err := address.NewAddressWitnessPubKeyHash(script[2:], params)
		if err != nil || addr.EncodeAddress() != v.want {
			t.Errorf("address %d/%d is %v, %v, want %s", v.branch, v.number, addr, err, v.want)
		}
	}
}

func TestDescriptors(t *testing.T) {
	if got := checksum("raw(deadbeef)"); got != "89f8spxm" { // BIP 380
		t.Errorf("checksum %s, want 89f8spxm", got)
	}
	for _, v := range []struct {
		params       *chaincfg.Params
		private, pub string
	}{
		{&chaincfg.MainNetParams, "wpkh([73c5da0a/84h/0h/0h]xprv", "wpkh([73c5da0a/84h/0h/0h]xpub"},
		{&chaincfg.SigNetParams, "wpkh([73c5da0a/84h/1h/0h]tprv", "wpkh([73c5da0a/84h/1h/0h]tpub"},
		{&chaincfg.TestNet4Params, "wpkh([73c5da0a/84h/1h/0h]tprv", "wpkh([73c5da0a/84h/1h/0h]tpub"},
		{&chaincfg.RegressionNetParams, "wpkh([73c5da0a/84h/1h/0h]tprv", "wpkh([73c5da0a/84h/1h/0h]tpub"},
	} {
		a := account(t, about, v.params)
		receive, change := a.Descriptors()
		publicReceive, publicChange, err := a.Public()
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range []struct{ text, begin, branch string }{
			{receive, v.private, "/0/*)#"}, {change, v.private, "/1/*)#"}, {publicReceive, v.pub, "/0/*)#"}, {publicChange, v.pub, "/1/*)#"},
		} {
			if !strings.HasPrefix(d.text, d.begin) || !strings.Contains(d.text, d.branch) {
				t.Errorf("%s: descriptor begins %q and its branch is not %s", v.params.Name, d.text[:29], d.branch)
			}
		}
	}
}

func TestGenerate(t *testing.T) {
	seen := map[string]bool{}
	for range 50 {
		w := Generate()
		text := strings.Join(w.List(), " ")
		if again, err := Parse(text); err != nil || w.Len() != 12 || !slices.Equal(again.index, w.index) || seen[text] {
			t.Fatalf("twelve new words: %v, %v, seen before %v", w.Len(), err, seen[text])
		}
		seen[text] = true
	}
}

// TestWordsWithATypo: which word is wrong is said, and what it may have been, but
// not what was typed.
func TestWordsWithATypo(t *testing.T) {
	for _, v := range []struct{ name, typed, want string }{
		{"letter wrong", "lehal winner thank year wave sausage worth useful legal winner thank yellow", "word 1 is not of the list; near to it: legal"},
		{"letters swapped", "legal winner thank year wave sausage worth usefil legal winner thank yelolw", "word 8 is not of the list; near to it: useful. word 12 is not of the list; near to it: yellow"},
		{"nothing near", "legal winner thank year wave sausage qqqqqqqq useful legal winner thank yellow", "word 7 is not of the list"},
	} {
		_, err := Parse(v.typed)
		if _, ok := errors.AsType[*TypoError](err); !ok || err.Error() != v.want {
			t.Errorf("%s: %v, want %s", v.name, err, v.want)
		}
	}
}

func TestWordsThatAreNone(t *testing.T) {
	for _, v := range []struct {
		name, typed string
		want        error
	}{
		{"in French", "abaisser abandon abdiquer abeille abolir aborder aboutir aboyer abrasif abreuver abriter abroger", ErrLanguage}, //nolint:misspell // it is French
		{"in Japanese", "あいこくしん あいこくしん あいこくしん あいこくしん あいこくしん あいこくしん あいこくしん あいこくしん あいこくしん あいこくしん あいこくしん あおぞら", ErrLanguage},
		{"a word missing", strings.TrimSuffix(about, " about"), ErrCount},
		{"a word too many", about + " about", ErrCount},
		{"nothing", "  ", ErrCount},
		{"two words swapped", "winner legal thank year wave sausage worth useful legal winner thank yellow", ErrChecksum},
		{"another word of the list", strings.Replace(about, "about", "abandon", 1), ErrChecksum},
	} {
		if _, err := Parse(v.typed); err == nil || !strings.HasPrefix(err.Error(), v.want.Error()) {
			t.Errorf("%s: %v, want %v", v.name, err, v.want)
		}
	}
}

func TestWordsAreReadAsPeopleWriteThem(t *testing.T) {
	want, err := Parse(about)
	if err != nil {
		t.Fatal(err)
	}
	numbered := ""
	for i, word := range want.List() {
		numbered += fmt.Sprintf("%d. %s\r\n", i+1, word)
	}
	for _, typed := range []string{numbered, strings.ToUpper(about), strings.ReplaceAll(about, " ", ", "), "\t" + about + "\n"} {
		if got, err := Parse(typed); err != nil || !slices.Equal(got.index, want.index) {
			t.Errorf("Parse(%q) = %v", typed, err)
		}
	}
	if !want.Is(12, " About ") || want.Is(11, "about") || want.Is(0, "abandon") || want.Is(13, "abandon") {
		t.Error("Is does not compare the word at its place")
	}
}

// TestOneWrongLetterIsFound: whatever letter of a word changes, the word is not of
// the list any more, or the checksum fails but for one case in sixteen.
func TestOneWrongLetterIsFound(t *testing.T) {
	all := list()
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.SampledFrom(all).Draw(t, "word")
		at := rapid.IntRange(0, len(word)-1).Draw(t, "at")
		letter := byte(rapid.IntRange('a', 'z').Draw(t, "letter"))
		typed := word[:at] + string(letter) + word[at+1:]
		if _, known := slices.BinarySearch(all, typed); known {
			return
		}
		d := distance(word, typed)
		if d != 1 || distance(typed, word) != d {
			t.Errorf("distance(%s, %s) = %d", word, typed, d)
		}
		if n := near(all, typed); len(n) == 0 || distance(n[0], typed) != 1 {
			t.Errorf("near %s: %v", typed, n)
		}
	})
}

func TestSecretsDoNotPrint(t *testing.T) {
	words, err := Parse(about)
	if err != nil {
		t.Fatal(err)
	}
	a := account(t, about, &chaincfg.MainNetParams)
	receive, _ := a.Descriptors()
	secret := receive[strings.Index(receive, "xprv") : strings.Index(receive, "xprv")+20]
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		for _, text := range []string{fmt.Sprintf(format, words), fmt.Sprintf(format, a)} {
			if strings.Contains(text, "abandon") || strings.Contains(text, secret) {
				t.Errorf("%s prints %s", format, text)
			}
		}
	}
	words.Erase()
	if !bytes.Equal(bytes.TrimRight(fmt.Append(nil, words.index), "]"), []byte("[0 0 0 0 0 0 0 0 0 0 0 0")) {
		t.Errorf("erased words are %v", words.index)
	}
	if a, err := words.Account(&chaincfg.MainNetParams); a != nil || !errors.Is(err, errErased) {
		t.Errorf("erased words have keys: %v, %v", a, err)
	}
}

func account(t *testing.T, text string, params *chaincfg.Params) *Account {
	t.Helper()
	w, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	a, err := w.Account(params)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Erase)
	return a
}
