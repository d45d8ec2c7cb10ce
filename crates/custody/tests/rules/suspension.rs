//! Persons who are suspended, and who may do it.

use custody::act::PersonSuspended;

use super::*;

/// A second organisation, with one person in it.
const OUTSIDER: u128 = 5;

fn vault() -> Vault {
    let mut vault = Vault::new();
    let other = OrgId::new(Uuid::from_u128(9));
    vault.say(&vault.session(ADMIN, Kind::OrgRegistered, OrgRegistered { org: other }.to_data()));
    let entered = vault.session(ADMIN, Kind::PersonRegistered, PersonRegistered { org: other }.to_data());
    vault.say(&about(entered, OUTSIDER));
    vault.say(&about(vault.signed(ADMIN, Kind::KeyEnrolled, enrolled(key(5))), OUTSIDER));
    vault
}

fn about(s: Statement, n: u128) -> Statement {
    Statement { person: Some(person(n)), ..s }
}

fn suspend(vault: &Vault, by: u128, whom: u128) -> Statement {
    about(vault.session(by, Kind::PersonSuspended, PersonSuspended { suspect_from: None }.to_data()), whom)
}

fn restore(vault: &Vault, by: u128, whom: u128) -> Statement {
    about(vault.signed(by, Kind::PersonRestored, Object::new()), whom)
}

#[test]
fn oneself_a_colleague_or_who_revokes_keys_suspends() {
    for by in [READER, STRANGER, ADMIN] {
        let mut vault = vault();
        vault.say(&suspend(&vault, by, READER));
        assert!(vault.state.is_suspended(person(READER)), "by {by}");
    }
    let mut vault = vault();
    assert_eq!(
        vault.try_say(&suspend(&vault, OUTSIDER, READER)),
        Err(Refusal::NotPermitted(Right::RevokeKeys))
    );
    vault.say(&suspend(&vault, ADMIN, OUTSIDER));
    assert_eq!(vault.try_say(&suspend(&vault, ADMIN, OUTSIDER)), Err(Refusal::PersonSuspended));
}

#[test]
fn nothing_that_a_suspended_person_says_counts_until_somebody_else_restores_them() {
    let mut vault = vault();
    let registered = vault.register(1, Class::Open, None).unwrap();
    vault.say(&suspend(&vault, READER, LEAD));
    let offer = vault.offer(LEAD, CUSTODIAN, 1, registered);
    assert_eq!(vault.try_say(&offer), Err(Refusal::ActorSuspended));
    let session = vault.session(LEAD, Kind::ItemRegistered, {
        ItemRegistered { class: Class::Open, route: "cli".parse().unwrap() }.to_data()
    });
    assert_eq!(vault.try_say(&of_item(session, 2)), Err(Refusal::ActorSuspended));
    assert_eq!(vault.try_say(&restore(&vault, LEAD, LEAD)), Err(Refusal::ActorSuspended));
    assert!(matches!(vault.try_say(&restore(&vault, CUSTODIAN, LEAD)), Err(Refusal::NotPermitted(_))));
    let on_behalf = about(vault.session(ADMIN, Kind::PersonRestored, Object::new()), LEAD);
    assert!(Act::parse(&on_behalf).is_err(), "it takes an own key");
    vault.say(&restore(&vault, ADMIN, LEAD));
    assert_eq!(vault.try_say(&restore(&vault, ADMIN, LEAD)), Err(Refusal::NotSuspended));
    vault.say(&offer);
}

#[test]
fn a_suspended_person_gets_no_key_and_no_item() {
    let mut vault = vault();
    let registered = vault.register(1, Class::Open, None).unwrap();
    vault.say(&suspend(&vault, LEAD, CUSTODIAN));
    let further = about(vault.signed(ADMIN, Kind::KeyEnrolled, enrolled(key(77))), CUSTODIAN);
    assert_eq!(vault.try_say(&further), Err(Refusal::PersonSuspended));
    let offer = vault.offer(LEAD, CUSTODIAN, 1, registered);
    assert_eq!(vault.try_say(&offer), Err(Refusal::PersonSuspended));
    vault.say(&restore(&vault, ADMIN, CUSTODIAN));
    vault.say(&further);
    vault.say(&offer);
}

#[test]
fn the_last_one_who_can_vouch_is_not_suspended() {
    let mut vault = vault();
    assert_eq!(vault.try_say(&suspend(&vault, LEAD, ADMIN)), Err(Refusal::LastOne));
    let registrar = RoleChange { role: VaultRole::Registrar }.to_data();
    vault.say(&about(vault.session(ADMIN, Kind::RoleGranted, registrar), STRANGER));
    vault.say(&suspend(&vault, LEAD, ADMIN));
    // A suspended one is none who is left.
    assert_eq!(vault.try_say(&suspend(&vault, LEAD, STRANGER)), Err(Refusal::LastOne));
    vault.say(&restore(&vault, STRANGER, ADMIN));
}
