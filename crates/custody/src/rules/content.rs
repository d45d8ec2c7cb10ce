//! Content: which bytes an item takes, who ends a reading, and who says what was found in it.

use super::decide::{Decision, Speaker};
use super::{Item, Refusal, State, counts, resealing, takes_bytes};
use crate::act::{AccessCompleted, Class, FixityChecked};
use crate::id::ItemId;
use crate::kind::Kind;
use crate::statement::{CheckedBy, Content};

/// Only a digest is registered without bytes to come, and then somebody has computed it.
pub(super) fn registered(class: Class, content: Option<Content>) -> Decision {
    match (class, content) {
        (Class::HashOnly, None) => Err(Refusal::HashOnly),
        (Class::HashOnly, Some(content)) if content.checked_by != CheckedBy::Oneself => {
            Err(Refusal::HashOnly)
        }
        _ => Ok(()),
    }
}

/// What arrived is what was registered, the first, and sealed by whom it was to be.
pub(super) fn received(item: &Item, version: u32, content: Content) -> Decision {
    if !takes_bytes(item.class) {
        return Err(Refusal::HashOnly);
    }
    if item.stored.is_some() || version != 1 {
        return Err(Refusal::ContentExists);
    }
    unseen(item, content)?;
    match item.claimed {
        Some(claimed) if (claimed.digest, claimed.size) != (content.digest, content.size) => {
            Err(Refusal::DigestMismatch)
        }
        _ => Ok(()),
    }
}

/// A reading is ended by its reader or by the vault, once.
pub(super) fn completed(state: &State, speaker: &Speaker<'_>, item: ItemId, d: &AccessCompleted) -> Decision {
    let grant = state.grants.get(&d.grant).ok_or(Refusal::Grant)?;
    let own = speaker.is_vault() || speaker.person() == Ok(grant.person);
    if own && grant.item == item && !grant.completed { Ok(()) } else { Err(Refusal::Grant) }
}

/// What somebody says who opened a restricted item on their own device: that it is what its record says, or is not. The vault
/// says of what it read whatever it found, but for a digest of what it never saw.
pub(super) fn opened(
    state: &State,
    speaker: &Speaker<'_>,
    kind: Kind,
    (id, item): (ItemId, &Item),
    (d, found): (&FixityChecked, &Content),
) -> Decision {
    if speaker.is_vault() {
        return unseen(item, *found);
    }
    if item.disposed {
        return Err(Refusal::Disposed);
    }
    let person = speaker.person()?;
    let named = d.grant.ok_or(Refusal::Grant)?;
    if let (Some(with), Some(with_grant)) = (d.with, d.with_grant) {
        let sealing = item.sealing.as_ref().ok_or(Refusal::NotInPairs)?;
        resealing::opened(state, speaker, (item.case, id, sealing), (named, with, with_grant))?;
    } else if state.kept_back.get(&named) != Some(&id) {
        // Of a reading whose record a bundle keeps back, what it is of is all that is known.
        let grant = state.grants.get(&named).ok_or(Refusal::Grant)?;
        let theirs = (grant.person, grant.item) == (person, id);
        if !theirs || !counts(state, speaker.at(), grant) {
            return Err(Refusal::Grant);
        }
    }
    let stored = item.stored.filter(|stored| stored.object == d.object).ok_or(Refusal::Unknown("object"))?;
    let same = (found.digest, found.size) == (stored.content.digest, stored.content.size);
    // Who could not open it has nothing to compare, and who did and found another's half wrong has.
    let fits = match kind {
        Kind::FixityPassed => same,
        _ => d.reason.is_some() || !same,
    };
    if fits { Ok(()) } else { Err(Refusal::DigestMismatch) }
}

/// The vault has computed the digest of what it sealed, and of nothing else.
fn unseen(item: &Item, content: Content) -> Decision {
    if item.by_sender == (content.checked_by == CheckedBy::None) {
        Ok(())
    } else {
        Err(Refusal::SealedBySender)
    }
}
