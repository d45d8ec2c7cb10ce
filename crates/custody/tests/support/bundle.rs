//! Exports bundles, honest ones and others.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::thread;

use custody::act::{Act, BundleExported, ObjectId, PublicKey};
use custody::aead::Portable;
use custody::blob::{BlobContext, BlobStream, BlobWriter, SegmentsPerPart, VaultId};
use custody::bundle::checks::{Batch, Checked, Checker, Here, Lost};
use custody::bundle::documents::{self, About, HashLine};
use custody::bundle::layout::{TimestampFile, timestamp_path};
use custody::bundle::lines::{EnvelopeMember, OpeningLine, ProofLine, RecordLine, emit_consistency};
use custody::bundle::manifest::{BundleManifest, CheckpointHead, Payload, Scope, Stream};
use custody::bundle::timeline::{self, Row, Timeline};
use custody::bundle::{self, FileEntry, Listing, PublicEntries, ReadError, Report, Trust, closure, layout};
use custody::checkpoint::Checkpoint;
use custody::digest::Digest;
use custody::id::{CaseId, ItemId, PersonId};
use custody::keys::{DataKey, Key32};
use custody::kind::Kind;
use custody::manifest;
use custody::merkle::{Node, Plan, ProofError, subtree_root};
use custody::receipt::Receipt;
use custody::record::{Built, ENTRY_BYTES, NextOpening, Record, Sequence, heads_digest};
use custody::rules::places;

use super::{By, Said, Vault, authority, draft};

pub type Files = BTreeMap<String, Vec<u8>>;

pub type Omit<'a> = &'a dyn Fn(&Said, &Built) -> bool;

/// Makes a time stamp over these bytes.
pub type Stamp<'a> = &'a dyn Fn(&[u8]) -> Vec<u8>;

/// What an exporter may keep back, and what a lying one leaves out.
#[derive(Default)]
pub struct Options<'a> {
    /// Leaves records out, from the heads it commits to as well.
    pub omit: Option<Omit<'a>>,
    pub withhold: Vec<Kind>,
    pub hide_fields: bool,
    pub hide_contents: Vec<ItemId>,
    /// What it says that it carries sealed to courts.
    pub productions: Vec<Digest>,
    /// Takes a last token over the checkpoint of the bundle.
    pub stamp: Option<Stamp<'a>>,
}

/// A bundle with what is needed to sign it again.
#[derive(Clone)]
pub struct Exported {
    pub files: Files,
    pub about: About,
    pub manifest: BundleManifest,
    pub vault: Vault,
}

/// The manifest of a content, sealed and thrown away.
pub fn object_manifest(vault: &Vault, item: ItemId, object: ObjectId, bytes: &[u8]) -> Vec<u8> {
    sealed_object(vault, item, object, bytes).0
}

/// A content as it is stored, with its manifest. The key is 32 times 1.
pub fn sealed_object(vault: &Vault, item: ItemId, object: ObjectId, bytes: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let context = BlobContext { object, vault: VaultId::of(&vault.id()), item, version: 1 };
    let mut random = |bytes: &mut [u8]| bytes.fill(7);
    let parts = SegmentsPerPart::for_content(Some(bytes.len() as u64));
    let key = DataKey::new(Key32::new([1; 32]));
    let writer = BlobWriter::<Portable>::start(context, parts, &key, &mut random).unwrap();
    let (mut stream, mut stored) = (BlobStream::new(writer), Vec::new());
    stream.push(bytes, &mut random, &mut |sealed: &[u8]| stored.extend_from_slice(sealed)).unwrap();
    let facts = stream.finish(&mut random, &mut |sealed: &[u8]| stored.extend_from_slice(sealed)).unwrap();
    (manifest::sign(&facts, &vault.key), stored)
}

/// Exports a case.
pub fn export(vault: &mut Vault, by: By<'_>, case: CaseId, options: &Options<'_>) -> Exported {
    let kept = |said: &Said, built: &Built| !options.omit.is_some_and(|omit| omit(said, built));
    let exporter = match by {
        By::Own(person) | By::Forged(person, _) => person.id,
        By::OnBehalf(person) => person,
        By::Vault | By::Keys(_) => panic!("the vault exports nothing"),
    };
    let persons = closure_of(vault, case, exporter);
    let in_scope = |record: &Record| {
        record.sequences().any(|sequence| match sequence {
            Sequence::Vault => true,
            Sequence::Case(id) => id == case,
            Sequence::Person(person) => persons.contains(&person),
            _ => false,
        })
    };
    let heads = heads(vault, |said, built| in_scope(&built.record) && kept(said, built));
    let data = BundleExported {
        productions: (!options.productions.is_empty()).then(|| options.productions.clone()),
        heads: heads_digest(heads.iter().map(|(sequence, (seq, hash))| (sequence, *seq, hash))),
        sequences: heads.len() as u64,
    };
    let mut d = draft(Kind::BundleExported, data.to_data());
    (d.case, d.purpose) = (Some(case), Some("prosecution"));
    d.fields.push(("recipient", "High Court, Room 3".to_owned()));
    let record = vault.say(by, d);
    if let Some(authority) = options.stamp {
        vault.stamp_unnoted(authority);
    }
    let selected: Vec<(&Said, &Built)> =
        vault.records().filter(|(said, built)| in_scope(&built.record) && kept(said, built)).collect();
    assemble(vault, &selected, case, record, options)
}

fn assemble(
    vault: &Vault,
    selected: &[(&Said, &Built)],
    case: CaseId,
    exported: Digest,
    options: &Options<'_>,
) -> Exported {
    let (said, last) = selected[selected.len() - 1];
    assert_eq!(last.hash, exported);
    let about = About {
        vault: vault.id(),
        vault_key: PublicKey::new(vault.key.verifying_key().to_bytes()),
        log: vault.log_keys().up_to(vault.size()),
        scope: Scope { case },
        exported,
        exported_at: last.record.received,
        timestamps: !vault.stamps.is_empty(),
    };
    let mut files = Files::new();
    let names = write_custody(vault, selected, options, &mut files);
    write_stamps(vault, &mut files);
    let report = write_exhibits(vault, case, options, &names, &mut files);
    files.insert(layout::HASH_REPORT.to_owned(), documents::hash_report(&report).into_bytes());
    let note = vault.checkpoint();
    files.insert(layout::CHECKPOINT.to_owned(), note.to_string().into_bytes());
    let policy = format!("log {}\nquorum none\n", vault.log_vkey());
    files.insert(layout::POLICY.to_owned(), policy.into_bytes());
    files.extend(
        documents::fixed(&about).into_iter().map(|(path, text)| (path.to_owned(), text.into_bytes())),
    );
    let checkpoint = Checkpoint::open(&note, &vault.log_vkey()).unwrap();
    let heads = heads_of(selected);
    let described = BundleManifest {
        checkpoint: CheckpointHead { root: *checkpoint.root(), size: checkpoint.size() },
        cut: last.record.log_index + 1,
        exported,
        exporter: said.statement.actor,
        manifest: Digest::ZERO,
        payload: Payload { bytes: 0, files: 0 },
        recipient: said.statement.fields.get(&"recipient".parse().unwrap()).copied(),
        scope: Scope { case },
        streams: heads
            .into_iter()
            .map(|(sequence, (count, head))| (sequence.to_string(), Stream { count, head, sequence }))
            .collect::<BTreeMap<_, _>>()
            .into_values()
            .collect(),
        v: custody::statement::Version,
        vault: vault.id(),
    };
    let mut exported = Exported { files, about, manifest: described, vault: vault.clone() };
    exported.reseal();
    exported
}

impl Exported {
    /// Makes manifests, bundle.json and signatures again, for the files as they are: what the vault's operator can do
    /// after any change.
    pub fn reseal(&mut self) {
        for path in [
            layout::BAG_INFO,
            layout::MANIFEST,
            layout::BUNDLE,
            layout::TAG_MANIFEST,
            layout::TAG_MANIFEST_SIG,
        ] {
            self.files.remove(path);
        }
        let mut tally = layout::Tally::default();
        for (path, bytes) in &self.files {
            tally.add(path, bytes.len() as u64, Digest::of(bytes));
        }
        let closing = documents::close(tally, &self.about, self.manifest.clone(), &self.vault.key);
        self.files.extend(closing.into_iter().map(|(path, bytes)| (path.to_owned(), bytes)));
    }

    /// Makes all proofs again for the records as they are.
    pub fn reproof(&mut self, vault: &Vault) {
        let indices: Vec<_> = self.record_lines().iter().map(|line| line.index).collect();
        self.files.insert(layout::PROOFS.to_owned(), proofs(vault, indices.into_iter()));
    }

    pub fn verify(&self) -> Report {
        self.verify_with(&Trust::default(), None, &[])
    }

    pub fn verify_with(
        &self,
        trust: &Trust,
        entries: Option<&[[u8; ENTRY_BYTES]]>,
        receipts: &[Receipt],
    ) -> Report {
        self.verify_by_mirror(trust, entries, &[], receipts)
    }

    /// The same, with what a mirror says of the log's keys.
    pub fn verify_by_mirror(
        &self,
        trust: &Trust,
        entries: Option<&[[u8; ENTRY_BYTES]]>,
        keys: &[Receipt],
        receipts: &[Receipt],
    ) -> Report {
        let verify = |checker: &mut dyn Checker| {
            let mut source = Source(entries.unwrap_or_default().iter().copied());
            let public =
                entries.is_some().then_some(PublicEntries { entries: &mut source, checkpoint: None, keys });
            bundle::verify_by(checker, &mut Memory::new(&self.files), trust, public, receipts).unwrap()
        };
        let report = verify(&mut Here);
        // Whoever checks the signatures, and whenever: the report is the same.
        assert_eq!(verify(&mut Late::default()), report);
        report
    }

    /// Pinned by fingerprint, with the vault's public entries as they are now.
    pub fn audit(&self, vault: &Vault) -> Report {
        let timestamps = Some(authority::trusted());
        let trust = Trust { fingerprint: Some(vault.id()), policy: None, timestamps };
        self.verify_with(&trust, Some(&vault.entries()), &[])
    }

    pub fn lines(&self, path: &str) -> Vec<String> {
        String::from_utf8(self.files[path].clone()).unwrap().lines().map(ToOwned::to_owned).collect()
    }

    pub fn set_lines(&mut self, path: &str, lines: &[String]) {
        self.files.insert(
            path.to_owned(),
            (lines.join(
                "
",
            ) + "
")
            .into(),
        );
    }

    /// Changes one record's line.
    pub fn edit_record(&mut self, at: usize, edit: impl FnOnce(&mut RecordLine)) {
        let mut lines = self.lines(layout::RECORDS);
        let mut line = RecordLine::parse(lines[at].as_bytes()).unwrap();
        edit(&mut line);
        String::from_utf8(line.emit()).unwrap().trim_end().clone_into(&mut lines[at]);
        self.set_lines(layout::RECORDS, &lines);
    }

    pub fn record_lines(&self) -> Vec<RecordLine> {
        self.lines(layout::RECORDS).iter().map(|line| RecordLine::parse(line.as_bytes()).unwrap()).collect()
    }

    /// The first path that starts so.
    pub fn path(&self, prefix: &str) -> String {
        self.files.keys().find(|path| path.starts_with(prefix)).unwrap().clone()
    }
}

/// Proofs for these indices in a vault's present tree.
fn proofs(vault: &Vault, indices: impl Iterator<Item = u64>) -> Vec<u8> {
    let leaves = vault.leaves();
    let (mut previous, mut lines) = (None, Vec::new());
    for index in indices {
        let plan = Plan::shared(previous.replace(index), index, leaves.len() as u64).unwrap();
        let path = plan.read(&mut |node| subtree(&leaves, node)).unwrap();
        lines.extend(ProofLine { index, path }.emit());
    }
    lines
}

/// All tokens, with what they are over and proofs that the present checkpoint goes on from it.
fn write_stamps(vault: &Vault, files: &mut Files) {
    let leaves = vault.leaves();
    for (size, stamp) in &vault.stamps {
        files.insert(timestamp_path(*size, TimestampFile::Note), stamp.note.clone());
        for (number, token) in (1..).zip(&stamp.tokens) {
            files.insert(timestamp_path(*size, TimestampFile::Token(number)), token.clone());
        }
        if *size < vault.size() {
            let plan = Plan::consistency(*size, vault.size()).unwrap();
            let proof = plan.read(&mut |node| subtree(&leaves, node)).unwrap();
            files.insert(timestamp_path(*size, TimestampFile::Consistency), emit_consistency(&proof));
        }
    }
}

#[expect(clippy::unnecessary_wraps, reason = "readers of nodes may fail")]
fn subtree(leaves: &[Digest], node: Node) -> Result<Digest, ProofError> {
    let range = node.leaves();
    let at = |n: u64| usize::try_from(n).unwrap();
    Ok(subtree_root(&leaves[at(range.start)..at(range.end)]))
}

fn closure_of(vault: &Vault, case: CaseId, exporter: PersonId) -> BTreeSet<PersonId> {
    let mut persons = BTreeSet::from([exporter]);
    loop {
        let before = persons.len();
        for said in &vault.said {
            let here = places(&said.statement, &said.act).into_iter().any(|(own, of_case)| {
                let sequences = own.into_iter().chain(of_case);
                sequences.into_iter().any(|sequence| match sequence {
                    Sequence::Vault => true,
                    Sequence::Case(id) => id == case,
                    Sequence::Person(person) => persons.contains(&person),
                    _ => false,
                })
            });
            if here {
                persons.extend(closure::persons(&said.statement, &said.act));
            }
        }
        if persons.len() == before {
            return persons;
        }
    }
}

fn heads(vault: &Vault, select: impl Fn(&Said, &Built) -> bool) -> BTreeMap<Sequence, (u64, Digest)> {
    heads_of(&vault.records().filter(|(said, built)| select(said, built)).collect::<Vec<_>>())
}

fn heads_of(selected: &[(&Said, &Built)]) -> BTreeMap<Sequence, (u64, Digest)> {
    let mut heads = BTreeMap::new();
    for (_, built) in selected {
        heads.extend(built.record.links().map(|link| (link.sequence, (link.seq, built.hash))));
    }
    heads
}

/// Records, openings, proofs, timeline; the disclosed names of exhibits.
fn write_custody(
    vault: &Vault,
    selected: &[(&Said, &Built)],
    options: &Options<'_>,
    files: &mut Files,
) -> BTreeMap<ItemId, String> {
    let (mut records, mut openings) = (Vec::new(), Vec::new());
    let (mut timeline, mut table) = (Timeline::default(), timeline::HEADER.to_owned());
    let mut names = BTreeMap::new();
    let mut previous_stmt = None;
    for (said, built) in selected {
        let index = built.record.log_index;
        let withheld = options.withhold.contains(&said.statement.kind);
        let above = previous_stmt.replace(built.record.stmt) == Some(built.record.stmt);
        let next = |link: Option<&custody::record::Link>| -> Option<NextOpening> {
            let sequence = link?.sequence;
            built.heads.iter().find(|(found, _)| *found == sequence).map(|(_, head)| head.next)
        };
        let line = RecordLine {
            index,
            record: built.bytes.clone(),
            envelope: match (withheld, above) {
                (true, _) => EnvelopeMember::Withheld,
                (_, true) => EnvelopeMember::Above,
                _ => EnvelopeMember::Here(said.envelope.clone()),
            },
            salt: built.salt,
            entry: built.entry,
            own: next(built.record.own.as_ref()),
            case: next(built.record.case.as_ref()),
        };
        records.extend(line.emit());
        if !above && !withheld && !options.hide_fields {
            timeline.learn(&said.statement, &said.openings);
            let mut opened = said.openings.clone();
            opened.sort_by(|a, b| a.name.cmp(&b.name));
            for opening in opened {
                if let (Act::ItemRegistered(_, item, ..), "file-name") = (&said.act, opening.name.as_str()) {
                    names.insert(*item, opening.value.clone());
                }
                let (name, salt, value) = (opening.name, opening.salt, opening.value);
                openings.extend(OpeningLine { name, salt, stmt: built.record.stmt, value }.emit());
            }
        }
        let exhibit = said.statement.item_refs().first().map(|_| ()).and(built.record.own).and_then(|link| {
            let Sequence::Item(item) = link.sequence else { return None };
            Some(vault.state.items.get(&item)?.exhibit)
        });
        let said = (!withheld).then_some((&said.statement, &said.act));
        table += &timeline.row(&Row { record: &built.record, hash: &built.hash, said, exhibit });
    }
    files.insert(layout::RECORDS.to_owned(), records);
    files.insert(layout::OPENINGS.to_owned(), openings);
    let indices = selected.iter().map(|(_, built)| built.record.log_index);
    files.insert(layout::PROOFS.to_owned(), proofs(vault, indices));
    files.insert(layout::TIMELINE.to_owned(), table.into_bytes());
    names
}

fn write_exhibits(
    vault: &Vault,
    case: CaseId,
    options: &Options<'_>,
    names: &BTreeMap<ItemId, String>,
    files: &mut Files,
) -> Vec<HashLine> {
    let mut items: Vec<_> = vault.state.items.iter().filter(|(_, item)| item.case == case).collect();
    items.sort_by_key(|(_, item)| item.exhibit);
    let mut report = Vec::new();
    for (id, item) in items {
        let mut path = None;
        if let Some(stored) = item.stored {
            files.insert(layout::manifest_path(&stored.object), vault.manifests[&stored.object].clone());
            if !options.hide_contents.contains(id) && !item.disposed && item.sealing.is_none() {
                let place = layout::exhibit_path(item.exhibit, names.get(id).map(String::as_str));
                files.insert(place.clone(), vault.contents[&stored.object].clone());
                path = Some(place);
            }
        }
        let content = item.stored.map(|stored| stored.content).or(item.claimed);
        report.push(HashLine {
            exhibit: item.exhibit,
            digest: content.map(|content| content.digest),
            size: content.map_or(0, |content| content.size),
            path,
            unseen: content.is_some_and(|content| content.checked_by == custody::statement::CheckedBy::None),
        });
    }
    report
}

/// Files in memory.
pub struct Memory<'a>(Vec<(&'a String, &'a Vec<u8>)>);

impl<'a> Memory<'a> {
    pub fn new(files: &'a Files) -> Self {
        Self(files.iter().collect())
    }
}

impl bundle::Files for Memory<'_> {
    fn list(&mut self) -> Result<Listing, ReadError> {
        let entry = |(name, bytes): &(&String, &Vec<u8>)| FileEntry {
            name: (*name).clone(),
            size: bytes.len() as u64,
        };
        Ok(Listing { files: self.0.iter().map(entry).collect(), problems: Vec::new() })
    }

    fn read_at(&mut self, file: usize, offset: u64, buffer: &mut [u8]) -> Result<usize, ReadError> {
        let rest = self.0[file].1.get(usize::try_from(offset).unwrap()..).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }
}

/// Checks as late as it can, the newest batch first, each on a thread of its own.
#[derive(Default)]
pub struct Late {
    waiting: VecDeque<Batch>,
    done: VecDeque<Checked>,
}

impl Checker for Late {
    fn push(&mut self, batch: Batch) -> Result<Option<Checked>, Lost> {
        self.waiting.push_back(batch);
        if self.waiting.len() > 4 { self.pop() } else { Ok(None) }
    }

    fn pop(&mut self) -> Result<Option<Checked>, Lost> {
        if self.done.is_empty() {
            for batch in self.waiting.drain(..).rev() {
                self.done.push_front(thread::spawn(|| batch.check()).join().unwrap());
            }
        }
        Ok(self.done.pop_front())
    }
}

/// Entries in memory.
pub struct Source<I>(pub I);

impl<I: Iterator<Item = [u8; ENTRY_BYTES]>> bundle::Entries for Source<I> {
    fn next_entry(&mut self) -> Result<Option<[u8; ENTRY_BYTES]>, ReadError> {
        Ok(self.0.next())
    }
}
