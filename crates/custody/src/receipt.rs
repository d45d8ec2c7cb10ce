//! Receipts: what an author gets for a statement (`docs/FORMAT.md`, "Receipt").
//!
//! A receipt carries its own proof: the record with its envelope, the log entry that commits to it, what it follows,
//! and an inclusion proof up to a signed checkpoint. Its holder checks all of it at once and keeps it. A bundle that
//! lacks a record for which somebody holds a receipt is thereby shown to be incomplete.
//!
//! What a receipt is not: it does not say that no other record stands in the same place of a sequence. That takes the
//! log's public entries.

mod recovery;

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use recovery::Gaps;
use serde::{Deserialize, Serialize};

use crate::act::Act;
use crate::checkpoint::Checkpoint;
use crate::digest::Digest;
use crate::envelope::{Envelope, EnvelopeError, PayloadType};
use crate::json::{self, JsonError};
use crate::log_keys::LogKeys;
use crate::merkle::leaf_hash;
use crate::note::VerifierKey;
use crate::proof::{TlogProof, TlogProofError};
use crate::record::{
    Entry, EntryError, Link, NextOpening, Record, RecordError, Sequence, leaf_commitment, record_hash,
};
use crate::rules;
use crate::statement::{Statement, StatementError, Version};

pub use recovery::Recovery;

/// Most bytes of a receipt: an envelope of 1 MiB in base64 and a proof leave room.
pub const MAX_RECEIPT_BYTES: usize = 4 << 20;

/// A receipt, taken apart and not believed yet: see [`Receipt::check`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The record's bytes.
    pub record: Vec<u8>,
    /// The envelope's bytes; receipts of one statement share them.
    pub envelope: Arc<[u8]>,
    /// The salt of the entry's commitment.
    pub salt: Digest,
    /// The record's entry in the public log.
    pub entry: Entry,
    /// For each of the record's sequences in which it is not the first, the record before, by sequence.
    pub predecessors: Vec<Predecessor>,
    /// Where the entry stands, up to a checkpoint.
    pub proof: TlogProof,
    /// Those after which a sequence of the record goes on with another tag than was promised, by log index. Mostly
    /// none.
    pub recoveries: Vec<Recovery>,
}

/// The record before in one sequence, and the opening of what it says about its successor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Predecessor {
    /// The sequence.
    pub sequence: Sequence,
    /// The bytes of the record before.
    pub record: Vec<u8>,
    /// Opens its `next`: the tag that the receipt's record carries.
    pub next: NextOpening,
}

/// What a receipt that holds proves.
#[derive(Debug, Clone)]
pub struct Checked {
    /// The record.
    pub record: Record,
    /// Its hash.
    pub record_hash: Digest,
    /// The statement it admitted. Its signatures are for whoever knows the keys to check.
    pub statement: Statement,
    /// The checkpoint that covers it, signed by the log.
    pub checkpoint: Checkpoint,
}

/// Why a receipt is refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReceiptError {
    /// Not the strict JSON of a receipt.
    #[error("the receipt is malformed")]
    Json(#[from] JsonError),
    /// A base64 member that does not decode.
    #[error("the receipt's {0} is not standard base64")]
    Base64(&'static str),
    /// The entry is not an entry.
    #[error(transparent)]
    Entry(#[from] EntryError),
    /// The record, or a record before it, is not a record.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The envelope is malformed.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// The statement is malformed, or not of the shape of its kind.
    #[error(transparent)]
    Statement(#[from] StatementError),
    /// The record names another envelope.
    #[error("the record is not that of this envelope")]
    OtherStatement,
    /// Kind, vault or sequences of the record are not those of its statement.
    #[error("the record does not agree with its statement: {0}")]
    Disagreement(&'static str),
    /// The entry does not commit to the record.
    #[error("the log entry does not commit to this record")]
    Commitment,
    /// The record before is not the one that this record names, or does not promise this entry's tag.
    #[error("the record before in {sequence} does not lead here: {problem}")]
    Predecessor {
        /// The sequence.
        sequence: Sequence,
        /// What does not fit.
        problem: &'static str,
    },
    /// A `recovery.noted` that comes along is none, or is not needed.
    #[error("what the receipt says of a recovery does not hold: {0}")]
    Recovery(&'static str),
    /// The entry's tag is not the one that the sequence prescribes.
    #[error("the log entry does not carry the tag that {0} prescribes")]
    Tag(Sequence),
    /// The record says another place in the log, or another log, than the proof.
    #[error("the record's place in the log is not the proven one")]
    OtherPlace,
    /// The proof does not hold.
    #[error(transparent)]
    Proof(#[from] TlogProofError),
}

impl Receipt {
    /// Reads a receipt: at most 4 MiB of strict JSON.
    pub fn parse(bytes: &[u8]) -> Result<Self, ReceiptError> {
        let wire: Wire = json::parse_canonical(bytes, MAX_RECEIPT_BYTES)?;
        let predecessors = wire.predecessors.into_iter().map(|wire| {
            let record = decode("predecessor", &wire.record)?;
            Ok(Predecessor { sequence: wire.sequence, record, next: wire.next })
        });
        Ok(Self {
            recoveries: wire.recoveries.iter().map(recovery::Wire::read).collect::<Result<_, _>>()?,
            predecessors: predecessors.collect::<Result<_, ReceiptError>>()?,
            record: decode("record", &wire.record)?,
            envelope: decode("envelope", &wire.envelope)?.into(),
            salt: wire.salt,
            entry: Entry::parse(&decode("entry", &wire.entry)?)?,
            proof: TlogProof::parse(wire.proof.as_bytes())?,
        })
    }

    /// The bytes to keep: strict JSON, members sorted.
    pub fn emit(&self) -> Vec<u8> {
        let predecessors = self.predecessors.iter().map(|before| WirePredecessor {
            next: before.next,
            record: STANDARD.encode(&before.record),
            sequence: before.sequence,
        });
        json::emit(&Wire {
            entry: STANDARD.encode(self.entry.to_bytes()),
            envelope: STANDARD.encode(&self.envelope),
            predecessors: predecessors.collect(),
            proof: self.proof.to_string(),
            record: STANDARD.encode(&self.record),
            recoveries: self.recoveries.iter().map(recovery::Wire::of).collect(),
            salt: self.salt,
            v: Version,
        })
    }

    /// Checks everything that the receipt claims, for the vault whose record 0 has the hash `vault` and whose log
    /// signs with `log`: envelope, record, entry, chain and tags, place in the tree, the checkpoint's signature.
    pub fn check(&self, vault: &Digest, log: &VerifierKey) -> Result<Checked, ReceiptError> {
        self.check_with(vault, &LogKeys::from(log.clone()))
    }

    /// [`Receipt::check`] for a log that has had several keys.
    pub fn check_with(&self, vault: &Digest, log: &LogKeys) -> Result<Checked, ReceiptError> {
        let record = Record::parse(&self.record)?;
        let hash = record_hash(&self.record);
        let (statement, act) = agreeing(&record, &self.envelope, vault, &hash)?;
        committed(&self.entry, &self.salt, &hash)?;
        let mut gaps = Gaps::check(self, (&act, &record, hash), vault, log)?;
        self.check_chain(&record, vault, &mut gaps)?;
        gaps.end()?;
        let checkpoint = proven(&record, &self.entry, &self.proof, log)?;
        Ok(Checked { record, record_hash: hash, statement, checkpoint })
    }

    fn check_chain(&self, record: &Record, vault: &Digest, gaps: &mut Gaps) -> Result<(), ReceiptError> {
        let places = [(record.own, self.entry.tag), (record.case, self.entry.case_tag)];
        let mut followed = 0;
        for (link, tag) in places.into_iter().filter_map(|(link, tag)| Some((link?, tag))) {
            let before = self.predecessors.iter().find(|before| before.sequence == link.sequence);
            let (promised, expected) = match before {
                Some(before) => {
                    followed += 1;
                    let (index, next) = follow(before, &link, record)?;
                    (Some(index), next)
                }
                None => (None, first_tag(&link, record, vault)?),
            };
            if tag != expected && !gaps.explain(&expected, promised, record, &tag) {
                return Err(ReceiptError::Tag(link.sequence));
            }
        }
        // A receipt has one form: nothing that is not checked comes along.
        match self.predecessors.get(followed) {
            Some(surplus) => Err(problem(surplus.sequence, "the record is not in this sequence")),
            None => Ok(()),
        }
    }
}

/// The statement that a record is of.
fn agreeing(
    record: &Record,
    envelope: &[u8],
    vault: &Digest,
    hash: &Digest,
) -> Result<(Statement, Act), ReceiptError> {
    let envelope = Envelope::parse(envelope, PayloadType::Statement)?;
    if envelope.digest() != record.stmt {
        return Err(ReceiptError::OtherStatement);
    }
    let statement = Statement::parse(envelope.body())?;
    let act = Act::parse(&statement)?;
    if statement.vault.as_ref().unwrap_or(hash) != vault {
        return Err(ReceiptError::Disagreement("another vault"));
    }
    if statement.kind != record.kind {
        return Err(ReceiptError::Disagreement("another kind"));
    }
    let place = (record.own.map(|link| link.sequence), record.case.map(|link| link.sequence));
    if rules::places(&statement, &act).contains(&place) {
        Ok((statement, act))
    } else {
        Err(ReceiptError::Disagreement("other sequences"))
    }
}

fn committed(entry: &Entry, salt: &Digest, hash: &Digest) -> Result<(), ReceiptError> {
    if entry.commitment == leaf_commitment(salt, hash) { Ok(()) } else { Err(ReceiptError::Commitment) }
}

/// The checkpoint that covers the record's entry.
fn proven(
    record: &Record,
    entry: &Entry,
    proof: &TlogProof,
    log: &LogKeys,
) -> Result<Checkpoint, ReceiptError> {
    if record.log_index != proof.index() || !log.is_name_of(record.log_index, &record.log) {
        return Err(ReceiptError::OtherPlace);
    }
    Ok(proof.verify_with(&leaf_hash(&entry.to_bytes()), log)?)
}

/// Where the record before stands and the tag that it promised, once it is shown to be the one before.
fn follow(before: &Predecessor, link: &Link, record: &Record) -> Result<(u64, Digest), ReceiptError> {
    let sequence = link.sequence;
    if record_hash(&before.record) != link.prev {
        return Err(problem(sequence, "it is another record"));
    }
    let earlier = Record::parse(&before.record)?;
    let Some(found) = earlier.links().find(|found| found.sequence == sequence) else {
        return Err(problem(sequence, "it is not in this sequence"));
    };
    if found.seq.checked_add(1) != Some(link.seq) || earlier.log_index >= record.log_index {
        return Err(problem(sequence, "it does not come right before"));
    }
    if before.next.commitment() != found.next {
        return Err(problem(sequence, "its promise is not opened by what was given"));
    }
    Ok((earlier.log_index, before.next.t))
}

/// The tag of a sequence's first record; record 0 carries zeros, as the vault has no name before it.
fn first_tag(link: &Link, record: &Record, vault: &Digest) -> Result<Digest, ReceiptError> {
    if link.seq != 1 || link.prev != Digest::ZERO {
        return Err(problem(link.sequence, "it is absent"));
    }
    Ok(if record.log_index == 0 { Digest::ZERO } else { link.sequence.genesis_tag(vault) })
}

fn problem(sequence: Sequence, problem: &'static str) -> ReceiptError {
    ReceiptError::Predecessor { sequence, problem }
}

fn decode(member: &'static str, text: &str) -> Result<Vec<u8>, ReceiptError> {
    STANDARD.decode(text).map_err(|_| ReceiptError::Base64(member))
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    entry: String,
    envelope: String,
    predecessors: Vec<WirePredecessor>,
    proof: String,
    record: String,
    #[serde(default, deserialize_with = "json::filled", skip_serializing_if = "Vec::is_empty")]
    recoveries: Vec<recovery::Wire>,
    salt: Digest,
    v: Version,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WirePredecessor {
    next: NextOpening,
    record: String,
    sequence: Sequence,
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::SigningKey;

    use super::*;
    use crate::act::{OrgRegistered, PublicKey, VaultCreated};
    use crate::checkpoint::Origin;
    use crate::envelope::sign;
    use crate::id::{OpId, OrgId};
    use crate::json::Object;
    use crate::kind::Kind;
    use crate::merkle::{Batch, Frontier};
    use crate::note::SignatureType;
    use crate::record::{Built, LogIdentity, Nonces, Place, build};
    use crate::statement::{Actor, Assurance};
    use crate::time::Timestamp;

    const ORIGIN: &str = "vault.example.org/custos/1";

    struct Vault {
        key: SigningKey,
        log: VerifierKey,
        records: Vec<(Vec<u8>, Built)>,
    }

    fn digest(byte: u8) -> Digest {
        Digest::new([byte; 32])
    }

    /// A vault with three records: its creation and two organisations.
    fn vault() -> Vault {
        let key = SigningKey::from_bytes(&[1; 32]);
        let name = Origin::new(ORIGIN).unwrap().key_name();
        let log = VerifierKey::new(name, SignatureType::Ed25519, key.verifying_key()).unwrap();
        let mut vault = Vault { key, log, records: Vec::new() };
        let created = VaultCreated {
            log_vkey: vault.log.to_string(),
            origin: ORIGIN.to_owned(),
            vault_key: PublicKey::new(vault.key.verifying_key().to_bytes()),
        };
        vault.append(Kind::VaultCreated, created.to_data());
        for byte in [7, 8] {
            let org = OrgId::new(uuid::Uuid::from_bytes([byte; 16]));
            vault.append(Kind::OrgRegistered, OrgRegistered { org }.to_data());
        }
        vault
    }

    impl Vault {
        fn id(&self) -> Option<Digest> {
            self.records.first().map(|(_, built)| built.hash)
        }

        fn append(&mut self, kind: Kind, data: Object) {
            let number = u8::try_from(self.records.len()).unwrap();
            let statement = Statement {
                actor: Actor::System,
                actor_key: Digest::of(self.key.verifying_key().as_bytes()),
                actor_time: Timestamp::from_millis(0).unwrap(),
                assurance: Assurance::System,
                case: None,
                content: None,
                data,
                fields: std::collections::BTreeMap::new(),
                item: None,
                items: None,
                kind,
                op_id: OpId::new([number; 16]),
                person: None,
                purpose: None,
                seen: None,
                v: Version,
                vault: self.id(),
            };
            let envelope = sign(PayloadType::Statement, &statement.to_bytes(), &[&self.key]);
            let head = self.records.last().map(|(_, built)| built.heads[0].1);
            let next = |byte: u8| NextOpening { s: digest(byte + number), t: digest(byte + 50 + number) };
            let built = build(
                &LogIdentity { origin: ORIGIN.to_owned(), vault: self.id() },
                u64::from(number),
                Digest::of(&envelope),
                kind,
                Timestamp::from_millis(1_000).unwrap(),
                (Some(Place { sequence: Sequence::Vault, head, resumes: None }), None),
                &Nonces { salt: digest(200 + number), own: next(1), case: next(101) },
            );
            self.records.push((envelope, built));
        }

        fn receipt(&self, index: usize) -> Receipt {
            let leaves: Vec<_> =
                self.records.iter().map(|(_, built)| leaf_hash(&built.entry.to_bytes())).collect();
            let batch = Batch::new(&Frontier::new(), &leaves);
            let checkpoint =
                Checkpoint::new(Origin::new(ORIGIN).unwrap(), batch.size(), batch.root()).unwrap();
            let path = batch.inclusion_proof(index as u64).unwrap();
            let note = checkpoint.sign(&self.key).unwrap();
            let (envelope, built) = &self.records[index];
            let before = index.checked_sub(1).map(|before| &self.records[before].1);
            Receipt {
                record: built.bytes.clone(),
                envelope: envelope.clone().into(),
                salt: built.salt,
                entry: built.entry,
                predecessors: before
                    .map(|before| Predecessor {
                        sequence: Sequence::Vault,
                        record: before.bytes.clone(),
                        next: before.heads[0].1.next,
                    })
                    .into_iter()
                    .collect(),
                proof: TlogProof::new(index as u64, path, note).unwrap(),
                recoveries: Vec::new(),
            }
        }

        fn check(&self, receipt: &Receipt) -> Result<Checked, ReceiptError> {
            receipt.check(&self.id().unwrap(), &self.log)
        }
    }

    #[test]
    fn every_receipt_of_a_vault_holds_and_is_read_back_as_written() {
        let vault = vault();
        for index in 0..3 {
            let receipt = vault.receipt(index);
            assert_eq!(Receipt::parse(&receipt.emit()).unwrap(), receipt);
            let checked = vault.check(&receipt).unwrap();
            assert_eq!((checked.record.log_index, checked.checkpoint.size()), (index as u64, 3));
            assert_eq!(checked.record_hash, vault.records[index].1.hash);
        }
    }

    #[test]
    fn what_does_not_belong_together_is_refused_by_name() {
        use ReceiptError as E;
        let vault = vault();
        let (one, two) = (vault.receipt(1), vault.receipt(2));
        let refused = |change: &dyn Fn(&mut Receipt)| {
            let mut receipt = two.clone();
            change(&mut receipt);
            vault.check(&receipt).unwrap_err()
        };
        assert!(matches!(refused(&|r| r.envelope.clone_from(&one.envelope)), E::OtherStatement));
        assert!(matches!(refused(&|r| r.salt = digest(0)), E::Commitment));
        assert!(matches!(refused(&|r| r.entry.tag = digest(0)), E::Tag(Sequence::Vault)));
        assert!(matches!(refused(&|r| r.entry.case_tag = digest(0)), E::Proof(TlogProofError::Path(_))));
        assert!(matches!(refused(&|r| r.proof = one.proof.clone()), E::OtherPlace));
        assert!(matches!(refused(&|r| r.predecessors.clear()), E::Predecessor { .. }));
        assert!(matches!(
            refused(&|r| r.predecessors.push(one.predecessors[0].clone())),
            E::Predecessor { .. }
        ));
        assert!(matches!(refused(&|r| r.predecessors[0].next.s = digest(0)), E::Predecessor { .. }));
        assert!(matches!(
            refused(&|r| r.predecessors[0].record.clone_from(&r.record.clone())),
            E::Predecessor { .. }
        ));
        assert!(matches!(two.check(&digest(0), &vault.log).unwrap_err(), E::Disagreement("another vault")));
    }

    proptest::proptest! {
        #[test]
        fn any_flipped_bit_is_refused(index in 0usize..3, at in proptest::prelude::any::<proptest::sample::Index>(), bit in 0u8..8) {
            let vault = vault();
            let mut bytes = vault.receipt(index).emit();
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            let verdict = Receipt::parse(&bytes).and_then(|receipt| vault.check(&receipt));
            // The signature in the envelope stands under the record's digest, so that no bit is free.
            proptest::prop_assert!(verdict.is_err());
        }
    }
}
