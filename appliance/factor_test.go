package appliance

import (
	"database/sql"
	"encoding/base32"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/dmpool/dmpool/pool"
)

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
	codes, _, err = a.ConfirmFactor(t.Context(), anna, p.code(0), KeepTokens, "::1")
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
	if _, _, err := a.ConfirmFactor(ctx, anna, newPhone(t, first).code(0), KeepTokens, "::1"); !errors.Is(err, ErrLogin) {
		t.Errorf("code of the first secret: %v", err)
	}
	codes, since, err := a.ConfirmFactor(ctx, anna, newPhone(t, second).code(0), KeepTokens, "::1")
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
	if _, _, err := a.ConfirmFactor(t.Context(), anna, newPhone(t, secret).code(0), KeepTokens, "::1"); !errors.As(err, &person) {
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
	if _, err := a.RemoveFactor(ctx, anna, codes[0]+"X", KeepTokens, "::1"); !errors.Is(err, ErrLogin) {
		t.Errorf("wrong code: %v", err)
	}
	fresh, err := a.RenewCodes(ctx, anna, p.code(0), "::1")
	if err != nil || len(fresh) != recoveryCodes {
		t.Fatalf("%d, %v", len(fresh), err)
	}
	if _, err := a.RemoveFactor(ctx, anna, codes[0], KeepTokens, "::1"); !errors.Is(err, ErrLogin) {
		t.Errorf("an old recovery code: %v", err)
	}
	if _, err := a.RemoveFactor(ctx, anna, fresh[0], KeepTokens, "::1"); err != nil {
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
	if _, _, err := a.ConfirmFactor(ctx, anna, newPhone(t, secret).code(0), KeepTokens, "::1"); err != nil {
		t.Fatal(err)
	}
	if err := a.MaySend(ctx, anna.ID); err != nil {
		t.Errorf("with one: %v", err)
	}
	if err := change(byItself); err != nil {
		t.Errorf("payouts by themselves, with one: %v", err)
	}
}
