//! The public entries: is every record in the log exactly once, and does no sequence go on before the cut?

use std::collections::{BTreeMap, BTreeSet};

use super::identity::{open_failure, witnessed};
use super::records::Replay;
use super::recoveries::Search;
use super::{Identity, Notes, PublicEntries, Trust};
use crate::bundle::findings::Code;
use crate::bundle::layout::{CHECKPOINT, RECORDS};
use crate::bundle::read::ReadError;
use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::digest::Digest;
use crate::log_keys::LogKeys;
use crate::merkle::{Frontier, leaf_hash};
use crate::note::{NoteError, SignedNote, VerifierKey};
use crate::policy::{Log, Policy};
use crate::record::{Entry, Sequence};

pub(super) const PATH: &str = "entries";

/// Which column of an entry carries a tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Column {
    /// Own streams.
    Own,
    /// Cases.
    Case,
}

/// A tag that was disclosed: where it stands, or that it must not stand anywhere before the cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct TagRow {
    /// Half of the tag: nobody finds two tags that share it.
    tag: [u8; 16],
    /// Log index, and its top bit the column; [`PROMISED`] as index for a successor's tag.
    place: u64,
}

const PROMISED: u64 = (1 << 63) - 1;

impl TagRow {
    /// A tag that a record carries.
    pub(super) fn used(tag: Digest, index: u64, column: Column) -> Self {
        Self { tag: half(&tag), place: index.min(PROMISED - 1) | (u64::from(column == Column::Case) << 63) }
    }

    /// The tag of a successor.
    fn promised(tag: Digest, column: Column) -> Self {
        Self { tag: half(&tag), place: PROMISED | (u64::from(column == Column::Case) << 63) }
    }

    /// The log index, beyond any for a successor's tag.
    pub(super) const fn index(self) -> u64 {
        self.place & PROMISED
    }

    const fn column(self) -> Column {
        if self.place >> 63 == 1 { Column::Case } else { Column::Own }
    }
}

/// Everything that the entries are compared with.
#[derive(Debug)]
pub(super) struct Audit<'a> {
    identity: &'a Identity,
    /// Sorted by tag.
    tags: Vec<TagRow>,
    /// Sizes and roots that the log signed, sorted.
    roots: Vec<(u64, Digest)>,
    /// Successors found, by their place in `tags`.
    continued: BTreeSet<usize>,
    /// Successors that may have been lost.
    search: Search,
}

impl<'a> Audit<'a> {
    pub(super) fn new(
        identity: &'a Identity,
        replay: &mut Replay<'_>,
        anchors: Vec<(u64, Digest)>,
        notes: &mut Notes,
    ) -> Self {
        let mut tags = core::mem::take(&mut replay.tags);
        // One order, so that one bundle has one report.
        let heads: BTreeMap<_, _> = replay.heads.iter().collect();
        for (sequence, head) in heads {
            let column = if matches!(sequence, Sequence::Case(_)) { Column::Case } else { Column::Own };
            if let Some(tag) = head.tag.filter(|_| replay.recoveries.concern(head.index)) {
                replay.recoveries.ends(*sequence, column, tag, head.index);
            } else {
                tags.extend(head.tag.map(|tag| TagRow::promised(tag, column)));
            }
        }
        tags.sort_unstable();
        for pair in tags.windows(2).filter(|pair| pair[0].tag == pair[1].tag) {
            notes.find(Code::Forked, RECORDS, Some(pair[0].index()), "two places use the same tag");
        }
        let mut roots = vec![(identity.checkpoint.size(), *identity.checkpoint.root())];
        roots.extend(replay.receipts.checkpoints());
        roots.extend(replay.times.checkpoints());
        roots.extend(anchors);
        roots.sort_unstable();
        roots.dedup();
        let search = replay.recoveries.search();
        Self { identity, tags, roots, continued: BTreeSet::new(), search }
    }

    /// Reads all entries once.
    pub(super) fn run(
        mut self,
        public: Option<PublicEntries<'_>>,
        logs: &LogKeys,
        trust: &Trust,
        notes: &mut Notes,
    ) -> Result<(), ReadError> {
        for pair in self.roots.windows(2).filter(|pair| pair[0].0 == pair[1].0) {
            let detail = format!("the log signed two roots for {} entries", pair[0].0);
            notes.find(Code::Forked, CHECKPOINT, None, detail);
        }
        let Some(public) = public else {
            notes.find(Code::NotAudited, PATH, None, "no public entries were given");
            notes.skip("whether each record is in the log exactly once and the last ones were the last");
            return Ok(());
        };
        let mirror = public.checkpoint.and_then(|checkpoint| self.add_mirror(checkpoint, logs, trust, notes));
        let mut frontier = Frontier::new();
        let mut met = self.check_roots(0, &frontier, notes);
        loop {
            let bytes = match public.entries.next_entry() {
                Ok(Some(bytes)) => bytes,
                Ok(None) => break,
                Err(ReadError::Damaged(why)) => {
                    notes.find(Code::NotAudited, PATH, Some(frontier.size()), why);
                    break;
                }
                Err(failed) => return Err(failed),
            };
            let index = frontier.size();
            match Entry::parse(&bytes) {
                Ok(entry) => self.look(index, &entry, notes),
                Err(error) => notes.find(Code::Changed, PATH, Some(index), error.to_string()),
            }
            frontier.push(leaf_hash(&bytes));
            met += self.check_roots(frontier.size(), &frontier, notes);
        }
        notes.facts.entries = Some(frontier.size());
        let given = frontier.size();
        self.search.end(given, self.identity.manifest.cut, notes);
        for (whose, needed) in [("bundle", Some(self.identity.checkpoint.size())), ("mirror", mirror)] {
            if let Some(needed) = needed.filter(|needed| given < *needed) {
                let detail = format!("{given} entries were given, the {whose}'s checkpoint covers {needed}");
                notes.find(Code::NotAudited, PATH, None, detail);
            }
        }
        if met < self.roots.len() {
            notes.skip("checkpoints beyond the entries given");
        }
        Ok(())
    }

    /// The mirror's own checkpoint joins those that the entries must lead to; its size.
    fn add_mirror(&mut self, bytes: &[u8], logs: &LogKeys, trust: &Trust, notes: &mut Notes) -> Option<u64> {
        let opened = SignedNote::parse(bytes).map_err(Into::into).and_then(|note| {
            let checkpoint = open_newer(&note, logs, trust)?;
            Ok((note, checkpoint))
        });
        match opened {
            Ok((note, (checkpoint, log))) => {
                if trust.policy.is_some() {
                    witnessed(&note, &log, trust, "checkpoint", notes);
                }
                self.roots.push((checkpoint.size(), *checkpoint.root()));
                self.roots.sort_unstable();
                self.roots.dedup();
                Some(checkpoint.size())
            }
            Err(CheckpointError::Note(NoteError::NoKnownSigner)) => {
                let detail = "the mirror's checkpoint is signed by no key of the log that is known here: give the \
                              receipts of its later keys, or list its present key in the trust file";
                notes.find(Code::NotAudited, "checkpoint", None, detail);
                None
            }
            Err(error) => {
                notes.find(open_failure(error), "checkpoint", None, error.to_string());
                None
            }
        }
    }

    /// Compares with every root signed for this size; how many there were.
    fn check_roots(&self, size: u64, frontier: &Frontier, notes: &mut Notes) -> usize {
        let from = self.roots.partition_point(|(signed, _)| *signed < size);
        let here = self.roots[from..].iter().take_while(|(signed, _)| *signed == size);
        let mut count = 0;
        for (_, root) in here {
            count += 1;
            if *root != frontier.root() {
                let detail =
                    format!("the public entries lead to another root at size {size} than the log signed");
                notes.find(Code::Forked, PATH, None, detail);
            }
        }
        count
    }

    /// Looks for disclosed tags in one entry.
    fn look(&mut self, index: u64, entry: &Entry, notes: &mut Notes) {
        for (tag, column) in [(entry.tag, Column::Own), (entry.case_tag, Column::Case)] {
            if self.search.look(index, &tag, column, notes) {
                continue;
            }
            let key = half(&tag);
            let at = self.tags.partition_point(|row| row.tag < key);
            let Some(row) = self.tags.get(at).filter(|row| row.tag == key) else { continue };
            let (known, cut) = (row.index(), self.identity.manifest.cut);
            let (code, detail) = if row.column() != column {
                (Code::Forked, "a disclosed tag stands in the wrong column")
            } else if known != PROMISED {
                if known == index {
                    continue;
                }
                (Code::Forked, "a second entry carries the tag of a record in this bundle")
            } else if index < cut {
                (Code::Truncated, "the tag of a successor of a last record stands before the cut")
            } else if self.continued.insert(at) {
                (Code::Continued, "a sequence went on after the bundle was made")
            } else {
                (Code::Forked, "two entries carry the tag of the same successor")
            };
            notes.find(code, PATH, Some(index), detail);
        }
    }
}

/// A checkpoint that may be newer than the bundle, and so under a key of the log that only the trust file knows.
fn open_newer(
    note: &SignedNote,
    logs: &LogKeys,
    trust: &Trust,
) -> Result<(Checkpoint, VerifierKey), CheckpointError> {
    let listed = trust.policy.iter().flat_map(Policy::logs).map(Log::key);
    let listed = listed.filter(|key| logs.each().any(|had| had.name() == key.name()));
    let error = match logs.open_by(note) {
        Ok((checkpoint, log)) => return Ok((checkpoint, log.clone())),
        Err(error @ CheckpointError::Note(NoteError::NoKnownSigner)) => error,
        Err(error) => return Err(error),
    };
    let mut opened = listed.filter_map(|key| Some((Checkpoint::open(note, key).ok()?, key.clone())));
    opened.next().ok_or(error)
}

/// The first half of a tag.
pub(super) fn half(tag: &Digest) -> [u8; 16] {
    let mut half = [0; 16];
    half.copy_from_slice(&tag.as_bytes()[..16]);
    half
}
