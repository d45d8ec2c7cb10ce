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
    about(vault.signed(by, Kind::PersonSuspended, PersonSuspended { suspect_from: None }.to_data()), whom)
}

fn doubt(vault: &Vault, by: u128, whom: u128) -> Statement {
    Statement { data: PersonSuspended { suspect_from: Some(3) }.to_data(), ..suspend(vault, by, whom) }
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
fn it_takes_an_own_key_but_for_oneself() {
    let mut vault = vault();
    let data = PersonSuspended { suspect_from: None }.to_data();
    let by_session =
        |vault: &Vault, by, whom| about(vault.session(by, Kind::PersonSuspended, data.clone()), whom);
    for by in [STRANGER, ADMIN] {
        assert_eq!(vault.try_say(&by_session(&vault, by, READER)), Err(Refusal::WrongAssurance), "by {by}");
    }
    vault.say(&by_session(&vault, READER, READER));
}

#[test]
fn colleagues_suspend_nobody_who_has_a_say_over_keys() {
    let mut vault = vault();
    let registrar = RoleChange { role: VaultRole::Registrar }.to_data();
    vault.say(&about(vault.session(ADMIN, Kind::RoleGranted, registrar), STRANGER));
    let refused = Err(Refusal::NotPermitted(Right::RevokeKeys));
    assert_eq!(vault.try_say(&suspend(&vault, READER, STRANGER)), refused);
    assert_eq!(vault.try_say(&suspend(&vault, READER, ADMIN)), refused);
    vault.say(&suspend(&vault, STRANGER, ADMIN));
}

#[test]
fn doubt_about_others_takes_who_revokes_keys_and_may_come_later() {
    let mut vault = vault();
    assert_eq!(
        vault.try_say(&doubt(&vault, STRANGER, READER)),
        Err(Refusal::NotPermitted(Right::RevokeKeys))
    );
    vault.say(&suspend(&vault, STRANGER, READER));
    let since = vault.state.persons[&person(READER)].suspended;
    assert_eq!(
        vault.try_say(&doubt(&vault, STRANGER, READER)),
        Err(Refusal::NotPermitted(Right::RevokeKeys))
    );
    vault.say(&doubt(&vault, ADMIN, READER));
    assert_eq!(vault.state.persons[&person(READER)].suspended, since);
    vault.say(&doubt(&vault, CUSTODIAN, CUSTODIAN));
}

#[test]
fn what_a_suspended_person_offered_is_taken_by_nobody() {
    let mut vault = vault();
    let registered = vault.register(1, Class::Open, None).unwrap();
    let offer = vault.say(&vault.offer(LEAD, CUSTODIAN, 1, registered));
    vault.say(&suspend(&vault, READER, LEAD));
    let accept = vault.answer(CUSTODIAN, Kind::TransferAccepted, 1, offer, offer);
    assert_eq!(vault.try_say(&accept), Err(Refusal::PersonSuspended));
    vault.say(&restore(&vault, ADMIN, LEAD));
    vault.say(&accept);
}

#[test]
fn nobody_is_suspended_before_somebody_could_restore_them() {
    let mut vault = vault();
    let key = KeyRevoked { key: ADMIN_KEY.hash(), suspect_from: None }.to_data();
    let own = about(vault.session(ADMIN, Kind::KeyRevoked, key), ADMIN);
    assert_eq!(vault.try_say(&own), Err(Refusal::LastOne));
    vault.state.keys.clear();
    let data = PersonSuspended { suspect_from: None }.to_data();
    let oneself = about(vault.session(ADMIN, Kind::PersonSuspended, data), ADMIN);
    assert_eq!(vault.try_say(&oneself), Err(Refusal::LastOne));
}

#[test]
fn nothing_that_a_suspended_person_says_counts_until_somebody_else_restores_them() {
    let mut vault = vault();
    let registered = vault.register(1, Class::Open, None).unwrap();
    vault.say(&suspend(&vault, READER, LEAD));
    let offer = vault.offer(LEAD, CUSTODIAN, 1, registered);
    assert_eq!(vault.try_say(&offer), Err(Refusal::ActorSuspended));
    let session = vault.session(LEAD, Kind::ItemRegistered, {
        ItemRegistered { class: Class::Open, route: "cli".parse().unwrap(), sealing: None, sealed_by: None }
            .to_data()
    });
    assert_eq!(vault.try_say(&of_item(session, 2)), Err(Refusal::ActorSuspended));
    assert_eq!(vault.try_say(&restore(&vault, LEAD, LEAD)), Err(Refusal::ActorSuspended));
    assert!(matches!(vault.try_say(&restore(&vault, CUSTODIAN, LEAD)), Err(Refusal::NotPermitted(_))));
    let on_behalf = about(vault.session(ADMIN, Kind::PersonRestored, Object::new()), LEAD);
    assert!(Act::parse(&on_behalf).is_err(), "it takes an own key");
    vault.say(&restore(&vault, ADMIN, LEAD));
    assert_eq!(vault.try_say(&restore(&vault, ADMIN, LEAD)), Err(Refusal::NotSuspended));
    assert_eq!(vault.try_say(&restore(&vault, ADMIN, 77)), Err(Refusal::Unknown("person")));
    assert_eq!(vault.try_say(&suspend(&vault, ADMIN, 77)), Err(Refusal::Unknown("person")));
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
    assert_eq!(vault.try_say(&suspend(&vault, ADMIN, ADMIN)), Err(Refusal::LastOne));
    let registrar = RoleChange { role: VaultRole::Registrar }.to_data();
    vault.say(&about(vault.session(ADMIN, Kind::RoleGranted, registrar), STRANGER));
    vault.say(&suspend(&vault, STRANGER, ADMIN));
    // A suspended one is none who is left.
    assert_eq!(vault.try_say(&suspend(&vault, STRANGER, STRANGER)), Err(Refusal::LastOne));
    vault.say(&restore(&vault, STRANGER, ADMIN));
}
