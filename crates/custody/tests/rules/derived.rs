//! What may be called made from what.

use custody::act::{Derivation, ItemDerived, PixelBox};

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
    class(&mut vault, 2, Class::Confidential);
    vault.clone_and_say(&s).unwrap();
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
    let mut partial = vault.copy();
    partial.state.partial = true;
    partial.state.grants.clear();
    partial.say(&s);
    vault.say(&s);
    assert_eq!(vault.state.items[&item(2)].derived.unwrap().by, None);
}
