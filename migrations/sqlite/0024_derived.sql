-- From what an item was made: the original, what it is of it, and who says so.
ALTER TABLE items ADD COLUMN derived TEXT;
