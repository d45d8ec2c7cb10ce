-- Restricted content that is produced to a court: what was proposed, and what became of it.
CREATE TABLE productions (
    record      BLOB   NOT NULL PRIMARY KEY,
    case_id     TEXT   NOT NULL,
    item        TEXT   NOT NULL,
    court_order BLOB   NOT NULL,
    recipient   TEXT   NOT NULL,
    proposer    TEXT   NOT NULL,
    log_index   BIGINT NOT NULL,
    approvals   TEXT   NOT NULL,
    stage       TEXT   NOT NULL,
    sealed      BLOB
);
CREATE INDEX productions_of_item ON productions (item, log_index);

-- Both halves of the item's key, each sealed to the court; `digest` is that of the persons' file.
CREATE TABLE production_halves (
    proposal BLOB NOT NULL,
    digest   BLOB NOT NULL,
    object   BLOB NOT NULL,
    persons  BLOB NOT NULL,
    vault    BLOB NOT NULL,
    PRIMARY KEY (proposal, digest)
);
