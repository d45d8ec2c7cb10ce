//! Opening a restricted item on one's own device, together with somebody else.

use std::collections::BTreeSet;
use std::io::Write;

use custody::act::{Act, DID_NOT_OPEN, FixityChecked, ObjectId, STAGE_OPENING, Sealing};
use custody::age::{self, Identity};
use custody::blob::{BlobReader, HEADER_LEN};
use custody::digest::{Digest, Hasher};
use custody::halves::{self, Pair, Party, SealedHalf};
use custody::id::{ItemId, PersonId};
use custody::keys::{DataKey, Key32};
use custody::kind::Kind;
use custody::manifest;
use custody::statement::Statement;
use reqwest::Method;
use zeroize::Zeroizing;

use super::content::agree;
use super::http::Call;
use super::receipts::Of;
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

/// What came of opening the outer file for the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contributed {
    /// The other can go on.
    Given,
    /// None is sealed to this identity.
    NotMeant,
    /// One says that it is, and does not open, or holds nothing of use.
    Garbage,
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

    /// Opens whichever outer file of this item is sealed to this identity and gives what is in it to the other. What is in it must
    /// be sealed as well, and be of this very item: a vault that gives out something else would have it opened for somebody who has
    /// no right to it.
    pub async fn contribute(
        &self,
        item: ItemId,
        through: Through<'_>,
        halves: &api::Halves,
        identity: &Identity,
    ) -> Result<Contributed, ClientError> {
        let Some(inner) = halves.sealed.iter().find_map(|half| identity.open(&half.sealed.0).ok()) else {
            let own = identity.recipient().to_string();
            let meant = halves.sealed.iter().any(|half| half.outer.contains(&own));
            return Ok(if meant { Contributed::Garbage } else { Contributed::NotMeant });
        };
        match age::item_of(&inner) {
            Some(of) if of == item => {}
            Some(_) => {
                return Err(ClientError::Protocol("what is sealed to you is not half of this item's key"));
            }
            None => return Ok(Contributed::Garbage),
        }
        let (sealed, halves) = (api::Bytes64(inner.to_vec()), halves.halves.clone());
        let body = api::NewContribution { sealed, halves };
        let path = format!("/api/v1/items/{item}/contribution?{}", through.query()?);
        self.http.send(Call::write(Method::PUT, path, new_op_id()).json(&body)?).await?;
        Ok(Contributed::Given)
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
        let none = Found::nothing(context.object, facts.by_sender);
        let opened = BlobReader::<AwsLc>::open(&facts.header, &context, &key, facts.content_size);
        let Ok(mut reader) = opened else { return Ok(none) };
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
        let (verdict, reason) = if whole { (same(), None) } else { (Err(damaged()), none.reason) };
        Ok(Found { digest, size, verdict, reason, ..none })
    }

    /// Says under one's own key whether what was opened is what its record says. Of content that its sender sealed nobody else can.
    pub async fn say_opened(
        &self,
        item: &api::Item,
        (access, with): (Digest, PersonId),
        halves: &api::Halves,
        found: &Found,
    ) -> Result<(), ClientError> {
        let wrong = |_| ClientError::Protocol("ids of cases and items are UUIDs");
        let code = |text: &str| text.parse().map_err(|_| ClientError::Protocol("this is a code"));
        let passed = found.verdict.is_ok() && found.reason.is_none();
        let kind = if passed { Kind::FixityPassed } else { Kind::FixityFailed };
        let with_grant = halves.with_access.as_ref().and_then(|access| access.parse().ok());
        let data = FixityChecked {
            grant: Some(access),
            object: found.object,
            reason: found.reason.map(code).transpose()?,
            stage: code(STAGE_OPENING)?,
            with: with_grant.map(|_: Digest| with),
            with_grant,
        };
        let ask = Ask::new(kind, new_op_id())
            .case(item.case.parse().map_err(wrong)?)
            .item(item.id.parse().map_err(wrong)?)
            .content(found.digest, found.size)
            .data(data.to_data());
        self.say(&ask).await.map(drop)
    }

    /// Whether everybody else to whom content was sealed by its sender has the half that was opened here: there is a file for each
    /// order of each pair, all are made again and compared, and they are the ones that came with the content.
    pub async fn all_hold_it(
        &self,
        item: &api::Item,
        halves: &api::Halves,
        identity: &Identity,
    ) -> Result<bool, ClientError> {
        let id: ItemId = item.id.parse().map_err(|_| ClientError::Protocol("an item's id is a UUID"))?;
        let persons = persons_half(id, halves, identity)?;
        let all = halves.sealed.iter().chain(&halves.others).cloned();
        let all: Result<Vec<SealedHalf>, _> = all.map(TryInto::try_into).collect();
        let all = all.map_err(|_| ClientError::Protocol("a sealed half names its parties and recipients"))?;
        let sealing = item.sealing.as_ref().ok_or(ClientError::Protocol("the item is not restricted"))?;
        Ok(holds(&persons, id, &super::resealing::sealing(sealing)?, &all)
            && self.came_with(id, halves::digest(&all)).await?)
    }

    /// Whether these halves came with the content, or were sealed anew since, which somebody has confirmed who made them all again.
    async fn came_with(&self, item: ItemId, all: Digest) -> Result<bool, ClientError> {
        let found = self.intake_receipts(item).await?;
        let about = |said: &Statement| said.item == Some(item);
        let kept = self.keep(&found.receipts, Of::Composed(&about)).await?;
        let with = kept.iter().find_map(|kept| match Act::parse(&kept.checked.statement) {
            Ok(Act::ContentReceived(_, _, d, _)) => d.halves,
            _ => None,
        });
        if with == Some(all) {
            return Ok(true);
        }
        let mut cursor = None;
        loop {
            let page = self.item_custody(item, cursor.as_deref()).await?;
            if page.records.iter().any(|record| record.kind == Kind::ResealConfirmed.to_string()) {
                return Ok(true);
            }
            cursor = page.next;
            if cursor.is_none() {
                return Ok(false);
            }
        }
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
    /// Whether its sender sealed it, as the vault has signed.
    pub by_sender: bool,
    /// Whether it is what the manifest and the record say.
    pub verdict: Result<(), ClientError>,
    /// Why nothing, or not all, could be compared.
    pub reason: Option<&'static str>,
}

impl Found {
    /// Nothing: it did not open.
    pub fn nothing(object: ObjectId, by_sender: bool) -> Self {
        let (digest, verdict, reason) = (Digest::of(b""), Err(damaged()), Some(DID_NOT_OPEN));
        Self { digest, size: 0, object, by_sender, verdict, reason }
    }
}

/// Whether these are all files that the pairs take, and each holds this half.
fn holds(persons: &Key32, item: ItemId, sealing: &Sealing, all: &[SealedHalf]) -> bool {
    let persons_of = sealing.pairs.iter().map(|pair| pair.map(Party::Person));
    let pairs = persons_of.chain(sealing.recovery.map(|_| [Party::Paper(1), Party::Paper(2)]));
    let wanted: BTreeSet<_> = pairs.flat_map(|[one, other]| [(one, other), (other, one)]).collect();
    let found: BTreeSet<_> = all.iter().map(|half| (half.first, half.second)).collect();
    let again = |half: &SealedHalf| {
        let pair =
            Pair { parties: [half.first, half.second], recipients: [half.outer.clone(), half.inner.clone()] };
        halves::seal(persons, item, &[pair]).is_ok_and(|made| made.contains(half))
    };
    found == wanted && all.len() == wanted.len() && all.iter().all(again)
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

#[cfg(test)]
mod tests {
    use custody::id::PersonId;

    use super::*;

    #[test]
    fn a_half_that_somebody_was_not_given_is_noticed() {
        let person = |n: u8| PersonId::new(uuid::Uuid::from_bytes([n; 16]));
        let item = ItemId::new(uuid::Uuid::from_bytes([9; 16]));
        let recipient = |n: u8| vec![Identity::derive(&[n; 32]).recipient()];
        let pair = |a: u8, b: u8| Pair {
            parties: [Party::Person(person(a)), Party::Person(person(b))],
            recipients: [recipient(a), recipient(b)],
        };
        let sealing = Sealing { pairs: vec![[person(1), person(2)], [person(3), person(4)]], recovery: None };
        let half = Key32::new([7; 32]);
        let all = halves::seal(&half, item, &[pair(1, 2), pair(3, 4)]).unwrap();
        let held = |all: &[SealedHalf]| holds(&half, item, &sealing, all);
        assert!(held(&all));
        let reversed: Vec<_> = all.iter().rev().cloned().collect();
        assert!(held(&reversed));
        // One less, one twice, one of somebody else, one that holds something else, one that is garbage.
        assert!(!held(&all[1..]) && !held(&[]));
        assert!(!held(&[&all[..], &all[..1]].concat()));
        let others = halves::seal(&half, item, &[pair(1, 2), pair(3, 5)]).unwrap();
        assert!(!held(&others));
        let another = halves::seal(&Key32::new([8; 32]), item, &[pair(3, 4)]).unwrap();
        assert!(!held(&[&all[..2], &another[..]].concat()));
        let mut garbage = all.clone();
        garbage[3].sealed[20] ^= 1;
        assert!(!held(&garbage));
    }
}
