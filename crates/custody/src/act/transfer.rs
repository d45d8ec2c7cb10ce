//! Custody that changes hands: offers, who carries what is offered, and answers.

use core::fmt;

use serde::{Deserialize, Serialize};

use super::{committed, data, item_list, no_data, shape, without_offers};
use crate::id::{IdError, PersonId};
use crate::json::{self, Object};
use crate::kind::Kind;
use crate::statement::{ItemRef, Seen, Statement, StatementError};
use crate::time::Timestamp;

/// Most carriers of one offer.
pub const MAX_CARRIERS: usize = 8;
/// What is said whenever something that is carried changes hands.
const STATED: [&str; 2] = ["condition", "seal"];
/// What is said of a carrier who has no key.
pub const OUTSIDE_STATED: [&str; 2] = ["carrier", "waybill"];
const OUTSIDE: &str = "outside";

data! {
    /// Data of `transfer.offered`; condition and seal number are fields.
    TransferOffered {
        /// Who carries it from the giver to the receiver, in order, 1 to [`MAX_CARRIERS`]; absent where nobody does.
        #[serde(default, deserialize_with = "json::present", skip_serializing_if = "Option::is_none")]
        carriers: Option<Vec<Carrier>>,
        /// Until when the offer waits for an answer; without it, until it is answered or recalled.
        #[serde(default, deserialize_with = "json::present", skip_serializing_if = "Option::is_none")]
        expires: Option<Timestamp>,
        /// To whom.
        to: PersonId,
    }
    /// Data of `transfer.carried`; condition and seal number are fields.
    TransferCarried {
        /// The offer, of one item; lists carry it with each item.
        #[serde(default, deserialize_with = "json::present", skip_serializing_if = "Option::is_none")]
        offer: Option<Seen>,
        /// Whether it was taken or handed on.
        step: Carriage,
    }
    /// Data of `transfer.accepted`; of what was carried, condition and seal number are fields.
    TransferAccepted {
        /// Who brought it, of what was carried.
        #[serde(default, deserialize_with = "json::present", skip_serializing_if = "Option::is_none")]
        from: Option<Carrier>,
        /// The offer, of one item; lists carry it with each item.
        #[serde(default, deserialize_with = "json::present", skip_serializing_if = "Option::is_none")]
        offer: Option<Seen>,
    }
    /// Data of `transfer.declined`, `transfer.recalled` and `transfer.expired` of one item; lists carry the offer with each
    /// item.
    TransferAnswered {
        /// The offer.
        offer: Seen,
    }
}

impl TransferOffered {
    /// The receiver, and whoever carries it under a key of their own.
    pub fn persons(&self) -> impl Iterator<Item = PersonId> {
        let carriers = self.carriers.iter().flatten();
        carriers.filter_map(|carrier| carrier.person()).chain([self.to])
    }
}

/// Who carries something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Carrier {
    /// A member of the case, who takes it and hands it on under the own key.
    Person(PersonId),
    /// Somebody who has no key here, such as a courier company: whoever hands it over names them, with the number of the waybill, in
    /// fields.
    Outside,
}

impl Carrier {
    /// The person, if it is one.
    pub const fn person(self) -> Option<PersonId> {
        match self {
            Self::Person(person) => Some(person),
            Self::Outside => None,
        }
    }
}

impl fmt::Display for Carrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Person(person) => person.fmt(f),
            Self::Outside => f.write_str(OUTSIDE),
        }
    }
}

impl core::str::FromStr for Carrier {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        if text == OUTSIDE { Ok(Self::Outside) } else { text.parse().map(Self::Person) }
    }
}

impl TryFrom<String> for Carrier {
    type Error = IdError;
    fn try_from(text: String) -> Result<Self, IdError> {
        text.parse()
    }
}

impl From<Carrier> for String {
    fn from(carrier: Carrier) -> Self {
        carrier.to_string()
    }
}

/// What a carrier does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Carriage {
    /// The next carrier has it now.
    Taken,
    /// Whoever has it has handed it to the next, who says so for themselves.
    HandedOn,
}

/// A step of a transfer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TransferStep {
    /// The custodian offers to a person.
    Offered(TransferOffered),
    /// On its way it changes hands.
    Carried(Carriage),
    /// That person takes over, what was carried from the last carrier.
    Accepted(Option<Carrier>),
    /// That person does not.
    Declined,
    /// The custodian takes the offer back.
    Recalled,
    /// Nobody answered in time.
    Expired,
}

/// A step of a transfer, and of which items.
pub(super) fn parse(s: &Statement) -> Result<(TransferStep, Vec<ItemRef>), StatementError> {
    Ok(match s.kind {
        Kind::TransferOffered => {
            let d: TransferOffered = data(s)?;
            carriers(s, &d)?;
            (TransferStep::Offered(d), without_offers(s)?)
        }
        Kind::TransferCarried => {
            let TransferCarried { offer, step } = data(s)?;
            STATED.iter().try_for_each(|field| committed(s, field))?;
            (TransferStep::Carried(step), answers(s, offer)?)
        }
        Kind::TransferAccepted => {
            let TransferAccepted { from, offer } = data(s)?;
            if from.is_some() {
                STATED.iter().try_for_each(|field| committed(s, field))?;
            }
            (TransferStep::Accepted(from), answers(s, offer)?)
        }
        Kind::TransferDeclined => (TransferStep::Declined, answers(s, answered(s)?)?),
        Kind::TransferRecalled => (TransferStep::Recalled, answers(s, answered(s)?)?),
        _ => (TransferStep::Expired, answers(s, answered(s)?)?),
    })
}

/// Each signature on the way is somebody's: of two carriers without a key in a row nobody would say what one gave the other.
fn carriers(s: &Statement, d: &TransferOffered) -> Result<(), StatementError> {
    let Some(carriers) = &d.carriers else { return Ok(()) };
    let mut persons: Vec<_> = carriers.iter().filter_map(|carrier| carrier.person()).collect();
    persons.sort_unstable();
    let apart = persons.is_sorted_by(|a, b| a < b) && !persons.contains(&d.to);
    let signed = !carriers.windows(2).any(|pair| pair == [Carrier::Outside; 2]);
    if !(1..=MAX_CARRIERS).contains(&carriers.len()) || !apart || !signed {
        let rule =
            "names 1 to 8 carriers, each person once and not the receiver, and no two without a key in a row";
        return Err(shape(s, rule));
    }
    STATED.iter().try_for_each(|field| committed(s, field))?;
    if carriers.first() == Some(&Carrier::Outside) {
        OUTSIDE_STATED.iter().try_for_each(|field| committed(s, field))?;
    }
    Ok(())
}

fn answered(s: &Statement) -> Result<Option<Seen>, StatementError> {
    if s.item.is_none() {
        return no_data(s).map(|()| None);
    }
    data(s).map(|TransferAnswered { offer }| Some(offer))
}

fn answers(s: &Statement, offer: Option<Seen>) -> Result<Vec<ItemRef>, StatementError> {
    match (s.item, offer) {
        (Some(item), Some(_)) => return Ok(vec![ItemRef { item, offer, seen: s.seen }]),
        (Some(_), None) => return Err(shape(s, "names the offer of its item")),
        (None, Some(_)) => return Err(shape(s, "carries each offer with its item")),
        (None, None) => {}
    }
    let items = item_list(s)?;
    if items.iter().any(|item| item.offer.is_none()) {
        return Err(shape(s, "names the offer of each item"));
    }
    Ok(items)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_carrier_is_read_as_it_is_written() {
        let person: PersonId = "01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap();
        for (carrier, text) in
            [(Carrier::Outside, "outside"), (Carrier::Person(person), "01890a5d-ac96-774b-bcce-b302099a8057")]
        {
            assert_eq!((carrier.to_string().as_str(), text.parse()), (text, Ok(carrier)));
            assert_eq!(serde_json::to_value(carrier).unwrap(), text);
            assert_eq!(serde_json::from_value::<Carrier>(text.into()).unwrap(), carrier);
        }
        assert!("Outside".parse::<Carrier>().is_err());
        assert_eq!((Carrier::Outside.person(), Carrier::Person(person).person()), (None, Some(person)));
    }
}
