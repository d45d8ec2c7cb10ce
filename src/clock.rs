//! Time as an argument: nothing else in the service asks the operating system what time it is.

use std::sync::Mutex;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use custody::time::Timestamp;

/// A wall clock, which people set and networks correct, and a monotonic one, which nobody does.
pub trait Clock: std::fmt::Debug + Send + Sync {
    /// What the wall clock shows.
    fn now(&self) -> Timestamp;

    /// Milliseconds since some moment in this process's past; never goes back.
    fn monotonic_ms(&self) -> u64;
}

/// The machine's clocks.
#[derive(Debug)]
pub struct SystemClock {
    start: Instant,
}

impl SystemClock {
    /// Starts counting monotonic time.
    pub fn new() -> Self {
        Self { start: Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        EPOCH.saturating_add_millis(i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX))
    }

    fn monotonic_ms(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// A clock that moves only when told to: for tests and rehearsals.
#[derive(Debug)]
pub struct ManualClock {
    hands: Mutex<(Timestamp, u64)>,
}

impl ManualClock {
    /// Shows `now` until told otherwise.
    pub fn new(now: Timestamp) -> Self {
        Self { hands: Mutex::new((now, 0)) }
    }

    /// Time passes: both clocks go forward.
    pub fn advance(&self, millis: u32) {
        let mut hands = self.hands();
        hands.0 = hands.0.saturating_add_millis(millis.into());
        hands.1 += u64::from(millis);
    }

    /// Somebody sets the wall clock; no time passes.
    pub fn set_wall(&self, now: Timestamp) {
        self.hands().0 = now;
    }

    fn hands(&self) -> std::sync::MutexGuard<'_, (Timestamp, u64)> {
        self.hands.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        self.hands().0
    }

    fn monotonic_ms(&self) -> u64 {
        self.hands().1
    }
}

const EPOCH: Timestamp = match Timestamp::from_millis(0) {
    Ok(epoch) => epoch,
    Err(_) => panic!("1970 is a time"),
};
