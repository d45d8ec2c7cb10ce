//! From a key that is known to the keys that came after it, by what the log itself recorded.

use ed25519_dalek::VerifyingKey;

use super::{Former, LogKeys, LogKeysError};
use crate::act::Act;
use crate::digest::Digest;
use crate::envelope::{Envelope, EnvelopeError, PayloadType};
use crate::json::JsonError;
use crate::note::VerifierKey;
use crate::receipt::{Receipt, ReceiptError};
use crate::record::{Record, RecordError};
use crate::statement::{Statement, StatementError};

/// A vault as its fingerprint makes it known. Whoever knows no more than the log's key cannot follow a log whose key
/// was stolen: then the vault alone says how it goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VaultKey {
    /// Hash of record 0.
    pub vault: Digest,
    /// The vault's own key, which record 0 names.
    pub key: VerifyingKey,
}

/// Why a log is not followed from one key to the next.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FollowError {
    /// A receipt says nothing of the log's key.
    #[error("this is no record of another key of the log")]
    OtherAct,
    /// A receipt of another vault.
    #[error("the log's next key is named by another vault")]
    OtherVault,
    /// Not signed by the vault, by the key before, or by the new key.
    #[error("the log's next key is not signed for by {0}")]
    Signature(&'static str),
    /// The log goes on under another name, or from a key before the one that is known, and only the vault's key can say
    /// so.
    #[error(
        "the log's key was given up, and the log goes on as {0}: only whoever knows the vault's fingerprint can check that"
    )]
    Continued(String),
    /// The new key is none that could come next.
    #[error(transparent)]
    Key(#[from] LogKeysError),
    /// The record is not shown to be in the log.
    #[error("the record of the log's next key does not hold")]
    Receipt(#[from] ReceiptError),
    /// The record cannot be read.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// Its envelope cannot be read.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// Its statement cannot be read.
    #[error(transparent)]
    Statement(#[from] StatementError),
}

/// Most bytes of a log's [changes](parse_changes): room for some hundred.
pub const MAX_CHANGES_BYTES: usize = 4 << 20;

/// Reads the receipts of the records that replaced a log's key, one a line, as a log and its mirrors show them. Nothing
/// is believed yet: see [`LogKeys::follow`].
pub fn parse_changes(text: &[u8]) -> Result<Vec<Receipt>, ReceiptError> {
    if text.len() > MAX_CHANGES_BYTES {
        return Err(JsonError::TooLarge { size: text.len(), limit: MAX_CHANGES_BYTES }.into());
    }
    text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(Receipt::parse).collect()
}

/// What a record says about the next key, not proven yet.
struct Step {
    index: u64,
    vault: Digest,
    previous: String,
    next: VerifierKey,
    continues: bool,
    lost_from: Option<u64>,
    envelope: Envelope,
}

impl LogKeys {
    /// The keys after this one. `receipts` are of the records that replaced them, in the order of the log; those before
    /// the present key are passed over. Each key must have signed for the next one, and every record must stand in the
    /// log under the keys that follow from them. Of a log that goes on under another name the vault's word counts
    /// instead, if the vault is known; and so it does where the vault lost the records of keys that are known here, and
    /// goes on from the one before them.
    pub fn follow(&self, receipts: &[Receipt], vault: Option<&VaultKey>) -> Result<Self, FollowError> {
        self.follow_by(receipts, vault).map(|(keys, _)| keys)
    }

    /// The same, and those receipts that led on: what to tell others.
    pub fn follow_by<'r>(
        &self,
        receipts: &'r [Receipt],
        vault: Option<&VaultKey>,
    ) -> Result<(Self, Vec<&'r Receipt>), FollowError> {
        let mut keys = self.clone();
        let mut followed = Vec::new();
        for receipt in receipts {
            let step = read(receipt)?;
            let Some(before) = keys.before(&step) else { continue };
            if vault.is_some_and(|known| known.vault != step.vault) {
                return Err(FollowError::OtherVault);
            }
            if *before != keys.present && vault.is_none() {
                return Err(FollowError::Continued(step.next.name().to_string()));
            }
            check_signatures(&step, before, vault)?;
            keys = keys.replaced_after(step.index, step.lost_from, step.next)?;
            followed.push((step.vault, receipt));
        }
        // A receipt may be proven under the newest key of all.
        for (of, receipt) in &followed {
            receipt.check_with(of, &keys)?;
            vault.map_or(Ok(()), |known| receipt.check_recoveries(&known.key))?;
        }
        Ok((keys, followed.into_iter().map(|(_, receipt)| receipt).collect()))
    }

    /// The key from which a step goes on to one that is not known yet: the present one, or one whose successors, as they
    /// are known here, were named by records that are lost.
    fn before(&self, step: &Step) -> Option<&VerifierKey> {
        if self.present.to_string() == step.previous {
            return Some(&self.present);
        }
        let lost = |former: &&Former| step.lost_from.is_some_and(|from| from <= former.until);
        let former =
            self.former.iter().find(|former| former.key.to_string() == step.previous).filter(lost)?;
        self.each().all(|key| *key != step.next).then_some(&former.key)
    }
}

fn read(receipt: &Receipt) -> Result<Step, FollowError> {
    let record = Record::parse(&receipt.record)?;
    let envelope = Envelope::parse(&receipt.envelope, PayloadType::Statement)?;
    let statement = Statement::parse(envelope.body())?;
    let act = Act::parse(&statement)?;
    let named = act.next_log_key().ok_or(FollowError::OtherAct)?;
    let next = named.log_vkey.parse().map_err(|_| LogKeysError::NotALogKey)?;
    Ok(Step {
        index: record.log_index,
        vault: statement.vault.ok_or(FollowError::OtherVault)?,
        previous: named.previous.to_owned(),
        next,
        continues: named.continued.is_some(),
        lost_from: named.lost_from,
        envelope,
    })
}

/// The vault's signature comes first, the new key's last, and between them that of the key before, unless that one is
/// not to be trusted any more.
fn check_signatures(step: &Step, before: &VerifierKey, vault: Option<&VaultKey>) -> Result<(), FollowError> {
    if step.continues {
        let known = vault.ok_or_else(|| FollowError::Continued(step.next.name().to_string()))?;
        let signers = [("the vault", &known.key), ("the new key", step.next.public_key())];
        return signed_by(&step.envelope, &signers, 0);
    }
    if step.next.name() != before.name() {
        return Err(LogKeysError::NotALogKey.into());
    }
    let signers = [("the key before", before.public_key()), ("the new key", step.next.public_key())];
    if let Some(known) = vault {
        signed_by(&step.envelope, &[("the vault", &known.key)], 0)?;
    }
    signed_by(&step.envelope, &signers, 1)
}

/// Whether these have signed, from signature number `first` to the last one.
fn signed_by(
    envelope: &Envelope,
    signers: &[(&'static str, &VerifyingKey)],
    first: usize,
) -> Result<(), FollowError> {
    for (number, (who, key)) in signers.iter().enumerate() {
        envelope.verify(first + number, key).map_err(|_| FollowError::Signature(who))?;
    }
    Ok(())
}
