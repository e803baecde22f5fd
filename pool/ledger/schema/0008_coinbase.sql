-- Blocks whose coinbase pays miners itself. Units as in 0001.
--
-- Their block_weight and block_credit are written with the block, because they
-- were fixed with its job. Of a credit, block_payment is what the coinbase paid;
-- the rest is owed.

-- written by pool/ledger/blocks.go
ALTER TABLE block ADD COLUMN pool_script BLOB; -- scriptPubKey of the pool's wallet; NULL: all of the coinbase is the pool's

CREATE TRIGGER block_pool_script_fixed BEFORE UPDATE OF pool_script ON block
BEGIN SELECT RAISE(ABORT, 'what is known of a found block is fixed'); END;

-- written by pool/ledger/coinbase.go: read from the raw block
CREATE TABLE block_payment (
    block   INTEGER NOT NULL REFERENCES block (id),
    account INTEGER NOT NULL REFERENCES account (id),
    amount  INTEGER NOT NULL CHECK (amount > 0), -- sat
    PRIMARY KEY (block, account)
) STRICT, WITHOUT ROWID;
CREATE INDEX block_payment_account ON block_payment (account, block);

CREATE TRIGGER payment_open BEFORE INSERT ON block_payment
WHEN (SELECT winner_seq FROM block WHERE id = NEW.block) IS NOT NULL
  OR EXISTS (SELECT 1 FROM block_payment WHERE block = NEW.block AND account = NEW.account)
BEGIN SELECT RAISE(ABORT, 'a frozen split is fixed'); END;
CREATE TRIGGER payment_fixed BEFORE UPDATE ON block_payment
BEGIN SELECT RAISE(ABORT, 'payments are append-only'); END;
CREATE TRIGGER payment_kept BEFORE DELETE ON block_payment
BEGIN SELECT RAISE(ABORT, 'payments are append-only'); END;
