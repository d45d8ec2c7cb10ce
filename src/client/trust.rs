//! Which vault this is: identity and keys, all derived from the fingerprint on paper.

use custody::act::Act;
use custody::digest::Digest;
use custody::envelope::{Envelope, PayloadType, key_hash};
use custody::id::KeyHash;
use custody::log_keys::{LogKeys, VaultKey};
use custody::note::VerifierKey;
use custody::record::{Record, record_hash};
use custody::statement::Statement;
use ed25519_dalek::VerifyingKey;

use super::ClientError;
use crate::api::VaultInfo;

/// A vault's identity and the keys that record 0 names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VaultTrust {
    fingerprint: Digest,
    logs: LogKeys,
    key: VerifyingKey,
}

impl VaultTrust {
    /// From values that were proven before and kept in a profile.
    pub fn new(fingerprint: Digest, log: VerifierKey, key: &[u8; 32]) -> Result<Self, ClientError> {
        let key = VerifyingKey::from_bytes(key)
            .map_err(|_| ClientError::OtherVault("its public key is not an Ed25519 key"))?;
        Ok(Self { fingerprint, logs: log.into(), key })
    }

    /// Proves what a vault says about itself against the fingerprint on paper: that is the hash of record 0, which
    /// names the envelope, which names log and keys.
    pub fn prove(fingerprint: Digest, info: &VaultInfo) -> Result<Self, ClientError> {
        use ClientError::OtherVault;
        let record = &info.founding_record.0;
        if record_hash(record) != fingerprint {
            return Err(OtherVault("the hash of its record 0 is another"));
        }
        let record = Record::parse(record).map_err(|_| OtherVault("its record 0 is malformed"))?;
        let envelope = Envelope::parse(&info.founding_envelope.0, PayloadType::Statement)
            .map_err(|_| OtherVault("the envelope of record 0 is malformed"))?;
        if envelope.digest() != record.stmt || record.log_index != 0 {
            return Err(OtherVault("record 0 does not belong to its envelope"));
        }
        let founding = Statement::parse(envelope.body())
            .and_then(|statement| Act::parse(&statement))
            .map_err(|_| OtherVault("record 0 is not a vault's creation"))?;
        let Act::VaultCreated(founding) = founding else {
            return Err(OtherVault("record 0 is not a vault's creation"));
        };
        let log = founding.log_vkey.parse().map_err(|_| OtherVault("record 0 names no verifier key"))?;
        let trust = Self::new(fingerprint, log, founding.vault_key.as_bytes())?;
        envelope.verify(0, &trust.key).map_err(|_| OtherVault("record 0 is not signed by the vault"))?;
        Ok(trust)
    }

    /// The fingerprint: hash of record 0.
    pub const fn fingerprint(&self) -> Digest {
        self.fingerprint
    }

    /// The log's key that record 0 names.
    pub fn log(&self) -> &VerifierKey {
        self.logs.first()
    }

    /// The keys that the log has had, as far as they are known.
    pub const fn logs(&self) -> &LogKeys {
        &self.logs
    }

    /// The same, once the log's later keys were followed to these.
    #[must_use]
    pub fn with_logs(self, logs: LogKeys) -> Self {
        Self { logs, ..self }
    }

    /// The vault, as its log's later keys are checked with.
    pub const fn known(&self) -> VaultKey {
        VaultKey { vault: self.fingerprint, key: self.key }
    }

    /// The vault's own key.
    pub const fn key(&self) -> &VerifyingKey {
        &self.key
    }

    /// H(the vault's own key).
    pub fn key_hash(&self) -> KeyHash {
        key_hash(&self.key)
    }
}
