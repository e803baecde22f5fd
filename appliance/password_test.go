package appliance

import (
	"errors"
	"strings"
	"testing"
)

// ASVS 6.2: how long, which kinds, no common ones, nothing cut off.
func TestCheckPassword(t *testing.T) {
	for _, good := range []string{
		goodPassword, nextPassword, "Correct horse, battery!", "Übung macht den Meister", "密码需要大写 A 和空格才行呢",
		"K7#vq-LmPz2x", "Horse Battery Staple!", strings.Repeat("Aß ", 42) + "xyzüö"[:2],
	} {
		if err := CheckPassword(good, "anna"); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for bad, why := range map[string]string{
		"Short 1!":                       "characters",
		strings.Repeat("Ab!defghj ", 13): "characters",
		"correct horse 7":                "upper-case",
		"Correcthorse7":                  "special",
		"My name is Anna!":               "user name",
		"Horse\xff battery staple":       "characters",

		"Password2026!":        "tried first",
		"P@ssw0rd!!!!":         "tried first",
		"p4$$w0rd P4$$w0rd":    "tried first",
		"!!Password-password!": "tried first",
		"DMPool-dmpool-2026":   "tried first",
		"AdminBitcoin 2026!":   "tried first",
		"Qwertyuiop[]12":       "tried first",
		"Abcdefghijkl!":        "tried first",
		"Aaaaaaaaaaa!":         "tried first",
		"Ab!Ab!Ab!Ab!":         "tried first",
		"Letmein-123456":       "tried first",
		"1Qaz2wsx3edc!":        "tried first",
	} {
		if err := CheckPassword(bad, "anna"); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%q: %v, want something about %s", bad, err, why)
		}
	}
}

// A password is compared as a whole: what differs at its end differs.
func TestPasswordIsNotCut(t *testing.T) {
	a, _, anna := peopled(t)
	long := "Correct " + strings.Repeat("horse ", 19)
	if _, err := a.ChangePassword(t.Context(), anna, long+"Aa", KeepTokens, "::1"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := a.Login(t.Context(), "anna", long+"Ab", "::1"); err == nil {
		t.Error("the end of a password does not count")
	}
	if _, _, err := a.Login(t.Context(), "anna", long+"Aa", "::1"); err != nil {
		t.Error(err)
	}
}

// ASVS 11.4.2: argon2id with at least 19 MiB and two passes.
func TestPasswordCost(t *testing.T) {
	hash, err := HashPassword(goodPassword)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(hash, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("hash %s", hash)
	}
}

// ASVS 6.3.8: a name that nobody has costs the same comparison, and whoever guesses
// what it is compared with is not in.
func TestUnknownNameIsComparedToo(t *testing.T) {
	a, _, _ := peopled(t)
	if !strings.HasPrefix(a.gate.dummy, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("compared with %s", a.gate.dummy)
	}
	if _, _, err := a.Login(t.Context(), "nobody", "a password that nobody has", "::1"); !errors.Is(err, ErrLogin) {
		t.Errorf("the dummy's password: %v", err)
	}
}
