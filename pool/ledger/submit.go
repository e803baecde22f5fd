package ledger

import (
	"context"
	"fmt"

	"github.com/btcsuite/btcd/chainhash/v2"
)

// verdict is what an answer to submitblock says about a block.
type verdict int

const (
	verdictOpen    verdict = iota // nothing final: the header decides
	verdictRefused                // the node refuses it
)

// judge reads an answer to submitblock (BIP 22). A block whose parent is missing
// gets a second chance, because the node may be behind.
func judge(result, before string) verdict {
	switch result {
	case "", "duplicate", "duplicate-inconclusive", "inconclusive":
		return verdictOpen
	case "prev-blk-not-found":
		if before != result {
			return verdictOpen
		}
	}

	return verdictRefused
}

// RecordSubmit stores the answer to submitblock: "" when the block was accepted,
// else the node's text. A text that refuses the block makes it [StateRejected]; "",
// "duplicate" and "inconclusive" leave it [StateFound], because only its header's
// place in the chain decides. Once a block was in the chain no text refuses it any
// more. A rejected block that a later submission does not refuse is found again.
func (l *Ledger) RecordSubmit(ctx context.Context, hash chainhash.Hash, result string) error {
	err := l.Update(ctx, func(tx *Tx) error {
		b, err := lookUp(ctx, tx, hash)
		if err != nil {
			return err
		}

		to := b.state
		switch refused := judge(result, b.submitResult) == verdictRefused; {
		case refused && b.neverBooked() && (b.state == StateFound || b.state == StateUnknown):
			to = StateRejected
		case b.state == StateRejected && !refused:
			to = StateFound
		}

		return expectRow(tx.ExecContext(ctx, `
			UPDATE block SET state = ?, submit_result = ? WHERE id = ? AND state = ?`,
			to, result, b.id, b.state))
	})
	if err != nil {
		return fmt.Errorf("record submission of block %s: %w", hash, err)
	}

	return nil
}
