//! Going on after a restore that lost published records. For a vault that nobody serves.

use std::sync::Arc;

use custody::digest::Digest;
use custody::log_keys::LogKeys;
use custody::record::record_hash;
use custody::time::Timestamp;
use serde::Serialize;
use zeroize::Zeroizing;

use super::AppError;
use super::setup::{Parts, SetupError, log_of, signers, signing_keys};
use super::sweep::count_orphans;
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::engine::OsEntropy;
use crate::keyring::Keyring;
use crate::publish::{Lost, LostError, lost};
use crate::sequencer::{self, RecoveryError};
use crate::store::{Store, StoreError};

/// What is lost, and what remains.
#[derive(Debug, Clone, Serialize)]
pub struct Loss {
    /// Hash of record 0.
    pub vault: Digest,
    /// How many published entries have lost their records.
    pub lost: u64,
    /// Log index of the first.
    pub from: u64,
    /// Log index after the last: that of the `recovery.noted`.
    pub to: u64,
    /// How many of the published entries the log's newest checkpoint in the object store covers.
    pub signed: u64,
    /// When the newest record was received that remains.
    pub newest: Timestamp,
    /// What remains.
    pub remains: Remains,
    /// Stored objects that no record names: their keys are lost, unless a crash left them.
    pub objects_without_record: usize,
}

/// What remains.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Remains {
    /// Cases.
    pub cases: u64,
    /// Items of all cases.
    pub items: u64,
    /// Persons.
    pub persons: u64,
}

/// A loss that was noted.
#[derive(Debug, Clone, Serialize)]
pub struct Recovered {
    /// What is lost.
    #[serde(flatten)]
    pub loss: Loss,
    /// Record hash of the `recovery.noted`.
    pub record: Digest,
    /// Entries of the log now.
    pub log_size: u64,
}

/// Why nothing was recovered. Nothing was written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecoverError {
    /// The vault cannot be opened.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// It is not known what is lost, or nothing is.
    #[error(transparent)]
    Lost(#[from] LostError),
    /// Another number was confirmed.
    #[error("{confirmed} lost entries were confirmed, {lost} are lost")]
    Unconfirmed {
        /// As the operator said.
        confirmed: u64,
        /// As it is.
        lost: u64,
    },
    /// The record was not written.
    #[error("the recovery is not recorded")]
    Record(#[from] RecoveryError),
    /// What remains could not be counted.
    #[error("cannot count what remains")]
    Count(#[source] AppError),
}

impl RecoverError {
    /// What to do about it.
    pub fn remedy(&self) -> String {
        match self {
            Self::Setup(SetupError::Store(StoreError::OlderSchema { found, needed })) if found < needed => {
                "custos serve: it copies the database into backups/ of the data directory, brings it up to date, and \
                 stops if records are lost; then look again"
                    .to_owned()
            }
            Self::Setup(error) => error.remedy(),
            Self::Lost(error) => error.remedy(),
            Self::Unconfirmed { lost, .. } => {
                format!("read again what is lost, and confirm just that: --confirm-lost {lost}")
            }
            Self::Record(RecoveryError::TooMany) => {
                "begin a new vault (custos init), and keep this one as it is".to_owned()
            }
            Self::Record(RecoveryError::Moved { .. }) => "stop the service, and look again".to_owned(),
            Self::Record(_) | Self::Count(_) => {
                "nothing was changed; check database and object store, and run it again".to_owned()
            }
        }
    }
}

impl From<StoreError> for RecoverError {
    fn from(error: StoreError) -> Self {
        Self::Setup(error.into())
    }
}

/// A vault whose loss is known.
#[derive(Debug)]
pub struct Recovery {
    store: Store,
    keyring: Keyring,
    log: LogKeys,
    gap: Lost,
    loss: Loss,
}

impl Recovery {
    /// Finds out what the vault lost that `config` names, and writes nothing: a database with an older schema is refused.
    pub async fn look(config: &Config, passphrase: Option<Zeroizing<String>>) -> Result<Self, RecoverError> {
        Self::of(Parts::attach(config, passphrase).await?).await
    }

    /// The same, to be noted: the schema is brought up to date, after the database was copied.
    pub async fn begin(config: &Config, passphrase: Option<Zeroizing<String>>) -> Result<Self, RecoverError> {
        Self::of(Parts::open(config, passphrase).await?).await
    }

    async fn of(Parts { keyring, store, blobs }: Parts) -> Result<Self, RecoverError> {
        let (identity, head, remains) = {
            let mut tx = store.read().await?;
            let identity = tx.vault().await?.ok_or(StoreError::NoVault)?;
            let head = tx.log_head().await?.ok_or(StoreError::NoVault)?;
            let [cases, items, persons] = tx.sizes(["cases", "items", "persons"]).await?;
            (identity, head, Remains { cases, items, persons })
        };
        let log = log_of(&identity, &keyring)?;
        let gap = lost(&store, &blobs.log(), &signers(&keyring, &log)).await?;
        let loss = Loss {
            vault: identity.id,
            lost: gap.to() - gap.from,
            from: gap.from,
            to: gap.to(),
            signed: gap.signed,
            newest: head.last_received,
            remains,
            objects_without_record: count_orphans(&store, &blobs).await.map_err(RecoverError::Count)?,
        };
        Ok(Self { store, keyring, log, gap, loss })
    }

    /// What is lost.
    pub const fn loss(&self) -> &Loss {
        &self.loss
    }

    /// Notes the loss, if it is as large as the operator confirms: all or nothing.
    pub async fn note(self, confirmed: u64) -> Result<Recovered, RecoverError> {
        let Self { store, keyring, log, gap, loss } = self;
        if confirmed != loss.lost {
            return Err(RecoverError::Unconfirmed { confirmed, lost: loss.lost });
        }
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let keys = signing_keys(&keyring, keyring.log_key(log.present().public_key()))?;
        let receipt =
            sequencer::recover(&store, &keys, clock.as_ref(), &mut OsEntropy, gap.from, &gap.entries).await?;
        store.close().await;
        Ok(Recovered { record: record_hash(&receipt.record), log_size: loss.to + 1, loss })
    }

    /// Leaves everything as it is.
    pub async fn close(self) {
        self.store.close().await;
    }
}
