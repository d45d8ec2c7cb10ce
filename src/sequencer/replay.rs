//! Deciding and recording once more what a log says was recorded, in another database, by the code that recorded it.
//!
//! Randomness is played back: salts and openings are the ones that the log has, so that every record and every entry
//! must come out as the same bytes.

use custody::act::{Act, RecoveryNoted};
use custody::digest::Digest;
use custody::entropy::Entropy;
use custody::kind::Kind;
use custody::merkle::Frontier;
use custody::record::{Entry, LogIdentity, NextOpening, Record};
use custody::recovery::Gap;
use custody::time::Timestamp;

use super::Submission;
use super::batch::{Known, act_of};
use super::keys::Verified;
use super::recovery::{Resuming, resumed, resumed_here};
use super::writer::Writer;
use crate::store::{HistoryRow, LogHead, Store, StoreError, Tx};

/// Entries without records that are read at a time.
const LOST_PAGE: u64 = 4_096;

/// Why a replay cannot go on.
#[derive(Debug)]
pub(crate) enum Stop {
    /// A database failed.
    Store(StoreError),
    /// What stands here does not follow from what was said before.
    Broken {
        /// The table: records, or entries where the record is right and its entry is not.
        table: &'static str,
        /// The record.
        log_index: u64,
        /// Why not.
        problem: String,
    },
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// The log so far, made again.
#[derive(Debug)]
pub(crate) struct Replay {
    store: Store,
    log: LogIdentity,
    frontier: Frontier,
    last: Option<(Timestamp, Kind)>,
    gaps: Vec<Gap>,
}

impl Replay {
    /// Begins in an empty database.
    pub(crate) const fn new(store: Store) -> Self {
        let log = LogIdentity { origin: String::new(), vault: None };
        Self { store, log, frontier: Frontier::new(), last: None, gaps: Vec::new() }
    }

    /// Decides and records statements once more, each with all its records; those of one log in order. Where records are
    /// lost, their entries are those of the log `live`.
    pub(crate) async fn page(&mut self, live: &mut Tx, mut said: &[Vec<HistoryRow>]) -> Result<(), Stop> {
        if self.log.vault.is_none()
            && let Some((first, rest)) = said.split_first()
        {
            let submission = read(first)?;
            let Act::VaultCreated(created) = submission.act() else {
                return Err(broken(first, "the log does not begin with the vault's creation"));
            };
            self.log.origin.clone_from(&created.origin);
            self.record(std::slice::from_ref(first), &[submission]).await?;
            self.log.vault = first.first().map(|row| row.hash);
            said = rest;
        }
        let submissions = said.iter().map(|rows| read(rows)).collect::<Result<Vec<_>, _>>()?;
        let mut submissions = submissions.as_slice();
        while let Some(at) = submissions.iter().position(|said| noted(said).is_some()) {
            self.record(&said[..at], &submissions[..at]).await?;
            self.recover(live, &said[at], &submissions[at]).await?;
            (said, submissions) = (&said[at + 1..], &submissions[at + 1..]);
        }
        self.record(said, submissions).await
    }

    /// Entries without records, and the statement that says so.
    async fn recover(
        &mut self,
        live: &mut Tx,
        rows: &Vec<HistoryRow>,
        said: &Submission,
    ) -> Result<(), Stop> {
        let (Some(noted), [row]) = (noted(said), &rows[..]) else {
            return Err(broken(rows, "it notes no recovery"));
        };
        if (noted.from, noted.to) != (self.frontier.size(), row.log_index) {
            return Err(broken(
                rows,
                "the records that it says are lost are others than those that are missing",
            ));
        }
        let mut tx = self.store.write().await?;
        while self.frontier.size() < noted.to {
            let end = noted.to.min(self.frontier.size() + LOST_PAGE);
            let lost = live.entries(self.frontier.size()..end).await?;
            if lost.is_empty() {
                return Err(broken(rows, "the entries of the records that it says are lost are missing"));
            }
            self.frontier = tx.insert_lost(&self.frontier, &lost).await?;
        }
        tx.commit().await?;
        self.record(std::slice::from_ref(rows), std::slice::from_ref(said)).await?;
        let gap = Gap { from: noted.from, to: noted.to, record: row.hash };
        let mut tx = self.store.write().await?;
        tx.insert_recovery(&gap).await?;
        tx.commit().await?;
        self.gaps.push(gap);
        Ok(())
    }

    /// Ends with the log's head, whose checkpoint only the log itself can sign.
    pub(crate) async fn end(self, checkpoint: custody::note::SignedNote) -> Result<Store, StoreError> {
        let Some((last_received, _)) = self.last else { return Ok(self.store) };
        let mut tx = self.store.write().await?;
        let head = LogHead { frontier: self.frontier, checkpoint, last_received };
        tx.insert_all(vec![head.row()]).await?;
        tx.commit().await?;
        Ok(self.store)
    }

    async fn record(&mut self, said: &[Vec<HistoryRow>], submissions: &[Submission]) -> Result<(), Stop> {
        if said.is_empty() {
            return Ok(());
        }
        let mut tx = self.store.write().await?;
        self.refuse_repeated(&mut tx, said, submissions).await?;
        let Known { before, state, heads, sequences } =
            Known::load(&mut tx, custody::rules::State::default(), submissions.iter()).await?;
        let resuming = match (submissions.first().and_then(noted), self.log.vault, &self.gaps[..]) {
            (Some(noted), ..) => resumed_here(&mut tx, noted.from, &heads).await?,
            (None, Some(vault), [_, ..]) => resumed(&mut tx, &vault, &self.gaps, &sequences, &heads).await?,
            _ => Resuming::default(),
        };
        let begin = self.last.map_or_else(|| received(&said[0]), |(last, _)| Ok(last))?;
        let mut writer = Writer::new(self.log.clone(), &self.frontier, begin, state, heads);
        writer.resume(resuming);
        for (rows, submission) in said.iter().zip(submissions) {
            self.follow(&mut writer, rows, submission)?;
        }
        writer.origin().clone_into(&mut self.log.origin);
        let batch = writer.write_unsigned(&mut tx, &before).await?;
        tx.commit().await?;
        self.frontier = batch.frontier().clone();
        Ok(())
    }

    /// One statement after what was said before it.
    fn follow(
        &mut self,
        writer: &mut Writer,
        rows: &[HistoryRow],
        submission: &Submission,
    ) -> Result<(), Stop> {
        let because = |error: super::SubmitError| broken(rows, &error.to_string());
        let signers = writer.signers(submission).map_err(|refusal| because(refusal.into()))?;
        let verified = Verified::with(submission, &signers).map_err(because)?;
        let received = received(rows)?;
        if self.last.is_some_and(|(last, kind)| received < last && kind != Kind::ClockFault) {
            return Err(broken(rows, "it was received before the one before it, and no clock was at fault"));
        }
        self.last = Some((received, submission.statement().kind));
        writer.received_from_now_on(received);
        writer.decide(submission, &verified).map_err(because)?;
        let range = writer.record(submission, &mut Played(rows.iter()));
        if range.len() != rows.len() {
            return Err(broken(rows, "its statement makes another number of records"));
        }
        for (built, row) in writer.built(range).zip(rows) {
            if built.bytes != row.record {
                return Err(broken(
                    std::slice::from_ref(row),
                    "its place, or what it follows, is not the one that follows from what was said before",
                ));
            }
            if Some(&built.entry.to_bytes()[..]) != row.entry.as_deref() {
                let problem = "it does not carry the tag that it must".to_owned();
                return Err(Stop::Broken { table: "entries", log_index: row.log_index, problem });
            }
        }
        Ok(())
    }

    /// An act counts once; twice in the log is a mistake that no constraint of another database should find.
    async fn refuse_repeated(
        &self,
        tx: &mut Tx,
        said: &[Vec<HistoryRow>],
        submissions: &[Submission],
    ) -> Result<(), Stop> {
        let mut known = tx.known_acts(submissions.iter().map(act_of)).await?;
        for (rows, submission) in said.iter().zip(submissions) {
            if known.insert(act_of(submission), submission.stmt()).is_some() {
                return Err(broken(rows, "the same act is recorded twice"));
            }
        }
        Ok(())
    }
}

fn noted(said: &Submission) -> Option<&RecoveryNoted> {
    match said.act() {
        Act::RecoveryNoted(noted) => Some(noted),
        _ => None,
    }
}

fn read(rows: &[HistoryRow]) -> Result<Submission, Stop> {
    let envelope = rows.first().and_then(|row| row.envelope.as_deref());
    let envelope = envelope.ok_or_else(|| broken(rows, "its statement is missing"))?;
    Submission::recorded(envelope.to_vec()).map_err(|error| broken(rows, &error.to_string()))
}

fn received(rows: &[HistoryRow]) -> Result<Timestamp, Stop> {
    let record = rows.first().and_then(|row| Record::parse(&row.record).ok());
    record.map(|record| record.received).ok_or_else(|| broken(rows, "its record is malformed"))
}

fn broken(rows: &[HistoryRow], problem: &str) -> Stop {
    let log_index = rows.first().map_or(0, |row| row.log_index);
    Stop::Broken { table: "records", log_index, problem: problem.to_owned() }
}

/// The randomness that made these records, in the order in which it was drawn.
struct Played<'a>(std::slice::Iter<'a, HistoryRow>);

impl Entropy for Played<'_> {
    fn fill(&mut self, bytes: &mut [u8]) {
        bytes.fill(0);
        let Some(row) = self.0.next() else { return };
        let entry = row.entry.as_deref().and_then(|entry| Entry::parse(entry).ok());
        // Where a record has no such sequence, the opening's `t` filled the entry's tag and its `s` was thrown away.
        let filler = |tag: Option<Digest>| NextOpening { s: Digest::ZERO, t: tag.unwrap_or(Digest::ZERO) };
        let own = row.own.unwrap_or_else(|| filler(entry.map(|entry| entry.tag)));
        let case = row.case.unwrap_or_else(|| filler(entry.map(|entry| entry.case_tag)));
        let drawn = [row.salt, own.s, own.t, case.s, case.t];
        for (to, from) in bytes.chunks_exact_mut(32).zip(&drawn) {
            to.copy_from_slice(from.as_bytes());
        }
    }
}
