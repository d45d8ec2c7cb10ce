//! The first 138 bytes of an object.

use uuid::Uuid;

use super::BlobError;
use crate::act::ObjectId;
use crate::digest::Digest;
use crate::floe;
use crate::id::ItemId;

/// Bytes before the first segment: preamble and FLOE header.
pub const HEADER_LEN: usize = PREAMBLE_LEN + floe::HEADER_LEN;

const PREAMBLE_LEN: usize = 64;
const AAD_PREFIX: &[u8] = b"custos/blob/v1\0";

/// Which vault: the first 16 bytes of the vault's identity, the hash of its record 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VaultId([u8; 16]);

impl VaultId {
    /// The vault whose record 0 has this hash.
    pub const fn of(identity: &Digest) -> Self {
        match identity.as_bytes().first_chunk() {
            Some(half) => Self(*half),
            None => unreachable!(),
        }
    }

    /// The 16 bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

/// What a blob is bound to: it opens for this object of this vault, item and version, and for no other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlobContext {
    /// The stored object.
    pub object: ObjectId,
    /// The vault that keeps it.
    pub vault: VaultId,
    /// The item whose content this is.
    pub item: ItemId,
    /// Which version of the item's content, from 1.
    pub version: u32,
}

/// How many segments make a part, 1 to 2,048. Parts are what storage takes and an audit locates damage by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SegmentsPerPart(u32);

impl SegmentsPerPart {
    /// Any count that a reader accepts.
    pub const fn new(segments: u32) -> Result<Self, BlobError> {
        match segments {
            1..=2048 => Ok(Self(segments)),
            _ => Err(BlobError::SegmentsPerPart(segments)),
        }
    }

    /// The count that a writer uses for content of `bytes` bytes: 64 up to 128 GiB and where the length is not
    /// known, 512 up to 1 TiB, 2,048 beyond. With at most 9,984 parts an object then fits every store.
    pub const fn for_content(bytes: Option<u64>) -> Self {
        const GIB: u64 = 1 << 30;
        Self(match bytes {
            Some(n) if n > 1024 * GIB => 2048,
            Some(n) if n > 128 * GIB => 512,
            _ => 64,
        })
    }

    /// The count.
    pub const fn get(self) -> u32 {
        self.0
    }
}

/// The first [`HEADER_LEN`] bytes of an object, checked for shape: parsing them needs no key and proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlobHeader {
    context: BlobContext,
    segments_per_part: SegmentsPerPart,
    bytes: [u8; HEADER_LEN],
}

impl BlobHeader {
    /// Reads a header; the FLOE header inside is checked when the blob is opened.
    pub fn parse(bytes: &[u8]) -> Result<Self, BlobError> {
        let bytes: [u8; HEADER_LEN] = bytes.try_into().map_err(|_| BlobError::Magic)?;
        if !bytes.starts_with(b"CUS1") {
            return Err(BlobError::Magic);
        }
        let (version, suite, flags) = (bytes[4], bytes[5], u16::from_be_bytes([bytes[6], bytes[7]]));
        if (version, suite, flags) != (1, 1, 0) {
            return Err(BlobError::Unknown { version, suite, flags });
        }
        let context = BlobContext {
            object: ObjectId::new(array(&bytes, 8)),
            vault: VaultId(array(&bytes, 24)),
            item: ItemId::new(Uuid::from_bytes(array(&bytes, 40))),
            version: u32::from_be_bytes(array(&bytes, 56)),
        };
        if context.version == 0 {
            return Err(BlobError::ContentVersion);
        }
        let segments_per_part = SegmentsPerPart::new(u32::from_be_bytes(array(&bytes, 60)))?;
        Ok(Self { context, segments_per_part, bytes })
    }

    /// What the blob says it is bound to.
    pub const fn context(&self) -> &BlobContext {
        &self.context
    }

    /// Segments per part.
    pub const fn segments_per_part(&self) -> SegmentsPerPart {
        self.segments_per_part
    }

    /// The bytes as stored.
    pub const fn as_bytes(&self) -> &[u8; HEADER_LEN] {
        &self.bytes
    }

    /// Refuses a blob of another object, vault, item or version, naming what differs.
    pub fn expect(&self, wanted: &BlobContext) -> Result<(), BlobError> {
        let found = &self.context;
        let differs = if found.vault != wanted.vault {
            "vault"
        } else if found.item != wanted.item {
            "item"
        } else if found.version != wanted.version {
            "version"
        } else if found.object != wanted.object {
            "object"
        } else {
            return Ok(());
        };
        Err(BlobError::Context(differs))
    }

    /// What FLOE binds the content to.
    pub(super) fn aad(&self) -> Vec<u8> {
        aad(&array(&self.bytes, 0))
    }

    pub(super) fn floe(&self) -> [u8; floe::HEADER_LEN] {
        array(&self.bytes, PREAMBLE_LEN)
    }

    /// Writes the preamble, asks for the FLOE header that goes with its AAD, and joins the two.
    pub(super) fn build<T>(
        context: BlobContext,
        segments_per_part: SegmentsPerPart,
        start: impl FnOnce(&[u8]) -> (T, [u8; floe::HEADER_LEN]),
    ) -> Result<(Self, T), BlobError> {
        if context.version == 0 {
            return Err(BlobError::ContentVersion);
        }
        let preamble = encode(&context, segments_per_part);
        let (sealer, floe_header) = start(&aad(&preamble));
        let mut bytes = [0; HEADER_LEN];
        bytes[..PREAMBLE_LEN].copy_from_slice(&preamble);
        bytes[PREAMBLE_LEN..].copy_from_slice(&floe_header);
        Ok((Self { context, segments_per_part, bytes }, sealer))
    }
}

fn encode(context: &BlobContext, segments_per_part: SegmentsPerPart) -> [u8; PREAMBLE_LEN] {
    let mut bytes = [0; PREAMBLE_LEN];
    bytes[..8].copy_from_slice(b"CUS1\x01\x01\0\0");
    bytes[8..24].copy_from_slice(context.object.as_bytes());
    bytes[24..40].copy_from_slice(context.vault.as_bytes());
    bytes[40..56].copy_from_slice(context.item.as_bytes());
    bytes[56..60].copy_from_slice(&context.version.to_be_bytes());
    bytes[60..].copy_from_slice(&segments_per_part.get().to_be_bytes());
    bytes
}

fn aad(preamble: &[u8; PREAMBLE_LEN]) -> Vec<u8> {
    [AAD_PREFIX, preamble].concat()
}

/// `N` bytes from `at` on; the callers' offsets are constants inside the header.
fn array<const N: usize>(bytes: &[u8; HEADER_LEN], at: usize) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(&bytes[at..at + N]);
    out
}
