package appliance

import (
	"bytes"
	"context"
	"encoding/base32"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// codeNow is what an app shows that was given a secret in base32.
func codeNow(t *testing.T, secret string) string {
	t.Helper()
	raw, err := base32.StdEncoding.DecodeString(secret)
	if err != nil {
		t.Fatal(err)
	}
	return totpCode(raw, time.Now().Unix()/totpStep)
}

// restart stops the wizard at any moment and starts it again.
func restart(t *testing.T, w *Wizard, dir string) *Wizard {
	t.Helper()
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return openWizard(t, dir)
}

// A second factor of the set-up survives restarts between all of its parts, and is
// the operator's in the end. In the files there is neither secret nor code.
func TestWizardFactor(t *testing.T) {
	ctx, dir := t.Context(), filepath.Join(t.TempDir(), "box")
	w := openWizard(t, dir)
	want := func(step string, f FactorDraft) {
		t.Helper()
		d, err := w.Draft(ctx)
		if err != nil || d.Next() != step || d.Factor != f {
			t.Fatalf("next is %q with %+v, want %q with %+v; %v", d.Next(), d.Factor, step, f, err)
		}
		w = restart(t, w, dir)
	}
	for _, step := range WizardSteps()[:3] {
		if err := w.Answer(ctx, step, wizardAnswers()[step]); err != nil {
			t.Fatal(err)
		}
	}
	want(StepCheck, FactorDraft{})
	if err := w.WantFactor(ctx, true); err != nil {
		t.Fatal(err)
	}
	want(StepFactor, FactorDraft{Wanted: true})
	secret, err := w.FactorSecret(ctx)
	if err != nil || len(secret) != 32 {
		t.Fatalf("secret of %d letters, %v", len(secret), err)
	}
	if err := w.WantFactor(ctx, true); err != nil { // the form is sent once more
		t.Fatal(err)
	}
	w = restart(t, w, dir)
	if again, err := w.FactorSecret(ctx); err != nil || again != secret {
		t.Fatal("the phone knows another secret than the box after a restart", err)
	}
	if _, err := w.RenewFactorCodes(ctx); !errors.Is(err, errNotConfirmed) {
		t.Errorf("recovery codes before the first code: %v", err)
	}
	if _, err := w.ConfirmFactor(ctx, "12345"); !errors.Is(err, ErrLogin) {
		t.Errorf("no code: %v", err)
	}
	lost, err := w.ConfirmFactor(ctx, codeNow(t, secret))
	if err != nil || len(lost) != recoveryCodes {
		t.Fatalf("%d recovery codes, %v", len(lost), err)
	}
	if _, err := w.ConfirmFactor(ctx, codeNow(t, secret)); !errors.Is(err, errNoProposal) {
		t.Errorf("a second confirmation: %v", err)
	}
	if _, err := w.FactorSecret(ctx); !errors.Is(err, errNoProposal) {
		t.Errorf("the secret is shown after it was confirmed: %v", err)
	}
	want(StepFactor, FactorDraft{Wanted: true, Confirmed: true})
	codes, err := w.RenewFactorCodes(ctx)
	if err != nil || slices.Contains(codes, lost[0]) {
		t.Fatalf("new recovery codes: %v", err)
	}
	for _, code := range []string{lost[0], "", codeNow(t, secret)} {
		if err := w.KeepFactor(ctx, code); !errors.Is(err, ErrLogin) {
			t.Errorf("%q was taken for a recovery code: %v", code, err)
		}
	}
	if err := w.KeepFactor(ctx, codes[3]); err != nil {
		t.Fatal(err)
	}
	want(StepCheck, FactorDraft{Wanted: true, Confirmed: true, Kept: true})
	foundNowhere(t, dir, secret, codes[0])
	for _, step := range WizardSteps()[3:] {
		if err := w.Answer(ctx, step, wizardAnswers()[step]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Finish(ctx); err != nil {
		t.Fatal(err)
	}
	box, err := w.Open(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = box.Close() }()
	signsInWith(t, box, codes[0], lost[0])
	foundNowhere(t, dir, secret, codes[0])
}

// signsInWith makes sure that the password alone does not do, and which codes do.
func signsInWith(t *testing.T, box *Appliance, good, bad string) {
	t.Helper()
	op, _, err := box.Login(t.Context(), "anna", goodPassword, "::1")
	if !errors.Is(err, ErrCode) {
		t.Fatalf("the password alone: %v", err)
	}
	if err := box.LoginCode(t.Context(), op, bad, "::1"); !errors.Is(err, ErrLogin) {
		t.Errorf("a recovery code that was replaced: %v", err)
	}
	if err := box.LoginCode(t.Context(), op, good, "::1"); err != nil {
		t.Errorf("a recovery code: %v", err)
	}
	if f, err := box.Factor(t.Context(), op.ID); err != nil || f.Codes != recoveryCodes-1 || f.Since.IsZero() {
		t.Errorf("factor is %+v, %v", f, err)
	}
}

// foundNowhere reads all files of a box for texts that must not be there.
func foundNowhere(t *testing.T, dir string, texts ...string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		for _, text := range texts {
			if bytes.Contains(content, []byte(text)) {
				t.Errorf("%s holds a secret", path)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// It can be dropped, begun again with another secret, and is asked for again when
// its key is lost.
func TestWizardFactorDropped(t *testing.T) {
	ctx, dir := t.Context(), filepath.Join(t.TempDir(), "box")
	w := openWizard(t, dir)
	secretOf := func() string {
		t.Helper()
		secret, err := w.FactorSecret(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return secret
	}
	change := func(change func(context.Context) error) {
		t.Helper()
		if err := change(ctx); err != nil {
			t.Fatal(err)
		}
	}
	add := func(ctx context.Context) error { return w.WantFactor(ctx, true) }
	change(add)
	first := secretOf()
	if _, err := w.ConfirmFactor(ctx, codeNow(t, first)); err != nil {
		t.Fatal(err)
	}
	change(w.RenewFactor)
	if second := secretOf(); second == first {
		t.Error("the same secret again")
	}
	change(func(ctx context.Context) error { return w.WantFactor(ctx, false) })
	if _, err := w.FactorSecret(ctx); !errors.Is(err, errNoProposal) {
		t.Errorf("secret after it was dropped: %v", err)
	}
	change(add)
	if err := os.Remove(w.dir.wizardKey()); err != nil {
		t.Fatal(err)
	}
	w.log = slog.New(slog.DiscardHandler)
	if d, err := w.Draft(ctx); err != nil || d.Factor.Wanted {
		t.Errorf("without its key: %+v, %v", d.Factor, err)
	}
	change(add)
	secretOf()
}
