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
use custody::note::{SignatureType, SignedNote, VerifierKey};
use ed25519_dalek::SigningKey;
use zeroize::Zeroizing;

use super::compose::Say;
use super::setup::{self, SetupError};
use super::{App, AppError};
use crate::config::Config;
use crate::engine::OsEntropy;
use crate::keyring::{Keyring, provider};
use crate::store::StoreError;

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
    let ended = async {
        let mut plan = app.plan_to_continue(origin).await.map_err(SetupError::LogKey)?;
        plan.contradicted = contradicted.map(|error| error.to_string());
        if !agreed(&plan) {
            return Ok(None);
        }
        let provider = provider(passphrase);
        let mut keyring = Keyring::open_to_continue(&config.data_dir().join("keys"), provider.as_ref())?;
        // Never one that was made before: whoever took the log's key may have taken that as well.
        let version = keyring.add_log_key(provider.as_ref(), &mut OsEntropy)?;
        let key = keyring.log_keys().get(&version).ok_or(SetupError::OtherKeys("log key"))?;
        app.carry_on(plan, key).await.map(Some).map_err(SetupError::LogKey)
    };
    let ended = ended.await;
    app.close().await;
    ended
}

impl App {
    async fn plan_to_continue(&self, origin: Option<Origin>) -> Result<Continuation, AppError> {
        let previous = self.log.present().clone();
        let origin = match origin {
            Some(origin) => origin,
            None => successor(previous.name().as_str()).ok_or_else(|| {
                AppError::Invalid("give the log's new name: its present one has no number".to_owned())
            })?,
        };
        if self.log.each().any(|key| key.name().as_str() == origin.as_str()) {
            return Err(AppError::Invalid(format!("the log had the name {origin} before: choose another")));
        }
        let (anchor, anchored_by, size) = self.anchor().await?;
        let opened =
            self.log.open(&anchor).map_err(AppError::internal("reading a checkpoint of one's own"))?;
        let anchor_size = opened.size();
        Ok(Continuation { previous, origin, anchor, anchor_size, anchored_by, size, contradicted: None })
    }

    /// The newest checkpoint that a quorum of witnesses cosigned; else the newest that was time-stamped; else the newest.
    async fn anchor(&self) -> Result<(SignedNote, LogAnchor, u64), AppError> {
        let mut tx = self.store.read().await?;
        let head = tx.log_head().await?.ok_or(StoreError::NoVault)?;
        let size = head.size();
        if let Some(row) = tx.newest_checkpoint().await? {
            return Ok((row.note, LogAnchor::Cosignatures, size));
        }
        let mut stamped = None;
        for authority in AUTHORITIES {
            stamped =
                stamped.into_iter().chain(tx.newest_timestamp(authority).await?).max_by_key(|row| row.size);
        }
        if let Some(row) = stamped {
            let note = SignedNote::parse(row.note.as_bytes());
            let note = note.map_err(AppError::internal("reading a time-stamped checkpoint"))?;
            return Ok((note, LogAnchor::Timestamp, size));
        }
        Ok((head.checkpoint, LogAnchor::Vault, size))
    }

    async fn carry_on(&self, plan: Continuation, key: &SigningKey) -> Result<Continued, AppError> {
        let log_vkey = VerifierKey::new(plan.origin.key_name(), SignatureType::Ed25519, key.verifying_key());
        let log_vkey = log_vkey.map_err(AppError::internal("naming a key"))?;
        let data = LogContinued {
            anchor: plan.anchor.to_string(),
            anchored_by: plan.anchored_by,
            log_vkey: log_vkey.to_string(),
            origin: plan.origin.clone(),
            previous: plan.previous.to_string(),
        };
        let say = Say::new(Kind::LogContinued).data(data.to_data());
        let index = self.say_with_keys(say, &[self.vault_key(), key], &Arc::new(key.clone())).await?;
        Ok(Continued { plan, log_vkey, index })
    }
}

/// `vault.example.org/custos/2` after `vault.example.org/custos/1`.
fn successor(origin: &str) -> Option<Origin> {
    let (place, number) = origin.rsplit_once('/')?;
    let next = number.parse::<u64>().ok()?.checked_add(1)?;
    Origin::new(&format!("{place}/{next}")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_goes_on_under_the_next_number() {
        let next = |origin| successor(origin).map(|origin| origin.to_string());
        assert_eq!(next("vault.example.org/custos/1").as_deref(), Some("vault.example.org/custos/2"));
        assert_eq!(
            next("vault.example.org:8443/custos/9").as_deref(),
            Some("vault.example.org:8443/custos/10")
        );
        assert_eq!((next("vault.example.org/custos"), next("vault")), (None, None));
    }
}
