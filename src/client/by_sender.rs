//! Content that is sealed on this device before it is sent: the vault gets ciphertext, its own half of the key, and the persons' half
//! sealed to the pairs.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use custody::act::{Act, ObjectId};
use custody::blob::{BlobContext, BlobStream, BlobWriter, Layout, SegmentsPerPart, VaultId};
use custody::digest::Digest;
use custody::entropy::Entropy as _;
use custody::halves::{self, Pair};
use custody::id::{ItemId, OpId};
use custody::keys::{DataKey, Key32};
use custody::statement::{CheckedBy, Statement};
use reqwest::Method;
use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE};
use tokio::sync::mpsc;

use super::content::{CHUNK_BYTES, Fingerprint};
use super::http::Call;
use super::secret::file;
use super::{Client, ClientError};
use crate::api;
use crate::engine::{AwsLc, OsEntropy};

/// Chunks of ciphertext that wait to be sent.
const AHEAD: usize = 4;
/// How long sealing may go on once there is an answer: it has nothing left to do.
const AFTER_THE_ANSWER: Duration = Duration::from_secs(10);

/// What is sealed for one sending: nothing of it comes twice.
struct Sealing {
    path: PathBuf,
    print: Fingerprint,
    context: BlobContext,
    key: DataKey,
}

impl Client {
    /// Seals a file and sends it; `sent` learns which sealed halves go along, whatever becomes of them. Every sending has an
    /// object, a key and halves of its own.
    pub(super) async fn put_sealed_once(
        &self,
        item: ItemId,
        (path, print): (&Path, Fingerprint),
        (pairs, sent): (&[Pair], &mut Vec<Digest>),
        op_id: OpId,
        progress: impl Fn(u64) + Send + Sync + 'static,
    ) -> Result<api::Stored, ClientError> {
        let key = DataKey::make(&mut OsEntropy);
        let persons = Key32::make(&mut OsEntropy);
        let vaults = key.as_key().xor(&persons);
        let sealed = halves::seal(&persons, item, pairs)
            .map_err(|_| ClientError::Protocol("everybody of a pair has 1 to 16 recipients"))?;
        sent.push(halves::digest(&sealed));
        let object = ObjectId::new(OsEntropy.array());
        let context =
            BlobContext { object, vault: VaultId::of(&self.trust().fingerprint()), item, version: 1 };
        let new = api::NewSealedContent {
            crc32: print.crc32,
            half: api::Bytes64(vaults.expose().to_vec()),
            halves: sealed.into_iter().map(Into::into).collect(),
            object: object.to_string(),
        };
        let mut line = serde_json::to_vec(&new).map_err(|_| ClientError::Protocol("this cannot be sent"))?;
        line.push(b'\n');
        let length = line.len() as u64 + layout(print.size)?.object_size();
        let (to, mut from) = mpsc::channel::<Result<Bytes, ClientError>>(AHEAD);
        let sealing = Sealing { path: path.to_owned(), print, context, key };
        let work = tokio::task::spawn_blocking(move || {
            let hand_on =
                |chunk| to.blocking_send(chunk).map_err(|_| ClientError::Protocol("sending broke off"));
            hand_on(Ok(line.into()))?;
            match sealing.run(progress, |chunk| hand_on(Ok(chunk))) {
                Ok(()) => Ok(()),
                Err(error) => {
                    // What is sent ends short of its length, so that the vault keeps nothing of it.
                    drop(hand_on(Err(ClientError::Protocol("sealing broke off"))));
                    Err(error)
                }
            }
        });
        let call = Call::write(Method::PUT, format!("/api/v1/items/{item}/sealed-content"), op_id)
            .header(CONTENT_TYPE.as_str(), "application/vnd.custos.sealed".into())
            .header(CONTENT_LENGTH.as_str(), length.to_string());
        let body = futures_util::stream::poll_fn(move |context| from.poll_recv(context));
        let answer = self.http.upload(&call, reqwest::Body::wrap_stream(body)).await;
        // Where the file is the reason, that is what the person has to know. A vault that answers before it has everything, or
        // reads no further, does not have what was sealed here, whatever it says.
        let work = tokio::time::timeout(AFTER_THE_ANSWER, work).await;
        match (work, &answer) {
            (Ok(Ok(Err(error @ (ClientError::File { .. } | ClientError::Digest { .. })))), _) => {
                return Err(error);
            }
            (Ok(Ok(Ok(()))), _) | (_, Err(_)) => {}
            _ => return Err(ClientError::Protocol("the vault answered before everything was sent")),
        }
        let bytes = answer?.bytes().await.map_err(|error| self.http.network(error))?;
        serde_json::from_slice(&bytes).map_err(|_| ClientError::Protocol("an answer of another shape"))
    }
}

impl Sealing {
    /// Reads the file once more, and hands out the object piece by piece; the last piece only if the file is still what was
    /// registered.
    fn run(
        self,
        progress: impl Fn(u64),
        mut send: impl FnMut(Bytes) -> Result<(), ClientError>,
    ) -> Result<(), ClientError> {
        let Self { path, print, context, key } = self;
        let broken = |_| ClientError::Protocol("sealing failed");
        let parts = SegmentsPerPart::for_content(Some(print.size));
        let writer = BlobWriter::<AwsLc>::start(context, parts, &key, &mut OsEntropy).map_err(broken)?;
        let mut stream = BlobStream::new(writer);
        let mut source = std::fs::File::open(&path).map_err(file(&path))?;
        let (mut buffer, mut sealed) = (vec![0; CHUNK_BYTES], Vec::new());
        loop {
            let read = source.read(&mut buffer).map_err(file(&path))?;
            if read == 0 {
                break;
            }
            let mut emit = |bytes: &[u8]| sealed.extend_from_slice(bytes);
            stream.push(&buffer[..read], &mut OsEntropy, &mut emit).map_err(broken)?;
            progress(read as u64);
            if !sealed.is_empty() {
                send(std::mem::take(&mut sealed).into())?;
            }
        }
        let mut emit = |bytes: &[u8]| sealed.extend_from_slice(bytes);
        let facts = stream.finish(&mut OsEntropy, &mut emit).map_err(broken)?;
        super::content::agree(print.digest, facts.sha256, "when it was sealed")?;
        send(sealed.into())
    }
}

/// Whether the vault says that it has this content, as its sender sealed it and with some of these halves; with any where none
/// are known.
pub(super) fn passed_on(said: &Statement, print: Fingerprint, sent: &[Digest]) -> bool {
    let Ok(Act::ContentReceived(_, _, d, content)) = Act::parse(said) else { return false };
    let ours = d.halves.is_some_and(|halves| sent.is_empty() || sent.contains(&halves));
    ours && content.checked_by == CheckedBy::None
        && (content.digest, content.size) == (print.digest, print.size)
}

fn layout(size: u64) -> Result<Layout, ClientError> {
    Layout::new(size, SegmentsPerPart::for_content(Some(size)))
        .map_err(|_| ClientError::Input("the file is larger than an object can be".into()))
}
