//! DSSE envelopes (DSSE v1): signed bytes, kept exactly as they were received.
//!
//! The signature covers the pre-authentication encoding
//! `"DSSEv1" SP len(type) SP type SP len(body) SP body`; `keyid` is a hint, here always H(public key) in hex.
//! An envelope is parsed once and its bytes are stored verbatim; nothing is ever re-encoded before it is verified.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::id::KeyHash;
use crate::json::{self, JsonError};

/// What an envelope carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PayloadType {
    /// A [`crate::statement::Statement`].
    Statement,
    /// An object manifest.
    Manifest,
    /// A bundle manifest.
    Bundle,
    /// What a backup holds.
    Backup,
    /// A [certificate of destruction](crate::certificate).
    Destruction,
    /// What was destroyed, for backups made before.
    Destroyed,
}

impl PayloadType {
    /// The media type that is signed along with the body.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Statement => "application/vnd.custos.statement.v1+json",
            Self::Manifest => "application/vnd.custos.manifest.v1+json",
            Self::Bundle => "application/vnd.custos.bundle.v1+json",
            Self::Backup => "application/vnd.custos.backup.v1+json",
            Self::Destruction => "application/vnd.custos.destruction.v1+json",
            Self::Destroyed => "application/vnd.custos.destroyed.v1+json",
        }
    }

    /// Most bytes of an envelope of this type: a transfer of 1,000 items fits a statement; a manifest has one line
    /// a part.
    pub const fn max_envelope_bytes(self) -> usize {
        match self {
            Self::Statement | Self::Backup | Self::Destruction => 1 << 20,
            Self::Manifest | Self::Bundle | Self::Destroyed => 16 << 20,
        }
    }
}

/// A parsed envelope. Its signatures are not verified yet: see [`Envelope::verify`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    payload_type: PayloadType,
    body: Vec<u8>,
    signatures: Vec<EnvelopeSignature>,
    digest: Digest,
}

/// One signature of an envelope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EnvelopeSignature {
    /// H(public key) as claimed by the envelope: a hint until verified against that key.
    pub key: KeyHash,
    /// Ed25519 (RFC 8032) over the pre-authentication encoding.
    pub signature: [u8; 64],
}

/// Why an envelope is refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EnvelopeError {
    /// Not the JSON of an envelope.
    #[error("the envelope is malformed")]
    Json(#[from] JsonError),
    /// Another payload type than the place asks for.
    #[error("the envelope's payload type is not {expected}")]
    PayloadType {
        /// The media type asked for.
        expected: &'static str,
    },
    /// A base64 member that does not decode.
    #[error("the envelope's {member} is not standard base64")]
    Base64 {
        /// Which member.
        member: &'static str,
    },
    /// Not one to three signatures.
    #[error("an envelope carries one to three signatures, not {0}")]
    SignatureCount(usize),
    /// A signature that is not 64 bytes, or a `keyid` that is not H(public key).
    #[error("an envelope signature is malformed")]
    SignatureForm,
    /// The named signature does not verify, or was made by another key.
    #[error("signature {index} of the envelope does not verify")]
    BadSignature {
        /// Position in the envelope, from 0.
        index: usize,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire<'a> {
    #[serde(borrow)]
    payload: Cow<'a, str>,
    #[serde(borrow, rename = "payloadType")]
    payload_type: Cow<'a, str>,
    #[serde(borrow)]
    signatures: Vec<WireSignature<'a>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireSignature<'a> {
    keyid: Digest,
    #[serde(borrow)]
    sig: Cow<'a, str>,
}

impl Envelope {
    /// Parses the bytes of an envelope of the expected type. One signature, or two.
    pub fn parse(bytes: &[u8], expected: PayloadType) -> Result<Self, EnvelopeError> {
        let wire: Wire = json::parse_canonical(bytes, expected.max_envelope_bytes())?;
        if wire.payload_type != expected.as_str() {
            return Err(EnvelopeError::PayloadType { expected: expected.as_str() });
        }
        if !(1..=3).contains(&wire.signatures.len()) {
            return Err(EnvelopeError::SignatureCount(wire.signatures.len()));
        }
        let signatures = wire.signatures.iter().map(read_signature).collect::<Result<_, _>>()?;
        Ok(Self {
            payload_type: expected,
            body: STANDARD
                .decode(wire.payload.as_bytes())
                .map_err(|_| EnvelopeError::Base64 { member: "payload" })?,
            signatures,
            digest: Digest::of(bytes),
        })
    }

    /// The signed bytes.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The signatures, in order; one to three.
    pub fn signatures(&self) -> &[EnvelopeSignature] {
        &self.signatures
    }

    /// H(envelope bytes): how a record names it.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Verifies signature `index` with `verify_strict` against `key`, and that its `keyid` names that key.
    pub fn verify(&self, index: usize, key: &VerifyingKey) -> Result<(), EnvelopeError> {
        let bad = EnvelopeError::BadSignature { index };
        let Some(found) = self.signatures.get(index) else { return Err(bad) };
        if found.key != key_hash(key) {
            return Err(bad);
        }
        let message = pae(self.payload_type, &self.body);
        key.verify_strict(&message, &Signature::from_bytes(&found.signature)).map_err(|_| bad)
    }
}

/// Signs `body` with one key, or two over the same encoding (voucher first), and returns the envelope's bytes.
pub fn sign(payload_type: PayloadType, body: &[u8], keys: &[&SigningKey]) -> Vec<u8> {
    let message = pae(payload_type, body);
    let signatures = keys
        .iter()
        .map(|key| EnvelopeSignature {
            key: key_hash(&key.verifying_key()),
            signature: key.sign(&message).to_bytes(),
        })
        .collect::<Vec<_>>();
    assemble(payload_type, body, &signatures)
}

/// Puts together an envelope from signatures made elsewhere (a person's own device, a co-signer).
pub fn assemble(payload_type: PayloadType, body: &[u8], signatures: &[EnvelopeSignature]) -> Vec<u8> {
    json::emit(&Wire {
        payload: STANDARD.encode(body).into(),
        payload_type: payload_type.as_str().into(),
        signatures: signatures
            .iter()
            .map(|s| WireSignature { keyid: s.key, sig: STANDARD.encode(s.signature).into() })
            .collect(),
    })
}

/// Makes one signature over `body`; for a co-signer whose signature joins another's.
pub fn sign_detached(payload_type: PayloadType, body: &[u8], key: &SigningKey) -> EnvelopeSignature {
    EnvelopeSignature {
        key: key_hash(&key.verifying_key()),
        signature: key.sign(&pae(payload_type, body)).to_bytes(),
    }
}

/// H(public key), plain SHA-256 of the 32 bytes.
pub fn key_hash(key: &VerifyingKey) -> KeyHash {
    Digest::of(key.as_bytes())
}

/// DSSE's pre-authentication encoding.
pub fn pae(payload_type: PayloadType, body: &[u8]) -> Vec<u8> {
    let name = payload_type.as_str();
    let mut bytes = format!("DSSEv1 {} {name} {} ", name.len(), body.len()).into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

fn read_signature(wire: &WireSignature<'_>) -> Result<EnvelopeSignature, EnvelopeError> {
    let bytes = STANDARD.decode(wire.sig.as_bytes()).map_err(|_| EnvelopeError::Base64 { member: "sig" })?;
    let signature = bytes.try_into().map_err(|_| EnvelopeError::SignatureForm)?;
    Ok(EnvelopeSignature { key: wire.keyid, signature })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pre_authentication_encoding_is_that_of_dsse() {
        // DSSE v1 protocol document: "DSSEv1 29 http://example.com/HelloWorld 11 hello world", with our own type.
        let text = String::from_utf8(pae(PayloadType::Bundle, b"hello world")).unwrap();
        assert_eq!(text, "DSSEv1 37 application/vnd.custos.bundle.v1+json 11 hello world");
    }

    #[test]
    fn a_signed_envelope_verifies_and_a_changed_one_does_not() {
        let (one, two) = (SigningKey::from_bytes(&[1; 32]), SigningKey::from_bytes(&[2; 32]));
        let bytes = sign(PayloadType::Statement, b"{}", &[&one, &two]);
        let envelope = Envelope::parse(&bytes, PayloadType::Statement).unwrap();
        envelope.verify(0, &one.verifying_key()).unwrap();
        envelope.verify(1, &two.verifying_key()).unwrap();
        assert!(envelope.verify(0, &two.verifying_key()).is_err());
        assert!(envelope.verify(2, &two.verifying_key()).is_err());
        assert!(Envelope::parse(&bytes, PayloadType::Bundle).is_err());
        let other = sign(PayloadType::Statement, b"[]", &[&one]);
        let forged = assemble(
            PayloadType::Statement,
            b"{}",
            Envelope::parse(&other, PayloadType::Statement).unwrap().signatures(),
        );
        assert!(
            Envelope::parse(&forged, PayloadType::Statement)
                .unwrap()
                .verify(0, &one.verifying_key())
                .is_err()
        );
    }
}
