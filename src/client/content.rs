//! Evidence bytes: digests computed here, sent and fetched as streams, compared at every place.

use std::io::Read as _;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use custody::act::Act;
use custody::digest::{Digest, Hasher};
use custody::halves::Pair;
use custody::id::{CaseId, ItemId, OpId};
use custody::kind::Kind;
use custody::statement::{Actor, CheckedBy, Statement};
use futures_util::StreamExt as _;
use reqwest::header::{CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE};
use reqwest::{Method, StatusCode};
use tokio::io::AsyncReadExt as _;
use tokio_util::io::ReaderStream;

use super::by_sender::passed_on;
use super::http::Call;
use super::receipts::Of;
use super::secret::file;
use super::{Client, ClientError, Kept, new_op_id, repr_digest, write};
use crate::api;

/// How often a vault that has its hands full is asked again: for at least ten minutes.
const MAX_TURNED_AWAY: u32 = 60;
/// How long to wait in between.
const BUSY_PAUSE: Duration = Duration::from_secs(10);
/// Bytes read from disk at once.
pub(super) const CHUNK_BYTES: usize = 1 << 18;

/// What the vault says it holds, shown by receipts.
#[derive(Debug, Clone)]
pub struct Sent {
    /// SHA-256 as the vault computed it while the bytes arrived.
    pub on_arrival: Digest,
    /// SHA-256 as the vault computed it when it read its own copy back, where it says so.
    pub read_back: Option<Digest>,
    /// Receipts, checked and kept.
    pub kept: Vec<Kept>,
}

/// A content request's answer, to be read chunk by chunk.
pub struct Download {
    response: reqwest::Response,
    /// The whole content's digest as the answer names it.
    pub repr_digest: Option<String>,
    /// The part that is sent, as `Content-Range` says it; absent when it is all.
    pub range: Option<String>,
}

/// What a file is known by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint {
    /// SHA-256.
    pub digest: Digest,
    /// Bytes.
    pub size: u64,
    /// CRC-32 (as in ZIP).
    pub crc32: u32,
}

/// The fingerprint of a file, read once.
pub(super) async fn fingerprint(
    path: &Path,
    progress: &(impl Fn(u64) + Clone + Send + 'static),
) -> Result<Fingerprint, ClientError> {
    let (path, progress) = (path.to_owned(), progress.clone());
    let work = tokio::task::spawn_blocking(move || fingerprint_blocking(&path, progress));
    work.await.unwrap_or(Err(ClientError::Protocol("a fingerprint broke off")))
}

fn fingerprint_blocking(path: &Path, progress: impl Fn(u64)) -> Result<Fingerprint, ClientError> {
    let mut source = std::fs::File::open(path).map_err(file(path))?;
    let (mut hasher, mut crc32, mut size) = (Hasher::new(), crc32fast::Hasher::new(), 0);
    let mut buffer = vec![0; CHUNK_BYTES];
    loop {
        let read = source.read(&mut buffer).map_err(file(path))?;
        if read == 0 {
            return Ok(Fingerprint { digest: hasher.finish(), size, crc32: crc32.finalize() });
        }
        hasher.update(&buffer[..read]);
        crc32.update(&buffer[..read]);
        size += read as u64;
        progress(read as u64);
    }
}

impl Client {
    /// Sends a file as an item's content, as it is or sealed to pairs here, where every sending's halves are remembered. The vault compares what it can; here its
    /// answer is compared again, and so is the receipt of `content.received`.
    pub async fn put_content(
        &self,
        (case, item): (CaseId, ItemId),
        (path, print): (&Path, Fingerprint),
        mut sealing: Option<(&[Pair], &mut Vec<Digest>)>,
        progress: impl Fn(u64) + Send + Sync + Clone + 'static,
    ) -> Result<Sent, ClientError> {
        let Fingerprint { digest, size, .. } = print;
        let op_id = new_op_id();
        let (mut attempt, mut turned_away) = (0, 0);
        let stored = loop {
            let progress = progress.clone();
            let once = match &mut sealing {
                None => self.put_once(item, path, (digest, size), op_id, progress).await,
                Some((pairs, sent)) => {
                    self.put_sealed_once(item, (path, print), (pairs, sent), op_id, progress).await
                }
            };
            match once {
                Ok(stored) => break stored,
                // The key makes a second sending of the same bytes the same act.
                Err(ClientError::Network { .. }) if attempt < 2 => {
                    attempt += 1;
                    tokio::time::sleep(Duration::from_millis(500 << attempt)).await;
                }
                // Others are sending: their uploads end.
                Err(ClientError::Refused(problem))
                    if problem.code == "busy" && turned_away < MAX_TURNED_AWAY =>
                {
                    turned_away += 1;
                    tokio::time::sleep(BUSY_PAUSE).await;
                }
                Err(error) => return Err(error),
            }
        };
        let theirs = stored.digest.parse().map_err(|_| ClientError::Protocol("a digest is 64 hex digits"))?;
        agree(digest, theirs, "as the vault received it")?;
        if stored.size != size {
            return Err(ClientError::Protocol("the vault counts other bytes than were sent"));
        }
        let kept =
            self.keep(&stored.receipts, Of::Composed(&|said| self.is_of_content(said, case, item))).await?;
        let (mut on_arrival, mut read_back) = (None, None);
        for receipt in &kept {
            let said = &receipt.checked.statement;
            let fits = match &sealing {
                Some((_, sent)) => passed_on(said, print, sent),
                None => said.content.is_some_and(|content| content.checked_by == CheckedBy::Vault),
            };
            if said.kind == Kind::ContentReceived && !fits {
                return Err(ClientError::Protocol("the vault records something else than it was sent"));
            }
            match reported(receipt, case, item)? {
                Some((Kind::ContentReceived, found)) => on_arrival = Some(found),
                Some((_, found)) => read_back = Some(found),
                None => {}
            }
        }
        let on_arrival = on_arrival.ok_or(ClientError::NoReceipt)?;
        agree(digest, on_arrival, "in the record of their receipt")?;
        if let Some(read_back) = read_back {
            agree(digest, read_back, "as the vault read its copy back")?;
        }
        Ok(Sent { on_arrival, read_back, kept })
    }

    async fn put_once(
        &self,
        item: ItemId,
        path: &Path,
        (digest, size): (Digest, u64),
        op_id: OpId,
        progress: impl Fn(u64) + Send + Sync + 'static,
    ) -> Result<api::Stored, ClientError> {
        let source = tokio::fs::File::open(path).await.map_err(file(path))?;
        let stream = ReaderStream::with_capacity(source.take(size), CHUNK_BYTES).inspect(move |chunk| {
            if let Ok(chunk) = chunk {
                progress(chunk.len() as u64);
            }
        });
        let call = Call::write(Method::PUT, format!("/api/v1/items/{item}/content"), op_id)
            .header(CONTENT_TYPE.as_str(), "application/octet-stream".into())
            .header(CONTENT_LENGTH.as_str(), size.to_string())
            .header("repr-digest", repr_digest(&digest));
        let response = self.http.upload(&call, reqwest::Body::wrap_stream(stream)).await?;
        let bytes = response.bytes().await.map_err(|error| self.http.network(error))?;
        serde_json::from_slice(&bytes).map_err(|_| ClientError::Protocol("an answer of another shape"))
    }

    /// Starts reading an item's content under a grant; `range` is `first-last`, `first-` or `-suffix`.
    pub async fn content(
        &self,
        item: ItemId,
        grant: Digest,
        range: Option<&str>,
    ) -> Result<Download, ClientError> {
        let mut call = Call::get(format!("/api/v1/items/{item}/content?access={grant}"));
        if let Some(range) = range {
            call = call.header("range", format!("bytes={range}"));
        }
        let response = self.http.send(call).await?;
        let header = |name: &str| {
            response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
        };
        let partial = response.status() == StatusCode::PARTIAL_CONTENT;
        if partial != range.is_some() {
            return Err(ClientError::Protocol("the answer is a part exactly when a part was asked for"));
        }
        let (repr_digest, sent_range) = (header("repr-digest"), header(CONTENT_RANGE.as_str()));
        Ok(Download { response, repr_digest, range: sent_range })
    }

    /// `POST /api/v1/items/{id}/access/{grant}/complete`: reading is over.
    pub async fn complete_access(&self, item: ItemId, grant: Digest) -> Result<Vec<Kept>, ClientError> {
        let call = write(format!("/api/v1/items/{item}/access/{grant}/complete"), new_op_id());
        let recorded: api::Recorded = self.http.fetch(call).await?;
        let asked = |said: &Statement| {
            let act = Act::parse(said);
            said.actor == Actor::Person(self.person())
                && matches!(act, Ok(Act::AccessCompleted(_, of, ended)) if (of, ended.grant) == (item, grant))
        };
        self.keep(&recorded.receipts, Of::Composed(&asked)).await
    }

    /// Whether the vault says there, for itself, what it received or read back of this item.
    pub(super) fn is_of_content(&self, said: &Statement, case: CaseId, item: ItemId) -> bool {
        let of = (said.case, said.item) == (Some(case), Some(item));
        let kind = matches!(said.kind, Kind::ContentReceived | Kind::FixityPassed | Kind::FixityFailed);
        of && kind && (said.actor, said.actor_key) == (Actor::System, self.trust().key_hash())
    }

    /// Starts fetching an export's bundle (ZIP).
    pub async fn bundle(&self, export: Digest) -> Result<Download, ClientError> {
        let response = self.http.send(Call::get(format!("/api/v1/exports/{export}/bundle"))).await?;
        Ok(Download { response, repr_digest: None, range: None })
    }

    /// The next bytes of an answer; `None` at its end.
    pub async fn next_chunk(&self, download: &mut Download) -> Result<Option<Bytes>, ClientError> {
        download.response.chunk().await.map_err(|error| self.http.network(error))
    }
}

impl Download {
    /// Bytes to come, as announced.
    pub fn announced(&self) -> Option<u64> {
        self.response.content_length()
    }

    /// Compares what was read with the digest that the answer named, if it named one.
    pub fn check(&self, read: Digest) -> Result<(), ClientError> {
        match &self.repr_digest {
            Some(named) if *named != repr_digest(&read) => {
                Err(ClientError::Protocol("the answer's Repr-Digest is not that of its bytes"))
            }
            _ => Ok(()),
        }
    }
}

impl std::fmt::Debug for Download {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Download").field("announced", &self.announced()).finish_non_exhaustive()
    }
}

/// Two digests of the same bytes.
pub(super) fn agree(ours: Digest, theirs: Digest, place: &'static str) -> Result<(), ClientError> {
    if ours == theirs { Ok(()) } else { Err(ClientError::Digest { ours, theirs, place }) }
}

/// What the vault recorded about an item's content: on arrival, or when it read it back.
pub(super) fn reported(
    kept: &Kept,
    case: CaseId,
    item: ItemId,
) -> Result<Option<(Kind, Digest)>, ClientError> {
    let statement = &kept.checked.statement;
    let act = Act::parse(statement).map_err(|_| ClientError::Protocol("a receipt of an unknown kind"))?;
    let (of, content) = match act {
        Act::ContentReceived(case, item, _, content) | Act::Fixity(case, item, _, content) => {
            ((case, item), content)
        }
        _ => return Ok(None),
    };
    if of != (case, item) {
        return Err(ClientError::Protocol("a receipt for another item"));
    }
    Ok(Some((statement.kind, content.digest)))
}
