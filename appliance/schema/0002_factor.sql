-- written by appliance/wizard_factor.go: the second factor that the operator is
-- going to have; one row when one was asked for
CREATE TABLE factor (
    id        INTEGER PRIMARY KEY CHECK (id = 1),
    sealed    BLOB    NOT NULL,                  -- its secret under the key of the set-up, see appliance/wizard_seal.go
    last_step INTEGER NOT NULL DEFAULT 0,        -- time step of the code that confirmed it; 0 = none did yet
    kept      INTEGER NOT NULL DEFAULT 0 CHECK (kept IN (0, 1)) -- one of its recovery codes was typed after they had been shown
) STRICT;

-- written by appliance/wizard_factor.go: the recovery codes of that factor
CREATE TABLE factor_code (
    hash BLOB PRIMARY KEY CHECK (length(hash) = 32) -- SHA-256 of the code, which has 80 random bits
) STRICT, WITHOUT ROWID;
