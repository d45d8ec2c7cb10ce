//! Going on after the log's key was stolen or lost: under another name, from the last checkpoint that outsiders
//! confirmed.
//!
//! The vault takes nothing more under the old key: whoever has it may sign what they like of what comes after. Database,
//! records and tree stay; a record says which checkpoint is believed to be the last one that was nobody else's, and every
//! record and checkpoint from that one on is of the new log.

use std::sync::Arc;

use custody::act::{LogAnchor, LogContinued};
use custody::checkpoint::Origin;
use custody::kind::Kind;
use custody::log_keys::LogKeys;
use custody::note::{SignatureType, SignedNote, VerifierKey};
use ed25519_dalek::SigningKey;
use zeroize::Zeroizing;

use super::compose::Say;
use super::recover::Recovery;
use super::setup::{self, SetupError};
use super::{App, AppError};
use crate::config::Config;
use crate::engine::OsEntropy;
use crate::keyring::{Keyring, provider};
use crate::publish::StartError;
use crate::store::{Store, StoreError};

/// Numbers that timestamp authorities have.
const AUTHORITIES: std::ops::RangeInclusive<u8> = 1..=9;

/// How a log would go on.
#[derive(Debug, Clone)]
pub struct Continuation {
    /// The key that is given up, under the log's name so far.
    pub previous: VerifierKey,
    /// The log's new name.
    pub origin: Origin,
    /// The checkpoint from which it goes on.
    pub anchor: SignedNote,
    /// How many entries that one covers.
    pub anchor_size: u64,
    /// Whose word it is.
    pub anchored_by: LogAnchor,
    /// How many entries the log has.
    pub size: u64,
    /// Why what is published contradicts it, if it does.
    pub contradicted: Option<String>,
    /// How many of them have lost their records, where the log's newest key was lost together with these.
    pub lost: u64,
}

/// A log that went on under another name.
#[derive(Debug)]
pub struct Continued {
    /// What was carried out.
    pub plan: Continuation,
    /// The log's new key.
    pub log_vkey: VerifierKey,
    /// Index of the record that says so.
    pub index: u64,
}

/// Gives the log's key up and goes on under `origin`, or the next number of the name so far, with a new key, if `agreed`.
/// The vault must not be served meanwhile. The old key need not be there. Nothing if it was not agreed.
pub async fn continue_log(
    config: &Config,
    passphrase: Option<Zeroizing<String>>,
    origin: Option<Origin>,
    agreed: impl FnOnce(&Continuation) -> bool,
) -> Result<Option<Continued>, SetupError> {
    let (app, contradicted) = setup::open_to_continue(config, passphrase.clone()).await?;
    if matches!(contradicted, Some(StartError::LaterKey { .. })) {
        let provider = provider(passphrase.clone());
        let keyring = Keyring::open_to_continue(&config.data_dir().join("keys"), provider.as_ref())?;
        // Where nothing is lost, or nobody can tell what, it is a contradiction like any other.
        if let Ok(recovery) = Box::pin(Recovery::begin_without_key(config, keyring)).await {
            app.close().await;
            return Box::pin(continue_after_loss(config, passphrase, recovery, origin, agreed)).await;
        }
    }
    let ended = async {
        let mut plan = Continuation::plan(&app.store, &app.log, origin).await.map_err(SetupError::LogKey)?;
        plan.contradicted = contradicted.map(|error| error.to_string());
        if !agreed(&plan) {
            return Ok(None);
        }
        let key = new_key(config, passphrase)?;
        app.carry_on(plan, &key).await.map(Some).map_err(SetupError::LogKey)
    };
    let ended = ended.await;
    app.close().await;
    ended
}

/// The same where the database was set back behind the record of a key that is lost: what was published since is noted as
/// lost by the record that brings the next key.
async fn continue_after_loss(
    config: &Config,
    passphrase: Option<Zeroizing<String>>,
    recovery: Recovery,
    origin: Option<Origin>,
    agreed: impl FnOnce(&Continuation) -> bool,
) -> Result<Option<Continued>, SetupError> {
    let plan = match recovery.plan(origin).await {
        Ok(plan) if agreed(&plan) => plan,
        other => {
            recovery.close().await;
            return other.map(|_| None).map_err(SetupError::LogKey);
        }
    };
    let key = new_key(config, passphrase)?;
    let log_vkey = plan.vkey(&key).map_err(SetupError::LogKey)?;
    let recovered = recovery.carry_on(plan.data(&log_vkey), &key).await;
    let recovered = recovered.map_err(|error| SetupError::Lost(Box::new(error)))?;
    Ok(Some(Continued { plan, log_vkey, index: recovered.loss.to }))
}

/// A new key for the log: never one that was made before, since whoever took the log's key may have taken that as well.
fn new_key(config: &Config, passphrase: Option<Zeroizing<String>>) -> Result<SigningKey, SetupError> {
    let provider = provider(passphrase);
    let mut keyring = Keyring::open_to_continue(&config.data_dir().join("keys"), provider.as_ref())?;
    let version = keyring.add_log_key(provider.as_ref(), &mut OsEntropy)?;
    let key = keyring.log_keys().get(&version).ok_or(SetupError::OtherKeys("log key"))?;
    Ok(key.clone())
}

impl Continuation {
    /// How a log would go on: under `origin`, or the next number of its name so far.
    pub(super) async fn plan(store: &Store, log: &LogKeys, origin: Option<Origin>) -> Result<Self, AppError> {
        let previous = log.present().clone();
        let origin = match origin {
            Some(origin) => origin,
            None => successor(previous.name().as_str())?,
        };
        if log.each().any(|key| key.name().as_str() == origin.as_str()) {
            return Err(AppError::Invalid(format!("the log had the name {origin} before: choose another")));
        }
        let (anchor, anchored_by, size) = newest_anchor(store).await?;
        let opened = log.open(&anchor).map_err(AppError::internal("reading a checkpoint of one's own"))?;
        let anchor_size = opened.size();
        Ok(Self { previous, origin, anchor, anchor_size, anchored_by, size, contradicted: None, lost: 0 })
    }

    /// The new key under the log's new name.
    fn vkey(&self, key: &SigningKey) -> Result<VerifierKey, AppError> {
        VerifierKey::new(self.origin.key_name(), SignatureType::Ed25519, key.verifying_key())
            .map_err(AppError::internal("naming a key"))
    }

    /// What the vault says about it.
    pub(super) fn data(&self, log_vkey: &VerifierKey) -> LogContinued {
        LogContinued {
            anchor: self.anchor.to_string(),
            anchored_by: self.anchored_by,
            log_vkey: log_vkey.to_string(),
            origin: self.origin.clone(),
            previous: self.previous.to_string(),
        }
    }
}

/// The newest checkpoint that a quorum of witnesses cosigned; else the newest that was time-stamped; else the newest. And
/// how many entries the database has.
async fn newest_anchor(store: &Store) -> Result<(SignedNote, LogAnchor, u64), AppError> {
    let mut tx = store.read().await?;
    let head = tx.log_head().await?.ok_or(StoreError::NoVault)?;
    let size = head.size();
    if let Some(row) = tx.newest_checkpoint().await? {
        return Ok((row.note, LogAnchor::Cosignatures, size));
    }
    let mut stamped = None;
    for authority in AUTHORITIES {
        stamped = stamped.into_iter().chain(tx.newest_timestamp(authority).await?).max_by_key(|row| row.size);
    }
    if let Some(row) = stamped {
        let note = SignedNote::parse(row.note.as_bytes());
        let note = note.map_err(AppError::internal("reading a time-stamped checkpoint"))?;
        return Ok((note, LogAnchor::Timestamp, size));
    }
    Ok((head.checkpoint, LogAnchor::Vault, size))
}

impl App {
    async fn carry_on(&self, plan: Continuation, key: &SigningKey) -> Result<Continued, AppError> {
        let log_vkey = plan.vkey(key)?;
        let say = Say::new(Kind::LogContinued).data(plan.data(&log_vkey).to_data());
        let index = self.say_with_keys(say, &[self.vault_key(), key], &Arc::new(key.clone())).await?;
        Ok(Continued { plan, log_vkey, index })
    }
}

/// `vault.example.org/custos/2` after `vault.example.org/custos/1`.
pub(super) fn successor(origin: &str) -> Result<Origin, AppError> {
    let next = origin.rsplit_once('/').and_then(|(place, number)| {
        let next = number.parse::<u64>().ok()?.checked_add(1)?;
        Origin::new(&format!("{place}/{next}")).ok()
    });
    next.ok_or_else(|| AppError::Invalid("give the log's new name: its present one has no number".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_goes_on_under_the_next_number() {
        let next = |origin| successor(origin).ok().map(|origin| origin.to_string());
        assert_eq!(next("vault.example.org/custos/1").as_deref(), Some("vault.example.org/custos/2"));
        assert_eq!(
            next("vault.example.org:8443/custos/9").as_deref(),
            Some("vault.example.org:8443/custos/10")
        );
        assert_eq!((next("vault.example.org/custos"), next("vault")), (None, None));
    }
}
