package appliance

import (
	"context"
	"database/sql"
	"encoding/base32"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/dmpool/dmpool/pool"
)

// The vectors of RFC 6238, appendix B, for SHA-1, with the six digits that apps show.
func TestTOTPVectors(t *testing.T) {
	secret := []byte("12345678901234567890")
	for at, want := range map[int64]string{
		59: "287082", 1111111109: "081804", 1111111111: "050471", 1234567890: "005924", 2000000000: "279037", 20000000000: "353130",
	} {
		if got := totpCode(secret, at/totpStep); got != want {
			t.Errorf("code at %d = %s, want %s", at, got, want)
		}
	}
}

func TestTOTPMatch(t *testing.T) {
	secret, now := []byte("12345678901234567890"), time.Unix(1111111111, 0)
	step := now.Unix() / totpStep
	for _, tc := range []struct {
		of, last int64
		ok       bool
	}{
		{step, 0, true},
		{step - 1, 0, true},
		{step + 1, 0, true},
		{step - 2, 0, false},
		{step + 2, 0, false},
		{step, step, false}, // used
		{step - 1, step, false},
		{step + 1, step, true},
	} {
		got, ok := totpMatch(secret, totpCode(secret, tc.of), now, tc.last)
		if ok != tc.ok || ok && got != tc.of {
			t.Errorf("code of step %+d after %+d: %d, %v", tc.of-step, tc.last-step, got, ok)
		}
	}
}

func TestIsCode(t *testing.T) {
	for text, want := range map[string]bool{"123456": true, "123 456": true, "12345": false, "1234567": false, "12345a": false, "": false, goodPassword: false} {
		if got := IsCode(text); got != want {
			t.Errorf("IsCode(%q) = %v", text, got)
		}
	}
}

// phone is an authenticator app.
type phone []byte

func newPhone(t *testing.T, secret string) phone {
	t.Helper()
	raw, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(secret)
	if err != nil || len(raw) != totpSecret {
		t.Fatalf("secret %q: %v", secret, err)
	}
	return raw
}

// code is the phone's code, some steps from now.
func (p phone) code(steps int64) string { return totpCode(p, time.Now().Unix()/totpStep+steps) }

// fresh makes the codes of all steps good again.
func (a *Appliance) fresh(t *testing.T) {
	t.Helper()
	err := a.db.Update(t.Context(), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(t.Context(), `UPDATE second_factor SET last_step = 0`)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// factored gives anna a second factor.
func factored(t *testing.T) (a *Appliance, dir string, anna Operator, p phone, codes []string) {
	t.Helper()
	a, dir, anna = peopled(t)
	secret, err := a.ProposeFactor(t.Context(), anna)
	if err != nil {
		t.Fatal(err)
	}
	p = newPhone(t, secret)
	codes, _, err = a.ConfirmFactor(t.Context(), anna, p.code(0), "::1")
	if err != nil {
		t.Fatal(err)
	}
	a.fresh(t)
	return a, dir, anna, p, codes
}

func TestEnrolment(t *testing.T) {
	ctx := t.Context()
	a, _, anna := peopled(t)
	a.session(t, anna, "a")
	first, err := a.ProposeFactor(ctx, anna)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := a.Login(ctx, "anna", goodPassword, "::1"); err != nil {
		t.Errorf("a secret that nobody confirmed is asked for: %v", err)
	}
	second, err := a.ProposeFactor(ctx, anna)
	if err != nil || first == second {
		t.Fatalf("a new proposal: %v", err)
	}
	if shown, err := a.ProposedFactor(ctx, anna.ID); err != nil || shown != second {
		t.Errorf("the proposal is shown again as %q, %v", shown, err)
	}
	if _, _, err := a.ConfirmFactor(ctx, anna, newPhone(t, first).code(0), "::1"); !errors.Is(err, ErrLogin) {
		t.Errorf("code of the first secret: %v", err)
	}
	codes, since, err := a.ConfirmFactor(ctx, anna, newPhone(t, second).code(0), "::1")
	if err != nil || len(codes) != recoveryCodes {
		t.Fatalf("%d codes, %v", len(codes), err)
	}
	if p := a.person(t, "anna"); p.Sessions != 0 {
		t.Error("sessions that were begun without a second factor go on")
	}
	if f, err := a.Factor(ctx, anna.ID); err != nil || f.Since.IsZero() || f.Codes != recoveryCodes {
		t.Errorf("%+v, %v", f, err)
	}
	if _, at, err := a.Login(ctx, "anna", goodPassword, "::1"); !errors.Is(err, ErrCode) || !at.Equal(since) {
		t.Errorf("password alone: %v, since %v, want %v", err, at, since)
	}
	var person *PersonError
	if _, err := a.ProposeFactor(ctx, anna); !errors.As(err, &person) {
		t.Errorf("a second proposal over one in force: %v", err)
	}
	if _, err := a.ProposedFactor(ctx, anna.ID); !errors.As(err, &person) {
		t.Errorf("the secret in force is shown: %v", err)
	}
	if e := lastAudit(t, a); e.Action != "login" || e.Result != "code needed" {
		t.Errorf("audit %+v", e)
	}
}

func TestProposalLapses(t *testing.T) {
	a, _, anna := peopled(t)
	secret, err := a.ProposeFactor(t.Context(), anna)
	if err != nil {
		t.Fatal(err)
	}
	err = a.db.Update(t.Context(), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(t.Context(), `UPDATE second_factor SET proposed_at = proposed_at - ?`, proposalLife.Milliseconds()+1)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	var person *PersonError
	if _, _, err := a.ConfirmFactor(t.Context(), anna, newPhone(t, secret).code(0), "::1"); !errors.As(err, &person) {
		t.Errorf("an old proposal: %v", err)
	}
}

func TestLoginCode(t *testing.T) {
	ctx := t.Context()
	a, _, anna, p, codes := factored(t)
	if err := a.LoginCode(ctx, anna, "000000", "::1"); !errors.Is(err, ErrLogin) && p.code(0) != "000000" {
		t.Errorf("wrong code: %v", err)
	}
	if e := lastAudit(t, a); e.Result != wrongCode {
		t.Errorf("audit %+v", e)
	}
	if err := a.LoginCode(ctx, anna, p.code(0), "::1"); err != nil {
		t.Errorf("right code: %v", err)
	}
	if err := a.LoginCode(ctx, anna, p.code(0), "::1"); !errors.Is(err, ErrLogin) {
		t.Errorf("the same code again: %v", err)
	}
	typed := strings.ToLower(strings.ReplaceAll(codes[3], "-", " "))
	if err := a.LoginCode(ctx, anna, typed, "::1"); err != nil {
		t.Errorf("recovery code: %v", err)
	}
	if err := a.LoginCode(ctx, anna, codes[3], "::1"); !errors.Is(err, ErrLogin) {
		t.Errorf("the same recovery code again: %v", err)
	}
	if f, _ := a.Factor(ctx, anna.ID); f.Codes != recoveryCodes-1 {
		t.Errorf("%d recovery codes are left", f.Codes)
	}
	var stored string
	if err := a.db.Reader().QueryRowContext(ctx, `SELECT group_concat(hex(hash)) || hex(sealed) FROM recovery_code JOIN second_factor USING (operator)`).Scan(&stored); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(stored, strings.ToUpper(hexText(p))) || strings.Contains(stored, strings.ToUpper(hexText([]byte(codes[0])))) {
		t.Error("secret or recovery code can be read in the database")
	}
}

func hexText(b []byte) string {
	const digits = "0123456789abcdef"
	var s strings.Builder
	for _, c := range b {
		s.WriteByte(digits[c>>4])
		s.WriteByte(digits[c&15])
	}
	return s.String()
}

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
	if _, _, err := a.confirmFactor(ctx, anna, replaced, old.code(0), "::1"); !errors.Is(err, errNoProposal) {
		t.Errorf("a secret that was replaced: %v", err)
	}
	a.fresh(t)
	if codes, _, err := a.confirmFactor(ctx, anna, f, p.code(0), "::1"); err != nil || len(codes) != recoveryCodes {
		t.Fatalf("%d codes, %v", len(codes), err)
	}
	if codes, _, err := a.confirmFactor(ctx, anna, f, p.code(1), "::1"); !errors.Is(err, errNoProposal) || codes != nil {
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

// ASVS 6.3.3 and promise 3.2.7: what cannot be checked lets nobody in.
func TestMissingKeyDenies(t *testing.T) {
	ctx := t.Context()
	a, dir, anna, p, codes := factored(t)
	key := a.dir.sealKey(a.network)
	if info, err := os.Stat(key); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v, %v", info, err)
	}
	if err := os.Remove(key); err != nil {
		t.Fatal(err)
	}
	var person *PersonError
	if _, _, err := a.Login(ctx, "anna", goodPassword, "::1"); !errors.Is(err, ErrCode) {
		t.Errorf("password alone: %v", err)
	}
	for _, code := range []string{p.code(0), codes[0]} {
		if err := a.LoginCode(ctx, anna, code, "::1"); !errors.As(err, &person) {
			t.Errorf("code without the key: %v", err)
		}
	}
	if err := a.Reauthenticate(ctx, anna.ID, p.code(0), "::1"); err == nil {
		t.Error("a payout can be approved without the key")
	}
	bert := Operator{Name: "bert"}
	if err := a.AddOperator(ctx, "bert", nextPassword, "anna", "::1"); err != nil {
		t.Fatal(err)
	}
	bert.ID = a.person(t, "bert").ID
	if _, err := a.ProposeFactor(ctx, bert); !errors.As(err, &person) {
		t.Errorf("a new key was made over sealed secrets: %v", err)
	}
	if name, had, err := ResetFactor(ctx, dir, "anna"); err != nil || name != "anna" || !had {
		t.Fatalf("%q, %v, %v", name, had, err)
	}
	if _, _, err := a.Login(ctx, "anna", goodPassword, "::1"); err != nil {
		t.Errorf("after the reset: %v", err)
	}
	if name, had, err := ResetFactor(ctx, dir, "anna"); err != nil || name != "anna" || had {
		t.Errorf("second reset: %q, %v, %v", name, had, err)
	}
	if _, _, err := ResetFactor(ctx, dir, "carl"); err == nil {
		t.Error("reset for nobody")
	}
}

func TestSealedIsBound(t *testing.T) {
	key := randomBytes(sealKeySize)
	sealed, err := seal(key, 1, []byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := unseal(key, 2, sealed); !errors.Is(err, errSealed) {
		t.Errorf("another operator's secret: %v", err)
	}
	if _, err := unseal(randomBytes(sealKeySize), 1, sealed); !errors.Is(err, errSealed) {
		t.Errorf("another key: %v", err)
	}
	if got, err := unseal(key, 1, sealed); err != nil || string(got) != "secret" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestRemoveFactor(t *testing.T) {
	ctx := t.Context()
	a, _, anna, p, codes := factored(t)
	a.session(t, anna, "a")
	if _, err := a.RemoveFactor(ctx, anna, codes[0]+"X", "::1"); !errors.Is(err, ErrLogin) {
		t.Errorf("wrong code: %v", err)
	}
	fresh, err := a.RenewCodes(ctx, anna, p.code(0), "::1")
	if err != nil || len(fresh) != recoveryCodes {
		t.Fatalf("%d, %v", len(fresh), err)
	}
	if _, err := a.RemoveFactor(ctx, anna, codes[0], "::1"); !errors.Is(err, ErrLogin) {
		t.Errorf("an old recovery code: %v", err)
	}
	if _, err := a.RemoveFactor(ctx, anna, fresh[0], "::1"); err != nil {
		t.Fatal(err)
	}
	if n := a.person(t, "anna").Sessions; n != 0 {
		t.Errorf("%d sessions go on", n)
	}
	if e := lastAudit(t, a); e.Action != "factor.remove" || e.Result != "ok" {
		t.Errorf("audit %+v", e)
	}
	if _, _, err := a.Login(ctx, "anna", goodPassword, "::1"); err != nil {
		t.Error(err)
	}
}

// A payout is approved with the password or with a code.
func TestReauthenticate(t *testing.T) {
	ctx := t.Context()
	a, _, anna, p, _ := factored(t)
	if err := a.Reauthenticate(ctx, anna.ID, goodPassword, "::1"); err != nil {
		t.Errorf("password: %v", err)
	}
	if err := a.Reauthenticate(ctx, anna.ID, p.code(0), "::1"); err != nil {
		t.Errorf("code: %v", err)
	}
	if err := a.Reauthenticate(ctx, anna.ID, p.code(0), "::1"); !errors.Is(err, ErrLogin) {
		t.Errorf("the same code for another payout: %v", err)
	}
	if err := a.Reauthenticate(ctx, anna.ID+1, goodPassword, "::1"); !errors.Is(err, ErrLogin) {
		t.Errorf("nobody: %v", err)
	}
}

func TestFactorURI(t *testing.T) {
	got := FactorURI("JBSWY3DP", "Hill & Valley", "anna")
	const want = "otpauth://totp/Hill%20&%20Valley:anna?secret=JBSWY3DP&issuer=Hill%20%26%20Valley&algorithm=SHA1&digits=6&period=30"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// Where the rules want it, nobody sends without a second factor, nor lets payouts
// leave by themselves.
func TestFactorToSend(t *testing.T) {
	ctx := t.Context()
	a, _, anna := peopled(t)
	change := func(to func(*pool.Settings)) error {
		s, rev, err := a.StoredSettings(ctx)
		if err != nil {
			t.Fatal(err)
		}
		to(&s)
		return a.ChangeSettings(ctx, SettingsChange{Rev: rev, Settings: s, Actor: anna.Name})
	}
	byItself := func(s *pool.Settings) { s.AutoApproveBelowSat, s.AutoApproveDailySat = 5000, 10_000 }
	if err := a.MaySend(ctx, anna.ID); err != nil {
		t.Errorf("nothing wants a second factor: %v", err)
	}
	if err := change(func(s *pool.Settings) { s.SecondFactorToSend = true }); err != nil {
		t.Fatal(err)
	}
	if err := a.MaySend(ctx, anna.ID); !errors.Is(err, ErrNeedsFactor) {
		t.Errorf("without one: %v", err)
	}
	if err := change(byItself); !errors.Is(err, ErrNeedsFactor) {
		t.Errorf("payouts by themselves: %v", err)
	}
	secret, err := a.ProposeFactor(ctx, anna)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.MaySend(ctx, anna.ID); !errors.Is(err, ErrNeedsFactor) {
		t.Errorf("with a secret that nobody confirmed: %v", err)
	}
	if _, _, err := a.ConfirmFactor(ctx, anna, newPhone(t, secret).code(0), "::1"); err != nil {
		t.Fatal(err)
	}
	if err := a.MaySend(ctx, anna.ID); err != nil {
		t.Errorf("with one: %v", err)
	}
	if err := change(byItself); err != nil {
		t.Errorf("payouts by themselves, with one: %v", err)
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
				if _, err := a.RemoveFactor(ctx, anna, wrong, ip); errors.As(err, &throttled) {
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
