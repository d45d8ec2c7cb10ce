//! Where a rule ends: things that are not there, of somebody else, done twice, or just not late enough.

use custody::act::{
    AccessDenied, BundleExported, CaseUpdated, Disclosure, DisposalApproved, DisposalExecuted,
    DisposalProposed, FixityChecked, KekChanged, MemberAdded, SealBroken,
};
use custody::rules::{Hold, Stage};

use super::*;

fn nowhere() -> CaseId {
    CaseId::new(Uuid::from_u128(999))
}

fn denied(vault: &Vault, case: Option<CaseId>, n: Option<u128>) -> Statement {
    let (act, rule) = ("read".parse().unwrap(), "not-permitted".parse().unwrap());
    let data = AccessDenied { act, count: 1, person: person(STRANGER), rule };
    Statement { case, item: n.map(item), ..vault.system(Kind::AccessDenied, data.to_data()) }
}

#[test]
fn a_refusal_on_record_names_what_there_is_or_nothing() {
    let mut vault = Vault::new();
    vault.register(1, Class::Open, None).unwrap();
    for (case_of, n, decision) in [
        (None, None, Ok(())),
        (Some(case()), None, Ok(())),
        (Some(case()), Some(1), Ok(())),
        (Some(nowhere()), None, Err(Refusal::Unknown("case"))),
        (Some(case()), Some(9), Err(Refusal::Unknown("item"))),
        (Some(nowhere()), Some(1), Err(Refusal::Unknown("item"))),
    ] {
        assert_eq!(vault.clone_and_say(&denied(&vault, case_of, n)).map(drop), decision, "{case_of:?} {n:?}");
    }
}

#[test]
fn a_check_of_stored_bytes_is_of_an_item_of_the_case() {
    let mut vault = Vault::new();
    vault.register(1, Class::Open, None).unwrap();
    vault.receive(1, 7).unwrap();
    let checked = |n| {
        let data = FixityChecked::by_vault(ObjectId::new([9; 16]), "scrub".parse().unwrap()).to_data();
        let s = of_item(vault.system(Kind::FixityPassed, data), n);
        Statement { content: Some(content(7, CheckedBy::Vault)), ..s }
    };
    vault.clone_and_say(&checked(1)).unwrap();
    assert_eq!(vault.clone_and_say(&checked(9)), Err(Refusal::Unknown("item")));
}

#[test]
fn a_correction_is_of_somebody_who_is_there() {
    let mut vault = Vault::new();
    let about = |vault: &Vault, n, record| {
        let data = CorrectionNoted { record }.to_data();
        Statement { person: Some(person(n)), ..vault.session(ADMIN, Kind::CorrectionNoted, data) }
    };
    let revoked = KeyRevoked { key: key(4).hash(), suspect_from: None }.to_data();
    let record = vault.say(&Statement {
        person: Some(person(STRANGER)),
        ..vault.session(ADMIN, Kind::KeyRevoked, revoked)
    });
    assert_eq!(vault.clone_and_say(&about(&vault, 77, record)), Err(Refusal::Unknown("person")));
    assert_eq!(vault.clone_and_say(&about(&vault, LEAD, record)), Err(Refusal::SeenElsewhere));
    vault.say(&about(&vault, STRANGER, record));
}

#[test]
fn a_key_is_revoked_of_its_owner_and_once() {
    let mut vault = Vault::new();
    let revoked = |vault: &Vault, of, n| {
        let data = KeyRevoked { key: key(n).hash(), suspect_from: None }.to_data();
        Statement { person: Some(person(of)), ..vault.session(ADMIN, Kind::KeyRevoked, data) }
    };
    let unknown = Err(Refusal::Unknown("valid key of this person"));
    assert_eq!(vault.try_say(&revoked(&vault, LEAD, 2)), unknown, "of somebody else");
    assert_eq!(vault.try_say(&revoked(&vault, LEAD, 90)), unknown, "of nobody");
    vault.say(&revoked(&vault, LEAD, 1));
    assert_eq!(vault.try_say(&revoked(&vault, LEAD, 1)), unknown, "again");
}

#[test]
fn an_item_becomes_hash_only_while_there_are_no_bytes_and_a_digest() {
    let classified = |vault: &Vault, seen| {
        let data = ItemClassified { class: Class::HashOnly, sealing: None }.to_data();
        let s = of_item(vault.signed(LEAD, Kind::ItemClassified, data), 1);
        Statement { seen: Some(Seen::Record(seen)), ..s }
    };
    let mut vault = Vault::new();
    let bare = vault.register(1, Class::Open, None).unwrap();
    assert_eq!(vault.try_say(&classified(&vault, bare)), Err(Refusal::HashOnly), "no digest");
    vault.receive(1, 7).unwrap();
    assert_eq!(vault.try_say(&classified(&vault, bare)), Err(Refusal::ContentExists));
    let mut vault = Vault::new();
    let claimed = vault.register(1, Class::Open, Some(content(7, CheckedBy::Oneself))).unwrap();
    vault.say(&classified(&vault, claimed));
    assert_eq!(vault.receive(1, 7), Err(Refusal::HashOnly));
    let by_another = Content { checked_by: CheckedBy::None, ..content(7, CheckedBy::Oneself) };
    assert_eq!(vault.register(2, Class::HashOnly, Some(by_another)), Err(Refusal::HashOnly));
    assert_eq!(vault.register(2, Class::HashOnly, None), Err(Refusal::HashOnly));
}

#[test]
fn there_is_one_first_record_and_one_case_of_a_name() {
    let mut vault = Vault::new();
    let created = VaultCreated { log_vkey: "log".to_owned(), origin: "o".to_owned(), vault_key: VAULT_KEY };
    let again = Statement { vault: None, ..vault.system(Kind::VaultCreated, created.to_data()) };
    assert_eq!(vault.try_say(&again), Err(Refusal::Exists("vault")));
    let opened = CaseOpened { case_type: "other".parse().unwrap(), jurisdiction: "ke".parse().unwrap() };
    let again = in_case(vault.signed(LEAD, Kind::CaseOpened, opened.to_data()));
    assert_eq!(vault.try_say(&again), Err(Refusal::Exists("case")));
    let role = RoleChange { role: VaultRole::Custodian }.to_data();
    vault.say(&Statement { person: Some(person(ADMIN)), ..vault.session(ADMIN, Kind::RoleGranted, role) });
    let own = Statement { case: Some(nowhere()), ..vault.signed(ADMIN, Kind::CaseOpened, opened.to_data()) };
    assert_eq!(vault.try_say(&own), Err(Refusal::AdministratorApart));
}

#[test]
fn an_organisation_and_a_person_are_entered_once_and_a_person_into_one_that_is_there() {
    let vault = Vault::new();
    let entered = |id| vault.session(ADMIN, Kind::OrgRegistered, OrgRegistered { org: id }.to_data());
    let nobodys = OrgId::new(Uuid::from_u128(99));
    assert_eq!(vault.clone_and_say(&entered(org())), Err(Refusal::Exists("organisation")));
    vault.clone_and_say(&entered(nobodys)).unwrap();
    let registered = |n, org| {
        let s = vault.session(ADMIN, Kind::PersonRegistered, PersonRegistered { org }.to_data());
        Statement { person: Some(person(n)), ..s }
    };
    assert_eq!(vault.clone_and_say(&registered(LEAD, org())), Err(Refusal::Exists("person")));
    assert_eq!(vault.clone_and_say(&registered(50, nobodys)), Err(Refusal::Unknown("organisation")));
    vault.clone_and_say(&registered(50, org())).unwrap();
}

#[test]
fn whoever_leaves_a_case_wholly_is_in_one_case_less() {
    let mut vault = Vault::new();
    let change = |vault: &Vault, kind, role| {
        in_case(vault.signed(LEAD, kind, MemberChange { member: person(READER), role }.to_data()))
    };
    let memberships = |vault: &Vault| vault.state.persons[&person(READER)].memberships;
    vault.say(&change(&vault, Kind::MemberAdded, CaseRole::Observer));
    assert_eq!(memberships(&vault), 1);
    vault.say(&change(&vault, Kind::MemberRemoved, CaseRole::Observer));
    assert_eq!(memberships(&vault), 1, "still a reader");
    vault.say(&change(&vault, Kind::MemberRemoved, CaseRole::Reader));
    assert_eq!(memberships(&vault), 0);
}

#[test]
fn only_the_vault_that_founds_itself_gives_roles_by_itself() {
    let vault = Vault::new();
    let given = |role| {
        let data = RoleChange { role }.to_data();
        Statement { person: Some(person(STRANGER)), ..vault.system(Kind::RoleGranted, data) }
    };
    for role in VaultRole::ALL {
        assert_eq!(vault.clone_and_say(&given(*role)), Err(Refusal::SetUpOnly), "{}", role.name());
    }
    let mut founded = Vault::founded(KeyCheck::InPerson);
    for (role, decision) in [
        (VaultRole::Auditor, Err(Refusal::SetUpOnly)),
        (VaultRole::Registrar, Err(Refusal::Role("already has"))),
    ] {
        let s = founded.system(Kind::RoleGranted, RoleChange { role }.to_data());
        let s = Statement { person: Some(person(ADMIN)), ..s };
        assert_eq!(founded.try_say(&s).map(drop), decision);
    }
}

#[test]
fn a_case_counts_its_bundles_and_an_approver_must_know_of_each() {
    let mut vault = Vault::new();
    vault.register(1, Class::HashOnly, Some(content(7, CheckedBy::Oneself))).unwrap();
    for n in 1..=3 {
        let data = BundleExported { heads: Digest::ZERO, productions: None, sequences: 1 }.to_data();
        let s = in_case(vault.signed(LEAD, Kind::BundleExported, data));
        vault.say(&Statement { purpose: Some("court".parse().unwrap()), ..s });
        assert_eq!(vault.state.cases[&case()].exports, n);
    }
}

fn proposed(vault: &Vault, by: u128, about: Option<u128>, records: Option<Vec<Digest>>) -> Statement {
    let s = vault.signed(by, Kind::DisposalProposed, DisposalProposed { records, retention: None }.to_data());
    let s = Statement { purpose: Some("court-order".parse().unwrap()), ..s };
    match about {
        Some(about) => Statement { person: Some(person(about)), ..s },
        None => in_case(s),
    }
}

fn held(vault: &mut Vault, case: CaseId) {
    let hold = Hold { case, item: None, stmt: Digest::ZERO, placed: 1, released: None };
    vault.state.holds.insert(Digest::new([77; 32]), hold);
}

#[test]
fn values_in_records_and_about_persons_are_destroyed_where_there_are_any_and_no_hold() {
    let mut vault = Vault::new();
    let record = vault.register(1, Class::Open, None).unwrap();
    let of_case = |vault: &Vault| proposed(vault, LEAD, None, Some(vec![record]));
    vault.clone_and_say(&of_case(&vault)).unwrap();
    let about = |vault: &Vault, n| proposed(vault, ADMIN, Some(n), None);
    for n in [LEAD, STRANGER] {
        vault.clone_and_say(&about(&vault, n)).unwrap();
    }
    assert_eq!(
        vault.clone_and_say(&about(&vault, 77)),
        Err(Refusal::Unknown("item or person")),
        "nobody of that name"
    );
    let elsewhere = Statement { case: Some(nowhere()), ..of_case(&vault) };
    assert_eq!(vault.clone_and_say(&elsewhere), Err(Refusal::Unknown("case")));
    // Somewhere else: it holds neither this case nor who was never part of that one.
    let mut elsewhere = vault.copy();
    held(&mut elsewhere, nowhere());
    elsewhere
        .state
        .members
        .insert((nowhere(), person(CUSTODIAN)), [(CaseRole::Reader, Term::LASTING)].into());
    elsewhere.clone_and_say(&of_case(&elsewhere)).unwrap();
    elsewhere.clone_and_say(&about(&elsewhere, LEAD)).unwrap();
    assert_eq!(elsewhere.clone_and_say(&about(&elsewhere, CUSTODIAN)), Err(Refusal::Held));
    held(&mut vault, case());
    assert_eq!(vault.clone_and_say(&of_case(&vault)), Err(Refusal::Held));
    assert_eq!(vault.clone_and_say(&about(&vault, LEAD)), Err(Refusal::Held));
    vault.clone_and_say(&about(&vault, STRANGER)).unwrap();
}

#[test]
fn a_hold_on_one_item_keeps_no_other() {
    let mut vault = Vault::new();
    for n in [1, 2] {
        vault.register(n, Class::HashOnly, Some(content(7, CheckedBy::Oneself))).unwrap();
    }
    let propose = |vault: &Vault, n| {
        let s = vault.signed(
            LEAD,
            Kind::DisposalProposed,
            DisposalProposed { records: None, retention: None }.to_data(),
        );
        Statement { purpose: Some("court-order".parse().unwrap()), ..of_item(s, n) }
    };
    let mut other = vault.copy();
    let hold = Hold { case: case(), item: Some(item(1)), stmt: Digest::ZERO, placed: 1, released: None };
    other.state.holds.insert(Digest::new([77; 32]), hold);
    assert_eq!(other.clone_and_say(&propose(&other, 1)), Err(Refusal::Held));
    other.clone_and_say(&propose(&other, 2)).unwrap();
    held(&mut vault, nowhere());
    vault.clone_and_say(&propose(&vault, 1)).unwrap();
}

/// A proposal that two have agreed to, of an item with stored content.
fn agreed() -> (Vault, Digest) {
    let mut vault = Vault::new();
    let added = MemberAdded { member: person(STRANGER), role: CaseRole::Prosecutor, from: None, until: None };
    vault.say(&in_case(vault.signed(LEAD, Kind::MemberAdded, added.to_data())));
    vault.register(1, Class::Open, None).unwrap();
    vault.receive(1, 7).unwrap();
    let s = vault.signed(
        LEAD,
        Kind::DisposalProposed,
        DisposalProposed { records: None, retention: None }.to_data(),
    );
    let proposal = vault.say(&Statement { purpose: Some("court-order".parse().unwrap()), ..of_item(s, 1) });
    for (by, role) in [(CUSTODIAN, "custodian"), (STRANGER, "prosecutor")] {
        let data = DisposalApproved {
            disclosure: Disclosure::NonePending,
            exports: 0,
            proposal,
            role: role.parse().unwrap(),
        };
        vault.say(&of_item(vault.signed(by, Kind::DisposalApproved, data.to_data()), 1));
    }
    (vault, proposal)
}

fn executed(vault: &Vault, proposal: Digest, object: Option<ObjectId>) -> Statement {
    let data = DisposalExecuted { backups: 0, horizon: None, kek: Some(1), key: None, object, proposal };
    of_item(vault.system(Kind::DisposalExecuted, data.to_data()), 1)
}

#[test]
fn what_is_destroyed_is_the_object_that_is_stored() {
    let (mut vault, proposal) = agreed();
    for object in [None, Some(ObjectId::new([8; 16]))] {
        assert_eq!(
            vault.clone_and_say(&executed(&vault, proposal, object)),
            Err(Refusal::Unknown("stored object of this item"))
        );
    }
    vault.say(&executed(&vault, proposal, Some(ObjectId::new([9; 16]))));
    assert_eq!(vault.state.disposals[&proposal].stage, Stage::Executed);
    // What ended before is still said of it, and nothing new.
    let checked = FixityChecked::by_vault(ObjectId::new([9; 16]), "scrub".parse().unwrap()).to_data();
    let checked = of_item(vault.system(Kind::FixityFailed, checked), 1);
    vault.clone_and_say(&Statement { content: Some(content(7, CheckedBy::Vault)), ..checked }).unwrap();
    let seal = SealBroken { seal: Seen::Record(Digest::ZERO) }.to_data();
    let seal = of_item(vault.signed(LEAD, Kind::SealBroken, seal), 1);
    let fields = [("seal".parse().unwrap(), Digest::ZERO)].into();
    let seal = Statement { purpose: Some("review".parse().unwrap()), fields, ..seal };
    assert!(vault.clone_and_say(&seal).is_err());
}

#[test]
fn what_was_agreed_before_a_hold_ended_lapsed_and_what_was_proposed_after_did_not() {
    let (vault, proposal) = agreed();
    let index = vault.state.disposals[&proposal].index;
    let carry_out = |released| {
        let mut vault = vault.copy();
        let hold = Hold { case: case(), item: None, stmt: Digest::ZERO, placed: 1, released };
        vault.state.holds.insert(Digest::new([77; 32]), hold);
        vault.clone_and_say(&executed(&vault, proposal, Some(ObjectId::new([9; 16])))).map(drop)
    };
    assert_eq!(carry_out(None), Err(Refusal::Held));
    assert_eq!(carry_out(Some(index + 1)), Err(Refusal::ProposalLapsed));
    assert_eq!(carry_out(Some(index)), Ok(()), "the same record");
    assert_eq!(carry_out(Some(index - 1)), Ok(()));
}

#[test]
fn a_key_that_wrapped_others_is_destroyed_as_the_one_that_began() {
    let mut vault = Vault::new();
    let kek = |vault: &Vault, kind, kek, check| {
        vault.system(kind, KekChanged { check: Digest::new([check; 32]), kek }.to_data())
    };
    vault.say(&kek(&vault, Kind::KekRotated, 2, 2));
    vault.say(&kek(&vault, Kind::KekRotated, 3, 3));
    assert_eq!(vault.try_say(&kek(&vault, Kind::KekDestroyed, 2, 9)), Err(Refusal::KekOrder), "another key");
    vault.say(&kek(&vault, Kind::KekDestroyed, 2, 2));
    assert_eq!(vault.try_say(&kek(&vault, Kind::KekDestroyed, 2, 2)), Err(Refusal::KekOrder), "again");
}

#[test]
fn a_refusal_for_want_of_a_right_is_one_and_a_mistake_is_not() {
    for denial in [Refusal::NotPermitted(Right::Export), Refusal::NotCustodian, Refusal::NotReceiver] {
        assert!(denial.is_denial(), "{denial}");
    }
    for mistake in [Refusal::Stale, Refusal::HashOnly, Refusal::OfferPending] {
        assert!(!mistake.is_denial(), "{mistake}");
    }
    assert_eq!(Refusal::Held.code(), "held");
    assert_eq!(Refusal::NotPermitted(Right::Export).code(), "not-permitted");
}

#[test]
fn a_case_that_is_not_there_is_not_updated() {
    let vault = Vault::new();
    let data = CaseUpdated { case_type: Some("other".parse().unwrap()), jurisdiction: None }.to_data();
    let s = Statement { case: Some(nowhere()), ..vault.signed(LEAD, Kind::CaseUpdated, data) };
    assert_eq!(vault.clone_and_say(&s), Err(Refusal::Unknown("case")));
}
