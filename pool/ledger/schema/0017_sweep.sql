-- Moving the pool's own money to a cold address. Units as in 0001.
--
-- It is a payout of a purpose of its own: one item, of the account that the pool's income is set aside on. So at most
-- one is under way, and all that is true of a payout is true of it.

INSERT INTO account (id, kind, address, created) VALUES
    (8, 'system', 'pool:sweep', 0);             -- the pool's own, set aside for the cold address; leaves with the settlement

-- written by pool/payout/desk.go
ALTER TABLE payout ADD COLUMN purpose TEXT NOT NULL DEFAULT 'miners' CHECK (purpose IN ('miners', 'sweep'));

CREATE TRIGGER payout_purpose_fixed BEFORE UPDATE OF purpose ON payout
BEGIN SELECT RAISE(ABORT, 'what a payout pays is fixed'); END;
CREATE TRIGGER payout_item_purpose BEFORE INSERT ON payout_item
WHEN ((SELECT purpose FROM payout WHERE id = NEW.payout) = 'sweep') <> (NEW.account = 8)
BEGIN SELECT RAISE(ABORT, 'a sweep moves the pool''s own money and nothing else'); END;
CREATE TRIGGER payout_sweep_approved BEFORE INSERT ON approval
WHEN NEW.method = 'rule' AND (SELECT purpose FROM payout WHERE id = NEW.payout) = 'sweep'
BEGIN SELECT RAISE(ABORT, 'a person approves a sweep'); END;
