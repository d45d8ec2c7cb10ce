//! Restricted content that is produced to courts: what was agreed, and the halves of keys that are sealed to them.

use custody::act::ObjectId;
use custody::digest::Digest;
use custody::id::{CaseId, ItemId, KeyHash, PersonId};
use custody::rules::{Consent, Production, ProductionStage, State};

use super::db::Tx;
use super::error::StoreError;
use super::insert::Rows;
use super::objects::ObjectState;
use super::projections::changed;
use super::row::{Row, Value};
use super::sql::life as sql;

/// Both halves of an item's key, each sealed to a court.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProductionHalves {
    /// Hash of the record of `production.proposed`.
    pub proposal: Digest,
    /// Whose key.
    pub object: ObjectId,
    /// An age file, as one of a pair made it.
    pub persons: Vec<u8>,
    /// An age file, as the vault made it.
    pub vault: Vec<u8>,
}

impl Tx {
    /// Productions by the hash of their proposal's record; unknown ones are left out.
    pub async fn productions(
        &mut self,
        proposals: &[Digest],
    ) -> Result<Vec<(Digest, Production)>, StoreError> {
        let keys = proposals.iter().map(Value::digest).collect();
        self.all_in(sql::PRODUCTIONS, keys).await?.iter().map(production).collect()
    }

    /// The newest productions of an item, oldest of them first.
    pub async fn productions_of(
        &mut self,
        item: ItemId,
        limit: u32,
    ) -> Result<Vec<(Digest, Production)>, StoreError> {
        let rows = self.all(sql::PRODUCTIONS_OF, vec![Value::text(item), Value::uint(limit.into())]).await?;
        rows.iter().rev().map(production).collect()
    }

    pub(super) async fn all_productions(&mut self) -> Result<Vec<(Digest, Production)>, StoreError> {
        self.all(sql::ALL_PRODUCTIONS, Vec::new()).await?.iter().map(production).collect()
    }

    /// The halves whose persons' file has this digest.
    pub async fn production_halves(
        &mut self,
        proposal: &Digest,
        digest: &Digest,
    ) -> Result<Option<ProductionHalves>, StoreError> {
        let params = vec![Value::digest(proposal), Value::digest(digest)];
        let row = self.one(sql::PRODUCTION_HALVES, params).await?;
        row.map(|row| {
            let (object, persons, vault) = (ObjectId::new(row.bytes(0)?), row.blob(1)?, row.blob(2)?);
            Ok(ProductionHalves { proposal: *proposal, object, persons, vault })
        })
        .transpose()
    }

    /// Keeps halves beside those that are on record, and no others; too late if the production has ended, or the content was
    /// destroyed.
    pub(super) async fn produce(&mut self, halves: &ProductionHalves) -> Result<bool, StoreError> {
        let ProductionHalves { proposal, object, persons, vault } = halves;
        let found = self.productions(&[*proposal]).await?.pop().map(|(_, found)| found);
        let open = found.filter(|found| found.stage != ProductionStage::Declined);
        let row = self.objects(&[*object]).await?.pop();
        let (Some(found), true) = (open, row.is_some_and(|row| row.state != ObjectState::Shredded)) else {
            return Ok(false);
        };
        let kept = found.sealed.unwrap_or(Digest::ZERO);
        self.run(sql::FORGET_OTHER_HALVES, vec![Value::digest(proposal), Value::digest(&kept)]).await?;
        let digest = Digest::of(persons);
        if digest != kept {
            let mut params =
                vec![Value::digest(proposal), Value::digest(&digest), Value::blob(object.as_bytes())];
            params.extend([Value::blob(persons), Value::blob(vault)]);
            self.run(sql::KEEP_PRODUCTION_HALVES, params).await?;
        }
        Ok(true)
    }

    /// Of all halves only those with this digest stay; whether there are any.
    pub(super) async fn seal_production(
        &mut self,
        proposal: &Digest,
        sealed: &Digest,
    ) -> Result<bool, StoreError> {
        self.run(sql::FORGET_OTHER_HALVES, vec![Value::digest(proposal), Value::digest(sealed)]).await?;
        Ok(self.production_halves(proposal, sealed).await?.is_some())
    }

    pub(super) async fn end_production(&mut self, proposal: &Digest) -> Result<(), StoreError> {
        self.run(sql::FORGET_PRODUCTION_HALVES, vec![Value::digest(proposal)]).await.map(drop)
    }
}

/// Rows of what changed.
pub(super) fn changes(before: &State, after: &State) -> Rows<'static> {
    changed(&before.productions, &after.productions, sql::UPSERT_PRODUCTIONS, production_row)
}

/// Who approved what, and by which key.
pub(super) fn approvals(
    all: &[(Digest, Production)],
) -> impl Iterator<Item = (Option<CaseId>, PersonId, KeyHash)> {
    all.iter().flat_map(|(_, found)| {
        found.approvals.iter().map(|given| (Some(found.case), given.person, given.key))
    })
}

fn production(row: &Row) -> Result<(Digest, Production), StoreError> {
    let approvals = row.text(7)?;
    let approvals = approvals.split_ascii_whitespace().map(consent).collect::<Option<_>>();
    let production = Production {
        case: row.parse(1)?,
        item: row.parse(2)?,
        order: row.digest(3)?,
        recipient: row.parse(4)?,
        proposer: row.parse(5)?,
        index: row.uint(6)?,
        approvals: approvals.ok_or_else(|| row.undecodable(7, "not approvals"))?,
        stage: row.code(8)?,
        sealed: row.opt_digest(9)?,
    };
    Ok((row.digest(0)?, production))
}

fn production_row(record: &Digest, found: &Production) -> [Value; 10] {
    let approvals =
        found.approvals.iter().map(|Consent { person, key, index }| format!("{person}={key}={index}"));
    [
        Value::digest(record),
        Value::text(found.case),
        Value::text(found.item),
        Value::digest(&found.order),
        Value::text(found.recipient),
        Value::text(found.proposer),
        Value::uint(found.index),
        Value::Text(Some(approvals.collect::<Vec<_>>().join(" "))),
        Value::code(&found.stage),
        Value::opt_digest(found.sealed.as_ref()),
    ]
}

fn consent(text: &str) -> Option<Consent> {
    let mut parts = text.split('=');
    let (person, key) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    Some(Consent { person, key, index: parts.next()?.parse().ok()? })
}
