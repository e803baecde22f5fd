package shares

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if crashChild() {
		return
	}
	goleak.VerifyTestMain(m)
}

// practiceBits are those of the practice network: a block takes 4838420 hashes.
const practiceBits = 0x1e0377ae

// noon is the time at which tests begin.
var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// quiet are options for tests that provoke errors.
func quiet() Options { return Options{Logger: slog.New(slog.DiscardHandler)} }

// start opens the log at path and runs it until stop is called or the test ends.
func start(t testing.TB, path string, opts Options) (l *Log, stop func()) {
	t.Helper()

	l, err := Open(context.Background(), path, opts)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var group sync.WaitGroup
	group.Go(func() {
		if err := l.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	stop = sync.OnceFunc(func() {
		cancel()
		group.Wait()
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)

	return l, stop
}

// share is a share of a worker, named "account.rig", some time after noon.
func share(account string, work int64, after time.Duration) Share {
	return Share{
		Address: account, Script: []byte(account), Worker: "rig", At: noon.Add(after),
		Work: work, Difficulty: 1, Achieved: 2, Bits: practiceBits, UserAgent: "test",
	}
}

// win makes a share the one that found block n.
func win(s Share, n byte) Share {
	s.Block = &chainhash.Hash{n}

	return s
}

// put appends shares in one go, waits for them and returns the seq of the last.
func put(t testing.TB, l *Log, list ...Share) int64 {
	t.Helper()

	var last *Commit
	for _, s := range list {
		c, err := l.Append(context.Background(), s)
		if err != nil {
			t.Fatal(err)
		}
		last = c
	}
	if err := last.Wait(context.Background()); err != nil {
		t.Fatal(err)
	}

	return last.Seq()
}

// awaitSums waits for the sums over all shares.
func awaitSums(t testing.TB, l *Log) {
	t.Helper()

	if err := l.await(context.Background(), l.Last()); err != nil {
		t.Fatal(err)
	}
}

// column reads a query's only column.
func column[T any](t testing.TB, l *Log, query string, args ...any) []T {
	t.Helper()

	rows, err := l.db.Reader().QueryContext(context.Background(), query, args...)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()

	var list []T
	for rows.Next() {
		var v T
		if err := rows.Scan(&v); err != nil {
			t.Fatal(err)
		}
		list = append(list, v)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}

	return list
}

// change changes the database behind the log's back.
func change(t testing.TB, l *Log, statement string, args ...any) {
	t.Helper()

	err := l.db.Update(context.Background(), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(context.Background(), statement, args...)

		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// checkSums verifies that everything that is summed up agrees with the single shares.
func checkSums(t testing.TB, l *Log) {
	t.Helper()
	awaitSums(t, l)

	for name, query := range map[string]string{
		"shift_work": `SELECT count(*) FROM shift_work x JOIN shift h ON h.id = x.shift
			WHERE (x.work, x.n) IS NOT (SELECT SUM(work), count(*) FROM share WHERE worker = x.worker AND seq BETWEEN h.from_seq AND h.to_seq)`,
		"shift":  `SELECT count(*) FROM shift h WHERE work <> (SELECT SUM(work) FROM share WHERE seq BETWEEN h.from_seq AND h.to_seq)`,
		"ranges": `SELECT count(*) FROM share s WHERE 1 <> (SELECT count(*) FROM shift WHERE s.seq BETWEEN from_seq AND to_seq)`,
		"worker": `SELECT count(*) FROM worker w WHERE accepted <> (SELECT count(*) FROM share WHERE worker = w.id)`,
		"r10m":   `SELECT (SELECT total(work) FROM r10m) <> (SELECT total(work) FROM share) OR (SELECT total(accepted) FROM r10m) <> (SELECT count(*) FROM share)`,
	} {
		if got := column[int](t, l, query)[0]; got != 0 {
			t.Errorf("%s: %d rows do not agree with the shares", name, got)
		}
	}
}

func TestShifts(t *testing.T) {
	halved := share("a", 10, 0)
	halved.Bits = 0x1e01bbd7
	tests := []struct {
		name   string
		shares []Share
		want   []int64 // the last share of each shift, counted from 1
	}{
		{"one", []Share{share("a", 1, 0), share("b", 1, 59*time.Second)}, []int64{2}},
		{"a minute is over", []Share{share("a", 1, 0), share("a", 1, time.Minute), share("a", 1, 119*time.Second)}, []int64{1, 3}},
		{"nBits change", []Share{share("a", 1, 0), halved, share("a", 1, 0)}, []int64{1, 2, 3}},
		{"after a block", []Share{share("a", 1, 0), win(share("a", 1, 0), 1), share("a", 1, 0)}, []int64{2, 3}},
		{"the same block again", []Share{win(share("a", 1, 0), 1), win(share("a", 1, 0), 1), share("a", 1, 0)}, []int64{1, 3}},
		{"clock set back", []Share{share("a", 1, 0), share("a", 1, -time.Second), share("a", 1, -time.Hour)}, []int64{2, 3}},
		{"a day without shares", []Share{share("a", 1, 0), share("a", 1, 24*time.Hour)}, []int64{1, 2}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			l, _ := start(t, filepath.Join(t.TempDir(), "shares.db"), Options{})
			put(t, l, test.shares...)

			if diff := cmp.Diff(test.want, column[int64](t, l, "SELECT to_seq FROM shift ORDER BY id")); diff != "" {
				t.Errorf("ends of shifts (-want +got):\n%s", diff)
			}
			checkSums(t, l)
		})
	}
}

// The sum of a shift stays below 2^62 whatever a share is worth.
func TestShiftOverflow(t *testing.T) {
	l, _ := start(t, filepath.Join(t.TempDir(), "shares.db"), Options{})

	big := share("a", 1<<62, 0)
	big.Bits = 0x17030000 // mainnet, 2^78 hashes
	small := big
	small.Work = 5
	huge := big
	huge.Work = 1<<63 - 1
	put(t, l, small, big, small, small, huge, huge)

	want := []int64{5, 1 << 62, 10, 1<<63 - 1, 1<<63 - 1}
	if diff := cmp.Diff(want, column[int64](t, l, "SELECT work FROM shift ORDER BY id")); diff != "" {
		t.Errorf("work of shifts (-want +got):\n%s", diff)
	}
}

// Work is cut off at the network's, for a score is at most 1.
func TestWorkClamp(t *testing.T) {
	l, _ := start(t, filepath.Join(t.TempDir(), "shares.db"), Options{})
	put(t, l, share("a", 4838421, 0))

	if got := column[int64](t, l, "SELECT work FROM share")[0]; got != 4838420 {
		t.Errorf("work = %d, want the network's 4838420", got)
	}
}

func TestAppendRefuses(t *testing.T) {
	l, stop := start(t, filepath.Join(t.TempDir(), "shares.db"), Options{})
	good := share("a", 1, 0)

	for name, spoil := range map[string]func(*Share){
		"no address":      func(s *Share) { s.Address = "" },
		"no work":         func(s *Share) { s.Work = 0 },
		"nBits zero":      func(s *Share) { s.Bits = 0 },
		"nBits negative":  func(s *Share) { s.Bits = 0x1e8377ae },
		"nBits too large": func(s *Share) { s.Bits = 0x23000001 },
	} {
		bad := good
		spoil(&bad)
		if _, err := l.Append(t.Context(), bad); err == nil {
			t.Errorf("a share with %s was accepted", name)
		}
	}

	stop()
	if _, err := l.Append(t.Context(), good); !errors.Is(err, ErrClosed) {
		t.Errorf("Append after Run = %v, want ErrClosed", err)
	}
}

// Back-pressure: with nobody writing, Append blocks when the queue is full, the
// pages are answered meanwhile, and what was queued is written once the writer runs.
func TestFault43QueueFull(t *testing.T) {
	l, err := Open(t.Context(), filepath.Join(t.TempDir(), "shares.db"), Options{Queue: 3})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, err := l.Append(t.Context(), share("a", 1, 0)); err != nil {
			t.Fatal(err)
		}
	}
	hurried, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, err := l.Append(hurried, share("a", 1, 0)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Append to a full queue = %v, want it to wait for its context", err)
	}
	if rows, err := l.Recent(t.Context(), "", 10, 0); err != nil || len(rows) != 0 {
		t.Errorf("Recent with a full queue = %v, %v", rows, err)
	}

	ctx, stop := context.WithCancel(t.Context())
	var group sync.WaitGroup
	group.Go(func() { _ = l.Run(ctx) })
	put(t, l, share("a", 1, 0))
	stop()
	group.Wait()
	if got := column[int64](t, l, "SELECT seq FROM share"); !slices.Equal(got, []int64{1, 2, 3, 4}) {
		t.Errorf("stored %v, want 1 to 4", got)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

// The pause between two commits ends with Run, and what gathered meanwhile is written.
func TestMinInterval(t *testing.T) {
	path := filepath.Join(t.TempDir(), "shares.db")
	l, stop := start(t, path, Options{MinInterval: time.Hour})
	put(t, l, share("a", 1, 0))
	c, err := l.Append(t.Context(), share("a", 2, 0))
	if err != nil {
		t.Fatal(err)
	}
	stop()
	if err := c.Wait(t.Context()); err != nil {
		t.Error(err)
	}

	l, _ = start(t, path, Options{})
	if got := works(t, l); !slices.Equal(got, []int64{1, 2}) {
		t.Errorf("stored %v, want 1 and 2", got)
	}
}

func TestConcurrentAppend(t *testing.T) {
	path := filepath.Join(t.TempDir(), "shares.db")
	l, stop := start(t, path, Options{Queue: 16})

	const submitters, each = 20, 30
	var group sync.WaitGroup
	for i := range submitters {
		group.Go(func() {
			var last int64
			for j := range each {
				s := share(fmt.Sprintf("account%d", i%5), int64(j+1), time.Duration(j)*5*time.Second)
				if j%10 == 9 {
					s = win(s, byte(i*each+j))
					s.Block[1] = byte((i*each + j) >> 8)
				}
				seq := put(t, l, s)
				if seq <= last {
					t.Errorf("seq %d after %d", seq, last)
				}
				last = seq
				if j%10 == 0 {
					l.Reject(s.Address, s.Worker, "stale", s.At)
				}
				if _, err := l.Window(t.Context(), seq, 2000); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()

	if got := l.Last(); got != submitters*each {
		t.Errorf("Last = %d, want %d", got, submitters*each)
	}
	if got := column[int](t, l, "SELECT count(*) FROM share")[0]; got != submitters*each {
		t.Errorf("%d shares stored, want %d", got, submitters*each)
	}
	checkSums(t, l)

	stop()
	l, _ = start(t, path, Options{Queue: 16})
	if got := column[int](t, l, "SELECT SUM(n) FROM reject")[0]; got != submitters*each/10 {
		t.Errorf("%d rejects counted, want %d", got, submitters*each/10)
	}
	if seq := put(t, l, share("a", 1, 0)); seq <= submitters*each {
		t.Errorf("seq %d after a restart, want more than %d", seq, submitters*each)
	}
	checkSums(t, l)
}

// Names are cheap to invent and kept for ever, so an address has a bounded
// number of them; its work counts all the same.
func TestNamesOfAnAddressAreBounded(t *testing.T) {
	l, _ := start(t, filepath.Join(t.TempDir(), "shares.db"), Options{})
	var list []Share
	for i := range maxNames + 50 {
		s := share("mallory", 1000, time.Duration(i)*time.Millisecond)
		s.Worker = fmt.Sprint("name", i)
		list = append(list, s)
	}
	other := share("alice", 1000, time.Second)
	seq := put(t, l, append(list, other)...)
	awaitSums(t, l)

	names := column[int](t, l, `SELECT count(*) FROM worker WHERE address = 'mallory'`)[0]
	if names != maxNames+1 {
		t.Errorf("the address has %d workers, want %d and the one for further names", names, maxNames)
	}
	further := column[int](t, l, `SELECT accepted FROM worker WHERE name = ?`, furtherName)
	if len(further) != 1 || further[0] != 50 {
		t.Errorf("the worker for further names has %v shares, want 50", further)
	}
	window, err := l.Window(t.Context(), seq, 100_000)
	if err != nil {
		t.Fatal(err)
	}
	ratio := new(big.Rat).Quo(window.Entries[0].Score, window.Entries[1].Score)
	if want := big.NewRat(maxNames+50, 1); ratio.Cmp(want) != 0 {
		t.Errorf("mallory's work is %s times alice's, want %s", ratio, want)
	}
	checkSums(t, l)
}
