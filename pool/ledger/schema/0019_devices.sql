-- Miners of the home network that the operators have added. Units as in 0001.

-- written by appliance/devices.go and devices_set.go
CREATE TABLE device (
    id      INTEGER PRIMARY KEY,
    ip      TEXT    NOT NULL UNIQUE,            -- IPv4
    serial  TEXT    NOT NULL,                   -- address of its network card, or its number; empty: it tells none
    api     TEXT    NOT NULL CHECK (api IN ('axeos', 'cgminer', 'antminer', 'whatsminer', 'avalon')),
    model   TEXT    NOT NULL,
    actor   TEXT    NOT NULL,                   -- who added it
    at      INTEGER NOT NULL,                   -- ms
    kept    TEXT    CHECK (json_valid(kept)),   -- what it was told before the first change of ours; null: we have changed nothing
    kept_at INTEGER,                            -- ms
    going   TEXT    NOT NULL DEFAULT '' CHECK (going IN ('', 'here', 'back')), -- what it was told by us: to mine here, or where it did
    url     TEXT    NOT NULL DEFAULT '',        -- of the pool that it was told of last
    user    TEXT    NOT NULL DEFAULT '',        -- and whom it is to be there
    told_at INTEGER,                            -- ms
    CHECK ((kept IS NULL) = (going = '') AND (kept IS NULL) = (kept_at IS NULL) AND (kept IS NULL) = (told_at IS NULL))
) STRICT;
CREATE UNIQUE INDEX device_serial ON device (api, serial) WHERE serial <> '';

-- written by appliance/devices_power.go: what a miner has used while it mined here
CREATE TABLE device_hour (
    device  INTEGER NOT NULL REFERENCES device ON DELETE CASCADE,
    address TEXT    NOT NULL,                   -- canonical payout address
    worker  TEXT    NOT NULL,                   -- name
    hour    INTEGER NOT NULL CHECK (hour % 3600 = 0), -- its beginning, s
    seconds INTEGER NOT NULL CHECK (seconds >= 0), -- in which it was measured
    joules  INTEGER NOT NULL CHECK (joules >= 0),  -- in these
    PRIMARY KEY (device, address, worker, hour)
) STRICT, WITHOUT ROWID;
CREATE INDEX device_hour_address ON device_hour (address, hour);
