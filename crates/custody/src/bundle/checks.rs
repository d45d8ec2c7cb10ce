//! Signatures of statements, checked apart from the replay that asks for them.
//!
//! What a signature must be checked against follows from all records before; whether it holds follows from nothing
//! but itself. So the replay hands out [`Batch`]es, and a [`Checker`] does them: [`Here`], or on as many cores as its
//! caller has. Every verdict is one strict verification (never a batch equation, which may accept what others refuse),
//! and findings come in the order of the records, whoever was faster.

use std::collections::HashMap;

use ed25519_dalek::VerifyingKey;

use crate::act::PublicKey;
use crate::envelope::Envelope;

/// Most statements in a batch.
const MAX_CHECKS: usize = 32;
/// A batch is full as well when its statements have so many bytes.
const FULL_BYTES: usize = 256 << 10;

/// Does batches: at once, or elsewhere while the replay goes on.
pub trait Checker {
    /// Takes a batch, and gives back what is done: batches come back in the order in which they came. Waits for the
    /// oldest where many are under way, so that never more than a fixed number is in memory.
    fn push(&mut self, batch: Batch) -> Result<Option<Checked>, Lost>;

    /// After the last batch: waits for the oldest that did not come back; nothing if all did.
    fn pop(&mut self) -> Result<Option<Checked>, Lost>;
}

/// A batch did not come back as it should: there is no verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the check of signatures broke off")]
pub struct Lost;

/// Does every batch at once.
#[derive(Debug, Clone, Copy, Default)]
pub struct Here;

impl Checker for Here {
    fn push(&mut self, batch: Batch) -> Result<Option<Checked>, Lost> {
        Ok(Some(batch.check()))
    }

    fn pop(&mut self) -> Result<Option<Checked>, Lost> {
        Ok(None)
    }
}

/// Statements whose signatures are to be checked.
#[derive(Debug, Default)]
pub struct Batch {
    number: u64,
    checks: Vec<Check>,
    bytes: usize,
}

/// A batch that was checked: there is no other way to make one.
#[derive(Debug)]
pub struct Checked {
    number: u64,
    bad: Vec<Bad>,
}

/// One statement, and whose signatures it must carry.
#[derive(Debug)]
pub(super) struct Check {
    /// Log index of its first record.
    pub(super) at: u64,
    pub(super) envelope: Envelope,
    /// In the order of the signatures.
    pub(super) keys: Vec<PublicKey>,
}

/// A signature that does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bad {
    /// Log index of the statement's first record.
    pub(super) at: u64,
    /// Which of the statement's signatures, from 1.
    pub(super) number: usize,
    /// Whose it should be.
    pub(super) key: PublicKey,
}

impl Batch {
    /// Checks every signature strictly. Needs nothing but the batch, and may run anywhere.
    pub fn check(self) -> Checked {
        let (mut keys, mut bad) = (HashMap::new(), Vec::new());
        for Check { at, envelope, keys: named } in &self.checks {
            for (place, key) in named.iter().enumerate() {
                // Few persons sign much: reading a key costs a tenth of a check.
                let read = *keys.entry(*key.as_bytes()).or_insert_with_key(strong_key);
                let holds = read.is_some_and(|key| envelope.verify(place, &key).is_ok());
                if !holds {
                    bad.push(Bad { at: *at, number: place + 1, key: *key });
                }
            }
        }
        Checked { number: self.number, bad }
    }
}

/// The key, unless it is none or holds for any message.
fn strong_key(key: &[u8; 32]) -> Option<VerifyingKey> {
    VerifyingKey::from_bytes(key).ok().filter(|key| !key.is_weak())
}

/// The replay's side: fills batches, and makes sure that each comes back, in order.
pub(super) struct Checks<'a> {
    checker: &'a mut dyn Checker,
    next: Batch,
    back: u64,
}

impl<'a> Checks<'a> {
    pub(super) fn new(checker: &'a mut dyn Checker) -> Self {
        Self { checker, next: Batch::default(), back: 0 }
    }

    /// Takes a check; gives back what turned out bad meanwhile.
    pub(super) fn push(&mut self, check: Check) -> Result<Vec<Bad>, Lost> {
        self.next.bytes += check.envelope.body().len();
        self.next.checks.push(check);
        if self.next.checks.len() < MAX_CHECKS && self.next.bytes < FULL_BYTES {
            return Ok(Vec::new());
        }
        self.hand_over()
    }

    /// Waits for all that were taken.
    pub(super) fn finish(&mut self) -> Result<Vec<Bad>, Lost> {
        let mut bad = self.hand_over()?;
        while let Some(checked) = self.checker.pop()? {
            bad.extend(self.receive(checked)?);
        }
        if self.back == self.next.number { Ok(bad) } else { Err(Lost) }
    }

    fn hand_over(&mut self) -> Result<Vec<Bad>, Lost> {
        let number = self.next.number + 1;
        let batch = core::mem::replace(&mut self.next, Batch { number, ..Batch::default() });
        match self.checker.push(batch)? {
            Some(checked) => self.receive(checked),
            None => Ok(Vec::new()),
        }
    }

    fn receive(&mut self, checked: Checked) -> Result<Vec<Bad>, Lost> {
        if checked.number != self.back {
            return Err(Lost);
        }
        self.back += 1;
        Ok(checked.bad)
    }
}

impl core::fmt::Debug for Checks<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Checks").field("next", &self.next).field("back", &self.back).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::envelope::{PayloadType, sign};
    use ed25519_dalek::SigningKey;
    use std::collections::VecDeque;

    /// Keeps up to `most` batches and gives back what it is told to.
    struct Late {
        kept: VecDeque<Batch>,
        most: usize,
        take: fn(&mut VecDeque<Batch>) -> Option<Batch>,
    }

    impl Checker for Late {
        fn push(&mut self, batch: Batch) -> Result<Option<Checked>, Lost> {
            self.kept.push_back(batch);
            Ok(if self.kept.len() > self.most { (self.take)(&mut self.kept).map(Batch::check) } else { None })
        }

        fn pop(&mut self) -> Result<Option<Checked>, Lost> {
            Ok((self.take)(&mut self.kept).map(Batch::check))
        }
    }

    /// A hundred statements, of which every third is signed by another key.
    fn run(checker: &mut dyn Checker) -> Result<Vec<u64>, Lost> {
        let (key, other) = (SigningKey::from_bytes(&[1; 32]), SigningKey::from_bytes(&[2; 32]));
        let public = PublicKey::new(key.verifying_key().to_bytes());
        let mut checks = Checks::new(checker);
        let mut bad = Vec::new();
        for at in 0..100 {
            let signer = if at % 3 == 0 { &other } else { &key };
            let bytes = sign(PayloadType::Statement, b"{}", &[signer]);
            let envelope = Envelope::parse(&bytes, PayloadType::Statement).unwrap();
            bad.extend(checks.push(Check { at, envelope, keys: vec![public] })?);
        }
        bad.extend(checks.finish()?);
        Ok(bad.iter().map(|bad| bad.at).collect())
    }

    #[test]
    fn what_is_bad_comes_in_the_order_of_the_records_however_late() {
        let expected: Vec<u64> = (0..100).filter(|at| at % 3 == 0).collect();
        assert_eq!(run(&mut Here), Ok(expected.clone()));
        for most in 0..9 {
            let mut late = Late { kept: VecDeque::new(), most, take: VecDeque::pop_front };
            assert_eq!(run(&mut late), Ok(expected.clone()));
        }
    }

    #[test]
    fn a_batch_that_is_lost_or_out_of_order_is_no_verdict() {
        let mut reversed = Late { kept: VecDeque::new(), most: 3, take: VecDeque::pop_back };
        assert_eq!(run(&mut reversed), Err(Lost));
        let mut forgotten = Late { kept: VecDeque::new(), most: 100, take: |_| None };
        assert_eq!(run(&mut forgotten), Err(Lost));
    }
}
