//! Every record against its place: order, chain, tags, openings, tree, time, scope.

use core::cmp::Ordering;
use std::collections::{BTreeSet, HashMap};

use super::entries::{Column, TagRow};
use super::exhibits::Exhibits;
use super::next::{next_line, next_proof};
use super::receipts::Receipts;
use super::recoveries::Recoveries;
use super::statements::{Group, Member, Rules};
use super::timestamps::{TOLERANCE_MS, Timestamps};
use super::{Bag, Identity, Notes, VerifyError};
use crate::bundle::checks::{Bad, Checker, Checks};
use crate::bundle::findings::Code;
use crate::bundle::layout::{OPENINGS, PROOFS, RECORDS};
use crate::bundle::lines::{
    EnvelopeMember, MAX_OPENING_LINE_BYTES, MAX_PROOF_LINE_BYTES, MAX_RECORD_LINE_BYTES, ProofLine,
    RecordLine,
};
use crate::bundle::read::Files;
use crate::digest::Digest;
use crate::kind::Kind;
use crate::merkle::{ProofError, SharedPaths, leaf_hash};
use crate::receipt::Checked;
use crate::record::{Entry, Link, NextOpening, Record, Sequence, heads_digest, leaf_commitment, record_hash};
use crate::statement::MAX_ITEMS;
use crate::time::Timestamp;

/// The history as far as it has been read.
#[derive(Debug)]
pub(super) struct Replay<'a> {
    pub(super) identity: &'a Identity,
    pub(super) heads: HashMap<Sequence, Head>,
    pub(super) tags: Vec<TagRow>,
    pub(super) receipts: Receipts,
    pub(super) recoveries: Recoveries,
    pub(super) times: Timestamps,
    pub(super) rules: Rules,
    /// Whether a record is missing or unreadable: what depends on it is not judged any more.
    pub(super) broken: bool,
    checks: Checks<'a>,
    paths: Option<SharedPaths>,
    last: Option<Last>,
    /// Number and digest of all heads right before `bundle.exported`.
    heads_at_cut: Option<(u64, Digest)>,
}

/// The last record of a sequence so far.
#[derive(Debug, Clone, Copy)]
pub(super) struct Head {
    pub(super) seq: u64,
    pub(super) record: Digest,
    /// What its successor must carry; unknown where the opening is absent or wrong.
    pub(super) tag: Option<Digest>,
    /// Its log index.
    pub(super) index: u64,
    /// Whether the record is what the log committed to.
    sound: bool,
}

#[derive(Debug)]
struct Last {
    index: u64,
    received: Timestamp,
    hash: Digest,
    kind: Kind,
}

impl<'a> Replay<'a> {
    pub(super) fn new(
        identity: &'a Identity,
        receipts: Receipts,
        times: Timestamps,
        checker: &'a mut dyn Checker,
    ) -> Self {
        Self {
            identity,
            heads: HashMap::new(),
            tags: Vec::new(),
            receipts,
            recoveries: Recoveries::default(),
            times,
            rules: Rules::of_bundle(),
            checks: Checks::new(checker),
            broken: false,
            paths: SharedPaths::new(identity.checkpoint.size(), *identity.checkpoint.root()).ok(),
            last: None,
            heads_at_cut: None,
        }
    }

    /// Reads all records.
    pub(super) fn run(
        &mut self,
        files: &mut dyn Files,
        bag: &Bag,
        exhibits: &mut Exhibits,
        notes: &mut Notes,
    ) -> Result<(), VerifyError> {
        let Some(mut records) = bag.lines(RECORDS, MAX_RECORD_LINE_BYTES) else { return Ok(()) };
        let mut proofs = bag.lines(PROOFS, MAX_PROOF_LINE_BYTES);
        self.rules.openings = bag.lines(OPENINGS, MAX_OPENING_LINE_BYTES);
        let mut group = None;
        while let Some(line) = next_line(files, &mut records, RECORDS, notes)? {
            let line = match RecordLine::parse(&line) {
                Ok(line) => line,
                Err(error) => {
                    self.broken = true;
                    notes.find(Code::Changed, RECORDS, None, format!("line {}: {error}", records.number()));
                    continue;
                }
            };
            let proof = next_proof(files, proofs.as_mut(), line.index, notes)?;
            let Some(member) = self.record(&line, proof.as_ref(), notes) else { continue };
            self.join(files, &mut group, line.envelope, member, exhibits, notes)?;
        }
        if let Some(group) = group.take() {
            self.settle(files, &group, exhibits, notes)?;
        }
        let bad = self.checks.finish()?;
        self.note_bad(&bad, notes);
        if let Some(mut proofs) = proofs
            && next_line(files, &mut proofs, PROOFS, notes)?.is_some()
        {
            notes.find(Code::Extra, PROOFS, None, "it has more lines than there are records");
        }
        self.rules.finish(files, self.broken, notes)?;
        self.finish(notes);
        Ok(())
    }

    /// Puts a record to those of the same statement, or settles them and begins anew.
    fn join(
        &mut self,
        files: &mut dyn Files,
        group: &mut Option<Group>,
        envelope: EnvelopeMember,
        member: Member,
        exhibits: &mut Exhibits,
        notes: &mut Notes,
    ) -> Result<(), VerifyError> {
        let envelope = match envelope {
            EnvelopeMember::Here(bytes) => Some(bytes),
            EnvelopeMember::Withheld => None,
            EnvelopeMember::Above => {
                match group {
                    // One record more than a statement can have is kept, so that it is found.
                    Some(group) if group.stmt == member.record.stmt => {
                        if group.members.len() <= MAX_ITEMS {
                            group.members.push(member);
                        }
                    }
                    _ => {
                        self.broken = true;
                        let detail = "its envelope is not on the line before";
                        notes.find(Code::Missing, RECORDS, Some(member.record.log_index), detail);
                    }
                }
                return Ok(());
            }
        };
        let new = Group { stmt: member.record.stmt, envelope, members: vec![member] };
        match group.replace(new) {
            Some(done) => self.settle(files, &done, exhibits, notes),
            None => Ok(()),
        }
    }

    /// Checks one record; nothing if it cannot be read.
    fn record(&mut self, line: &RecordLine, proof: Option<&ProofLine>, notes: &mut Notes) -> Option<Member> {
        let at = Some(line.index);
        let record = match Record::parse(&line.record) {
            Ok(record) => record,
            Err(error) => {
                self.broken = true;
                notes.find(Code::Changed, RECORDS, at, error.to_string());
                return None;
            }
        };
        if self.last.as_ref().is_some_and(|last| line.index <= last.index) {
            self.broken = true;
            notes.find(Code::Reordered, RECORDS, at, "it does not come after the record before it");
            return None;
        }
        if record.log_index != line.index || !self.identity.logs.is_name_of(line.index, &record.log) {
            notes.find(Code::Changed, RECORDS, at, "the record names another place or another log");
        }
        let hash = record_hash(&line.record);
        let sound = self.check_entry(line, &hash, proof, notes);
        self.broken |= !sound;
        let before = self.last.as_ref().map(|last| last.index);
        self.recoveries.note(&record, hash, &line.envelope, before, notes);
        if line.index.checked_add(1) == Some(self.identity.manifest.cut) {
            let heads = self.heads.iter().map(|(sequence, head)| (sequence, head.seq, &head.record));
            self.heads_at_cut = Some((self.heads.len() as u64, heads_digest(heads)));
        }
        Self::check_opening_count(&record, line, notes);
        let entry = &line.entry;
        for (link, opening, tag, column) in [
            (&record.own, line.own, entry.tag, Column::Own),
            (&record.case, line.case, entry.case_tag, Column::Case),
        ] {
            if let Some(link) = link {
                self.check_scope(&record, link, notes);
                self.follow(&record, link, hash, opening, (tag, column), sound, notes);
            }
        }
        self.check_time(&record, notes);
        self.receipts.see(record.log_index, &hash, notes);
        self.last = Some(Last { index: line.index, received: record.received, hash, kind: record.kind });
        notes.facts.records += 1;
        Some(Member { record, hash })
    }

    /// Whether the entry commits to the record and stands in the tree.
    fn check_entry(
        &mut self,
        line: &RecordLine,
        hash: &Digest,
        proof: Option<&ProofLine>,
        notes: &mut Notes,
    ) -> bool {
        let at = Some(line.index);
        let committed = line.entry.commitment == leaf_commitment(&line.salt, hash);
        if !committed {
            notes.find(Code::Changed, RECORDS, at, "the log entry does not commit to this record");
        }
        let (Some(paths), Some(proof)) = (&mut self.paths, proof) else { return false };
        let leaf = leaf_hash(&Entry::to_bytes(line.entry));
        match paths.prove(line.index, &leaf, &proof.path) {
            Ok(()) => committed,
            Err(ProofError::OutOfOrder { .. }) => false,
            Err(error) => {
                notes.find(
                    Code::Changed,
                    PROOFS,
                    at,
                    format!("the entry is not proven to be in the log: {error}"),
                );
                false
            }
        }
    }

    fn check_opening_count(record: &Record, line: &RecordLine, notes: &mut Notes) {
        let surplus =
            (record.own.is_none() && line.own.is_some()) || (record.case.is_none() && line.case.is_some());
        if surplus {
            notes.find(Code::Extra, RECORDS, Some(line.index), "it opens a sequence that it is not in");
        }
    }

    /// Only the vault's, persons', the case's and its items' sequences belong here.
    fn check_scope(&self, record: &Record, link: &Link, notes: &mut Notes) {
        let case = Sequence::Case(self.identity.manifest.scope.case);
        let in_case = record.case.is_some_and(|link| link.sequence == case);
        let fits = match link.sequence {
            Sequence::Vault | Sequence::Person(_) => true,
            Sequence::Case(_) | Sequence::Item(_) => in_case,
            Sequence::Refusals => false,
        };
        if !fits {
            let detail = format!("a record of {} is not in the scope of this bundle", link.sequence);
            notes.find(Code::Extra, RECORDS, Some(record.log_index), detail);
        }
    }

    /// One place of a record: its number, what it follows, the tag it carries, what it promises.
    #[expect(clippy::too_many_arguments, reason = "one step of a chain needs both of its ends")]
    fn follow(
        &mut self,
        record: &Record,
        link: &Link,
        hash: Digest,
        opening: Option<NextOpening>,
        (tag, column): (Digest, Column),
        sound: bool,
        notes: &mut Notes,
    ) {
        let at = Some(record.log_index);
        let sequence = link.sequence;
        let before = self.heads.get(&sequence).copied();
        let expected_seq = before.map_or(1, |head| head.seq.saturating_add(1));
        let mut expected_tag = match before {
            Some(head) => head.tag,
            None if record.log_index == 0 => Some(Digest::ZERO),
            None => Some(sequence.genesis_tag(&self.identity.vault)),
        };
        match link.seq.cmp(&expected_seq) {
            Ordering::Greater => {
                (self.broken, expected_tag) = (true, None);
                let detail =
                    format!("{sequence}: number {expected_seq} is absent before number {}", link.seq);
                notes.find(Code::Missing, RECORDS, at, detail);
            }
            Ordering::Less => {
                (self.broken, expected_tag) = (true, None);
                let detail = format!("{sequence}: a second record has number {}", link.seq);
                notes.find(Code::Forked, RECORDS, at, detail);
            }
            // Behind a record that is not the logged one, a mismatch says nothing new.
            Ordering::Equal if !sound => {}
            Ordering::Equal => {
                let prev = before.map_or(Digest::ZERO, |head| head.record);
                if link.prev != prev && before.is_none_or(|head| head.sound) {
                    self.broken = true;
                    let detail = format!("{sequence}: it follows another record than the one here");
                    notes.find(Code::Forked, RECORDS, at, detail);
                }
                if let Some(next) = expected_tag.filter(|next| *next != tag) {
                    let promise = (&next, before.map(|head| head.index));
                    let carried = (record.log_index, tag, column);
                    if self.recoveries.explain(sequence, promise, carried, notes) {
                        expected_tag = Some(tag);
                    } else {
                        let detail =
                            format!("{sequence}: its log entry does not carry the tag promised before");
                        notes.find(Code::Forked, RECORDS, at, detail);
                    }
                }
            }
        }
        if sound {
            self.tags.push(TagRow::used(expected_tag.unwrap_or(tag), record.log_index, column));
        }
        let promised = opening.filter(|opening| opening.commitment() == link.next);
        match (opening, promised) {
            (None, _) => {
                let detail = format!("{sequence}: the opening of its successor's tag is absent");
                notes.find(Code::Missing, RECORDS, at, detail);
            }
            (Some(_), None) if sound => {
                let detail = format!("{sequence}: the opening is not that of the promised tag");
                notes.find(Code::Changed, RECORDS, at, detail);
            }
            _ => {}
        }
        let tag = promised.map(|opening| opening.t);
        let head = Head { seq: link.seq, record: hash, tag, index: record.log_index, sound };
        self.heads.insert(sequence, head);
    }

    fn check_time(&self, record: &Record, notes: &mut Notes) {
        let at = Some(record.log_index);
        if let Some(last) = &self.last
            && record.received < last.received
            && last.kind != Kind::ClockFault
        {
            let detail =
                format!("received {}, before the record before it, without a clock fault", record.received);
            notes.find(Code::TimeContradicted, RECORDS, at, detail);
        }
        let witnessed = self.identity.witnessed.and_then(|seconds| i64::try_from(seconds).ok());
        if let Some(seconds) = witnessed
            && record.received.millis() > seconds.saturating_mul(1_000).saturating_add(TOLERANCE_MS)
        {
            let detail = format!("received {}, after a witness had already seen it", record.received);
            notes.find(Code::TimeContradicted, RECORDS, at, detail);
        }
    }

    fn settle(
        &mut self,
        files: &mut dyn Files,
        group: &Group,
        exhibits: &mut Exhibits,
        notes: &mut Notes,
    ) -> Result<(), VerifyError> {
        // Whatever was noted before this statement is known by now.
        for member in &group.members {
            self.times.see(&member.record, notes);
        }
        let settled = self.rules.settle(files, group, self.broken, exhibits, notes)?;
        self.broken |= settled.breaks;
        if let Some(check) = settled.check {
            let bad = self.checks.push(check)?;
            self.note_bad(&bad, notes);
        }
        if let Some(anchor) = self.rules.take_anchor() {
            self.times.noted(&anchor);
        }
        Ok(())
    }

    fn note_bad(&self, bad: &[Bad], notes: &mut Notes) {
        for Bad { at, number, key } in bad {
            let whose = self.signer(key);
            let detail = format!("signature {number} is not that of {whose}");
            notes.find(Code::BadSignature, RECORDS, Some(*at), detail);
        }
    }

    /// What can only be said at the end: the cut, the streams that bundle.json counts, receipts.
    fn finish(&mut self, notes: &mut Notes) {
        let identity = self.identity;
        self.check_cut(notes);
        let mut listed = BTreeSet::new();
        for stream in &identity.manifest.streams {
            let (sequence, here) = (stream.sequence, self.heads.get(&stream.sequence));
            if !listed.insert(sequence) {
                notes.find(Code::Changed, RECORDS, None, format!("bundle.json counts {sequence} twice"));
                continue;
            }
            let seq = here.map_or(0, |head| head.seq);
            let count = stream.count;
            if seq < count {
                notes.find(
                    Code::Missing,
                    RECORDS,
                    None,
                    format!("{sequence}: {seq} of {count} records are here"),
                );
            } else if seq > count {
                notes.find(
                    Code::Extra,
                    RECORDS,
                    None,
                    format!("{sequence}: bundle.json counts only {count} records"),
                );
            } else if here.is_some_and(|head| head.record != stream.head && head.sound) {
                notes.find(
                    Code::Changed,
                    RECORDS,
                    None,
                    format!("{sequence}: bundle.json names another last record"),
                );
            }
        }
        let uncounted: BTreeSet<_> = self.heads.keys().filter(|here| !listed.contains(*here)).collect();
        for sequence in uncounted {
            notes.find(Code::Extra, RECORDS, None, format!("{sequence}: bundle.json does not count it"));
        }
        for person in self.rules.needed() {
            if !self.heads.contains_key(&Sequence::Person(person)) {
                notes.find(
                    Code::Missing,
                    RECORDS,
                    None,
                    format!("person:{person}: acted here, and is not here"),
                );
            }
        }
        let case = Sequence::Case(identity.manifest.scope.case);
        let in_scope = |sequence: &Sequence| *sequence == case || self.heads.contains_key(sequence);
        let cut = identity.manifest.cut;
        let in_scope = |held: &Checked| held.record.sequences().any(|sequence| in_scope(&sequence));
        self.receipts.finish(cut, in_scope, |index| self.recoveries.lost(index), notes);
    }

    /// The last record is `bundle.exported`, and it commits to exactly the sequences that are here.
    fn check_cut(&self, notes: &mut Notes) {
        let manifest = &self.identity.manifest;
        let at = manifest.cut.checked_sub(1);
        match &self.last {
            Some(last) if last.index >= manifest.cut => {
                notes.find(Code::Extra, RECORDS, Some(last.index), "a record after the bundle was made");
            }
            Some(last) if Some(last.index) != at => {
                notes.find(Code::Missing, RECORDS, at, "the record of bundle.exported is absent");
            }
            Some(last) if last.hash != manifest.exported || last.kind != Kind::BundleExported => {
                notes.find(
                    Code::Changed,
                    RECORDS,
                    at,
                    "it is not the bundle.exported that bundle.json names",
                );
            }
            Some(_) => self.check_heads(at, notes),
            None => notes.find(Code::Missing, RECORDS, at, "there are no records"),
        }
    }

    fn check_heads(&self, at: Option<u64>, notes: &mut Notes) {
        let (Some(exported), Some((count, heads))) = (self.rules.exported(), self.heads_at_cut) else {
            return;
        };
        notes.facts.exported_at = self.last.as_ref().map(|last| last.received);
        let manifest = &self.identity.manifest;
        if exported.exporter != manifest.exporter || exported.recipient != manifest.recipient {
            notes.find(Code::Changed, RECORDS, at, "bundle.json names another exporter or recipient");
        }
        if exported.case != manifest.scope.case {
            notes.find(Code::Changed, RECORDS, at, "bundle.json names another case");
        }
        if exported.data.sequences > count {
            let detail = format!("it commits to {} sequences, {count} are here", exported.data.sequences);
            notes.find(Code::Missing, RECORDS, at, detail);
        } else if exported.data.sequences < count {
            let detail = format!("it commits to {} sequences, {count} are here", exported.data.sequences);
            notes.find(Code::Extra, RECORDS, at, detail);
        } else if exported.data.heads != heads && !self.broken {
            notes.find(Code::Changed, RECORDS, at, "it commits to other last records than those here");
        }
    }
}
