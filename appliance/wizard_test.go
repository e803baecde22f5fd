package appliance

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dmpool/dmpool/pool"
)

func openWizard(t *testing.T, dir string) *Wizard {
	t.Helper()
	w, err := NewWizard(t.Context(), Config{DataDir: dir, Logger: slog.New(slog.DiscardHandler)}, "http://192.168.1.50:8080")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

func claimCode(t *testing.T, dir string) ClaimCode {
	t.Helper()
	c, err := ReadClaimCode(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// ptr is the address of a value, for answers that may be missing.
func ptr[T any](v T) *T { return &v }

// wizardAnswers are good ones, by their step.
func wizardAnswers() map[string]Answers {
	return map[string]Answers{
		StepWelcome:  {Language: "zh-Hans"},
		StepOperator: {Operator: OperatorAnswer{User: "anna", Password: goodPassword}},
		StepNetwork:  {Network: "regtest"},
		StepRules:    {Pool: PoolAnswer{Settlement: ptr("ledger"), FeeBps: ptr(int64(100)), WindowMilli: ptr(int64(2000)), MinPayoutSat: ptr(int64(50_000))}},
		StepWallet:   {Wallet: WalletAnswer{Unlock: unlockAsk, Passphrase: "correct horse battery", Words: true}},
		StepAccess:   {Pool: PoolAnswer{Name: ptr("Barn"), AdminFrom: ptr(pool.FromAnywhere), ObserverPages: ptr(false)}, TimeZone: "Asia/Shanghai"},
	}
}

func answerAll(t *testing.T, w *Wizard) {
	t.Helper()
	for _, step := range WizardSteps() {
		if err := w.Answer(t.Context(), step, wizardAnswers()[step]); err != nil {
			t.Fatalf("%s: %v", step, err)
		}
	}
}

// The box stops after each answer, and at the end, and the set-up goes on where it
// was. What comes of it is what was answered.
func TestWizardOverRestarts(t *testing.T) {
	ctx, dir := t.Context(), filepath.Join(t.TempDir(), "box")
	w := openWizard(t, dir)
	code := claimCode(t, dir)
	secret, err := w.Claim(ctx, strings.ToLower(code.Code[:5])+" "+code.Code[6:], "192.168.1.9")
	if err != nil {
		t.Fatal(err)
	}
	for i, step := range WizardSteps() {
		if d, err := w.Draft(ctx); err != nil || d.Next() != step || len(d.Done) != i {
			t.Fatalf("before %s: next is %q, done %v, %v", step, d.Next(), d.Done, err)
		}
		if err := w.Answer(ctx, step, wizardAnswers()[step]); err != nil {
			t.Fatalf("%s: %v", step, err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		w = openWizard(t, dir)
		if holds, err := w.Holds(ctx, secret); err != nil || !holds {
			t.Fatalf("after a restart the browser holds the set-up no more: %v", err)
		}
		if again := claimCode(t, dir); again != code {
			t.Errorf("the restart made another code: %v", again)
		}
	}
	d, err := w.Draft(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if d.Operator.Password+d.Operator.PasswordHash+d.Wallet.Passphrase != "" || !d.HasPassword || !d.HasPassphrase {
		t.Errorf("the draft shows secrets, or does not know of them: %+v", d)
	}
	// It was ordered, and the power went out before anything was done.
	if err := w.note(ctx, stepFinish, "begun", Answers{}, ""); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	w = openWizard(t, dir)
	if err := w.Await(ctx); err != nil {
		t.Fatal(err)
	}
	a, err := w.Open(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	if a.Network() != "regtest" || !a.SetUp(ctx) {
		t.Errorf("network %s, set up %t", a.Network(), a.SetUp(ctx))
	}
	if op, _, err := a.Login(ctx, "anna", goodPassword, "192.168.1.9"); err != nil || op.Name != "anna" {
		t.Errorf("login: %v, %v", op, err)
	}
	settings, _, err := a.StoredSettings(ctx)
	if err != nil || settings.Name != "Barn" || settings.FeeBps != 100 || settings.MinPayoutSat != 50_000 || settings.TimeZone != "Asia/Shanghai" ||
		settings.AdminFrom != pool.FromAnywhere || settings.ObserverPages {
		t.Errorf("settings %+v, %v", settings, err)
	}
	var wallet walletSettings
	if _, err := a.readSetting(ctx, settingWallet, &wallet); err != nil || !wallet.Words || wallet.Unlock != unlockAsk {
		t.Errorf("wallet %+v, %v", wallet, err)
	}
	var display displaySettings
	if _, err := a.readSetting(ctx, settingDisplay, &display); err != nil || display != (displaySettings{"zh-Hans"}) {
		t.Errorf("display %+v, %v", display, err)
	}
	left, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range left {
		if base := filepath.Base(file); strings.HasPrefix(base, "setup") || base == "claim-code" {
			t.Errorf("%s is left of the set-up", base)
		}
	}
}

func TestWizardRefusals(t *testing.T) {
	for _, test := range []struct {
		name, step string
		piece      Answers
		want       string
	}{
		{"operator of the books", StepOperator, Answers{Operator: OperatorAnswer{User: "chain", Password: goodPassword}}, "stands for a part of the program"},
		{"short password", StepOperator, Answers{Operator: OperatorAnswer{User: "anna", Password: "Short 1"}}, "12 to 128"},
		{"no password", StepOperator, Answers{Operator: OperatorAnswer{User: "anna"}}, "12 to 128"},
		{"a hash of somebody's own", StepOperator, Answers{Operator: OperatorAnswer{User: "anna", Password: "x", PasswordHash: "y"}}, "12 to 128"},
		{"network", StepNetwork, Answers{Network: "liquid"}, "not known"},
		{"prune", StepNode, Answers{Node: nodeSettings{PruneMiB: ptr(5)}}, "less than 550"},
		{"node without address", StepNode, Answers{Node: nodeSettings{External: ExternalNode{User: "x"}}}, "address of the node"},
		{"node without login", StepNode, Answers{Node: nodeSettings{External: ExternalNode{URL: "http://127.0.0.1:1"}}}, "needs a login"},
		{"node with two logins", StepNode, Answers{Node: nodeSettings{External: ExternalNode{URL: "http://127.0.0.1:1", User: "x", CookieFile: "y"}}}, "one login"},
		{"node's password in its address", StepNode, Answers{Node: nodeSettings{External: ExternalNode{URL: "http://a:b@127.0.0.1:1", User: "x"}}}, "field of its own"},
		{"node that is a file", StepNode, Answers{Node: nodeSettings{External: ExternalNode{URL: "file:///etc/passwd", User: "x"}}}, "address of the node"},
		{"node that is away", StepNode, Answers{Node: nodeSettings{External: ExternalNode{URL: "http://127.0.0.1:1", User: "x", Password: "y"}}}, "does not answer"},
		{"everything for the pool", StepRules, Answers{Pool: PoolAnswer{FeeBps: ptr(int64(10_000))}}, "fee"},
		{"settlement", StepRules, Answers{Pool: PoolAnswer{Settlement: ptr("pps")}}, "not known"},
		{"who keeps the passphrase", StepWallet, Answers{}, "choose who keeps"},
		{"short passphrase", StepWallet, Answers{Wallet: WalletAnswer{Unlock: unlockAsk, Passphrase: "short"}}, "too short"},
		{"passphrase with a blank", StepWallet, Answers{Wallet: WalletAnswer{Unlock: unlockAsk, Passphrase: "long enough here "}}, "begins or ends"},
		{"pool without a name", StepAccess, Answers{Pool: PoolAnswer{Name: ptr(" ")}, TimeZone: "UTC"}, "needs a name"},
		{"where operators come from", StepAccess, Answers{Pool: PoolAnswer{Name: ptr("x"), AdminFrom: ptr("mars")}, TimeZone: "UTC"}, "cannot come from"},
		{"time zone", StepAccess, Answers{Pool: PoolAnswer{Name: ptr("x")}, TimeZone: "Mars/Base"}, "not known"},
		{"no time zone", StepAccess, Answers{Pool: PoolAnswer{Name: ptr("x")}}, "not known"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := openWizard(t, t.TempDir())
			err := w.Answer(t.Context(), test.step, test.piece)
			if _, ok := errors.AsType[*PersonError](err); !ok || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one with %q", err, test.want)
			}
			if d, err := w.Draft(t.Context()); err != nil || len(d.Done) > 0 {
				t.Errorf("something was kept: %+v, %v", d, err)
			}
		})
	}
}

// Nothing is made before all questions have an answer.
func TestWizardDoesNotSkip(t *testing.T) {
	w := openWizard(t, t.TempDir())
	if err := w.Answer(t.Context(), StepAccess, wizardAnswers()[StepAccess]); err != nil {
		t.Fatal(err)
	}
	if err := w.Finish(t.Context()); err == nil || !strings.Contains(err.Error(), "questions left") {
		t.Errorf("Finish() = %v", err)
	}
	if needed, err := NeedsSetUp(t.Context(), w.dir.root, ""); err != nil || !needed {
		t.Errorf("needed %t, %v", needed, err)
	}
}

// Another network makes the answers about node and wallet void; the same one again
// does not.
func TestWizardChangesItsNetwork(t *testing.T) {
	w := openWizard(t, t.TempDir())
	answerAll(t, w)
	for _, test := range []struct {
		network string
		next    string
	}{{"regtest", ""}, {"practice", StepNode}} {
		if err := w.Answer(t.Context(), StepNetwork, Answers{Network: test.network}); err != nil {
			t.Fatal(err)
		}
		if d, err := w.Draft(t.Context()); err != nil || d.Next() != test.next || d.Network != test.network {
			t.Errorf("%s: next is %q, network %s, %v", test.network, d.Next(), d.Network, err)
		}
	}
}

// Solo work without a fee has no wallet to ask about, and needs no passphrase.
func TestWizardWithoutWallet(t *testing.T) {
	ctx, dir := t.Context(), t.TempDir()
	w := openWizard(t, dir)
	answers := wizardAnswers()
	answers[StepRules] = Answers{Pool: PoolAnswer{Settlement: ptr("solo"), FeeBps: ptr(int64(0))}}
	for _, step := range slices.DeleteFunc(WizardSteps(), func(s string) bool { return s == StepWallet }) {
		if err := w.Answer(ctx, step, answers[step]); err != nil {
			t.Fatalf("%s: %v", step, err)
		}
	}
	d, err := w.Draft(ctx)
	if err != nil || d.Next() != "" || slices.Contains(d.Steps(), StepWallet) {
		t.Fatalf("next is %q of %v, %v", d.Next(), d.Steps(), err)
	}
	if err := w.Finish(ctx); err != nil {
		t.Error(err)
	}
}

// A secret that is typed once need not be typed again, and never comes back.
func TestWizardKeepsSecrets(t *testing.T) {
	ctx := t.Context()
	w := openWizard(t, t.TempDir())
	answerAll(t, w)
	before, err := w.read(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Answer(ctx, StepOperator, Answers{Operator: OperatorAnswer{User: "bert"}}); err != nil {
		t.Fatal(err)
	}
	if err := w.Answer(ctx, StepWallet, Answers{Wallet: WalletAnswer{Unlock: unlockAsk}}); err != nil {
		t.Fatal(err)
	}
	after, err := w.read(ctx)
	if err != nil || after.Operator.User != "bert" || after.Operator.PasswordHash != before.Operator.PasswordHash || after.Wallet.Passphrase != before.Wallet.Passphrase {
		t.Errorf("kept %v and %v, %v", after.Operator.PasswordHash == before.Operator.PasswordHash, after.Wallet.Passphrase == before.Wallet.Passphrase, err)
	}
	raw, err := os.ReadFile(w.dir.wizard() + "-wal")
	if err != nil || strings.Contains(string(raw), goodPassword) || strings.Contains(string(raw), before.Wallet.Passphrase) {
		t.Errorf("the password itself, or the passphrase, is on the disk, %v", err)
	}
	if info, err := os.Stat(w.dir.wizardKey()); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("setup.key: %v, %v", info, err)
	}
	if info, err := os.Stat(w.dir.wizard()); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("setup.db: %v, %v", info.Mode(), err)
	}
	// The box's own passphrase takes the place of a typed one.
	if err := w.Answer(ctx, StepWallet, Answers{Wallet: WalletAnswer{Unlock: unlockAuto, Passphrase: "left in the field"}}); err != nil {
		t.Fatal(err)
	}
	if d, err := w.read(ctx); err != nil || d.Wallet.Passphrase != "" {
		t.Errorf("a passphrase was kept for nothing, %v", err)
	}
}

// Without its key the passphrase has to be typed again, and nothing else has.
func TestWizardWithoutItsKey(t *testing.T) {
	w := openWizard(t, t.TempDir())
	answerAll(t, w)
	if err := os.Remove(w.dir.wizardKey()); err != nil {
		t.Fatal(err)
	}
	d, err := w.Draft(t.Context())
	if err != nil || d.Next() != StepWallet || d.HasPassphrase || d.Operator.User == "" {
		t.Errorf("next is %q, %+v, %v", d.Next(), d, err)
	}
	if err := w.Finish(t.Context()); err == nil {
		t.Error("set up without the passphrase")
	}
}

// The set-up from a file and the one of the pages cannot both win, whatever their
// networks.
func TestTwoSetUpsAtATime(t *testing.T) {
	for range 5 {
		ctx, dir := t.Context(), t.TempDir()
		w := openWizard(t, dir)
		answerAll(t, w)
		var won sync.WaitGroup
		results := make([]error, 4)
		won.Go(func() { results[0] = w.Finish(ctx) })
		for i, network := range []string{"practice", "regtest", "signet"} {
			won.Go(func() {
				results[i+1] = SetUp(ctx, dir, Answers{
					Network: network, Operator: OperatorAnswer{User: fmt.Sprint("other", i), Password: goodPassword},
					Wallet: WalletAnswer{Unlock: unlockAuto},
				})
			})
		}
		won.Wait()
		operators := 0
		for _, network := range []string{"practice", "regtest", "signet"} {
			if used, err := w.dir.isSetUp(ctx, network); err != nil {
				t.Fatal(err)
			} else if used {
				operators++
			}
		}
		if operators != 1 {
			t.Fatalf("%d networks have an operator; results %v", operators, results)
		}
	}
}

// A set-up from a file ends the wizard, also on a network of its own.
func TestSetUpFromAFileEndsTheWizard(t *testing.T) {
	ctx, dir := t.Context(), t.TempDir()
	w := openWizard(t, dir)
	ended := make(chan error, 1)
	go func() { ended <- w.Await(ctx) }()
	if err := SetUp(ctx, dir, Answers{Network: "regtest", Operator: OperatorAnswer{Password: goodPassword}}); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	a, err := w.Open(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Close(); err != nil {
		t.Error(err)
	}
	if a.Network() != "regtest" {
		t.Errorf("network %s", a.Network())
	}
}

// Answers that do not do any more are told, and can be changed.
func TestWizardTellsWhyItFailed(t *testing.T) {
	ctx := t.Context()
	w := openWizard(t, t.TempDir())
	answerAll(t, w)
	file := w.dir.passphrase("regtest")
	if err := os.WriteFile(file, []byte("of another set-up\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := w.Finish(ctx); err == nil {
		t.Fatal("the passphrase of an earlier set-up was replaced")
	}
	if d, err := w.Draft(ctx); err != nil || !strings.Contains(d.Failed, "earlier set-up") {
		t.Errorf("failed %q, %v", d.Failed, err)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if err := w.Finish(ctx); err != nil {
		t.Errorf("second try: %v", err)
	}
}

func TestAwaitEndsWithItsContext(t *testing.T) {
	w := openWizard(t, t.TempDir())
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := w.Await(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Await() = %v", err)
	}
}
