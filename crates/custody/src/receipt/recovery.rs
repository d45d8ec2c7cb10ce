//! The `recovery.noted` after which a receipt's record goes on: with its own proof, so that a receipt stays complete.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::VerifyingKey;
use serde::{Deserialize, Serialize};

use super::{Receipt, ReceiptError, agreeing, committed, decode, proven};
use crate::act::Act;
use crate::digest::Digest;
use crate::envelope::{Envelope, PayloadType};
use crate::log_keys::LogKeys;
use crate::proof::TlogProof;
use crate::record::{Entry, Record, record_hash};
use crate::recovery::Gap;

/// A `recovery.noted` as its record, taken apart and not believed yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovery {
    /// The record's bytes.
    pub record: Vec<u8>,
    /// The envelope's bytes.
    pub envelope: Arc<[u8]>,
    /// The salt of the entry's commitment.
    pub salt: Digest,
    /// The record's entry in the public log.
    pub entry: Entry,
    /// Where the entry stands, up to any checkpoint.
    pub proof: TlogProof,
}

impl Receipt {
    /// Checks what [`check_with`](Self::check_with) cannot, as it knows no key but the log's: that the vault has signed each
    /// `recovery.noted` which comes along. The record's own signatures are for whoever knows their keys.
    pub fn check_recoveries(&self, vault: &VerifyingKey) -> Result<(), ReceiptError> {
        for recovery in &self.recoveries {
            Envelope::parse(&recovery.envelope, PayloadType::Statement)?.verify(0, vault)?;
        }
        Ok(())
    }
}

/// The gaps after which the sequences of a receipt's record go on.
pub(super) struct Gaps {
    gaps: Vec<(Gap, bool)>,
}

impl Recovery {
    fn check(&self, vault: &Digest, log: &LogKeys) -> Result<Gap, ReceiptError> {
        let record = Record::parse(&self.record)?;
        let hash = record_hash(&self.record);
        let (_, act) = agreeing(&record, &self.envelope, vault, &hash)?;
        let gap = gap_of(&act, &record, hash).ok_or(ReceiptError::Recovery("it notes no recovery"))?;
        committed(&self.entry, &self.salt, &hash)?;
        proven(&record, &self.entry, &self.proof, log)?;
        Ok(gap)
    }
}

impl Gaps {
    /// Checks what a receipt brings along; its own record may be one.
    pub(super) fn check(
        receipt: &Receipt,
        own: (&Act, &Record, Digest),
        vault: &Digest,
        log: &LogKeys,
    ) -> Result<Self, ReceiptError> {
        // One for each of its sequences at the most.
        if receipt.recoveries.len() > 2 {
            return Err(ReceiptError::Recovery("there are more of them than the record has sequences"));
        }
        let gaps =
            receipt.recoveries.iter().map(|recovery| recovery.check(vault, log).map(|gap| (gap, false)));
        let mut gaps = gaps.collect::<Result<Vec<_>, _>>()?;
        if !gaps.is_sorted_by(|a, b| a.0.to < b.0.to) {
            return Err(ReceiptError::Recovery("they do not stand in the order of the log, each once"));
        }
        let (act, record, hash) = own;
        // The record itself need not be there twice, nor need it be used.
        gaps.extend(gap_of(act, record, hash).map(|gap| (gap, true)));
        Ok(Self { gaps })
    }

    /// Whether a place of `record` that would carry `next` carries `tag` because what the record at `promised` said was
    /// lost.
    pub(super) fn explain(
        &mut self,
        next: &Digest,
        promised: Option<u64>,
        record: &Record,
        tag: &Digest,
    ) -> bool {
        let explains =
            |gap: &Gap| gap.concerns(promised) && gap.to <= record.log_index && gap.resume(next) == *tag;
        let found = self.gaps.iter_mut().find(|(gap, _)| explains(gap));
        found.map(|(_, used)| *used = true).is_some()
    }

    /// A receipt has one form: nothing that is not used comes along.
    pub(super) fn end(&self) -> Result<(), ReceiptError> {
        if self.gaps.iter().all(|(_, used)| *used) {
            return Ok(());
        }
        Err(ReceiptError::Recovery("no sequence of the record goes on after it"))
    }
}

/// The gap, if the record notes one right behind it.
fn gap_of(act: &Act, record: &Record, hash: Digest) -> Option<Gap> {
    match act {
        Act::RecoveryNoted(noted) if noted.to == record.log_index => {
            Some(Gap { from: noted.from, to: noted.to, record: hash })
        }
        _ => None,
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wire {
    entry: String,
    envelope: String,
    proof: String,
    record: String,
    salt: Digest,
}

impl Wire {
    pub(super) fn of(recovery: &Recovery) -> Self {
        Self {
            entry: STANDARD.encode(recovery.entry.to_bytes()),
            envelope: STANDARD.encode(&recovery.envelope),
            proof: recovery.proof.to_string(),
            record: STANDARD.encode(&recovery.record),
            salt: recovery.salt,
        }
    }

    pub(super) fn read(&self) -> Result<Recovery, ReceiptError> {
        Ok(Recovery {
            record: decode("recovery", &self.record)?,
            envelope: decode("recovery", &self.envelope)?.into(),
            salt: self.salt,
            entry: Entry::parse(&decode("recovery", &self.entry)?)?,
            proof: TlogProof::parse(self.proof.as_bytes())?,
        })
    }
}
