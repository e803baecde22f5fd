-- What commands of the API were answered. Units as in 0001.

-- written by webui/replay.go: who sends a command again with the same key gets the same answer
CREATE TABLE web_answer (
    operator INTEGER NOT NULL REFERENCES operator (id) ON DELETE CASCADE,
    key      TEXT    NOT NULL CHECK (length(key) BETWEEN 1 AND 128), -- made up by the client
    digest   BLOB    NOT NULL CHECK (length(digest) = 32), -- SHA-256 of path and command, the password left out
    status   INTEGER NOT NULL,                  -- of HTTP; only commands that were done are kept
    body     TEXT    NOT NULL CHECK (json_valid(body)),
    at       INTEGER NOT NULL,                  -- ms; kept for a day
    PRIMARY KEY (operator, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX web_answer_age ON web_answer (at);
