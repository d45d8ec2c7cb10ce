//! The database: what was said, what follows from it, and nothing that could not be rebuilt or is not encrypted.
//!
//! A [`Store`] is a pool of connections to SQLite or PostgreSQL; a [`Tx`] is a transaction on either. All reads are
//! methods of `Tx`, so that whatever belongs together is read from one snapshot ([`Store::read`]). Records are
//! written only by the [sequencer](crate::sequencer); the few tables beside the log (tokens, invitations, pending
//! enrolments, sessions, credentials) by [`Store::apply`]. SQL stands in one file, the same text for both engines.

mod access;
mod credentials;
mod db;
mod error;
mod halves;
mod history;
mod insert;
mod key_names;
mod kits;
mod life;
mod lists;
mod log;
mod notices;
mod objects;
mod outside;
mod passkeys;
mod productions;
mod projections;
mod publication;
mod records;
mod recoveries;
mod row;
mod schema;
mod sessions;
mod sql;
mod state;
mod timestamps;

pub use access::{ApiToken, Change, EnrolmentState, Invitation, Maker, PendingEnrolment};
pub use credentials::{Challenge, ChallengeKind, CredentialChange, Factor, Guesses, PasswordRow};
pub use db::{Db, Tx};
pub use error::{Differs, StoreError};
pub use halves::{Contribution, HalvesChange, Resealing};
pub use kits::KitRow;
pub use life::BackupRow;
pub use lists::{CaseRow, ItemRow, KeyRow, PersonRow};
pub use log::{LogHead, Tiles};
pub use notices::NotableRow;
pub use objects::{ObjectRow, ObjectState, SubjectKey};
pub use outside::{CertificateChange, CertificateRow, LinkChange, LinkRow, MAX_CERTIFICATES, MAX_LINKS};
pub use passkeys::{MAX_PASSKEYS, PasskeyChange, PasskeyRow};
pub use productions::ProductionHalves;
pub use publication::CheckpointRow;
pub use records::{HeadRow, RecordPlace, RecordRow, SealedOpening, StoredOpening};
pub use sessions::{Method, Session, SessionChange};
#[doc(hidden)]
pub use sql::texts;
pub use timestamps::TimestampRow;

pub(crate) use history::HistoryRow;
pub(crate) use insert::Rows;
pub(crate) use log::finished_subtrees;
pub(crate) use objects::{new_objects, new_subject_keys};
pub(crate) use projections::changes;
pub(crate) use records::Appended;
pub(crate) use row::Value;
pub(crate) use schema::{Table, Type};

use custody::act::ObjectId;
use custody::time::Timestamp;

/// How often changes are tried that waited for others while those waited for them.
const TRIES: usize = 4;

/// A database with the schema of this program. Cheap to clone: clones share their connections.
#[derive(Debug, Clone)]
pub struct Store {
    db: Db,
}

impl Store {
    /// Opens an existing database, `sqlite:<path>` or `postgres://…`, and brings its schema up to date.
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        Self::connect(url, false).await
    }

    /// As [`Store::open`], and makes a SQLite file that is not there yet.
    pub async fn create(url: &str) -> Result<Self, StoreError> {
        Self::connect(url, true).await
    }

    async fn connect(url: &str, create: bool) -> Result<Self, StoreError> {
        let db = Db::connect(url, create).await?;
        db.migrate().await?;
        Ok(Self { db })
    }

    /// Opens an existing database as it is. [`StoreError::OlderSchema`] if its schema is not of this program's version, and
    /// [`StoreError::OtherSchema`] if it is, but other migrations than this program's have made it.
    pub async fn attach(url: &str) -> Result<Self, StoreError> {
        let db = Db::connect(url, false).await?;
        let found = db.version().await?;
        if found != Db::newest() {
            return Err(StoreError::OlderSchema { found, needed: Db::newest() });
        }
        db.same_schema().await?;
        Ok(Self { db })
    }

    /// Opens a database with the schema of another version, to be copied from or into; makes a SQLite file that is not
    /// there yet and a schema where there is none, both only if `version` is given.
    pub(crate) async fn at_version(url: &str, version: Option<i64>) -> Result<Self, StoreError> {
        let db = Db::connect(url, version.is_some()).await?;
        if let Some(version) = version {
            db.migrate_to(version).await?;
        }
        Ok(Self { db })
    }

    /// Brings the schema up to date.
    pub(crate) async fn migrate(&self) -> Result<(), StoreError> {
        self.db.migrate().await
    }

    /// The version of the schema; 0 before there is one.
    pub(crate) async fn version(&self) -> Result<i64, StoreError> {
        self.db.version().await
    }

    /// The version of the schema that this program works with.
    pub fn newest_version() -> i64 {
        Db::newest()
    }

    /// A transaction that reads one snapshot. Dropping it ends it; do so before waiting for anything else.
    pub async fn read(&self) -> Result<Tx, StoreError> {
        self.db.read().await
    }

    /// A transaction that writes.
    pub(crate) async fn write(&self) -> Result<Tx, StoreError> {
        self.db.write().await
    }

    /// Makes changes beside the log, all or none. `false`: one of them came too late (an invitation redeemed, a
    /// token revoked already), and nothing was changed.
    pub async fn apply(&self, changes: &[Change]) -> Result<bool, StoreError> {
        for _ in 1..TRIES {
            match self.apply_once(changes).await {
                Err(error) if error.is_deadlock() => {}
                outcome => return outcome,
            }
        }
        self.apply_once(changes).await
    }

    async fn apply_once(&self, changes: &[Change]) -> Result<bool, StoreError> {
        let mut tx = self.write().await?;
        for change in changes {
            if !tx.change(change).await? {
                return Ok(false);
            }
        }
        tx.commit().await?;
        Ok(true)
    }

    /// Declares that no record will ever name this object, so that its bytes may be deleted. `false`: a record names
    /// it already. Meets the sequencer at the log head's lock.
    pub async fn bury(&self, object: ObjectId, now: Timestamp) -> Result<bool, StoreError> {
        let mut tx = self.write().await?;
        tx.lock_log().await?.ok_or(StoreError::NoVault)?;
        let named = !tx.objects(&[object]).await?.is_empty();
        if !named && tx.buried(&[object]).await?.is_empty() {
            tx.insert_tombstone(object, now).await?;
            tx.commit().await?;
        }
        Ok(!named)
    }

    /// Closes all connections, after what they are doing.
    pub async fn close(&self) {
        self.db.close().await;
    }
}
