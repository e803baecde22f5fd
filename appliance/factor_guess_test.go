package appliance

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// Of many requests with one code, one gets in: with a code of the app, and with one
// for recovery.
func TestOneUsePerStep(t *testing.T) {
	a, _, anna, p, codes := factored(t)
	f, err := a.readFactor(t.Context(), anna.ID)
	if err != nil {
		t.Fatal(err)
	}
	for _, code := range []string{p.code(0), codes[7]} {
		const requests = 50
		got := make(chan bool, requests)
		for range requests {
			go func() {
				ok, err := a.takeCode(t.Context(), anna.ID, f, code)
				got <- ok && err == nil
			}()
		}
		in := 0
		for range requests {
			if <-got {
				in++
			}
		}
		if in != 1 {
			t.Errorf("%d of %d requests got in", in, requests)
		}
	}
}

// Whoever hangs up before the answer has used the code up all the same.
func TestCodeIsUsedUpWithoutAnAnswer(t *testing.T) {
	a, _, anna, p, codes := factored(t)
	f, err := a.readFactor(t.Context(), anna.ID)
	if err != nil {
		t.Fatal(err)
	}
	gone, hangUp := context.WithCancel(t.Context())
	hangUp()
	for _, code := range []string{p.code(0), codes[7]} {
		if ok, err := a.takeCode(gone, anna.ID, f, code); !ok || err != nil {
			t.Errorf("right code: %v, %v", ok, err)
		}
		if err := a.LoginCode(t.Context(), anna, code, "::1"); !errors.Is(err, ErrLogin) {
			t.Errorf("the same code again: %v", err)
		}
	}
}

// Two pages that confirm at a time do not get two sets of recovery codes, of which
// the first would be worth nothing; and a secret that another page has replaced
// meanwhile does not put that one into force.
func TestConfirmedOnce(t *testing.T) {
	ctx := t.Context()
	a, _, anna := peopled(t)
	read := func(secret string) (phone, factor) {
		t.Helper()
		f, err := a.readFactor(ctx, anna.ID)
		if err != nil {
			t.Fatal(err)
		}
		return newPhone(t, secret), f
	}
	propose := func() string {
		t.Helper()
		secret, err := a.ProposeFactor(ctx, anna)
		if err != nil {
			t.Fatal(err)
		}
		return secret
	}
	old, replaced := read(propose())
	p, f := read(propose())
	if _, _, err := a.confirmFactor(ctx, anna, replaced, old.code(0), KeepTokens, "::1"); !errors.Is(err, errNoProposal) {
		t.Errorf("a secret that was replaced: %v", err)
	}
	a.fresh(t)
	if codes, _, err := a.confirmFactor(ctx, anna, f, p.code(0), KeepTokens, "::1"); err != nil || len(codes) != recoveryCodes {
		t.Fatalf("%d codes, %v", len(codes), err)
	}
	if codes, _, err := a.confirmFactor(ctx, anna, f, p.code(1), KeepTokens, "::1"); !errors.Is(err, errNoProposal) || codes != nil {
		t.Errorf("%d codes for the second confirmation, %v", len(codes), err)
	}
}

// The right password does not make up for wrong codes: whoever knows it would have
// five guesses at the code each time.
func TestWrongCodesAreThrottled(t *testing.T) {
	ctx := t.Context()
	a, _, anna, p, _ := factored(t)
	var throttled *ThrottledError
	for i := range 3 * freeFailures {
		ip := "192.168.1." + string(rune('1'+i/9)) + string(rune('0'+i%9))
		if _, _, err := a.Login(ctx, "anna", goodPassword, ip); errors.As(err, &throttled) {
			break
		}
		wrong := "000000"
		if p.code(0) == wrong {
			wrong = "000001"
		}
		if err := a.LoginCode(ctx, anna, wrong, ip); errors.As(err, &throttled) {
			break
		}
	}
	if throttled == nil {
		t.Fatal("guesses at the code are not slowed down")
	}
}

// What can be shown again and again makes up for no wrong code: neither the password,
// in a session of an operator who has a second factor, nor a recovery code that is
// only compared.
func TestNothingMakesUpForWrongCodes(t *testing.T) {
	ctx := t.Context()
	a, _, anna, p, codes := factored(t)
	for name, show := range map[string]func(ip string) error{
		"password":      func(ip string) error { return a.ProvePassword(ctx, anna.ID, goodPassword, ip) },
		"recovery code": func(ip string) error { return a.KnowsCode(ctx, anna, codes[3], ip) },
	} {
		t.Run(name, func(t *testing.T) {
			a.gate.note(account{name: "anna"}, true, time.Now())
			wrong := "000000"
			if p.code(0) == wrong {
				wrong = "000001"
			}
			var throttled *ThrottledError
			for i := range 3 * freeFailures {
				ip := fmt.Sprintf("192.168.7.%d", i)
				if err := show(ip); errors.As(err, &throttled) {
					break
				} else if err != nil {
					t.Fatal(err)
				}
				if _, err := a.RemoveFactor(ctx, anna, wrong, KeepTokens, ip); errors.As(err, &throttled) {
					break
				} else if !errors.Is(err, ErrLogin) {
					t.Fatal(err)
				}
			}
			if throttled == nil {
				t.Error("guesses at the code are not slowed down")
			}
		})
	}
}

// A recovery code that is compared stays good, one that was used does not.
func TestKnowsCode(t *testing.T) {
	ctx := t.Context()
	a, _, anna, p, codes := factored(t)
	for range 2 {
		if err := a.KnowsCode(ctx, anna, " "+strings.ToLower(codes[3]), "::1"); err != nil {
			t.Errorf("one of them: %v", err)
		}
	}
	for _, wrong := range []string{"", "ABCD-EFGH-JKMN-PQRS", p.code(0)} {
		if err := a.KnowsCode(ctx, anna, wrong, "::2"); !errors.Is(err, ErrLogin) {
			t.Errorf("%q: %v", wrong, err)
		}
	}
	if err := a.LoginCode(ctx, anna, codes[3], "::1"); err != nil {
		t.Fatal(err)
	}
	if err := a.KnowsCode(ctx, anna, codes[3], "::1"); !errors.Is(err, ErrLogin) {
		t.Errorf("one that was used: %v", err)
	}
}
