package appliance

import (
	"compress/gzip"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/dmpool/dmpool/pool/ledger"
	"github.com/dmpool/dmpool/pool/shares"
	"github.com/dmpool/dmpool/pool/sqlite"
)

// oldRealBooks are books that the program of commit 55a26a9 has written, on the
// practice chain: its demo, until a payout that somebody approved was settled. What is
// secret in them opened nothing but that demo, which is gone.
func oldRealBooks(t *testing.T) books {
	t.Helper()
	b := dataDir{t.TempDir()}.books("practice")
	if err := os.Mkdir(b.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{ledgerFile, sharesFile} {
		in, err := os.Open(filepath.Join("testdata", "old-"+name+".gz"))
		if err != nil {
			t.Fatal(err)
		}
		defer in.Close()
		unpacked, err := gzip.NewReader(in)
		if err != nil {
			t.Fatal(err)
		}
		out, err := os.OpenFile(b.file(name), os.O_WRONLY|os.O_CREATE, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		_, err = io.Copy(out, unpacked)
		if err := errors.Join(err, out.Close()); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

// told is what old books say, in words that they and new ones have.
func told(t *testing.T, b books) (lines []string) {
	t.Helper()
	for _, query := range []string{
		`SELECT 'last event', id, hex(hash) FROM event WHERE id = (SELECT MAX(id) FROM event)`,
		`SELECT account, bucket, SUM(amount) FROM posting GROUP BY account, bucket ORDER BY account, bucket`,
		`SELECT 'block', state, COUNT(*) FROM block GROUP BY state ORDER BY state`,
		`SELECT 'payout ' || p.id, p.state, hex(t.raw) FROM payout p LEFT JOIN payout_tx t ON t.payout = p.id ORDER BY p.id, t.id`,
	} {
		lines = append(lines, rowsOf(t, b.file(ledgerFile), query)...)
	}
	return append(lines, rowsOf(t, b.file(sharesFile), `SELECT 'shares', COUNT(*), SUM(work) FROM share`)...)
}

func rowsOf(t *testing.T, path, query string) []string {
	t.Helper()
	db := sqlite.View(path)
	defer db.Close()
	rows, err := db.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	_, err = sqlite.Collect(rows, func(rows *sql.Rows) (struct{}, error) {
		var a, b, c sql.NullString
		err := rows.Scan(&a, &b, &c)
		lines = append(lines, fmt.Sprint(a.String, " ", b.String, " ", c.String))
		return struct{}{}, err
	})
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

// Books that an old program has mined and paid with are brought to this version, and
// back, without a satoshi, a share or a signature that changes.
func TestUpgradeOldRealBooks(t *testing.T) {
	b := oldRealBooks(t)
	before := told(t, b)
	old, newest, err := b.versions(t.Context())
	if err != nil || old.Ledger >= newest.Ledger {
		t.Fatalf("the books are %+v of %+v, %v", old, newest, err)
	}
	if err := b.upgrade(t.Context(), "0.0.5"); err != nil {
		t.Fatal(err)
	}
	if after := told(t, b); !slices.Equal(after, before) {
		t.Errorf("the books say\n%q\nand said\n%q", after, before)
	}
	db, err := sqlite.Open(t.Context(), b.file(ledgerFile), ledger.Schema)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(ledger.New(db).Check(t.Context()), db.Close()); err != nil {
		t.Error(err)
	}
	log, err := shares.Open(t.Context(), b.file(sharesFile), shares.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(log.DB().Check(t.Context()), log.Close()); err != nil {
		t.Error(err)
	}
	if _, err := b.rollback(t.Context(), fmt.Sprintf("books-%d-%d", old.Ledger, old.Shares), false); err != nil {
		t.Fatal(err)
	}
	if have, err := b.writtenAs(t.Context()); err != nil || have != old {
		t.Errorf("after going back the books are %+v, %v", have, err)
	}
	if after := told(t, b); !slices.Equal(after, before) {
		t.Errorf("after going back the books say\n%q\nand said\n%q", after, before)
	}
}

// A box whose books are put aside, with the older ones not in their place yet, is not
// taken for one that nobody has set up.
func TestRollbackCutShortIsSetUp(t *testing.T) {
	b := oldRealBooks(t)
	old, _, err := b.versions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := b.upgrade(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	o, err := b.newOrder(t.Context(), fmt.Sprintf("books-%d-%d", old.Ledger, old.Shares), false)
	if err != nil {
		t.Fatal(err)
	}
	absent := 0
	for _, s := range b.rollbackSteps(o) {
		if err := s.do(t.Context()); err != nil {
			t.Fatal(err)
		}
		if !exists(b.file(ledgerFile)) {
			absent++
		}
		needed, err := NeedsSetUp(t.Context(), filepath.Dir(b.dir), "practice")
		if needed && err == nil {
			t.Errorf("after %q it asks to be set up", s.name)
		}
	}
	if absent == 0 {
		t.Error("the books were there all the time")
	}
}
