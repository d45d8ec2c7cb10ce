//! The published log as the service sees it: what is shown, what is waited for, what an operator must look at.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use custody::digest::Digest;
use custody::receipt::Receipt;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::{App, AppError, wire};
use crate::api;
use crate::publish::{Published, Publisher, Status};

/// How long the first start waits for the first checkpoint to be published.
const FIRST: Duration = Duration::from_secs(2);
/// How long the end of the service waits for what was committed last to be stored.
const LAST: Duration = Duration::from_secs(10);
/// How long a write may wait for witnesses.
const WITNESSED: Duration = Duration::from_secs(10);

/// The publisher, and what it says.
#[derive(Debug)]
pub(super) struct Publication {
    status: watch::Receiver<Status>,
    asks_witnesses: bool,
    state: Mutex<State>,
}

#[derive(Debug)]
enum State {
    /// Nobody is served: nothing is published.
    Idle(Box<Publisher>),
    Running(JoinHandle<()>),
    Over,
}

/// Whether the service can work, and what an operator must look at.
#[derive(Debug, Clone)]
pub struct Readiness {
    /// Entries in the database.
    pub size: u64,
    /// What is published and what stands in the way.
    pub status: Status,
    /// What stands in the way of time stamps.
    pub timestamps: Vec<String>,
    /// Who cannot be told that something happened.
    pub notices: Vec<String>,
}

impl Readiness {
    /// What an operator must look at, one line each.
    pub fn alarms(&self) -> Vec<String> {
        let others = self.timestamps.iter().chain(&self.notices);
        self.status.alarms().into_iter().chain(others.cloned()).collect()
    }
}

impl Publication {
    pub(super) fn new(publisher: Publisher) -> Self {
        let (status, asks_witnesses) = (publisher.status(), publisher.asks_witnesses());
        Self { status, asks_witnesses, state: Mutex::new(State::Idle(Box::new(publisher))) }
    }

    /// What is published and what stands in the way, as it changes.
    pub(super) fn status(&self) -> watch::Receiver<Status> {
        self.status.clone()
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sees the publisher out, after the sequencer has ended.
    pub(super) async fn end(&self) {
        let state = std::mem::replace(&mut *self.state(), State::Over);
        if let State::Running(mut task) = state
            && tokio::time::timeout(LAST, &mut task).await.is_err()
        {
            tracing::warn!("the last entries could not be published in time");
            task.abort();
        }
    }
}

impl App {
    /// Begins to publish, now that somebody is served. Returns once something is published, if that is soon.
    pub async fn publish(&self) {
        {
            let mut state = self.publication.state();
            match std::mem::replace(&mut *state, State::Over) {
                State::Idle(publisher) => *state = State::Running(tokio::spawn(publisher.run())),
                other => *state = other,
            }
        }
        let mut status = self.publication.status.clone();
        let first = status.wait_for(|status| status.published.is_some());
        // Whoever asks before is told to come again.
        drop(tokio::time::timeout(FIRST, first).await);
    }

    /// The newest published checkpoint, a signed note.
    pub fn checkpoint(&self) -> Result<String, AppError> {
        let status = self.publication.status.borrow();
        let published = status.published.as_ref().ok_or(AppError::NotPublished)?;
        Ok(published.note.to_string())
    }

    /// Whether the database answers, and what an operator must look at.
    pub async fn readiness(&self) -> Result<Readiness, AppError> {
        let head = self.store.read().await?.log_head().await?.ok_or(AppError::NotFound("log"))?;
        let status = self.publication.status.borrow().clone();
        Ok(Readiness {
            size: head.size(),
            status,
            timestamps: self.timestamping.alarms(),
            notices: self.telling.alarms(),
        })
    }

    /// Whether a quorum of witnesses is asked to cosign.
    pub(super) const fn asks_witnesses(&self) -> bool {
        self.publication.asks_witnesses
    }

    /// Waits, no longer than `limit`, for a published checkpoint that `enough` accepts; nothing if there is none then,
    /// or nothing more is published.
    pub(super) async fn published(
        &self,
        enough: impl Fn(&Published) -> bool,
        limit: Duration,
    ) -> Option<Published> {
        if matches!(*self.publication.state(), State::Idle(_)) {
            return None;
        }
        let mut status = self.publication.status.clone();
        let reached = status
            .wait_for(|status| status.stopped.is_some() || status.published.as_ref().is_some_and(&enough));
        let reached = tokio::time::timeout(limit, reached).await.ok()?.ok()?;
        reached.published.clone().filter(&enough)
    }

    /// The same receipts under a checkpoint that witnesses cosigned, if that is reached soon; they say whether it was.
    pub async fn witnessed(&self, receipts: api::Receipts) -> Result<api::Receipts, AppError> {
        let unread = AppError::internal("reading receipts of one's own");
        let parsed: Result<Vec<_>, _> = receipts.to_keep().map(|receipt| Receipt::parse(&receipt)).collect();
        let parsed = parsed.map_err(unread)?;
        let last = parsed.iter().map(|receipt| receipt.proof.index()).max();
        let (Some(last), true) = (last, self.asks_witnesses()) else {
            return Ok(api::Receipts { witnessed: Some(false), ..receipts });
        };
        let covers = |published: &Published| published.witnessed && published.size > last;
        let Some(published) = self.published(covers, WITNESSED).await else {
            return Ok(api::Receipts { witnessed: Some(false), ..receipts });
        };
        let mut statements: Vec<_> = parsed.iter().map(|receipt| Digest::of(&receipt.envelope)).collect();
        statements.dedup();
        let mut tx = self.store.read().await?;
        let mut again = Vec::with_capacity(parsed.len());
        for stmt in statements {
            let rows = tx.records_of(&[stmt]).await?;
            again.extend(tx.receipts_under(rows, published.size, &published.note).await?);
        }
        Ok(api::Receipts { witnessed: Some(true), ..wire(&again) })
    }
}
