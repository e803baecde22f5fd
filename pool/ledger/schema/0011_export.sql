-- Cold signing: the keys of the wallet are not on this box. Units as in 0001.

-- written by pool/payout/cold.go: when the unsigned transaction was first handed out to be signed elsewhere; NULL = never
ALTER TABLE payout_tx ADD COLUMN exported_at INTEGER; -- ms

CREATE TRIGGER payout_tx_exported BEFORE UPDATE OF exported_at ON payout_tx
WHEN OLD.exported_at IS NOT NULL AND NEW.exported_at IS NOT OLD.exported_at
BEGIN SELECT RAISE(ABORT, 'what was handed out stays handed out'); END;
CREATE TRIGGER payout_exported BEFORE UPDATE OF state ON payout
WHEN NEW.state IN ('cancelled', 'expired') AND OLD.state <> 'cancelling'
 AND EXISTS (SELECT 1 FROM payout_tx WHERE payout = NEW.id AND exported_at IS NOT NULL)
BEGIN SELECT RAISE(ABORT, 'a transaction that may be signed elsewhere could still win'); END;
