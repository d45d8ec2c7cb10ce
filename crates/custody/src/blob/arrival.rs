//! Taking in an object that somebody else has sealed: everything is checked that can be checked without its key.

use super::{BlobContext, BlobError, BlobFacts, BlobHeader, HEADER_LEN, Layout, Part, PartHash};
use crate::digest::Digest;
use crate::floe::{FloeError, NOT_LAST};

/// What whoever sealed an object says of its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stated {
    /// Bytes of content.
    pub size: u64,
    /// SHA-256 of the content.
    pub sha256: Digest,
    /// CRC-32 (as in ZIP) of the content.
    pub crc32: u32,
}

/// Takes the bytes of an object, from the first to the last: its header must be the one that was announced, its segments as
/// many and as long as content of the stated size has. Its parts are hashed on the way. Whether it opens, and to what, only
/// whoever has the key can tell.
#[derive(Debug)]
pub struct Arrival {
    header: BlobHeader,
    layout: Layout,
    stated: Stated,
    offset: u64,
    hasher: blake3::Hasher,
    parts: Vec<Part>,
}

impl Arrival {
    /// Begins with the object's first [`HEADER_LEN`] bytes, which must be of this object; they are pushed as all others are.
    ///
    /// # Errors
    ///
    /// Where the header is none, of another object, item, vault or version, or of a FLOE variant that no reader here takes, or
    /// where so much content does not fit its parts.
    pub fn new(header: &[u8], wanted: &BlobContext, stated: Stated) -> Result<Self, BlobError> {
        let header = BlobHeader::parse(header)?;
        header.expect(wanted)?;
        if !super::PARAMS.begins(&header.floe()) {
            return Err(FloeError::Params.into());
        }
        let layout = Layout::new(stated.size, header.segments_per_part())?;
        Ok(Self { header, layout, stated, offset: 0, hasher: blake3::Hasher::new(), parts: Vec::new() })
    }

    /// The id under which the object stands.
    pub const fn context(&self) -> &BlobContext {
        self.header.context()
    }

    /// Bytes that the object has.
    pub const fn object_size(&self) -> u64 {
        self.layout.object_size()
    }

    /// Takes the next bytes, however many.
    ///
    /// # Errors
    ///
    /// Where they are more than the object has, another header than was announced, or a segment's first bytes are not those of
    /// one of its length and place.
    pub fn push(&mut self, mut bytes: &[u8]) -> Result<(), BlobError> {
        let end = self.offset.saturating_add(bytes.len() as u64);
        if end > self.object_size() {
            return Err(BlobError::Length { found: end, wanted: self.object_size() });
        }
        if differs(bytes, self.offset, self.header.as_bytes(), 0) {
            return Err(BlobError::Context("header"));
        }
        self.check_words(bytes)?;
        while let Some(part) = self.layout.part(self.parts.len() as u64).filter(|_| !bytes.is_empty()) {
            let left = part.offset + part.size - self.offset;
            let take = usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len()));
            let (now, rest) = bytes.split_at(take);
            self.hasher.update(now);
            self.offset += take as u64;
            bytes = rest;
            if take as u64 == left {
                let blake3 = PartHash::new(*self.hasher.finalize().as_bytes());
                self.parts.push(Part { blake3, offset: part.offset, size: part.size });
                self.hasher.reset();
            }
        }
        Ok(())
    }

    /// Ends with the object's last byte.
    ///
    /// # Errors
    ///
    /// Where bytes are missing.
    pub fn finish(self) -> Result<BlobFacts, BlobError> {
        let object_size = self.object_size();
        if self.offset != object_size {
            return Err(BlobError::Length { found: self.offset, wanted: object_size });
        }
        let Stated { size, sha256, crc32 } = self.stated;
        Ok(BlobFacts {
            header: self.header,
            by_sender: true,
            content_size: size,
            sha256,
            crc32,
            object_size,
            parts: self.parts,
        })
    }

    /// Every segment begins with its length, or with a word that says that others follow.
    fn check_words(&self, bytes: &[u8]) -> Result<(), BlobError> {
        let begin = self.offset.saturating_sub(HEADER_LEN as u64) / super::SEGMENT_LEN as u64;
        let end = self.offset + bytes.len() as u64;
        for segment in begin..self.layout.segments() {
            let extent = self.layout.segment(segment)?;
            if extent.offset >= end {
                break;
            }
            let last = segment + 1 == self.layout.segments();
            let word = if last { u32::try_from(extent.size).unwrap_or(NOT_LAST) } else { NOT_LAST };
            if differs(bytes, self.offset, &word.to_be_bytes(), extent.offset) {
                return Err(FloeError::Word(segment).into());
            }
        }
        Ok(())
    }
}

/// Whether `bytes`, which stand at `offset`, differ from `wanted`, which stands at `at`, where both have something.
fn differs(bytes: &[u8], offset: u64, wanted: &[u8], at: u64) -> bool {
    let from = offset.max(at);
    let to = (offset + bytes.len() as u64).min(at + wanted.len() as u64);
    let of = |all: &[u8], start: u64| -> Option<Vec<u8>> {
        let range = usize::try_from(from - start).ok()?..usize::try_from(to - start).ok()?;
        all.get(range).map(<[u8]>::to_vec)
    };
    from < to && of(bytes, offset) != of(wanted, at)
}
