//! Time stamps: what outsiders saw of the log and when, and so between which times each record was received.
//!
//! A token over a checkpoint says that all the checkpoint covers is older. A record of kind `anchor.noted` names a
//! token by its digest: nobody could before the token existed, so that everything after that record is younger.

use std::collections::{BTreeMap, HashMap};

use super::identity::open_failure;
use super::{Bag, Identity, Notes, Trust};
use crate::bundle::findings::Code;
use crate::bundle::layout::{RECORDS, TIMESTAMPS, TimestampFile, timestamp_path};
use crate::bundle::lines::{MAX_CONSISTENCY_BYTES, parse_consistency};
use crate::bundle::read::{Files, ReadError};
use crate::bundle::report::{Bracket, Stamp, Width, hours};
use crate::checkpoint::Checkpoint;
use crate::digest::Digest;
use crate::merkle::verify_consistency;
use crate::note::{MAX_NOTE_LEN, SignedNote};
use crate::record::Record;
use crate::time::Timestamp;
use crate::timestamp::{Anchors, MAX_LEN, TimestampError, Token, Verified};

/// Milliseconds by which clocks may differ before times contradict each other.
pub(super) const TOLERANCE_MS: i64 = 60_000;

/// A record of the case that outsiders place less exactly is reported: two days.
const MAX_WIDTH_MS: i64 = 48 * 60 * 60 * 1_000;

/// No bundle has time stamps over more checkpoints.
const MAX_CHECKPOINTS: usize = 256;

/// The tokens that hold, and how far the history has come among them.
#[derive(Debug, Default)]
pub(super) struct Timestamps {
    /// Sizes, ascending, each with the oldest time that is over this size or a larger one.
    over: Vec<(u64, Timestamp)>,
    /// By the digest of the token.
    tokens: HashMap<Digest, Timestamp>,
    /// The newest time among the tokens that the records so far noted.
    noted: Option<Timestamp>,
    /// Sizes and roots that the log signed.
    checkpoints: Vec<(u64, Digest)>,
    /// Whether a token is over the whole bundle, so that brackets can be asked for.
    complete: bool,
}

impl Timestamps {
    /// Checks every token with its checkpoint.
    pub(super) fn check(
        files: &mut dyn Files,
        bag: &Bag,
        identity: &Identity,
        trust: &Trust,
        notes: &mut Notes,
    ) -> Result<Self, ReadError> {
        let mut by_size = BTreeMap::<_, Vec<_>>::new();
        for (size, file) in bag.timestamp_files() {
            by_size.entry(size).or_default().push(file);
        }
        let nobody = Anchors::none();
        let anchors = trust.timestamps.as_ref().unwrap_or(&nobody);
        let (mut times, mut check) = (Self::default(), Check { files, bag, identity, anchors, notes });
        for (number, (size, found)) in by_size.iter().enumerate() {
            if number == MAX_CHECKPOINTS {
                check.find(Code::Extra, *size, TimestampFile::Note, "more time stamps than any bundle has");
                break;
            }
            times.add(*size, found, &mut check)?;
        }
        times.over.sort_unstable();
        let mut oldest = Timestamp::MAX;
        for (_, time) in times.over.iter_mut().rev() {
            oldest = oldest.min(*time);
            *time = oldest;
        }
        times.complete = times.over.last().is_some_and(|(size, _)| *size >= identity.manifest.cut);
        if trust.timestamps.is_none() {
            let detail = "no roots of timestamp authorities were given";
            notes.find(Code::NotTimestamped, TIMESTAMPS, None, detail);
            notes.skip("whom the time stamps are from, and so what they say");
        } else if !times.complete {
            let detail = "no time stamp of a trusted authority covers the whole bundle";
            notes.find(Code::NotTimestamped, TIMESTAMPS, None, detail);
        }
        Ok(times)
    }

    /// Sizes and roots of the checkpoints.
    pub(super) fn checkpoints(&self) -> impl Iterator<Item = (u64, Digest)> + '_ {
        self.checkpoints.iter().copied()
    }

    /// Whether a token that holds is over a checkpoint of one of these sizes.
    pub(super) fn confirm(&self, sizes: &core::ops::RangeInclusive<u64>) -> bool {
        self.over.iter().any(|(size, _)| sizes.contains(size))
    }

    /// A token was noted: all records from here on are younger.
    pub(super) fn noted(&mut self, token: &Digest) {
        self.noted = self.noted.max(self.tokens.get(token).copied());
    }

    /// Compares a record's time with what outsiders say, in log order.
    pub(super) fn see(&self, record: &Record, notes: &mut Notes) {
        let (index, received) = (record.log_index, record.received);
        let over = self.over.partition_point(|(size, _)| *size <= index);
        let (from, to) = (self.noted, self.over.get(over).map(|(_, time)| *time));
        if let Some(to) = to
            && received > to.saturating_add_millis(TOLERANCE_MS)
        {
            let detail = format!("received {received}, after it had been time-stamped {to}");
            notes.find(Code::TimeContradicted, RECORDS, Some(index), detail);
        }
        if let Some(from) = from
            && received < from.saturating_add_millis(-TOLERANCE_MS)
        {
            let detail = format!("received {received}, before the time stamp of {from} that it comes after");
            notes.find(Code::TimeContradicted, RECORDS, Some(index), detail);
        }
        if record.case.is_some() && !self.tokens.is_empty() {
            self.bracket(index, from, to, notes);
        }
    }

    /// Between which times a record of the case was received.
    fn bracket(&self, index: u64, from: Option<Timestamp>, to: Option<Timestamp>, notes: &mut Notes) {
        let width_ms = from.zip(to).map(|(from, to)| to.millis().saturating_sub(from.millis()).max(0));
        let bracket = notes.facts.bracket.get_or_insert(Bracket { from, to, widest: None });
        bracket.to = to;
        if let Some(width_ms) = width_ms
            && bracket.widest.is_none_or(|widest| widest.width_ms < width_ms)
        {
            bracket.widest = Some(Width { index, width_ms });
        }
        if !self.complete {
            return;
        }
        match (width_ms, to) {
            (Some(width_ms), _) if width_ms <= MAX_WIDTH_MS => {}
            (Some(width_ms), _) => {
                let detail = format!("received within {}, between two time stamps", hours(width_ms));
                notes.find(Code::NotTimestamped, RECORDS, Some(index), detail);
            }
            (None, Some(to)) => {
                let detail = format!("older than {to}, and no time stamp noted before says how much");
                notes.find(Code::NotTimestamped, RECORDS, Some(index), detail);
            }
            (None, None) => {}
        }
    }

    /// Everything that belongs to the checkpoint of one size.
    fn add(
        &mut self,
        size: u64,
        found: &[TimestampFile],
        check: &mut Check<'_, '_>,
    ) -> Result<(), ReadError> {
        let Some((note, checkpoint)) = check.note(size, found)? else { return Ok(()) };
        self.checkpoints.push((checkpoint.size(), *checkpoint.root()));
        if !check.leads_on(&checkpoint, found)? {
            return Ok(());
        }
        let mut tokens = 0;
        for file in found.iter().filter(|file| matches!(file, TimestampFile::Token(_))) {
            tokens += 1;
            let Some(bytes) = check.read(size, *file, MAX_LEN)? else { continue };
            let Some(verified) = check.token(size, *file, &bytes, &note) else { continue };
            self.over.push((size, verified.time));
            self.tokens.insert(Digest::of(&bytes), verified.time);
        }
        let lost = (1..=9).any(|number| check.lacks(size, TimestampFile::Token(number)));
        if tokens == 0 && !lost {
            check.find(Code::Extra, size, TimestampFile::Note, "no time stamp is over it");
        }
        Ok(())
    }
}

/// What the files are checked against.
struct Check<'f, 'a> {
    files: &'f mut dyn Files,
    bag: &'a Bag,
    identity: &'a Identity,
    anchors: &'a Anchors,
    notes: &'f mut Notes,
}

impl Check<'_, '_> {
    fn find(&mut self, code: Code, size: u64, file: TimestampFile, detail: impl AsRef<str>) {
        self.notes.find(code, &timestamp_path(size, file), None, detail);
    }

    fn read(&mut self, size: u64, file: TimestampFile, limit: usize) -> Result<Option<Vec<u8>>, ReadError> {
        self.bag.whole(self.files, &timestamp_path(size, file), limit, self.notes)
    }

    fn lacks(&self, size: u64, file: TimestampFile) -> bool {
        self.bag.lacks(&timestamp_path(size, file))
    }

    /// Whether a file is there; its absence is found once.
    fn has(&mut self, size: u64, file: TimestampFile, found: &[TimestampFile], detail: &str) -> bool {
        let here = found.contains(&file);
        if !here && !self.lacks(size, file) {
            self.find(Code::Missing, size, file, detail);
        }
        here
    }

    /// The checkpoint over which the tokens are, signed by the log and by nobody else.
    fn note(
        &mut self,
        size: u64,
        found: &[TimestampFile],
    ) -> Result<Option<(Vec<u8>, Checkpoint)>, ReadError> {
        const NOTE: TimestampFile = TimestampFile::Note;
        if !self.has(size, NOTE, found, "there is a time stamp and not what it is over") {
            return Ok(None);
        }
        let Some(bytes) = self.read(size, NOTE, MAX_NOTE_LEN)? else { return Ok(None) };
        let opened = SignedNote::parse(&bytes).map_err(|error| (Code::Changed, error.to_string()));
        let opened = opened.and_then(|note| {
            let checkpoint =
                self.identity.logs.open(&note).map_err(|error| (open_failure(error), error.to_string()))?;
            let alone = note.signatures().len() == 1;
            if alone && checkpoint.size() == size {
                return Ok(checkpoint);
            }
            let detail = if alone { "its size is not that of its name" } else { "others signed it too" };
            Err((Code::Changed, detail.to_owned()))
        });
        match opened {
            Ok(checkpoint) => Ok(Some((bytes, checkpoint))),
            Err((code, detail)) => {
                self.find(code, size, NOTE, detail);
                Ok(None)
            }
        }
    }

    /// Whether the bundle's checkpoint is this one or goes on from it.
    fn leads_on(&mut self, old: &Checkpoint, found: &[TimestampFile]) -> Result<bool, ReadError> {
        const PROOF: TimestampFile = TimestampFile::Consistency;
        let (size, new) = (old.size(), &self.identity.checkpoint);
        if size >= new.size() {
            if found.contains(&PROOF) {
                self.find(Code::Extra, size, PROOF, "there is nothing to prove");
            }
            if size > new.size() {
                let detail = "it is over more of the log than the bundle's checkpoint";
                self.find(Code::Extra, size, TimestampFile::Note, detail);
            }
            // Two roots for one size are found with all that the log signed.
            return Ok(size == new.size() && old.root() == new.root());
        }
        let detail = "nothing proves that the bundle's checkpoint goes on from this one";
        if !self.has(size, PROOF, found, detail) {
            return Ok(false);
        }
        let Some(bytes) = self.read(size, PROOF, MAX_CONSISTENCY_BYTES)? else { return Ok(false) };
        let held = parse_consistency(&bytes).map_err(|error| error.to_string()).and_then(|proof| {
            verify_consistency(size, old.root(), new.size(), new.root(), &proof)
                .map_err(|error| format!("the bundle's checkpoint does not go on from this one: {error}"))
        });
        if let Err(detail) = &held {
            self.find(Code::Changed, size, PROOF, detail);
        }
        Ok(held.is_ok())
    }

    /// A token over the note's bytes by an authority that the reader trusts.
    fn token(&mut self, size: u64, file: TimestampFile, token: &[u8], note: &[u8]) -> Option<Verified> {
        let verified =
            Token::from_der(token).and_then(|token| token.verify(&Digest::of(note), None, self.anchors));
        match verified {
            Ok(verified) => {
                let Verified { time, authority, expires, .. } = verified.clone();
                self.notes.facts.timestamps.push(Stamp { authority, expires, size, time });
                return Some(verified);
            }
            Err(TimestampError::NotTrusted) => {
                self.notes.facts.unknown_timestamps += 1;
                let path = timestamp_path(size, file);
                self.notes.skip(format!("{path}: no root that was given vouches for its authority"));
            }
            Err(error @ TimestampError::Algorithm(_)) => {
                self.notes.facts.unknown_timestamps += 1;
                self.notes.skip(format!("{}: {error}", timestamp_path(size, file)));
            }
            Err(
                error @ (TimestampError::TooLong
                | TimestampError::Malformed(_)
                | TimestampError::OtherImprint),
            ) => self.find(Code::Changed, size, file, error.to_string()),
            Err(error) => self.find(Code::BadSignature, size, file, error.to_string()),
        }
        None
    }
}
