package payout

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/dmpool/dmpool/pool/ledger"
	"github.com/dmpool/dmpool/pool/sqlite"
)

// payoutColumns are read by scanPayout: a payout p and one of its attempts, t.
const payoutColumns = `
	SELECT p.id, p.rev, p.state, p.purpose, p.created_by, p.note, p.created_at, p.updated_at, p.expires_at,
	       p.total, p.n_items, p.fee_policy, COALESCE(t.fee_cap, p.fee_cap), COALESCE(t.digest, p.plan_digest), p.problem,
	       COALESCE(t.id, 0), COALESCE(t.psbt, ''), t.expected, t.raw, COALESCE(t.fee, 0), COALESCE(t.change, 0),
	       COALESCE(t.vsize, 0), COALESCE(t.height, 0), t.blockhash,
	       p.state = 'pending' OR p.state IN ('signed', 'broadcast') AND EXISTS (
	           SELECT 1 FROM payout_tx a
	           WHERE a.payout = p.id AND a.kind <> 'pay' AND a.state = 'funded' AND a.approved = 0)
	`

// currentAttempt joins, to a payout p, the attempt t that people take for it:
// the one that is in a block, or else the newest that is signed and was not
// overtaken. It is never one that cancels.
const currentAttempt = `
	LEFT JOIN payout_tx t ON t.id = (
		SELECT id FROM payout_tx
		WHERE payout = p.id AND kind <> 'cancel'
		ORDER BY state = 'confirmed' DESC, raw IS NOT NULL DESC, state IN ('replaced', 'dead'), n DESC
		LIMIT 1)
	`

// selectPayout reads a payout as it stands.
const selectPayout = payoutColumns + `FROM payout p ` + currentAttempt

// row is what Scan needs of *sql.Row and *sql.Rows.
type row interface{ Scan(dest ...any) error }

func scanPayout(r row, tip int32) (Payout, error) {
	var p Payout
	var created, updated int64
	var expires sql.NullInt64
	err := r.Scan(&p.ID, &p.Rev, &p.State, &p.Purpose, &p.CreatedBy, &p.Note, &created, &updated, &expires,
		&p.Total, &p.Recipients, &p.FeePolicy, &p.FeeCap, &p.Digest, &p.Problem,
		&p.attempt, &p.PSBT, hashColumn{&p.TxID}, &p.Raw, &p.Fee, &p.Change,
		&p.VSize, &p.Height, hashColumn{&p.BlockHash}, &p.Waits)
	if err != nil {
		return Payout{}, err
	}

	p.CreatedAt, p.UpdatedAt = time.UnixMilli(created), time.UnixMilli(updated)
	if expires.Valid {
		p.ExpiresAt = time.UnixMilli(expires.Int64)
	}
	p.Confirmations = confirmations(p.Height, tip)

	return p, nil
}

// confirmations counts the blocks from height to tip; zero height is none.
func confirmations(height, tip int32) int32 {
	if height == 0 || tip < height {
		return 0
	}

	return tip - height + 1
}

// hashColumn reads a BLOB of 32 bytes, or NULL as nil.
type hashColumn struct{ to **chainhash.Hash }

// Scan implements [sql.Scanner].
func (c hashColumn) Scan(value any) error {
	b, ok := value.([]byte)
	if !ok {
		*c.to = nil
		return nil
	}
	h, err := chainhash.NewHash(b)
	*c.to = h

	return err
}

// load reads a payout with all that belongs to it; ErrNotFound.
func load(ctx context.Context, q sqlite.Querier, id int64, tip int32) (Payout, error) {
	p, err := scanPayout(q.QueryRowContext(ctx, selectPayout+`WHERE p.id = ?`, id), tip)
	if errors.Is(err, sql.ErrNoRows) {
		return Payout{}, ErrNotFound
	}
	if err == nil {
		p.Items, err = loadItems(ctx, q, id)
	}
	if err == nil {
		p.Inputs, err = loadInputs(ctx, q, p.attempt)
	}
	if err == nil {
		p.Approvals, err = loadApprovals(ctx, q, id)
	}
	if err == nil {
		p.Attempts, err = loadAttempts(ctx, q, id)
	}
	if err == nil {
		p.Sponsors, err = loadSponsors(ctx, q, id)
	}
	if err != nil {
		return Payout{}, fmt.Errorf("read payout %d: %w", id, err)
	}
	if a, ok := p.asked(); ok {
		p.Digest = a.Digest
	}
	p.Can = p.can()

	return p, nil
}

func loadItems(ctx context.Context, q sqlite.Querier, payout int64) ([]Item, error) {
	rows, err := q.QueryContext(ctx, `
		SELECT account, address, script, amount, fee_share FROM payout_item WHERE payout = ? ORDER BY account`, payout)
	if err != nil {
		return nil, err
	}

	return sqlite.Collect(rows, func(r *sql.Rows) (i Item, err error) {
		return i, r.Scan(&i.Account, &i.Address, &i.Script, &i.Amount, &i.FeeShare)
	})
}

func loadInputs(ctx context.Context, q sqlite.Querier, attempt int64) ([]Input, error) {
	rows, err := q.QueryContext(ctx, `
		SELECT txid, vout, amount FROM tx_input WHERE payout_tx = ? ORDER BY txid, vout`, attempt)
	if err != nil {
		return nil, err
	}

	return sqlite.Collect(rows, func(r *sql.Rows) (Input, error) {
		var in Input
		var txid *chainhash.Hash
		if err := r.Scan(hashColumn{&txid}, &in.OutPoint.Index, &in.Amount); err != nil {
			return Input{}, err
		}
		in.OutPoint.Hash = *txid

		return in, nil
	})
}

func loadApprovals(ctx context.Context, q sqlite.Querier, payout int64) ([]Approval, error) {
	rows, err := q.QueryContext(ctx, `
		SELECT payout, rev, digest, user, method, ip, at FROM approval WHERE payout = ? ORDER BY rev, at`, payout)
	if err != nil {
		return nil, err
	}

	return sqlite.Collect(rows, func(r *sql.Rows) (Approval, error) {
		var a Approval
		var at int64
		err := r.Scan(&a.ID, &a.Rev, &a.Digest, &a.User, &a.Method, &a.IP, &at)
		a.At = time.UnixMilli(at)

		return a, err
	})
}

// leases reads which coins are promised to which payouts.
func leases(ctx context.Context, q sqlite.Querier) (map[wire.OutPoint]int64, error) {
	rows, err := q.QueryContext(ctx, `SELECT txid, vout, payout FROM utxo_lease`)
	if err != nil {
		return nil, fmt.Errorf("read leases: %w", err)
	}

	all := make(map[wire.OutPoint]int64)
	_, err = sqlite.Collect(rows, func(r *sql.Rows) (struct{}, error) {
		var txid *chainhash.Hash
		var vout uint32
		var payout int64
		if err := r.Scan(hashColumn{&txid}, &vout, &payout); err != nil {
			return struct{}{}, err
		}
		all[wire.OutPoint{Hash: *txid, Index: vout}] = payout

		return struct{}{}, nil
	})
	if err != nil {
		return nil, fmt.Errorf("read leases: %w", err)
	}

	return all, nil
}

// spent is the total in satoshis of the payouts other than one that were
// approved since a time and not given up; with planned also of those that wait
// for their approval.
func spent(ctx context.Context, q sqlite.Querier, except int64, since time.Time, planned bool) (int64, error) {
	var sum int64
	err := q.QueryRowContext(ctx, `
		SELECT COALESCE(SUM(total), 0)
		FROM payout p
		WHERE p.id <> ?
		  AND (p.state IN ('approved', 'signed', 'broadcast', 'confirmed', 'settled', 'cancelling')
		         AND EXISTS (SELECT 1 FROM approval WHERE payout = p.id AND digest = p.plan_digest AND at >= ?)
		    OR ? AND p.state IN ('draft', 'pending'))`,
		except, since.UnixMilli(), planned).Scan(&sum)
	if err != nil {
		return 0, fmt.Errorf("add up payouts: %w", err)
	}

	return sum, nil
}

// insertAttempt writes a planned transaction with the coins that it spends.
func insertAttempt(ctx context.Context, tx *ledger.Tx, payout int64, kind Kind, plan Plan, psbt string) (id int64, err error) {
	err = tx.QueryRowContext(ctx, `
		INSERT INTO payout_tx (payout, n, kind, psbt, expected, fee, change)
		SELECT ?1, COALESCE(MAX(n) + 1, 0), ?2, ?3, ?4, ?5, ?6 FROM payout_tx WHERE payout = ?1
		RETURNING id`,
		payout, kind, psbt, plan.TxID[:], plan.Fee, plan.Change).Scan(&id)
	if err != nil {
		return 0, fmt.Errorf("write attempt: %w", err)
	}
	for _, in := range plan.Inputs {
		_, err := tx.ExecContext(ctx, `INSERT INTO tx_input (payout_tx, txid, vout, amount) VALUES (?, ?, ?, ?)`,
			id, in.OutPoint.Hash[:], in.OutPoint.Index, in.Amount)
		if err != nil {
			return 0, fmt.Errorf("write input: %w", err)
		}
	}

	return id, nil
}

// insertApproval writes down who said yes to what.
func insertApproval(ctx context.Context, tx *ledger.Tx, a Approval, at time.Time) error {
	_, err := tx.ExecContext(ctx, `
		INSERT INTO approval (payout, rev, digest, user, method, ip, at) VALUES (?, ?, ?, ?, ?, ?, ?)`,
		a.ID, a.Rev, a.Digest, a.User, a.Method, a.IP, at.UnixMilli())
	if err != nil {
		return fmt.Errorf("write approval: %w", err)
	}

	return nil
}

// move changes a payout's state, or only its revision when the state stays the
// same, if it still is as p says (compare and set), and is ErrStale otherwise. That alone stops double clicks, two tabs and two
// passes: only one of them finds the state that it expects.
func move(ctx context.Context, tx *sql.Tx, p Payout, to State, at time.Time) error {
	if to != p.State && !p.State.CanBecome(to) {
		return fmt.Errorf("payout %d is %s and cannot become %s", p.ID, p.State, to)
	}

	result, err := tx.ExecContext(ctx, `
		UPDATE payout SET state = ?, rev = rev + 1, updated_at = ?, problem = ''
		WHERE id = ? AND state = ? AND rev = ?`,
		to, at.UnixMilli(), p.ID, p.State, p.Rev)
	if err != nil {
		return fmt.Errorf("make payout %d %s: %w", p.ID, to, err)
	}
	if n, err := result.RowsAffected(); err != nil || n != 1 {
		return errors.Join(err, ErrStale)
	}

	return nil
}
