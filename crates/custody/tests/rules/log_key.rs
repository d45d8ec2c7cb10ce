//! The log's key: who signs for the next one, what it may not have been before, and how many there are at most.

use custody::act::{LogAnchor, LogContinued, LogKeyRotated, NamedAgain, RecoveryNoted};
use custody::checkpoint::{Checkpoint, Origin};
use custody::merkle::EMPTY_ROOT;
use custody::note::{SignatureType, VerifierKey};
use ed25519_dalek::SigningKey;

use super::*;

const HERE: &str = "vault.example.org/custos";
const NEXT: &str = "vault.example.org/custos/2";
/// As many keys as a log has at most.
const MOST: u8 = 32;

fn log_key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

fn public(seed: u8) -> PublicKey {
    PublicKey::new(log_key(seed).verifying_key().to_bytes())
}

fn vkey(origin: &str, seed: u8) -> String {
    let name = Origin::new(origin).unwrap().key_name();
    VerifierKey::new(name, SignatureType::Ed25519, log_key(seed).verifying_key()).unwrap().to_string()
}

/// A vault whose log has the key of seed 1.
fn logged() -> Vault {
    let mut vault = Vault::new();
    let found = vault.state.vault.as_mut().unwrap();
    (found.origin, found.log_vkey) = (HERE.to_owned(), vkey(HERE, 1));
    vault
}

fn rotation(from: u8, to: u8) -> LogKeyRotated {
    LogKeyRotated { log_vkey: vkey(HERE, to), previous: vkey(HERE, from) }
}

fn rotated(vault: &Vault, from: u8, to: u8) -> Statement {
    vault.system(Kind::LogKeyRotated, rotation(from, to).to_data())
}

fn continuation(from: u8, to: u8) -> LogContinued {
    let empty = Checkpoint::new(Origin::new(HERE).unwrap(), 0, EMPTY_ROOT).unwrap();
    LogContinued {
        anchor: empty.sign(&log_key(1)).unwrap().to_string(),
        anchored_by: LogAnchor::Vault,
        log_vkey: vkey(NEXT, to),
        origin: Origin::new(NEXT).unwrap(),
        previous: vkey(HERE, from),
    }
}

fn recovery(vault: &Vault, log_key: Option<NamedAgain>) -> Statement {
    let data = RecoveryNoted { from: 1, log_key: log_key.map(Box::new), to: 9 }.to_data();
    vault.system(Kind::RecoveryNoted, data)
}

#[test]
fn the_vault_signs_for_the_logs_next_key_with_the_one_before_unless_it_is_given_up_and_the_next() {
    let vault = logged();
    let continued = vault.system(Kind::LogContinued, continuation(1, 2).to_data());
    let (all, given_up) = (vec![VAULT_KEY, public(1), public(2)], vec![VAULT_KEY, public(2)]);
    for (s, keys) in [
        (rotated(&vault, 1, 2), all.clone()),
        (recovery(&vault, Some(NamedAgain::Rotated(rotation(1, 2)))), all),
        (continued, given_up.clone()),
        (recovery(&vault, Some(NamedAgain::Continued(continuation(1, 2)))), given_up),
        (recovery(&vault, None), vec![VAULT_KEY]),
    ] {
        assert_eq!(signers(&vault.state, &s, &Act::parse(&s).unwrap()), Ok(keys), "{} {:?}", s.kind, s.data);
    }
}

#[test]
fn the_logs_next_key_was_nobodys_and_a_former_one_becomes_nobodys() {
    let mut vault = logged();
    let enrols = |vault: &Vault, seed| {
        let s = vault.signed(ADMIN, Kind::KeyEnrolled, enrolled(public(seed)));
        Statement { person: Some(person(LEAD)), ..s }
    };
    vault.say(&enrols(&vault, 9));
    assert_eq!(vault.try_say(&rotated(&vault, 1, 9)), Err(Refusal::KeyKnown), "a person's");
    vault.say(&rotated(&vault, 1, 2));
    assert_eq!(vault.try_say(&rotated(&vault, 2, 1)), Err(Refusal::KeyKnown), "the log's own of before");
    for seed in [1, 2] {
        assert_eq!(vault.try_say(&enrols(&vault, seed)), Err(Refusal::KeyKnown), "{seed}");
    }
    vault.state.vault.as_mut().unwrap().key = public(3);
    let s = rotated(&vault, 2, 3);
    let decided = decide(&vault.state, s.actor_time, &s, &Act::parse(&s).unwrap());
    assert_eq!(decided, Err(Refusal::KeyKnown), "the vault's");
}

#[test]
fn the_logs_name_changes_where_it_goes_on_under_another_and_nowhere_else() {
    let name = |vault: &Vault| vault.state.vault.as_ref().unwrap().origin.clone();
    let mut vault = logged();
    vault.say(&rotated(&vault, 1, 2));
    vault.say(&recovery(&vault, None));
    assert_eq!(name(&vault), HERE);
    let mut vault = logged();
    vault.say(&vault.system(Kind::LogContinued, continuation(1, 2).to_data()));
    assert_eq!(name(&vault), NEXT);
    let back =
        LogContinued { origin: Origin::new(HERE).unwrap(), log_vkey: vkey(HERE, 3), ..continuation(1, 3) };
    let back = LogContinued { previous: vkey(NEXT, 2), ..back };
    let s = vault.system(Kind::LogContinued, back.to_data());
    assert_eq!(vault.try_say(&s), Err(Refusal::Exists("log")), "a name that the log had before");
}

#[test]
fn a_log_has_at_most_thirty_two_keys_whatever_is_said_after_the_last() {
    let mut vault = logged();
    for n in 1..MOST {
        vault.say(&rotated(&vault, n, n + 1));
    }
    let found = vault.state.vault.clone().unwrap();
    let keys = found.log_keys().unwrap();
    assert_eq!(keys.each().count(), usize::from(MOST));
    assert_eq!(keys.present().to_string(), vkey(HERE, MOST));
    let more = rotated(&vault, MOST, MOST + 1);
    assert_eq!(vault.try_say(&more), Err(Refusal::TooManyLogKeys));
    // Whoever reads a bundle in which it was said all the same goes on with the keys that count.
    let admitted = Admitted { stmt: Digest::ZERO, log_index: 200, records: &[Digest::ZERO] };
    apply(&mut vault.state, &more, &Act::parse(&more).unwrap(), &admitted);
    assert_eq!(vault.state.vault, Some(found));
}

#[test]
fn the_next_key_replaces_the_present_one_and_is_a_plain_one_under_the_logs_name() {
    let vault = logged();
    let says = |data: &LogKeyRotated| vault.clone_and_say(&vault.system(Kind::LogKeyRotated, data.to_data()));
    says(&rotation(1, 2)).unwrap();
    assert_eq!(says(&rotation(3, 2)), Err(Refusal::OtherLogKey));
    let name = Origin::new(HERE).unwrap().key_name();
    let cosigner = VerifierKey::new(name, SignatureType::Cosignature, log_key(2).verifying_key()).unwrap();
    for log_vkey in [vkey(NEXT, 2), cosigner.to_string(), "log".to_owned()] {
        let unfit = LogKeyRotated { log_vkey, ..rotation(1, 2) };
        let s = vault.system(Kind::LogKeyRotated, unfit.to_data());
        let decided = decide(&vault.state, s.actor_time, &s, &Act::parse(&s).unwrap());
        assert_eq!(decided, Err(Refusal::LogKeyUnfit), "{}", unfit.log_vkey);
    }
}

#[test]
fn a_log_goes_on_from_a_checkpoint_that_its_key_has_signed_with_a_key_that_nobody_had() {
    let vault = logged();
    let says = |data: &LogContinued| vault.clone_and_say(&vault.system(Kind::LogContinued, data.to_data()));
    let good = continuation(1, 2);
    says(&good).unwrap();
    let empty = Checkpoint::new(Origin::new(HERE).unwrap(), 0, EMPTY_ROOT).unwrap();
    let by_another = empty.sign(&log_key(9)).unwrap().to_string();
    // With what others have signed, whoever they are, of sixteen kibibytes at most.
    let witnessed = |by: usize| {
        let line = |n| format!("\u{2014} witness.example.org/{n} {}\n", "A".repeat(400));
        good.anchor.clone() + &(0..by).map(line).collect::<String>()
    };
    assert!(witnessed(30).len() < 16 * 1024 && witnessed(40).len() > 16 * 1024);
    says(&LogContinued { anchor: witnessed(30), ..good.clone() }).unwrap();
    for anchor in [String::new(), "x".to_owned(), by_another, witnessed(40)] {
        assert_eq!(says(&LogContinued { anchor, ..good.clone() }), Err(Refusal::NotAnAnchor));
    }
    assert_eq!(says(&LogContinued { log_vkey: vkey(NEXT, 1), ..good }), Err(Refusal::KeyKnown));
}
