-- What timestamp authorities said about checkpoints: other people's words, which no record could bring back.
CREATE TABLE timestamps (
    -- In the order in which they were taken.
    id        BIGINT NOT NULL PRIMARY KEY,
    size      BIGINT NOT NULL,
    -- The authority's number in the configuration of that time.
    authority BIGINT NOT NULL,
    -- The checkpoint with the log's own signature line, over whose bytes the token is.
    note      TEXT   NOT NULL,
    token     BLOB   NOT NULL,
    time      BIGINT NOT NULL,
    -- When the first certificate of its chain expires.
    expires   BIGINT NOT NULL,
    UNIQUE (size, authority)
);

-- The newest time stamp that may be in a bundle; none where that was never decided. Never changed.
ALTER TABLE exports ADD COLUMN timestamps BIGINT;
