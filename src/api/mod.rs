//! The wire types of the HTTP API, shared by the server and the command line's client.
//!
//! JSON in `snake_case`; ids are UUIDs, hashes lower hex, bytes standard base64, times RFC 3339 UTC with
//! milliseconds. What is signed or hashed travels as bytes, never as JSON to be re-encoded.

macro_rules! wire {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
        #[serde(deny_unknown_fields)]
        pub struct $name {$(
            $(#[$field_doc])*
            pub $field: $type,
        )*}
    )*};
}

mod cases;
mod disposals;
mod items;
mod keys;
mod people;
mod productions;
mod receipts;
mod scrub;
mod sealing;
mod signin;
mod statements;

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::ToSchema;

pub use cases::*;
pub use disposals::*;
pub use items::*;
pub use keys::*;
pub use people::*;
pub use productions::*;
pub use receipts::Receipts;
pub use scrub::*;
pub use sealing::*;
pub use signin::*;
pub use statements::*;

/// Bytes, in standard base64 on the wire.
#[derive(Clone, PartialEq, Eq, ToSchema)]
#[schema(value_type = String, format = Byte)]
pub struct Bytes64(pub Vec<u8>);

impl fmt::Debug for Bytes64 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bytes64({} bytes)", self.0.len())
    }
}
impl Serialize for Bytes64 {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&STANDARD.encode(&self.0))
    }
}
impl<'de> Deserialize<'de> for Bytes64 {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        STANDARD.decode(text).map(Self).map_err(|_| serde::de::Error::custom("expected standard base64"))
    }
}

/// An error as `application/problem+json` (RFC 9457).
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// A stable address of the error's documentation, ending in its code.
    #[serde(rename = "type")]
    pub kind: String,
    /// A short title, the same for every occurrence.
    pub title: String,
    /// HTTP status.
    pub status: u16,
    /// The stable code, never renamed.
    pub code: String,
    /// The rule that was broken, in plain words.
    pub detail: String,
    /// What to do about it.
    pub remedy: String,
    /// Names this request in the server's log.
    pub request_id: String,
}

wire! {
    /// `GET /api/v1/vault`: who this vault is. No sign-in.
    VaultInfo {
        /// The fingerprint to compare with paper: hash of record 0, hex.
        fingerprint: String,
        /// The log's origin.
        origin: String,
        /// The log's verifier key (C2SP vkey).
        log_vkey: String,
        /// The vault's Ed25519 public key, hex.
        vault_key: String,
        /// Version of the server.
        version: String,
        /// Whether it takes sample data only, for ever: nothing in it is evidence.
        #[serde(default)]
        samples_only: bool,
        /// Record 0: its hash is the fingerprint, so that whoever holds that on paper can check everything above.
        founding_record: Bytes64,
        /// The envelope of record 0, which names the origin and both keys.
        founding_envelope: Bytes64,
    }
}
