//! Objects carried over as they are stored, checked on the way, without any key.

use std::sync::Arc;

use bytes::Bytes;
use custody::blob::{Audit, AuditFindings, ObjectId, Part};
use futures_util::{Stream, StreamExt as _, TryStreamExt as _};
use object_store::{ObjectStoreExt as _, PutPayload};

use super::{Blobs, BlobsError, WINDOW, off_worker, path};

/// Bytes written at a time: object stores want at least 5 MiB.
const PIECE: usize = 8 << 20;

/// What became of an object that was to be copied.
#[derive(Debug)]
pub enum Copied {
    /// It was there already.
    Already,
    /// It is there now.
    Now,
    /// The source is not what was written once. Nothing was copied.
    Damaged(AuditFindings),
}

impl Blobs {
    /// Copies an object from another store, unless it is here; its bytes must be the ones that `parts` name.
    pub async fn copy_from(
        &self,
        from: &Self,
        object: ObjectId,
        size: u64,
        parts: Vec<Part>,
    ) -> Result<Copied, BlobsError> {
        let failed = |error| BlobsError::of(object, error);
        match self.store.head(&path(object)).await {
            Ok(found) if found.size == size => return Ok(Copied::Already),
            Ok(found) => return Err(BlobsError::Length { object, found: found.size, wanted: size }),
            Err(object_store::Error::NotFound { .. }) => {}
            Err(error) => return Err(failed(error)),
        }
        let mut windows = Box::pin(from.ciphertext(object).await?);
        let mut multipart = self.store.put_multipart(&path(object)).await.map_err(failed)?;
        let mut audit = Audit::new(parts);
        let mut piece: Vec<Bytes> = Vec::new();
        while let Some(window) = windows.try_next().await? {
            let bytes = window.clone();
            audit = off_worker(move || {
                audit.push(&bytes);
                audit
            })
            .await?;
            piece.push(window);
            if piece.iter().map(Bytes::len).sum::<usize>() >= PIECE {
                let payload = piece.drain(..).collect::<PutPayload>();
                multipart.put_part(payload).await.map_err(failed)?;
            }
        }
        let findings = audit.finish();
        if !findings.is_clean() {
            // What was begun is nobody's object; a store that cannot forget it now is told again at the next start.
            drop(multipart.abort().await);
            return Ok(Copied::Damaged(findings));
        }
        if !piece.is_empty() {
            multipart.put_part(piece.into_iter().collect::<PutPayload>()).await.map_err(failed)?;
        }
        multipart.complete().await.map_err(failed)?;
        Ok(Copied::Now)
    }

    /// An object's ciphertext, a window after the other.
    pub async fn ciphertext(
        &self,
        object: ObjectId,
    ) -> Result<impl Stream<Item = Result<Bytes, BlobsError>> + Send + use<>, BlobsError> {
        let head = self.store.head(&path(object)).await;
        let size = head.map_err(|error| BlobsError::of(object, error))?.size;
        let store = Arc::clone(&self.store);
        let starts = (0..size).step_by(usize::try_from(WINDOW).unwrap_or(usize::MAX));
        let windows = futures_util::stream::iter(starts).map(move |from| {
            let (store, path) = (Arc::clone(&store), path(object));
            async move { store.get_range(&path, from..size.min(from + WINDOW)).await }
        });
        Ok(windows.buffered(2).map_err(move |error| BlobsError::of(object, error)))
    }
}
