package payout

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"slices"

	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/dmpool/dmpool/pool/ledger"
	"github.com/dmpool/dmpool/pool/node"
)

// Adjust asks to correct by hand what one miner is owed. The caller has made sure
// that the person is who they say, at this moment.
type Adjust struct {
	Address string
	TxID    *chainhash.Hash // of [Adjustable.Paid]; nil to write off [Adjustable.Debt]
	Amount  int64           // satoshis, as the person has seen; always positive
	Reason  string          // the person's words
	Actor   string
	IP      string

	Operators int // as in [Lift]
}

// Adjustable is what can be corrected by hand on one account. Amounts are
// satoshis.
type Adjustable struct {
	Debt int64  // what the miner owes the pool
	Wait string // why that cannot be written off yet, a sentence
	Paid []Unbooked
}

// Unbooked is what a transaction that once froze payouts has paid a miner, and
// their account does not know of.
type Unbooked struct {
	TxID   chainhash.Hash
	Amount int64 // paid, and not taken off the account yet
	Now    int64 // of this, what the account can bear now: it is never left with a debt
}

// There is nothing of the kind to correct.
var (
	errNoDebt    error = problemError("This miner owes the pool nothing.")
	errNotTheirs error = problemError("This transaction has paid this miner nothing that could be taken off their account.")
)

// Adjust changes by hand what one miner is owed, against pool:reserve, in one of two
// ways. It writes off what the miner owes the pool since a block was orphaned after it
// was paid: then later blocks pay them in full. Or it takes off the account what
// a transaction that this ledger does not know has paid them, after a backup was
// restored and the freeze was lifted ([Desk.Lift]): then they are not paid it twice, and
// the pool is not the one that bears it. That never takes more than is payable.
//
// The error is ErrStale when it is not what the person has seen, ErrSecondPerson when
// this yes is written down and somebody else has to agree, ErrFrozen, ErrNotFound, or a
// refusal in words.
func (d *Desk) Adjust(ctx context.Context, a Adjust) error {
	if err := d.exclusive(ctx, func() error { return d.adjust(ctx, a) }); err != nil {
		return fmt.Errorf("adjust account: %w", err)
	}

	return nil
}

func (d *Desk) adjust(ctx context.Context, a Adjust) error {
	if a.Reason == "" || a.Actor == "" {
		return errNobody
	}
	p, err := d.survey(ctx)
	if err != nil {
		return err
	}
	if err := d.CheckBooks(ctx); err != nil && !ledger.Uncovered(err) {
		return problemf("The ledger contradicts itself, so no correction can be booked: %v.", err)
	}
	freezes, err := d.Freezes(ctx)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(freezes, func(f Freeze) bool { return f.LiftedAt.IsZero() }) {
		return ErrFrozen
	}
	can, account, err := d.adjustable(ctx, a.Address, freezes, p.params)
	if err != nil {
		return err
	}
	amount, err := can.amount(a.TxID)
	if err != nil {
		return err
	}
	if amount != a.Amount {
		return ErrStale
	}
	if a.TxID != nil {
		amount = -amount
	}

	return d.storeAdjust(ctx, a, account, amount)
}

// amount is what a correction would move, positive.
func (can Adjustable) amount(txid *chainhash.Hash) (int64, error) {
	if txid == nil {
		switch {
		case can.Debt == 0:
			return 0, errNoDebt
		case can.Wait != "":
			return 0, problemError(can.Wait)
		}

		return can.Debt, nil
	}
	n := slices.IndexFunc(can.Paid, func(u Unbooked) bool { return u.TxID == *txid })
	if n < 0 || can.Paid[n].Now == 0 {
		return 0, errNotTheirs
	}

	return can.Paid[n].Now, nil
}

// storeAdjust writes a person's yes, and with the last one needed the books.
// amount is what the account gets.
func (d *Desk) storeAdjust(ctx context.Context, a Adjust, account, amount int64) error {
	decided := false

	err := d.ledger.Update(ctx, func(tx *ledger.Tx) error {
		now := d.now()
		payable, err := tx.Balance(ctx, account, ledger.Payable)
		if err != nil {
			return err
		}
		if amount > 0 && payable != amount || amount < 0 && payable > amount {
			return ErrStale // a block came between
		}
		what, err := adjustID(ctx, tx, account, amount, a.TxID)
		if err != nil {
			return err
		}
		decided, err = say(ctx, tx, Correction{
			What: what, User: a.Actor, Amount: amount, Reason: a.Reason, At: now, TxID: a.TxID, account: account,
		}, a.IP, a.Operators)
		if err != nil {
			return err
		}
		detail := said(amount, a.Reason, decided)
		if a.TxID != nil {
			detail["txid"] = a.TxID.String()
		}
		err = d.record(ctx, tx, Deed{Action: "account.adjust", Object: a.Address, Actor: a.Actor, IP: a.IP, Detail: detail})
		if err != nil || !decided {
			return err
		}

		return tx.Post(ctx, ledger.Event{
			Key: adjPrefix + what, Kind: ledger.KindAdjust, Ref: adjPrefix + what, Actor: a.Actor, At: now,
		}, []ledger.Posting{
			{Account: account, Bucket: ledger.Payable, Amount: -amount},
			{Account: ledger.PoolReserve, Amount: amount},
		})
	})
	if err != nil {
		return err
	}

	d.log.Warn("Account corrected by hand", "account", account, "sats", amount, "txid", a.TxID, "user", a.Actor, "reason", a.Reason, "decided", decided)
	if !decided {
		return ErrSecondPerson
	}
	d.notify(Event{})
	if err := d.CheckBooks(ctx); err != nil && !ledger.Uncovered(err) {
		return err
	}

	return nil
}

// Adjustable says what can be corrected by hand on the account of an address.
// ErrNotFound, or, when the node cannot be asked, an error that [Sentence] puts into
// words.
func (d *Desk) Adjustable(ctx context.Context, address string) (Adjustable, error) {
	can, err := d.readAdjustable(ctx, address)
	if err != nil {
		return Adjustable{}, fmt.Errorf("look what can be adjusted: %w", err)
	}

	return can, nil
}

func (d *Desk) readAdjustable(ctx context.Context, address string) (Adjustable, error) {
	freezes, err := d.Freezes(ctx)
	if err != nil {
		return Adjustable{}, err
	}
	var params *chaincfg.Params
	if len(freezes) > 0 {
		chain, err := d.wallet.BlockchainInfo(ctx)
		if err != nil {
			return Adjustable{}, err
		}
		if params, err = chainParams(chain.Chain); err != nil {
			return Adjustable{}, err
		}
	}
	can, _, err := d.adjustable(ctx, address, freezes, params)

	return can, err
}

// adjustable reads what can be corrected on an account, and which one it is. The
// chain is only asked about freezes that were lifted.
func (d *Desk) adjustable(ctx context.Context, address string, freezes []Freeze, params *chaincfg.Params) (can Adjustable, account int64, err error) {
	b, ok, err := d.ledger.BalanceOf(ctx, address)
	if err != nil {
		return can, 0, err
	}
	if !ok {
		return can, 0, ErrNotFound
	}
	if can.Debt = max(0, -b.Payable); can.Debt > 0 {
		if can.Wait, err = d.debtWaits(ctx, b); err != nil {
			return can, 0, err
		}
	}

	var lifted []chainhash.Hash
	for _, f := range freezes {
		if f.TxID != nil && !f.LiftedAt.IsZero() {
			lifted = append(lifted, *f.TxID)
		}
	}
	if len(lifted) == 0 {
		return can, b.ID, nil
	}
	mine, err := d.isMine(ctx, b.Script, params)
	if err != nil || mine {
		return can, b.ID, err // its change is no payment to a miner
	}
	for _, txid := range lifted {
		paid, err := d.paidBy(ctx, txid, b.Script)
		if err != nil {
			return can, 0, err
		}
		taken, err := d.taken(ctx, b.ID, txid)
		if err != nil {
			return can, 0, err
		}
		if paid > taken {
			can.Paid = append(can.Paid, Unbooked{TxID: txid, Amount: paid - taken, Now: min(paid-taken, max(0, b.Payable))})
		}
	}

	return can, b.ID, nil
}

// debtWaits says why a debt cannot be written off yet: what has brought it about can
// still be undone, and the miner would have both.
func (d *Desk) debtWaits(ctx context.Context, b ledger.Balance) (string, error) {
	if b.Reserved != 0 {
		return "A payout of this account is still on its way. Wait until it is over: the debt may be gone then.", nil
	}
	var height sql.NullInt32
	err := d.db.Reader().QueryRowContext(ctx, `
		SELECT MAX(b.height) FROM block b JOIN block_credit c ON c.block = b.id
		WHERE c.account = ? AND b.state = ? AND b.height > ?`, b.ID, ledger.StateOrphaned, d.tip.Load()-deep).Scan(&height)
	if err != nil {
		return "", fmt.Errorf("look for orphaned blocks: %w", err)
	}
	if height.Valid {
		return fmt.Sprintf("The orphaned block at height %d can still come back. Wait until the chain has %d blocks more than that.", height.Int32, deep), nil
	}

	return "", nil
}

// paidBy is what a transaction pays to a script, once it lies as deep as a payout
// that is settled; before that, and if the wallet does not know it, nothing.
func (d *Desk) paidBy(ctx context.Context, txid chainhash.Hash, script []byte) (sum int64, err error) {
	known, err := d.wallet.WalletTx(ctx, txid)
	if node.IsCode(err, node.ErrCodeNotFound) || err == nil && known.Confirmations < d.policy().ConfirmationsToSettle {
		return 0, nil
	}
	tx := new(wire.MsgTx)
	if err == nil {
		err = tx.Deserialize(bytes.NewReader(known.Raw))
	}
	if err != nil {
		return 0, fmt.Errorf("read transaction %v: %w", txid, err)
	}
	for _, out := range tx.TxOut {
		if bytes.Equal(out.PkScript, script) {
			sum += out.Value
		}
	}

	return sum, nil
}

// taken is what was taken off an account because a transaction had paid it.
func (d *Desk) taken(ctx context.Context, account int64, txid chainhash.Hash) (sum int64, err error) {
	err = d.db.Reader().QueryRowContext(ctx, `
		SELECT COALESCE(-SUM(amount), 0)
		FROM (SELECT DISTINCT what, amount FROM correction WHERE account = ? AND txid = ?)
		WHERE EXISTS (SELECT 1 FROM event WHERE key = '`+adjPrefix+`' || what)`, account, txid[:]).Scan(&sum)
	if err != nil {
		return 0, fmt.Errorf("add up corrections: %w", err)
	}

	return sum, nil
}

// adjustID is the same for all who want the same, and never comes twice: it counts
// the corrections that the account has had before.
func adjustID(ctx context.Context, tx *ledger.Tx, account, amount int64, txid *chainhash.Hash) (string, error) {
	var before int
	err := tx.QueryRowContext(ctx, `
		SELECT COUNT(DISTINCT e.id) FROM posting p JOIN event e ON e.id = p.event WHERE p.account = ? AND e.kind = ?`,
		account, ledger.KindAdjust).Scan(&before)
	if err != nil {
		return "", err
	}

	return uuid(fmt.Appendf(nil, "correction %d of account %d: %d sats, %v", before, account, amount, txid)), nil
}
