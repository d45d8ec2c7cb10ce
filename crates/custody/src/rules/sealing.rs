//! Restricted items: to whom they are sealed, and which two open them.

use std::collections::BTreeSet;

use super::decide::{Decision, Speaker};
use super::resealing::still_waits;
use super::{Grant, Item, Refusal, Right, State};
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
    let waits = item.reseal.as_ref().filter(|reseal| still_waits(state, speaker.at(), reseal));
    let mut sealings = item.sealing.iter().chain(waits.map(|reseal| &reseal.sealing));
    let may = |sealing| may_open(state, speaker.at(), (item.case, sealing), (reader, with));
    if assurance == Assurance::UserKey && sealings.any(may) { Ok(()) } else { Err(Refusal::OpenedInPairs) }
}

/// Whether these two may open an item together at `at`, through what is sealed to `sealing`.
pub fn may_open(
    state: &State,
    at: Timestamp,
    (case, sealing): (CaseId, &Sealing),
    (one, other): (PersonId, PersonId),
) -> bool {
    let able =
        |person| !state.is_suspended(person) && state.in_case(case, person, Right::ReadContent, at).is_ok();
    // With the recovery pair any two members can open it whom the papers were given to.
    let sealed = sealing.has(one, other) || sealing.recovery.is_some();
    able(one) && able(other) && differ(state, at, case, one, other) && sealed
}

/// Whether a grant to open a restricted item counts at `at`: it is open, and the key by which the reader said so was not
/// revoked since.
pub fn counts(state: &State, at: Timestamp, grant: &Grant) -> bool {
    let valid =
        |key| state.keys.get(&key).is_some_and(|key| key.owner == grant.person && key.revoked.is_none());
    !grant.completed && grant.expires > at && grant.key.is_some_and(valid)
}

/// Who of those to whom an item is sealed can open it with nobody: they left the case or lost the right to read, are suspended,
/// or have no key to which anything is sealed.
pub fn who_cannot_open(state: &State, at: Timestamp, case: CaseId, sealing: &Sealing) -> BTreeSet<PersonId> {
    let cannot = |person: &PersonId| {
        let sealed_to = |key: &super::Key| key.owner == *person && key.is_sealed_to();
        state.is_suspended(*person)
            || state.in_case(case, *person, Right::ReadContent, at).is_err()
            || !state.keys.values().any(sealed_to)
    };
    sealing.persons().filter(cannot).collect()
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
