package ledger_test

import (
	"database/sql"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	_ "github.com/mattn/go-sqlite3" // driver of tamper

	"github.com/dmpool/dmpool/pool/ledger"
	"github.com/dmpool/dmpool/pool/sqlite"
)

// tamper copies a database, removes its triggers, runs a query on the copy and
// opens it again. That is what a wrong tool or a bad disk would leave.
func tamper(t *testing.T, db *sqlite.DB, query string) *ledger.Ledger {
	t.Helper()

	path := filepath.Join(directory(t), "copy.db")
	if err := db.Backup(t.Context(), path); err != nil {
		t.Fatal(err)
	}

	raw, err := sql.Open("sqlite3", path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = raw.Close() }()
	rows, err := raw.QueryContext(t.Context(), `SELECT name FROM sqlite_schema WHERE type = 'trigger'`)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	var drops []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		drops = append(drops, "DROP TRIGGER "+name+";")
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	if len(drops) < 20 {
		t.Fatalf("only %d triggers", len(drops))
	}
	result, err := raw.ExecContext(t.Context(), strings.Join(drops, "\n")+query)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := result.RowsAffected(); n == 0 || err != nil {
		t.Fatalf("%s met no row, %v", query, err)
	}
	if err := raw.Close(); err != nil {
		t.Fatal(err)
	}

	copied, err := sqlite.Open(t.Context(), path, ledger.Schema)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = copied.Close() })

	return ledger.New(copied)
}

// broken returns the names of the invariants in an error of Check, sorted.
func broken(err error) (names []string) {
	if err == nil {
		return nil
	}
	var joined interface{ Unwrap() []error }
	if !errors.As(err, &joined) {
		return []string{err.Error()}
	}
	for _, err := range joined.Unwrap() {
		name := err.Error()
		var defect *ledger.InvariantError
		if errors.As(err, &defect) {
			name = defect.Invariant
		}
		names = append(names, name)
	}
	slices.Sort(names)

	return names
}

// Each kind of damage is found, and named.
func TestCheck(t *testing.T) {
	l, db := open(t)
	observe(t, l, mine(t, l, 1), confirmed(1), confirmed(101))                                                    // events 1, 2
	observe(t, l, mine(t, l, 2), confirmed(1), ledger.Observation{Known: true, Confirmations: -1, Maturity: 101}) // events 3, 4
	mine(t, l, 3)                                                                                                 // no event
	if err := post(t, l, event("pay:1:reserve", ledger.KindReserve), reserve(102, 1000)); err != nil {            // event 5
		t.Fatal(err)
	}
	direct := directBlock(t, l, 4)
	if err := l.RecordFound(t.Context(), direct); err != nil {
		t.Fatal(err)
	}
	if err := l.FreezeCoinbase(t.Context(), direct.Hash, 4); err != nil {
		t.Fatal(err)
	}
	if err := l.Check(t.Context()); err != nil {
		t.Fatal(err)
	}

	tests := []struct {
		name, query string
		want        []string
	}{
		{"I9: a posting is worth more", `UPDATE posting SET amount = amount - 1 WHERE event = 5 AND bucket = 'reserved'`, []string{"I12", "I9", "chain"}},
		{"I9: a posting is gone", `DELETE FROM posting WHERE event = 5 AND bucket = 'reserved'`, []string{"I12", "I9", "chain"}},
		{"I9: a posting of no event", `INSERT INTO posting (event, account, bucket, amount) VALUES (9, 101, 'payable', 1)`, []string{"I9"}},
		{"I9: a posting of an event before the first", `INSERT INTO posting (event, account, bucket, amount) VALUES (0, 101, 'payable', 1)`, []string{"I9"}},
		{"I12: a balance is higher", `UPDATE balance SET amount = amount - 1 WHERE account = 101 AND bucket = 'payable'`, []string{"I12"}},
		{"I12: a balance is gone", `DELETE FROM balance WHERE account = 101 AND bucket = 'payable'`, []string{"I12"}},
		{"I12: a balance too many", `INSERT INTO balance (account, bucket, amount) VALUES (104, 'reserved', 5)`, []string{"I12"}},
		{"I12: the last event is gone", `DELETE FROM event_seal WHERE event = 5; DELETE FROM posting WHERE event = 5; DELETE FROM event WHERE id = 5`, []string{"I12"}},
		{"seal: a seal is gone", `DELETE FROM event_seal WHERE event = 3`, []string{"seal"}},
		{"chain: another actor", `UPDATE event SET actor = 'mallory' WHERE id = 5`, []string{"chain"}},
		{"chain: another predecessor", `UPDATE event SET prev_hash = zeroblob(32) WHERE id = 5`, []string{"chain"}},
		{"chain: another time", `UPDATE event SET at = at + 1 WHERE id = 1`, []string{"chain"}},
		{"chain: an event is gone", `DELETE FROM event_seal WHERE event = 1; DELETE FROM event WHERE id = 1`, []string{"I9", "I12", "block", "chain"}},
		{"chain: booked for another miner", `UPDATE posting SET account = 101 WHERE event = 5`, []string{"I12", "chain"}},
		{"reversal: one of something else", `UPDATE event SET reverses = 2 WHERE id = 4`, []string{"block", "chain", "reversal"}},
		{"I1: the fee is higher", `UPDATE block SET fee = fee + 1 WHERE id = 3`, []string{"I1", "I5"}},
		{"I1: a credit is gone", `DELETE FROM block_credit WHERE block = 3 AND account = 104`, []string{"I1", "I5"}},
		{"I5: a weight is higher", `UPDATE block_weight SET weight = '4/5' WHERE block = 1 AND account = 102`, []string{"I5"}},
		{"I5: a satoshi moved between miners", `UPDATE block_credit SET amount = amount + account * 2 - 205 WHERE block = 3 AND account IN (102, 103)`, []string{"I5"}},
		{"I5: other terms", `UPDATE block SET donation_bps = 60 WHERE id = 3`, []string{"I5"}},
		{"I5: impossible terms", `UPDATE block SET fee_bps = 9999 WHERE id = 3`, []string{"I5"}},
		{"block: a state without its booking", `UPDATE block SET state = 'stale' WHERE id = 1`, []string{"block"}},
		{"block: a booking without its events", `UPDATE block SET state = 'accepted', booked = 'pending' WHERE id = 2`, []string{"block"}},
		{"block: a reward that is not the split", `UPDATE block_credit SET amount = amount + account * 2 - 205 WHERE block = 1 AND account IN (102, 103)`, []string{"I5", "block"}},
		{"coinbase: a payment is gone", `DELETE FROM block_payment WHERE block = 4 AND account = 101`, []string{"coinbase"}},
		{"coinbase: a payment of a block that paid the pool", `INSERT INTO block_payment (block, account, amount) VALUES (3, 101, 1)`, []string{"coinbase"}},
		{"coinbase: another raw block", `UPDATE block SET raw = x'00' WHERE id = 4`, []string{"coinbase"}},
		{"coinbase: another pool", `UPDATE block SET pool_script = x'00' WHERE id = 4`, []string{"coinbase"}},
		{"block: an event of another flip", `UPDATE block SET flips = 1 WHERE id = 1`, []string{"block"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			slices.Sort(tt.want)
			if diff := cmp.Diff(tt.want, broken(tamper(t, db, tt.query).Check(t.Context()))); diff != "" {
				t.Errorf("broken invariants (-want +got):\n%s", diff)
			}
		})
	}

	// Coins that left the wallet without a payout break no rule of book-keeping, but miners are not covered.
	gone := []ledger.Posting{{Account: ledger.ExtCoinbase, Amount: 6_250_247}, {Account: ledger.WalletSpendable, Amount: -6_250_247}}
	if err := post(t, l, event("adj:1", ledger.KindAdjust), gone); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"I11"}, broken(l.Check(t.Context()))); diff != "" {
		t.Errorf("broken invariants (-want +got):\n%s", diff)
	}
}

// Chain fees that the pool bears without taking a fee are the operator's to
// refill. They show as a shortfall, not as a defect of the books.
func TestCheckChainFees(t *testing.T) {
	l, _ := open(t)
	f := found(1)
	f.Terms.FeeBps, f.Terms.DonationBps = 0, 0
	if err := errors.Join(l.RecordFound(t.Context(), f), l.Freeze(t.Context(), f.Hash, ledger.Window{WinnerSeq: 1, Weights: weights()})); err != nil {
		t.Fatal(err)
	}
	observe(t, l, f.Hash, confirmed(1), confirmed(101))
	if err := errors.Join(
		post(t, l, event("pay:1:reserve", ledger.KindReserve), reserve(102, 50_000_000)),
		post(t, l, event("pay:1:settle:t", ledger.KindSettle), settle(102, 50_000_000, 141)),
	); err != nil {
		t.Fatal(err)
	}

	if err := l.Check(t.Context()); err != nil {
		t.Error(err)
	}
	if sums, err := l.Sums(t.Context()); sums.Shortfall() != 141 || err != nil {
		t.Errorf("Shortfall = %d, %v; want 141", sums.Shortfall(), err)
	}
}

// Money is never a float: no type, no literal, no column.
func TestNoFloats(t *testing.T) {
	sources, err := filepath.Glob("*.go")
	if err != nil || len(sources) < 10 {
		t.Fatalf("%d sources, %v", len(sources), err)
	}
	for _, name := range sources {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.Ident:
				if strings.HasPrefix(strings.ToLower(n.Name), "float") {
					t.Errorf("%s uses %s", name, n.Name)
				}
			case *ast.BasicLit:
				if n.Kind == token.FLOAT {
					t.Errorf("%s has the literal %s", name, n.Value)
				}
			}

			return true
		})
	}

	schemas, err := filepath.Glob("schema/*.sql")
	if err != nil || len(schemas) == 0 {
		t.Fatalf("%d schemas, %v", len(schemas), err)
	}
	for _, name := range schemas {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		// The threshold of an alert is in percent, hours or TH/s.
		columns := strings.Replace(string(text), "threshold REAL ", "", 1)
		if strings.Contains(columns, " REAL ") {
			t.Errorf("%s has a REAL column", name)
		}
	}
}
