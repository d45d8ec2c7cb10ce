//! The keys that the log has had: known in full once the records are read, and needed before.
//!
//! A checkpoint that the first key has signed needs no other. Otherwise the records are read once for those that name
//! further keys. That these were allowed and signed for is judged where all records are ([`super::statements`]); at the
//! end both must agree.

use std::collections::BTreeSet;

use super::entries::TagRow;
use super::records::Replay;
use super::timestamps::Timestamps;
use super::{Bag, Identity, Notes, Trust};
use crate::act::{LogAnchor, LogContinued, PublicKey};
use crate::bundle::findings::Code;
use crate::bundle::layout::{CHECKPOINT, RECORDS};
use crate::bundle::lines::{MAX_RECORD_LINE_BYTES, RecordLine};
use crate::bundle::read::{Files, Line, ReadError};
use crate::bundle::report::LogChange;
use crate::checkpoint::Checkpoint;
use crate::digest::Digest;
use crate::log_keys::LogKeys;
use crate::note::{SignedNote, VerifierKey};
use crate::record::Record;

/// The keys under which `note` may stand, as the records name them.
pub(super) fn claimed(
    files: &mut dyn Files,
    bag: &Bag,
    first: &VerifierKey,
    note: &SignedNote,
) -> Result<LogKeys, ReadError> {
    let mut keys = LogKeys::from(first.clone());
    if note.signatures().iter().any(|signature| signature.names(first)) {
        return Ok(keys);
    }
    let Some(mut lines) = bag.lines(RECORDS, MAX_RECORD_LINE_BYTES) else { return Ok(keys) };
    loop {
        match lines.next(files) {
            Ok(Line::Text(line)) => {
                if let Some((index, lost_from, key)) = replaced(line) {
                    // One that cannot come next is found with all other records.
                    keys = keys.clone().replaced_after(index, lost_from, key).unwrap_or(keys);
                }
            }
            Ok(Line::TooLong) => {}
            Ok(Line::End | Line::Cut) | Err(ReadError::Damaged(_)) => return Ok(keys),
            Err(failed) => return Err(failed),
        }
    }
}

/// The key that a line's record puts in place of the one before, and what is lost before that record.
fn replaced(line: &[u8]) -> Option<(u64, Option<u64>, VerifierKey)> {
    let line = RecordLine::parse(line).ok()?;
    let record = Record::parse(&line.record).ok()?;
    if !record.kind.may_name_log_key() {
        return None;
    }
    let act = line.envelope.act()?;
    let next = act.next_log_key()?;
    Some((record.log_index, next.lost_from, next.log_vkey.parse().ok()?))
}

impl Replay<'_> {
    /// The keys that the log has had so far.
    fn log_keys(&self) -> Option<LogKeys> {
        self.rules.state.vault.as_ref()?.log_keys().ok()
    }

    /// Who should have signed with a key.
    pub(super) fn signer(&self, key: &PublicKey) -> &'static str {
        let is_key = |had: &VerifierKey| had.public_key().as_bytes() == key.as_bytes();
        match self.log_keys() {
            _ if *key == self.identity.vault_key => "the vault",
            Some(keys) if keys.each().any(is_key) => "a key of the log",
            _ => "the person named",
        }
    }

    /// Once all records are judged: whether the checkpoint's signer was the log's key, and what it means that the log
    /// went on under another name. Sizes and roots of the checkpoints from which it did.
    ///
    /// `followed` are the keys that receipts tell of: the record that replaced the signer may stand behind the cut.
    pub(super) fn check_log_keys(
        &self,
        followed: &LogKeys,
        trust: &Trust,
        notes: &mut Notes,
    ) -> Vec<(u64, Digest)> {
        let judged = self.log_keys().filter(|_| !self.broken);
        check_signer(self.identity, judged.iter().chain([followed]), notes);
        let Some(keys) = judged else { return Vec::new() };
        report(&keys, notes);
        let continuations = self.rules.continuations.iter();
        let anchors =
            continuations.filter_map(|found| found.check(&keys, (trust, &self.times), &self.tags, notes));
        anchors.map(|anchor| (anchor.size(), *anchor.root())).collect()
    }
}

/// Once all records are judged: the checkpoint is signed by the key that the log had at its size, whoever knows its keys.
fn check_signer<'k>(identity: &Identity, mut known: impl Iterator<Item = &'k LogKeys>, notes: &mut Notes) {
    let (size, signer) = (identity.checkpoint.size(), identity.log());
    let Some(judged) = known.find(|keys| !keys.may_sign(size, signer)) else { return };
    let detail = match judged.former().iter().find(|former| former.key == *signer) {
        Some(former) => format!(
            "the checkpoint of {size} entries is signed by a key that the log has replaced after {}",
            former.until
        ),
        None => format!("the checkpoint of {size} entries is not signed by the key that the log had then"),
    };
    notes.find(Code::KeyRevoked, CHECKPOINT, None, detail);
}

/// What the report says of every change of the log's key.
fn report(judged: &LogKeys, notes: &mut Notes) {
    let next = judged.each().skip(1);
    let changes = judged.former().iter().zip(next).map(|(former, key)| LogChange {
        index: former.until,
        key: key.to_string(),
        renamed: key.name() != former.key.name(),
    });
    notes.facts.log_changes = changes.collect();
}

/// A log that went on under another name.
#[derive(Debug)]
pub(super) struct Continuation {
    /// Index of the record that says so.
    pub(super) index: u64,
    /// What it says.
    pub(super) data: LogContinued,
}

impl Continuation {
    /// Whose word the checkpoint from which the log went on is, and which records here nobody confirmed before. The
    /// checkpoint itself, which the log's key of then has signed. What the vault says about outsiders counts as far as
    /// whoever verifies trusts these outsiders.
    fn check(
        &self,
        keys: &LogKeys,
        (trust, times): (&Trust, &Timestamps),
        tags: &[TagRow],
        notes: &mut Notes,
    ) -> Option<Checkpoint> {
        let (at, before) = (Some(self.index), keys.up_to(self.index));
        let note = SignedNote::parse(self.data.anchor.as_bytes()).ok();
        let opened = note.and_then(|note| before.open(&note).ok().map(|anchor| (note, anchor)));
        let Some((note, anchor)) = opened.filter(|(_, anchor)| anchor.size() <= self.index) else {
            let detail =
                "the log did not go on from a checkpoint of what there was, signed by its key of then";
            notes.find(Code::RuleBroken, RECORDS, at, detail);
            return None;
        };
        let size = anchor.size();
        let by_whom = match self.data.anchored_by {
            LogAnchor::Cosignatures => {
                let policy = trust.policy.as_ref().filter(|policy| !policy.quorum_is_none());
                let met = policy.map(|policy| {
                    let accepted = policy.accept_from(&note, before.of_size(size));
                    accepted.is_ok_and(|accepted| accepted.quorum_met)
                });
                if met == Some(false) {
                    let detail =
                        "too few of the trusted witnesses cosigned the checkpoint from which the log went on";
                    notes.find(Code::NotWitnessed, RECORDS, at, detail);
                }
                met.filter(|met| *met).map(|_| "witnesses")
            }
            LogAnchor::Timestamp => times.confirm(&(size..=self.index)).then_some("a time stamp"),
            LogAnchor::Vault => None,
        };
        let (confirmed, whose) = match by_whom {
            Some(whose) => (size, format!("{whose} confirmed the first {size} entries")),
            None => (0, "nobody who is trusted here is known to have confirmed what was before".to_owned()),
        };
        let indices = tags.iter().map(|tag| tag.index());
        let unconfirmed: BTreeSet<_> =
            indices.filter(|index| (confirmed..self.index).contains(index)).collect();
        for index in unconfirmed {
            let detail = format!("{whose}, and the log went on at {}", self.index);
            notes.find(Code::LogContinued, RECORDS, Some(index), detail);
        }
        Some(anchor)
    }
}
