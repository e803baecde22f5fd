-- How far payouts have looked at the wallet. Units as in 0001.

-- written by pool/payout/freeze.go: the wallet's movements were looked at up to this block; one row
CREATE TABLE payout_look (
    id    INTEGER PRIMARY KEY CHECK (id = 1),
    block BLOB    NOT NULL CHECK (length(block) = 32)
) STRICT;
