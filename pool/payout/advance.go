package payout

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/btcsuite/btcd/chaincfg/v2"

	"github.com/dmpool/dmpool/pool/node"

	"github.com/dmpool/dmpool/pool/sqlite"
)

// pass is one pass over the payouts.
type pass struct {
	chain  node.ChainInfo
	params *chaincfg.Params
	frozen bool
}

// Advance drives every payout as far as it goes now: it funds drafts, expires
// what nobody approved, signs what was approved, sends what was signed, follows
// what was sent, and books it when it is deep enough. It can be called at any
// time and by several: one pass runs after the other.
//
// What keeps one payout from going on becomes its Problem and does not stop the
// others; the next pass tries again. The error is about the pass as a whole: the
// node cannot be reached, or the database fails.
func (d *Desk) Advance(ctx context.Context) error {
	return d.exclusive(ctx, func() error {
		p, err := d.begin(ctx)
		if err != nil {
			return fmt.Errorf("begin payouts: %w", err)
		}

		return errors.Join(
			d.drive(ctx, p, Draft, Pending, Approved, Signed, Broadcast, Cancelling, Confirmed),
			d.tidyLocks(ctx),
			d.compareOnce(ctx, p),
		)
	})
}

// exclusive runs fn as the only pass.
func (d *Desk) exclusive(ctx context.Context, fn func() error) error {
	select {
	case d.turn <- struct{}{}:
		defer func() { <-d.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}

	return fn()
}

// begin asks the node where it is and looks at what happened to the wallet. A
// node that does not answer, or that knows less of the chain than the ledger
// does, could only mislead: then nothing is done, and the payouts that wait for
// it say so.
func (d *Desk) begin(ctx context.Context) (pass, error) {
	p, err := d.survey(ctx)
	if text, ok := Sentence(err); ok && ctx.Err() == nil {
		err = errors.Join(err, d.setProblems(ctx, text))
	}

	return p, err
}

func (d *Desk) survey(ctx context.Context) (p pass, err error) {
	if p.chain, err = d.wallet.BlockchainInfo(ctx); err != nil {
		return pass{}, err
	}
	if p.params, err = chainParams(p.chain.Chain); err != nil {
		return pass{}, err
	}
	if err := d.checkBehind(ctx, p.chain); err != nil {
		return pass{}, err
	}
	if err := d.checkReading(ctx); err != nil {
		return pass{}, err
	}
	d.tip.Store(p.chain.Blocks)

	if !d.reconciled {
		if err := d.reconcile(ctx); err != nil {
			return pass{}, err
		}
		d.reconciled = true
	}
	if err := d.watch(ctx); err != nil {
		return pass{}, err
	}
	_, p.frozen = d.Frozen(ctx)

	return p, nil
}

// checkBehind refuses a node that is still catching up.
func (d *Desk) checkBehind(ctx context.Context, chain node.ChainInfo) error {
	height, _, _, err := d.ledger.Cursor(ctx)
	switch {
	case err != nil:
		return err
	case chain.Blocks < height:
		return problemf("The Bitcoin node is at block %d and first has to catch up to block %d.", chain.Blocks, height)
	case chain.InitialBlockDownload && chain.Blocks < chain.Headers:
		return problemf("The Bitcoin node is still downloading the block chain: %d of %d blocks.", chain.Blocks, chain.Headers)
	}

	return nil
}

// checkReading refuses a wallet that has yet to read the chain for what it received and
// paid, after it was restored from its words: until then it has made no payment, as far
// as it knows.
func (d *Desk) checkReading(ctx context.Context) error {
	info, err := d.wallet.WalletInfo(ctx)
	if err == nil && bool(info.Scanning) {
		err = problemError("The wallet was restored and still reads the chain for its coins and its payments. Payouts go on when it has.")
	}

	return err
}

// drive takes each payout in one of the states, and each one that is over but can
// still come back, as far as it goes.
func (d *Desk) drive(ctx context.Context, p pass, states ...State) error {
	ids, err := d.underWay(ctx, states)
	if err != nil {
		return err
	}

	var errs []error
	for _, id := range ids {
		if !p.frozen { // what one of them has brought to light stops the others
			_, p.frozen = d.Frozen(ctx)
		}
		if err := d.follow(ctx, p, id); err != nil {
			errs = append(errs, fmt.Errorf("payout %d: %w", id, err))
		}
		if ctx.Err() != nil {
			break
		}
	}

	return errors.Join(errs...)
}

// underWay lists payouts to be driven, oldest first. One that is settled,
// cancelled or has failed is watched as long as it has leases.
func (d *Desk) underWay(ctx context.Context, states []State) ([]int64, error) {
	args := make([]any, len(states))
	for i, s := range states {
		args[i] = s
	}
	rows, err := d.db.Reader().QueryContext(ctx, `
		SELECT id FROM payout WHERE state IN (?`+strings.Repeat(`, ?`, len(states)-1)+`)
		UNION
		SELECT p.id FROM utxo_lease l JOIN payout p ON p.id = l.payout WHERE p.state IN ('settled', 'cancelled', 'failed')
		ORDER BY id`, args...)
	if err != nil {
		return nil, fmt.Errorf("list payouts under way: %w", err)
	}
	ids, err := sqlite.Collect(rows, func(r *sql.Rows) (id int64, err error) { return id, r.Scan(&id) })
	if err != nil {
		return nil, fmt.Errorf("list payouts under way: %w", err)
	}

	return ids, nil
}

// follow takes one payout from step to step until it has to wait.
func (d *Desk) follow(ctx context.Context, p pass, id int64) error {
	for {
		one, err := d.Get(ctx, id)
		if err != nil {
			return err
		}

		moved, err := d.step(ctx, p, one)
		if errors.Is(err, ErrStale) {
			return nil // somebody else moved it meanwhile, by a click
		}
		if text, ok := Sentence(err); ok {
			if ctx.Err() != nil {
				return ctx.Err()
			}

			return d.setProblem(ctx, one, text)
		}
		if err != nil {
			return err
		}
		if !moved {
			return d.setProblem(ctx, one, "")
		}
	}
}

// step makes one step, if there is one to make.
func (d *Desk) step(ctx context.Context, p pass, one Payout) (moved bool, err error) {
	if moved, err := d.adopt(ctx, one); moved || err != nil {
		return moved, err
	}
	switch one.State {
	case Pending, Approved:
		expired := d.expired(one)
		if p.frozen {
			return false, nil
		}
		if expired && !one.exported() {
			return false, d.giveUp(ctx, one, Expired, "payout")
		}
		if one.State == Approved {
			return d.sign(ctx, one)
		}
	case Draft:
		if !p.frozen {
			return d.fund(ctx, p, one)
		}
	case Signed, Broadcast, Confirmed, Settled, Cancelling, Cancelled, Failed:
		if asked, ok := one.asked(); ok && !p.frozen && !d.now().Before(one.ExpiresAt) {
			return true, d.lapse(ctx, one, asked)
		}
		if err := d.trackSponsors(ctx, p, one); err != nil {
			return false, err
		}

		return d.track(ctx, p, one)
	}

	return false, nil
}

// setProblem writes why a payout does not go on; an empty text says that it does.
func (d *Desk) setProblem(ctx context.Context, p Payout, text string) error {
	if p.Problem == text {
		return nil
	}
	err := d.db.Update(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE payout SET problem = ? WHERE id = ? AND state = ?`, text, p.ID, p.State)

		return err
	})
	if err != nil {
		return fmt.Errorf("write problem: %w", err)
	}

	p.Problem = text
	if text != "" {
		d.log.Warn("Payout waits", "payout", p.ID, "state", p.State, "reason", text)
	}
	d.changed(p)

	return nil
}

// setProblems writes the same problem on all payouts that need the node now.
func (d *Desk) setProblems(ctx context.Context, text string) error {
	payouts, err := d.List(ctx, Draft, Approved, Signed, Broadcast, Cancelling)
	if err != nil {
		return err
	}

	var errs []error
	for _, p := range payouts {
		errs = append(errs, d.setProblem(ctx, p, text))
	}

	return errors.Join(errs...)
}
