package appliance

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// heavyBooks are books whose next version takes a while to get to.
func heavyBooks(dir string) books {
	const heavy = `CREATE TABLE heavy (n INTEGER PRIMARY KEY, noise BLOB NOT NULL) STRICT;
		INSERT INTO heavy WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 10000) SELECT n, randomblob(40) FROM c;`
	ledger, shares := oldSchemas()
	return booksOf(dir, append(ledger, heavy, `ALTER TABLE event ADD COLUMN more TEXT;`), append(shares, heavy))
}

// killedBooks names, to a process that is there to be killed, the books and what to do
// with them.
const killedBooks = "DMPOOL_TEST_KILLED_BOOKS"

// TestKilledWithBooks kills processes that bring books to the next version and back,
// at any moment, until one gets through. Nothing is lost on the way, and no copy is
// made of books that are half changed.
func TestKilledWithBooks(t *testing.T) {
	if do, dir, found := strings.Cut(os.Getenv(killedBooks), " "); found {
		b := heavyBooks(dir)
		var err error
		if do == "upgrade" {
			err = b.upgrade(t.Context(), "1.0")
		} else if _, _, there := oldBooks(dir).versions(t.Context()); there != nil || exists(b.file(rollbackOrder)) {
			_, err = b.rollback(t.Context(), "books-1-1", false)
		} // else the one before was killed when all was done
		if err != nil {
			t.Fatal(err)
		}
		return
	}
	old := used(t)
	b := heavyBooks(old.dir)
	const rounds = 3
	for round := range rounds {
		kills := untilEnded(t, killedBooks, "upgrade "+b.dir, func() {})
		have, newest, err := b.versions(t.Context())
		if err != nil || have != newest {
			t.Fatalf("round %d: the books are written as %+v, %v", round, have, err)
		}
		if kept, err := b.allKept(); err != nil || len(kept) != 1 || kept[0].From != (BooksVersion{1, 1}) {
			t.Fatalf("round %d: copies %+v, %v", round, kept, err)
		}
		if heavy := count(t, b.file(ledgerFile), `SELECT COUNT(*) FROM heavy`); heavy != 10000 {
			t.Errorf("round %d: %d of 10000 rows were changed", round, heavy)
		}
		kills += untilEnded(t, killedBooks, "rollback "+b.dir, func() {})
		if have, newest, err := old.versions(t.Context()); err != nil || have != newest {
			t.Fatalf("round %d: the old version finds %+v, %v", round, have, err)
		}
		t.Logf("round %d: %d kills", round, kills)
		for file, query := range map[string]string{ledgerFile: `SELECT COUNT(*) FROM event`, sharesFile: `SELECT COUNT(*) FROM shift`} {
			if n := count(t, b.file(file), query); n != 1 {
				t.Errorf("round %d: %s has %d rows, want 1", round, file, n)
			}
		}
	}
	if aside, err := filepath.Glob(filepath.Join(b.backups(), "undone-*", ledgerFile)); err != nil || len(aside) != rounds {
		t.Errorf("what was there each time lies in %v, %v", aside, err)
	}
}
