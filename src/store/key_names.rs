//! Names that persons gave to their keys, sealed under the key of what is kept about the person.

use custody::id::KeyHash;

use super::Store;
use super::db::Tx;
use super::error::StoreError;
use super::row::Value;
use super::sql::signin as sql;

impl Store {
    /// Names a key, in place of the name that it had; `scope` is whose key sealed the name.
    pub async fn name_key(&self, key: KeyHash, scope: &str, sealed: Vec<u8>) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        tx.run(sql::NAME_KEY, vec![Value::digest(&key), Value::text(scope), Value::blob(sealed)]).await?;
        tx.commit().await
    }

    /// A key has no name any more.
    pub async fn unname_key(&self, key: KeyHash) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        tx.run(sql::UNNAME_KEY, vec![Value::digest(&key)]).await?;
        tx.commit().await
    }
}

impl Tx {
    /// The names of keys of one scope, sealed.
    pub async fn key_names(&mut self, scope: &str) -> Result<Vec<(KeyHash, Vec<u8>)>, StoreError> {
        let rows = self.all(sql::KEY_NAMES, vec![Value::text(scope)]).await?;
        rows.iter().map(|row| Ok((row.digest(0)?, row.blob(1)?))).collect()
    }
}
