//! The persons' half of a restricted item's key, sealed to pairs of which the two open it one after the other.
//!
//! What is random in an age file is derived here from the half itself, and from all that it is sealed to: whoever has opened one
//! of the files makes all of them again and sees that each holds this very half. Otherwise somebody who seals an item anew
//! could give everybody else a file that opens to nothing. A half is 256 random bits, so that nobody without it gains by that.

use core::fmt;
use core::str::FromStr;

use zeroize::Zeroizing;

use crate::age::{self, AgeError, Recipient};
use crate::digest::{Digest, Hasher};
use crate::entropy::Entropy;
use crate::id::{ItemId, PersonId};
use crate::kdf::expand_sha512;
use crate::keys::Key32;

const SEED_LABEL: &[u8] = b"custos/sealed-half/v1\0";
const DIGEST_LABEL: &[u8] = b"custos/sealed-halves/v1\0";
/// Random bytes made at a time.
const BLOCK: usize = 64;

/// One of two who open something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Party {
    /// A person, with any of their devices.
    Person(PersonId),
    /// Whoever has the first or second paper of the recovery pair.
    Paper(u8),
}

/// Two to whom a half is sealed, each with all recipients that it is sealed to for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// Who.
    pub parties: [Party; 2],
    /// By which recipients: 1 to [`age::MAX_RECIPIENTS`] each.
    pub recipients: [Vec<Recipient>; 2],
}

/// A half, sealed so that it takes two to open it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedHalf {
    /// Who opens the outer file.
    pub first: Party,
    /// Who opens the file in it.
    pub second: Party,
    /// To what the outer file is sealed.
    pub outer: Vec<Recipient>,
    /// To what the file in it is sealed.
    pub inner: Vec<Recipient>,
    /// An age file in an age file.
    pub sealed: Vec<u8>,
}

/// Seals a half to pairs, each in both orders: nobody knows beforehand which of two will read. The same arguments give the same
/// bytes.
///
/// # Errors
///
/// Where a party has no recipients, or too many.
pub fn seal(half: &Key32, item: ItemId, pairs: &[Pair]) -> Result<Vec<SealedHalf>, AgeError> {
    let mut halves = Vec::with_capacity(pairs.len() * 2);
    for Pair { parties, recipients } in pairs {
        for [first, second] in [[0, 1], [1, 0]] {
            let (outer, inner) = (recipients[first].clone(), recipients[second].clone());
            let (first, second) = (parties[first], parties[second]);
            let mut entropy = Derived::new(half, item, (first, second), (&outer, &inner));
            let sealed = age::seal_nested(half.expose(), item, &outer, &inner, &mut entropy)?;
            halves.push(SealedHalf { first, second, outer, inner, sealed });
        }
    }
    Ok(halves)
}

/// The digest of sealed halves, whatever their order: who opens which, to what they are sealed, and every byte.
pub fn digest(halves: &[SealedHalf]) -> Digest {
    let mut sorted: Vec<_> = halves.iter().collect();
    sorted.sort_by_key(|half| (half.first, half.second));
    let mut hasher = Hasher::new();
    hasher.update(DIGEST_LABEL);
    for SealedHalf { first, second, outer, inner, sealed } in sorted {
        for party in [first, second] {
            framed(&mut hasher, party.to_string().as_bytes());
        }
        for recipients in [outer, inner] {
            framed(&mut hasher, &bytes_of(recipients));
        }
        framed(&mut hasher, sealed);
    }
    hasher.finish()
}

fn framed(hasher: &mut Hasher, bytes: &[u8]) {
    hasher.update(&(bytes.len() as u64).to_be_bytes());
    hasher.update(bytes);
}

fn bytes_of(recipients: &[Recipient]) -> Vec<u8> {
    recipients.iter().flat_map(|recipient| recipient.as_bytes().iter().copied()).collect()
}

/// Bytes that nobody knows who has not the half, others for every other item, parties and recipients: an ephemeral key or a
/// nonce that came twice, with something else, would give away what was sealed.
struct Derived<'a> {
    half: &'a Key32,
    about: Digest,
    counter: u64,
    block: Zeroizing<[u8; BLOCK]>,
    taken: usize,
}

impl<'a> Derived<'a> {
    fn new(
        half: &'a Key32,
        item: ItemId,
        (first, second): (Party, Party),
        (outer, inner): (&[Recipient], &[Recipient]),
    ) -> Self {
        let mut about = Hasher::new();
        for text in [item.to_string(), first.to_string(), second.to_string()] {
            framed(&mut about, text.as_bytes());
        }
        framed(&mut about, &bytes_of(outer));
        framed(&mut about, &bytes_of(inner));
        let block = Zeroizing::new([0; BLOCK]);
        Self { half, about: about.finish(), counter: 0, block, taken: BLOCK }
    }
}

impl Entropy for Derived<'_> {
    fn fill(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            if self.taken == BLOCK {
                let counter = self.counter.to_be_bytes();
                self.block =
                    expand_sha512(self.half.expose(), &[SEED_LABEL, self.about.as_bytes(), &counter]);
                (self.counter, self.taken) = (self.counter + 1, 0);
            }
            *byte = self.block[self.taken];
            self.taken += 1;
        }
    }
}

impl fmt::Display for Party {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Person(person) => person.fmt(f),
            Self::Paper(n) => write!(f, "paper:{n}"),
        }
    }
}

/// Neither a person's id nor `paper:1` or `paper:2`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("one of two who open something is a person's id, paper:1 or paper:2")]
pub struct PartyError;

impl FromStr for Party {
    type Err = PartyError;
    fn from_str(text: &str) -> Result<Self, PartyError> {
        match text {
            "paper:1" => Ok(Self::Paper(1)),
            "paper:2" => Ok(Self::Paper(2)),
            _ => text.parse().map(Self::Person).map_err(|_| PartyError),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::age::Identity;

    fn pair(n: u8) -> Pair {
        let recipient = |n: u8| Identity::derive(&[n; 32]).recipient();
        let person = |n: u8| Party::Person(PersonId::new(uuid::Uuid::from_bytes([n; 16])));
        Pair { parties: [person(n), person(n + 1)], recipients: [vec![recipient(n)], vec![recipient(n + 1)]] }
    }

    fn item(n: u8) -> ItemId {
        ItemId::new(uuid::Uuid::from_bytes([n; 16]))
    }

    #[test]
    fn two_of_a_pair_open_a_half_in_either_order_and_make_all_of_them_again() {
        let half = Key32::new([7; 32]);
        let pairs = [pair(1), pair(3)];
        let sealed = seal(&half, item(9), &pairs).unwrap();
        assert_eq!(sealed.len(), 4);
        for [first, second] in [[1, 2], [2, 1], [3, 4], [4, 3]] {
            let [first, second] = [first, second].map(|n| Identity::derive(&[n; 32]));
            let found =
                sealed.iter().find_map(|half| second.open(&first.open(&half.sealed).ok()?).ok()).unwrap();
            let again = Key32::new(found.as_slice().try_into().unwrap());
            assert_eq!(seal(&again, item(9), &pairs).unwrap(), sealed);
        }
    }

    #[test]
    fn nothing_of_one_sealed_half_comes_again_in_another() {
        let half = Key32::new([7; 32]);
        let mut wider = pair(1);
        wider.recipients[1].push(pair(5).recipients[0][0]);
        let mut moved = pair(1);
        moved.recipients[1] = pair(5).recipients[0].clone();
        let mut renamed = pair(1);
        renamed.parties[0] = Party::Paper(1);
        let mut all = Vec::new();
        for (half, of, pair) in [
            (&half, 9, pair(1)),
            (&half, 8, pair(1)),
            (&Key32::new([6; 32]), 9, pair(1)),
            (&half, 9, wider),
            (&half, 9, moved),
            (&half, 9, renamed),
        ] {
            all.extend(seal(half, item(of), &[pair]).unwrap());
        }
        let lines = |half: &SealedHalf| {
            let header = half.sealed.split(|byte| *byte == b'\n').take(5);
            header.skip(1).map(<[u8]>::to_vec).collect::<Vec<_>>()
        };
        for (at, one) in all.iter().enumerate() {
            for other in &all[at + 1..] {
                assert!(lines(one).iter().all(|line| !lines(other).contains(line)), "{one:?} {other:?}");
            }
        }
    }

    #[test]
    fn the_digest_of_sealed_halves_is_over_all_of_them_in_any_order() {
        let sealed = seal(&Key32::new([7; 32]), item(9), &[pair(1), pair(3)]).unwrap();
        let whole = digest(&sealed);
        let reversed: Vec<_> = sealed.iter().rev().cloned().collect();
        assert_eq!(digest(&reversed), whole);
        assert_ne!(digest(&sealed[1..]), whole);
        let changed = |change: &dyn Fn(&mut SealedHalf)| {
            let mut sealed = sealed.clone();
            change(&mut sealed[2]);
            digest(&sealed)
        };
        for other in [
            changed(&|half| half.sealed[9] ^= 1),
            changed(&|half| half.first = Party::Paper(1)),
            changed(&|half| half.second = Party::Paper(2)),
            changed(&|half| half.outer.push(half.inner[0])),
            changed(&|half| half.inner.push(half.outer[0])),
        ] {
            assert_ne!(other, whole);
        }
    }

    #[test]
    fn a_party_is_a_person_or_one_of_two_papers() {
        for party in [Party::Paper(1), Party::Paper(2), pair(1).parties[0]] {
            assert_eq!(party.to_string().parse(), Ok(party));
        }
        for text in ["paper:3", "paper:", "somebody", ""] {
            assert_eq!(text.parse::<Party>(), Err(PartyError));
        }
    }
}
