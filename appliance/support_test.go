package appliance

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/dmpool/dmpool/appliance/support"
	"github.com/dmpool/dmpool/pool"
)

// Of what is secret in the databases and files of a box nothing gets into a bundle,
// with or without a box that runs; what helps does.
func TestSupportHasNoSecrets(t *testing.T) {
	a, dir, anna := peopled(t)
	secrets := []string{"Planted-Secret-1", "planted.example.org", "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq", "203.0.113.9"}
	all := strings.Join(secrets, " ")
	value, err := json.Marshal(map[string]any{
		"fee_bps": 17, "name": all, "trusted_proxies": all, "explorer_url": all, "settlement": all, "not_known_yet": all,
	})
	if err != nil {
		t.Fatal(err)
	}
	err = a.db.Update(t.Context(), func(tx *sql.Tx) error {
		for query, args := range map[string][]any{
			`INSERT OR REPLACE INTO setting (key, value, updated_at) VALUES (?, ?, 0)`:                      {settingPool, string(value)},
			`INSERT OR REPLACE INTO setting (key, value, updated_at) VALUES ('planted', ?, 0)`:              {all},
			`INSERT INTO job_run (job, started_at, finished_at, ok, message) VALUES ('upkeep', 1, 2, 0, ?)`: {"It failed: " + all},
			`INSERT INTO ban (address, worker, network, reason, actor, at) VALUES (?1, '', '', ?1, ?1, 0)`:  {all},
			`UPDATE operator SET name = ? WHERE id = ?`:                                                     {"planted.example.org", anna.ID},
		} {
			if _, err := tx.ExecContext(t.Context(), query, args...); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"claim-code", "node-password", filepath.Join("practice", "passphrase")} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(all), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, fill := range map[string]func(b *support.Bundle) error{
		"running": func(b *support.Bundle) error { return a.Support(t.Context(), b) },
		"files":   func(b *support.Bundle) error { return SupportOf(t.Context(), dir, b) },
	} {
		b := support.New(false)
		if err := fill(b); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var text bytes.Buffer
		for _, f := range b.Files {
			text.WriteString(f.Name + "\n" + f.Text)
		}
		for _, secret := range append(secrets, "argon2", dir) {
			if strings.Contains(text.String(), secret) {
				t.Errorf("%s: %s is in it:\n%s", name, secret, text.String())
			}
		}
		for _, want := range []string{`"fee_bps": 17`, `"explorer_url"`, `"It failed: [left out]`, `"operator": 1`, `"version": `} {
			if !strings.Contains(text.String(), want) {
				t.Errorf("%s: no %s in\n%s", name, want, text.String())
			}
		}
	}
	if err := SupportOf(t.Context(), t.TempDir(), support.New(false)); err == nil {
		t.Error("a folder without a box has a bundle")
	}
}

// A setting that is added has to be thought of: it is told, or left out on purpose.
func TestSupportKnowsEverySetting(t *testing.T) {
	known := append([]string{"name", "trusted_proxies", "explorer_url"}, tellable()...)
	raw, err := json.Marshal(pool.DefaultSettings("main"))
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]any{}
	if err := json.Unmarshal(raw, &all); err != nil {
		t.Fatal(err)
	}
	for key := range all {
		if !slices.Contains(known, key) {
			t.Errorf("nobody has thought about whether %s may be told", key)
		}
	}
	for _, key := range tellable() {
		if _, ok := all[key]; !ok {
			t.Errorf("there is no setting %s", key)
		}
	}
}
