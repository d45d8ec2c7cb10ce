//! What may be called made from what.

use custody::act::{AccessCompleted, AccessOutcome, Derivation, ItemDerived, PixelBox, ROUTE_VAULT};
use custody::rules::made_from;

use super::*;

/// Two confidential items with content 7 and 8.
fn two_items() -> Vault {
    let mut vault = Vault::new();
    for (n, byte) in [(1, 7), (2, 8)] {
        vault.register(n, Class::Confidential, None).unwrap();
        vault.receive(n, byte).unwrap();
    }
    vault
}

fn clip(of: u128, original: u8, own: u8) -> ItemDerived {
    ItemDerived {
        how: Derivation::Clip,
        boxes: None,
        digest: Digest::new([own; 32]),
        grant: None,
        of: item(of),
        original: Digest::new([original; 32]),
    }
}

/// What the vault made of item 1, under a grant.
fn redaction(grant: Digest) -> ItemDerived {
    let boxes = Some(vec![PixelBox { h: 1, w: 2, x: 3, y: 4 }]);
    ItemDerived { how: Derivation::Redaction, boxes, grant: Some(grant), ..clip(1, 7, 8) }
}

fn says(vault: &Vault, by: u128, n: u128, d: &ItemDerived) -> Statement {
    of_item(vault.signed(by, Kind::ItemDerived, d.to_data()), n)
}

fn made(vault: &Vault, d: &ItemDerived) -> Statement {
    of_item(vault.system(Kind::ItemDerived, d.to_data()), 2)
}

fn with_purpose(s: Statement) -> Statement {
    Statement { purpose: Some("disclosure".parse().unwrap()), ..s }
}

fn granted(vault: &mut Vault, by: u128, n: u128) -> Digest {
    let expires = "2026-11-21T12:10:00.000Z".parse().unwrap();
    let s =
        of_item(vault.signed(by, Kind::AccessGranted, AccessGranted { expires, with: None }.to_data()), n);
    vault.say(&with_purpose(s))
}

fn unfit(result: Result<Digest, Refusal>) -> &'static str {
    match result {
        Err(Refusal::DerivedUnfit(why)) => why,
        other => panic!("{other:?}"),
    }
}

fn class(vault: &mut Vault, n: u128, class: Class) {
    vault.state.items.get_mut(&item(n)).unwrap().class = class;
}

#[test]
fn an_item_is_linked_once_to_an_earlier_one_of_its_case_by_the_digests_of_both() {
    let mut vault = two_items();
    let original = vault.state.items[&item(1)].clone();
    assert!(unfit(vault.try_say(&says(&vault, LEAD, 2, &clip(1, 9, 8)))).contains("digests"));
    assert!(unfit(vault.try_say(&says(&vault, LEAD, 2, &clip(1, 7, 9)))).contains("digests"));
    assert!(unfit(vault.try_say(&says(&vault, LEAD, 1, &clip(2, 8, 7)))).contains("before"));
    assert!(unfit(vault.try_say(&says(&vault, LEAD, 1, &clip(1, 7, 7)))).contains("before"));
    assert_eq!(vault.try_say(&says(&vault, LEAD, 2, &clip(9, 7, 8))), Err(Refusal::Unknown("item")));
    vault.register(3, Class::Confidential, None).unwrap();
    assert_eq!(vault.try_say(&says(&vault, LEAD, 3, &clip(1, 7, 8))), Err(Refusal::NoContent));
    vault.say(&says(&vault, CUSTODIAN, 2, &clip(1, 7, 8)));
    let derived = vault.state.items[&item(2)].derived.unwrap();
    assert_eq!((derived.of, derived.how, derived.by), (item(1), Derivation::Clip, Some(person(CUSTODIAN))));
    assert_eq!(vault.state.items[&item(1)], original, "nothing of the original changes");
    let again = vault.try_say(&says(&vault, LEAD, 2, &clip(1, 7, 8)));
    assert_eq!(again, Err(Refusal::Exists("item's original")));
}

#[test]
fn an_original_of_another_case_is_none() {
    let mut vault = two_items();
    vault.state.items.get_mut(&item(1)).unwrap().case = CaseId::new(Uuid::from_u128(77));
    assert_eq!(vault.try_say(&says(&vault, LEAD, 2, &clip(1, 7, 8))), Err(Refusal::Unknown("item")));
}

#[test]
fn what_the_vault_does_not_hold_is_named_by_the_digest_that_was_registered() {
    let mut vault = Vault::new();
    vault.register(1, Class::HashOnly, Some(content(7, CheckedBy::Oneself))).unwrap();
    vault.register(2, Class::HashOnly, Some(content(8, CheckedBy::Oneself))).unwrap();
    vault.say(&says(&vault, LEAD, 2, &clip(1, 7, 8)));
}

#[test]
fn boxes_and_a_grant_are_the_vaults_to_name_and_it_makes_redactions_only() {
    let vault = two_items();
    let parses = |s: Statement| Act::parse(&s).is_ok();
    let fits = redaction(Digest::ZERO);
    assert!(parses(made(&vault, &fits)));
    assert!(!parses(says(&vault, LEAD, 2, &fits)), "a person");
    assert!(!parses(of_item(vault.session(LEAD, Kind::ItemDerived, fits.to_data()), 2)), "on behalf");
    assert!(!parses(made(&vault, &clip(1, 7, 8))), "the vault attaches nothing");
    for change in [
        |d: &mut ItemDerived| d.boxes = None,
        |d: &mut ItemDerived| d.grant = None,
        |d: &mut ItemDerived| d.how = Derivation::WorkingCopy,
        |d: &mut ItemDerived| d.boxes = Some(vec![]),
        |d: &mut ItemDerived| d.boxes = Some(vec![PixelBox { h: 1, w: 0, x: 0, y: 0 }]),
        |d: &mut ItemDerived| d.boxes = Some(vec![PixelBox { h: 1, w: 1, x: u32::MAX, y: 0 }]),
        |d: &mut ItemDerived| d.boxes = Some(vec![PixelBox { h: 1, w: 1, x: 0, y: 0 }; 101]),
    ] {
        let mut d = fits.clone();
        change(&mut d);
        assert!(!parses(made(&vault, &d)), "{d:?}");
    }
}

#[test]
fn what_is_less_protected_than_its_original_takes_the_right_to_classify_and_a_purpose() {
    let mut vault = two_items();
    class(&mut vault, 2, Class::Open);
    let s = says(&vault, LEAD, 2, &clip(1, 7, 8));
    assert!(unfit(vault.clone_and_say(&s)).contains("purpose"));
    vault.clone_and_say(&with_purpose(s)).unwrap();
    vault.state.members.insert((case(), person(READER)), [(CaseRole::Investigator, Term::LASTING)].into());
    let s = with_purpose(says(&vault, READER, 2, &clip(1, 7, 8)));
    assert_eq!(vault.clone_and_say(&s), Err(Refusal::NotPermitted(Right::Classify)));
    // Of what somebody has in their own hands, too.
    vault.state.items.get_mut(&item(2)).unwrap().custodian = person(READER);
    assert_eq!(vault.clone_and_say(&s), Err(Refusal::NotPermitted(Right::Classify)));
    class(&mut vault, 2, Class::Confidential);
    vault.clone_and_say(&s).unwrap();
}

#[test]
fn what_an_item_is_of_another_says_its_custodian_or_whoever_may_classify_it() {
    let mut vault = two_items();
    vault.state.members.insert((case(), person(READER)), [(CaseRole::Investigator, Term::LASTING)].into());
    let s = says(&vault, READER, 2, &clip(1, 7, 8));
    assert_eq!(vault.clone_and_say(&s), Err(Refusal::NotPermitted(Right::Classify)));
    vault.clone_and_say(&says(&vault, CUSTODIAN, 2, &clip(1, 7, 8))).unwrap();
    vault.state.items.get_mut(&item(2)).unwrap().custodian = person(READER);
    vault.clone_and_say(&s).unwrap();
}

#[test]
fn a_person_may_say_of_what_something_was_made_that_is_destroyed_by_now() {
    let mut vault = two_items();
    vault.state.items.get_mut(&item(1)).unwrap().disposed = true;
    vault.say(&says(&vault, LEAD, 2, &clip(1, 7, 8)));
    vault.state.items.get_mut(&item(2)).unwrap().derived = None;
    vault.state.items.get_mut(&item(2)).unwrap().disposed = true;
    assert_eq!(vault.try_say(&says(&vault, LEAD, 2, &clip(1, 7, 8))), Err(Refusal::Disposed));
}

#[test]
fn only_the_vault_says_that_something_came_from_itself() {
    let vault = Vault::new();
    for (route, own_key) in [(ROUTE_VAULT, false), ("cli", true)] {
        let route = route.parse().unwrap();
        let data = ItemRegistered { class: Class::Open, route, sealing: None, sealed_by: None }.to_data();
        let parses = |s: Statement| Act::parse(&of_item(s, 1)).is_ok();
        assert!(parses(vault.session(LEAD, Kind::ItemRegistered, data.clone())));
        assert_eq!(parses(vault.signed(LEAD, Kind::ItemRegistered, data)), own_key);
    }
}

/// An item with content, and one that was only registered, with what the vault is about to make of the first; a grant.
fn about_to_redact() -> (Vault, Digest) {
    let mut vault = Vault::new();
    vault.register(1, Class::Confidential, None).unwrap();
    vault.receive(1, 7).unwrap();
    vault.register(2, Class::Confidential, Some(content(8, CheckedBy::Oneself))).unwrap();
    let grant = granted(&mut vault, LEAD, 1);
    (vault, grant)
}

#[test]
fn the_vault_links_what_it_made_before_it_has_it_and_receives_it_for_as_long_as_it_may_be_made() {
    let (mut vault, grant) = about_to_redact();
    vault.say(&made(&vault, &redaction(grant)));
    vault.copy().receive(2, 8).unwrap();
    for (n, other) in [(1, Class::Restricted), (1, Class::HashOnly), (2, Class::Open)] {
        let mut vault = vault.copy();
        class(&mut vault, n, other);
        assert!(unfit(vault.receive(2, 8)).contains("what it can read"), "{n} {other:?}");
    }
    let mut destroyed = vault.copy();
    destroyed.state.items.get_mut(&item(1)).unwrap().disposed = true;
    assert_eq!(destroyed.receive(2, 8), Err(Refusal::Disposed));
    // What a person says that they made, and what was made of nothing, is theirs to put in.
    let by_person = vault.state.items.get_mut(&item(2)).unwrap().derived.as_mut().unwrap();
    by_person.by = Some(person(LEAD));
    class(&mut vault, 1, Class::Restricted);
    vault.receive(2, 8).unwrap();
}

#[test]
fn a_link_by_the_vault_names_a_grant_that_is_open_to_somebody_who_still_may_read() {
    let (mut vault, grant) = about_to_redact();
    let s = made(&vault, &redaction(grant));
    vault.clone_and_say(&s).unwrap();
    let refused = |change: &dyn Fn(&mut State)| {
        let mut vault = vault.copy();
        change(&mut vault.state);
        vault.try_say(&s).unwrap_err()
    };
    let at = s.actor_time;
    let ends = |state: &mut State, at| state.grants.get_mut(&grant).unwrap().expires = at;
    assert_eq!(refused(&|state| ends(state, at)), Refusal::Grant, "it ends now");
    assert_eq!(
        refused(&|state| state.items.get_mut(&item(2)).unwrap().custodian = person(READER)),
        Refusal::Grant
    );
    assert_eq!(refused(&|state| state.items.get_mut(&item(1)).unwrap().disposed = true), Refusal::Disposed);
    assert_eq!(
        refused(&|state| {
            let original = state.items.get_mut(&item(1)).unwrap();
            original.claimed = original.stored.take().map(|stored| stored.content);
        }),
        Refusal::NoContent
    );
    assert_eq!(
        refused(&|state| state.persons.get_mut(&person(LEAD)).unwrap().suspended = Some(9)),
        Refusal::ActorSuspended
    );
    assert_eq!(
        refused(&|state| drop(state.members.remove(&(case(), person(LEAD))))),
        Refusal::NotPermitted(Right::ReadContent)
    );
    let completed = AccessCompleted { bytes: Some(1), grant, outcome: AccessOutcome::Completed };
    vault.say(&of_item(vault.system(Kind::AccessCompleted, completed.to_data()), 1));
    assert_eq!(vault.try_say(&s), Err(Refusal::Grant), "it is over");
}

#[test]
fn of_a_reading_that_a_bundle_keeps_back_it_counts_what_it_is_of() {
    let (mut vault, grant) = about_to_redact();
    vault.state.grants.clear();
    vault.state.partial = true;
    let s = made(&vault, &redaction(grant));
    assert_eq!(vault.clone_and_say(&s), Err(Refusal::Grant), "unknown");
    vault.state.kept_back.insert(grant, item(2));
    assert_eq!(vault.clone_and_say(&s), Err(Refusal::Grant), "of another");
    vault.state.kept_back.insert(grant, item(1));
    vault.clone_and_say(&s).unwrap();
    class(&mut vault, 1, Class::Restricted);
    assert!(unfit(vault.try_say(&s)).contains("what it can read"));
}

#[test]
fn what_was_made_from_an_item_is_found_by_way_of_others_too() {
    let mut vault = Vault::new();
    for n in 1..=6_u8 {
        vault.register(n.into(), Class::Open, Some(content(n, CheckedBy::Oneself))).unwrap();
    }
    for (n, of) in [(2, 1), (4, 2), (5, 3), (6, 4)] {
        let d = clip(of, u8::try_from(of).unwrap(), u8::try_from(n).unwrap());
        vault.say(&says(&vault, LEAD, n, &d));
    }
    let found = |of| {
        let items = vault.state.items.iter().map(|(id, item)| (*id, item));
        made_from(items, item(of)).into_iter().map(|(_, item)| item.exhibit).collect::<Vec<_>>()
    };
    assert_eq!(found(1), [2, 4, 6]);
    assert_eq!(found(4), [6]);
    assert_eq!(found(3), [5]);
    assert!(found(6).is_empty());
}

#[test]
fn what_was_made_from_another_item_becomes_less_protected_for_a_purpose_only() {
    let mut vault = two_items();
    vault.say(&says(&vault, LEAD, 2, &clip(1, 7, 8)));
    let seen = Some(Seen::Record(vault.state.items[&item(2)].head.record));
    let data = ItemClassified { class: Class::Open, sealing: None }.to_data();
    let s = Statement { seen, ..of_item(vault.signed(LEAD, Kind::ItemClassified, data.clone()), 2) };
    assert!(unfit(vault.clone_and_say(&s)).contains("purpose"));
    vault.clone_and_say(&with_purpose(s)).unwrap();
    let seen = Some(Seen::Record(vault.state.items[&item(1)].head.record));
    let other = Statement { seen, ..of_item(vault.signed(LEAD, Kind::ItemClassified, data), 1) };
    vault.clone_and_say(&other).unwrap();
    let seen = Some(Seen::Record(vault.state.items[&item(2)].head.record));
    let same = ItemClassified { class: Class::Confidential, sealing: None }.to_data();
    let same = Statement { seen, ..of_item(vault.signed(LEAD, Kind::ItemClassified, same), 2) };
    vault.clone_and_say(&same).unwrap();
}

#[test]
fn the_vault_redacts_what_it_can_read_for_whoever_was_granted_to_and_keeps_the_class() {
    let mut vault = two_items();
    let (others, elsewhere) = (granted(&mut vault, READER, 1), granted(&mut vault, LEAD, 2));
    let grant = granted(&mut vault, LEAD, 1);
    for wrong in [Digest::ZERO, others, elsewhere] {
        assert_eq!(vault.clone_and_say(&made(&vault, &redaction(wrong))), Err(Refusal::Grant));
    }
    let s = made(&vault, &redaction(grant));
    for (n, other) in [(1, Class::Restricted), (1, Class::HashOnly), (2, Class::Open)] {
        let mut vault = vault.copy();
        class(&mut vault, n, other);
        assert!(unfit(vault.try_say(&with_purpose(s.clone()))).contains("what it can read"));
    }
    let mut restricted = vault.copy();
    class(&mut restricted, 1, Class::Restricted);
    class(&mut restricted, 2, Class::Restricted);
    assert!(
        unfit(restricted.try_say(&s)).contains("what it can read"),
        "as well protected, and out of its reach"
    );
    vault.say(&s);
    assert_eq!(vault.state.items[&item(2)].derived.unwrap().by, None);
}
