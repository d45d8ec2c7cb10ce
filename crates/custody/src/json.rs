//! Strict JSON: one reading of every byte string.
//!
//! Accepted: UTF-8 without byte order mark or lone surrogates, nesting up to [`MAX_DEPTH`], integers
//! `0|-?[1-9][0-9]*` of magnitude below 2^53. Refused: floats, exponents, `-0`, duplicate members, and (by the
//! typed readers built on this module) unknown members. Emitted: members in byte order of their names, no spaces.
//!
//! Two parsers that disagree on one document are two verdicts on one piece of evidence; hence no leniency.

use core::fmt;
use std::collections::BTreeMap;
use std::io;

use serde::de::{self, DeserializeOwned, DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Deepest nesting of arrays and objects accepted.
pub const MAX_DEPTH: usize = 16;

/// Largest magnitude of an integer, 2^53 - 1: what every JSON implementation represents exactly.
pub const MAX_INTEGER: i64 = (1 << 53) - 1;

/// An object: members in byte order of their names.
pub type Object = BTreeMap<String, Value>;

/// A strict JSON value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// An integer of magnitude at most [`MAX_INTEGER`].
    Int(i64),
    /// Text.
    Text(String),
    /// An array.
    Array(Vec<Value>),
    /// An object without duplicate members.
    Object(Object),
}

/// Why bytes are not a document of the expected shape.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JsonError {
    /// Longer than the cap of its kind of document; nothing was parsed.
    #[error("a document of {size} bytes is over the limit of {limit} bytes")]
    TooLarge {
        /// Bytes given.
        size: usize,
        /// Most bytes accepted.
        limit: usize,
    },
    /// Not strict JSON, or not the members expected.
    #[error("not the strict JSON expected")]
    Malformed(#[source] serde_json::Error),
    /// Strict JSON, but spelled otherwise than this project emits it (order of members or white space).
    #[error("members must be sorted and without white space")]
    NotCanonical,
}

/// Parses `bytes` (at most `limit` of them) into a typed value; the type refuses unknown members itself
/// (`#[serde(deny_unknown_fields)]`) and holds free-form parts as [`Value`] or [`Object`] only.
pub fn parse<'a, T: Deserialize<'a>>(bytes: &'a [u8], limit: usize) -> Result<T, JsonError> {
    if bytes.len() > limit {
        return Err(JsonError::TooLarge { size: bytes.len(), limit });
    }
    serde_json::from_slice(bytes).map_err(JsonError::Malformed)
}

/// Like [`parse`], and refuses a spelling that differs from what [`emit`] writes for the parsed value.
pub fn parse_canonical<'a, T: Deserialize<'a> + Serialize>(
    bytes: &'a [u8],
    limit: usize,
) -> Result<T, JsonError> {
    let value: T = parse(bytes, limit)?;
    let mut rest = Expected(bytes);
    let same = serde_json::to_writer(&mut rest, &value).is_ok() && rest.0.is_empty();
    if same { Ok(value) } else { Err(JsonError::NotCanonical) }
}

/// Takes the bytes that it expects, and no others.
struct Expected<'a>(&'a [u8]);

impl io::Write for Expected<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self.0.strip_prefix(bytes).ok_or(io::ErrorKind::InvalidData)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The bytes of a value: members as declared (types of this crate declare them sorted), no spaces.
pub fn emit<T: Serialize>(value: &T) -> Vec<u8> {
    #[expect(clippy::expect_used, reason = "our own types have text keys and no failing serializers")]
    serde_json::to_vec(value).expect("a value of our own serializes")
}

impl Value {
    /// The text, if it is one.
    pub fn as_text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    /// The integer, if it is one.
    pub fn as_int(&self) -> Option<i64> {
        if let Self::Int(int) = self { Some(*int) } else { None }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

/// Turns a typed value into a free-form object; for the `data` member of statements.
pub fn to_object<T: Serialize>(value: &T) -> Object {
    #[expect(clippy::expect_used, reason = "data types of this crate are structs of strict JSON values")]
    serde_json::from_slice(&emit(value)).expect("a data type is an object")
}

/// Reads a typed value out of a free-form object.
pub fn from_object<T: DeserializeOwned>(object: &Object) -> Result<T, JsonError> {
    serde_json::from_slice(&emit(object)).map_err(JsonError::Malformed)
}

/// For optional members: absent is `None`, `null` is refused, so that absence has one spelling.
/// Use with `#[serde(default, deserialize_with = "json::present", skip_serializing_if = "Option::is_none")]`.
pub fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(from: D) -> Result<Option<T>, D::Error> {
    T::deserialize(from).map(Some)
}

/// A whole number as [`uint`] reads it, that is there or absent, as with [`present`].
pub fn present_uint<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
    uint(from).map(Some)
}

/// A list that is there only if something is in it: left out rather than empty, so that it has one spelling.
///
/// Use with `#[serde(default, deserialize_with = "json::filled", skip_serializing_if = "Vec::is_empty")]`.
pub fn filled<'de, T: Deserialize<'de>, D: Deserializer<'de>>(from: D) -> Result<Vec<T>, D::Error> {
    let list = Vec::deserialize(from)?;
    if list.is_empty() {
        return Err(de::Error::custom("an empty list is left out"));
    }
    Ok(list)
}

/// An integer member: non-negative and at most [`MAX_INTEGER`].
pub fn uint<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    let int = u64::deserialize(from)?;
    if int > MAX_INTEGER.unsigned_abs() {
        return Err(de::Error::custom("an integer must be below 2^53"));
    }
    Ok(int)
}

/// A map that refuses duplicate names while it is read; for typed maps inside strict documents.
pub fn strict_map<'de, K, V, D>(from: D) -> Result<BTreeMap<K, V>, D::Error>
where
    K: Deserialize<'de> + Ord,
    V: Deserialize<'de>,
    D: Deserializer<'de>,
{
    struct MapVisitor<K, V>(core::marker::PhantomData<(K, V)>);
    impl<'de, K: Deserialize<'de> + Ord, V: Deserialize<'de>> Visitor<'de> for MapVisitor<K, V> {
        type Value = BTreeMap<K, V>;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object without duplicate members")
        }
        fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
            let mut map = BTreeMap::new();
            while let Some((name, value)) = access.next_entry()? {
                if map.insert(name, value).is_some() {
                    return Err(de::Error::custom("a member stands twice"));
                }
            }
            Ok(map)
        }
    }
    from.deserialize_map(MapVisitor(core::marker::PhantomData))
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => to.serialize_unit(),
            Self::Bool(bool) => to.serialize_bool(*bool),
            Self::Int(int) => to.serialize_i64(*int),
            Self::Text(text) => to.serialize_str(text),
            Self::Array(array) => array.serialize(to),
            Self::Object(object) => object.serialize(to),
        }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Nested(MAX_DEPTH).deserialize(from)
    }
}

/// Reads one value with so many levels of nesting left.
struct Nested(usize);

impl Nested {
    fn inner<E: de::Error>(&self) -> Result<usize, E> {
        self.0.checked_sub(1).ok_or_else(|| E::custom("nested deeper than 16 levels"))
    }
}

impl<'de> DeserializeSeed<'de> for Nested {
    type Value = Value;
    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Value, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Nested {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value without floats")
    }
    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_bool<E>(self, bool: bool) -> Result<Value, E> {
        Ok(Value::Bool(bool))
    }
    fn visit_i64<E: de::Error>(self, int: i64) -> Result<Value, E> {
        if int.unsigned_abs() > MAX_INTEGER.unsigned_abs() {
            return Err(E::custom("an integer must be below 2^53"));
        }
        Ok(Value::Int(int))
    }
    fn visit_u64<E: de::Error>(self, int: u64) -> Result<Value, E> {
        let int = i64::try_from(int).map_err(|_| E::custom("an integer must be below 2^53"))?;
        self.visit_i64(int)
    }
    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.to_owned()))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let inner = self.inner()?;
        let mut array = Vec::new();
        while let Some(value) = access.next_element_seed(Nested(inner))? {
            array.push(value);
        }
        Ok(Value::Array(array))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let inner = self.inner()?;
        let mut object = Object::new();
        while let Some(name) = access.next_key::<String>()? {
            let value = access.next_value_seed(Nested(inner))?;
            if object.insert(name, value).is_some() {
                return Err(de::Error::custom("a member stands twice"));
            }
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Value, JsonError> {
        parse(text.as_bytes(), 1 << 20)
    }

    #[test]
    fn refuses_what_two_parsers_could_read_differently() {
        for text in [
            "1.0",
            "1e3",
            "-0",
            "01",
            "9007199254740992",
            "-9007199254740992",
            "{\"a\":1,\"a\":1}",
            "\"\\ud800\"",
            "\u{feff}1",
            "NaN",
            "[1,]",
            "{\"a\":1}x",
            "",
        ] {
            assert!(read(text).is_err(), "{text} was accepted");
        }
    }

    #[test]
    fn nests_sixteen_deep_and_no_deeper() {
        let nested = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
        assert!(read(&nested(MAX_DEPTH)).is_ok());
        assert!(read(&nested(MAX_DEPTH + 1)).is_err());
    }

    #[test]
    fn emits_sorted_members_without_spaces() {
        let value = read("{ \"b\": [1, null], \"a\": \"\\u00e9\" }").unwrap();
        assert_eq!(emit(&value), "{\"a\":\"é\",\"b\":[1,null]}".as_bytes());
    }

    #[test]
    fn one_value_has_one_spelling() {
        assert!(parse_canonical::<Value>(b"{\"a\":[1,\"\\n\"]}", 99).is_ok());
        for other in ["{\"a\": 1}", "{\"b\":1,\"a\":1}", "{\"a\":1} ", " {\"a\":1}", "\"\\u0041\"", "\"\\/\""]
        {
            let parsed = parse_canonical::<Value>(other.as_bytes(), 99);
            assert!(matches!(parsed, Err(JsonError::NotCanonical)), "{other}");
        }
    }
}
