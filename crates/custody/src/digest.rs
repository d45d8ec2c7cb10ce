//! SHA-256 digests and the domain prefixes that keep them apart.
//!
//! Plain SHA-256 ([`Digest::of`]) is used only for envelopes, public keys, files and certificates of time.
//! Every other hash starts with a versioned prefix and one zero byte ([`Domain`]), so that no value computed
//! for one purpose can be passed off as a value for another.

use core::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::Digest as _;
use subtle::ConstantTimeEq;

/// A SHA-256 digest (FIPS 180-4), 32 bytes; written as 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Digest([u8; 32]);

/// Why a text is not a digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a digest is 64 lower-case hexadecimal digits")]
pub struct DigestError;

impl Digest {
    /// 32 zero bytes: "nothing before this" in a chain.
    pub const ZERO: Self = Self([0; 32]);

    /// Wraps 32 bytes that are a digest already.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Plain SHA-256 of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(sha2::Sha256::digest(bytes).into())
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Reads 64 lower-case hexadecimal digits; upper case is refused so that one digest has one spelling.
    pub fn from_hex(text: &str) -> Result<Self, DigestError> {
        Ok(Self(hex_array(text).ok_or(DigestError)?))
    }

    /// Reads exactly 32 raw bytes.
    pub fn from_slice(bytes: &[u8]) -> Result<Self, DigestError> {
        Ok(Self(bytes.try_into().map_err(|_| DigestError)?))
    }

    /// 64 lower-case hexadecimal digits.
    pub fn to_hex(self) -> String {
        self.to_string()
    }

    fn digits(self) -> [u8; 64] {
        let mut digits = [0; 64];
        for (pair, byte) in digits.chunks_exact_mut(2).zip(self.0) {
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 15)];
        }
        digits
    }

    /// Comparison that takes the same time wherever the bytes differ; for values that guard a secret.
    pub fn ct_eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(core::str::from_utf8(&self.digits()).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl core::str::FromStr for Digest {
    type Err = DigestError;
    fn from_str(text: &str) -> Result<Self, DigestError> {
        Self::from_hex(text)
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(core::str::from_utf8(&self.digits()).map_err(serde::ser::Error::custom)?)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Digest;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("64 lower-case hexadecimal digits")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Digest, E> {
                Digest::from_hex(text).map_err(E::custom)
            }
        }
        from.deserialize_str(Visitor)
    }
}

/// Lower-case hexadecimal of exactly `N` bytes, or nothing.
pub(crate) fn hex_array<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.len() != 2 * N {
        return None;
    }
    let (mut bytes, mut wrong) = ([0; N], 0);
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        let (high, low) = (VALUES[usize::from(pair[0])], VALUES[usize::from(pair[1])]);
        *byte = high << 4 | low;
        wrong |= high | low;
    }
    (wrong < 16).then_some(bytes)
}

// Records are made of digests: a verifier spends more on their digits than on hashing, unless it is done by tables.
const DIGITS: &[u8; 16] = b"0123456789abcdef";
/// What each byte is worth as a digit; 255: it is none.
const VALUES: [u8; 256] = {
    let mut values = [u8::MAX; 256];
    let mut value = 0;
    while value < 16 {
        values[DIGITS[value as usize] as usize] = value;
        value += 1;
    }
    values
};

/// The purposes a prefixed hash is computed for (`docs/FORMAT.md`, "Conventions").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Domain {
    /// A record's own hash.
    Record,
    /// What a record promises about its successor.
    Next,
    /// The tag of the first record of a sequence.
    Genesis,
    /// The tag with which a sequence goes on after a restore that lost records.
    Resume,
    /// The commitment inside a log entry.
    Leaf,
    /// A commitment to one personal field.
    Field,
    /// The heads of all sequences in a bundle's scope.
    Heads,
}

impl Domain {
    /// The prefix, its terminating zero byte included.
    pub const fn prefix(self) -> &'static [u8] {
        match self {
            Self::Record => b"custos/record/v1\0",
            Self::Next => b"custos/next/v1\0",
            Self::Genesis => b"custos/genesis/v1\0",
            Self::Resume => b"custos/resume/v1\0",
            Self::Leaf => b"custos/leaf/v1\0",
            Self::Field => b"custos/field/v1\0",
            Self::Heads => b"custos/heads/v1\0",
        }
    }

    /// `SHA-256(prefix || parts[0] || parts[1] || …)`.
    pub fn hash(self, parts: &[&[u8]]) -> Digest {
        let mut hasher = Hasher::new();
        hasher.update(self.prefix());
        for part in parts {
            hasher.update(part);
        }
        hasher.finish()
    }
}

/// SHA-256 over bytes that arrive in pieces.
#[derive(Clone, Default)]
pub struct Hasher(sha2::Sha256);

impl Hasher {
    /// An empty hasher.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends `bytes`.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest of all bytes so far.
    pub fn finish(self) -> Digest {
        Digest(self.0.finalize().into())
    }
}

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hasher(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_input_has_the_published_digest() {
        let expected = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(Digest::of(b"").to_hex(), expected);
        assert_eq!(Digest::from_hex(expected), Ok(Digest::of(b"")));
        assert_eq!(Hasher::new().finish(), Digest::of(b""));
    }

    #[test]
    fn one_digest_has_one_spelling() {
        let upper = Digest::of(b"").to_hex().to_uppercase();
        assert_eq!(Digest::from_hex(&upper), Err(DigestError));
        assert_eq!(Digest::from_hex("e3"), Err(DigestError));
        let digest = Digest::of(b"");
        for at in 0..64 {
            for wrong in (0..=127_u8).map(char::from).filter(|c| !"0123456789abcdef".contains(*c)) {
                let mut text = digest.to_hex();
                text.replace_range(at..=at, &wrong.to_string());
                assert_eq!(Digest::from_hex(&text), Err(DigestError), "{text}");
            }
        }
        for byte in 0..=u8::MAX {
            let digest = Digest::new([byte; 32]);
            assert_eq!(digest.to_hex(), format!("{byte:02x}").repeat(32));
            assert_eq!(Digest::from_hex(&digest.to_hex()), Ok(digest));
        }
    }

    #[test]
    fn a_domain_is_its_prefix_and_a_zero_byte() {
        assert_eq!(Domain::Leaf.hash(&[b"a", b"b"]), Digest::of(b"custos/leaf/v1\0ab"));
    }
}
