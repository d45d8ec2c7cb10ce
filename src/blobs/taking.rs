//! Taking in an object that its sender has sealed: what can be checked without its key is checked while it is stored.

use bytes::{Bytes, BytesMut};
use custody::blob::{Arrival, BlobContext, BlobError, HEADER_LEN, Stated};
use object_store::{ObjectStoreExt, PutPayload};
use tokio::task::JoinHandle;

use super::upload::{Pending, SealedUpload, Target, lost};
use super::{Blobs, BlobsError, Chosen, off_worker, path};

/// Ciphertext hashed and stored with one call.
const PIECE_BYTES: usize = 2 << 20;

/// An object that its sender sealed, on its way in. Dropping it leaves nothing behind.
#[derive(Debug)]
pub struct Taking {
    target: Target,
    context: BlobContext,
    stated: Stated,
    /// What has come and is not stored yet, at most a piece and a chunk.
    waiting: BytesMut,
    /// From the header on.
    arrival: Option<Arrival>,
    in_flight: Option<JoinHandle<object_store::Result<()>>>,
    pending: Pending,
}

impl Blobs {
    /// Begins to take an object under the id that its sender chose, which nothing may have. Waits as [`Blobs::begin`] does. The
    /// caller holds the id until a record names the object, or it is gone.
    pub async fn take(
        &self,
        _held: &Chosen,
        context: BlobContext,
        stated: Stated,
    ) -> Result<Taking, BlobsError> {
        let target = Target { store: self.store.clone(), object: context.object };
        let permit = self.place().await?;
        if self.exists(context.object).await? {
            return Err(BlobsError::Exists(context.object));
        }
        let multipart = self.store.put_multipart(&path(context.object)).await;
        let multipart = multipart.map_err(|error| target.error(error))?;
        let pending = Pending::new(multipart, permit);
        let waiting = BytesMut::new();
        Ok(Taking { target, context, stated, waiting, arrival: None, in_flight: None, pending })
    }
}

impl Taking {
    /// Takes more of the object; waits while storage is slower than the caller.
    pub async fn push(&mut self, chunk: &[u8]) -> Result<(), BlobsError> {
        self.waiting.extend_from_slice(chunk);
        if self.waiting.len() < PIECE_BYTES {
            return Ok(());
        }
        self.store_piece().await
    }

    /// Ends the object and waits until all of it is stored, though not yet visible.
    pub async fn finish(mut self) -> Result<SealedUpload, BlobsError> {
        self.store_piece().await?;
        self.settle().await?;
        let facts = self.arrival.ok_or(BlobError::Magic)?.finish()?;
        Ok(SealedUpload::new(self.target, facts, self.pending))
    }

    async fn store_piece(&mut self) -> Result<(), BlobsError> {
        let piece: Bytes = self.waiting.split().freeze();
        let mut arrival = if let Some(arrival) = self.arrival.take() {
            arrival
        } else {
            let header = piece.get(..HEADER_LEN).ok_or(BlobError::Magic)?;
            Arrival::new(header, &self.context, self.stated)?
        };
        let checked = piece.clone();
        let (arrival, taken) = off_worker(move || {
            let taken = arrival.push(&checked);
            (arrival, taken)
        })
        .await?;
        taken?;
        self.arrival = Some(arrival);
        self.settle().await?;
        if !piece.is_empty() {
            let multipart = self.pending.multipart()?;
            self.in_flight = Some(tokio::spawn(multipart.put_part(PutPayload::from_bytes(piece))));
        }
        Ok(())
    }

    async fn settle(&mut self) -> Result<(), BlobsError> {
        let Some(call) = self.in_flight.take() else { return Ok(()) };
        call.await.map_err(lost)?.map_err(|error| self.target.error(error))
    }
}
