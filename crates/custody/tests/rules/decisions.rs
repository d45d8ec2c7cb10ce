//! Every kind: what is allowed, and what is refused by which rule.

use super::*;

#[test]
fn the_vault_founds_itself_once() {
    let mut vault = Vault::new();
    let created = VaultCreated { log_vkey: "log".to_owned(), origin: "o".to_owned(), vault_key: VAULT_KEY };
    let again = Statement { vault: None, ..vault.system(Kind::VaultCreated, created.to_data()) };
    assert_eq!(vault.try_say(&again), Err(Refusal::Exists("vault")));
    let other = OrgRegistered { org: OrgId::new(Uuid::from_u128(99)) }.to_data();
    assert_eq!(vault.try_say(&vault.system(Kind::OrgRegistered, other)), Err(Refusal::SetUpOnly));
    let registered = PersonRegistered { org: org() }.to_data();
    let more = Statement { person: Some(person(50)), ..vault.system(Kind::PersonRegistered, registered) };
    assert_eq!(vault.try_say(&more), Err(Refusal::SetUpOnly));
    let role = RoleChange { role: VaultRole::Administrator }.to_data();
    let more = Statement { person: Some(person(STRANGER)), ..vault.system(Kind::RoleGranted, role) };
    assert_eq!(vault.try_say(&more), Err(Refusal::SetUpOnly));
    let key = Statement { person: Some(person(ADMIN)), ..vault.system(Kind::KeyEnrolled, enrolled(key(60))) };
    assert_eq!(vault.try_say(&key), Err(Refusal::SetUpOnly));
}

#[test]
fn the_vault_vouches_for_the_first_registrar_and_for_nobody_else() {
    let mut vault = Vault::founded(KeyCheck::InPerson);
    let found = vault.state.vault.as_mut().unwrap();
    found.vouched = false;
    let vouched = |vault: &Vault| {
        let s = vault.system(Kind::KeyEnrolled, enrolled(key(60)));
        vault.clone_and_say(&Statement { person: Some(person(ADMIN)), ..s }).map(drop)
    };
    assert_eq!(vouched(&vault), Ok(()));
    vault.state.persons.get_mut(&person(ADMIN)).unwrap().roles.remove(&VaultRole::Registrar);
    assert_eq!(vouched(&vault), Err(Refusal::SetUpOnly), "no registrar");
}

#[test]
fn a_key_is_vouched_for_by_its_owner_or_a_registrar_and_by_nobody_else() {
    let mut vault = Vault::new();
    let about = |s: Statement, n| Statement { person: Some(person(n)), ..s };
    let by_stranger = about(vault.signed(STRANGER, Kind::KeyEnrolled, enrolled(key(70))), LEAD);
    assert_eq!(vault.try_say(&by_stranger), Err(Refusal::NotPermitted(Right::Vouch)));
    let on_behalf = about(vault.session(ADMIN, Kind::KeyEnrolled, enrolled(key(70))), LEAD);
    assert_eq!(vault.try_say(&on_behalf), Err(Refusal::NotVoucher));
    let own = about(vault.signed(LEAD, Kind::KeyEnrolled, enrolled(key(71))), LEAD);
    vault.say(&own);
    let found = &vault.state.keys[&key(71).hash()];
    assert!(matches!(found.voucher, Voucher::Owner(_)) && !found.unproven);
    let by_registrar = about(vault.signed(ADMIN, Kind::KeyEnrolled, enrolled(key(72))), LEAD);
    vault.say(&by_registrar);
    assert!(vault.state.keys[&key(72).hash()].unproven, "a further key that the owner did not vouch for");
    let twice = about(vault.signed(ADMIN, Kind::KeyEnrolled, enrolled(key(72))), STRANGER);
    assert_eq!(vault.try_say(&twice), Err(Refusal::KeyKnown));
    let vaults = about(vault.signed(ADMIN, Kind::KeyEnrolled, enrolled(VAULT_KEY)), STRANGER);
    assert_eq!(vault.try_say(&vaults), Err(Refusal::KeyKnown));
}

#[test]
fn a_key_is_unproven_if_nobody_looked_and_so_is_what_it_vouches_for() {
    let mut vault = Vault::new();
    let nobody = 5;
    let registered = PersonRegistered { org: org() }.to_data();
    let s = vault.session(ADMIN, Kind::PersonRegistered, registered);
    vault.say(&Statement { person: Some(person(nobody)), ..s });
    let mut unproven = |by: u128, whose: u128, checked, n: u8| {
        let s = vault.signed(by, Kind::KeyEnrolled, KeyEnrolled { checked, key: key(n) }.to_data());
        vault.say(&Statement { person: Some(person(whose)), ..s });
        vault.state.keys[&key(n).hash()].unproven
    };
    assert!(!unproven(LEAD, LEAD, KeyCheck::None, 70), "the earlier key says whose it is");
    assert!(unproven(ADMIN, nobody, KeyCheck::None, 5), "nobody looked");
    assert!(unproven(nobody, nobody, KeyCheck::InPerson, 71), "an unproven key proves nothing");
}

#[test]
fn the_first_registrars_key_is_as_good_as_the_vaults_word() {
    for (checked, unproven) in [(KeyCheck::None, true), (KeyCheck::InPerson, false)] {
        let mut vault = Vault::founded(checked);
        assert_eq!(vault.state.keys[&ADMIN_KEY.hash()].unproven, unproven);
        let further = Statement {
            person: Some(person(ADMIN)),
            ..vault.signed(ADMIN, Kind::KeyEnrolled, enrolled(key(70)))
        };
        vault.say(&further);
        assert_eq!(vault.state.keys[&key(70).hash()].unproven, unproven);
    }
}

#[test]
fn an_enrolment_is_signed_by_voucher_and_new_key_in_this_order() {
    let vault = Vault::new();
    let s =
        Statement { person: Some(person(LEAD)), ..vault.signed(ADMIN, Kind::KeyEnrolled, enrolled(key(80))) };
    assert_eq!(signers(&vault.state, &s, &Act::parse(&s).unwrap()), Ok(vec![ADMIN_KEY, key(80)]));
}

#[test]
fn a_revoked_key_signs_nothing_more() {
    let mut vault = Vault::new();
    let revoked = KeyRevoked { key: key(1).hash(), suspect_from: Some(3) }.to_data();
    vault.say(&Statement { person: Some(person(LEAD)), ..vault.session(LEAD, Kind::KeyRevoked, revoked) });
    assert_eq!(vault.register(1, Class::Open, None), Err(Refusal::KeyNotValid));
}

#[test]
fn a_persons_key_is_no_good_for_somebody_else_and_the_vaults_for_nobody() {
    let mut vault = Vault::new();
    let data =
        ItemRegistered { class: Class::Open, route: "cli".parse().unwrap(), sealing: None, sealed_by: None }
            .to_data();
    let borrowed = Statement {
        actor: Actor::Person(person(CUSTODIAN)),
        ..vault.signed(LEAD, Kind::ItemRegistered, data)
    };
    assert_eq!(vault.try_say(&of_item(borrowed.clone(), 1)), Err(Refusal::KeyNotValid));
    let vaults = Statement { actor_key: VAULT_KEY.hash(), ..borrowed };
    assert_eq!(vault.try_say(&of_item(vaults, 1)), Err(Refusal::KeyNotValid));
}

#[test]
fn statements_for_another_vault_are_refused() {
    let mut vault = Vault::new();
    let data =
        ItemRegistered { class: Class::Open, route: "cli".parse().unwrap(), sealing: None, sealed_by: None }
            .to_data();
    let s = of_item(vault.signed(LEAD, Kind::ItemRegistered, data), 1);
    assert_eq!(vault.try_say(&Statement { vault: Some(Digest::ZERO), ..s }), Err(Refusal::OtherVault));
}

#[test]
fn administrators_and_cases_stay_apart() {
    let mut vault = Vault::new();
    let member = MemberChange { member: person(ADMIN), role: CaseRole::Reader }.to_data();
    let s = in_case(vault.signed(LEAD, Kind::MemberAdded, member));
    assert_eq!(vault.try_say(&s), Err(Refusal::AdministratorApart));
    let role = RoleChange { role: VaultRole::Administrator }.to_data();
    let s =
        Statement { person: Some(person(READER)), ..vault.signed(ADMIN, Kind::RoleGranted, role.clone()) };
    assert_eq!(vault.try_say(&s), Err(Refusal::AdministratorApart));
    let s = Statement { person: Some(person(ADMIN)), ..vault.signed(ADMIN, Kind::RoleRevoked, role) };
    assert_eq!(vault.try_say(&s), Err(Refusal::LastOne));
    let lead = MemberChange { member: person(LEAD), role: CaseRole::Lead }.to_data();
    let s = in_case(vault.signed(LEAD, Kind::MemberRemoved, lead));
    assert_eq!(vault.try_say(&s), Err(Refusal::LastOne));
}

#[test]
fn strangers_and_readers_register_nothing() {
    let mut vault = Vault::new();
    let data =
        ItemRegistered { class: Class::Open, route: "cli".parse().unwrap(), sealing: None, sealed_by: None }
            .to_data();
    for n in [READER, STRANGER, ADMIN] {
        let s = of_item(vault.signed(n, Kind::ItemRegistered, data.clone()), 1);
        assert_eq!(vault.try_say(&s), Err(Refusal::NotPermitted(Right::RegisterItem)));
    }
}

#[test]
fn content_is_received_once_and_only_as_registered() {
    let mut vault = Vault::new();
    vault.register(1, Class::Open, Some(content(7, CheckedBy::Oneself))).unwrap();
    assert_eq!(vault.receive(1, 8), Err(Refusal::DigestMismatch));
    let second =
        ContentReceived { halves: None, manifest: Digest::ZERO, object: ObjectId::new([9; 16]), version: 2 };
    let second = of_item(vault.system(Kind::ContentReceived, second.to_data()), 1);
    let second = Statement { content: Some(content(7, CheckedBy::Vault)), ..second };
    assert_eq!(vault.try_say(&second), Err(Refusal::ContentExists), "there is no second without a first");
    vault.receive(1, 7).unwrap();
    assert_eq!(vault.receive(1, 7), Err(Refusal::ContentExists));
    assert_eq!(vault.receive(2, 7), Err(Refusal::Unknown("item")));
}

#[test]
fn hash_only_items_have_a_digest_and_never_bytes() {
    let mut vault = Vault::new();
    assert_eq!(vault.register(1, Class::HashOnly, None), Err(Refusal::HashOnly));
    vault.register(1, Class::HashOnly, Some(content(7, CheckedBy::Oneself))).unwrap();
    assert_eq!(vault.receive(1, 7), Err(Refusal::HashOnly));
}

#[test]
fn an_item_is_registered_once_in_whatever_case() {
    let mut vault = Vault::new();
    let head = vault.register(1, Class::Open, None).unwrap();
    assert_eq!(vault.register(1, Class::Confidential, None), Err(Refusal::Exists("item")));
    vault.state.items.get_mut(&item(1)).unwrap().case = CaseId::new(Uuid::from_u128(77));
    assert_eq!(vault.register(1, Class::Open, None), Err(Refusal::Exists("item")));
    assert_eq!(vault.state.items[&item(1)].head.record, head);
}

#[test]
fn exhibits_are_numbered_in_the_order_of_their_registration() {
    let mut vault = Vault::new();
    for n in [5, 3, 4] {
        vault.register(n, Class::Open, None).unwrap();
    }
    let numbers: Vec<_> = [5, 3, 4].iter().map(|n| vault.state.items[&item(*n)].exhibit).collect();
    assert_eq!(numbers, [1, 2, 3]);
}

#[test]
fn reading_needs_content_and_a_grant_is_completed_once_by_its_reader_or_the_vault() {
    let mut vault = Vault::new();
    vault.register(1, Class::Open, None).unwrap();
    let expires = "2026-11-21T12:15:00.000Z".parse().unwrap();
    let ask = |vault: &Vault, by| {
        let s = of_item(
            vault.session(by, Kind::AccessGranted, AccessGranted { expires, with: None }.to_data()),
            1,
        );
        Statement { purpose: Some("review".parse().unwrap()), ..s }
    };
    assert_eq!(vault.try_say(&ask(&vault, READER)), Err(Refusal::NoContent));
    vault.receive(1, 7).unwrap();
    assert_eq!(vault.try_say(&ask(&vault, STRANGER)), Err(Refusal::NotPermitted(Right::ReadContent)));
    let grant = vault.say(&ask(&vault, READER));
    let done = |vault: &Vault, by| {
        let data = AccessCompleted { bytes: Some(5), grant, outcome: AccessOutcome::Completed }.to_data();
        of_item(vault.session(by, Kind::AccessCompleted, data), 1)
    };
    assert_eq!(vault.try_say(&done(&vault, LEAD)), Err(Refusal::Grant));
    vault.register(2, Class::Open, None).unwrap();
    let of_another = Statement { item: Some(item(2)), ..done(&vault, READER) };
    assert_eq!(vault.try_say(&of_another), Err(Refusal::Grant));
    vault.say(&done(&vault, READER));
    assert_eq!(vault.try_say(&done(&vault, READER)), Err(Refusal::Grant));
}

#[test]
fn a_grant_to_read_lasts_a_day_at_most() {
    let mut vault = Vault::new();
    vault.register(1, Class::Open, None).unwrap();
    vault.receive(1, 7).unwrap();
    for (expires, decision) in [
        ("2026-11-21T12:00:00.000Z", Ok(())),
        ("2026-11-22T12:00:00.000Z", Ok(())),
        ("2026-11-22T12:00:00.001Z", Err(Refusal::GrantTooLong)),
        ("2026-11-21T11:59:59.999Z", Err(Refusal::GrantTooLong)),
    ] {
        let data = AccessGranted { expires: expires.parse().unwrap(), with: None }.to_data();
        let s = of_item(vault.session(READER, Kind::AccessGranted, data), 1);
        let s = Statement { purpose: Some("review".parse().unwrap()), ..s };
        assert_eq!(vault.try_say(&s).map(drop), decision, "{expires}");
    }
}

#[test]
fn custody_changes_only_by_the_holders_offer_and_the_receivers_acceptance() {
    let mut vault = Vault::new();
    let registered = vault.register(1, Class::Open, None).unwrap();
    let s = vault.offer(CUSTODIAN, LEAD, 1, registered);
    assert_eq!(vault.try_say(&s), Err(Refusal::NotCustodian));
    assert_eq!(vault.try_say(&vault.offer(LEAD, LEAD, 1, registered)), Err(Refusal::OfferToSelf));
    for outsider in [READER, STRANGER] {
        assert!(matches!(
            vault.try_say(&vault.offer(LEAD, outsider, 1, registered)),
            Err(Refusal::Unknown(_))
        ));
    }
    let offer = vault.say(&vault.offer(LEAD, CUSTODIAN, 1, registered));
    assert_eq!(vault.state.items[&item(1)].custodian, person(LEAD), "an offer alone moves nothing");
    assert_eq!(vault.try_say(&vault.offer(LEAD, CUSTODIAN, 1, offer)), Err(Refusal::OfferPending));
    let accepted = Kind::TransferAccepted;
    assert_eq!(vault.try_say(&vault.answer(LEAD, accepted, 1, offer, offer)), Err(Refusal::NotReceiver));
    assert_eq!(
        vault.try_say(&vault.answer(CUSTODIAN, accepted, 1, registered, offer)),
        Err(Refusal::NoSuchOffer)
    );
    assert_eq!(vault.try_say(&vault.answer(CUSTODIAN, accepted, 1, offer, registered)), Err(Refusal::Stale));
    vault.say(&vault.answer(CUSTODIAN, accepted, 1, offer, offer));
    assert_eq!(vault.state.items[&item(1)].custodian, person(CUSTODIAN));
    assert_eq!(vault.try_say(&vault.answer(CUSTODIAN, accepted, 1, offer, offer)), Err(Refusal::NoSuchOffer));
}

#[test]
fn what_somebody_has_seen_they_name_by_its_record_or_by_what_was_said() {
    let mut vault = Vault::new();
    let data =
        ItemRegistered { class: Class::Open, route: "cli".parse().unwrap(), sealed_by: None, sealing: None };
    let registration = of_item(vault.signed(LEAD, Kind::ItemRegistered, data.to_data()), 1);
    vault.say(&registration);
    let said = |s: &Statement| Seen::Statement(Digest::of(&s.to_bytes()));
    let offer = |vault: &Vault, seen| Statement { seen, ..vault.offer(LEAD, CUSTODIAN, 1, Digest::ZERO) };
    let offered = offer(&vault, Some(said(&registration)));
    for other in [None, Some(said(&offered)), Some(Seen::Statement(Digest::ZERO))] {
        assert_eq!(vault.try_say(&offer(&vault, other)), Err(Refusal::Stale), "{other:?}");
    }
    vault.say(&offered);
    let accept = |offer| {
        let s = vault.answer(CUSTODIAN, Kind::TransferAccepted, 1, Digest::ZERO, Digest::ZERO);
        Statement { data: TransferAnswered { offer }.to_data(), seen: Some(said(&offered)), ..s }
    };
    assert_eq!(vault.clone_and_say(&accept(said(&registration))), Err(Refusal::NoSuchOffer));
    vault.clone_and_say(&accept(said(&offered))).unwrap();
    // Where nothing changes hands: anything of the item or its case, or nothing.
    let update = |seen| {
        let data =
            custody::act::CaseUpdated { case_type: Some("other".parse().unwrap()), jurisdiction: None };
        Statement { seen, ..in_case(vault.signed(LEAD, Kind::CaseUpdated, data.to_data())) }
    };
    vault.clone_and_say(&update(Some(said(&registration)))).unwrap();
    vault.clone_and_say(&update(None)).unwrap();
    let elsewhere = Some(Seen::Statement(Digest::ZERO));
    assert_eq!(vault.clone_and_say(&update(elsewhere)), Err(Refusal::SeenElsewhere));
}

#[test]
fn a_declined_offer_leaves_custody_where_it_was() {
    let mut vault = Vault::new();
    let registered = vault.register(1, Class::Open, None).unwrap();
    let offer = vault.say(&vault.offer(LEAD, CUSTODIAN, 1, registered));
    let declined = vault.say(&vault.answer(CUSTODIAN, Kind::TransferDeclined, 1, offer, offer));
    assert_eq!(vault.state.items[&item(1)].custodian, person(LEAD));
    vault.say(&vault.offer(LEAD, CUSTODIAN, 1, declined));
}

#[test]
fn one_envelope_moves_many_items_or_none() {
    let mut vault = Vault::new();
    let heads: Vec<_> = (1..=3).map(|n| vault.register(n, Class::Open, None).unwrap()).collect();
    let list = |heads: &[Digest]| {
        let one = |(n, head): (usize, &Digest)| ItemRef {
            item: item(n as u128 + 1),
            offer: None,
            seen: Some(Seen::Record(*head)),
        };
        Some(heads.iter().enumerate().map(one).collect::<Vec<_>>())
    };
    let s = vault.offer(LEAD, CUSTODIAN, 1, heads[0]);
    let mut many = Statement { item: None, seen: None, items: list(&heads), ..s };
    let stale = Statement { items: list(&[heads[0], heads[0], heads[2]]), ..many.clone() };
    assert_eq!(vault.try_say(&stale), Err(Refusal::Stale));
    assert!(vault.state.items.values().all(|item| item.offer.is_none()), "all or nothing");
    vault.say(&many);
    assert!(vault.state.items.values().all(|item| item.offer.is_some()));
    many.items.as_mut().unwrap().reverse();
    assert!(Act::parse(&many).is_err(), "an unsorted list has no shape");
}

#[test]
fn a_view_does_not_make_a_transfer_stale_and_a_new_class_does() {
    let mut vault = Vault::new();
    let registered = vault.register(1, Class::Open, None).unwrap();
    vault.receive(1, 7).unwrap();
    let expires = "2026-11-21T12:15:00.000Z".parse().unwrap();
    let view = of_item(
        vault.session(READER, Kind::AccessGranted, AccessGranted { expires, with: None }.to_data()),
        1,
    );
    vault.say(&Statement { purpose: Some("review".parse().unwrap()), ..view });
    let offer = vault.offer(LEAD, CUSTODIAN, 1, registered);
    let class = ItemClassified { class: Class::Confidential, sealing: None }.to_data();
    let s = of_item(vault.signed(LEAD, Kind::ItemClassified, class), 1);
    let mut other = Vault { state: vault.state.clone(), records: vault.records };
    vault.say(&offer);
    other.say(&Statement { seen: Some(Seen::Record(registered)), ..s });
    assert_eq!(other.try_say(&offer), Err(Refusal::Stale));
}

#[test]
fn the_footprint_names_everything_a_decision_looks_at() {
    let mut vault = Vault::new();
    let registered = vault.register(1, Class::Open, None).unwrap();
    vault.say(&vault.offer(LEAD, CUSTODIAN, 1, registered));
    let second = vault.register(2, Class::Open, None).unwrap();
    let last = KeyRevoked { key: ADMIN_KEY.hash(), suspect_from: None }.to_data();
    let last = Statement { person: Some(person(ADMIN)), ..vault.session(ADMIN, Kind::KeyRevoked, last) };
    let registrar = RoleChange { role: VaultRole::Registrar }.to_data();
    let registrar =
        Statement { person: Some(person(ADMIN)), ..vault.session(ADMIN, Kind::RoleRevoked, registrar) };
    let member = MemberChange { member: person(CUSTODIAN), role: CaseRole::Custodian }.to_data();
    let offered = in_case(vault.signed(LEAD, Kind::MemberRemoved, member));
    for (s, decision) in [
        (vault.offer(LEAD, CUSTODIAN, 2, second), Ok(())),
        (last, Err(Refusal::LastOne)),
        (registrar, Err(Refusal::LastOne)),
        (offered, Err(Refusal::HoldsCustody)),
    ] {
        assert_eq!(vault.clone_and_say(&s).map(drop), decision, "{}", s.kind);
    }
}

#[test]
fn nobody_reaches_into_an_item_of_another_case() {
    let mut vault = Vault::new();
    vault.register(1, Class::Open, None).unwrap();
    // The stranger leads a case of their own, and knows one of its records.
    let role = RoleChange { role: VaultRole::Investigator }.to_data();
    let s = vault.session(ADMIN, Kind::RoleGranted, role);
    vault.say(&Statement { person: Some(person(STRANGER)), ..s });
    let theirs = CaseId::new(Uuid::from_u128(3));
    let opened = CaseOpened { case_type: "other".parse().unwrap(), jurisdiction: "ke".parse().unwrap() };
    let opened = vault.signed(STRANGER, Kind::CaseOpened, opened.to_data());
    let known = vault.say(&Statement { case: Some(theirs), ..opened });
    vault.state.seen.insert((Seen::Record(known), Sequence::Case(theirs)));
    let correction = |vault: &Vault, item| {
        let data = CorrectionNoted { record: known }.to_data();
        let s = vault.signed(STRANGER, Kind::CorrectionNoted, data);
        Statement { case: Some(theirs), item, ..s }
    };
    let foreign = correction(&vault, Some(item(1)));
    assert_eq!(vault.try_say(&foreign), Err(Refusal::Unknown("item")));
    let nowhere = correction(&vault, Some(item(99)));
    assert_eq!(vault.try_say(&nowhere), Err(Refusal::Unknown("item")));
    let own = correction(&vault, None);
    vault.say(&own);
}
