-- Appending writes fewer indexes. A statement knows the consecutive records that it became, so that these need no index
-- by statement; both are written by one insert, which no foreign key has to look after.
ALTER TABLE statements ADD COLUMN log_index BIGINT NOT NULL DEFAULT 0;
ALTER TABLE statements ADD COLUMN records BIGINT NOT NULL DEFAULT 0;
-- Rows that were just restored are not counted yet, and a plan made without would take a quadratic time.
ANALYZE statements;
ANALYZE records;
UPDATE statements SET log_index = became.log_index, records = became.records
    FROM (SELECT stmt, MIN(log_index) AS log_index, COUNT(*) AS records FROM records GROUP BY stmt) AS became
    WHERE became.stmt = statements.stmt;
ALTER TABLE statements ALTER COLUMN log_index DROP DEFAULT;
ALTER TABLE statements ALTER COLUMN records DROP DEFAULT;
ALTER TABLE records DROP CONSTRAINT records_stmt_fkey;
ALTER TABLE openings DROP CONSTRAINT openings_stmt_fkey;
DROP INDEX records_stmt;
