-- Who may come in, and how: second factors, keys of scripts, and what strangers try. Units as in 0001.

-- Grows with each new password and each change of the second factor: a session, or a key, that was let in by what
-- the operator had before does not come after. Written by appliance.
ALTER TABLE operator ADD COLUMN access_at INTEGER NOT NULL DEFAULT 0; -- ms
UPDATE operator SET access_at = updated_at;

-- written by appliance/factor.go
CREATE TABLE second_factor (
    operator     INTEGER PRIMARY KEY REFERENCES operator (id) ON DELETE CASCADE,
    sealed       BLOB    NOT NULL,              -- the secret under the key of the box, see appliance/seal.go
    proposed_at  INTEGER NOT NULL,              -- ms, when the secret was shown
    confirmed_at INTEGER,                       -- ms; NULL = nobody has typed a code of it yet, so it is not asked for
    last_step    INTEGER NOT NULL DEFAULT 0     -- time step of the last code that was taken: none is taken twice
) STRICT;

-- written by appliance/factor.go: ten for each second factor
CREATE TABLE recovery_code (
    operator INTEGER NOT NULL REFERENCES second_factor (operator) ON DELETE CASCADE,
    hash     BLOB    NOT NULL CHECK (length(hash) = 32), -- SHA-256 of the code, which has 80 random bits
    used_at  INTEGER,                           -- ms; NULL = still good
    PRIMARY KEY (operator, hash)
) STRICT, WITHOUT ROWID;

-- written by webui/tokens.go: what scripts show instead of a cookie
CREATE TABLE api_token (
    id         INTEGER PRIMARY KEY,
    operator   INTEGER NOT NULL REFERENCES operator (id) ON DELETE CASCADE,
    kind       TEXT    NOT NULL CHECK (kind IN ('login', 'read')), -- login: for minutes, as its operator; read: only looks
    name       TEXT    NOT NULL,                -- what the operator calls it
    hash       BLOB    NOT NULL UNIQUE CHECK (length(hash) = 32), -- SHA-256 of the token, of a login of its jti
    created_at INTEGER NOT NULL,                -- ms
    used_at    INTEGER,                         -- ms, at most once a minute
    expires_at INTEGER,                         -- ms; NULL = when it is revoked
    ip         TEXT    NOT NULL                 -- where it was made
) STRICT;
CREATE INDEX api_token_operator ON api_token (operator);

-- written by appliance/audit_repeat.go: failures that are counted here before they become a row of the audit log
CREATE TABLE audit_repeat (
    actor    TEXT    NOT NULL,
    action   TEXT    NOT NULL,
    result   TEXT    NOT NULL,
    ip       TEXT    NOT NULL,
    since    INTEGER NOT NULL,                  -- ms, of the row that is in the log
    last     INTEGER NOT NULL,                  -- ms
    times    INTEGER NOT NULL DEFAULT 0,        -- besides that row
    PRIMARY KEY (actor, action, result, ip)
) STRICT, WITHOUT ROWID;
