-- What was published: rebuilt from nothing, since cosignatures are other people's words.

-- Checkpoints with the cosignatures that made up a quorum. The newest thousand, and those that an export names.
CREATE TABLE checkpoints (
    size      BIGINT NOT NULL PRIMARY KEY,
    note      TEXT   NOT NULL,
    published BIGINT NOT NULL
);

-- Under which checkpoint a bundle is laid out; 0: under the log's own, at its own cut. Never changed: the same
-- bundle is generated again and again.
CREATE TABLE exports (
    export          BLOB   NOT NULL PRIMARY KEY,
    checkpoint_size BIGINT NOT NULL
);
