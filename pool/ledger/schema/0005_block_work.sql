-- The work behind the weights of a frozen split, so that a miner can follow it
-- from accepted shares to satoshis. Units as in 0001.
--
-- For every account: weight = sum over n of work · take / network work of bits.
-- Blocks that were frozen before this file have no rows here.

-- written by pool/ledger/freeze.go: how far the window reaches back
CREATE TABLE block_window (
    block    INTEGER PRIMARY KEY REFERENCES block (id),
    from_seq INTEGER NOT NULL,                  -- share log sequence of the first share of the oldest shift
    from_ms  INTEGER NOT NULL                   -- ms, when that shift began
) STRICT;

-- written by pool/ledger/freeze.go: work against one network difficulty, newest first
CREATE TABLE block_epoch (
    block INTEGER NOT NULL REFERENCES block (id),
    n     INTEGER NOT NULL CHECK (n >= 0),
    bits  INTEGER NOT NULL CHECK (bits BETWEEN 0 AND 4294967295), -- nBits of the jobs
    take  TEXT    NOT NULL,                     -- part of the work that counts, an exact fraction: 1, less where the window ends
    PRIMARY KEY (block, n)
) STRICT, WITHOUT ROWID;

-- written by pool/ledger/freeze.go
CREATE TABLE block_work (
    block   INTEGER NOT NULL REFERENCES block (id),
    n       INTEGER NOT NULL,
    account INTEGER NOT NULL REFERENCES account (id),
    work    TEXT    NOT NULL,                   -- expected hashes of the account's shares in the epoch
    shares  INTEGER NOT NULL CHECK (shares > 0),
    PRIMARY KEY (block, account, n),
    FOREIGN KEY (block, n) REFERENCES block_epoch (block, n)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER window_open BEFORE INSERT ON block_window
WHEN (SELECT winner_seq FROM block WHERE id = NEW.block) IS NOT NULL
  OR EXISTS (SELECT 1 FROM block_window WHERE block = NEW.block)
BEGIN SELECT RAISE(ABORT, 'a frozen split is fixed'); END;
CREATE TRIGGER window_fixed BEFORE UPDATE ON block_window
BEGIN SELECT RAISE(ABORT, 'windows are append-only'); END;
CREATE TRIGGER window_kept BEFORE DELETE ON block_window
BEGIN SELECT RAISE(ABORT, 'windows are append-only'); END;
CREATE TRIGGER epoch_open BEFORE INSERT ON block_epoch
WHEN (SELECT winner_seq FROM block WHERE id = NEW.block) IS NOT NULL
  OR EXISTS (SELECT 1 FROM block_epoch WHERE block = NEW.block AND n = NEW.n)
BEGIN SELECT RAISE(ABORT, 'a frozen split is fixed'); END;
CREATE TRIGGER epoch_fixed BEFORE UPDATE ON block_epoch
BEGIN SELECT RAISE(ABORT, 'epochs are append-only'); END;
CREATE TRIGGER epoch_kept BEFORE DELETE ON block_epoch
BEGIN SELECT RAISE(ABORT, 'epochs are append-only'); END;
CREATE TRIGGER work_open BEFORE INSERT ON block_work
WHEN (SELECT winner_seq FROM block WHERE id = NEW.block) IS NOT NULL
  OR EXISTS (SELECT 1 FROM block_work WHERE block = NEW.block AND account = NEW.account AND n = NEW.n)
BEGIN SELECT RAISE(ABORT, 'a frozen split is fixed'); END;
CREATE TRIGGER work_fixed BEFORE UPDATE ON block_work
BEGIN SELECT RAISE(ABORT, 'work is append-only'); END;
CREATE TRIGGER work_kept BEFORE DELETE ON block_work
BEGIN SELECT RAISE(ABORT, 'work is append-only'); END;
