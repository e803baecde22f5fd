-- shares.db: every accepted share, and what is summed up from them.
--
-- Names that end in _ms are unix milliseconds, t is unix seconds. work is in
-- expected hashes of the assigned (not the achieved) difficulty.

-- written by pool/shares/write.go
-- A worker exists from its first accepted share on. Rows are never deleted.
CREATE TABLE worker (
    id         INTEGER PRIMARY KEY,            -- in the order of the first accepted shares
    address    TEXT    NOT NULL CHECK (address <> ''),
    name       TEXT    NOT NULL,
    script     BLOB    NOT NULL,               -- scriptPubKey of the address: the payout account
    user_agent TEXT    NOT NULL,               -- of the latest share
    first_ms   INTEGER NOT NULL,               -- first and latest accepted share
    last_ms    INTEGER NOT NULL,
    accepted   INTEGER NOT NULL,               -- accepted shares, the late ones included
    late       INTEGER NOT NULL,
    best       REAL    NOT NULL,               -- highest achieved difficulty ever
    best_ms    INTEGER NOT NULL,
    best_round REAL    NOT NULL,               -- highest achieved difficulty in the round
    round      INTEGER NOT NULL,               -- which begins after this seq, that of a block's share
    UNIQUE (address, name)
) STRICT;

-- written by pool/shares/write.go, deleted by pool/shares/prune.go after 48 hours
CREATE TABLE share (
    seq        INTEGER PRIMARY KEY,            -- order of acceptance; has gaps
    at_ms      INTEGER NOT NULL,
    worker     INTEGER NOT NULL REFERENCES worker,
    work       INTEGER NOT NULL CHECK (work > 0),
    difficulty REAL    NOT NULL,               -- assigned
    achieved   REAL    NOT NULL,               -- of the hash
    late       INTEGER NOT NULL CHECK (late IN (0, 1))
) STRICT;

-- written by pool/shares/write.go, merged by pool/shares/prune.go after 48 hours
-- A run of shares with equal nBits. Only the newest one still grows.
CREATE TABLE shift (
    id        INTEGER PRIMARY KEY,
    from_seq  INTEGER NOT NULL UNIQUE,         -- first and last share
    to_seq    INTEGER NOT NULL UNIQUE CHECK (to_seq >= from_seq),
    nbits     INTEGER NOT NULL,                -- network difficulty of its jobs
    opened_ms INTEGER NOT NULL,                -- time of the first and the latest share
    last_ms   INTEGER NOT NULL,
    work      INTEGER NOT NULL CHECK (work > 0) -- sum over the workers
) STRICT;

-- written by pool/shares/write.go, merged by pool/shares/prune.go after 48 hours
CREATE TABLE shift_work (
    shift  INTEGER NOT NULL REFERENCES shift,
    worker INTEGER NOT NULL REFERENCES worker,
    work   INTEGER NOT NULL CHECK (work > 0),
    n      INTEGER NOT NULL CHECK (n > 0),     -- number of shares
    PRIMARY KEY (shift, worker)
) STRICT, WITHOUT ROWID;

-- written by pool/shares/write.go
CREATE TABLE winner (
    block BLOB    NOT NULL PRIMARY KEY CHECK (length(block) = 32), -- internal byte order
    seq   INTEGER NOT NULL UNIQUE              -- the share that found it; a shift ends here
) STRICT, WITHOUT ROWID;

-- written by pool/shares/write.go
-- Roll-ups for charts. A row lives in exactly one of the three tables: after 8
-- days it moves from r10m to r1h, after 400 days to r1d (pool/shares/prune.go).
CREATE TABLE r10m (
    t        INTEGER NOT NULL,                 -- begin of the slot
    worker   INTEGER NOT NULL REFERENCES worker,
    work     REAL    NOT NULL,
    accepted INTEGER NOT NULL,
    late     INTEGER NOT NULL,
    PRIMARY KEY (t, worker)
) STRICT, WITHOUT ROWID;

-- written by pool/shares/prune.go
CREATE TABLE r1h (
    t        INTEGER NOT NULL,
    worker   INTEGER NOT NULL REFERENCES worker,
    work     REAL    NOT NULL,
    accepted INTEGER NOT NULL,
    late     INTEGER NOT NULL,
    PRIMARY KEY (t, worker)
) STRICT, WITHOUT ROWID;

-- written by pool/shares/prune.go
CREATE TABLE r1d (
    t        INTEGER NOT NULL,
    worker   INTEGER NOT NULL REFERENCES worker,
    work     REAL    NOT NULL,
    accepted INTEGER NOT NULL,
    late     INTEGER NOT NULL,
    PRIMARY KEY (t, worker)
) STRICT, WITHOUT ROWID;

-- written by pool/shares/write.go
-- Rejected shares by day and reason.
CREATE TABLE reject (
    t      INTEGER NOT NULL,                   -- begin of the day, UTC
    worker INTEGER NOT NULL,                   -- 0: workers that never had a share accepted
    reason TEXT    NOT NULL,
    n      INTEGER NOT NULL CHECK (n > 0),
    PRIMARY KEY (t, worker, reason)
) STRICT, WITHOUT ROWID;

-- written by pool/shares/write.go
-- Seconds of each 10-minute slot in which the pool was running: without them
-- "no shares because nobody mined" and "because the pool was down" look alike.
CREATE TABLE up (
    t       INTEGER PRIMARY KEY,
    seconds REAL    NOT NULL CHECK (seconds BETWEEN 0 AND 600)
) STRICT;
