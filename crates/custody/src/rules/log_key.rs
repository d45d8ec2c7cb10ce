//! Who may replace the log's key, and by which.

use super::{Refusal, State, Vault};
use crate::act::{Act, LogContinued, MAX_ANCHOR_BYTES, NextLogKey, PublicKey};
use crate::id::KeyHash;
use crate::log_keys::MAX_LOG_KEYS;
use crate::note::{SignatureType, SignedNote, VerifierKey};

type Decision = Result<(), Refusal>;

/// The keys that must have signed besides the vault's: the log's present one, unless it is given up, and the new one.
pub(super) fn signers(state: &State, act: &Act) -> Result<Vec<PublicKey>, Refusal> {
    let vault = state.vault.as_ref().ok_or(Refusal::Unknown("vault"))?;
    let Some(next) = act.next_log_key() else { return Ok(Vec::new()) };
    let present = next.continued.is_none().then_some(vault.log_vkey.as_str());
    present.into_iter().chain([next.log_vkey]).map(public).collect()
}

/// The log's key gives way to the next one.
pub(super) fn replaced(state: &State, vault: &Vault, next: &NextLogKey<'_>) -> Decision {
    if next.previous != vault.log_vkey {
        return Err(Refusal::OtherLogKey);
    }
    match next.continued {
        Some(continued) => given_up(state, vault, continued),
        None => new_key(state, vault, next.log_vkey, &vault.origin),
    }
}

/// The log's key is given up, and the log goes on under another name from a checkpoint that the key has signed.
fn given_up(state: &State, vault: &Vault, d: &LogContinued) -> Decision {
    let keys = vault.log_keys().map_err(|_| Refusal::OtherLogKey)?;
    if keys.each().any(|key| key.name().as_str() == d.origin.as_str()) {
        return Err(Refusal::Exists("log"));
    }
    new_key(state, vault, &d.log_vkey, d.origin.as_str())?;
    let anchor = Some(&d.anchor).filter(|anchor| anchor.len() <= MAX_ANCHOR_BYTES);
    let note = anchor.and_then(|anchor| SignedNote::parse(anchor.as_bytes()).ok());
    if note.is_some_and(|note| keys.open(&note).is_ok()) { Ok(()) } else { Err(Refusal::NotAnAnchor) }
}

/// A sound key under this name that was never a key of the log, the vault or a person.
fn new_key(state: &State, vault: &Vault, vkey: &str, origin: &str) -> Decision {
    if vault.former_log_keys.len() + 1 >= MAX_LOG_KEYS {
        return Err(Refusal::TooManyLogKeys);
    }
    let key: VerifierKey = vkey.parse().map_err(|_| Refusal::LogKeyUnfit)?;
    if key.signature_type() != SignatureType::Ed25519 || key.name().as_str() != origin {
        return Err(Refusal::LogKeyUnfit);
    }
    let public = PublicKey::new(key.public_key().to_bytes());
    let known = public == vault.key || state.keys.contains_key(&public.hash()) || is_known(vault, &public);
    if known { Err(Refusal::KeyKnown) } else { Ok(()) }
}

/// Whether it is a key of the log, or was one.
pub(super) fn is_known(vault: &Vault, key: &PublicKey) -> bool {
    vault.log_vkeys().any(|vkey| public(vkey).as_ref() == Ok(key))
}

/// H(public key) of a verifier key, if it is one.
pub(super) fn hash_of(vkey: &str) -> Option<KeyHash> {
    public(vkey).ok().map(|key| key.hash())
}

fn public(vkey: &str) -> Result<PublicKey, Refusal> {
    let key: VerifierKey = vkey.parse().map_err(|_| Refusal::LogKeyUnfit)?;
    Ok(PublicKey::new(key.public_key().to_bytes()))
}
