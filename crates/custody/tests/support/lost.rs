//! What becomes of a vault that loses published records and is restored.

use custody::receipt::Recovery;
use custody::recovery::{Gap, onward};

use super::*;

/// What is known of lost records.
#[derive(Clone, Default)]
pub struct Lost {
    /// The entries that are left of them, by log index.
    pub entries: BTreeMap<u64, Entry>,
    pub gaps: Vec<Gap>,
}

impl Lost {
    /// Where an entry of a lost record carries a tag in the sequence's column.
    fn stands(&self, sequence: Sequence, tag: &Digest) -> Option<u64> {
        let carried = |entry: &Entry| match sequence {
            Sequence::Case(_) => entry.case_tag,
            _ => entry.tag,
        };
        self.entries.iter().find(|(_, entry)| carried(entry) == *tag).map(|(index, _)| *index)
    }
}

impl Vault {
    /// This older copy takes the place of `newer`, whose log was published, and says so; the hash of its record.
    pub fn recover(&mut self, newer: &Vault) -> Digest {
        let (from, to) = (self.size(), newer.size());
        self.recover_as(newer, &RecoveryNoted { from, log_key: None, to })
    }

    /// The same, and names again the key that the log had, of which only lost records say that it had it. `by` signs,
    /// instead of those who should.
    pub fn recover_with_key(&mut self, newer: &Vault, by: Option<&[&SigningKey]>) -> Digest {
        let (old, new, own) = (self.log_key.clone(), newer.log_key.clone(), self.key.clone());
        let (log_vkey, previous) = (newer.log_vkey().to_string(), self.log_vkey().to_string());
        let (named, signers) = if self.origin == newer.origin {
            (NamedAgain::Rotated(LogKeyRotated { log_vkey, previous }), vec![&own, &old, &new])
        } else {
            let data = LogContinued {
                anchor: self.checkpoint().to_string(),
                anchored_by: LogAnchor::Vault,
                log_vkey,
                origin: Origin::new(&newer.origin).unwrap(),
                previous,
            };
            (NamedAgain::Continued(data), vec![&own, &new])
        };
        (self.log_key, self.origin) = (new.clone(), newer.origin.clone());
        let noted = RecoveryNoted { from: self.size(), log_key: Some(Box::new(named)), to: newer.size() };
        self.recover_by(newer, &noted, By::Keys(by.unwrap_or(&signers)))
    }

    /// The same, saying something else.
    pub fn recover_as(&mut self, newer: &Vault, noted: &RecoveryNoted) -> Digest {
        self.recover_by(newer, noted, By::Vault)
    }

    fn recover_by(&mut self, newer: &Vault, noted: &RecoveryNoted, by: By<'_>) -> Digest {
        let entries = newer.entries().into_iter().map(|bytes| Entry::parse(&bytes).unwrap());
        let entries: BTreeMap<_, _> =
            (0..).zip(entries).skip(usize::try_from(self.size()).unwrap()).collect();
        self.lost.entries.extend(entries);
        (self.now, self.random) = (newer.now, newer.random);
        let record = self.say(by, draft(Kind::RecoveryNoted, noted.to_data()));
        self.lost.gaps.push(Gap { from: noted.from, to: noted.to, record });
        record
    }

    /// How a sequence goes on.
    pub fn resumption(&self, sequence: Sequence, kind: Kind) -> Option<Resumption> {
        if self.lost.gaps.is_empty() && kind != Kind::RecoveryNoted {
            return None;
        }
        let head = self.heads.get(&sequence);
        let vault = self.said.first()?.records[0].hash;
        let next = head.map_or_else(|| sequence.genesis_tag(&vault), |head| head.next.t);
        let promised = head.and_then(|head| self.index_of(&head.record));
        if kind == Kind::RecoveryNoted {
            return self.lost.stands(sequence, &next).map(|_| Resumption::Here);
        }
        let onward = onward(&next, promised, &self.lost.gaps, |tag| self.lost.stands(sequence, tag));
        onward.after.map(|gap| Resumption::After(gap.record))
    }

    fn index_of(&self, record: &Digest) -> Option<u64> {
        let (_, built) = self.records().find(|(_, built)| built.hash == *record)?;
        Some(built.record.log_index)
    }

    /// Those after which a record's sequences go on.
    pub fn recoveries(&self, of: &Built) -> Vec<Recovery> {
        let needed = |gap: &&Gap| {
            of.record.links().any(|link| {
                let before = self.records().find(|(_, other)| other.hash == link.prev);
                let promise = before.and_then(|(_, other)| {
                    let (_, head) = other.heads.iter().find(|(sequence, _)| *sequence == link.sequence)?;
                    Some(head.next.t)
                });
                let next = promise.unwrap_or_else(|| link.sequence.genesis_tag(&self.id()));
                [of.entry.tag, of.entry.case_tag].contains(&gap.resume(&next)) && gap.record != of.hash
            })
        };
        self.lost.gaps.iter().filter(needed).map(|gap| self.recovery(gap)).collect()
    }

    /// A recovery, proven.
    pub fn recovery(&self, gap: &Gap) -> Recovery {
        let (said, built) = self.records().find(|(_, built)| built.hash == gap.record).unwrap();
        Recovery {
            record: built.bytes.clone(),
            envelope: said.envelope.clone().into(),
            salt: built.salt,
            entry: built.entry,
            proof: self.proof(built.record.log_index),
        }
    }
}
