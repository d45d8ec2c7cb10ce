-- What must not be destroyed, what is to be, and what was.

-- Holds on a case, or on one item of it.
CREATE TABLE holds (
    record   BYTEA NOT NULL PRIMARY KEY,
    stmt     BYTEA NOT NULL,
    case_id  TEXT NOT NULL,
    item     TEXT,
    placed   BIGINT NOT NULL,
    released BIGINT
);
CREATE INDEX holds_case ON holds (case_id);

-- What was proposed to be destroyed, and what became of it.
CREATE TABLE disposals (
    record    BYTEA NOT NULL PRIMARY KEY,
    subject   TEXT NOT NULL,
    case_id   TEXT,
    records   TEXT NOT NULL,
    proposer  TEXT,
    log_index BIGINT NOT NULL,
    approvals TEXT NOT NULL,
    stage     TEXT NOT NULL,
    kek       BIGINT,
    executed  BIGINT,
    horizon   BIGINT
);
CREATE INDEX disposals_stage ON disposals (stage, log_index);
CREATE INDEX disposals_case ON disposals (case_id, log_index);

ALTER TABLE items ADD COLUMN disposed BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE cases ADD COLUMN exports BIGINT NOT NULL DEFAULT 0;
UPDATE cases SET exports = (SELECT COUNT(*) FROM records WHERE records.kind = 'bundle.exported' AND
    records.case_stream = 'case:' || cases.id);

-- Versions of the key encryption key that records name.
CREATE TABLE keks (
    version     BIGINT NOT NULL PRIMARY KEY,
    check_value BYTEA NOT NULL,
    destroyed   BIGINT
);
-- What is wrapped under an older version is found without reading everything.
CREATE INDEX objects_kek ON objects (kek, object);
CREATE INDEX subject_keys_kek ON subject_keys (kek, scope);

-- What the vault has destroyed: an older copy of the database that is restored destroys it again.
CREATE TABLE destroyed (
    what TEXT NOT NULL PRIMARY KEY,
    made BIGINT NOT NULL
);

-- Backups that were made, and when the vault removed each. The log had so many entries then.
CREATE TABLE backups (
    folder   TEXT NOT NULL PRIMARY KEY,
    made     BIGINT NOT NULL,
    log_size BIGINT NOT NULL,
    removed  BIGINT
);
