-- What can happen to a payout after it was signed. Units as in 0001.

-- written by pool/payout: what the approval of an attempt is bound to, where it is not what the payout itself says
ALTER TABLE payout_tx ADD COLUMN rev     INTEGER CHECK (rev >= 1);             -- of the payout, for which the attempt was planned
ALTER TABLE payout_tx ADD COLUMN digest  BLOB    CHECK (length(digest) = 32); -- as plan_digest; NULL = the payout's
ALTER TABLE payout_tx ADD COLUMN fee_cap INTEGER CHECK (fee_cap >= 0);        -- sat, as of the payout; NULL = the payout's
ALTER TABLE payout_tx ADD COLUMN approved INTEGER NOT NULL DEFAULT 0 CHECK (approved IN (0, 1)); -- 1 = a later attempt may be signed

CREATE TRIGGER payout_tx_planned BEFORE UPDATE OF fee, change, replaces, rev, digest, fee_cap ON payout_tx WHEN OLD.raw IS NOT NULL
BEGIN SELECT RAISE(ABORT, 'a signed transaction is fixed'); END;

-- written by pool/payout/sponsor.go: a transaction that spends the change of a payout, back to the wallet, so that
-- miners of blocks take both (CPFP). It pays nobody and is no attempt: the payout does not depend on it.
CREATE TABLE sponsor (
    id         INTEGER PRIMARY KEY,
    parent     INTEGER NOT NULL REFERENCES payout_tx (id), -- whose change it spends
    raw        BLOB    NOT NULL,                -- signed transaction, stored before it leaves the process
    txid       BLOB    NOT NULL UNIQUE CHECK (length(txid) = 32),
    fee        INTEGER NOT NULL CHECK (fee >= 0),    -- sat
    change     INTEGER NOT NULL CHECK (change > 0),  -- sat that return to the wallet
    vsize      INTEGER NOT NULL CHECK (vsize > 0),   -- vbytes
    state      TEXT    NOT NULL DEFAULT 'signed'
               CHECK (state IN ('signed', 'broadcast', 'confirmed', 'settled', 'dead')),
    height     INTEGER,                         -- of the block that holds it; NULL = none
    blockhash  BLOB    CHECK (length(blockhash) = 32),
    last_err   TEXT    NOT NULL DEFAULT '',     -- last refusal by the node
    actor      TEXT    NOT NULL,                -- who pressed the button
    ip         TEXT    NOT NULL,
    at         INTEGER NOT NULL,                -- ms
    CHECK ((height IS NULL) = (blockhash IS NULL))
) STRICT;
CREATE INDEX sponsor_parent ON sponsor (parent);

CREATE TRIGGER sponsor_signed BEFORE UPDATE OF parent, raw, txid, fee, change, vsize, actor, ip, at ON sponsor
BEGIN SELECT RAISE(ABORT, 'a signed transaction is fixed'); END;
CREATE TRIGGER sponsor_kept BEFORE DELETE ON sponsor
BEGIN SELECT RAISE(ABORT, 'a signed transaction is kept'); END;
CREATE TRIGGER sponsor_new BEFORE INSERT ON sponsor
WHEN EXISTS (SELECT 1 FROM sponsor WHERE id = NEW.id OR txid = NEW.txid)
BEGIN SELECT RAISE(ABORT, 'this transaction exists'); END;

-- Money that was released is reserved again when a reorganisation brings a signed transaction back to life.
DROP TRIGGER payout_ended;
CREATE TRIGGER payout_ended BEFORE UPDATE OF state ON payout
WHEN OLD.state IN ('cancelled', 'expired', 'failed') AND NEW.state <> OLD.state
 AND NOT (OLD.state = 'cancelled' AND NEW.state = 'cancelling' AND EXISTS (SELECT 1 FROM payout_tx WHERE payout = NEW.id AND raw IS NOT NULL))
 AND NOT (OLD.state = 'failed' AND NEW.state = 'broadcast')
BEGIN SELECT RAISE(ABORT, 'this payout has ended'); END;
-- A payout that was signed ends only when another transaction has its coins, or its coins are gone.
CREATE TRIGGER payout_undone BEFORE UPDATE OF state ON payout
WHEN NEW.state = 'cancelled' AND OLD.state = 'cancelling'
 AND NOT EXISTS (SELECT 1 FROM payout_tx WHERE payout = NEW.id AND kind = 'cancel' AND state = 'confirmed')
BEGIN SELECT RAISE(ABORT, 'the cancelling transaction is not confirmed'); END;
CREATE TRIGGER payout_failed BEFORE UPDATE OF state ON payout
WHEN NEW.state = 'failed' AND EXISTS (SELECT 1 FROM payout_tx WHERE payout = NEW.id AND raw IS NOT NULL AND state <> 'dead')
BEGIN SELECT RAISE(ABORT, 'a signed transaction could still win'); END;
