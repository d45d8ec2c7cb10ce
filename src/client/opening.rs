//! Opening a restricted item on one's own device, together with somebody else.

use std::io::Write as _;

use custody::age::{self, Identity};
use custody::blob::{BlobReader, HEADER_LEN};
use custody::digest::{Digest, Hasher};
use custody::id::ItemId;
use custody::keys::{DataKey, Key32};
use custody::manifest;
use reqwest::Method;
use zeroize::Zeroizing;

use super::content::agree;
use super::http::Call;
use super::{Client, ClientError, new_op_id};
use crate::api;
use crate::engine::AwsLc;

impl Client {
    /// What opens secrets that are sealed to this person, on this device: it goes with the signing key.
    pub fn identity(&self) -> Option<Identity> {
        let key = self.key.as_ref()?;
        Some(Identity::derive(&Zeroizing::new(key.to_bytes())))
    }

    /// `GET /api/v1/items/{id}/halves`
    pub async fn halves(&self, item: ItemId, access: Digest) -> Result<api::Halves, ClientError> {
        self.http.fetch(Call::get(format!("/api/v1/items/{item}/halves?access={access}"))).await
    }

    /// Opens whichever outer file of this item is sealed to this identity and gives what is in it to the other; whether there
    /// was one. What is in it must be sealed as well, and be of this very item: a vault that gives out something else would have
    /// it opened for somebody who has no right to it.
    pub async fn contribute(
        &self,
        item: ItemId,
        access: Digest,
        halves: &api::Halves,
        identity: &Identity,
    ) -> Result<bool, ClientError> {
        let Some(inner) = halves.sealed.iter().find_map(|half| identity.open(&half.sealed.0).ok()) else {
            return Ok(false);
        };
        if age::item_of(&inner) != Some(item) {
            return Err(ClientError::Protocol("what is sealed to you is not half of this item's key"));
        }
        let body = api::NewContribution { sealed: api::Bytes64(inner.to_vec()) };
        let path = format!("/api/v1/items/{item}/contribution?access={access}");
        self.http.send(Call::write(Method::PUT, path, new_op_id()).json(&body)?).await?;
        Ok(true)
    }

    /// Fetches the ciphertext and opens it here with both halves, into `file`, on disk when this returns; nothing but what
    /// the digest on record fits.
    pub async fn open_sealed(
        &self,
        item: &api::Item,
        access: Digest,
        halves: &api::Halves,
        identity: &Identity,
        (mut file, progress): (std::fs::File, impl Fn(u64)),
    ) -> Result<(Digest, u64), ClientError> {
        let id: ItemId = item.id.parse().map_err(|_| ClientError::Protocol("an item's id is a UUID"))?;
        let facts = manifest::verify(&halves.manifest.0, self.trust().key())
            .map_err(|_| ClientError::Protocol("the manifest is not one of this vault"))?;
        let context = *facts.header.context();
        if context.item != id {
            return Err(ClientError::Protocol("the manifest is of another item"));
        }
        let key = data_key(id, halves, identity)?;
        let damaged = |_| ClientError::Protocol("the stored bytes do not open with this key");
        let mut reader =
            BlobReader::<AwsLc>::open(&facts.header, &context, &key, facts.content_size).map_err(damaged)?;
        let response =
            self.http.send(Call::get(format!("/api/v1/items/{id}/sealed-content?access={access}"))).await?;
        let mut sealed = Sealed { response, buffer: Vec::new() };
        sealed.take(self, HEADER_LEN as u64).await?;
        let (mut hasher, mut size) = (Hasher::new(), 0);
        for segment in 0..reader.layout().segments() {
            let extent = reader.layout().segment(segment).map_err(damaged)?;
            let mut stored = sealed.take(self, extent.size).await?;
            let opened = reader.segment(segment, &mut stored).map_err(damaged)?;
            hasher.update(opened);
            file.write_all(opened)
                .map_err(|_| ClientError::Input("what was opened cannot be written".into()))?;
            size += opened.len() as u64;
            progress(opened.len() as u64);
        }
        file.sync_all().map_err(|_| ClientError::Input("what was opened cannot be written".into()))?;
        let digest = hasher.finish();
        agree(digest, facts.sha256, "in the manifest")?;
        let recorded = item.stored.as_ref().and_then(|stored| stored.digest.parse().ok());
        agree(digest, recorded.ok_or(ClientError::Protocol("a digest is 64 hex digits"))?, "in the record")?;
        Ok((digest, size))
    }
}

/// The sum of the vault's half and the one that the other has opened for this identity.
fn data_key(item: ItemId, halves: &api::Halves, identity: &Identity) -> Result<DataKey, ClientError> {
    let half = halves.half.as_ref().ok_or(ClientError::Protocol("half of the key is missing"))?;
    Ok(DataKey::new(key(&half.0)?.xor(&persons_half(item, halves, identity)?)))
}

/// The persons' half of this item's key, which the other has opened for this identity. It says of which item it is: a vault
/// in other hands could give out one that somebody opened for this person before.
pub(super) fn persons_half(
    item: ItemId,
    halves: &api::Halves,
    identity: &Identity,
) -> Result<Key32, ClientError> {
    let contributed =
        halves.contributed.as_ref().ok_or(ClientError::Protocol("half of the key is missing"))?;
    if age::item_of(&contributed.0) != Some(item) {
        return Err(ClientError::Protocol("what the other has opened is not half of this item's key"));
    }
    let persons = identity.open(&contributed.0).map_err(|_| {
        ClientError::Key(
            "what the other has opened is not sealed to your key (for a recovery pair, name your paper)"
                .into(),
        )
    })?;
    key(&persons)
}

fn key(bytes: &[u8]) -> Result<Key32, ClientError> {
    let bytes = bytes.try_into().map_err(|_| ClientError::Protocol("half of a key has 32 bytes"))?;
    Ok(Key32::new(bytes))
}

/// Ciphertext, taken in pieces of the size that is needed.
struct Sealed {
    response: reqwest::Response,
    buffer: Vec<u8>,
}

impl Sealed {
    async fn take(&mut self, client: &Client, size: u64) -> Result<Vec<u8>, ClientError> {
        let size = usize::try_from(size).map_err(|_| ClientError::Protocol("a segment is short"))?;
        while self.buffer.len() < size {
            let chunk = self.response.chunk().await.map_err(|error| client.http.network(error))?;
            let chunk = chunk.ok_or(ClientError::Protocol("the stored bytes end early"))?;
            self.buffer.extend_from_slice(&chunk);
        }
        let rest = self.buffer.split_off(size);
        Ok(std::mem::replace(&mut self.buffer, rest))
    }
}
