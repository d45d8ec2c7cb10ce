//! Content that its sender seals: who says so, who takes it, and who says what was found in it.

use custody::act::{DID_NOT_OPEN, FixityChecked, OTHER_HALVES, STAGE_OPENING, SealedBy, Sealing};

use super::sealing::{DEFENCE, pair, read, recipient, sealing_vault, two_pairs};
use super::*;

const OBJECT: ObjectId = ObjectId::new([9; 16]);

fn registered(vault: &Vault, sealing: Option<Sealing>, digest: Option<Content>) -> Statement {
    let class = if sealing.is_some() { Class::Restricted } else { Class::Open };
    let (route, sealed_by) = ("cli".parse().unwrap(), Some(SealedBy::Sender));
    let data = ItemRegistered { class, route, sealing, sealed_by }.to_data();
    Statement { content: digest, ..of_item(vault.signed(LEAD, Kind::ItemRegistered, data), 1) }
}

fn own() -> Content {
    content(7, CheckedBy::Oneself)
}

fn received(vault: &Vault, halves: Option<Digest>, found: Content) -> Statement {
    let data = ContentReceived { halves, manifest: Digest::ZERO, object: OBJECT, version: 1 }.to_data();
    Statement { content: Some(found), ..of_item(vault.system(Kind::ContentReceived, data), 1) }
}

fn unseen(vault: &Vault, digest: u8) -> Statement {
    received(vault, Some(Digest::ZERO), content(digest, CheckedBy::None))
}

/// With content that its sender sealed.
fn sealed_vault() -> Vault {
    let mut vault = sealing_vault();
    vault.say(&registered(&vault, Some(two_pairs()), Some(own())));
    vault.say(&unseen(&vault, 7));
    vault
}

/// What somebody says of what they opened under this grant, together with the custodian under another.
pub(super) fn opened(grant: Digest, with_grant: Digest) -> FixityChecked {
    FixityChecked {
        grant: Some(grant),
        object: OBJECT,
        reason: None,
        stage: STAGE_OPENING.parse().unwrap(),
        with: Some(person(CUSTODIAN)),
        with_grant: Some(with_grant),
    }
}

/// That it did not open, which the first of two finds alone.
pub(super) fn failed(grant: Digest) -> FixityChecked {
    let reason = Some(DID_NOT_OPEN.parse().unwrap());
    FixityChecked { reason, with: None, with_grant: None, ..opened(grant, grant) }
}

/// The data of what a person found, of nothing in particular.
pub(super) fn some(kind: Kind) -> Object {
    let zero = Digest::ZERO;
    if kind == Kind::FixityPassed { opened(zero, zero).to_data() } else { failed(zero).to_data() }
}

fn found(vault: &Vault, by: u128, kind: Kind, d: &FixityChecked, digest: u8) -> Statement {
    let s = of_item(vault.signed(by, kind, d.to_data()), 1);
    Statement { content: Some(content(digest, CheckedBy::Oneself)), ..s }
}

/// The lead and the custodian say that they open it; with the grants of both.
fn both(vault: &mut Vault) -> [Digest; 2] {
    let theirs = vault.say(&read(vault, LEAD, Some(CUSTODIAN)));
    [theirs, vault.say(&read(vault, CUSTODIAN, Some(LEAD)))]
}

#[test]
fn what_its_sender_seals_is_restricted_and_said_under_a_key_of_their_own_with_the_digest() {
    let mut vault = sealing_vault();
    let refused = |s: &Statement| assert!(Act::parse(s).is_err(), "{:?}", s.data);
    refused(&registered(&vault, None, Some(own())));
    refused(&registered(&vault, Some(two_pairs()), None));
    let foreign = Some(content(7, CheckedBy::None));
    refused(&registered(&vault, Some(two_pairs()), foreign));
    let fine = registered(&vault, Some(two_pairs()), Some(own()));
    refused(&Statement { assurance: Assurance::Session, actor_key: VAULT_KEY.hash(), ..fine.clone() });
    vault.say(&fine);
    assert!(vault.state.items[&item(1)].by_sender);
    assert!(!Vault::new().copy().state.items.values().any(|item| item.by_sender));
}

#[test]
fn the_vault_takes_it_unseen_with_the_halves_and_nothing_else_so() {
    let mut vault = sealing_vault();
    vault.say(&registered(&vault, Some(two_pairs()), Some(own())));
    // Its halves are named exactly where nobody but the sender saw it; only the vault says so, and of content received.
    for (halves, by) in [
        (None, CheckedBy::None),
        (Some(Digest::ZERO), CheckedBy::Vault),
        (Some(Digest::ZERO), CheckedBy::Oneself),
        (None, CheckedBy::Oneself),
    ] {
        assert!(Act::parse(&received(&vault, halves, content(7, by))).is_err(), "{halves:?} {by:?}");
    }
    let seen = received(&vault, None, content(7, CheckedBy::Vault));
    assert_eq!(vault.clone_and_say(&seen), Err(Refusal::SealedBySender));
    assert_eq!(vault.clone_and_say(&unseen(&vault, 8)), Err(Refusal::DigestMismatch));
    vault.say(&unseen(&vault, 7));
    assert_eq!(vault.clone_and_say(&unseen(&vault, 7)), Err(Refusal::ContentExists));
    let stored = vault.state.items[&item(1)].stored.unwrap();
    assert_eq!((stored.content.checked_by, stored.object), (CheckedBy::None, OBJECT));

    let mut by_vault = sealing_vault();
    by_vault.say(&super::sealing::registered(&by_vault, 1, Some(two_pairs())));
    assert_eq!(by_vault.clone_and_say(&unseen(&by_vault, 7)), Err(Refusal::SealedBySender));
    let mut open = Vault::new();
    open.register(1, Class::Open, Some(own())).unwrap();
    assert_eq!(open.try_say(&unseen(&open, 7)), Err(Refusal::SealedBySender));
}

#[test]
fn two_who_opened_it_together_say_that_it_is_what_is_recorded_or_is_not() {
    let mut vault = sealed_vault();
    let [theirs, others] = both(&mut vault);
    let (passed, failed_) = (Kind::FixityPassed, Kind::FixityFailed);
    let (fine, swapped) = (opened(theirs, others), opened(others, theirs));
    let with = |with| FixityChecked { with: Some(person(with)), ..opened(theirs, others) };
    let back = FixityChecked { with: Some(person(LEAD)), ..swapped.clone() };
    for (by, kind, d, digest, decision) in [
        (LEAD, passed, &fine, 7, Ok(())),
        (LEAD, failed_, &fine, 8, Ok(())),
        (CUSTODIAN, passed, &back, 7, Ok(())),
        (LEAD, passed, &fine, 8, Err(Refusal::DigestMismatch)),
        (LEAD, failed_, &fine, 7, Err(Refusal::DigestMismatch)),
        (LEAD, passed, &swapped, 7, Err(Refusal::OpenedInPairs)),
        (LEAD, passed, &opened(theirs, theirs), 7, Err(Refusal::OpenedInPairs)),
        (LEAD, passed, &opened(theirs, Digest::ZERO), 7, Err(Refusal::OpenedInPairs)),
        (LEAD, passed, &opened(Digest::ZERO, others), 7, Err(Refusal::OpenedInPairs)),
        (LEAD, passed, &with(READER), 7, Err(Refusal::OpenedInPairs)),
        (READER, passed, &fine, 7, Err(Refusal::OpenedInPairs)),
    ] {
        let said = vault.clone_and_say(&found(&vault, by, kind, d, digest)).map(drop);
        assert_eq!(said, decision, "{by} {kind} {digest} {d:?}");
    }
    // As many bytes, of this object, and not once it is destroyed.
    let fine = found(&vault, LEAD, passed, &fine, 7);
    let longer = fine.content.map(|content| Content { size: content.size + 1, ..content });
    let longer = Statement { content: longer, ..fine.clone() };
    assert_eq!(vault.clone_and_say(&longer), Err(Refusal::DigestMismatch));
    let elsewhere = FixityChecked { object: ObjectId::new([8; 16]), ..opened(theirs, others) };
    let elsewhere = Statement { data: elsewhere.to_data(), ..fine.clone() };
    assert_eq!(vault.clone_and_say(&elsewhere), Err(Refusal::Unknown("object")));
    let mut gone = vault.copy();
    gone.state.items.get_mut(&item(1)).unwrap().disposed = true;
    assert_eq!(gone.try_say(&fine), Err(Refusal::Disposed));
    // Not of an item that is not sealed to anybody.
    let mut open = vault.copy();
    open.state.items.get_mut(&item(1)).unwrap().sealing = None;
    assert_eq!(open.try_say(&fine), Err(Refusal::NotInPairs));
}

#[test]
fn whoever_could_not_open_it_says_so_under_their_own_open_grant() {
    let mut vault = sealed_vault();
    let [theirs, others] = both(&mut vault);
    let said = |vault: &Vault, grant, digest| {
        vault.clone_and_say(&found(vault, LEAD, Kind::FixityFailed, &failed(grant), digest)).map(drop)
    };
    // What did not open has no digest of its own, not even where nothing was recorded.
    for digest in [7, 8] {
        assert_eq!(said(&vault, theirs, digest), Ok(()));
    }
    for grant in [others, Digest::ZERO] {
        assert_eq!(said(&vault, grant, 8), Err(Refusal::Grant));
    }
    let halves = FixityChecked { reason: Some(OTHER_HALVES.parse().unwrap()), ..opened(theirs, others) };
    vault.clone_and_say(&found(&vault, LEAD, Kind::FixityFailed, &halves, 7)).unwrap();
    let without = FixityChecked { reason: None, ..failed(theirs) };
    let without = |digest| found(&vault, LEAD, Kind::FixityFailed, &without, digest);
    assert_eq!(vault.clone_and_say(&without(7)), Err(Refusal::DigestMismatch));
    vault.clone_and_say(&without(8)).unwrap();
    // Another item, whose grant this is not.
    let mut two = vault.copy();
    two.say(&Statement { item: Some(item(2)), ..registered(&two, Some(two_pairs()), Some(own())) });
    two.say(&Statement { item: Some(item(2)), ..unseen(&two, 7) });
    let fine = found(&two, LEAD, Kind::FixityFailed, &failed(theirs), 8);
    assert_eq!(two.try_say(&Statement { item: Some(item(2)), ..fine }), Err(Refusal::Grant));
    // The grant ended, or ran out, or the key by which they said that they open it is another's.
    let mut over = vault.copy();
    let outcome = custody::act::AccessOutcome::Completed;
    let ended = AccessCompleted { bytes: None, grant: theirs, outcome };
    over.say(&of_item(over.signed(LEAD, Kind::AccessCompleted, ended.to_data()), 1));
    assert_eq!(said(&over, theirs, 8), Err(Refusal::Grant));
    let mut late = vault.copy();
    late.state.grants.get_mut(&theirs).unwrap().expires = "2026-11-21T12:00:00.000Z".parse().unwrap();
    assert_eq!(said(&late, theirs, 8), Err(Refusal::Grant));
    let mut lost = vault.copy();
    lost.state.grants.get_mut(&theirs).unwrap().key = Some(key(2).hash());
    assert_eq!(said(&lost, theirs, 8), Err(Refusal::Grant));
}

#[test]
fn of_a_reading_that_a_bundle_keeps_back_it_counts_what_it_is_of() {
    let mut vault = sealed_vault();
    let [theirs, others] = both(&mut vault);
    let passed = found(&vault, LEAD, Kind::FixityPassed, &opened(theirs, others), 7);
    let alone = found(&vault, LEAD, Kind::FixityFailed, &failed(theirs), 8);
    vault.state.grants.clear();
    assert_eq!(vault.clone_and_say(&passed), Err(Refusal::OpenedInPairs));
    vault.state.partial = true;
    assert_eq!(vault.clone_and_say(&alone), Err(Refusal::Grant), "unknown");
    vault.state.kept_back.insert(theirs, item(2));
    assert_eq!(vault.clone_and_say(&alone), Err(Refusal::Grant), "of another");
    vault.state.kept_back.insert(theirs, item(1));
    vault.clone_and_say(&alone).unwrap();
    assert_eq!(vault.clone_and_say(&passed), Err(Refusal::OpenedInPairs), "the other's is unknown");
    vault.state.kept_back.insert(others, item(1));
    vault.clone_and_say(&passed).unwrap();
    let otherwise = found(&vault, LEAD, Kind::FixityPassed, &opened(theirs, others), 8);
    assert_eq!(vault.clone_and_say(&otherwise), Err(Refusal::DigestMismatch));
}

#[test]
fn a_person_says_what_they_opened_and_the_vault_what_it_read() {
    let mut vault = sealed_vault();
    let [theirs, others] = both(&mut vault);
    let fine = opened(theirs, others);
    let code = |text: &str| text.parse().unwrap();
    let person = |kind, d: &FixityChecked| found(&vault, LEAD, kind, d, 7);
    let by_vault = |d: &FixityChecked| {
        let s = of_item(vault.system(Kind::FixityPassed, d.to_data()), 1);
        Statement { content: Some(content(7, CheckedBy::Vault)), ..s }
    };
    let (passed, failed_) = (Kind::FixityPassed, Kind::FixityFailed);
    let scrub = FixityChecked::by_vault(OBJECT, code("scrub"));
    let half = FixityChecked { with_grant: None, ..fine.clone() };
    let other_half = FixityChecked { with: None, ..fine.clone() };
    let session =
        Statement { assurance: Assurance::Session, actor_key: VAULT_KEY.hash(), ..person(passed, &fine) };
    for bad in [
        person(passed, &FixityChecked { grant: None, ..fine.clone() }),
        person(passed, &FixityChecked { stage: code("scrub"), ..fine.clone() }),
        person(passed, &FixityChecked { reason: Some(code(OTHER_HALVES)), ..fine.clone() }),
        person(passed, &FixityChecked { reason: None, ..failed(theirs) }),
        person(passed, &half),
        person(failed_, &half),
        person(failed_, &other_half),
        person(failed_, &FixityChecked { reason: Some(code("because")), ..fine.clone() }),
        person(failed_, &FixityChecked { grant: None, ..failed(theirs) }),
        person(failed_, &scrub),
        session,
        Statement { content: Some(content(7, CheckedBy::Vault)), ..person(passed, &fine) },
        Statement { content: Some(content(7, CheckedBy::None)), ..person(passed, &fine) },
        by_vault(&FixityChecked { grant: Some(theirs), ..scrub.clone() }),
        by_vault(&FixityChecked { with: fine.with, ..scrub.clone() }),
        by_vault(&FixityChecked { with_grant: Some(others), ..scrub.clone() }),
        by_vault(&FixityChecked { reason: Some(code(DID_NOT_OPEN)), ..scrub.clone() }),
        by_vault(&FixityChecked { stage: code(STAGE_OPENING), ..scrub.clone() }),
        Statement { content: Some(content(7, CheckedBy::Oneself)), ..by_vault(&scrub) },
    ] {
        assert!(Act::parse(&bad).is_err(), "{bad:?}");
    }
    vault.clone_and_say(&person(passed, &fine)).unwrap();
    // Of what it never saw the vault says that its bytes are still those that were sent, and no digest of its own.
    let seen = by_vault(&scrub);
    let unseen = Statement { content: Some(content(7, CheckedBy::None)), ..seen.clone() };
    vault.clone_and_say(&unseen).unwrap();
    assert_eq!(vault.clone_and_say(&seen), Err(Refusal::SealedBySender));
    let mut other = Vault::new();
    other.register(1, Class::Open, None).unwrap();
    other.receive(1, 7).unwrap();
    other.clone_and_say(&seen).unwrap();
    assert_eq!(other.clone_and_say(&unseen), Err(Refusal::SealedBySender));
}

#[test]
fn it_is_sealed_to_a_recovery_pair_as_what_the_vault_sealed_is() {
    let mut vault = sealing_vault();
    let recovery = Some([recipient(8).min(recipient(9)), recipient(8).max(recipient(9))]);
    let sealing = Sealing { pairs: vec![pair(LEAD, CUSTODIAN)], recovery };
    vault.say(&registered(&vault, Some(sealing), Some(own())));
    vault.say(&unseen(&vault, 7));
    let theirs = vault.say(&read(&vault, READER, Some(DEFENCE)));
    let others = vault.say(&read(&vault, DEFENCE, Some(READER)));
    let with = FixityChecked { with: Some(person(DEFENCE)), ..opened(theirs, others) };
    vault.say(&found(&vault, READER, Kind::FixityPassed, &with, 7));
}
