//! Identifiers: who, which case, which exhibit, which act.

use core::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

use crate::digest::Digest;

/// Why a text is not an identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdError {
    /// Not a UUID in its lower-case hyphenated form.
    #[error("an id is a UUID in lower case with hyphens")]
    Uuid,
    /// Not 22 characters of unpadded base64url with zero trailing bits.
    #[error("an op_id is 22 characters of unpadded base64url")]
    OpId,
    /// Not a code: 1 to 64 of `a-z 0-9 -`, starting with a letter.
    #[error("a code is 1 to 64 of a-z, 0-9 and -, and starts with a letter")]
    Code,
}

macro_rules! uuid_ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// Wraps a UUID; version 7 is what this project makes, any is read.
            pub const fn new(uuid: Uuid) -> Self {
                Self(uuid)
            }
            /// The 16 bytes, network order.
            pub const fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }
            /// The UUID.
            pub const fn uuid(&self) -> Uuid {
                self.0
            }
        }
        impl core::str::FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                canonical_uuid(text).map(Self)
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0.hyphenated())
            }
        }
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(&self.0.hyphenated())
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                text(from)
            }
        }
    )*};
}

uuid_ids! {
    /// A case.
    CaseId;
    /// An item of evidence (an exhibit), digital or physical.
    ItemId;
    /// A natural person who acts in the vault.
    PersonId;
    /// An organisation that persons belong to.
    OrgId;
}

/// H(public key): what `keyid` and `actor_key` carry. The full 32 bytes, never a shortened hint.
pub type KeyHash = Digest;

/// 128 random bits that name one act for ever: the same `op_id` with the same payload is the same act.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OpId([u8; 16]);

impl OpId {
    /// Wraps 16 random bytes.
    pub const fn new(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }
    /// The 16 bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl core::str::FromStr for OpId {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| IdError::OpId)?;
        Ok(Self(bytes.try_into().map_err(|_| IdError::OpId)?))
    }
}
impl fmt::Display for OpId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}
impl fmt::Debug for OpId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OpId({self})")
    }
}
impl Serialize for OpId {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}
impl<'de> Deserialize<'de> for OpId {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        text(from)
    }
}

/// A coded value (purpose, reason, field name): 1 to 64 of `a-z 0-9 -`, starting with a letter.
/// Codes are public in every bundle; whatever names a person belongs into a field.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(String);

impl Code {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl core::str::FromStr for Code {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        let starts = text.as_bytes().first().is_some_and(u8::is_ascii_lowercase);
        let rest = text.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'));
        if starts && rest && text.len() <= 64 { Ok(Self(text.to_owned())) } else { Err(IdError::Code) }
    }
}
impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Code({})", self.0)
    }
}
impl Serialize for Code {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.0)
    }
}
impl<'de> Deserialize<'de> for Code {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        text(from)
    }
}

fn canonical_uuid(text: &str) -> Result<Uuid, IdError> {
    let uuid = Uuid::try_parse(text).map_err(|_| IdError::Uuid)?;
    let mut buffer = Uuid::encode_buffer();
    // One id has one spelling: no braces, no urn prefix, no upper case.
    if uuid.hyphenated().encode_lower(&mut buffer) == text { Ok(uuid) } else { Err(IdError::Uuid) }
}

/// Deserializes whatever is written as text and parsed by `FromStr`.
pub(crate) fn text<'de, T, D>(from: D) -> Result<T, D::Error>
where
    T: core::str::FromStr,
    T::Err: fmt::Display,
    D: Deserializer<'de>,
{
    struct Visitor<T>(core::marker::PhantomData<T>);
    impl<T: core::str::FromStr<Err: fmt::Display>> serde::de::Visitor<'_> for Visitor<T> {
        type Value = T;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("text")
        }
        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<T, E> {
            text.parse().map_err(E::custom)
        }
    }
    from.deserialize_str(Visitor(core::marker::PhantomData))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_id_has_one_spelling() {
        let id = "018f3c1e-7b1a-7c3d-9e2f-0123456789ab";
        assert_eq!(id.parse::<CaseId>().unwrap().to_string(), id);
        assert!(id.to_uppercase().parse::<CaseId>().is_err());
        assert!(id.replace('-', "").parse::<CaseId>().is_err());
        let op = OpId::new([7; 16]);
        assert_eq!(op.to_string().len(), 22);
        assert_eq!(op.to_string().parse(), Ok(op));
        // The last character carries 4 spare bits: a second spelling of the same bytes is refused.
        assert!("BwcHBwcHBwcHBwcHBwcHBx".parse::<OpId>().is_err());
        assert!("Upper".parse::<Code>().is_err());
        assert!("prosecution-review".parse::<Code>().is_ok());
    }
}
