//! Export: a case as a signed bundle that others check offline.
//!
//! The record comes first: `bundle.exported` is built under the log's lock and commits to the head of every sequence
//! in scope. The bundle itself is a function of that record and the database: it is laid out (sizes, digests,
//! checksums), its digest is recorded as `bundle.completed`, and only then may its bytes be fetched. Nothing is kept
//! on disk for it: fetching it generates the same bytes again.

mod layout;
mod scope;
mod stream;
mod sweep;
mod zip;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use custody::act::{Act, BundleCompleted, BundleExported};
use custody::digest::Digest;
use custody::id::{CaseId, OpId, PersonId};
use custody::kind::Kind;
use custody::record::{Sequence, heads_digest};
use custody::rules::{Refusal, Right};
use custody::statement::Actor;

pub use stream::BundleStream;

use self::layout::Laid;
use self::scope::{Closure, Scope};
use super::compose::{Say, Signer};
use super::say::With;
use super::{App, AppError, first_record, parse, wire};
use crate::api;
use crate::publish::Published;
use crate::sequencer::SubmitError;

/// Layouts kept in memory; an older one is made again when its bundle is fetched. Each has some 2 KB an exhibit.
const KEPT: usize = 2;

/// How long an export waits for its entries to be published.
const PATIENCE: Duration = Duration::from_secs(10);

/// Layouts of the newest exports.
#[derive(Debug, Default)]
pub(super) struct Recent(Mutex<VecDeque<Arc<Laid>>>);

impl Recent {
    fn find(&self, export: &Digest) -> Option<Arc<Laid>> {
        self.kept().iter().find(|laid| laid.scope.exported == *export).cloned()
    }

    fn keep(&self, laid: &Arc<Laid>) {
        let mut kept = self.kept();
        kept.truncate(KEPT - 1);
        kept.push_front(Arc::clone(laid));
    }

    /// Whatever was laid out may hold what is destroyed now.
    pub(super) fn forget(&self) {
        self.kept().clear();
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, VecDeque<Arc<Laid>>> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// The name of the act that completes an export: there is one, however often the request is repeated.
fn completion_of(export: &Digest) -> OpId {
    OpId::new(export.as_bytes()[..16].try_into().unwrap_or_default())
}

impl App {
    /// Records the export of a case and lays out its bundle.
    pub async fn export(
        self: Arc<Self>,
        person: PersonId,
        case: CaseId,
        new: api::NewExport,
        op_id: Option<OpId>,
    ) -> Result<api::Export, AppError> {
        self.require(person, case, None, Right::Export).await?;
        let mut say = Say::in_case(Kind::BundleExported, case).op_id(op_id).fields(new.fields)?;
        say.purpose = Some(parse(&new.purpose, "purpose")?);
        let mut productions: Vec<Digest> =
            new.productions.iter().map(|name| parse(name, "productions")).collect::<Result<_, _>>()?;
        productions.sort_unstable();
        productions.dedup();
        let productions = (!productions.is_empty()).then_some(productions);
        let exported = self.record_export(person, case, say, productions).await?;
        let export = first_record(&exported)?;
        self.decide_checkpoint(export).await?;
        let laid = self.lay_out(export).await?;
        let data = BundleCompleted { bundle: laid.bundle_digest, export: laid.scope.exported }.to_data();
        let say = Say::new(Kind::BundleCompleted).data(data).op_id(Some(completion_of(&laid.scope.exported)));
        let completed = self.say_as_vault(say, With::default()).await?;
        let receipts = wire(&[exported, completed].concat());
        Ok(api::Export {
            id: laid.scope.exported.to_hex(),
            records: laid.scope.indices.len() as u64,
            exhibits: laid.exhibits,
            size: laid.size(),
            fingerprint: self.vault.to_hex(),
            receipts,
        })
    }

    async fn record_export(
        self: &Arc<Self>,
        person: PersonId,
        case: CaseId,
        say: Say,
        productions: Option<Vec<Digest>>,
    ) -> Result<Vec<custody::receipt::Receipt>, AppError> {
        if let Some(first) = self.said_before(person, &say).await? {
            return Ok(first);
        }
        let app = Arc::clone(self);
        // Everything read so far before the lock; under it only what came since.
        let mut closure = Closure::new(case);
        closure.advance(&mut app.store.read().await?, u64::MAX).await?;
        let drafted = self.sequencer.draft(Box::new(move |view| {
            Box::pin(async move {
                let drafted = async {
                    closure.advance(view.tx(), u64::MAX).await?;
                    let heads = heads_digest(closure.heads().iter().map(|(s, (seq, hash))| (s, *seq, hash)));
                    let data = BundleExported { heads, productions, sequences: closure.heads().len() as u64 };
                    let composed = app.compose(say.data(data.to_data()), Signer::Session(person)).await?;
                    app.signed_submission(composed).await
                };
                drafted.await.map_err(|error: AppError| match error {
                    AppError::Refused(refusal) => SubmitError::Refused(refusal),
                    other => SubmitError::Draft(other.to_string()),
                })
            })
        }));
        Ok(drafted.await?)
    }

    /// The bytes of a bundle, for whoever exported it. Anybody else makes an export of their own, which is a record of
    /// its own.
    pub async fn bundle(self: Arc<Self>, person: PersonId, export: Digest) -> Result<BundleStream, AppError> {
        let row = self.store.read().await?.records_by_hash(&[export]).await?.pop();
        let own = row.filter(|row| row.kind == Kind::BundleExported && row.actor == Actor::Person(person));
        let Some(Sequence::Case(case)) = own.and_then(|row| row.case).map(|place| place.sequence) else {
            let place = super::refuse::Place { case: None, item: None };
            return Err(self.refused(person, place, "fetch-bundle", Refusal::Unknown("case")).await?);
        };
        self.require(person, case, None, Right::Export).await?;
        let watch = self.watch(person).await?;
        // Released only once its digest is in the log; repeating the export's request completes what a crash left.
        if !self.is_completed(&export).await? {
            return Err(AppError::NotFound("export"));
        }
        let laid = match self.exports.find(&export) {
            Some(laid) => laid,
            None => self.lay_out(export).await?,
        };
        // What was destroyed since is in no bundle that is laid out now: it would not be the one that was recorded.
        if !self.is_as_completed(&laid).await? || !self.still_produced(&laid.produced).await? {
            return Err(AppError::Destroyed);
        }
        Ok(BundleStream::start(self, laid, watch))
    }

    async fn is_completed(&self, export: &Digest) -> Result<bool, AppError> {
        let completed = (Actor::System, completion_of(export));
        Ok(!self.store.read().await?.known_acts([completed].into_iter()).await?.is_empty())
    }

    async fn is_as_completed(&self, laid: &Laid) -> Result<bool, AppError> {
        let act = (Actor::System, completion_of(&laid.scope.exported));
        let mut tx = self.store.read().await?;
        let Some(stmt) = tx.known_acts([act].into_iter()).await?.remove(&act) else { return Ok(false) };
        let envelope = tx.envelopes(&[stmt]).await?.remove(&stmt).ok_or(AppError::NotFound("statement"))?;
        let said = Act::of_envelope(&envelope);
        Ok(matches!(said, Some(Act::BundleCompleted(completed)) if completed.bundle == laid.bundle_digest))
    }

    /// Decides, once, under which checkpoint and with which time stamps the bundle is laid out: where witnesses are asked, under one that they
    /// cosigned, if that comes soon; else under the log's own at the cut. Either way the public log reaches as far as
    /// the bundle before anybody has it, unless publishing fails.
    async fn decide_checkpoint(&self, export: Digest) -> Result<(), AppError> {
        if self.is_completed(&export).await? {
            return Ok(());
        }
        let row = self.store.read().await?.records_by_hash(&[export]).await?.pop();
        let cut = row.ok_or(AppError::NotFound("export"))?.log_index + 1;
        let witnessed = self.asks_witnesses();
        let covers = |published: &Published| published.size >= cut && published.witnessed == witnessed;
        let published = self.published(covers, PATIENCE).await;
        let size = published.filter(|published| published.witnessed).map_or(0, |published| published.size);
        self.store.decide_checkpoint(&export, size).await?;
        let mut tx = self.store.read().await?;
        let (size, _, note) = scope::checkpoint_of(self, &mut tx, &export, cut).await?;
        drop(tx);
        self.timestamp_export(&export, size, &note).await
    }

    async fn lay_out(&self, export: Digest) -> Result<Arc<Laid>, AppError> {
        let scope = Scope::load(self, export).await?;
        let laid = Arc::new(Laid::new(self, scope).await?);
        self.exports.keep(&laid);
        Ok(laid)
    }
}
