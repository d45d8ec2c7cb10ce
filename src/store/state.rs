//! What the rules look at, read in bulk: one statement a table, whatever the number of acts to decide.

use std::collections::BTreeSet;

use custody::act::{Carrier, PublicKey, Sealing};
use custody::digest::Digest;
use custody::id::{CaseId, ItemId, OrgId, PersonId};
use custody::record::Sequence;
use custody::rules::{
    Case, CaseRoles, Derived, Footprint, FormerLogKey, Grant, Item, Key, Offer, Person, Reseal, State,
    StateHead, Stored, Vault, Voucher,
};
use custody::statement::{Content, DigestAlg, Seen};

use super::db::Tx;
use super::error::StoreError;
use super::row::{Row, Value};
use super::sql;

/// Rows read at a time when everything is read.
const PAGE: i64 = 5_000;

impl Tx {
    /// The part of the state that deciding over `footprint` needs.
    pub async fn state(&mut self, footprint: &Footprint) -> Result<State, StoreError> {
        let mut state = self.projections(footprint, State::default()).await?;
        self.seen(footprint, &mut state).await?;
        Ok(state)
    }

    /// As [`Tx::state`], without what can be named as seen. What is in `state` already is taken for true: vault, persons,
    /// keys, cases and members of it are not read again.
    pub(crate) async fn projections(
        &mut self,
        footprint: &Footprint,
        mut state: State,
    ) -> Result<State, StoreError> {
        if state.vault.is_none() {
            state.vault = self.vault().await?;
        }
        let keys = footprint.orgs.iter().map(Value::text).collect();
        for row in self.all_in(sql::ORGS, keys).await? {
            state.orgs.insert(row.parse(0)?);
        }
        let unknown = footprint.persons.iter().filter(|id| !state.persons.contains_key(id));
        for row in self.all_in(sql::PERSONS, unknown.map(Value::text).collect()).await? {
            state.persons.extend([person(&row)?]);
        }
        let unknown = footprint.keys.iter().filter(|hash| !state.keys.contains_key(hash));
        for row in self.all_in(sql::KEYS, unknown.map(Value::digest).collect()).await? {
            state.keys.extend([key(&row)?]);
        }
        let unknown = footprint.cases.iter().filter(|id| !state.cases.contains_key(id));
        for row in self.all_in(sql::CASES, unknown.map(Value::text).collect()).await? {
            state.cases.extend([case(&row)?]);
        }
        let unknown = footprint.members.iter().filter(|place| !state.members.contains_key(place));
        let keys = unknown.flat_map(|(case, person)| [Value::text(case), Value::text(person)]);
        for row in self.all_in(sql::MEMBERS, keys.collect()).await? {
            state.members.extend([member(&row)?]);
        }
        let keys = footprint.items.iter().map(Value::text).collect();
        for row in self.all_in(sql::ITEMS, keys).await? {
            state.items.extend([item(&row)?]);
        }
        let originals: BTreeSet<_> = footprint.made.iter().filter_map(|id| original(&state, id)).collect();
        for row in self.all_in(sql::ITEMS, originals.iter().map(Value::text).collect()).await? {
            state.items.extend([item(&row)?]);
        }
        let offering = state.items.values().filter(|item| item.offer.is_some()).map(|item| item.custodian);
        let resealing = state.items.values().filter_map(|item| Some((item.case, item.reseal.as_ref()?.by)));
        let resealing: BTreeSet<_> = resealing.collect();
        let acting = offering.chain(resealing.iter().map(|(_, person)| *person));
        let unknown: BTreeSet<_> = acting.filter(|id| !state.persons.contains_key(id)).collect();
        for row in self.all_in(sql::PERSONS, unknown.iter().map(Value::text).collect()).await? {
            state.persons.extend([person(&row)?]);
        }
        let unknown = resealing.iter().filter(|place| !state.members.contains_key(place));
        let keys = unknown.flat_map(|(case, person)| [Value::text(case), Value::text(person)]);
        for row in self.all_in(sql::MEMBERS, keys.collect()).await? {
            state.members.extend([member(&row)?]);
        }
        let unknown = state.items.values().filter_map(|item| Some(item.reseal.as_ref()?.key));
        let unknown: BTreeSet<_> = unknown.filter(|hash| !state.keys.contains_key(hash)).collect();
        for row in self.all_in(sql::KEYS, unknown.iter().map(Value::digest).collect()).await? {
            state.keys.extend([key(&row)?]);
        }
        for sql in [sql::CUSTODY_HELD_BY, sql::CUSTODY_OFFERED_TO] {
            let keys =
                footprint.custody.iter().flat_map(|(case, person)| [Value::text(case), Value::text(person)]);
            count_custody(&self.all_in(sql, keys.collect()).await?, &mut state)?;
        }
        let keys = footprint.grants.iter().map(Value::digest).collect();
        for row in self.all_in(sql::GRANTS, keys).await? {
            state.grants.extend([grant(&row)?]);
        }
        self.readers(footprint, &mut state).await?;
        self.life(footprint, &mut state).await?;
        if footprint.vouchers {
            self.vouchers(footprint, &mut state).await?;
        }
        Ok(state)
    }

    /// Adds the readers of some grants, and what they are in the cases of what they read.
    async fn readers(&mut self, footprint: &Footprint, state: &mut State) -> Result<(), StoreError> {
        let grants = footprint.readers.iter().filter_map(|record| state.grants.get(record));
        let place = |grant: &Grant| Some((state.items.get(&grant.item)?.case, grant.person));
        let places: BTreeSet<_> = grants.filter_map(place).collect();
        let unknown = places.iter().filter(|(_, person)| !state.persons.contains_key(person));
        let keys = unknown.map(|(_, person)| Value::text(person)).collect();
        for row in self.all_in(sql::PERSONS, keys).await? {
            state.persons.extend([person(&row)?]);
        }
        let unknown = places.iter().filter(|place| !state.members.contains_key(place));
        let keys = unknown.flat_map(|(case, person)| [Value::text(case), Value::text(person)]);
        for row in self.all_in(sql::MEMBERS, keys.collect()).await? {
            state.members.extend([member(&row)?]);
        }
        Ok(())
    }

    /// Adds everybody who can vouch, with all keys of these and of the footprint's persons.
    async fn vouchers(&mut self, footprint: &Footprint, state: &mut State) -> Result<(), StoreError> {
        let mut owners = footprint.persons.clone();
        owners.extend(state.items.values().filter_map(|item| Some(item.reseal.as_ref()?.by)));
        for row in self.all(sql::VOUCHERS, Vec::new()).await? {
            let (id, voucher) = person(&row)?;
            owners.insert(id);
            state.persons.insert(id, voucher);
        }
        let owners = owners.iter().map(Value::text).collect();
        for row in self.all_in(sql::KEYS_OF_OWNERS, owners).await? {
            state.keys.extend([key(&row)?]);
        }
        Ok(())
    }

    /// Adds what of `footprint.seen` exists, and where it stands.
    pub(crate) async fn seen(&mut self, footprint: &Footprint, state: &mut State) -> Result<(), StoreError> {
        let (mut records, mut statements) = (Vec::new(), Vec::new());
        for seen in &footprint.seen {
            match seen {
                Seen::Record(record) => records.push(Value::digest(record)),
                Seen::Statement(stmt) => statements.push(*stmt),
            }
        }
        for row in self.all_in(sql::SEEN_RECORDS, records).await? {
            stands(&row, Seen::Record, state)?;
        }
        let became = self.became(&statements).await?.into_iter().map(Value::uint).collect();
        for row in self.all_in(sql::SEEN_STATEMENTS, became).await? {
            stands(&row, Seen::Statement, state)?;
        }
        Ok(())
    }

    /// The vault itself, or nothing before it is created.
    pub async fn vault(&mut self) -> Result<Option<Vault>, StoreError> {
        let Some(row) = self.one(sql::VAULT, Vec::new()).await? else { return Ok(None) };
        let mut vault = vault(&row)?;
        for row in self.all(sql::FORMER_LOG_KEYS, Vec::new()).await? {
            let former =
                FormerLogKey { until: row.uint(0)?, vkey: row.text(1)?, lost_from: row.opt_uint(2)? };
            vault.former_log_keys.push(former);
        }
        self.keks(&mut vault).await?;
        Ok(Some(vault))
    }

    /// The whole state (without [`State::seen`]), to compare with a replay of all records.
    pub async fn whole_state(&mut self) -> Result<State, StoreError> {
        let mut state = State { vault: self.vault().await?, ..State::default() };
        for row in self.all(sql::ALL_ORGS, Vec::new()).await? {
            state.orgs.insert(row.parse(0)?);
        }
        let text = || Value::Text(Some(String::new()));
        let blob = || Value::Blob(Some(Vec::new()));
        state.persons =
            self.pages(sql::PERSONS_PAGE, vec![text()], person, |(id, _)| vec![Value::text(id)]).await?;
        state.keys = self.pages(sql::KEYS_PAGE, vec![blob()], key, |(id, _)| vec![Value::digest(id)]).await?;
        state.cases =
            self.pages(sql::CASES_PAGE, vec![text()], case, |(id, _)| vec![Value::text(id)]).await?;
        let last =
            |((case, person), _): &((CaseId, PersonId), _)| vec![Value::text(case), Value::text(person)];
        state.members = self.pages(sql::MEMBERS_PAGE, vec![text(), text()], member, last).await?;
        state.items =
            self.pages(sql::ITEMS_PAGE, vec![text()], item, |(id, _)| vec![Value::text(id)]).await?;
        for sql in [sql::CUSTODY_HELD, sql::CUSTODY_OFFERED] {
            count_custody(&self.all(sql, Vec::new()).await?, &mut state)?;
        }
        state.grants =
            self.pages(sql::GRANTS_PAGE, vec![blob()], grant, |(id, _)| vec![Value::digest(id)]).await?;
        self.whole_life(&mut state).await?;
        Ok(state)
    }

    /// All rows of a table by keyset pages.
    async fn pages<T, C: Extend<T> + Default>(
        &mut self,
        sql: sql::Sql,
        mut after: Vec<Value>,
        decode: impl Fn(&Row) -> Result<T, StoreError>,
        key: impl Fn(&T) -> Vec<Value>,
    ) -> Result<C, StoreError> {
        let mut all = C::default();
        loop {
            after.push(Value::Int(Some(PAGE)));
            let rows = self.all(sql, std::mem::take(&mut after)).await?;
            for row in rows {
                let value = decode(&row)?;
                after = key(&value);
                all.extend([value]);
            }
            if after.is_empty() {
                return Ok(all);
            }
        }
    }
}

/// From what an item was made, where that is not known yet.
fn original(state: &State, id: &ItemId) -> Option<ItemId> {
    let original = state.items.get(id)?.derived?.of;
    (!state.items.contains_key(&original)).then_some(original)
}

fn stands(row: &Row, seen: fn(Digest) -> Seen, state: &mut State) -> Result<(), StoreError> {
    let name = seen(row.digest(0)?);
    for sequence in [row.opt_parse::<Sequence>(1)?, row.opt_parse(2)?].into_iter().flatten() {
        state.seen.insert((name, sequence));
    }
    Ok(())
}

fn vault(row: &Row) -> Result<Vault, StoreError> {
    Ok(Vault {
        id: row.digest(1)?,
        origin: row.text(2)?,
        log_vkey: row.text(3)?,
        former_log_keys: Vec::new(),
        key: PublicKey::new(row.bytes(4)?),
        orgs: row.uint(5)?,
        persons: row.uint(6)?,
        vouched: row.bool(7)?,
        keks: std::collections::BTreeMap::new(),
    })
}

pub(super) fn org(row: &Row) -> Result<(OrgId, Digest), StoreError> {
    Ok((row.parse(0)?, row.digest(1)?))
}

pub(super) fn person(row: &Row) -> Result<(PersonId, Person), StoreError> {
    let person = Person {
        org: row.parse(1)?,
        roles: row.terms(2)?,
        memberships: row.uint(3)?,
        keys: row.uint(4)?,
        suspended: row.opt_uint(5)?,
    };
    Ok((row.parse(0)?, person))
}

pub(super) fn key(row: &Row) -> Result<(Digest, Key), StoreError> {
    let key = Key {
        owner: row.parse(1)?,
        public: PublicKey::new(row.bytes(2)?),
        enrolled: row.uint(3)?,
        revoked: row.opt_uint(4)?,
        suspect_from: row.opt_uint(5)?,
        voucher: read_voucher(&row.text(6)?).ok_or_else(|| row.undecodable(6, "not a voucher"))?,
        checked: row.code(7)?,
        unproven: row.bool(8)?,
        recipient: row.opt_parse(9)?,
    };
    Ok((row.digest(0)?, key))
}

pub(super) fn case(row: &Row) -> Result<(CaseId, Case), StoreError> {
    let updates = row.blob(3)?.chunks(32).map(Digest::from_slice).collect::<Result<_, _>>();
    let updates = updates.map_err(|error| row.undecodable(3, error))?;
    let (items, closed, exports) = (row.uint32(1)?, row.bool(2)?, row.uint(4)?);
    let (undisclosed, turned) = (row.bool(5)?, row.opt_uint(6)?);
    let (disclosing, defended) = (row.opt_digest(7)?, row.bool(8)?);
    Ok((row.parse(0)?, Case { items, closed, turned, updates, exports, undisclosed, disclosing, defended }))
}

type Member = ((CaseId, PersonId), CaseRoles);

pub(super) fn member(row: &Row) -> Result<Member, StoreError> {
    Ok(((row.parse(0)?, row.parse(1)?), row.terms(2)?))
}

pub(super) fn item(row: &Row) -> Result<(ItemId, Item), StoreError> {
    let item = Item {
        case: row.parse(1)?,
        exhibit: row.uint32(2)?,
        class: row.code(3)?,
        claimed: content(row, 4)?,
        stored: stored(row)?,
        custodian: row.parse(13)?,
        head: StateHead { record: row.digest(14)?, stmt: row.digest(15)? },
        offer: offer(row)?,
        seal: seal(row)?,
        disposed: row.bool(22)?,
        sealing: sealing(row)?,
        by_sender: row.bool(27)?,
        derived: derived(row)?,
        reseal: reseal(row)?,
    };
    Ok((row.parse(0)?, item))
}

fn content(row: &Row, first: usize) -> Result<Option<Content>, StoreError> {
    let Some(digest) = row.opt_digest(first)? else { return Ok(None) };
    let (size, checked_by) = (row.uint(first + 1)?, row.code(first + 2)?);
    Ok(Some(Content { alg: DigestAlg::Sha256, checked_by, digest, size }))
}

fn stored(row: &Row) -> Result<Option<Stored>, StoreError> {
    let Some(content) = content(row, 7)? else { return Ok(None) };
    Ok(Some(Stored {
        content,
        object: custody::act::ObjectId::new(row.bytes(10)?),
        manifest: row.digest(11)?,
        version: row.uint32(12)?,
    }))
}

fn offer(row: &Row) -> Result<Option<Offer>, StoreError> {
    let Some(to) = row.opt_parse(18)? else { return Ok(None) };
    let head = StateHead { record: row.digest(16)?, stmt: row.digest(17)? };
    let Carriage { carriers, carried, handed_on } = match row.opt_text(26)? {
        Some(text) => serde_json::from_str(&text).map_err(|error| row.undecodable(26, error))?,
        None => Carriage { carriers: Vec::new(), carried: 0, handed_on: true },
    };
    Ok(Some(Offer { head, to, expires: row.opt_time(19)?, carriers, carried, handed_on }))
}

/// How far something that is carried has come.
#[derive(serde::Serialize, serde::Deserialize)]
struct Carriage {
    carriers: Vec<Carrier>,
    carried: usize,
    handed_on: bool,
}

pub(super) fn write_carriage(offer: &Offer) -> String {
    let Offer { carriers, carried, handed_on, .. } = offer.clone();
    serde_json::json!(Carriage { carriers, carried, handed_on }).to_string()
}

fn seal(row: &Row) -> Result<Option<StateHead>, StoreError> {
    let Some(record) = row.opt_digest(20)? else { return Ok(None) };
    Ok(Some(StateHead { record, stmt: row.digest(21)? }))
}

fn sealing(row: &Row) -> Result<Option<Sealing>, StoreError> {
    let Some(text) = row.opt_text(23)? else { return Ok(None) };
    serde_json::from_str(&text).map(Some).map_err(|error| row.undecodable(23, error))
}

fn derived(row: &Row) -> Result<Option<Derived>, StoreError> {
    let Some(text) = row.opt_text(24)? else { return Ok(None) };
    serde_json::from_str(&text).map(Some).map_err(|error| row.undecodable(24, error))
}

fn reseal(row: &Row) -> Result<Option<Reseal>, StoreError> {
    let Some(text) = row.opt_text(25)? else { return Ok(None) };
    serde_json::from_str(&text).map(Some).map_err(|error| row.undecodable(25, error))
}

pub(super) fn write_reseal(reseal: &Reseal) -> String {
    serde_json::json!(reseal).to_string()
}

pub(super) fn write_derived(derived: &Derived) -> String {
    serde_json::json!(derived).to_string()
}

pub(super) fn write_sealing(sealing: &Sealing) -> String {
    serde_json::json!(sealing).to_string()
}

fn count_custody(rows: &[Row], state: &mut State) -> Result<(), StoreError> {
    for row in rows {
        *state.custody.entry((row.parse(0)?, row.parse(1)?)).or_default() += row.uint(2)?;
    }
    Ok(())
}

pub(super) fn grant(row: &Row) -> Result<(Digest, Grant), StoreError> {
    let (completed, with, review) = (row.bool(4)?, row.opt_parse(5)?, row.opt_code(6)?);
    let (item, person, expires, key) = (row.parse(1)?, row.parse(2)?, row.time(3)?, row.opt_digest(7)?);
    Ok((row.digest(0)?, Grant { item, person, expires, with, key, review, completed }))
}

pub(super) fn write_voucher(voucher: &Voucher) -> String {
    match voucher {
        Voucher::Owner(key) => format!("owner:{key}"),
        Voucher::Registrar(person, key) => format!("registrar:{person}:{key}"),
        Voucher::Vault => "vault".to_owned(),
    }
}

fn read_voucher(text: &str) -> Option<Voucher> {
    match text.split_once(':') {
        None if text == "vault" => Some(Voucher::Vault),
        Some(("owner", key)) => Some(Voucher::Owner(key.parse().ok()?)),
        Some(("registrar", rest)) => {
            let (person, key) = rest.split_once(':')?;
            Some(Voucher::Registrar(person.parse().ok()?, key.parse().ok()?))
        }
        _ => None,
    }
}
