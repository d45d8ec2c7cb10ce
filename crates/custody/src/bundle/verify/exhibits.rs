//! Exhibits against their records, and the files that follow from the records.

use std::collections::{BTreeMap, BTreeSet};

use ed25519_dalek::VerifyingKey;

use super::records::Replay;
use super::{Bag, Identity, Notes};
use crate::act::{Act, Class, DisposalStep, ObjectId, Subject};
use crate::blob::VaultId;
use crate::bundle::documents::{self, About, HashLine};
use crate::bundle::findings::Code;
use crate::bundle::layout::{
    BAG_INFO, FIELD_FILE_NAME, HASH_REPORT, RECORDS, TIMELINE, exhibit_label, exhibit_path, manifest_path,
    sealed_path,
};
use crate::bundle::read::{Files, ReadError};
use crate::bundle::report::CaseAbout;
use crate::bundle::timeline::{self, Row, Timeline};
use crate::commitment::FieldOpening;
use crate::digest::{Digest, Hasher};
use crate::envelope::{EnvelopeError, PayloadType};
use crate::id::{ItemId, PersonId};
use crate::kind::Kind;
use crate::manifest::{self, ManifestError};
use crate::rules::State;
use crate::statement::{CheckedBy, Content, Statement};

/// What the records say about each exhibit, and the timeline as it is made again.
#[derive(Debug)]
pub(super) struct Exhibits {
    all: BTreeMap<u32, Exhibit>,
    timeline: Timeline,
    table: Hasher,
}

#[derive(Debug)]
struct Exhibit {
    name: Option<String>,
    class: Class,
    claimed: Option<Content>,
    stored: Option<Stored>,
    /// Who registered it.
    sender: Option<PersonId>,
    /// Who else opened it and found what is on record.
    confirmed: BTreeSet<PersonId>,
    /// Whether a record says that its content was destroyed.
    disposed: bool,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Stored {
    pub(super) content: Content,
    item: ItemId,
    pub(super) object: ObjectId,
    pub(super) manifest: Digest,
}

impl Default for Exhibits {
    fn default() -> Self {
        let mut table = Hasher::new();
        table.update(timeline::HEADER.as_bytes());
        Self { all: BTreeMap::new(), timeline: Timeline::default(), table }
    }
}

impl Exhibits {
    /// A disclosed name.
    pub(super) fn name(&self, person: Option<PersonId>) -> String {
        self.timeline.name(person)
    }

    /// The content that an exhibit has on record.
    pub(super) fn stored(&self, exhibit: u32) -> Option<&Stored> {
        self.all.get(&exhibit)?.stored.as_ref()
    }

    /// Where its content stands, or would stand, in a bundle.
    pub(super) fn path(&self, exhibit: u32) -> String {
        exhibit_path(exhibit, self.all.get(&exhibit).and_then(|exhibit| exhibit.name.as_deref()))
    }

    /// Adds a row to the timeline.
    pub(super) fn row(&mut self, row: &Row<'_>) {
        self.table.update(self.timeline.row(row).as_bytes());
    }

    /// Takes in an act, after it was carried into the state.
    pub(super) fn learn(
        &mut self,
        statement: &Statement,
        act: &Act,
        openings: &[FieldOpening],
        state: &State,
        notes: &mut Notes,
    ) {
        self.timeline.learn(statement, openings);
        if statement.case == notes.facts.case {
            CaseAbout::learn(&mut notes.facts.case_about, act, openings);
        }
        let number = |item| state.items.get(item).map(|item| item.exhibit);
        match act {
            Act::ItemRegistered(_, item, d, claimed) => {
                let name = openings.iter().find(|opening| opening.name.as_str() == FIELD_FILE_NAME);
                let exhibit = Exhibit {
                    name: name.map(|opening| opening.value.clone()),
                    class: d.class,
                    claimed: *claimed,
                    stored: None,
                    sender: statement.actor.person(),
                    confirmed: BTreeSet::new(),
                    disposed: false,
                };
                number(item).map(|number| self.all.entry(number).or_insert(exhibit));
            }
            Act::ItemClassified(_, item, d) => {
                number(item).and_then(|n| self.all.get_mut(&n)).into_iter().for_each(|e| e.class = d.class);
            }
            Act::ContentReceived(_, item, d, content) => {
                if let Some(exhibit) = number(item).and_then(|number| self.all.get_mut(&number)) {
                    let (content, item) = (*content, *item);
                    exhibit.stored = Some(Stored { content, item, object: d.object, manifest: d.manifest });
                }
            }
            Act::Disposal(Subject::Item(_, item), DisposalStep::Executed(_)) => {
                if let Some(exhibit) = number(item).and_then(|number| self.all.get_mut(&number)) {
                    exhibit.disposed = true;
                }
            }
            Act::Transfer(_, step, items) => notes.facts.transfers.count(step, items.len() as u64),
            Act::AccessBreakGlass(..) => {
                notes.facts.emergencies += 1;
                notes.facts.unreviewed += 1;
            }
            Act::AccessReviewed(..) => {
                notes.facts.unreviewed = notes.facts.unreviewed.saturating_sub(1);
            }
            Act::Fixity(_, item, d, _) => {
                let by_person = statement.actor.person().filter(|_| d.grant.is_some());
                match (by_person, statement.kind) {
                    (None, Kind::FixityFailed) => notes.facts.fixity_failures += 1,
                    (Some(_), Kind::FixityFailed) => notes.facts.found_otherwise += 1,
                    (Some(person), _) => {
                        let exhibit = number(item).and_then(|number| self.all.get_mut(&number));
                        exhibit
                            .filter(|e| e.sender != Some(person))
                            .into_iter()
                            .for_each(|e| e.confirmed.extend([person]));
                    }
                    (None, _) => {}
                }
            }
            _ => {}
        }
    }

    /// Compares everything below `data/` and every derived file with what the records say.
    pub(super) fn check(
        self,
        files: &mut dyn Files,
        bag: &Bag,
        identity: &Identity,
        replay: &Replay<'_>,
        notes: &mut Notes,
    ) -> Result<(), ReadError> {
        notes.facts.signers = replay.rules.signers(&identity.vault_key, &self);
        notes.facts.custodians = replay.rules.custodians(&self);
        notes.facts.carriage = replay.rules.carriage(&self);
        notes.facts.derived = replay.rules.derived(&self);
        notes.facts.resealed = replay.rules.sealed.report(&self);
        notes.facts.holds = replay.rules.holds();
        notes.facts.disposals = replay.rules.disposals(&self);
        notes.facts.exhibits = self.all.len() as u64;
        let mut accounted = replay.rules.check_produced(files, bag, identity, &self, notes)?;
        let mut report = Vec::new();
        for (number, exhibit) in &self.all {
            let path = exhibit.check_content(*number, bag, replay.broken, notes);
            if let Some(stored) = &exhibit.stored {
                let manifest = manifest_path(&stored.object);
                check_object(files, bag, identity, &manifest, stored, notes)?;
                accounted.insert(manifest);
            }
            accounted.extend(path.clone());
            report.push(exhibit.hash_line(*number, path));
        }
        if replay.broken {
            notes.skip(
                "after the first unreadable or missing record: rules, derived files, files without a record",
            );
            return Ok(());
        }
        for path in bag.payload_paths().filter(|path| !accounted.contains(*path)) {
            notes.find(Code::Extra, path, None, "no record accounts for this file");
        }
        compare(bag, TIMELINE, self.table.finish(), notes);
        compare(bag, HASH_REPORT, Digest::of(documents::hash_report(&report).as_bytes()), notes);
        if let Some(exported_at) = notes.facts.exported_at {
            check_fixed(bag, identity, exported_at, notes);
        }
        Ok(())
    }
}

impl Exhibit {
    /// Whether the exhibit's file is what was received; its path if it is in the bundle.
    fn check_content(&self, number: u32, bag: &Bag, broken: bool, notes: &mut Notes) -> Option<String> {
        let label = exhibit_label(number);
        let Some(Stored { content, .. }) = &self.stored else {
            if self.claimed.is_some() || self.class == Class::HashOnly {
                let detail = format!("{label}: its digest was computed by the person alone");
                notes.find(Code::NotVaultVerified, RECORDS, None, detail);
            }
            return None;
        };
        if content.checked_by == CheckedBy::None {
            let others = match self.confirmed.len() {
                0 => "nobody else has said that they opened it and found that".to_owned(),
                1 => "1 other person says that they opened it and found that".to_owned(),
                n => format!("{n} other persons say that they opened it and found that"),
            };
            let detail = format!(
                "{label}: sealed by its sender; the vault never saw it, and its digest is theirs; {others}"
            );
            notes.find(Code::NotVaultVerified, RECORDS, None, detail);
        }
        let path = exhibit_path(number, self.name.as_deref());
        if self.disposed {
            notes.find(Code::Disposed, &path, None, format!("{label}: its content was destroyed"));
            return None;
        }
        if self.class == Class::Restricted {
            if bag.size(&sealed_path(number)).is_some() {
                return None;
            }
            let detail = format!("{label}: restricted; its content is sealed to persons and in no bundle");
            notes.find(Code::NotDisclosed, RECORDS, None, detail);
            return None;
        }
        // Where records are missing, numbers and names may be wrong: absence says nothing.
        if bag.lacks(&path) || (broken && bag.size(&path).is_none()) {
            return Some(path);
        }
        let Some(size) = bag.size(&path) else {
            notes.find(
                Code::NotDisclosed,
                &path,
                None,
                format!("{label}: its content is not in this bundle"),
            );
            return None;
        };
        if bag.digest(&path) == Some(content.digest) && size == content.size {
            notes.facts.exhibits_matched += 1;
        } else {
            notes.find(Code::Changed, &path, None, format!("{label}: it is not what the vault received"));
        }
        Some(path)
    }

    fn hash_line(&self, exhibit: u32, path: Option<String>) -> HashLine {
        let content = self.stored.map(|stored| stored.content).or(self.claimed);
        HashLine {
            exhibit,
            digest: content.map(|content| content.digest),
            size: content.map_or(0, |content| content.size),
            path,
            unseen: content.is_some_and(|content| content.checked_by == CheckedBy::None),
        }
    }
}

/// An object manifest: the one that the record names, signed by the vault.
fn check_object(
    files: &mut dyn Files,
    bag: &Bag,
    identity: &Identity,
    path: &str,
    stored: &Stored,
    notes: &mut Notes,
) -> Result<(), ReadError> {
    let limit = PayloadType::Manifest.max_envelope_bytes();
    if bag.lacks(path) {
        return Ok(());
    }
    if bag.size(path).is_none() {
        notes.find(Code::Missing, path, None, "the manifest of a stored object is absent");
        return Ok(());
    }
    let Some(bytes) = bag.whole(files, path, limit, notes)? else { return Ok(()) };
    if Digest::of(&bytes) != stored.manifest {
        notes.find(Code::Changed, path, None, "it is not the manifest that its record names");
        return Ok(());
    }
    let Ok(key) = VerifyingKey::from_bytes(identity.vault_key.as_bytes()) else { return Ok(()) };
    match manifest::verify(&bytes, &key) {
        Ok(facts) => {
            let context = facts.header.context();
            let here = context.item == stored.item
                && context.vault == VaultId::of(&identity.vault)
                && context.object.as_bytes() == stored.object.as_bytes();
            let unseen = stored.content.checked_by == CheckedBy::None;
            let same = (facts.sha256, facts.content_size, facts.by_sender)
                == (stored.content.digest, stored.content.size, unseen);
            if !here || !same {
                notes.find(
                    Code::Changed,
                    path,
                    None,
                    "it describes another object or content than its record",
                );
            }
        }
        Err(ManifestError::Envelope(EnvelopeError::BadSignature { .. })) => {
            notes.find(Code::BadSignature, path, None, "it is not signed by the vault's key");
        }
        // The record names exactly these bytes: the vault itself wrote a manifest that is none.
        Err(error) => notes.find(Code::RuleBroken, path, None, error.to_string()),
    }
    Ok(())
}

/// Files that say nothing of their own: the same bytes come out when they are made again.
fn check_fixed(bag: &Bag, identity: &Identity, exported_at: crate::time::Timestamp, notes: &mut Notes) {
    let about = About {
        vault: identity.vault,
        vault_key: identity.vault_key,
        log: identity.logs.clone(),
        scope: identity.manifest.scope,
        exported: identity.manifest.exported,
        exported_at,
        timestamps: bag.timestamp_files().next().is_some(),
    };
    for (path, text) in documents::fixed(&about) {
        compare(bag, path, Digest::of(text.as_bytes()), notes);
    }
    if !bag.is_complete() {
        return;
    }
    compare(bag, BAG_INFO, Digest::of(documents::bag_info(&about, bag.payload).as_bytes()), notes);
}

fn compare(bag: &Bag, path: &str, expected: Digest, notes: &mut Notes) {
    // An absent file has been found already.
    if bag.digest(path).is_some_and(|digest| digest != expected) {
        notes.find(Code::Changed, path, None, "it does not say what the records say");
    }
}
