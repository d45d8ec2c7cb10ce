//! Going on after a restore that lost published records (`docs/FORMAT.md`, "Record").
//!
//! What was published stays: the entries of lost records keep their indices for ever, and a `recovery.noted` right after
//! them says which they are. A sequence whose next tag stands among them cannot use it again. It goes on with a tag that
//! is made from the promised one and the hash of that record, so that whoever knows the sequence finds both: the entry
//! that was lost, and where it went on.

use crate::digest::{Digest, Domain};

/// Most recoveries of one log: each is a tag more that a verifier must look for in every sequence.
pub const MAX_RECOVERIES: usize = 32;

/// Entries whose records are lost, as a `recovery.noted` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// Log index of the first.
    pub from: u64,
    /// Log index after the last: that of the `recovery.noted`.
    pub to: u64,
    /// Record hash of the `recovery.noted`.
    pub record: Digest,
}

impl Gap {
    /// Whether the record of this entry is lost.
    pub const fn contains(&self, index: u64) -> bool {
        self.from <= index && index < self.to
    }

    /// Whether what a record at `promised` said about its successor can be lost here. A sequence without a record was
    /// promised before everything: `None`.
    pub fn concerns(&self, promised: Option<u64>) -> bool {
        promised.is_none_or(|index| index < self.from)
    }

    /// The tag with which a sequence goes on after this gap, where `next` is the one that its newest record promised.
    pub fn resume(&self, next: &Digest) -> Digest {
        resume_tag(next, &self.record)
    }
}

/// `H("custos/resume/v1" || next || record hash of recovery.noted)`.
pub fn resume_tag(next: &Digest, recovery: &Digest) -> Digest {
    Domain::Resume.hash(&[next.as_bytes(), recovery.as_bytes()])
}

/// How a sequence goes on behind the gaps of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Onward {
    /// The tag that its next record carries.
    pub tag: Digest,
    /// The newest gap in which it lost records, if any.
    pub after: Option<Gap>,
    /// Log indices of its entries there: the first of each gap.
    pub lost: Vec<u64>,
}

/// Follows a sequence whose newest record, at `promised`, promised `next` through `gaps`, which ascend. `stands` tells
/// where an entry carries a tag in the sequence's column.
pub fn onward(
    next: &Digest,
    promised: Option<u64>,
    gaps: &[Gap],
    stands: impl Fn(&Digest) -> Option<u64>,
) -> Onward {
    let mut onward = Onward { tag: *next, after: None, lost: Vec::new() };
    for gap in gaps.iter().filter(|gap| gap.concerns(promised)) {
        if let Some(index) = stands(&onward.tag).filter(|index| gap.contains(*index)) {
            onward.lost.push(index);
            (onward.tag, onward.after) = (gap.resume(next), Some(*gap));
        }
    }
    onward
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(byte: u8) -> Digest {
        Digest::new([byte; 32])
    }

    const GAPS: [Gap; 2] = [
        Gap { from: 10, to: 20, record: Digest::new([1; 32]) },
        Gap { from: 25, to: 30, record: Digest::new([2; 32]) },
    ];

    #[test]
    fn the_tag_is_the_published_formula() {
        let bytes = [b"custos/resume/v1\0".as_slice(), &[7; 32], &[1; 32]].concat();
        assert_eq!(GAPS[0].resume(&digest(7)), Digest::of(&bytes));
    }

    #[test]
    fn a_sequence_that_lost_nothing_goes_on_as_always() {
        let nowhere = onward(&digest(7), Some(3), &GAPS, |_| None);
        assert_eq!(nowhere, Onward { tag: digest(7), after: None, lost: Vec::new() });
        for elsewhere in [9, 20, 24, 30] {
            assert_eq!(onward(&digest(7), Some(3), &GAPS, |_| Some(elsewhere)).after, None, "{elsewhere}");
        }
    }

    #[test]
    fn a_sequence_goes_on_after_the_newest_gap_that_has_its_tag() {
        let next = digest(7);
        let first = onward(&next, Some(3), &GAPS, |tag| (*tag == next).then_some(10));
        assert_eq!((first.tag, first.lost), (GAPS[0].resume(&next), vec![10]));
        let second = onward(&next, Some(3), &GAPS, |tag| (*tag == next).then_some(29));
        assert_eq!((second.tag, second.after), (GAPS[1].resume(&next), Some(GAPS[1])));
        let both = onward(&next, None, &GAPS, |tag| if *tag == next { Some(19) } else { Some(25) });
        assert_eq!((both.tag, both.lost), (GAPS[1].resume(&next), vec![19, 25]));
    }

    #[test]
    fn a_promise_made_after_a_gap_is_not_lost_in_it() {
        let next = digest(7);
        assert_eq!(onward(&next, Some(20), &GAPS[..1], |_| Some(15)).after, None);
        assert_eq!(onward(&next, None, &GAPS[..1], |_| Some(15)).after, Some(GAPS[0]));
    }
}
