package ledger_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dmpool/dmpool/pool/ledger"
)

// all reads a statement in pieces of so many events.
func all(t *testing.T, l *ledger.Ledger, account int64, events int) []string {
	t.Helper()
	var text []string
	for after := int64(0); ; {
		lines, err := l.Lines(t.Context(), account, after, events)
		if err != nil {
			t.Fatal(err)
		}
		if len(lines) == 0 {
			return text
		}
		for _, line := range lines {
			about := "no block"
			if b := line.Block; b != nil {
				about = fmt.Sprintf("block %d of %d, fee %d, donation %d", b.Height, b.Value, b.Fee, b.Donation)
			}
			text = append(text, fmt.Sprintf("%d %s %s %s %d, %s", line.ID, line.Kind, line.Address, line.Bucket, line.Amount, about))
		}
		after = lines[len(lines)-1].ID
	}
}

func TestLines(t *testing.T) {
	l, _ := open(t)
	h := mine(t, l, 1)
	observe(t, l, h, confirmed(1), confirmed(101))
	if err := post(t, l, event("pay:1:reserve", ledger.KindReserve), reserve(102, 1000)); err != nil {
		t.Fatal(err)
	}

	const block = "block 1 of 312512344, fee 4687685, donation 1562561"
	want := []string{
		"1 credit bob pending -107191734, " + block,
		"2 mature bob pending 107191734, " + block,
		"2 mature bob payable -107191734, " + block,
		"3 reserve bob payable 1000, no block",
		"3 reserve bob reserved -1000, no block",
	}
	for _, events := range []int{1, 2, 100} {
		if diff := cmp.Diff(want, all(t, l, 102, events)); diff != "" {
			t.Errorf("lines of bob, %d events at a time (-want +got):\n%s", events, diff)
		}
	}

	pool := all(t, l, 0, 2)
	if len(pool) != 7+10+2 {
		t.Errorf("the whole book has %d lines, want 19:\n%v", len(pool), pool)
	}
	if pool[0] != "1 credit wallet:immature  312512344, "+block {
		t.Errorf("it begins with %q", pool[0])
	}
	if got := all(t, l, 999, 10); got != nil {
		t.Errorf("nobody has the lines %v", got)
	}
}

func TestCredits(t *testing.T) {
	l, _ := open(t)
	first, second := mine(t, l, 1), mine(t, l, 2)
	observe(t, l, first, confirmed(1))

	got, err := l.Credits(t.Context(), "bob", 10)
	if err != nil {
		t.Fatal(err)
	}
	at := found(1).At
	want := []ledger.BlockCredit{
		{Hash: second, Height: 2, At: at, State: ledger.StateFound, Amount: 107_191_734},
		{Hash: first, Height: 1, At: at, State: ledger.StateAccepted, Amount: 107_191_734},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Credits (-want +got):\n%s", diff)
	}
	if got, err = l.Credits(t.Context(), "bob", 1); err != nil || len(got) != 1 {
		t.Errorf("Credits with a limit of 1 = %v, %v", got, err)
	}
	if got, err = l.Credits(t.Context(), "erin", 10); err != nil || got != nil {
		t.Errorf("Credits of a stranger = %v, %v", got, err)
	}
}

func TestCredited(t *testing.T) {
	l, _ := open(t)
	ctx := t.Context()
	first := mine(t, l, 1)
	observe(t, l, first, confirmed(1), confirmed(101))
	found, err := l.Block(ctx, first)
	if err != nil {
		t.Fatal(err)
	}
	mine(t, l, 2) // nobody knows yet whether it stays
	for name, tc := range map[string]struct {
		address  string
		from, to time.Duration // from when the block was found
		want     int64
	}{
		"in it":     {"bob", 0, time.Second, 107_191_734},
		"before":    {"bob", -time.Hour, 0, 0},
		"after":     {"bob", time.Millisecond, time.Hour, 0},
		"a nobody":  {"nobody", -time.Hour, time.Hour, 0},
		"all times": {"bob", -1000 * time.Hour, 1000 * time.Hour, 107_191_734},
	} {
		if got, err := l.Credited(ctx, tc.address, found.At.Add(tc.from), found.At.Add(tc.to)); got != tc.want || err != nil {
			t.Errorf("%s: %d, %v, want %d", name, got, err, tc.want)
		}
	}
}
