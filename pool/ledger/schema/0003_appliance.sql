-- The box: who operates it, how it is set, what was done. Units as in 0001.

-- written by appliance
CREATE TABLE audit (
    seq       INTEGER PRIMARY KEY,              -- 1, 2, 3 … without a gap, in the order of the chain
    at        INTEGER NOT NULL,                 -- ms
    actor     TEXT    NOT NULL,                 -- operator's name, or a part of the program
    action    TEXT    NOT NULL,                 -- what was tried: login, settings, payout.approve
    object    TEXT    NOT NULL DEFAULT '',      -- on what: pay:7
    result    TEXT    NOT NULL DEFAULT '',      -- ok, or why not
    ip        TEXT    NOT NULL DEFAULT '',
    detail    TEXT    NOT NULL DEFAULT '{}' CHECK (json_valid(detail)), -- JSON object, before and after; never a secret
    prev_hash BLOB    NOT NULL CHECK (length(prev_hash) = 32), -- hash of row seq-1; zeroes for the first
    hash      BLOB    NOT NULL CHECK (length(hash) = 32)       -- pool/ledger.Digest over prev_hash and the columns above it
) STRICT;

CREATE TRIGGER audit_chained BEFORE INSERT ON audit
WHEN NEW.seq IS NOT (SELECT COALESCE(MAX(seq), 0) + 1 FROM audit)
  OR NEW.prev_hash IS NOT COALESCE((SELECT hash FROM audit ORDER BY seq DESC LIMIT 1), zeroblob(32))
BEGIN SELECT RAISE(ABORT, 'an audit row follows the last one'); END;
CREATE TRIGGER audit_fixed BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_kept BEFORE DELETE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;

-- written by appliance
CREATE TABLE setting (
    key        TEXT    PRIMARY KEY,
    value      TEXT    NOT NULL,
    rev        INTEGER NOT NULL DEFAULT 1,      -- grows with every change: two tabs do not overwrite each other
    updated_at INTEGER NOT NULL                 -- ms
) STRICT, WITHOUT ROWID;

-- written by appliance
CREATE TABLE operator (
    id            INTEGER PRIMARY KEY,
    name          TEXT    NOT NULL UNIQUE COLLATE NOCASE,
    password_hash TEXT    NOT NULL,             -- argon2id in PHC format
    created_at    INTEGER NOT NULL,             -- ms
    updated_at    INTEGER NOT NULL              -- ms, of the last change of the password
) STRICT;

-- written by appliance: steps of the first set-up that are done
CREATE TABLE setup (
    step    TEXT    PRIMARY KEY,                -- name of the step
    detail  TEXT    NOT NULL DEFAULT '',        -- what was decided, as JSON or plain text; never a secret
    done_at INTEGER NOT NULL                    -- ms
) STRICT, WITHOUT ROWID;

-- written by appliance
CREATE TABLE web_session (
    id_hash    BLOB    PRIMARY KEY CHECK (length(id_hash) = 32), -- SHA-256 of the secret in the cookie
    operator   INTEGER REFERENCES operator (id) ON DELETE CASCADE, -- NULL before the login
    data       BLOB    NOT NULL,                -- encoded session values
    created_at INTEGER NOT NULL,                -- ms
    seen_at    INTEGER NOT NULL,                -- ms, of the last request
    expires_at INTEGER NOT NULL,                -- ms
    ip         TEXT    NOT NULL,                -- of the login
    user_agent TEXT    NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX web_session_expiry ON web_session (expires_at);

-- written by appliance
CREATE TABLE job_run (
    id          INTEGER PRIMARY KEY,
    job         TEXT    NOT NULL,               -- name in the table of jobs
    started_at  INTEGER NOT NULL,               -- ms
    finished_at INTEGER,                        -- ms; NULL = under way, or the program died
    ok          INTEGER CHECK (ok IN (0, 1)),   -- NULL while finished_at is
    message     TEXT    NOT NULL DEFAULT '',    -- what came out, or the error
    CHECK ((finished_at IS NULL) = (ok IS NULL))
) STRICT;
CREATE INDEX job_run_job ON job_run (job, id);
