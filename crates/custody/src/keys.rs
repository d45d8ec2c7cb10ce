//! Keys of content and of personal fields, and how they are wrapped.
//!
//! A wrapped key (`docs/FORMAT.md`, "Wrapped key") is
//!
//! ```text
//! "CWK1" | version 1 | alg 1 | be16 n | kek_ref n | salt 24 | commitment 32 | AES-256-GCM(key) 48
//! ```
//!
//! where HKDF-Expand-SHA-512 of the vault's key encryption key over the salt and everything the key is for
//! gives the AES key, its nonce and the commitment. A wrapped key moved to another object, item, version,
//! vault or purpose therefore fails at the commitment, which is compared first and in constant time.
//!
//! Secrets are types: cleared when dropped, without `Clone`, and silent under `Debug`.

use core::fmt;

use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::aead::{Aead256, NONCE_LEN, Portable, TAG_LEN};
use crate::blob::{BlobContext, VaultId};
use crate::digest::Digest;
use crate::entropy::Entropy;
use crate::id::{CaseId, OpId, PersonId};
use crate::kdf::expand_sha512;

const MAGIC: &[u8; 4] = b"CWK1";
const VERSION: u8 = 1;
/// The key encryption key is 32 bytes that this program holds; other providers will have other numbers.
const ALG_HKDF_AES: u8 = 1;
const SALT_LEN: usize = 24;
const COMMITMENT_LEN: usize = 32;
const SEALED_LEN: usize = KEY_LEN + TAG_LEN;
const KEY_LEN: usize = 32;
const OPENING_AAD: &[u8] = b"custos/opening/v1\0";

/// Why a key cannot be wrapped or unwrapped, or an opening not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// A reference to a key encryption key is 1 to 64 of `a-z`, `0-9`, `/`, `-`.
    #[error("a key reference is 1 to 64 of a-z, 0-9, / and -")]
    Reference,
    /// The bytes are not `CWK1` in every field's length.
    #[error("not a wrapped key")]
    Shape,
    /// A version or algorithm that this program does not know.
    #[error("a wrapped key of version {version}, algorithm {alg}; known are version 1, algorithm 1")]
    Unknown {
        /// Byte 4.
        version: u8,
        /// Byte 5.
        alg: u8,
    },
    /// It names another key encryption key than the one at hand.
    #[error("the key is wrapped by another key encryption key")]
    OtherKek,
    /// The commitment differs: another key encryption key, or not the object, item, version, vault or purpose
    /// it was wrapped for.
    #[error("the wrapped key does not belong to this key encryption key and context")]
    Commitment,
    /// The commitment agrees and the wrapped bytes do not: they were altered.
    #[error("the wrapped key was altered")]
    Altered,
    /// An opening that does not decrypt: another key, operation or field, or altered bytes.
    #[error("the opening does not belong to this key, operation and field")]
    Opening,
}

/// 32 secret bytes.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Key32([u8; KEY_LEN]);

impl Key32 {
    /// Takes over bytes that are a key already; the caller clears its own copy.
    pub const fn new(bytes: [u8; KEY_LEN]) -> Self {
        Self(bytes)
    }

    /// A new random key.
    pub fn make(entropy: &mut dyn Entropy) -> Self {
        let mut key = Self([0; KEY_LEN]);
        entropy.fill(&mut key.0);
        key
    }

    /// The secret bytes, for a cipher.
    pub const fn expose(&self) -> &[u8; KEY_LEN] {
        &self.0
    }

    /// The bitwise sum of two keys: the halves of a restricted item's key give its data key.
    #[must_use]
    pub fn xor(&self, other: &Self) -> Self {
        let mut sum = Self([0; KEY_LEN]);
        for (out, (a, b)) in sum.0.iter_mut().zip(self.0.iter().zip(&other.0)) {
            *out = a ^ b;
        }
        sum
    }
}

impl ConstantTimeEq for Key32 {
    fn ct_eq(&self, other: &Self) -> subtle::Choice {
        self.0.ct_eq(&other.0)
    }
}

impl fmt::Debug for Key32 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key32(..)")
    }
}

macro_rules! keys {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $name(Key32);

        impl $name {
            /// Gives a key its purpose.
            pub const fn new(key: Key32) -> Self {
                Self(key)
            }

            /// A new random key.
            pub fn make(entropy: &mut dyn Entropy) -> Self {
                Self(Key32::make(entropy))
            }

            /// The key without its purpose, for wrapping.
            pub const fn as_key(&self) -> &Key32 {
                &self.0
            }

            pub(crate) const fn expose(&self) -> &[u8; KEY_LEN] {
                self.0.expose()
            }
        }
    )*};
}

keys! {
    /// Encrypts the content of one stored object.
    DataKey;
    /// Encrypts the openings of a case's, a person's or an organisation's fields.
    FieldKey;
}

/// What a wrapped key is for. It unwraps for exactly this.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyContext {
    /// The data key of one stored object (purpose 1).
    Data(BlobContext),
    /// The field key of a case (purpose 2).
    Case(VaultId, CaseId),
    /// The field key of a person or an organisation, by its UUID's 16 bytes (purpose 3).
    Subject(VaultId, [u8; 16]),
    /// The vault's half of a restricted object's data key (purpose 4).
    VaultHalf(BlobContext),
    /// The vault's sign-in key, which seals what people sign in with (purpose 5).
    SignIn(VaultId),
}

impl KeyContext {
    /// The context of a person's field key.
    pub const fn person(vault: VaultId, person: PersonId) -> Self {
        Self::Subject(vault, *person.as_bytes())
    }

    /// `purpose`, and `vault_id || object_id || item_id || be32 version`.
    fn encode(&self) -> (u8, [u8; 52]) {
        let zero = [0; 16];
        let (purpose, vault, object, item, version) = match self {
            Self::Data(blob) => (1, &blob.vault, blob.object.as_bytes(), blob.item.as_bytes(), blob.version),
            Self::Case(vault, case) => (2, vault, case.as_bytes(), &zero, 0),
            Self::Subject(vault, subject) => (3, vault, subject, &zero, 0),
            Self::VaultHalf(blob) => {
                (4, &blob.vault, blob.object.as_bytes(), blob.item.as_bytes(), blob.version)
            }
            Self::SignIn(vault) => (5, vault, &zero, &zero, 0),
        };
        let mut bytes = [0; 52];
        bytes[..16].copy_from_slice(vault.as_bytes());
        bytes[16..32].copy_from_slice(object);
        bytes[32..48].copy_from_slice(item);
        bytes[48..].copy_from_slice(&version.to_be_bytes());
        (purpose, bytes)
    }
}

/// Names a key encryption key, such as `kek/1`. Short, because it stands in every wrapped key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KekRef(String);

impl KekRef {
    /// The reference's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl core::str::FromStr for KekRef {
    type Err = KeyError;
    fn from_str(text: &str) -> Result<Self, KeyError> {
        let allowed = text.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'/' | b'-'));
        if allowed && (1..=64).contains(&text.len()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(KeyError::Reference)
        }
    }
}

impl fmt::Display for KekRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A key encryption key: wraps other keys, encrypts nothing else.
#[derive(Debug)]
pub struct Kek {
    reference: KekRef,
    key: Key32,
}

impl Kek {
    /// The key that `reference` names.
    pub const fn new(reference: KekRef, key: Key32) -> Self {
        Self { reference, key }
    }

    /// Its name.
    pub const fn reference(&self) -> &KekRef {
        &self.reference
    }

    /// Wraps `key` for one context.
    pub fn wrap(&self, context: &KeyContext, key: &Key32, entropy: &mut dyn Entropy) -> WrappedKey {
        let mut salt = [0; SALT_LEN];
        entropy.fill(&mut salt);
        let derived = self.derive(context, &salt);
        let mut sealed = [0; SEALED_LEN];
        sealed[..KEY_LEN].copy_from_slice(key.expose());
        #[expect(
            clippy::expect_used,
            reason = "AES-GCM refuses messages above 64 GiB only; this one has 32 bytes"
        )]
        let tag = derived.engine().seal(&derived.nonce(), b"", &mut sealed[..KEY_LEN]).expect("32 bytes fit");
        sealed[KEY_LEN..].copy_from_slice(&tag);
        WrappedKey { kek: self.reference.clone(), salt, commitment: derived.commitment(), sealed }
    }

    /// Unwraps a key for the context it was wrapped for.
    pub fn unwrap(&self, context: &KeyContext, wrapped: &WrappedKey) -> Result<Key32, KeyError> {
        if wrapped.kek != self.reference {
            return Err(KeyError::OtherKek);
        }
        let derived = self.derive(context, &wrapped.salt);
        if !bool::from(derived.commitment().ct_eq(&wrapped.commitment)) {
            return Err(KeyError::Commitment);
        }
        let mut key = Key32([0; KEY_LEN]);
        key.0.copy_from_slice(&wrapped.sealed[..KEY_LEN]);
        let mut tag = [0; TAG_LEN];
        tag.copy_from_slice(&wrapped.sealed[KEY_LEN..]);
        derived.engine().open(&derived.nonce(), b"", &mut key.0, &tag).map_err(|_| KeyError::Altered)?;
        Ok(key)
    }

    /// A value that only this key gives and that says nothing about it: kept apart from the key, it tells a key
    /// put back in place from another one under the same name.
    pub fn canary(&self) -> Digest {
        let canary = expand_sha512(self.key.expose(), &[b"custos/canary/v1\0", self.reference.0.as_bytes()]);
        Digest::new(*canary)
    }

    fn derive(&self, context: &KeyContext, salt: &[u8; SALT_LEN]) -> Derived {
        let (purpose, bound) = context.encode();
        let head = [ALG_HKDF_AES, purpose];
        let info: [&[u8]; 5] = [b"custos/wrap/v1\0", &head, salt, &bound, self.reference.0.as_bytes()];
        Derived(expand_sha512(self.key.expose(), &info))
    }
}

/// `key 32 || nonce 12 || commitment 32`.
struct Derived(Zeroizing<[u8; KEY_LEN + NONCE_LEN + COMMITMENT_LEN]>);

impl Derived {
    fn engine(&self) -> Portable {
        Portable::new(&Zeroizing::new(self.array::<KEY_LEN>(0)))
    }

    fn nonce(&self) -> [u8; NONCE_LEN] {
        self.array(KEY_LEN)
    }

    fn commitment(&self) -> [u8; COMMITMENT_LEN] {
        self.array(KEY_LEN + NONCE_LEN)
    }

    fn array<const N: usize>(&self, at: usize) -> [u8; N] {
        let mut out = [0; N];
        out.copy_from_slice(&self.0[at..at + N]);
        out
    }
}

/// A key under a key encryption key: safe to store, useless without it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrappedKey {
    kek: KekRef,
    salt: [u8; SALT_LEN],
    commitment: [u8; COMMITMENT_LEN],
    sealed: [u8; SEALED_LEN],
}

impl WrappedKey {
    /// Reads the stored bytes; at most 176 of them.
    pub fn parse(bytes: &[u8]) -> Result<Self, KeyError> {
        let rest = bytes.strip_prefix(MAGIC).ok_or(KeyError::Shape)?;
        let (&[version, alg, n_high, n_low], rest) = rest.split_first_chunk().ok_or(KeyError::Shape)?;
        if (version, alg) != (VERSION, ALG_HKDF_AES) {
            return Err(KeyError::Unknown { version, alg });
        }
        let n = usize::from(u16::from_be_bytes([n_high, n_low]));
        let (kek, rest) = rest.split_at_checked(n).ok_or(KeyError::Shape)?;
        let kek = core::str::from_utf8(kek).map_err(|_| KeyError::Reference)?.parse()?;
        let (salt, rest) = rest.split_first_chunk().ok_or(KeyError::Shape)?;
        let (commitment, sealed) = rest.split_first_chunk().ok_or(KeyError::Shape)?;
        let sealed = sealed.try_into().map_err(|_| KeyError::Shape)?;
        Ok(Self { kek, salt: *salt, commitment: *commitment, sealed })
    }

    /// The bytes to store.
    pub fn to_bytes(&self) -> Vec<u8> {
        let name = self.kek.0.as_bytes();
        #[expect(clippy::cast_possible_truncation, reason = "a reference has at most 64 bytes")]
        let n = (name.len() as u16).to_be_bytes();
        [&MAGIC[..], &[VERSION, ALG_HKDF_AES], &n, name, &self.salt, &self.commitment, &self.sealed].concat()
    }

    /// Which key encryption key it needs.
    pub const fn kek(&self) -> &KekRef {
        &self.kek
    }
}

impl FieldKey {
    /// Encrypts the opening of field `name` in operation `op`: `nonce 12 || AES-256-GCM`, bound to both.
    pub fn seal_opening(&self, op: OpId, name: &str, opening: &[u8], entropy: &mut dyn Entropy) -> Vec<u8> {
        let mut nonce = [0; NONCE_LEN];
        entropy.fill(&mut nonce);
        let mut sealed = [&nonce, opening].concat();
        let aad = opening_aad(op, name);
        #[expect(
            clippy::expect_used,
            reason = "AES-GCM refuses messages above 64 GiB only; fields are capped far below"
        )]
        let tag =
            Portable::new(self.expose()).seal(&nonce, &aad, &mut sealed[NONCE_LEN..]).expect("a field fits");
        sealed.extend(tag);
        sealed
    }

    /// Decrypts what [`seal_opening`](Self::seal_opening) gave for the same operation and field.
    pub fn open_opening(&self, op: OpId, name: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let (nonce, rest) = sealed.split_first_chunk().ok_or(KeyError::Opening)?;
        let (data, tag) = rest.split_last_chunk().ok_or(KeyError::Opening)?;
        let mut opening = Zeroizing::new(data.to_vec());
        Portable::new(self.expose())
            .open(nonce, &opening_aad(op, name), &mut opening, tag)
            .map_err(|_| KeyError::Opening)?;
        Ok(opening)
    }
}

fn opening_aad(op: OpId, name: &str) -> Vec<u8> {
    [OPENING_AAD, op.as_bytes(), name.as_bytes()].concat()
}

#[cfg(test)]
mod tests;
