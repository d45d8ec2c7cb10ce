-- Restricted items: to whom they are sealed, and what two persons need to open them together.
ALTER TABLE keys ADD COLUMN recipient TEXT;
ALTER TABLE items ADD COLUMN sealing TEXT;
ALTER TABLE grants ADD COLUMN with_person TEXT;

-- Whether the wrapped key is the vault's half alone.
ALTER TABLE objects ADD COLUMN halved BOOLEAN NOT NULL DEFAULT FALSE;

-- The persons' half, sealed so that `first` opens the outer file and `second` the file in it: persons' ids, or `paper:1` and
-- `paper:2`.
CREATE TABLE sealed_halves (
    object BLOB NOT NULL,
    first  TEXT NOT NULL,
    second TEXT NOT NULL,
    sealed BLOB NOT NULL,
    PRIMARY KEY (object, first, second)
);

-- The inner file, from whoever opened the outer one under this grant, for the other whom the grant names; while it is open.
CREATE TABLE contributions (
    access  BLOB NOT NULL PRIMARY KEY,
    sealed  BLOB NOT NULL,
    expires BIGINT NOT NULL
);
CREATE INDEX grants_together ON grants (item, person) WHERE with_person IS NOT NULL AND NOT completed;
