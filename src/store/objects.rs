//! Stored objects and wrapped keys.

use custody::act::ObjectId;
use custody::id::ItemId;
use custody::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::db::Tx;
use super::error::StoreError;
use super::insert::Rows;
use super::row::{Row, Value};
use super::sql;

/// One stored object, committed together with the record that names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectRow {
    /// Its random name.
    pub object: ObjectId,
    /// The item whose content it is.
    pub item: ItemId,
    /// The envelope of its manifest.
    pub manifest: Vec<u8>,
    /// Its data key, wrapped.
    pub wrapped: Vec<u8>,
    /// By which version of the vault's key encryption key.
    pub kek: u32,
    /// Bytes of ciphertext.
    pub size: u64,
    /// What the last check found.
    pub state: ObjectState,
    /// Whether the wrapped key is the vault's half alone: the item is restricted.
    pub halved: bool,
}

/// What is known about an object's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ObjectState {
    /// There, as far as the last check knows.
    Present,
    /// Missing or altered in the object store.
    Damaged,
    /// Its key was destroyed.
    Shredded,
}

/// A wrapped key of a case, person or organisation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubjectKey {
    /// `case:<uuid>`, `person:<uuid>` or `org:<uuid>`.
    pub scope: String,
    /// The key, wrapped.
    pub wrapped: Vec<u8>,
    /// By which version of the vault's key encryption key.
    pub kek: u32,
}

impl Tx {
    /// These objects; unknown ones are left out.
    pub async fn objects(&mut self, objects: &[ObjectId]) -> Result<Vec<ObjectRow>, StoreError> {
        let rows = self.all_in(sql::OBJECTS, names(objects)).await?;
        rows.iter().map(object).collect()
    }

    /// All objects of an item.
    pub async fn objects_of(&mut self, item: ItemId) -> Result<Vec<ObjectRow>, StoreError> {
        self.all(sql::OBJECTS_OF_ITEM, vec![Value::text(item)]).await?.iter().map(object).collect()
    }

    /// All objects, for scrubbing: those after `after`, at most `limit`.
    pub async fn all_objects(
        &mut self,
        after: Option<ObjectId>,
        limit: u32,
    ) -> Result<Vec<ObjectRow>, StoreError> {
        self.all(sql::OBJECTS_PAGE, page(after, limit)).await?.iter().map(object).collect()
    }

    /// Which of these objects no record may name any more.
    pub async fn buried(&mut self, objects: &[ObjectId]) -> Result<Vec<ObjectId>, StoreError> {
        let rows = self.all_in(sql::TOMBSTONES, names(objects)).await?;
        rows.iter().map(|row| row.bytes(0).map(ObjectId::new)).collect()
    }

    /// Wrapped keys by scope; unknown ones are left out.
    pub async fn subject_keys(&mut self, scopes: &[String]) -> Result<Vec<SubjectKey>, StoreError> {
        let rows = self.all_in(sql::SUBJECT_KEYS, scopes.iter().map(Value::text).collect()).await?;
        rows.iter().map(subject_key).collect()
    }

    /// One wrapped key of each version of the key encryption key, to see whether a keyring opens this database.
    pub async fn canaries(&mut self) -> Result<Vec<SubjectKey>, StoreError> {
        self.all(sql::CANARIES, Vec::new()).await?.iter().map(subject_key).collect()
    }

    pub(super) async fn insert_tombstone(
        &mut self,
        object: ObjectId,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.insert(sql::INSERT_TOMBSTONES, [Value::blob(object.as_bytes()), Value::time(now)]).await
    }
}

pub(crate) fn new_objects(objects: &[ObjectRow]) -> Rows<'static> {
    let mut rows = Rows::new(sql::INSERT_OBJECTS);
    for object in objects {
        rows.push([
            Value::blob(object.object.as_bytes()),
            Value::text(object.item),
            Value::blob(&object.manifest),
            Value::blob(&object.wrapped),
            Value::uint(object.kek.into()),
            Value::uint(object.size),
            Value::code(&object.state),
            Value::Bool(object.halved),
        ]);
    }
    rows
}

pub(crate) fn new_subject_keys(keys: &[SubjectKey]) -> Rows<'static> {
    let mut rows = Rows::new(sql::INSERT_SUBJECT_KEYS);
    for key in keys {
        rows.push([Value::text(&key.scope), Value::blob(&key.wrapped), Value::uint(key.kek.into())]);
    }
    rows
}

/// Those after one, at most so many.
pub(super) fn page(after: Option<ObjectId>, limit: u32) -> Vec<Value> {
    let after = after.map(|object| object.as_bytes().to_vec()).unwrap_or_default();
    vec![Value::Blob(Some(after)), Value::uint(limit.into())]
}

fn names(objects: &[ObjectId]) -> Vec<Value> {
    objects.iter().map(|object| Value::blob(object.as_bytes())).collect()
}

pub(super) fn object(row: &Row) -> Result<ObjectRow, StoreError> {
    Ok(ObjectRow {
        object: ObjectId::new(row.bytes(0)?),
        item: row.parse(1)?,
        manifest: row.blob(2)?,
        wrapped: row.blob(3)?,
        kek: row.uint32(4)?,
        size: row.uint(5)?,
        state: row.code(6)?,
        halved: row.bool(7)?,
    })
}

pub(super) fn subject_key(row: &Row) -> Result<SubjectKey, StoreError> {
    Ok(SubjectKey { scope: row.text(0)?, wrapped: row.blob(1)?, kek: row.uint32(2)? })
}
