//! One stored object: a preamble that says what it is, then the content under [FLOE](crate::floe).
//!
//! ```text
//!   0   4  "CUS1"                   8  16  object id (random, new for every attempt)
//!   4   1  version 1               24  16  vault id (first half of the vault's identity)
//!   5   1  suite 1                 40  16  item id
//!   6   1  flags, all zero         56   4  content version, from 1
//!   7   1  zero                    60   4  segments per part
//!  64  74  FLOE header, AAD = "custos/blob/v1" 00 || preamble
//! 138   …  segments of 262,144 bytes, the last one shorter
//! ```
//!
//! Numbers are big-endian (`docs/FORMAT.md`, "Blob"). Content of n bytes has one encoding of its length: the
//! last segment holds 1 to 262,112 bytes, and is empty only where the content is. The preamble is bound to every
//! segment, so that a blob under another item, version or vault fails before any plaintext is seen.
//!
//! The ciphertext falls into parts of whole segments (the first one holds the 138 header bytes as well), and
//! the writer keeps a BLAKE3 of each, so that storage can be audited without any key.
//!
//! What its sender has sealed comes as an object already: [`Arrival`] checks what can be checked without its key.
//!
//! Nothing here reads or writes: [`BlobWriter`] seals buffers in place, [`BlobReader`] opens them, and
//! [`Layout`] says which bytes of the object a range of the content needs.

mod arrival;
mod audit;
mod header;
mod layout;
mod read;
mod write;

pub use crate::act::ObjectId;
pub use arrival::{Arrival, Stated};
pub use audit::{Audit, AuditFindings};
pub use header::{BlobContext, BlobHeader, HEADER_LEN, SegmentsPerPart, VaultId};
pub use layout::{Extent, Layout, MAX_PARTS, Step, Steps};
pub use read::BlobReader;
pub use write::{BlobFacts, BlobStream, BlobWriter, Part, PartHash, PartHashError, SealedBuf, SegmentBuf};

use crate::floe::{self, FloeError, Params};

/// Bytes of a segment as stored, the last one excepted.
pub const SEGMENT_LEN: usize = 262_144;
/// Bytes of content in a full segment.
pub const SEGMENT_ROOM: usize = SEGMENT_LEN - floe::OVERHEAD;

#[expect(clippy::cast_possible_truncation, reason = "a constant far below 2^32")]
const PARAMS: Params = match Params::new(SEGMENT_LEN as u32) {
    Ok(params) => params,
    Err(_) => unreachable!(),
};

/// Why a blob cannot be written or read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BlobError {
    /// The object does not begin with `CUS1`, or is too short to.
    #[error("not a blob of this vault: its first bytes are not CUS1")]
    Magic,
    /// A version, suite or flag that this program does not know.
    #[error(
        "a blob of version {version}, suite {suite}, flags {flags}; known are version 1, suite 1, flags 0"
    )]
    Unknown {
        /// Byte 4.
        version: u8,
        /// Byte 5.
        suite: u8,
        /// Bytes 6 and 7.
        flags: u16,
    },
    /// The count of segments per part lies outside 1 to 2,048.
    #[error("a part holds 1 to 2,048 segments, not {0}")]
    SegmentsPerPart(u32),
    /// Content versions count from 1.
    #[error("content versions count from 1")]
    ContentVersion,
    /// The preamble names another object than the one asked for.
    #[error("the blob is of another {0} than the one asked for")]
    Context(&'static str),
    /// More content than its parts can hold; 156 GiB where the length was not declared.
    #[error("the content is larger than {max_bytes} bytes, the most for its part size")]
    TooLarge {
        /// The limit, in bytes of content.
        max_bytes: u64,
    },
    /// A range that does not lie in the content.
    #[error("bytes {offset}+{len} lie outside the content's {size}")]
    Range {
        /// First byte asked for.
        offset: u64,
        /// How many.
        len: u64,
        /// What there is.
        size: u64,
    },
    /// A segment before the last must be sealed full, and a last one is empty only where the content is.
    #[error("only the last segment may be shorter than the others")]
    NotFull,
    /// An object that has more bytes, or fewer, than content of its size takes.
    #[error("the object has {found} bytes or more; its content takes {wanted}")]
    Length {
        /// What there is, as far as it was looked at.
        found: u64,
        /// What there should be.
        wanted: u64,
    },
    /// Content was pushed into a stream after it had failed.
    #[error("this stream has failed before and takes nothing more")]
    Failed,
    /// A segment number beyond the last.
    #[error("segment {0} lies beyond the end")]
    NoSuchSegment(u64),
    /// Sealing or opening failed: the bytes, the key or the context are not the ones they were sealed with.
    #[error(transparent)]
    Floe(#[from] FloeError),
}
