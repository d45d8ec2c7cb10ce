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
    END_SESSIONS_OF_TOKEN "sessions" "UPDATE sessions SET ended = $1 WHERE token = $2 AND ended IS NULL";
    FORGET_SESSIONS "sessions" "DELETE FROM sessions WHERE expires < $1";
}
keyed {}
inserts {
    INSERT_SESSIONS "sessions" [
        "id TEXT" "hash BYTEA" "person TEXT" "label TEXT" "method TEXT" "token TEXT" "created BIGINT" "seen BIGINT"
        "confirmed BIGINT" "expires BIGINT" "ended BIGINT"
    ] "";
}
}
