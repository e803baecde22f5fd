package shares

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/dmpool/dmpool/pool/sqlite"
)

// A crash between the shares and their sums loses nothing: the next start adds
// up what is missing.
func TestTail(t *testing.T) {
	ctx := context.Background()
	path := filepath.Join(t.TempDir(), "shares.db")
	db, err := sqlite.Open(ctx, path, Schema)
	if err != nil {
		t.Fatal(err)
	}
	w, err := newWriter(ctx, db, Options{Now: time.Now, Logger: quiet().Logger})
	if err != nil {
		t.Fatal(err)
	}

	// Three batches, of which only the first must write sums, because it opens a shift.
	const batches, each = 3, 2*rowsAtOnce + 7
	var seq int64
	for range batches {
		var entries []entry
		for range each {
			seq++
			s := share(fmt.Sprintf("account%d", seq%9), seq, time.Duration(seq)*time.Millisecond)
			s.Achieved, s.UserAgent = float64(seq), fmt.Sprintf("agent%d", seq%9)
			entries = append(entries, entry{seq, s})
		}
		if _, err := w.write(ctx, entries, nil, false); err != nil {
			t.Fatal(err)
		}
	}
	var shares, summed int64
	err = db.Reader().QueryRowContext(ctx, `SELECT (SELECT count(*) FROM share), (SELECT SUM(n) FROM shift_work)`).Scan(&shares, &summed)
	if err != nil {
		t.Fatal(err)
	}
	if shares != batches*each || summed != each || w.stored != each {
		t.Errorf("%d shares, %d of them summed up, stored up to %d; want %d, %d, %d", shares, summed, w.stored, batches*each, each, each)
	}
	if err := db.Close(); err != nil { // as a crash leaves it
		t.Fatal(err)
	}

	l, _ := start(t, path, Options{})
	checkSums(t, l)
	window, err := l.Window(ctx, seq, 1000)
	if err != nil {
		t.Fatal(err)
	}
	if len(window.Entries) != 9 {
		t.Errorf("window has %d accounts, want 9", len(window.Entries))
	}
	if got := column[string](t, l, "SELECT user_agent FROM worker ORDER BY id")[0]; got != "agent1" {
		t.Errorf("user agent %q after the restart, want agent1", got)
	}
	if got := column[float64](t, l, "SELECT max(best) FROM worker")[0]; got != float64(seq) {
		t.Errorf("best share %g after the restart, want %d", got, seq)
	}
	put(t, l, share("account1", 5, 2*time.Second))
	checkSums(t, l)
}
