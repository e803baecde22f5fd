-- setup.db: what the first set-up knows until there is an operator. It lies in
-- the data directory beside the networks' folders, because the network is one of
-- its answers, and goes away with the first start of the box that it made.
-- Times are Unix milliseconds.

-- written by appliance/wizard_claim.go: who may answer; one row
CREATE TABLE claim (
    id        INTEGER PRIMARY KEY CHECK (id = 1),
    code_hash BLOB    NOT NULL CHECK (length(code_hash) = 32), -- SHA-256 of the claim code
    tries     INTEGER NOT NULL DEFAULT 0,        -- wrong codes since this one was made
    holder    BLOB    CHECK (length(holder) = 32), -- SHA-256 of the browser's secret; NULL = nobody has claimed the box
    made_at   INTEGER NOT NULL
) STRICT;

-- written by appliance/wizard.go: one row for each step that was answered
CREATE TABLE step (
    step    TEXT    PRIMARY KEY,                 -- see wizardSteps; "finish" when the set-up was ordered
    state   TEXT    NOT NULL CHECK (state IN ('done', 'begun', 'failed')),
    payload TEXT    NOT NULL DEFAULT '{}' CHECK (json_valid(payload)), -- the step's part of Answers
    error   TEXT    NOT NULL DEFAULT '',         -- why it failed, a sentence
    at      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
