//! What is carried between giver and receiver: under whose signatures, and who answers for it meanwhile.

use custody::act::{
    Carriage, Carrier, MAX_CARRIERS, MemberAdded, SealBroken, TransferAccepted, TransferCarried,
};
use custody::rules::Offer;
use custody::time::Timestamp;

use super::*;

const FIRST: u128 = STRANGER;
const SECOND: u128 = READER;
const STATED: [&str; 2] = ["condition", "seal"];
const OUTSIDE: [&str; 4] = ["carrier", "condition", "seal", "waybill"];

fn by(n: u128) -> Carrier {
    Carrier::Person(person(n))
}

fn after(millis: i64) -> Timestamp {
    "2026-11-21T12:00:00.000Z".parse::<Timestamp>().unwrap().saturating_add_millis(millis)
}

fn stating(s: Statement, fields: &[&str]) -> Statement {
    let fields = fields.iter().map(|name| (name.parse().unwrap(), Digest::new([8; 32]))).collect();
    Statement { fields, ..s }
}

fn seen(s: Statement, head: Digest) -> Statement {
    Statement { seen: Some(Seen::Record(head)), ..s }
}

/// Item 1 with a seal, in the lead's hands; two who may carry it; its newest record.
fn world() -> (Vault, Digest) {
    let mut vault = Vault::new();
    for (n, role) in [(FIRST, CaseRole::Prosecutor), (SECOND, CaseRole::Court)] {
        let d = MemberAdded { member: person(n), role, from: None, until: None };
        vault.say(&in_case(vault.signed(LEAD, Kind::MemberAdded, d.to_data())));
    }
    let registered = vault.register(1, Class::Open, None).unwrap();
    let seal = stating(of_item(vault.signed(LEAD, Kind::SealApplied, Object::new()), 1), &["seal"]);
    let sealed = vault.say(&seen(seal, registered));
    (vault, sealed)
}

fn offered(vault: &Vault, carriers: &[Carrier], head: Digest) -> Statement {
    let (carriers, expires) = (Some(carriers.to_vec()), Some(after(1_000)));
    let data = TransferOffered { carriers, expires, to: person(CUSTODIAN) }.to_data();
    stating(Statement { data, ..vault.offer(LEAD, CUSTODIAN, 1, head) }, &OUTSIDE)
}

fn carried(vault: &Vault, who: u128, step: Carriage, offer: Digest, head: Digest) -> Statement {
    let data = TransferCarried { offer: Some(Seen::Record(offer)), step }.to_data();
    stating(seen(of_item(vault.signed(who, Kind::TransferCarried, data), 1), head), &STATED)
}

fn accepted(vault: &Vault, from: Option<Carrier>, offer: Digest, head: Digest) -> Statement {
    let data = TransferAccepted { from, offer: Some(Seen::Record(offer)) }.to_data();
    stating(seen(of_item(vault.signed(CUSTODIAN, Kind::TransferAccepted, data), 1), head), &STATED)
}

fn custodian(vault: &Vault) -> PersonId {
    vault.state.items[&item(1)].custodian
}

fn offer_of(vault: &Vault) -> &Offer {
    vault.state.items[&item(1)].offer.as_ref().unwrap()
}

/// How many items these hold or are offered.
fn counts(vault: &Vault) -> [u64; 4] {
    [LEAD, FIRST, SECOND, CUSTODIAN]
        .map(|n| vault.state.custody.get(&(case(), person(n))).copied().unwrap_or_default())
}

#[test]
fn each_carrier_takes_and_hands_on_and_answers_for_it_from_then_on() {
    use Carriage::{HandedOn, Taken};
    let (mut vault, head) = world();
    let offer = vault.say(&offered(&vault, &[by(FIRST), by(SECOND)], head));
    assert_eq!((custodian(&vault), offer_of(&vault).carrier()), (person(LEAD), None));
    assert_eq!(offer_of(&vault).waits_for(person(LEAD)), person(FIRST));
    assert_eq!(counts(&vault), [1, 0, 0, 1]);
    let refused = |vault: &Vault, s: Statement| vault.clone_and_say(&s).unwrap_err();
    assert_eq!(
        refused(&vault, carried(&vault, SECOND, Taken, offer, offer)),
        Refusal::NotReceiver,
        "not yet"
    );
    assert_eq!(refused(&vault, carried(&vault, CUSTODIAN, Taken, offer, offer)), Refusal::NotReceiver);
    assert_eq!(
        refused(&vault, carried(&vault, LEAD, HandedOn, offer, offer)),
        Refusal::InCarriage,
        "the offer did"
    );
    assert_eq!(refused(&vault, accepted(&vault, Some(by(SECOND)), offer, offer)), Refusal::InCarriage);
    assert_eq!(refused(&vault, carried(&vault, FIRST, Taken, head, offer)), Refusal::NoSuchOffer);

    let taken = vault.say(&carried(&vault, FIRST, Taken, offer, offer));
    assert_eq!((custodian(&vault), offer_of(&vault).carrier()), (person(FIRST), Some(by(FIRST))));
    assert_eq!(offer_of(&vault).waits_for(person(FIRST)), person(FIRST));
    assert_eq!(counts(&vault), [0, 1, 0, 1]);
    assert_eq!(
        refused(&vault, carried(&vault, SECOND, Taken, offer, taken)),
        Refusal::InCarriage,
        "not handed on"
    );
    assert_eq!(refused(&vault, carried(&vault, FIRST, Taken, offer, taken)), Refusal::NotReceiver, "once");
    assert_eq!(refused(&vault, carried(&vault, LEAD, HandedOn, offer, taken)), Refusal::NotCustodian);
    assert_eq!(refused(&vault, carried(&vault, SECOND, HandedOn, offer, taken)), Refusal::NotCustodian);

    let given = vault.say(&carried(&vault, FIRST, HandedOn, offer, taken));
    assert_eq!(custodian(&vault), person(FIRST), "until the next one takes it");
    assert_eq!(refused(&vault, carried(&vault, FIRST, HandedOn, offer, given)), Refusal::InCarriage, "once");
    assert_eq!(refused(&vault, accepted(&vault, Some(by(SECOND)), offer, given)), Refusal::InCarriage);
    let taken = vault.say(&carried(&vault, SECOND, Taken, offer, given));
    assert_eq!(refused(&vault, accepted(&vault, Some(by(SECOND)), offer, taken)), Refusal::InCarriage);
    let given = vault.say(&carried(&vault, SECOND, HandedOn, offer, taken));
    assert_eq!(offer_of(&vault).waits_for(person(SECOND)), person(CUSTODIAN));
    for from in [None, Some(by(FIRST)), Some(Carrier::Outside)] {
        assert_eq!(refused(&vault, accepted(&vault, from, offer, given)), Refusal::NotFrom, "{from:?}");
    }
    assert_eq!(refused(&vault, accepted(&vault, Some(by(SECOND)), offer, taken)), Refusal::Stale);
    vault.say(&accepted(&vault, Some(by(SECOND)), offer, given));
    assert_eq!((custodian(&vault), counts(&vault)), (person(CUSTODIAN), [0, 0, 0, 1]));
    assert!(vault.state.items[&item(1)].offer.is_none());
}

#[test]
fn who_has_no_key_is_named_by_whoever_hands_it_to_them() {
    use Carriage::{HandedOn, Taken};
    let (mut vault, head) = world();
    let first = offered(&vault, &[Carrier::Outside, by(SECOND), Carrier::Outside], head);
    for missing in OUTSIDE {
        let fields: Vec<_> = OUTSIDE.into_iter().filter(|name| *name != missing).collect();
        assert!(Act::parse(&stating(first.clone(), &fields)).is_err(), "{missing}");
    }
    let offer = vault.say(&first);
    assert_eq!((custodian(&vault), offer_of(&vault).carrier()), (person(LEAD), Some(Carrier::Outside)));
    assert_eq!(offer_of(&vault).waits_for(person(LEAD)), person(SECOND));
    let taken = vault.say(&carried(&vault, SECOND, Taken, offer, offer));
    let give = carried(&vault, SECOND, HandedOn, offer, taken);
    for fields in [&STATED[..], &["carrier", "condition", "seal"], &["condition", "seal", "waybill"]] {
        let s = stating(give.clone(), fields);
        assert_eq!(vault.clone_and_say(&s), Err(Refusal::CarrierUnnamed), "{fields:?}");
    }
    let given = vault.say(&stating(give, &OUTSIDE));
    assert_eq!((custodian(&vault), offer_of(&vault).carrier()), (person(SECOND), Some(Carrier::Outside)));
    assert_eq!(offer_of(&vault).waits_for(person(SECOND)), person(CUSTODIAN));
    vault.say(&accepted(&vault, Some(Carrier::Outside), offer, given));
    assert_eq!(custodian(&vault), person(CUSTODIAN));
}

#[test]
fn every_step_states_seal_and_condition() {
    let (mut vault, head) = world();
    let offer = offered(&vault, &[by(FIRST)], head);
    let record = vault.say(&offer);
    let steps = [
        offer,
        carried(&vault, FIRST, Carriage::Taken, record, record),
        carried(&vault, FIRST, Carriage::HandedOn, record, record),
        accepted(&vault, Some(by(FIRST)), record, record),
    ];
    for s in steps {
        for missing in STATED {
            let fields: Vec<_> = STATED.into_iter().filter(|name| *name != missing).collect();
            assert!(Act::parse(&stating(s.clone(), &fields)).is_err(), "{} without {missing}", s.kind);
        }
        Act::parse(&stating(s, &STATED)).unwrap();
    }
    Act::parse(&stating(accepted(&vault, None, record, record), &[])).unwrap();
}

#[test]
fn carriers_are_each_somebody_else_and_two_without_a_key_do_not_follow_each_other() {
    let (vault, head) = world();
    let shape = |carriers: &[Carrier]| Act::parse(&offered(&vault, carriers, head)).map(drop);
    let many = |n| (10..10 + n as u128).map(by).collect::<Vec<_>>();
    for carriers in [
        vec![],
        vec![by(FIRST), by(FIRST)],
        vec![by(SECOND), by(FIRST), by(SECOND)],
        vec![by(CUSTODIAN)],
        vec![Carrier::Outside, Carrier::Outside],
        many(MAX_CARRIERS + 1),
    ] {
        assert!(shape(&carriers).is_err(), "{carriers:?}");
    }
    shape(&many(MAX_CARRIERS)).unwrap();
    shape(&[by(SECOND), Carrier::Outside, by(FIRST), Carrier::Outside]).unwrap();
}

#[test]
fn only_members_who_may_hold_custody_carry_and_only_what_is_sealed() {
    let (vault, head) = world();
    let said =
        |vault: &Vault, carriers: &[Carrier]| vault.clone_and_say(&offered(vault, carriers, head)).map(drop);
    assert_eq!(said(&vault, &[by(FIRST)]), Ok(()));
    assert_eq!(said(&vault, &[by(FIRST), by(LEAD)]), Err(Refusal::OfferToSelf));
    let unknown = Err(Refusal::Unknown("member of this case who may hold custody"));
    assert_eq!(said(&vault, &[by(FIRST), by(ADMIN)]), unknown);
    let mut suspended = vault.copy();
    suspended.state.persons.get_mut(&person(FIRST)).unwrap().suspended = Some(9);
    assert_eq!(said(&suspended, &[by(SECOND), by(FIRST)]), Err(Refusal::PersonSuspended));
    let mut open = vault.copy();
    open.state.items.get_mut(&item(1)).unwrap().seal = None;
    assert_eq!(said(&open, &[by(FIRST)]), Err(Refusal::NotSealed));
    open.clone_and_say(&open.offer(LEAD, CUSTODIAN, 1, head)).unwrap();
}

#[test]
fn the_seal_stays_on_until_the_offer_is_over_and_who_has_it_may_end_it() {
    let (mut vault, sealed) = world();
    let offer = vault.say(&offered(&vault, &[by(FIRST)], sealed));
    let broken = |vault: &Vault, who, head| {
        let data = SealBroken { seal: Seen::Record(sealed) }.to_data();
        let s = of_item(vault.signed(who, Kind::SealBroken, data), 1);
        seen(Statement { purpose: Some("analysis".parse().unwrap()), ..s }, head)
    };
    assert_eq!(vault.clone_and_say(&broken(&vault, LEAD, offer)), Err(Refusal::InCarriage));
    let mut unsealed = vault.copy();
    unsealed.state.items.get_mut(&item(1)).unwrap().seal = None;
    let seal = stating(of_item(vault.signed(LEAD, Kind::SealApplied, Object::new()), 1), &["seal"]);
    assert_eq!(unsealed.clone_and_say(&seen(seal, offer)), Err(Refusal::InCarriage));

    let taken = vault.say(&carried(&vault, FIRST, Carriage::Taken, offer, offer));
    let recall = |vault: &Vault, who| vault.answer(who, Kind::TransferRecalled, 1, offer, taken);
    assert_eq!(
        vault.clone_and_say(&recall(&vault, LEAD)),
        Err(Refusal::NotCustodian),
        "it is not theirs any more"
    );
    let mut declined = vault.copy();
    declined.say(&declined.answer(CUSTODIAN, Kind::TransferDeclined, 1, offer, taken));
    assert_eq!(
        (custodian(&declined), counts(&declined)),
        (person(FIRST), [0, 1, 0, 0]),
        "who has it keeps it"
    );
    let kept = vault.say(&recall(&vault, FIRST));
    assert_eq!((custodian(&vault), counts(&vault)), (person(FIRST), [0, 1, 0, 0]));
    vault.say(&broken(&vault, FIRST, kept));
}

#[test]
fn nothing_is_carried_on_after_the_offer_ran_out_nor_from_somebody_suspended() {
    use Carriage::{HandedOn, Taken};
    let (mut vault, head) = world();
    let offer = vault.say(&offered(&vault, &[by(FIRST), by(SECOND)], head));
    let late = |s: Statement, millis| Statement { actor_time: after(millis), ..s };
    let take = |vault: &Vault| carried(vault, FIRST, Taken, offer, offer);
    assert_eq!(vault.clone_and_say(&late(take(&vault), 1_000)), Err(Refusal::OfferExpired));
    vault.clone_and_say(&late(take(&vault), 999)).unwrap();
    let suspend = |vault: &Vault, who: u128| {
        let mut vault = vault.copy();
        vault.state.persons.get_mut(&person(who)).unwrap().suspended = Some(99);
        vault
    };
    let without = suspend(&vault, LEAD);
    assert_eq!(without.clone_and_say(&take(&without)), Err(Refusal::PersonSuspended));
    let taken = vault.say(&take(&vault));
    let give = |vault: &Vault| carried(vault, FIRST, HandedOn, offer, taken);
    assert_eq!(vault.clone_and_say(&late(give(&vault), 1_000)), Err(Refusal::OfferExpired));
    vault.clone_and_say(&late(give(&vault), 999)).unwrap();

    // It stays with whoever has it.
    let data = TransferAnswered { offer: Seen::Record(offer) }.to_data();
    let expired = seen(of_item(vault.system(Kind::TransferExpired, data), 1), taken);
    vault.say(&late(expired, 1_000));
    assert_eq!((custodian(&vault), counts(&vault)), (person(FIRST), [0, 1, 0, 0]));
}

#[test]
fn carriers_are_named_in_what_a_decision_and_a_bundle_need() {
    let (vault, head) = world();
    let s = offered(&vault, &[by(FIRST), Carrier::Outside, by(SECOND)], head);
    let act = Act::parse(&s).unwrap();
    let mut footprint = Footprint::default();
    footprint.add(&s, &act);
    for n in [FIRST, SECOND, CUSTODIAN, LEAD] {
        assert!(
            footprint.persons.contains(&person(n)) && footprint.members.contains(&(case(), person(n))),
            "{n}"
        );
        assert!(custody::bundle::closure::persons(&s, &act).contains(&person(n)), "{n}");
    }
}
