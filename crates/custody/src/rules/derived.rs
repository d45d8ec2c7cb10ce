//! Derived items: whether an item may be called something that was made from another.

use super::decide::{Decision, Speaker, item_of};
use super::{Item, Refusal, Right, State};
use crate::act::{Class, ItemClassified, ItemDerived};
use crate::digest::Digest;
use crate::id::{CaseId, ItemId};
use crate::statement::Statement;

/// An item is linked to its original, once. Nothing of the original changes.
pub(super) fn derived(
    state: &State,
    speaker: &Speaker<'_>,
    statement: &Statement,
    (case, id): (CaseId, ItemId),
    d: &ItemDerived,
) -> Decision {
    let item = item_of(state, Some(case), id)?;
    let original = item_of(state, Some(case), d.of)?;
    if item.derived.is_some() {
        return Err(Refusal::Exists("item's original"));
    }
    // So that nothing is made from itself, by whatever detours.
    if original.exhibit >= item.exhibit {
        return Err(Refusal::DerivedUnfit("an original was registered before what was made from it"));
    }
    let (own, of) = (digest(item).ok_or(Refusal::NoContent)?, digest(original).ok_or(Refusal::NoContent)?);
    if (own, of) != (d.digest, d.original) {
        return Err(Refusal::DerivedUnfit(
            "the digests named are those of the item's and of the original's content",
        ));
    }
    if speaker.is_vault() {
        return made_by_vault(state, item, original, d);
    }
    if item.class < original.class {
        state.in_case(case, speaker.person()?, Right::Classify, speaker.at())?;
        if statement.purpose.is_none() {
            return Err(Refusal::DerivedUnfit(
                "what is less protected than its original is so for a purpose",
            ));
        }
    }
    Ok(())
}

/// The vault makes redactions of what it can read, for somebody who was granted to, and as well protected.
fn made_by_vault(state: &State, item: &Item, original: &Item, d: &ItemDerived) -> Decision {
    if !matches!(original.class, Class::Open | Class::Confidential) || item.class < original.class {
        return Err(Refusal::DerivedUnfit("the vault redacts what it can read, and keeps its class"));
    }
    if original.stored.is_none() || item.stored.is_none() {
        return Err(Refusal::NoContent);
    }
    // Bundles may leave out who read what.
    match d.grant.and_then(|grant| state.grants.get(&grant)) {
        Some(grant) if (grant.item, grant.person) == (d.of, item.custodian) => Ok(()),
        None if state.partial => Ok(()),
        _ => Err(Refusal::Grant),
    }
}

/// An item that was made from another becomes less protected for a purpose only.
pub(super) fn classified(item: &Item, statement: &Statement, d: &ItemClassified) -> Decision {
    if item.derived.is_some() && d.class < item.class && statement.purpose.is_none() {
        return Err(Refusal::DerivedUnfit(
            "what was made from another item becomes less protected for a purpose",
        ));
    }
    Ok(())
}

/// What the vault holds; of what it does not hold, what was registered.
fn digest(item: &Item) -> Option<Digest> {
    item.stored.map(|stored| stored.content).or(item.claimed).map(|content| content.digest)
}
