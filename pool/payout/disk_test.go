package payout

import (
	"errors"
	"strings"
	"testing"

	"github.com/mattn/go-sqlite3"
)

// fill keeps the ledger's file from growing, as a full disk does.
func (b *box) fill() {
	b.t.Helper()
	var free, pages int
	for pragma, out := range map[string]*int{"freelist_count": &free, "page_count": &pages} {
		if err := b.db.Reader().QueryRowContext(b.t.Context(), "PRAGMA "+pragma).Scan(out); err != nil {
			b.t.Fatal(err)
		}
	}
	if free != 0 {
		b.t.Fatalf("the file has room for %d pages", free)
	}
	b.exec("PRAGMA max_page_count = 1") // which SQLite takes for what there is
}

// TestFault46DiskFull: a payout that the ledger has no room for is refused as a
// whole, and drafted when there is room again.
func TestFault46DiskFull(t *testing.T) {
	b := newBox(t, fullLedger(t))
	request := DraftRequest{Actor: "ann", IdemKey: "full", Note: strings.Repeat("so much to say. ", 1000)}
	b.fill()
	_, err := b.desk.Draft(t.Context(), request)
	if full, ok := errors.AsType[sqlite3.Error](err); !ok || full.Code != sqlite3.ErrFull {
		t.Fatalf("Draft = %v, want what SQLite says of a full disk", err)
	}
	b.checkReleased()

	b.reopen()
	p, err := b.desk.Draft(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	b.advance()
	b.approve(b.want(p.ID, Pending, ""))
	b.advance()
	b.wallet.mine(3, 0)
	b.advance()
	b.want(p.ID, Settled, "")
	b.checkPaid()
}

// TestFault46NearlyFull: before the disk is full the policy allows no new payouts.
// What was approved goes on.
func TestFault46NearlyFull(t *testing.T) {
	b := newBox(t, fullLedger(t))
	b.policy.MaxItems = 1
	first, second := b.upTo(Approved), b.upTo(Pending)
	open := b.policy
	b.policy.NotNow = "the disk has only 12 MB left"
	b.policy.AutoApproveBelow, b.policy.AutoApproveDaily = 100*reward, 100*reward

	_, err := b.desk.Draft(t.Context(), DraftRequest{Actor: "ann", IdemKey: "more"})
	if !errors.Is(err, ErrNotNow) || !strings.HasSuffix(err.Error(), ": the disk has only 12 MB left") {
		t.Errorf("Draft = %v, want ErrNotNow", err)
	}
	if err := b.desk.Approve(t.Context(), approvalOf(second)); !errors.Is(err, ErrNotNow) {
		t.Errorf("Approve = %v, want ErrNotNow", err)
	}
	if approved, err := b.desk.ApproveByRule(t.Context()); err != nil || len(approved) != 0 {
		t.Errorf("ApproveByRule = %v, %v, want nothing", approved, err)
	}
	b.advance()
	b.want(first.ID, Broadcast, "")
	b.want(second.ID, Pending, "")

	b.policy = open
	b.approve(second)
	b.advance()
	b.want(second.ID, Broadcast, "")
}
