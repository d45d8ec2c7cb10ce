//! What ends in the middle when a person is suspended: contents and bundles that are being sent.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use custody::id::PersonId;
use custody::rules::Refusal;

use super::{App, AppError};

/// Who is being sent something, by this process.
#[derive(Debug, Default)]
pub(super) struct CutOff(Mutex<HashMap<PersonId, Weak<AtomicBool>>>);

/// Whether somebody was cut off since this was made.
#[derive(Debug, Clone)]
pub(super) struct Watch(Arc<AtomicBool>);

impl Watch {
    /// Refuses from the moment on at which the person was suspended.
    pub(super) fn goes_on(&self) -> Result<(), AppError> {
        if self.0.load(Ordering::Acquire) { Err(Refusal::ActorSuspended.into()) } else { Ok(()) }
    }
}

impl CutOff {
    fn watch(&self, person: PersonId) -> Watch {
        let mut watched = self.lock();
        watched.retain(|_, flag| flag.strong_count() > 0);
        let known = watched.get(&person).and_then(Weak::upgrade);
        let flag = known.unwrap_or_default();
        watched.insert(person, Arc::downgrade(&flag));
        Watch(flag)
    }

    /// Ends what is under way; what begins later is not concerned.
    fn cut(&self, person: PersonId) {
        if let Some(flag) = self.lock().remove(&person).and_then(|flag| flag.upgrade()) {
            flag.store(true, Ordering::Release);
        }
    }

    fn persons(&self) -> Vec<PersonId> {
        self.lock().keys().copied().collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<PersonId, Weak<AtomicBool>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl App {
    /// Begins to watch whether a person is suspended, for whoever sends them something. A suspension before is found
    /// here, a later one by the watch.
    pub(super) async fn watch(&self, person: PersonId) -> Result<Watch, AppError> {
        let watch = self.cut_off.watch(person);
        self.not_suspended(person).await?;
        Ok(watch)
    }

    /// Refuses what a suspended person asks for.
    pub(super) async fn not_suspended(&self, person: PersonId) -> Result<(), AppError> {
        if self.suspended_among(&[person]).await?.is_empty() {
            Ok(())
        } else {
            Err(Refusal::ActorSuspended.into())
        }
    }

    /// Ends what is being sent to these of the persons who are suspended.
    pub(super) async fn cut_off(&self, persons: &[PersonId]) -> Result<(), AppError> {
        for person in self.suspended_among(persons).await? {
            self.cut_off.cut(person);
        }
        Ok(())
    }

    /// Ends what this process sends to somebody whom another process, or a request that broke off, has suspended.
    pub async fn cut_off_suspended(&self) -> Result<(), AppError> {
        self.cut_off(&self.cut_off.persons()).await
    }

    async fn suspended_among(&self, persons: &[PersonId]) -> Result<Vec<PersonId>, AppError> {
        let rows = self.store.read().await?.persons_by_id(persons).await?;
        let suspended = rows.into_iter().filter(|(_, person)| person.suspended.is_some());
        Ok(suspended.map(|(id, _)| id).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_cut_off_is_cut_off_everywhere_and_may_begin_anew() {
        let (cut_off, persons) = (CutOff::default(), [1, 2].map(|n| PersonId::new(uuid::Uuid::from_u128(n))));
        let watches = [0, 0, 1].map(|person: usize| cut_off.watch(persons[person]));
        cut_off.cut(persons[0]);
        assert_eq!(watches.each_ref().map(|watch| watch.goes_on().is_ok()), [false, false, true]);
        assert!(cut_off.watch(persons[0]).goes_on().is_ok());
        drop(watches);
        assert!(cut_off.watch(persons[1]).goes_on().is_ok());
        assert!(cut_off.persons().len() <= 2);
    }
}
