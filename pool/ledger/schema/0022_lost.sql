-- The end of a private chain that nobody has any more. Units as in 0001.

-- written by pool/ledger/cursor.go, and by observe.go once the node knows the block again
ALTER TABLE block ADD COLUMN lost INTEGER NOT NULL DEFAULT 0 CHECK (lost IN (0, 1)); -- 1: the node will not have it again; its money stays where it is

DROP INDEX block_state;
CREATE INDEX block_state ON block (state, height, lost);
