package payout

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/dmpool/dmpool/pool/ledger"
	"github.com/dmpool/dmpool/pool/node"
)

// A freeze is an event without postings in the ledger. That makes it last over a
// restart, puts it into the hash chain, and lets it be lifted by its reversal.
const (
	freezeRef     = "freeze"
	freezeKind    = "freeze"
	freezeSend    = "freeze:send:"    // and the id of a transaction that is no payout
	freezeMissing = "freeze:missing:" // and a number, a colon, and how many satoshis
	freezeOld     = "freeze:old:"     // and when the backup was made that the ledger comes from, in unix seconds
	liftPrefix    = "lift:"           // and the key of the freeze
)

// Freeze is one reason why payouts stopped. It is never removed.
type Freeze struct {
	At      time.Time
	Reason  string          // a sentence
	TxID    *chainhash.Hash // the unknown transaction, nil when coins are missing
	Missing int64           // satoshis that were missing, zero for a transaction
	Old     time.Time       // when the backup was made that the ledger comes from, zero for the others

	LiftedAt time.Time // zero while it is in force
	LiftedBy string    // who had the last word

	key string
}

// Freezes lists all freezes that there ever were, the latest first.
func (d *Desk) Freezes(ctx context.Context) ([]Freeze, error) {
	events, err := d.ledger.Events(ctx, ledger.EventFilter{Ref: freezeRef}, math.MaxInt32)
	if err != nil {
		return nil, fmt.Errorf("list freezes: %w", err)
	}

	lifted := make(map[int64]ledger.Entry)
	var all []Freeze
	for _, e := range events { // newest first
		if e.Reverses != 0 {
			lifted[e.Reverses] = e
			continue
		}
		f := Freeze{At: e.At, key: e.Key}
		if l, ok := lifted[e.ID]; ok {
			f.LiftedAt, f.LiftedBy = l.At, l.Actor
		}
		if err := f.read(); err != nil {
			return nil, fmt.Errorf("list freezes: %w", err)
		}
		all = append(all, f)
	}

	return all, nil
}

// read fills in what the key says.
func (f *Freeze) read() (err error) {
	if txid, ok := strings.CutPrefix(f.key, freezeSend); ok {
		f.TxID, err = chainhash.NewHashFromStr(txid)
		f.Reason = fmt.Sprintf("Transaction %s has spent money of the pool's wallet, but is no payout of this ledger. "+
			"Somebody else uses the wallet, or the ledger was restored from an old backup.", txid)

		return err
	}
	if at, ok := strings.CutPrefix(f.key, freezeOld); ok {
		var seconds int64
		seconds, err = strconv.ParseInt(at, 10, 64)
		f.Old = time.Unix(seconds, 0)
		f.Reason = fmt.Sprintf("The ledger comes from a backup of %s UTC. It knows no payout that was made later, and would pay it a second time. "+
			"Lift this when the wallet has read the whole chain and you know that there was none, or that it is explained below.", f.Old.UTC().Format("2 January 2006, 15:04"))

		return err
	}
	_, sats, _ := strings.Cut(strings.TrimPrefix(f.key, freezeMissing), ":")
	f.Missing, err = strconv.ParseInt(sats, 10, 64)
	f.Reason = fmt.Sprintf("The wallet has %d sats less than the books say, and no payout explains it. "+
		"Perhaps it was restored from an old backup, or is another wallet of the same name.", f.Missing)

	return err
}

// Frozen reports whether payouts are frozen, and why in a sentence. They are
// when money left the wallet that the ledger knows nothing of, which is what an
// old backup of the ledger, a second box on the same wallet, and a thief look
// like; when coins are missing from the wallet; and when the books do not balance.
// Nothing is then drafted, approved, signed, sent or given up. Payouts that were
// sent are still followed. [Desk.Lift] ends it, once somebody knows what it was.
func (d *Desk) Frozen(ctx context.Context) (reason string, frozen bool) {
	d.mu.Lock()
	broken := d.broken
	d.mu.Unlock()
	if broken != "" {
		return broken, true
	}

	freezes, err := d.Freezes(ctx)
	if err != nil {
		return "The ledger cannot be read.", true
	}
	for _, f := range freezes {
		if f.LiftedAt.IsZero() {
			return f.Reason, true
		}
	}

	return "", false
}

// checkFrozen is ErrFrozen, with the reason, when payouts are frozen.
func (d *Desk) checkFrozen(ctx context.Context) error {
	if reason, frozen := d.Frozen(ctx); frozen {
		return fmt.Errorf("%w: %s", ErrFrozen, reason)
	}

	return nil
}

// watch looks at what left the wallet since the last look. Only transactions
// whose signature is stored, or that were handed out to be signed, are ours: one that was planned here but is in the
// chain without a signature in the ledger was signed by a ledger newer than this
// one. How far was looked is kept in the ledger's file, so that an old backup of
// it looks from where it was made, however long ago that is.
func (d *Desk) watch(ctx context.Context) error {
	last, err := d.lastLook(ctx)
	if err != nil {
		return err
	}
	since, err := d.wallet.ListSinceBlock(ctx, last)
	if node.IsCode(err, node.ErrCodeNotFound) && last != (chainhash.Hash{}) {
		since, err = d.wallet.ListSinceBlock(ctx, chainhash.Hash{})
	}
	if err != nil {
		return err
	}

	looked := make(map[chainhash.Hash]bool)
	for _, e := range since.Transactions {
		if e.Category != "send" || looked[e.TxID] {
			continue
		}
		looked[e.TxID] = true

		var ours bool
		err := d.db.Reader().QueryRowContext(ctx, `
			SELECT EXISTS (SELECT 1 FROM payout_tx WHERE txid = ?1 OR expected = ?1 AND exported_at IS NOT NULL) OR EXISTS (SELECT 1 FROM sponsor WHERE txid = ?1)`,
			e.TxID[:]).Scan(&ours)
		if err != nil {
			return fmt.Errorf("look for transaction: %w", err)
		}
		if !ours {
			if err := d.freeze(ctx, e.TxID); err != nil {
				return err
			}
		}
	}
	if since.LastBlock == last {
		return nil
	}

	return d.storeLook(ctx, since.LastBlock)
}

// lastLook is the block up to which the wallet's movements were looked at; the
// zero hash, before the first look, means none.
func (d *Desk) lastLook(ctx context.Context) (block chainhash.Hash, err error) {
	var stored *chainhash.Hash
	err = d.db.Reader().QueryRowContext(ctx, `SELECT block FROM payout_look`).Scan(hashColumn{&stored})
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return chainhash.Hash{}, nil
	case err != nil:
		return chainhash.Hash{}, fmt.Errorf("read last look: %w", err)
	}

	return *stored, nil
}

func (d *Desk) storeLook(ctx context.Context, block chainhash.Hash) error {
	err := d.db.Update(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `
			INSERT INTO payout_look (id, block) VALUES (1, ?)
			ON CONFLICT (id) DO UPDATE SET block = excluded.block`, block[:])

		return err
	})
	if err != nil {
		return fmt.Errorf("store last look: %w", err)
	}

	return nil
}

// LookAgain has all that ever left the wallet looked at again, in the transaction that
// makes another wallet the pool's, or that notes that one has read the chain. What is
// known by then freezes nothing.
func LookAgain(ctx context.Context, tx *sql.Tx) error {
	if _, err := tx.ExecContext(ctx, `DELETE FROM payout_look`); err != nil {
		return fmt.Errorf("forget last look: %w", err)
	}

	return nil
}

// freeze stops all payouts because of a transaction that is none of them. One
// that was looked into and lifted does not stop them again.
func (d *Desk) freeze(ctx context.Context, txid chainhash.Hash) error {
	err := d.ledger.Update(ctx, func(tx *ledger.Tx) error { return d.postFreeze(ctx, tx, freezeSend+txid.String()) })
	if errors.Is(err, ledger.ErrPosted) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("freeze payouts: %w", err)
	}

	d.log.Error("Unknown payment from the wallet, payouts are frozen", "txid", txid)
	d.frozenEvent(ctx)

	return nil
}

// freezeMissing stops all payouts because the wallet has less than it should.
func (d *Desk) freezeMissing(ctx context.Context, c Comparison) error {
	err := d.ledger.Update(ctx, func(tx *ledger.Tx) error {
		var n int
		err := tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM event WHERE ref = ? AND reverses IS NULL`, freezeRef).Scan(&n)
		if err != nil {
			return err
		}

		return d.postFreeze(ctx, tx, fmt.Sprintf("%s%d:%d", freezeMissing, n+1, c.Missing()))
	})
	if err != nil {
		return fmt.Errorf("freeze payouts: %w", err)
	}

	d.log.Error("Coins are missing from the wallet, payouts are frozen",
		"missing", c.Missing(), "booked", c.Booked, "on_the_way", c.OnTheWay, "wallet", c.Wallet, "height", c.Height)
	d.frozenEvent(ctx)

	return nil
}

func (d *Desk) postFreeze(ctx context.Context, tx *ledger.Tx, key string) error {
	return postFreeze(ctx, tx, key, d.now())
}

func postFreeze(ctx context.Context, tx *ledger.Tx, key string, at time.Time) error {
	return tx.Post(ctx, ledger.Event{Key: key, Kind: freezeKind, Ref: freezeRef, Actor: "payout", At: at}, nil)
}

// Uncovered reports whether payouts are frozen because miners are owed more than
// there is, in books that are otherwise in order: a block has left the chain after
// its reward was paid. [Desk.BookSurplus] of what somebody adds ends that.
func (d *Desk) Uncovered() bool {
	d.mu.Lock()
	defer d.mu.Unlock()

	return d.uncovered
}

// CheckBooks adds up the whole ledger and freezes payouts as long as it
// contradicts itself, or owes more than there is: then the error wraps an
// [*ledger.InvariantError].
func (d *Desk) CheckBooks(ctx context.Context) error {
	err := d.ledger.Check(ctx)
	if _, wrong := errors.AsType[*ledger.InvariantError](err); err != nil && !wrong {
		return err
	}

	broken, uncovered := "", ledger.Uncovered(err)
	switch {
	case uncovered:
		broken = fmt.Sprintf("A block has left the chain after its reward was paid (%v). "+
			"Payouts go on when somebody has added to the wallet what is missing, or those who got it have earned as much again.", err)
	case err != nil:
		broken = fmt.Sprintf("The ledger does not add up: %v.", err)
	}
	d.mu.Lock()
	fresh := broken != "" && d.broken == ""
	d.broken, d.uncovered = broken, uncovered
	d.mu.Unlock()

	if fresh {
		d.log.Error("Ledger does not add up, payouts are frozen", "err", err)
		d.frozenEvent(ctx)
	}

	return err
}

// frozenEvent tells the rest of the pool.
func (d *Desk) frozenEvent(ctx context.Context) {
	reason, _ := d.Frozen(ctx)
	d.notify(Event{Problem: reason})
}
