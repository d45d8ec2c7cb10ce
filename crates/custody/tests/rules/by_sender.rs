//! Content that its sender seals: who says so, who takes it, and who says what was found in it.

use custody::act::{FixityChecked, SealedBy, Sealing};

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

/// What somebody says of what they opened under this grant.
pub(super) fn opened(grant: Digest) -> Object {
    let stage = custody::act::STAGE_OPENING.parse().unwrap();
    FixityChecked { grant: Some(grant), object: OBJECT, stage }.to_data()
}

fn found(vault: &Vault, by: u128, kind: Kind, grant: Digest, digest: u8) -> Statement {
    let s = of_item(vault.signed(by, kind, opened(grant)), 1);
    Statement { content: Some(content(digest, CheckedBy::Oneself)), ..s }
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
fn whoever_opened_it_says_what_they_found_under_their_own_open_grant() {
    let mut vault = sealed_vault();
    let theirs = vault.say(&read(&vault, LEAD, Some(CUSTODIAN)));
    let others = vault.say(&read(&vault, CUSTODIAN, Some(LEAD)));
    let (passed, failed) = (Kind::FixityPassed, Kind::FixityFailed);
    for (by, kind, grant, digest, decision) in [
        (LEAD, passed, theirs, 7, Ok(())),
        (LEAD, failed, theirs, 8, Ok(())),
        (LEAD, passed, theirs, 8, Err(Refusal::DigestMismatch)),
        (LEAD, failed, theirs, 7, Err(Refusal::DigestMismatch)),
        (LEAD, passed, others, 7, Err(Refusal::Grant)),
        (LEAD, passed, Digest::ZERO, 7, Err(Refusal::Grant)),
        (READER, passed, theirs, 7, Err(Refusal::Grant)),
    ] {
        let said = vault.clone_and_say(&found(&vault, by, kind, grant, digest)).map(drop);
        assert_eq!(said, decision, "{by} {kind} {digest}");
    }
    // As many bytes, of this object.
    let fine = found(&vault, LEAD, passed, theirs, 7);
    let longer = fine.content.map(|content| Content { size: content.size + 1, ..content });
    let longer = Statement { content: longer, ..fine.clone() };
    assert_eq!(vault.clone_and_say(&longer), Err(Refusal::DigestMismatch));
    let stage = custody::act::STAGE_OPENING.parse().unwrap();
    let elsewhere = FixityChecked { grant: Some(theirs), object: ObjectId::new([8; 16]), stage };
    let elsewhere = Statement { data: elsewhere.to_data(), ..fine.clone() };
    assert_eq!(vault.clone_and_say(&elsewhere), Err(Refusal::Unknown("object")));
    // Another item, whose grant this is not.
    let mut two = vault.copy();
    two.say(&Statement { item: Some(item(2)), ..registered(&two, Some(two_pairs()), Some(own())) });
    two.say(&Statement { item: Some(item(2)), ..unseen(&two, 7) });
    assert_eq!(two.try_say(&Statement { item: Some(item(2)), ..fine.clone() }), Err(Refusal::Grant));
    // The grant ended, or the key by which they said that they open it.
    let mut over = vault.copy();
    let ended =
        AccessCompleted { bytes: None, grant: theirs, outcome: custody::act::AccessOutcome::Completed };
    over.say(&of_item(over.signed(LEAD, Kind::AccessCompleted, ended.to_data()), 1));
    assert_eq!(over.try_say(&fine), Err(Refusal::Grant));
    let mut late = vault.copy();
    late.state.grants.get_mut(&theirs).unwrap().expires = "2026-11-21T12:00:00.000Z".parse().unwrap();
    assert_eq!(late.try_say(&fine), Err(Refusal::Grant));
    let mut lost = vault.copy();
    lost.state.grants.get_mut(&theirs).unwrap().key = Some(key(2).hash());
    assert_eq!(lost.try_say(&fine), Err(Refusal::Grant));
}

#[test]
fn of_a_reading_that_a_bundle_keeps_back_it_counts_what_it_is_of() {
    let mut vault = sealed_vault();
    let grant = vault.say(&read(&vault, LEAD, Some(CUSTODIAN)));
    let said = found(&vault, LEAD, Kind::FixityPassed, grant, 7);
    vault.state.grants.clear();
    vault.state.partial = true;
    assert_eq!(vault.clone_and_say(&said), Err(Refusal::Grant), "unknown");
    vault.state.kept_back.insert(grant, item(2));
    assert_eq!(vault.clone_and_say(&said), Err(Refusal::Grant), "of another");
    vault.state.kept_back.insert(grant, item(1));
    vault.clone_and_say(&said).unwrap();
    let otherwise = found(&vault, LEAD, Kind::FixityPassed, grant, 8);
    assert_eq!(vault.clone_and_say(&otherwise), Err(Refusal::DigestMismatch));
}

#[test]
fn a_person_says_what_they_opened_and_the_vault_what_it_read() {
    let mut vault = sealed_vault();
    let grant = vault.say(&read(&vault, LEAD, Some(CUSTODIAN)));
    let fine = found(&vault, LEAD, Kind::FixityPassed, grant, 7);
    let with =
        |grant, stage: &str| FixityChecked { grant, object: OBJECT, stage: stage.parse().unwrap() }.to_data();
    let by_vault = |data| {
        let s = of_item(vault.system(Kind::FixityPassed, data), 1);
        Statement { content: Some(content(7, CheckedBy::Vault)), ..s }
    };
    for bad in [
        Statement { data: with(None, "opening"), ..fine.clone() },
        Statement { data: with(None, "scrub"), ..fine.clone() },
        Statement { data: with(Some(grant), "scrub"), ..fine.clone() },
        Statement { assurance: Assurance::Session, actor_key: VAULT_KEY.hash(), ..fine.clone() },
        Statement { content: Some(content(7, CheckedBy::Vault)), ..fine.clone() },
        by_vault(with(Some(grant), "scrub")),
        by_vault(with(None, "opening")),
        Statement { content: Some(content(7, CheckedBy::Oneself)), ..by_vault(with(None, "scrub")) },
        Statement { content: Some(content(7, CheckedBy::None)), ..fine.clone() },
    ] {
        assert!(Act::parse(&bad).is_err(), "{bad:?}");
    }
    vault.clone_and_say(&fine).unwrap();
    // Of what it never saw the vault says that its bytes are still those that were sent, and no digest of its own.
    let seen = by_vault(with(None, "scrub"));
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
fn it_is_sealed_to_a_recovery_pair_or_anew_as_what_the_vault_sealed_is() {
    let mut vault = sealing_vault();
    let recovery = Some([recipient(8).min(recipient(9)), recipient(8).max(recipient(9))]);
    let sealing = Sealing { pairs: vec![pair(LEAD, CUSTODIAN)], recovery };
    vault.say(&registered(&vault, Some(sealing), Some(own())));
    vault.say(&unseen(&vault, 7));
    let grant = vault.say(&read(&vault, READER, Some(DEFENCE)));
    vault.say(&found(&vault, READER, Kind::FixityFailed, grant, 8));
}
