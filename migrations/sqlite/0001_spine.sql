-- The spine: the log, what was said, and the projections that can be rebuilt from it.
-- Times are milliseconds since 1970, hashes and keys raw bytes, ids text; the same columns exist on PostgreSQL.

-- One row. Whoever appends locks it first.
CREATE TABLE log_head (
    id            BIGINT  NOT NULL PRIMARY KEY CHECK (id = 1),
    size          BIGINT  NOT NULL,
    frontier      BLOB    NOT NULL,
    checkpoint    TEXT    NOT NULL,
    last_received BIGINT  NOT NULL
);

-- The public log: what everybody may read.
CREATE TABLE entries (
    log_index BIGINT NOT NULL PRIMARY KEY,
    entry     BLOB   NOT NULL
) WITHOUT ROWID;

-- Roots of complete subtrees at levels 8, 16, 24, …: any proof needs only a few rows.
CREATE TABLE log_nodes (
    level BIGINT NOT NULL,
    idx   BIGINT NOT NULL,
    hash  BLOB   NOT NULL,
    PRIMARY KEY (level, idx)
) WITHOUT ROWID;

-- What was said, byte for byte. Saying it twice is saying it once.
CREATE TABLE statements (
    stmt     BLOB NOT NULL PRIMARY KEY,
    actor    TEXT NOT NULL,
    op_id    TEXT NOT NULL,
    envelope BLOB NOT NULL,
    UNIQUE (actor, op_id)
);

-- What the vault added, with the openings (s, t) that a record only commits to.
CREATE TABLE records (
    log_index   BIGINT NOT NULL PRIMARY KEY,
    record_hash BLOB   NOT NULL UNIQUE,
    stmt        BLOB   NOT NULL REFERENCES statements (stmt),
    record      BLOB   NOT NULL,
    salt        BLOB   NOT NULL,
    kind        TEXT   NOT NULL,
    actor       TEXT   NOT NULL,
    actor_key   BLOB   NOT NULL,
    received    BIGINT NOT NULL,
    stream      TEXT,
    seq         BIGINT,
    s           BLOB,
    t           BLOB,
    case_stream TEXT,
    case_seq    BIGINT,
    case_s      BLOB,
    case_t      BLOB
);
CREATE INDEX records_stmt ON records (stmt);

-- Where each record stands; the key is what keeps two records from the same place.
CREATE TABLE positions (
    stream    TEXT   NOT NULL,
    seq       BIGINT NOT NULL,
    log_index BIGINT NOT NULL,
    PRIMARY KEY (stream, seq)
) WITHOUT ROWID;

-- Personal values, each encrypted under the key of its scope.
CREATE TABLE openings (
    stmt   BLOB NOT NULL REFERENCES statements (stmt),
    name   TEXT NOT NULL,
    scope  TEXT NOT NULL,
    sealed BLOB NOT NULL,
    PRIMARY KEY (stmt, name)
);

CREATE TABLE vault (
    id       BIGINT  NOT NULL PRIMARY KEY CHECK (id = 1),
    vault    BLOB    NOT NULL,
    origin   TEXT    NOT NULL,
    log_vkey TEXT    NOT NULL,
    key      BLOB    NOT NULL,
    orgs     BIGINT  NOT NULL,
    persons  BIGINT  NOT NULL,
    vouched  BOOLEAN NOT NULL
);

CREATE TABLE orgs (
    id   TEXT NOT NULL PRIMARY KEY,
    stmt BLOB NOT NULL
);

CREATE TABLE persons (
    id          TEXT   NOT NULL PRIMARY KEY,
    org         TEXT   NOT NULL,
    roles       TEXT   NOT NULL,
    memberships BIGINT NOT NULL,
    keys        BIGINT NOT NULL
);

CREATE TABLE keys (
    hash         BLOB    NOT NULL PRIMARY KEY,
    owner        TEXT    NOT NULL,
    public       BLOB    NOT NULL,
    enrolled     BIGINT  NOT NULL,
    revoked      BIGINT,
    suspect_from BIGINT,
    voucher      TEXT    NOT NULL,
    checked      TEXT    NOT NULL,
    unproven     BOOLEAN NOT NULL
);
CREATE INDEX keys_owner ON keys (owner);

CREATE TABLE cases (
    id    TEXT   NOT NULL PRIMARY KEY,
    items BIGINT NOT NULL
);

CREATE TABLE members (
    case_id TEXT NOT NULL,
    person  TEXT NOT NULL,
    roles   TEXT NOT NULL,
    PRIMARY KEY (case_id, person)
);
CREATE INDEX members_person ON members (person, case_id);

CREATE TABLE items (
    id                 TEXT   NOT NULL PRIMARY KEY,
    case_id            TEXT   NOT NULL,
    exhibit            BIGINT NOT NULL,
    class              TEXT   NOT NULL,
    claimed_digest     BLOB,
    claimed_size       BIGINT,
    claimed_checked_by TEXT,
    stored_digest      BLOB,
    stored_size        BIGINT,
    stored_checked_by  TEXT,
    object             BLOB,
    manifest           BLOB,
    version            BIGINT,
    custodian          TEXT   NOT NULL,
    head_record        BLOB   NOT NULL,
    head_stmt          BLOB   NOT NULL,
    offer_record       BLOB,
    offer_stmt         BLOB,
    offer_to           TEXT,
    UNIQUE (case_id, exhibit)
);
CREATE INDEX items_custodian ON items (custodian, id);
CREATE INDEX items_offer_to ON items (offer_to, id) WHERE offer_to IS NOT NULL;

CREATE TABLE grants (
    record    BLOB    NOT NULL PRIMARY KEY,
    item      TEXT    NOT NULL,
    person    TEXT    NOT NULL,
    expires   BIGINT  NOT NULL,
    completed BOOLEAN NOT NULL
);
CREATE INDEX grants_open ON grants (expires) WHERE NOT completed;

-- Keys of cases, persons and organisations, wrapped by a version of the vault's key encryption key.
CREATE TABLE subject_keys (
    scope   TEXT   NOT NULL PRIMARY KEY,
    wrapped BLOB   NOT NULL,
    kek     BIGINT NOT NULL
);

CREATE TABLE objects (
    object   BLOB   NOT NULL PRIMARY KEY,
    item     TEXT   NOT NULL,
    manifest BLOB   NOT NULL,
    wrapped  BLOB   NOT NULL,
    kek      BIGINT NOT NULL,
    size     BIGINT NOT NULL,
    state    TEXT   NOT NULL
);
CREATE INDEX objects_item ON objects (item);

-- Objects that no record may name any more: committed before their bytes are deleted.
CREATE TABLE object_tombstones (
    object BLOB   NOT NULL PRIMARY KEY,
    made   BIGINT NOT NULL
);

CREATE TABLE api_tokens (
    id      TEXT   NOT NULL PRIMARY KEY,
    hash    BLOB   NOT NULL UNIQUE,
    person  TEXT   NOT NULL,
    label   TEXT   NOT NULL,
    created BIGINT NOT NULL,
    expires BIGINT NOT NULL,
    revoked BIGINT
);
CREATE INDEX api_tokens_person ON api_tokens (person);

CREATE TABLE invitations (
    hash       BLOB   NOT NULL PRIMARY KEY,
    person     TEXT   NOT NULL,
    invited_by TEXT   NOT NULL,
    checked    TEXT   NOT NULL,
    created    BIGINT NOT NULL,
    expires    BIGINT NOT NULL,
    redeemed   BIGINT
);

CREATE TABLE pending_enrolments (
    id          TEXT   NOT NULL PRIMARY KEY,
    person      TEXT   NOT NULL,
    voucher     TEXT   NOT NULL,
    voucher_key BLOB   NOT NULL,
    body        BLOB   NOT NULL,
    signature   BLOB   NOT NULL,
    created     BIGINT NOT NULL,
    state       TEXT   NOT NULL
);
CREATE INDEX pending_enrolments_voucher ON pending_enrolments (voucher, id);
