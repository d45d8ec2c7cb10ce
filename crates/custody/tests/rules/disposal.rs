//! Holds, and destroying what two persons have agreed to.

use custody::act::{
    Disclosure, DisposalApproved, DisposalCompleted, DisposalDeclined, DisposalExecuted, DisposalProposed,
    HoldReleased, KekChanged, MemberAdded, Subject,
};
use custody::rules::{Hold, Stage};

use super::*;

/// A further member: a prosecutor.
const PROSECUTOR: u128 = STRANGER;

pub(super) fn world() -> Vault {
    let mut vault = Vault::new();
    let added =
        MemberAdded { member: person(PROSECUTOR), role: CaseRole::Prosecutor, from: None, until: None };
    let s = vault.signed(LEAD, Kind::MemberAdded, added.to_data());
    vault.say(&Statement { case: Some(case()), ..s });
    vault.register(1, Class::HashOnly, Some(content(7, CheckedBy::Oneself))).unwrap();
    vault
}

fn why(s: Statement, field: &str) -> Statement {
    let fields = [(field.parse().unwrap(), Digest::new([8; 32]))].into();
    Statement { fields, purpose: Some("pending-trial".parse().unwrap()), ..s }
}

fn hold(vault: &Vault, by: u128, on: Option<u128>) -> Statement {
    let s = vault.signed(by, Kind::HoldPlaced, Object::new());
    why(Statement { case: Some(case()), item: on.map(item), ..s }, "authority")
}

fn release(vault: &Vault, by: u128, on: Option<u128>, hold: Digest) -> Statement {
    let s = vault.signed(by, Kind::HoldReleased, HoldReleased { hold: Seen::Record(hold) }.to_data());
    why(Statement { case: Some(case()), item: on.map(item), ..s }, "authority")
}

pub(super) fn propose(vault: &Vault, by: u128) -> Statement {
    let s = vault.signed(
        by,
        Kind::DisposalProposed,
        DisposalProposed { records: None, retention: None }.to_data(),
    );
    Statement { purpose: Some("court-order".parse().unwrap()), ..of_item(s, 1) }
}

fn approve(vault: &Vault, by: u128, role: &str, proposal: Digest) -> Statement {
    let data = DisposalApproved {
        disclosure: Disclosure::NonePending,
        exports: 0,
        proposal,
        role: role.parse().unwrap(),
    };
    of_item(vault.signed(by, Kind::DisposalApproved, data.to_data()), 1)
}

fn execute(vault: &Vault, proposal: Digest) -> Statement {
    let data =
        DisposalExecuted { backups: 0, horizon: None, kek: Some(1), key: None, object: None, proposal };
    of_item(vault.system(Kind::DisposalExecuted, data.to_data()), 1)
}

fn complete(vault: &Vault, proposal: Digest) -> Statement {
    of_item(vault.system(Kind::DisposalCompleted, DisposalCompleted { proposal }.to_data()), 1)
}

fn kek(vault: &Vault, kind: Kind, kek: u32) -> Statement {
    vault.system(kind, KekChanged { check: Digest::new([kek.to_be_bytes()[3]; 32]), kek }.to_data())
}

#[test]
fn a_hold_says_on_whose_authority_and_only_who_may_place_it_places_it() {
    let mut vault = world();
    let without = Statement { fields: BTreeMap::new(), ..hold(&vault, LEAD, None) };
    assert!(Act::parse(&without).is_err());
    assert!(matches!(
        vault.try_say(&hold(&vault, READER, None)),
        Err(Refusal::NotPermitted(Right::PlaceHold))
    ));
    let placed = vault.say(&hold(&vault, CUSTODIAN, Some(1)));
    assert!(matches!(
        vault.try_say(&release(&vault, CUSTODIAN, Some(1), placed)),
        Err(Refusal::NotPermitted(Right::ReleaseHold))
    ));
    assert_eq!(
        vault.try_say(&release(&vault, LEAD, None, placed)),
        Err(Refusal::NoSuchHold),
        "another thing"
    );
    assert_eq!(
        vault.try_say(&release(&vault, LEAD, Some(1), Digest::ZERO)),
        Err(Refusal::NoSuchHold),
        "a hold that was never placed"
    );
    vault.say(&release(&vault, PROSECUTOR, Some(1), placed));
    assert_eq!(vault.try_say(&release(&vault, LEAD, Some(1), placed)), Err(Refusal::NoSuchHold), "twice");
    let Hold { released, .. } = vault.state.holds[&placed];
    assert!(released.is_some());
}

/// After so many steps towards destroying item 1; the next one.
fn on_the_way(steps: usize) -> (Vault, Statement) {
    let mut vault = world();
    let mut proposal = Digest::ZERO;
    for step in 0.. {
        let next = match step {
            0 => propose(&vault, CUSTODIAN),
            1 => approve(&vault, LEAD, "lead", proposal),
            2 => approve(&vault, PROSECUTOR, "prosecutor", proposal),
            _ => execute(&vault, proposal),
        };
        if step == steps {
            return (vault, next);
        }
        let said = vault.say(&next);
        proposal = if step == 0 { said } else { proposal };
    }
    unreachable!("every number of steps is reached")
}

#[test]
fn a_hold_stops_a_disposal_at_each_step_and_what_was_agreed_lapses() {
    for on in [None, Some(1)] {
        for steps in 0..=3 {
            let (mut vault, next) = on_the_way(steps);
            let placed = vault.say(&hold(&vault, LEAD, on));
            assert_eq!(vault.try_say(&next), Err(Refusal::Held), "step {steps}");
            vault.say(&release(&vault, LEAD, on, placed));
            let lapsed = if steps == 0 { Ok(()) } else { Err(Refusal::ProposalLapsed) };
            assert_eq!(vault.try_say(&next).map(drop), lapsed, "step {steps}");
            assert!(!vault.state.items[&item(1)].disposed);
        }
    }
}

#[test]
fn two_others_in_two_roles_agree_and_nobody_else_destroys() {
    let mut vault = world();
    assert!(matches!(vault.try_say(&propose(&vault, READER)), Err(Refusal::NotPermitted(_))));
    let proposal = vault.say(&propose(&vault, LEAD));
    assert_eq!(vault.try_say(&execute(&vault, proposal)), Err(Refusal::NotApproved));
    let by_session = vault.session(
        CUSTODIAN,
        Kind::DisposalApproved,
        approve(&vault, CUSTODIAN, "custodian", proposal).data,
    );
    assert!(Act::parse(&of_item(by_session, 1)).is_err(), "an approval takes a key of one's own");
    assert_eq!(
        vault.try_say(&approve(&vault, LEAD, "lead", proposal)),
        Err(Refusal::AnotherPerson),
        "the proposer"
    );
    assert_eq!(
        vault.try_say(&approve(&vault, CUSTODIAN, "lead", proposal)),
        Err(Refusal::AnotherRole),
        "not theirs"
    );
    assert!(matches!(
        vault.try_say(&approve(&vault, READER, "reader", proposal)),
        Err(Refusal::NotPermitted(_))
    ));
    let reads = MemberAdded { member: person(CUSTODIAN), role: CaseRole::Reader, from: None, until: None };
    vault.say(&in_case(vault.signed(LEAD, Kind::MemberAdded, reads.to_data())));
    assert_eq!(
        vault.try_say(&approve(&vault, CUSTODIAN, "reader", proposal)),
        Err(Refusal::AnotherRole),
        "one that agrees to nothing"
    );
    vault.say(&approve(&vault, CUSTODIAN, "custodian", proposal));
    assert_eq!(vault.try_say(&execute(&vault, proposal)), Err(Refusal::NotApproved));
    assert_eq!(
        vault.try_say(&approve(&vault, CUSTODIAN, "custodian", proposal)),
        Err(Refusal::AnotherPerson),
        "twice"
    );
    let also = MemberAdded { member: person(PROSECUTOR), role: CaseRole::Custodian, from: None, until: None };
    let s = vault.signed(LEAD, Kind::MemberAdded, also.to_data());
    vault.say(&Statement { case: Some(case()), ..s });
    assert_eq!(
        vault.try_say(&approve(&vault, PROSECUTOR, "custodian", proposal)),
        Err(Refusal::AnotherRole),
        "the same role"
    );
    let mut shown = DisposalApproved {
        disclosure: Disclosure::NonePending,
        exports: 1,
        proposal,
        role: "prosecutor".parse().unwrap(),
    };
    let s = of_item(vault.signed(PROSECUTOR, Kind::DisposalApproved, shown.to_data()), 1);
    assert_eq!(vault.try_say(&s), Err(Refusal::ExportsChanged));
    shown.exports = 0;
    vault.say(&approve(&vault, PROSECUTOR, "prosecutor", proposal));
    let court = MemberAdded { member: person(READER), role: CaseRole::Court, from: None, until: None };
    vault.say(&in_case(vault.signed(LEAD, Kind::MemberAdded, court.to_data())));
    let third = approve(&vault, READER, "court", proposal);
    assert_eq!(vault.clone_and_say(&third), Err(Refusal::NoSuchProposal), "two are enough");
    vault.say(&execute(&vault, proposal));
    let found = &vault.state.disposals[&proposal];
    assert_eq!((found.stage, found.approvals.len()), (Stage::Executed, 2));
    assert_eq!(vault.try_say(&execute(&vault, proposal)), Err(Refusal::NoSuchProposal), "once");
}

#[test]
fn what_is_destroyed_changes_hands_no_more_and_is_final_only_without_keys() {
    let mut vault = world();
    let proposal = vault.say(&propose(&vault, CUSTODIAN));
    vault.say(&approve(&vault, LEAD, "lead", proposal));
    vault.say(&approve(&vault, PROSECUTOR, "prosecutor", proposal));
    assert_eq!(vault.try_say(&complete(&vault, proposal)), Err(Refusal::NoSuchProposal), "not before");
    let head = vault.say(&execute(&vault, proposal));
    assert_eq!(vault.state.items[&item(1)].head.record, head);
    assert!(!vault.state.custody.contains_key(&(case(), person(LEAD))), "in nobody's hands");
    assert_eq!(vault.try_say(&vault.offer(LEAD, CUSTODIAN, 1, head)), Err(Refusal::Disposed));
    assert_eq!(vault.try_say(&propose(&vault, CUSTODIAN)), Err(Refusal::Disposed));

    assert_eq!(vault.try_say(&complete(&vault, proposal)), Err(Refusal::KeysRemain));
    assert_eq!(vault.try_say(&kek(&vault, Kind::KekDestroyed, 1)), Err(Refusal::KekOrder), "in use");
    assert_eq!(vault.try_say(&kek(&vault, Kind::KekRotated, 3)), Err(Refusal::KekOrder), "a gap");
    vault.say(&kek(&vault, Kind::KekRotated, 2));
    assert_eq!(vault.try_say(&complete(&vault, proposal)), Err(Refusal::KeysRemain));
    vault.say(&kek(&vault, Kind::KekDestroyed, 1));
    assert_eq!(vault.try_say(&kek(&vault, Kind::KekDestroyed, 1)), Err(Refusal::KekOrder), "twice");
    vault.say(&complete(&vault, proposal));
    assert_eq!(vault.state.disposals[&proposal].stage, Stage::Completed);
    assert_eq!(vault.state.vault.as_ref().unwrap().kek(), 2);
}

#[test]
fn what_is_offered_to_somebody_is_not_destroyed_meanwhile() {
    for steps in 0..=3 {
        let (mut vault, next) = on_the_way(steps);
        let head = vault.state.items[&item(1)].head.record;
        let offer = vault.say(&vault.offer(LEAD, CUSTODIAN, 1, head));
        assert_eq!(vault.try_say(&next), Err(Refusal::OfferPending), "step {steps}");
        vault.say(&vault.answer(CUSTODIAN, Kind::TransferDeclined, 1, offer, offer));
        vault.say(&next);
    }
}

#[test]
fn what_was_agreed_of_one_thing_destroys_no_other() {
    let mut vault = world();
    vault.register(2, Class::HashOnly, Some(content(8, CheckedBy::Oneself))).unwrap();
    let proposal = vault.say(&propose(&vault, CUSTODIAN));
    let other = |s: Statement| Statement { item: Some(item(2)), ..s };
    let of_case = |s: Statement| Statement { item: None, ..s };
    let decline = |vault: &Vault| {
        of_item(vault.signed(LEAD, Kind::DisposalDeclined, DisposalDeclined { proposal }.to_data()), 1)
    };
    for s in [approve(&vault, LEAD, "lead", proposal), decline(&vault)] {
        assert_eq!(vault.clone_and_say(&other(s.clone())), Err(Refusal::NoSuchProposal), "{}", s.kind);
        assert_eq!(vault.clone_and_say(&of_case(s.clone())), Err(Refusal::NoSuchProposal), "{}", s.kind);
        vault.clone_and_say(&s).unwrap();
    }
    vault.say(&approve(&vault, LEAD, "lead", proposal));
    vault.say(&approve(&vault, PROSECUTOR, "prosecutor", proposal));
    assert_eq!(vault.clone_and_say(&other(execute(&vault, proposal))), Err(Refusal::NoSuchProposal));
    vault.say(&execute(&vault, proposal));
    vault.say(&kek(&vault, Kind::KekRotated, 2));
    vault.say(&kek(&vault, Kind::KekDestroyed, 1));
    assert_eq!(vault.clone_and_say(&other(complete(&vault, proposal))), Err(Refusal::NoSuchProposal));
    vault.say(&complete(&vault, proposal));
}

#[test]
fn it_is_final_once_every_key_is_destroyed_that_wrapped_it() {
    let mut vault = world();
    vault.say(&kek(&vault, Kind::KekRotated, 2));
    vault.say(&kek(&vault, Kind::KekRotated, 3));
    let proposal = agreed(&mut vault);
    let horizon = Some("2026-12-21T12:00:00.000Z".parse().unwrap());
    let data = DisposalExecuted { backups: 1, horizon, kek: Some(2), key: None, object: None, proposal };
    vault.say(&of_item(vault.system(Kind::DisposalExecuted, data.to_data()), 1));
    let found = &vault.state.disposals[&proposal];
    assert_eq!((found.ended, found.horizon), (Some(vault.records.into()), horizon));
    for first in [1, 2] {
        let mut vault = vault.copy();
        vault.say(&kek(&vault, Kind::KekDestroyed, first));
        assert_eq!(vault.try_say(&complete(&vault, proposal)), Err(Refusal::KeysRemain), "only {first}");
        vault.say(&kek(&vault, Kind::KekDestroyed, 3 - first));
        vault.say(&complete(&vault, proposal));
    }
}

#[test]
fn a_proposal_is_declined_once_and_goes_no_further() {
    let mut vault = world();
    let proposal = vault.say(&propose(&vault, CUSTODIAN));
    let decline = |vault: &Vault, by| {
        of_item(vault.signed(by, Kind::DisposalDeclined, DisposalDeclined { proposal }.to_data()), 1)
    };
    assert!(matches!(vault.try_say(&decline(&vault, READER)), Err(Refusal::NotPermitted(_))));
    vault.say(&decline(&vault, PROSECUTOR));
    let found = &vault.state.disposals[&proposal];
    assert_eq!((found.stage, found.ended), (Stage::Declined, Some(u64::from(vault.records))));
    assert_eq!(vault.try_say(&approve(&vault, LEAD, "lead", proposal)), Err(Refusal::NoSuchProposal));
    assert_eq!(vault.try_say(&decline(&vault, CUSTODIAN)), Err(Refusal::NoSuchProposal));
}

#[test]
fn the_vault_proposes_only_what_was_kept_long_enough_in_closed_cases() {
    let mut vault = world();
    let by_vault = |vault: &Vault, purpose: &str, retention| {
        let s = vault.system(Kind::DisposalProposed, DisposalProposed { records: None, retention }.to_data());
        Statement { purpose: Some(purpose.parse().unwrap()), ..of_item(s, 1) }
    };
    let elapsed = custody::rules::RETENTION_ELAPSED;
    assert_eq!(vault.try_say(&by_vault(&vault, elapsed, Some(30))), Err(Refusal::CaseState("open")));
    let close = vault.signed(LEAD, Kind::CaseClosed, Object::new());
    vault.say(&Statement { case: Some(case()), ..close });
    for (purpose, retention) in [("court-order", Some(30)), (elapsed, None)] {
        assert_eq!(
            vault.try_say(&by_vault(&vault, purpose, retention)),
            Err(Refusal::WrongAssurance),
            "{purpose}"
        );
    }
    let s = vault.signed(
        LEAD,
        Kind::DisposalProposed,
        DisposalProposed { records: None, retention: Some(30) }.to_data(),
    );
    let by_person = Statement { purpose: Some(elapsed.parse().unwrap()), ..of_item(s, 1) };
    assert_eq!(vault.try_say(&by_person), Err(Refusal::WrongAssurance), "the vault's own words");
    let placed = vault.say(&hold(&vault, LEAD, None));
    assert_eq!(vault.try_say(&by_vault(&vault, elapsed, Some(30))), Err(Refusal::Held));
    vault.say(&release(&vault, LEAD, None, placed));
    let proposal = vault.say(&by_vault(&vault, elapsed, Some(30)));
    assert_eq!(vault.state.disposals[&proposal].proposer, None);
    // Nobody is spared an approver because the vault asked.
    vault.say(&approve(&vault, LEAD, "lead", proposal));
    assert_eq!(vault.try_say(&execute(&vault, proposal)), Err(Refusal::NotApproved));
    vault.say(&approve(&vault, PROSECUTOR, "prosecutor", proposal));
    vault.clone_and_say(&execute(&vault, proposal)).unwrap();

    // It stands on the case being closed; what persons propose does not.
    let by_person = vault.say(&propose(&vault, CUSTODIAN));
    let turn = |vault: &mut Vault, kind| {
        let turned = vault.signed(LEAD, kind, Object::new());
        vault.say(&Statement { case: Some(case()), ..turned });
    };
    turn(&mut vault, Kind::CaseReopened);
    assert_eq!(vault.try_say(&execute(&vault, proposal)), Err(Refusal::ProposalLapsed));
    turn(&mut vault, Kind::CaseClosed);
    assert_eq!(vault.try_say(&execute(&vault, proposal)), Err(Refusal::ProposalLapsed));
    vault.say(&approve(&vault, LEAD, "lead", by_person));
    let now = propose(&vault, CUSTODIAN).actor_time;
    let lapsed = |vault: &Vault, of: &Digest| {
        custody::rules::has_lapsed(&vault.state, &vault.state.disposals[of], now)
    };
    assert_eq!((lapsed(&vault, &proposal), lapsed(&vault, &by_person)), (true, false));
    let anew = vault.say(&by_vault(&vault, elapsed, Some(30)));
    assert!(!lapsed(&vault, &anew));
    let placed = vault.say(&hold(&vault, LEAD, None));
    assert!(!lapsed(&vault, &anew), "it waits");
    vault.say(&release(&vault, LEAD, None, placed));
    assert!(lapsed(&vault, &anew) && lapsed(&vault, &by_person));
}

#[test]
fn values_about_a_person_stay_while_a_case_of_theirs_is_under_a_hold() {
    let mut vault = world();
    let placed = vault.say(&hold(&vault, LEAD, Some(1)));
    let about = |vault: &Vault, whom| {
        let s = vault.signed(
            ADMIN,
            Kind::DisposalProposed,
            DisposalProposed { records: None, retention: None }.to_data(),
        );
        Statement { person: Some(person(whom)), purpose: Some("court-order".parse().unwrap()), ..s }
    };
    assert_eq!(vault.try_say(&about(&vault, READER)), Err(Refusal::Held));
    vault.say(&release(&vault, LEAD, Some(1), placed));
    let proposal = vault.say(&about(&vault, READER));
    assert_eq!(vault.state.disposals[&proposal].subject, Subject::Person(person(READER)));
    let mixed = Statement { case: Some(case()), ..about(&vault, READER) };
    assert!(Act::parse(&mixed).is_err(), "of one thing at a time");
}

/// Agreed to by the lead and the prosecutor.
fn agreed(vault: &mut Vault) -> Digest {
    let proposal = vault.say(&propose(vault, CUSTODIAN));
    vault.say(&approve(vault, LEAD, "lead", proposal));
    vault.say(&approve(vault, PROSECUTOR, "prosecutor", proposal));
    proposal
}

#[test]
fn an_approval_counts_no_more_once_its_approver_does_not() {
    type Happens = fn(&mut Vault);
    let happens: [(&str, Happens); 5] = [
        ("somebody else's key", |vault| {
            let key = key(u8::try_from(READER).unwrap()).hash();
            vault.state.disposals.values_mut().for_each(|found| found.approvals[0].key = key);
        }),
        ("suspended", |vault| {
            vault.state.persons.get_mut(&person(LEAD)).unwrap().suspended = Some(99);
        }),
        ("the key was stolen before", |vault| {
            let by =
                vault.state.disposals.values().flat_map(|found| &found.approvals).next().unwrap().clone();
            let key = vault.state.keys.get_mut(&by.key).unwrap();
            (key.revoked, key.suspect_from) = (Some(99), Some(by.index));
        }),
        ("the role is gone", |vault| {
            vault.state.members.get_mut(&(case(), person(LEAD))).unwrap().clear();
        }),
        ("a bundle was exported", |vault| vault.state.cases.get_mut(&case()).unwrap().exports += 1),
    ];
    for (what, happens) in happens {
        let mut vault = world();
        let proposal = agreed(&mut vault);
        happens(&mut vault);
        assert_eq!(vault.try_say(&execute(&vault, proposal)), Err(Refusal::ProposalLapsed), "{what}");

        let mut vault = world();
        let proposal = vault.say(&propose(&vault, CUSTODIAN));
        vault.say(&approve(&vault, LEAD, "lead", proposal));
        happens(&mut vault);
        let mut second = approve(&vault, PROSECUTOR, "prosecutor", proposal);
        if vault.state.cases[&case()].exports > 0 {
            let data = DisposalApproved {
                disclosure: Disclosure::NonePending,
                exports: 1,
                proposal,
                role: "prosecutor".parse().unwrap(),
            };
            second = of_item(vault.signed(PROSECUTOR, Kind::DisposalApproved, data.to_data()), 1);
        }
        assert_eq!(vault.try_say(&second), Err(Refusal::ProposalLapsed), "{what}, at the second approval");
    }
    let mut vault = world();
    let proposal = agreed(&mut vault);
    let by = vault.state.disposals[&proposal].approvals[0].clone();
    let key = vault.state.keys.get_mut(&by.key).unwrap();
    (key.revoked, key.suspect_from) = (Some(99), Some(by.index + 1));
    vault.say(&execute(&vault, proposal));
}
