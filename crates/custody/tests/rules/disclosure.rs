//! What the defence must have before anything is destroyed.

use custody::act::{BundleCompleted, BundleExported, Disclosure, DisposalApproved, MemberAdded, Subject};
use custody::time::Timestamp;

use super::disposal::{propose, world};
use super::*;

/// A world in which the vault holds content.
fn stored() -> Vault {
    let mut vault = world();
    vault.register(2, Class::Open, None).unwrap();
    vault.receive(2, 9).unwrap();
    vault
}

/// The lead's approval, knowing of so many exports.
fn answer(vault: &Vault, proposal: Digest, exports: u64, disclosure: Disclosure) -> Result<Digest, Refusal> {
    let data = DisposalApproved { disclosure, exports, proposal, role: "lead".parse().unwrap() };
    vault.clone_and_say(&of_item(vault.signed(LEAD, Kind::DisposalApproved, data.to_data()), 1))
}

fn none_pending(vault: &Vault, proposal: Digest, exports: u64) -> Result<Digest, Refusal> {
    answer(vault, proposal, exports, Disclosure::NonePending)
}

/// Says that a bundle is exported.
fn export(vault: &mut Vault, purpose: &str) -> Digest {
    let data = BundleExported { heads: Digest::ZERO, productions: None, sequences: 1 };
    let s = vault.signed(LEAD, Kind::BundleExported, data.to_data());
    vault.say(&Statement { case: Some(case()), purpose: Some(purpose.parse().unwrap()), ..s })
}

fn complete_export(vault: &mut Vault, export: Digest) {
    let data = BundleCompleted { bundle: Digest::ZERO, export }.to_data();
    let completed = vault.system(Kind::BundleCompleted, data);
    let mut footprint = Footprint::default();
    footprint.add(&completed, &Act::parse(&completed).unwrap());
    assert!(footprint.exports.contains(&export), "a store finds the case by it");
    vault.say(&completed);
}

fn defends(vault: &Vault, kind: Kind) -> Statement {
    let (member, role) = (person(READER), CaseRole::Defence);
    in_case(vault.signed(LEAD, kind, MemberChange { member, role }.to_data()))
}

/// Which cases owe the defence something of the first item.
fn owed(vault: &Vault) -> Vec<CaseId> {
    custody::rules::undisclosed(&vault.state, Subject::Item(case(), item(1)))
}

#[test]
fn what_the_defence_has_not_got_is_not_passed_over() {
    let mut vault = stored();
    let proposal = vault.say(&propose(&vault, CUSTODIAN));
    assert!(owed(&vault).is_empty(), "nobody defends");
    none_pending(&vault, proposal, 0).unwrap();
    vault.say(&defends(&vault, Kind::MemberAdded));
    assert_eq!(owed(&vault), [case()]);
    let pending = Err(Refusal::DisclosurePending);
    assert_eq!(none_pending(&vault, proposal, 0), pending);
    answer(&vault, proposal, 0, Disclosure::MadeOtherwise).unwrap();
    let for_court = export(&mut vault, "court");
    complete_export(&mut vault, for_court);
    assert_eq!(none_pending(&vault, proposal, 1), pending, "not for the defence");
    let for_defence = export(&mut vault, custody::act::FOR_DISCLOSURE);
    assert_eq!(none_pending(&vault, proposal, 2), pending, "not completed");
    complete_export(&mut vault, for_defence);
    assert!(owed(&vault).is_empty());
    none_pending(&vault, proposal, 2).unwrap();
    vault.register(3, Class::Open, None).unwrap();
    vault.receive(3, 9).unwrap();
    assert_eq!(none_pending(&vault, proposal, 2), pending, "more came since");

    // Values about somebody who was ever part of such a case.
    let of_person = |whom| custody::rules::undisclosed(&vault.state, Subject::Person(person(whom)));
    assert_eq!((of_person(CUSTODIAN), of_person(ADMIN)), (vec![case()], vec![]));
}

#[test]
fn what_is_owed_to_the_defence_stays_owed_when_it_is_removed() {
    let mut vault = stored();
    vault.say(&defends(&vault, Kind::MemberAdded));
    vault.say(&defends(&vault, Kind::MemberRemoved));
    assert_eq!(owed(&vault), [case()], "whoever is to defend next must have it");
    let proposal = vault.say(&propose(&vault, CUSTODIAN));
    assert_eq!(none_pending(&vault, proposal, 0), Err(Refusal::DisclosurePending));
    let for_defence = export(&mut vault, custody::act::FOR_DISCLOSURE);
    complete_export(&mut vault, for_defence);
    assert!(owed(&vault).is_empty());

    // Another role that ended is no defence.
    let mut vault = stored();
    let (member, role) = (person(READER), CaseRole::Court);
    let court =
        |vault: &Vault, kind| in_case(vault.signed(LEAD, kind, MemberChange { member, role }.to_data()));
    vault.say(&court(&vault, Kind::MemberAdded));
    vault.say(&court(&vault, Kind::MemberRemoved));
    assert!(owed(&vault).is_empty());
}

#[test]
fn an_export_discloses_what_was_there_when_it_began_and_only_once_completed() {
    let mut vault = stored();
    vault.say(&defends(&vault, Kind::MemberAdded));
    let before = export(&mut vault, custody::act::FOR_DISCLOSURE);
    vault.register(3, Class::Open, None).unwrap();
    vault.receive(3, 9).unwrap();
    complete_export(&mut vault, before);
    assert_eq!(owed(&vault), [case()], "content came while it was made");
    let given_up = export(&mut vault, custody::act::FOR_DISCLOSURE);
    let again = export(&mut vault, custody::act::FOR_DISCLOSURE);
    export(&mut vault, "court");
    complete_export(&mut vault, Digest::ZERO);
    assert_eq!(owed(&vault), [case()]);
    complete_export(&mut vault, again);
    assert!(owed(&vault).is_empty());
    complete_export(&mut vault, given_up);
    export(&mut vault, custody::act::FOR_DISCLOSURE);
    assert!(owed(&vault).is_empty(), "one more takes nothing back");
    assert_eq!(vault.state.cases[&case()].disclosing, None, "nothing is waited for where nothing is owed");
}

#[test]
fn restricted_content_is_in_no_bundle_for_the_defence() {
    let mut vault = stored();
    vault.say(&defends(&vault, Kind::MemberAdded));
    let for_defence = export(&mut vault, custody::act::FOR_DISCLOSURE);
    complete_export(&mut vault, for_defence);
    assert!(owed(&vault).is_empty());
    let content = vault.state.items[&item(2)].stored;
    let of_first = |vault: &mut Vault, class, stored| {
        let first = vault.state.items.get_mut(&item(1)).unwrap();
        (first.class, first.stored) = (class, stored);
    };
    of_first(&mut vault, Class::Confidential, content);
    assert!(owed(&vault).is_empty());
    of_first(&mut vault, Class::Restricted, content);
    assert_eq!(owed(&vault), [case()]);
    let values = custody::rules::undisclosed(&vault.state, Subject::Case(case()));
    assert!(values.is_empty(), "a bundle has the values of records, whatever its items are");
    let proposal = vault.say(&propose(&vault, CUSTODIAN));
    assert_eq!(none_pending(&vault, proposal, 1), Err(Refusal::DisclosurePending));
    of_first(&mut vault, Class::Restricted, None);
    assert!(owed(&vault).is_empty(), "of what the vault does not hold, nothing is lost");
}

#[test]
fn whoever_is_to_defend_is_owed_it_before_their_time_and_after_it_and_in_their_own_case() {
    let minute =
        |n: i64| "2026-11-21T12:00:00.000Z".parse::<Timestamp>().unwrap().saturating_add_millis(n * 60_000);
    for (from, until) in [(None, None), (Some(minute(60)), None), (None, Some(minute(1)))] {
        let mut vault = stored();
        let added = MemberAdded { from, member: person(READER), role: CaseRole::Defence, until };
        vault.say(&in_case(vault.signed(LEAD, Kind::MemberAdded, added.to_data())));
        vault.state.members.remove(&(case(), person(READER)));
        assert_eq!(owed(&vault), [case()], "{from:?} {until:?}");
        let elsewhere = CaseId::new(Uuid::from_u128(77));
        let found = vault.state.cases[&case()].clone();
        vault.state.cases.insert(elsewhere, found);
        vault.state.cases.get_mut(&case()).unwrap().defended = false;
        assert!(owed(&vault).is_empty(), "of another case");
    }
}
