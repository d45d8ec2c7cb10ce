//! How long a role counts.

use crate::time::Timestamp;

/// From when until when a role counts. The time at which a record is received decides, so that a beginning or an end
/// needs no record of its own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Term {
    /// Not before; without it, from the grant on.
    pub from: Option<Timestamp>,
    /// No longer; without it, until it is taken away.
    pub until: Option<Timestamp>,
}

impl Term {
    /// From the grant on, until it is taken away.
    pub const LASTING: Self = Self { from: None, until: None };

    /// Whether it counts at `at`.
    pub fn covers(&self, at: Timestamp) -> bool {
        self.from.is_none_or(|from| from <= at) && self.until.is_none_or(|until| at < until)
    }

    /// Whether it counts at `at`, and from then on until somebody takes it away.
    pub fn lasts(&self, at: Timestamp) -> bool {
        self.covers(at) && self.until.is_none()
    }

    /// Whether it can be granted at `at`: it ends after that, and after it begins.
    pub(super) fn is_ahead(&self, at: Timestamp) -> bool {
        self.until.is_none_or(|until| at < until && self.from.is_none_or(|from| from < until))
    }

    /// Whether it can take the place of `former` at `at` without taking anything away: it begins no later, or at once,
    /// and ends later.
    pub(super) fn extends(&self, former: &Self, at: Timestamp) -> bool {
        let Some(end) = former.until else { return false };
        let later = self.until.is_none_or(|until| end < until);
        let begins =
            self.from.is_none_or(|from| from <= at || former.from.is_some_and(|first| from <= first));
        end <= at || later && begins
    }
}
