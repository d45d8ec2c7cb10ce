//! Time stamps: taken at intervals and at exports, kept, and noted in the log.
//!
//! A token over a checkpoint bounds all that it covers from above; the record that notes it bounds all that follows
//! from below. An authority that fails stops nothing: it is an alarm, and bundles say what they lack.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use custody::act::{AnchorKind, AnchorNoted};
use custody::digest::Digest;
use custody::id::OpId;
use custody::kind::Kind;
use custody::note::SignedNote;
use futures_util::future::join_all;

use super::compose::Say;
use super::say::With;
use super::{App, AppError};
use crate::store::TimestampRow;
use crate::timestamps::{AskError, Authorities};

/// How long an export waits for its time stamps.
const PATIENCE: Duration = Duration::from_secs(10);
/// Milliseconds by which an authority's clock and ours may differ without an alarm.
const TOLERANCE_MS: u64 = 60_000;
/// Most checkpoints whose time stamps are in one bundle. A verifier reads a few more.
const MAX_IN_BUNDLE: usize = 250;

/// Who is asked for time stamps, and what is wrong with them.
#[derive(Debug)]
pub(super) struct Timestamping {
    authorities: Option<Authorities>,
    /// By the authority's number.
    troubles: Mutex<BTreeMap<u8, String>>,
}

impl Timestamping {
    pub(super) fn new(authorities: Option<Authorities>) -> Self {
        Self { authorities, troubles: Mutex::default() }
    }

    /// What an operator must look at, one line each.
    pub(super) fn alarms(&self) -> Vec<String> {
        let troubles = self.troubles.lock().unwrap_or_else(PoisonError::into_inner);
        let alarm = |(number, trouble): (&u8, &String)| format!("timestamp authority {number}: {trouble}");
        troubles.iter().map(alarm).collect()
    }

    /// Notes what came of asking an authority, and says so when it changes.
    fn note(&self, number: u8, trouble: Option<String>) {
        let mut troubles = self.troubles.lock().unwrap_or_else(PoisonError::into_inner);
        let before = match &trouble {
            Some(trouble) => troubles.insert(number, trouble.clone()),
            None => troubles.remove(&number),
        };
        match (before, trouble) {
            (Some(_), None) => tracing::info!(authority = number, "time stamps come again"),
            (before, Some(trouble)) if before.as_ref() != Some(&trouble) => {
                tracing::error!(authority = number, error = trouble, "trouble with time stamps");
            }
            _ => {}
        }
    }
}

impl App {
    /// Takes a time stamp of the log as it is from every authority whose last one is old enough, and notes whatever
    /// was taken and not yet noted. To be called often.
    pub async fn take_timestamps(&self) -> Result<(), AppError> {
        let Some(authorities) = &self.timestamping.authorities else { return Ok(()) };
        let every = i64::try_from(authorities.every().as_millis()).unwrap_or(i64::MAX);
        let mut due = Vec::new();
        for (number, _) in authorities.each() {
            let newest = self.store.read().await?.newest_timestamp(number).await?;
            if let Some(newest) = &newest {
                self.note_timestamp(newest).await?;
            }
            if newest.is_none_or(|newest| newest.time.saturating_add_millis(every) <= self.clock.now()) {
                due.push(number);
            }
        }
        if due.is_empty() {
            return Ok(());
        }
        let head = self.store.read().await?.log_head().await?.ok_or(AppError::NotFound("log"))?;
        self.timestamp(authorities, &due, head.size(), &head.checkpoint).await
    }

    /// Takes time stamps of the checkpoint of an export, if they come soon, and decides once which ones its bundle has.
    pub(super) async fn timestamp_export(
        &self,
        export: &Digest,
        size: u64,
        note: &SignedNote,
    ) -> Result<(), AppError> {
        if self.store.read().await?.timestamps_for(export).await?.is_some() {
            return Ok(());
        }
        if let Some(authorities) = &self.timestamping.authorities {
            let all: Vec<_> = authorities.each().map(|(number, _)| number).collect();
            let asking = self.timestamp(authorities, &all, size, note);
            match tokio::time::timeout(PATIENCE, asking).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::error!(code = error.code(), "an export goes without time stamps"),
                Err(_) => tracing::error!("an export goes without time stamps: they did not come in time"),
            }
        }
        Ok(self.store.decide_timestamps(export).await?)
    }

    /// Asks these authorities at the same time; keeps and notes what they give.
    async fn timestamp(
        &self,
        authorities: &Authorities,
        numbers: &[u8],
        size: u64,
        note: &SignedNote,
    ) -> Result<(), AppError> {
        let note =
            note.only(self.log.of_size(size)).ok_or(AppError::NotFound("signature of the log"))?.to_string();
        let digest = Digest::of(note.as_bytes());
        let (note, digest) = (&note, &digest);
        let asked = authorities.each().filter(|(number, _)| numbers.contains(number));
        let asked = asked.map(|(number, url)| async move {
            if self.store.read().await?.timestamp_of(size, number).await?.is_some() {
                return Ok(());
            }
            match authorities.ask(url, digest).await {
                Ok((token, verified)) => {
                    let apart = verified.time.millis().abs_diff(self.clock.now().millis());
                    let trouble = (apart > TOLERANCE_MS)
                        .then(|| format!("its clock and this machine's are {} s apart", apart / 1_000));
                    self.timestamping.note(number, trouble);
                    let row = TimestampRow {
                        id: 0,
                        size,
                        authority: number,
                        note: note.clone(),
                        token: token.as_der().to_vec(),
                        time: verified.time,
                        expires: verified.expires,
                    };
                    self.store.keep_timestamp(&row).await?;
                    // Another process of this vault may have been faster: what is kept counts.
                    match self.store.read().await?.timestamp_of(size, number).await? {
                        Some(kept) => self.note_timestamp(&kept).await,
                        None => Ok(()),
                    }
                }
                Err(error) => {
                    self.timestamping.note(number, Some(chain(&error)));
                    Ok(())
                }
            }
        });
        join_all(asked).await.into_iter().collect()
    }

    /// Records that a token exists, once: whatever is recorded from then on is younger.
    async fn note_timestamp(&self, row: &TimestampRow) -> Result<(), AppError> {
        let anchor = Digest::of(&row.token);
        let op_id = OpId::new(anchor.as_bytes()[..16].try_into().unwrap_or_default());
        let data = AnchorNoted { anchor, kind: AnchorKind::Timestamp, size: row.size }.to_data();
        let say = Say::new(Kind::AnchorNoted).data(data).op_id(Some(op_id));
        self.say_as_vault(say, With::default()).await.map(drop)
    }
}

/// The error with its causes.
fn chain(error: &AskError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}

/// Of the sizes that have time stamps, ascending, those that place these records as closely as all of them would: the
/// one over each record, and the two before it, of which one was noted before the record. And the last.
pub(super) fn needed(sizes: &[u64], records: &[u64]) -> Vec<u64> {
    let mut needed: BTreeSet<_> = sizes.last().copied().into_iter().collect();
    for index in records {
        let over = sizes.partition_point(|size| size <= index);
        needed.extend(sizes.iter().take(over + 1).skip(over.saturating_sub(2)));
    }
    let needed: Vec<_> = needed.into_iter().collect();
    if needed.len() <= MAX_IN_BUNDLE {
        return needed;
    }
    // Thinned evenly: brackets grow wider, and none is lost.
    (0..MAX_IN_BUNDLE).map(|n| needed[n * (needed.len() - 1) / (MAX_IN_BUNDLE - 1)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bundle_has_the_time_stamps_around_its_records_and_the_last() {
        let sizes = [10, 20, 30, 40, 50, 60];
        assert_eq!(needed(&sizes, &[]), [60]);
        assert_eq!(needed(&sizes, &[35]), [20, 30, 40, 60]);
        assert_eq!(needed(&sizes, &[5, 8]), [10, 60]);
        // The time stamp over 30 entries was noted by a record from 30 on.
        assert_eq!(needed(&sizes, &[30]), [20, 30, 40, 60]);
        assert_eq!(needed(&sizes, &[99]), [50, 60]);
        assert_eq!(needed(&[], &[3]), [0; 0]);
    }

    #[test]
    fn too_many_time_stamps_are_thinned_evenly() {
        let sizes: Vec<_> = (1..=1_000).collect();
        let records: Vec<_> = (0..1_000).collect();
        let thinned = needed(&sizes, &records);
        assert_eq!((thinned.len(), thinned[0], thinned[249]), (MAX_IN_BUNDLE, 1, 1_000));
        assert!(thinned.windows(2).all(|pair| (1..=5).contains(&(pair[1] - pair[0]))));
    }
}
