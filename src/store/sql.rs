//! Every SQL text of the service, once. `$1` means the same to both engines; where they differ, the two texts stand
//! next to each other. A test prepares each statement on both.

/// A statement with a fixed number of parameters.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sql {
    /// What its rows come from, for error messages.
    pub(super) table: &'static str,
    pub(super) text: &'static str,
}

/// How an engine wants the parameters of generated lists. SQLite knows `$1` too, but as a name that it looks up anew
/// for each parameter, in time quadratic in their number; `?` has no name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// `?, ?, …`
    Sqlite,
    /// `$1, $2, …`
    Postgres,
}

/// A statement about any number of keys: `{list}` becomes `$1, $2, …`, `{rows}` becomes `($1, $2), ($3, $4), …`.
#[derive(Debug, Clone, Copy)]
pub(super) struct SqlIn {
    pub(super) table: &'static str,
    /// Values a key.
    pub(super) width: usize,
    text: &'static str,
}

/// An insert of any number of rows. One text serves many sizes of batch, so that few statements are prepared: PostgreSQL
/// takes an array a column, SQLite a number of rows that is a power of two, of which those without a key are left out.
#[derive(Debug, Clone, Copy)]
pub(super) struct Insert<'a> {
    pub(super) table: &'a str,
    /// Names, each with its type on PostgreSQL. The first is a key: never null.
    pub(super) columns: &'a [&'a str],
    /// What to do about rows that are there already.
    pub(super) conflict: &'a str,
}

impl SqlIn {
    /// The text for `count` keys.
    pub(super) fn text_for(&self, dialect: Dialect, count: usize) -> String {
        if self.text.contains("{list}") {
            self.text.replace("{list}", &placeholders(dialect, 1, count))
        } else {
            self.text.replace("{rows}", &tuples(dialect, self.width, count))
        }
    }
}

impl Insert<'_> {
    /// The text: for `rows` rows on SQLite; for any number on PostgreSQL, where its first parameter is `$first`.
    pub(super) fn text_for(&self, dialect: Dialect, rows: usize, first: usize) -> String {
        let split =
            |column: &&'_ str| column.split_once(' ').map(|(name, of)| (name.to_owned(), of.to_owned()));
        let (names, types): (Vec<_>, Vec<_>) = self.columns.iter().filter_map(split).unzip();
        let source = match dialect {
            Dialect::Sqlite => {
                format!("(VALUES {}) WHERE column1 IS NOT NULL", tuples(dialect, self.columns.len(), rows))
            }
            Dialect::Postgres => {
                let arrays = types.iter().enumerate().map(|(at, of)| format!("${}::{of}[]", first + at));
                format!("UNNEST({})", arrays.collect::<Vec<_>>().join(", "))
            }
        };
        let (table, names, conflict) = (self.table, names.join(", "), self.conflict);
        format!("INSERT INTO {table} ({names}) SELECT * FROM {source} {conflict}")
    }
}

/// Several inserts as one text. On PostgreSQL, whose statements stand alone, all but the last are part of the last.
pub(super) fn together(dialect: Dialect, mut inserts: Vec<String>) -> String {
    if dialect == Dialect::Sqlite {
        return inserts.join("; ");
    }
    let last = inserts.pop().unwrap_or_default();
    if inserts.is_empty() {
        return last;
    }
    let named = inserts.iter().enumerate().map(|(at, insert)| format!("i{at} AS ({insert})"));
    format!("WITH {} {last}", named.collect::<Vec<_>>().join(", "))
}

fn tuples(dialect: Dialect, width: usize, count: usize) -> String {
    if dialect == Dialect::Sqlite {
        let tuple = format!("({}), ", placeholders(dialect, 1, width));
        return tuple.repeat(count).trim_end_matches([',', ' ']).to_owned();
    }
    let tuple = |row: usize| format!("({})", placeholders(dialect, 1 + row * width, width));
    (0..count).map(tuple).collect::<Vec<_>>().join(", ")
}

pub(super) fn placeholders(dialect: Dialect, first: usize, count: usize) -> String {
    if dialect == Dialect::Sqlite {
        return "?, ".repeat(count).trim_end_matches([',', ' ']).to_owned();
    }
    (first..first + count).map(|n| format!("${n}")).collect::<Vec<_>>().join(", ")
}

mod migrations;

pub(super) use migrations::{APPLIED, MIGRATIONS_POSTGRES, MIGRATIONS_SQLITE};

// What tables there are: name, column, type, place in the primary key (0: none), in the order of the columns.
pub(super) const TABLES_SQLITE: Sql = Sql {
    table: "sqlite_schema",
    text: "SELECT m.name, p.name, p.type, p.pk FROM sqlite_schema m JOIN pragma_table_info(m.name) p WHERE m.type = \
        'table' AND m.name NOT LIKE 'sqlite_%' AND m.name <> '_sqlx_migrations' ORDER BY m.name, p.cid",
};
pub(super) const TABLES_POSTGRES: Sql = Sql {
    table: "information_schema.columns",
    text: "SELECT CAST(c.table_name AS TEXT), CAST(c.column_name AS TEXT), CAST(c.data_type AS TEXT), \
        CAST(COALESCE(k.ordinal_position, 0) AS BIGINT) FROM information_schema.columns c LEFT JOIN \
        (information_schema.key_column_usage k JOIN information_schema.table_constraints t ON t.constraint_name = \
        k.constraint_name AND t.table_schema = k.table_schema AND t.table_name = k.table_name AND \
        t.constraint_type = 'PRIMARY KEY') ON k.table_schema = c.table_schema AND k.table_name = c.table_name AND \
        k.column_name = c.column_name WHERE c.table_schema = current_schema() AND c.table_name <> \
        '_sqlx_migrations' ORDER BY c.table_name, c.ordinal_position",
};

// Whether a schema was ever made, and which.
pub(super) const VERSIONED_SQLITE: Sql = Sql {
    table: "sqlite_schema",
    text: "SELECT CAST(COUNT(*) AS BIGINT) FROM sqlite_schema WHERE name = '_sqlx_migrations'",
};
pub(super) const VERSIONED_POSTGRES: Sql = Sql {
    table: "information_schema.tables",
    text: "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = current_schema() AND table_name = \
        '_sqlx_migrations'",
};
pub(super) const VERSION: Sql = Sql {
    table: "_sqlx_migrations",
    text: "SELECT COALESCE(MAX(version), 0) FROM _sqlx_migrations WHERE success",
};

pub(super) const BEGIN_READ_SQLITE: &str = "BEGIN DEFERRED";
pub(super) const BEGIN_READ_POSTGRES: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

// READ COMMITTED, so that whatever is read after the head row's lock is what the holder before has committed.
pub(super) const BEGIN_WRITE_SQLITE: &str = "BEGIN IMMEDIATE";
pub(super) const BEGIN_WRITE_POSTGRES: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE";

/// The columns of a record with its entry, in the order that `records::record` reads.
macro_rules! record_columns {
    () => {
        "r.log_index, r.record_hash, r.stmt, r.record, r.salt, r.kind, r.actor, r.actor_key, r.received, \
         r.stream, r.seq, r.s, r.t, r.case_stream, r.case_seq, r.case_s, r.case_t, e.entry"
    };
}

/// The columns of a case `c`, in the order that `state::case` reads.
macro_rules! case_columns {
    () => {
        "c.id, c.items, c.closed, c.updates, c.exports, c.undisclosed, c.turned, c.disclosing, c.defended"
    };
}

/// The columns of an item, in the order that `state::item` reads.
macro_rules! item_columns {
    () => {
        "id, case_id, exhibit, class, claimed_digest, claimed_size, claimed_checked_by, stored_digest, \
         stored_size, stored_checked_by, object, manifest, version, custodian, head_record, head_stmt, \
         offer_record, offer_stmt, offer_to, offer_expires, seal_record, seal_stmt, disposed, sealing, derived, \
         reseal, carriage, by_sender"
    };
}

/// The columns of a time stamp, in the order that `timestamps::timestamp` reads.
macro_rules! timestamp_columns {
    () => {
        "id, size, authority, note, token, time, expires"
    };
}

macro_rules! statements {
    (
        fixed { $($sql:ident $sql_table:literal $sql_text:expr;)* }
        keyed { $($keyed:ident $keyed_table:literal $width:literal $keyed_text:expr;)* }
        inserts { $($insert:ident $into:literal [$($column:literal)*] $conflict:literal;)* }
    ) => {
        $(pub(in crate::store) const $sql: Sql = Sql { table: $sql_table, text: $sql_text };)*
        $(pub(in crate::store) const $keyed: SqlIn =
            SqlIn { table: $keyed_table, width: $width, text: $keyed_text };)*
        $(pub(in crate::store) const $insert: Insert<'static> =
            Insert { table: $into, columns: &[$($column),*], conflict: $conflict };)*

        /// Those of this file.
        pub(super) fn texts_here(postgres: bool) -> Vec<(&'static str, String)> {
            let dialect = if postgres { Dialect::Postgres } else { Dialect::Sqlite };
            let mut texts = vec![$((stringify!($sql), $sql.text.to_owned())),*];
            $(texts.extend([1, 4].map(|n| (stringify!($keyed), $keyed.text_for(dialect, n))));)*
            $(texts.extend([1, 4].map(|n| (stringify!($insert), $insert.text_for(dialect, n, 1))));)*
            let other = if postgres { "_SQLITE" } else { "_POSTGRES" };
            texts.retain(|(name, _)| !name.ends_with(other));
            texts
        }
    };
}

pub(super) mod life;
pub(super) mod sealing;
pub(super) mod signin;
/// Every statement as the engine named sees it, for one and for several keys or rows.
#[doc(hidden)]
pub fn texts(postgres: bool) -> Vec<(&'static str, String)> {
    let parts = [texts_here, life::texts_here, sealing::texts_here, signin::texts_here];
    parts.map(|part| part(postgres)).concat()
}

statements! {
fixed {
    // BEGIN IMMEDIATE holds the only write lock already.
    LOCK_HEAD_SQLITE "log_head" "SELECT id, size, frontier, checkpoint, last_received FROM log_head WHERE id = 1";
    LOCK_HEAD_POSTGRES "log_head" "SELECT id, size, frontier, checkpoint, last_received FROM log_head WHERE id = 1 \
        FOR UPDATE";
    // Held until the transaction ends; the number is nobody else's in this database.
    LOCK_PUBLISHING_POSTGRES "log_head" "SELECT pg_advisory_xact_lock(5784285)";
    HEAD "log_head" "SELECT id, size, frontier, checkpoint, last_received FROM log_head WHERE id = 1";
    ENTRIES "entries" "SELECT log_index, entry FROM entries WHERE log_index >= $1 AND log_index < $2 \
        ORDER BY log_index";
    NODES "log_nodes" "SELECT idx, hash FROM log_nodes WHERE level = $1 AND idx >= $2 AND idx < $3 \
        ORDER BY idx";

    NEWEST_CHECKPOINT "checkpoints" "SELECT size, note, published FROM checkpoints ORDER BY size DESC LIMIT 1";
    CHECKPOINT_OF "checkpoints" "SELECT size, note, published FROM checkpoints WHERE size = $1";
    // Whoever laid out a bundle under a checkpoint finds the same signatures again: the first ones stay.
    KEEP_CHECKPOINT "checkpoints" "INSERT INTO checkpoints (size, note, published) VALUES ($1, $2, $3) ON CONFLICT \
        (size) DO NOTHING";
    PRUNE_CHECKPOINTS "checkpoints" "DELETE FROM checkpoints WHERE size < (SELECT size FROM checkpoints ORDER BY size \
        DESC LIMIT 1 OFFSET 999) AND size NOT IN (SELECT checkpoint_size FROM exports)";
    CHECKPOINT_FOR "exports" "SELECT export, checkpoint_size FROM exports WHERE export = $1";
    DECIDE_CHECKPOINT "exports" "INSERT INTO exports (export, checkpoint_size) VALUES ($1, $2) ON CONFLICT (export) \
        DO NOTHING";

    NEWEST_TIMESTAMP "timestamps" concat!("SELECT ", timestamp_columns!(), " FROM timestamps WHERE authority = $1 ORDER BY id DESC LIMIT 1");
    TIMESTAMP_OF "timestamps" concat!("SELECT ", timestamp_columns!(), " FROM timestamps WHERE size = $1 AND authority = $2");
    TIMESTAMPS_OF "timestamps" concat!("SELECT ", timestamp_columns!(), " FROM timestamps WHERE size = $1 AND id <= $2 ORDER BY authority");
    TIMESTAMPED_SIZES "timestamps" "SELECT DISTINCT size FROM timestamps WHERE size <= $1 AND id <= $2 ORDER BY size";
    KEEP_TIMESTAMP "timestamps" "INSERT INTO timestamps (id, size, authority, note, token, time, expires) VALUES ((SELECT \
        COALESCE(MAX(id), 0) + 1 FROM timestamps), $1, $2, $3, $4, $5, $6) ON CONFLICT (size, authority) DO NOTHING";
    TIMESTAMPS_FOR "exports" "SELECT export, timestamps FROM exports WHERE export = $1";
    DECIDE_TIMESTAMPS "exports" "UPDATE exports SET timestamps = (SELECT COALESCE(MAX(id), 0) FROM timestamps) WHERE \
        export = $1 AND timestamps IS NULL";
    RECOVERY_KITS "recovery_kits" "SELECT kit, made, keys, checked FROM recovery_kits ORDER BY kit";
    ADD_KIT "recovery_kits" "INSERT INTO recovery_kits (kit, made, keys) VALUES ($1, $2, $3) ON CONFLICT (kit) DO NOTHING";
    CHECKED_KIT "recovery_kits" "INSERT INTO recovery_kits (kit, made, keys, checked) VALUES ($1, $2, $3, $4) ON CONFLICT (kit) \
        DO UPDATE SET made = EXCLUDED.made, keys = EXCLUDED.keys, checked = EXCLUDED.checked";
    SAMPLES_ONLY "samples_only" "SELECT id FROM samples_only WHERE id = 1";
    MARK_SAMPLES_ONLY "samples_only" "INSERT INTO samples_only (id) VALUES (1) ON CONFLICT (id) DO NOTHING";

    // The kinds are those of `notices::TOPICS`, as a test has it. A statement of many items is told of once.
    NOTABLE "records" "SELECT r.log_index, r.kind, r.received, s.envelope FROM records r JOIN statements s ON s.stmt = \
        r.stmt AND s.log_index = r.log_index WHERE r.log_index >= $1 AND r.kind IN ('transfer.offered', \
        'transfer.carried', 'transfer.accepted', 'transfer.declined', 'transfer.recalled', 'transfer.expired', 'fixity.failed', \
        'person.suspended', 'hold.placed', 'hold.released', 'disposal.proposed', 'disposal.approved', \
        'disposal.declined', 'disposal.executed', 'opening.erased', 'disposal.completed', 'access.break-glass', 'access.reviewed', \
        'item.resealed', 'item.reseal-confirmed', 'recovery.noted', 'log-key.rotated', 'log.continued', 'clock.fault') ORDER BY r.log_index \
        LIMIT $2";
    TOLD "notice_channels" "SELECT channel, position FROM notice_channels WHERE channel = $1";
    TELL "notice_channels" "INSERT INTO notice_channels (channel, position) VALUES ($1, $2) ON CONFLICT (channel) DO \
        UPDATE SET position = excluded.position WHERE notice_channels.position < excluded.position";

    INDICES_OF_SEQUENCE "positions" "SELECT log_index FROM positions WHERE stream = $1 ORDER BY seq";

    RECOVERIES "recoveries" "SELECT log_index, gap_from, record_hash FROM recoveries ORDER BY log_index";

    VAULT "vault" "SELECT id, vault, origin, log_vkey, key, orgs, persons, vouched FROM vault WHERE id = 1";
    FORMER_LOG_KEYS "former_log_keys" "SELECT f.last_size, f.vkey, r.gap_from FROM former_log_keys f LEFT JOIN recoveries r ON \
        r.log_index = f.last_size ORDER BY f.last_size";

    RECORDS_OF_SEQUENCE "records" concat!("SELECT ", record_columns!(), " FROM positions p JOIN records r ON r.log_index = p.log_index JOIN \
        entries e ON e.log_index = p.log_index WHERE p.stream = $1 AND p.seq > $2 ORDER BY p.seq LIMIT $3");
    RECORDS_OF_LOG "records" concat!("SELECT ", record_columns!(), " FROM records r JOIN entries e ON e.log_index = r.log_index \
        WHERE r.log_index >= $1 ORDER BY \
        r.log_index LIMIT $2");

    // Left joins: what is missing is to be named, not passed over.
    HISTORY "records" "SELECT r.log_index, r.record_hash, r.stmt, r.record, r.salt, r.s, r.t, r.case_s, r.case_t, \
        e.entry FROM records r LEFT JOIN entries e ON e.log_index = r.log_index WHERE r.log_index >= $1 ORDER BY \
        r.log_index LIMIT $2";

    CANARIES "subject_keys" "SELECT scope, wrapped, kek FROM subject_keys WHERE scope IN (SELECT MIN(scope) FROM \
        subject_keys GROUP BY kek)";

    ALL_ORGS "orgs" "SELECT id, stmt FROM orgs ORDER BY id";
    PERSONS_PAGE "persons" "SELECT id, org, roles, memberships, keys, suspended FROM persons WHERE id > $1 ORDER BY id \
        LIMIT $2";
    KEYS_PAGE "keys" "SELECT hash, owner, public, enrolled, revoked, suspect_from, voucher, checked, \
        unproven, recipient FROM keys WHERE hash > $1 ORDER BY hash LIMIT $2";
    // The roles that carry the right to vouch, as the rules have them.
    VOUCHERS "persons" "SELECT id, org, roles, memberships, keys, suspended FROM persons WHERE ' ' || roles || ' ' LIKE \
        '% registrar%'";
    CASES_PAGE "cases" concat!("SELECT ", case_columns!(), " FROM cases c WHERE c.id > $1 ORDER BY c.id LIMIT $2");
    MEMBERS_PAGE "members" "SELECT case_id, person, roles FROM members WHERE case_id > $1 OR (case_id = $1 \
        AND person > $2) ORDER BY case_id, person LIMIT $3";
    ITEMS_PAGE "items" concat!("SELECT ", item_columns!(), " FROM items WHERE id > $1 ORDER BY id LIMIT $2");
    GRANTS_PAGE "grants" "SELECT record, item, person, expires, completed, with_person, review, signed_by FROM grants WHERE record > $1 \
        ORDER BY record LIMIT $2";

    CASES_OF_PERSON "members" concat!("SELECT ", case_columns!(), ", m.roles FROM members m JOIN cases c ON c.id = m.case_id \
        WHERE m.person = $1 AND m.case_id > $2 AND m.roles <> '' ORDER BY m.case_id LIMIT $3");
    MEMBERS_OF_CASE "members" "SELECT case_id, person, roles FROM members WHERE case_id = $1 AND roles <> '' \
        ORDER BY person";
    ITEMS_OF_CASE "items" concat!("SELECT ", item_columns!(), " FROM items WHERE case_id = $1 AND exhibit > $2 ORDER BY exhibit LIMIT \
        $3");
    DERIVED_OF_CASE "items" concat!("SELECT ", item_columns!(), " FROM items WHERE case_id = $1 AND derived IS NOT NULL ORDER BY exhibit");
    ITEMS_HELD "items" concat!("SELECT ", item_columns!(), " FROM items WHERE custodian = $1 AND id > $2 ORDER BY id LIMIT $3");
    ITEMS_OFFERED "items" concat!("SELECT ", item_columns!(), " FROM items WHERE (offer_to = $1 OR offer_waits_for = $1) AND id > $2 ORDER BY id LIMIT $3");
    OFFERS_EXPIRED "items" concat!("SELECT ", item_columns!(), " FROM items WHERE offer_expires <= $1 ORDER BY \
        offer_expires, id LIMIT $2");
    CUSTODY_HELD "items" "SELECT case_id, custodian, COUNT(*) FROM items WHERE NOT disposed GROUP BY case_id, custodian";
    CUSTODY_OFFERED "items" "SELECT case_id, offer_to, COUNT(*) FROM items WHERE offer_to IS NOT NULL GROUP BY \
        case_id, offer_to";
    GRANTS_EXPIRED "grants" "SELECT record, item, person, expires, completed, with_person, review, signed_by FROM grants WHERE NOT completed \
        AND (expires < $1 OR EXISTS (SELECT 1 FROM persons p WHERE p.id = grants.person AND p.suspended IS NOT NULL)) ORDER BY expires LIMIT $2";

    EMERGENCIES_OF_CASE "grants" "SELECT g.record, g.item, g.person, g.expires, g.completed, g.with_person, g.review, g.signed_by FROM items i JOIN grants \
        g ON g.item = i.id WHERE i.case_id = $1 AND g.review IS NOT NULL ORDER BY g.expires DESC, g.record LIMIT $2";

    OBJECTS_OF_ITEM "objects" "SELECT object, item, manifest, wrapped, kek, size, state, halved FROM objects WHERE item \
        = $1 ORDER BY object";
    OBJECTS_PAGE "objects" "SELECT object, item, manifest, wrapped, kek, size, state, halved FROM objects WHERE \
        object > $1 ORDER BY object LIMIT $2";
    UPDATE_OBJECT_STATE "objects" "UPDATE objects SET state = $1 WHERE object = $2 AND state <> 'shredded'";
    // A key that was halved meanwhile must not come back whole.
    REWRAP_OBJECT "objects" "UPDATE objects SET wrapped = $1, kek = $2 WHERE object = $3 AND kek = $4 AND halved = $5";
    REWRAP_SUBJECT_KEY "subject_keys" "UPDATE subject_keys SET wrapped = $1, kek = $2 WHERE scope = $3 AND kek = $4";

    TOKEN_BY_HASH "api_tokens" "SELECT id, hash, person, label, created, expires, revoked, parent FROM api_tokens \
        WHERE hash = $1";
    TOKENS_OF_PERSON "api_tokens" "SELECT id, hash, person, label, created, expires, revoked, parent FROM api_tokens \
        WHERE person = $1 ORDER BY id";
    HOLD_TOKEN "api_tokens" "UPDATE api_tokens SET expires = expires WHERE id = $1 AND person = $2 AND revoked IS NULL \
        AND expires > $3";
    REVOKE_TOKEN "api_tokens" "UPDATE api_tokens SET revoked = $1 WHERE id = $2 AND person = $3 AND revoked IS \
        NULL";
    REVOKE_TOKENS_MADE_WITH "api_tokens" "WITH RECURSIVE made(id) AS (SELECT id FROM api_tokens WHERE id = $2 UNION \
        SELECT t.id FROM api_tokens t JOIN made ON t.parent = made.id) UPDATE api_tokens SET revoked = $1 WHERE id IN \
        (SELECT id FROM made) AND revoked IS NULL";
    REVOKE_TOKENS_OF_PERSON "api_tokens" "UPDATE api_tokens SET revoked = $1 WHERE person = $2 AND revoked IS NULL";
    INVITATION "invitations" "SELECT hash, person, invited_by, checked, created, expires, redeemed FROM \
        invitations WHERE hash = $1";
    REDEEM_INVITATION "invitations" "UPDATE invitations SET redeemed = $1 WHERE hash = $2 AND redeemed IS NULL AND \
        expires > $1";
    END_INVITATIONS_OF_PERSON "invitations" "UPDATE invitations SET redeemed = $1 WHERE (person = $2 OR invited_by = \
        $2) AND redeemed IS NULL";
    ENROLMENT "pending_enrolments" "SELECT id, person, voucher, voucher_key, body, signature, created, state FROM \
        pending_enrolments WHERE id = $1";
    ENROLMENTS_FOR "pending_enrolments" "SELECT id, person, voucher, voucher_key, body, signature, created, state FROM \
        pending_enrolments WHERE voucher = $1 AND state = 'waiting' ORDER BY id";
    SETTLE_ENROLMENT "pending_enrolments" "UPDATE pending_enrolments SET state = $1 WHERE id = $2 AND state = 'waiting'";
    REFUSE_ENROLMENTS_OF_PERSON "pending_enrolments" "UPDATE pending_enrolments SET state = 'refused' WHERE (person = $1 \
        OR voucher = $1) AND state = 'waiting'";

    SAVEPOINT "savepoint" "SAVEPOINT change";
    ROLLBACK_TO "savepoint" "ROLLBACK TO SAVEPOINT change";
    RELEASE "savepoint" "RELEASE SAVEPOINT change";
}
keyed {
    STATEMENTS_BY_OP "statements" 2 "SELECT actor, op_id, stmt FROM statements WHERE (actor, op_id) IN (VALUES \
        {rows})";
    ENVELOPES "statements" 1 "SELECT stmt, envelope FROM statements WHERE stmt IN ({list})";
    // Which records a statement became is asked first: no planner knows how few lie between two numbers of another table.
    BECAME "statements" 1 "SELECT log_index, records FROM statements WHERE stmt IN ({list}) ORDER BY log_index";
    RECORDS_BY_HASH "records" 1 concat!("SELECT ", record_columns!(), " FROM records r JOIN entries e ON e.log_index = r.log_index \
        WHERE r.record_hash IN ({list}) \
        ORDER BY r.log_index");
    RECORDS_BY_INDEX "records" 1 concat!("SELECT ", record_columns!(), " FROM records r JOIN entries e ON e.log_index = r.log_index \
        WHERE r.log_index IN ({list}) \
        ORDER BY r.log_index");
    // The cast tells PostgreSQL a type that it would otherwise guess as text.
    PLACES "positions" 2 "SELECT p.stream, p.seq, r.record_hash, r.record, r.stream, r.s, r.t, \
        r.case_stream, r.case_s, r.case_t, p.log_index FROM (VALUES {rows}) AS q JOIN positions p \
        ON p.stream = q.column1 AND p.seq = CAST(q.column2 AS BIGINT) JOIN records r ON r.log_index = p.log_index";
    // Materialized, so that the newest number is looked up once a sequence and not once a record of it.
    HEADS "positions" 1 "WITH h AS MATERIALIZED (SELECT q.column1 AS stream, (SELECT MAX(m.seq) FROM positions m \
        WHERE m.stream = q.column1) AS seq FROM (VALUES {rows}) AS q) SELECT p.stream, p.seq, r.record_hash, \
        r.record, r.stream, r.s, r.t, r.case_stream, r.case_s, r.case_t, p.log_index FROM h JOIN positions p \
        ON p.stream = h.stream AND p.seq = h.seq JOIN records r ON r.log_index = p.log_index";
    INTRODUCTIONS "positions" 1 "SELECT p.stream, r.stmt FROM positions p JOIN records r ON r.log_index = \
        p.log_index WHERE p.seq = 1 AND p.stream IN ({list})";
    SEEN_RECORDS "records" 1 "SELECT record_hash, stream, case_stream FROM records WHERE record_hash IN \
        ({list})";
    SEEN_STATEMENTS "records" 1 "SELECT stmt, stream, case_stream FROM records WHERE log_index IN ({list})";
    OPENINGS "openings" 1 "SELECT stmt, name, scope, sealed FROM openings WHERE stmt IN ({list}) ORDER BY \
        stmt, name";

    ORGS "orgs" 1 "SELECT id, stmt FROM orgs WHERE id IN ({list})";
    PERSONS "persons" 1 "SELECT id, org, roles, memberships, keys, suspended FROM persons WHERE id IN ({list})";
    KEYS "keys" 1 "SELECT hash, owner, public, enrolled, revoked, suspect_from, voucher, checked, \
        unproven, recipient FROM keys WHERE hash IN ({list})";
    KEYS_OF_OWNERS "keys" 1 "SELECT hash, owner, public, enrolled, revoked, suspect_from, voucher, checked, \
        unproven, recipient FROM keys WHERE owner IN ({list}) ORDER BY enrolled";
    CASES "cases" 1 concat!("SELECT ", case_columns!(), " FROM cases c WHERE c.id IN ({list})");
    MEMBERS "members" 2 "SELECT case_id, person, roles FROM members WHERE (case_id, person) IN (VALUES \
        {rows})";
    CUSTODY_HELD_BY "items" 2 "SELECT case_id, custodian, COUNT(*) FROM items WHERE (case_id, custodian) IN (VALUES \
        {rows}) AND NOT disposed GROUP BY case_id, custodian";
    CUSTODY_OFFERED_TO "items" 2 "SELECT case_id, offer_to, COUNT(*) FROM items WHERE (case_id, offer_to) IN (VALUES \
        {rows}) GROUP BY case_id, offer_to";
    ITEMS "items" 1 concat!("SELECT ", item_columns!(), " FROM items WHERE id IN ({list})");
    GRANTS "grants" 1 "SELECT record, item, person, expires, completed, with_person, review, signed_by FROM grants WHERE record IN ({list})";

    // Of entries with one tag, which no sound log has, the last one counts.
    LOST_TAGS "lost_tags" 1 "SELECT tag, by_case, log_index FROM lost_tags WHERE tag IN ({list}) ORDER BY log_index";

    SUBJECT_KEYS "subject_keys" 1 "SELECT scope, wrapped, kek FROM subject_keys WHERE scope IN ({list})";
    OBJECTS "objects" 1 "SELECT object, item, manifest, wrapped, kek, size, state, halved FROM objects WHERE \
        object IN ({list})";
    TOMBSTONES "object_tombstones" 1 "SELECT object, made FROM object_tombstones WHERE object IN ({list})";
}
inserts {
    UPSERT_HEAD "log_head" [
        "id BIGINT" "size BIGINT" "frontier BYTEA" "checkpoint TEXT" "last_received BIGINT"
    ] "ON CONFLICT (id) DO UPDATE SET size = excluded.size, frontier = excluded.frontier, checkpoint = \
        excluded.checkpoint, last_received = excluded.last_received";
    INSERT_ENTRIES "entries" ["log_index BIGINT" "entry BYTEA"] "";
    INSERT_NODES "log_nodes" ["level BIGINT" "idx BIGINT" "hash BYTEA"] "";
    INSERT_RECOVERIES "recoveries" ["log_index BIGINT" "gap_from BIGINT" "record_hash BYTEA"] "";
    INSERT_LOST_TAGS "lost_tags" ["tag BYTEA" "by_case BOOLEAN" "log_index BIGINT"] "";
    INSERT_STATEMENTS "statements" [
        "stmt BYTEA" "actor TEXT" "op_id TEXT" "log_index BIGINT" "records BIGINT" "envelope BYTEA"
    ] "";
    INSERT_RECORDS "records" [
        "log_index BIGINT" "record_hash BYTEA" "stmt BYTEA" "record BYTEA" "salt BYTEA" "kind TEXT"
        "actor TEXT" "actor_key BYTEA" "received BIGINT" "stream TEXT" "seq BIGINT" "s BYTEA" "t BYTEA"
        "case_stream TEXT" "case_seq BIGINT" "case_s BYTEA" "case_t BYTEA"
    ] "";
    INSERT_POSITIONS "positions" ["stream TEXT" "seq BIGINT" "log_index BIGINT"] "";
    INSERT_OPENINGS "openings" ["stmt BYTEA" "name TEXT" "scope TEXT" "sealed BYTEA"] "";

    UPSERT_VAULT "vault" [
        "id BIGINT" "vault BYTEA" "origin TEXT" "log_vkey TEXT" "key BYTEA" "orgs BIGINT" "persons BIGINT"
        "vouched BOOLEAN"
    ] "ON CONFLICT (id) DO UPDATE SET origin = excluded.origin, log_vkey = excluded.log_vkey, orgs = excluded.orgs, \
        persons = excluded.persons, vouched = excluded.vouched";
    INSERT_FORMER_LOG_KEYS "former_log_keys" ["last_size BIGINT" "vkey TEXT"] "";
    INSERT_ORGS "orgs" ["id TEXT" "stmt BYTEA"] "";
    UPSERT_PERSONS "persons" [
        "id TEXT" "org TEXT" "roles TEXT" "memberships BIGINT" "keys BIGINT" "suspended BIGINT"
    ] "ON CONFLICT (id) DO UPDATE SET org = excluded.org, roles = excluded.roles, memberships = \
        excluded.memberships, keys = excluded.keys, suspended = excluded.suspended";
    UPSERT_KEYS "keys" [
        "hash BYTEA" "owner TEXT" "public BYTEA" "enrolled BIGINT" "revoked BIGINT" "suspect_from BIGINT"
        "voucher TEXT" "checked TEXT" "unproven BOOLEAN" "recipient TEXT"
    ] "ON CONFLICT (hash) DO UPDATE SET revoked = excluded.revoked, suspect_from = \
        excluded.suspect_from, recipient = excluded.recipient";
    UPSERT_CASES "cases" [
        "id TEXT" "items BIGINT" "closed BOOLEAN" "updates BYTEA" "exports BIGINT" "undisclosed BOOLEAN" "turned BIGINT"
        "disclosing BYTEA" "defended BOOLEAN"
    ] "ON CONFLICT (id) DO UPDATE SET items = excluded.items, closed = excluded.closed, updates = excluded.updates, exports = \
        excluded.exports, undisclosed = excluded.undisclosed, turned = excluded.turned, disclosing = excluded.disclosing, \
        defended = excluded.defended";
    UPSERT_MEMBERS "members" [
        "case_id TEXT" "person TEXT" "roles TEXT"
    ] "ON CONFLICT (case_id, person) DO UPDATE SET roles = excluded.roles";
    UPSERT_ITEMS "items" [
        "id TEXT" "case_id TEXT" "exhibit BIGINT" "class TEXT" "claimed_digest BYTEA" "claimed_size BIGINT"
        "claimed_checked_by TEXT" "stored_digest BYTEA" "stored_size BIGINT" "stored_checked_by TEXT"
        "object BYTEA" "manifest BYTEA" "version BIGINT" "custodian TEXT" "head_record BYTEA"
        "head_stmt BYTEA" "offer_record BYTEA" "offer_stmt BYTEA" "offer_to TEXT"
        "offer_expires BIGINT" "seal_record BYTEA" "seal_stmt BYTEA" "disposed BOOLEAN" "sealing TEXT"
        "derived TEXT" "reseal TEXT" "carriage TEXT" "offer_waits_for TEXT" "by_sender BOOLEAN"
    ] "ON CONFLICT (id) DO UPDATE SET class = excluded.class, stored_digest = excluded.stored_digest, \
        stored_size = excluded.stored_size, stored_checked_by = excluded.stored_checked_by, object = \
        excluded.object, manifest = excluded.manifest, version = excluded.version, custodian = \
        excluded.custodian, head_record = excluded.head_record, head_stmt = excluded.head_stmt, \
        offer_record = excluded.offer_record, offer_stmt = excluded.offer_stmt, offer_to = \
        excluded.offer_to, offer_expires = excluded.offer_expires, seal_record = excluded.seal_record, \
        seal_stmt = excluded.seal_stmt, disposed = excluded.disposed, sealing = excluded.sealing, \
        derived = excluded.derived, reseal = excluded.reseal, carriage = excluded.carriage, offer_waits_for = \
        excluded.offer_waits_for";
    UPSERT_GRANTS "grants" [
        "record BYTEA" "item TEXT" "person TEXT" "expires BIGINT" "completed BOOLEAN" "with_person TEXT"
        "review TEXT" "signed_by BYTEA"
    ] "ON CONFLICT (record) DO UPDATE SET completed = excluded.completed, review = excluded.review";

    INSERT_SUBJECT_KEYS "subject_keys" ["scope TEXT" "wrapped BYTEA" "kek BIGINT"] "";
    INSERT_OBJECTS "objects" [
        "object BYTEA" "item TEXT" "manifest BYTEA" "wrapped BYTEA" "kek BIGINT" "size BIGINT" "state TEXT"
        "halved BOOLEAN"
    ] "";
    INSERT_TOMBSTONES "object_tombstones" ["object BYTEA" "made BIGINT"] "";
    INSERT_TOKENS "api_tokens" [
        "id TEXT" "hash BYTEA" "person TEXT" "label TEXT" "created BIGINT" "expires BIGINT" "revoked BIGINT"
        "parent TEXT"
    ] "";
    INSERT_INVITATIONS "invitations" [
        "hash BYTEA" "person TEXT" "invited_by TEXT" "checked TEXT" "created BIGINT" "expires BIGINT"
        "redeemed BIGINT"
    ] "";
    INSERT_ENROLMENTS "pending_enrolments" [
        "id TEXT" "person TEXT" "voucher TEXT" "voucher_key BYTEA" "body BYTEA" "signature BYTEA"
        "created BIGINT" "state TEXT"
    ] "";
}
}
