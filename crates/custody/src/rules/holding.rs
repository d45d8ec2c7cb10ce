//! Who holds an item, where it is, and under which seal: the decisions and what they change.

use super::decide::{Decision, Speaker, item_of};
use super::{Item, MAX_OFFER_MS, Refusal, Right, State, StateHead};
use crate::act::{Carriage, Carrier, OUTSIDE_STATED, SealBroken, TransferOffered, TransferStep};
use crate::id::{CaseId, ItemId, PersonId};
use crate::statement::{ItemRef, Statement};
use crate::time::Timestamp;

/// An offer of custody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// The record of the offer.
    pub head: StateHead,
    /// Who takes over when accepting.
    pub to: PersonId,
    /// Until when.
    pub expires: Option<Timestamp>,
    /// Who carries it to them, in order.
    pub carriers: Vec<Carrier>,
    /// How many of the carriers have it, or had it.
    pub carried: usize,
    /// Whether whoever has it has handed it on: by the offer, or to the next carrier or the receiver.
    pub handed_on: bool,
}

impl Offer {
    /// As it is made.
    fn made(head: StateHead, offered: &TransferOffered) -> Self {
        let carriers = offered.carriers.clone().unwrap_or_default();
        let carried = usize::from(carriers.first() == Some(&Carrier::Outside));
        Self { head, to: offered.to, expires: offered.expires, carriers, carried, handed_on: true }
    }

    /// The next carrier; nobody once it went through the hands of all.
    pub fn next(&self) -> Option<Carrier> {
        self.carriers.get(self.carried).copied()
    }

    /// Who carries it; nobody while its giver has it.
    pub fn carrier(&self) -> Option<Carrier> {
        self.carried.checked_sub(1).and_then(|last| self.carriers.get(last)).copied()
    }

    /// Whose word it waits for, where `custodian` has the item: the next carrier's or the receiver's once it was handed on.
    pub fn waits_for(&self, custodian: PersonId) -> PersonId {
        if !self.handed_on {
            return custodian;
        }
        self.next().map_or(self.to, |next| next.person().unwrap_or(custodian))
    }

    /// What one without a key carries they do not take: it is theirs with what was said when it was handed to them.
    fn hand_on(&mut self) {
        self.handed_on = true;
        self.carried += usize::from(self.next() == Some(Carrier::Outside));
    }
}

/// A step of a transfer, for one item.
pub(super) fn transfer(
    state: &State,
    speaker: &Speaker<'_>,
    statement: &Statement,
    (case, step): (CaseId, &TransferStep),
    r: &ItemRef,
) -> Decision {
    let item = item_of(state, Some(case), r.item)?;
    let now = statement.actor_time;
    if let TransferStep::Offered(d) = step {
        return offered(state, speaker, now, (case, item), d);
    }
    let offer = item.offer.as_ref().ok_or(Refusal::NoSuchOffer)?;
    if !r.offer.is_some_and(|named| offer.head.is(named)) {
        return Err(Refusal::NoSuchOffer);
    }
    let over = offer.expires.is_some_and(|at| now >= at);
    match step {
        TransferStep::Recalled => holds(item, speaker),
        TransferStep::Expired if over => Ok(()),
        TransferStep::Expired => Err(Refusal::OfferWaits),
        TransferStep::Carried(Carriage::HandedOn) => {
            holds(item, speaker)?;
            if over {
                return Err(Refusal::OfferExpired);
            }
            handed_on(offer, statement)
        }
        TransferStep::Carried(Carriage::Taken) => {
            if offer.next() != Some(Carrier::Person(speaker.person()?)) {
                return Err(Refusal::NotReceiver);
            }
            received(state, item, offer.handed_on, over)
        }
        _ if speaker.person()? != offer.to => Err(Refusal::NotReceiver),
        TransferStep::Accepted(from) => {
            if *from != offer.carriers.last().copied() {
                return Err(Refusal::NotFrom);
            }
            received(state, item, offer.handed_on && offer.next().is_none(), over)
        }
        _ => Ok(()),
    }
}

fn offered(
    state: &State,
    speaker: &Speaker<'_>,
    now: Timestamp,
    (case, item): (CaseId, &Item),
    d: &TransferOffered,
) -> Decision {
    holds(item, speaker)?;
    if d.expires.is_some_and(|at| !(1..=MAX_OFFER_MS).contains(&(at.millis() - now.millis()))) {
        return Err(Refusal::OfferTooLong);
    }
    for person in d.persons() {
        if person == item.custodian {
            return Err(Refusal::OfferToSelf);
        }
        if state.is_suspended(person) {
            return Err(Refusal::PersonSuspended);
        }
        if state.in_case(case, person, Right::HoldCustody, speaker.at()).is_err() {
            return Err(Refusal::Unknown("member of this case who may hold custody"));
        }
    }
    if item.offer.is_some() {
        return Err(Refusal::OfferPending);
    }
    // What is carried is known again by its seal.
    if d.carriers.is_some() && item.seal.is_none() { Err(Refusal::NotSealed) } else { Ok(()) }
}

/// Whoever has it hands it to the next.
fn handed_on(offer: &Offer, statement: &Statement) -> Decision {
    if offer.handed_on {
        return Err(Refusal::InCarriage);
    }
    let said = |field: &&str| statement.fields.keys().any(|name| name.as_str() == *field);
    let named = offer.next() != Some(Carrier::Outside) || OUTSIDE_STATED.iter().all(said);
    if named { Ok(()) } else { Err(Refusal::CarrierUnnamed) }
}

/// It comes into somebody's hands, from whoever has handed it on.
fn received(state: &State, item: &Item, arrived: bool, over: bool) -> Decision {
    if over {
        return Err(Refusal::OfferExpired);
    }
    if !arrived {
        return Err(Refusal::InCarriage);
    }
    // Whoever gave it may not have been who they seemed.
    if state.is_suspended(item.custodian) { Err(Refusal::PersonSuspended) } else { Ok(()) }
}

/// Items go to another place, in their custodian's hands.
pub(super) fn moved(state: &State, speaker: &Speaker<'_>, case: CaseId, items: &[ItemRef]) -> Decision {
    items.iter().try_for_each(|r| holds(item_of(state, Some(case), r.item)?, speaker))
}

/// A seal is put on: one at a time.
pub(super) fn sealed(state: &State, speaker: &Speaker<'_>, case: CaseId, item: ItemId) -> Decision {
    let item = item_of(state, Some(case), item)?;
    holds(item, speaker)?;
    rests(item)?;
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
    rests(item)?;
    if item.seal.is_some_and(|seal| seal.is(d.seal)) { Ok(()) } else { Err(Refusal::NoSuchSeal) }
}

fn holds(item: &Item, speaker: &Speaker<'_>) -> Decision {
    if speaker.person()? == item.custodian { Ok(()) } else { Err(Refusal::NotCustodian) }
}

/// The seal of what is carried, or is to be, is the one that everybody on the way has stated.
fn rests(item: &Item) -> Decision {
    let carried = item.offer.as_ref().is_some_and(|offer| !offer.carriers.is_empty());
    if carried { Err(Refusal::InCarriage) } else { Ok(()) }
}

/// Carries a step of a transfer into the state.
pub(super) fn apply_transfer(
    state: &mut State,
    step: &TransferStep,
    speaker: Option<PersonId>,
    id: ItemId,
    head: StateHead,
) {
    let Some(item) = state.items.get_mut(&id) else { return };
    let (case, custodian) = (item.case, item.custodian);
    item.head = head;
    match (step, &mut item.offer, speaker) {
        (TransferStep::Offered(d), offer, _) => {
            *offer = Some(Offer::made(head, d));
            state.comes_to(case, d.to);
        }
        (TransferStep::Carried(Carriage::Taken), Some(offer), Some(speaker)) => {
            offer.carried += 1;
            offer.handed_on = false;
            item.custodian = speaker;
            state.comes_to(case, speaker);
            state.leaves(case, custodian);
        }
        (TransferStep::Carried(_), Some(offer), _) => offer.hand_on(),
        (_, offer, _) => {
            // Who has the item, or the offer of it, no longer.
            let Some(offer) = offer.take() else { return };
            let without = if matches!(step, TransferStep::Accepted(_)) {
                item.custodian = offer.to;
                custodian
            } else {
                offer.to
            };
            state.leaves(case, without);
        }
    }
}
