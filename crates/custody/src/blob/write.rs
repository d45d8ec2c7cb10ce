//! Sealing content into an object while it arrives.

use core::fmt;

use serde::{Deserialize, Serialize};
use zeroize::Zeroize;

use super::layout::{MAX_PARTS, max_content};
use super::{
    BlobContext, BlobError, BlobHeader, HEADER_LEN, PARAMS, SEGMENT_LEN, SEGMENT_ROOM, SegmentsPerPart,
};
use crate::aead::Aead256;
use crate::digest::{Digest, Hasher, hex_array};
use crate::entropy::Entropy;
use crate::floe::{OVERHEAD, PLAINTEXT_AT, Sealer};
use crate::keys::DataKey;

/// A buffer for the content of one segment, with room around it for what sealing adds; cleared when dropped.
pub struct SegmentBuf {
    bytes: Box<[u8]>,
    filled: usize,
}

impl SegmentBuf {
    /// An empty buffer of [`SEGMENT_LEN`] bytes.
    pub fn new() -> Self {
        Self { bytes: vec![0; SEGMENT_LEN].into_boxed_slice(), filled: 0 }
    }

    /// Takes as many of `chunk`'s first bytes as fit, and says how many.
    pub fn push(&mut self, chunk: &[u8]) -> usize {
        let take = chunk.len().min(SEGMENT_ROOM - self.filled);
        let at = PLAINTEXT_AT + self.filled;
        self.bytes[at..at + take].copy_from_slice(&chunk[..take]);
        self.filled += take;
        take
    }

    /// Whether no byte more fits.
    pub const fn is_full(&self) -> bool {
        self.filled == SEGMENT_ROOM
    }

    /// Bytes of content in the buffer.
    pub const fn len(&self) -> usize {
        self.filled
    }

    /// Whether there is no content in the buffer.
    pub const fn is_empty(&self) -> bool {
        self.filled == 0
    }

    fn content(&self) -> &[u8] {
        &self.bytes[PLAINTEXT_AT..PLAINTEXT_AT + self.filled]
    }

    fn whole(&mut self) -> &mut [u8] {
        &mut self.bytes[..OVERHEAD + self.filled]
    }
}

impl Default for SegmentBuf {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for SegmentBuf {
    fn drop(&mut self) {
        self.bytes.zeroize();
    }
}

impl fmt::Debug for SegmentBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SegmentBuf").field("filled", &self.filled).finish_non_exhaustive()
    }
}

/// A sealed segment: what goes into storage.
#[derive(Debug)]
pub struct SealedBuf(SegmentBuf);

impl SealedBuf {
    /// The buffer, empty, for the next segment.
    pub fn recycle(mut self) -> SegmentBuf {
        self.0.filled = 0;
        self.0
    }
}

impl AsRef<[u8]> for SealedBuf {
    fn as_ref(&self) -> &[u8] {
        &self.0.bytes[..OVERHEAD + self.0.filled]
    }
}

/// BLAKE3 of a part of the ciphertext; 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PartHash([u8; 32]);

/// Why a text is not a part hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a part hash is 64 lower-case hexadecimal digits")]
pub struct PartHashError;

impl PartHash {
    /// Wraps 32 bytes that are a BLAKE3 hash already.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Debug for PartHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl From<PartHash> for String {
    fn from(hash: PartHash) -> Self {
        hex::encode(hash.0)
    }
}

impl TryFrom<String> for PartHash {
    type Error = PartHashError;
    fn try_from(text: String) -> Result<Self, PartHashError> {
        hex_array(&text).map(Self).ok_or(PartHashError)
    }
}

/// One part of the ciphertext.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// BLAKE3 of its bytes.
    pub blake3: PartHash,
    /// Its first byte in the object.
    pub offset: u64,
    /// Its bytes.
    pub size: u64,
}

/// Everything known about an object once its last byte is sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlobFacts {
    /// The first 138 bytes.
    pub header: BlobHeader,
    /// Whether its sender sealed it: then digest, CRC and size of the content are what they say, and nobody has compared.
    pub by_sender: bool,
    /// Bytes of content.
    pub content_size: u64,
    /// SHA-256 of the content.
    pub sha256: Digest,
    /// CRC-32 (as in ZIP) of the content.
    pub crc32: u32,
    /// Bytes of the object.
    pub object_size: u64,
    /// The object's parts, in order and without gaps.
    pub parts: Vec<Part>,
}

/// Seals an object segment by segment, in buffers of the caller's.
///
/// First [`header`](Self::header) is stored, then what [`segment`](Self::segment) and, once,
/// [`last`](Self::last) return. [`BlobStream`] does the cutting for callers with chunks of any size.
pub struct BlobWriter<A> {
    header: BlobHeader,
    sealer: Sealer<A>,
    sha256: Hasher,
    crc32: crc32fast::Hasher,
    content_size: u64,
    ledger: Ledger,
}

impl<A: Aead256> BlobWriter<A> {
    /// Begins an object; a key serves one object only.
    pub fn start(
        context: BlobContext,
        segments_per_part: SegmentsPerPart,
        key: &DataKey,
        entropy: &mut dyn Entropy,
    ) -> Result<Self, BlobError> {
        let (header, sealer) = BlobHeader::build(context, segments_per_part, |aad| {
            let sealer = Sealer::start(PARAMS, key.expose(), aad, entropy);
            let floe_header = *sealer.header();
            (sealer, floe_header)
        })?;
        Ok(Self {
            ledger: Ledger::new(&header),
            header,
            sealer,
            sha256: Hasher::new(),
            crc32: crc32fast::Hasher::new(),
            content_size: 0,
        })
    }

    /// The object's first bytes.
    pub const fn header(&self) -> &BlobHeader {
        &self.header
    }

    /// Seals a full buffer that is not the last one.
    pub fn segment(
        &mut self,
        mut buffer: SegmentBuf,
        entropy: &mut dyn Entropy,
    ) -> Result<SealedBuf, BlobError> {
        if !buffer.is_full() {
            return Err(BlobError::NotFull);
        }
        self.note(buffer.content())?;
        self.sealer.segment(buffer.whole(), entropy)?;
        let sealed = SealedBuf(buffer);
        self.ledger.push(sealed.as_ref());
        Ok(sealed)
    }

    /// Seals the last buffer, which is empty only where the whole content is, and says what was written.
    pub fn last(
        mut self,
        mut buffer: SegmentBuf,
        entropy: &mut dyn Entropy,
    ) -> Result<(SealedBuf, BlobFacts), BlobError> {
        if buffer.is_empty() && self.content_size > 0 {
            return Err(BlobError::NotFull);
        }
        self.note(buffer.content())?;
        self.sealer.last(buffer.whole(), entropy)?;
        let sealed = SealedBuf(buffer);
        self.ledger.push(sealed.as_ref());
        let (object_size, parts) = self.ledger.finish();
        let facts = BlobFacts {
            header: self.header,
            by_sender: false,
            content_size: self.content_size,
            sha256: self.sha256.finish(),
            crc32: self.crc32.finalize(),
            object_size,
            parts,
        };
        Ok((sealed, facts))
    }

    fn note(&mut self, content: &[u8]) -> Result<(), BlobError> {
        let max_bytes = max_content(self.ledger.segments_per_part);
        self.content_size += content.len() as u64;
        if self.content_size > max_bytes {
            return Err(BlobError::TooLarge { max_bytes });
        }
        self.sha256.update(content);
        self.crc32.update(content);
        Ok(())
    }
}

impl<A> fmt::Debug for BlobWriter<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlobWriter").field("content_size", &self.content_size).finish_non_exhaustive()
    }
}

/// A [`BlobWriter`] for chunks of any size: it fills one buffer of its own and emits the object's bytes in order.
#[derive(Debug)]
pub struct BlobStream<A> {
    writer: BlobWriter<A>,
    /// Nothing after an error: what was in it did not become part of the object.
    buffer: Option<SegmentBuf>,
    header_sent: bool,
}

impl<A: Aead256> BlobStream<A> {
    /// Takes over a writer that has sealed nothing yet.
    pub fn new(writer: BlobWriter<A>) -> Self {
        Self { writer, buffer: Some(SegmentBuf::new()), header_sent: false }
    }

    /// Takes more content and hands what is sealed to `emit`. A full buffer waits until more content shows that
    /// it is not the last.
    pub fn push(
        &mut self,
        mut chunk: &[u8],
        entropy: &mut dyn Entropy,
        emit: &mut dyn FnMut(&[u8]),
    ) -> Result<(), BlobError> {
        self.send_header(emit);
        loop {
            let mut buffer = self.buffer.take().ok_or(BlobError::Failed)?;
            let taken = buffer.push(chunk);
            chunk = &chunk[taken..];
            if chunk.is_empty() {
                self.buffer = Some(buffer);
                return Ok(());
            }
            let sealed = self.writer.segment(buffer, entropy)?;
            emit(sealed.as_ref());
            self.buffer = Some(sealed.recycle());
        }
    }

    /// Ends the content.
    pub fn finish(
        mut self,
        entropy: &mut dyn Entropy,
        emit: &mut dyn FnMut(&[u8]),
    ) -> Result<BlobFacts, BlobError> {
        self.send_header(emit);
        let (sealed, facts) = self.writer.last(self.buffer.ok_or(BlobError::Failed)?, entropy)?;
        emit(sealed.as_ref());
        Ok(facts)
    }

    fn send_header(&mut self, emit: &mut dyn FnMut(&[u8])) {
        if !core::mem::replace(&mut self.header_sent, true) {
            emit(self.writer.header().as_bytes());
        }
    }
}

/// Keeps the hash of the part that is being written.
struct Ledger {
    segments_per_part: u64,
    segments: u64,
    hasher: blake3::Hasher,
    offset: u64,
    end: u64,
    parts: Vec<Part>,
}

impl Ledger {
    fn new(header: &BlobHeader) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(header.as_bytes());
        Self {
            segments_per_part: u64::from(header.segments_per_part().get()),
            segments: 0,
            hasher,
            offset: 0,
            end: HEADER_LEN as u64,
            parts: Vec::new(),
        }
    }

    fn push(&mut self, sealed: &[u8]) {
        if self.segments == self.segments_per_part {
            self.close();
        }
        self.hasher.update(sealed);
        self.end += sealed.len() as u64;
        self.segments += 1;
    }

    fn close(&mut self) {
        let blake3 = PartHash(*self.hasher.finalize().as_bytes());
        self.parts.push(Part { blake3, offset: self.offset, size: self.end - self.offset });
        self.hasher.reset();
        self.offset = self.end;
        self.segments = 0;
    }

    fn finish(mut self) -> (u64, Vec<Part>) {
        self.close();
        debug_assert!(self.parts.len() as u64 <= MAX_PARTS, "content beyond the limit was refused");
        (self.end, self.parts)
    }
}
