//! Values about persons, which two others agree to destroy in roles that they have in the vault.

use custody::act::{
    BundleCompleted, BundleExported, Disclosure, DisposalApproved, DisposalDeclined, DisposalExecuted,
    DisposalProposed, MemberAdded, RoleGranted,
};
use custody::rules::Stage;

use super::*;

const AUDITOR: u128 = CUSTODIAN;
const REGISTRAR: u128 = STRANGER;

fn about(s: Statement) -> Statement {
    Statement { person: Some(person(READER)), ..s }
}

/// A vault with an auditor, and a registrar who is an investigator as well.
fn world() -> Vault {
    let mut vault = Vault::new();
    for (n, role) in [
        (AUDITOR, VaultRole::Auditor),
        (REGISTRAR, VaultRole::Registrar),
        (REGISTRAR, VaultRole::Investigator),
    ] {
        let s = vault.session(ADMIN, Kind::RoleGranted, RoleChange { role }.to_data());
        vault.say(&Statement { person: Some(person(n)), ..s });
    }
    vault
}

fn proposed(vault: &Vault, by: u128) -> Statement {
    let data = DisposalProposed { records: None, retention: None }.to_data();
    let s = vault.signed(by, Kind::DisposalProposed, data);
    about(Statement { purpose: Some("court-order".parse().unwrap()), ..s })
}

fn approved(vault: &Vault, by: u128, role: &str, proposal: Digest) -> Statement {
    let (disclosure, role) = (Disclosure::NonePending, role.parse().unwrap());
    let data = DisposalApproved { disclosure, exports: 0, proposal, role }.to_data();
    about(vault.signed(by, Kind::DisposalApproved, data))
}

fn executed(vault: &Vault, proposal: Digest) -> Statement {
    let data = DisposalExecuted { backups: 0, horizon: None, kek: None, key: None, object: None, proposal };
    about(vault.system(Kind::OpeningErased, data.to_data()))
}

#[test]
fn two_others_agree_in_two_roles_in_the_vault_that_agree_to_it() {
    let mut vault = world();
    assert_eq!(
        vault.try_say(&proposed(&vault, AUDITOR)),
        Err(Refusal::NotPermitted(Right::ProposeErasure)),
        "who looks at records proposes nothing"
    );
    let proposal = vault.say(&proposed(&vault, ADMIN));
    let said = |vault: &Vault, by, role| vault.clone_and_say(&approved(vault, by, role, proposal)).map(drop);
    assert_eq!(said(&vault, LEAD, "lead"), Err(Refusal::NotPermitted(Right::ApproveErasure)));
    assert_eq!(said(&vault, ADMIN, "administrator"), Err(Refusal::AnotherPerson));
    for role in ["auditor", "investigator", "administrator", "lead"] {
        assert_eq!(said(&vault, REGISTRAR, role), Err(Refusal::AnotherRole), "{role}");
    }
    vault.say(&approved(&vault, REGISTRAR, "registrar", proposal));
    assert_eq!(vault.try_say(&executed(&vault, proposal)), Err(Refusal::NotApproved));
    vault.say(&approved(&vault, AUDITOR, "auditor", proposal));
    let ends = |change: &dyn Fn(&mut State)| {
        let mut vault = vault.copy();
        change(&mut vault.state);
        vault.try_say(&executed(&vault, proposal)).map(drop)
    };
    assert_eq!(ends(&|_| ()), Ok(()));
    let lapsed = Err(Refusal::ProposalLapsed);
    assert_eq!(ends(&|state| state.persons.get_mut(&person(AUDITOR)).unwrap().roles.clear()), lapsed);
    assert_eq!(ends(&|state| state.persons.get_mut(&person(REGISTRAR)).unwrap().suspended = Some(1)), lapsed);
    vault.say(&executed(&vault, proposal));
    assert_eq!(vault.state.disposals[&proposal].stage, Stage::Executed);
}

#[test]
fn a_role_that_has_ended_agrees_to_nothing() {
    let mut vault = world();
    let end = "2026-11-21T12:00:00.001Z".parse().unwrap();
    let role = RoleGranted { from: None, role: VaultRole::Auditor, until: Some(end) }.to_data();
    let s = vault.session(ADMIN, Kind::RoleGranted, role);
    vault.say(&Statement { person: Some(person(REGISTRAR)), ..s });
    let proposal = vault.say(&proposed(&vault, ADMIN));
    let s = approved(&vault, REGISTRAR, "auditor", proposal);
    vault.clone_and_say(&s).unwrap();
    assert_eq!(
        vault.try_say(&Statement { actor_time: end, ..s }),
        Err(Refusal::AnotherRole),
        "the other role still lets them speak"
    );
}

#[test]
fn whoever_may_agree_declines_it() {
    let mut vault = world();
    let proposal = vault.say(&proposed(&vault, ADMIN));
    let declined =
        |by| about(vault.signed(by, Kind::DisposalDeclined, DisposalDeclined { proposal }.to_data()));
    assert_eq!(vault.clone_and_say(&declined(LEAD)), Err(Refusal::NotPermitted(Right::ApproveErasure)));
    let s = declined(AUDITOR);
    vault.say(&s);
    assert_eq!(vault.try_say(&approved(&vault, AUDITOR, "auditor", proposal)), Err(Refusal::NoSuchProposal));
}

#[test]
fn who_was_part_of_a_case_whose_defence_waits_for_content_is_not_forgotten_unsaid() {
    let mut vault = world();
    let defence = MemberAdded { from: None, member: person(LEAD), role: CaseRole::Defence, until: None };
    vault.say(&in_case(vault.signed(LEAD, Kind::MemberAdded, defence.to_data())));
    vault.register(1, Class::Open, None).unwrap();
    vault.receive(1, 7).unwrap();
    let proposal = vault.say(&proposed(&vault, ADMIN));
    let s = approved(&vault, AUDITOR, "auditor", proposal);
    assert_eq!(vault.clone_and_say(&s), Err(Refusal::DisclosurePending));
    let data = BundleExported { heads: Digest::ZERO, productions: None, sequences: 1 }.to_data();
    let purpose = Some(custody::act::FOR_DISCLOSURE.parse().unwrap());
    let export = vault.say(&in_case(Statement { purpose, ..vault.signed(LEAD, Kind::BundleExported, data) }));
    let made = BundleCompleted { bundle: Digest::ZERO, export }.to_data();
    vault.say(&vault.system(Kind::BundleCompleted, made));
    // Exports are counted of a case: of a person there are none to know of.
    vault.say(&s);
}
