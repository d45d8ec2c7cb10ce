//! Small secrets sealed to persons: age files, version 1, with X25519 recipients (c2sp.org/age).
//!
//! What is sealed here are halves of keys, so that a whole file fits one chunk and is read at once; stock `age` opens
//! it. Stanzas of other kinds than X25519 are passed over when a file is opened, as the specification demands.

mod file;

use core::fmt;
use core::str::FromStr;

use bech32::{Bech32, Hrp};
use chacha20poly1305::aead::{AeadInOut, KeyInit};
use chacha20poly1305::{ChaCha20Poly1305, Nonce, Tag};
use hkdf::Hkdf;
use hkdf::hmac::{Hmac, Mac};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::{Zeroize, Zeroizing};

use self::file::{File, Stanza};
use crate::entropy::Entropy;
use crate::id::ItemId;
use crate::kdf::expand_sha512;

/// Longest secret, in bytes: room for a nested file with as many recipients as there may be.
pub const MAX_SECRET_BYTES: usize = 8 << 10;
/// Longest file, in bytes.
pub const MAX_FILE_BYTES: usize = 16 << 10;
/// Most recipients of a file.
pub const MAX_RECIPIENTS: usize = 16;

const RECIPIENT_HRP: &str = "age";
const IDENTITY_HRP: &str = "AGE-SECRET-KEY-";
const FILE_KEY_LEN: usize = 16;
const NONCE_LEN: usize = 16;
const TAG_LEN: usize = 16;
/// The only chunk of a payload, which is the last one: counter 0, then the flag.
const LAST_CHUNK: [u8; 12] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
/// A key that encrypts one message once.
const ONCE: [u8; 12] = [0; 12];

/// Why something cannot be sealed or opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AgeError {
    /// Not `age1` and 32 bytes in Bech32, or a point that every secret would fit.
    #[error("a recipient is `age1` and 58 letters and digits, and a key that somebody can have")]
    Recipient,
    /// Not `AGE-SECRET-KEY-1` and 32 bytes in Bech32.
    #[error("an identity is `AGE-SECRET-KEY-1` and 58 letters and digits")]
    Identity,
    /// No recipient, or too many.
    #[error("a file has 1 to {MAX_RECIPIENTS} recipients")]
    Recipients,
    /// A secret or a file that is too long.
    #[error("a sealed secret has at most {MAX_SECRET_BYTES} bytes, its file {MAX_FILE_BYTES}")]
    TooLong,
    /// The bytes are no age file of version 1.
    #[error("not an age file of version 1")]
    Shape,
    /// The file is sealed to others.
    #[error("the file is not sealed to this identity")]
    NotForMe,
    /// The identity fits and the rest of the file does not: it was altered.
    #[error("the sealed file was altered")]
    Altered,
}

/// To whom something is sealed: an X25519 public key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Recipient([u8; 32]);

/// What opens what was sealed to its recipient: an X25519 secret key. Cleared when dropped.
pub struct Identity(StaticSecret);

impl Identity {
    /// The identity that belongs to a person's signing key: `HKDF-Expand-SHA-512(seed, "custos/sealing-key/v1")`. Signing and
    /// sealing use keys of their own, and there is still one thing to keep.
    pub fn derive(seed: &[u8; 32]) -> Self {
        Self(StaticSecret::from(*expand_sha512::<32>(seed, &[b"custos/sealing-key/v1\0"])))
    }

    /// A new random identity.
    pub fn make(entropy: &mut dyn Entropy) -> Self {
        let mut secret = Zeroizing::new([0; 32]);
        entropy.fill(&mut *secret);
        Self(StaticSecret::from(*secret))
    }

    /// Its public half.
    pub fn recipient(&self) -> Recipient {
        Recipient(PublicKey::from(&self.0).to_bytes())
    }

    /// As stock `age` reads it from a file.
    pub fn expose(&self) -> Zeroizing<String> {
        let lower = Zeroizing::new(bech32(IDENTITY_HRP, self.0.as_bytes()));
        Zeroizing::new(lower.to_ascii_uppercase())
    }

    /// Opens a file that is sealed to this identity, perhaps among others.
    pub fn open(&self, file: &[u8]) -> Result<Zeroizing<Vec<u8>>, AgeError> {
        let file = File::parse(file)?;
        let key = file.stanzas.iter().find_map(|stanza| self.unwrap(stanza)).ok_or(AgeError::NotForMe)?;
        if !bool::from(header_mac(&key, file.authenticated).ct_eq(&file.mac)) {
            return Err(AgeError::Altered);
        }
        let (nonce, sealed) = file.payload.split_first_chunk::<NONCE_LEN>().ok_or(AgeError::Shape)?;
        let (data, tag) = sealed.split_last_chunk::<TAG_LEN>().ok_or(AgeError::Shape)?;
        let mut secret = Zeroizing::new(data.to_vec());
        let payload = payload_key(&key, nonce);
        open(&payload, &LAST_CHUNK, &mut secret, tag).map_err(|()| AgeError::Altered)?;
        Ok(secret)
    }

    fn unwrap(&self, stanza: &Stanza) -> Option<Zeroizing<[u8; FILE_KEY_LEN]>> {
        let shared = self.0.diffie_hellman(&PublicKey::from(stanza.share));
        if !shared.was_contributory() {
            return None;
        }
        let key = wrap_key(&stanza.share, &self.recipient(), shared.as_bytes());
        let (data, tag) = stanza.body.split_last_chunk::<TAG_LEN>()?;
        let mut file_key = Zeroizing::new([0; FILE_KEY_LEN]);
        file_key.copy_from_slice(data);
        open(&key, &ONCE, &mut *file_key, tag).ok()?;
        Some(file_key)
    }
}

/// Seals a secret so that each of the recipients opens it alone.
pub fn seal(secret: &[u8], recipients: &[Recipient], entropy: &mut dyn Entropy) -> Result<Vec<u8>, AgeError> {
    seal_about(secret, None, recipients, entropy)
}

fn seal_about(
    secret: &[u8],
    item: Option<ItemId>,
    recipients: &[Recipient],
    entropy: &mut dyn Entropy,
) -> Result<Vec<u8>, AgeError> {
    if !(1..=MAX_RECIPIENTS).contains(&recipients.len()) {
        return Err(AgeError::Recipients);
    }
    if secret.len() > MAX_SECRET_BYTES {
        return Err(AgeError::TooLong);
    }
    let mut key = Zeroizing::new([0; FILE_KEY_LEN]);
    entropy.fill(&mut *key);
    let stanzas = recipients.iter().map(|recipient| wrap(&key, recipient, entropy));
    let header = file::header(item, &stanzas.collect::<Result<Vec<_>, _>>()?);
    let mac = header_mac(&key, header.as_bytes());
    let mut sealed = file::with_mac(header, &mac);
    let mut nonce = [0; NONCE_LEN];
    entropy.fill(&mut nonce);
    sealed.extend(nonce);
    let at = sealed.len();
    sealed.extend(secret);
    let tag = encrypt(&payload_key(&key, &nonce), &LAST_CHUNK, &mut sealed[at..]);
    sealed.extend(tag);
    Ok(sealed)
}

/// Seals a secret so that it takes two to open it: `outer` opens the outer file, `inner` the file in it, which says of which
/// item it is: whoever opens the outer one passes it on for this item and no other.
pub fn seal_nested(
    secret: &[u8],
    item: ItemId,
    outer: &[Recipient],
    inner: &[Recipient],
    entropy: &mut dyn Entropy,
) -> Result<Vec<u8>, AgeError> {
    let sealed = seal_about(secret, Some(item), inner, entropy)?;
    seal(&sealed, outer, entropy)
}

/// Whether these bytes are an age file, for whomever.
pub fn is_file(bytes: &[u8]) -> bool {
    File::parse(bytes).is_ok()
}

/// Of which item an inner file says that it is. Nobody could say so of one that they have not opened the outer file of.
pub fn item_of(file: &[u8]) -> Option<ItemId> {
    File::parse(file).ok()?.item
}

/// To how many X25519 recipients a file is sealed; nothing if it is no file.
pub fn recipients(file: &[u8]) -> Option<usize> {
    File::parse(file).ok().map(|file| file.stanzas.len())
}

fn wrap(key: &[u8; FILE_KEY_LEN], to: &Recipient, entropy: &mut dyn Entropy) -> Result<Stanza, AgeError> {
    let ephemeral = Identity::make(entropy);
    let share = ephemeral.recipient().0;
    let shared = ephemeral.0.diffie_hellman(&PublicKey::from(to.0));
    if !shared.was_contributory() {
        return Err(AgeError::Recipients);
    }
    let mut body = [0; FILE_KEY_LEN + TAG_LEN];
    body[..FILE_KEY_LEN].copy_from_slice(key);
    let tag = encrypt(&wrap_key(&share, to, shared.as_bytes()), &ONCE, &mut body[..FILE_KEY_LEN]);
    body[FILE_KEY_LEN..].copy_from_slice(&tag);
    Ok(Stanza { share, body })
}

fn wrap_key(share: &[u8; 32], to: &Recipient, shared: &[u8; 32]) -> Zeroizing<[u8; 32]> {
    hkdf(&[&share[..], &to.0].concat(), shared, b"age-encryption.org/v1/X25519")
}

fn payload_key(key: &[u8; FILE_KEY_LEN], nonce: &[u8; NONCE_LEN]) -> Zeroizing<[u8; 32]> {
    hkdf(nonce, key, b"payload")
}

fn header_mac(key: &[u8; FILE_KEY_LEN], header: &[u8]) -> [u8; 32] {
    let key = hkdf(b"", key, b"header");
    #[expect(clippy::expect_used, reason = "HMAC takes keys of every length (RFC 2104, section 2)")]
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(&*key).expect("HMAC takes any key");
    mac.update(header);
    mac.finalize().into_bytes().into()
}

fn hkdf(salt: &[u8], secret: &[u8], info: &[u8]) -> Zeroizing<[u8; 32]> {
    let mut key = Zeroizing::new([0; 32]);
    #[expect(clippy::expect_used, reason = "HKDF-SHA-256 gives up to 8,160 bytes (RFC 5869, section 2.3)")]
    Hkdf::<Sha256>::new(Some(salt), secret).expand(info, &mut *key).expect("32 bytes are few");
    key
}

fn encrypt(key: &[u8; 32], nonce: &[u8; 12], data: &mut [u8]) -> [u8; TAG_LEN] {
    let nonce: &Nonce = nonce.into();
    #[expect(clippy::expect_used, reason = "ChaCha20-Poly1305 refuses messages above 256 GiB only")]
    let tag = ChaCha20Poly1305::new(key.into())
        .encrypt_inout_detached(nonce, b"", data.into())
        .expect("a secret is short");
    tag.into()
}

fn open(key: &[u8; 32], nonce: &[u8; 12], data: &mut [u8], tag: &[u8; TAG_LEN]) -> Result<(), ()> {
    let (nonce, tag): (&Nonce, &Tag) = (nonce.into(), tag.into());
    ChaCha20Poly1305::new(key.into()).decrypt_inout_detached(nonce, b"", data.into(), tag).map_err(drop)
}

fn bech32(hrp: &str, data: &[u8]) -> String {
    #[expect(clippy::expect_used, reason = "both prefixes are valid and 32 bytes are far below the limit")]
    bech32::encode::<Bech32>(Hrp::parse(hrp).expect("a prefix"), data).expect("32 bytes")
}

/// 32 bytes in Bech32 under a prefix. Bech32m, which the library takes as well, has another checksum: what does not come
/// out again as it went in is refused.
fn unbech32(hrp: &str, text: &str) -> Option<Zeroizing<[u8; 32]>> {
    if text.len() > 80 {
        return None;
    }
    let (found, data) = bech32::decode(text).ok()?;
    let data = Zeroizing::new(data);
    let mut bytes = Zeroizing::new([0; 32]);
    if data.len() != bytes.len() || !found.as_str().eq_ignore_ascii_case(hrp) {
        return None;
    }
    bytes.copy_from_slice(&data);
    let again = Zeroizing::new(bech32(hrp, &*bytes));
    again.eq_ignore_ascii_case(text).then_some(bytes)
}

impl Recipient {
    /// The public key's 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl FromStr for Recipient {
    type Err = AgeError;
    fn from_str(text: &str) -> Result<Self, AgeError> {
        let plain = text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        let bytes = plain.then(|| unbech32(RECIPIENT_HRP, text)).flatten();
        let recipient = bytes.map(|bytes| Self(*bytes)).ok_or(AgeError::Recipient)?;
        // A point of low order gives the same shared secret whatever the other half: nobody could be sealed to.
        let shared = StaticSecret::from([1; 32]).diffie_hellman(&PublicKey::from(recipient.0));
        if shared.was_contributory() { Ok(recipient) } else { Err(AgeError::Recipient) }
    }
}

impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&bech32(RECIPIENT_HRP, &self.0))
    }
}

impl fmt::Debug for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Recipient({self})")
    }
}

impl Serialize for Recipient {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Recipient {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        crate::id::text(from)
    }
}

impl FromStr for Identity {
    type Err = AgeError;
    fn from_str(text: &str) -> Result<Self, AgeError> {
        let plain =
            text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'-');
        let mut bytes = plain.then(|| unbech32(IDENTITY_HRP, text)).flatten().ok_or(AgeError::Identity)?;
        let identity = Self(StaticSecret::from(*bytes));
        bytes.zeroize();
        Ok(identity)
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({})", self.recipient())
    }
}

#[cfg(test)]
mod tests;
