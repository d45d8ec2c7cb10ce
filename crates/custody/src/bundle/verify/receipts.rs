//! Receipts that parties kept: what they prove must be in the bundle.

use std::collections::HashMap;

use super::{Identity, Notes};
use crate::act::Act;
use crate::bundle::findings::Code;
use crate::digest::Digest;
use crate::log_keys::LogKeys;
use crate::receipt::{Checked, Receipt};
use crate::record::Record;

const PATH: &str = "receipt";

/// The log's keys, those included that came after the bundle and for which receipts are given.
pub(super) fn followed(identity: &Identity, receipts: &[Receipt], of_mirror: &[Receipt]) -> LogKeys {
    let changes = |receipt: &&Receipt| {
        Record::parse(&receipt.record).is_ok_and(|record| record.kind.may_name_log_key())
            && Act::of_envelope(&receipt.envelope).is_some_and(|act| act.next_log_key().is_some())
    };
    let mut changes: Vec<_> = receipts.iter().chain(of_mirror).filter(changes).cloned().collect();
    changes.sort_by_key(|receipt| receipt.proof.index());
    // One that does not hold is named with the other receipts.
    identity.logs.follow(&changes, identity.known().as_ref()).unwrap_or_else(|_| identity.logs.clone())
}

/// The receipts that hold for this vault.
#[derive(Debug)]
pub(super) struct Receipts {
    held: Vec<Held>,
    by_index: HashMap<u64, Vec<usize>>,
}

#[derive(Debug)]
struct Held {
    checked: Checked,
    covered: bool,
}

impl Receipts {
    /// Keeps those that hold; the others prove nothing and are named as not checked.
    pub(super) fn check(
        receipts: &[Receipt],
        identity: &Identity,
        logs: &LogKeys,
        notes: &mut Notes,
    ) -> Self {
        let (mut held, mut by_index) = (Vec::new(), HashMap::<_, Vec<_>>::new());
        for (number, receipt) in receipts.iter().enumerate() {
            let checked = receipt.check_with(&identity.vault, logs).and_then(|checked| {
                identity.known().map_or(Ok(()), |vault| receipt.check_recoveries(&vault.key))?;
                Ok(checked)
            });
            match checked {
                Ok(checked) => {
                    by_index.entry(checked.record.log_index).or_default().push(held.len());
                    held.push(Held { checked, covered: false });
                }
                Err(error) => notes.skip(format!("receipt {}: it does not hold: {error}", number + 1)),
            }
        }
        Self { held, by_index }
    }

    /// Notes that a record is in the bundle.
    pub(super) fn see(&mut self, index: u64, hash: &Digest, notes: &mut Notes) {
        for at in self.by_index.get(&index).into_iter().flatten() {
            let Some(held) = self.held.get_mut(*at) else { continue };
            if held.checked.record_hash == *hash {
                held.covered = true;
            } else {
                notes.find(Code::Forked, PATH, Some(index), "a receipt proves another record in this place");
            }
        }
    }

    /// After all records: every receipt in scope and before the cut must have been seen.
    /// Those of records that a recovery says are `lost` are what is left of them.
    pub(super) fn finish(
        &self,
        cut: u64,
        in_scope: impl Fn(&Checked) -> bool,
        lost: impl Fn(u64) -> bool,
        notes: &mut Notes,
    ) {
        for held in &self.held {
            let index = held.checked.record.log_index;
            if held.covered {
                notes.facts.receipts += 1;
            } else if index >= cut {
                notes.find(Code::ReceiptNewer, PATH, Some(index), "made after this bundle");
            } else if in_scope(&held.checked) && lost(index) {
                let kind = held.checked.record.kind;
                let detail = format!(
                    "a receipt proves a record of kind {kind} that the vault lost: the receipt is what is left of it"
                );
                notes.find(Code::RecoveredGap, PATH, Some(index), detail);
            } else if in_scope(&held.checked) {
                let kind = held.checked.record.kind;
                let detail = format!("a receipt proves a record of kind {kind} that is not here");
                notes.find(Code::ReceiptNotCovered, PATH, Some(index), detail);
            } else {
                notes.skip(format!("the receipt for log index {index}: it is about something else"));
            }
        }
    }

    /// Sizes and roots of the log that the receipts prove.
    pub(super) fn checkpoints(&self) -> impl Iterator<Item = (u64, Digest)> {
        self.held.iter().map(|held| (held.checked.checkpoint.size(), *held.checked.checkpoint.root()))
    }
}
