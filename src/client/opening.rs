//! Opening a restricted item on one's own device, together with somebody else.

use std::io::Write;

use custody::act::{FixityChecked, ObjectId, STAGE_OPENING};
use custody::age::{self, Identity};
use custody::blob::{BlobReader, HEADER_LEN};
use custody::digest::{Digest, Hasher};
use custody::halves::{self, Pair, SealedHalf};
use custody::id::ItemId;
use custody::keys::{DataKey, Key32};
use custody::kind::Kind;
use custody::manifest;
use reqwest::Method;
use zeroize::Zeroizing;

use super::content::agree;
use super::http::Call;
use super::{Ask, Client, ClientError, new_op_id};
use crate::api;
use crate::engine::AwsLc;

/// Under which grant a restricted item is opened, and through which halves.
#[derive(Debug, Clone, Copy)]
pub struct Through<'a> {
    /// The grant.
    pub access: Digest,
    /// The record of `item.resealed`, where it goes through halves that wait to be confirmed.
    pub reseal: Option<&'a str>,
    /// Whether the vault's half is not asked for.
    pub without_half: bool,
}

impl<'a> Through<'a> {
    /// Through the halves that count, or those that wait.
    pub const fn halves(access: Digest, reseal: Option<&'a str>) -> Self {
        Self { access, reseal, without_half: false }
    }

    fn query(&self) -> Result<String, ClientError> {
        let wrong = |_| ClientError::Protocol("a record's hash is 64 hex digits");
        let reseal = self.reseal.map(str::parse::<Digest>).transpose().map_err(wrong)?;
        let reseal = reseal.map(|record| format!("&reseal={record}")).unwrap_or_default();
        Ok(format!("access={}{reseal}", self.access))
    }
}

impl Client {
    /// What opens secrets that are sealed to this person, on this device: it goes with the signing key.
    pub fn identity(&self) -> Option<Identity> {
        let key = self.key.as_ref()?;
        Some(Identity::derive(&Zeroizing::new(key.to_bytes())))
    }

    /// `GET /api/v1/items/{id}/halves`
    pub async fn halves(&self, item: ItemId, through: Through<'_>) -> Result<api::Halves, ClientError> {
        let half = if through.without_half { "&half=false" } else { "" };
        self.http.fetch(Call::get(format!("/api/v1/items/{item}/halves?{}{half}", through.query()?))).await
    }

    /// Opens whichever outer file of this item is sealed to this identity and gives what is in it to the other; whether there
    /// was one. What is in it must be sealed as well, and be of this very item: a vault that gives out something else would have
    /// it opened for somebody who has no right to it.
    pub async fn contribute(
        &self,
        item: ItemId,
        through: Through<'_>,
        halves: &api::Halves,
        identity: &Identity,
    ) -> Result<bool, ClientError> {
        let Some(inner) = halves.sealed.iter().find_map(|half| identity.open(&half.sealed.0).ok()) else {
            return Ok(false);
        };
        if age::item_of(&inner) != Some(item) {
            return Err(ClientError::Protocol("what is sealed to you is not half of this item's key"));
        }
        let (sealed, halves) = (api::Bytes64(inner.to_vec()), halves.halves.clone());
        let body = api::NewContribution { sealed, halves };
        let path = format!("/api/v1/items/{item}/contribution?{}", through.query()?);
        self.http.send(Call::write(Method::PUT, path, new_op_id()).json(&body)?).await?;
        Ok(true)
    }

    /// Fetches the ciphertext and opens it here with both halves. What is found is compared with the record; the caller decides
    /// what to do where it differs.
    pub async fn open_sealed(
        &self,
        item: &api::Item,
        access: Digest,
        halves: &api::Halves,
        identity: &Identity,
        (to, progress): (&mut (dyn Write + Send), impl Fn(u64)),
    ) -> Result<Found, ClientError> {
        let id: ItemId = item.id.parse().map_err(|_| ClientError::Protocol("an item's id is a UUID"))?;
        let facts = manifest::verify(&halves.manifest.0, self.trust().key())
            .map_err(|_| ClientError::Protocol("the manifest is not one of this vault"))?;
        let context = *facts.header.context();
        if context.item != id {
            return Err(ClientError::Protocol("the manifest is of another item"));
        }
        let recorded = item.stored.as_ref().and_then(|stored| stored.digest.parse().ok());
        let recorded = recorded.ok_or(ClientError::Protocol("a digest is 64 hex digits"))?;
        let key = data_key(id, halves, identity)?;
        let none = Found { digest: Digest::of(b""), size: 0, object: context.object, verdict: Ok(()) };
        let opened = BlobReader::<AwsLc>::open(&facts.header, &context, &key, facts.content_size);
        let Ok(mut reader) = opened else { return Ok(Found { verdict: Err(damaged()), ..none }) };
        let response =
            self.http.send(Call::get(format!("/api/v1/items/{id}/sealed-content?access={access}"))).await?;
        let mut sealed = Sealed { response, buffer: Vec::new() };
        sealed.take(self, HEADER_LEN as u64).await?;
        let (mut hasher, mut size, mut whole) = (Hasher::new(), 0, true);
        for segment in 0..reader.layout().segments() {
            let extent = reader.layout().segment(segment).map_err(|_| damaged())?;
            let mut stored = sealed.take(self, extent.size).await?;
            let Ok(opened) = reader.segment(segment, &mut stored) else {
                whole = false;
                break;
            };
            hasher.update(opened);
            to.write_all(opened)
                .map_err(|_| ClientError::Input("what was opened cannot be written".into()))?;
            size += opened.len() as u64;
            progress(opened.len() as u64);
        }
        let digest = hasher.finish();
        let same = || {
            agree(digest, facts.sha256, "in the manifest")?;
            agree(digest, recorded, "in the record")
        };
        let verdict = if whole { same() } else { Err(damaged()) };
        Ok(Found { digest, size, verdict, ..none })
    }

    /// Says under one's own key whether what was opened is what its record says. Of content that its sender sealed nobody else can.
    pub async fn say_opened(
        &self,
        item: &api::Item,
        access: Digest,
        found: &Found,
    ) -> Result<(), ClientError> {
        let wrong = |_| ClientError::Protocol("ids of cases and items are UUIDs");
        let kind = if found.verdict.is_ok() { Kind::FixityPassed } else { Kind::FixityFailed };
        let stage = STAGE_OPENING.parse().map_err(|_| ClientError::Protocol("a stage is a code"))?;
        let data = FixityChecked { grant: Some(access), object: found.object, stage };
        let ask = Ask::new(kind, new_op_id())
            .case(item.case.parse().map_err(wrong)?)
            .item(item.id.parse().map_err(wrong)?)
            .content(found.digest, found.size)
            .data(data.to_data());
        self.say(&ask).await.map(drop)
    }
}

/// What was found in a restricted item.
#[derive(Debug)]
pub struct Found {
    /// SHA-256 of what opened: of all of it, or of as much as opened before something did not.
    pub digest: Digest,
    /// Bytes of that.
    pub size: u64,
    /// The stored object.
    pub object: ObjectId,
    /// Whether it is what the manifest and the record say.
    pub verdict: Result<(), ClientError>,
}

/// Whether everybody else to whom content was sealed by its sender has the half that was opened here: all files are made again and
/// compared.
pub fn all_hold_it(item: ItemId, halves: &api::Halves, identity: &Identity) -> Result<bool, ClientError> {
    let persons = persons_half(item, halves, identity)?;
    let all = halves.sealed.iter().chain(&halves.others).cloned();
    let all: Result<Vec<SealedHalf>, _> = all.map(TryInto::try_into).collect();
    let all = all.map_err(|_| ClientError::Protocol("a sealed half names its parties and recipients"))?;
    let again = |half: &SealedHalf| {
        let pair =
            Pair { parties: [half.first, half.second], recipients: [half.outer.clone(), half.inner.clone()] };
        halves::seal(&persons, item, &[pair]).is_ok_and(|made| made.contains(half))
    };
    Ok(all.iter().all(again))
}

fn damaged() -> ClientError {
    ClientError::Protocol("the stored bytes do not open with this key")
}

/// The persons' half, as the other has opened it for this identity. It must be of this very item: else a vault would have half of
/// another item's key sealed to somebody who means this one.
pub(super) fn persons_half(
    item: ItemId,
    halves: &api::Halves,
    identity: &Identity,
) -> Result<Key32, ClientError> {
    let missing = ClientError::Protocol("half of the key is missing");
    let contributed = halves.contributed.as_ref().ok_or(missing)?;
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

/// The sum of both halves.
fn data_key(item: ItemId, halves: &api::Halves, identity: &Identity) -> Result<DataKey, ClientError> {
    let vaults = halves.half.as_ref().ok_or(ClientError::Protocol("half of the key is missing"))?;
    Ok(DataKey::new(key(&vaults.0)?.xor(&persons_half(item, halves, identity)?)))
}

fn key(bytes: &[u8]) -> Result<Key32, ClientError> {
    let bytes: [u8; 32] =
        bytes.try_into().map_err(|_| ClientError::Protocol("half of a key has 32 bytes"))?;
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
