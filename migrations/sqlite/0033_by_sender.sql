-- Whether an item is sealed by its sender, on a device of theirs, so that the vault never sees its content.
ALTER TABLE items ADD COLUMN by_sender BOOLEAN NOT NULL DEFAULT FALSE;
