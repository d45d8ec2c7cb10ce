//! The log's next key: made, shown to those who must know it beforehand, and recorded.
//!
//! For the command line, while the vault is not served: what signs checkpoints is read when a process starts. The new
//! key's file is there before the record that makes it the log's, and which key the log has only the records say. So
//! whatever breaks off in between leaves a vault that starts with the old key, and the next attempt takes the key that
//! was made.

use std::sync::Arc;

use custody::act::LogKeyRotated;
use custody::envelope::{self, PayloadType};
use custody::kind::Kind;
use custody::log_keys::Former;
use custody::note::{SignatureType, VerifierKey};
use custody::record::Record;
use ed25519_dalek::SigningKey;
use zeroize::Zeroizing;

use super::compose::{Say, Signer};
use super::setup::{self, SetupError};
use super::{App, AppError};
use crate::config::Config;
use crate::engine::OsEntropy;
use crate::keyring::{Keyring, provider};
use crate::sequencer::{Attachments, Submission};

/// A key that was replaced, now or before.
#[derive(Debug)]
pub struct Rotated {
    /// The key before. It may sign checkpoints of up to `index` entries, and nothing more.
    pub previous: VerifierKey,
    /// The key now.
    pub log_vkey: VerifierKey,
    /// Index of the record that says so.
    pub index: u64,
    /// Whether that was so before.
    pub before: bool,
}

/// Makes the log's next key, unless it is there already, and says which it is. The log keeps its present key.
pub async fn next_log_key(
    config: &Config,
    passphrase: Option<Zeroizing<String>>,
) -> Result<VerifierKey, SetupError> {
    let app = setup::open(config, passphrase.clone()).await?;
    let next = app.next_key(config, passphrase);
    app.close().await;
    next
}

/// Replaces the log's key by the next one, which must have been made. Repeated, it changes nothing: the key that was made
/// is the log's then. The vault must not be served meanwhile: a process that is takes nothing more until it is started
/// again.
pub async fn rotate_log_key(
    config: &Config,
    passphrase: Option<Zeroizing<String>>,
) -> Result<Rotated, SetupError> {
    let app = setup::open(config, passphrase).await?;
    let newest = app.keyring.log_keys().values().next_back().cloned();
    let rotated = match newest.filter(|key| !app.was_had(key)) {
        Some(key) => match app.named(&key) {
            Ok(vkey) => app.rotate(&key, vkey).await.map_err(SetupError::LogKey),
            Err(error) => Err(error),
        },
        None => app.rotated_before().ok_or(SetupError::NoNextKey),
    };
    app.close().await;
    rotated
}

impl App {
    /// The receipts of the records that replaced the log's key, one a line, in the order of the log.
    pub async fn log_keys(&self) -> Result<Vec<u8>, AppError> {
        let mut tx = self.store.read().await?;
        let vault = tx.vault().await?.ok_or(AppError::NotFound("vault"))?;
        let indices: Vec<_> = vault.former_log_keys.iter().map(|former| former.until).collect();
        let rows = tx.records_at(&indices).await?;
        let receipts = if rows.is_empty() { Vec::new() } else { tx.receipts_for(rows).await? };
        Ok(receipts.iter().flat_map(|receipt| [receipt.emit(), b"\n".to_vec()].concat()).collect())
    }

    /// The newest key of the keyring, if it was never the log's; else a new one.
    fn next_key(
        &self,
        config: &Config,
        passphrase: Option<Zeroizing<String>>,
    ) -> Result<VerifierKey, SetupError> {
        let provider = provider(passphrase);
        let mut keyring = Keyring::open(&config.data_dir().join("keys"), provider.as_ref())?;
        if keyring.log_keys().values().next_back().is_none_or(|key| self.was_had(key)) {
            keyring.add_log_key(provider.as_ref(), &mut OsEntropy)?;
        }
        let key = keyring.log_keys().values().next_back().ok_or(SetupError::OtherKeys("log key"))?;
        self.named(key)
    }

    /// Whether the log has, or had, this key.
    fn was_had(&self, key: &SigningKey) -> bool {
        self.log.each().any(|had| *had.public_key() == key.verifying_key())
    }

    /// A key under the log's name.
    fn named(&self, key: &SigningKey) -> Result<VerifierKey, SetupError> {
        let name = self.log.present().name().clone();
        let vkey = VerifierKey::new(name, SignatureType::Ed25519, key.verifying_key());
        vkey.map_err(|_| SetupError::OtherKeys("log key"))
    }

    /// When the log got the key that it has, unless that is its first.
    fn rotated_before(&self) -> Option<Rotated> {
        let Former { until, key, .. } = self.log.former().last()?.clone();
        Some(Rotated { previous: key, log_vkey: self.log.present().clone(), index: until, before: true })
    }

    async fn rotate(&self, key: &SigningKey, log_vkey: VerifierKey) -> Result<Rotated, AppError> {
        let previous = self.log.present().clone();
        let data = LogKeyRotated { log_vkey: log_vkey.to_string(), previous: previous.to_string() };
        let old = self.keyring.log_key(previous.public_key()).ok_or(AppError::LogKeyGone)?;
        let signers = [self.vault_key(), old, key];
        let index = self
            .say_with_keys(
                Say::new(Kind::LogKeyRotated).data(data.to_data()),
                &signers,
                &Arc::new(key.clone()),
            )
            .await?;
        Ok(Rotated { previous, log_vkey, index, before: false })
    }

    /// The vault says something about the log's next key, with these signatures; the record's index.
    pub(super) async fn say_with_keys(
        &self,
        say: Say,
        signers: &[&SigningKey],
        next: &Arc<SigningKey>,
    ) -> Result<u64, AppError> {
        let statement = self.compose(say, Signer::System).await?.statement;
        let envelope = envelope::sign(PayloadType::Statement, &statement.to_bytes(), signers);
        let attach = Attachments { log_key: Some(Arc::clone(next)), ..Attachments::default() };
        let receipts = self.sequencer.submit(Submission::new(envelope, attach)?).await?;
        let record = receipts.first().and_then(|receipt| Record::parse(&receipt.record).ok());
        Ok(record.ok_or(AppError::NotFound("receipt"))?.log_index)
    }
}
