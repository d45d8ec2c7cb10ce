//! Writing projections: whatever an act changed in the state, and nothing else.

use std::collections::HashMap;
use std::hash::Hash;

use custody::digest::Digest;
use custody::id::{CaseId, ItemId, OrgId, PersonId};
use custody::rules::{Case, FormerLogKey, Grant, Item, Key, Person, State, Vault};
use custody::statement::Content;
use custody::time::Timestamp;

use super::error::StoreError;
use super::insert::Rows;
use super::row::{Value, code};
use super::sql::{self, Insert};
use super::state::{write_carriage, write_derived, write_reseal, write_sealing, write_voucher};

/// Every entity that differs between the two states. `orgs` says which statement entered each new one.
pub(crate) fn changes(
    before: &State,
    after: &State,
    orgs: &HashMap<OrgId, Digest>,
) -> Result<Vec<Rows<'static>>, StoreError> {
    let (mut vault, mut former) = (Rows::new(sql::UPSERT_VAULT), Rows::new(sql::INSERT_FORMER_LOG_KEYS));
    if let (Some(after), true) = (&after.vault, before.vault != after.vault) {
        vault.push(vault_row(after));
        let known = before.vault.as_ref().map_or(0, |before| before.former_log_keys.len());
        // What is lost before the record that replaced one stands with the recoveries.
        for FormerLogKey { until, vkey, .. } in after.former_log_keys.iter().skip(known) {
            former.push([Value::uint(*until), Value::text(vkey)]);
        }
    }
    let mut new = Rows::new(sql::INSERT_ORGS);
    for org in after.orgs.difference(&before.orgs) {
        let stmt = orgs.get(org).ok_or(StoreError::Inconsistent("an organisation nobody entered"))?;
        new.push([Value::text(org), Value::digest(stmt)]);
    }
    let mut rows = vec![
        vault,
        former,
        new,
        changed(&before.persons, &after.persons, sql::UPSERT_PERSONS, person),
        changed(&before.keys, &after.keys, sql::UPSERT_KEYS, key),
        changed(&before.cases, &after.cases, sql::UPSERT_CASES, case),
        changed(&before.members, &after.members, sql::UPSERT_MEMBERS, |(case, person), roles| {
            [Value::text(case), Value::text(person), Value::terms(roles)]
        }),
        changed(&before.items, &after.items, sql::UPSERT_ITEMS, item),
        changed(&before.grants, &after.grants, sql::UPSERT_GRANTS, grant),
    ];
    rows.extend(super::life::changes(before, after));
    Ok(rows)
}

/// The rows of all entities that are new or different, in the order of their keys: two processes that write the
/// same rows then never wait for each other in a circle.
pub(super) fn changed<K: Ord + Hash, V: PartialEq, const N: usize>(
    before: &HashMap<K, V>,
    after: &HashMap<K, V>,
    insert: Insert<'static>,
    row: impl Fn(&K, &V) -> [Value; N],
) -> Rows<'static> {
    let mut dirty: Vec<_> = after.iter().filter(|(key, value)| before.get(key) != Some(value)).collect();
    dirty.sort_unstable_by_key(|(key, _)| *key);
    let mut rows = Rows::new(insert);
    for (key, value) in dirty {
        rows.push(row(key, value));
    }
    rows
}

fn vault_row(vault: &Vault) -> [Value; 8] {
    [
        Value::Int(Some(1)),
        Value::digest(&vault.id),
        Value::text(&vault.origin),
        Value::text(&vault.log_vkey),
        Value::blob(vault.key.as_bytes()),
        Value::uint(vault.orgs),
        Value::uint(vault.persons),
        Value::Bool(vault.vouched),
    ]
}

fn person(id: &PersonId, person: &Person) -> [Value; 6] {
    [
        Value::text(id),
        Value::text(person.org),
        Value::terms(&person.roles),
        Value::uint(person.memberships),
        Value::uint(person.keys),
        Value::opt_uint(person.suspended),
    ]
}

fn key(hash: &Digest, key: &Key) -> [Value; 10] {
    [
        Value::digest(hash),
        Value::text(key.owner),
        Value::blob(key.public.as_bytes()),
        Value::uint(key.enrolled),
        Value::opt_uint(key.revoked),
        Value::opt_uint(key.suspect_from),
        Value::text(write_voucher(&key.voucher)),
        Value::code(&key.checked),
        Value::Bool(key.unproven),
        Value::opt_text(key.recipient),
    ]
}

fn case(id: &CaseId, case: &Case) -> [Value; 9] {
    let updates: Vec<_> = case.updates.iter().flat_map(Digest::as_bytes).copied().collect();
    [
        Value::text(id),
        Value::uint(case.items.into()),
        Value::Bool(case.closed),
        Value::blob(updates),
        Value::uint(case.exports),
        Value::Bool(case.undisclosed),
        Value::opt_uint(case.turned),
        Value::opt_digest(case.disclosing.as_ref()),
        Value::Bool(case.defended),
    ]
}

fn item(id: &ItemId, item: &Item) -> [Value; 29] {
    let [claimed_digest, claimed_size, claimed_by] = content(item.claimed.as_ref());
    let stored = item.stored.as_ref();
    let [stored_digest, stored_size, stored_by] = content(stored.map(|stored| &stored.content));
    let offer = item.offer.as_ref();
    let carried = offer.filter(|offer| !offer.carriers.is_empty());
    [
        Value::text(id),
        Value::text(item.case),
        Value::uint(item.exhibit.into()),
        Value::code(&item.class),
        claimed_digest,
        claimed_size,
        claimed_by,
        stored_digest,
        stored_size,
        stored_by,
        Value::Blob(stored.map(|stored| stored.object.as_bytes().to_vec())),
        Value::opt_digest(stored.map(|stored| &stored.manifest)),
        Value::opt_uint(stored.map(|stored| stored.version.into())),
        Value::text(item.custodian),
        Value::digest(&item.head.record),
        Value::digest(&item.head.stmt),
        Value::opt_digest(offer.map(|offer| &offer.head.record)),
        Value::opt_digest(offer.map(|offer| &offer.head.stmt)),
        Value::opt_text(offer.map(|offer| offer.to)),
        Value::Int(offer.and_then(|offer| offer.expires).map(Timestamp::millis)),
        Value::opt_digest(item.seal.as_ref().map(|seal| &seal.record)),
        Value::opt_digest(item.seal.as_ref().map(|seal| &seal.stmt)),
        Value::Bool(item.disposed),
        Value::Text(item.sealing.as_ref().map(write_sealing)),
        Value::Text(item.derived.as_ref().map(write_derived)),
        Value::Text(item.reseal.as_ref().map(write_reseal)),
        Value::Text(carried.map(write_carriage)),
        Value::opt_text(carried.map(|offer| offer.waits_for(item.custodian))),
        Value::Bool(item.by_sender),
    ]
}

fn content(content: Option<&Content>) -> [Value; 3] {
    [
        Value::opt_digest(content.map(|content| &content.digest)),
        Value::opt_uint(content.map(|content| content.size)),
        Value::Text(content.map(|content| code(&content.checked_by))),
    ]
}

fn grant(record: &Digest, grant: &Grant) -> [Value; 8] {
    [
        Value::digest(record),
        Value::text(grant.item),
        Value::text(grant.person),
        Value::time(grant.expires),
        Value::Bool(grant.completed),
        Value::opt_text(grant.with),
        Value::Text(grant.review.as_ref().map(code)),
        Value::opt_digest(grant.key.as_ref()),
    ]
}
