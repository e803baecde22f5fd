-- What a later version might do to the ledger, for the tests of upgrades: enough work
-- that the power can go in the middle of it.
CREATE TABLE next_version (n INTEGER PRIMARY KEY, noise BLOB NOT NULL) STRICT;
INSERT INTO next_version
WITH RECURSIVE count(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM count WHERE n < 300000)
SELECT n, randomblob(16) FROM count;
