-- A block that nothing takes back any more need not be kept to be submitted again.

-- written by pool/ledger/raw.go: raw becomes empty once a mature block lies 1000 blocks deep, never before
DROP TRIGGER block_fixed;
CREATE TRIGGER block_fixed BEFORE UPDATE OF id, hash, prev, height, found_at, finder, worker, work, bits, coinbase_txid,
    value, settlement, fee_bps, donation_bps, window_milli, underfill ON block
BEGIN SELECT RAISE(ABORT, 'what is known of a found block is fixed'); END;
CREATE TRIGGER block_raw_kept BEFORE UPDATE OF raw ON block
WHEN length(NEW.raw) > 0 OR OLD.state <> 'mature'
  OR COALESCE((SELECT height FROM chain_cursor), 0) - OLD.height < 1000
BEGIN SELECT RAISE(ABORT, 'the raw block is fixed, and kept until it lies deep'); END;
