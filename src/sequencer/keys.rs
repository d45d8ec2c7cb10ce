//! Keys: the vault's own, and everybody's for verifying.

use std::collections::HashMap;
use std::fmt;
use std::sync::Mutex;

use custody::act::{Act, PublicKey};
use custody::envelope::key_hash;
use custody::id::KeyHash;
use custody::note::VerifierKey;
use custody::rules::Refusal;
use ed25519_dalek::{SigningKey, VerifyingKey};

use super::{Submission, SubmitError};
use crate::store::Store;

/// The keys that sign for the vault. Never shown, never copied.
pub struct SigningKeys {
    /// Signs checkpoints: the log's present key, until a statement brings the next one.
    pub log: SigningKey,
    /// Signs what the vault itself says.
    pub vault: SigningKey,
}

impl fmt::Debug for SigningKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKeys(..)")
    }
}

/// The keys whose signatures an envelope carries, in order. Whether they are the right ones is decided under the
/// log's lock; that they signed does not change.
#[derive(Debug, Default)]
pub(super) struct Verified(Vec<PublicKey>);

impl Verified {
    /// Verifies an envelope's signatures with these keys, one after the other.
    pub(super) fn with(submission: &Submission, keys: &[PublicKey]) -> Result<Self, SubmitError> {
        for (index, key) in keys.iter().enumerate().take(submission.envelope().signatures().len()) {
            submission.envelope().verify(index, &point(key)?).map_err(|_| SubmitError::BadSignature)?;
        }
        Ok(Self(keys.iter().copied().take(submission.envelope().signatures().len()).collect()))
    }

    /// Whether exactly these have signed, in this order.
    pub(super) fn are(&self, signers: &[PublicKey]) -> Result<(), SubmitError> {
        if self.0.len() != signers.len() {
            return Err(Refusal::Signatures(signers.len()).into());
        }
        if self.0 == signers { Ok(()) } else { Err(Refusal::KeyNotValid.into()) }
    }
}

/// Most keys kept; then it starts anew.
const MAX_KEYS: usize = 65_536;

/// Public keys by hash. A key never changes under its hash, so what is cached is never stale; whether it is
/// enrolled or revoked is not asked here.
pub(super) struct KeyCache {
    store: Store,
    vault: VerifyingKey,
    known: Mutex<HashMap<KeyHash, VerifyingKey>>,
}

impl KeyCache {
    pub(super) fn new(store: Store, keys: &SigningKeys) -> Self {
        Self { store, vault: keys.vault.verifying_key(), known: Mutex::default() }
    }

    /// Verifies every signature of the envelope, strictly.
    pub(super) async fn verify(&self, submission: &Submission) -> Result<Verified, SubmitError> {
        let mut verified = Vec::with_capacity(3);
        for (index, signature) in submission.envelope().signatures().iter().enumerate() {
            let key = self.key(signature.key, submission.act()).await?;
            submission.envelope().verify(index, &key).map_err(|_| SubmitError::BadSignature)?;
            verified.push(PublicKey::new(key.to_bytes()));
        }
        Ok(Verified(verified))
    }

    async fn key(&self, hash: KeyHash, act: &Act) -> Result<VerifyingKey, SubmitError> {
        if hash == key_hash(&self.vault) {
            return Ok(self.vault);
        }
        match act {
            // A new key signs its own enrolment.
            Act::KeyEnrolled(_, d) if d.key.hash() == hash => return point(&d.key),
            Act::LogKeyRotated(_) | Act::LogContinued(_) | Act::RecoveryNoted(_) => {
                let next = act.next_log_key().ok_or(Refusal::KeyNotValid)?;
                // Which of the log's keys they must be is decided under the lock.
                let vkeys = [next.log_vkey, next.previous].into_iter().filter_map(|vkey| vkey.parse().ok());
                let mut keys = vkeys.map(|vkey: VerifierKey| *vkey.public_key());
                return keys.find(|key| key_hash(key) == hash).ok_or(Refusal::KeyNotValid.into());
            }
            _ => {}
        }
        if let Some(key) = self.known().get(&hash) {
            return Ok(*key);
        }
        let rows = self.store.read().await?.keys(&[hash]).await?;
        let (_, row) = rows.first().ok_or(Refusal::KeyNotValid)?;
        let key = point(&row.public)?;
        let mut known = self.known();
        if known.len() >= MAX_KEYS {
            known.clear();
        }
        known.insert(hash, key);
        Ok(key)
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<KeyHash, VerifyingKey>> {
        self.known.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

fn point(key: &PublicKey) -> Result<VerifyingKey, SubmitError> {
    VerifyingKey::from_bytes(key.as_bytes()).map_err(|_| SubmitError::BadSignature)
}
