//! FLOE, fast lightweight online encryption ([c2sp.org/FLOE](https://c2sp.org/FLOE)).
//!
//! The parameters that the specification leaves open are the segment length and nothing else: AES-256-GCM,
//! HKDF-Expand-SHA-384 and a 32-byte IV are fixed. Segments are sealed and opened in place:
//!
//! ```text
//! header:   parameters 10 | IV 32 | header tag 32
//! segment:  length word 4 | nonce 12 | ciphertext | tag 16
//! ```
//!
//! This module seals and opens segments; it neither reads nor writes, and it knows nothing of objects (that
//! is [`crate::blob`]).
//!
//! ```
//! use custody::{aead::Portable, floe::{Opener, Params, Sealer, OVERHEAD}};
//!
//! let params = Params::new(64)?;
//! let (key, aad) = ([1; 32], b"context");
//! let mut random = |bytes: &mut [u8]| bytes.fill(7); // a test's source, not a random one
//! let sealer = Sealer::<Portable>::start(params, &key, aad, &mut random);
//! let header = *sealer.header();
//!
//! let mut segment = vec![0; OVERHEAD + 5];
//! segment[16..21].copy_from_slice(b"hello");
//! sealer.last(&mut segment, &mut random)?;
//!
//! let mut opener = Opener::<Portable>::start(params, &key, aad, &header)?;
//! assert_eq!(opener.open(0, true, &mut segment)?, b"hello");
//! # Ok::<_, custody::floe::FloeError>(())
//! ```

use core::fmt;

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::aead::{Aead256, NONCE_LEN, TAG_LEN};
use crate::entropy::Entropy;
use crate::kdf::expand_sha384;

/// Bytes of the header.
pub const HEADER_LEN: usize = PARAMS_LEN + IV_LEN + HEADER_TAG_LEN;
/// Bytes that a segment adds to its plaintext.
pub const OVERHEAD: usize = PLAINTEXT_AT + TAG_LEN;
/// Where a segment's plaintext (then its ciphertext) begins.
pub const PLAINTEXT_AT: usize = WORD_LEN + NONCE_LEN;
/// Most segments in one ciphertext under AES-256-GCM.
pub const MAX_SEGMENTS: u64 = 1 << 40;

const PARAMS_LEN: usize = 10;
const IV_LEN: usize = 32;
const HEADER_TAG_LEN: usize = 32;
const WORD_LEN: usize = 4;
/// Segments sealed under one derived key, as a power of two.
const ROTATION_BITS: u32 = 20;
/// The length word of every segment but the last.
pub(crate) const NOT_LAST: u32 = u32::MAX;

/// Why sealing or opening failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FloeError {
    /// A segment length that cannot hold a byte of plaintext, or that collides with the length word.
    #[error("a FLOE segment is 33 to 4,294,967,294 bytes long, not {0}")]
    SegmentLength(u32),
    /// The header names other parameters than the reader expects.
    #[error("the FLOE header names other parameters")]
    Params,
    /// The header tag does not match: another key, another context, or an altered header.
    #[error("the FLOE header does not belong to this key and context")]
    Header,
    /// A buffer whose length no segment of this kind can have.
    #[error("segment {segment} has {bytes} bytes, which no such segment can have")]
    Size {
        /// Its position, from 0.
        segment: u64,
        /// The length of the buffer.
        bytes: usize,
    },
    /// The length word contradicts the segment's length or place.
    #[error("segment {0} carries a length word that contradicts its place")]
    Word(u64),
    /// The segment is not the one sealed at this place: altered, moved, or last where it should not be.
    #[error("segment {0} is not the one that was sealed here")]
    Segment(u64),
    /// More than 2^40 segments.
    #[error("a FLOE ciphertext has at most 2^40 segments")]
    TooManySegments,
    /// The cipher refused to encrypt.
    #[error("the cipher refused segment {0}")]
    Refused(u64),
}

/// The parameters of a ciphertext: how long its segments are, in bytes, overhead included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Params {
    segment_len: u32,
    rotation_bits: u32,
}

impl Params {
    /// Segments of `segment_len` bytes. They must hold at least one byte of plaintext, and their length must
    /// differ from the word that marks segments before the last.
    pub const fn new(segment_len: u32) -> Result<Self, FloeError> {
        if segment_len as usize <= OVERHEAD || segment_len == NOT_LAST {
            return Err(FloeError::SegmentLength(segment_len));
        }
        Ok(Self { segment_len, rotation_bits: ROTATION_BITS })
    }

    /// Bytes of every segment but the last.
    pub const fn segment_len(self) -> usize {
        self.segment_len as usize
    }

    /// Whether a header names these parameters; that needs no key.
    pub(crate) fn begins(self, header: &[u8; HEADER_LEN]) -> bool {
        header.starts_with(&self.encode())
    }

    fn encode(self) -> [u8; PARAMS_LEN] {
        let mut bytes = [0; PARAMS_LEN]; // AEAD 0 and KDF 0 are AES-256-GCM and HKDF-Expand-SHA-384
        bytes[2..6].copy_from_slice(&self.segment_len.to_be_bytes());
        bytes[6..].copy_from_slice(&32_u32.to_be_bytes());
        bytes
    }

    /// `rotation_bits` other than the specification's, for its published answers.
    #[cfg(test)]
    const fn with_rotation(mut self, rotation_bits: u32) -> Self {
        self.rotation_bits = rotation_bits;
        self
    }
}

/// Encrypts segments, one after the other, the last one exactly once.
pub struct Sealer<A> {
    session: Session<A>,
    header: [u8; HEADER_LEN],
    next: u64,
}

impl<A: Aead256> Sealer<A> {
    /// Begins a ciphertext under `key`, bound to `aad`.
    pub fn start(params: Params, key: &[u8; 32], aad: &[u8], entropy: &mut dyn Entropy) -> Self {
        let mut iv = [0; IV_LEN];
        entropy.fill(&mut iv);
        let (session, header) = Session::start(params, key, aad, iv);
        Self { session, header, next: 0 }
    }

    /// The header, to be stored before the first segment.
    pub const fn header(&self) -> &[u8; HEADER_LEN] {
        &self.header
    }

    /// Seals the next segment. `segment` has the full segment length and carries its plaintext from
    /// [`PLAINTEXT_AT`] on, up to 16 bytes before its end.
    pub fn segment(&mut self, segment: &mut [u8], entropy: &mut dyn Entropy) -> Result<(), FloeError> {
        if segment.len() != self.session.params.segment_len() {
            return Err(FloeError::Size { segment: self.next, bytes: segment.len() });
        }
        if self.next == MAX_SEGMENTS - 1 {
            return Err(FloeError::TooManySegments);
        }
        self.session.seal(self.next, NOT_LAST, segment, entropy)?;
        self.next += 1;
        Ok(())
    }

    /// Seals the last segment: plaintext of any length up to a full segment's, in a buffer [`OVERHEAD`] bytes
    /// longer.
    pub fn last(mut self, segment: &mut [u8], entropy: &mut dyn Entropy) -> Result<(), FloeError> {
        let word = self.session.last_word(self.next, segment)?;
        self.session.seal(self.next, word, segment, entropy)
    }
}

impl<A> fmt::Debug for Sealer<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealer").field("next", &self.next).finish_non_exhaustive()
    }
}

/// Decrypts segments in any order.
///
/// Whoever asks for a segment must know from elsewhere which one is the last: a ciphertext cut short is found
/// by opening its last segment, not by the ones before it.
pub struct Opener<A> {
    session: Session<A>,
}

impl<A: Aead256> Opener<A> {
    /// Checks the header against the key and `aad`; what it commits to cannot open under another pair.
    pub fn start(
        params: Params,
        key: &[u8; 32],
        aad: &[u8],
        header: &[u8; HEADER_LEN],
    ) -> Result<Self, FloeError> {
        if header[..PARAMS_LEN] != params.encode() {
            return Err(FloeError::Params);
        }
        let mut iv = [0; IV_LEN];
        iv.copy_from_slice(&header[PARAMS_LEN..PARAMS_LEN + IV_LEN]);
        let (session, expected) = Session::start(params, key, aad, iv);
        if !bool::from(expected.ct_eq(header)) {
            return Err(FloeError::Header);
        }
        Ok(Self { session })
    }

    /// Opens the segment at `position` (from 0) in place and returns its plaintext. After an error the buffer's
    /// content is unspecified and must not be used.
    pub fn open<'s>(
        &mut self,
        position: u64,
        is_last: bool,
        segment: &'s mut [u8],
    ) -> Result<&'s mut [u8], FloeError> {
        let word = if is_last {
            self.session.last_word(position, segment)?
        } else if segment.len() == self.session.params.segment_len() {
            NOT_LAST
        } else {
            return Err(FloeError::Size { segment: position, bytes: segment.len() });
        };
        if position >= MAX_SEGMENTS {
            return Err(FloeError::TooManySegments);
        }
        self.session.open(position, word, segment)
    }
}

impl<A> fmt::Debug for Opener<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Opener(..)")
    }
}

/// What sealing and opening share: the message key, and the engine for the current rotation.
struct Session<A> {
    params: Params,
    iv: [u8; IV_LEN],
    aad: Vec<u8>,
    message_key: Zeroizing<[u8; 48]>,
    engine: Option<(u64, A)>,
}

impl<A: Aead256> Session<A> {
    fn start(params: Params, key: &[u8; 32], aad: &[u8], iv: [u8; IV_LEN]) -> (Self, [u8; HEADER_LEN]) {
        let encoded = params.encode();
        let tag = expand_sha384::<HEADER_TAG_LEN>(key, &[&encoded, &iv, b"HEADER_TAG:", aad]);
        let message_key = expand_sha384(key, &[&encoded, &iv, b"MESSAGE_KEY:", aad]);
        let mut header = [0; HEADER_LEN];
        header[..PARAMS_LEN].copy_from_slice(&encoded);
        header[PARAMS_LEN..PARAMS_LEN + IV_LEN].copy_from_slice(&iv);
        header[PARAMS_LEN + IV_LEN..].copy_from_slice(&*tag);
        (Self { params, iv, aad: aad.to_vec(), message_key, engine: None }, header)
    }

    /// The length word of a last segment of this size, if a last segment can have it.
    fn last_word(&self, position: u64, segment: &[u8]) -> Result<u32, FloeError> {
        let size = FloeError::Size { segment: position, bytes: segment.len() };
        if !(OVERHEAD..=self.params.segment_len()).contains(&segment.len()) {
            return Err(size);
        }
        u32::try_from(segment.len()).map_err(|_| size)
    }

    fn seal(
        &mut self,
        position: u64,
        word: u32,
        segment: &mut [u8],
        entropy: &mut dyn Entropy,
    ) -> Result<(), FloeError> {
        let mut nonce = [0; NONCE_LEN];
        entropy.fill(&mut nonce);
        segment[..WORD_LEN].copy_from_slice(&word.to_be_bytes());
        segment[WORD_LEN..PLAINTEXT_AT].copy_from_slice(&nonce);
        let (data, tag_bytes) = split(segment);
        let tag = self
            .engine(position)
            .seal(&nonce, &segment_aad(position, word), data)
            .map_err(|_| FloeError::Refused(position))?;
        tag_bytes.copy_from_slice(&tag);
        Ok(())
    }

    fn open<'s>(
        &mut self,
        position: u64,
        word: u32,
        segment: &'s mut [u8],
    ) -> Result<&'s mut [u8], FloeError> {
        if segment[..WORD_LEN] != word.to_be_bytes() {
            return Err(FloeError::Word(position));
        }
        let mut nonce = [0; NONCE_LEN];
        nonce.copy_from_slice(&segment[WORD_LEN..PLAINTEXT_AT]);
        let (data, tag_bytes) = split(segment);
        let mut tag = [0; TAG_LEN];
        tag.copy_from_slice(tag_bytes);
        self.engine(position)
            .open(&nonce, &segment_aad(position, word), data, &tag)
            .map_err(|_| FloeError::Segment(position))?;
        Ok(data)
    }

    /// The engine under the key of this position, derived anew only where the rotation changes.
    fn engine(&mut self, position: u64) -> &A {
        let rotation = position >> self.params.rotation_bits << self.params.rotation_bits;
        let known = self.engine.take().filter(|(cached, _)| *cached == rotation);
        let (_, engine) = self.engine.insert(known.unwrap_or_else(|| {
            let (encoded, number) = (self.params.encode(), rotation.to_be_bytes());
            let info: [&[u8]; 5] = [&encoded, &self.iv, b"DEK:", &number, &self.aad];
            (rotation, A::new(&expand_sha384(&*self.message_key, &info)))
        }));
        engine
    }
}

/// A segment's data and its tag.
fn split(segment: &mut [u8]) -> (&mut [u8], &mut [u8]) {
    let tag_at = segment.len() - TAG_LEN;
    segment[PLAINTEXT_AT..].split_at_mut(tag_at - PLAINTEXT_AT)
}

/// What a segment is bound to: its position, and whether it is the last.
fn segment_aad(position: u64, word: u32) -> [u8; 9] {
    let mut aad = [0; 9];
    aad[..8].copy_from_slice(&position.to_be_bytes());
    aad[8] = u8::from(word != NOT_LAST);
    aad
}

#[cfg(test)]
mod tests;
