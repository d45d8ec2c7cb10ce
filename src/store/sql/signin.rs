//! Statements about who is signed in, and by what.

use super::{Dialect, Insert, Sql};

/// The columns of a session, in the order that `sessions::session` reads.
macro_rules! session_columns {
    () => {
        "s.id, s.hash, s.person, s.label, s.method, s.token, s.created, s.seen, s.confirmed, s.expires, s.ended"
    };
}

statements! {
fixed {
    // What a suspended person shows opens nothing, even where it was made in the moment in which they were suspended.
    SESSION_BY_HASH "sessions" concat!("SELECT ", session_columns!(), " FROM sessions s JOIN persons p ON p.id = s.person \
        WHERE s.hash = $1 AND s.ended IS NULL AND p.suspended IS NULL");
    SESSIONS_OF_PERSON "sessions" concat!("SELECT ", session_columns!(), " FROM sessions s WHERE s.person = $1 ORDER BY s.id");
    TOUCH_SESSION "sessions" "UPDATE sessions SET seen = $1 WHERE id = $2 AND ended IS NULL AND seen < $1";
    HOLD_SESSION "sessions" "UPDATE sessions SET expires = expires WHERE id = $1 AND person = $2 AND ended IS NULL AND \
        expires > $3";
    ROTATE_SESSION "sessions" "UPDATE sessions SET hash = $1, seen = $2, confirmed = $2 WHERE id = $3 AND hash = $4 AND \
        ended IS NULL";
    END_SESSION "sessions" "UPDATE sessions SET ended = $1 WHERE id = $2 AND person = $3 AND ended IS NULL";
    END_OTHER_SESSIONS "sessions" "UPDATE sessions SET ended = $1 WHERE person = $2 AND id <> $3 AND ended IS NULL";
    END_SESSIONS_OF_PERSON "sessions" "UPDATE sessions SET ended = $1 WHERE person = $2 AND ended IS NULL";
    END_SESSIONS_MADE_WITH "sessions" "WITH RECURSIVE made(id) AS (SELECT id FROM api_tokens WHERE id = $2 UNION SELECT t.id \
        FROM api_tokens t JOIN made ON t.parent = made.id) UPDATE sessions SET ended = $1 WHERE token IN (SELECT id FROM made) \
        AND ended IS NULL";
    FORGET_SESSIONS "sessions" "DELETE FROM sessions WHERE expires < $1";

    PASSWORD_BY_NAME "passwords" "SELECT person, name, hash, codes, step, changed FROM passwords WHERE name = $1";
    PASSWORD_OF_PERSON "passwords" "SELECT person, name, hash, codes, step, changed FROM passwords WHERE person = $1";
    FIRST_PASSWORD "passwords" "INSERT INTO passwords (person, name, hash, codes, step, changed) VALUES ($1, $2, $3, $4, $5, \
        $6) ON CONFLICT DO NOTHING";
    CHANGE_PASSWORD "passwords" "UPDATE passwords SET name = $2, hash = $3, changed = $4 WHERE person = $1 AND changed = $5";
    CHANGE_DEVICE "passwords" "UPDATE passwords SET codes = $2, step = $3 WHERE person = $1";
    HOLD_PASSWORD "passwords" "UPDATE passwords SET step = step WHERE person = $1";
    HOLD_SAME_PASSWORD "passwords" "UPDATE passwords SET step = step WHERE person = $1 AND changed = $2";
    SPEND_STEP "passwords" "UPDATE passwords SET step = $1 WHERE person = $2 AND step < $1 AND changed = $3";
    REMOVE_PASSWORD "passwords" "DELETE FROM passwords WHERE person = $1";
    RECOVERY_CODE "recovery_codes" "SELECT hash, person FROM recovery_codes WHERE hash = $1 AND person = $2 AND used IS NULL";
    RECOVERY_CODES_LEFT "recovery_codes" "SELECT COUNT(*) FROM recovery_codes WHERE person = $1 AND used IS NULL";
    SPEND_RECOVERY_CODE "recovery_codes" "UPDATE recovery_codes SET used = $1 WHERE hash = $2 AND person = $3 AND used IS NULL";
    REMOVE_RECOVERY_CODES "recovery_codes" "DELETE FROM recovery_codes WHERE person = $1";
    DEVICE "devices" "SELECT hash, person FROM devices WHERE hash = $1";
    SEE_DEVICE "devices" "INSERT INTO devices (hash, person, seen) VALUES ($1, $2, $3) ON CONFLICT (hash) DO UPDATE SET seen = \
        excluded.seen";
    PRUNE_DEVICES "devices" "DELETE FROM devices WHERE person = $1 AND hash NOT IN (SELECT hash FROM devices WHERE person = $1 \
        ORDER BY seen DESC, hash LIMIT 20)";
    REMOVE_DEVICES "devices" "DELETE FROM devices WHERE person = $1";
    FORGET_DEVICES "devices" "DELETE FROM devices WHERE seen < $1";
    GUESSES "guesses" "SELECT subject, failures, last, until FROM guesses WHERE subject = $1";
    FIRST_GUESS "guesses" "INSERT INTO guesses (subject, failures, last, until) VALUES ($1, $2, $3, $4) ON CONFLICT (subject) DO \
        NOTHING";
    NEXT_GUESS "guesses" "UPDATE guesses SET failures = $1, last = $2, until = $3 WHERE subject = $4 AND failures = $5 AND last = $6";
    FORGIVE_GUESSES "guesses" "DELETE FROM guesses WHERE subject = $1";
    FORGET_GUESSES "guesses" "DELETE FROM guesses WHERE last < $1 AND until < $1";
    CHALLENGE "challenges" "SELECT hash, kind, person, state, expires FROM challenges WHERE hash = $1";
    ADD_CHALLENGE "challenges" "INSERT INTO challenges (hash, kind, person, state, expires) VALUES ($1, $2, $3, $4, $5)";
    PRUNE_CHALLENGES "challenges" "DELETE FROM challenges WHERE person = $1 AND kind = $2 AND hash NOT IN (SELECT hash FROM \
        challenges WHERE person = $1 AND kind = $2 ORDER BY expires DESC, hash LIMIT 9)";
    TAKE_CHALLENGE "challenges" "DELETE FROM challenges WHERE hash = $1";
    HOLD_PERSON "persons" "UPDATE persons SET suspended = suspended WHERE id = $1 AND suspended IS NULL";
    REMOVE_CHALLENGES "challenges" "DELETE FROM challenges WHERE person = $1";
    FORGET_CHALLENGES "challenges" "DELETE FROM challenges WHERE expires < $1";
    PASSKEY "passkeys" "SELECT id, credential, person, label, key, host, created, used FROM passkeys WHERE credential = $1";
    PASSKEYS_OF_PERSON "passkeys" "SELECT id, credential, person, label, key, host, created, used FROM passkeys WHERE person = $1 \
        AND (host IS NULL OR host = $2) ORDER BY id";
    HAS_PASSKEY "passkeys" "SELECT id FROM passkeys WHERE person = $1 LIMIT 1";
    ADD_PASSKEY "passkeys" "INSERT INTO passkeys (id, credential, person, label, key, host, created, used) VALUES ($1, $2, $3, \
        $4, $5, $6, $7, NULL) ON CONFLICT (credential) DO NOTHING";
    USE_PASSKEY "passkeys" "UPDATE passkeys SET key = $1, used = $2, host = $5 WHERE id = $3 AND key = $4";
    REMOVE_PASSKEY "passkeys" "DELETE FROM passkeys WHERE id = $1 AND person = $2";
    REMOVE_PASSKEYS "passkeys" "DELETE FROM passkeys WHERE person = $1";
    // What a suspended person shows opens nothing.
    CERTIFICATE "certificates" "SELECT c.id, c.key, c.person, c.label, c.created, c.used FROM certificates c JOIN persons p ON \
        p.id = c.person WHERE c.key = $1 AND p.suspended IS NULL";
    CERTIFICATES_OF_PERSON "certificates" "SELECT id, key, person, label, created, used FROM certificates WHERE person = $1 \
        ORDER BY id";
    ADD_CERTIFICATE "certificates" "INSERT INTO certificates (id, key, person, label, created, used) VALUES ($1, $2, $3, $4, \
        $5, NULL) ON CONFLICT (key) DO NOTHING";
    TOUCH_CERTIFICATE "certificates" "UPDATE certificates SET used = $1 WHERE id = $2 AND (used IS NULL OR used < $1)";
    HOLD_CERTIFICATE "certificates" "UPDATE certificates SET used = used WHERE id = $1 AND person = $2 AND created <= $3";
    REMOVE_CERTIFICATE "certificates" "DELETE FROM certificates WHERE id = $1 AND person = $2";
    REMOVE_CERTIFICATES "certificates" "DELETE FROM certificates WHERE person = $1";
    LINK "provider_links" "SELECT l.id, l.subject, l.person, l.provider, l.created, l.used FROM provider_links l JOIN persons p \
        ON p.id = l.person WHERE l.subject = $1 AND p.suspended IS NULL";
    LINKS_OF_PERSON "provider_links" "SELECT id, subject, person, provider, created, used FROM provider_links WHERE person = $1 \
        ORDER BY id";
    ADD_LINK "provider_links" "INSERT INTO provider_links (id, subject, person, provider, created, used) VALUES ($1, $2, $3, $4, \
        $5, NULL) ON CONFLICT (subject) DO NOTHING";
    USE_LINK "provider_links" "UPDATE provider_links SET used = $1 WHERE id = $2";
    REMOVE_LINK "provider_links" "DELETE FROM provider_links WHERE id = $1 AND person = $2";
    REMOVE_LINKS "provider_links" "DELETE FROM provider_links WHERE person = $1";
    ADD_SIGNIN_KEY "subject_keys" "INSERT INTO subject_keys (scope, wrapped, kek) VALUES ($1, $2, $3) ON CONFLICT (scope) DO \
        NOTHING";

    NAME_KEY "key_names" "INSERT INTO key_names (key_hash, scope, sealed) VALUES ($1, $2, $3) ON CONFLICT (key_hash) DO \
        UPDATE SET sealed = excluded.sealed";
    UNNAME_KEY "key_names" "DELETE FROM key_names WHERE key_hash = $1";
    UNNAME_KEYS "key_names" "DELETE FROM key_names WHERE scope = $1";
    KEY_NAMES "key_names" "SELECT key_hash, sealed FROM key_names WHERE scope = $1 ORDER BY key_hash";
}
keyed {}
inserts {
    INSERT_SESSIONS "sessions" [
        "id TEXT" "hash BYTEA" "person TEXT" "label TEXT" "method TEXT" "token TEXT" "created BIGINT" "seen BIGINT"
        "confirmed BIGINT" "expires BIGINT" "ended BIGINT"
    ] "";
    INSERT_RECOVERY_CODES "recovery_codes" ["hash BYTEA" "person TEXT" "used BIGINT"] "";
}
}
