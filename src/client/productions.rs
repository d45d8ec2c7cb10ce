//! Restricted content produced to courts.

use custody::age::{self, Identity, Recipient};
use custody::digest::Digest;
use custody::id::ItemId;
use reqwest::Method;

use super::http::Call;
use super::opening::persons_half;
use super::{Client, ClientError, new_op_id};
use crate::api;
use crate::engine::OsEntropy;

impl Client {
    /// `GET /api/v1/items/{id}/productions`
    pub async fn productions(&self, item: ItemId) -> Result<Vec<api::ProductionInfo>, ClientError> {
        let found: api::Productions =
            self.http.fetch(Call::get(format!("/api/v1/items/{item}/productions"))).await?;
        Ok(found.productions)
    }

    /// Opens the persons' half that the other of a pair has opened for this identity, seals it to the court and sends it: the
    /// digest of what was sealed, for the record. The court's recipient comes from the caller and never from the vault,
    /// which could name its own.
    pub async fn produce(
        &self,
        (item, proposal): (ItemId, Digest),
        (access, halves): (Digest, &api::Halves),
        identity: &Identity,
        recipient: &Recipient,
    ) -> Result<Digest, ClientError> {
        let half = persons_half(item, halves, identity)?;
        let sealed = age::seal(half.expose(), &[*recipient], &mut OsEntropy)
            .map_err(|_| ClientError::Input("the court's recipient cannot be sealed to".into()))?;
        let digest = Digest::of(&sealed);
        let path = format!("/api/v1/items/{item}/productions/{proposal}/half?access={access}");
        let body = api::NewProducedHalf { sealed: api::Bytes64(sealed), halves: halves.halves.clone() };
        let kept: api::Produced =
            self.http.fetch(Call::write(Method::POST, path, new_op_id()).json(&body)?).await?;
        if kept.sealed == digest.to_hex() {
            Ok(digest)
        } else {
            Err(ClientError::Protocol("the vault kept something else than was sent"))
        }
    }
}
