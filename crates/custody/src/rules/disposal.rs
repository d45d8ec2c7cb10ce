//! What may be destroyed, and what must not be: holds, proposals with two approvers, execution.

use super::decide::{Decision, Speaker, item_of, named_here};
use super::{Approval, Case, Disposal, Hold, Refusal, Right, Stage, State, StateHead, Term, Vault};
use crate::act::{
    Act, Class, Disclosure, DisposalApproved, DisposalExecuted, DisposalProposed, DisposalStep,
    FOR_DISCLOSURE, HoldStep, KekChanged, KekStep, Subject,
};
use crate::digest::Digest;
use crate::id::{CaseId, Code, ItemId, KeyHash, PersonId};
use crate::kind::Kind;
use crate::statement::{Seen, Statement};
use crate::time::Timestamp;

/// Why the vault proposes to dispose of something by itself.
pub const RETENTION_ELAPSED: &str = "retention-elapsed";
/// Who must agree beside whoever proposes.
pub const APPROVERS: usize = 2;

/// A hold is placed or released.
pub(super) fn hold(state: &State, case: CaseId, item: Option<ItemId>, step: HoldStep) -> Decision {
    if let Some(item) = item {
        item_of(state, Some(case), item)?;
    }
    let HoldStep::Released(named) = step else { return Ok(()) };
    let released = state.holds.iter().any(|(record, hold)| {
        let is = StateHead { record: *record, stmt: hold.stmt }.is(named);
        is && (hold.case, hold.item) == (case, item) && hold.released.is_none()
    });
    if released { Ok(()) } else { Err(Refusal::NoSuchHold) }
}

/// A step on the way to destroying something.
pub(super) fn disposal(
    state: &State,
    vault: &Vault,
    speaker: &Speaker<'_>,
    statement: &Statement,
    (act, subject, step): (&Act, Subject, &DisposalStep),
) -> Decision {
    if let DisposalStep::Proposed(d) = step {
        return proposed(state, speaker, statement, (act, subject, d));
    }
    let proposal = step.proposal().and_then(|proposal| state.disposals.get(proposal));
    let found = proposal.filter(|found| found.subject == subject).ok_or(Refusal::NoSuchProposal)?;
    let wanted = if matches!(step, DisposalStep::Completed(_)) { Stage::Executed } else { Stage::Proposed };
    if found.stage != wanted {
        return Err(Refusal::NoSuchProposal);
    }
    match step {
        DisposalStep::Approved(d) => approved(state, speaker, subject, found, d),
        DisposalStep::Proposed(_) | DisposalStep::Declined(_) => Ok(()),
        DisposalStep::Executed(d) => executed(state, speaker.at(), subject, found, d),
        DisposalStep::Completed(_) if vault.keks_destroyed_to(found.kek) => Ok(()),
        DisposalStep::Completed(_) => Err(Refusal::KeysRemain),
    }
}

/// A version of the key encryption key begins, or is destroyed.
pub(super) fn kek(vault: &Vault, step: KekStep, d: &KekChanged) -> Decision {
    let known = vault.keks.get(&d.kek);
    match step {
        KekStep::Rotated if vault.kek().checked_add(1) == Some(d.kek) => Ok(()),
        KekStep::Rotated => Err(Refusal::KekOrder),
        KekStep::Destroyed => {
            let same = known.is_none_or(|known| known.check == d.check && known.destroyed.is_none());
            if (1..vault.kek()).contains(&d.kek) && same { Ok(()) } else { Err(Refusal::KekOrder) }
        }
    }
}

fn proposed(
    state: &State,
    speaker: &Speaker<'_>,
    statement: &Statement,
    (act, subject, d): (&Act, Subject, &DisposalProposed),
) -> Decision {
    if speaker.is_vault() {
        // The vault asks only because time has passed, and never for openings.
        let elapsed = statement.purpose.as_ref().is_some_and(|purpose| purpose.as_str() == RETENTION_ELAPSED);
        let Subject::Item(case, _) = subject else { return Err(Refusal::WrongAssurance) };
        if !elapsed || d.retention.is_none() {
            return Err(Refusal::WrongAssurance);
        }
        if state.cases.get(&case).is_some_and(|case| !case.closed) {
            return Err(Refusal::CaseState("open"));
        }
    } else if d.retention.is_some() {
        return Err(Refusal::WrongAssurance);
    }
    exists(state, subject)?;
    for record in d.records.iter().flatten() {
        named_here(state, statement, act, Seen::Record(*record))?;
    }
    free(state, subject, None)
}

fn approved(
    state: &State,
    speaker: &Speaker<'_>,
    subject: Subject,
    found: &Disposal,
    d: &DisposalApproved,
) -> Decision {
    free(state, subject, Some(found.index))?;
    let person = speaker.person()?;
    let earlier = &found.approvals;
    if found.proposer == Some(person) || earlier.iter().any(|earlier| earlier.person == person) {
        return Err(Refusal::AnotherPerson);
    }
    if earlier.len() >= APPROVERS {
        return Err(Refusal::NoSuchProposal);
    }
    if !approves_as(state, subject, (person, &d.role), speaker.at())
        || earlier.iter().any(|earlier| earlier.role == d.role)
    {
        return Err(Refusal::AnotherRole);
    }
    if d.exports != exports(state, subject) {
        return Err(Refusal::ExportsChanged);
    }
    if d.disclosure == Disclosure::NonePending && !undisclosed(state, subject).is_empty() {
        return Err(Refusal::DisclosurePending);
    }
    if has_lapsed(state, found, speaker.at()) { Err(Refusal::ProposalLapsed) } else { Ok(()) }
}

/// The cases that lose something by a disposal and whose defence does not have it, as far as records say: somebody was ever
/// to defend in the case, and no bundle for the defence was completed since it last got content. Restricted content is in no
/// such bundle, whatever was exported. Whoever defended may have been removed since: the accused is owed it all the same.
pub fn undisclosed(state: &State, subject: Subject) -> Vec<CaseId> {
    let mut cases: Vec<_> = match subject {
        Subject::Item(case, _) | Subject::Case(case) => vec![case],
        Subject::Person(person) => {
            state.members.keys().filter(|(_, member)| *member == person).map(|(case, _)| *case).collect()
        }
        Subject::Vault => Vec::new(),
    };
    let in_no_bundle = match subject {
        Subject::Item(_, item) => state
            .items
            .get(&item)
            .is_some_and(|item| item.class == Class::Restricted && item.stored.is_some()),
        _ => false,
    };
    let owed = |case: &Case| case.defended && (case.undisclosed || in_no_bundle);
    cases.retain(|case| state.cases.get(case).is_some_and(owed));
    cases.sort_unstable();
    cases
}

/// An export of a case is recorded: one for the defence, of a case that owes it content, discloses that once it is completed.
pub(super) fn exported(case: &mut Case, statement: &Statement, record: Digest) {
    case.exports += 1;
    let for_defence = statement.purpose.as_ref().is_some_and(|purpose| purpose.as_str() == FOR_DISCLOSURE);
    if for_defence && case.undisclosed {
        case.disclosing = Some(record);
    }
}

/// The bundle of an export is made, and may be fetched from here on.
pub(super) fn completed(state: &mut State, export: Digest) {
    let disclosed = state.cases.values_mut().find(|case| case.disclosing == Some(export));
    if let Some(case) = disclosed {
        (case.undisclosed, case.disclosing) = (false, None);
    }
}

fn executed(
    state: &State,
    at: Timestamp,
    subject: Subject,
    found: &Disposal,
    d: &DisposalExecuted,
) -> Decision {
    if found.approvals.len() < APPROVERS {
        return Err(Refusal::NotApproved);
    }
    free(state, subject, Some(found.index))?;
    if has_lapsed(state, found, at) {
        return Err(Refusal::ProposalLapsed);
    }
    let stored = match subject {
        Subject::Item(_, item) => state.items.get(&item).and_then(|item| item.stored).map(|s| s.object),
        _ => None,
    };
    if d.object == stored { Ok(()) } else { Err(Refusal::Unknown("stored object of this item")) }
}

/// Whether what was proposed must be proposed anew: a hold on it ended since, its case was opened again, where the vault
/// proposed it because the case was closed for long enough, or an approval of it counts no more.
pub fn has_lapsed(state: &State, disposal: &Disposal, at: Timestamp) -> bool {
    let held = free(state, disposal.subject, Some(disposal.index)) == Err(Refusal::ProposalLapsed);
    let reopened = disposal.proposer.is_none()
        && case_of(state, disposal.subject)
            .and_then(|case| case.turned)
            .is_some_and(|at| at > disposal.index);
    held || reopened || !approvals_count(state, disposal, at)
}

/// Whether every approval that a proposal has counts still at `at`: whoever gave it is not suspended, has the role in which
/// they gave it, gave it by a key that was not in doubt then, and knew of as many exported bundles as there are now. What
/// two have agreed to is carried out later, and a thief's approval must not count until then.
fn approvals_count(state: &State, disposal: &Disposal, at: Timestamp) -> bool {
    let exports = exports(state, disposal.subject);
    disposal.approvals.iter().all(|approval| {
        trusted(state, approval.person, (approval.key, approval.index))
            && approval.exports == exports
            && approves_as(state, disposal.subject, (approval.person, &approval.role), at)
    })
}

/// Whether what a person agreed to by a key, at a log index, still counts: they are not suspended, and the key was not in
/// doubt then.
pub(super) fn trusted(state: &State, person: PersonId, (key, index): (KeyHash, u64)) -> bool {
    let undoubted = state
        .keys
        .get(&key)
        .is_some_and(|key| key.owner == person && key.suspect_from.is_none_or(|from| from > index));
    undoubted && !state.is_suspended(person)
}

/// How many bundles were exported of the case.
fn exports(state: &State, subject: Subject) -> u64 {
    case_of(state, subject).map_or(0, |case| case.exports)
}

fn case_of(state: &State, subject: Subject) -> Option<&Case> {
    match subject {
        Subject::Item(case, _) | Subject::Case(case) => state.cases.get(&case),
        Subject::Person(_) | Subject::Vault => None,
    }
}

fn exists(state: &State, subject: Subject) -> Decision {
    match subject {
        Subject::Item(case, item) => item_of(state, Some(case), item).map(drop),
        // Whoever asks has a right in the case, so that there is one.
        Subject::Case(_) => Ok(()),
        Subject::Person(person) if state.persons.contains_key(&person) => Ok(()),
        _ => Err(Refusal::Unknown("item or person")),
    }
}

/// Nothing stands against destroying it: no hold, no offer, nor that it is destroyed already. A proposal that is older
/// than the end of a hold has lapsed with it: what was agreed before is agreed anew.
fn free(state: &State, subject: Subject, proposed: Option<u64>) -> Decision {
    for hold in state.holds.values().filter(|hold| holds(state, hold, subject)) {
        match (hold.released, proposed) {
            (None, _) => return Err(Refusal::Held),
            (Some(released), Some(proposed)) if released > proposed => return Err(Refusal::ProposalLapsed),
            (Some(_), _) => {}
        }
    }
    let Subject::Item(case, item) = subject else { return Ok(()) };
    let item = item_of(state, Some(case), item)?;
    if item.disposed {
        return Err(Refusal::Disposed);
    }
    if item.offer.is_some() { Err(Refusal::OfferPending) } else { Ok(()) }
}

/// Whether a hold keeps this from being destroyed. Openings of a case are kept by any hold in it, since words about one
/// item may stand in the records of another; those of a person by any hold in a case that the person was ever part of.
fn holds(state: &State, hold: &Hold, subject: Subject) -> bool {
    match subject {
        Subject::Item(case, item) => hold.case == case && hold.item.is_none_or(|held| held == item),
        Subject::Case(case) => hold.case == case,
        Subject::Person(person) => state.members.contains_key(&(hold.case, person)),
        Subject::Vault => false,
    }
}

/// Whether this kind may still be said about an item whose content was destroyed.
pub(super) const fn outlives(kind: Kind) -> bool {
    matches!(kind, Kind::AccessCompleted | Kind::AccessReviewed | Kind::FixityFailed | Kind::FixityPassed)
}

/// Whether the person has this role where the subject is, and the role approves that it be destroyed.
fn approves_as(state: &State, subject: Subject, (person, role): (PersonId, &Code), at: Timestamp) -> bool {
    let named = |name: &str, term: &Term| name == role.as_str() && term.covers(at);
    match subject {
        Subject::Item(case, _) | Subject::Case(case) => {
            let mut roles = state.members.get(&(case, person)).into_iter().flatten();
            roles.any(|(role, term)| named(role.name(), term) && role.permits(Right::ApproveDisposal))
        }
        Subject::Person(_) | Subject::Vault => {
            let mut roles = state.persons.get(&person).into_iter().flat_map(|found| &found.roles);
            roles.any(|(role, term)| named(role.name(), term) && role.permits(Right::ApproveErasure))
        }
    }
}

/// Carries a hold, a disposal or another key encryption key into the state.
pub(super) fn apply(state: &mut State, statement: &Statement, act: &Act, (index, head): (u64, StateHead)) {
    match act {
        Act::Hold(case, item, HoldStep::Placed) => {
            let hold = Hold { case: *case, item: *item, stmt: head.stmt, placed: index, released: None };
            state.holds.insert(head.record, hold);
        }
        Act::Hold(_, _, HoldStep::Released(named)) => {
            let is = |record: &Digest, hold: &Hold| StateHead { record: *record, stmt: hold.stmt }.is(*named);
            let hold = state.holds.iter_mut().find(|(record, hold)| is(record, hold));
            if let Some((_, hold)) = hold {
                hold.released = Some(index);
            }
        }
        Act::Disposal(subject, DisposalStep::Proposed(d)) => {
            let proposed = Disposal {
                subject: *subject,
                records: d.records.clone().unwrap_or_default(),
                proposer: statement.actor.person(),
                index,
                approvals: Vec::new(),
                stage: Stage::Proposed,
                kek: None,
                ended: None,
                horizon: None,
            };
            state.disposals.insert(head.record, proposed);
        }
        Act::Disposal(subject, step) => {
            let found = step.proposal().and_then(|proposal| state.disposals.get_mut(proposal));
            let Some(found) = found else { return };
            match step {
                DisposalStep::Approved(d) => {
                    found.approvals.extend(statement.actor.person().map(|person| Approval {
                        person,
                        role: d.role.clone(),
                        key: statement.actor_key,
                        index,
                        exports: d.exports,
                    }));
                }
                DisposalStep::Declined(_) => {
                    found.stage = Stage::Declined;
                    found.ended = Some(index);
                }
                DisposalStep::Completed(_) => found.stage = Stage::Completed,
                DisposalStep::Executed(d) => {
                    found.stage = Stage::Executed;
                    found.kek = d.kek;
                    found.ended = Some(index);
                    found.horizon = d.horizon;
                    if let Subject::Item(case, item) = subject {
                        destroyed(state, *case, *item, head);
                    }
                }
                DisposalStep::Proposed(_) => {}
            }
        }
        Act::Kek(step, d) => {
            let Some(vault) = &mut state.vault else { return };
            let known = vault.keks.entry(d.kek).or_insert(super::Kek { check: d.check, destroyed: None });
            if *step == KekStep::Destroyed {
                known.destroyed = Some(index);
            }
        }
        _ => {}
    }
}

/// An item whose content is gone is in nobody's hands.
fn destroyed(state: &mut State, case: CaseId, item: ItemId, head: StateHead) {
    let Some(found) = state.items.get_mut(&item) else { return };
    found.disposed = true;
    found.reseal = None;
    found.head = head;
    let custodian = found.custodian;
    state.leaves(case, custodian);
}
