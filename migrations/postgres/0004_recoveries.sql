-- Restores that lost published records. Both tables are empty in a vault that never lost any.

-- Each recovery.noted: its records would stand from gap_from up to right before it.
CREATE TABLE recoveries (
    log_index   BIGINT NOT NULL PRIMARY KEY,
    gap_from    BIGINT NOT NULL,
    record_hash BYTEA  NOT NULL
);

-- The tags of the entries that are left: a sequence whose next tag is among them goes on with another.
CREATE TABLE lost_tags (
    tag       BYTEA   NOT NULL,
    by_case   BOOLEAN NOT NULL,
    log_index BIGINT  NOT NULL,
    PRIMARY KEY (tag, by_case, log_index)
);
