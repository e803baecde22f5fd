-- One copy of a backup may be damaged while others are whole. Units as in 0001.

-- written by appliance/backup_log.go
ALTER TABLE backup_copy ADD COLUMN spoiled_at INTEGER; -- ms, since when it is known not to be what was made; NULL: it is not known
