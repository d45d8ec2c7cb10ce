//! What is made from other items: linked to its original by the digests of both.

use custody::act::{Derivation, ItemDerived};
use custody::digest::Digest;
use custody::id::{Code, ItemId};
use custody::kind::Kind;
use custody::statement::Statement;

use super::receipts::Of;
use super::{Ask, Client, ClientError, new_op_id, write};
use crate::api;

/// What something was made from, and how.
#[derive(Debug, Clone)]
pub struct Origin {
    /// The original.
    pub of: ItemId,
    /// SHA-256 of its content, as the vault shows it.
    pub digest: Digest,
    /// What is made of it.
    pub how: Derivation,
    /// Why; needed where what was made is less protected than the original.
    pub purpose: Option<Code>,
}

impl Origin {
    /// Of what an item holds.
    pub fn new(original: &api::Item, how: Derivation, purpose: Option<Code>) -> Result<Self, ClientError> {
        let of = original.id.parse().map_err(|_| ClientError::Protocol("an item's id is a UUID"))?;
        let content = original.stored.as_ref().or(original.claimed.as_ref());
        let content = content.ok_or(ClientError::Input("the original has no content".into()))?;
        let digest =
            content.digest.parse().map_err(|_| ClientError::Protocol("a digest is 64 hex digits"))?;
        Ok(Self { of, digest, how, purpose })
    }
}

impl Client {
    /// Says under the person's name what an item was made from, unless the vault shows that they have.
    pub async fn derive(&self, origin: &Origin, item: ItemId, digest: Digest) -> Result<(), ClientError> {
        let found = self.item(item).await?;
        if let Some(known) = &found.derived {
            let same = (known.of.as_str(), known.how.as_str()) == (&origin.of.to_string(), origin.how.name());
            let other = || ClientError::Input("the item is on record as made from something else".into());
            return if same { Ok(()) } else { Err(other()) };
        }
        let case = found.case.parse().map_err(|_| ClientError::Protocol("a case's id is a UUID"))?;
        let data = ItemDerived {
            how: origin.how,
            boxes: None,
            digest,
            grant: None,
            of: origin.of,
            original: origin.digest,
        };
        let ask = Ask::new(Kind::ItemDerived, new_op_id()).case(case).item(item).data(data.to_data());
        let ask = if let Some(purpose) = &origin.purpose { ask.purpose(purpose.clone()) } else { ask };
        self.say(&ask).await.map(drop)
    }

    /// `POST /api/v1/items/{id}/redactions`: made by the vault, under an open grant.
    pub async fn redact(
        &self,
        item: ItemId,
        access: Digest,
        new: &api::NewRedaction,
    ) -> Result<api::Redacted, ClientError> {
        let path = format!("/api/v1/items/{item}/redactions?access={access}");
        let made: api::Redacted = self.http.fetch(write(path, new_op_id()).json(new)?).await?;
        let id: ItemId = made.id.parse().map_err(|_| ClientError::Protocol("an item's id is a UUID"))?;
        let asked = |said: &Statement| {
            let kind = matches!(said.kind, Kind::ItemRegistered | Kind::ContentReceived | Kind::ItemDerived);
            kind && said.item == Some(id)
        };
        let kept = self.keep(&made.receipts, Of::Composed(&asked)).await?;
        let linked = |said: &Statement| {
            let data = custody::json::from_object::<ItemDerived>(&said.data).ok();
            data.is_some_and(|d| d.of == item && d.digest.to_hex() == made.digest)
        };
        if kept.iter().any(|kept| linked(&kept.checked.statement)) {
            Ok(made)
        } else {
            Err(ClientError::NoReceipt)
        }
    }
}
