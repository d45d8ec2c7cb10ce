//! Passkeys: the public halves, beside the other things that people sign in with.

use custody::id::PersonId;
use custody::time::Timestamp;
use uuid::Uuid;

use super::db::Tx;
use super::error::StoreError;
use super::row::{Row, Value};
use super::sql::signin;

/// Most passkeys of one person for one host.
pub const MAX_PASSKEYS: usize = 20;

/// A passkey.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PasskeyRow {
    /// What it is removed by.
    pub id: Uuid,
    /// What the authenticator calls it.
    pub credential: Vec<u8>,
    /// Whose.
    pub person: PersonId,
    /// What the person called it.
    pub label: String,
    /// Public key and counter, in JSON.
    pub key: Vec<u8>,
    /// The host that it answers to; unknown where it was made before this was kept and not used since.
    pub host: Option<String>,
    /// Since when.
    pub created: Timestamp,
    /// Last used when.
    pub used: Option<Timestamp>,
}

/// A change of a passkey.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum PasskeyChange {
    /// A new one; too late if the authenticator's name for it is known, or its person has [`MAX_PASSKEYS`] for its host.
    Add(PasskeyRow),
    /// It was used; too late if it was at the same moment, or is gone.
    Use {
        /// Which.
        id: Uuid,
        /// Key and counter so far.
        old: Vec<u8>,
        /// Key and counter from now on.
        new: Vec<u8>,
        /// The host that it answered to.
        host: String,
        /// When.
        now: Timestamp,
    },
    /// It goes; too late if it is gone.
    Remove {
        /// Which.
        id: Uuid,
        /// Whose.
        person: PersonId,
    },
}

impl Tx {
    /// The passkey that an authenticator calls so.
    pub async fn passkey(&mut self, credential: &[u8]) -> Result<Option<PasskeyRow>, StoreError> {
        self.one(signin::PASSKEY, vec![Value::blob(credential)]).await?.as_ref().map(passkey).transpose()
    }

    /// A person's passkeys that answer to this host.
    pub async fn passkeys_of(&mut self, person: PersonId, host: &str) -> Result<Vec<PasskeyRow>, StoreError> {
        let rows = self.all(signin::PASSKEYS_OF_PERSON, vec![Value::text(person), Value::text(host)]).await?;
        rows.iter().map(passkey).collect()
    }

    /// Whether a person has a passkey, of whichever host.
    pub(super) async fn has_passkey(&mut self, person: PersonId) -> Result<bool, StoreError> {
        Ok(self.one(signin::HAS_PASSKEY, vec![Value::text(person)]).await?.is_some())
    }

    pub(super) async fn change_passkey(&mut self, change: &PasskeyChange) -> Result<u64, StoreError> {
        match change {
            PasskeyChange::Add(row) => {
                let host = row.host.as_deref().unwrap_or_default();
                if self.passkeys_of(row.person, host).await?.len() >= MAX_PASSKEYS {
                    return Ok(0);
                }
                let params = vec![
                    Value::text(row.id),
                    Value::blob(&row.credential),
                    Value::text(row.person),
                    Value::text(&row.label),
                    Value::blob(&row.key),
                    Value::opt_text(row.host.as_ref()),
                    Value::time(row.created),
                ];
                self.run(signin::ADD_PASSKEY, params).await
            }
            PasskeyChange::Use { id, old, new, host, now } => {
                let (new, now, old) = (Value::blob(new), Value::time(*now), Value::blob(old));
                self.run(signin::USE_PASSKEY, vec![new, now, Value::text(id), old, Value::text(host)]).await
            }
            PasskeyChange::Remove { id, person } => {
                self.run(signin::REMOVE_PASSKEY, vec![Value::text(id), Value::text(person)]).await
            }
        }
    }

    /// Removes all passkeys of a person; how many.
    pub(super) async fn remove_passkeys(&mut self, person: PersonId) -> Result<u64, StoreError> {
        self.run(signin::REMOVE_PASSKEYS, vec![Value::text(person)]).await
    }
}

fn passkey(row: &Row) -> Result<PasskeyRow, StoreError> {
    Ok(PasskeyRow {
        id: row.parse(0)?,
        credential: row.blob(1)?,
        person: row.parse(2)?,
        label: row.text(3)?,
        key: row.blob(4)?,
        host: row.opt_parse(5)?,
        created: row.time(6)?,
        used: row.opt_time(7)?,
    })
}
