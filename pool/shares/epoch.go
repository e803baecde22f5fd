package shares

import (
	"context"
	"database/sql"
	"math/big"

	"github.com/dmpool/dmpool/pool/sqlite"
)

// Epoch is the work in a [Window] that was done against one network difficulty:
// shifts that count whole, or the edge shift.
type Epoch struct {
	Bits uint32   // nBits of the jobs
	Work *big.Int // in expected hashes, of all accounts
	Take *big.Rat // how much of the work counts: 1, less for the edge shift
}

// Part is what one account did in an [Epoch].
type Part struct {
	Work   *big.Int // in expected hashes; 0 = nothing
	Shares int64
}

// add adds other work; a part without any has a nil Work.
func (p *Part) add(o Part) {
	if o.Work != nil {
		p.Work, p.Shares = new(big.Int).Add(p.Work, o.Work), p.Shares+o.Shares
	}
}

// gathering adds up the work of workers by epoch. Runs with equal nBits that
// count alike are one epoch, however often the difficulty went to and fro.
type gathering struct {
	epochs []Epoch
	work   []map[int64]Part // by epoch and worker
}

// add adds a run to its epoch.
func (g *gathering) add(r *run) {
	at := -1
	for i, e := range g.epochs {
		if e.Bits == r.bits && e.Take.Cmp(r.take) == 0 {
			at = i
		}
	}
	if at < 0 {
		at = len(g.epochs)
		g.epochs = append(g.epochs, Epoch{Bits: r.bits, Work: new(big.Int), Take: r.take})
		g.work = append(g.work, map[int64]Part{})
	}

	g.epochs[at].Work = new(big.Int).Add(g.epochs[at].Work, r.work)
	for worker, p := range r.parts {
		p.add(g.work[at][worker])
		g.work[at][worker] = p
	}
}

// workOf adds up what each worker did in a run. SUM would overflow with the work
// of years, so the halves of each number are added up on their own:
//
//	work = high·2^31 + low
func workOf(ctx context.Context, tx *sql.Tx, r *run) (map[int64]Part, error) {
	rows, err := tx.QueryContext(ctx, `
		SELECT worker, SUM(work >> 31), SUM(work & 0x7fffffff), SUM(n)
		FROM shift_work WHERE shift BETWEEN ? AND ? GROUP BY worker`, r.first, r.last)
	if err != nil {
		return nil, err
	}

	parts := map[int64]Part{}
	_, err = sqlite.Collect(rows, func(rows *sql.Rows) (struct{}, error) {
		var worker, high, low, n int64
		err := rows.Scan(&worker, &high, &low, &n)
		work := new(big.Int).Lsh(big.NewInt(high), 31)
		parts[worker] = Part{work.Add(work, big.NewInt(low)), n}

		return struct{}{}, err
	})

	return parts, err
}

// workUpTo adds up what each worker did in the shares from one seq to another,
// within a shift. It is empty when these shares are no longer kept.
func workUpTo(ctx context.Context, tx *sql.Tx, from, to int64) (map[int64]Part, error) {
	rows, err := tx.QueryContext(ctx, `
		SELECT worker, SUM(work), COUNT(*) FROM share
		WHERE seq BETWEEN ?1 AND ?2 AND EXISTS (SELECT 1 FROM share WHERE seq = ?1)
		GROUP BY worker`, from, to)
	if err != nil {
		return nil, err
	}

	parts := map[int64]Part{}
	_, err = sqlite.Collect(rows, func(rows *sql.Rows) (struct{}, error) {
		var worker, work, n int64
		err := rows.Scan(&worker, &work, &n)
		parts[worker] = Part{big.NewInt(work), n}

		return struct{}{}, err
	})

	return parts, err
}
