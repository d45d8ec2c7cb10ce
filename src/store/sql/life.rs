//! SQL texts of holds, disposals, key encryption keys and backups.

use super::{Dialect, Insert, Sql, SqlIn};

macro_rules! disposal_columns {
    () => {
        "record, subject, case_id, records, proposer, log_index, approvals, stage, kek, ended, horizon"
    };
}

macro_rules! production_columns {
    () => {
        "record, case_id, item, court_order, recipient, proposer, log_index, approvals, stage, sealed"
    };
}

statements! {
fixed {
    ALL_PRODUCTIONS "productions" concat!("SELECT ", production_columns!(), " FROM productions ORDER BY log_index");
    PRODUCTIONS_OF "productions" concat!("SELECT ", production_columns!(), " FROM productions WHERE item = $1 ORDER BY log_index DESC LIMIT $2");
    PRODUCTION_HALVES "production_halves" "SELECT object, persons, vault FROM production_halves WHERE proposal = $1 AND digest = $2";
    KEEP_PRODUCTION_HALVES "production_halves" "INSERT INTO production_halves (proposal, digest, object, persons, vault) VALUES ($1, $2, \
        $3, $4, $5)";
    FORGET_OTHER_HALVES "production_halves" "DELETE FROM production_halves WHERE proposal = $1 AND digest <> $2";
    FORGET_PRODUCTION_HALVES "production_halves" "DELETE FROM production_halves WHERE proposal = $1";
    DESTROY_PRODUCTION_HALVES "production_halves" "DELETE FROM production_halves WHERE object = $1";
    KEKS "keks" "SELECT version, check_value, destroyed FROM keks ORDER BY version";
    ALL_HOLDS "holds" "SELECT record, stmt, case_id, item, placed, released FROM holds ORDER BY placed";
    ALL_DISPOSALS "disposals" concat!("SELECT ", disposal_columns!(), " FROM disposals ORDER BY log_index");
    DISPOSALS_IN "disposals" concat!("SELECT ", disposal_columns!(), " FROM disposals WHERE stage = $1 AND log_index > $2 ORDER BY log_index LIMIT $3");
    DISPOSALS_OF "disposals" concat!("SELECT ", disposal_columns!(), " FROM disposals WHERE case_id = $1 AND log_index > $2 ORDER BY log_index LIMIT $3");
    DISPOSALS_ABOUT "disposals" concat!("SELECT ", disposal_columns!(), " FROM disposals WHERE subject = $1 ORDER BY log_index");
    OPEN_GRANTS_OF "grants" "SELECT record, item, person, expires, completed, with_person, review, signed_by FROM grants WHERE item = $1 AND NOT completed";

    SHRED_OBJECT "objects" "UPDATE objects SET wrapped = $1, kek = 0, state = 'shredded' WHERE object = $2 AND state <> 'shredded'";
    SHRED_OBJECT_AS_READ "objects" "UPDATE objects SET wrapped = $1, kek = 0, state = 'shredded' WHERE object = $2 AND kek = $3 AND wrapped = $4";
    SHREDDED_OBJECTS "objects" "SELECT object, item, manifest, wrapped, kek, size, state, halved FROM objects WHERE kek = 0 AND \
        state = 'shredded' AND object > $1 ORDER BY object LIMIT $2";
    ERASE_OPENINGS "openings" "DELETE FROM openings WHERE stmt = $1";
    ERASE_SCOPE "openings" "DELETE FROM openings WHERE scope = $1";
    DESTROY_SUBJECT_KEY "subject_keys" "DELETE FROM subject_keys WHERE scope = $1";
    DESTROY_SUBJECT_KEY_AS_READ "subject_keys" "DELETE FROM subject_keys WHERE scope = $1 AND kek = $2 AND wrapped = $3";
    IS_DESTROYED "destroyed" "SELECT made FROM destroyed WHERE what = $1";
    NOTE_DESTROYED "destroyed" "INSERT INTO destroyed (what, made) VALUES ($1, $2) ON CONFLICT (what) DO NOTHING";
    ALL_DESTROYED "destroyed" "SELECT what, made FROM destroyed WHERE what > $1 ORDER BY what LIMIT $2";

    OBJECTS_BEFORE_KEK "objects" "SELECT object, item, manifest, wrapped, kek, size, state, halved FROM objects WHERE kek < $1 AND \
        kek > 0 ORDER BY kek, object LIMIT $2";
    SUBJECTS_BEFORE_KEK "subject_keys" "SELECT scope, wrapped, kek FROM subject_keys WHERE kek < $1 ORDER BY kek, scope LIMIT $2";

    // Whatever is added by a version is added under the log's lock, where the present one is looked up.
    PRESENT_KEK "keks" "SELECT COALESCE(MAX(version), 1) FROM keks";
    KEK_IN_USE "objects" "SELECT (SELECT COUNT(*) FROM objects WHERE kek > 0 AND kek <= $1) + (SELECT COUNT(*) FROM subject_keys \
        WHERE kek <= $1) + (SELECT COUNT(*) FROM resealings WHERE kek <= $1)";
    KEK_SINCE "records" "SELECT r.received FROM positions p JOIN records r ON r.log_index = p.log_index WHERE p.stream = 'vault' \
        AND (r.kind = 'kek.rotated' OR p.seq = 1) ORDER BY p.seq DESC LIMIT 1";

    CLOSED_CASES "cases" concat!("SELECT ", case_columns!(), " FROM cases c WHERE c.closed AND c.id > $1 ORDER BY c.id LIMIT $2");
    // What was in no bundle: restricted content goes to courts only, sealed to them.
    RESTRICTED_CONTENTS "items" "SELECT CAST(COUNT(*) AS BIGINT) FROM items WHERE case_id = $1 AND class = 'restricted' AND object IS NOT NULL \
        AND NOT disposed";

    NOTE_BACKUP "backups" "INSERT INTO backups (folder, made, log_size) VALUES ($1, $2, $3) ON CONFLICT (folder) DO UPDATE \
        SET made = EXCLUDED.made, log_size = EXCLUDED.log_size, removed = NULL";
    NOTE_BACKUP_REMOVED "backups" "UPDATE backups SET removed = $1 WHERE folder = $2 AND removed IS NULL";
    BACKUPS "backups" "SELECT folder, made, log_size, removed FROM backups ORDER BY made, folder";
}
keyed {
    HOLDS_OF_CASES "holds" 1 "SELECT record, stmt, case_id, item, placed, released FROM holds WHERE case_id IN ({list})";
    HOLDS_AROUND "holds" 1 "SELECT record, stmt, case_id, item, placed, released FROM holds WHERE case_id IN (SELECT \
        m.case_id FROM members m WHERE m.person IN ({list}))";
    MEMBERS_UNDER_HOLD "members" 1 "SELECT case_id, person, roles FROM members WHERE person IN ({list}) AND case_id IN \
        (SELECT h.case_id FROM holds h)";
    MEMBERSHIPS "members" 1 "SELECT case_id, person, roles FROM members WHERE person IN ({list})";
    CASES_DISCLOSING "cases" 1 concat!("SELECT ", case_columns!(), " FROM cases c WHERE c.disclosing IN ({list})");
    DISPOSALS "disposals" 1 concat!("SELECT ", disposal_columns!(), " FROM disposals WHERE record IN ({list})");
    PRODUCTIONS "productions" 1 concat!("SELECT ", production_columns!(), " FROM productions WHERE record IN ({list})");
}
inserts {
    UPSERT_PRODUCTIONS "productions" [
        "record BYTEA" "case_id TEXT" "item TEXT" "court_order BYTEA" "recipient TEXT" "proposer TEXT" "log_index BIGINT"
        "approvals TEXT" "stage TEXT" "sealed BYTEA"
    ] "ON CONFLICT (record) DO UPDATE SET approvals = excluded.approvals, stage = excluded.stage, sealed = excluded.sealed";
    UPSERT_HOLDS "holds" [
        "record BYTEA" "stmt BYTEA" "case_id TEXT" "item TEXT" "placed BIGINT" "released BIGINT"
    ] "ON CONFLICT (record) DO UPDATE SET released = excluded.released";
    UPSERT_DISPOSALS "disposals" [
        "record BYTEA" "subject TEXT" "case_id TEXT" "records TEXT" "proposer TEXT" "log_index BIGINT"
        "approvals TEXT" "stage TEXT" "kek BIGINT" "ended BIGINT" "horizon BIGINT"
    ] "ON CONFLICT (record) DO UPDATE SET approvals = excluded.approvals, stage = excluded.stage, kek = excluded.kek, \
        ended = excluded.ended, horizon = excluded.horizon";
    UPSERT_KEKS "keks" [
        "version BIGINT" "check_value BYTEA" "destroyed BIGINT"
    ] "ON CONFLICT (version) DO UPDATE SET destroyed = excluded.destroyed";
}
}
