//! The part of the state that a store loads for a decision, as the footprint names it.

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;

use custody::act::Subject;
use custody::rules::{Case, Footprint, Right, State};
use custody::time::Timestamp;

use super::*;

/// What a store loads for this footprint at `at`.
pub(super) fn part(state: &State, footprint: &Footprint, at: Timestamp) -> State {
    let mut part = State {
        vault: state.vault.clone(),
        orgs: footprint.orgs.iter().copied().filter(|id| state.orgs.contains(id)).collect(),
        persons: pick(&footprint.persons, &state.persons),
        keys: pick(&footprint.keys, &state.keys),
        cases: pick(&footprint.cases, &state.cases),
        members: pick(&footprint.members, &state.members),
        items: pick(&footprint.items, &state.items),
        custody: pick(&footprint.custody, &state.custody),
        grants: pick(&footprint.grants, &state.grants),
        kept_back: state.kept_back.clone(),
        holds: HashMap::new(),
        disposals: pick(&footprint.disposals, &state.disposals),
        productions: pick(&footprint.productions, &state.productions),
        seen: state.seen.iter().filter(|(seen, _)| footprint.seen.contains(seen)).copied().collect(),
        partial: state.partial,
    };
    let originals = footprint.made.iter().filter_map(|id| Some(state.items.get(id)?.derived?.of)).collect();
    part.items.extend(pick(&originals, &state.items));
    let read = footprint.readers.iter().filter_map(|record| state.grants.get(record));
    let readers = read.map(|grant| (state.items[&grant.item].case, grant.person)).collect();
    part.members.extend(pick(&readers, &state.members));
    part.persons.extend(pick(&readers.iter().map(|(_, person)| *person).collect(), &state.persons));
    let offering =
        part.items.values().filter(|item| item.offer.is_some()).map(|item| item.custodian).collect();
    part.persons.extend(pick(&offering, &state.persons));
    let resealing = part.items.values().filter_map(|item| Some((item.case, item.reseal.as_ref()?.by)));
    let resealing: BTreeSet<_> = resealing.collect();
    part.persons.extend(pick(&resealing.iter().map(|(_, person)| *person).collect(), &state.persons));
    part.members.extend(pick(&resealing, &state.members));
    let keys = part.items.values().filter_map(|item| Some(item.reseal.as_ref()?.key)).collect();
    part.keys.extend(pick(&keys, &state.keys));
    around(&mut part, state, footprint);
    approvers(&mut part, state);
    if footprint.vouchers {
        let vouches = |id: &PersonId| state.in_vault(*id, Right::Vouch, at).is_ok();
        part.persons.extend(state.persons.clone().into_iter().filter(|(id, _)| vouches(id)));
        let owned = state.keys.clone().into_iter().filter(|(_, key)| part.persons.contains_key(&key.owner));
        part.keys.extend(owned);
    }
    part
}

/// Holds of cases that are named, and these and the cases themselves of those that a person was ever part of.
fn around(part: &mut State, state: &State, footprint: &Footprint) {
    let cases_of = |persons: &BTreeSet<PersonId>| -> BTreeSet<CaseId> {
        state.members.keys().filter(|(_, person)| persons.contains(person)).map(|(case, _)| *case).collect()
    };
    let held: BTreeSet<_> =
        footprint.holds.iter().copied().chain(cases_of(&footprint.held_persons)).collect();
    part.holds = state.holds.clone().into_iter().filter(|(_, hold)| held.contains(&hold.case)).collect();
    part.cases.extend(pick(&cases_of(&footprint.cases_around), &state.cases));
    let exporting = |case: &Case| case.disclosing.is_some_and(|export| footprint.exports.contains(&export));
    part.cases.extend(state.cases.clone().into_iter().filter(|(_, case)| exporting(case)));
    for ((case, person), roles) in &state.members {
        let under_hold =
            footprint.held_persons.contains(person) && state.holds.values().any(|hold| hold.case == *case);
        if under_hold || footprint.cases_around.contains(person) {
            part.members.insert((*case, *person), roles.clone());
        }
    }
}

/// Whoever approved something that is loaded.
fn approvers(part: &mut State, state: &State) {
    let of_disposals = part.disposals.values().flat_map(|found| {
        let case = match found.subject {
            Subject::Item(case, _) | Subject::Case(case) => Some(case),
            _ => None,
        };
        found.approvals.iter().map(move |given| (case, given.person, given.key))
    });
    let of_productions = part
        .productions
        .values()
        .flat_map(|found| found.approvals.iter().map(|given| (Some(found.case), given.person, given.key)));
    for (case, person, key) in of_disposals.chain(of_productions).collect::<Vec<_>>() {
        part.persons.extend(pick(&[person].into(), &state.persons));
        part.keys.extend(pick(&[key].into(), &state.keys));
        let place = case.map(|case| (case, person));
        part.members.extend(pick(&place.into_iter().collect(), &state.members));
    }
}

fn pick<K: Copy + Ord + Hash, V: Clone>(keys: &BTreeSet<K>, map: &HashMap<K, V>) -> HashMap<K, V> {
    keys.iter().filter_map(|key| Some((*key, map.get(key)?.clone()))).collect()
}

#[test]
fn what_persons_are_in_a_case_is_found_by_these_and_the_case() {
    let vault = Vault::new();
    let at = "2026-11-21T12:00:00.000Z".parse().unwrap();
    let part = part(&vault.state, &Footprint::of_members(case(), [LEAD, STRANGER].map(person)), at);
    let may = |n| part.in_case(case(), person(n), Right::CloseCase, at);
    assert_eq!(may(LEAD), Ok(()));
    assert_eq!(may(STRANGER), Err(Refusal::NotPermitted(Right::CloseCase)));
    assert!(!part.is_member(case(), person(READER), at), "nobody asked for the reader");
}
