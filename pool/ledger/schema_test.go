package ledger_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/dmpool/dmpool/pool/ledger"
)

// execute runs SQL as another package would inside Update.
func execute(t *testing.T, l *ledger.Ledger, query string) error {
	t.Helper()

	return l.Update(t.Context(), func(tx *ledger.Tx) error {
		_, err := tx.ExecContext(t.Context(), query)

		return err
	})
}

// populate fills every table that triggers guard.
func populate(t *testing.T) *ledger.Ledger {
	t.Helper()

	l, _ := open(t)
	observe(t, l, mine(t, l, 1), confirmed(1), confirmed(101))
	mine(t, l, 2)
	direct := directBlock(t, l, 3)
	if err := l.RecordFound(t.Context(), direct); err != nil {
		t.Fatal(err)
	}
	if err := l.FreezeCoinbase(t.Context(), direct.Hash, 3); err != nil {
		t.Fatal(err)
	}
	if err := post(t, l, event("pay:1:reserve", ledger.KindReserve), reserve(102, 1000)); err != nil {
		t.Fatal(err)
	}

	zero, id := "zeroblob(32)", func(n int) string { return fmt.Sprintf("x'%064x'", n) }
	for _, query := range []string{
		`INSERT INTO payout (id, created_by, created_at, updated_at, total, n_items, fee_cap, idem_key) VALUES (1, 'op', 1, 1, 1000, 1, 100, 'k1')`,
		`INSERT INTO payout_item (payout, account, script, address, amount) VALUES (1, 102, x'01', 'bob', 1000)`,
		`INSERT INTO payout_tx (id, payout, n, psbt, expected, fee) VALUES (1, 1, 0, 'cHNidA==', ` + id(1) + `, 100)`,
		`INSERT INTO tx_input (payout_tx, txid, vout, amount) VALUES (1, ` + id(9) + `, 0, 2000)`,
		`INSERT INTO utxo_lease (txid, vout, payout) VALUES (` + id(9) + `, 0, 1)`,
		`INSERT INTO sponsor (id, parent, raw, txid, fee, change, vsize, actor, ip, at) VALUES (1, 1, x'01', ` + id(8) + `, 100, 1000, 100, 'op', '::1', 1)`,
		`INSERT INTO approval (payout, rev, digest, user, method, ip, at) VALUES (1, 1, ` + zero + `, 'op', 'password', '::1', 1)`,
		`INSERT INTO audit (seq, at, actor, action, prev_hash, hash) VALUES (1, 1, 'op', 'login', ` + zero + `, ` + id(5) + `)`,
	} {
		if err := execute(t, l, query); err != nil {
			t.Fatalf("%s: %v", query, err)
		}
	}

	return l
}

// What was written about money cannot be changed or removed, by nobody's SQL.
func TestTriggers(t *testing.T) {
	l := populate(t)

	tests := []struct{ query, want string }{
		{`UPDATE block SET pool_script = x'00' WHERE id = 3`, "found block is fixed"},
		{`UPDATE block_payment SET amount = amount + 1`, "append-only"},
		{`DELETE FROM block_payment`, "append-only"},
		{`INSERT INTO block_payment (block, account, amount) VALUES (3, 104, 1)`, "frozen split is fixed"},
		{`INSERT OR REPLACE INTO block_payment (block, account, amount) VALUES (3, 101, 1)`, "frozen split is fixed"},
		{`UPDATE account SET script = x'00' WHERE id = 101`, "keeps its identity"},
		{`UPDATE account SET address = 'mallory' WHERE id = 101`, "keeps its identity"},
		{`DELETE FROM account WHERE id = 101`, "never removed"},
		{`INSERT OR REPLACE INTO account (id, kind, script, address, created) VALUES (101, 'miner', x'00', 'mallory', 1)`, "this account exists"},
		{`INSERT INTO account (id, kind, script, address, created) VALUES (50, 'miner', x'00', 'mallory', 1)`, "CHECK"},

		{`UPDATE event SET key = 'x' WHERE id = 1`, "append-only"},
		{`UPDATE event SET at = at + 1`, "append-only"},
		{`DELETE FROM event WHERE id = 3`, "append-only"},
		{`INSERT INTO event (id, key, kind, ref, actor, at, prev_hash, hash) SELECT 9, 'x', 'adj', '', '', 1, hash, hash FROM event WHERE id = 3`, "follows the last one"},
		{`INSERT INTO event (id, key, kind, ref, actor, at, prev_hash, hash) SELECT 4, 'x', 'adj', '', '', 1, prev_hash, hash FROM event WHERE id = 3`, "follows the last one"},
		{`INSERT OR REPLACE INTO event (id, key, kind, ref, actor, at, prev_hash, hash) SELECT 4, key, 'adj', '', '', 1, hash, hash FROM event WHERE id = 3`, "is new"},
		{`INSERT INTO event (id, key, kind, ref, actor, at, prev_hash, hash) SELECT 4, 'x', 'adj', '', '', 1, hash, zeroblob(32) FROM event WHERE id = 3;
		  INSERT INTO event (id, key, kind, ref, actor, at, prev_hash, hash) VALUES (5, 'y', 'adj', '', '', 1, zeroblob(32), zeroblob(32))`, "not sealed"},
		{`INSERT INTO event (id, key, kind, ref, actor, at, prev_hash, hash) SELECT 4, 'x', 'adj', '', '', 1, hash, hash FROM event WHERE id = 3;
		  INSERT INTO posting (event, account, bucket, amount) VALUES (4, 3, '', 5);
		  INSERT INTO event_seal (event) VALUES (4)`, "add up to zero"},
		{`INSERT INTO event (id, key, kind, ref, actor, at, prev_hash, hash) SELECT 4, 'x', 'adj', '', '', 1, hash, hash FROM event WHERE id = 3;
		  INSERT INTO posting (event, account, bucket, amount) VALUES (4, 101, 'payable', 91878631), (4, 101, 'reserved', -91878631);
		  INSERT INTO event_seal (event) VALUES (4)`, "more than there is"},
		{`INSERT INTO event (id, key, kind, ref, actor, at, prev_hash, hash, reverses) SELECT 4, 'x', 'release', '', '', 1, hash, hash, 3 FROM event WHERE id = 3;
		  INSERT INTO posting (event, account, bucket, amount) VALUES (4, 102, 'payable', -999), (4, 102, 'reserved', 999);
		  INSERT INTO event_seal (event) VALUES (4)`, "negates every posting"},
		{`INSERT INTO posting (event, account, bucket, amount) VALUES (3, 3, '', 5)`, "end with the seal"},
		{`UPDATE posting SET amount = amount + 1 WHERE event = 1 AND account = 101`, "append-only"},
		{`DELETE FROM posting WHERE event = 1`, "append-only"},
		{`UPDATE event_seal SET event = 9 WHERE event = 3`, "append-only"},
		{`DELETE FROM event_seal WHERE event = 3`, "append-only"},

		{`UPDATE block SET value = value + 1`, "fixed"},
		{`UPDATE block SET raw = x'' WHERE id = 1`, "fixed"},
		{`UPDATE block SET raw = x'ff' WHERE id = 1`, "fixed"},
		{`INSERT OR REPLACE INTO chain_cursor (id, height, hash) VALUES (1, 99999999, zeroblob(32)); UPDATE block SET state = 'orphaned' WHERE id = 1; UPDATE block SET raw = x'' WHERE id = 1`, "fixed"},
		{`UPDATE block SET fee_bps = 0 WHERE id = 1`, "fixed"},
		{`UPDATE block SET winner_seq = 9 WHERE id = 1`, "fixed"},
		{`UPDATE block SET state = 'paid' WHERE id = 1`, "CHECK"},
		{`DELETE FROM block WHERE id = 1`, "never removed"},
		{`INSERT INTO block_weight (block, account, weight) VALUES (1, 1, '1')`, "fixed"},
		{`UPDATE block_weight SET weight = '9' WHERE block = 1`, "append-only"},
		{`DELETE FROM block_weight WHERE block = 1`, "append-only"},
		{`INSERT INTO block_credit (block, account, amount) VALUES (2, 1, 1)`, "fixed"},
		{`UPDATE block_credit SET amount = 0 WHERE block = 1`, "append-only"},
		{`DELETE FROM block_credit WHERE block = 1`, "append-only"},
		{`INSERT INTO block_window (block, from_seq, from_ms) VALUES (1, 1, 1)`, "fixed"},
		{`UPDATE block_window SET from_seq = 9`, "append-only"},
		{`DELETE FROM block_window`, "append-only"},
		{`INSERT INTO block_epoch (block, n, bits, take) VALUES (1, 7, 1, '1')`, "fixed"},
		{`UPDATE block_epoch SET take = '1/2'`, "append-only"},
		{`DELETE FROM block_epoch`, "append-only"},
		{`INSERT INTO block_work (block, n, account, work, shares) VALUES (1, 0, 104, '1', 1)`, "fixed"},
		{`UPDATE block_work SET work = '9'`, "append-only"},
		{`DELETE FROM block_work`, "append-only"},

		{`UPDATE payout SET total = 999`, "fixed"},
		{`DELETE FROM payout`, "never removed"},
		{`INSERT INTO payout (created_by, created_at, updated_at, total, n_items, fee_cap, idem_key) VALUES ('op', 1, 1, 1000, 1, 100, 'k1')`, "this payout exists"},
		{`UPDATE payout SET state = 'paid'`, "CHECK"},
		{`UPDATE payout SET state = 'signed'`, "no signed transaction"},
		{`UPDATE payout SET state = 'settled'`, "no signed transaction"},
		{`UPDATE payout_item SET amount = 1`, "fixed"},
		{`DELETE FROM payout_item`, "fixed"},
		{`INSERT INTO payout (id, created_by, created_at, updated_at, total, n_items, fee_cap, idem_key) VALUES (2, 'op', 1, 1, 1, 1, 1, 'k2');
		  INSERT INTO payout_item (payout, account, script, address, amount) VALUES (2, 102, x'01', 'bob', 1)`, "is being paid"},
		{`INSERT OR REPLACE INTO payout_item (payout, account, script, address, amount) VALUES (1, 102, x'01', 'bob', 1)`, "is being paid"},
		{`INSERT OR REPLACE INTO payout_tx (id, payout, n, psbt, expected, fee) VALUES (1, 1, 0, '', zeroblob(32), 1)`, "this attempt exists"},
		{`INSERT OR REPLACE INTO block SELECT * FROM block WHERE id = 1`, "this block exists"},
		{`UPDATE payout_tx SET raw = x'01'`, "CHECK"},
		{`UPDATE payout_tx SET raw = x'01', txid = zeroblob(32), wtxid = zeroblob(32), vsize = 100`, "CHECK"},
		{`UPDATE payout_tx SET raw = x'01', txid = expected, wtxid = zeroblob(32), vsize = 100; UPDATE payout_tx SET raw = x'02'`, "signed transaction is fixed"},
		{`UPDATE payout_tx SET raw = x'01', txid = expected, wtxid = zeroblob(32), vsize = 100; DELETE FROM payout_tx`, "signed transaction is kept"},
		{`UPDATE payout_tx SET raw = x'01', txid = expected, wtxid = zeroblob(32), vsize = 100; UPDATE payout SET state = 'expired'`, "could still win"},
		{`UPDATE payout_tx SET raw = x'01', txid = expected, wtxid = zeroblob(32), vsize = 100; UPDATE payout SET state = 'signed'; UPDATE payout SET state = 'cancelled'`, "could still win"},
		{`UPDATE payout_tx SET raw = x'01', txid = expected, wtxid = zeroblob(32), vsize = 100; UPDATE payout SET state = 'cancelling'; UPDATE payout SET state = 'cancelled'`, "is not confirmed"},
		{`UPDATE payout_tx SET raw = x'01', txid = expected, wtxid = zeroblob(32), vsize = 100; UPDATE payout SET state = 'failed'`, "could still win"},
		{`UPDATE payout_tx SET raw = x'01', txid = expected, wtxid = zeroblob(32), vsize = 100; UPDATE payout_tx SET fee_cap = 1`, "signed transaction is fixed"},
		{`UPDATE payout SET state = 'cancelled'; UPDATE payout SET state = 'draft'`, "has ended"},
		{`UPDATE payout SET state = 'cancelled'; UPDATE payout SET state = 'cancelling'`, "has ended"},
		{`UPDATE sponsor SET fee = 1`, "signed transaction is fixed"},
		{`DELETE FROM sponsor`, "is kept"},
		{`INSERT OR REPLACE INTO sponsor (id, parent, raw, txid, fee, change, vsize, actor, ip, at) SELECT id, parent, x'02', txid, fee, change, vsize, actor, ip, at FROM sponsor`, "this transaction exists"},
		{`INSERT INTO utxo_lease (txid, vout, payout) SELECT txid, vout, payout FROM utxo_lease`, "belongs to a payout"},
		{`UPDATE approval SET user = 'mallory'`, "append-only"},
		{`DELETE FROM approval`, "append-only"},
		{`INSERT OR REPLACE INTO approval (payout, rev, digest, user, method, ip, at) SELECT payout, rev, digest, user, 'totp', ip, at FROM approval`, "has approved"},

		{`UPDATE payout_tx SET exported_at = 1; UPDATE payout_tx SET exported_at = NULL`, "stays handed out"},
		{`UPDATE payout_tx SET exported_at = 1; UPDATE payout SET state = 'expired'`, "could still win"},
		{`UPDATE payout_tx SET exported_at = 1; UPDATE payout_tx SET psbt = 'cHNidB=='`, "handed out is fixed"},
		{`UPDATE payout_tx SET exported_at = 1; DELETE FROM payout_tx`, "handed out is kept"},
		{`UPDATE payout_tx SET exported_at = 1; UPDATE tx_input SET amount = 1`, "coins of a signed transaction"},
		{`UPDATE payout_tx SET raw = x'01', txid = expected, wtxid = zeroblob(32), vsize = 100; DELETE FROM tx_input`, "coins of a signed transaction"},
		{`UPDATE payout_tx SET raw = x'01', txid = expected, wtxid = zeroblob(32), vsize = 100;
		  INSERT OR REPLACE INTO tx_input (payout_tx, txid, vout, amount) SELECT payout_tx, txid, vout, 1 FROM tx_input`, "coins of a signed transaction"},
		{`INSERT INTO block_proof (block, header, coinbase, branch) VALUES (2, zeroblob(80), x'01', x'');
		  INSERT OR REPLACE INTO block_proof (block, header, coinbase, branch) VALUES (2, zeroblob(80), x'02', x'')`, "this proof exists"},
		{`INSERT INTO correction (what, user, amount, reason, ip, at) VALUES ('x', 'ann', 1, '', '', 1)`, "CHECK"},
		{`INSERT INTO correction (what, user, amount, reason, ip, at) VALUES ('x', 'ann', 1, 'why', '', 1); UPDATE correction SET amount = 2`, "append-only"},
		{`INSERT INTO correction (what, user, amount, reason, ip, at) VALUES ('x', 'ann', 1, 'why', '', 1); DELETE FROM correction`, "append-only"},
		{`INSERT INTO correction (what, user, amount, reason, ip, at) VALUES ('x', 'ann', 1, 'why', '', 1);
		  INSERT OR REPLACE INTO correction (what, user, amount, reason, ip, at) VALUES ('x', 'ann', 2, 'no', '', 1)`, "agreed already"},

		{`UPDATE audit SET actor = 'mallory'`, "append-only"},
		{`DELETE FROM audit`, "append-only"},
		{`INSERT INTO audit (seq, at, actor, action, prev_hash, hash) VALUES (2, 1, 'op', 'login', zeroblob(32), zeroblob(32))`, "follows the last one"},
		{`INSERT OR REPLACE INTO audit (seq, at, actor, action, prev_hash, hash) VALUES (1, 1, 'op', 'logout', zeroblob(32), zeroblob(32))`, "follows the last one"},
	}
	for _, tt := range tests {
		if err := execute(t, l, tt.query); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s\n\tgives %v, want %q", tt.query, err, tt.want)
		}
	}

	if err := l.Check(t.Context()); err != nil {
		t.Error(err)
	}
}

// The order that pays exactly once is allowed, of course.
func TestTriggersAllow(t *testing.T) {
	tests := []struct {
		name, query string
	}{
		{"sign, broadcast, settle", `
			UPDATE payout_tx SET raw = x'01', txid = expected, wtxid = zeroblob(32), vsize = 100;
			UPDATE payout SET state = 'signed';
			UPDATE payout SET state = 'broadcast';
			UPDATE payout_tx SET state = 'confirmed', height = 7, blockhash = zeroblob(32);
			UPDATE payout SET state = 'confirmed';
			UPDATE payout SET state = 'settled';
			UPDATE payout_item SET live = 0;
			DELETE FROM utxo_lease;
			UPDATE payout SET state = 'broadcast'`},
		{"cancel by a conflicting transaction", `
			UPDATE payout_tx SET raw = x'01', txid = expected, wtxid = zeroblob(32), vsize = 100;
			UPDATE payout SET state = 'signed';
			UPDATE payout SET state = 'cancelling';
			INSERT INTO payout_tx (payout, n, kind, psbt, expected, fee, replaces) VALUES (1, 1, 'cancel', 'cHNidA==', x'` + strings.Repeat("07", 32) + `', 200, 1);
			UPDATE payout_tx SET state = 'confirmed', height = 7, blockhash = zeroblob(32) WHERE kind = 'cancel';
			UPDATE payout SET state = 'cancelled';
			UPDATE payout_item SET live = 0;
			UPDATE payout SET state = 'cancelling'`},
		{"fail, and come back", `
			UPDATE payout_tx SET raw = x'01', txid = expected, wtxid = zeroblob(32), vsize = 100, state = 'dead';
			UPDATE payout SET state = 'signed';
			UPDATE payout SET state = 'failed';
			UPDATE payout SET state = 'broadcast'`},
		{"expire and draft again", `
			UPDATE payout SET state = 'pending', plan_digest = zeroblob(32), expires_at = 1;
			UPDATE payout SET state = 'expired';
			UPDATE payout_item SET live = 0;
			DELETE FROM utxo_lease;
			INSERT INTO payout (id, created_by, created_at, updated_at, total, n_items, fee_cap, idem_key) VALUES (2, 'op', 1, 1, 1, 1, 1, 'k2');
			INSERT INTO payout_item (payout, account, script, address, amount) VALUES (2, 102, x'01', 'bob', 1)`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := execute(t, populate(t), tt.query); err != nil {
				t.Error(err)
			}
		})
	}
}
