//! Reading in an emergency, and the look at why that must follow.

use super::decide::{Decision, Speaker, item_of};
use super::{Item, MAX_BREAK_GLASS_MS, Refusal, Review, Right, State};
use crate::act::{AccessBreakGlass, AccessReviewed, Class, VaultRole};
use crate::id::{CaseId, ItemId};
use crate::statement::Statement;

/// Somebody who may not read an item reads it all the same. What is sealed to persons no emergency opens.
pub(super) fn broken(
    state: &State,
    speaker: &Speaker<'_>,
    statement: &Statement,
    (case, item): (CaseId, ItemId),
    d: &AccessBreakGlass,
) -> Decision {
    let lasts = d.expires.millis() - statement.actor_time.millis();
    if !(0..=MAX_BREAK_GLASS_MS).contains(&lasts) {
        return Err(Refusal::EmergencyTooLong);
    }
    let reader = speaker.person()?;
    let roles = state.persons.get(&reader).map(|person| &person.roles);
    if roles.is_some_and(|roles| roles.contains_key(&VaultRole::Administrator)) {
        return Err(Refusal::AdministratorApart);
    }
    let found: &Item = item_of(state, Some(case), item)?;
    if found.class == Class::Restricted {
        return Err(Refusal::SealedToPersons);
    }
    if state.in_case(case, reader, Right::ReadContent, speaker.at()).is_ok() {
        return Err(Refusal::NoEmergency);
    }
    if found.stored.is_some() { Ok(()) } else { Err(Refusal::NoContent) }
}

/// Somebody of the case, and never whoever read, says that they have looked at why.
pub(super) fn reviewed(
    state: &State,
    speaker: &Speaker<'_>,
    (case, item): (CaseId, ItemId),
    d: &AccessReviewed,
) -> Decision {
    item_of(state, Some(case), item)?;
    let read = state.grants.get(&d.grant).filter(|grant| grant.item == item);
    let read = read.filter(|grant| grant.review == Some(Review::Open)).ok_or(Refusal::NothingToReview)?;
    if speaker.person()? == read.person { Err(Refusal::AnotherPerson) } else { Ok(()) }
}
