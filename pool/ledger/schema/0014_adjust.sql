-- Corrections of what one miner is owed. Units as in 0001.
--
-- Their amount is what the account gets: + the miner's debt is written off, - the miner had been paid already.

-- written by pool/payout/adjust.go; NULL where the correction is about the wallet
ALTER TABLE correction ADD COLUMN account INTEGER REFERENCES account (id);
ALTER TABLE correction ADD COLUMN txid BLOB CHECK (length(txid) = 32); -- what had paid the miner; NULL = a debt is written off
