//! Files become items: fingerprinted here, registered under the person's name, sent, compared three times.
//!
//! Repeating an intake is safe: the name of each act is derived from the token, the case, the path and the digest,
//! so that what was registered before is found again instead of registered twice. (From the token, because the
//! name of an act is shown to whoever sees the record, and must not let a withheld path be guessed.)

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use custody::act::{Act, Class, ItemRegistered, SealedBy, Sealing};
use custody::digest::{Digest, Hasher};
use custody::halves::Pair;
use custody::id::{CaseId, Code, ItemId, OpId};
use custody::kind::Kind;
use custody::statement::{Actor, Statement};
use futures_util::{Stream, StreamExt as _};
use serde::Serialize;

use super::by_sender::passed_on;
use super::content::{Fingerprint, fingerprint};
use super::receipts::Of;
use super::{Ask, Client, ClientError, Kept};
use crate::api;

/// What all files of one intake have in common.
#[derive(Debug, Clone)]
pub struct Intake {
    /// The case.
    pub case: CaseId,
    /// How sensitive the items are; [`Class::HashOnly`] sends no bytes.
    pub class: Class,
    /// Who opens them, of restricted items.
    pub sealing: Option<Sealing>,
    /// The same with what is sealed to for them, where they are sealed on this device.
    pub pairs: Option<Vec<Pair>>,
    /// Fields of every item, beside `file-name`, `path` and `title`.
    pub fields: BTreeMap<Code, String>,
}

/// A file to take in.
#[derive(Debug, Clone)]
pub struct Source {
    /// Where it lies.
    pub file: PathBuf,
    /// Its path as recorded, with `/`, relative to what was named.
    pub path: String,
}

/// How an intake of one file ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The vault holds the bytes.
    Stored,
    /// The vault holds what was sealed here, and has seen nothing else.
    SealedHere,
    /// It held them before, under the same path and digest.
    AlreadyThere,
    /// Registered by digest only.
    HashOnly,
}

/// One file taken in: three digests that agree.
#[derive(Debug, Clone, Serialize)]
pub struct TakenIn {
    /// Its path as recorded.
    pub path: String,
    /// The item.
    pub item: ItemId,
    /// How it ended.
    pub outcome: Outcome,
    /// Bytes.
    pub size: u64,
    /// SHA-256 computed on this device, before anything was sent.
    pub digest: Digest,
    /// SHA-256 computed by the vault as the bytes arrived.
    pub on_arrival: Option<Digest>,
    /// SHA-256 computed by the vault when it read its copy back.
    pub read_back: Option<Digest>,
}

/// The files below `root` (or `root` itself), sorted by path, and what was left out because it is no file.
pub fn walk(root: &Path, prefix: &str) -> Result<(Vec<Source>, Vec<PathBuf>), ClientError> {
    let (mut sources, mut skipped) = (Vec::new(), Vec::new());
    for entry in walkdir::WalkDir::new(root).sort_by_file_name() {
        let entry = entry.map_err(|error| {
            let path = error.path().unwrap_or(root).to_owned();
            let source = error.into_io_error().unwrap_or_else(|| std::io::Error::other("a loop of links"));
            ClientError::File { path, source }
        })?;
        // A link named as an argument is followed; links below are not: they may lead anywhere.
        let kind = if entry.depth() == 0 {
            entry.path().metadata().map(|m| m.file_type())
        } else {
            Ok(entry.file_type())
        };
        let kind = kind.map_err(super::secret::file(entry.path()))?;
        if kind.is_dir() {
            continue;
        }
        if !kind.is_file() {
            skipped.push(entry.into_path());
            continue;
        }
        let below = entry.path().strip_prefix(root).unwrap_or(entry.path());
        let names = below.iter().map(|name| name.to_string_lossy());
        let path = std::iter::once(prefix.into())
            .chain(names)
            .filter(|part: &std::borrow::Cow<'_, str>| !part.is_empty())
            .collect::<Vec<_>>()
            .join("/");
        sources.push(Source { file: entry.into_path(), path });
    }
    Ok((sources, skipped))
}

/// What an earlier run took in, by its receipts.
struct Earlier {
    class: Class,
    /// Whether it was to be sealed on a device of the sender's.
    by_sender: bool,
    /// The digest of what arrived.
    received: Option<Digest>,
}

impl Earlier {
    fn lacks_content(&self) -> bool {
        self.received.is_none() && self.class != Class::HashOnly
    }

    /// Whoever wants it sealed here must not be told that all is well where the vault has had it, or is to have it, in the clear.
    fn same_way(&self, here: bool) -> Result<(), ClientError> {
        if self.by_sender == here {
            return Ok(());
        }
        Err(ClientError::Input(match (here, self.received.is_some()) {
            (true, true) => "it went to the vault before without --seal-here: the vault has had it in the clear".into(),
            (true, false) => "it was registered before without --seal-here; nothing was sent: seal it under another name or path".into(),
            (false, _) => "it was registered before to be sealed here: go on with --seal-here".into(),
        }))
    }
}

impl Client {
    /// Takes files in, `parallel` at a time; results come as they end. `progress` counts bytes, twice for what is
    /// sent (fingerprint, then transfer).
    pub fn take_in(
        self: &Arc<Self>,
        intake: Arc<Intake>,
        sources: Vec<Source>,
        parallel: usize,
        progress: impl Fn(u64) + Send + Sync + Clone + 'static,
    ) -> impl Stream<Item = (Source, Result<TakenIn, ClientError>)> {
        let client = Arc::clone(self);
        futures_util::stream::iter(sources)
            .map(move |source| {
                let (client, intake, progress) = (Arc::clone(&client), Arc::clone(&intake), progress.clone());
                let task = tokio::spawn({
                    let source = source.clone();
                    async move { client.take_in_one(&intake, &source, progress).await }
                });
                async move {
                    let ended =
                        task.await.unwrap_or(Err(ClientError::Protocol("the intake of a file broke off")));
                    (source, ended)
                }
            })
            .buffer_unordered(parallel.max(1))
    }

    async fn take_in_one(
        &self,
        intake: &Intake,
        source: &Source,
        progress: impl Fn(u64) + Send + Sync + Clone + 'static,
    ) -> Result<TakenIn, ClientError> {
        let print = fingerprint(&source.file, &progress).await?;
        let Fingerprint { digest, size, .. } = print;
        let op_id = self.name_of(intake.case, &source.path, digest);
        let item = ItemId::new(uuid::Builder::from_custom_bytes(*op_id.as_bytes()).into_uuid());
        let file_name = source.path.rsplit('/').next().unwrap_or_default();
        let mut fields = intake.fields.clone();
        for (name, value) in [("file-name", file_name), ("path", &source.path), ("title", file_name)] {
            let name = name.parse().map_err(|_| ClientError::Protocol("a field name is a code"))?;
            fields.entry(name).or_insert_with(|| value.to_owned());
        }
        let route = "cli".parse().map_err(|_| ClientError::Protocol("a route is a code"))?;
        let registered = ItemRegistered {
            class: intake.class,
            route,
            sealing: intake.sealing.clone(),
            sealed_by: intake.pairs.as_ref().map(|_| SealedBy::Sender),
        };
        let ask = Ask::new(Kind::ItemRegistered, op_id)
            .case(intake.case)
            .item(item)
            .content(digest, size)
            .data(registered.to_data())
            .fields(fields);
        let earlier = match self.say(&ask).await {
            Ok(_) => None,
            // An earlier run registered it: that is believed for its receipts, not for the vault's word.
            Err(error) if conflict(&error) => {
                Some(self.taken_in_before(&ask, intake.case, item, print, &[]).await?.ok_or(error)?)
            }
            Err(error) => return Err(error),
        };
        let mut taken = TakenIn {
            path: source.path.clone(),
            item,
            outcome: Outcome::HashOnly,
            size,
            digest,
            on_arrival: None,
            read_back: None,
        };
        let here = intake.pairs.is_some();
        if let Some(earlier) = &earlier {
            earlier.same_way(here)?;
        }
        let mut sent = Vec::new();
        let earlier = match earlier {
            earlier
                if intake.class != Class::HashOnly && earlier.as_ref().is_none_or(Earlier::lacks_content) =>
            {
                let file = source.file.as_path();
                let sealing = intake.pairs.as_deref().map(|pairs| (pairs, &mut sent));
                match self.put_content((intake.case, item), (file, print), sealing, progress).await {
                    Ok(_) if here => {
                        taken.outcome = Outcome::SealedHere;
                        return Ok(taken);
                    }
                    Ok(sent) => {
                        taken.outcome = Outcome::Stored;
                        (taken.on_arrival, taken.read_back) = (Some(sent.on_arrival), sent.read_back);
                        return Ok(taken);
                    }
                    // The answer to an earlier sending was lost.
                    Err(error) if conflict(&error) => {
                        let found = self.taken_in_before(&ask, intake.case, item, print, &sent).await?;
                        let found = found.filter(|found| found.received.is_some()).ok_or(error)?;
                        if here {
                            taken.outcome = Outcome::SealedHere;
                            return Ok(taken);
                        }
                        Some(found)
                    }
                    Err(error) => return Err(error),
                }
            }
            earlier => earlier,
        };
        if let Some(earlier) = earlier {
            // Registered before without content: that is all that is there.
            taken.outcome =
                if earlier.received.is_some() { Outcome::AlreadyThere } else { Outcome::HashOnly };
            taken.on_arrival = earlier.received.filter(|_| !earlier.by_sender);
        }
        Ok(taken)
    }

    /// What the receipts of an earlier run show, checked and kept as if they had just been given: the registration of
    /// this very item with these bytes, and their arrival. Nothing where the vault shows no item.
    async fn taken_in_before(
        &self,
        ask: &Ask,
        case: CaseId,
        item: ItemId,
        print: Fingerprint,
        sent: &[Digest],
    ) -> Result<Option<Earlier>, ClientError> {
        let Fingerprint { digest, size, .. } = print;
        let found: api::Recorded = match self.intake_receipts(item).await {
            Err(ClientError::Refused(_)) => return Ok(None),
            found => found?,
        };
        let same = |said: &Statement| {
            let place = (Some(case), Some(item)) == (said.case, said.item);
            place && said.content.is_some_and(|content| (content.digest, content.size) == (digest, size))
        };
        let registered = |said: &Statement| {
            let ours = (Kind::ItemRegistered, Actor::Person(self.person()), ask.op_id());
            (said.kind, said.actor, said.op_id) == ours && same(said)
        };
        let received = |said: &Statement| {
            said.kind == Kind::ContentReceived && self.is_of_content(said, case, item) && same(said)
        };
        let as_sealed = |said: &Statement| passed_on(said, print, sent);
        let kept =
            self.keep(&found.receipts, Of::Composed(&|said| registered(said) || received(said))).await?;
        let said = |kept: &Kept| kept.checked.statement.clone();
        let registration = kept.iter().map(said).find(registered).ok_or(ClientError::NoReceipt)?;
        let Ok(Act::ItemRegistered(_, _, ItemRegistered { class, sealed_by, .. }, ..)) =
            Act::parse(&registration)
        else {
            return Err(ClientError::NoReceipt);
        };
        let by_sender = sealed_by.is_some();
        let received = kept.iter().map(said).find(received);
        if received.as_ref().is_some_and(|said| by_sender && !as_sealed(said)) {
            return Err(ClientError::Protocol("the vault records something else than was sealed here"));
        }
        Ok(Some(Earlier { class, by_sender, received: received.map(|_| digest) }))
    }

    fn name_of(&self, case: CaseId, path: &str, digest: Digest) -> OpId {
        let mut hasher = Hasher::new();
        hasher.update(b"custos/intake/v1\0");
        hasher.update(self.intake_secret.as_bytes());
        hasher.update(case.as_bytes());
        hasher.update(digest.as_bytes());
        hasher.update(path.as_bytes());
        let mut name = [0; 16];
        name.copy_from_slice(&hasher.finish().as_bytes()[..16]);
        OpId::new(name)
    }
}

fn conflict(error: &ClientError) -> bool {
    matches!(error, ClientError::Refused(problem) if problem.status == 409)
}
