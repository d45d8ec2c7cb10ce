//! Going on after a restore that lost published records. For a vault that nobody serves.

use std::sync::Arc;

use custody::act::{LogContinued, LogKeyRotated, NamedAgain};
use custody::checkpoint::Origin;
use custody::digest::Digest;
use custody::entropy::Entropy as _;
use custody::log_keys::LogKeys;
use custody::note::VerifierKey;
use custody::record::record_hash;
use custody::time::Timestamp;
use ed25519_dalek::SigningKey;
use serde::Serialize;
use zeroize::Zeroizing;

use super::AppError;
use super::log_continued::{Continuation, successor};
use super::setup::{Parts, SetupError, log_of, signers, signing_keys};
use super::sweep::count_orphans;
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::engine::OsEntropy;
use crate::keyring::Keyring;
use crate::publish::{Lost, LostError, Signers, lost};
use crate::sequencer::{self, LostEntries, RecoveryError};
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
    /// The log's newest key, if only lost records named it: what is noted names it again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_key: Option<String>,
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
    /// What is said again of the log's key could not be made.
    #[error("cannot say again which key the log has")]
    Again(#[source] AppError),
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
            Self::Record(_) | Self::Again(_) | Self::Count(_) => {
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
        Self::of(Parts::attach(config, passphrase).await?, false).await
    }

    /// The same, to be noted: the schema is brought up to date, after the database was copied.
    pub async fn begin(config: &Config, passphrase: Option<Zeroizing<String>>) -> Result<Self, RecoverError> {
        Self::of(Parts::open(config, passphrase).await?, false).await
    }

    /// The same of a vault whose log was published under a key that is lost: its newest checkpoint is read as it stands.
    pub(super) async fn begin_without_key(config: &Config, keyring: Keyring) -> Result<Self, RecoverError> {
        Self::of(Parts::of(config, keyring).await?, true).await
    }

    async fn of(parts: Parts, without_key: bool) -> Result<Self, RecoverError> {
        let Parts { keyring, store, blobs } = parts;
        let (identity, head, remains) = {
            let mut tx = store.read().await?;
            let identity = tx.vault().await?.ok_or(StoreError::NoVault)?;
            let head = tx.log_head().await?.ok_or(StoreError::NoVault)?;
            let [cases, items, persons] = tx.sizes(["cases", "items", "persons"]).await?;
            (identity, head, Remains { cases, items, persons })
        };
        let log = log_of(&identity, &keyring)?;
        let signers = Signers { lost: without_key, ..signers(&keyring, &log) };
        let gap = lost(&store, &blobs.log(), &signers).await?;
        let unrecorded = gap.signer.as_ref().filter(|signer| log.each().all(|key| key != *signer));
        let loss = Loss {
            vault: identity.id,
            lost: gap.to() - gap.from,
            from: gap.from,
            to: gap.to(),
            signed: gap.signed,
            newest: head.last_received,
            log_key: unrecorded.map(ToString::to_string),
            remains,
            objects_without_record: count_orphans(&store, &blobs).await.map_err(RecoverError::Count)?,
        };
        Ok(Self { store, keyring, log, gap, loss })
    }

    /// What is lost.
    pub const fn loss(&self) -> &Loss {
        &self.loss
    }

    /// Notes the loss, if it is as large as the operator confirms: all or nothing. A key of the log that signed what is
    /// published, and that no record names any more, is named again.
    pub async fn note(self, confirmed: u64) -> Result<Recovered, RecoverError> {
        if confirmed != self.loss.lost {
            return Err(RecoverError::Unconfirmed { confirmed, lost: self.loss.lost });
        }
        let present = self.log.present();
        let signer = self.gap.signer.clone().filter(|signer| self.log.each().all(|key| key != signer));
        let named = match signer {
            None => None,
            Some(signer) => {
                let key = self.keyring.log_key(signer.public_key()).cloned();
                let key = key.ok_or(SetupError::OtherKeys("log key"))?;
                Some((self.named_again(present, &signer).await?, key))
            }
        };
        self.write(named).await
    }

    /// What the lost record said about the key that the log had then.
    async fn named_again(
        &self,
        present: &VerifierKey,
        signer: &VerifierKey,
    ) -> Result<NamedAgain, RecoverError> {
        if present.name() == signer.name() {
            let (log_vkey, previous) = (signer.to_string(), present.to_string());
            return Ok(NamedAgain::Rotated(LogKeyRotated { log_vkey, previous }));
        }
        let origin = Some(self.gap.origin.clone());
        let plan = Continuation::plan(&self.store, &self.log, origin).await.map_err(RecoverError::Again)?;
        Ok(NamedAgain::Continued(plan.data(signer)))
    }

    /// Gives the log's key up as well, and goes on as planned.
    pub(super) async fn carry_on(
        self,
        data: LogContinued,
        key: &SigningKey,
    ) -> Result<Recovered, RecoverError> {
        self.write(Some((NamedAgain::Continued(data), key.clone()))).await
    }

    /// How the log would go on under another name, if its newest key is lost.
    pub(super) async fn plan(&self, origin: Option<Origin>) -> Result<Continuation, AppError> {
        let origin = match origin {
            Some(origin) => origin,
            None => successor(self.gap.origin.as_str())?,
        };
        if origin == self.gap.origin {
            return Err(AppError::Invalid(format!("the log had the name {origin} before: choose another")));
        }
        let plan = Continuation::plan(&self.store, &self.log, Some(origin)).await?;
        Ok(Continuation { size: self.loss.to, lost: self.loss.lost, ..plan })
    }

    async fn write(self, named: Option<(NamedAgain, SigningKey)>) -> Result<Recovered, RecoverError> {
        let Self { store, keyring, log, gap, loss } = self;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        // Whoever gives a key up does not need it.
        let given_up = matches!(named, Some((NamedAgain::Continued(_), _)));
        let stand_in = given_up.then(|| SigningKey::from_bytes(&OsEntropy.array()));
        let keys = signing_keys(&keyring, keyring.log_key(log.present().public_key()).or(stand_in.as_ref()))?;
        let log_key = named.as_ref().map(|(named, key)| (named.clone(), key));
        let lost = LostEntries { from: gap.from, entries: &gap.entries, log_key };
        let receipt =
            Box::pin(sequencer::recover(&store, &keys, clock.as_ref(), &mut OsEntropy, lost)).await?;
        store.close().await;
        Ok(Recovered { record: record_hash(&receipt.record), log_size: loss.to + 1, loss })
    }

    /// Leaves everything as it is.
    pub async fn close(self) {
        self.store.close().await;
    }
}
