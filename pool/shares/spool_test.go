package shares

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/dmpool/dmpool/pool/sqlite"
)

const (
	breakIt = "ALTER TABLE share RENAME TO elsewhere"
	mendIt  = "ALTER TABLE elsewhere RENAME TO share"
)

// mend repairs a database that no log has open.
func mend(t *testing.T, path string) {
	t.Helper()

	db, err := sqlite.Open(t.Context(), path, Schema)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(t.Context(), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(t.Context(), mendIt)

		return err
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
}

// works returns the work of the stored shares in order of seq: tests give each share another.
func works(t *testing.T, l *Log) []int64 {
	t.Helper()

	return column[int64](t, l, "SELECT work FROM share ORDER BY seq")
}

func exists(path string) bool {
	_, err := os.Stat(path)

	return !errors.Is(err, fs.ErrNotExist)
}

// A database that fails for a while: shares are acknowledged all the same, and
// arrive once, in order, when it is well again.
func TestSpoolWhileRunning(t *testing.T) {
	path := filepath.Join(t.TempDir(), "shares.db")
	l, _ := start(t, path, quiet())

	put(t, l, share("a", 1, 0))
	change(t, l, breakIt)
	put(t, l, share("a", 2, 0))
	winner := put(t, l, win(share("b", 3, 0), 1))
	if !exists(path + ".spool") {
		t.Error("there is no spool")
	}

	hurried, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, err := l.Window(hurried, winner, 2000); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Window of a spooled share = %v, want it to wait", err)
	}

	change(t, l, mendIt)
	if _, err := l.Window(t.Context(), winner, 2000); err != nil {
		t.Error(err)
	}
	put(t, l, share("a", 4, 0))

	if got := works(t, l); !slices.Equal(got, []int64{1, 2, 3, 4}) {
		t.Errorf("stored %v, want 1 to 4", got)
	}
	if exists(path + ".spool") {
		t.Error("the spool is still there")
	}
	if seq, ok, err := l.Winner(t.Context(), *win(Share{}, 1).Block); seq != winner || !ok || err != nil {
		t.Errorf("Winner = %d, %v, %v, want %d", seq, ok, err, winner)
	}
	checkSums(t, l)
}

// spooled returns the path of a log that was left with the shares 1 and 2 in
// the database, and 3 to 5 in two records of its spool.
func spooled(t *testing.T) (path string, last int64) {
	t.Helper()

	path = filepath.Join(t.TempDir(), "shares.db")
	l, stop := start(t, path, quiet())
	put(t, l, share("a", 1, 0), share("b", 2, 0))
	change(t, l, breakIt)
	put(t, l, share("a", 3, 0))
	// Not with put, which could find the writer between the two shares.
	l.mu.Lock()
	first := &Commit{seq: l.last + 1, batch: l.pending}
	for i, work := range []int64{4, 5} {
		l.queued++
		l.pending.entries = append(l.pending.entries, entry{first.seq + int64(i), share("b", work, 0)})
		l.last++
	}
	l.wake <- struct{}{}
	l.mu.Unlock()
	if err := first.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	last = l.Last()
	stop()
	if _, err := l.Window(t.Context(), last, 2000); !errors.Is(err, ErrClosed) {
		t.Errorf("Window of a spooled share after Run = %v, want ErrClosed", err)
	}
	mend(t, path)

	return path, last
}

func TestSpoolAtStart(t *testing.T) {
	path, last := spooled(t)
	copied, err := os.ReadFile(path + ".spool")
	if err != nil {
		t.Fatal(err)
	}

	l, stop := start(t, path, quiet())
	if got := works(t, l); !slices.Equal(got, []int64{1, 2, 3, 4, 5}) {
		t.Errorf("stored %v, want 1 to 5", got)
	}
	checkSums(t, l)
	if seq := put(t, l, share("a", 6, 0)); seq <= last {
		t.Errorf("seq %d after the spooled %d", seq, last)
	}
	stop()

	// A crash after the replay and before the spool was gone: nothing is added twice.
	if err := os.WriteFile(path+".spool", copied, 0o600); err != nil {
		t.Fatal(err)
	}
	l, _ = start(t, path, quiet())
	if got := works(t, l); !slices.Equal(got, []int64{1, 2, 3, 4, 5, 6}) {
		t.Errorf("stored %v, want 1 to 6", got)
	}
	if exists(path + ".spool") {
		t.Error("the spool is still there")
	}
	checkSums(t, l)
}

// The last record may be torn, in all the ways in which a crash can do it.
func TestSpoolTorn(t *testing.T) {
	tests := []struct {
		name string
		tear func(good, both []byte) []byte // good is the file with its first record only
		want []int64
	}{
		{"cut off", func(_, both []byte) []byte { return both[:len(both)-1] }, []int64{1, 2, 3}},
		{"cut in the header", func(good, both []byte) []byte { return both[:len(good)+5] }, []int64{1, 2, 3}},
		{"other bytes", func(_, both []byte) []byte { return append(both[:len(both)-9], "torn away"...) }, []int64{1, 2, 3}},
		{"zeros", func(good, both []byte) []byte { return append(good, make([]byte, len(both)-len(good))...) }, []int64{1, 2, 3}},
		{"garbage behind it", func(_, both []byte) []byte { return append(both, "garbage that is no record"...) }, []int64{1, 2, 3, 4, 5}},
		{"everything", func(_, _ []byte) []byte { return nil }, []int64{1, 2}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			path, _ := spooled(t)
			both, err := os.ReadFile(path + ".spool")
			if err != nil {
				t.Fatal(err)
			}
			s, err := openSpool(path+".spool", quiet().Logger)
			if err != nil {
				t.Fatal(err)
			}
			_, next, err := s.read(0)
			if err := errors.Join(err, s.close()); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path+".spool", test.tear(bytes.Clone(both[:next]), both), 0o600); err != nil {
				t.Fatal(err)
			}

			l, _ := start(t, path, quiet())
			if got := works(t, l); !slices.Equal(got, test.want) {
				t.Errorf("stored %v, want %v", got, test.want)
			}
			checkSums(t, l)
		})
	}
}

// A torn record is overwritten by the next one.
func TestSpoolAfterTorn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "spool")
	s, err := openSpool(path, quiet().Logger)
	if err != nil {
		t.Fatal(err)
	}
	for seq := int64(1); seq <= 2; seq++ {
		if err := s.append([]entry{{seq, share("a", seq, 0)}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.file.Truncate(s.size - 3); err != nil {
		t.Fatal(err)
	}
	if err := s.close(); err != nil {
		t.Fatal(err)
	}

	for round := range 2 {
		if s, err = openSpool(path, quiet().Logger); err != nil {
			t.Fatal(err)
		}
		if round == 0 {
			if err := s.append([]entry{{7, share("a", 7, 0)}}); err != nil {
				t.Fatal(err)
			}
		}
		var got []int64
		for record, err := range s.records() {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, record[0].Seq)
		}
		if !slices.Equal(got, []int64{1, 7}) || s.first != 1 || s.last != 7 {
			t.Errorf("records %v from %d to %d, want 1 and 7", got, s.first, s.last)
		}
		if err := s.close(); err != nil {
			t.Fatal(err)
		}
	}
}

// unsynced is a file on a disk that takes what is written and then fails for a
// number of times.
type unsynced struct {
	file

	failures int
}

func (u *unsynced) Sync() error {
	if u.failures > 0 {
		u.failures--

		return errors.New("disk on fire")
	}

	return u.file.Sync()
}

// A record whose shares were reported as lost does not come back, whether the
// disk recovers at once or not before the next start.
func TestSpoolTakesBackWhatItDidNotKeep(t *testing.T) {
	for failures := 1; failures <= 2; failures++ {
		path := filepath.Join(t.TempDir(), "spool")
		s, err := openSpool(path, quiet().Logger)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.append([]entry{{1, share("a", 1, 0)}}); err != nil {
			t.Fatal(err)
		}
		s.file = &unsynced{s.file, failures}
		if err := s.append([]entry{{2, share("a", 2, 0)}}); err == nil {
			t.Fatal("a share was acknowledged that is not on the disk")
		}

		// As a crash would find it.
		again, err := openSpool(path, quiet().Logger)
		if err != nil {
			t.Fatal(err)
		}
		if again.last != 1 || again.size != s.size {
			t.Errorf("%d failures: the spool ends with share %d, want 1", failures, again.last)
		}
		if err := errors.Join(again.close(), s.close()); err != nil {
			t.Fatal(err)
		}
	}
}

// Only when neither the database nor the spool takes a share does the miner hear of it.
func TestSpoolFails(t *testing.T) {
	path := filepath.Join(t.TempDir(), "shares.db")
	l, _ := start(t, path, quiet())
	first := put(t, l, share("a", 1, 0))

	if err := os.Mkdir(path+".spool", 0o700); err != nil {
		t.Fatal(err)
	}
	change(t, l, breakIt)
	c, err := l.Append(t.Context(), share("a", 2, 0))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Wait(t.Context()); err == nil {
		t.Error("a share was acknowledged that is nowhere")
	}

	change(t, l, mendIt)
	last := put(t, l, share("a", 3, 0))
	if got := works(t, l); !slices.Equal(got, []int64{1, 3}) {
		t.Errorf("stored %v, want 1 and 3", got)
	}
	if last != first+2 {
		t.Errorf("seq = %d, want %d: a lost one is not given again", last, first+2)
	}
	checkSums(t, l)
}
