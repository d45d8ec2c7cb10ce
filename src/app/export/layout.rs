//! The layout of a bundle: every file with its size, digest and checksum, before the first byte is sent.

use std::collections::BTreeMap;

use custody::act::ObjectId;
use custody::blob::{Audit, Part as BlobPart};
use custody::bundle::BundleManifest;
use custody::bundle::documents::{About, HashLine, close, fixed, hash_report};
use custody::bundle::layout::{
    BUNDLE, CHECKPOINT, HASH_REPORT, Half, OPENINGS, POLICY, PROOFS, RECORDS, TIMELINE, Tally, TimestampFile,
    half_path, manifest_path, sealed_path, timestamp_path,
};
use custody::bundle::lines::emit_consistency;
use custody::bundle::manifest::{CheckpointHead, Payload};
use custody::digest::{Digest, Hasher};
use custody::id::ItemId;
use custody::policy::Policy;
use custody::rules::{Refusal, Stored};
use custody::statement::Version;
use futures_util::StreamExt as _;

use super::scope::Scope;
use super::sweep::{Exhibit, Part, Sweep};
use super::zip::{ZipEntry, ZipLayout};
use super::{App, AppError};
use crate::store::{ObjectRow, ObjectState, ProductionHalves};

/// Objects whose manifests are read at a time.
const PAGE: usize = 200;

/// Where a file's bytes come from.
#[derive(Debug)]
pub(super) enum Source {
    /// Small and here.
    Bytes(Vec<u8>),
    /// A sweep over the records.
    Lines(Part),
    /// A stored object, decrypted.
    Exhibit(ItemId, Stored),
    /// The manifest of a stored object.
    Manifest(ObjectId),
    /// A stored object as it is.
    Sealed(ObjectId),
}

/// A bundle that is laid out.
#[derive(Debug)]
pub(super) struct Laid {
    pub(super) scope: Scope,
    /// SHA-256 of `bundle.json`, which commits to all other files.
    pub(super) bundle_digest: Digest,
    /// Exhibits with content.
    pub(super) exhibits: u64,
    /// What it carries sealed to courts: proposal, and digest of the persons' half.
    pub(super) produced: Vec<(Digest, Digest)>,
    pub(super) zip: ZipLayout,
    /// In the order of the archive's entries.
    pub(super) sources: Vec<Source>,
}

impl Laid {
    pub(super) fn size(&self) -> u64 {
        self.zip.size()
    }

    pub(super) async fn new(app: &App, scope: Scope) -> Result<Self, AppError> {
        let about = about(app, &scope);
        let mut files = Files::default();
        for (path, text) in fixed(&about) {
            files.bytes(path, text.into_bytes());
        }
        let policy = Policy::of_log(about.log.present().clone()).ok_or(AppError::NotFound("log key"))?;
        files.bytes(POLICY, policy.to_bytes());
        files.bytes(CHECKPOINT, scope.checkpoint.to_string().into_bytes());
        files.timestamps(app, &scope).await?;
        let mut exhibits = files.lines(app, &scope).await?;
        files.exhibits(app, &scope, &mut exhibits).await?;
        let stored = exhibits.values().filter(|exhibit| exhibit.has_content()).count() as u64;
        let mut report: Vec<_> = exhibits.into_values().map(hash_line).collect();
        report.sort_by_key(|line| line.exhibit);
        files.bytes(HASH_REPORT, hash_report(&report).into_bytes());
        let manifest = manifest(app, &scope);
        let mut bundle_digest = Digest::ZERO;
        for (path, bytes) in close(files.tally.clone(), &about, manifest, app.vault_key()) {
            if path == BUNDLE {
                bundle_digest = Digest::of(&bytes);
            }
            files.bytes(path, bytes);
        }
        let Files { entries, sources, produced, .. } = files;
        // Ended, sealed anew or destroyed since it was asked for: the bundle would not be the one that its record promises.
        if produced.len() != scope.productions.len() {
            return Err(Refusal::NoSuchProduction.into());
        }
        let zip = ZipLayout::new(entries).map_err(AppError::internal("laying out a bundle"))?;
        Ok(Self { scope, bundle_digest, exhibits: stored, produced, zip, sources })
    }
}

#[derive(Default)]
struct Files {
    tally: Tally,
    entries: Vec<ZipEntry>,
    sources: Vec<Source>,
    produced: Vec<(Digest, Digest)>,
}

impl Files {
    fn add(&mut self, path: &str, size: u64, crc32: u32, digest: Digest, source: Source) {
        self.tally.add(path, size, digest);
        self.entries.push(ZipEntry { name: path.to_owned(), size, crc32 });
        self.sources.push(source);
    }

    fn bytes(&mut self, path: &str, bytes: Vec<u8>) {
        let (size, crc32, digest) = (bytes.len() as u64, crc32fast::hash(&bytes), Digest::of(&bytes));
        self.add(path, size, crc32, digest, Source::Bytes(bytes));
    }

    /// Time stamps, each with what it is over and the proof that the bundle's checkpoint goes on from there.
    async fn timestamps(&mut self, app: &App, scope: &Scope) -> Result<(), AppError> {
        let (sizes, newest) = &scope.timestamps;
        for size in sizes {
            let mut tx = app.store.read().await?;
            let rows = tx.timestamps_of(*size, *newest).await?;
            let Some(first) = rows.first() else { continue };
            self.bytes(&timestamp_path(*size, TimestampFile::Note), first.note.clone().into_bytes());
            if *size < scope.size {
                let proof = tx.consistency_proof(*size, scope.size).await?;
                self.bytes(&timestamp_path(*size, TimestampFile::Consistency), emit_consistency(&proof));
            }
            for row in rows {
                self.bytes(&timestamp_path(*size, TimestampFile::Token(row.authority)), row.token);
            }
        }
        Ok(())
    }

    /// Measures the four growing files in one sweep; returns the exhibits it met.
    async fn lines(&mut self, app: &App, scope: &Scope) -> Result<BTreeMap<ItemId, Exhibit>, AppError> {
        let parts = [
            (RECORDS, Part::Records),
            (OPENINGS, Part::Openings),
            (PROOFS, Part::Proofs),
            (TIMELINE, Part::Timeline),
        ];
        let mut measures: [Measure; 4] = Default::default();
        let mut sweep = Sweep::new(app, scope, None);
        while let Some(lines) = sweep.next().await? {
            for ((_, part), measure) in parts.iter().zip(&mut measures) {
                measure.update(lines.of(*part));
            }
        }
        for ((path, part), measure) in parts.into_iter().zip(measures) {
            let (size, crc32, digest) = measure.finish();
            self.add(path, size, crc32, digest, Source::Lines(part));
        }
        Ok(sweep.exhibits)
    }

    async fn exhibits(
        &mut self,
        app: &App,
        scope: &Scope,
        exhibits: &mut BTreeMap<ItemId, Exhibit>,
    ) -> Result<(), AppError> {
        let with_content = exhibits.iter_mut().filter_map(|(item, exhibit)| {
            let stored = exhibit.stored?;
            Some((item, exhibit, stored))
        });
        let mut stored: Vec<_> = with_content.collect();
        stored.sort_by_key(|(_, exhibit, _)| exhibit.number);
        for page in stored.chunks_mut(PAGE) {
            let ids: Vec<_> = page.iter().map(|(_, _, stored)| stored.object).collect();
            let rows = app.store.read().await?.objects(&ids).await?;
            let rows: BTreeMap<_, _> = rows.into_iter().map(|row| (row.object, row)).collect();
            for (item, exhibit, stored) in page {
                let row = rows.get(&stored.object).ok_or(AppError::NotFound("object"))?;
                let facts = app.manifest(row, stored.manifest)?;
                // Also what was destroyed or sealed to persons after the bundle was cut, or destroyed in a database that was
                // restored from before.
                exhibit.disposed |= row.state == ObjectState::Shredded;
                exhibit.restricted |= row.halved;
                if exhibit.has_content() {
                    let (size, digest) = (stored.content.size, stored.content.digest);
                    self.add(&exhibit.path, size, facts.crc32, digest, Source::Exhibit(**item, *stored));
                }
                self.sealed(app, scope, exhibit, (row, facts.parts)).await?;
                let (size, crc32) = (row.manifest.len() as u64, crc32fast::hash(&row.manifest));
                let path = manifest_path(&stored.object);
                self.add(&path, size, crc32, Digest::of(&row.manifest), Source::Manifest(stored.object));
            }
        }
        Ok(())
    }
}

impl Files {
    /// Restricted content that this bundle carries sealed to courts: ciphertext, and both halves of its key.
    async fn sealed(
        &mut self,
        app: &App,
        scope: &Scope,
        exhibit: &Exhibit,
        (row, parts): (&ObjectRow, Vec<BlobPart>),
    ) -> Result<(), AppError> {
        if exhibit.disposed {
            return Ok(());
        }
        let mut halves = Vec::new();
        for (proposal, digest) in exhibit.produced.iter().filter(|(name, _)| scope.productions.contains(name))
        {
            if let Some(kept) = app.store.read().await?.production_halves(proposal, digest).await? {
                self.produced.push((*proposal, *digest));
                halves.push(kept);
            }
        }
        if halves.is_empty() {
            return Ok(());
        }
        let (mut measure, mut audit) = (Measure::default(), Audit::new(parts));
        let stream = app.blobs.ciphertext(row.object).await;
        let mut stream = std::pin::pin!(stream.map_err(AppError::internal("opening an object"))?);
        while let Some(chunk) = stream.next().await {
            let chunk = chunk.map_err(AppError::internal("reading an object"))?;
            measure.update(&chunk);
            audit.push(&chunk);
        }
        if !audit.finish().is_clean() {
            return Err(AppError::internal("reading an object")("it is not what its manifest describes"));
        }
        let (size, crc32, digest) = measure.finish();
        self.add(&sealed_path(exhibit.number), size, crc32, digest, Source::Sealed(row.object));
        for ProductionHalves { proposal, persons, vault, .. } in halves {
            self.bytes(&half_path(exhibit.number, &proposal, Half::Persons), persons);
            self.bytes(&half_path(exhibit.number, &proposal, Half::Vault), vault);
        }
        Ok(())
    }
}

/// Size, checksum and digest of bytes that are made and forgotten.
#[derive(Default)]
struct Measure {
    size: u64,
    crc32: crc32fast::Hasher,
    digest: Hasher,
}

impl Measure {
    fn update(&mut self, bytes: &[u8]) {
        self.size += bytes.len() as u64;
        self.crc32.update(bytes);
        self.digest.update(bytes);
    }

    fn finish(self) -> (u64, u32, Digest) {
        (self.size, self.crc32.finalize(), self.digest.finish())
    }
}

fn about(app: &App, scope: &Scope) -> About {
    About {
        vault: app.vault,
        vault_key: app.identity.key,
        log: app.log.up_to(scope.size),
        scope: custody::bundle::manifest::Scope { case: scope.case },
        exported: scope.exported,
        exported_at: scope.exported_at,
        timestamps: !scope.timestamps.0.is_empty(),
    }
}

fn manifest(app: &App, scope: &Scope) -> BundleManifest {
    BundleManifest {
        checkpoint: CheckpointHead { root: scope.root, size: scope.size },
        cut: scope.cut,
        exported: scope.exported,
        exporter: scope.exporter,
        manifest: Digest::ZERO,
        payload: Payload { bytes: 0, files: 0 },
        recipient: scope.recipient,
        scope: custody::bundle::manifest::Scope { case: scope.case },
        streams: scope.streams.clone(),
        v: Version,
        vault: app.vault,
    }
}

fn hash_line(exhibit: Exhibit) -> HashLine {
    let content = exhibit.stored.map(|stored| stored.content).or(exhibit.claimed);
    HashLine {
        exhibit: exhibit.number,
        digest: content.map(|content| content.digest),
        size: content.map_or(0, |content| content.size),
        path: exhibit.has_content().then_some(exhibit.path),
        unseen: content.is_some_and(|content| content.checked_by == custody::statement::CheckedBy::None),
    }
}
