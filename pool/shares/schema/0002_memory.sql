-- What miners should find again when they come back. Nothing here is worth a
-- satoshi: without it they start at a difficulty that does not suit them.

-- written by pool/shares/memory.go
CREATE TABLE rig (
    address    TEXT    NOT NULL,               -- of the worker
    worker     TEXT    NOT NULL,
    family     TEXT    NOT NULL,               -- kind of device, by its user agent
    difficulty REAL    NOT NULL CHECK (difficulty > 0), -- the last one that suited it
    at_ms      INTEGER NOT NULL,
    PRIMARY KEY (address, worker, family)
) STRICT, WITHOUT ROWID;

-- written by pool/shares/memory.go
-- The sessions that were there when the pool stopped, or shortly before. There
-- is a row with extranonce1 -1 if it stopped in order; else there are none.
CREATE TABLE session (
    extranonce1 INTEGER PRIMARY KEY CHECK (extranonce1 BETWEEN -1 AND 4294967295),
    closed_ms   INTEGER NOT NULL
) STRICT;
