package appliance

import (
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/dmpool/dmpool/pool/sqlite"
)

// tokensOf lists what scripts of an operator can show, "read display" and "login ".
func (a *Appliance) tokensOf(t *testing.T, op Operator) []string {
	t.Helper()
	rows, err := a.db.Reader().QueryContext(t.Context(), `SELECT kind || ' ' || name FROM api_token WHERE operator = ? ORDER BY kind, name`, op.ID)
	if err != nil {
		t.Fatal(err)
	}
	all, err := sqlite.Collect(rows, func(r *sql.Rows) (s string, err error) { return s, r.Scan(&s) })
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// ASVS 7.4.3: another password or second factor ends what scripts got by signing in,
// and the tokens that may look if the operator wants that; whoever sets it at the
// terminal, or removes the operator, ends all of it.
func TestTokensEnd(t *testing.T) {
	ctx := t.Context()
	const stay, gone = "stay", "gone"
	for name, tc := range map[string]struct {
		tokens string
		by     string
		change func(a *Appliance, dir string, anna Operator, p phone) error
	}{
		"password": {stay, "", func(a *Appliance, _ string, anna Operator, _ phone) error {
			_, err := a.ChangePassword(ctx, anna, nextPassword, KeepTokens, "::1")
			return err
		}},
		"password and tokens": {gone, "anna", func(a *Appliance, _ string, anna Operator, _ phone) error {
			_, err := a.ChangePassword(ctx, anna, nextPassword, RevokeTokens, "::1")
			return err
		}},
		"factor off": {stay, "", func(a *Appliance, _ string, anna Operator, p phone) error {
			_, err := a.RemoveFactor(ctx, anna, p.code(0), KeepTokens, "::1")
			return err
		}},
		"factor off and tokens": {gone, "anna", func(a *Appliance, _ string, anna Operator, p phone) error {
			_, err := a.RemoveFactor(ctx, anna, p.code(0), RevokeTokens, "::1")
			return err
		}},
		"terminal": {gone, "terminal", func(_ *Appliance, dir string, _ Operator, _ phone) error {
			_, _, err := SetPassword(ctx, dir, "anna", nextPassword)
			return err
		}},
		"factor by hand": {gone, "terminal", func(_ *Appliance, dir string, _ Operator, _ phone) error {
			_, _, err := ResetFactor(ctx, dir, "anna")
			return err
		}},
		"anna is removed": {gone, "", func(a *Appliance, _ string, anna Operator, _ phone) error {
			return a.RemoveOperator(ctx, anna, "bert", "::1")
		}},
	} {
		t.Run(name, func(t *testing.T) {
			a, dir, anna, p, _ := factored(t)
			if err := a.AddOperator(ctx, "bert", "Another horse 7", "anna", "::1"); err != nil {
				t.Fatal(err)
			}
			bert := a.person(t, "bert").Operator
			for _, op := range []Operator{anna, bert} {
				for _, kind := range []string{"'login', ''", "'read', 'display'", "'read', 'sheet'"} {
					a.behind(t, fmt.Sprintf(`INSERT INTO api_token (operator, kind, name, hash, created_at, ip) VALUES (%d, %s, randomblob(32), 0, '')`, op.ID, kind))
				}
			}
			if err := tc.change(a, dir, anna, p); err != nil {
				t.Fatal(err)
			}
			want := []string{"read display", "read sheet"}
			if tc.tokens == gone {
				want = nil
			}
			if got := a.tokensOf(t, anna); !slices.Equal(got, want) {
				t.Errorf("anna has %q, want %q", got, want)
			}
			if got := a.tokensOf(t, bert); len(got) < 2 {
				t.Errorf("bert has %q only", got)
			}
			entries, err := a.FindAudit(ctx, AuditFilter{Action: "token.revoke", Limit: 10})
			if err != nil {
				t.Fatal(err)
			}
			var told []string
			for _, e := range entries {
				if e.Actor != tc.by || !e.Fine() {
					t.Errorf("entry %+v", e)
				}
				told = append(told, e.Object)
			}
			if slices.Sort(told); tc.by == "" && told != nil || tc.by != "" && !slices.Equal(told, []string{"display", "sheet"}) {
				t.Errorf("the log tells of %q", told)
			}
		})
	}
}

// Both of two changes of one second factor at once end well, or with a sentence.
func TestFactorChangesMeanwhile(t *testing.T) {
	ctx := t.Context()
	a, _, anna, p, _ := factored(t)
	outcomes := make(chan error, 2)
	go func() { _, err := a.RemoveFactor(ctx, anna, p.code(0), KeepTokens, "::1"); outcomes <- err }()
	go func() { _, err := a.RenewCodes(ctx, anna, p.code(1), "::1"); outcomes <- err }()
	for range 2 {
		err := <-outcomes
		var person *PersonError
		if err != nil && !errors.As(err, &person) && !errors.Is(err, ErrLogin) {
			t.Error(err)
		}
	}
}
