//! How often one may guess: exponential, per name and per address, and never so that guessing locks out the person.
//!
//! Every attempt is counted before it is looked at, so that any number at the same time are no more than one after the
//! other. A name is counted whether anybody has it or not. Browsers that somebody has signed in with before are counted
//! apart: whoever guesses from elsewhere does not hold them up.

use custody::digest::Digest;
use custody::time::Timestamp;

use super::Profile;
use crate::app::{App, AppError};
use crate::store::{Change, CredentialChange, Guesses};

const MINUTE_MS: i64 = 60 * 1_000;
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

impl App {
    /// Counts an attempt for each of these, or refuses all of it. What counted stays counted until
    /// [`forgive`](Self::forgive).
    pub(super) async fn count_attempt(&self, subjects: &[(Digest, Allowance)]) -> Result<(), AppError> {
        let now = self.clock.now();
        for (subject, allowance) in subjects {
            let so_far = self.store.read().await?.guesses(subject).await?;
            let wait = match allowance.attempt(*subject, so_far.as_ref(), now) {
                Ok(next) if self.store.count_guess(so_far.as_ref(), &next).await? => continue,
                // Somebody guesses at the same moment.
                Ok(_) => 1_000,
                Err(wait) => wait,
            };
            tracing::warn!(target: "security", "too many attempts to sign in: one name or one address waits");
            return Err(AppError::TooMany(u64::try_from(wait).unwrap_or_default().div_ceil(1_000)));
        }
        Ok(())
    }

    /// The attempt succeeded: what failed before it was the person.
    pub(super) async fn forgive(&self, subject: &Digest) -> Result<(), AppError> {
        Ok(self.store.forgive_guesses(subject, true).await?)
    }

    /// This attempt succeeded; what others failed at from the same address stays counted.
    pub(super) async fn forgive_one(&self, subject: &Digest) -> Result<(), AppError> {
        Ok(self.store.forgive_guesses(subject, false).await?)
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
