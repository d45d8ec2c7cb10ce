//! Redactions that the vault makes itself, so that the link to the original is its own word and not somebody's.
//!
//! The vault reads the original on a person's behalf, under a grant that is on record before. The result is a new item of
//! the same case and class; the original is left as it is.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use custody::act::{Act, Class, Derivation, ItemDerived, ItemRegistered, MAX_BOXES, PixelBox, ROUTE_VAULT};
use custody::digest::Digest;
use custody::id::{ItemId, OpId, PersonId};
use custody::kind::Kind;
use custody::record::Sequence;
use custody::rules::{Item, Refusal, Right, Stored};
use custody::statement::Actor;
use futures_util::StreamExt as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::compose::{Say, claimed};
use super::say::With;
use super::{App, AppError, parse, parse_opt, wire};
use crate::api;
use crate::redact::{MAX_FILE_BYTES, RedactError, redact};

/// How long a redaction waits while another is made.
const PATIENCE: Duration = Duration::from_secs(20);
/// Records of an item in which its intake stands, and its link if the vault made it.
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

/// What was painted. Its memory is the turn's: nobody else begins before it is free.
struct Painted {
    file: Bytes,
    digest: Digest,
    boxes: Vec<PixelBox>,
    _turn: OwnedSemaphorePermit,
}

impl App {
    /// Makes a redaction of an item under an open grant of `person`. Said again under the same `op_id` it goes on where it
    /// was broken off.
    ///
    /// The link comes before the content. The rules look at the original, at the grant and at whoever has it when they admit
    /// the link, and once more at the original when they admit the content: what was destroyed or better protected while
    /// the vault was painting leaves an item without content.
    pub async fn redact(
        &self,
        person: PersonId,
        id: ItemId,
        access: Option<&str>,
        new: api::NewRedaction,
        op_id: Option<OpId>,
    ) -> Result<api::Redacted, AppError> {
        let boxes = boxes(&new.boxes)?;
        let access: Option<Digest> = parse_opt(access, "access")?;
        let (stored, grant, _) = self.redactable(person, id, access).await?;
        let painted = self.painted((person, id), grant, stored, boxes).await?;
        // Nothing is left behind of what may not be made any more.
        let (_, _, original) = self.redactable(person, id, access).await?;
        let item = self.register_redaction(person, &original, new, (&painted, op_id)).await?;
        self.link_redaction(item, (id, &original, stored), grant, &painted).await?;
        let (digest, size) = (painted.digest.to_hex(), painted.file.len() as u64);
        self.keep_redaction(person, item, painted).await?;
        let receipts = self.receipts_of_redaction(item).await?;
        Ok(api::Redacted { id: item.to_string(), digest, size, receipts })
    }

    /// What may be redacted now: its content, the open grant, and the item.
    async fn redactable(
        &self,
        person: PersonId,
        id: ItemId,
        access: Option<Digest>,
    ) -> Result<(Stored, Digest, Item), AppError> {
        let original = self.item_for(person, id, Right::RegisterItem).await?;
        self.item_for(person, id, Right::ReadContent).await?;
        let stored = redactable(&original)?;
        let (grant, _) = self.open_grant(person, id, &original, access).await?;
        Ok((stored, grant, original))
    }

    /// The original's bytes, read under the grant and painted over.
    async fn painted(
        &self,
        (person, id): (PersonId, ItemId),
        grant: Digest,
        stored: Stored,
        boxes: Vec<PixelBox>,
    ) -> Result<Painted, AppError> {
        let turn = self.redacting.turn().await?;
        let readable = self.readable(person, id, grant, stored).await?;
        // Capped when it was looked at.
        let mut file = Vec::with_capacity(usize::try_from(readable.size()).unwrap_or_default());
        let mut content = std::pin::pin!(self.read_content(&readable, 0..readable.size()).await?);
        while let Some(chunk) = content.next().await {
            file.extend_from_slice(&chunk?);
        }
        let work = tokio::task::spawn_blocking(move || {
            // The turn goes with the memory, whether anybody still waits for it or not.
            let file = Bytes::from(redact(file, &boxes)?);
            Ok(Painted { digest: Digest::of(&file), file, boxes, _turn: turn })
        });
        work.await
            .map_err(AppError::internal("redacting an image"))?
            .map_err(|error: RedactError| error.into())
    }

    async fn register_redaction(
        &self,
        person: PersonId,
        original: &Item,
        new: api::NewRedaction,
        (painted, op_id): (&Painted, Option<OpId>),
    ) -> Result<ItemId, AppError> {
        let item = ItemId::new(Self::new_id(person, op_id));
        let data = ItemRegistered {
            class: original.class,
            route: parse(ROUTE_VAULT, "route")?,
            sealing: None,
            sealed_by: None,
        };
        let mut fields = new.fields;
        let name = format!("exhibit-{}-redacted.png", original.exhibit);
        fields.entry("file-name".to_owned()).or_insert(name);
        let mut say =
            Say::of_item(Kind::ItemRegistered, original.case, item).data(data.to_data()).op_id(op_id);
        // The link that comes next names it.
        say.content = Some(claimed(&painted.digest.to_hex(), painted.file.len() as u64)?);
        self.say_on_behalf(person, say.fields(fields)?).await?;
        Ok(item)
    }

    /// The vault's word on what the item is, said before it has content; nothing else in its place counts as this.
    async fn link_redaction(
        &self,
        item: ItemId,
        (of, original, stored): (ItemId, &Item, Stored),
        grant: Digest,
        painted: &Painted,
    ) -> Result<(), AppError> {
        let data = ItemDerived {
            how: Derivation::Redaction,
            boxes: Some(painted.boxes.clone()),
            digest: painted.digest,
            grant: Some(grant),
            of,
            original: stored.content.digest,
        };
        if self.link_of(item).await?.is_none() {
            let say = Say::of_item(Kind::ItemDerived, original.case, item).data(data.to_data());
            match self.say_as_vault(say, With::default()).await {
                // Somebody was first: the same request, or somebody else.
                Ok(_) | Err(AppError::Refused(Refusal::Exists(_))) => {}
                Err(error) => return Err(error),
            }
        }
        is_it(self.link_of(item).await?, data)
    }

    async fn keep_redaction(&self, person: PersonId, item: ItemId, painted: Painted) -> Result<(), AppError> {
        let found = self.store.read().await?.items(&[item]).await?.pop();
        let (_, found) = found.ok_or(AppError::NotFound("item"))?;
        if found.stored.is_none() {
            let (digest, length) = (painted.digest, painted.file.len() as u64);
            let body = futures_util::stream::iter([Ok::<_, std::convert::Infallible>(painted.file.clone())]);
            self.receive(person, item, Some(digest), Some(length), body).await?;
        }
        // Only here the turn and the memory end.
        drop(painted);
        Ok(())
    }

    /// Who linked an item, and what they said.
    async fn link_of(&self, id: ItemId) -> Result<Option<(Actor, ItemDerived)>, AppError> {
        let rows = self.store.read().await?.records(Sequence::Item(id), 0, FIRST_RECORDS).await?;
        let Some(row) = rows.iter().find(|row| row.kind == Kind::ItemDerived) else { return Ok(None) };
        let said = super::read::statement(&row.envelope)?;
        match Act::parse(&said)? {
            Act::ItemDerived(_, _, data) => Ok(Some((said.actor, data))),
            _ => Ok(None),
        }
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

/// Whether what an item is said to be is the vault's word on what was asked for.
fn is_it(said: Option<(Actor, ItemDerived)>, asked: ItemDerived) -> Result<(), AppError> {
    match said {
        // Asked for again, it may be under another grant.
        Some((Actor::System, said)) if (ItemDerived { grant: said.grant, ..asked }) == said => Ok(()),
        // The same request with other boxes, or of another item, is another request.
        Some((Actor::System, _)) => Err(AppError::OpIdReused),
        _ => Err(AppError::LinkedOtherwise),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redaction_is_made_if_the_vault_said_so_and_of_what_was_asked_for() {
        let id = |n| ItemId::new(uuid::Uuid::from_u128(n));
        let asked = ItemDerived {
            how: Derivation::Redaction,
            boxes: Some(vec![PixelBox { h: 1, w: 2, x: 3, y: 4 }]),
            digest: Digest::of(b"painted"),
            grant: Some(Digest::ZERO),
            of: id(1),
            original: Digest::of(b"as it was"),
        };
        let said = |by, said: &ItemDerived| is_it(Some((by, said.clone())), asked.clone());
        assert!(said(Actor::System, &asked).is_ok());
        assert!(
            said(Actor::System, &ItemDerived { grant: Some(Digest::of(b"later")), ..asked.clone() }).is_ok()
        );
        let person = Actor::Person(PersonId::new(uuid::Uuid::from_u128(9)));
        assert!(matches!(said(person, &asked), Err(AppError::LinkedOtherwise)));
        assert!(matches!(is_it(None, asked.clone()), Err(AppError::LinkedOtherwise)));
        for other in [
            ItemDerived { how: Derivation::Clip, ..asked.clone() },
            ItemDerived { boxes: Some(vec![PixelBox { h: 1, w: 2, x: 3, y: 5 }]), ..asked.clone() },
            ItemDerived { of: id(2), ..asked.clone() },
            ItemDerived { digest: Digest::ZERO, ..asked.clone() },
            ItemDerived { original: Digest::ZERO, ..asked.clone() },
        ] {
            assert!(matches!(said(Actor::System, &other), Err(AppError::OpIdReused)), "{other:?}");
        }
    }
}
