//! Restricted content produced to a court: by its order, with two approvers, sealed to it by two of a pair.

use custody::act::{
    BundleExported, MAX_PRODUCTIONS, PersonSuspended, ProductionApproved, ProductionDeclined,
    ProductionProposed, ProductionSealed,
};
use custody::rules::{ProductionStage, production_counts};

use super::sealing::{recipient, registered, sealing_vault, two_pairs};
use super::*;

/// The data of a production's step, of nothing in particular.
pub(super) fn some(kind: Kind) -> Object {
    match kind {
        Kind::ProductionProposed => {
            ProductionProposed { order: Digest::ZERO, recipient: recipient(1) }.to_data()
        }
        Kind::ProductionApproved => {
            ProductionApproved { order: Digest::ZERO, proposal: Digest::ZERO, recipient: recipient(1) }
                .to_data()
        }
        Kind::ProductionDeclined => ProductionDeclined { proposal: Digest::ZERO }.to_data(),
        Kind::ProductionSealed => ProductionSealed {
            proposal: Digest::ZERO,
            recipient: recipient(1),
            sealed: Digest::ZERO,
            with: person(LEAD),
        }
        .to_data(),
        _ => panic!("{kind} is no step of a production"),
    }
}

const PROSECUTOR: u128 = 7;
const JUDGE: u128 = 8;

/// A vault with a stored restricted item, a prosecutor and a court beside the pairs.
fn court_vault() -> Vault {
    let mut vault = sealing_vault();
    for (n, role) in [(PROSECUTOR, CaseRole::Prosecutor), (JUDGE, CaseRole::Court)] {
        let about = |s: Statement| Statement { person: Some(person(n)), ..s };
        let new = PersonRegistered { org: org() }.to_data();
        vault.say(&about(vault.session(ADMIN, Kind::PersonRegistered, new)));
        let own = key(u8::try_from(n).unwrap());
        vault.say(&about(vault.signed(ADMIN, Kind::KeyEnrolled, enrolled(own))));
        let member = MemberChange { member: person(n), role }.to_data();
        vault.say(&in_case(vault.signed(LEAD, Kind::MemberAdded, member)));
    }
    vault.say(&registered(&vault, 1, Some(two_pairs())));
    vault.receive(1, 7).unwrap();
    vault
}

fn proposed(vault: &Vault, by: u128, n: u128) -> Statement {
    let data = ProductionProposed { order: Digest::new([3; 32]), recipient: recipient(40) }.to_data();
    let s = of_item(vault.signed(by, Kind::ProductionProposed, data), n);
    let fields = [("authority".parse().unwrap(), Digest::ZERO)].into();
    Statement { purpose: Some("court-order".parse().unwrap()), fields, ..s }
}

fn approved(vault: &Vault, by: u128, proposal: Digest) -> Statement {
    let (order, recipient) = (Digest::new([3; 32]), recipient(40));
    let data = ProductionApproved { order, proposal, recipient }.to_data();
    of_item(vault.signed(by, Kind::ProductionApproved, data), 1)
}

fn declined(vault: &Vault, by: u128, proposal: Digest) -> Statement {
    of_item(vault.signed(by, Kind::ProductionDeclined, ProductionDeclined { proposal }.to_data()), 1)
}

fn sealed(vault: &Vault, by: u128, with: u128, proposal: Digest) -> Statement {
    let (sealed, with) = (Digest::new([5; 32]), person(with));
    let data = ProductionSealed { proposal, recipient: recipient(40), sealed, with }.to_data();
    of_item(vault.signed(by, Kind::ProductionSealed, data), 1)
}

fn exported(vault: &Vault, by: u128, productions: Option<Vec<Digest>>) -> Statement {
    let data = BundleExported { heads: Digest::ZERO, productions, sequences: 1 }.to_data();
    let s = in_case(vault.signed(by, Kind::BundleExported, data));
    Statement { purpose: Some("court-order".parse().unwrap()), ..s }
}

/// With the proposal that two have approved.
fn agreed() -> (Vault, Digest) {
    let mut vault = court_vault();
    let proposal = vault.say(&proposed(&vault, LEAD, 1));
    vault.say(&approved(&vault, PROSECUTOR, proposal));
    vault.say(&approved(&vault, JUDGE, proposal));
    (vault, proposal)
}

fn suspend(vault: &mut Vault, n: u128) {
    let s = vault.signed(ADMIN, Kind::PersonSuspended, PersonSuspended { suspect_from: None }.to_data());
    vault.say(&Statement { person: Some(person(n)), ..s });
}

#[test]
fn stored_content_of_a_restricted_item_is_proposed_with_the_courts_order() {
    let mut vault = court_vault();
    let without = Statement { fields: BTreeMap::new(), ..proposed(&vault, LEAD, 1) };
    assert!(Act::parse(&without).is_err(), "the court and its order");
    let unfit = |vault: &Vault, n| match vault.clone_and_say(&proposed(vault, LEAD, n)) {
        Err(Refusal::ProductionUnfit(_)) => (),
        other => panic!("{other:?}"),
    };
    vault.register(2, Class::Confidential, None).unwrap();
    vault.receive(2, 8).unwrap();
    unfit(&vault, 2);
    vault.say(&registered(&vault, 3, Some(two_pairs())));
    unfit(&vault, 3);
    assert_eq!(
        vault.try_say(&proposed(&vault, READER, 1)),
        Err(Refusal::NotPermitted(Right::ProposeProduction))
    );
    vault.say(&proposed(&vault, LEAD, 1));
}

#[test]
fn two_others_agree_before_it_is_sealed_to_the_court() {
    let mut vault = court_vault();
    let proposal = vault.say(&proposed(&vault, LEAD, 1));
    assert_eq!(vault.try_say(&sealed(&vault, LEAD, CUSTODIAN, proposal)), Err(Refusal::NotApproved));
    assert_eq!(vault.try_say(&approved(&vault, LEAD, proposal)), Err(Refusal::AnotherPerson), "the proposer");
    assert_eq!(
        vault.try_say(&approved(&vault, CUSTODIAN, proposal)),
        Err(Refusal::NotPermitted(Right::ApproveProduction))
    );
    assert_eq!(vault.try_say(&approved(&vault, JUDGE, Digest::ZERO)), Err(Refusal::NoSuchProduction));
    vault.say(&approved(&vault, PROSECUTOR, proposal));
    assert_eq!(vault.try_say(&approved(&vault, PROSECUTOR, proposal)), Err(Refusal::AnotherPerson), "twice");
    assert_eq!(vault.try_say(&sealed(&vault, LEAD, CUSTODIAN, proposal)), Err(Refusal::NotApproved));
    vault.say(&approved(&vault, JUDGE, proposal));
    vault.state.members.insert((case(), person(CUSTODIAN)), [(CaseRole::Prosecutor, Term::LASTING)].into());
    assert_eq!(
        vault.try_say(&approved(&vault, CUSTODIAN, proposal)),
        Err(Refusal::NoSuchProduction),
        "a third"
    );
    vault.say(&sealed(&vault, LEAD, CUSTODIAN, proposal));
    let found = &vault.state.productions[&proposal];
    assert_eq!((found.stage, found.sealed), (ProductionStage::Sealed, Some(Digest::new([5; 32]))));
    assert_eq!((found.order, found.recipient), (Digest::new([3; 32]), recipient(40)));
    // Once more, where the first time was in vain.
    vault.say(&sealed(&vault, LEAD, CUSTODIAN, proposal));
}

#[test]
fn whoever_agrees_or_seals_signs_what_the_court_gave_to_them() {
    let (vault, proposal) = agreed();
    let mut waiting = court_vault();
    let other = waiting.say(&proposed(&waiting, LEAD, 1));
    let approves = |order, recipient| {
        let data = ProductionApproved { order, proposal: other, recipient }.to_data();
        waiting.clone_and_say(&of_item(waiting.signed(JUDGE, Kind::ProductionApproved, data), 1))
    };
    approves(Digest::new([3; 32]), recipient(40)).unwrap();
    for (order, recipient) in [(Digest::new([4; 32]), recipient(40)), (Digest::new([3; 32]), recipient(41))] {
        assert!(matches!(approves(order, recipient), Err(Refusal::ProductionUnfit(_))));
    }
    let (sealed, with) = (Digest::new([5; 32]), person(CUSTODIAN));
    let data = ProductionSealed { proposal, recipient: recipient(41), sealed, with }.to_data();
    let seals = of_item(vault.signed(LEAD, Kind::ProductionSealed, data), 1);
    assert!(matches!(vault.clone_and_say(&seals), Err(Refusal::ProductionUnfit(_))));
}

#[test]
fn two_of_a_pair_seal_it_and_nobody_else() {
    let (mut vault, proposal) = agreed();
    for (by, with) in [(LEAD, READER), (LEAD, LEAD), (JUDGE, PROSECUTOR), (LEAD, STRANGER)] {
        assert_eq!(
            vault.try_say(&sealed(&vault, by, with, proposal)),
            Err(Refusal::OpenedInPairs),
            "{by} {with}"
        );
    }
    vault.say(&registered(&vault, 2, Some(two_pairs())));
    let of_another = Statement { item: Some(item(2)), ..sealed(&vault, LEAD, CUSTODIAN, proposal) };
    assert_eq!(vault.try_say(&of_another), Err(Refusal::NoSuchProduction));
    let of_no_case = Statement { item: Some(item(9)), ..sealed(&vault, LEAD, CUSTODIAN, proposal) };
    assert_eq!(vault.try_say(&of_no_case), Err(Refusal::Unknown("item")));
    let on_behalf =
        vault.session(LEAD, Kind::ProductionSealed, sealed(&vault, LEAD, CUSTODIAN, proposal).data);
    assert!(Act::parse(&of_item(on_behalf, 1)).is_err(), "under an own key");
}

#[test]
fn whoever_may_agree_ends_it_at_any_time_and_it_stays_ended() {
    let (mut vault, proposal) = agreed();
    vault.say(&sealed(&vault, LEAD, CUSTODIAN, proposal));
    vault.clone_and_say(&exported(&vault, LEAD, Some(vec![proposal]))).unwrap();
    assert_eq!(
        vault.try_say(&declined(&vault, CUSTODIAN, proposal)),
        Err(Refusal::NotPermitted(Right::ApproveProduction))
    );
    vault.say(&declined(&vault, LEAD, proposal));
    assert_eq!(vault.state.productions[&proposal].stage, ProductionStage::Declined);
    for s in [
        declined(&vault, LEAD, proposal),
        sealed(&vault, LEAD, CUSTODIAN, proposal),
        exported(&vault, LEAD, Some(vec![proposal])),
    ] {
        assert_eq!(vault.try_say(&s), Err(Refusal::NoSuchProduction), "{}", s.kind);
    }
}

#[test]
fn a_bundle_names_what_it_carries_once_sealed_and_of_its_own_case() {
    let (mut vault, proposal) = agreed();
    vault.clone_and_say(&exported(&vault, LEAD, None)).unwrap();
    let named = |vault: &Vault| vault.clone_and_say(&exported(vault, LEAD, Some(vec![proposal])));
    assert_eq!(named(&vault), Err(Refusal::NoSuchProduction), "not sealed yet");
    vault.say(&sealed(&vault, LEAD, CUSTODIAN, proposal));
    named(&vault).unwrap();
    vault.state.productions.get_mut(&proposal).unwrap().case = CaseId::new(Uuid::from_u128(77));
    assert_eq!(named(&vault), Err(Refusal::NoSuchProduction), "of another case");
    let many = |n: usize| (0..n).map(|n| Digest::of(&n.to_be_bytes()));
    let sorted = |n| many(n).collect::<std::collections::BTreeSet<_>>().into_iter().collect::<Vec<_>>();
    for (listed, fits) in [
        (vec![], false),
        (vec![proposal, proposal], false),
        (sorted(2).into_iter().rev().collect(), false),
        (sorted(MAX_PRODUCTIONS), true),
        (sorted(MAX_PRODUCTIONS + 1), false),
    ] {
        assert_eq!(Act::parse(&exported(&vault, LEAD, Some(listed))).is_ok(), fits);
    }
}

#[test]
fn an_agreement_counts_as_long_as_whoever_gave_it_may_still_give_it() {
    let revoked_since = |vault: &mut Vault, from| {
        let data = KeyRevoked { key: key(8).hash(), suspect_from: from }.to_data();
        vault.say(&Statement { person: Some(person(JUDGE)), ..vault.session(ADMIN, Kind::KeyRevoked, data) });
    };
    let lapses: [&dyn Fn(&mut Vault); 3] = [
        &|vault| suspend(vault, JUDGE),
        &|vault| {
            vault.state.members.insert((case(), person(JUDGE)), [(CaseRole::Reader, Term::LASTING)].into());
        },
        &|vault| revoked_since(vault, Some(1)),
    ];
    for lapse in lapses {
        let (mut vault, proposal) = agreed();
        let mut early = court_vault();
        let waiting = early.say(&proposed(&early, LEAD, 1));
        early.say(&approved(&early, JUDGE, waiting));
        lapse(&mut early);
        assert_eq!(early.try_say(&approved(&early, PROSECUTOR, waiting)), Err(Refusal::ProposalLapsed));

        let at = proposed(&vault, LEAD, 1).actor_time;
        assert!(production_counts(&vault.state, &vault.state.productions[&proposal], at));
        vault.say(&sealed(&vault, LEAD, CUSTODIAN, proposal));
        lapse(&mut vault);
        assert!(!production_counts(&vault.state, &vault.state.productions[&proposal], at));
        assert_eq!(vault.try_say(&sealed(&vault, LEAD, CUSTODIAN, proposal)), Err(Refusal::ProposalLapsed));
        assert_eq!(
            vault.try_say(&exported(&vault, LEAD, Some(vec![proposal]))),
            Err(Refusal::ProposalLapsed)
        );
    }
    // A key that was revoked, and was not in doubt when its owner agreed.
    let (mut vault, proposal) = agreed();
    revoked_since(&mut vault, None);
    vault.say(&sealed(&vault, LEAD, CUSTODIAN, proposal));
}
