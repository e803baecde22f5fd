package shares

import (
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// clock is a clock that only tests move.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()

	return c.now
}

func (c *clock) set(after time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = noon.Add(after)
}

// settle commits the rejects that were counted so far, with a share of its own.
func settle(t *testing.T, l *Log, after time.Duration) {
	t.Helper()
	put(t, l, share("settler", 1, after))
}

func TestWorkers(t *testing.T) {
	c := &clock{now: noon}
	l, _ := start(t, filepath.Join(t.TempDir(), "shares.db"), Options{Now: c.Now})

	s := func(account, worker string, achieved float64, after time.Duration) Share {
		s := share(account, 600, after)
		s.Worker, s.Achieved, s.UserAgent = worker, achieved, "agent at "+after.String()

		return s
	}
	late := s("alice", "attic", 5, 3*time.Second)
	late.Late = true
	l.Reject("stranger", "", "low-difficulty", noon)
	put(t, l, s("alice", "attic", 10, time.Second), s("bob", "", 90, 2*time.Second), late)
	l.Reject("alice", "attic", "stale", noon.Add(-24*time.Hour))
	l.Reject("alice", "attic", "stale", noon)
	l.Reject("alice", "attic", "duplicate", noon)
	l.Reject("alice", "attic", "stale", noon)
	put(t, l, win(s("alice", "cellar", 1e6, 4*time.Second), 1))
	put(t, l, s("alice", "attic", 7, 5*time.Second), s("alice", "attic", 3, 6*time.Second))

	at := func(after time.Duration) time.Time { return noon.Add(after).Local() }
	alice := []WorkerStats{
		{
			ID: 1, Address: "alice", Name: "attic", UserAgent: "agent at 6s",
			FirstShare: at(time.Second), LastShare: at(6 * time.Second), Accepted: 4, Late: 1,
			Rejected: map[string]int64{"stale": 3, "duplicate": 1},
			BestEver: 10, BestEverAt: at(time.Second), BestRound: 7,
		},
		{
			ID: 3, Address: "alice", Name: "cellar", UserAgent: "agent at 4s",
			FirstShare: at(4 * time.Second), LastShare: at(4 * time.Second), Accepted: 1,
			Rejected: map[string]int64{}, BestEver: 1e6, BestEverAt: at(4 * time.Second),
		},
	}
	ignoreRates := cmpopts.IgnoreTypes(Rates{})

	got, err := l.Workers(t.Context(), "alice", noon)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(alice, got, ignoreRates); diff != "" {
		t.Errorf("Workers of alice (-want +got):\n%s", diff)
	}
	if all, err := l.Workers(t.Context(), "", noon); err != nil || len(all) != 3 || all[1].Address != "bob" {
		t.Errorf("Workers of the pool = %+v, %v, want three with bob second", all, err)
	}

	totals, err := l.Totals(t.Context(), "alice", noon)
	if err != nil {
		t.Fatal(err)
	}
	want := Totals{
		Workers: 2, FirstShare: at(time.Second), LastShare: at(6 * time.Second), Accepted: 5, Late: 1,
		Rejected: map[string]int64{"stale": 3, "duplicate": 1},
		BestEver: 1e6, BestEverAt: at(4 * time.Second), BestRound: 7,
	}
	if diff := cmp.Diff(want, totals, ignoreRates); diff != "" {
		t.Errorf("Totals of alice (-want +got):\n%s", diff)
	}
	totals, err = l.Totals(t.Context(), "", noon)
	if err != nil || totals.Workers != 3 || totals.Rejected["low-difficulty"] != 1 {
		t.Errorf("Totals of the pool = %+v, %v, want 3 workers and the stranger's reject", totals, err)
	}
	if totals, err := l.Totals(t.Context(), "nobody", noon); err != nil || totals.Workers != 0 || !totals.LastShare.IsZero() {
		t.Errorf("Totals of nobody = %+v, %v, want nothing", totals, err)
	}

	for address, want := range map[string]bool{"bob": true, "stranger": false} {
		if got, err := l.Exists(t.Context(), address); got != want || err != nil {
			t.Errorf("Exists(%s) = %v, %v, want %v", address, got, err, want)
		}
	}
}

// Made-up names cannot fill the memory or the disk.
func TestRejectStrangers(t *testing.T) {
	l, err := Open(t.Context(), filepath.Join(t.TempDir(), "shares.db"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 2 * maxRejects {
		l.Reject("stranger", string(rune(i)), "stale", noon)
	}
	if got := len(l.rejects); got > maxRejects+1 {
		t.Errorf("%d counters are kept", got)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

func TestRecent(t *testing.T) {
	l, _ := start(t, filepath.Join(t.TempDir(), "shares.db"), Options{})
	var batch []Share
	for i := range 40 {
		batch = append(batch, share([]string{"a", "b", "b", "b"}[i%4], 1, time.Duration(i)*20*time.Second))
	}
	batch[38] = win(batch[38], 1)
	put(t, l, batch...)

	seqs := func(address string, limit int, before int64) []int64 {
		rows, err := l.Recent(t.Context(), address, limit, before)
		if err != nil {
			t.Fatal(err)
		}
		var list []int64
		for _, r := range rows {
			if r.Block != (r.Seq == 39) || !r.At.Equal(batch[r.Seq-1].At) || r.Address != batch[r.Seq-1].Address {
				t.Errorf("row %+v is not share %+v", r, batch[r.Seq-1])
			}
			list = append(list, r.Seq)
		}

		return list
	}
	tests := []struct {
		address string
		limit   int
		before  int64
		want    []int64
	}{
		{"", 3, 0, []int64{40, 39, 38}},
		{"", 3, 38, []int64{37, 36, 35}},
		{"a", 3, 0, []int64{37, 33, 29}},
		{"a", 3, 29, []int64{25, 21, 17}},
		{"a", 50, 12, []int64{9, 5, 1}},
		{"nobody", 3, 0, nil},
	}
	for _, test := range tests {
		if diff := cmp.Diff(test.want, seqs(test.address, test.limit, test.before)); diff != "" {
			t.Errorf("Recent(%q, %d, %d) (-want +got):\n%s", test.address, test.limit, test.before, diff)
		}
	}
}

// mine lets the time pass by minutes, with a share each minute of the account, if it has one.
func mine(t *testing.T, l *Log, c *clock, account string, from, to time.Duration) {
	t.Helper()

	for at := from; at < to; at += time.Minute {
		c.set(at + time.Minute)
		settle(t, l, at)
		if account != "" {
			put(t, l, share(account, 6000, at))
		}
	}
}

func TestHashrate(t *testing.T) {
	c := &clock{now: noon}
	l, _ := start(t, filepath.Join(t.TempDir(), "shares.db"), Options{Now: c.Now})
	mine(t, l, c, "alice", 0, 20*time.Minute)
	mine(t, l, c, "", 20*time.Minute, 30*time.Minute) // alice is silent
	c.set(50 * time.Minute)                           // the pool is down
	settle(t, l, 50*time.Minute)
	mine(t, l, c, "alice", 55*time.Minute, 65*time.Minute) // it sleeps for the first 5 minutes

	want := []Point{
		{At: noon, Hashrate: 100, Known: true},
		{At: noon.Add(10 * time.Minute), Hashrate: 100, Known: true},
		{At: noon.Add(20 * time.Minute), Hashrate: 0, Known: true},
		{At: noon.Add(30 * time.Minute)},
		{At: noon.Add(40 * time.Minute)},
		{At: noon.Add(50 * time.Minute), Hashrate: 125, Known: true}, // 5 shares, of which 4 minutes are accounted for
	}
	for _, q := range []Query{
		{Address: "alice", From: noon, To: noon.Add(65 * time.Minute), Step: 10 * time.Minute},
		{Address: "alice", Worker: "rig", From: noon.Add(time.Second), To: noon.Add(69 * time.Minute), Step: 10 * time.Minute},
	} {
		got, err := l.Hashrate(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("Hashrate(%+v) (-want +got):\n%s", q, diff)
		}
	}

	got, err := l.Hashrate(t.Context(), Query{Address: "alice", Worker: "other", From: noon, To: noon.Add(10 * time.Minute), Step: 10 * time.Minute})
	if diff := cmp.Diff([]Point{{At: noon, Known: true}}, got); err != nil || diff != "" {
		t.Errorf("Hashrate of a worker that does not exist: %v (-want +got):\n%s", err, diff)
	}

	for name, q := range map[string]Query{
		"no step":         {From: noon, To: noon.Add(time.Hour)},
		"an odd step":     {From: noon, To: noon.Add(time.Hour), Step: 15 * time.Minute},
		"too many points": {From: noon.Add(-365 * 24 * time.Hour), To: noon, Step: 10 * time.Minute},
	} {
		if _, err := l.Hashrate(t.Context(), q); err == nil {
			t.Errorf("a query with %s was accepted", name)
		}
	}
	if got, err := l.Hashrate(t.Context(), Query{From: noon, To: noon, Step: time.Hour}); got != nil || err != nil {
		t.Errorf("Hashrate of no time = %v, %v", got, err)
	}
}

func TestRates(t *testing.T) {
	c := &clock{now: noon}
	l, _ := start(t, filepath.Join(t.TempDir(), "shares.db"), Options{Now: c.Now})
	mine(t, l, c, "alice", 0, 60*time.Minute)

	rates := func(address string, after time.Duration) Rates {
		totals, err := l.Totals(t.Context(), address, noon.Add(after))
		if err != nil {
			t.Fatal(err)
		}

		return totals.Hashrate
	}

	// 100 H/s, whatever the length of the average: the pool is not older.
	if diff := cmp.Diff(Rates{100, 100, 100, 100}, rates("alice", time.Hour)); diff != "" {
		t.Errorf("rates after an hour (-want +got):\n%s", diff)
	}

	mine(t, l, c, "bob", 60*time.Minute, 90*time.Minute)
	if diff := cmp.Diff(Rates{0, 100 * 30. / 60, 100 * 60. / 90, 100 * 60. / 90}, rates("alice", 90*time.Minute), cmpopts.EquateApprox(1e-9, 0)); diff != "" {
		t.Errorf("rates of alice, gone for half an hour (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(Rates{100, 100, 100, 100}, rates("bob", 90*time.Minute)); diff != "" {
		t.Errorf("rates of bob, here for half an hour (-want +got):\n%s", diff)
	}
}

// As roll-ups age they get coarser; no work is lost or counted twice.
func TestPruneRollups(t *testing.T) {
	c := &clock{now: noon}
	l, _ := start(t, filepath.Join(t.TempDir(), "shares.db"), Options{Now: c.Now})
	mine(t, l, c, "alice", 0, 3*time.Hour)
	count := func(table string) int { return column[int](t, l, "SELECT count(DISTINCT t) FROM "+table)[0] }

	steps := []struct {
		after         time.Duration
		r10m, r1h, rd int
	}{
		{24 * time.Hour, 18, 0, 0},
		{8*24*time.Hour + 90*time.Minute, 12, 1, 0},
		{9 * 24 * time.Hour, 0, 3, 0},
		{401 * 24 * time.Hour, 0, 0, 1},
		{4000 * 24 * time.Hour, 0, 0, 1},
	}
	for _, step := range steps {
		for range 2 { // the second time there is nothing to do
			if err := l.Prune(t.Context(), noon.Add(step.after)); err != nil {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff([]int{step.r10m, step.r1h, step.rd}, []int{count("r10m"), count("r1h"), count("r1d")}); diff != "" {
			t.Errorf("rows after %s (-want +got):\n%s", step.after, diff)
		}

		day := Query{Address: "alice", From: noon.Add(-12 * time.Hour), To: noon.Add(12 * time.Hour), Step: 24 * time.Hour}
		points, err := l.Hashrate(t.Context(), day)
		if err != nil {
			t.Fatal(err)
		}
		if len(points) != 1 || points[0].Hashrate != 100 {
			t.Errorf("the day's hashrate after %s = %+v, want 100", step.after, points)
		}
		late := column[int](t, l, "SELECT (SELECT total(accepted) FROM r10m) + (SELECT total(accepted) FROM r1h) + (SELECT total(accepted) FROM r1d)")
		if late[0] != 360 {
			t.Errorf("%d shares are in the roll-ups after %s, want 360", late[0], step.after)
		}
	}
}

// Shares go after 48 hours. Shifts are merged by the hour then, but not over a
// block, other nBits, or into the one that still grows.
func TestPruneShifts(t *testing.T) {
	l, _ := start(t, filepath.Join(t.TempDir(), "shares.db"), Options{})
	at := func(minutes int) Share { return share("a", 1, time.Duration(minutes)*time.Minute) }
	other := at(70)
	other.Bits = bitsOf(t, 1000)
	put(t, l,
		at(0), at(10), win(at(20), 1), at(30), at(40), // 1 to 5
		at(60), other, at(80), at(90), // 6 to 9
		at(120), at(130)) // 10 and 11, the newest

	ends := func() []int64 { return column[int64](t, l, "SELECT to_seq FROM shift ORDER BY id") }
	prune := func(after time.Duration) {
		if err := l.Prune(t.Context(), noon.Add(after)); err != nil {
			t.Fatal(err)
		}
	}

	prune(49*time.Hour + 59*time.Minute)
	if diff := cmp.Diff([]int64{3, 5, 6, 7, 8, 9, 10, 11}, ends()); diff != "" {
		t.Errorf("shifts when the first hour is over (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]int64{10, 11}, column[int64](t, l, "SELECT seq FROM share")); diff != "" {
		t.Errorf("shares kept (-want +got):\n%s", diff)
	}

	prune(480 * time.Hour)
	if diff := cmp.Diff([]int64{3, 5, 6, 7, 9, 10, 11}, ends()); diff != "" {
		t.Errorf("shifts in the end (-want +got):\n%s", diff)
	}
	if _, err := l.Window(t.Context(), 4, 2000); err == nil {
		t.Error("a window ends within a merged shift")
	}

	// The newest shift goes on where it was.
	put(t, l, at(130))
	w, err := l.Window(t.Context(), l.Last(), 1000)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := w.Sum.RatString(), "242471/241921000"; got != want {
		t.Errorf("Sum of the window = %s, want %s", got, want)
	}
}
