package appliance

import (
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/dmpool/dmpool/pool/ledger"
	"github.com/dmpool/dmpool/pool/payout"
	"github.com/dmpool/dmpool/pool/sqlite"
)

// books is all that ledger.db holds, as text, but for the codes that are used up.
func (a *Appliance) books(t *testing.T) string {
	t.Helper()
	read := func(query string, columns int) []string {
		rows, err := a.db.Reader().QueryContext(t.Context(), query)
		if err != nil {
			t.Fatal(err)
		}
		if columns == 0 {
			names, err := rows.Columns()
			if err != nil {
				t.Fatal(err)
			}
			columns = len(names)
		}
		lines, err := sqlite.Collect(rows, func(r *sql.Rows) (string, error) {
			values := make([]any, columns)
			for i := range values {
				values[i] = new(any)
			}
			err := r.Scan(values...)
			for i, v := range values {
				values[i] = *v.(*any)
			}
			return fmt.Sprint(values...), err
		})
		if err != nil {
			t.Fatal(err)
		}
		return lines
	}
	var all strings.Builder
	for _, table := range read(`SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT IN ('second_factor', 'recovery_code') ORDER BY name`, 1) {
		fmt.Fprintln(&all, table, read(`SELECT * FROM `+table, 0))
	}
	fmt.Fprintln(&all, read(`SELECT operator, sealed, confirmed_at FROM second_factor`, 0), read(`SELECT operator, hash FROM recovery_code`, 0))
	return all.String()
}

// While the audit log cannot be written, nothing that it is to tell of is done.
func TestNothingIsDoneUnwritten(t *testing.T) {
	ctx := t.Context()
	a, _, anna, p, _ := factored(t)
	if err := a.AddOperator(ctx, "bert", "Another horse 7", "anna", "::1"); err != nil {
		t.Fatal(err)
	}
	bert := a.person(t, "bert").Operator
	secret, err := a.ProposeFactor(ctx, bert)
	if err != nil {
		t.Fatal(err)
	}
	const miner = minerAddress
	token, err := a.LinkObserver(ctx, miner, "anna", "::1")
	if err != nil {
		t.Fatal(err)
	}
	links, err := a.ObserverLinks(ctx, miner)
	if err != nil || len(links) != 1 {
		t.Fatalf("links %+v, %v", links, err)
	}
	mark := Mark{Address: miner, Worker: "rig"}
	banned := Ban{Banned: Banned{Address: miner}, Reason: "a test", Actor: "anna"}
	if err := a.Ban(ctx, banned, "::1"); err != nil {
		t.Fatal(err)
	}
	settings, rev, err := a.StoredSettings(ctx)
	if err != nil {
		t.Fatal(err)
	}
	settings.FeeBps = 77

	a.behind(t, `CREATE TRIGGER audit_full BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END`)
	before := a.books(t)
	for name, do := range map[string]func() error{
		"settings": func() error {
			return a.ChangeSettings(ctx, SettingsChange{Rev: rev, Settings: settings, Actor: "anna"})
		},
		"add":      func() error { return a.AddOperator(ctx, "carl", "Another horse 8", "anna", "::1") },
		"remove":   func() error { return a.RemoveOperator(ctx, bert, "anna", "::1") },
		"password": func() error { _, err := a.ChangePassword(ctx, anna, "Another horse 9", KeepTokens, "::1"); return err },
		"confirm": func() error {
			_, _, err := a.ConfirmFactor(ctx, bert, newPhone(t, secret).code(0), KeepTokens, "::1")
			return err
		},
		"codes": func() error { a.fresh(t); _, err := a.RenewCodes(ctx, anna, p.code(0), "::1"); return err },
		"remove factor": func() error {
			a.fresh(t)
			_, err := a.RemoveFactor(ctx, anna, p.code(0), KeepTokens, "::1")
			return err
		},
		"login": func() error { a.fresh(t); return a.LoginCode(ctx, anna, p.code(0), "::1") },
		"ban": func() error {
			return a.Ban(ctx, Ban{Banned: Banned{Address: miner, Worker: "rig"}, Reason: "x", Actor: "anna"}, "::1")
		},
		"lift ban":     func() error { return a.LiftBan(ctx, banned.Banned, "anna", "::1") },
		"mark":         func() error { mark.Label = "garage"; return a.SetMark(ctx, mark, "anna", "::1") },
		"link":         func() error { _, err := a.LinkObserver(ctx, miner, "anna", "::1"); return err },
		"unlink":       func() error { return a.UnlinkObserver(ctx, miner, links[0].ID, "anna", "::1") },
		"wallet limit": func() error { return a.SetWalletLimit(ctx, LimitChange{Sats: 5, Actor: "anna"}) },
		"a deed": func() error {
			return a.ledger.Update(ctx, func(tx *ledger.Tx) error {
				if err := writeSetting(ctx, tx.Tx, "deed", 1, time.Now()); err != nil {
					return err
				}
				return recordDeed(ctx, tx, payout.Deed{Action: "payout.approve", Object: "pay:7", Actor: "anna"})
			})
		},
	} {
		if err := do(); !errors.Is(err, ErrUnwritten) {
			t.Errorf("%s: %v, want ErrUnwritten", name, err)
		}
		if after := a.books(t); after != before {
			t.Errorf("%s: was done\n%s\n%s", name, before, after)
		}
	}
	if a.Settings().FeeBps == 77 {
		t.Error("settings are in force that are not stored")
	}
	if _, err := a.ObserverOf(ctx, token); err != nil {
		t.Error(err)
	}
}

// What is decided about a payout is an entry with everything that the journal says,
// and the session.
func TestDeedsAreAudited(t *testing.T) {
	a := setUpBox(t)
	ctx := InSession(t.Context(), "a1b2c3")
	deed := payout.Deed{Action: "payout.bump", Object: "pay:7", Actor: "anna", IP: "192.0.2.1", Detail: map[string]string{"fee": "5"}}
	if err := a.ledger.Update(ctx, func(tx *ledger.Tx) error { return recordDeed(ctx, tx, deed) }); err != nil {
		t.Fatal(err)
	}
	e := lastAudit(t, a)
	if e.Action != deed.Action || e.Object != deed.Object || e.Actor != deed.Actor || e.IP != deed.IP || e.Result != "ok" || e.Detail["fee"] != "5" || e.Detail[DetailSession] != "a1b2c3" {
		t.Errorf("entry %+v", e)
	}
	if p, err := a.AuditProof(ctx, true); err != nil || p.Broken != 0 {
		t.Errorf("chain %+v, %v", p, err)
	}
}
