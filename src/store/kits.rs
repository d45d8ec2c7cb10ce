//! Recovery kits: which there are, what they hold, and whether somebody showed that they open.

use custody::time::Timestamp;

use super::db::Tx;
use super::error::StoreError;
use super::row::{Row, Value};
use super::{Store, sql};
use crate::keyring::KeyList;

/// A recovery kit that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KitRow {
    /// Its number, from 1.
    pub kit: u64,
    /// When.
    pub made: Timestamp,
    /// The keys in it.
    pub keys: KeyList,
    /// When sheet and file were last shown to open.
    pub checked: Option<Timestamp>,
}

impl Tx {
    /// All kits, oldest first.
    pub async fn recovery_kits(&mut self) -> Result<Vec<KitRow>, StoreError> {
        self.all(sql::RECOVERY_KITS, Vec::new()).await?.iter().map(kit).collect()
    }

    /// Whether the vault takes sample data only.
    pub async fn samples_only(&mut self) -> Result<bool, StoreError> {
        Ok(self.one(sql::SAMPLES_ONLY, Vec::new()).await?.is_some())
    }
}

impl Store {
    /// Notes a new kit, unless its number is taken; whether it was noted. What was checked stays checked.
    pub async fn add_kit(&self, kit: u64, made: Timestamp, keys: &KeyList) -> Result<bool, StoreError> {
        let mut tx = self.write().await?;
        let params = vec![Value::uint(kit), Value::time(made), Value::text(keys)];
        let added = tx.run(sql::ADD_KIT, params).await? == 1;
        tx.commit().await?;
        Ok(added)
    }

    /// Notes that a kit was checked, also one that the database does not know.
    pub async fn note_checked_kit(
        &self,
        kit: u64,
        made: Timestamp,
        keys: &KeyList,
        checked: Timestamp,
    ) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        let params = vec![Value::uint(kit), Value::time(made), Value::text(keys), Value::time(checked)];
        tx.run(sql::CHECKED_KIT, params).await?;
        tx.commit().await
    }

    /// Marks a new vault as one that takes sample data only. There is no way back.
    pub async fn mark_samples_only(&self) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        tx.run(sql::MARK_SAMPLES_ONLY, Vec::new()).await?;
        tx.commit().await
    }
}

fn kit(row: &Row) -> Result<KitRow, StoreError> {
    let keys = KeyList::parse(&row.text(2)?).ok_or_else(|| row.undecodable(2, "not a list of keys"))?;
    Ok(KitRow { kit: row.uint(0)?, made: row.time(1)?, keys, checked: row.opt_time(3)? })
}
