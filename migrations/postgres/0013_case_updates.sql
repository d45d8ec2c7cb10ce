-- Hashes of the statements that changed a case, in order, 32 bytes each.
ALTER TABLE cases ADD COLUMN updates BYTEA NOT NULL DEFAULT '';
