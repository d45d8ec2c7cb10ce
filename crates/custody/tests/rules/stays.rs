//! What nobody may take away, because something would be stuck for ever.

use super::*;

impl Vault {
    fn leaves(&mut self, n: u128, role: CaseRole) -> Result<Digest, Refusal> {
        let member = MemberChange { member: person(n), role }.to_data();
        self.try_say(&in_case(self.signed(LEAD, Kind::MemberRemoved, member)))
    }

    fn joins(&mut self, n: u128, role: CaseRole) {
        let member = MemberChange { member: person(n), role }.to_data();
        self.say(&in_case(self.signed(LEAD, Kind::MemberAdded, member)));
    }

    fn change_role(&mut self, n: u128, kind: Kind, role: VaultRole) -> Result<Digest, Refusal> {
        let s = self.session(ADMIN, kind, RoleChange { role }.to_data());
        self.try_say(&Statement { person: Some(person(n)), ..s })
    }

    fn revoke(&mut self, n: u128, by: u128) -> Result<Digest, Refusal> {
        let key = if n == ADMIN { ADMIN_KEY } else { key(u8::try_from(n).unwrap()) };
        let s =
            self.session(by, Kind::KeyRevoked, KeyRevoked { key: key.hash(), suspect_from: None }.to_data());
        self.try_say(&Statement { person: Some(person(n)), ..s })
    }
}

#[test]
fn a_member_who_holds_items_or_is_offered_some_keeps_the_role_to_hand_them_over() {
    let mut vault = Vault::new();
    let registered = vault.register(1, Class::Open, None).unwrap();
    let offer = vault.say(&vault.offer(LEAD, CUSTODIAN, 1, registered));
    assert_eq!(vault.leaves(CUSTODIAN, CaseRole::Custodian), Err(Refusal::HoldsCustody), "offered");
    let declined = vault.say(&vault.answer(CUSTODIAN, Kind::TransferDeclined, 1, offer, offer));
    let mut without = Vault { state: vault.state.clone(), records: vault.records };
    without.leaves(CUSTODIAN, CaseRole::Custodian).unwrap();

    let offer = vault.say(&vault.offer(LEAD, CUSTODIAN, 1, declined));
    let accepted = vault.say(&vault.answer(CUSTODIAN, Kind::TransferAccepted, 1, offer, offer));
    assert_eq!(vault.leaves(CUSTODIAN, CaseRole::Custodian), Err(Refusal::HoldsCustody), "holds");
    let back = vault.say(&vault.offer(CUSTODIAN, LEAD, 1, accepted));
    assert_eq!(vault.leaves(CUSTODIAN, CaseRole::Custodian), Err(Refusal::HoldsCustody), "has offered");
    vault.say(&vault.answer(LEAD, Kind::TransferAccepted, 1, back, back));
    vault.leaves(CUSTODIAN, CaseRole::Custodian).unwrap();
}

#[test]
fn nobody_is_removed_as_what_they_are_not() {
    let mut vault = Vault::new();
    let has_none = Err(Refusal::Role("does not have"));
    assert_eq!(vault.leaves(CUSTODIAN, CaseRole::Reader), has_none);
    assert_eq!(vault.leaves(STRANGER, CaseRole::Reader), has_none);
    vault.leaves(CUSTODIAN, CaseRole::Custodian).unwrap();
    assert_eq!(vault.leaves(CUSTODIAN, CaseRole::Custodian), has_none);
}

#[test]
fn a_holders_other_roles_come_and_go() {
    let mut vault = Vault::new();
    let registered = vault.register(1, Class::Open, None).unwrap();
    let offer = vault.say(&vault.offer(LEAD, CUSTODIAN, 1, registered));
    vault.say(&vault.answer(CUSTODIAN, Kind::TransferAccepted, 1, offer, offer));
    vault.joins(CUSTODIAN, CaseRole::Reader);
    assert_eq!(
        vault.leaves(CUSTODIAN, CaseRole::Custodian),
        Err(Refusal::HoldsCustody),
        "readers hold nothing"
    );
    vault.leaves(CUSTODIAN, CaseRole::Reader).unwrap();
    vault.joins(CUSTODIAN, CaseRole::Prosecutor);
    vault.leaves(CUSTODIAN, CaseRole::Custodian).unwrap();
    assert_eq!(vault.leaves(CUSTODIAN, CaseRole::Prosecutor), Err(Refusal::HoldsCustody));
}

#[test]
fn custody_of_many_items_counts_until_the_last_one_is_gone() {
    let mut vault = Vault::new();
    let heads: Vec<_> = (1..=3).map(|n| vault.register(n, Class::Open, None).unwrap()).collect();
    let offers: Vec<_> =
        (1..).zip(heads).map(|(n, head)| vault.say(&vault.offer(LEAD, CUSTODIAN, n, head))).collect();
    for (n, offer) in (1..).zip(offers) {
        assert_eq!(vault.leaves(CUSTODIAN, CaseRole::Custodian), Err(Refusal::HoldsCustody));
        vault.say(&vault.answer(CUSTODIAN, Kind::TransferDeclined, n, offer, offer));
    }
    assert_eq!(vault.state.custody, [((case(), person(LEAD)), 3)].into());
    vault.leaves(CUSTODIAN, CaseRole::Custodian).unwrap();
}

#[test]
fn the_last_key_that_can_vouch_is_not_revoked_nor_its_owners_role() {
    let mut vault = Vault::new();
    assert_eq!(vault.revoke(ADMIN, ADMIN), Err(Refusal::LastOne));
    let (granted, revoked) = (Kind::RoleGranted, Kind::RoleRevoked);
    assert_eq!(vault.change_role(ADMIN, revoked, VaultRole::Registrar), Err(Refusal::LastOne));
    vault.revoke(LEAD, LEAD).unwrap();
    vault.change_role(LEAD, granted, VaultRole::Registrar).unwrap();
    assert_eq!(vault.revoke(ADMIN, ADMIN), Err(Refusal::LastOne), "a registrar without a valid key is none");
    vault.change_role(LEAD, revoked, VaultRole::Registrar).unwrap();

    vault.change_role(CUSTODIAN, granted, VaultRole::Registrar).unwrap();
    let mut other = Vault { state: vault.state.clone(), records: vault.records };
    other.change_role(ADMIN, revoked, VaultRole::Registrar).unwrap();
    assert_eq!(other.revoke(CUSTODIAN, ADMIN), Err(Refusal::LastOne));
    vault.revoke(ADMIN, CUSTODIAN).unwrap();
    assert_eq!(vault.revoke(CUSTODIAN, CUSTODIAN), Err(Refusal::LastOne));
    assert_eq!(vault.change_role(CUSTODIAN, revoked, VaultRole::Registrar), Err(Refusal::LastOne));
}

#[test]
fn where_others_may_be_missing_nobody_is_refused_for_being_the_last() {
    let mut vault = Vault::new();
    vault.state.partial = true;
    let suspended = custody::act::PersonSuspended { suspect_from: None }.to_data();
    let s = vault.session(ADMIN, Kind::PersonSuspended, suspended);
    vault.clone_and_say(&Statement { person: Some(person(ADMIN)), ..s }).unwrap();
    vault.revoke(ADMIN, ADMIN).unwrap();
}

#[test]
fn where_nobody_can_vouch_yet_nothing_is_lost() {
    let mut vault = Vault::founded(KeyCheck::InPerson);
    vault.state.keys.clear();
    vault.change_role(ADMIN, Kind::RoleRevoked, VaultRole::Registrar).unwrap();
}

#[test]
fn others_keys_are_revoked_by_whoever_has_a_say_over_keys() {
    let mut vault = Vault::new();
    for by in [LEAD, STRANGER] {
        assert_eq!(vault.revoke(READER, by), Err(Refusal::NotPermitted(Right::RevokeKeys)), "{by}");
    }
    vault.copy().revoke(READER, READER).unwrap();
    vault.revoke(READER, ADMIN).unwrap();
}

#[test]
fn a_role_is_taken_from_whoever_has_it_and_only_one_that_vouches_must_stay_with_somebody() {
    let mut vault = Vault::new();
    let (granted, revoked) = (Kind::RoleGranted, Kind::RoleRevoked);
    let has_none = Err(Refusal::Role("does not have"));
    assert_eq!(vault.change_role(READER, revoked, VaultRole::Auditor), has_none);
    assert_eq!(vault.change_role(READER, revoked, VaultRole::Registrar), has_none);
    vault.change_role(ADMIN, granted, VaultRole::Auditor).unwrap();
    // The only registrar there is.
    vault.change_role(ADMIN, revoked, VaultRole::Auditor).unwrap();
    assert_eq!(vault.change_role(ADMIN, revoked, VaultRole::Registrar), Err(Refusal::LastOne));
}
