//! The bytes of a bundle, generated while they are sent, in constant memory.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use tokio::sync::mpsc;

use super::layout::{Laid, Source};
use super::sweep::Sweep;
use super::zip::local_header;
use super::{App, AppError};
use crate::app::cut_off::Watch;

/// Chunks made ahead of the reader.
const AHEAD: usize = 4;

/// A bundle as a ZIP of known length.
pub struct BundleStream {
    /// Exact bytes.
    pub size: u64,
    /// The archive; an error breaks it off, so that whoever receives it sees that it is not whole.
    pub stream: Chunks,
}

impl std::fmt::Debug for BundleStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "BundleStream({} bytes)", self.size)
    }
}

/// The chunks of a bundle.
#[derive(Debug)]
pub struct Chunks(mpsc::Receiver<Result<Bytes, AppError>>);

impl Stream for Chunks {
    type Item = Result<Bytes, AppError>;
    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(context)
    }
}

impl BundleStream {
    /// `watch` ends it where its reader is suspended meanwhile.
    pub(super) fn start(app: Arc<App>, laid: Arc<Laid>, watch: Watch) -> Self {
        let (chunks, receiver) = mpsc::channel(AHEAD);
        let size = laid.size();
        tokio::spawn(async move {
            let writer = Writer { app: &app, laid: &laid, watch, chunks: &chunks };
            if let Err(error) = writer.write().await {
                // The reader may be gone already; then there is nobody to tell.
                let _ = chunks.send(Err(error)).await;
            }
        });
        Self { size, stream: Chunks(receiver) }
    }
}

struct Writer<'a> {
    app: &'a App,
    laid: &'a Laid,
    watch: Watch,
    chunks: &'a mpsc::Sender<Result<Bytes, AppError>>,
}

impl Writer<'_> {
    async fn write(&self) -> Result<(), AppError> {
        for (entry, source) in self.laid.zip.entries().zip(&self.laid.sources) {
            let header = local_header(entry).map_err(AppError::internal("writing a bundle"))?;
            self.send(header.into()).await?;
            let sent = self.file(source).await?;
            if sent != entry.size {
                return Err(AppError::internal("writing a bundle")(format!(
                    "{} changed its size",
                    entry.name
                )));
            }
        }
        self.send(Bytes::copy_from_slice(self.laid.zip.directory())).await
    }

    async fn file(&self, source: &Source) -> Result<u64, AppError> {
        match source {
            Source::Bytes(bytes) => {
                self.send(Bytes::copy_from_slice(bytes)).await?;
                Ok(bytes.len() as u64)
            }
            Source::Lines(part) => {
                let mut sweep = Sweep::new(self.app, &self.laid.scope, Some(*part));
                let mut sent = 0;
                while let Some(lines) = sweep.next().await? {
                    sent += lines.of(*part).len() as u64;
                    self.send(Bytes::copy_from_slice(lines.of(*part))).await?;
                }
                Ok(sent)
            }
            Source::Exhibit(item, stored) => {
                let content = self.app.open_object(*item, stored, 0..stored.content.size).await?;
                let mut content = std::pin::pin!(content);
                let mut sent = 0;
                while let Some(chunk) = content.next().await {
                    let chunk = chunk.map_err(AppError::internal("reading an exhibit"))?;
                    sent += chunk.len() as u64;
                    self.send(chunk).await?;
                }
                Ok(sent)
            }
            Source::Sealed(object) => {
                let stored = self.app.blobs.ciphertext(*object).await;
                let mut stored = std::pin::pin!(stored.map_err(AppError::internal("opening an object"))?);
                let mut sent = 0;
                while let Some(chunk) = stored.next().await {
                    let chunk = chunk.map_err(AppError::internal("reading an object"))?;
                    sent += chunk.len() as u64;
                    self.send(chunk).await?;
                }
                Ok(sent)
            }
            Source::Manifest(object) => {
                let row = self.app.store.read().await?.objects(&[*object]).await?.pop();
                let manifest = row.ok_or(AppError::NotFound("object"))?.manifest;
                let sent = manifest.len() as u64;
                self.send(manifest.into()).await?;
                Ok(sent)
            }
        }
    }

    async fn send(&self, chunk: Bytes) -> Result<(), AppError> {
        if chunk.is_empty() {
            return Ok(());
        }
        self.watch.goes_on()?;
        let gone = |_| AppError::internal("sending a bundle")("the reader went away");
        self.chunks.send(Ok(chunk)).await.map_err(gone)
    }
}
