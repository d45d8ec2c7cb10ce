//! Reading: fetch a few segments, open them in place off the async workers, hand them out.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use custody::blob::{BlobContext, BlobError, BlobHeader, BlobReader, Layout, Step};
use custody::keys::DataKey;
use futures_util::{Stream, StreamExt, TryStreamExt, stream};
use object_store::ObjectStoreExt;

use super::{Blobs, BlobsError, WINDOW, off_worker, path};
use crate::engine::AwsLc;

/// What reading needs to know of an object; all of it stands in its signed manifest.
#[derive(Debug, Clone, Copy)]
pub struct BlobSource {
    /// What the content must be bound to.
    pub context: BlobContext,
    /// The object's first 138 bytes.
    pub header: BlobHeader,
    /// Bytes of content.
    pub content_size: u64,
}

impl Blobs {
    /// The bytes `range` of the content, decrypted while they are read, in constant memory. A range that reaches
    /// the content's end authenticates its last segment before the first byte. Errors in key, context or range
    /// come at once, damage in the stream: after an error nothing follows, and what came before is authentic.
    pub fn read(
        &self,
        source: &BlobSource,
        key: &DataKey,
        range: Range<u64>,
    ) -> Result<impl Stream<Item = Result<Bytes, BlobsError>> + Send + use<>, BlobsError> {
        let reader = BlobReader::<AwsLc>::open(&source.header, &source.context, key, source.content_size)?;
        let len = range.end.checked_sub(range.start).ok_or(BlobError::Range {
            offset: range.start,
            len: 0,
            size: source.content_size,
        })?;
        let windows = windows(reader.layout(), range.start, len)?;
        let object = source.context.object;
        let store = Arc::clone(&self.store);
        let fetched = stream::iter(windows)
            .map(move |window| {
                let store = Arc::clone(&store);
                async move {
                    let bytes = store.get_range(&path(object), window.extent()).await;
                    let bytes = bytes.map_err(|error| BlobsError::of(object, error))?;
                    Ok::<_, BlobsError>((window, bytes))
                }
            })
            .buffered(2)
            .boxed();
        Ok(stream::try_unfold(
            (fetched, reader, VecDeque::new()),
            |(mut fetched, mut reader, mut ready)| async {
                loop {
                    if let Some(bytes) = ready.pop_front() {
                        return Ok(Some((bytes, (fetched, reader, ready))));
                    }
                    let Some((window, stored)) = fetched.try_next().await? else { return Ok(None) };
                    (reader, ready) = off_worker(move || {
                        let opened = window.open(&mut reader, stored)?;
                        Ok::<_, BlobsError>((reader, opened))
                    })
                    .await??;
                }
            },
        ))
    }
}

/// Neighbouring segments that are fetched together.
struct Window(Vec<Step>);

impl Window {
    fn extent(&self) -> Range<u64> {
        let start = self.0.first().map_or(0, |step| step.extent.offset);
        start..self.0.last().map_or(start, |step| step.extent.offset + step.extent.size)
    }

    /// Opens the segments in the buffer they came in; only a buffer that somebody shares is copied.
    fn open(&self, reader: &mut BlobReader<AwsLc>, stored: Bytes) -> Result<VecDeque<Bytes>, BlobsError> {
        let mut stored = stored.try_into_mut().unwrap_or_else(|shared| BytesMut::from(&*shared));
        let mut opened = VecDeque::with_capacity(self.0.len());
        for step in &self.0 {
            let size = usize::try_from(step.extent.size).map_or(stored.len(), |size| size.min(stored.len()));
            let mut segment = stored.split_to(size);
            reader.segment(step.segment, &mut segment)?;
            if !step.keep.is_empty() {
                let at = custody::floe::PLAINTEXT_AT;
                opened.push_back(segment.freeze().slice(at + step.keep.start..at + step.keep.end));
            }
        }
        Ok(opened)
    }
}

/// Cuts a plan into windows, one after the other as they are asked for.
fn windows(
    layout: &Layout,
    offset: u64,
    len: u64,
) -> Result<impl Iterator<Item = Window> + use<>, BlobError> {
    let mut steps = layout.plan(offset, len)?.peekable();
    Ok(std::iter::from_fn(move || {
        let mut window = Window(vec![steps.next()?]);
        while let Some(step) = steps.next_if(|step| {
            let extent = window.extent();
            step.extent.offset == extent.end && step.extent.offset + step.extent.size - extent.start <= WINDOW
        }) {
            window.0.push(step);
        }
        Some(window)
    }))
}
