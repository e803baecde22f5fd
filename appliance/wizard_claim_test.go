package appliance

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"testing"
	"time"
)

func TestClaimCode(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "box")
	if _, err := ReadClaimCode(t.Context(), dir); !errors.Is(err, ErrNoClaim) {
		t.Errorf("without a box: %v", err)
	}
	w := openWizard(t, dir)
	c := claimCode(t, dir)
	if !regexp.MustCompile(`^[0-9A-HJKMNP-TV-Z]{5}-[0-9A-HJKMNP-TV-Z]{5}$`).MatchString(c.Code) {
		t.Errorf("code %q", c.Code)
	}
	if c.Link() != "http://192.168.1.50:8080/setup#code="+c.Code {
		t.Errorf("link %q", c.Link())
	}
	if info, err := os.Stat(w.dir.claimFile()); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("file %v, %v", info, err)
	}
}

// The owner of the machine may choose the code; what is none is not taken, and guessing
// ends it.
func TestClaimCodeOfTheOwner(t *testing.T) {
	credentials := t.TempDir()
	t.Setenv("CREDENTIALS_DIRECTORY", credentials)
	choose := func(code string) {
		if err := os.WriteFile(filepath.Join(credentials, "claim-code"), []byte(code+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for chosen, taken := range map[string]bool{"abcde-12345": true, "ABCDE": false, "ABCDE-1234U": false, "": false} {
		choose(chosen)
		dir := t.TempDir()
		openWizard(t, dir)
		if got := claimCode(t, dir).Code; (got == "ABCDE-12345") != taken {
			t.Errorf("%q was chosen, the code is %q", chosen, got)
		}
	}

	choose("abcde-12345")
	dir := t.TempDir()
	w := openWizard(t, dir)
	for i := range claimsPerCode {
		if _, err := w.Claim(t.Context(), "00000-00000", fmt.Sprintf("192.168.1.%d", i)); !errors.Is(err, ErrClaim) {
			t.Fatal(err)
		}
	}
	guessed := claimCode(t, dir).Code
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	openWizard(t, dir)
	if got := claimCode(t, dir).Code; got == "ABCDE-12345" || got != guessed {
		t.Errorf("after thirty wrong codes and a restart the code is %q, want %q", got, guessed)
	}
}

func TestPlainCode(t *testing.T) {
	for typed, want := range map[string]string{
		"ABCDE-12345": "ABCDE12345", "abcde 12345": "ABCDE12345", " abcde–12345\n": "ABCDE12345",
		"OoIiLl": "001111", "U": "?", "ÄB": "?B", "": "",
	} {
		if got := plainCode(typed); got != want {
			t.Errorf("plainCode(%q) = %q, want %q", typed, got, want)
		}
	}
}

// Five tries a minute for each address, and a new code after thirty wrong ones.
func TestClaimGuessing(t *testing.T) {
	ctx, dir := t.Context(), t.TempDir()
	w := openWizard(t, dir)
	first := claimCode(t, dir)
	for range claimsPerMinute {
		if _, err := w.Claim(ctx, "00000-00000", "192.168.1.66"); !errors.Is(err, ErrClaim) {
			t.Fatalf("wrong code: %v", err)
		}
	}
	if _, err := w.Claim(ctx, first.Code, "192.168.1.66"); !isThrottled(err) {
		t.Errorf("sixth try of an address: %v", err)
	}
	for i := claimsPerMinute; i < claimsPerCode; i++ {
		if again := claimCode(t, dir); again != first {
			t.Fatalf("a new code after %d wrong ones", i)
		}
		if _, err := w.Claim(ctx, "00000-00000", "10.0.0."+string(rune('A'+i))); !errors.Is(err, ErrClaim) {
			t.Fatalf("wrong code: %v", err)
		}
	}
	second := claimCode(t, dir)
	if second == first {
		t.Error("thirty wrong codes, and the code is the same")
	}
	if _, err := w.Claim(ctx, first.Code, "192.168.1.9"); !errors.Is(err, ErrClaim) {
		t.Errorf("the old code: %v", err)
	}
	if _, err := w.Claim(ctx, second.Code, "192.168.1.9"); err != nil {
		t.Errorf("the new code: %v", err)
	}
}

func isThrottled(err error) bool {
	_, ok := errors.AsType[*ThrottledError](err)
	return ok
}

func TestClaimsRefill(t *testing.T) {
	w := openWizard(t, t.TempDir())
	now := time.Now()
	for range claimsPerMinute {
		if err := w.admit("a", now); err != nil {
			t.Fatal(err)
		}
	}
	if w.admit("a", now) == nil || w.admit("b", now) != nil || w.admit("a", now.Add(time.Minute)) != nil {
		t.Error("an address has other tries than five a minute")
	}
}

// Of browsers that know the code one holds the set-up.
func TestTwoClaims(t *testing.T) {
	ctx, dir := t.Context(), t.TempDir()
	w := openWizard(t, dir)
	code := claimCode(t, dir).Code
	var both sync.WaitGroup
	secrets := make([]string, 4)
	for i := range secrets {
		both.Go(func() {
			secret, err := w.Claim(ctx, code, "192.168.1.9")
			if err != nil {
				t.Error(err)
			}
			secrets[i] = secret
		})
	}
	both.Wait()
	holders := 0
	for _, secret := range append(secrets, "", "x") {
		holds, err := w.Holds(ctx, secret)
		if err != nil {
			t.Fatal(err)
		}
		if holds {
			holders++
		}
	}
	if holders != 1 {
		t.Errorf("%d browsers hold the set-up", holders)
	}
}
