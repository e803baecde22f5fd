-- ledger.db: money, blocks, payouts and what the operator decided.
--
-- Amounts are satoshis. Times are Unix milliseconds. Hashes, txids included,
-- are 32 bytes in the order in which they are computed; people see them
-- reversed. Debit is positive, credit negative, so a miner whom the pool owes
-- 5 has a balance of -5.
--
-- The triggers are the second lock, behind the Go code: what has been written
-- about money cannot be changed or removed through SQL. They take INSERT OR
-- REPLACE into account, which does not fire delete triggers.

-- written by pool/ledger/accounts.go
CREATE TABLE account (
    id         INTEGER PRIMARY KEY,             -- 1 to 100 belong to the pool itself; a tie in a split goes to the lower id
    kind       TEXT    NOT NULL CHECK (kind IN ('system', 'miner')),
    script     BLOB    UNIQUE,                  -- scriptPubKey that is paid: this is what identifies a miner; NULL for the pool's own
    address    TEXT    NOT NULL UNIQUE,         -- canonical text of script; the name of an account of the pool
    min_payout INTEGER NOT NULL DEFAULT 0 CHECK (min_payout >= 0), -- sat; 0 = the pool's minimum; applies where it is higher than that
    hold       INTEGER NOT NULL DEFAULT 0 CHECK (hold IN (0, 1)),  -- 1 = not to be paid until the operator says so
    created    INTEGER NOT NULL,                -- ms
    CHECK ((kind = 'miner') = (script IS NOT NULL)),
    CHECK ((kind = 'system') = (id BETWEEN 1 AND 100))
) STRICT;

INSERT INTO account (id, kind, address, created) VALUES
    (1, 'system', 'wallet:immature',  0),       -- asset: coinbases that cannot be spent yet
    (2, 'system', 'wallet:spendable', 0),       -- asset: mature coinbases less what was paid from them
    (3, 'system', 'pool:fee',         0),       -- income: the pool's fee
    (4, 'system', 'pool:donation',    0),       -- income: set aside for donation
    (5, 'system', 'pool:reserve',     0),       -- income: what an under-filled window holds back
    (6, 'system', 'pool:txfee',       0),       -- expense: chain fees that the pool bore
    (7, 'system', 'ext:coinbase',     0);       -- passing through: paid by a coinbase directly to a miner

CREATE TRIGGER account_fixed BEFORE UPDATE OF id, kind, script, address, created ON account
BEGIN SELECT RAISE(ABORT, 'an account keeps its identity'); END;
CREATE TRIGGER account_kept BEFORE DELETE ON account
BEGIN SELECT RAISE(ABORT, 'accounts are never removed'); END;
CREATE TRIGGER account_new BEFORE INSERT ON account
WHEN EXISTS (SELECT 1 FROM account WHERE id = NEW.id OR script = NEW.script OR address = NEW.address)
BEGIN SELECT RAISE(ABORT, 'this account exists'); END;

-- written by pool/ledger/post.go
CREATE TABLE event (
    id        INTEGER PRIMARY KEY,              -- 1, 2, 3 … without a gap, in the order of the chain
    key       TEXT    NOT NULL UNIQUE,          -- says what happened, so that it is booked once: blk:<hash>:credit:0
    kind      TEXT    NOT NULL,                 -- credit, mature, orphan, unmature, reserve, release, settle, unsettle, adj, reversal
    ref       TEXT    NOT NULL,                 -- what it is about: blk:<hash>, pay:<id>
    reverses  INTEGER UNIQUE REFERENCES event (id), -- event whose postings this one negates exactly; at most once
    actor     TEXT    NOT NULL,                 -- who: the name of an operator or of a part of the program
    at        INTEGER NOT NULL,                 -- ms
    prev_hash BLOB    NOT NULL CHECK (length(prev_hash) = 32), -- hash of event id-1; zeroes for the first
    hash      BLOB    NOT NULL CHECK (length(hash) = 32)       -- SHA-256 over all of the above and the postings
) STRICT;
CREATE INDEX event_ref ON event (ref);

-- written by pool/ledger/post.go
CREATE TABLE posting (
    event   INTEGER NOT NULL REFERENCES event (id),
    account INTEGER NOT NULL REFERENCES account (id),
    bucket  TEXT    NOT NULL CHECK (bucket IN ('', 'pending', 'payable', 'reserved')), -- '' for an account of the pool
    amount  INTEGER NOT NULL CHECK (amount <> 0 AND amount BETWEEN -2100000000000000 AND 2100000000000000), -- sat, debit +, credit -
    PRIMARY KEY (event, account, bucket),
    CHECK ((bucket = '') = (account <= 100))
) STRICT, WITHOUT ROWID;
CREATE INDEX posting_account ON posting (account, bucket);

-- written by pool/ledger/post.go; the last row of an event: no posting can follow
CREATE TABLE event_seal (
    event INTEGER PRIMARY KEY REFERENCES event (id)
) STRICT;

-- written by trigger posting_balance: the sum of all postings, kept for reading
CREATE TABLE balance (
    account INTEGER NOT NULL REFERENCES account (id),
    bucket  TEXT    NOT NULL,                   -- as in posting
    amount  INTEGER NOT NULL,                   -- sat, debit +, credit -
    PRIMARY KEY (account, bucket)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER event_chained BEFORE INSERT ON event
WHEN NEW.id IS NOT (SELECT COALESCE(MAX(id), 0) + 1 FROM event)
  OR NEW.prev_hash IS NOT COALESCE((SELECT hash FROM event ORDER BY id DESC LIMIT 1), zeroblob(32))
  OR EXISTS (SELECT 1 FROM event WHERE key = NEW.key OR reverses = NEW.reverses)
BEGIN SELECT RAISE(ABORT, 'an event follows the last one and is new'); END;
CREATE TRIGGER event_after_seal BEFORE INSERT ON event
WHEN (SELECT MAX(id) FROM event) IS NOT (SELECT MAX(event) FROM event_seal)
BEGIN SELECT RAISE(ABORT, 'the event before is not sealed'); END;
CREATE TRIGGER event_fixed BEFORE UPDATE ON event
BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;
CREATE TRIGGER event_kept BEFORE DELETE ON event
BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;

CREATE TRIGGER posting_open BEFORE INSERT ON posting
WHEN EXISTS (SELECT 1 FROM event_seal WHERE event = NEW.event)
  OR EXISTS (SELECT 1 FROM posting WHERE event = NEW.event AND account = NEW.account AND bucket = NEW.bucket)
BEGIN SELECT RAISE(ABORT, 'postings are append-only and end with the seal'); END;
CREATE TRIGGER posting_balance AFTER INSERT ON posting
BEGIN
    INSERT INTO balance (account, bucket, amount) VALUES (NEW.account, NEW.bucket, NEW.amount)
    ON CONFLICT (account, bucket) DO UPDATE SET amount = amount + excluded.amount;
END;
CREATE TRIGGER posting_fixed BEFORE UPDATE ON posting
BEGIN SELECT RAISE(ABORT, 'postings are append-only'); END;
CREATE TRIGGER posting_kept BEFORE DELETE ON posting
BEGIN SELECT RAISE(ABORT, 'postings are append-only'); END;

-- SQLite has no deferred triggers: what must be true of a whole event is asked when it is sealed.
CREATE TRIGGER seal_zero BEFORE INSERT ON event_seal
WHEN (SELECT COALESCE(SUM(amount), 0) FROM posting WHERE event = NEW.event) <> 0
BEGIN SELECT RAISE(ABORT, 'the postings of an event add up to zero'); END;
-- Only the reversal of what was booked before may leave a miner owing the pool (an orphan after the payout).
CREATE TRIGGER seal_covered BEFORE INSERT ON event_seal
WHEN (SELECT reverses FROM event WHERE id = NEW.event) IS NULL
 AND EXISTS (SELECT 1 FROM posting p JOIN balance b ON b.account = p.account AND b.bucket = p.bucket
             WHERE p.event = NEW.event AND p.bucket <> '' AND p.amount > 0 AND b.amount > 0)
BEGIN SELECT RAISE(ABORT, 'a miner cannot spend more than there is'); END;
CREATE TRIGGER seal_reversal BEFORE INSERT ON event_seal
WHEN (SELECT reverses FROM event WHERE id = NEW.event) IS NOT NULL
 AND EXISTS (SELECT 1 FROM (
         SELECT account, bucket, amount FROM posting WHERE event = NEW.event
         UNION ALL
         SELECT account, bucket, amount FROM posting WHERE event = (SELECT reverses FROM event WHERE id = NEW.event))
     GROUP BY account, bucket HAVING SUM(amount) <> 0)
BEGIN SELECT RAISE(ABORT, 'a reversal negates every posting'); END;
CREATE TRIGGER seal_fixed BEFORE UPDATE ON event_seal
BEGIN SELECT RAISE(ABORT, 'seals are append-only'); END;
CREATE TRIGGER seal_kept BEFORE DELETE ON event_seal
BEGIN SELECT RAISE(ABORT, 'seals are append-only'); END;

-- written by pool/ledger/blocks.go, submit.go, freeze.go and observe.go
CREATE TABLE block (
    id            INTEGER PRIMARY KEY,          -- order of finding, for paging
    hash          BLOB    NOT NULL UNIQUE CHECK (length(hash) = 32),
    prev          BLOB    NOT NULL CHECK (length(prev) = 32),
    height        INTEGER NOT NULL CHECK (height >= 0),
    found_at      INTEGER NOT NULL,             -- ms
    finder        INTEGER NOT NULL REFERENCES account (id),
    worker        TEXT    NOT NULL,             -- name of the finder's device, may be ''
    work          INTEGER NOT NULL,             -- expected hashes of the winning share's assigned target
    bits          INTEGER NOT NULL CHECK (bits BETWEEN 0 AND 4294967295), -- nBits of the header
    coinbase_txid BLOB    NOT NULL CHECK (length(coinbase_txid) = 32),
    value         INTEGER NOT NULL CHECK (value BETWEEN 0 AND 2100000000000000), -- sat, all outputs of our own coinbase
    settlement    TEXT    NOT NULL CHECK (settlement IN ('ledger', 'direct', 'solo')),
    fee_bps       INTEGER NOT NULL CHECK (fee_bps BETWEEN 0 AND 10000),      -- of value, in 1/10000
    donation_bps  INTEGER NOT NULL CHECK (donation_bps BETWEEN 0 AND 10000), -- of value, in 1/10000
    window_milli  INTEGER NOT NULL CHECK (window_milli > 0),                 -- PPLNS window X in 1/1000 of the network's work
    underfill     TEXT    NOT NULL CHECK (underfill IN ('scale', 'hold')),
    raw           BLOB    NOT NULL,             -- the whole block, to submit it again
    state         TEXT    NOT NULL DEFAULT 'found'
                  CHECK (state IN ('found', 'unknown', 'accepted', 'mature', 'orphaned', 'stale', 'rejected')),
    booked        TEXT    NOT NULL DEFAULT 'none' -- where the reward stands in the books; only an event moves it
                  CHECK (booked IN ('none', 'pending', 'payable')),
    flips         INTEGER NOT NULL DEFAULT 0 CHECK (flips >= 0), -- times it left the books; part of its event keys
    submit_result TEXT,                         -- last answer to submitblock; '' = accepted, NULL = not submitted yet
    last_conf     INTEGER,                      -- header's confirmations at the last change of state; -1 = off the main chain, NULL = never seen
    winner_seq    INTEGER,                      -- share log sequence of the winning share; NULL until the split is frozen
    fee           INTEGER CHECK (fee >= 0),      -- sat, of the frozen split, as donation and reserve
    donation      INTEGER CHECK (donation >= 0),
    reserve       INTEGER CHECK (reserve >= 0),
    CHECK ((winner_seq IS NULL) = (fee IS NULL) AND (fee IS NULL) = (donation IS NULL) AND (fee IS NULL) = (reserve IS NULL)),
    CHECK (booked = 'none' OR winner_seq IS NOT NULL)
) STRICT;
CREATE INDEX block_state ON block (state, height);

CREATE TRIGGER block_fixed BEFORE UPDATE OF id, hash, prev, height, found_at, finder, worker, work, bits, coinbase_txid,
    value, settlement, fee_bps, donation_bps, window_milli, underfill, raw ON block
BEGIN SELECT RAISE(ABORT, 'what is known of a found block is fixed'); END;
CREATE TRIGGER block_frozen BEFORE UPDATE OF winner_seq, fee, donation, reserve ON block WHEN OLD.winner_seq IS NOT NULL
BEGIN SELECT RAISE(ABORT, 'a frozen split is fixed'); END;
CREATE TRIGGER block_kept BEFORE DELETE ON block
BEGIN SELECT RAISE(ABORT, 'blocks are never removed'); END;
CREATE TRIGGER block_new BEFORE INSERT ON block
WHEN EXISTS (SELECT 1 FROM block WHERE id = NEW.id OR hash = NEW.hash)
BEGIN SELECT RAISE(ABORT, 'this block exists'); END;

-- written by pool/ledger/freeze.go: the PPLNS window at the found block
CREATE TABLE block_weight (
    block   INTEGER NOT NULL REFERENCES block (id),
    account INTEGER NOT NULL REFERENCES account (id),
    weight  TEXT    NOT NULL,                   -- score in the window as an exact fraction: 7/10
    PRIMARY KEY (block, account)
) STRICT, WITHOUT ROWID;

-- written by pool/ledger/freeze.go: what the window is worth
CREATE TABLE block_credit (
    block   INTEGER NOT NULL REFERENCES block (id),
    account INTEGER NOT NULL REFERENCES account (id),
    amount  INTEGER NOT NULL CHECK (amount >= 0), -- sat
    PRIMARY KEY (block, account)
) STRICT, WITHOUT ROWID;
CREATE INDEX block_credit_account ON block_credit (account, block);

CREATE TRIGGER weight_open BEFORE INSERT ON block_weight
WHEN (SELECT winner_seq FROM block WHERE id = NEW.block) IS NOT NULL
  OR EXISTS (SELECT 1 FROM block_weight WHERE block = NEW.block AND account = NEW.account)
BEGIN SELECT RAISE(ABORT, 'a frozen split is fixed'); END;
CREATE TRIGGER weight_fixed BEFORE UPDATE ON block_weight
BEGIN SELECT RAISE(ABORT, 'weights are append-only'); END;
CREATE TRIGGER weight_kept BEFORE DELETE ON block_weight
BEGIN SELECT RAISE(ABORT, 'weights are append-only'); END;
CREATE TRIGGER credit_open BEFORE INSERT ON block_credit
WHEN (SELECT winner_seq FROM block WHERE id = NEW.block) IS NOT NULL
  OR EXISTS (SELECT 1 FROM block_credit WHERE block = NEW.block AND account = NEW.account)
BEGIN SELECT RAISE(ABORT, 'a frozen split is fixed'); END;
CREATE TRIGGER credit_fixed BEFORE UPDATE ON block_credit
BEGIN SELECT RAISE(ABORT, 'credits are append-only'); END;
CREATE TRIGGER credit_kept BEFORE DELETE ON block_credit
BEGIN SELECT RAISE(ABORT, 'credits are append-only'); END;

-- written by pool/ledger/cursor.go: how far the chain was followed; one row
CREATE TABLE chain_cursor (
    id     INTEGER PRIMARY KEY CHECK (id = 1),
    height INTEGER NOT NULL CHECK (height >= 0),
    hash   BLOB    NOT NULL CHECK (length(hash) = 32)
) STRICT;
