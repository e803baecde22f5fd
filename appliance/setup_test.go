package appliance

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dmpool/dmpool/pool/payout"
	"github.com/dmpool/dmpool/pool/sqlite"
)

const goodPassword = "Correct horse 7"

func parse(t *testing.T, text string) Answers {
	t.Helper()
	a, err := ParseAnswers(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestParseAnswersRefusesWhatItDoesNotKnow(t *testing.T) {
	for _, text := range []string{
		`{"operator":{"user":"admin","passwort":"x"}}`,
		`{"pool":{"donation":10000}}`,
		`{"network":"practice"} {"network":"main"}`,
		`{"network":`,
		``,
	} {
		if a, err := ParseAnswers(strings.NewReader(text)); err == nil {
			t.Errorf("ParseAnswers(%s) = %+v, want an error", text, a)
		}
	}
}

func TestSetUpOnceAndForAll(t *testing.T) {
	ctx := t.Context()
	dir := filepath.Join(t.TempDir(), "box")
	answers := parse(t, `{"network":"practice","operator":{"user":"anna","password":"`+goodPassword+`"},
		"pool":{"name":"Barn","settlement":"direct","fee_bps":150,"min_payout_sat":250000,"min_output_sat":20000,"small_port":3334},"time_zone":"Europe/Berlin","language":"en"}`)
	if err := SetUp(ctx, dir, answers); err != nil {
		t.Fatal(err)
	}
	if err := SetUp(ctx, dir, answers); !errors.Is(err, ErrSetUp) {
		t.Fatalf("second set-up: %v, want %v", err, ErrSetUp)
	}

	a := open(t, dir)
	if !a.SetUp(ctx) {
		t.Error("the box does not know that it is set up")
	}
	settings := a.Settings()
	if ok, err := a.readSetting(ctx, settingPool, &settings); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if settings.Name != "Barn" || settings.FeeBps != 150 || settings.MinPayoutSat != 250_000 || settings.Settlement != "direct" || settings.MinOutputSat != 20_000 || settings.WindowMilli != 2000 || settings.SmallPort != 3334 {
		t.Errorf("settings %+v", settings)
	}
	passphrase, err := os.ReadFile(a.dir.passphrase("practice"))
	if err != nil || len(strings.TrimSpace(string(passphrase))) < 20 {
		t.Errorf("a passphrase of its own: %d characters, %v", len(passphrase), err)
	}
	if info, err := os.Stat(a.dir.passphrase("practice")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("passphrase file: %v, %v", info.Mode(), err)
	}
	log, err := a.AuditLog(ctx, 10)
	if err != nil || len(log) != 1 || log[0].Action != "setup" || log[0].Actor != "anna" {
		t.Errorf("audit log %+v, %v", log, err)
	}
}

// A crash must not leave an operator in a directory whose network is not known:
// the next start would take another network and ask for a set-up again.
func TestSetUpNamesTheNetworkFirst(t *testing.T) {
	d := dataDir{filepath.Join(t.TempDir(), "box")}
	answers := parse(t, `{"network":"regtest","operator":{"password":"`+goodPassword+`"}}`)
	if err := SetUp(t.Context(), d.root, answers); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(d.networkFile()); err != nil {
		t.Fatal(err)
	}
	if err := SetUp(t.Context(), d.root, answers); !errors.Is(err, ErrSetUp) {
		t.Errorf("second set-up: %v, want %v", err, ErrSetUp)
	}
	if network, err := d.network(); err != nil || network != "regtest" {
		t.Errorf("network %q, %v, want regtest", network, err)
	}
}

func TestSetUpRefusals(t *testing.T) {
	tests := []struct{ name, answers, want string }{
		{"no password", `{}`, "operator.password has 0 characters"},
		{"short password", `{"operator":{"password":"Short 1"}}`, "give it 12 to 128"},
		{"password without upper case", `{"operator":{"password":"correct horse 7"}}`, "upper-case"},
		{"password without special character", `{"operator":{"password":"CorrectHorse7"}}`, "special"},
		{"user name in the password", `{"operator":{"user":"anna","password":"Anna likes horses"}}`, "contains the user name"},
		{"mainnet", `{"network":"main","operator":{"password":"` + goodPassword + `"}}`, "wallet.passphrase is needed, since the box is not to keep it"},
		{"everything donated", `{"operator":{"password":"` + goodPassword + `"},"pool":{"fee_bps":10000}}`, "fee"},
		{"unknown settlement", `{"operator":{"password":"` + goodPassword + `"},"pool":{"settlement":"pps"}}`, "not known"},
		{"dust in the coinbase", `{"operator":{"password":"` + goodPassword + `"},"pool":{"settlement":"direct","min_output_sat":1}}`, "smallest output"},
		{"time zone", `{"operator":{"password":"` + goodPassword + `"},"time_zone":"Mars/Base"}`, "time zone"},
		{"prune", `{"operator":{"password":"` + goodPassword + `"},"node":{"prune_mib":5}}`, "node.prune_mib"},
		{"asking without a passphrase", `{"operator":{"password":"` + goodPassword + `"},"wallet":{"unlock":"ask"}}`, "wallet.passphrase is needed"},
		{"blanks around the passphrase", `{"operator":{"password":"` + goodPassword + `"},"wallet":{"passphrase":"open sesame "}}`, "wallet.passphrase begins or ends with a blank"},
		{"blank passphrase", `{"operator":{"password":"` + goodPassword + `"},"wallet":{"passphrase":" "}}`, "wallet.passphrase begins or ends with a blank"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "box")
			err := SetUp(t.Context(), dir, parse(t, test.answers))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one with %q", err, test.want)
			}
			if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("a refused set-up left something behind: %v", err)
			}
		})
	}
}

func TestPassphraseOfAnEarlierSetUpIsKept(t *testing.T) {
	dir := t.TempDir()
	d := dataDir{dir}
	if err := d.prepare("practice"); err != nil {
		t.Fatal(err)
	}
	if err := keepPassphrase(d, "practice", WalletAnswer{Passphrase: "first"}); err != nil {
		t.Fatal(err)
	}
	if err := keepPassphrase(d, "practice", WalletAnswer{}); err != nil {
		t.Errorf("no answer: %v", err)
	}
	if err := keepPassphrase(d, "practice", WalletAnswer{Passphrase: "second"}); err == nil {
		t.Error("another passphrase replaced one that may open a wallet")
	}
	k := &keyring{file: d.passphrase("practice"), unlock: unlockAsk}
	if got, err := k.Passphrase(t.Context()); err != nil || got != "first" {
		t.Errorf("passphrase %q, %v", got, err)
	}
}

// bitcoind makes a wallet without encryption when its passphrase is empty.
func TestEmptyPassphraseFileIsNoPassphrase(t *testing.T) {
	file := filepath.Join(t.TempDir(), "passphrase")
	if err := os.WriteFile(file, []byte(" \n"), 0o600); err != nil {
		t.Fatal(err)
	}
	k := &keyring{file: file, unlock: unlockAuto}
	if got, err := k.Passphrase(t.Context()); err == nil {
		t.Errorf("passphrase %q, want an error", got)
	}
}

func TestPassphraseIsAskedForAfterARestart(t *testing.T) {
	ctx := context.Background()
	d := dataDir{t.TempDir()}
	if err := d.prepare("practice"); err != nil {
		t.Fatal(err)
	}
	if err := keepPassphrase(d, "practice", WalletAnswer{Passphrase: "typed once"}); err != nil {
		t.Fatal(err)
	}
	k := &keyring{file: d.passphrase("practice"), unlock: unlockAsk}
	if _, err := k.Passphrase(ctx); err != nil {
		t.Fatal(err)
	}
	if err := k.forgetFile(); err != nil {
		t.Fatal(err)
	}
	if got, err := k.Passphrase(ctx); err != nil || got != "typed once" {
		t.Errorf("before the restart: %q, %v", got, err)
	}
	restarted := &keyring{file: d.passphrase("practice"), unlock: unlockAsk}
	if _, err := restarted.Passphrase(ctx); !errors.Is(err, payout.ErrLocked) {
		t.Errorf("after the restart: %v, want %v", err, payout.ErrLocked)
	}
	restarted.remember("typed again")
	if got, err := restarted.Passphrase(ctx); err != nil || got != "typed again" {
		t.Errorf("after typing: %q, %v", got, err)
	}

	t.Setenv("CREDENTIALS_DIRECTORY", t.TempDir())
	if err := os.WriteFile(credentialFile(), []byte("from the service\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	service := &keyring{file: d.passphrase("practice"), unlock: unlockAuto}
	if got, err := service.Passphrase(ctx); err != nil || got != "from the service" {
		t.Errorf("with a credential: %q, %v", got, err)
	}
}

// open opens a box that does not run.
func open(t *testing.T, dir string) *Appliance {
	t.Helper()
	a, err := New(t.Context(), Config{DataDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	return a
}

func TestDataDirectory(t *testing.T) {
	ctx := t.Context()
	t.Run("one daemon at a time", func(t *testing.T) {
		dir := t.TempDir()
		open(t, dir)
		if _, err := New(ctx, Config{DataDir: dir}); err == nil || !strings.Contains(err.Error(), "is in use by the dmpool with process id") {
			t.Errorf("error %v", err)
		}
	})
	t.Run("keeps its network", func(t *testing.T) {
		dir := t.TempDir()
		a, err := New(ctx, Config{DataDir: dir, Network: "regtest"})
		if err != nil {
			t.Fatal(err)
		}
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
		if a := open(t, dir); a.Network() != "regtest" {
			t.Errorf("network %q", a.Network())
		}
	})
	t.Run("made by a newer version", func(t *testing.T) {
		dir := t.TempDir()
		a, err := New(ctx, Config{DataDir: dir})
		if err != nil {
			t.Fatal(err)
		}
		file := a.dir.ledger("practice")
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
		setVersion(t, file, 9999)
		before, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		_, err = New(ctx, Config{DataDir: dir})
		var newer *sqlite.NewerError
		if !errors.As(err, &newer) {
			t.Errorf("error %v, want a NewerError", err)
		}
		after, err := os.ReadFile(file)
		if err != nil || string(before) != string(after) {
			t.Errorf("the file was touched, %v", err)
		}
	})
	t.Run("not writable", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := New(ctx, Config{DataDir: filepath.Join(file, "box")})
		if err == nil || !strings.Contains(err.Error(), "--data-dir") {
			t.Errorf("error %v, want a sentence with the next step", err)
		}
	})
}
