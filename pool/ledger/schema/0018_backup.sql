-- Backups of the box: one file each, which holds this file, too. Units as in 0001.

-- written by appliance/backup_log.go
-- A row is never deleted: what was backed up when, and whether it could be restored, is history.
CREATE TABLE backup (
    id         INTEGER PRIMARY KEY,
    name       TEXT    NOT NULL UNIQUE CHECK (name <> ''), -- of the file
    at         INTEGER NOT NULL,                -- ms; what was booked later is not in it
    actor      TEXT    NOT NULL,                -- operator's name, or a part of the program
    size       INTEGER NOT NULL DEFAULT 0,      -- bytes of the file
    sha256     BLOB    CHECK (length(sha256) = 32), -- of the file; NULL: it was not made
    checked_at INTEGER,                         -- ms, of the last time that it was restored to a scratch place; NULL: never
    sound      INTEGER NOT NULL DEFAULT 0 CHECK (sound IN (0, 1)), -- all was well then
    problem    TEXT    NOT NULL DEFAULT '',     -- why it was not made, or what was wrong with it: a sentence
    notice     TEXT    NOT NULL DEFAULT ''      -- what is not in it, and why: a sentence
) STRICT;
CREATE INDEX backup_at ON backup (at);

-- written by appliance/backup_log.go
-- Where a backup is, or was.
CREATE TABLE backup_copy (
    backup  INTEGER NOT NULL REFERENCES backup,
    place   TEXT    NOT NULL CHECK (place <> ''), -- box: the folder of this box; else the name of a place in the settings
    at      INTEGER,                            -- ms, since when all of it is there; NULL: it did not get there
    gone_at INTEGER,                            -- ms, since when it is not there any more; NULL: it is
    problem TEXT    NOT NULL DEFAULT '',        -- why it did not get there, or could not be removed: a sentence
    PRIMARY KEY (backup, place)
) STRICT, WITHOUT ROWID;
