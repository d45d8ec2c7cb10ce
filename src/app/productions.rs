//! Restricted content produced to a court: both halves of its key, each sealed to the court, without the vault ever having
//! the whole.

use std::collections::HashMap;

use custody::act::ProductionStep;
use custody::age;
use custody::digest::Digest;
use custody::id::{CaseId, ItemId, PersonId};
use custody::rules::{
    Footprint, Production, ProductionStage, Refusal, Right, State, counts, production_counts,
};

use super::read::{code, statement};
use super::sealing::Opening;
use super::{App, AppError};
use crate::api;
use crate::engine::OsEntropy;
use crate::sequencer::Attachments;
use crate::store::{Change, ProductionHalves};

/// The newest productions of an item that are shown.
const SHOWN: u32 = 200;

impl App {
    /// What is to be produced of an item, or was.
    pub async fn productions(&self, person: PersonId, id: ItemId) -> Result<api::Productions, AppError> {
        let item = self.item_for(person, id, Right::ReadRecords).await?;
        let found = self.store.read().await?.productions_of(id, SHOWN).await?;
        let records: Vec<_> = found.iter().map(|(record, _)| *record).collect();
        let state = self.around(&records, item.case).await?;
        let mut grounds = HashMap::new();
        for row in self.store.read().await?.records_by_hash(&records).await? {
            grounds.insert(row.hash, statement(&row.envelope)?.purpose);
        }
        let info = |(record, production): &(Digest, Production)| api::ProductionInfo {
            record: record.to_hex(),
            order: production.order.to_hex(),
            recipient: production.recipient.to_string(),
            ground: grounds.get(record).cloned().flatten().map(|g| g.to_string()).unwrap_or_default(),
            proposer: production.proposer.to_string(),
            approved_by: production.approvals.iter().map(|given| given.person.to_string()).collect(),
            stage: code(&production.stage),
            waits: self.production_waits(&state, production),
        };
        let productions = found.iter().map(info).collect();
        Ok(api::Productions { productions })
    }

    /// Keeps the persons' half of an item's key, as the one who opened it sealed it to the court, and seals the vault's half
    /// beside it. Nothing of it is in a bundle before the two say so on record.
    pub async fn produce(
        &self,
        person: PersonId,
        id: ItemId,
        proposal: &str,
        (access, half): (Option<&str>, api::NewProducedHalf),
    ) -> Result<api::Produced, AppError> {
        let api::NewProducedHalf { sealed: api::Bytes64(sealed), halves: of } = half;
        let opening = Opening { access, ..Opening::default() };
        let together = self.together(person, id, opening).await?;
        let proposal: Digest = super::parse(proposal, "proposal")?;
        let found = self.store.read().await?.productions(&[proposal]).await?.pop();
        let found = found.map(|(_, found)| found).filter(|found| found.item == id);
        let found = found.filter(|found| found.stage != ProductionStage::Declined);
        let found = found.ok_or(Refusal::NoSuchProduction)?;
        let recipient = found.recipient;
        let state = self.around(&[proposal], found.case).await?;
        if !production_counts(&state, &found, self.clock.now()) {
            return Err(Refusal::NotApproved.into());
        }
        if !age::is_file(&sealed) {
            return Err(AppError::Invalid(
                "sealed: the persons' half of the item's key as an age file, sealed to the court's recipient"
                    .to_owned(),
            ));
        }
        // Whoever has opened the persons' half was helped by the other of the pair; who was not has nothing to seal.
        let found = Box::pin(self.halves(person, id, opening)).await?;
        let half = found.half.ok_or(Refusal::OpenedInPairs)?;
        // Both are of one time: what was sealed anew meanwhile has another half here.
        if found.halves != of {
            return Err(Refusal::OtherHalves.into());
        }
        let vault = age::seal(&half.0, &[recipient], &mut OsEntropy)
            .map_err(AppError::internal("sealing half of a key"))?;
        let digest = Digest::of(&sealed);
        let halves = ProductionHalves { proposal, object: together.stored.object, persons: sealed, vault };
        if !self.store.apply(&[Change::Produce(halves)]).await? {
            return Err(AppError::TooLate);
        }
        Ok(api::Produced { sealed: digest.to_hex() })
    }

    /// What commits together with a step of a production. What is said to be sealed must be here, and what has ended must not.
    pub(super) async fn attach_production(
        &self,
        person: Option<PersonId>,
        (item, step): (ItemId, &ProductionStep),
        attach: &mut Attachments,
    ) -> Result<(), AppError> {
        match step {
            ProductionStep::Sealed(d) => {
                let mut tx = self.store.read().await?;
                if tx.production_halves(&d.proposal, &d.sealed).await?.is_none() {
                    return Err(AppError::Invalid(
                        "sealed: send the half to POST /api/v1/items/{id}/productions/{proposal}/half first"
                            .to_owned(),
                    ));
                }
                // The two who say so are two who said that they open it, each with the other, by keys that count. That both may
                // still read is for the rules.
                let open = tx.open_grants_of(item).await?;
                let keys = open.iter().filter_map(|(_, grant)| grant.key).collect();
                let state = tx.state(&Footprint { keys, ..Footprint::default() }).await?;
                let now = self.clock.now();
                let reads = |one: PersonId, other: PersonId| {
                    open.iter().any(|(_, grant)| {
                        (grant.person, grant.with) == (one, Some(other)) && counts(&state, now, grant)
                    })
                };
                let person = person.ok_or(Refusal::WrongAssurance)?;
                if !(reads(person, d.with) && reads(d.with, person)) {
                    return Err(Refusal::OpenedInPairs.into());
                }
                let (proposal, sealed) = (d.proposal, d.sealed);
                attach.changes.push(Change::SealProduction { proposal, sealed });
            }
            ProductionStep::Declined(d) => attach.changes.push(Change::EndProduction(d.proposal)),
            ProductionStep::Proposed(_) | ProductionStep::Approved(_) => {}
        }
        Ok(())
    }

    /// What the approvals of productions in a case count by.
    async fn around(&self, proposals: &[Digest], case: CaseId) -> Result<State, AppError> {
        let productions = proposals.iter().copied().collect();
        let footprint = Footprint { cases: [case].into(), productions, ..Footprint::default() };
        Ok(self.store.read().await?.state(&footprint).await?)
    }

    /// Whether what a bundle carries sealed to courts is still sealed to them, as it was then.
    pub(super) async fn still_produced(&self, carried: &[(Digest, Digest)]) -> Result<bool, AppError> {
        let mut tx = self.store.read().await?;
        let proposals: Vec<_> = carried.iter().map(|(proposal, _)| *proposal).collect();
        let found = tx.productions(&proposals).await?;
        let sealed = found.iter().filter(|(_, found)| found.stage == ProductionStage::Sealed).count();
        let mut kept = sealed == carried.len();
        for (proposal, digest) in carried {
            kept = kept && tx.production_halves(proposal, digest).await?.is_some();
        }
        Ok(kept)
    }

    fn production_waits(&self, state: &State, found: &Production) -> Vec<String> {
        let missing = custody::rules::APPROVERS.saturating_sub(found.approvals.len());
        let wait = match found.stage {
            ProductionStage::Declined => return Vec::new(),
            _ if missing > 0 => format!("{missing} approval(s)"),
            _ if !production_counts(state, found, self.clock.now()) => {
                "a new proposal: an approval of this one counts no more".to_owned()
            }
            ProductionStage::Sealed => return Vec::new(),
            ProductionStage::Proposed => {
                "two of a pair, who seal it to the court: custos produce seal".to_owned()
            }
        };
        vec![wait]
    }
}
