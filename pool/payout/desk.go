package payout

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/dmpool/dmpool/pool/ledger"
	"github.com/dmpool/dmpool/pool/sqlite"
)

// Errors on which callers branch. They come wrapped.
var (
	// ErrNotFound says that there is no such payout.
	ErrNotFound = errors.New("no such payout")
	// ErrNothingDue says that no account can be paid now.
	ErrNothingDue = errors.New("nothing is due")
	// ErrStale says that the payout is no longer as the caller saw it: another
	// click was faster, or it expired, or is on its way already.
	ErrStale = errors.New("the payout has changed meanwhile")
	// ErrExpired says that the time for an approval is over.
	ErrExpired = errors.New("the time for an approval is over")
	// ErrSecondPerson says that a payout of this size also needs the approval of
	// somebody else.
	ErrSecondPerson = errors.New("another person has to approve this payout")
	// ErrHold says that an account of the payout is on hold.
	ErrHold = errors.New("an account of this payout is on hold")
	// ErrSweep says that money may not go to the cold address now: it is not the
	// pool's own any more, or the address is another one.
	ErrSweep = errors.New("this cannot go to the cold address")
	// ErrNothingOwn says that the pool has nothing of its own to move: nothing that
	// is worth a payout, or nothing beyond the limit of the wallet.
	ErrNothingOwn = errors.New("nothing of the pool's own is to be moved")
	// ErrNotNow says that the policy allows nothing new at the moment; see [Policy.NotNow].
	ErrNotNow = errors.New("no payout is made at the moment")
	// ErrFrozen says that no payout may be made; see [Desk.Frozen].
	ErrFrozen = errors.New("payouts are frozen")
)

// Desk makes the payouts of one pool from one wallet. There is one Desk for a
// ledger. Its methods can be called concurrently.
type Desk struct {
	db      *sqlite.DB
	ledger  *ledger.Ledger
	wallet  Wallet
	policy  func() Policy
	pass    Passphrase
	journal Journal
	notify  func(Event)
	log     *slog.Logger
	now     func() time.Time
	uptime  func() time.Duration // cannot be set, other than now

	cold atomic.Bool   // the wallet has no private keys
	tip  atomic.Int32  // height of the chain at the last pass
	turn chan struct{} // held by the one pass over the payouts that may run

	// Only that pass uses this.
	reconciled bool           // since this Desk was made
	comparedAt chainhash.Hash // block at which books and wallet were compared
	missed     int64          // what was missing from the wallet at the last look

	mu         sync.Mutex
	broken     string // what is wrong with the ledger's books, a sentence; empty when they balance
	uncovered  bool   // and that is only that miners are owed more than there is
	comparison Comparison
	deadlines  map[int64]deadline // by payout, since this Desk was made
}

// New returns a Desk. policy is asked at each step. notify is told of every
// change and must not block; journal is told of every decision, in its transaction.
// Both may be nil. New does no I/O; [Desk.Reconcile], or
// the first [Desk.Advance], makes sure that ledger and wallet agree before
// anything else is done.
func New(db *sqlite.DB, l *ledger.Ledger, w Wallet, policy func() Policy, pass Passphrase, journal Journal, notify func(Event), log *slog.Logger) *Desk {
	if journal == nil {
		journal = func(context.Context, *ledger.Tx, Deed) error { return nil }
	}
	if notify == nil {
		notify = func(Event) {}
	}

	return &Desk{
		db: db, ledger: l, wallet: w,
		policy: func() Policy { return policy().orDefaults() },
		pass:   pass, journal: journal, notify: notify, log: log,
		now: time.Now, uptime: monotonic(),
		turn:      make(chan struct{}, 1),
		deadlines: map[int64]deadline{},
	}
}

// DraftRequest asks for a payout of all that is due.
type DraftRequest struct {
	Actor string // operator's name, or the job that drafts by rule
	IP    string // where the operator was
	// IdemKey names the request: the same key gives the same payout again,
	// whatever has become of it. The client makes it up before it asks.
	IdemKey string
	Note    string // operator's words, may be empty
}

// Draft selects what is due and reserves it, in one transaction. The payout is
// the operator's to approve as soon as [Desk.Advance] has funded it. The error
// is ErrNothingDue, ErrNotNow or ErrFrozen, or says what went wrong.
func (d *Desk) Draft(ctx context.Context, r DraftRequest) (Payout, error) {
	balances, err := d.ledger.Balances(ctx)
	if err != nil {
		return Payout{}, fmt.Errorf("draft payout: %w", err)
	}

	return d.prepare(ctx, r, func(tx *ledger.Tx) (order, error) { return d.due(ctx, tx, balances) })
}

// order is what a payout is to pay, and the postings that set it aside.
type order struct {
	purpose   Purpose
	items     []Item
	feePolicy FeePolicy
	postings  []ledger.Posting
}

// prepare drafts the payout that choose orders, unless the same request has made one.
func (d *Desk) prepare(ctx context.Context, r DraftRequest, choose func(*ledger.Tx) (order, error)) (Payout, error) {
	if r.IdemKey == "" || r.Actor == "" {
		return Payout{}, errors.New("draft payout: the actor or the idempotency key is missing")
	}
	if id, ok, err := d.drafted(ctx, d.db.Reader(), r.IdemKey); err != nil {
		return Payout{}, err
	} else if ok {
		return d.Get(ctx, id)
	}
	if err := d.checkFrozen(ctx); err != nil {
		return Payout{}, err
	}
	if err := d.policy().now(); err != nil {
		return Payout{}, err
	}

	var id int64
	fresh := false
	err := d.ledger.Update(ctx, func(tx *ledger.Tx) (err error) {
		var known bool
		id, known, err = d.drafted(ctx, tx, r.IdemKey)
		if err != nil || known {
			return err
		}
		fresh = true
		o, err := choose(tx)
		if err != nil {
			return err
		}
		if id, err = d.reserve(ctx, tx, r, o); err != nil {
			return err
		}
		action := "payout.draft"
		if o.purpose == PurposeSweep {
			action = "payout.sweep"
		}

		return d.record(ctx, tx, Deed{Action: action, Object: ref(id), Actor: r.Actor, IP: r.IP, Detail: satsOf(total(o.items), nil)})
	})
	if err != nil {
		return Payout{}, fmt.Errorf("draft payout: %w", err)
	}

	p, err := d.Get(ctx, id)
	if err == nil && fresh {
		d.log.Info("Payout drafted", "payout", id, "purpose", p.Purpose, "sats", p.Total, "recipients", p.Recipients)
		d.changed(p)
	}

	return p, err
}

// drafted looks for a payout made by the same request.
func (d *Desk) drafted(ctx context.Context, q sqlite.Querier, key string) (id int64, ok bool, err error) {
	err = q.QueryRowContext(ctx, `SELECT id FROM payout WHERE idem_key = ?`, key).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, fmt.Errorf("look for payout: %w", err)
	}

	return id, true, nil
}

// due orders a payout of all that is due.
func (d *Desk) due(ctx context.Context, tx *ledger.Tx, balances []ledger.Balance) (order, error) {
	candidates, err := candidates(ctx, tx, balances)
	if err != nil {
		return order{}, err
	}

	policy := d.policy()
	used, err := spent(ctx, tx, 0, d.now().Add(-24*time.Hour), true)
	if err != nil {
		return order{}, err
	}
	items, _ := Choose(candidates, policy, used)
	if len(items) == 0 {
		return order{}, ErrNothingDue
	}
	if err := policy.caps(total(items), len(items), used); err != nil {
		return order{}, err
	}

	postings := make([]ledger.Posting, 0, 2*len(items))
	for _, i := range items {
		postings = append(postings,
			ledger.Posting{Account: i.Account, Bucket: ledger.Payable, Amount: i.Amount},
			ledger.Posting{Account: i.Account, Bucket: ledger.Reserved, Amount: -i.Amount})
	}

	return order{purpose: PurposeMiners, items: items, feePolicy: policy.FeePolicy, postings: postings}, nil
}

// reserve writes a payout and sets its money aside.
func (d *Desk) reserve(ctx context.Context, tx *ledger.Tx, r DraftRequest, o order) (id int64, err error) {
	now, sum := d.now(), total(o.items)
	err = tx.QueryRowContext(ctx, `
		INSERT INTO payout (created_by, created_at, updated_at, purpose, total, n_items, fee_policy, fee_cap, idem_key, note)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		RETURNING id`,
		r.Actor, now.UnixMilli(), now.UnixMilli(), o.purpose, sum, len(o.items), o.feePolicy, d.policy().feeCap(sum), r.IdemKey, r.Note).Scan(&id)
	if err != nil {
		return 0, fmt.Errorf("write payout: %w", err)
	}
	for _, i := range o.items {
		_, err := tx.ExecContext(ctx, `
			INSERT INTO payout_item (payout, account, script, address, amount) VALUES (?, ?, ?, ?, ?)`,
			id, i.Account, i.Script, i.Address, i.Amount)
		if err != nil {
			return 0, fmt.Errorf("write item: %w", err)
		}
	}

	return id, tx.Post(ctx, ledger.Event{
		Key: reserveKey(id, 0), Kind: ledger.KindReserve, Ref: ref(id), Actor: r.Actor, At: now,
	}, o.postings)
}

// Cancel gives up a payout that has no signature yet and makes its money payable
// again. ErrStale when it is not at this revision, or is signed: then only the
// chain decides. ErrExported when it may be signed elsewhere.
func (d *Desk) Cancel(ctx context.Context, c Change) error {
	if err := d.checkFrozen(ctx); err != nil {
		return err
	}
	p, err := d.Get(ctx, c.ID)
	if err != nil {
		return err
	}
	if p.Rev == c.Rev && p.exported() {
		return fmt.Errorf("cancel payout %d: %w", c.ID, ErrExported)
	}
	if p.Rev != c.Rev || !p.Can.Cancel {
		return fmt.Errorf("cancel payout %d: %w", c.ID, ErrStale)
	}

	return d.giveUp(ctx, p, Cancelled, c.Actor, c.deed("payout.cancel", satsOf(p.Total, nil)))
}

// giveUp ends a payout of which no signature is stored: the money is payable
// again and the coins are free. A signature that is being made at this moment
// comes to nothing, because it is stored, before it is sent, only if the payout
// is still approved.
func (d *Desk) giveUp(ctx context.Context, p Payout, to State, actor string, deeds ...Deed) error {
	err := d.ledger.Update(ctx, func(tx *ledger.Tx) error {
		for _, statement := range []string{
			`UPDATE payout_tx SET state = 'dead' WHERE payout = ?`,
			`DELETE FROM utxo_lease WHERE payout = ?`,
		} {
			if _, err := tx.ExecContext(ctx, statement, p.ID); err != nil {
				return err
			}
		}

		if err := d.release(ctx, tx, p, to, actor); err != nil {
			return err
		}

		return d.record(ctx, tx, deeds...)
	})
	if err != nil {
		return fmt.Errorf("give up payout %d: %w", p.ID, err)
	}

	d.log.Info("Payout given up", "payout", p.ID, "state", to, "sats", p.Total)
	p.State, p.Problem = to, ""
	d.changed(p)

	return nil
}

// changed tells the rest of the pool about a payout.
func (d *Desk) changed(p Payout) {
	d.notify(Event{Payout: p.ID, State: p.State, Total: p.Total, TxID: p.TxID, Problem: p.Problem})
}
