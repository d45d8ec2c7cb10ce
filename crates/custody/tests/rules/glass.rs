//! Reading in an emergency: who may, for how long, and who looks at it afterwards.

use custody::act::{AccessBreakGlass, AccessReviewed};
use custody::rules::Review;

use super::*;

const HELPER: u128 = STRANGER;

/// A vault with an item, and somebody outside the case who may break the glass.
fn glass() -> Vault {
    let mut vault = Vault::new();
    let role = RoleChange { role: VaultRole::Investigator }.to_data();
    vault.say(&Statement { person: Some(person(HELPER)), ..vault.session(ADMIN, Kind::RoleGranted, role) });
    vault.register(1, Class::Open, None).unwrap();
    vault.receive(1, 7).unwrap();
    vault
}

fn broken(vault: &Vault, by: u128, expires: &str) -> Statement {
    let data = AccessBreakGlass { expires: expires.parse().unwrap() }.to_data();
    let s = of_item(vault.signed(by, Kind::AccessBreakGlass, data), 1);
    let reason = ("reason".parse().unwrap(), Digest::ZERO);
    Statement { purpose: Some("life-in-danger".parse().unwrap()), fields: [reason].into(), ..s }
}

fn reviewed(vault: &Vault, by: u128, grant: Digest) -> Statement {
    let s = of_item(vault.signed(by, Kind::AccessReviewed, AccessReviewed { grant }.to_data()), 1);
    Statement { fields: [("finding".parse().unwrap(), Digest::ZERO)].into(), ..s }
}

const IN_AN_HOUR: &str = "2026-11-21T13:00:00.000Z";

#[test]
fn whoever_may_not_read_breaks_the_glass_under_their_own_key_with_a_reason_for_an_hour() {
    let mut vault = glass();
    let without = Statement { fields: BTreeMap::new(), ..broken(&vault, HELPER, IN_AN_HOUR) };
    assert!(Act::parse(&without).is_err(), "a reason");
    let on_behalf = Statement {
        actor_key: VAULT_KEY.hash(),
        assurance: Assurance::Session,
        ..broken(&vault, HELPER, IN_AN_HOUR)
    };
    assert!(Act::parse(&on_behalf).is_err(), "an own key");
    for expires in ["2026-11-21T13:00:00.001Z", "2026-11-21T11:59:59.999Z"] {
        assert_eq!(vault.try_say(&broken(&vault, HELPER, expires)), Err(Refusal::EmergencyTooLong));
    }
    assert_eq!(
        vault.try_say(&broken(&vault, READER, IN_AN_HOUR)),
        Err(Refusal::NotPermitted(Right::BreakGlass)),
        "a role in the case is none in the vault"
    );
    assert_eq!(
        vault.try_say(&broken(&vault, ADMIN, IN_AN_HOUR)),
        Err(Refusal::NotPermitted(Right::BreakGlass))
    );
    let role = RoleChange { role: VaultRole::Investigator }.to_data();
    vault.say(&Statement { person: Some(person(ADMIN)), ..vault.session(ADMIN, Kind::RoleGranted, role) });
    assert_eq!(
        vault.try_say(&broken(&vault, ADMIN, IN_AN_HOUR)),
        Err(Refusal::AdministratorApart),
        "whoever runs the vault never reads evidence"
    );
    assert_eq!(vault.try_say(&broken(&vault, LEAD, IN_AN_HOUR)), Err(Refusal::NoEmergency));
    let grant = vault.say(&broken(&vault, HELPER, IN_AN_HOUR));
    assert_eq!(vault.state.grants[&grant].review, Some(Review::Open));
    assert_eq!(vault.state.grants[&grant].person, person(HELPER));
}

#[test]
fn what_is_sealed_to_persons_and_what_is_not_there_no_emergency_opens() {
    let mut vault = glass();
    let sealing = custody::act::Sealing { pairs: vec![[person(LEAD), person(CUSTODIAN)]], recovery: None };
    let item = vault.state.items.get_mut(&item(1)).unwrap();
    (item.class, item.sealing) = (Class::Restricted, Some(sealing));
    assert_eq!(vault.try_say(&broken(&vault, HELPER, IN_AN_HOUR)), Err(Refusal::SealedToPersons));
    let mut vault = glass();
    vault.register(2, Class::Open, None).unwrap();
    let empty = Statement { item: Some(super::item(2)), ..broken(&vault, HELPER, IN_AN_HOUR) };
    assert_eq!(vault.try_say(&empty), Err(Refusal::NoContent));
}

#[test]
fn a_review_stays_open_until_somebody_else_of_the_case_closes_it_once() {
    let mut vault = glass();
    let grant = vault.say(&broken(&vault, HELPER, IN_AN_HOUR));
    let without = Statement { fields: BTreeMap::new(), ..reviewed(&vault, LEAD, grant) };
    assert!(Act::parse(&without).is_err(), "a finding");
    assert_eq!(
        vault.try_say(&reviewed(&vault, READER, grant)),
        Err(Refusal::NotPermitted(Right::ReviewAccess))
    );
    assert_eq!(vault.try_say(&reviewed(&vault, LEAD, Digest::ZERO)), Err(Refusal::NothingToReview));
    vault.register(2, Class::Open, None).unwrap();
    let of_another = Statement { item: Some(item(2)), ..reviewed(&vault, LEAD, grant) };
    assert_eq!(vault.try_say(&of_another), Err(Refusal::NothingToReview));
    // Whoever read has become a lead meanwhile.
    vault.state.members.insert((case(), person(HELPER)), [(CaseRole::Lead, Term::LASTING)].into());
    assert_eq!(vault.try_say(&reviewed(&vault, HELPER, grant)), Err(Refusal::AnotherPerson));
    vault.say(&reviewed(&vault, LEAD, grant));
    assert_eq!(vault.state.grants[&grant].review, Some(Review::Closed));
    assert_eq!(vault.try_say(&reviewed(&vault, LEAD, grant)), Err(Refusal::NothingToReview));
    let expires = IN_AN_HOUR.parse().unwrap();
    let ordinary = AccessGranted { expires, with: None }.to_data();
    let ordinary = of_item(vault.session(LEAD, Kind::AccessGranted, ordinary), 1);
    let ordinary = vault.say(&Statement { purpose: Some("review".parse().unwrap()), ..ordinary });
    assert_eq!(vault.try_say(&reviewed(&vault, LEAD, ordinary)), Err(Refusal::NothingToReview));
}
