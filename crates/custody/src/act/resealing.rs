//! The members of `data` of sealing a restricted item anew.

use serde::{Deserialize, Serialize};

use super::reading::Sealing;
use super::{Act, case, data, item, pairs_fit, shape};
use crate::digest::Digest;
use crate::id::PersonId;
use crate::json::{self, Object};
use crate::kind::Kind;
use crate::statement::{Statement, StatementError};
use crate::time::Timestamp;

data! {
    /// Data of `item.resealed`.
    ItemResealed {
        /// Until when it may be confirmed.
        expires: Timestamp,
        /// Hash of the record of the author's `access.granted`, with `with`.
        grant: Digest,
        /// Digest of the new sealed halves ([`crate::halves::digest`]).
        halves: Digest,
        /// To whom the item is sealed once it is confirmed.
        sealing: Sealing,
        /// With whom the author opened the halves until now.
        with: PersonId,
        /// Hash of the record of that person's `access.granted`, with the author.
        with_grant: Digest,
    }
    /// Data of `item.reseal-confirmed`: what the author found when they opened the item through the new halves.
    ResealConfirmed {
        /// SHA-256 of the content.
        digest: Digest,
        /// Hash of the record of the author's `access.granted`, with `with`.
        grant: Digest,
        /// Digest of the new sealed halves, all of them made again from the half that was opened.
        halves: Digest,
        /// Hash of the record of `item.resealed`.
        reseal: Digest,
        /// To whom the item is sealed from now on, as `item.resealed` says.
        sealing: Sealing,
        /// With whom the author opened the new halves.
        with: PersonId,
        /// Hash of the record of that person's `access.granted`, with the author.
        with_grant: Digest,
    }
    /// Data of `item.reseal-withdrawn`.
    ResealWithdrawn {
        /// Hash of the record of `item.resealed`.
        reseal: Digest,
    }
}

/// A step of sealing a restricted item anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ResealStep {
    /// New halves wait beside those that count.
    Resealed(ItemResealed),
    /// Somebody else opened the item through the new halves: they count from now on, and the others are destroyed.
    Confirmed(ResealConfirmed),
    /// The new halves are given up.
    Withdrawn(ResealWithdrawn),
}

impl ResealStep {
    /// To whom the step seals, with whom, and the two grants that it names.
    pub const fn opened(&self) -> Option<(&Sealing, PersonId, [Digest; 2])> {
        match self {
            Self::Resealed(d) => Some((&d.sealing, d.with, [d.grant, d.with_grant])),
            Self::Confirmed(d) => Some((&d.sealing, d.with, [d.grant, d.with_grant])),
            Self::Withdrawn(_) => None,
        }
    }
}

/// The act of a statement of these kinds.
pub(super) fn parse(s: &Statement) -> Result<Act, StatementError> {
    let step = match s.kind {
        Kind::ItemResealed => ResealStep::Resealed(data(s)?),
        Kind::ResealConfirmed => ResealStep::Confirmed(data(s)?),
        Kind::ResealWithdrawn => ResealStep::Withdrawn(data(s)?),
        _ => return Err(shape(s, "is not supported by this version of the rules")),
    };
    if let Some((sealing, ..)) = step.opened() {
        pairs_fit(s, sealing)?;
    }
    Ok(Act::Reseal(case(s)?, item(s)?, step))
}
