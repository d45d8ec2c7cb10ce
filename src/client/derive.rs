//! What is made from other items: linked to its original by the digests of both.

use custody::act::{Derivation, ItemDerived, PixelBox};
use custody::digest::Digest;
use custody::id::{Code, ItemId};
use custody::kind::Kind;
use custody::statement::{Actor, Statement};

use super::receipts::Of;
use super::{Ask, Client, ClientError, Kept, new_op_id, write};
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
        let boxes: Vec<_> = new.boxes.iter().map(|b| PixelBox { h: b.h, w: b.w, x: b.x, y: b.y }).collect();
        let says = |kept: &Kept| says(&kept.checked.statement, (id, item), &boxes, &made.digest);
        if kept.iter().any(says) {
            Ok(made)
        } else {
            Err(ClientError::Protocol(
                "the vault's own link of a redaction names the original and the boxes asked for",
            ))
        }
    }
}

/// Whether a statement is the vault's word that it made this of that, and not somebody's on something else.
fn says(said: &Statement, (made, of): (ItemId, ItemId), boxes: &[PixelBox], digest: &str) -> bool {
    let data = custody::json::from_object::<ItemDerived>(&said.data).ok();
    let fits = |d: ItemDerived| {
        (d.of, d.how, d.boxes.as_deref()) == (of, Derivation::Redaction, Some(boxes))
            && d.digest.to_hex() == digest
    };
    (said.actor, said.kind, said.item) == (Actor::System, Kind::ItemDerived, Some(made))
        && data.is_some_and(fits)
}

#[cfg(test)]
mod tests {
    use custody::id::{KeyHash, OpId, PersonId};
    use custody::statement::{Assurance, Version};

    use super::*;

    #[test]
    fn only_the_vaults_word_on_what_was_asked_for_counts() {
        let id = |n| ItemId::new(uuid::Uuid::from_u128(n));
        let boxes = [PixelBox { h: 1, w: 2, x: 3, y: 4 }];
        let data = ItemDerived {
            how: Derivation::Redaction,
            boxes: Some(boxes.to_vec()),
            digest: Digest::of(b"painted"),
            grant: Some(Digest::ZERO),
            of: id(1),
            original: Digest::ZERO,
        };
        let said = Statement {
            actor: Actor::System,
            actor_key: KeyHash::new([0; 32]),
            actor_time: custody::time::Timestamp::from_millis(0).unwrap(),
            assurance: Assurance::System,
            case: None,
            content: None,
            data: data.to_data(),
            fields: std::collections::BTreeMap::new(),
            item: Some(id(2)),
            items: None,
            kind: Kind::ItemDerived,
            op_id: OpId::new([0; 16]),
            person: None,
            purpose: None,
            seen: None,
            v: Version,
            vault: None,
        };
        let counts = |said: &Statement| says(said, (id(2), id(1)), &boxes, &Digest::of(b"painted").to_hex());
        assert!(counts(&said));
        let person = Actor::Person(PersonId::new(uuid::Uuid::from_u128(9)));
        assert!(!counts(&Statement { actor: person, ..said.clone() }));
        assert!(!counts(&Statement { item: Some(id(3)), ..said.clone() }));
        for other in [
            ItemDerived { how: Derivation::WorkingCopy, ..data.clone() },
            ItemDerived { boxes: None, ..data.clone() },
            ItemDerived { of: id(3), ..data.clone() },
            ItemDerived { digest: Digest::ZERO, ..data },
        ] {
            assert!(!counts(&Statement { data: other.to_data(), ..said.clone() }), "{other:?}");
        }
    }
}
