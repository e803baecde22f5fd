-- What INSERT OR REPLACE, DELETE or UPDATE could still change of proofs, and of transactions that were handed out.
-- Units as in 0001.

CREATE TRIGGER proof_new BEFORE INSERT ON block_proof
WHEN EXISTS (SELECT 1 FROM block_proof WHERE block = NEW.block)
BEGIN SELECT RAISE(ABORT, 'this proof exists'); END;

-- From the export on somebody may have signed exactly this.
CREATE TRIGGER payout_tx_handed_out BEFORE UPDATE OF payout, n, kind, psbt, expected, fee, change, replaces, rev, digest, fee_cap ON payout_tx
WHEN OLD.exported_at IS NOT NULL
BEGIN SELECT RAISE(ABORT, 'what was handed out is fixed'); END;
CREATE TRIGGER payout_tx_handed_out_kept BEFORE DELETE ON payout_tx WHEN OLD.exported_at IS NOT NULL
BEGIN SELECT RAISE(ABORT, 'what was handed out is kept'); END;

-- Its coins say of which family it is.
CREATE TRIGGER tx_input_fixed BEFORE UPDATE ON tx_input
WHEN EXISTS (SELECT 1 FROM payout_tx WHERE id = OLD.payout_tx AND (raw IS NOT NULL OR exported_at IS NOT NULL))
BEGIN SELECT RAISE(ABORT, 'the coins of a signed transaction are fixed'); END;
CREATE TRIGGER tx_input_kept BEFORE DELETE ON tx_input
WHEN EXISTS (SELECT 1 FROM payout_tx WHERE id = OLD.payout_tx AND (raw IS NOT NULL OR exported_at IS NOT NULL))
BEGIN SELECT RAISE(ABORT, 'the coins of a signed transaction are fixed'); END;
CREATE TRIGGER tx_input_new BEFORE INSERT ON tx_input
WHEN EXISTS (SELECT 1 FROM payout_tx WHERE id = NEW.payout_tx AND (raw IS NOT NULL OR exported_at IS NOT NULL))
BEGIN SELECT RAISE(ABORT, 'the coins of a signed transaction are fixed'); END;
