//! Who signs notes: names, key ids and verifier keys.

use core::fmt;
use core::str::FromStr;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use ed25519_dalek::VerifyingKey;

use crate::digest::{Hasher, hex_array};

/// The name of a note's signer: not empty, no Unicode spaces, no plus and no control characters (they delimit
/// signature lines and verifier keys), and at most 255 bytes (as long as a C2SP cosigner name may be).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyName(String);

/// Why a text is not a [`KeyName`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a key name has 1 to 255 bytes without spaces, plus signs and control characters")]
pub struct KeyNameError;

impl KeyName {
    /// The longest name, in bytes.
    pub const MAX_LEN: usize = 255;

    /// Checks a name.
    pub fn new(name: &str) -> Result<Self, KeyNameError> {
        let fits = (1..=Self::MAX_LEN).contains(&name.len());
        if !fits || name.contains(|c: char| c.is_whitespace() || c.is_ascii_control() || c == '+') {
            return Err(KeyNameError);
        }
        Ok(Self(name.to_owned()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for KeyName {
    type Err = KeyNameError;
    fn from_str(name: &str) -> Result<Self, KeyNameError> {
        Self::new(name)
    }
}

/// Four bytes that, with the name, say which key made a signature. A hint, not a fingerprint: collisions are easy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId([u8; 4]);

impl KeyId {
    /// Wraps four bytes.
    pub const fn new(bytes: [u8; 4]) -> Self {
        Self(bytes)
    }

    /// The four bytes.
    pub const fn as_bytes(&self) -> &[u8; 4] {
        &self.0
    }

    /// `H(name || 0x0A || type || public key)[..4]` (C2SP signed-note, "Signatures").
    pub fn of(name: &KeyName, signature_type: SignatureType, key: &VerifyingKey) -> Self {
        let mut hasher = Hasher::new();
        hasher.update(name.as_str().as_bytes());
        hasher.update(&[b'\n', signature_type.byte()]);
        hasher.update(key.as_bytes());
        let digest = hasher.finish();
        let [a, b, c, d, ..] = *digest.as_bytes();
        Self([a, b, c, d])
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

/// What a key's signatures are over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SignatureType {
    /// `0x01`: Ed25519 over the note's text.
    Ed25519,
    /// `0x04`: Ed25519 over a time and a checkpoint (C2SP tlog-cosignature).
    Cosignature,
}

impl SignatureType {
    /// The byte assigned by C2SP signed-note.
    pub const fn byte(self) -> u8 {
        match self {
            Self::Ed25519 => 0x01,
            Self::Cosignature => 0x04,
        }
    }
}

/// A public key and the name it signs under, written `name+id+base64(type || key)` (a "vkey").
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: KeyName,
    id: KeyId,
    signature_type: SignatureType,
    key: VerifyingKey,
}

/// Why a text is not a verifier key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VerifierKeyError {
    /// Not three parts: a key name, eight lower-case hexadecimal digits, base64.
    #[error("a verifier key is a name, eight lower-case hexadecimal digits and base64, joined by plus signs")]
    Malformed,
    /// The signature type is neither Ed25519 nor cosignature.
    #[error("signature type {0:#04x} is not supported")]
    UnsupportedType(u8),
    /// The key material is not an Ed25519 public key, or one for which signatures are easily forged.
    #[error("the key material is not a sound Ed25519 public key")]
    BadKey,
    /// The key id is not that of this name, type and key.
    #[error("the key id does not belong to this name and key")]
    WrongId,
}

impl VerifierKey {
    /// The longest text of a verifier key, in bytes: the longest name, id, and 33 bytes in base64.
    pub const MAX_LEN: usize = KeyName::MAX_LEN + 10 + 44;

    /// A key under a name; weak keys (of small order) are refused.
    pub fn new(
        name: KeyName,
        signature_type: SignatureType,
        key: VerifyingKey,
    ) -> Result<Self, VerifierKeyError> {
        if key.is_weak() {
            return Err(VerifierKeyError::BadKey);
        }
        let id = KeyId::of(&name, signature_type, &key);
        Ok(Self { name, id, signature_type, key })
    }

    /// The name it signs under.
    pub const fn name(&self) -> &KeyName {
        &self.name
    }

    /// Its key id.
    pub const fn id(&self) -> KeyId {
        self.id
    }

    /// What its signatures are over.
    pub const fn signature_type(&self) -> SignatureType {
        self.signature_type
    }

    /// The public key itself.
    pub const fn public_key(&self) -> &VerifyingKey {
        &self.key
    }
}

impl FromStr for VerifierKey {
    type Err = VerifierKeyError;

    fn from_str(text: &str) -> Result<Self, VerifierKeyError> {
        use VerifierKeyError::{BadKey, Malformed, UnsupportedType, WrongId};
        if text.len() > Self::MAX_LEN {
            return Err(Malformed);
        }
        let (name, rest) = text.split_once('+').ok_or(Malformed)?;
        // Base64 may contain plus signs: only the first two delimit.
        let (id, key) = rest.split_once('+').ok_or(Malformed)?;
        let name = KeyName::new(name).map_err(|_| Malformed)?;
        let id = hex_array(id).map(KeyId).ok_or(Malformed)?;
        let material = BASE64_STANDARD.decode(key).map_err(|_| Malformed)?;
        let (signature_type, key) = match material.split_first().ok_or(Malformed)? {
            (0x01, key) => (SignatureType::Ed25519, key),
            (0x04, key) => (SignatureType::Cosignature, key),
            (other, _) => return Err(UnsupportedType(*other)),
        };
        let key = key.try_into().map_err(|_| BadKey)?;
        let key = Self::new(name, signature_type, VerifyingKey::from_bytes(key).map_err(|_| BadKey)?)?;
        if key.id == id { Ok(key) } else { Err(WrongId) }
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let material = [&[self.signature_type.byte()], &self.key.as_bytes()[..]].concat();
        write!(f, "{}+{}+{}", self.name, self.id, BASE64_STANDARD.encode(material))
    }
}
