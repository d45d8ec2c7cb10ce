//! The members of `data` of readings, and who opens what is restricted.

use serde::{Deserialize, Serialize};

use crate::age::Recipient;
use crate::digest::Digest;
use crate::id::{Code, PersonId};
use crate::json::{self, Object};
use crate::kind::Kind;
use crate::statement::{Assurance, CheckedBy, Statement, StatementError};
use crate::time::Timestamp;

use super::{Act, ContentReceived, FixityChecked, ObjectId, case, content, data, item, shape};

data! {
    /// Data of `recipient.named`, said with the key that it goes with.
    RecipientNamed {
        /// To whom secrets for this person are sealed.
        recipient: Recipient,
    }
    /// Data of `access.granted`.
    AccessGranted {
        /// Until when content requests may carry it.
        expires: Timestamp,
        /// With whom a restricted item is opened.
        #[serde(default, deserialize_with = "json::present", skip_serializing_if = "Option::is_none")]
        with: Option<PersonId>,
    }
    /// Data of `access.break-glass`; the reason is a field.
    AccessBreakGlass {
        /// Until when content requests may carry it.
        expires: Timestamp,
    }
    /// Data of `access.reviewed`; what was found is a field.
    AccessReviewed {
        /// Hash of the record of `access.break-glass`.
        grant: Digest,
    }
    /// Data of `access.completed`.
    AccessCompleted {
        /// Bytes of content sent, as counted by the vault; absent where a restart lost the count.
        #[serde(default, deserialize_with = "json::present_uint", skip_serializing_if = "Option::is_none")]
        bytes: Option<u64>,
        /// Hash of the record of `access.granted` or `access.break-glass`.
        grant: Digest,
        /// How it ended.
        outcome: AccessOutcome,
    }
    /// Data of `access.denied`.
    AccessDenied {
        /// What was tried, as a code: `read`, `export`, `transfer-offered`.
        act: Code,
        /// How many like it this record stands for, from 1.
        count: u64,
        /// Who was refused.
        person: PersonId,
        /// The rule that refused.
        rule: Code,
    }
}

/// Who opens a restricted item: two persons of one pair together, or whoever has both halves of the recovery pair.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sealing {
    /// 1 to [`MAX_PAIRS`] pairs, each with the lesser id first, sorted, each once.
    pub pairs: Vec<[PersonId; 2]>,
    /// Two recipients of which the identities are kept on paper, by two people.
    #[serde(default, deserialize_with = "json::present", skip_serializing_if = "Option::is_none")]
    pub recovery: Option<[Recipient; 2]>,
}

/// Who sealed content, where that was not the vault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SealedBy {
    /// Its sender, on a device of their own.
    Sender,
}

/// The stage of a fixity check by somebody who opened a restricted item on their own device.
pub const STAGE_OPENING: &str = "opening";

/// Something of what opens it did not: a sealed half, or the content with both halves.
pub const DID_NOT_OPEN: &str = "did-not-open";
/// It opened, and somebody else to whom it is sealed was given another half.
pub const OTHER_HALVES: &str = "other-halves";

/// Most pairs to which an item is sealed.
pub const MAX_PAIRS: usize = 16;

impl Sealing {
    /// Whether these two are one of its pairs.
    pub fn has(&self, one: PersonId, other: PersonId) -> bool {
        self.pairs.contains(&[one.min(other), one.max(other)])
    }

    /// Everybody who is in a pair, once or more often.
    pub fn persons(&self) -> impl Iterator<Item = PersonId> {
        self.pairs.iter().flatten().copied()
    }
}

/// Pairs and the recovery pair in the one spelling that there is.
pub(super) fn pairs_fit(s: &Statement, sealing: &Sealing) -> Result<(), StatementError> {
    let pairs = &sealing.pairs;
    if !(1..=MAX_PAIRS).contains(&pairs.len())
        || pairs.iter().any(|[one, other]| one >= other)
        || !pairs.is_sorted_by(|a, b| a < b)
    {
        return Err(shape(s, "seals to 1 to 16 pairs of two persons, sorted, each once"));
    }
    match sealing.recovery {
        Some([one, other]) if one >= other => {
            Err(shape(s, "names the recovery pair sorted, two different ones"))
        }
        _ => Ok(()),
    }
}

/// What is sealed by its sender rests on their word: it is a restricted item's, with the digest, under their own key.
pub(super) fn by_sender(
    s: &Statement,
    sealing: Option<&Sealing>,
    by: Option<SealedBy>,
) -> Result<(), StatementError> {
    let own_digest = s.content.is_some_and(|content| content.checked_by == CheckedBy::Oneself);
    match by {
        Some(SealedBy::Sender) if sealing.is_none() || !own_digest || s.assurance != Assurance::UserKey => {
            Err(shape(
                s,
                "is sealed by its sender only as a restricted item, with the digest that they computed, under a key of their own",
            ))
        }
        _ => Ok(()),
    }
}

impl FixityChecked {
    /// What the vault says that read a stored object.
    pub const fn by_vault(object: ObjectId, stage: Code) -> Self {
        Self { grant: None, object, reason: None, stage, with: None, with_grant: None }
    }
}

/// What arrived: seen by the vault, or with the halves that came with what its sender sealed.
pub(super) fn received(s: &Statement) -> Result<Act, StatementError> {
    let (d, found): (ContentReceived, _) = (data(s)?, content(s)?);
    if d.halves.is_some() == (found.checked_by == CheckedBy::None) {
        Ok(Act::ContentReceived(case(s)?, item(s)?, d, found))
    } else {
        Err(shape(s, "names the sealed halves exactly where nobody but the sender saw the content"))
    }
}

/// The vault says what it read; a person, under their own key and a grant, what they opened.
pub(super) fn checked(s: &Statement) -> Result<Act, StatementError> {
    let (d, found): (FixityChecked, _) = (data(s)?, content(s)?);
    let opening = d.stage.as_str() == STAGE_OPENING;
    let fits = if s.actor.person().is_some() {
        let own = found.checked_by == CheckedBy::Oneself && s.assurance == Assurance::UserKey;
        let together = d.with.is_some() && d.with_grant.is_some();
        let alone = d.with.is_none() && d.with_grant.is_none();
        // That it is what is recorded only two can have seen; that it did not open, the first of two finds.
        let passes = s.kind == Kind::FixityPassed && together && d.reason.is_none();
        let known = d.reason.as_ref().is_none_or(|why| [DID_NOT_OPEN, OTHER_HALVES].contains(&why.as_str()));
        let fails = s.kind == Kind::FixityFailed && (together || alone) && known;
        own && opening && d.grant.is_some() && (passes || fails)
    } else {
        let of_persons = d.grant.or(d.with_grant).is_some() || d.with.is_some() || d.reason.is_some();
        !opening && !of_persons
    };
    if fits {
        Ok(Act::Fixity(case(s)?, item(s)?, d, found))
    } else {
        Err(shape(
            s,
            "is the vault's of what it read, or a person's, under a key of their own, of what they opened under a grant",
        ))
    }
}

/// How a reading ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AccessOutcome {
    /// The reader said that it is done.
    Completed,
    /// The grant ran out.
    Expired,
}
