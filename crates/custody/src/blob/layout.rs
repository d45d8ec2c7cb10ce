//! Where the content's bytes lie in the object: arithmetic, no bytes.

use core::ops::Range;

use super::{BlobError, HEADER_LEN, SEGMENT_LEN, SEGMENT_ROOM, SegmentsPerPart};
use crate::floe::OVERHEAD;

/// Most parts of an object: with 64 segments each they hold 156 GiB, and object stores allow 10,000.
pub const MAX_PARTS: u64 = 9_984;

/// The layout of an object whose content has a given size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    content_size: u64,
    segments: u64,
    segments_per_part: u64,
}

/// A run of bytes in the object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// Its first byte.
    pub offset: u64,
    /// How many.
    pub size: u64,
}

/// One segment to fetch and open while reading a range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Which segment, from 0.
    pub segment: u64,
    /// Where it lies in the object.
    pub extent: Extent,
    /// Which of its plaintext belongs to the range; empty where the segment is only authenticated.
    pub keep: Range<usize>,
}

impl Layout {
    /// The layout for `content_size` bytes; refused where that needs more than [`MAX_PARTS`] parts.
    pub fn new(content_size: u64, segments_per_part: SegmentsPerPart) -> Result<Self, BlobError> {
        let segments_per_part = u64::from(segments_per_part.get());
        let max_bytes = max_content(segments_per_part);
        if content_size > max_bytes {
            return Err(BlobError::TooLarge { max_bytes });
        }
        let segments = content_size.div_ceil(SEGMENT_ROOM as u64).max(1);
        Ok(Self { content_size, segments, segments_per_part })
    }

    /// Bytes of content.
    pub const fn content_size(&self) -> u64 {
        self.content_size
    }

    /// Segments, at least one.
    pub const fn segments(&self) -> u64 {
        self.segments
    }

    /// Bytes of the object, header included.
    pub const fn object_size(&self) -> u64 {
        HEADER_LEN as u64 + self.content_size + self.segments * OVERHEAD as u64
    }

    /// Parts, at least one.
    pub const fn parts(&self) -> u64 {
        self.segments.div_ceil(self.segments_per_part)
    }

    /// Where the part lies; part 0 begins with the header. Nothing beyond the last part.
    pub fn part(&self, part: u64) -> Option<Extent> {
        if part >= self.parts() {
            return None;
        }
        let first = part * self.segments_per_part;
        let offset = if part == 0 { 0 } else { segment_offset(first) };
        let end = self.object_size().min(segment_offset(first + self.segments_per_part));
        Some(Extent { offset, size: end - offset })
    }

    /// Where the segment lies.
    pub fn segment(&self, segment: u64) -> Result<Extent, BlobError> {
        if segment >= self.segments {
            return Err(BlobError::NoSuchSegment(segment));
        }
        let offset = segment_offset(segment);
        let end = self.object_size().min(segment_offset(segment + 1));
        Ok(Extent { offset, size: end - offset })
    }

    /// The segments that `len` bytes of content from `offset` on need, in the order to open them. A range that
    /// reaches the end begins with the last segment, so that a cut is found before anything is handed out.
    pub fn plan(&self, offset: u64, len: u64) -> Result<Steps, BlobError> {
        let out_of_range = BlobError::Range { offset, len, size: self.content_size };
        let end = offset.checked_add(len).filter(|end| *end <= self.content_size).ok_or(out_of_range)?;
        let room = SEGMENT_ROOM as u64;
        let last = self.segments - 1;
        let wanted = if len == 0 { 0..0 } else { offset / room..end.div_ceil(room) };
        let check_last = end == self.content_size && wanted != (last..last + 1);
        Ok(Steps { layout: *self, content: offset..end, next: wanted, check_last })
    }
}

/// The steps of [`Layout::plan`].
#[derive(Debug, Clone)]
pub struct Steps {
    layout: Layout,
    content: Range<u64>,
    next: Range<u64>,
    check_last: bool,
}

impl Iterator for Steps {
    type Item = Step;

    fn next(&mut self) -> Option<Step> {
        if core::mem::take(&mut self.check_last) {
            let segment = self.layout.segments - 1;
            let extent = self.layout.segment(segment).ok()?;
            return Some(Step { segment, extent, keep: 0..0 });
        }
        let segment = self.next.next()?;
        let extent = self.layout.segment(segment).ok()?;
        let begin = segment * SEGMENT_ROOM as u64;
        Some(Step {
            segment,
            extent,
            keep: within(self.content.start, begin)..within(self.content.end, begin),
        })
    }
}

/// A position in the content as a position in the segment that begins at `begin`.
fn within(content: u64, begin: u64) -> usize {
    usize::try_from(content.saturating_sub(begin)).map_or(SEGMENT_ROOM, |at| at.min(SEGMENT_ROOM))
}

pub(super) const fn max_content(segments_per_part: u64) -> u64 {
    MAX_PARTS * segments_per_part * SEGMENT_ROOM as u64
}

const fn segment_offset(segment: u64) -> u64 {
    HEADER_LEN as u64 + segment * SEGMENT_LEN as u64
}
