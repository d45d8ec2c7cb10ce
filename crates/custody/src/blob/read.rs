//! Opening an object's segments.

use super::{BlobContext, BlobError, BlobHeader, Layout, PARAMS};
use crate::aead::Aead256;
use crate::floe::Opener;
use crate::keys::DataKey;

/// Opens the segments of one object, in any order, in place.
///
/// The content's size comes from the signed manifest; it decides which segment is the last one.
#[derive(Debug)]
pub struct BlobReader<A> {
    opener: Opener<A>,
    layout: Layout,
}

impl<A: Aead256> BlobReader<A> {
    /// Checks that the header is of the object asked for and that the key is its key.
    pub fn open(
        header: &BlobHeader,
        wanted: &BlobContext,
        key: &DataKey,
        content_size: u64,
    ) -> Result<Self, BlobError> {
        header.expect(wanted)?;
        let layout = Layout::new(content_size, header.segments_per_part())?;
        let opener = Opener::start(PARAMS, key.expose(), &header.aad(), &header.floe())?;
        Ok(Self { opener, layout })
    }

    /// Where everything lies.
    pub const fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Opens a segment in place and returns its plaintext. `stored` are exactly the bytes of
    /// [`Layout::segment`]; after an error its content is unspecified and must not be used.
    pub fn segment<'s>(&mut self, segment: u64, stored: &'s mut [u8]) -> Result<&'s mut [u8], BlobError> {
        let extent = self.layout.segment(segment)?;
        if stored.len() as u64 != extent.size {
            return Err(crate::floe::FloeError::Size { segment, bytes: stored.len() }.into());
        }
        Ok(self.opener.open(segment, segment + 1 == self.layout.segments(), stored)?)
    }
}
