//! A new version of the key that wraps all keys, and the end of the versions before.
//!
//! For the command line, while the vault is not served: a process wraps by the version that it found when it started, and
//! nothing that an older version wrapped may come into being once that one is about to be destroyed (the sequencer refuses
//! it). The key's file is there before the record that makes it the present one; keys are wrapped anew a few at a time; a
//! version is destroyed, on record first, once nothing is wrapped by it. Whatever breaks off in between is gone on with by
//! the next attempt, which makes no further version.

use custody::act::KekChanged;
use custody::blob::BlobContext;
use custody::keys::{KeyContext, WrappedKey};
use custody::kind::Kind;
use custody::manifest;
use serde::Serialize;
use zeroize::Zeroizing;

use super::compose::Say;
use super::fields::context_of;
use super::say::With;
use super::setup::{self, SetupError};
use super::{App, AppError};
use crate::config::Config;
use crate::engine::OsEntropy;
use crate::keyring::{Keyring, provider};
use crate::sequencer::Attachments;
use crate::store::{Change, HalvesChange};

/// Keys wrapped anew in one transaction.
const AT_ONCE: u32 = 200;

/// What a rotation did.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
pub struct KekRotated {
    /// The version that wraps all keys now.
    pub kek: u32,
    /// Whether it is new; if not, an attempt that had broken off was finished.
    pub new: bool,
    /// Keys that were wrapped anew.
    pub rewrapped: u64,
    /// Versions that were destroyed.
    pub destroyed: Vec<u32>,
}

/// Makes the next version, wraps every key by it, and destroys the versions before.
pub async fn rotate_kek(
    config: &Config,
    passphrase: Option<Zeroizing<String>>,
) -> Result<KekRotated, SetupError> {
    let app = setup::open(config, passphrase.clone()).await?;
    let ready = app.prepare_kek(config, passphrase.clone()).await;
    app.close().await;
    let begun = ready?;
    // Opened anew: the present version is read when a vault is opened.
    let app = setup::open(config, passphrase.clone()).await?;
    let rotated = app.rewrap(config, passphrase, begun).await;
    app.close().await;
    rotated
}

impl App {
    /// Makes the next version the present one, unless an attempt before did so and was not finished.
    async fn prepare_kek(
        &self,
        config: &Config,
        passphrase: Option<Zeroizing<String>>,
    ) -> Result<KekRotated, SetupError> {
        let present = self.present_kek().await.map_err(SetupError::Kek)?;
        let unfinished = self.keyring.keks().any(|version| version < present);
        if unfinished {
            return Ok(KekRotated { kek: present, ..KekRotated::default() });
        }
        let provider = provider(passphrase);
        let mut keyring = Keyring::open(&config.data_dir().join("keys"), provider.as_ref())?;
        let kek = present + 1;
        if keyring.kek(kek).is_none() {
            keyring.use_kek(present);
            keyring.add_kek(provider.as_ref(), &mut OsEntropy)?;
        }
        let check = keyring.kek(kek).ok_or(SetupError::OtherKeys("key encryption key"))?.canary();
        let data = KekChanged { check, kek };
        let say = Say::new(Kind::KekRotated).data(data.to_data());
        self.say_as_vault(say, With::default()).await.map_err(SetupError::Kek)?;
        Ok(KekRotated { kek, new: true, ..KekRotated::default() })
    }

    async fn present_kek(&self) -> Result<u32, AppError> {
        let vault = self.store.read().await?.vault().await?.ok_or(AppError::NotFound("vault"))?;
        Ok(vault.kek())
    }

    async fn rewrap(
        &self,
        config: &Config,
        passphrase: Option<Zeroizing<String>>,
        mut done: KekRotated,
    ) -> Result<KekRotated, SetupError> {
        loop {
            let changes = self.rewrapped(done.kek).await.map_err(SetupError::Kek)?;
            if changes.is_empty() {
                break;
            }
            done.rewrapped += changes.len() as u64;
            if !self.store.apply(&changes).await? {
                // Somebody else is at work; what is left is looked for again.
                done.rewrapped -= changes.len() as u64;
            }
        }
        let provider = provider(passphrase);
        let mut keyring = Keyring::open(&config.data_dir().join("keys"), provider.as_ref())?;
        let older: Vec<_> = keyring.keks().filter(|version| *version < done.kek).collect();
        for version in older {
            let check = keyring.kek(version).ok_or(SetupError::OtherKeys("key encryption key"))?.canary();
            self.say_destroyed(KekChanged { check, kek: version }).await.map_err(SetupError::Kek)?;
            keyring.destroy_kek(version)?;
            done.destroyed.push(version);
        }
        if let Err(error) = self.store.free_deleted().await {
            tracing::warn!(%error, "the database keeps what it deleted until it frees it by itself");
        }
        Ok(done)
    }

    async fn say_destroyed(&self, data: KekChanged) -> Result<(), AppError> {
        let say = Say::new(Kind::KekDestroyed).data(data.to_data());
        // Looked at again where the record is made: what a version wraps that is gone is lost.
        let attach =
            Attachments { changes: vec![Change::KekUnused { kek: data.kek }], ..Attachments::default() };
        self.say_as_vault(say, With { attach }).await.map(drop)
    }

    /// Some of the keys that an older version wraps, wrapped by this one.
    async fn rewrapped(&self, kek: u32) -> Result<Vec<Change>, AppError> {
        let (objects, resealed, subjects) = {
            let mut tx = self.store.read().await?;
            let objects = tx.objects_before_kek(kek, AT_ONCE).await?;
            let resealed = tx.resealings_before_kek(kek, AT_ONCE).await?;
            (objects, resealed, tx.subjects_before_kek(kek, AT_ONCE).await?)
        };
        let vault_key = self.vault_key().verifying_key();
        let mut changes = Vec::with_capacity(objects.len() + subjects.len());
        for row in objects {
            let facts = manifest::verify(&row.manifest, &vault_key)
                .map_err(AppError::internal("reading an object's manifest"))?;
            let context: BlobContext = *facts.header.context();
            let context = if row.halved { KeyContext::VaultHalf(context) } else { KeyContext::Data(context) };
            let wrapped = self.rewrap_one(&context, &row.wrapped)?;
            let (object, old_kek, halved) = (row.object, row.kek, row.halved);
            changes.push(Change::RewrapObject { object, wrapped, old_kek, kek, halved });
        }
        for row in resealed {
            let facts = manifest::verify(&row.manifest, &vault_key)
                .map_err(AppError::internal("reading an object's manifest"))?;
            let context = KeyContext::VaultHalf(*facts.header.context());
            let wrapped = self.rewrap_one(&context, &row.wrapped)?;
            let (object, old_kek) = (row.object, row.kek);
            changes.push(Change::Halves(HalvesChange::Rewrap { object, wrapped, old_kek, kek }));
        }
        for row in subjects {
            let context = context_of(self, &row.scope).ok_or(AppError::NotFound("scope of a key"))?;
            let wrapped = self.rewrap_one(&context, &row.wrapped)?;
            changes.push(Change::RewrapSubjectKey { scope: row.scope, wrapped, old_kek: row.kek, kek });
        }
        Ok(changes)
    }

    fn rewrap_one(&self, context: &KeyContext, wrapped: &[u8]) -> Result<Vec<u8>, AppError> {
        let wrapped = WrappedKey::parse(wrapped).map_err(AppError::internal("reading a wrapped key"))?;
        let key = self.keyring.unwrap(context, &wrapped).map_err(AppError::internal("unwrapping a key"))?;
        let again = self.keyring.wrap(context, &key, &mut OsEntropy);
        // Read back before the old one is given up.
        let same = self.keyring.unwrap(context, &again).map_err(AppError::internal("unwrapping a key"))?;
        if same.expose() != key.expose() {
            return Err(AppError::internal("wrapping a key anew")("it is another one"));
        }
        Ok(again.to_bytes())
    }
}
