-- Restricted items that are sealed anew: by which key somebody said that they open one, to what its halves are sealed, and new
-- halves beside those that count, until somebody else has opened the item through them.
ALTER TABLE grants ADD COLUMN signed_by BYTEA;
ALTER TABLE items ADD COLUMN reseal TEXT;
ALTER TABLE sealed_halves ADD COLUMN outer_to TEXT NOT NULL DEFAULT '';
ALTER TABLE sealed_halves ADD COLUMN inner_to TEXT NOT NULL DEFAULT '';

-- Through which halves something was opened: the digest of those that wait, or empty for those that count.
DELETE FROM contributions;
ALTER TABLE contributions ADD COLUMN halves BYTEA NOT NULL DEFAULT '';

-- The vault's new half, wrapped, and what its counterparts are known by.
CREATE TABLE resealings (
    object  BYTEA NOT NULL PRIMARY KEY,
    halves  BYTEA NOT NULL,
    wrapped BYTEA NOT NULL,
    kek     BIGINT NOT NULL,
    expires BIGINT NOT NULL
);

CREATE TABLE resealed_halves (
    object   BYTEA NOT NULL,
    first    TEXT NOT NULL,
    second   TEXT NOT NULL,
    outer_to TEXT NOT NULL,
    inner_to TEXT NOT NULL,
    sealed   BYTEA NOT NULL,
    PRIMARY KEY (object, first, second)
);
