-- Appending writes fewer indexes. A statement knows the consecutive records that it became, so that these need no index
-- by statement; both are written by one insert, which no foreign key has to look after.
ALTER TABLE statements ADD COLUMN log_index BIGINT NOT NULL DEFAULT 0;
ALTER TABLE statements ADD COLUMN records BIGINT NOT NULL DEFAULT 0;
UPDATE statements SET
    log_index = COALESCE((SELECT MIN(r.log_index) FROM records r WHERE r.stmt = statements.stmt), 0),
    records = (SELECT COUNT(*) FROM records r WHERE r.stmt = statements.stmt);
ALTER TABLE statements ALTER COLUMN log_index DROP DEFAULT;
ALTER TABLE statements ALTER COLUMN records DROP DEFAULT;
ALTER TABLE records DROP CONSTRAINT records_stmt_fkey;
ALTER TABLE openings DROP CONSTRAINT openings_stmt_fkey;
DROP INDEX records_stmt;
