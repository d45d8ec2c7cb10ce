//! Restores that lost published records: what they say is lost, and that every sequence goes on as it must.
//!
//! Without the public entries, a tag of a noted recovery is taken where the promised one could have been lost in it.
//! With them it must have been: the promised tag stands in the gap, in its column, and so does each tag in between.

use std::collections::HashMap;

use super::Notes;
use super::entries::{Column, PATH, half};
use crate::act::Act;
use crate::bundle::findings::Code;
use crate::bundle::layout::RECORDS;
use crate::bundle::lines::EnvelopeMember;
use crate::digest::Digest;
use crate::kind::Kind;
use crate::record::{Record, Sequence};
use crate::recovery::{Gap, MAX_RECOVERIES, onward};

/// The gaps noted so far, and the sequences that went on after one.
#[derive(Debug, Default)]
pub(super) struct Recoveries {
    /// Ascending.
    gaps: Vec<Gap>,
    lines: Vec<Line>,
}

/// A successor whose tag may have been lost.
#[derive(Debug)]
struct Line {
    sequence: Sequence,
    column: Column,
    /// What the newest record promised, and where that stands.
    next: Digest,
    promised: Option<u64>,
    /// Where the sequence went on, and with which tag; nothing if it has not yet.
    went_on: Option<(u64, Digest)>,
}

impl Recoveries {
    /// Learns of a recovery, before the tags of the same record are looked at. `before` is the index of the record before
    /// it in the bundle.
    pub(super) fn note(
        &mut self,
        record: &Record,
        hash: Digest,
        envelope: &EnvelopeMember,
        before: Option<u64>,
        notes: &mut Notes,
    ) {
        // What cannot be read is found with the statement; then no sequence goes on after it.
        let Some((from, to)) = lost(record, envelope) else { return };
        let at = Some(record.log_index);
        if to != record.log_index {
            let detail = "it does not stand right after the entries that it says are lost";
            notes.find(Code::RuleBroken, RECORDS, at, detail);
            return;
        }
        if self.gaps.len() >= MAX_RECOVERIES {
            let detail = format!("a log has at most {MAX_RECOVERIES} recoveries");
            notes.find(Code::RuleBroken, RECORDS, at, detail);
            return;
        }
        if before.is_some_and(|before| before >= from) {
            let detail = format!("a record from {from} on is here, although all of them are said to be lost");
            notes.find(Code::Forked, RECORDS, at, detail);
        }
        let count = to - from;
        let detail = format!("the records of {count} published entries are lost, {from} to {}", to - 1);
        notes.find(Code::RecoveredGap, RECORDS, at, detail);
        self.gaps.push(Gap { from, to, record: hash });
    }

    /// Whether a sequence goes on with `tag` instead of `next`, which the record at `promised` said, because that tag may
    /// have been lost. `index` is the record's own.
    pub(super) fn explain(
        &mut self,
        sequence: Sequence,
        (next, promised): (&Digest, Option<u64>),
        (index, tag, column): (u64, Digest, Column),
        notes: &mut Notes,
    ) -> bool {
        let mut explains = self.gaps.iter().filter(|gap| gap.concerns(promised) && gap.resume(next) == tag);
        let Some(gap) = explains.next() else { return false };
        let detail = format!(
            "{sequence}: it goes on here after records that are lost, the first of them one of {} to {}",
            gap.from,
            gap.to - 1
        );
        notes.find(Code::RecoveredGap, RECORDS, Some(index), detail);
        let went_on = Some((index, tag));
        self.lines.push(Line { sequence, column, next: *next, promised, went_on });
        true
    }

    /// Whether the successor of a record at `promised` may have been lost.
    pub(super) fn concern(&self, promised: u64) -> bool {
        self.gaps.iter().any(|gap| gap.concerns(Some(promised)))
    }

    /// The last record of a sequence promised `next`.
    pub(super) fn ends(&mut self, sequence: Sequence, column: Column, next: Digest, promised: u64) {
        self.lines.push(Line { sequence, column, next, promised: Some(promised), went_on: None });
    }

    /// Whether the record of this entry is lost.
    pub(super) fn lost(&self, index: u64) -> bool {
        self.gaps.iter().any(|gap| gap.contains(index))
    }

    /// What is to be looked for among the public entries.
    pub(super) fn search(&mut self) -> Search {
        let mut search = Search {
            gaps: self.gaps.clone(),
            lines: core::mem::take(&mut self.lines),
            places: HashMap::new(),
        };
        for line in &search.lines {
            let place = Place { column: line.column, index: None };
            for tag in line.candidates(&search.gaps).filter(|tag| line.went_on.is_none_or(|on| on.1 != *tag))
            {
                search.places.insert(half(&tag), place);
            }
        }
        search
    }
}

/// The entries that a recovery says are lost.
fn lost(record: &Record, envelope: &EnvelopeMember) -> Option<(u64, u64)> {
    let (Kind::RecoveryNoted, EnvelopeMember::Here(bytes)) = (record.kind, envelope) else { return None };
    if Digest::of(bytes) != record.stmt {
        return None;
    }
    match envelope.act()? {
        Act::RecoveryNoted(noted) => Some((noted.from, noted.to)),
        _ => None,
    }
}

impl Line {
    /// All tags that its successor could carry.
    fn candidates<'g>(&'g self, gaps: &'g [Gap]) -> impl Iterator<Item = Digest> + 'g {
        let gaps = gaps.iter().filter(|gap| gap.concerns(self.promised));
        core::iter::once(self.next).chain(gaps.map(|gap| gap.resume(&self.next)))
    }
}

/// Tags that may stand among the public entries.
#[derive(Debug)]
pub(super) struct Search {
    gaps: Vec<Gap>,
    lines: Vec<Line>,
    /// By the first half of the tag.
    places: HashMap<[u8; 16], Place>,
}

/// Where a tag belongs and stands.
#[derive(Debug, Clone, Copy)]
struct Place {
    column: Column,
    index: Option<u64>,
}

impl Search {
    /// Looks at one tag of an entry; whether it is one of those that are looked for.
    pub(super) fn look(&mut self, index: u64, tag: &Digest, column: Column, notes: &mut Notes) -> bool {
        let Some(place) = self.places.get_mut(&half(tag)) else { return false };
        if place.column != column {
            notes.find(Code::Forked, PATH, Some(index), "a disclosed tag stands in the wrong column");
        } else if place.index.is_some() {
            notes.find(Code::Forked, PATH, Some(index), "two entries carry the tag of the same successor");
        } else {
            place.index = Some(index);
        }
        true
    }

    /// After `given` entries: follows every sequence through the gaps, by where its tags stand.
    pub(super) fn end(&self, given: u64, cut: u64, notes: &mut Notes) {
        for line in &self.lines {
            let stands = |tag: &Digest| match line.went_on {
                Some((index, carried)) if carried == *tag => Some(index),
                _ => self.places.get(&half(tag)).and_then(|place| place.index),
            };
            let onward = onward(&line.next, line.promised, &self.gaps, stands);
            let sequence = line.sequence;
            match (line.went_on, stands(&onward.tag)) {
                (Some((index, carried)), _) if carried != onward.tag && given > index => {
                    let detail = format!("{sequence}: it does not go on as the lost entries prescribe");
                    notes.find(Code::Forked, PATH, Some(index), detail);
                }
                (None, Some(index)) if index < cut => {
                    let detail = "the tag of a successor of a last record stands before the cut";
                    notes.find(Code::Truncated, PATH, Some(index), detail);
                }
                (None, Some(index)) => {
                    notes.find(
                        Code::Continued,
                        PATH,
                        Some(index),
                        "a sequence went on after the bundle was made",
                    );
                }
                _ => {}
            }
            for index in &onward.lost {
                let detail =
                    format!("{sequence}: the record of this entry is lost, and all after it in the gap");
                notes.find(Code::RecoveredGap, PATH, Some(*index), detail);
            }
            let tags = line.candidates(&self.gaps).filter(|tag| *tag != onward.tag);
            let stray = tags.filter_map(|tag| stands(&tag)).filter(|index| !onward.lost.contains(index));
            for index in stray.filter(|index| line.went_on.is_none_or(|(on, _)| on != *index)) {
                let detail = format!("{sequence}: a second entry carries a tag of a successor");
                notes.find(Code::Forked, PATH, Some(index), detail);
            }
        }
    }
}
