//! Refusals are records too: what a signed-in person was refused, where, by which rule.
//!
//! A member's refusal stands in the item's or case's own sequence. Anybody else's goes to the vault's refusals stream
//! without naming the case, and is answered exactly as if the case did not exist.

use std::collections::HashMap;
use std::sync::Mutex;

use custody::act::AccessDenied;
use custody::id::{CaseId, Code, ItemId, PersonId};
use custody::kind::Kind;
use custody::rules::Refusal;
use custody::statement::Statement;

use super::compose::Say;
use super::say::With;
use super::{App, AppError};

/// One record a minute for the same person, act and rule; it carries how many it stands for.
const WINDOW_MS: u64 = 60_000;
/// Different refusals remembered at most.
const MAX_REMEMBERED: usize = 10_000;

/// Person, case, item, act and rule: refusals alike in all of them are one record a window.
type Alike = (PersonId, Option<CaseId>, Option<ItemId>, Code, Code);

/// What was refused lately: when its last record was written (monotonic milliseconds), and how many since.
#[derive(Debug, Default)]
pub(super) struct Throttle(Mutex<HashMap<Alike, (u64, u64)>>);

impl Throttle {
    /// How many refusals a record written now stands for; nothing while the window of the last one is open.
    fn count(&self, key: Alike, now_ms: u64) -> Option<u64> {
        let mut lately = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if lately.len() >= MAX_REMEMBERED {
            lately.retain(|_, (since, _)| now_ms.saturating_sub(*since) < WINDOW_MS);
        }
        match lately.get_mut(&key) {
            Some((since, waiting)) if now_ms.saturating_sub(*since) < WINDOW_MS => {
                *waiting += 1;
                None
            }
            Some(entry) => {
                let count = entry.1 + 1;
                *entry = (now_ms, 0);
                Some(count)
            }
            None => {
                lately.insert(key, (now_ms, 0));
                Some(1)
            }
        }
    }
}

/// Where a refusal happened.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub case: Option<CaseId>,
    pub item: Option<ItemId>,
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
        let member = match place.case {
            Some(case) => !self.store.read().await?.roles_in(case, person).await?.is_empty(),
            None => true,
        };
        let unknown = matches!(refusal, Refusal::Unknown("case" | "item"));
        if member && !refusal.is_denial() && !unknown {
            return Ok(AppError::Refused(refusal));
        }
        let hidden = !member || unknown;
        let rule = if hidden { "not-a-member" } else { refusal.code() };
        let place = if hidden { Place { case: None, item: None } } else { place };
        self.record_refusal(person, place, act, rule).await?;
        Ok(if hidden { AppError::NotFound("case or item") } else { AppError::Refused(refusal) })
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
        let key = (person, place.case, place.item, act.clone(), rule.clone());
        let Some(count) = self.refusals.count(key, self.clock.monotonic_ms()) else { return Ok(()) };
        let mut say = Say::new(Kind::AccessDenied).data(AccessDenied { act, count, person, rule }.to_data());
        // An item that belongs to another case than the one named is refused within the case only.
        say.case = place.case;
        say.item = match (place.case, place.item) {
            (Some(case), Some(item)) => {
                let items = self.store.read().await?.items(&[item]).await?;
                items.first().filter(|row| row.1.case == case).map(|row| row.0)
            }
            _ => None,
        };
        self.say_as_vault(say, With::default()).await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_becomes_one_record_a_minute_that_counts() {
        let throttle = Throttle::default();
        let key = || {
            let person = PersonId::new(uuid::Uuid::from_u128(1));
            (person, None, None, "read".parse().unwrap(), "not-permitted".parse().unwrap())
        };
        assert_eq!(throttle.count(key(), 0), Some(1));
        assert_eq!(throttle.count(key(), 1), None);
        assert_eq!(throttle.count(key(), WINDOW_MS - 1), None);
        assert_eq!(throttle.count(key(), WINDOW_MS), Some(3));
    }
}
