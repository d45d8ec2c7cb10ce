//! Bytes of content that are sent, counted until the reading under which they are sent has ended.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use custody::digest::Digest;

/// Bytes of content sent under each open grant, counted in memory.
#[derive(Debug, Default)]
pub(super) struct Sent(Mutex<HashMap<Digest, Arc<Counter>>>);

impl Sent {
    pub(super) fn counter(&self, grant: Digest) -> Arc<Counter> {
        Arc::clone(self.grants().entry(grant).or_default())
    }

    /// Ends what is being sent. Bytes so far; nothing when this process has served none, be it that another one or an
    /// earlier one did.
    pub(super) fn close(&self, grant: &Digest) -> Option<u64> {
        self.grants().get(grant).map(|counter| counter.close())
    }

    pub(super) fn reopen(&self, grant: &Digest) {
        if let Some(counter) = self.grants().get(grant) {
            counter.reopen();
        }
    }

    pub(super) fn forget(&self, grant: &Digest) {
        self.grants().remove(grant);
    }

    fn grants(&self) -> std::sync::MutexGuard<'_, HashMap<Digest, Arc<Counter>>> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Bytes, and in the highest bit whether no more may be sent: one number, so that none is sent uncounted.
#[derive(Debug, Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    const CLOSED: u64 = 1 << 63;

    /// Counts bytes that are about to be sent; whether they may be.
    pub(super) fn add(&self, bytes: u64) -> bool {
        let open = |count: u64| (count & Self::CLOSED == 0).then(|| count.saturating_add(bytes));
        self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, open).is_ok()
    }

    fn close(&self) -> u64 {
        self.0.fetch_or(Self::CLOSED, Ordering::AcqRel) & !Self::CLOSED
    }

    pub(super) fn reopen(&self) {
        self.0.fetch_and(!Self::CLOSED, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_sent_uncounted_once_a_reading_has_ended() {
        let (sent, grant) = (Sent::default(), Digest::of(b"a grant"));
        assert_eq!(sent.close(&grant), None);
        let reading = sent.counter(grant);
        assert!(reading.add(1_000) && reading.add(24));
        assert_eq!(sent.close(&grant), Some(1_024));
        assert!(!reading.add(1), "the stream that runs ends");
        assert_eq!(sent.close(&grant), Some(1_024));
        sent.reopen(&grant);
        assert!(reading.add(1), "the end was not recorded");
        assert_eq!(sent.close(&grant), Some(1_025));
        sent.forget(&grant);
        assert!(!reading.add(1));
    }
}
