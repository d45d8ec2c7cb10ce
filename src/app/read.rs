//! Reading: what a person may see of cases, items and their custody.

use std::collections::{BTreeMap, HashMap};

use custody::digest::Digest;
use custody::envelope::{Envelope, PayloadType};
use custody::id::{CaseId, ItemId, PersonId};
use custody::kind::Kind;
use custody::record::Sequence;
use custody::rules::{Item, Refusal, Right, permitted_in_case};
use custody::statement::Statement;
use custody::tile::TilePath;

use super::fields::FIELD_EMAIL;
use super::refuse::Place;
use super::{App, AppError};
use crate::api;
use crate::store::RecordRow;

/// The statement in a stored envelope. Stored means admitted: one that does not parse is damage.
pub(super) fn statement(envelope: &[u8]) -> Result<Statement, AppError> {
    let parsed = Envelope::parse(envelope, PayloadType::Statement)
        .map_err(AppError::internal("reading an envelope"))?;
    Statement::parse(parsed.body()).map_err(AppError::internal("reading a statement"))
}

impl App {
    /// Refuses (and records it) unless `person` has `right` in `case`.
    pub(super) async fn require(
        &self,
        person: PersonId,
        case: CaseId,
        item: Option<ItemId>,
        right: Right,
    ) -> Result<(), AppError> {
        let Err(refusal) = self.may(person, case, right).await? else { return Ok(()) };
        let place = Place { case: Some(case), item };
        Err(self.refused(person, place, right.code(), refusal).await?)
    }

    /// Whether `person` may read a case's records now. Nothing is recorded.
    pub(super) async fn may_read(&self, person: PersonId, case: CaseId) -> Result<bool, AppError> {
        Ok(self.may(person, case, Right::ReadRecords).await?.is_ok())
    }

    /// Whether `person` has `right` in `case` now, and why not.
    async fn may(
        &self,
        person: PersonId,
        case: CaseId,
        right: Right,
    ) -> Result<Result<(), Refusal>, AppError> {
        let standing = self.store.read().await?.standing(case, person).await?;
        let Some((case, roles)) = standing else { return Ok(Err(Refusal::NotPermitted(right))) };
        Ok(permitted_in_case(&case, &roles, right, self.clock.now()))
    }

    /// An item that `person` may see under `right`. Unknown and foreign items look the same, and both are recorded.
    pub(super) async fn item_for(
        &self,
        person: PersonId,
        id: ItemId,
        right: Right,
    ) -> Result<Item, AppError> {
        let found = self.store.read().await?.items(&[id]).await?.pop();
        let Some((_, item)) = found else {
            return Err(self.refused(person, Place::VAULT, right.code(), Refusal::Unknown("item")).await?);
        };
        self.require(person, item.case, Some(id), right).await?;
        Ok(item)
    }

    /// Public entries from `start` on, 97 bytes each.
    pub async fn entries(&self, start: u64, limit: u32) -> Result<Vec<u8>, AppError> {
        let end = start.saturating_add(limit.into());
        Ok(self.store.read().await?.entries(start..end).await?.concat())
    }

    /// A tile or a bundle of entries, by its path below the log's address (C2SP tlog-tiles). Its bytes never change.
    pub async fn tile(&self, path: &str) -> Result<Vec<u8>, AppError> {
        let path: TilePath = path.parse().map_err(|_| AppError::Address)?;
        self.store.read().await?.tile(path).await?.ok_or(AppError::Address)
    }

    /// The records of a case, of one of its items, or, for auditors, of the vault, the refusals or a person, in order: at
    /// most `limit` records after number `after`.
    pub async fn custody(
        &self,
        person: PersonId,
        of: Sequence,
        after: u64,
        limit: u32,
    ) -> Result<api::Custody, AppError> {
        match of {
            Sequence::Case(case) => self.require(person, case, None, Right::ReadRecords).await?,
            Sequence::Item(item) => {
                self.item_for(person, item, Right::ReadRecords).await?;
            }
            Sequence::Vault | Sequence::Refusals | Sequence::Person(_) => {
                self.require_in_vault(person, Right::ReadAudit, Right::ReadAudit.code()).await?;
            }
        }
        let rows = self.store.read().await?.records(of, after, limit).await?;
        let full = rows.len() == usize::try_from(limit).unwrap_or(usize::MAX);
        let next =
            if full { rows.last().and_then(|row| seq_in(row, of)).map(|seq| seq.to_string()) } else { None };
        self.views(rows, next).await
    }

    /// Records as their readers see them, fields opened and actors named.
    async fn views(&self, rows: Vec<RecordRow>, next: Option<String>) -> Result<api::Custody, AppError> {
        let (mut statements, mut envelopes) = (HashMap::new(), BTreeMap::new());
        for row in &rows {
            if let std::collections::hash_map::Entry::Vacant(slot) = statements.entry(row.stmt) {
                slot.insert(statement(&row.envelope)?);
                envelopes.insert(row.stmt.to_hex(), api::Bytes64(row.envelope.to_vec()));
            }
        }
        let opened = self.open_fields(&statements.iter().map(|(stmt, s)| (*stmt, s)).collect()).await?;
        let names = self.names(rows.iter().filter_map(|row| row.actor.person())).await?;
        let records = rows.into_iter().map(|row| view(row, &statements, &opened, &names));
        Ok(api::Custody { records: records.collect::<Result<_, _>>()?, envelopes, next })
    }
}

fn view(
    row: RecordRow,
    statements: &HashMap<Digest, Statement>,
    opened: &super::fields::Opened,
    names: &HashMap<PersonId, String>,
) -> Result<api::RecordView, AppError> {
    let statement = statements.get(&row.stmt).ok_or(AppError::NotFound("statement"))?;
    // Where the vault writes to somebody is no auditor's business.
    let hidden = |name: &str| statement.kind == Kind::PersonRegistered && name == FIELD_EMAIL;
    let fields: BTreeMap<_, _> = opened
        .get(&row.stmt)
        .into_iter()
        .flatten()
        .filter(|opening| !hidden(opening.name.as_str()))
        .map(|opening| (opening.name.to_string(), opening.value.clone()))
        .collect();
    let item = row.own.as_ref().and_then(|place| match place.sequence {
        Sequence::Item(item) => Some(item.to_string()),
        _ => None,
    });
    Ok(api::RecordView {
        index: row.log_index,
        kind: row.kind.to_string(),
        received: row.received.to_string(),
        actor: row.actor.to_string(),
        actor_name: row.actor.person().and_then(|person| names.get(&person).cloned()),
        assurance: code(&statement.assurance),
        item,
        purpose: statement.purpose.as_ref().map(ToString::to_string),
        fields,
        hash: row.hash.to_hex(),
        record: api::Bytes64(row.record),
        stmt: row.stmt.to_hex(),
    })
}

/// The number of a record in a sequence that it is part of.
pub(super) fn seq_in(row: &RecordRow, of: Sequence) -> Option<u64> {
    row.own.iter().chain(&row.case).find(|place| place.sequence == of).map(|place| place.seq)
}

/// The code that a unit-like value has on the wire.
pub(super) fn code<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_value(value).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
}
