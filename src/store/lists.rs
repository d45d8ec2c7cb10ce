//! Lists and look-ups for people: cases, items, persons, keys. Pages go on after the last id of the page before.

use custody::digest::Digest;
use custody::id::{CaseId, ItemId, KeyHash, OrgId, PersonId};
use custody::rules::{Case, CaseRoles, Grant, Item, Key, Person};
use custody::time::Timestamp;

use super::db::Tx;
use super::error::StoreError;
use super::row::Value;
use super::sql;
use super::state;

/// A case as one of its members sees it in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseRow {
    /// The case.
    pub id: CaseId,
    /// Its state.
    pub case: Case,
    /// The member's roles in it.
    pub roles: CaseRoles,
}

/// An item and its id.
pub type ItemRow = (ItemId, Item);
/// A person and the id.
pub type PersonRow = (PersonId, Person);
/// A key and its hash.
pub type KeyRow = (KeyHash, Key);

impl Tx {
    /// Cases in which `person` has a role.
    pub async fn cases_of(
        &mut self,
        person: PersonId,
        after: Option<CaseId>,
        limit: u32,
    ) -> Result<Vec<CaseRow>, StoreError> {
        let params = vec![Value::text(person), from(after), Value::uint(limit.into())];
        let rows = self.all(sql::CASES_OF_PERSON, params).await?;
        rows.iter()
            .map(|row| {
                let (id, case) = state::case(row)?;
                Ok(CaseRow { id, case, roles: row.terms(9)? })
            })
            .collect()
    }

    /// Members of a case with their roles.
    pub async fn members(&mut self, case: CaseId) -> Result<Vec<(PersonId, CaseRoles)>, StoreError> {
        let rows = self.all(sql::MEMBERS_OF_CASE, vec![Value::text(case)]).await?;
        rows.iter().map(|row| state::member(row).map(|((_, person), roles)| (person, roles))).collect()
    }

    /// A case, and the roles of `person` in it; nothing if there is no such case.
    pub async fn standing(
        &mut self,
        case: CaseId,
        person: PersonId,
    ) -> Result<Option<(Case, CaseRoles)>, StoreError> {
        let cases = self.all_in(sql::CASES, vec![Value::text(case)]).await?;
        let Some((_, found)) = cases.first().map(state::case).transpose()? else { return Ok(None) };
        Ok(Some((found, self.roles_in(case, person).await?)))
    }

    /// Roles of `person` in `case`, whenever they count; empty for a stranger.
    pub async fn roles_in(&mut self, case: CaseId, person: PersonId) -> Result<CaseRoles, StoreError> {
        let rows = self.all_in(sql::MEMBERS, vec![Value::text(case), Value::text(person)]).await?;
        rows.first().map_or(Ok(CaseRoles::new()), |row| state::member(row).map(|(_, roles)| roles))
    }

    /// Items of a case by exhibit number, after number `after` (0: from the first).
    pub async fn items_of(
        &mut self,
        case: CaseId,
        after: u32,
        limit: u32,
    ) -> Result<Vec<ItemRow>, StoreError> {
        let params = vec![Value::text(case), Value::uint(after.into()), Value::uint(limit.into())];
        self.all(sql::ITEMS_OF_CASE, params).await?.iter().map(state::item).collect()
    }

    /// Items of a case that were made from others of it, by exhibit number.
    pub async fn derived_of(&mut self, case: CaseId) -> Result<Vec<ItemRow>, StoreError> {
        self.all(sql::DERIVED_OF_CASE, vec![Value::text(case)]).await?.iter().map(state::item).collect()
    }

    /// These items; unknown ones are left out.
    pub async fn items(&mut self, ids: &[ItemId]) -> Result<Vec<ItemRow>, StoreError> {
        let rows = self.all_in(sql::ITEMS, ids.iter().map(Value::text).collect()).await?;
        rows.iter().map(state::item).collect()
    }

    /// All items, those after `after`, at most `limit`.
    pub(crate) async fn all_items(
        &mut self,
        after: Option<ItemId>,
        limit: usize,
    ) -> Result<Vec<ItemRow>, StoreError> {
        let params = vec![from(after), Value::uint(limit as u64)];
        self.all(sql::ITEMS_PAGE, params).await?.iter().map(state::item).collect()
    }

    /// Items in the custody of `person`, in all cases.
    pub async fn items_held_by(
        &mut self,
        person: PersonId,
        after: Option<ItemId>,
        limit: u32,
    ) -> Result<Vec<ItemRow>, StoreError> {
        let params = vec![Value::text(person), from(after), Value::uint(limit.into())];
        self.all(sql::ITEMS_HELD, params).await?.iter().map(state::item).collect()
    }

    /// Items offered to `person`, waiting for an answer.
    pub async fn items_offered_to(
        &mut self,
        person: PersonId,
        after: Option<ItemId>,
        limit: u32,
    ) -> Result<Vec<ItemRow>, StoreError> {
        let params = vec![Value::text(person), from(after), Value::uint(limit.into())];
        self.all(sql::ITEMS_OFFERED, params).await?.iter().map(state::item).collect()
    }

    /// Items whose offer waits no longer, though nobody said so yet: the oldest first.
    pub(crate) async fn expired_offers(
        &mut self,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<ItemRow>, StoreError> {
        let rows = self.all(sql::OFFERS_EXPIRED, vec![Value::time(now), Value::uint(limit.into())]).await?;
        rows.iter().map(state::item).collect()
    }

    /// All organisations, each with H(envelope) of the statement that entered it and carries its name.
    pub async fn orgs(&mut self) -> Result<Vec<(OrgId, Digest)>, StoreError> {
        self.all(sql::ALL_ORGS, Vec::new()).await?.iter().map(state::org).collect()
    }

    /// All persons.
    pub async fn persons(
        &mut self,
        after: Option<PersonId>,
        limit: u32,
    ) -> Result<Vec<PersonRow>, StoreError> {
        let params = vec![from(after), Value::uint(limit.into())];
        self.all(sql::PERSONS_PAGE, params).await?.iter().map(state::person).collect()
    }

    /// These persons; unknown ones are left out.
    pub async fn persons_by_id(&mut self, ids: &[PersonId]) -> Result<Vec<PersonRow>, StoreError> {
        let rows = self.all_in(sql::PERSONS, ids.iter().map(Value::text).collect()).await?;
        rows.iter().map(state::person).collect()
    }

    /// Keys of these persons, in order of enrolment, revoked ones included.
    pub async fn keys_of(&mut self, owners: &[PersonId]) -> Result<Vec<KeyRow>, StoreError> {
        let rows = self.all_in(sql::KEYS_OF_OWNERS, owners.iter().map(Value::text).collect()).await?;
        rows.iter().map(state::key).collect()
    }

    /// These keys; unknown ones are left out.
    pub async fn keys(&mut self, hashes: &[KeyHash]) -> Result<Vec<KeyRow>, StoreError> {
        let rows = self.all_in(sql::KEYS, hashes.iter().map(Value::digest).collect()).await?;
        rows.iter().map(state::key).collect()
    }

    /// Readings of a case's items in an emergency, the newest first, at most `limit`.
    pub async fn emergencies_of(
        &mut self,
        case: CaseId,
        limit: u32,
    ) -> Result<Vec<(Digest, Grant)>, StoreError> {
        let params = vec![Value::text(case), Value::uint(limit.into())];
        self.all(sql::EMERGENCIES_OF_CASE, params).await?.iter().map(state::grant).collect()
    }

    /// Access grants by the hash of their record; unknown ones are left out.
    pub async fn grants(&mut self, records: &[Digest]) -> Result<Vec<(Digest, Grant)>, StoreError> {
        let rows = self.all_in(sql::GRANTS, records.iter().map(Value::digest).collect()).await?;
        rows.iter().map(state::grant).collect()
    }

    /// Grants that ran out before `now` and whose completion is not recorded.
    pub async fn expired_grants(
        &mut self,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<(Digest, Grant)>, StoreError> {
        let rows = self.all(sql::GRANTS_EXPIRED, vec![Value::time(now), Value::uint(limit.into())]).await?;
        rows.iter().map(state::grant).collect()
    }
}

/// Where a page starts: after the id, or before every id.
fn from<T: std::fmt::Display>(after: Option<T>) -> Value {
    Value::Text(Some(after.map(|id| id.to_string()).unwrap_or_default()))
}
