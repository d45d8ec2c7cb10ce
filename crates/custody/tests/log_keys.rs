//! The keys of a log: which may come next, and who believes it.
#![cfg(test)]

#[path = "support/mod.rs"]
mod support;

use custody::act::{ClockFault, LogAnchor, LogContinued, LogKeyRotated};
use custody::checkpoint::{Checkpoint, CheckpointError, Origin};
use custody::digest::Digest;
use custody::envelope::{PayloadType, sign};
use custody::kind::Kind;
use custody::log_keys::{FollowError, LogKeys, LogKeysError, VaultKey, parse_changes};
use custody::receipt::{Receipt, ReceiptError};
use custody::rules::{Refusal, decide};
use custody::statement::Statement;
use ed25519_dalek::SigningKey;
use proptest::prelude::*;

use support::{By, ORIGIN, Vault, draft, story, vkey};

const SUCCESSOR: &str = "vault.example.org/custos/2";

fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

fn known(vault: &Vault) -> VaultKey {
    VaultKey { vault: vault.id(), key: vault.key.verifying_key() }
}

/// A vault that has replaced its log's key twice; where, and the key that it began with.
fn rotated() -> (Vault, [u64; 2], LogKeys) {
    let mut vault = story(1).vault;
    let first = LogKeys::from(vault.log_vkey());
    let mut at = [0; 2];
    for (at, seed) in at.iter_mut().zip([201, 202]) {
        *at = vault.size();
        vault.rotate(&key(seed));
    }
    (vault, at, first)
}

fn changes(vault: &Vault, at: &[u64]) -> Vec<Receipt> {
    at.iter().map(|index| vault.receipt(*index)).collect()
}

/// The same receipt over another envelope: all that a liar without the log's key can make of it.
fn signed_by(vault: &mut Vault, index: u64, signers: &[&SigningKey]) -> Receipt {
    let at = vault.said.iter().position(|said| said.records[0].record.log_index == index).unwrap();
    let body = vault.said[at].statement.to_bytes();
    let envelope = sign(PayloadType::Statement, &body, signers);
    let mut receipt = vault.receipt(index);
    receipt.envelope = envelope.into();
    receipt
}

#[test]
fn keys_are_followed_from_any_that_is_known() {
    let (vault, at, first) = rotated();
    let changes = changes(&vault, &at);
    let text: Vec<u8> =
        changes.iter().flat_map(|receipt| [receipt.emit(), b"\n".to_vec()].concat()).collect();
    assert_eq!(parse_changes(&text).unwrap(), changes);
    for knows in [None, Some(known(&vault))] {
        let followed = first.follow(&changes, knows.as_ref()).unwrap();
        assert_eq!(followed, vault.log_keys());
        assert_eq!(followed.follow(&changes, knows.as_ref()).unwrap(), followed, "what is known stays");
        let second = LogKeys::from(followed.former()[1].key.clone());
        assert_eq!(second.follow(&changes, knows.as_ref()).unwrap().former().len(), 1);
        assert_eq!(first.follow(&changes[1..], knows.as_ref()).unwrap(), first, "no key is passed over");
    }
    assert_eq!(first.follow(&[], None).unwrap(), first);
}

#[test]
fn a_next_key_that_not_everybody_has_signed_for_is_not_followed() {
    let mut vault = story(1).vault;
    let (first, at) = (LogKeys::from(vault.log_vkey()), [vault.size()]);
    vault.rotate(&key(201));
    let (own, old, new, stranger) = (vault.key.clone(), key(1 ^ 0x80), key(201), key(99));
    assert_eq!(vkey(ORIGIN, &old), *first.present());
    for (signers, who) in [
        (vec![&own, &stranger, &new], "the key before"),
        (vec![&own, &old, &stranger], "the new key"),
        (vec![&own, &new], "the key before"),
        (vec![&own], "the key before"),
        (vec![&stranger, &old, &new], "the vault"),
    ] {
        let forged = signed_by(&mut vault, at[0], &signers);
        let refused = first.follow(&[forged], Some(&known(&vault))).unwrap_err();
        assert!(matches!(refused, FollowError::Signature(whose) if whose == who), "{who}: {refused}");
    }
    // By the right keys, and yet not the envelope that was recorded.
    let mut other = signed_by(&mut vault, at[0], &[&own, &old, &new]);
    assert!(
        first.follow(std::slice::from_ref(&other), Some(&known(&vault))).is_ok(),
        "Ed25519 signs the same"
    );
    other.salt = Digest::of(b"another");
    let refused = first.follow(&[other], None).unwrap_err();
    assert!(matches!(refused, FollowError::Receipt(ReceiptError::Commitment)), "{refused}");
}

/// The vault loses what `lost` does and is restored, and names again the key that its log had; the vault that had it.
fn lose(vault: &mut Vault, lost: impl FnOnce(&mut Vault)) -> Vault {
    let old = vault.clone();
    lost(vault);
    let newer = std::mem::replace(vault, old);
    vault.recover_with_key(&newer, None);
    newer
}

fn fault(vault: &mut Vault) {
    vault.say(By::Vault, draft(Kind::ClockFault, ClockFault { drift_ms: 1 }.to_data()));
}

#[test]
fn a_key_that_only_lost_records_named_counts_from_where_they_may_have_named_it() {
    let mut vault = story(1).vault;
    let (first, from) = (LogKeys::from(vault.log_vkey()), vault.size());
    let newer = lose(&mut vault, |vault| {
        fault(vault);
        vault.rotate(&key(201));
        fault(vault);
    });
    let to = newer.size();
    fault(&mut vault);
    let (keys, known) = (vault.log_keys(), known(&vault));
    assert_eq!((keys.former()[0].until, keys.former()[0].lost_from), (to, Some(from)));
    let signed = |size, by: u8| {
        let checkpoint = Checkpoint::new(Origin::new(ORIGIN).unwrap(), size, Digest::ZERO).unwrap();
        keys.open(&checkpoint.sign(&key(by)).unwrap()).map(|_| ())
    };
    let (old, new) = (1 ^ 0x80, 201);
    for size in [from + 1, to] {
        assert_eq!((signed(size, old), signed(size, new)), (Ok(()), Ok(())), "{size}: nobody knows which");
    }
    assert_eq!(signed(from, new), Err(CheckpointError::NotYet { from: from + 1 }));
    assert_eq!(signed(to + 1, old), Err(CheckpointError::Replaced { until: to }));
    assert_eq!((signed(from, old), signed(to + 1, new)), (Ok(()), Ok(())));

    // Receipts of the lost time hold, for whoever comes later and for whoever had followed then.
    let (then, now) = (changes(&newer, &[from + 1]), changes(&vault, &[to]));
    for knows in [None, Some(&known)] {
        let followed = first.follow(&then, knows).unwrap();
        assert_eq!(followed.follow(&now, knows).unwrap(), followed, "it is the same key");
        assert_eq!(first.follow(&now, knows).unwrap(), keys);
        for log in [&followed, &keys] {
            for receipt in [newer.receipt(from), newer.receipt(from + 1), newer.receipt(to - 1)] {
                receipt.check_with(&vault.id(), log).unwrap();
            }
            for receipt in [vault.receipt(to), vault.receipt(to + 1)] {
                receipt.check_with(&vault.id(), log).unwrap();
            }
        }
    }
}

#[test]
fn a_continuation_that_was_lost_counts_again_under_the_name_that_it_gave() {
    let mut vault = story(1).vault;
    let (first, from) = (LogKeys::from(vault.log_vkey()), vault.size());
    let newer = lose(&mut vault, |vault| {
        let anchor = vault.checkpoint();
        fault(vault);
        vault.continue_log(SUCCESSOR, &key(202), &anchor, LogAnchor::Vault);
        fault(vault);
    });
    let to = newer.size();
    fault(&mut vault);
    let knows = known(&vault);
    let followed = first.follow(&changes(&newer, &[from + 1]), Some(&knows)).unwrap();
    let now = changes(&vault, &[to]);
    assert!(matches!(first.follow(&now, None).unwrap_err(), FollowError::Continued(_)));
    assert_eq!(followed.follow(&now, Some(&knows)).unwrap(), followed);
    assert_eq!(first.follow(&now, Some(&knows)).unwrap(), vault.log_keys());
    for log in [&followed, &vault.log_keys()] {
        for receipt in [newer.receipt(from), newer.receipt(to - 1), vault.receipt(to), vault.receipt(to + 1)]
        {
            receipt.check_with(&vault.id(), log).unwrap();
        }
    }
}

#[test]
fn whoever_knows_a_key_that_is_lost_with_its_records_follows_by_the_vaults_word_alone() {
    let mut vault = story(1).vault;
    let first = LogKeys::from(vault.log_vkey());
    let old = vault.clone();
    let at = vault.size();
    vault.rotate(&key(201));
    let then = first.follow(&changes(&vault, &[at]), None).unwrap();
    // The database is restored, the key is gone: the log is given up, and what was published is noted as lost.
    let mut newer = std::mem::replace(&mut vault, old);
    newer.origin = SUCCESSOR.to_owned();
    newer.log_key = key(203);
    vault.recover_with_key(&newer, None);
    let (to, knows) = (newer.size(), known(&vault));
    let now = changes(&vault, &[to]);
    let refused = then.follow(&now, None).unwrap_err();
    assert!(matches!(&refused, FollowError::Continued(name) if name == SUCCESSOR), "{refused}");
    let followed = then.follow(&now, Some(&knows)).unwrap();
    assert_eq!((followed.former().len(), followed.present()), (2, &vkey(SUCCESSOR, &key(203))));
    assert_eq!(followed.follow(&now, Some(&knows)).unwrap(), followed, "once");
    vault.receipt(to).check_with(&vault.id(), &followed).unwrap();
    // Somebody else's word, or a loss that lies elsewhere, is none.
    let thief = VaultKey { key: key(99).verifying_key(), ..knows };
    assert!(matches!(then.follow(&now, Some(&thief)).unwrap_err(), FollowError::Signature("the vault")));
    let mut earlier = LogKeys::from(first.present().clone());
    earlier = earlier.replaced(at - 1, then.present().clone()).unwrap();
    assert_eq!(earlier.follow(&now, Some(&knows)).unwrap(), earlier, "its key came before what was lost");
}

#[test]
fn a_change_is_followed_only_where_it_stands_in_the_log() {
    let (vault, at, first) = rotated();
    let [mut one, two] = <[Receipt; 2]>::try_from(changes(&vault, &at)).unwrap();
    let other = VaultKey { vault: Digest::of(b"another"), ..known(&vault) };
    assert!(matches!(first.follow(&[one.clone()], Some(&other)).unwrap_err(), FollowError::OtherVault));
    assert!(matches!(first.follow(&[vault.receipt(1)], None).unwrap_err(), FollowError::OtherAct));
    one.proof = two.proof;
    assert!(matches!(
        first.follow(&[one], None).unwrap_err(),
        FollowError::Receipt(ReceiptError::OtherPlace)
    ));
}

#[test]
fn a_log_that_goes_on_under_another_name_is_followed_by_the_vaults_word_alone() {
    let mut vault = story(1).vault;
    let first = LogKeys::from(vault.log_vkey());
    let (at, anchor) = (vault.size(), vault.checkpoint());
    vault.continue_log(SUCCESSOR, &key(202), &anchor, LogAnchor::Vault);
    let changes = changes(&vault, &[at]);
    let refused = first.follow(&changes, None).unwrap_err();
    assert!(matches!(&refused, FollowError::Continued(name) if name == SUCCESSOR), "{refused}");
    let followed = first.follow(&changes, Some(&known(&vault))).unwrap();
    assert_eq!(followed.present(), &vkey(SUCCESSOR, &key(202)));
    let thief = VaultKey { key: key(99).verifying_key(), ..known(&vault) };
    assert!(matches!(first.follow(&changes, Some(&thief)).unwrap_err(), FollowError::Signature("the vault")));
    // Records say the name under which they came, whatever the checkpoint's is.
    for index in [0, at - 1, at] {
        let checked = vault.receipt(index).check_with(&vault.id(), &followed).unwrap();
        assert_eq!(checked.record.log, if index < at { ORIGIN } else { SUCCESSOR });
    }
    // The key that was given up signs nothing more under any name, and the new one nothing under the old name.
    let more = |origin: &str, key: &SigningKey| {
        let text = Checkpoint::new(Origin::new(origin).unwrap(), at + 1, *vault_root(&vault).root()).unwrap();
        followed.open(&text.sign(key).unwrap())
    };
    let old = key(1 ^ 0x80);
    assert_eq!(more(ORIGIN, &old), Err(CheckpointError::Replaced { until: at }));
    assert!(more(SUCCESSOR, &old).is_err() && more(ORIGIN, &key(202)).is_err());
    assert!(more(SUCCESSOR, &key(202)).is_ok());
}

fn vault_root(vault: &Vault) -> Checkpoint {
    Checkpoint::open(&vault.checkpoint(), &vault.log_vkey()).unwrap()
}

/// What the rules say about a statement of the vault.
fn ruled(vault: &Vault, kind: Kind, data: custody::json::Object) -> Result<(), Refusal> {
    let statement =
        Statement { kind, data, op_id: custody::id::OpId::new([9; 16]), ..vault.said[1].statement.clone() };
    let statement = Statement { fields: std::collections::BTreeMap::new(), ..statement };
    decide(&vault.state, statement.actor_time, &statement, &custody::act::Act::parse(&statement).unwrap())
}

#[test]
fn the_next_key_is_a_new_one_under_the_logs_name() {
    let (vault, ..) = rotated();
    let present = vault.log_vkey().to_string();
    let rule = |log_vkey: String, previous: &str| {
        let data = LogKeyRotated { log_vkey, previous: previous.to_owned() }.to_data();
        ruled(&vault, Kind::LogKeyRotated, data)
    };
    let named = |origin, key: &SigningKey| vkey(origin, key).to_string();
    assert_eq!(rule(named(ORIGIN, &key(203)), &present), Ok(()));
    assert_eq!(rule(named(ORIGIN, &key(203)), &named(ORIGIN, &key(201))), Err(Refusal::OtherLogKey));
    assert_eq!(rule(named(SUCCESSOR, &key(203)), &present), Err(Refusal::LogKeyUnfit));
    assert_eq!(rule("log".to_owned(), &present), Err(Refusal::LogKeyUnfit));
    let cosigner = custody::note::VerifierKey::new(
        Origin::new(ORIGIN).unwrap().key_name(),
        custody::note::SignatureType::Cosignature,
        key(203).verifying_key(),
    );
    assert_eq!(rule(cosigner.unwrap().to_string(), &present), Err(Refusal::LogKeyUnfit));
    for used in [key(201), key(202), key(1 ^ 0x80), vault.key.clone()] {
        assert_eq!(rule(named(ORIGIN, &used), &present), Err(Refusal::KeyKnown));
    }
    let enrolled = vault.state.keys.values().next().unwrap().public;
    let enrolled = ed25519_dalek::VerifyingKey::from_bytes(enrolled.as_bytes()).unwrap();
    let name = Origin::new(ORIGIN).unwrap().key_name();
    let enrolled =
        custody::note::VerifierKey::new(name, custody::note::SignatureType::Ed25519, enrolled).unwrap();
    assert_eq!(rule(enrolled.to_string(), &present), Err(Refusal::KeyKnown));
}

#[test]
fn nobody_gets_a_key_of_the_log_as_their_own() {
    let mut story = story(1);
    story.vault.rotate(&key(201));
    let admin = story.admin.clone();
    for (seed, taken) in [(201, true), (1 ^ 0x80, true), (202, false)] {
        let new = support::make_key([seed; 32]);
        let draft = support::enrolled(&admin, &new, custody::act::KeyCheck::InPerson);
        let said = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            story.vault.clone().say(By::Own(&admin), draft)
        }));
        assert_eq!(said.is_err(), taken, "{seed}");
    }
}

#[test]
fn a_log_goes_on_from_a_checkpoint_of_its_own_under_a_name_of_its_own() {
    let (vault, ..) = rotated();
    let anchor = vault.checkpoint().to_string();
    let data = |origin: &str, anchor: &str| {
        let data = LogContinued {
            anchor: anchor.to_owned(),
            anchored_by: LogAnchor::Vault,
            log_vkey: vkey(origin, &key(203)).to_string(),
            origin: Origin::new(origin).unwrap(),
            previous: vault.log_vkey().to_string(),
        };
        ruled(&vault, Kind::LogContinued, data.to_data())
    };
    assert_eq!(data(SUCCESSOR, &anchor), Ok(()));
    assert_eq!(data(ORIGIN, &anchor), Err(Refusal::Exists("log")));
    let stranger = vault_root(&vault).sign(&key(99)).unwrap().to_string();
    let retired = vault_root(&vault).sign(&key(201)).unwrap().to_string();
    for wrong in ["", "x", &stranger, &retired, &format!("{anchor}{}", "x".repeat(20_000))] {
        assert_eq!(data(SUCCESSOR, wrong), Err(Refusal::NotAnAnchor));
    }
}

#[test]
fn keys_come_in_order_and_once() {
    let keys = LogKeys::from(vkey(ORIGIN, &key(1))).replaced(5, vkey(ORIGIN, &key(2))).unwrap();
    let next = |index, of: &SigningKey| keys.clone().replaced(index, vkey(ORIGIN, of)).unwrap_err();
    assert_eq!(next(5, &key(3)), LogKeysError::Order);
    assert_eq!(next(6, &key(1)), LogKeysError::Repeated);
    assert_eq!(next(6, &key(2)), LogKeysError::Repeated);
    assert_eq!(
        LogKeys::from(vkey(ORIGIN, &key(1))).replaced(0, vkey(ORIGIN, &key(2))),
        Err(LogKeysError::Order)
    );
    assert_eq!((keys.up_to(5).former().len(), keys.up_to(6)), (0, keys.clone()));
}

proptest! {
    #[test]
    fn every_size_has_one_signer(gaps in prop::collection::vec(1u64..50, 0..6), size in 0u64..400, by in 0usize..7) {
        let mut keys = LogKeys::from(vkey(ORIGIN, &key(1)));
        let (mut until, mut ends) = (0, Vec::new());
        for (seed, gap) in (2..).zip(&gaps) {
            until += gap;
            ends.push(until);
            keys = keys.replaced(until, vkey(ORIGIN, &key(seed))).unwrap();
        }
        let by = by % (gaps.len() + 1);
        let root = if size == 0 { custody::merkle::EMPTY_ROOT } else { Digest::ZERO };
        let checkpoint = Checkpoint::new(Origin::new(ORIGIN).unwrap(), size, root).unwrap();
        let opened = keys.open(&checkpoint.sign(&key(u8::try_from(by + 1).unwrap())).unwrap());
        let from = by.checked_sub(1).map_or(0, |before| ends[before] + 1);
        let fits = size >= from && ends.get(by).is_none_or(|end| size <= *end);
        match opened {
            Ok(_) => prop_assert!(fits),
            Err(CheckpointError::Replaced { until }) => prop_assert!(!fits && Some(&until) == ends.get(by) && size > until),
            Err(CheckpointError::NotYet { from: found }) => prop_assert!(!fits && found == from && size < from),
            Err(other) => prop_assert!(false, "{other}"),
        }
    }
}
