//! The members of `data` of productions: restricted content that a court ordered to be produced.

use serde::{Deserialize, Serialize};

use super::{Act, case, committed, data, item, shape};
use crate::age::Recipient;
use crate::digest::Digest;
use crate::id::PersonId;
use crate::json::{self, Object};
use crate::kind::Kind;
use crate::statement::{Statement, StatementError};

/// Most productions that one bundle carries.
pub const MAX_PRODUCTIONS: usize = 100;

data! {
    /// Data of `production.proposed`; the court and the number of its order are in the field `authority`.
    ProductionProposed {
        /// SHA-256 of the order as a document.
        order: Digest,
        /// To whom of the court the content is sealed.
        recipient: Recipient,
    }
    /// Data of `production.approved`.
    ProductionApproved {
        /// SHA-256 of the order, as the approver has it from the court.
        order: Digest,
        /// Hash of the record of `production.proposed`.
        proposal: Digest,
        /// The court's recipient, as the approver has it from the court.
        recipient: Recipient,
    }
    /// Data of `production.declined`.
    ProductionDeclined {
        /// Hash of the record of `production.proposed`.
        proposal: Digest,
    }
    /// Data of `production.sealed`, said by the one of a pair who opened the persons' half of the key.
    ProductionSealed {
        /// Hash of the record of `production.proposed`.
        proposal: Digest,
        /// The court's recipient, as whoever seals has it from the court.
        recipient: Recipient,
        /// SHA-256 of the age file in which that half is sealed to the court.
        sealed: Digest,
        /// With whom it was opened.
        with: PersonId,
    }
}

/// A step on the way to producing restricted content to a court.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProductionStep {
    /// Somebody asks for it, with the court's order.
    Proposed(ProductionProposed),
    /// Somebody else agrees.
    Approved(ProductionApproved),
    /// Somebody does not, or it ends: no bundle made from then on carries it.
    Declined(ProductionDeclined),
    /// Two of a pair have sealed the persons' half of the key to the court.
    Sealed(ProductionSealed),
}

impl ProductionStep {
    /// The proposal that it follows; none for a proposal itself.
    pub const fn proposal(&self) -> Option<&Digest> {
        match self {
            Self::Proposed(_) => None,
            Self::Approved(d) => Some(&d.proposal),
            Self::Declined(d) => Some(&d.proposal),
            Self::Sealed(d) => Some(&d.proposal),
        }
    }
}

/// The act of a statement of these kinds.
pub(super) fn parse(s: &Statement) -> Result<Act, StatementError> {
    let step = match s.kind {
        Kind::ProductionProposed => {
            committed(s, "authority")?;
            ProductionStep::Proposed(data(s)?)
        }
        Kind::ProductionApproved => ProductionStep::Approved(data(s)?),
        Kind::ProductionDeclined => ProductionStep::Declined(data(s)?),
        Kind::ProductionSealed => ProductionStep::Sealed(data(s)?),
        _ => return Err(shape(s, "is not supported by this version of the rules")),
    };
    Ok(Act::Production(case(s)?, item(s)?, step))
}
