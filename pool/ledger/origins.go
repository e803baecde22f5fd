package ledger

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"github.com/dmpool/dmpool/pool/sqlite"
)

// Origin is a part of what an account is paid by a payout, and where it came from:
// a block, a payout that was given up, or a correction.
type Origin struct {
	Account int64
	First   bool       // no payment to the account before this one stands
	Ref     string     // what it is about: blk:<hash>, pay:<id>
	Block   *LineBlock // nil when it is not about a block
	Amount  int64      // sat; negative when it was taken back, from a block that left the chain for instance
}

// Origins explains the event with this key, which has reserved money for a payout:
// what each account has earned since its last payment. What came and went again in
// between is left out. The parts of an account add up to what was reserved of it,
// unless something was left over. Newer ones come first. The answer never changes.
func (l *Ledger) Origins(ctx context.Context, key string) ([]Origin, error) {
	var origins []Origin
	err := l.read(ctx, func(tx *sql.Tx) error {
		// An account's last payment is the last time that money of it was
		// reserved, unless that was taken back before this one.
		rows, err := tx.QueryContext(ctx, `
			WITH span AS (
				SELECT r.account, r.event AS upto, COALESCE((
					SELECT q.event
					FROM posting q JOIN event v ON v.id = q.event
					WHERE q.account = r.account AND q.bucket = 'payable' AND q.event < r.event AND v.kind = 'reserve'
					  AND NOT EXISTS (SELECT 1 FROM event u WHERE u.reverses = v.id AND u.id < r.event)
					ORDER BY q.event DESC
					LIMIT 1), 0) AS since
				FROM event e JOIN posting r ON r.event = e.id
				WHERE e.key = ? AND r.bucket = 'payable')
			SELECT s.account, s.since = 0, e.ref, -SUM(p.amount)
			FROM span s
			JOIN posting p ON p.account = s.account AND p.bucket = 'payable' AND p.event > s.since AND p.event < s.upto
			JOIN event e   ON e.id = p.event
			GROUP BY s.account, e.ref
			HAVING SUM(p.amount) <> 0
			ORDER BY s.account, MAX(p.event) DESC`, key)
		if err != nil {
			return err
		}
		origins, err = sqlite.Collect(rows, func(r *sql.Rows) (o Origin, err error) {
			return o, r.Scan(&o.Account, &o.First, &o.Ref, &o.Amount)
		})
		if err != nil {
			return err
		}

		return originBlocks(ctx, tx, origins)
	})
	if err != nil {
		return nil, fmt.Errorf("read origins: %w", err)
	}

	return origins, nil
}

// originBlocks fills in the blocks, each of which many accounts share.
func originBlocks(ctx context.Context, q sqlite.Querier, origins []Origin) error {
	blocks := map[string]*LineBlock{}
	for i, o := range origins {
		text, ok := strings.CutPrefix(o.Ref, "blk:")
		if !ok {
			continue
		}
		if _, known := blocks[text]; !known {
			block, err := lineBlock(ctx, q, text)
			if err != nil {
				return err
			}
			blocks[text] = block
		}
		origins[i].Block = blocks[text]
	}

	return nil
}
