//! Sessions: who is signed in by a cookie, since when, and what ends it.

use custody::digest::Digest;
use custody::id::PersonId;
use custody::time::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::db::Tx;
use super::error::StoreError;
use super::row::{Row, Value};
use super::sql::signin;

/// Somebody signed in; of the cookie's secret only the hash is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// What it is ended by.
    pub id: Uuid,
    /// Hash of the secret.
    pub hash: Digest,
    /// Whose it is.
    pub person: PersonId,
    /// What the person called the device.
    pub label: String,
    /// How it was opened.
    pub method: Method,
    /// The token that it was opened with and ends with.
    pub token: Option<Uuid>,
    /// Opened when.
    pub created: Timestamp,
    /// Last used when, to the minute.
    pub seen: Timestamp,
    /// When the person last showed a second factor.
    pub confirmed: Option<Timestamp>,
    /// When it ends however much it is used.
    pub expires: Timestamp,
    /// When it was ended.
    pub ended: Option<Timestamp>,
}

/// How a session was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Method {
    /// With an API token.
    Token,
    /// By name, password and second factor.
    Password,
    /// With a passkey.
    Passkey,
    /// By an outside provider.
    Provider,
}

/// A change of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SessionChange {
    /// A new one, together with the change that shows who it is for, or holds the token that opens it.
    Open(Session),
    /// It is in use.
    Touch {
        /// Which.
        id: Uuid,
        /// When.
        now: Timestamp,
    },
    /// The person showed a second factor: a new secret from now on. Too late if it has ended or has another secret already.
    Confirm {
        /// Which.
        id: Uuid,
        /// Hash of the secret so far.
        old: Digest,
        /// Hash of the next one.
        new: Digest,
        /// When.
        now: Timestamp,
    },
    /// It ends; too late if it has ended.
    End {
        /// Which.
        id: Uuid,
        /// Whose.
        person: PersonId,
        /// When.
        now: Timestamp,
    },
    /// All of a person end but one.
    EndOthers {
        /// Which stays.
        id: Uuid,
        /// Whose.
        person: PersonId,
        /// When.
        now: Timestamp,
    },
    /// Rows of sessions that have long been over are removed.
    Forget {
        /// Those that expired before.
        before: Timestamp,
    },
}

impl Tx {
    /// The session whose secret has this hash, unless it was ended or its person is suspended. Whether it ran out is for
    /// the caller to see.
    pub async fn session(&mut self, hash: &Digest) -> Result<Option<Session>, StoreError> {
        self.one(signin::SESSION_BY_HASH, vec![Value::digest(hash)]).await?.as_ref().map(session).transpose()
    }

    /// All sessions of a person, ended ones as long as they are remembered.
    pub async fn sessions_of(&mut self, person: PersonId) -> Result<Vec<Session>, StoreError> {
        let rows = self.all(signin::SESSIONS_OF_PERSON, vec![Value::text(person)]).await?;
        rows.iter().map(session).collect()
    }

    /// Makes a change; `false` if it came too late and changed nothing.
    pub(super) async fn change_session(&mut self, change: &SessionChange) -> Result<bool, StoreError> {
        let changed = match change {
            SessionChange::Open(session) => {
                return self.insert(signin::INSERT_SESSIONS, session_values(session)).await.map(|()| true);
            }
            SessionChange::Touch { id, now } => {
                // Whoever asks twice at the same time is seen once.
                self.run(signin::TOUCH_SESSION, vec![Value::time(*now), Value::text(id)]).await?;
                return Ok(true);
            }
            SessionChange::Confirm { id, old, new, now } => {
                let params = vec![Value::digest(new), Value::time(*now), Value::text(id), Value::digest(old)];
                self.run(signin::ROTATE_SESSION, params).await?
            }
            SessionChange::End { id, person, now } => {
                let params = vec![Value::time(*now), Value::text(id), Value::text(person)];
                self.run(signin::END_SESSION, params).await?
            }
            SessionChange::EndOthers { id, person, now } => {
                let params = vec![Value::time(*now), Value::text(person), Value::text(id)];
                self.run(signin::END_OTHER_SESSIONS, params).await?;
                return Ok(true);
            }
            SessionChange::Forget { before } => {
                self.run(signin::FORGET_SESSIONS, vec![Value::time(*before)]).await?;
                return Ok(true);
            }
        };
        Ok(changed == 1)
    }

    /// Ends all sessions of a person; how many.
    pub(super) async fn end_sessions(&mut self, person: PersonId, now: Timestamp) -> Result<u64, StoreError> {
        self.run(signin::END_SESSIONS_OF_PERSON, vec![Value::time(now), Value::text(person)]).await
    }
}

fn session_values(session: &Session) -> [Value; 11] {
    [
        Value::text(session.id),
        Value::digest(&session.hash),
        Value::text(session.person),
        Value::text(&session.label),
        Value::code(&session.method),
        Value::opt_text(session.token),
        Value::time(session.created),
        Value::time(session.seen),
        Value::Int(session.confirmed.map(Timestamp::millis)),
        Value::time(session.expires),
        Value::Int(session.ended.map(Timestamp::millis)),
    ]
}

fn session(row: &Row) -> Result<Session, StoreError> {
    Ok(Session {
        id: row.parse(0)?,
        hash: row.digest(1)?,
        person: row.parse(2)?,
        label: row.text(3)?,
        method: row.code(4)?,
        token: row.opt_parse(5)?,
        created: row.time(6)?,
        seen: row.time(7)?,
        confirmed: row.opt_time(8)?,
        expires: row.time(9)?,
        ended: row.opt_time(10)?,
    })
}
