//! The kit's file: every key of a vault, sealed under the secret on the sheet.
//!
//! ```text
//! custos-recovery v1
//! # lines like this one are for people
//! vault: 64 hexadecimal digits, hash of record 0
//! origin: vault.example.org/custos/1
//! kit: 1
//! made: 2026-11-22T09:30:00.000Z
//! key: kek/1 64 hexadecimal digits that only this key gives
//! key: …
//! sealed: base64 of nonce, the keys in this order, 32 bytes each, and tag (AES-256-GCM)
//! ```
//!
//! All lines above the last, comments included, are authenticated with what is sealed.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use custody::aead::{Aead256, NONCE_LEN, Portable, TAG_LEN};
use custody::digest::Digest;
use custody::entropy::Entropy;
use custody::time::Timestamp;
use zeroize::Zeroizing;

use super::KitError;
use super::secret::RecoverySecret;
use crate::keyring::{HeldKey, KeyList};

const FIRST_LINE: &str = "custos-recovery v1";
const COMMENT: &str = "# The keys of a Custos vault. Useless without the recovery sheet; keep both, apart from each \
                       other.";
/// Far above any kit; keeps a wrong path from being read into memory.
pub(super) const MAX_BYTES: u64 = 1 << 20;

/// What stands on the file for everybody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// The vault: hash of record 0.
    pub vault: Digest,
    /// The log's origin.
    pub origin: String,
    /// The kit's number, from 1.
    pub kit: u64,
    /// When it was made.
    pub made: Timestamp,
    /// The keys in it, with their check values.
    pub keys: KeyList,
}

impl Label {
    fn head(&self) -> String {
        let Self { vault, origin, kit, made, keys } = self;
        let mut head =
            format!("{FIRST_LINE}\n{COMMENT}\nvault: {vault}\norigin: {origin}\nkit: {kit}\nmade: {made}\n");
        for (name, check) in keys.iter() {
            let _ = writeln!(head, "key: {name} {check}");
        }
        head
    }

    fn parse(head: &str) -> Option<Self> {
        let mut lines = head.lines().filter(|line| !line.starts_with('#'));
        (lines.next()? == FIRST_LINE).then_some(())?;
        let mut value = |name: &str| lines.next()?.strip_prefix(name)?.strip_prefix(": ");
        let vault = value("vault")?.parse().ok()?;
        let origin = value("origin")?.to_owned();
        let kit = value("kit")?.parse().ok().filter(|kit| *kit > 0)?;
        let made = value("made")?.parse().ok()?;
        let keys = lines.map(|line| line.strip_prefix("key: ")).collect::<Option<Vec<_>>>()?;
        let keys = KeyList::parse(&keys.join("\n"))?;
        Some(Self { vault, origin, kit, made, keys })
    }
}

/// Seals `keys` under `secret`, which seals nothing else. They are the ones on the label.
pub(super) fn seal(
    label: &Label,
    keys: &[HeldKey],
    secret: &RecoverySecret,
    entropy: &mut dyn Entropy,
) -> Result<String, KitError> {
    let head = label.head();
    let mut plain = Zeroizing::new(Vec::with_capacity(keys.len() * 32));
    for key in keys {
        plain.extend_from_slice(key.key.expose());
    }
    let mut nonce = [0; NONCE_LEN];
    entropy.fill(&mut nonce);
    let tag = Portable::new(secret.expose()).seal(&nonce, head.as_bytes(), &mut plain);
    let tag = tag.map_err(|_| KitError::Malformed("it holds too many keys"))?;
    let sealed = BASE64.encode([&nonce[..], &plain, &tag].concat());
    Ok(format!("{head}sealed: {sealed}\n"))
}

/// What a file says of itself; nothing of it is proven before [`open`].
pub fn label(text: &str) -> Result<Label, KitError> {
    split(text).map(|(label, ..)| label)
}

/// Opens a file with the secret of its sheet.
pub fn open(text: &str, secret: &RecoverySecret) -> Result<(Label, Vec<HeldKey>), KitError> {
    const DAMAGED: KitError = KitError::Malformed("its sealed part is damaged");
    let (label, head, sealed) = split(text)?;
    let sealed = BASE64.decode(sealed).map_err(|_| DAMAGED)?;
    let (nonce, rest) = sealed.split_first_chunk::<NONCE_LEN>().ok_or(DAMAGED)?;
    let (keys, tag) = rest.split_last_chunk::<TAG_LEN>().ok_or(DAMAGED)?;
    if keys.len() != label.keys.len() * 32 {
        return Err(DAMAGED);
    }
    let mut keys = Zeroizing::new(keys.to_vec());
    let unsealed = Portable::new(secret.expose()).open(nonce, head.as_bytes(), &mut keys, tag);
    unsealed.map_err(|_| KitError::OtherSecret)?;
    let opened: Option<Vec<_>> = label
        .keys
        .iter()
        .zip(keys.chunks_exact(32))
        .map(|((name, check), key)| HeldKey::new(name, check, key))
        .collect();
    Ok((label, opened.ok_or(KitError::Malformed("a key in it is not the one that its label says"))?))
}

fn split(text: &str) -> Result<(Label, &str, &str), KitError> {
    const MALFORMED: KitError = KitError::Malformed("it is not a file that `custos key recovery-sheet` made");
    let at = text.find("\nsealed: ").ok_or(MALFORMED)? + 1;
    let (head, rest) = text.split_at(at);
    let sealed = rest.strip_prefix("sealed: ").ok_or(MALFORMED)?.trim_end();
    let label = Label::parse(head).filter(|label| !label.keys.is_empty()).ok_or(MALFORMED)?;
    Ok((label, head, sealed))
}
