//! Restricted items that are sealed anew: by two who open them, and confirmed by somebody else who opened them again.

use super::decide::{Decision, Speaker, item_of};
use super::sealing::{counts, may_open, sealing_fits};
use super::{Item, MAX_RESEAL_MS, Refusal, Reseal, Right, State};
use crate::act::{ItemResealed, ResealConfirmed, ResealStep, ResealWithdrawn, Sealing};
use crate::digest::Digest;
use crate::id::{CaseId, ItemId, PersonId};
use crate::statement::Statement;
use crate::time::Timestamp;

/// A step of sealing an item anew.
pub(super) fn reseal(
    state: &State,
    speaker: &Speaker<'_>,
    actor_time: Timestamp,
    (case, id): (CaseId, ItemId),
    step: &ResealStep,
) -> Decision {
    let item = item_of(state, Some(case), id)?;
    let sealing = item.sealing.as_ref().ok_or(Refusal::NotInPairs)?;
    match step {
        ResealStep::Resealed(d) => {
            let lasts = d.expires.millis() - actor_time.millis();
            // Counted from what the author says and from when it comes: a date to come would let it wait for years.
            let waits = d.expires.millis() - speaker.at().millis();
            if !(1..=MAX_RESEAL_MS).contains(&lasts) || waits > MAX_RESEAL_MS {
                return Err(Refusal::ResealTooLong);
            }
            // What others have looked at and are about to confirm, only they replace who may restrict items.
            let others = item.reseal.as_ref().filter(|waiting| Some(waiting.by) != speaker.person().ok());
            if others.is_some_and(|waiting| still_waits(state, speaker.at(), waiting)) {
                state.in_case(case, speaker.person()?, Right::Classify, speaker.at())?;
            }
            item.stored.ok_or(Refusal::NoContent)?;
            sealing_fits(state, speaker.at(), case, &d.sealing)?;
            let ItemResealed { grant, with, with_grant, .. } = d;
            opened(state, speaker, (case, id, sealing), (*grant, *with, *with_grant))
        }
        ResealStep::Confirmed(d) => confirmed(state, speaker, (case, id, item), d),
        ResealStep::Withdrawn(d) => withdrawn(state, speaker, item, d),
    }
}

/// Whether new halves may still be opened and confirmed at `at`: their time is not over, and whoever sealed them is not
/// suspended and has the key by which they said so.
pub fn still_waits(state: &State, at: Timestamp, reseal: &Reseal) -> bool {
    let valid = state.keys.get(&reseal.key).is_some_and(|key| key.revoked.is_none());
    valid && reseal.expires > at && !state.is_suspended(reseal.by)
}

/// Somebody else has opened the item through the new halves, found what was registered, and made all of them again.
fn confirmed(
    state: &State,
    speaker: &Speaker<'_>,
    (case, id, item): (CaseId, ItemId, &Item),
    d: &ResealConfirmed,
) -> Decision {
    let waits = item.reseal.as_ref().filter(|waits| waits.record == d.reseal);
    let waits = waits.filter(|waits| still_waits(state, speaker.at(), waits)).ok_or(Refusal::NoSuchReseal)?;
    if (&waits.sealing, waits.halves) != (&d.sealing, d.halves) {
        return Err(Refusal::OtherHalves);
    }
    if item.stored.is_none_or(|stored| stored.content.digest != d.digest) {
        return Err(Refusal::DigestMismatch);
    }
    let person = speaker.person()?;
    if person == waits.by {
        return Err(Refusal::AnotherPerson);
    }
    sealing_fits(state, speaker.at(), case, &d.sealing)?;
    opened(state, speaker, (case, id, &d.sealing), (d.grant, d.with, d.with_grant))?;
    // To whom an item is sealed is for those to say who may restrict it.
    let classifies = |person| state.in_case(case, person, Right::Classify, speaker.at());
    classifies(person).or_else(|refusal| classifies(waits.by).map_err(|_| refusal))
}

/// Whoever sealed it takes it back, or somebody who may restrict items does not want it.
fn withdrawn(state: &State, speaker: &Speaker<'_>, item: &Item, d: &ResealWithdrawn) -> Decision {
    let waits = item.reseal.as_ref().filter(|waits| waits.record == d.reseal).ok_or(Refusal::NoSuchReseal)?;
    let person = speaker.person()?;
    if person == waits.by {
        return Ok(());
    }
    state.in_case(item.case, person, Right::Classify, speaker.at())
}

/// Whether the speaker and another open an item together now, through what is sealed to `sealing`: both have said so,
/// each naming the other.
pub(super) fn opened(
    state: &State,
    speaker: &Speaker<'_>,
    (case, id, sealing): (CaseId, ItemId, &Sealing),
    (grant, with, with_grant): (Digest, PersonId, Digest),
) -> Decision {
    let person = speaker.person()?;
    let said = |grant: &Digest, by: PersonId, with: PersonId| match state.grants.get(grant) {
        Some(grant) => {
            (grant.item, grant.person, grant.with) == (id, by, Some(with))
                && counts(state, speaker.at(), grant)
        }
        // Of a reading whose record a bundle keeps back, what it is of is all that is known.
        None => state.kept_back.get(grant) == Some(&id),
    };
    let together = may_open(state, speaker.at(), (case, sealing), (person, with))
        && said(&grant, person, with)
        && said(&with_grant, with, person);
    if together { Ok(()) } else { Err(Refusal::OpenedInPairs) }
}

/// Carries a step into the state.
pub(super) fn apply(item: &mut Item, statement: &Statement, step: &ResealStep, record: Digest) {
    let waited = item.reseal.take();
    match step {
        ResealStep::Resealed(d) => {
            item.reseal = statement.actor.person().map(|by| Reseal {
                by,
                expires: d.expires,
                halves: d.halves,
                key: statement.actor_key,
                record,
                sealing: d.sealing.clone(),
            });
        }
        ResealStep::Confirmed(_) => {
            item.sealing = waited.map(|waited| waited.sealing).or(item.sealing.take());
        }
        ResealStep::Withdrawn(_) => {}
    }
}
