-- What operators say about miners. Units as in 0001.

-- written by appliance/bans.go: who may not mine here until the row is gone
CREATE TABLE ban (
    address TEXT    NOT NULL,                   -- canonical payout address; empty: the ban is about a network
    worker  TEXT    NOT NULL CHECK (worker = '' OR address <> ''), -- name; empty: all workers of the address
    network TEXT    NOT NULL CHECK ((network = '') = (address <> '')), -- prefix such as 192.168.1.7/32
    reason  TEXT    NOT NULL CHECK (reason <> ''),
    actor   TEXT    NOT NULL,                   -- operator's name
    at      INTEGER NOT NULL,                   -- ms
    PRIMARY KEY (address, worker, network)
) STRICT, WITHOUT ROWID;

-- written by appliance/marks.go: how operators call a miner
CREATE TABLE mark (
    address TEXT NOT NULL CHECK (address <> ''), -- canonical payout address
    worker  TEXT NOT NULL,                      -- name; empty: the address itself
    label   TEXT NOT NULL,
    tags    TEXT NOT NULL CHECK (json_valid(tags)), -- JSON array of words
    PRIMARY KEY (address, worker)
) STRICT, WITHOUT ROWID;

-- written by appliance/links.go: links to an observer page that do not tell its address
CREATE TABLE observer_link (
    token_hash BLOB    PRIMARY KEY CHECK (length(token_hash) = 32), -- SHA-256 of the token in the link
    address    TEXT    NOT NULL,                -- canonical payout address
    actor      TEXT    NOT NULL,                -- operator's name
    at         INTEGER NOT NULL                 -- ms
) STRICT, WITHOUT ROWID;
CREATE INDEX observer_link_address ON observer_link (address);
