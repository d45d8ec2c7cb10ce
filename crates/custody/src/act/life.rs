//! The members of `data` of holds, disposals and key encryption keys, and how they are read.

use serde::{Deserialize, Serialize};

use super::types::ObjectId;
use super::{Act, Subject, case, committed, data, item, no_data, person, shape};
use crate::digest::Digest;
use crate::id::Code;
use crate::json::{self, Object};
use crate::kind::Kind;
use crate::statement::{Seen, Statement, StatementError};
use crate::time::Timestamp;

/// Most records whose openings one disposal destroys.
pub const MAX_ERASED_RECORDS: usize = 100;

data! {
    /// Data of `hold.released`.
    HoldReleased {
        /// The record or statement that placed it.
        hold: Seen,
    }
    /// Data of `disposal.proposed`; what is disposed of is what the statement names.
    DisposalProposed {
        /// Of a case: the records whose openings are to be destroyed. Of an item or a person: absent.
        #[serde(default, deserialize_with = "json::present", skip_serializing_if = "Option::is_none")]
        records: Option<Vec<Digest>>,
        /// Of the vault's own: for how many days after closing such a case is kept by the rule that is configured. Of
        /// persons' proposals: absent.
        #[serde(default, deserialize_with = "json::present", skip_serializing_if = "Option::is_none")]
        retention: Option<u32>,
    }
    /// Data of `disposal.approved`.
    DisposalApproved {
        /// What the approver says about the duty to disclose.
        disclosure: Disclosure,
        /// How many bundles of the case were exported, as the approver was shown; of a person 0.
        #[serde(deserialize_with = "json::uint")]
        exports: u64,
        /// Hash of the record of `disposal.proposed`.
        proposal: Digest,
        /// The role in which the approver approves; no two approve in one role.
        role: Code,
    }
    /// Data of `disposal.declined`.
    DisposalDeclined {
        /// Hash of the record of `disposal.proposed`.
        proposal: Digest,
    }
    /// Data of `disposal.executed` and `opening.erased`: whatever else opens what was destroyed dies later.
    DisposalExecuted {
        /// Backups that the vault has made and not removed: they hold it still.
        #[serde(deserialize_with = "json::uint")]
        backups: u64,
        /// Until when backups made before are kept; absent where no end is configured.
        #[serde(default, deserialize_with = "json::present", skip_serializing_if = "Option::is_none")]
        horizon: Option<Timestamp>,
        /// The newest version of the key encryption key that wrapped the key; absent where there was no key.
        #[serde(default, deserialize_with = "json::present", skip_serializing_if = "Option::is_none")]
        kek: Option<u32>,
        /// SHA-256 of the wrapped key that died with this record; absent where there was none.
        #[serde(default, deserialize_with = "json::present", skip_serializing_if = "Option::is_none")]
        key: Option<Digest>,
        /// The stored object that was deleted; absent where there was none.
        #[serde(default, deserialize_with = "json::present", skip_serializing_if = "Option::is_none")]
        object: Option<ObjectId>,
        /// Hash of the record of `disposal.proposed`.
        proposal: Digest,
    }
    /// Data of `disposal.completed`.
    DisposalCompleted {
        /// Hash of the record of `disposal.proposed`.
        proposal: Digest,
    }
    /// Data of `kek.rotated` and `kek.destroyed`.
    KekChanged {
        /// A value that only this key gives and that says nothing about it.
        check: Digest,
        /// Its version, from 1.
        kek: u32,
    }
}

/// What an approver says about the duty to disclose to the defence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Disclosure {
    /// Nothing that is to be destroyed is still to be disclosed to anybody.
    NonePending,
    /// The defence has what it must have by another way than a bundle that the vault made for it.
    MadeOtherwise,
}

/// For what a bundle is exported that goes to the defence.
pub const FOR_DISCLOSURE: &str = "disclosure";

/// A step of a hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HoldStep {
    /// Nothing of the item, or of the whole case, may be destroyed.
    Placed,
    /// The hold named ends.
    Released(Seen),
}

/// A step on the way to destroying something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DisposalStep {
    /// Somebody, or the vault because retention elapsed, asks for it.
    Proposed(DisposalProposed),
    /// Somebody else agrees.
    Approved(DisposalApproved),
    /// Somebody does not, or the proposal is taken back.
    Declined(DisposalDeclined),
    /// The vault has destroyed what it holds.
    Executed(DisposalExecuted),
    /// Nothing that the vault knows of opens it any more.
    Completed(DisposalCompleted),
}

impl DisposalStep {
    /// The proposal that it follows; none for a proposal itself.
    pub const fn proposal(&self) -> Option<&Digest> {
        match self {
            Self::Proposed(_) => None,
            Self::Approved(d) => Some(&d.proposal),
            Self::Declined(d) => Some(&d.proposal),
            Self::Executed(d) => Some(&d.proposal),
            Self::Completed(d) => Some(&d.proposal),
        }
    }
}

/// What becomes of a version of the key encryption key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KekStep {
    /// It wraps all keys from here on.
    Rotated,
    /// It is destroyed: nothing in the vault was wrapped under it any more.
    Destroyed,
}

/// The act of a statement of these kinds.
pub(super) fn parse(s: &Statement) -> Result<Act, StatementError> {
    Ok(match s.kind {
        Kind::KekRotated => Act::Kek(KekStep::Rotated, data(s)?),
        Kind::KekDestroyed => Act::Kek(KekStep::Destroyed, data(s)?),
        Kind::HoldPlaced => {
            committed(s, "authority")?;
            no_data(s)?;
            Act::Hold(case(s)?, s.item, HoldStep::Placed)
        }
        Kind::HoldReleased => {
            committed(s, "authority")?;
            let HoldReleased { hold } = data(s)?;
            Act::Hold(case(s)?, s.item, HoldStep::Released(hold))
        }
        Kind::DisposalProposed => {
            let d: DisposalProposed = data(s)?;
            let subject = disposable(s)?;
            let named = d.records.as_ref().map_or(0, Vec::len);
            let fits = match (subject, &d.records) {
                (Subject::Case(_), Some(records)) => {
                    (1..=MAX_ERASED_RECORDS).contains(&named) && records.is_sorted_by(|a, b| a < b)
                }
                (Subject::Case(_), None) => false,
                (_, records) => records.is_none(),
            };
            if !fits {
                return Err(shape(
                    s,
                    "names 1 to 100 records of a case, sorted, and none of an item or a person",
                ));
            }
            Act::Disposal(subject, DisposalStep::Proposed(d))
        }
        Kind::DisposalApproved => Act::Disposal(disposable(s)?, DisposalStep::Approved(data(s)?)),
        Kind::DisposalDeclined => Act::Disposal(disposable(s)?, DisposalStep::Declined(data(s)?)),
        Kind::DisposalExecuted => {
            Act::Disposal(Subject::Item(case(s)?, item(s)?), DisposalStep::Executed(data(s)?))
        }
        Kind::OpeningErased => {
            let subject = match s.case {
                Some(case) if s.item.is_none() => Subject::Case(case),
                Some(_) => return Err(shape(s, "names a case or a person")),
                None => Subject::Person(person(s)?),
            };
            Act::Disposal(subject, DisposalStep::Executed(data(s)?))
        }
        Kind::DisposalCompleted => Act::Disposal(disposable(s)?, DisposalStep::Completed(data(s)?)),
        _ => return super::resealing::parse(s),
    })
}

fn disposable(s: &Statement) -> Result<Subject, StatementError> {
    match super::subject(s) {
        Subject::Vault => Err(shape(s, "names an item, a case or a person")),
        subject => Ok(subject),
    }
}
