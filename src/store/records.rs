//! Statements, records and their places in sequences.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use custody::digest::Digest;
use custody::id::{Code, KeyHash, OpId};
use custody::kind::Kind;
use custody::record::{Built, Entry, Head, NextOpening, Sequence};
use custody::statement::{Actor, Statement};
use custody::time::Timestamp;

use super::db::Tx;
use super::error::StoreError;
use super::insert::Rows;
use super::row::{Row, Value};
use super::sql;
use crate::sequencer::Submission;

/// A record with everything that belongs to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordRow {
    /// Position in the log, from 0.
    pub log_index: u64,
    /// Hash of the record.
    pub hash: Digest,
    /// H(envelope).
    pub stmt: Digest,
    /// The record's bytes.
    pub record: Vec<u8>,
    /// Salt of its leaf.
    pub salt: Digest,
    /// The statement's kind.
    pub kind: Kind,
    /// Who said it.
    pub actor: Actor,
    /// H(public key) of the signer.
    pub actor_key: KeyHash,
    /// When the vault admitted it.
    pub received: Timestamp,
    /// Its place in its own stream.
    pub own: Option<RecordPlace>,
    /// Its place in a case's sequence.
    pub case: Option<RecordPlace>,
    /// Its leaf in the public log.
    pub entry: Entry,
    /// The envelope's bytes, shared by the records of one statement.
    pub envelope: Arc<[u8]>,
}

/// A record's place in one sequence, with what opens its promise about the successor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordPlace {
    /// The sequence.
    pub sequence: Sequence,
    /// From 1.
    pub seq: u64,
    /// (s, t).
    pub next: NextOpening,
}

/// A record as the head, or any earlier member, of one sequence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeadRow {
    /// Number, hash and opening.
    pub head: Head,
    /// The record's bytes.
    pub record: Vec<u8>,
    /// Its position in the log.
    pub log_index: u64,
}

/// The opening of a field, encrypted under the key of its scope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedOpening {
    /// The field's name.
    pub name: Code,
    /// Whose key encrypts it: `case:<uuid>`, `person:<uuid>` or `org:<uuid>`.
    pub scope: String,
    /// The ciphertext.
    pub sealed: Vec<u8>,
}

/// A [`SealedOpening`] with the statement it belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredOpening {
    /// H(envelope).
    pub stmt: Digest,
    /// The opening.
    pub opening: SealedOpening,
}

impl Tx {
    /// Records of a sequence in order, after number `after` (0: from the first), at most `limit`. A case's sequence
    /// holds the records of its items too.
    pub async fn records(
        &mut self,
        sequence: Sequence,
        after: u64,
        limit: u32,
    ) -> Result<Vec<RecordRow>, StoreError> {
        let params = vec![Value::text(sequence), Value::uint(after), Value::uint(limit.into())];
        let rows = self.all(sql::RECORDS_OF_SEQUENCE, params).await?;
        self.with_envelopes(&rows).await
    }

    /// All records in log order from `log_index` on, at most `limit`.
    pub async fn records_from(&mut self, log_index: u64, limit: u32) -> Result<Vec<RecordRow>, StoreError> {
        let params = vec![Value::uint(log_index), Value::uint(limit.into())];
        let rows = self.all(sql::RECORDS_OF_LOG, params).await?;
        self.with_envelopes(&rows).await
    }

    /// The records with these log indices, in log order; unknown ones are left out.
    pub async fn records_at(&mut self, indices: &[u64]) -> Result<Vec<RecordRow>, StoreError> {
        let keys = indices.iter().map(|index| Value::uint(*index)).collect();
        let rows = self.all_in(sql::RECORDS_BY_INDEX, keys).await?;
        self.with_envelopes(&rows).await
    }

    /// The records with these hashes, in log order; unknown ones are left out.
    pub async fn records_by_hash(&mut self, hashes: &[Digest]) -> Result<Vec<RecordRow>, StoreError> {
        let keys = hashes.iter().map(Value::digest).collect();
        let rows = self.all_in(sql::RECORDS_BY_HASH, keys).await?;
        self.with_envelopes(&rows).await
    }

    /// The records that these statements became, in log order.
    pub async fn records_of(&mut self, stmts: &[Digest]) -> Result<Vec<RecordRow>, StoreError> {
        let indices = self.became(stmts).await?;
        self.records_at(&indices).await
    }

    /// The log indices of the records that these statements became, in order.
    pub(crate) async fn became(&mut self, stmts: &[Digest]) -> Result<Vec<u64>, StoreError> {
        let keys = stmts.iter().map(Value::digest).collect();
        let mut indices = Vec::with_capacity(stmts.len());
        for row in self.all_in(sql::BECAME, keys).await? {
            let first = row.uint(0)?;
            indices.extend(first..first + row.uint(1)?);
        }
        indices.sort_unstable();
        Ok(indices)
    }

    /// Each envelope is read once, however many records its statement became: a transfer of a thousand items has a
    /// thousand of them, and an envelope that names them all.
    async fn with_envelopes(&mut self, rows: &[Row]) -> Result<Vec<RecordRow>, StoreError> {
        let stmts: BTreeSet<_> = rows.iter().map(|row| row.digest(STMT)).collect::<Result<_, _>>()?;
        let envelopes = self.envelopes(&stmts.into_iter().collect::<Vec<_>>()).await?;
        rows.iter().map(|row| record(row, &envelopes)).collect()
    }

    /// The envelopes of these statements.
    pub async fn envelopes(&mut self, stmts: &[Digest]) -> Result<HashMap<Digest, Arc<[u8]>>, StoreError> {
        let keys = stmts.iter().map(Value::digest).collect();
        let rows = self.all_in(sql::ENVELOPES, keys).await?;
        rows.iter().map(|row| Ok((row.digest(0)?, row.blob(1)?.into()))).collect()
    }

    /// The newest record of each sequence that has one.
    pub async fn heads(
        &mut self,
        sequences: &BTreeSet<Sequence>,
    ) -> Result<HashMap<Sequence, HeadRow>, StoreError> {
        let rows = self.all_in(sql::HEADS, sequences.iter().map(Value::text).collect()).await?;
        rows.iter().map(head).collect()
    }

    /// The records at these places; places that do not exist are left out.
    pub async fn places(
        &mut self,
        places: &[(Sequence, u64)],
    ) -> Result<HashMap<(Sequence, u64), HeadRow>, StoreError> {
        let keys = places.iter().flat_map(|(sequence, seq)| [Value::text(sequence), Value::uint(*seq)]);
        let rows = self.all_in(sql::PLACES, keys.collect()).await?;
        rows.iter().map(|row| head(row).map(|(sequence, row)| ((sequence, row.head.seq), row))).collect()
    }

    /// H(envelope) of the first statement of each sequence: what opened a case, registered an item or a person, and
    /// so carries its title or name.
    pub async fn introductions(
        &mut self,
        sequences: &BTreeSet<Sequence>,
    ) -> Result<HashMap<Sequence, Digest>, StoreError> {
        let rows = self.all_in(sql::INTRODUCTIONS, sequences.iter().map(Value::text).collect()).await?;
        rows.iter().map(|row| Ok((row.parse(0)?, row.digest(1)?))).collect()
    }

    /// The sealed openings of these statements.
    pub async fn openings(&mut self, stmts: &[Digest]) -> Result<Vec<StoredOpening>, StoreError> {
        let rows = self.all_in(sql::OPENINGS, stmts.iter().map(Value::digest).collect()).await?;
        rows.iter()
            .map(|row| {
                let opening =
                    SealedOpening { name: row.parse(1)?, scope: row.text(2)?, sealed: row.blob(3)? };
                Ok(StoredOpening { stmt: row.digest(0)?, opening })
            })
            .collect()
    }

    /// Which of these acts are known already, and as which statement.
    pub(crate) async fn known_acts(
        &mut self,
        acts: impl Iterator<Item = (Actor, OpId)>,
    ) -> Result<HashMap<(Actor, OpId), Digest>, StoreError> {
        let keys = acts.flat_map(|(actor, op)| [Value::text(actor), Value::text(op)]).collect();
        let rows = self.all_in(sql::STATEMENTS_BY_OP, keys).await?;
        rows.iter().map(|row| Ok(((row.parse(0)?, row.parse(1)?), row.digest(2)?))).collect()
    }
}

/// Rows of what a batch appends, collected while it is decided.
#[derive(Debug)]
pub(crate) struct Appended {
    statements: Rows<'static>,
    records: Rows<'static>,
    positions: Rows<'static>,
    entries: Rows<'static>,
    openings: Rows<'static>,
}

impl Appended {
    pub(crate) const fn new() -> Self {
        Self {
            statements: Rows::new(sql::INSERT_STATEMENTS),
            records: Rows::new(sql::INSERT_RECORDS),
            positions: Rows::new(sql::INSERT_POSITIONS),
            entries: Rows::new(sql::INSERT_ENTRIES),
            openings: Rows::new(sql::INSERT_OPENINGS),
        }
    }

    /// A statement with the records, `count` of them from `log_index` on, that it becomes.
    pub(crate) fn statement(&mut self, submission: &Submission, log_index: u64, count: usize) {
        let statement = submission.statement();
        let (actor, op) = (Value::text(statement.actor), Value::text(statement.op_id));
        let (first, records) = (Value::uint(log_index), Value::uint(count as u64));
        let envelope = Value::blob(submission.bytes());
        self.statements.push([Value::digest(&submission.stmt()), actor, op, first, records, envelope]);
    }

    pub(crate) fn openings(&mut self, stmt: &Digest, openings: &[SealedOpening]) {
        for opening in openings {
            let (name, scope) = (Value::text(&opening.name), Value::text(&opening.scope));
            self.openings.push([Value::digest(stmt), name, scope, Value::blob(&opening.sealed)]);
        }
    }

    pub(crate) fn record(&mut self, built: &Built, statement: &Statement) {
        let record = &built.record;
        let index = || Value::uint(record.log_index);
        for (sequence, head) in &built.heads {
            self.positions.push([Value::text(sequence), Value::uint(head.seq), index()]);
        }
        let [own, own_seq, own_s, own_t] = place(built, record.own.map(|link| link.sequence));
        let [case, case_seq, case_s, case_t] = place(built, record.case.map(|link| link.sequence));
        self.entries.push([index(), Value::blob(built.entry.to_bytes())]);
        self.records.push([
            index(),
            Value::digest(&built.hash),
            Value::digest(&record.stmt),
            Value::blob(&built.bytes),
            Value::digest(&built.salt),
            Value::text(record.kind),
            Value::text(statement.actor),
            Value::digest(&statement.actor_key),
            Value::time(record.received),
            own,
            own_seq,
            own_s,
            own_t,
            case,
            case_seq,
            case_s,
            case_t,
        ]);
    }

    pub(crate) fn rows(self) -> [Rows<'static>; 5] {
        [self.statements, self.records, self.positions, self.entries, self.openings]
    }
}

fn place(built: &Built, sequence: Option<Sequence>) -> [Value; 4] {
    let head = built.heads.iter().find(|(of, _)| Some(*of) == sequence).map(|(_, head)| head);
    [
        Value::opt_text(sequence),
        Value::opt_uint(head.map(|head| head.seq)),
        Value::opt_digest(head.map(|head| &head.next.s)),
        Value::opt_digest(head.map(|head| &head.next.t)),
    ]
}

/// Where `record_columns!` has H(envelope).
const STMT: usize = 2;

/// Reads `record_columns!`.
fn record(row: &Row, envelopes: &HashMap<Digest, Arc<[u8]>>) -> Result<RecordRow, StoreError> {
    let stmt = row.digest(STMT)?;
    let missing = StoreError::Inconsistent("the statement of a record is missing");
    Ok(RecordRow {
        log_index: row.uint(0)?,
        hash: row.digest(1)?,
        stmt,
        record: row.blob(3)?,
        salt: row.digest(4)?,
        kind: row.parse(5)?,
        actor: row.parse(6)?,
        actor_key: row.digest(7)?,
        received: row.time(8)?,
        own: read_place(row, 9)?,
        case: read_place(row, 13)?,
        entry: Entry::parse(&row.blob(17)?).map_err(|error| row.undecodable(17, error))?,
        envelope: envelopes.get(&stmt).cloned().ok_or(missing)?,
    })
}

fn read_place(row: &Row, first: usize) -> Result<Option<RecordPlace>, StoreError> {
    let Some(sequence) = row.opt_parse(first)? else { return Ok(None) };
    let next = NextOpening { s: row.digest(first + 2)?, t: row.digest(first + 3)? };
    Ok(Some(RecordPlace { sequence, seq: row.uint(first + 1)?, next }))
}

/// Reads the columns of `HEADS` and `PLACES`.
fn head(row: &Row) -> Result<(Sequence, HeadRow), StoreError> {
    let sequence: Sequence = row.parse(0)?;
    // A record carries two openings: its own stream's and its case's.
    let first = if row.opt_parse(4)? == Some(sequence) { 5 } else { 8 };
    let next = NextOpening { s: row.digest(first)?, t: row.digest(first + 1)? };
    let head = Head { seq: row.uint(1)?, record: row.digest(2)?, next };
    Ok((sequence, HeadRow { head, record: row.blob(3)?, log_index: row.uint(10)? }))
}
