package appliance

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/dmpool/dmpool/pool/sqlite"
)

// Two versions of books that are small enough to look through. The tables have the
// names and columns that going back asks for.
func oldSchemas() (ledger, shares []string) {
	ledger = []string{
		`CREATE TABLE setting (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
			 CREATE TABLE event (id INTEGER PRIMARY KEY) STRICT; CREATE TABLE block (id INTEGER PRIMARY KEY) STRICT;
			 CREATE TABLE payout (id INTEGER PRIMARY KEY, total INTEGER NOT NULL) STRICT;
			 CREATE TABLE payout_tx (payout INTEGER NOT NULL, expected BLOB NOT NULL, raw BLOB) STRICT;`,
	}
	shares = []string{
		`CREATE TABLE shift (to_seq INTEGER NOT NULL) STRICT;`,
	}
	return ledger, shares
}

func booksOf(dir string, ledger, shares []string) books {
	schema := func(files []string, id int32) sqlite.Schema {
		all := fstest.MapFS{}
		for i, text := range files {
			all[fmt.Sprintf("%04d_step.sql", i+1)] = &fstest.MapFile{Data: []byte(text)}
		}
		return sqlite.Schema{FS: all, ApplicationID: id}
	}
	return books{dir: dir, ledger: schema(ledger, 1), shares: schema(shares, 2)}
}

func oldBooks(dir string) books { ledger, shares := oldSchemas(); return booksOf(dir, ledger, shares) }

// newBooks are two migrations of the ledger and one of the shares later.
func newBooks(dir string) books {
	ledger, shares := oldSchemas()
	return booksOf(dir,
		append(ledger, `ALTER TABLE event ADD COLUMN more TEXT;`, `UPDATE event SET more = 'new';`),
		append(shares, `ALTER TABLE shift ADD COLUMN more TEXT;`))
}

func change(t *testing.T, path string, s sqlite.Schema, statements ...string) {
	t.Helper()
	db, err := sqlite.Open(t.Context(), path, s)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(t.Context(), func(tx *sql.Tx) error {
		for _, text := range statements {
			if _, err := tx.ExecContext(t.Context(), text); err != nil {
				return err
			}
		}
		return nil
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
}

// used makes books of the old version with an event and a shift in them.
func used(t *testing.T) books {
	t.Helper()
	b := oldBooks(t.TempDir())
	change(t, b.file(ledgerFile), b.ledger, `INSERT INTO event VALUES (1)`)
	change(t, b.file(sharesFile), b.shares, `INSERT INTO shift VALUES (100)`)
	return b
}

func count(t *testing.T, path, query string) int {
	t.Helper()
	n, err := number[int](t.Context(), path, query)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// perform does the first n steps, as if the power went then, and says whether that was all.
func perform(t *testing.T, steps []step, err error, n int) (all bool) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range steps[:min(n, len(steps))] {
		if err := s.do(t.Context()); err != nil {
			t.Fatalf("%s: %v", s.name, err)
		}
	}
	return n >= len(steps)
}

// An upgrade that is cut short after any of its steps is brought to its end by the
// next start, with one copy, which has the books as they were.
func TestUpgradeCutShort(t *testing.T) {
	for n, all := 0, false; !all; n++ {
		old := used(t)
		b := newBooks(old.dir)
		steps, err := b.upgradeSteps(t.Context(), "1.0")
		all = perform(t, steps, err, n)
		if err := b.upgrade(t.Context(), "1.0"); err != nil {
			t.Fatalf("after %d steps: %v", n, err)
		}
		have, newest, err := b.versions(t.Context())
		if err != nil || have != newest || have != (BooksVersion{3, 2}) {
			t.Errorf("after %d steps: the books are written as %+v, %v", n, have, err)
		}
		if got := count(t, b.file(ledgerFile), `SELECT COUNT(*) FROM event WHERE more = 'new'`); got != 1 {
			t.Errorf("after %d steps: %d events changed", n, got)
		}
		kept, err := b.allKept()
		if err != nil || len(kept) != 1 || kept[0].Name != "books-1-1" || kept[0].Release != "1.0" || kept[0].To != newest {
			t.Fatalf("after %d steps: copies %+v, %v", n, kept, err)
		}
		if got := count(t, b.kept("books-1-1", ledgerFile), `SELECT user_version FROM pragma_user_version`); got != 1 {
			t.Errorf("after %d steps: the copy of the ledger is of schema %d", n, got)
		}
		if entries, _ := os.ReadDir(b.backups()); len(entries) != 1 {
			t.Errorf("after %d steps: %v is left", n, entries)
		}
	}
}

// The same in the middle of a copy, and between two migrations of one database.
func TestUpgradeCutShortInsideStep(t *testing.T) {
	b := newBooks(used(t).dir)
	if err := b.copyInto(t.Context(), filepath.Join(b.backups(), ".partial"), Kept{}); err != nil {
		t.Fatal(err)
	}
	if err := b.upgrade(t.Context(), ""); err != nil {
		t.Fatal(err)
	}

	old := used(t)
	b = newBooks(old.dir)
	steps, err := b.upgradeSteps(t.Context(), "")
	perform(t, steps, err, 1)
	ledger, shares := oldSchemas()
	half := booksOf(old.dir, append(ledger, `ALTER TABLE event ADD COLUMN more TEXT;`), shares)
	change(t, half.file(ledgerFile), half.ledger)
	if err := b.upgrade(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	if kept, err := b.allKept(); err != nil || len(kept) != 1 || kept[0].From != (BooksVersion{1, 1}) {
		t.Errorf("copies %+v, %v; want the one from before", kept, err)
	}
}

// Where there is no room for the copy nothing is changed, and the sentence says so.
func TestUpgradeWithoutRoom(t *testing.T) {
	b := newBooks(used(t).dir)
	ended, cancel := context.WithCancel(t.Context())
	steps, err := b.upgradeSteps(ended, "")
	if err != nil {
		t.Fatal(err)
	}
	cancel() // the copy fails
	err = steps[0].do(ended)
	if err == nil || !strings.Contains(err.Error(), "nothing was changed") || !strings.Contains(err.Error(), "MB are free") {
		t.Errorf("it says %v", err)
	}
	if have, _, err := b.versions(t.Context()); err != nil || have != (BooksVersion{1, 1}) {
		t.Errorf("the books are %+v, %v", have, err)
	}
	if entries, _ := os.ReadDir(b.backups()); len(entries) != 0 {
		t.Errorf("%v is left", entries)
	}
}

func TestUpgradeKeepsTwo(t *testing.T) {
	old := used(t)
	ledger, shares := oldSchemas()
	for i := range 4 {
		ledger = append(ledger, fmt.Sprintf(`CREATE TABLE t%d (x TEXT) STRICT;`, i))
		if err := booksOf(old.dir, ledger, shares).upgrade(t.Context(), ""); err != nil {
			t.Fatal(err)
		}
	}
	kept, err := old.allKept()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, k := range kept {
		names = append(names, k.Name)
	}
	if !slices.Equal(names, []string{"books-4-1", "books-3-1"}) {
		t.Errorf("copies %v, want the newest two", names)
	}
}

// payAfter upgrades books in which afterwards something happens.
func payAfter(t *testing.T, paid bool) books {
	t.Helper()
	b := newBooks(used(t).dir)
	if err := b.upgrade(t.Context(), "1.0"); err != nil {
		t.Fatal(err)
	}
	change(t, b.file(ledgerFile), b.ledger, `INSERT INTO event VALUES (2, '')`, `INSERT INTO block VALUES (1)`)
	change(t, b.file(sharesFile), b.shares, `INSERT INTO shift VALUES (130, '')`)
	if paid {
		change(t, b.file(ledgerFile), b.ledger, `INSERT INTO payout VALUES (1, 5000)`, `INSERT INTO payout_tx VALUES (1, x'01', x'02'), (1, x'03', x'04')`)
	}
	return b
}

// Going back that is cut short after any of its steps: until the order is written
// nothing has changed, and afterwards nobody opens the books before it is done.
func TestRollbackCutShort(t *testing.T) {
	for n, all := 0, false; !all; n++ {
		b := payAfter(t, false)
		o, err := b.newOrder(t.Context(), "books-1-1", false)
		if err != nil {
			t.Fatal(err)
		}
		all = perform(t, b.rollbackSteps(o), nil, n)
		ordered := exists(b.file(rollbackOrder))
		if err := b.upgrade(t.Context(), ""); ordered != errors.Is(err, ErrCutShort) {
			t.Errorf("after %d steps a start says %v", n, err)
		}
		if !all {
			if _, err := b.rollback(t.Context(), "books-1-1", false); err != nil {
				t.Fatalf("after %d steps: %v", n, err)
			}
		} else if have, _, err := b.versions(t.Context()); err != nil || have != (BooksVersion{3, 2}) {
			t.Errorf("a start of the new version after going back: %+v, %v", have, err)
		}
		old := oldBooks(b.dir)
		if !all {
			if have, newest, err := old.versions(t.Context()); err != nil || have != newest {
				t.Errorf("after %d steps: the old version finds %+v, %v", n, have, err)
			}
		}
		if got := count(t, b.file(ledgerFile), `SELECT COUNT(*) FROM event`); got != 1 {
			t.Errorf("after %d steps: %d events, want 1", n, got)
		}
		aside, err := filepath.Glob(filepath.Join(b.backups(), "undone-*", ledgerFile))
		if err != nil || len(aside) != 1 {
			t.Fatalf("after %d steps: what was there lies in %v", n, aside)
		}
		if got := count(t, aside[0], `SELECT COUNT(*) FROM event`); got != 2 {
			t.Errorf("after %d steps: %d events were put aside, want 2", n, got)
		}
	}
}

func TestWaysBack(t *testing.T) {
	b := payAfter(t, true)
	ways, err := b.waysBack(t.Context())
	if err != nil || len(ways) != 1 {
		t.Fatalf("ways back %+v, %v", ways, err)
	}
	want := Loss{Bookings: 1, Blocks: 1, Shares: 30, Payouts: 1, PaidSat: 5000}
	if w := ways[0]; w.Loss != want || !w.Ledger || !w.Shares || w.Release != "1.0" {
		t.Errorf("the way back is %+v, want the loss %+v", w, want)
	}
	if _, err := b.rollback(t.Context(), "books-1-1", false); !errors.Is(err, ErrPaidSince) {
		t.Errorf("going back behind a payment: %v", err)
	}
	if _, err := b.rollback(t.Context(), "books-9-9", true); err == nil || !strings.Contains(err.Error(), "lists what there is") {
		t.Errorf("going back to nothing: %v", err)
	}
	if _, err := b.rollback(t.Context(), "books-1-1", true); err != nil {
		t.Error(err)
	}
	// The old version sees that the books are its own: there is no way further back.
	if ways, err := oldBooks(b.dir).waysBack(t.Context()); err != nil || len(ways) != 0 {
		t.Errorf("ways back afterwards: %+v, %v", ways, err)
	}
}

// A payment that was handed out to be signed counts like one that the pool has signed,
// also against a copy that is older than handing out.
func TestPaidSince(t *testing.T) {
	ledger, shares := oldSchemas()
	old := oldBooks(t.TempDir())
	change(t, old.file(ledgerFile), old.ledger, `INSERT INTO payout VALUES (1, 5000)`, `INSERT INTO payout_tx VALUES (1, x'01', x'02')`)
	b := booksOf(t.TempDir(), append(ledger, `ALTER TABLE payout_tx ADD COLUMN exported_at INTEGER;`), shares)
	change(t, b.file(ledgerFile), b.ledger, `INSERT INTO payout VALUES (1, 5000), (2, 700), (3, 90)`,
		`INSERT INTO payout_tx VALUES (1, x'01', x'02', NULL), (2, x'03', NULL, 1800000000000), (3, x'04', NULL, NULL)`)
	var l Loss
	if err := l.paidSince(t.Context(), b.file(ledgerFile), old.file(ledgerFile)); err != nil || l != (Loss{Payouts: 1, PaidSat: 700}) {
		t.Errorf("%+v, %v", l, err)
	}
}

// Only what the old version cannot read goes back.
func TestRollbackLeavesShares(t *testing.T) {
	old := used(t)
	ledger, shares := oldSchemas()
	b := booksOf(old.dir, append(ledger, `ALTER TABLE event ADD COLUMN more TEXT;`), shares)
	if err := b.upgrade(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	change(t, b.file(sharesFile), b.shares, `INSERT INTO shift VALUES (130)`)
	if _, err := b.rollback(t.Context(), "books-1-1", false); err != nil {
		t.Fatal(err)
	}
	if got := count(t, b.file(sharesFile), `SELECT MAX(to_seq) FROM shift`); got != 130 {
		t.Errorf("the last share is %d, want 130", got)
	}
}
