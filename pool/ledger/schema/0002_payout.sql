-- Payouts: from the plan to the settled transaction. Units as in 0001.
--
-- A payout is one batch. Its items never change after its creation, because the
-- event that reserves their amounts is booked with it. Each attempt to pay it is
-- a payout_tx; attempts of one payout share an input, so at most one confirms.

-- written by pool/payout
CREATE TABLE payout (
    id          INTEGER PRIMARY KEY,
    rev         INTEGER NOT NULL DEFAULT 1 CHECK (rev >= 1), -- grows with every change; UPDATE … WHERE id AND state AND rev
    state       TEXT    NOT NULL DEFAULT 'draft'
                CHECK (state IN ('draft', 'pending', 'approved', 'signed', 'broadcast', 'confirmed', 'settled',
                                 'cancelling', 'cancelled', 'expired', 'failed')),
    created_by  TEXT    NOT NULL,               -- operator's name, or the job that drafts by rule
    created_at  INTEGER NOT NULL,               -- ms
    updated_at  INTEGER NOT NULL,               -- ms, of the last change of state
    total       INTEGER NOT NULL CHECK (total > 0),   -- sat, sum of the items
    n_items     INTEGER NOT NULL CHECK (n_items > 0),
    fee_policy  TEXT    NOT NULL DEFAULT 'pool' CHECK (fee_policy IN ('pool', 'miners')), -- who bears the chain fee
    fee_cap     INTEGER NOT NULL CHECK (fee_cap >= 0), -- sat, highest chain fee without a new approval
    plan_digest BLOB    CHECK (length(plan_digest) = 32), -- SHA-256 of what is approved; NULL while draft
    expires_at  INTEGER,                        -- ms, end of the time for approval; NULL while draft
    idem_key    TEXT    NOT NULL UNIQUE,        -- given by the client: the same request makes one payout
    note        TEXT    NOT NULL DEFAULT '',    -- operator's words
    problem     TEXT    NOT NULL DEFAULT ''     -- sentence for the operator: why it does not go on; '' = nothing
) STRICT;
CREATE INDEX payout_state ON payout (state);

-- written by pool/payout
CREATE TABLE payout_item (
    payout    INTEGER NOT NULL REFERENCES payout (id),
    account   INTEGER NOT NULL REFERENCES account (id),
    script    BLOB    NOT NULL,                 -- output script, as the account's
    address   TEXT    NOT NULL,                 -- its text, as approved
    amount    INTEGER NOT NULL CHECK (amount > 0), -- sat taken from the account; the output gets amount - fee_share
    fee_share INTEGER NOT NULL DEFAULT 0 CHECK (fee_share BETWEEN 0 AND amount), -- sat of the chain fee borne by the miner
    live      INTEGER NOT NULL DEFAULT 1 CHECK (live IN (0, 1)), -- 1 = its amount is reserved for a payout under way
    PRIMARY KEY (payout, account)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX one_live ON payout_item (account) WHERE live = 1; -- one open payout per miner
CREATE INDEX payout_item_account ON payout_item (account, payout);

-- written by pool/payout
CREATE TABLE payout_tx (
    id         INTEGER PRIMARY KEY,
    payout     INTEGER NOT NULL REFERENCES payout (id),
    n          INTEGER NOT NULL CHECK (n >= 0), -- number of the attempt, from 0
    kind       TEXT    NOT NULL DEFAULT 'pay' CHECK (kind IN ('pay', 'bump', 'cancel')),
    psbt       TEXT    NOT NULL,                -- base64 (BIP 174), stored before it is signed
    expected   BLOB    NOT NULL CHECK (length(expected) = 32), -- txid before signing; equal to txid because every input is segwit
    raw        BLOB,                            -- signed transaction, stored before it leaves the process; NULL = not signed
    txid       BLOB    UNIQUE CHECK (txid = expected), -- of raw
    wtxid      BLOB    CHECK (length(wtxid) = 32),
    fee        INTEGER NOT NULL CHECK (fee >= 0), -- sat
    change     INTEGER NOT NULL DEFAULT 0 CHECK (change >= 0), -- sat that return to the wallet
    vsize      INTEGER CHECK (vsize > 0),       -- vbytes; NULL = not signed
    replaces   INTEGER REFERENCES payout_tx (id), -- attempt that this one replaces (BIP 125)
    state      TEXT    NOT NULL DEFAULT 'funded'
               CHECK (state IN ('funded', 'signed', 'broadcast', 'evicted', 'confirmed', 'replaced', 'dead')),
    height     INTEGER,                         -- of the block that holds it; NULL = none
    blockhash  BLOB    CHECK (length(blockhash) = 32),
    first_seen INTEGER,                         -- ms, when the node first took it
    last_err   TEXT    NOT NULL DEFAULT '',     -- last refusal by the node
    UNIQUE (payout, n),
    CHECK ((raw IS NULL) = (txid IS NULL) AND (raw IS NULL) = (wtxid IS NULL) AND (raw IS NULL) = (vsize IS NULL)),
    CHECK ((height IS NULL) = (blockhash IS NULL))
) STRICT;

-- written by pool/payout
CREATE TABLE tx_input (
    payout_tx INTEGER NOT NULL REFERENCES payout_tx (id),
    txid      BLOB    NOT NULL CHECK (length(txid) = 32), -- output that is spent
    vout      INTEGER NOT NULL CHECK (vout >= 0),
    amount    INTEGER NOT NULL CHECK (amount > 0), -- sat
    PRIMARY KEY (payout_tx, txid, vout)
) STRICT, WITHOUT ROWID;

-- written by pool/payout: coins that belong to a payout under way; the wallet's own locks are only a copy
CREATE TABLE utxo_lease (
    txid   BLOB    NOT NULL CHECK (length(txid) = 32),
    vout   INTEGER NOT NULL CHECK (vout >= 0),
    payout INTEGER NOT NULL REFERENCES payout (id),
    PRIMARY KEY (txid, vout)
) STRICT, WITHOUT ROWID;
CREATE INDEX utxo_lease_payout ON utxo_lease (payout);

-- written by pool/payout
CREATE TABLE approval (
    payout INTEGER NOT NULL REFERENCES payout (id),
    rev    INTEGER NOT NULL,                    -- revision that was on the screen
    digest BLOB    NOT NULL CHECK (length(digest) = 32), -- plan_digest that was on the screen
    user   TEXT    NOT NULL,
    method TEXT    NOT NULL,                    -- how the person proved to be there: password, totp, passkey, rule
    ip     TEXT    NOT NULL,
    at     INTEGER NOT NULL,                    -- ms
    UNIQUE (payout, rev, user)
) STRICT;

CREATE TRIGGER payout_fixed BEFORE UPDATE OF id, created_by, created_at, total, n_items, idem_key ON payout
BEGIN SELECT RAISE(ABORT, 'what a payout pays is fixed'); END;
CREATE TRIGGER payout_kept BEFORE DELETE ON payout
BEGIN SELECT RAISE(ABORT, 'payouts are never removed'); END;
CREATE TRIGGER payout_new BEFORE INSERT ON payout
WHEN EXISTS (SELECT 1 FROM payout WHERE id = NEW.id OR idem_key = NEW.idem_key)
BEGIN SELECT RAISE(ABORT, 'this payout exists'); END;
CREATE TRIGGER payout_ended BEFORE UPDATE OF state ON payout
WHEN OLD.state IN ('cancelled', 'expired', 'failed') AND NEW.state <> OLD.state
BEGIN SELECT RAISE(ABORT, 'this payout has ended'); END;
-- The order that pays exactly once: the signed bytes are stored before the state says so …
CREATE TRIGGER payout_signed BEFORE UPDATE OF state ON payout
WHEN NEW.state IN ('signed', 'broadcast', 'confirmed', 'settled')
 AND NOT EXISTS (SELECT 1 FROM payout_tx WHERE payout = NEW.id AND raw IS NOT NULL)
BEGIN SELECT RAISE(ABORT, 'no signed transaction is stored'); END;
-- … and once they exist, money returns to the miners only through a cancelling transaction or proof of death.
CREATE TRIGGER payout_release BEFORE UPDATE OF state ON payout
WHEN NEW.state IN ('cancelled', 'expired') AND OLD.state <> 'cancelling'
 AND EXISTS (SELECT 1 FROM payout_tx WHERE payout = NEW.id AND raw IS NOT NULL)
BEGIN SELECT RAISE(ABORT, 'a signed transaction could still win'); END;

CREATE TRIGGER payout_item_fixed BEFORE UPDATE OF payout, account, script, address, amount ON payout_item
BEGIN SELECT RAISE(ABORT, 'what a payout pays is fixed'); END;
CREATE TRIGGER payout_item_kept BEFORE DELETE ON payout_item
BEGIN SELECT RAISE(ABORT, 'what a payout pays is fixed'); END;

CREATE TRIGGER payout_item_new BEFORE INSERT ON payout_item
WHEN EXISTS (SELECT 1 FROM payout_item WHERE account = NEW.account AND (payout = NEW.payout OR live = 1 AND NEW.live = 1))
BEGIN SELECT RAISE(ABORT, 'this miner is being paid'); END;

CREATE TRIGGER payout_tx_signed BEFORE UPDATE OF payout, n, kind, psbt, expected, raw, txid, wtxid ON payout_tx WHEN OLD.raw IS NOT NULL
BEGIN SELECT RAISE(ABORT, 'a signed transaction is fixed'); END;
CREATE TRIGGER payout_tx_kept BEFORE DELETE ON payout_tx WHEN OLD.raw IS NOT NULL
BEGIN SELECT RAISE(ABORT, 'a signed transaction is kept'); END;

CREATE TRIGGER payout_tx_new BEFORE INSERT ON payout_tx
WHEN EXISTS (SELECT 1 FROM payout_tx WHERE id = NEW.id OR txid = NEW.txid OR payout = NEW.payout AND n = NEW.n)
BEGIN SELECT RAISE(ABORT, 'this attempt exists'); END;
CREATE TRIGGER utxo_lease_new BEFORE INSERT ON utxo_lease
WHEN EXISTS (SELECT 1 FROM utxo_lease WHERE txid = NEW.txid AND vout = NEW.vout)
BEGIN SELECT RAISE(ABORT, 'this coin belongs to a payout'); END;

CREATE TRIGGER approval_fixed BEFORE UPDATE ON approval
BEGIN SELECT RAISE(ABORT, 'approvals are append-only'); END;
CREATE TRIGGER approval_kept BEFORE DELETE ON approval
BEGIN SELECT RAISE(ABORT, 'approvals are append-only'); END;
CREATE TRIGGER approval_new BEFORE INSERT ON approval
WHEN EXISTS (SELECT 1 FROM approval WHERE payout = NEW.payout AND rev = NEW.rev AND user = NEW.user)
BEGIN SELECT RAISE(ABORT, 'this person has approved this revision'); END;
