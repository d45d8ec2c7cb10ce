-- Restricted content that is produced to a court: what was proposed, and what became of it.
CREATE TABLE productions (
    record      BYTEA   NOT NULL PRIMARY KEY,
    case_id     TEXT   NOT NULL,
    item        TEXT   NOT NULL,
    court_order BYTEA   NOT NULL,
    recipient   TEXT   NOT NULL,
    proposer    TEXT   NOT NULL,
    log_index   BIGINT NOT NULL,
    approvals   TEXT   NOT NULL,
    stage       TEXT   NOT NULL,
    sealed      BYTEA
);
CREATE INDEX productions_of_item ON productions (item, log_index);

-- Both halves of the item's key, each sealed to the court; `digest` is that of the persons' file.
CREATE TABLE production_halves (
    proposal BYTEA NOT NULL,
    digest   BYTEA NOT NULL,
    object   BYTEA NOT NULL,
    persons  BYTEA NOT NULL,
    vault    BYTEA NOT NULL,
    PRIMARY KEY (proposal, digest)
);
