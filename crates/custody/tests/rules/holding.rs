//! Offers that end without an answer, places and seals.

use custody::act::SealBroken;
use custody::rules::MAX_OFFER_MS;

use super::*;

const MADE: &str = "2026-11-21T12:00:00.000Z";
const NINETY_DAYS_MS: i64 = 7_776_000_000;

fn after(millis: i64) -> custody::time::Timestamp {
    MADE.parse::<custody::time::Timestamp>().unwrap().saturating_add_millis(millis)
}

fn until(vault: &Vault, expires: i64, seen: Digest) -> Statement {
    let data =
        TransferOffered { carriers: None, expires: Some(after(expires)), to: person(CUSTODIAN) }.to_data();
    Statement { data, ..vault.offer(LEAD, CUSTODIAN, 1, seen) }
}

/// The vault says that an offer of item 1 ran out.
fn ran_out(vault: &Vault, at: i64, offer: Digest) -> Statement {
    let data = TransferAnswered { offer: Seen::Record(offer) }.to_data();
    let s = of_item(vault.system(Kind::TransferExpired, data), 1);
    Statement { actor_time: after(at), seen: Some(Seen::Record(offer)), ..s }
}

/// An act of `by` about item 1, with a field.
fn with_field(vault: &Vault, by: u128, kind: Kind, field: &str, seen: Digest) -> Statement {
    let fields = [(field.parse().unwrap(), Digest::new([8; 32]))].into();
    let s = of_item(vault.signed(by, kind, Object::new()), 1);
    Statement { fields, seen: Some(Seen::Record(seen)), ..s }
}

fn broken(vault: &Vault, by: u128, seal: Digest, seen: Digest) -> Statement {
    let data = SealBroken { seal: Seen::Record(seal) }.to_data();
    let s = of_item(vault.signed(by, Kind::SealBroken, data), 1);
    Statement { purpose: Some("analysis".parse().unwrap()), seen: Some(Seen::Record(seen)), ..s }
}

#[test]
fn only_who_offered_takes_an_offer_back() {
    let mut vault = Vault::new();
    let registered = vault.register(1, Class::Open, None).unwrap();
    let offer = vault.say(&vault.offer(LEAD, CUSTODIAN, 1, registered));
    let recall = |vault: &Vault, by| vault.answer(by, Kind::TransferRecalled, 1, offer, offer);
    assert_eq!(vault.try_say(&recall(&vault, CUSTODIAN)), Err(Refusal::NotCustodian));
    assert!(matches!(vault.try_say(&recall(&vault, READER)), Err(Refusal::NotPermitted(_))));
    let other = vault.answer(LEAD, Kind::TransferRecalled, 1, registered, offer);
    assert_eq!(vault.try_say(&other), Err(Refusal::NoSuchOffer));
    let recalled = vault.say(&recall(&vault, LEAD));
    assert_eq!(vault.state.items[&item(1)].custodian, person(LEAD));
    assert!(!vault.state.custody.contains_key(&(case(), person(CUSTODIAN))), "nothing is offered any more");
    let late = vault.answer(CUSTODIAN, Kind::TransferAccepted, 1, offer, recalled);
    assert_eq!(vault.try_say(&late), Err(Refusal::NoSuchOffer));
    assert_eq!(
        vault.try_say(&vault.answer(LEAD, Kind::TransferRecalled, 1, offer, recalled)),
        Err(Refusal::NoSuchOffer)
    );
    vault.say(&vault.offer(LEAD, CUSTODIAN, 1, recalled));
}

#[test]
fn an_offer_is_recalled_under_the_givers_own_key() {
    let mut vault = Vault::new();
    let registered = vault.register(1, Class::Open, None).unwrap();
    let offer = vault.say(&vault.offer(LEAD, CUSTODIAN, 1, registered));
    let data = TransferAnswered { offer: Seen::Record(offer) }.to_data();
    let s = of_item(vault.session(LEAD, Kind::TransferRecalled, data), 1);
    assert!(Act::parse(&Statement { seen: Some(Seen::Record(offer)), ..s }).is_err());
}

#[test]
fn an_offer_waits_at_most_ninety_days() {
    let mut vault = Vault::new();
    let registered = vault.register(1, Class::Open, None).unwrap();
    for (expires, decision) in [
        (-1, Err(Refusal::OfferTooLong)),
        (0, Err(Refusal::OfferTooLong)),
        (NINETY_DAYS_MS + 1, Err(Refusal::OfferTooLong)),
        (NINETY_DAYS_MS, Ok(())),
    ] {
        assert_eq!(vault.try_say(&until(&vault, expires, registered)).map(drop), decision, "{expires}");
    }
}

#[test]
fn an_offer_that_ran_out_is_not_accepted_and_only_then_expires() {
    let mut vault = Vault::new();
    let registered = vault.register(1, Class::Open, None).unwrap();
    let offer = vault.say(&until(&vault, 1_000, registered));
    assert_eq!(vault.try_say(&ran_out(&vault, 999, offer)), Err(Refusal::OfferWaits));
    let accept = vault.answer(CUSTODIAN, Kind::TransferAccepted, 1, offer, offer);
    let late = Statement { actor_time: after(1_000), ..accept.clone() };
    assert_eq!(vault.try_say(&late), Err(Refusal::OfferExpired));
    let mut in_time = Vault { state: vault.state.clone(), records: vault.records };
    in_time.say(&Statement { actor_time: after(999), ..accept });
    assert_eq!(in_time.state.items[&item(1)].custodian, person(CUSTODIAN));

    // Whoever is late may still say no.
    let mut declined = Vault { state: vault.state.clone(), records: vault.records };
    let decline = declined.answer(CUSTODIAN, Kind::TransferDeclined, 1, offer, offer);
    declined.say(&Statement { actor_time: after(5_000), ..decline });

    let expired = vault.say(&ran_out(&vault, 1_000, offer));
    assert_eq!(vault.state.items[&item(1)].custodian, person(LEAD));
    assert!(!vault.state.custody.contains_key(&(case(), person(CUSTODIAN))));
    vault.say(&vault.offer(LEAD, CUSTODIAN, 1, expired));
}

#[test]
fn an_offer_without_an_end_waits_for_ever() {
    let mut vault = Vault::new();
    let registered = vault.register(1, Class::Open, None).unwrap();
    let offer = vault.say(&vault.offer(LEAD, CUSTODIAN, 1, registered));
    assert_eq!(vault.try_say(&ran_out(&vault, 10 * MAX_OFFER_MS, offer)), Err(Refusal::OfferWaits));
    let accept = vault.answer(CUSTODIAN, Kind::TransferAccepted, 1, offer, offer);
    vault.say(&Statement { actor_time: after(10 * MAX_OFFER_MS), ..accept });
}

#[test]
fn nobody_but_the_vault_says_that_an_offer_ran_out() {
    let mut vault = Vault::new();
    let registered = vault.register(1, Class::Open, None).unwrap();
    let offer = vault.say(&until(&vault, 1_000, registered));
    let said = vault.answer(LEAD, Kind::TransferExpired, 1, offer, offer);
    assert!(Act::parse(&Statement { actor_time: after(2_000), ..said }).is_err());
}

#[test]
fn items_are_moved_by_who_holds_them_to_a_place_that_is_named() {
    let mut vault = Vault::new();
    let registered = vault.register(1, Class::Open, None).unwrap();
    let moved = |vault: &Vault, by, seen| with_field(vault, by, Kind::ItemMoved, "place", seen);
    assert_eq!(vault.try_say(&moved(&vault, CUSTODIAN, registered)), Err(Refusal::NotCustodian));
    assert!(Act::parse(&with_field(&vault, LEAD, Kind::ItemMoved, "notes", registered)).is_err());
    let elsewhere = vault.say(&moved(&vault, LEAD, registered));
    assert_eq!(vault.state.items[&item(1)].custodian, person(LEAD), "custody stays where it was");
    assert_eq!(
        vault.try_say(&vault.offer(LEAD, CUSTODIAN, 1, registered)),
        Err(Refusal::Stale),
        "an offer is made by who knows where the item is"
    );
    let offer = vault.say(&vault.offer(LEAD, CUSTODIAN, 1, elsewhere));
    let again = vault.say(&moved(&vault, LEAD, offer));
    let blind = vault.answer(CUSTODIAN, Kind::TransferAccepted, 1, offer, offer);
    assert_eq!(vault.try_say(&blind), Err(Refusal::Stale));
    vault.say(&vault.answer(CUSTODIAN, Kind::TransferAccepted, 1, offer, again));
}

#[test]
fn an_item_carries_one_seal_which_is_broken_by_name() {
    let mut vault = Vault::new();
    let registered = vault.register(1, Class::Open, None).unwrap();
    let put_on = |vault: &Vault, by, seen| with_field(vault, by, Kind::SealApplied, "seal", seen);
    assert_eq!(vault.try_say(&put_on(&vault, CUSTODIAN, registered)), Err(Refusal::NotCustodian));
    assert!(Act::parse(&with_field(&vault, LEAD, Kind::SealApplied, "notes", registered)).is_err());
    assert_eq!(vault.try_say(&broken(&vault, LEAD, registered, registered)), Err(Refusal::NoSuchSeal));
    let seal = vault.say(&put_on(&vault, LEAD, registered));
    assert_eq!(vault.try_say(&put_on(&vault, LEAD, seal)), Err(Refusal::Sealed));

    // What is only offered is still in its custodian's hands, seal and all.
    let mut offered = vault.copy();
    let offer = offered.say(&offered.offer(LEAD, CUSTODIAN, 1, seal));
    let off = offered.say(&broken(&offered, LEAD, seal, offer));
    offered.say(&put_on(&offered, LEAD, off));

    // It goes with the item, and whoever has the item breaks it.
    let offer = vault.say(&vault.offer(LEAD, CUSTODIAN, 1, seal));
    let taken = vault.say(&vault.answer(CUSTODIAN, Kind::TransferAccepted, 1, offer, offer));
    assert_eq!(vault.try_say(&broken(&vault, LEAD, seal, taken)), Err(Refusal::NotCustodian));
    assert_eq!(vault.try_say(&broken(&vault, CUSTODIAN, offer, taken)), Err(Refusal::NoSuchSeal));
    let opened = vault.say(&broken(&vault, CUSTODIAN, seal, taken));
    assert_eq!(vault.try_say(&broken(&vault, CUSTODIAN, seal, opened)), Err(Refusal::NoSuchSeal));
    vault.say(&put_on(&vault, CUSTODIAN, opened));
}
