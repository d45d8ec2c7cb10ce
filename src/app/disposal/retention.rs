//! What was kept long enough is proposed to be destroyed. Nothing is destroyed by it: two persons decide.

use custody::act::{Act, CaseType, DisposalProposed, Subject};
use custody::digest::Digest;
use custody::id::{CaseId, Code, ItemId, OpId};
use custody::kind::Kind;
use custody::record::Sequence;
use custody::rules::{Case, Disposal, Footprint, Hold, RETENTION_ELAPSED, Stage, has_lapsed};

use super::super::compose::Say;
use super::super::read::statement;
use super::super::say::With;
use super::super::{App, AppError};
use super::PAGE;
use crate::config::Retention;
use crate::store::Tx;

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;
/// How long a vault may say nothing before it is rather its clock that is wrong.
const AHEAD_MS: i64 = 92 * DAY_MS;

/// A closed case, and all that speaks for and against proposing anything of it.
struct Closed {
    case: CaseId,
    /// Log index of the record that closed it last.
    index: u64,
    days: u32,
    holds: Vec<(Digest, Hold)>,
    /// What was proposed in it, and whether that must be proposed anew.
    disposals: Vec<(Disposal, bool)>,
}

impl App {
    /// Proposes to destroy the content of closed cases that was kept for as long as the configuration has it, but for what
    /// a hold is on, what is proposed already, and what somebody declined since the case was closed; of how many items.
    pub async fn propose_by_retention(&self) -> Result<usize, AppError> {
        if self.retention.is_empty() || self.clock_is_doubted().await? {
            return Ok(0);
        }
        let (mut count, mut after) = (0, None);
        loop {
            let page = self.store.read().await?.closed_cases(after, PAGE).await?;
            let Some((last, _)) = page.last() else { return Ok(count) };
            after = Some(*last);
            for (id, case) in &page {
                match self.propose_in(*id, case).await {
                    Ok(proposed) => count += proposed,
                    // The others do not wait for it.
                    Err(error) => {
                        tracing::error!(case = %id, ?error, "proposing what was kept long enough failed; it is tried again");
                    }
                }
            }
        }
    }

    /// Whether the clock is far ahead of the log: everything would be proposed at once.
    async fn clock_is_doubted(&self) -> Result<bool, AppError> {
        let head = self.store.read().await?.log_head().await?.ok_or(AppError::NotFound("vault"))?;
        let (last, now) = (head.last_received, self.clock.now());
        let doubted = last.saturating_add_millis(AHEAD_MS) < now;
        if doubted {
            tracing::warn!(%last, %now, "the clock is far ahead of the log: nothing is proposed for having been kept long enough");
        }
        Ok(doubted)
    }

    async fn propose_in(&self, id: CaseId, case: &Case) -> Result<usize, AppError> {
        let Some(closed) = self.kept_long_enough(id, case).await? else { return Ok(0) };
        let (mut count, mut after) = (0, 0);
        loop {
            let items = self.store.read().await?.items_of(id, after, PAGE).await?;
            let Some((_, last)) = items.last() else { return Ok(count) };
            after = last.exhibit;
            let due = items.iter().filter(|(id, item)| {
                item.stored.is_some() && !item.disposed && item.offer.is_none() && closed.is_free(*id)
            });
            for (item, _) in due {
                count += usize::from(self.propose(&closed, *item).await?);
            }
        }
    }

    async fn propose(&self, closed: &Closed, item: ItemId) -> Result<bool, AppError> {
        let data = DisposalProposed { records: None, retention: Some(closed.days) };
        let say = Say::of_item(Kind::DisposalProposed, closed.case, item).data(data.to_data());
        let mut say = say.op_id(Some(closed.op_id(item)));
        say.purpose = Some(super::super::parse(RETENTION_ELAPSED, "purpose")?);
        match self.say_as_vault(say, With::default()).await {
            Ok(_) => Ok(true),
            // The case was reopened, a hold was placed, another replica was faster: it is looked at again.
            Err(AppError::Refused(_) | AppError::OpIdReused) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// A closed case, if the time is over for which cases like it are kept.
    async fn kept_long_enough(&self, id: CaseId, case: &Case) -> Result<Option<Closed>, AppError> {
        let mut tx = self.store.read().await?;
        let Some((case_type, jurisdiction)) = kind_of(&mut tx, id, &case.updates).await? else {
            return Ok(None);
        };
        let Some(days) = Retention::days(&self.retention, case_type, &jurisdiction) else { return Ok(None) };
        let Some(index) = case.turned else { return Ok(None) };
        let closed = tx.records_at(&[index]).await?.pop().ok_or(AppError::NotFound("record"))?.received;
        let now = self.clock.now();
        if closed.saturating_add_millis(i64::from(days) * DAY_MS) > now {
            return Ok(None);
        }
        let holds = tx.holds_of(id).await?;
        if holds.iter().any(|(_, hold)| hold.item.is_none() && hold.released.is_none()) {
            return Ok(None);
        }
        let (mut found, mut after) = (Vec::new(), 0);
        loop {
            let page = tx.disposals_of(id, after, PAGE).await?;
            let Some((_, last)) = page.last() else { break };
            after = last.index;
            found.extend(page);
        }
        let open = found.iter().filter(|(_, found)| found.stage == Stage::Proposed);
        let disposals = open.map(|(record, _)| *record).collect();
        let footprint =
            Footprint { cases: [id].into(), holds: [id].into(), disposals, ..Footprint::default() };
        let state = tx.state(&footprint).await?;
        let disposals = found.into_iter().map(|(_, found)| {
            let lapsed = found.stage == Stage::Proposed && has_lapsed(&state, &found, now);
            (found, lapsed)
        });
        Ok(Some(Closed { case: id, index, days, holds, disposals: disposals.collect() }))
    }
}

impl Closed {
    /// Whether no hold is on an item, and no disposal of it waits, was declined since, or was carried out.
    fn is_free(&self, item: ItemId) -> bool {
        let on = |hold: &Hold| hold.item.is_none_or(|held| held == item);
        let stands = |(found, lapsed): &(Disposal, bool)| match found.stage {
            Stage::Proposed => !lapsed,
            // When it was declined counts, not when it was asked: persons ask in open cases as well.
            Stage::Declined => found.ended.is_some_and(|ended| ended > self.index),
            Stage::Executed | Stage::Completed => true,
        };
        !self.holds.iter().any(|(_, hold)| on(hold) && hold.released.is_none()) && !self.of(item).any(stands)
    }

    /// What was proposed of an item.
    fn of(&self, item: ItemId) -> impl Iterator<Item = &(Disposal, bool)> {
        self.disposals.iter().filter(move |(found, _)| found.subject == Subject::Item(self.case, item))
    }

    /// The same for whoever asks about an item after the same records: replicas that ask at once ask once.
    fn op_id(&self, item: ItemId) -> OpId {
        let last = self.of(item).map(|(found, _)| found.index).max().unwrap_or_default();
        let asked = format!("{RETENTION_ELAPSED} {item} {} {last}", self.index);
        let mut op_id = [0; 16];
        op_id.copy_from_slice(&Digest::of(asked.as_bytes()).as_bytes()[..16]);
        OpId::new(op_id)
    }
}

/// What a case is, as it was said last.
async fn kind_of(
    tx: &mut Tx,
    case: CaseId,
    updates: &[Digest],
) -> Result<Option<(CaseType, Code)>, AppError> {
    let sequence = Sequence::Case(case);
    let Some(opened) = tx.introductions(&[sequence].into()).await?.remove(&sequence) else { return Ok(None) };
    let stmts: Vec<_> = std::iter::once(opened).chain(updates.iter().copied()).collect();
    let envelopes = tx.envelopes(&stmts).await?;
    let mut found: Option<(CaseType, Code)> = None;
    for stmt in &stmts {
        let envelope = envelopes.get(stmt).ok_or(AppError::NotFound("statement"))?;
        match (Act::parse(&statement(envelope)?)?, &mut found) {
            (Act::CaseOpened(_, d), _) => found = Some((d.case_type, d.jurisdiction)),
            (Act::CaseUpdated(_, d), Some((case_type, jurisdiction))) => {
                *case_type = d.case_type.unwrap_or(*case_type);
                if let Some(new) = d.jurisdiction {
                    *jurisdiction = new;
                }
            }
            _ => {}
        }
    }
    Ok(found)
}
