//! Holds, disposals, versions of the key encryption key, and backups that were made.

use std::collections::BTreeSet;

use custody::act::{ObjectId, Subject};
use custody::digest::Digest;
use custody::id::{CaseId, ItemId, KeyHash, PersonId};
use custody::rules::{Approval, Case, Disposal, Footprint, Grant, Hold, Kek, Stage, State, Vault};
use custody::time::Timestamp;

use super::Store;
use super::db::Tx;
use super::error::StoreError;
use super::insert::Rows;
use super::objects::{ObjectRow, SubjectKey, object, page, subject_key};
use super::projections::changed;
use super::row::{Row, Value};
use super::sql::life as sql;
use super::state::{case, grant, key, member, person};

/// A backup that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupRow {
    /// Its folder.
    pub folder: String,
    /// When.
    pub made: Timestamp,
    /// Entries of the log then.
    pub log_size: u64,
    /// When the vault removed it.
    pub removed: Option<Timestamp>,
}

impl Tx {
    /// Adds holds and disposals that a decision looks at.
    pub(super) async fn life(&mut self, footprint: &Footprint, state: &mut State) -> Result<(), StoreError> {
        let cases = footprint.holds.iter().map(Value::text).collect();
        let persons: Vec<_> = footprint.held_persons.iter().map(Value::text).collect();
        let mut rows = self.all_in(sql::HOLDS_OF_CASES, cases).await?;
        rows.extend(self.all_in(sql::HOLDS_AROUND, persons.clone()).await?);
        for row in rows {
            state.holds.extend([hold(&row)?]);
        }
        for row in self.all_in(sql::MEMBERS_UNDER_HOLD, persons).await? {
            let (place, roles) = member(&row)?;
            state.members.entry(place).or_insert(roles);
        }
        self.disclosed(footprint, state).await?;
        let proposals: Vec<_> = footprint.disposals.iter().copied().collect();
        let disposals = self.disposals(&proposals).await?;
        let proposals: Vec<_> = footprint.productions.iter().copied().collect();
        let productions = self.productions(&proposals).await?;
        let given: Vec<_> =
            approvals(&disposals).chain(super::productions::approvals(&productions)).collect();
        self.approvers(&given, state).await?;
        state.disposals.extend(disposals);
        state.productions.extend(productions);
        Ok(())
    }

    /// Adds what approvals count by: persons, roles in the case, and keys. What is known already may be newer than what is
    /// stored.
    async fn approvers(
        &mut self,
        given: &[(Option<CaseId>, PersonId, KeyHash)],
        state: &mut State,
    ) -> Result<(), StoreError> {
        let persons: BTreeSet<_> = given.iter().map(|(_, person, _)| *person).collect();
        let unknown = persons.iter().filter(|id| !state.persons.contains_key(id)).map(Value::text).collect();
        for row in self.all_in(super::sql::PERSONS, unknown).await? {
            state.persons.extend([person(&row)?]);
        }
        let keys: BTreeSet<_> = given.iter().map(|(_, _, key)| *key).collect();
        let unknown = keys.iter().filter(|hash| !state.keys.contains_key(hash)).map(Value::digest).collect();
        for row in self.all_in(super::sql::KEYS, unknown).await? {
            state.keys.extend([key(&row)?]);
        }
        let places = given.iter().filter_map(|(case, person, _)| case.map(|case| (case, *person)));
        let places: BTreeSet<_> = places.filter(|place| !state.members.contains_key(place)).collect();
        let unknown = places.iter().flat_map(|(case, person)| [Value::text(case), Value::text(person)]);
        for row in self.all_in(super::sql::MEMBERS, unknown.collect()).await? {
            state.members.extend([member(&row)?]);
        }
        Ok(())
    }

    /// Adds the cases that persons were ever part of, and those that wait for an export of theirs to be completed, but for what
    /// is known already.
    async fn disclosed(&mut self, footprint: &Footprint, state: &mut State) -> Result<(), StoreError> {
        let exports = footprint.exports.iter().map(Value::digest).collect();
        for row in self.all_in(sql::CASES_DISCLOSING, exports).await? {
            let (id, case) = case(&row)?;
            state.cases.entry(id).or_insert(case);
        }
        let mut cases = BTreeSet::new();
        let around = footprint.cases_around.iter().map(Value::text).collect();
        for row in self.all_in(sql::MEMBERSHIPS, around).await? {
            let (place, roles) = member(&row)?;
            cases.insert(place.0);
            state.members.entry(place).or_insert(roles);
        }
        let unknown = cases.iter().filter(|id| !state.cases.contains_key(id)).map(Value::text).collect();
        for row in self.all_in(super::sql::CASES, unknown).await? {
            state.cases.extend([case(&row)?]);
        }
        Ok(())
    }

    /// Adds every hold and every disposal.
    pub(super) async fn whole_life(&mut self, state: &mut State) -> Result<(), StoreError> {
        for row in self.all(sql::ALL_HOLDS, Vec::new()).await? {
            state.holds.extend([hold(&row)?]);
        }
        for row in self.all(sql::ALL_DISPOSALS, Vec::new()).await? {
            state.disposals.extend([disposal(&row)?]);
        }
        state.productions.extend(self.all_productions().await?);
        Ok(())
    }

    /// Adds the versions of the key encryption key that records name.
    pub(super) async fn keks(&mut self, vault: &mut Vault) -> Result<(), StoreError> {
        for row in self.all(sql::KEKS, Vec::new()).await? {
            vault.keks.insert(row.uint32(0)?, Kek { check: row.digest(1)?, destroyed: row.opt_uint(2)? });
        }
        Ok(())
    }

    /// How many restricted items of a case have content.
    pub async fn restricted_contents(&mut self, case: CaseId) -> Result<u64, StoreError> {
        let row = self.one(sql::RESTRICTED_CONTENTS, vec![Value::text(case)]).await?;
        row.map_or(Ok(0), |row| row.uint(0))
    }

    /// The holds of a case, released ones included.
    pub async fn holds_of(&mut self, case: CaseId) -> Result<Vec<(Digest, Hold)>, StoreError> {
        let mut holds: Vec<(Digest, Hold)> = Vec::new();
        for row in self.all_in(sql::HOLDS_OF_CASES, vec![Value::text(case)]).await? {
            holds.push(hold(&row)?);
        }
        holds.sort_by_key(|(_, hold)| hold.placed);
        Ok(holds)
    }

    /// Closed cases after one, at most `limit`.
    pub async fn closed_cases(
        &mut self,
        after: Option<CaseId>,
        limit: u32,
    ) -> Result<Vec<(CaseId, Case)>, StoreError> {
        let after = after.map(|after| after.to_string()).unwrap_or_default();
        let rows =
            self.all(sql::CLOSED_CASES, vec![Value::Text(Some(after)), Value::uint(limit.into())]).await?;
        rows.iter().map(case).collect()
    }

    /// Disposals by the hash of their proposal's record; unknown ones are left out.
    pub async fn disposals(&mut self, proposals: &[Digest]) -> Result<Vec<(Digest, Disposal)>, StoreError> {
        let keys = proposals.iter().map(Value::digest).collect();
        self.all_in(sql::DISPOSALS, keys).await?.iter().map(disposal).collect()
    }

    /// Disposals in a stage, after a log index, at most `limit`.
    pub async fn disposals_in(
        &mut self,
        stage: Stage,
        after: u64,
        limit: u32,
    ) -> Result<Vec<(Digest, Disposal)>, StoreError> {
        let params = vec![Value::code(&stage), Value::uint(after), Value::uint(limit.into())];
        self.all(sql::DISPOSALS_IN, params).await?.iter().map(disposal).collect()
    }

    /// Disposals of a case and of its items, after a log index, at most `limit`.
    pub async fn disposals_of(
        &mut self,
        case: CaseId,
        after: u64,
        limit: u32,
    ) -> Result<Vec<(Digest, Disposal)>, StoreError> {
        let params = vec![Value::text(case), Value::uint(after), Value::uint(limit.into())];
        self.all(sql::DISPOSALS_OF, params).await?.iter().map(disposal).collect()
    }

    /// Disposals about an item, a case's openings, or a person.
    pub async fn disposals_about(&mut self, subject: Subject) -> Result<Vec<(Digest, Disposal)>, StoreError> {
        let params = vec![Value::Text(Some(write_subject(&subject).0))];
        self.all(sql::DISPOSALS_ABOUT, params).await?.iter().map(disposal).collect()
    }

    /// Readings of an item that are not over.
    pub async fn open_grants_of(&mut self, item: ItemId) -> Result<Vec<(Digest, Grant)>, StoreError> {
        self.all(sql::OPEN_GRANTS_OF, vec![Value::text(item)]).await?.iter().map(grant).collect()
    }

    /// Objects whose key was destroyed, after one, at most `limit`.
    pub async fn shredded(
        &mut self,
        after: Option<ObjectId>,
        limit: u32,
    ) -> Result<Vec<ObjectRow>, StoreError> {
        self.all(sql::SHREDDED_OBJECTS, page(after, limit)).await?.iter().map(object).collect()
    }

    /// Objects whose data key is wrapped by a version before this one, at most `limit`.
    pub async fn objects_before_kek(&mut self, kek: u32, limit: u32) -> Result<Vec<ObjectRow>, StoreError> {
        let params = vec![Value::uint(kek.into()), Value::uint(limit.into())];
        self.all(sql::OBJECTS_BEFORE_KEK, params).await?.iter().map(object).collect()
    }

    /// Keys of cases, persons and organisations that are wrapped by a version before this one, at most `limit`.
    pub async fn subjects_before_kek(&mut self, kek: u32, limit: u32) -> Result<Vec<SubjectKey>, StoreError> {
        let params = vec![Value::uint(kek.into()), Value::uint(limit.into())];
        self.all(sql::SUBJECTS_BEFORE_KEK, params).await?.iter().map(subject_key).collect()
    }

    /// Names of what was destroyed, after one, at most `limit`.
    pub async fn destroyed(
        &mut self,
        after: &str,
        limit: u32,
    ) -> Result<Vec<(String, Timestamp)>, StoreError> {
        let params = vec![Value::text(after), Value::uint(limit.into())];
        let rows = self.all(sql::ALL_DESTROYED, params).await?;
        rows.iter().map(|row| Ok((row.text(0)?, row.time(1)?))).collect()
    }

    /// Backups that were made, oldest first.
    pub async fn backups(&mut self) -> Result<Vec<BackupRow>, StoreError> {
        let backup = |row: &Row| {
            let (made, log_size, removed) = (row.time(1)?, row.uint(2)?, row.opt_time(3)?);
            Ok(BackupRow { folder: row.text(0)?, made, log_size, removed })
        };
        self.all(sql::BACKUPS, Vec::new()).await?.iter().map(backup).collect()
    }

    /// The version of the key encryption key that wraps whatever is new.
    pub(super) async fn present_kek(&mut self) -> Result<u32, StoreError> {
        self.one(sql::PRESENT_KEK, Vec::new()).await?.map_or(Ok(1), |row| row.uint32(0))
    }

    /// Whether nothing is wrapped by this version or an older one.
    pub(super) async fn kek_is_unused(&mut self, kek: u32) -> Result<bool, StoreError> {
        let row = self.one(sql::KEK_IN_USE, vec![Value::uint(kek.into())]).await?;
        row.map_or(Ok(true), |row| row.uint(0).map(|count| count == 0))
    }

    /// Since when the present version of the key encryption key wraps whatever is new; nothing without a vault.
    pub async fn kek_since(&mut self) -> Result<Option<Timestamp>, StoreError> {
        self.one(sql::KEK_SINCE, Vec::new()).await?.map(|row| row.time(0)).transpose()
    }

    /// Destroys the wrapped key of an object, if it is the one that was read; how many rows changed.
    pub(super) async fn shred_object(
        &mut self,
        object: ObjectId,
        read: Option<(u32, &Vec<u8>)>,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        self.note_destroyed(&format!("object:{object}"), now).await?;
        let name = || Value::blob(object.as_bytes());
        self.destroy_halves(object).await?;
        self.run(sql::DESTROY_PRODUCTION_HALVES, vec![name()]).await?;
        let mut params = vec![Value::Blob(Some(Vec::new())), name()];
        let Some((kek, wrapped)) = read else { return self.run(sql::SHRED_OBJECT, params).await };
        params.extend([Value::uint(kek.into()), Value::blob(wrapped)]);
        self.run(sql::SHRED_OBJECT_AS_READ, params).await
    }

    /// Destroys openings of these statements.
    pub(super) async fn erase_openings(
        &mut self,
        stmts: &[Digest],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        for stmt in stmts {
            self.note_destroyed(&format!("stmt:{stmt}"), now).await?;
            self.run(sql::ERASE_OPENINGS, vec![Value::digest(stmt)]).await?;
        }
        Ok(())
    }

    /// Destroys all openings under the key of a scope, and the key.
    pub(super) async fn erase_scope(&mut self, scope: &str, now: Timestamp) -> Result<(), StoreError> {
        self.note_destroyed(&format!("scope:{scope}"), now).await?;
        self.run(sql::ERASE_SCOPE, vec![Value::text(scope)]).await?;
        self.run(sql::DESTROY_SUBJECT_KEY, vec![Value::text(scope)]).await?;
        self.run(super::sql::signin::UNNAME_KEYS, vec![Value::text(scope)]).await?;
        Ok(())
    }

    /// As [`Self::erase_scope`], if the key is the one that was read.
    pub(super) async fn erase_scope_as_read(
        &mut self,
        scope: &str,
        key: Option<(u32, &[u8])>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        if let Some((kek, wrapped)) = key {
            let params = vec![Value::text(scope), Value::uint(kek.into()), Value::blob(wrapped)];
            if self.run(sql::DESTROY_SUBJECT_KEY_AS_READ, params).await? == 0 {
                return Ok(false);
            }
        }
        self.erase_scope(scope, now).await?;
        Ok(true)
    }

    /// Whether all values under the key of a scope were destroyed.
    pub async fn scope_is_destroyed(&mut self, scope: &str) -> Result<bool, StoreError> {
        let row = self.one(sql::IS_DESTROYED, vec![Value::text(format!("scope:{scope}"))]).await?;
        Ok(row.is_some())
    }

    async fn note_destroyed(&mut self, what: &str, now: Timestamp) -> Result<(), StoreError> {
        self.run(sql::NOTE_DESTROYED, vec![Value::text(what), Value::time(now)]).await.map(drop)
    }

    /// Destroys once more what was destroyed before, in a copy of the database that is older; whether the name is one.
    pub(crate) async fn destroy_again(&mut self, what: &str, made: Timestamp) -> Result<bool, StoreError> {
        let Some((kind, name)) = what.split_once(':') else { return Ok(false) };
        match kind {
            "object" => match name.parse() {
                Ok(object) => self.shred_object(object, None, made).await.map(drop)?,
                Err(_) => return Ok(false),
            },
            "stmt" => match name.parse() {
                Ok(stmt) => self.erase_openings(&[stmt], made).await?,
                Err(_) => return Ok(false),
            },
            "scope" => self.erase_scope(name, made).await?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

impl Store {
    /// Keeps a key under a scope that has none; one that is there stays. `false`: it is wrapped by a version of the key
    /// encryption key that is not the present one any more, and may be destroyed at any moment.
    pub async fn add_subject_key(&self, key: &SubjectKey) -> Result<bool, StoreError> {
        let mut tx = self.write().await?;
        // Versions begin under this lock.
        tx.lock_log().await?.ok_or(StoreError::NoVault)?;
        if tx.present_kek().await? != key.kek {
            return Ok(false);
        }
        let params = vec![Value::text(&key.scope), Value::blob(&key.wrapped), Value::uint(key.kek.into())];
        tx.run(super::sql::signin::ADD_SIGNIN_KEY, params).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Frees what deleted and changed rows held, as far as the engine does so: PostgreSQL keeps old rows until it is told,
    /// and for as long as somebody reads a snapshot from before; SQLite overwrites them, but its log holds older pages until it is folded in.
    pub async fn free_deleted(&self) -> Result<(), StoreError> {
        let sealed = ["sealed_halves", "resealed_halves", "resealings", "production_halves", "contributions"];
        self.db.free(&[&["objects", "openings", "subject_keys"], &sealed[..]].concat()).await
    }

    /// Notes a backup that is about to have its name.
    pub async fn note_backup(&self, row: &BackupRow) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        let params = vec![Value::text(&row.folder), Value::time(row.made), Value::uint(row.log_size)];
        tx.run(sql::NOTE_BACKUP, params).await?;
        tx.commit().await
    }

    /// Notes that a backup is no more.
    pub async fn note_backup_removed(&self, folder: &str, now: Timestamp) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        tx.run(sql::NOTE_BACKUP_REMOVED, vec![Value::time(now), Value::text(folder)]).await?;
        tx.commit().await
    }
}

/// Rows of what changed.
pub(super) fn changes(before: &State, after: &State) -> [Rows<'static>; 4] {
    let keks = |state: &State| {
        let keks = state.vault.as_ref().map(|vault| vault.keks.clone()).unwrap_or_default();
        keks.into_iter().collect()
    };
    [
        changed(&before.holds, &after.holds, sql::UPSERT_HOLDS, hold_row),
        changed(&before.disposals, &after.disposals, sql::UPSERT_DISPOSALS, disposal_row),
        super::productions::changes(before, after),
        changed(&keks(before), &keks(after), sql::UPSERT_KEKS, |version: &u32, kek: &Kek| {
            [Value::uint((*version).into()), Value::digest(&kek.check), Value::opt_uint(kek.destroyed)]
        }),
    ]
}

/// Who approved what, and by which key.
fn approvals(all: &[(Digest, Disposal)]) -> impl Iterator<Item = (Option<CaseId>, PersonId, KeyHash)> {
    all.iter().flat_map(|(_, found)| {
        let case = match found.subject {
            Subject::Item(case, _) | Subject::Case(case) => Some(case),
            Subject::Person(_) | Subject::Vault => None,
        };
        found.approvals.iter().map(move |given| (case, given.person, given.key))
    })
}

fn hold(row: &Row) -> Result<(Digest, Hold), StoreError> {
    let hold = Hold {
        stmt: row.digest(1)?,
        case: row.parse(2)?,
        item: row.opt_parse(3)?,
        placed: row.uint(4)?,
        released: row.opt_uint(5)?,
    };
    Ok((row.digest(0)?, hold))
}

fn hold_row(record: &Digest, hold: &Hold) -> [Value; 6] {
    [
        Value::digest(record),
        Value::digest(&hold.stmt),
        Value::text(hold.case),
        Value::opt_text(hold.item),
        Value::uint(hold.placed),
        Value::opt_uint(hold.released),
    ]
}

fn disposal(row: &Row) -> Result<(Digest, Disposal), StoreError> {
    let case: Option<CaseId> = row.opt_parse(2)?;
    let subject = read_subject(&row.text(1)?, case).ok_or_else(|| row.undecodable(1, "not a subject"))?;
    let records = row.text(3)?;
    let records = records.split_ascii_whitespace().map(str::parse).collect::<Result<_, _>>();
    let approvals = row.text(6)?;
    let approvals = approvals.split_ascii_whitespace().map(read_approval).collect::<Option<_>>();
    let disposal = Disposal {
        subject,
        records: records.map_err(|error| row.undecodable(3, error))?,
        proposer: row.opt_parse(4)?,
        index: row.uint(5)?,
        approvals: approvals.ok_or_else(|| row.undecodable(6, "not approvals"))?,
        stage: row.code(7)?,
        kek: row.opt_uint(8)?.and_then(|kek| u32::try_from(kek).ok()),
        ended: row.opt_uint(9)?,
        horizon: row.opt_time(10)?,
    };
    Ok((row.digest(0)?, disposal))
}

fn disposal_row(record: &Digest, disposal: &Disposal) -> [Value; 11] {
    let (subject, case) = write_subject(&disposal.subject);
    let joined = |words: Vec<String>| Value::Text(Some(words.join(" ")));
    let approvals = disposal.approvals.iter().map(|given| {
        let Approval { person, role, key, index, exports } = given;
        format!("{person}={role}={key}={index}={exports}")
    });
    [
        Value::digest(record),
        Value::Text(Some(subject)),
        Value::opt_text(case),
        joined(disposal.records.iter().map(Digest::to_string).collect()),
        Value::opt_text(disposal.proposer),
        Value::uint(disposal.index),
        joined(approvals.collect()),
        Value::code(&disposal.stage),
        Value::opt_uint(disposal.kek.map(u64::from)),
        Value::opt_uint(disposal.ended),
        Value::Int(disposal.horizon.map(Timestamp::millis)),
    ]
}

/// One approval. Rows of before name neither key nor place: such an approval counts no more.
fn read_approval(text: &str) -> Option<Approval> {
    let mut parts = text.split('=');
    let (person, role) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    let (key, index, exports) = match parts.next() {
        Some(key) => (key.parse().ok()?, parts.next()?.parse().ok()?, parts.next()?.parse().ok()?),
        None => (Digest::ZERO, 0, 0),
    };
    Some(Approval { person, role, key, index, exports })
}

fn write_subject(subject: &Subject) -> (String, Option<CaseId>) {
    match subject {
        Subject::Item(case, item) => (format!("item:{item}"), Some(*case)),
        Subject::Case(case) => (format!("case:{case}"), Some(*case)),
        Subject::Person(person) => (format!("person:{person}"), None),
        Subject::Vault => ("vault".to_owned(), None),
    }
}

fn read_subject(text: &str, case: Option<CaseId>) -> Option<Subject> {
    let (kind, id) = text.split_once(':')?;
    match (kind, case) {
        ("item", Some(case)) => Some(Subject::Item(case, id.parse().ok()?)),
        ("case", Some(case)) => Some(Subject::Case(case)),
        ("person", None) => Some(Subject::Person(id.parse().ok()?)),
        _ => None,
    }
}
