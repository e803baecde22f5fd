-- Alerts: what the box has noticed, and whom it has told. Units as in 0001. All of it is written by appliance/alert.

-- A rule that the operators have changed or made; those that are as the program has them have no row.
CREATE TABLE alert_rule (
    key       TEXT    PRIMARY KEY CHECK (key <> ''), -- its type, of a rule that the program has; else own-1, own-2 …
    type      TEXT    NOT NULL,                 -- what it watches for: worker_offline, node_stalled
    name      TEXT    NOT NULL DEFAULT '',      -- the operators' words; empty: that of the type
    level     TEXT    NOT NULL CHECK (level IN ('info', 'warning', 'critical')),
    enabled   INTEGER NOT NULL CHECK (enabled IN (0, 1)),
    urgent    INTEGER NOT NULL CHECK (urgent IN (0, 1)), -- 1 = quiet hours do not hold it back
    threshold REAL    NOT NULL,                 -- in the unit of the type: percent, hours, TH/s …
    minutes   INTEGER NOT NULL CHECK (minutes >= 0), -- for so long it has to be so
    cooldown  INTEGER NOT NULL CHECK (cooldown >= 0), -- minutes until the same is told again
    channels  TEXT    CHECK (json_valid(channels)) -- JSON array of the channels that are told; NULL = all
) STRICT, WITHOUT ROWID;

-- One alert, about one thing or several.
CREATE TABLE alert (
    id           INTEGER PRIMARY KEY AUTOINCREMENT, -- never used again: deliveries and scripts name it
    rule         TEXT    NOT NULL,              -- key of the rule, which may be gone
    type         TEXT    NOT NULL,
    name         TEXT    NOT NULL,              -- as in alert_rule
    level        TEXT    NOT NULL CHECK (level IN ('info', 'warning', 'critical')),
    lasting      INTEGER NOT NULL CHECK (lasting IN (0, 1)), -- 0 = it happened; 1 = it is so until it is over
    raised_at    INTEGER NOT NULL,              -- ms
    over_at      INTEGER,                       -- ms; NULL = it is still so; raised_at of what happened
    dismissed_at INTEGER,                       -- ms; NULL = it stands on the page
    dismissed_by TEXT    NOT NULL DEFAULT '',   -- operator's name
    CHECK (lasting = 1 OR over_at = raised_at)
) STRICT;
CREATE INDEX alert_open ON alert (id) WHERE dismissed_at IS NULL;
CREATE INDEX alert_rule_raised ON alert (rule, raised_at);
CREATE INDEX alert_lasting ON alert (id) WHERE over_at IS NULL;

CREATE TABLE alert_about (
    alert   INTEGER NOT NULL REFERENCES alert (id) ON DELETE CASCADE,
    subject TEXT    NOT NULL,                   -- a worker, a block, a payout; empty: the box
    detail  TEXT    NOT NULL CHECK (json_valid(detail)), -- JSON object, what the sentences say; never a secret
    over_at INTEGER,                            -- ms; NULL = it is still so
    PRIMARY KEY (alert, subject)
) STRICT, WITHOUT ROWID;

-- What has happened and is known, told or not. The row of the subject '' says that the rule has had its first look.
CREATE TABLE alert_seen (
    id      INTEGER PRIMARY KEY,
    rule    TEXT    NOT NULL,
    subject TEXT    NOT NULL,
    UNIQUE (rule, subject)
) STRICT;

-- One way out of the box.
CREATE TABLE alert_channel (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    kind       TEXT    NOT NULL CHECK (kind IN ('webhook', 'ntfy', 'telegram', 'smtp')),
    name       TEXT    NOT NULL,                -- the operators' words
    enabled    INTEGER NOT NULL CHECK (enabled IN (0, 1)),
    per_hour   INTEGER NOT NULL CHECK (per_hour BETWEEN 1 AND 1000), -- messages at most
    config     TEXT    NOT NULL CHECK (json_valid(config)), -- JSON object without the secrets
    sealed     BLOB    NOT NULL,                -- the secrets under the key of the box, see appliance/seal.go
    created_at INTEGER NOT NULL,                -- ms
    next_at    INTEGER NOT NULL DEFAULT 0,      -- ms, not tried before, because it failed
    failures   INTEGER NOT NULL DEFAULT 0,      -- in a row
    sent_at    INTEGER,                         -- ms, of the last message that arrived
    problem    TEXT    NOT NULL DEFAULT ''      -- why the last one did not, a sentence; '' = it did
) STRICT;

-- News of an alert for a channel.
CREATE TABLE alert_delivery (
    id      INTEGER PRIMARY KEY,
    channel INTEGER REFERENCES alert_channel (id) ON DELETE SET NULL,
    name    TEXT    NOT NULL,                   -- of the channel
    alert   INTEGER REFERENCES alert (id) ON DELETE CASCADE, -- NULL = a test
    news    TEXT    NOT NULL CHECK (news IN ('raised', 'over', 'test')),
    urgent  INTEGER NOT NULL CHECK (urgent IN (0, 1)),
    at      INTEGER NOT NULL,                   -- ms
    state   TEXT    NOT NULL CHECK (state IN ('waiting', 'sent', 'dropped')),
    tries   INTEGER NOT NULL DEFAULT 0,
    done_at INTEGER,                            -- ms, of the last try; NULL = none yet
    problem TEXT    NOT NULL DEFAULT ''         -- why it has not arrived, a sentence
) STRICT;
CREATE INDEX alert_delivery_waiting ON alert_delivery (channel, id) WHERE state = 'waiting';
CREATE INDEX alert_delivery_alert ON alert_delivery (alert);

-- How alerts are told; no row: as the program has it.
CREATE TABLE alert_policy (
    id             INTEGER PRIMARY KEY CHECK (id = 1),
    quiet          INTEGER NOT NULL CHECK (quiet IN (0, 1)), -- 1 = there are quiet hours
    quiet_from     INTEGER NOT NULL CHECK (quiet_from BETWEEN 0 AND 1439), -- minutes after midnight, in the time zone of the settings
    quiet_to       INTEGER NOT NULL CHECK (quiet_to BETWEEN 0 AND 1439),
    urgent_waits   INTEGER NOT NULL CHECK (urgent_waits IN (0, 1)), -- 1 = quiet hours hold back urgent ones, too
    full_addresses INTEGER NOT NULL CHECK (full_addresses IN (0, 1)),
    language       TEXT    NOT NULL CHECK (language <> '')
) STRICT;
