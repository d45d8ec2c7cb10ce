//! Refusals are records too: what a signed-in person was refused, where, by which rule.
//!
//! A member's refusal stands in the item's or case's own sequence. Anybody else's goes to the vault's refusals stream
//! without naming the case, and is answered exactly as if the case did not exist.
//!
//! A flood becomes few records: after one, refusals like it are counted, and the count is recorded with the next one
//! after the window, by the sweeper ([`super::sweep`]), or when the service ends. A count is taken when its record is
//! submitted, and given back if that fails. A crash loses what was counted since the sweeper last came by, a minute at
//! most.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use custody::act::AccessDenied;
use custody::id::{CaseId, Code, ItemId, PersonId};
use custody::kind::Kind;
use custody::rules::{Refusal, is_member};
use custody::statement::Statement;

use super::compose::{Say, Signer};
use super::{App, AppError};

/// One record a minute for the same person, act and rule, and one more whenever the sweeper comes by; each carries how
/// many it stands for.
const WINDOW_MS: u64 = 60_000;
/// Different refusals remembered at most.
const MAX_REMEMBERED: usize = 10_000;

/// Person, case, item, act and rule: refusals alike in all of them are one record a window.
type Alike = (PersonId, Option<CaseId>, Option<ItemId>, Code, Code);

/// Refusals lately, of each sort.
#[derive(Debug, Default)]
pub(super) struct Throttle {
    all: Mutex<HashMap<Alike, Lately>>,
    /// Taken, and neither recorded nor given back.
    under_way: AtomicU64,
}

/// Refusals of one sort.
#[derive(Debug, Default)]
struct Lately {
    /// When the last record was begun, monotonic milliseconds; nothing if it failed.
    recorded: Option<u64>,
    /// How many wait for a record.
    waiting: u64,
}

impl Lately {
    fn is_open(&self, now_ms: u64) -> bool {
        self.recorded.is_some_and(|since| now_ms.saturating_sub(since) < WINDOW_MS)
    }

    fn take(&mut self, now_ms: u64) -> u64 {
        self.recorded = Some(now_ms);
        std::mem::take(&mut self.waiting)
    }
}

impl Throttle {
    /// How many refusals a record written now stands for; nothing while the window of the last one is open.
    /// Whoever takes a count records it, or [gives it back](Self::give_back).
    fn count(&self, key: Alike, now_ms: u64) -> Option<u64> {
        let mut all = self.all();
        if all.len() >= MAX_REMEMBERED {
            all.retain(|_, lately| lately.waiting > 0 || lately.is_open(now_ms));
        }
        let lately = all.entry(key).or_default();
        lately.waiting += 1;
        (!lately.is_open(now_ms)).then(|| lately.take(now_ms))
    }

    /// What waits. Sorts of which nothing is left to say are forgotten.
    fn waiting(&self, now_ms: u64) -> Vec<Alike> {
        let mut all = self.all();
        all.retain(|_, lately| lately.waiting > 0 || lately.is_open(now_ms));
        all.iter().filter(|(_, lately)| lately.waiting > 0).map(|(key, _)| key.clone()).collect()
    }

    /// What waits of this sort, taken as by [`Self::count`].
    fn take(&self, key: &Alike, now_ms: u64) -> Option<u64> {
        let mut all = self.all();
        all.get_mut(key).filter(|lately| lately.waiting > 0).map(|lately| lately.take(now_ms))
    }

    /// A count that was taken could not be recorded: it waits again, and nothing keeps the next one from recording it.
    fn give_back(&self, key: Alike, count: u64) {
        let mut all = self.all();
        let lately = all.entry(key).or_default();
        lately.waiting += count;
        lately.recorded = None;
    }

    /// Refusals that have no record.
    fn unrecorded(&self) -> u64 {
        let waiting: u64 = self.all().values().map(|lately| lately.waiting).sum();
        waiting + self.under_way.load(Ordering::Relaxed)
    }

    fn all(&self) -> std::sync::MutexGuard<'_, HashMap<Alike, Lately>> {
        self.all.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// A count that was taken. Dropped before its record is there, it waits again.
struct Taken {
    throttle: Arc<Throttle>,
    key: Alike,
    count: u64,
}

impl Taken {
    fn new(throttle: &Arc<Throttle>, key: Alike, count: u64) -> Self {
        throttle.under_way.fetch_add(count, Ordering::Relaxed);
        Self { throttle: Arc::clone(throttle), key, count }
    }

    /// Its record is there.
    fn recorded(mut self) {
        self.throttle.under_way.fetch_sub(self.count, Ordering::Relaxed);
        self.count = 0;
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        if self.count > 0 {
            self.throttle.under_way.fetch_sub(self.count, Ordering::Relaxed);
            self.throttle.give_back(self.key.clone(), self.count);
        }
    }
}

/// Where a refusal happened.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub case: Option<CaseId>,
    pub item: Option<ItemId>,
}

impl Place {
    /// Nowhere in particular.
    pub(super) const VAULT: Self = Self { case: None, item: None };
}

impl App {
    /// Records a refusal by the rules, and hides from strangers what they were refused.
    pub(super) async fn note_refusal<T>(
        &self,
        person: PersonId,
        statement: &Statement,
        outcome: Result<T, AppError>,
    ) -> Result<T, AppError> {
        let Err(AppError::Refused(refusal)) = outcome else { return outcome };
        // Who may not open cases is told so: there is no case yet that could be hidden.
        let opening = statement.kind == Kind::CaseOpened && refusal.is_denial();
        let case = statement.case.filter(|_| !opening);
        let place = Place { case, item: statement.item };
        Err(self.refused(person, place, statement.kind.spec().name, refusal).await?)
    }

    /// Records that `person` was refused `act`; answers with the error to show.
    pub(super) async fn refused(
        &self,
        person: PersonId,
        place: Place,
        act: &str,
        refusal: Refusal,
    ) -> Result<AppError, AppError> {
        // That an item exists already is shown to whoever may see that item, not to members of the case named.
        let case = match (&refusal, place.item) {
            (Refusal::Exists(_), Some(item)) => {
                self.store.read().await?.items(&[item]).await?.first().map(|row| row.1.case)
            }
            _ => place.case,
        };
        let member = self.is_member(person, case).await?;
        let unknown = matches!(refusal, Refusal::Unknown("case" | "item"));
        if member && !refusal.is_denial() && !unknown {
            return Ok(AppError::Refused(refusal));
        }
        let hidden = !member || unknown;
        let rule = if hidden { "not-a-member" } else { refusal.code() };
        let place = if hidden { Place::VAULT } else { place };
        self.record_refusal(person, place, act, rule).await?;
        Ok(if hidden { AppError::NotFound("case or item") } else { AppError::Refused(refusal) })
    }

    /// Records that `person` was refused `act` by a rule that no statement can break, because none came of it.
    pub(super) async fn deny(
        &self,
        person: PersonId,
        place: Place,
        act: &str,
        rule: &str,
    ) -> Result<(), AppError> {
        let place = if self.is_member(person, place.case).await? { place } else { Place::VAULT };
        self.record_refusal(person, place, act, rule).await
    }

    /// Whether `person` may know of this case; everybody may of none.
    async fn is_member(&self, person: PersonId, case: Option<CaseId>) -> Result<bool, AppError> {
        let Some(case) = case else { return Ok(true) };
        Ok(is_member(&self.store.read().await?.roles_in(case, person).await?, self.clock.now()))
    }

    async fn record_refusal(
        &self,
        person: PersonId,
        place: Place,
        act: &str,
        rule: &str,
    ) -> Result<(), AppError> {
        let act: Code = super::parse(&act.replace('.', "-"), "act")?;
        let rule: Code = super::parse(rule, "rule")?;
        let key = (person, place.case, place.item, act, rule);
        match self.refusals.count(key.clone(), self.clock.monotonic_ms()) {
            Some(count) => self.record_count(key, count).await,
            None => Ok(()),
        }
    }

    /// Records the refusals that were counted and have no record yet. Returns how many records that took.
    pub async fn record_counted_refusals(&self) -> Result<usize, AppError> {
        let mut outcome = Ok(0);
        for key in self.refusals.waiting(self.clock.monotonic_ms()) {
            let Some(count) = self.refusals.take(&key, self.clock.monotonic_ms()) else { continue };
            // One that fails does not keep the others from being recorded.
            let recorded = self.record_count(key, count).await;
            outcome = outcome.and_then(|records| recorded.map(|()| records + 1));
        }
        outcome
    }

    /// How many refusals were counted and have no record yet.
    pub fn unrecorded_refusals(&self) -> u64 {
        self.refusals.unrecorded()
    }

    async fn record_count(&self, key: Alike, count: u64) -> Result<(), AppError> {
        let taken = Taken::new(&self.refusals, key, count);
        let denied = self.compose(self.denied(&taken).await?, Signer::System).await?;
        let submission = self.signed_submission(denied).await?;
        let log = self.sequencer.clone();
        // A task of its own: what is submitted is recorded though nobody stays for the answer, and counts once.
        let said = tokio::spawn(async move {
            let said = log.submit(submission).await;
            if said.is_ok() {
                taken.recorded();
            }
            said
        });
        said.await.map_err(AppError::internal("recording a refusal"))?.map(drop).map_err(AppError::from)
    }

    async fn denied(&self, taken: &Taken) -> Result<Say, AppError> {
        let (person, case, item, act, rule) = taken.key.clone();
        let data = AccessDenied { act, count: taken.count, person, rule };
        let mut say = Say::new(Kind::AccessDenied).data(data.to_data());
        // An item that belongs to another case than the one named is refused within the case only.
        say.case = case;
        say.item = match (case, item) {
            (Some(case), Some(item)) => {
                let items = self.store.read().await?.items(&[item]).await?;
                items.first().filter(|row| row.1.case == case).map(|row| row.0)
            }
            _ => None,
        };
        Ok(say)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sort() -> Alike {
        let person = PersonId::new(uuid::Uuid::from_u128(1));
        (person, None, None, "read".parse().unwrap(), "not-permitted".parse().unwrap())
    }

    fn waiting(throttle: &Throttle, now_ms: u64) -> Vec<(Alike, u64)> {
        let keys = throttle.waiting(now_ms).into_iter();
        keys.filter_map(|key| throttle.take(&key, now_ms).map(|count| (key, count))).collect()
    }

    #[test]
    fn a_flood_becomes_one_record_a_minute_that_counts() {
        let throttle = Throttle::default();
        assert_eq!(throttle.count(sort(), 0), Some(1));
        assert_eq!(throttle.count(sort(), 1), None);
        assert_eq!(throttle.count(sort(), WINDOW_MS - 1), None);
        assert_eq!(throttle.count(sort(), WINDOW_MS), Some(3));
    }

    #[test]
    fn what_was_counted_is_recorded_though_nothing_more_is_refused() {
        let throttle = Throttle::default();
        assert_eq!(throttle.count(sort(), 0), Some(1));
        assert_eq!(waiting(&throttle, 1), []);
        assert_eq!((throttle.count(sort(), 2), throttle.count(sort(), 3)), (None, None));
        assert_eq!(waiting(&throttle, 4), [(sort(), 2)]);
        assert_eq!(throttle.count(sort(), 5), None, "the window is open anew");
        assert_eq!(waiting(&throttle, WINDOW_MS + 4), [(sort(), 1)]);
        assert_eq!(waiting(&throttle, 3 * WINDOW_MS), []);
        assert!(throttle.all().is_empty(), "nothing is remembered for ever");
    }

    #[test]
    fn a_count_that_could_not_be_recorded_waits_for_the_next_one() {
        let throttle = Throttle::default();
        assert_eq!(throttle.count(sort(), 0), Some(1));
        assert_eq!(throttle.count(sort(), 1), None, "while the first is being recorded");
        throttle.give_back(sort(), 1);
        assert_eq!(throttle.count(sort(), 2), Some(3));
        throttle.give_back(sort(), 3);
        assert_eq!(waiting(&throttle, 3), [(sort(), 3)]);
    }

    #[test]
    fn many_sorts_of_refusals_push_out_no_count() {
        let throttle = Throttle::default();
        let other = |n: u128| (PersonId::new(uuid::Uuid::from_u128(n + 2)), None, None, sort().3, sort().4);
        assert_eq!((throttle.count(sort(), 0), throttle.count(sort(), 1)), (Some(1), None));
        for n in 0..MAX_REMEMBERED as u128 {
            assert_eq!(throttle.count(other(n), 2), Some(1));
        }
        assert_eq!(throttle.count(other(0), WINDOW_MS + 2), Some(1));
        assert_eq!(waiting(&throttle, WINDOW_MS + 3), [(sort(), 1)]);
    }
}
