//! Who holds an item, where it is, and under which seal: the decisions and what they change.

use super::decide::{Decision, Speaker, item_of};
use super::{Item, MAX_OFFER_MS, Offer, Refusal, Right, State, StateHead};
use crate::act::{SealBroken, TransferStep};
use crate::id::{CaseId, ItemId, PersonId};
use crate::statement::{ItemRef, Statement};

/// A step of a transfer, for one item.
pub(super) fn transfer(
    state: &State,
    speaker: &Speaker<'_>,
    statement: &Statement,
    (case, step): (CaseId, TransferStep),
    r: &ItemRef,
) -> Decision {
    let item = item_of(state, Some(case), r.item)?;
    let now = statement.actor_time;
    if let TransferStep::Offered(to, expires) = step {
        holds(item, speaker)?;
        if expires.is_some_and(|at| !(1..=MAX_OFFER_MS).contains(&(at.millis() - now.millis()))) {
            return Err(Refusal::OfferTooLong);
        }
        if to == item.custodian {
            return Err(Refusal::OfferToSelf);
        }
        if state.is_suspended(to) {
            return Err(Refusal::PersonSuspended);
        }
        if state.in_case(case, to, Right::HoldCustody, speaker.at()).is_err() {
            return Err(Refusal::Unknown("member of this case who may hold custody"));
        }
        return if item.offer.is_some() { Err(Refusal::OfferPending) } else { Ok(()) };
    }
    let offer = item.offer.ok_or(Refusal::NoSuchOffer)?;
    if !r.offer.is_some_and(|named| offer.head.is(named)) {
        return Err(Refusal::NoSuchOffer);
    }
    let over = offer.expires.is_some_and(|at| now >= at);
    match step {
        TransferStep::Recalled => holds(item, speaker),
        TransferStep::Expired if over => Ok(()),
        TransferStep::Expired => Err(Refusal::OfferWaits),
        _ if speaker.person()? != offer.to => Err(Refusal::NotReceiver),
        TransferStep::Accepted if over => Err(Refusal::OfferExpired),
        // Whoever offered it may not have been who they seemed.
        TransferStep::Accepted if state.is_suspended(item.custodian) => Err(Refusal::PersonSuspended),
        _ => Ok(()),
    }
}

/// Items go to another place, in their custodian's hands.
pub(super) fn moved(state: &State, speaker: &Speaker<'_>, case: CaseId, items: &[ItemRef]) -> Decision {
    items.iter().try_for_each(|r| holds(item_of(state, Some(case), r.item)?, speaker))
}

/// A seal is put on: one at a time.
pub(super) fn sealed(state: &State, speaker: &Speaker<'_>, case: CaseId, item: ItemId) -> Decision {
    let item = item_of(state, Some(case), item)?;
    holds(item, speaker)?;
    if item.seal.is_some() { Err(Refusal::Sealed) } else { Ok(()) }
}

/// The present seal is broken.
pub(super) fn unsealed(
    state: &State,
    speaker: &Speaker<'_>,
    case: CaseId,
    item: ItemId,
    d: &SealBroken,
) -> Decision {
    let item = item_of(state, Some(case), item)?;
    holds(item, speaker)?;
    if item.seal.is_some_and(|seal| seal.is(d.seal)) { Ok(()) } else { Err(Refusal::NoSuchSeal) }
}

fn holds(item: &Item, speaker: &Speaker<'_>) -> Decision {
    if speaker.person()? == item.custodian { Ok(()) } else { Err(Refusal::NotCustodian) }
}

/// Carries a step of a transfer into the state.
pub(super) fn apply_transfer(state: &mut State, step: TransferStep, id: ItemId, head: StateHead) {
    let Some(item) = state.items.get_mut(&id) else { return };
    let (case, custodian, offer) = (item.case, item.custodian, item.offer.take());
    item.head = head;
    // Who has the item, or the offer of it, no longer.
    let without: Option<PersonId> = match (step, offer) {
        (TransferStep::Offered(to, expires), _) => {
            item.offer = Some(Offer { head, to, expires });
            state.comes_to(case, to);
            None
        }
        (TransferStep::Accepted, Some(offer)) => {
            item.custodian = offer.to;
            Some(custodian)
        }
        (_, Some(offer)) => Some(offer.to),
        (_, None) => None,
    };
    if let Some(person) = without {
        state.leaves(case, person);
    }
}
