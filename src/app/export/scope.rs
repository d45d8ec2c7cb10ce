//! What a bundle holds: the vault's stream, the case's sequence with its items, and the streams of everybody who
//! acted, signed, vouched or is named.

use std::collections::{BTreeMap, BTreeSet};

use custody::act::Act;
use custody::bundle::closure::persons;
use custody::bundle::manifest::Stream;
use custody::checkpoint::{Checkpoint, Origin};
use custody::digest::Digest;
use custody::id::{CaseId, Code, OrgId, PersonId};
use custody::kind::Kind;
use custody::merkle::Plan;
use custody::note::SignedNote;
use custody::record::Sequence;
use custody::statement::{Actor, Statement};
use custody::time::Timestamp;

use super::super::read::statement;
use super::super::timestamps::needed;
use super::{App, AppError};
use crate::store::{RecordRow, Tiles, Tx};

/// Records read at a time.
const PAGE: u32 = 128;

/// The sequences in scope, found by reading them: each may name persons whose streams are in scope too.
#[derive(Debug)]
pub(super) struct Closure {
    /// Last record read of each sequence that is read.
    read: BTreeMap<Sequence, u64>,
    heads: BTreeMap<Sequence, (u64, Digest)>,
    indices: BTreeSet<u64>,
    /// Organisations of the persons in scope.
    orgs: BTreeSet<OrgId>,
}

impl Closure {
    pub(super) fn new(case: CaseId) -> Self {
        let read = [(Sequence::Vault, 0), (Sequence::Case(case), 0)].into();
        Self { read, heads: BTreeMap::new(), indices: BTreeSet::new(), orgs: BTreeSet::new() }
    }

    /// Every sequence in scope with its newest record, number and hash.
    pub(super) const fn heads(&self) -> &BTreeMap<Sequence, (u64, Digest)> {
        &self.heads
    }

    /// Reads whatever was appended below `cut` since the last call, until nobody new is named.
    pub(super) async fn advance(&mut self, tx: &mut Tx, cut: u64) -> Result<(), AppError> {
        let mut pending: Vec<_> = self.read.keys().copied().collect();
        while let Some(sequence) = pending.pop() {
            let mut after = self.read.get(&sequence).copied().unwrap_or(0);
            let mut last = None;
            loop {
                let rows = tx.records(sequence, after, PAGE).await?;
                // What lies beyond the cut ends the reading: a sequence's records stand in the order of the log.
                let more = rows.len() == PAGE as usize && rows.iter().all(|row| row.log_index < cut);
                for row in rows.into_iter().filter(|row| row.log_index < cut) {
                    after = self.take(&row, sequence).unwrap_or(after);
                    // The records of one statement follow each other, and it names the same persons for each.
                    if last.replace(row.stmt) == Some(row.stmt) {
                        continue;
                    }
                    for person in self.named(&row)? {
                        if let std::collections::btree_map::Entry::Vacant(slot) =
                            self.read.entry(Sequence::Person(person))
                        {
                            slot.insert(0);
                            pending.push(Sequence::Person(person));
                        }
                    }
                }
                self.read.insert(sequence, after);
                if !more {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Notes a record; returns its number in `sequence`.
    fn take(&mut self, row: &RecordRow, sequence: Sequence) -> Option<u64> {
        self.indices.insert(row.log_index);
        let mut number = None;
        for place in row.own.iter().chain(&row.case) {
            let head = self.heads.entry(place.sequence).or_insert((place.seq, row.hash));
            if place.seq >= head.0 {
                *head = (place.seq, row.hash);
            }
            if place.sequence == sequence {
                number = Some(place.seq);
            }
        }
        number
    }

    fn named(&mut self, row: &RecordRow) -> Result<Vec<PersonId>, AppError> {
        let statement = statement(&row.envelope)?;
        let act = Act::parse(&statement)?;
        if let Act::PersonRegistered(_, d) = &act {
            self.orgs.insert(d.org);
        }
        Ok(persons(&statement, &act))
    }
}

/// Everything that determines a bundle's bytes.
#[derive(Debug)]
pub(super) struct Scope {
    pub(super) case: CaseId,
    /// Hash of the record of `bundle.exported`.
    pub(super) exported: Digest,
    pub(super) exported_at: Timestamp,
    pub(super) exporter: Actor,
    /// Productions that the bundle carries.
    pub(super) productions: Vec<Digest>,
    /// The commitment to the recipient.
    pub(super) recipient: Option<Digest>,
    /// N: index of that record and 1.
    pub(super) cut: u64,
    /// Entries that the checkpoint covers: the cut, or more.
    pub(super) size: u64,
    pub(super) checkpoint: SignedNote,
    pub(super) root: Digest,
    /// Sizes of the checkpoints whose time stamps are in the bundle, and the newest that may be.
    pub(super) timestamps: (Vec<u64>, u64),
    /// Log indices of all records in the bundle.
    pub(super) indices: Vec<u64>,
    pub(super) streams: Vec<Stream>,
    /// Organisations whose names are disclosed.
    pub(super) orgs: BTreeSet<OrgId>,
}

impl Scope {
    /// Finds the scope of a recorded export again.
    pub(super) async fn load(app: &App, export: Digest) -> Result<Self, AppError> {
        let mut tx = app.store.read().await?;
        let row = tx.records_by_hash(&[export]).await?.pop();
        let row = row.filter(|row| row.kind == Kind::BundleExported).ok_or(AppError::NotFound("export"))?;
        let said = statement(&row.envelope)?;
        let case = said.case.ok_or(AppError::NotFound("export"))?;
        let cut = row.log_index + 1;
        let mut closure = Closure::new(case);
        closure.advance(&mut tx, cut).await?;
        let (size, root, checkpoint) = checkpoint_of(app, &mut tx, &export, cut).await?;
        let newest = tx.timestamps_for(&export).await?.unwrap_or(0);
        let sizes = tx.timestamped_sizes(size, newest).await?;
        let in_case =
            if sizes.is_empty() { Vec::new() } else { tx.indices_of(&Sequence::Case(case)).await? };
        let in_case: Vec<_> = in_case.into_iter().filter(|index| *index < cut).collect();
        drop(tx);
        let mut streams: Vec<_> = closure
            .heads
            .iter()
            .map(|(sequence, (count, head))| Stream { count: *count, head: *head, sequence: *sequence })
            .collect();
        streams.sort_by_key(|stream| stream.sequence.to_string());
        let recipient: Result<Code, _> = "recipient".parse();
        Ok(Self {
            case,
            exported: export,
            exported_at: row.received,
            exporter: said.actor,
            productions: productions(&said)?,
            recipient: recipient.ok().and_then(|name| said.fields.get(&name).copied()),
            cut,
            size,
            checkpoint,
            root,
            timestamps: (needed(&sizes, &in_case), newest),
            indices: closure.indices.into_iter().collect(),
            streams,
            orgs: closure.orgs,
        })
    }
}

fn productions(said: &Statement) -> Result<Vec<Digest>, AppError> {
    match Act::parse(said)? {
        Act::BundleExported(_, d) => Ok(d.productions.unwrap_or_default()),
        _ => Err(AppError::NotFound("export")),
    }
}

/// The checkpoint under which an export is laid out, once that is decided: size, root and note.
pub(super) async fn checkpoint_of(
    app: &App,
    tx: &mut Tx,
    export: &Digest,
    cut: u64,
) -> Result<(u64, Digest, SignedNote), AppError> {
    let cosigned = match tx.checkpoint_for(export).await? {
        Some(size @ 1..) => tx.checkpoint_of(size).await?,
        _ => None,
    };
    let size = cosigned.as_ref().map_or(cut, |row| row.size);
    let vault = tx.vault().await?.ok_or(AppError::NotFound("vault"))?;
    let now = vault.log_keys().map_err(AppError::internal("reading the log's keys"))?;
    // Another process may have replaced the log's key: then this one must not sign for what came after.
    if now.up_to(size) != app.log.up_to(size) {
        return Err(AppError::LogKeyReplaced);
    }
    let plan = Plan::root(size).map_err(AppError::internal("planning the log's root"))?;
    let root = root_of(tx, &plan).await?;
    // Ed25519 signatures are deterministic (RFC 8032): signing the same tree head again gives the note that was
    // signed when the export was committed.
    let note = cosigned.map_or_else(|| checkpoint(app, cut, root), |row| Ok(row.note))?;
    Ok((size, root, note))
}

async fn root_of(tx: &mut Tx, plan: &Plan) -> Result<Digest, AppError> {
    let path = tx.proof(plan, &mut Tiles::default()).await?;
    path.first().copied().ok_or(AppError::NotFound("log"))
}

fn checkpoint(app: &App, size: u64, root: Digest) -> Result<SignedNote, AppError> {
    let log = app.log.of_size(size);
    let key = app.keyring.log_key(log.public_key()).ok_or(AppError::LogKeyGone)?;
    let origin = Origin::new(log.name().as_str()).map_err(AppError::internal("reading the log's origin"))?;
    Checkpoint::new(origin, size, root)
        .map_err(AppError::internal("making a checkpoint"))?
        .sign(key)
        .map_err(AppError::internal("signing a checkpoint"))
}
