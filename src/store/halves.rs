//! Restricted items: halves of keys, sealed to pairs, what one of a pair opened for the other, and new halves that wait.

use custody::act::ObjectId;
use custody::age::Recipient;
use custody::digest::Digest;
use custody::halves::SealedHalf;
use custody::id::{ItemId, PersonId};
use custody::time::Timestamp;

use super::Store;
use super::db::Tx;
use super::error::StoreError;
use super::insert::Rows;
use super::lists::ItemRow;
use super::objects::{ObjectRow, object};
use super::row::{Row, Value};
use super::sql::sealing as sql;
use super::sql::{Insert, Sql};
use super::state::item;

/// An inner file, from who opened the outer one to who opens it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contribution {
    /// Under which grant of the helper's, that names the reader.
    pub access: Digest,
    /// An age file.
    pub sealed: Vec<u8>,
    /// Until when it is kept.
    pub expires: Timestamp,
    /// Of which halves: the digest of all that the key is sealed in.
    pub halves: Digest,
}

/// New halves of an object's key, beside those that count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resealing {
    /// Whose key.
    pub object: ObjectId,
    /// Digest of the sealed halves.
    pub halves: Digest,
    /// The vault's new half, wrapped.
    pub wrapped: Vec<u8>,
    /// By which version of the key encryption key.
    pub kek: u32,
}

/// A change of what is sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HalvesChange {
    /// The vault's half takes the place of a whole data key; too late if it has, or if the object is not there.
    Halve {
        /// Which object's.
        object: ObjectId,
        /// The half, wrapped.
        wrapped: Vec<u8>,
        /// By which version.
        kek: u32,
    },
    /// The persons' half of a key, sealed to two of them.
    Seal(ObjectId, SealedHalf),
    /// The inner file of a half, for whoever opens it.
    Contribute(Contribution),
    /// What was contributed under a grant is no longer needed: it has ended.
    ForgetContribution(Digest),
    /// New halves, in place of any that waited.
    Reseal {
        /// The vault's.
        vaults: Resealing,
        /// Until when they wait.
        expires: Timestamp,
        /// The persons'.
        sealed: Vec<SealedHalf>,
    },
    /// New halves take the place of those that count, which are destroyed, with all that was opened of them; too late if they
    /// do not wait.
    Confirm {
        /// Whose.
        item: ItemId,
        /// Which object's.
        object: ObjectId,
        /// Digest of the new halves.
        halves: Digest,
    },
    /// New halves are given up.
    GiveUp(ObjectId),
    /// The vault's new half is wrapped by a newer version; too late if another rewrapped it since.
    Rewrap {
        /// Which object's.
        object: ObjectId,
        /// Newly wrapped.
        wrapped: Vec<u8>,
        /// The version before.
        old_kek: u32,
        /// The version now.
        kek: u32,
    },
}

impl HalvesChange {
    /// The version that wraps what this adds.
    pub(crate) const fn kek(&self) -> Option<u32> {
        match self {
            Self::Halve { kek, .. } => Some(*kek),
            Self::Reseal { vaults, .. } => Some(vaults.kek),
            _ => None,
        }
    }
}

impl Tx {
    /// All that an object's half is sealed to.
    pub async fn sealed_halves(&mut self, object: ObjectId) -> Result<Vec<SealedHalf>, StoreError> {
        self.halves_in(sql::SEALED_HALVES, object).await
    }

    /// The new halves of an object's key, if any wait.
    pub async fn resealing(
        &mut self,
        object: ObjectId,
    ) -> Result<Option<(Resealing, Vec<SealedHalf>)>, StoreError> {
        let Some(row) = self.one(sql::RESEALING, vec![name(object)]).await? else { return Ok(None) };
        let (halves, wrapped, kek) = (row.digest(1)?, row.blob(2)?, row.uint32(3)?);
        let sealed = self.halves_in(sql::RESEALED_HALVES, object).await?;
        Ok(Some((Resealing { object, halves, wrapped, kek }, sealed)))
    }

    async fn halves_in(&mut self, sql: Sql, object: ObjectId) -> Result<Vec<SealedHalf>, StoreError> {
        self.all(sql, vec![name(object)]).await?.iter().map(sealed_half).collect()
    }

    /// What `helper` has opened for `reader` of the halves with this digest, and under which grant: one that is still open, by a
    /// key that counts.
    pub async fn contribution(
        &mut self,
        item: ItemId,
        (helper, reader): (PersonId, PersonId),
        halves: Digest,
        now: Timestamp,
    ) -> Result<Option<(Vec<u8>, Digest)>, StoreError> {
        let (item, helper, reader) = (Value::text(item), Value::text(helper), Value::text(reader));
        let params = vec![item, helper, reader, Value::time(now), Value::digest(&halves)];
        let row = self.one(sql::CONTRIBUTION, params).await?;
        row.map(|row| Ok((row.blob(0)?, row.digest(1)?))).transpose()
    }

    /// Objects whose new half is wrapped by a version before this one, with that half in place of the one that counts.
    pub async fn resealings_before_kek(
        &mut self,
        kek: u32,
        limit: u32,
    ) -> Result<Vec<ObjectRow>, StoreError> {
        let params = vec![Value::uint(kek.into()), Value::uint(limit.into())];
        self.all(sql::RESEALINGS_BEFORE_KEK, params).await?.iter().map(object).collect()
    }

    /// Restricted items with content that was not destroyed: those after `after`, at most `limit`.
    pub async fn restricted_items(
        &mut self,
        after: Option<ItemId>,
        limit: u32,
    ) -> Result<Vec<ItemRow>, StoreError> {
        let after = after.map(|item| item.to_string()).unwrap_or_default();
        let params = vec![Value::text(after), Value::uint(limit.into())];
        self.all(sql::RESTRICTED_ITEMS, params).await?.iter().map(item).collect()
    }

    /// Makes a change; `false` if it came too late and changed nothing.
    pub(super) async fn change_halves(&mut self, change: &HalvesChange) -> Result<bool, StoreError> {
        let changed = match change {
            HalvesChange::Halve { object, wrapped, kek } => {
                let params = vec![Value::blob(wrapped), Value::uint((*kek).into()), name(*object)];
                self.run(sql::HALVE_OBJECT, params).await?
            }
            HalvesChange::Seal(object, half) => {
                self.seal_in(sql::INSERT_SEALED_HALVES, *object, std::slice::from_ref(half)).await?;
                1
            }
            HalvesChange::Contribute(Contribution { access, sealed, expires, halves }) => {
                let (access, halves) = (Value::digest(access), Value::digest(halves));
                let params = vec![access, Value::blob(sealed), Value::time(*expires), halves];
                self.run(sql::CONTRIBUTE, params).await?
            }
            HalvesChange::ForgetContribution(access) => {
                self.run(sql::FORGET_CONTRIBUTION, vec![Value::digest(access)]).await?;
                1
            }
            HalvesChange::Reseal { vaults, expires, sealed } => {
                self.give_up(vaults.object).await?;
                let Resealing { object, halves, wrapped, kek } = vaults;
                let (kek, expires) = (Value::uint((*kek).into()), Value::time(*expires));
                let row = [name(*object), Value::digest(halves), Value::blob(wrapped), kek, expires];
                self.insert(sql::INSERT_RESEALINGS, row).await?;
                self.seal_in(sql::INSERT_RESEALED_HALVES, *object, sealed).await?;
                1
            }
            HalvesChange::Confirm { item, object, halves } => self.confirm(*item, *object, halves).await?,
            HalvesChange::GiveUp(object) => {
                self.give_up(*object).await?;
                1
            }
            HalvesChange::Rewrap { object, wrapped, old_kek, kek } => {
                let (kek, old) = (Value::uint((*kek).into()), Value::uint((*old_kek).into()));
                let params = vec![Value::blob(wrapped), kek, name(*object), old];
                self.run(sql::REWRAP_RESEALING, params).await?
            }
        };
        Ok(changed == 1)
    }

    async fn confirm(&mut self, item: ItemId, object: ObjectId, halves: &Digest) -> Result<u64, StoreError> {
        let taken = self.run(sql::TAKE_NEW_KEY, vec![name(object), Value::digest(halves)]).await?;
        if taken == 1 {
            self.run(sql::DESTROY_SEALED_HALVES, vec![name(object)]).await?;
            self.run(sql::TAKE_NEW_HALVES, vec![name(object)]).await?;
            self.run(sql::FORGET_CONTRIBUTIONS_TO, vec![Value::text(item)]).await?;
            self.give_up(object).await?;
        }
        Ok(taken)
    }

    async fn give_up(&mut self, object: ObjectId) -> Result<(), StoreError> {
        self.run(sql::FORGET_RESEALED_HALVES, vec![name(object)]).await?;
        self.run(sql::FORGET_RESEALING, vec![name(object)]).await.map(drop)
    }

    /// Destroys all halves that are sealed to somebody, with the new ones.
    pub(super) async fn destroy_halves(&mut self, object: ObjectId) -> Result<(), StoreError> {
        self.run(sql::DESTROY_SEALED_HALVES, vec![name(object)]).await?;
        self.give_up(object).await
    }

    async fn seal_in(
        &mut self,
        insert: Insert<'static>,
        object: ObjectId,
        halves: &[SealedHalf],
    ) -> Result<(), StoreError> {
        let mut rows = Rows::new(insert);
        for SealedHalf { first, second, outer, inner, sealed } in halves {
            let (outer, inner) = (Value::text(written(outer)), Value::text(written(inner)));
            rows.push([
                name(object),
                Value::text(first),
                Value::text(second),
                outer,
                inner,
                Value::blob(sealed),
            ]);
        }
        self.insert_all(vec![rows]).await
    }
}

impl Store {
    /// Forgets what was contributed to readings that have run out, and new halves that nobody confirmed in time.
    pub async fn forget_contributions(&self, now: Timestamp) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        for sql in [sql::FORGET_CONTRIBUTIONS, sql::FORGET_OLD_RESEALED_HALVES, sql::FORGET_OLD_RESEALINGS] {
            tx.run(sql, vec![Value::time(now)]).await?;
        }
        tx.commit().await
    }
}

fn name(object: ObjectId) -> Value {
    Value::blob(object.as_bytes())
}

fn sealed_half(row: &Row) -> Result<SealedHalf, StoreError> {
    Ok(SealedHalf {
        first: row.parse(0)?,
        second: row.parse(1)?,
        outer: read(row, 2)?,
        inner: read(row, 3)?,
        sealed: row.blob(4)?,
    })
}

/// Recipients, with blanks in between.
fn written(recipients: &[Recipient]) -> String {
    recipients.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

fn read(row: &Row, column: usize) -> Result<Vec<Recipient>, StoreError> {
    let text = row.text(column)?;
    let recipients = text.split_whitespace().map(str::parse).collect::<Result<_, _>>();
    recipients.map_err(|error| row.undecodable(column, error))
}
