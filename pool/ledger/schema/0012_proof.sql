-- What is kept of a block's bytes for ever. Units as in 0001.

-- written by pool/ledger/raw.go, in the transaction that drops the raw block
CREATE TABLE block_proof (
    block    INTEGER PRIMARY KEY REFERENCES block (id),
    header   BLOB NOT NULL CHECK (length(header) = 80),
    coinbase BLOB NOT NULL CHECK (length(coinbase) > 0), -- transaction without witness
    branch   BLOB NOT NULL CHECK (length(branch) % 32 = 0) -- hashes from the coinbase to the merkle root, lowest first
) STRICT;

CREATE TRIGGER proof_fixed BEFORE UPDATE ON block_proof
BEGIN SELECT RAISE(ABORT, 'proofs are append-only'); END;
CREATE TRIGGER proof_kept BEFORE DELETE ON block_proof
BEGIN SELECT RAISE(ABORT, 'proofs are append-only'); END;

DROP TRIGGER block_raw_kept;
CREATE TRIGGER block_raw_kept BEFORE UPDATE OF raw ON block
WHEN length(NEW.raw) > 0 OR OLD.state <> 'mature'
  OR COALESCE((SELECT height FROM chain_cursor), 0) - OLD.height < 1000
  OR NOT EXISTS (SELECT 1 FROM block_proof WHERE block = OLD.id)
BEGIN SELECT RAISE(ABORT, 'the raw block is fixed, and kept until it lies deep and is proven'); END;
