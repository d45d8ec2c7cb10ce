//! Derived items: whether an item may be called something that was made from another, and what was made from what.

use std::collections::HashSet;

use super::decide::{Decision, Speaker, item_of};
use super::{Derived, Item, Refusal, Right, State};
use crate::act::{Class, ItemClassified, ItemDerived};
use crate::digest::Digest;
use crate::id::{CaseId, ItemId};
use crate::statement::Statement;
use crate::time::Timestamp;

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
        return made_by_vault(state, speaker.at(), item, original, d);
    }
    let person = speaker.person()?;
    let classifies = || state.in_case(case, person, Right::Classify, speaker.at());
    // Somebody else could say first, and of something else, what this one is about to say.
    if item.custodian != person {
        classifies()?;
    }
    if item.class < original.class {
        classifies()?;
        if statement.purpose.is_none() {
            return Err(Refusal::DerivedUnfit(
                "what is less protected than its original is so for a purpose",
            ));
        }
    }
    Ok(())
}

/// The vault makes redactions of what it can read, for somebody who was granted to and still may read it.
fn made_by_vault(state: &State, at: Timestamp, item: &Item, original: &Item, d: &ItemDerived) -> Decision {
    may_redact(item, original)?;
    if original.stored.is_none() {
        return Err(Refusal::NoContent);
    }
    let named = d.grant.ok_or(Refusal::Grant)?;
    // Of a reading whose record a bundle keeps back, what it is of is all that is known.
    if state.kept_back.get(&named) == Some(&d.of) {
        return Ok(());
    }
    let grant = state.grants.get(&named).filter(|grant| {
        let theirs = (grant.item, grant.person) == (d.of, item.custodian);
        theirs && !grant.completed && grant.expires > at
    });
    let reader = grant.ok_or(Refusal::Grant)?.person;
    if state.is_suspended(reader) {
        return Err(Refusal::ActorSuspended);
    }
    state.in_case(item.case, reader, Right::ReadContent, at)
}

/// What the vault said that it made is received for as long as it may be made: the original may have become better
/// protected since, or have been destroyed.
pub(super) fn received(state: &State, item: &Item) -> Decision {
    match item.derived {
        Some(Derived { of, by: None, .. }) => may_redact(item, item_of(state, Some(item.case), of)?),
        _ => Ok(()),
    }
}

/// The vault redacts what is there and what it can read, and makes nothing less protected.
fn may_redact(item: &Item, original: &Item) -> Decision {
    if original.disposed {
        return Err(Refusal::Disposed);
    }
    if !matches!(original.class, Class::Open | Class::Confidential) || item.class < original.class {
        return Err(Refusal::DerivedUnfit("the vault redacts what it can read, and keeps its class"));
    }
    Ok(())
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

/// What was made from an item, also by way of others, by exhibit number: what does not follow it when it is destroyed, held
/// or better protected. `items` are those of its case, or those of them that were made from others.
pub fn made_from<'a>(
    items: impl IntoIterator<Item = (ItemId, &'a Item)>,
    original: ItemId,
) -> Vec<(ItemId, &'a Item)> {
    let mut linked: Vec<_> = items.into_iter().filter(|(_, item)| item.derived.is_some()).collect();
    // An original has the lower number, so that one walk finds all.
    linked.sort_unstable_by_key(|(_, item)| item.exhibit);
    let mut known = HashSet::from([original]);
    linked.retain(|(id, item)| item.derived.is_some_and(|d| known.contains(&d.of)) && known.insert(*id));
    linked
}

/// What the vault holds; of what it does not hold, what was registered.
fn digest(item: &Item) -> Option<Digest> {
    item.stored.map(|stored| stored.content).or(item.claimed).map(|content| content.digest)
}
