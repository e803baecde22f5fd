package payout

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/dmpool/dmpool/pool/ledger"
	"github.com/dmpool/dmpool/pool/sqlite"
)

var errUnwritten = errors.New("the disk is full")

// journal writes deeds to the audit log of the ledger's file, as the appliance does.
func (b *box) journal(ctx context.Context, tx *ledger.Tx, e Deed) error {
	if b.unwritten != nil {
		return b.unwritten
	}
	_, err := tx.ExecContext(ctx, `
		INSERT INTO audit (seq, at, actor, action, object, result, ip, prev_hash, hash)
		SELECT COUNT(*) + 1, 0, ?, ?, ?, 'ok', ?, COALESCE((SELECT hash FROM audit ORDER BY seq DESC LIMIT 1), zeroblob(32)), randomblob(32) FROM audit`,
		e.Actor, e.Action, e.Object, e.IP)

	return err
}

// recorded lists what is in the audit log.
func (b *box) recorded() []string {
	b.t.Helper()
	rows, err := b.db.Reader().QueryContext(b.t.Context(), `SELECT action || ' ' || object || ' ' || actor || ' ' || ip FROM audit ORDER BY seq`)
	b.must(err)
	all, err := sqlite.Collect(rows, func(r *sql.Rows) (text string, err error) { return text, r.Scan(&text) })
	b.must(err)

	return all
}

// money is all that the tables about payouts and their books hold, as text.
func (b *box) money() string {
	b.t.Helper()
	var all strings.Builder
	for _, table := range []string{"payout", "payout_item", "payout_tx", "tx_input", "utxo_lease", "approval", "sponsor", "event", "posting", "correction", "account"} {
		rows, err := b.db.Reader().QueryContext(b.t.Context(), `SELECT * FROM `+table)
		b.must(err)
		columns, err := rows.Columns()
		b.must(err)
		lines, err := sqlite.Collect(rows, func(r *sql.Rows) (string, error) {
			values := make([]any, len(columns))
			for i := range values {
				values[i] = new(any)
			}
			err := r.Scan(values...)
			for i, v := range values {
				values[i] = *v.(*any)
			}

			return fmt.Sprint(values), err
		})
		b.must(err)
		fmt.Fprintln(&all, table, lines)
	}

	return all.String()
}

// recordedWith decides something twice: while the journal cannot be written, when
// nothing may change, and then for good, when exactly this is in the journal.
func (b *box) recordedWith(want string, do func() error) {
	b.t.Helper()
	before, rows := b.money(), len(b.recorded())
	b.unwritten = errUnwritten
	if err := do(); !errors.Is(err, errUnwritten) {
		b.t.Errorf("%s without a journal: %v", want, err)
	}
	if after := b.money(); after != before {
		b.t.Errorf("%s without a journal has changed the books:\n%s\n%s", want, before, after)
	}
	b.unwritten = nil
	if err := do(); err != nil && !errors.Is(err, ErrSecondPerson) {
		b.t.Fatalf("%s: %v", want, err)
	}
	if b.money() == before {
		b.t.Errorf("%s has changed nothing", want)
	}
	all := b.recorded()
	if len(all) != rows+1 || all[rows] != want {
		b.t.Errorf("the journal has %q, want %q", all[rows:], want)
	}
}

// TestDecisionsAreRecorded: what a person or a rule decides is there with its line in
// the journal, or not at all.
func TestDecisionsAreRecorded(t *testing.T) {
	full := fullLedger(t)
	ctx := t.Context()
	request := DraftRequest{Actor: "ann", IP: "192.0.2.1", IdemKey: "one"}
	for name, test := range map[string]func(b *box){
		"a payout": func(b *box) {
			draft := func() error { _, err := b.desk.Draft(ctx, request); return err }
			b.recordedWith("payout.draft pay:1 ann 192.0.2.1", draft)
			b.must(draft()) // asked again: nothing new is decided
			b.advance()
			b.recordedWith("payout.approve pay:1 ann 192.0.2.1", func() error { return b.desk.Approve(ctx, approvalOf(b.get(1))) })
			b.recordedWith("payout.cancel pay:1 ann 192.0.2.1", func() error { return b.desk.Cancel(ctx, changeOf(b.get(1), "")) })
		},
		"the first of two": func(b *box) {
			b.policy.SecondPersonAbove = 1
			b.draft()
			b.advance()
			b.recordedWith("payout.approve pay:1 ann 192.0.2.1", func() error { return b.desk.Approve(ctx, approvalOf(b.get(1))) })
			b.want(1, Pending, "")
		},
		"the rule": func(b *box) {
			b.policy.AutoApproveBelow, b.policy.AutoApproveDaily = 10*reward, 10*reward
			b.draft()
			b.advance()
			b.recordedWith("payout.approve pay:1 rule ", func() error { _, err := b.desk.ApproveByRule(ctx); return err })
		},
		"a sweep": func(b *box) {
			b.coldly()
			b.recordedWith("payout.sweep pay:1 ann 192.0.2.1", func() error { _, err := b.request(request); return err })
		},
		"a freeze and a debt": func(b *box) {
			b.wallet.mine(1, 0)
			b.settled()
			b.thief()
			b.advance()
			l := b.seen(Lift{Reason: "the seed leaked", Actor: "ann", IP: "192.0.2.1", Operators: 2})
			b.recordedWith("books.lift  ann 192.0.2.1", func() error { return b.desk.Lift(ctx, l) })
			l.Actor = "bob"
			b.recordedWith("books.lift  bob 192.0.2.1", func() error { return b.desk.Lift(ctx, l) })
			b.observe(chainhash.HashH([]byte("1")), -1)
			a := Adjust{Address: addressOf(t, script(3)), Amount: -b.payable(3), Reason: "the machine is sold", Actor: "ann", IP: "192.0.2.1"}
			b.recordedWith("account.adjust "+a.Address+" ann 192.0.2.1", func() error { return b.desk.Adjust(ctx, a) })
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBox(t, full)
			test(b)
		})
	}
}

// TestSigningElsewhereIsRecorded: who hands out a payout and who takes it back is
// written down with it.
func TestSigningElsewhereIsRecorded(t *testing.T) {
	b, p := coldBox(t)
	ctx := t.Context()
	if _, err := b.desk.Exported(ctx, p.ID, p.Rev); !errors.Is(err, ErrStale) {
		t.Errorf("what was not handed out: %v, want ErrStale", err)
	}
	var text string
	b.recordedWith("payout.export pay:1 ann 192.0.2.1", func() (err error) { text, err = b.desk.Export(ctx, changeOf(b.get(p.ID), "")); return err })
	p = b.get(p.ID)
	before := b.money()
	if again, err := b.desk.Exported(ctx, p.ID, p.Rev); err != nil || again != text || b.money() != before {
		t.Errorf("handed out once more: %v", err)
	}
	b.recordedWith("payout.import pay:1 ann 192.0.2.1", func() error { return b.desk.Import(ctx, changeOf(p, ""), b.signElsewhere(text)) })
	if _, err := b.desk.Exported(ctx, p.ID, p.Rev); !errors.Is(err, ErrStale) {
		t.Errorf("what has come back: %v, want ErrStale", err)
	}
}

// TestChangesAreRecorded does the same for what is done about a payout on its way.
func TestChangesAreRecorded(t *testing.T) {
	r := newRealBox(t)
	ctx := t.Context()
	p := r.onTheWay()
	r.recordedWith("payout.bump pay:1 ann 192.0.2.1", func() error { return r.desk.Bump(ctx, changeOf(r.get(p.ID), "5")) })
	r.advance()
	r.recordedWith("payout.sponsor pay:1 ann 192.0.2.1", func() error { return r.desk.Sponsor(ctx, changeOf(r.get(p.ID), "9")) })
	r.recordedWith("payout.take-back pay:1 ann 192.0.2.1", func() error { return r.desk.CancelSent(ctx, changeOf(r.get(p.ID), "30")) })
}
