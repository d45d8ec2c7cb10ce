//! Restricted content produced to a court: both halves of its key, each sealed to the court, without the vault ever having
//! the whole.

use custody::act::ProductionStep;
use custody::age;
use custody::digest::Digest;
use custody::id::{ItemId, PersonId};
use custody::rules::{Footprint, Production, ProductionStage, Refusal, Right, State, production_counts};

use super::read::{code, statement};
use super::{App, AppError};
use crate::api;
use crate::engine::OsEntropy;
use crate::sequencer::Attachments;
use crate::store::{Change, ProductionHalves};

impl App {
    /// What is to be produced of an item, or was.
    pub async fn productions(&self, person: PersonId, id: ItemId) -> Result<api::Productions, AppError> {
        self.item_for(person, id, Right::ReadRecords).await?;
        let found = self.store.read().await?.productions_of(id).await?;
        let mut productions = Vec::with_capacity(found.len());
        for (record, production) in found {
            let state = self.around(record, &production).await?;
            let row = self.store.read().await?.records_by_hash(&[record]).await?.pop();
            let purpose = statement(&row.ok_or(AppError::NotFound("record"))?.envelope)?.purpose;
            productions.push(api::ProductionInfo {
                record: record.to_hex(),
                order: production.order.to_hex(),
                recipient: production.recipient.to_string(),
                ground: purpose.map(|purpose| purpose.to_string()).unwrap_or_default(),
                proposer: production.proposer.to_string(),
                approved_by: production.approvals.iter().map(|given| given.person.to_string()).collect(),
                stage: code(&production.stage),
                waits: self.production_waits(&state, &production),
            });
        }
        Ok(api::Productions { productions })
    }

    /// Keeps the persons' half of an item's key, as the one who opened it sealed it to the court, and seals the vault's half
    /// beside it. Nothing of it is in a bundle before the same person says so on record.
    pub async fn produce(
        &self,
        person: PersonId,
        id: ItemId,
        proposal: &str,
        (access, sealed): (Option<&str>, Vec<u8>),
    ) -> Result<api::Produced, AppError> {
        let together = self.together(person, id, access).await?;
        let proposal: Digest = super::parse(proposal, "proposal")?;
        let found = self.store.read().await?.productions(&[proposal]).await?.pop();
        let found = found.map(|(_, found)| found).filter(|found| found.item == id);
        let found = found.filter(|found| found.stage != ProductionStage::Declined);
        let found = found.ok_or(Refusal::NoSuchProduction)?;
        let state = self.around(proposal, &found).await?;
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
        let half = self.halves(person, id, access).await?.half.ok_or(Refusal::OpenedInPairs)?;
        let vault = age::seal(&half.0, &[found.recipient], &mut OsEntropy)
            .map_err(AppError::internal("sealing half of a key"))?;
        let digest = Digest::of(&sealed);
        let halves = ProductionHalves { proposal, object: together.stored.object, persons: sealed, vault };
        self.store.apply(&[Change::Produce(halves)]).await?;
        Ok(api::Produced { sealed: digest.to_hex() })
    }

    /// What commits together with a step of a production. What is said to be sealed must be here, and what has ended must not.
    pub(super) async fn attach_production(
        &self,
        step: &ProductionStep,
        attach: &mut Attachments,
    ) -> Result<(), AppError> {
        match step {
            ProductionStep::Sealed(d) => {
                let kept = self.store.read().await?.production_halves(&d.proposal, &d.sealed).await?;
                if kept.is_none() {
                    return Err(AppError::Invalid(
                        "sealed: send the half to POST /api/v1/items/{id}/productions/{proposal}/half first"
                            .to_owned(),
                    ));
                }
            }
            ProductionStep::Declined(d) => attach.changes.push(Change::EndProduction(d.proposal)),
            ProductionStep::Proposed(_) | ProductionStep::Approved(_) => {}
        }
        Ok(())
    }

    /// What the approvals of a production count by.
    async fn around(&self, record: Digest, found: &Production) -> Result<State, AppError> {
        let productions = [record].into();
        let footprint = Footprint { cases: [found.case].into(), productions, ..Footprint::default() };
        Ok(self.store.read().await?.state(&footprint).await?)
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
