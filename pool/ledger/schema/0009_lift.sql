-- What people said when they put the books right by hand. Units as in 0001.

-- written by pool/payout/lift.go: one row for each person who agrees to the same correction; with as many as it takes,
-- the correction is booked as adj:<what> and the freezes that it explains are reversed
CREATE TABLE correction (
    what   TEXT    NOT NULL,                    -- UUID made from the freezes and the amount: another loss is another correction
    user   TEXT    NOT NULL,
    amount INTEGER NOT NULL,                    -- sat, + more and - less in the wallet than in the books
    reason TEXT    NOT NULL CHECK (reason <> ''), -- the person's words: what it was
    ip     TEXT    NOT NULL,
    at     INTEGER NOT NULL,                    -- ms
    PRIMARY KEY (what, user)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER correction_fixed BEFORE UPDATE ON correction
BEGIN SELECT RAISE(ABORT, 'corrections are append-only'); END;
CREATE TRIGGER correction_kept BEFORE DELETE ON correction
BEGIN SELECT RAISE(ABORT, 'corrections are append-only'); END;
CREATE TRIGGER correction_new BEFORE INSERT ON correction
WHEN EXISTS (SELECT 1 FROM correction WHERE what = NEW.what AND user = NEW.user)
BEGIN SELECT RAISE(ABORT, 'this person has agreed already'); END;
