//! Redactions that the vault makes itself, so that the link to the original is its own word and not somebody's.
//!
//! The vault reads the original on a person's behalf, under a grant that is on record before. The result is a new item of
//! the same case and class; the original is left as it is.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use custody::act::{Class, Derivation, ItemDerived, ItemRegistered, MAX_BOXES, PixelBox};
use custody::digest::Digest;
use custody::id::{ItemId, OpId, PersonId};
use custody::kind::Kind;
use custody::record::Sequence;
use custody::rules::{Item, Refusal, Right, Stored};
use futures_util::StreamExt as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::compose::Say;
use super::say::With;
use super::{App, AppError, parse, parse_opt, wire};
use crate::api;
use crate::redact::{MAX_FILE_BYTES, RedactError, redact};

/// How long a redaction waits while another is made.
const PATIENCE: Duration = Duration::from_secs(20);
/// Records of an item in which its intake stands.
const FIRST_RECORDS: u32 = 50;

/// Redactions take memory for a whole image: one is made at a time.
#[derive(Debug, Clone)]
pub(super) struct OneAtATime(Arc<Semaphore>);

impl Default for OneAtATime {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(1)))
    }
}

impl OneAtATime {
    async fn turn(&self) -> Result<OwnedSemaphorePermit, AppError> {
        let turn =
            timeout(PATIENCE, Arc::clone(&self.0).acquire_owned()).await.map_err(|_| AppError::Busy)?;
        turn.map_err(AppError::internal("waiting for a turn to redact"))
    }
}

impl App {
    /// Makes a redaction of an item under an open grant of `person`. Said again under the same `op_id` it goes on where it
    /// was broken off.
    pub async fn redact(
        &self,
        person: PersonId,
        id: ItemId,
        access: Option<&str>,
        new: api::NewRedaction,
        op_id: Option<OpId>,
    ) -> Result<api::Redacted, AppError> {
        let original = self.item_for(person, id, Right::RegisterItem).await?;
        self.item_for(person, id, Right::ReadContent).await?;
        let boxes = boxes(&new.boxes)?;
        let stored = redactable(&original)?;
        let access: Option<Digest> = parse_opt(access, "access")?;
        let (grant, _) = self.open_grant(person, id, &original, access).await?;
        let made = self.painted((person, id), grant, stored, boxes.clone()).await?;
        let (digest, size) = (Digest::of(&made), made.len() as u64);
        let item = self.register_redaction(person, &original, new, op_id).await?;
        self.keep_redaction(person, item, made, digest).await?;
        if self.redaction(item).await?.derived.is_none() {
            let data = ItemDerived {
                how: Derivation::Redaction,
                boxes: Some(boxes),
                digest,
                grant: Some(grant),
                of: id,
                original: stored.content.digest,
            };
            let say = Say::of_item(Kind::ItemDerived, original.case, item).data(data.to_data());
            self.say_as_vault(say, With::default()).await?;
        }
        let receipts = self.receipts_of_redaction(item).await?;
        Ok(api::Redacted { id: item.to_string(), digest: digest.to_hex(), size, receipts })
    }

    /// The original's bytes, read under the grant and painted over.
    async fn painted(
        &self,
        (person, id): (PersonId, ItemId),
        grant: Digest,
        stored: Stored,
        boxes: Vec<PixelBox>,
    ) -> Result<Bytes, AppError> {
        let turn = self.redacting.turn().await?;
        let readable = self.readable(person, id, grant, stored).await?;
        let mut file = Vec::new();
        let mut content = std::pin::pin!(self.read_content(&readable, 0..readable.size()).await?);
        while let Some(chunk) = content.next().await {
            file.extend_from_slice(&chunk?);
        }
        let work = tokio::task::spawn_blocking(move || {
            // Held until the memory is free again, whether anybody still waits for it or not.
            let _turn = turn;
            redact(&file, &boxes)
        });
        let made = work.await.map_err(AppError::internal("redacting an image"))?;
        made.map(Bytes::from).map_err(AppError::from)
    }

    async fn register_redaction(
        &self,
        person: PersonId,
        original: &Item,
        new: api::NewRedaction,
        op_id: Option<OpId>,
    ) -> Result<ItemId, AppError> {
        let item = ItemId::new(Self::new_id(person, op_id));
        let data = ItemRegistered { class: original.class, route: parse("vault", "route")?, sealing: None }
            .to_data();
        let mut fields = new.fields;
        let name = format!("exhibit-{}-redacted.png", original.exhibit);
        fields.entry("file-name".to_owned()).or_insert(name);
        let say = Say::of_item(Kind::ItemRegistered, original.case, item).data(data).op_id(op_id);
        self.say_on_behalf(person, say.fields(fields)?).await?;
        Ok(item)
    }

    async fn keep_redaction(
        &self,
        person: PersonId,
        item: ItemId,
        made: Bytes,
        digest: Digest,
    ) -> Result<(), AppError> {
        match self.redaction(item).await?.stored {
            Some(stored) if stored.content.digest == digest => Ok(()),
            // The same request with other boxes is another request.
            Some(_) => Err(AppError::OpIdReused),
            None => {
                let length = made.len() as u64;
                let body = futures_util::stream::iter([Ok::<_, std::convert::Infallible>(made)]);
                self.receive(person, item, Some(digest), Some(length), body).await.map(drop)
            }
        }
    }

    async fn redaction(&self, id: ItemId) -> Result<Item, AppError> {
        let found = self.store.read().await?.items(&[id]).await?.pop();
        found.map(|(_, item)| item).ok_or(AppError::NotFound("item"))
    }

    /// The receipts of its registration, of its content, and of the link to its original.
    async fn receipts_of_redaction(&self, id: ItemId) -> Result<api::Receipts, AppError> {
        let mut tx = self.store.read().await?;
        let mut rows = tx.records(Sequence::Item(id), 0, FIRST_RECORDS).await?;
        rows.retain(|row| {
            matches!(row.kind, Kind::ItemRegistered | Kind::ContentReceived | Kind::ItemDerived)
        });
        Ok(wire(&tx.receipts_for(rows).await?))
    }
}

/// The content of an item that the vault can read and paint.
fn redactable(original: &Item) -> Result<Stored, AppError> {
    match original {
        Item { disposed: true, .. } => Err(Refusal::Disposed.into()),
        Item { class: Class::Restricted, .. } => Err(Refusal::SealedToPersons.into()),
        Item { class: Class::HashOnly, .. } => Err(Refusal::HashOnly.into()),
        Item { stored: None, .. } => Err(Refusal::NoContent.into()),
        Item { stored: Some(stored), .. } if stored.content.size > MAX_FILE_BYTES => {
            Err(RedactError::TooLarge.into())
        }
        Item { stored: Some(stored), .. } => Ok(*stored),
    }
}

fn boxes(asked: &[api::PixelBox]) -> Result<Vec<PixelBox>, AppError> {
    let boxes: Vec<_> = asked.iter().map(|b| PixelBox { h: b.h, w: b.w, x: b.x, y: b.y }).collect();
    if !(1..=MAX_BOXES).contains(&boxes.len()) || !boxes.iter().all(|b| b.is_within(u32::MAX, u32::MAX)) {
        return Err(AppError::Invalid("boxes: 1 to 100, each at least a pixel wide and high".to_owned()));
    }
    Ok(boxes)
}

impl From<RedactError> for AppError {
    fn from(error: RedactError) -> Self {
        match error {
            RedactError::Written(_) => Self::internal("writing a redacted image")(error),
            other => Self::NotRedactable(other),
        }
    }
}
