//! Restricted items: halves of keys, sealed to pairs, and what one of a pair opened for the other.

use custody::act::ObjectId;
use custody::digest::Digest;
use custody::id::{ItemId, PersonId};
use custody::time::Timestamp;

use super::Store;
use super::db::Tx;
use super::error::StoreError;
use super::row::{Row, Value};
use super::sql;

/// The persons' half of an object's key, sealed so that it takes two to open it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedHalf {
    /// Whose key.
    pub object: ObjectId,
    /// Who opens the outer file.
    pub first: Party,
    /// Who opens the file in it.
    pub second: Party,
    /// An age file in an age file.
    pub sealed: Vec<u8>,
}

/// One of two who open something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Party {
    /// A person, with any of their devices.
    Person(PersonId),
    /// Whoever has the first or second paper of the recovery pair.
    Paper(u8),
}

/// An inner file, from who opened the outer one to who opens it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contribution {
    /// Under which grant of the helper's, that names the reader.
    pub access: Digest,
    /// An age file.
    pub sealed: Vec<u8>,
    /// Until when it is kept.
    pub expires: Timestamp,
}

impl Tx {
    /// All that an object's half is sealed to.
    pub async fn sealed_halves(&mut self, object: ObjectId) -> Result<Vec<SealedHalf>, StoreError> {
        let rows = self.all(sql::SEALED_HALVES, vec![Value::blob(object.as_bytes())]).await?;
        rows.iter().map(sealed_half).collect()
    }

    /// What `helper` has opened for `reader`, under a grant that is still open.
    pub async fn contribution(
        &mut self,
        item: ItemId,
        (helper, reader): (PersonId, PersonId),
        now: Timestamp,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let params = vec![Value::text(item), Value::text(helper), Value::text(reader), Value::time(now)];
        self.one(sql::CONTRIBUTION, params).await?.map(|row| row.blob(0)).transpose()
    }

    pub(super) async fn seal_half(&mut self, half: &SealedHalf) -> Result<(), StoreError> {
        let (first, second) = (Value::text(half.first), Value::text(half.second));
        let row = [Value::blob(half.object.as_bytes()), first, second, Value::blob(&half.sealed)];
        self.insert(sql::INSERT_SEALED_HALVES, row).await
    }

    pub(super) async fn contribute(&mut self, contribution: &Contribution) -> Result<(), StoreError> {
        let Contribution { access, sealed, expires } = contribution;
        let params = vec![Value::digest(access), Value::blob(sealed), Value::time(*expires)];
        self.run(sql::CONTRIBUTE, params).await.map(drop)
    }
}

impl Store {
    /// Forgets what was contributed to readings that have run out.
    pub async fn forget_contributions(&self, now: Timestamp) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        tx.run(sql::FORGET_CONTRIBUTIONS, vec![Value::time(now)]).await?;
        tx.commit().await
    }
}

fn sealed_half(row: &Row) -> Result<SealedHalf, StoreError> {
    let (object, sealed) = (ObjectId::new(row.bytes(0)?), row.blob(3)?);
    Ok(SealedHalf { object, first: row.parse(1)?, second: row.parse(2)?, sealed })
}

impl std::fmt::Display for Party {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Person(person) => person.fmt(f),
            Self::Paper(n) => write!(f, "paper:{n}"),
        }
    }
}

impl std::str::FromStr for Party {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let person = || text.parse().map(Self::Person).map_err(|_| "neither a person nor a paper");
        match text {
            "paper:1" => Ok(Self::Paper(1)),
            "paper:2" => Ok(Self::Paper(2)),
            _ => person(),
        }
    }
}
