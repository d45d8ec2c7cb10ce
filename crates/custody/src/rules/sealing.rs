//! Restricted items: to whom they are sealed, and which two open them.

use super::decide::{Decision, Speaker};
use super::{Item, Refusal, Right, State};
use crate::act::{Class, Sealing};
use crate::id::{CaseId, PersonId};
use crate::statement::{Assurance, Statement};
use crate::time::Timestamp;

/// A person says to whom secrets for them are sealed, with the key that this goes with: once a key, so that nobody can
/// put another recipient in its place.
pub(super) fn recipient_named(
    state: &State,
    speaker: &Speaker<'_>,
    statement: &Statement,
    person: PersonId,
) -> Decision {
    if speaker.person()? != person {
        return Err(Refusal::WrongAssurance);
    }
    let key = state.keys.get(&statement.actor_key).ok_or(Refusal::KeyNotValid)?;
    if key.recipient.is_some() { Err(Refusal::Exists("key's recipient")) } else { Ok(()) }
}

/// Whether an item can be sealed so: to pairs that can open it now, and so that no single loss closes it for ever.
pub fn sealing_fits(state: &State, at: Timestamp, case: CaseId, sealing: &Sealing) -> Decision {
    for person in sealing.persons() {
        if state.is_suspended(person) {
            return Err(Refusal::SealingUnfit("somebody of a pair is suspended"));
        }
        if state.in_case(case, person, Right::ReadContent, at).is_err() {
            return Err(Refusal::SealingUnfit(
                "everybody of a pair is a member of the case who may read content",
            ));
        }
        let receives = |key: &super::Key| key.owner == person && key.is_sealed_to();
        if !state.keys.values().any(receives) {
            return Err(Refusal::SealingUnfit(
                "somebody of a pair has no valid key that somebody who knows them vouched for and that has a recipient: they name one by `custos key recipient`",
            ));
        }
    }
    if sealing.pairs.iter().any(|[one, other]| !differ(state, at, case, *one, *other)) {
        return Err(Refusal::SealingUnfit("the two of a pair have different roles in the case"));
    }
    let apart = |[a, b]: &[PersonId; 2], [c, d]: &[PersonId; 2]| a != c && a != d && b != c && b != d;
    let independent = sealing.pairs.iter().any(|one| sealing.pairs.iter().any(|other| apart(one, other)));
    if independent || sealing.recovery.is_some() {
        Ok(())
    } else {
        Err(Refusal::SealingUnfit(
            "it takes two pairs that have nobody in common, or a recovery pair on paper",
        ))
    }
}

/// Whether an item may be read so: a restricted one by two of a pair, each naming the other under their own key; any other
/// alone.
pub(super) fn read_with(
    state: &State,
    speaker: &Speaker<'_>,
    assurance: Assurance,
    item: &Item,
    with: Option<PersonId>,
) -> Decision {
    if item.class != Class::Restricted {
        return if with.is_some() { Err(Refusal::NotInPairs) } else { Ok(()) };
    }
    let (reader, with) = (speaker.person()?, with.ok_or(Refusal::OpenedInPairs)?);
    if assurance == Assurance::UserKey && may_open(state, speaker.at(), item, (reader, with)) {
        Ok(())
    } else {
        Err(Refusal::OpenedInPairs)
    }
}

/// Whether these two may open an item together at `at`.
pub fn may_open(state: &State, at: Timestamp, item: &Item, (one, other): (PersonId, PersonId)) -> bool {
    let able = |person| {
        !state.is_suspended(person) && state.in_case(item.case, person, Right::ReadContent, at).is_ok()
    };
    // With the recovery pair any two members can open it whom the papers were given to.
    let sealed = |sealing: &Sealing| sealing.has(one, other) || sealing.recovery.is_some();
    able(one)
        && able(other)
        && differ(state, at, item.case, one, other)
        && item.sealing.as_ref().is_some_and(sealed)
}

/// Whether two persons are two, and have different roles that let them read.
fn differ(state: &State, at: Timestamp, case: CaseId, one: PersonId, other: PersonId) -> bool {
    let roles = |person| {
        let roles = state.members.get(&(case, person)).into_iter().flatten();
        roles
            .filter(|(role, term)| term.covers(at) && role.permits(Right::ReadContent))
            .map(|(role, _)| *role)
    };
    one != other && roles(one).any(|mine| roles(other).any(|theirs| mine != theirs))
}
