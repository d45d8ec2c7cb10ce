//! How often one may guess: exponential, per name and per address, and never so that guessing locks out the person.
//!
//! Every attempt is counted before it is looked at, so that any number at the same time are no more than one after the
//! other. A name is counted whether anybody has it or not. Browsers that somebody has signed in with before are counted
//! apart, and so is whoever has a recovery code: whoever guesses from elsewhere does not hold them up.

use custody::digest::Digest;
use custody::time::Timestamp;

use super::Profile;
use crate::app::{App, AppError};
use crate::store::{Change, CredentialChange, Guesses};

const MINUTE_MS: i64 = 60 * 1_000;
/// How often counting is begun anew while others count the same.
const TRIES: usize = 3;
/// Days for which a browser is known after it was last signed in with.
pub(crate) const DEVICE_DAYS: i64 = 180;

/// How many failures are free, and how waiting grows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Allowance {
    free: u64,
    first_ms: i64,
    longest_ms: i64,
    /// Failures as long ago as this no longer count.
    forgotten_ms: i64,
}

impl Allowance {
    /// For one name, or one name on a known device.
    pub(super) const fn of_name(profile: Profile) -> Self {
        let first_ms = match profile {
            Profile::Standard => MINUTE_MS,
            Profile::Cjis => 15 * MINUTE_MS,
        };
        Self { free: 5, first_ms, longest_ms: 60 * MINUTE_MS, forgotten_ms: 24 * 60 * MINUTE_MS }
    }

    /// For one address: an office may share one.
    pub(super) const ADDRESS: Self =
        Self { free: 50, first_ms: MINUTE_MS, longest_ms: 15 * MINUTE_MS, forgotten_ms: 60 * MINUTE_MS };

    /// Counts one more attempt, or says how many milliseconds to wait.
    pub(super) fn attempt(
        self,
        subject: Digest,
        so_far: Option<&Guesses>,
        now: Timestamp,
    ) -> Result<Guesses, i64> {
        let recent = so_far.filter(|row| row.last.saturating_add_millis(self.forgotten_ms) > now);
        if let Some(row) = recent.filter(|row| row.until > now) {
            return Err(row.until.millis().saturating_sub(now.millis()));
        }
        let failures = recent.map_or(0, |row| row.failures).saturating_add(1);
        let until = match failures.checked_sub(self.free) {
            None => now,
            Some(beyond) => {
                let doubled = self.first_ms.checked_shl(u32::try_from(beyond).unwrap_or(u32::MAX).min(40));
                now.saturating_add_millis(doubled.unwrap_or(i64::MAX).min(self.longest_ms))
            }
        };
        Ok(Guesses { subject, failures, last: now, until })
    }
}

/// An attempt that was counted under one subject.
#[derive(Debug)]
pub(super) struct Counted {
    before: Option<Guesses>,
    after: Guesses,
    allowance: Allowance,
}

impl Counted {
    /// What is left of `row` without this attempt. Nobody else was let in while it made everybody wait, so that only
    /// among the free ones others may have been counted since.
    fn taken_from(&self, row: &Guesses) -> Guesses {
        let Guesses { subject, last, .. } = *row;
        if *row == self.after {
            return self.before.clone().unwrap_or(Guesses { subject, failures: 0, last, until: last });
        }
        let failures = row.failures.saturating_sub(1);
        let until = if failures < self.allowance.free { last } else { row.until };
        Guesses { subject, failures, last, until }
    }
}

impl App {
    /// Counts an attempt for each of these, or refuses all of it and counts none. What counted stays counted until
    /// [`forgive`](Self::forgive) or [`take_back`](Self::take_back).
    pub(super) async fn count_attempt(
        &self,
        subjects: &[(Digest, Allowance)],
    ) -> Result<Vec<Counted>, AppError> {
        let mut wait = 1_000;
        for _ in 0..TRIES {
            let counted = match self.next_attempt(subjects).await? {
                Ok(counted) => counted,
                Err(longer) => {
                    wait = longer;
                    break;
                }
            };
            let steps: Vec<_> = counted.iter().map(|one| (one.before.clone(), one.after.clone())).collect();
            if self.store.count_guesses(&steps).await? {
                return Ok(counted);
            }
        }
        tracing::warn!(target: "security", "too many attempts to sign in: one name or one address waits");
        Err(AppError::TooMany(u64::try_from(wait).unwrap_or_default().div_ceil(1_000)))
    }

    async fn next_attempt(
        &self,
        subjects: &[(Digest, Allowance)],
    ) -> Result<Result<Vec<Counted>, i64>, AppError> {
        let (mut tx, now) = (self.store.read().await?, self.clock.now());
        let mut next = Vec::new();
        for (subject, allowance) in subjects {
            let before = tx.guesses(subject).await?;
            match allowance.attempt(*subject, before.as_ref(), now) {
                Ok(after) => next.push(Counted { before, after, allowance: *allowance }),
                Err(wait) => return Ok(Err(wait)),
            }
        }
        Ok(Ok(next))
    }

    /// The attempt succeeded: what failed before it was the person.
    pub(super) async fn forgive(&self, subject: &Digest) -> Result<(), AppError> {
        Ok(self.store.forgive_guesses(subject).await?)
    }

    /// These attempts were none, or right ones where others fail too: all is as before them, and what others failed at
    /// stays counted.
    pub(super) async fn take_back(&self, attempts: &[Counted]) -> Result<(), AppError> {
        for attempt in attempts {
            for _ in 0..TRIES {
                let Some(row) = self.store.read().await?.guesses(&attempt.after.subject).await? else {
                    break;
                };
                let left = attempt.taken_from(&row);
                if self.store.count_guesses(&[(Some(row), left)]).await? {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Removes what has run out: challenges, failures that no longer count, devices not seen for half a year.
    pub async fn forget_sign_ins(&self) -> Result<(), AppError> {
        let now = self.clock.now();
        let ago = |days: i64| now.saturating_add_millis(-days * 24 * 60 * MINUTE_MS);
        let forget = CredentialChange::Forget { now, guesses: ago(2), devices: ago(DEVICE_DAYS) };
        self.store.apply(&[Change::Credential(forget)]).await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUBJECT: Digest = Digest::ZERO;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(1_700_000_000_000 + seconds * 1_000).unwrap()
    }

    /// How many of `guesses`, one every `every` seconds, are looked at.
    fn admitted(allowance: Allowance, guesses: i64, every: i64) -> usize {
        let mut row = None;
        let attempts =
            (0..guesses).filter(|n| match allowance.attempt(SUBJECT, row.as_ref(), at(n * every)) {
                Ok(next) => {
                    row = Some(next);
                    true
                }
                Err(_) => false,
            });
        attempts.count()
    }

    #[test]
    fn of_ten_thousand_guesses_few_are_looked_at() {
        let name = Allowance::of_name(Profile::Standard);
        assert_eq!(admitted(name, 10_000, 0), 5, "at once");
        // Five, then after 1, 2, 4, 8, 16, 32 and then each 60 minutes: two hours and 47 minutes.
        assert_eq!(admitted(name, 10_000, 1), 5 + 7);
        assert_eq!(admitted(Allowance::of_name(Profile::Cjis), 10_000, 1), 5 + 4);
        assert!(admitted(Allowance::ADDRESS, 10_000, 1) < 70);
    }

    #[test]
    fn an_attempt_that_is_taken_back_leaves_what_was_before_it_and_what_came_since() {
        let address = Allowance::ADDRESS;
        let before = Guesses { subject: SUBJECT, failures: 50, last: at(0), until: at(60) };
        let counted = address.attempt(SUBJECT, Some(&before), at(61)).unwrap();
        assert_eq!((counted.failures, counted.until), (51, at(61 + 120)));
        let attempt = Counted { before: Some(before.clone()), after: counted.clone(), allowance: address };
        assert_eq!(attempt.taken_from(&counted), before, "nobody waits for what was right");

        // The forty-ninth was right, and the fiftieth failed meanwhile.
        let before = Guesses { subject: SUBJECT, failures: 48, last: at(0), until: at(0) };
        let counted = address.attempt(SUBJECT, Some(&before), at(1)).unwrap();
        let since = address.attempt(SUBJECT, Some(&counted), at(2)).unwrap();
        let attempt = Counted { before: Some(before), after: counted, allowance: address };
        let left = Guesses { subject: SUBJECT, failures: 49, last: at(2), until: at(2) };
        assert_eq!(attempt.taken_from(&since), left);
        let first = address.attempt(SUBJECT, None, at(1)).unwrap();
        let attempt = Counted { before: None, after: first.clone(), allowance: address };
        assert_eq!(attempt.taken_from(&first).failures, 0);
    }

    #[test]
    fn whoever_waits_is_let_in_however_many_guesses_there_were() {
        let name = Allowance::of_name(Profile::Standard);
        let many = Guesses { subject: SUBJECT, failures: u64::MAX, last: at(0), until: at(0) };
        let next = name.attempt(SUBJECT, Some(&many), at(1)).unwrap();
        assert_eq!((next.failures, next.until), (u64::MAX, at(1 + 3_600)), "an hour is the longest");
        assert_eq!(name.attempt(SUBJECT, Some(&next), at(2)), Err(3_599_000));
        let day = 24 * 3_600;
        let next = name.attempt(SUBJECT, Some(&next), at(1 + day)).unwrap();
        assert_eq!((next.failures, next.until), (1, at(1 + day)), "and a day later all is forgotten");
    }
}
