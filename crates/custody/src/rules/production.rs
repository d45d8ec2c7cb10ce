//! What restricted content is produced to a court: by its order, with two approvers, sealed to the court by two of a pair.

use serde::{Deserialize, Serialize};

use super::decide::{Decision, Speaker, item_of};
use super::disposal::{APPROVERS, trusted};
use super::sealing::may_open;
use super::{Refusal, Right, State};
use crate::act::{BundleExported, Class, ProductionProposed, ProductionSealed, ProductionStep};
use crate::age::Recipient;
use crate::digest::Digest;
use crate::id::{CaseId, ItemId, KeyHash, PersonId};
use crate::statement::Statement;
use crate::time::Timestamp;

/// Restricted content that is to be produced to a court, or is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Production {
    /// The case.
    pub case: CaseId,
    /// The item.
    pub item: ItemId,
    /// SHA-256 of the court's order.
    pub order: Digest,
    /// To whom of the court it is sealed.
    pub recipient: Recipient,
    /// Who proposed it.
    pub proposer: PersonId,
    /// Log index of the proposal.
    pub index: u64,
    /// Who agreed, oldest first.
    pub approvals: Vec<Consent>,
    /// What became of it.
    pub stage: ProductionStage,
    /// SHA-256 of the file in which the persons' half of the key is sealed to the court.
    pub sealed: Option<Digest>,
}

/// That somebody agreed, by which key and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Consent {
    /// Who.
    pub person: PersonId,
    /// By which key.
    pub key: KeyHash,
    /// Log index of the record.
    pub index: u64,
}

/// What became of a production.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProductionStage {
    /// It waits for its approvers, or for two of a pair.
    Proposed,
    /// Bundles may carry it.
    Sealed,
    /// Somebody declined or ended it.
    Declined,
}

/// A step of a production of an item.
pub(super) fn production(
    state: &State,
    speaker: &Speaker<'_>,
    (case, id): (CaseId, ItemId),
    step: &ProductionStep,
) -> Decision {
    let item = item_of(state, Some(case), id)?;
    let Some(proposal) = step.proposal() else {
        return if item.class == Class::Restricted && item.stored.is_some() {
            Ok(())
        } else {
            Err(Refusal::ProductionUnfit(
                "only stored content of a restricted item is produced so: any other is in every bundle of its case",
            ))
        };
    };
    let found = state.productions.get(proposal).filter(|found| (found.case, found.item) == (case, id));
    let found = found.filter(|found| found.stage != ProductionStage::Declined);
    let found = found.ok_or(Refusal::NoSuchProduction)?;
    match step {
        ProductionStep::Approved(d) => {
            same((&d.order, &d.recipient), (&found.order, &found.recipient))?;
            approved(state, speaker, found)
        }
        ProductionStep::Sealed(d) => {
            same((&found.order, &d.recipient), (&found.order, &found.recipient))?;
            counts(state, speaker.at(), found)?;
            let pair = (speaker.person()?, d.with);
            let may = |sealing| may_open(state, speaker.at(), (case, sealing), pair);
            if item.sealing.as_ref().is_some_and(may) { Ok(()) } else { Err(Refusal::OpenedInPairs) }
        }
        ProductionStep::Proposed(_) | ProductionStep::Declined(_) => Ok(()),
    }
}

/// Whoever agrees, or seals, signs what they have from the court: a vault in other hands could show it under a proposal that
/// names another.
fn same(given: (&Digest, &Recipient), proposed: (&Digest, &Recipient)) -> Decision {
    if given == proposed {
        return Ok(());
    }
    Err(Refusal::ProductionUnfit("the order, or the court's recipient, is not the one that is proposed"))
}

/// A bundle carries productions of its own case that are sealed to the court, and as long as their approvals count.
pub(super) fn exported(state: &State, speaker: &Speaker<'_>, case: CaseId, d: &BundleExported) -> Decision {
    d.productions.iter().flatten().try_for_each(|proposal| {
        let found = state.productions.get(proposal).filter(|found| found.case == case);
        let found = found.filter(|found| found.stage == ProductionStage::Sealed);
        counts(state, speaker.at(), found.ok_or(Refusal::NoSuchProduction)?)
    })
}

/// Whether two others than the proposer have agreed, and both agreements count still at `at`: what two have agreed to
/// is carried out later, and a thief's agreement must not count until then.
pub fn production_counts(state: &State, found: &Production, at: Timestamp) -> bool {
    counts(state, at, found).is_ok()
}

fn counts(state: &State, at: Timestamp, found: &Production) -> Decision {
    if found.approvals.len() < APPROVERS {
        return Err(Refusal::NotApproved);
    }
    lapsed(state, at, found)
}

fn approved(state: &State, speaker: &Speaker<'_>, found: &Production) -> Decision {
    let person = speaker.person()?;
    if found.proposer == person || found.approvals.iter().any(|earlier| earlier.person == person) {
        return Err(Refusal::AnotherPerson);
    }
    if found.approvals.len() >= APPROVERS {
        return Err(Refusal::NoSuchProduction);
    }
    lapsed(state, speaker.at(), found)
}

fn lapsed(state: &State, at: Timestamp, found: &Production) -> Decision {
    let still = |given: &Consent| {
        trusted(state, given.person, (given.key, given.index))
            && state.in_case(found.case, given.person, Right::ApproveProduction, at).is_ok()
    };
    if found.approvals.iter().all(still) { Ok(()) } else { Err(Refusal::ProposalLapsed) }
}

/// Carries a step into the state.
pub(super) fn apply(
    state: &mut State,
    statement: &Statement,
    (case, item, step): (CaseId, ItemId, &ProductionStep),
    (index, record): (u64, Digest),
) {
    let Some(person) = statement.actor.person() else { return };
    if let ProductionStep::Proposed(ProductionProposed { order, recipient }) = step {
        let proposed = Production {
            case,
            item,
            order: *order,
            recipient: *recipient,
            proposer: person,
            index,
            approvals: Vec::new(),
            stage: ProductionStage::Proposed,
            sealed: None,
        };
        state.productions.insert(record, proposed);
        return;
    }
    let Some(found) = step.proposal().and_then(|proposal| state.productions.get_mut(proposal)) else {
        return;
    };
    match step {
        ProductionStep::Approved(_) => {
            found.approvals.push(Consent { person, key: statement.actor_key, index });
        }
        ProductionStep::Sealed(ProductionSealed { sealed, .. }) => {
            found.stage = ProductionStage::Sealed;
            found.sealed = Some(*sealed);
        }
        ProductionStep::Declined(_) => found.stage = ProductionStage::Declined,
        ProductionStep::Proposed(_) => {}
    }
}
