//! Content: in while it is hashed and sealed, out while it is opened, never without a record.

use std::collections::HashMap;
use std::ops::Range;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use custody::act::{AccessCompleted, AccessOutcome, ContentReceived, FixityChecked, ObjectId};
use custody::blob::{BlobFacts, SegmentsPerPart};
use custody::digest::Digest;
use custody::id::{ItemId, PersonId};
use custody::keys::{DataKey, KeyContext};
use custody::kind::Kind;
use custody::manifest;
use custody::rules::{Grant, Item, Refusal, Right, Stored, takes_bytes};
use futures_util::{Stream, StreamExt as _};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};

use super::compose::{Say, computed, content_of};
use super::cut_off::Watch;
use super::refuse::Place;
use super::say::With;
use super::sealing::Halved;
use super::sent::Counter;
use super::{App, AppError, parse, parse_opt, wire};
use crate::api;
use crate::blobs::{BlobSource, BlobsError, NewBlob, SealedUpload};
use crate::engine::OsEntropy;
use crate::sequencer::Attachments;
use crate::store::{Change, HalvesChange, ObjectRow, ObjectState};

/// The stage of a fixity check in which what was sent was not what was announced; nothing was stored.
pub(super) const AT_INTAKE: &str = "intake";
/// How long a sender may be silent before its upload is given up.
const MAX_SILENCE: Duration = Duration::from_secs(30);
/// The time in which a sender's pace is measured.
const PACE_OVER: Duration = Duration::from_secs(30);
/// Fewest bytes in that time, after the first: far below any line that could send evidence.
const MIN_BYTES: u64 = 16 << 10;
/// How long an upload waits while others of the same person are at work.
const PATIENCE: Duration = Duration::from_secs(20);

/// Content that a grant opens, before any byte is read.
#[derive(Debug)]
pub struct Readable {
    item: ItemId,
    stored: Stored,
    sent: Arc<Counter>,
    watch: Watch,
}

impl Readable {
    /// Digest of the whole content.
    pub const fn digest(&self) -> Digest {
        self.stored.content.digest
    }

    /// Bytes of the whole content.
    pub const fn size(&self) -> u64 {
        self.stored.content.size
    }

    /// Counts what is sent, and ends it with the grant or with what its reader is signed in by.
    pub(super) fn counted<S>(&self, stream: S) -> impl Stream<Item = Result<Bytes, AppError>> + Send + use<S>
    where
        S: Stream<Item = Result<Bytes, BlobsError>> + Send,
    {
        let (sent, watch) = (Arc::clone(&self.sent), self.watch.clone());
        stream.map(move |chunk| {
            let chunk = chunk.map_err(AppError::internal("reading content"))?;
            watch.goes_on()?;
            if sent.add(chunk.len() as u64) { Ok(chunk) } else { Err(AppError::NoGrant) }
        })
    }
}

impl App {
    /// Takes an item's content. `announced` is the digest of the request itself, beside the one registered.
    /// Nothing is stored unless all bytes arrived and every announced digest is met.
    pub async fn receive<E>(
        &self,
        person: PersonId,
        id: ItemId,
        announced: Option<Digest>,
        length: Option<u64>,
        body: impl Stream<Item = Result<Bytes, E>>,
    ) -> Result<api::Stored, AppError> {
        let item = self.item_for(person, id, Right::RegisterItem).await?;
        check_receivable(&item, length)?;
        let _turn = self.turns.take(person, self.blobs.places()).await?;
        let key = DataKey::make(&mut OsEntropy);
        let expected = item.claimed.map(|claimed| claimed.size).or(length);
        let sealed = self.seal_body(id, expected, &key, length, body).await?;
        let facts = sealed.facts();
        let claimed = item.claimed.map(|claimed| claimed.digest);
        if [claimed, announced].into_iter().flatten().any(|digest| digest != facts.sha256) {
            let (digest, size) = (facts.sha256, facts.content_size);
            let object = facts.header.context().object;
            sealed.abort().await.map_err(storing)?;
            self.note_fixity(&item, id, object, (digest, size), AT_INTAKE, false).await?;
            return Err(AppError::DigestMismatch);
        }
        let context = *facts.header.context();
        let kept = if let Some(sealing) = &item.sealing {
            self.halve(item.case, context, &key, sealing).await
        } else {
            let whole = self.keyring.wrap(&KeyContext::Data(context), key.as_key(), &mut OsEntropy);
            Ok(Halved { wrapped: whole.to_bytes(), halves: Vec::new(), digest: None })
        };
        // From here on nobody has the key of a restricted item.
        drop(key);
        self.keep_sealed(person, &item, sealed, kept).await
    }

    /// Makes visible what was stored, and says that it was received.
    pub(super) async fn keep_sealed(
        &self,
        person: PersonId,
        item: &Item,
        sealed: SealedUpload,
        kept: Result<Halved, AppError>,
    ) -> Result<api::Stored, AppError> {
        let id = sealed.facts().header.context().item;
        // Hours may have passed since the first byte.
        let kept = match self.may_still_send(person, id).await.and(kept) {
            Ok(kept) => kept,
            Err(error) => {
                sealed.abort().await.map_err(storing)?;
                return Err(error);
            }
        };
        // Durable before the record that names it.
        let facts = sealed.commit().await.map_err(storing)?;
        let object = facts.header.context().object;
        let receipts = self.note_received(item, id, &facts, kept).await;
        if receipts.is_err() {
            // Nobody will ever name it: this attempt made it, and its id is of this attempt alone. What a crash leaves
            // here is counted at start.
            self.bury(object).await?;
        }
        let receipts = receipts?;
        Ok(api::Stored { digest: facts.sha256.to_hex(), size: facts.content_size, receipts: wire(&receipts) })
    }

    async fn may_still_send(&self, person: PersonId, id: ItemId) -> Result<(), AppError> {
        self.not_suspended(person).await?;
        self.item_for(person, id, Right::RegisterItem).await.map(drop)
    }

    async fn seal_body<E>(
        &self,
        item: ItemId,
        expected: Option<u64>,
        key: &DataKey,
        length: Option<u64>,
        body: impl Stream<Item = Result<Bytes, E>>,
    ) -> Result<SealedUpload, AppError> {
        let new = NewBlob {
            vault: self.vault_id(),
            item,
            version: 1,
            segments_per_part: SegmentsPerPart::for_content(expected),
            max_bytes: expected,
        };
        let mut upload = self.blobs.begin(new, key).await.map_err(storing)?;
        let body = std::pin::pin!(body);
        let mut body = Arriving::new(body);
        let mut received: u64 = 0;
        while let Some(chunk) = body.next().await? {
            received += chunk.len() as u64;
            upload.push(&chunk).await.map_err(storing)?;
        }
        if length.is_some_and(|length| length != received) {
            return Err(AppError::Truncated);
        }
        upload.seal().await.map_err(storing)
    }

    async fn note_received(
        &self,
        item: &Item,
        id: ItemId,
        facts: &BlobFacts,
        Halved { wrapped, halves, digest }: Halved,
    ) -> Result<Vec<custody::receipt::Receipt>, AppError> {
        let manifest = manifest::sign(facts, self.vault_key());
        let object = facts.header.context().object;
        let row = ObjectRow {
            object,
            item: id,
            wrapped,
            kek: self.keyring.current_kek().0,
            size: facts.object_size,
            state: ObjectState::Present,
            halved: item.sealing.is_some(),
            manifest: manifest.clone(),
        };
        let data = ContentReceived {
            halves: digest.filter(|_| facts.by_sender),
            manifest: Digest::of(&manifest),
            object,
            version: 1,
        };
        let mut say = Say::of_item(Kind::ContentReceived, item.case, id).data(data.to_data());
        say.content = Some(content_of(facts));
        let attach = Attachments { object: Some(row), changes: halves, ..Attachments::default() };
        self.say_as_vault(say, With { attach }).await
    }

    async fn note_fixity(
        &self,
        item: &Item,
        id: ItemId,
        object: ObjectId,
        found: (Digest, u64),
        stage: &str,
        passed: bool,
    ) -> Result<(), AppError> {
        let kind = if passed { Kind::FixityPassed } else { Kind::FixityFailed };
        let data = FixityChecked::by_vault(object, parse(stage, "stage")?);
        let mut say = Say::of_item(kind, item.case, id).data(data.to_data());
        say.content = Some(computed(found.0, found.1));
        self.say_as_vault(say, With::default()).await.map(drop)
    }

    pub(super) async fn bury(&self, object: ObjectId) -> Result<(), AppError> {
        if self.store.bury(object, self.clock.now()).await? {
            self.blobs.delete(object).await.map_err(storing)?;
        }
        Ok(())
    }

    /// Content under a grant that was committed before.
    pub async fn content(
        &self,
        person: PersonId,
        id: ItemId,
        access: Option<&str>,
    ) -> Result<Readable, AppError> {
        let access: Option<Digest> = parse_opt(access, "access")?;
        let item = self.item_to_read(person, id, access).await?;
        let (access, _) = self.open_grant(person, id, &item, access).await?;
        if item.sealing.is_some() {
            return Err(Refusal::SealedToPersons.into());
        }
        if item.disposed {
            return Err(Refusal::Disposed.into());
        }
        self.readable(person, id, access, item.stored.ok_or(Refusal::NoContent)?).await
    }

    /// The grant that a request for content carries, if it is open and the person's own.
    pub(super) async fn open_grant(
        &self,
        person: PersonId,
        id: ItemId,
        item: &Item,
        access: Option<Digest>,
    ) -> Result<(Digest, Grant), AppError> {
        let named: Vec<_> = access.into_iter().collect();
        let grant = self.store.read().await?.grants(&named).await?.pop();
        if let Some(open) = grant.filter(|(_, grant)| self.is_open(grant, person, id)) {
            return Ok(open);
        }
        let place = Place { case: Some(item.case), item: Some(id) };
        self.refused(person, place, "read", Refusal::NotPermitted(Right::ReadContent)).await?;
        Err(AppError::NoGrant)
    }

    /// Begins to count what is sent under an open grant.
    pub(super) async fn readable(
        &self,
        person: PersonId,
        id: ItemId,
        access: Digest,
        stored: Stored,
    ) -> Result<Readable, AppError> {
        let watch = self.watch(person).await?;
        let sent = self.sent.counter(access);
        // Once more: a completion in between has closed this counter, or was recorded before it was made.
        let grant = self.store.read().await?.grants(&[access]).await?.pop();
        if !grant.as_ref().is_some_and(|(_, grant)| self.is_open(grant, person, id)) {
            // What ran out meanwhile may still be sent to others, and is counted until the sweeper ends it.
            if grant.is_none_or(|(_, grant)| grant.completed) {
                self.sent.forget(&access);
            }
            return Err(AppError::NoGrant);
        }
        Ok(Readable { item: id, stored, sent, watch })
    }

    /// Bytes of that content, counted towards the completion record. The end of the grant ends them: what was counted
    /// then is all that was sent.
    pub async fn read_content(
        &self,
        readable: &Readable,
        range: Range<u64>,
    ) -> Result<impl Stream<Item = Result<Bytes, AppError>> + Send + use<>, AppError> {
        Ok(readable.counted(self.open_object(readable.item, &readable.stored, range).await?))
    }

    pub(super) fn is_open(&self, grant: &Grant, person: PersonId, item: ItemId) -> bool {
        grant.person == person && grant.item == item && !grant.completed && grant.expires > self.clock.now()
    }

    /// Opens a stored object; the caller has made sure that a record allows it.
    pub(super) async fn open_object(
        &self,
        item: ItemId,
        stored: &Stored,
        range: Range<u64>,
    ) -> Result<impl Stream<Item = Result<Bytes, BlobsError>> + Send + use<>, AppError> {
        let (context, row) = self.stored_object(item, stored).await?;
        if row.state == ObjectState::Shredded {
            return Err(Refusal::Disposed.into());
        }
        let facts = self.manifest(&row, stored.manifest)?;
        let key = self.unwrapped(&KeyContext::Data(context), &row.wrapped)?;
        let source = BlobSource { context, header: facts.header, content_size: stored.content.size };
        self.blobs.read(&source, &DataKey::new(key), range).map_err(AppError::internal("opening an object"))
    }

    /// The manifest of a stored object, checked against the digest in its record.
    pub(super) fn manifest(&self, row: &ObjectRow, recorded: Digest) -> Result<BlobFacts, AppError> {
        if Digest::of(&row.manifest) != recorded {
            return Err(AppError::internal("reading an object's manifest")("it differs from its record"));
        }
        manifest::verify(&row.manifest, &self.vault_key().verifying_key())
            .map_err(AppError::internal("reading an object's manifest"))
    }

    /// Ends a reading: by the reader, or by the vault once the grant has run out.
    pub async fn complete_access(
        &self,
        person: PersonId,
        id: ItemId,
        access: &str,
    ) -> Result<api::Recorded, AppError> {
        let grant = parse(access, "access")?;
        let item = self.item_to_read(person, id, Some(grant)).await?;
        // Whose reading somebody else may not end, stays open: the rules refuse.
        let found = self.store.read().await?.grants(&[grant]).await?.pop();
        let ends = found.is_some_and(|(_, grant)| grant.person == person && grant.item == id);
        let bytes = if ends { self.sent.close(&grant) } else { None };
        let data = AccessCompleted { bytes, grant, outcome: AccessOutcome::Completed };
        let say = Say::of_item(Kind::AccessCompleted, item.case, id).data(data.to_data());
        let forget = Change::Halves(HalvesChange::ForgetContribution(grant));
        let attach = Attachments { changes: vec![forget], ..Attachments::default() };
        let receipts = self.say_on_behalf_with(person, say, With { attach }).await;
        if ends && receipts.is_err() {
            // Nothing was recorded: whoever reads on is counted on.
            self.sent.reopen(&grant);
        }
        let receipts = receipts?;
        self.sent.forget(&grant);
        Ok(api::Recorded { receipts: wire(&receipts) })
    }
}

/// Uploads at work of each person: at most half of the places, so that nobody holds up everybody.
#[derive(Debug, Default)]
pub(super) struct Turns(Mutex<HashMap<PersonId, Arc<Semaphore>>>);

impl Turns {
    /// Waits for a while for one of the person's places.
    pub(super) async fn take(
        &self,
        person: PersonId,
        places: usize,
    ) -> Result<OwnedSemaphorePermit, AppError> {
        let most = places.div_ceil(2);
        let own = {
            let mut turns = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            // Whoever waits or sends holds a clone.
            turns.retain(|_, own| Arc::strong_count(own) > 1);
            Arc::clone(turns.entry(person).or_insert_with(|| Arc::new(Semaphore::new(most))))
        };
        let turn = timeout(PATIENCE, own.acquire_owned()).await.map_err(|_| AppError::Busy)?;
        turn.map_err(AppError::internal("waiting for a turn to send"))
    }
}

/// What a request sends: given up where it stops or comes too slowly. Uploads at work are few, and one that sends nothing must
/// not hold up the others.
pub(super) struct Arriving<'a, S> {
    body: Pin<&'a mut S>,
    pace: Pace,
}

impl<'a, S: Stream<Item = Result<Bytes, E>>, E> Arriving<'a, S> {
    pub(super) fn new(body: Pin<&'a mut S>) -> Self {
        Self { body, pace: Pace::default() }
    }

    /// What comes next; nothing at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, AppError> {
        let asked = Instant::now();
        let chunk = timeout(MAX_SILENCE, self.body.next()).await.map_err(|_| AppError::Truncated)?;
        let chunk = chunk.transpose().map_err(|_| AppError::Truncated)?;
        match &chunk {
            Some(chunk) if !self.pace.keeps(asked.elapsed(), chunk.len() as u64) => Err(AppError::TooSlow),
            _ => Ok(chunk),
        }
    }
}

/// How fast bytes come, by the time spent waiting for them: what storing takes is not the sender's.
#[derive(Debug, Default)]
struct Pace {
    waited: Duration,
    bytes: u64,
    /// The first time is over, in which connections warm up.
    begun: bool,
}

impl Pace {
    /// Counts bytes that came after waiting; whether they come fast enough.
    fn keeps(&mut self, waited: Duration, bytes: u64) -> bool {
        self.waited += waited;
        self.bytes += bytes;
        if self.waited < PACE_OVER {
            return true;
        }
        let enough = !self.begun || self.bytes >= MIN_BYTES;
        *self = Self { begun: true, ..Self::default() };
        enough
    }
}

/// Refuses before the first byte what the rules would refuse after the last.
fn check_receivable(item: &Item, length: Option<u64>) -> Result<(), AppError> {
    if !takes_bytes(item.class) {
        return Err(Refusal::HashOnly.into());
    }
    if item.stored.is_some() {
        return Err(Refusal::ContentExists.into());
    }
    if item.by_sender {
        return Err(Refusal::SealedBySender.into());
    }
    match (item.claimed, length) {
        (Some(claimed), Some(length)) if length > claimed.size => Err(AppError::TooLarge),
        (Some(claimed), Some(length)) if length < claimed.size => Err(AppError::DigestMismatch),
        _ => Ok(()),
    }
}

pub(super) fn storing(error: BlobsError) -> AppError {
    match error {
        BlobsError::Full(_) => AppError::DiskFull,
        BlobsError::Busy => AppError::Busy,
        BlobsError::TooLarge(_) => AppError::TooLarge,
        other => AppError::internal("storing content")(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt as _;

    #[test]
    fn a_trickle_is_given_up_and_a_slow_line_is_not() {
        let bytes_until_given_up = |every: Duration, bytes: u64| {
            let mut pace = Pace::default();
            (1..10_000).find(|_| !pace.keeps(every, bytes)).map(|chunks| chunks * bytes)
        };
        let second = Duration::from_secs(1);
        assert_eq!(bytes_until_given_up(5 * second, 1), Some(12), "after a minute");
        assert_eq!(bytes_until_given_up(second, 500), Some(30_000));
        assert_eq!(bytes_until_given_up(second, 600), None);
        // What storing takes counts for nobody.
        assert_eq!(bytes_until_given_up(Duration::ZERO, 1), None);
    }

    #[test]
    fn one_person_leaves_half_of_the_places_to_others() {
        let (turns, people) = (Turns::default(), [1, 2].map(|n| PersonId::new(uuid::Uuid::from_u128(n))));
        let take = |person| turns.take(person, 4).now_or_never();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let _entered = runtime.enter();
        let first = take(people[0]).unwrap().unwrap();
        let _second = take(people[0]).unwrap().unwrap();
        assert!(take(people[0]).is_none(), "waits");
        let _other = take(people[1]).unwrap().unwrap();
        drop(first);
        assert!(take(people[0]).unwrap().is_ok());
        assert_eq!(turns.0.lock().unwrap().len(), 2);
    }
}
