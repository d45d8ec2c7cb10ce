-- Appending writes fewer indexes. A statement knows the consecutive records that it became, so that these need no index
-- by statement; both are written by one insert, which no foreign key has to look after.
ALTER TABLE statements ADD COLUMN log_index BIGINT NOT NULL DEFAULT 0;
ALTER TABLE statements ADD COLUMN records BIGINT NOT NULL DEFAULT 0;
UPDATE statements SET log_index = became.log_index, records = became.records
    FROM (SELECT stmt, MIN(log_index) AS log_index, COUNT(*) AS records FROM records GROUP BY stmt) AS became
    WHERE became.stmt = statements.stmt;

-- The place in the log is the row's own number.
CREATE TABLE records_by_number (
    log_index   INTEGER NOT NULL PRIMARY KEY,
    record_hash BLOB    NOT NULL UNIQUE,
    stmt        BLOB    NOT NULL,
    record      BLOB    NOT NULL,
    salt        BLOB    NOT NULL,
    kind        TEXT    NOT NULL,
    actor       TEXT    NOT NULL,
    actor_key   BLOB    NOT NULL,
    received    BIGINT  NOT NULL,
    stream      TEXT,
    seq         BIGINT,
    s           BLOB,
    t           BLOB,
    case_stream TEXT,
    case_seq    BIGINT,
    case_s      BLOB,
    case_t      BLOB
);
INSERT INTO records_by_number SELECT log_index, record_hash, stmt, record, salt, kind, actor, actor_key, received,
    stream, seq, s, t, case_stream, case_seq, case_s, case_t FROM records ORDER BY log_index;
DROP TABLE records;
ALTER TABLE records_by_number RENAME TO records;

CREATE TABLE openings_alone (
    stmt   BLOB NOT NULL,
    name   TEXT NOT NULL,
    scope  TEXT NOT NULL,
    sealed BLOB NOT NULL,
    PRIMARY KEY (stmt, name)
);
INSERT INTO openings_alone SELECT stmt, name, scope, sealed FROM openings ORDER BY stmt, name;
DROP TABLE openings;
ALTER TABLE openings_alone RENAME TO openings;
