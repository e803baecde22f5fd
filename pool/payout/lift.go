package payout

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/dmpool/dmpool/pool/ledger"
	"github.com/dmpool/dmpool/pool/node"
	"github.com/dmpool/dmpool/pool/sqlite"
)

// Lift asks to correct the books by hand. The caller has made sure that the
// person is who they say, at this moment.
type Lift struct {
	Reason string // the person's words: what it was
	Actor  string
	IP     string
	// What the person has seen and decided on: how many freezes are in force, and
	// what is booked, in satoshis, negative when they were gone. If it is something
	// else by now, nothing is done.
	Freezes int
	Amount  int64
	// Operators is how many people operate this pool. With more than one, two of
	// them have to ask for the same; a person who is alone decides alone.
	Operators int
}

// Correction is a person's say in a correction of the books by hand.
type Correction struct {
	What   string // the same for all who agreed to the same; adj:<What> is its event, if an amount was booked
	User   string
	Amount int64 // satoshis; negative when they were gone, or were taken off the account
	Reason string
	At     time.Time

	Address string          // whose account was corrected; empty when it was about the wallet
	TxID    *chainhash.Hash // what had paid them; nil when a debt was written off

	account int64
}

// adjPrefix and what a correction is called are the key of its event.
const adjPrefix = "adj:"

// errNobody says that a correction has no author.
var errNobody error = problemError("Somebody has to say, in their name, what it was.")

// There is nothing of the kind to correct.
var (
	errNotFrozen error = problemError("Payouts are not frozen.")
	errNoSurplus error = problemError("The wallet has no more than the books say.")
)

// Lift ends all freezes that are in force, after a person has found out what they
// were. What the wallet lacks is booked as lost, against pool:reserve, so that
// books and wallet agree again: the miners are still owed everything, and
// [ledger.Sums.Shortfall] says what has to be added to pay them all. Miners whom one
// of the unknown transactions has paid are put on hold: if it was a payout that a
// restored backup does not know, they would be paid a second time. A freeze that
// was lifted stays in [Desk.Freezes], and what people said in [Desk.Corrections].
//
// The error is ErrStale when it is not what the person has seen, ErrSecondPerson when
// this yes is written down and somebody else has to agree, or a refusal in words: an unknown transaction is not in a
// block yet, the ledger contradicts itself, or the node cannot be asked.
func (d *Desk) Lift(ctx context.Context, l Lift) error {
	return d.correct(ctx, l, "lift freeze", "books.lift", func(c Comparison, open []Freeze) (int64, error) {
		if len(open) == 0 {
			return 0, errNotFrozen
		}
		for _, f := range open {
			if err := d.checkDecided(ctx, f); err != nil {
				return 0, err
			}
		}

		return -c.Missing(), nil
	})
}

// BookSurplus books the confirmed coins that somebody has sent to the wallet as
// the pool's own, to pool:reserve: that is how a shortfall is made good, also one
// that freezes payouts ([Desk.Uncovered]). The errors are those of Lift.
func (d *Desk) BookSurplus(ctx context.Context, l Lift) error {
	return d.correct(ctx, l, "book surplus", "books.surplus", func(c Comparison, open []Freeze) (int64, error) {
		if len(open) > 0 {
			return 0, ErrFrozen
		}
		if c.Surplus() == 0 {
			return 0, errNoSurplus
		}
		blocks, err := d.ledger.Unfinished(ctx)
		if err != nil {
			return 0, err
		}
		for _, b := range blocks {
			if b.State == ledger.StateFound {
				return 0, problemf("The block that was found at height %d is not booked yet, and the wallet may have its coins. Wait until it is.", b.Height)
			}
		}

		return c.Surplus(), nil
	})
}

// checkDecided refuses to lift a freeze as long as it is open what it costs: the
// unknown transaction can still confirm, or disappear.
func (d *Desk) checkDecided(ctx context.Context, f Freeze) error {
	if f.TxID == nil {
		return nil
	}
	tx, err := d.wallet.WalletTx(ctx, *f.TxID)
	if node.IsCode(err, node.ErrCodeNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if tx.Confirmations == 0 && !tx.Abandoned() {
		return problemf("Transaction %v is not in a block yet. Wait until it is: what it costs is not certain before.", *f.TxID)
	}

	return nil
}

// correct compares books and wallet, asks for the amount that is to be booked,
// writes down who agreed and, when those are enough, carries it out.
func (d *Desk) correct(ctx context.Context, l Lift, what, action string, amount func(Comparison, []Freeze) (int64, error)) error {
	if l.Reason == "" || l.Actor == "" {
		return errNobody
	}
	err := d.exclusive(ctx, func() error {
		p, err := d.survey(ctx)
		if err != nil {
			return err
		}
		if err := d.CheckBooks(ctx); err != nil && !ledger.Uncovered(err) {
			return problemf("The ledger contradicts itself, so no correction can be booked: %v.", err)
		}
		c, ok, err := d.compare(ctx, p)
		if err != nil {
			return err
		}
		if !ok {
			return problemError("Books and wallet were moving while they were compared. Try again.")
		}
		d.mu.Lock()
		d.comparison = c // what the person sees next
		d.mu.Unlock()
		freezes, err := d.Freezes(ctx)
		if err != nil {
			return err
		}
		open := slices.DeleteFunc(freezes, func(f Freeze) bool { return !f.LiftedAt.IsZero() })
		sats, err := amount(c, open)
		if err != nil {
			return err
		}
		if l.Freezes != len(open) || l.Amount != sats {
			return ErrStale
		}

		got, err := d.paidUnbooked(ctx, p, open)
		if err != nil {
			return err
		}
		if err := d.agree(ctx, l, action, sats, open, got); err != nil {
			return err
		}
		if err := d.CheckBooks(ctx); err != nil && !ledger.Uncovered(err) {
			return err
		}

		return nil
	})
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}

	return nil
}

// paidUnbooked are the addresses of the miners whom the unknown transactions pay. A
// miner who mines to the pool's own wallet got nothing by its change.
func (d *Desk) paidUnbooked(ctx context.Context, p pass, open []Freeze) ([]string, error) {
	var addresses []string
	for _, f := range open {
		if f.TxID == nil {
			continue
		}
		known, err := d.wallet.WalletTx(ctx, *f.TxID)
		if node.IsCode(err, node.ErrCodeNotFound) || err == nil && known.Confirmations < 1 {
			continue // it has paid nobody
		}
		tx := new(wire.MsgTx)
		if err == nil {
			err = tx.Deserialize(bytes.NewReader(known.Raw))
		}
		if err != nil {
			return nil, fmt.Errorf("read transaction %v: %w", *f.TxID, err)
		}
		for _, out := range tx.TxOut {
			var address string
			err := d.db.Reader().QueryRowContext(ctx, `SELECT address FROM account WHERE script = ?`, out.PkScript).Scan(&address)
			if errors.Is(err, sql.ErrNoRows) {
				continue
			}
			mine := false
			if err == nil {
				mine, err = d.isMine(ctx, out.PkScript, p.params)
			}
			if err != nil {
				return nil, fmt.Errorf("read transaction %v: %w", *f.TxID, err)
			}
			if !mine {
				addresses = append(addresses, address)
			}
		}
	}

	return addresses, nil
}

// agree writes a person's agreement, and with the last one needed the books.
func (d *Desk) agree(ctx context.Context, l Lift, action string, amount int64, open []Freeze, got []string) error {
	decided := false

	err := d.ledger.Update(ctx, func(tx *ledger.Tx) error {
		now := d.now()
		var booked int
		if err := tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM event WHERE kind = ?`, ledger.KindAdjust).Scan(&booked); err != nil {
			return err
		}
		what := correctionID(amount, open, booked)
		var err error
		decided, err = say(ctx, tx, Correction{What: what, User: l.Actor, Amount: amount, Reason: l.Reason, At: now}, l.IP, l.Operators)
		if err != nil {
			return err
		}
		err = d.record(ctx, tx, Deed{Action: action, Actor: l.Actor, IP: l.IP, Detail: said(amount, l.Reason, decided)})
		if err != nil || !decided {
			return err
		}

		if err := book(ctx, tx, what, amount, open, l.Actor, now); err != nil {
			return err
		}
		for _, address := range got {
			if err := hold(ctx, tx, address, l.Actor, now); err != nil {
				return err
			}
		}

		return nil
	})
	if err != nil {
		return err
	}

	d.log.Warn("Books corrected by hand", "sats", amount, "freezes", len(open), "on_hold", len(got), "user", l.Actor, "reason", l.Reason, "decided", decided)
	if !decided {
		return ErrSecondPerson
	}
	d.comparedAt, d.missed = chainhash.Hash{}, 0
	d.notify(Event{})

	return nil
}

// said is what the journal says of a correction.
func said(amount int64, reason string, decided bool) map[string]string {
	return satsOf(amount, map[string]string{"reason": reason, "decided": strconv.FormatBool(decided)})
}

// say writes a person's yes to a correction and reports whether it was the last one
// needed.
func say(ctx context.Context, tx *ledger.Tx, c Correction, ip string, operators int) (decided bool, err error) {
	var txid []byte
	if c.TxID != nil {
		txid = c.TxID[:]
	}
	_, err = tx.ExecContext(ctx, `
		INSERT INTO correction (what, user, amount, reason, ip, at, account, txid)
		SELECT ?1, ?2, ?3, ?4, ?5, ?6, NULLIF(?7, 0), ?8 WHERE NOT EXISTS (SELECT 1 FROM correction WHERE what = ?1 AND user = ?2)`,
		c.What, c.User, c.Amount, c.Reason, ip, c.At.UnixMilli(), c.account, txid)
	if err != nil {
		return false, err
	}
	var people int
	err = tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM correction WHERE what = ?`, c.What).Scan(&people)

	return people >= min(max(operators, 1), 2), err
}

// book makes the books say what the wallet has, and reverses the freezes.
func book(ctx context.Context, tx *ledger.Tx, what string, amount int64, open []Freeze, actor string, at time.Time) error {
	if amount != 0 {
		err := tx.Post(ctx, ledger.Event{
			Key: adjPrefix + what, Kind: ledger.KindAdjust, Ref: adjPrefix + what, Actor: actor, At: at,
		}, []ledger.Posting{
			{Account: ledger.WalletSpendable, Amount: amount},
			{Account: ledger.PoolReserve, Amount: -amount},
		})
		if err != nil {
			return err
		}
	}
	for _, f := range open {
		if err := tx.Reverse(ctx, f.key, liftPrefix+f.key, actor, at); err != nil {
			return err
		}
	}

	return nil
}

// hold keeps an account from being paid, with its minimum as it is.
func hold(ctx context.Context, tx *ledger.Tx, address, actor string, at time.Time) error {
	var least int64
	if err := tx.QueryRowContext(ctx, `SELECT min_payout FROM account WHERE address = ?`, address).Scan(&least); err != nil {
		return err
	}

	return tx.SetAccountRule(ctx, address, &least, true, actor, at)
}

// correctionID is the same for all who want the same correction, and never comes
// twice: freezes are reversed once, and n counts the corrections booked before.
func correctionID(amount int64, open []Freeze, n int) string {
	text := fmt.Appendf(nil, "correction %d of %d sats", n, amount)
	for _, f := range open {
		text = fmt.Appendf(text, "\n%s", f.key)
	}

	return uuid(text)
}

// uuid is a name for a text, in the form of a UUID of version 8 (RFC 9562).
func uuid(text []byte) string {
	id := sha256.Sum256(text)
	id[6], id[8] = id[6]&0x0f|0x80, id[8]&0x3f|0x80

	return fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:16])
}

// Corrections lists what people said when they corrected the books, the latest
// first.
func (d *Desk) Corrections(ctx context.Context) ([]Correction, error) {
	rows, err := d.db.Reader().QueryContext(ctx, `
		SELECT c.what, c.user, c.amount, c.reason, c.at, COALESCE(a.address, ''), c.txid
		FROM correction c LEFT JOIN account a ON a.id = c.account
		ORDER BY c.at DESC, c.what, c.user`)
	if err != nil {
		return nil, fmt.Errorf("list corrections: %w", err)
	}
	all, err := sqlite.Collect(rows, func(r *sql.Rows) (c Correction, err error) {
		var at int64
		err = r.Scan(&c.What, &c.User, &c.Amount, &c.Reason, &at, &c.Address, hashColumn{&c.TxID})
		c.At = time.UnixMilli(at)

		return c, err
	})
	if err != nil {
		return nil, fmt.Errorf("list corrections: %w", err)
	}

	return all, nil
}
