//! The object manifest: what the vault says about one stored object, signed with its key.
//!
//! It is the JSON form of [`BlobFacts`] in a DSSE envelope (`docs/FORMAT.md`, "Blob"):
//!
//! ```text
//! {"crc32":"8 hex","header":"276 hex","object_size":n,"parts":[{"blake3":"64 hex","offset":n,"size":n},…],
//!  "sealed_by":"sender","sha256":"64 hex","size":n,"v":1}
//! ```
//!
//! `sealed_by` is there only where its sender sealed the object: then the vault never saw the content, and passes on what the
//! sender says of it.
//!
//! Object, item, content version and vault stand in the header. The hash of the envelope is in the record that
//! says that content was received, so that whoever trusts that record can check the stored bytes without a key.

use ed25519_dalek::{SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};

use crate::act::SealedBy;
use crate::blob::{BlobError, BlobFacts, BlobHeader, HEADER_LEN, Layout, Part};
use crate::digest::{Digest, hex_array};
use crate::envelope::{self, Envelope, EnvelopeError, PayloadType};
use crate::json::{self, JsonError};

/// Why bytes are not the manifest of an object.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// The envelope is malformed or its signature does not verify.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// The body is not strict, canonical JSON with exactly the manifest's members.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// A version of the manifest that this program does not know.
    #[error("a manifest of version {0}; known is version 1")]
    Version(u64),
    /// A member's hexadecimal text has the wrong length or spelling.
    #[error("`{0}` is not lower-case hexadecimal of its length")]
    Hex(&'static str),
    /// The header inside breaks a rule of the format, or its part size does not allow the content's.
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// Sizes and parts are not the ones that content of this size has.
    #[error("sizes and parts contradict each other")]
    Layout,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    crc32: String,
    header: String,
    #[serde(deserialize_with = "json::uint")]
    object_size: u64,
    parts: Vec<Part>,
    #[serde(default, deserialize_with = "json::present", skip_serializing_if = "Option::is_none")]
    sealed_by: Option<SealedBy>,
    sha256: Digest,
    #[serde(deserialize_with = "json::uint")]
    size: u64,
    #[serde(deserialize_with = "json::uint")]
    v: u64,
}

/// Signs an object's manifest: the bytes of the envelope.
pub fn sign(facts: &BlobFacts, vault_key: &SigningKey) -> Vec<u8> {
    envelope::sign(PayloadType::Manifest, &encode(facts), &[vault_key])
}

/// Verifies a manifest's envelope against the vault's key and reads it.
pub fn verify(bytes: &[u8], vault_key: &VerifyingKey) -> Result<BlobFacts, ManifestError> {
    let envelope = Envelope::parse(bytes, PayloadType::Manifest)?;
    if envelope.signatures().len() != 1 {
        return Err(EnvelopeError::SignatureCount(envelope.signatures().len()).into());
    }
    envelope.verify(0, vault_key)?;
    decode(envelope.body())
}

/// The body of a manifest.
pub fn encode(facts: &BlobFacts) -> Vec<u8> {
    json::emit(&Wire {
        crc32: format!("{:08x}", facts.crc32),
        header: hex::encode(facts.header.as_bytes()),
        object_size: facts.object_size,
        parts: facts.parts.clone(),
        sealed_by: facts.by_sender.then_some(SealedBy::Sender),
        sha256: facts.sha256,
        size: facts.content_size,
        v: 1,
    })
}

/// Reads the body of a manifest and checks that its sizes and parts belong together.
pub fn decode(body: &[u8]) -> Result<BlobFacts, ManifestError> {
    let wire: Wire = json::parse_canonical(body, PayloadType::Manifest.max_envelope_bytes())?;
    if wire.v != 1 {
        return Err(ManifestError::Version(wire.v));
    }
    let header = hex_array::<HEADER_LEN>(&wire.header).ok_or(ManifestError::Hex("header"))?;
    let header = BlobHeader::parse(&header)?;
    let crc32 = hex_array(&wire.crc32).map(u32::from_be_bytes).ok_or(ManifestError::Hex("crc32"))?;
    let layout = Layout::new(wire.size, header.segments_per_part())?;
    let extents =
        (0..layout.parts()).map(|part| layout.part(part).map(|extent| (extent.offset, extent.size)));
    let agree = wire.object_size == layout.object_size()
        && extents.eq(wire.parts.iter().map(|part| Some((part.offset, part.size))));
    if !agree {
        return Err(ManifestError::Layout);
    }
    Ok(BlobFacts {
        header,
        by_sender: wire.sealed_by.is_some(),
        content_size: wire.size,
        sha256: wire.sha256,
        crc32,
        object_size: wire.object_size,
        parts: wire.parts,
    })
}
