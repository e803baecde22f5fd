package ledger

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/dmpool/dmpool/pool/sqlite"
)

// BlockAssets returns what stands in the books as the wallet's, in sat, for each
// block whose reward is booked.
func (l *Ledger) BlockAssets(ctx context.Context) (map[chainhash.Hash]int64, error) {
	rows, err := l.db.Reader().QueryContext(ctx, `
		SELECT e.ref, SUM(p.amount)
		FROM posting p JOIN event e ON e.id = p.event
		WHERE p.account IN (?, ?) AND e.ref LIKE 'blk:%'
		GROUP BY e.ref HAVING SUM(p.amount) <> 0`, WalletImmature, WalletSpendable)
	if err != nil {
		return nil, fmt.Errorf("read assets: %w", err)
	}

	assets := make(map[chainhash.Hash]int64)
	_, err = sqlite.Collect(rows, func(rows *sql.Rows) (struct{}, error) {
		var ref string
		var amount int64
		if err := rows.Scan(&ref, &amount); err != nil {
			return struct{}{}, err
		}
		hash, err := chainhash.NewHashFromStr(strings.TrimPrefix(ref, "blk:"))
		if err == nil {
			assets[*hash] = amount
		}

		return struct{}{}, err
	})
	if err != nil {
		return nil, fmt.Errorf("read assets: %w", err)
	}

	return assets, nil
}
