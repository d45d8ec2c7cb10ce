//! Restricted items that are sealed anew: what two must have done before, and what somebody else confirms.

use custody::act::{
    Disclosure, DisposalApproved, DisposalExecuted, DisposalProposed, ItemResealed, PersonSuspended,
    ResealConfirmed, ResealWithdrawn, Sealing,
};
use custody::rules::{counts, who_cannot_open};
use custody::time::Timestamp;

use super::sealing::{DEFENCE, pair, read, recipient, registered, sealing_vault, two_pairs};
use super::*;

const HALVES: Digest = Digest::new([77; 32]);
const CONTENT: u8 = 7;
const THIRTY_DAYS_MS: i64 = 2_592_000_000;

/// Other pairs of the same four.
fn crossed() -> Sealing {
    Sealing { pairs: vec![pair(LEAD, READER), pair(CUSTODIAN, DEFENCE)], recovery: None }
}

fn now() -> Timestamp {
    "2026-11-21T12:00:00.000Z".parse().unwrap()
}

fn later(millis: i64) -> Timestamp {
    Timestamp::from_millis(now().millis() + millis).unwrap()
}

/// A vault with item 1, restricted and with content.
fn restricted() -> Vault {
    let mut vault = sealing_vault();
    vault.say(&registered(&vault, 1, Some(two_pairs())));
    vault.receive(1, CONTENT).unwrap();
    vault
}

/// Both say that they open item 1 with the other.
fn opened(vault: &mut Vault, one: u128, other: u128) -> [Digest; 2] {
    [(one, other), (other, one)].map(|(by, with)| vault.say(&read(vault, by, Some(with))))
}

fn resealed(vault: &Vault, (by, with): (u128, u128), [grant, with_grant]: [Digest; 2]) -> Statement {
    let sealing = crossed();
    let data = ItemResealed {
        expires: later(1_000),
        grant,
        halves: HALVES,
        sealing,
        with: person(with),
        with_grant,
    };
    about(vault, by, Kind::ItemResealed, data.to_data())
}

fn about(vault: &Vault, by: u128, kind: Kind, data: Object) -> Statement {
    let purpose = (kind == Kind::ItemResealed).then(|| "left".parse().unwrap());
    Statement { purpose, ..of_item(vault.signed(by, kind, data), 1) }
}

fn confirmation(with: u128, [grant, with_grant]: [Digest; 2], reseal: Digest) -> ResealConfirmed {
    ResealConfirmed {
        digest: content(CONTENT, CheckedBy::Vault).digest,
        grant,
        halves: HALVES,
        reseal,
        sealing: crossed(),
        with: person(with),
        with_grant,
    }
}

fn confirmed(vault: &Vault, by: u128, d: &ResealConfirmed) -> Statement {
    about(vault, by, Kind::ResealConfirmed, d.to_data())
}

/// Data of this kind, in a shape that is right.
pub(super) fn some(kind: Kind) -> Object {
    let (grant, with_grant, with) = (Digest::ZERO, Digest::ZERO, person(LEAD));
    match kind {
        Kind::ItemResealed => {
            let (expires, sealing) = (later(1), crossed());
            ItemResealed { expires, grant, halves: HALVES, sealing, with, with_grant }.to_data()
        }
        Kind::ResealConfirmed => confirmation(LEAD, [grant, with_grant], HALVES).to_data(),
        _ => ResealWithdrawn { reseal: HALVES }.to_data(),
    }
}

/// Sealed anew by the lead, with the custodian, and opened by the reader with the lead through the new halves.
fn waiting() -> (Vault, ResealConfirmed) {
    let mut vault = restricted();
    let grants = opened(&mut vault, LEAD, CUSTODIAN);
    let reseal = vault.say(&resealed(&vault, (LEAD, CUSTODIAN), grants));
    let grants = opened(&mut vault, READER, LEAD);
    (vault, confirmation(LEAD, grants, reseal))
}

fn sealing_of(vault: &Vault) -> Option<Sealing> {
    vault.state.items[&item(1)].sealing.clone()
}

#[test]
fn an_item_is_sealed_anew_by_two_and_counts_once_another_confirms_it() {
    let (mut vault, d) = waiting();
    assert_eq!(sealing_of(&vault), Some(two_pairs()), "until then the pairs before open it");
    opened(&mut vault, LEAD, CUSTODIAN);
    let waits = vault.state.items[&item(1)].reseal.clone().unwrap();
    assert_eq!((waits.by, waits.record, waits.halves), (person(LEAD), d.reseal, HALVES));
    assert_eq!((waits.key, waits.expires, waits.sealing), (key(1).hash(), later(1_000), crossed()));
    vault.say(&confirmed(&vault, READER, &d));
    assert_eq!(sealing_of(&vault), Some(crossed()));
    assert_eq!(vault.state.items[&item(1)].reseal, None);
    assert_eq!(vault.try_say(&read(&vault, LEAD, Some(CUSTODIAN))), Err(Refusal::OpenedInPairs));
    assert_eq!(vault.try_say(&confirmed(&vault, READER, &d)), Err(Refusal::NoSuchReseal), "once");
}

#[test]
fn who_seals_anew_has_opened_the_item_with_another_of_a_pair_and_both_said_so() {
    let mut vault = restricted();
    let [lead, custodian] = opened(&mut vault, LEAD, CUSTODIAN);
    let [reader, defence] = opened(&mut vault, READER, DEFENCE);
    let said = |by, with, grants| vault.clone_and_say(&resealed(&vault, (by, with), grants));
    assert!(said(LEAD, CUSTODIAN, [lead, custodian]).is_ok());
    for (by, with, grants) in [
        (LEAD, CUSTODIAN, [custodian, lead]),
        (LEAD, CUSTODIAN, [lead, lead]),
        (LEAD, CUSTODIAN, [custodian, custodian]),
        (LEAD, CUSTODIAN, [lead, defence]),
        (LEAD, CUSTODIAN, [reader, custodian]),
        (LEAD, CUSTODIAN, [lead, Digest::ZERO]),
        (LEAD, CUSTODIAN, [Digest::ZERO, custodian]),
        (LEAD, READER, [lead, reader]),
        (LEAD, LEAD, [lead, lead]),
        (READER, CUSTODIAN, [reader, custodian]),
    ] {
        assert_eq!(said(by, with, grants), Err(Refusal::OpenedInPairs), "{by} {with} {grants:?}");
    }
    // Bundles may leave out who read what; who the two are stands in the statement.
    let mut bundle = vault.copy();
    bundle.state.partial = true;
    bundle.state.grants.remove(&custodian);
    let said = resealed(&bundle, (LEAD, CUSTODIAN), [lead, custodian]);
    assert_eq!(bundle.clone_and_say(&said), Err(Refusal::OpenedInPairs), "it is not there at all");
    bundle.state.kept_back.insert(custodian, item(2));
    assert_eq!(bundle.clone_and_say(&said), Err(Refusal::OpenedInPairs), "of another item");
    bundle.state.kept_back.insert(custodian, item(1));
    bundle.clone_and_say(&said).unwrap();
    let no_pair = resealed(&bundle, (LEAD, READER), [custodian; 2]);
    assert_eq!(bundle.clone_and_say(&no_pair), Err(Refusal::OpenedInPairs));
}

#[test]
fn a_grant_that_ended_or_whose_key_was_revoked_or_of_another_item_seals_nothing_anew() {
    let base = || {
        let mut vault = restricted();
        let grants = opened(&mut vault, LEAD, CUSTODIAN);
        (vault, grants)
    };
    let refused = |change: &dyn Fn(&mut Vault, [Digest; 2])| {
        let (mut vault, grants) = base();
        change(&mut vault, grants);
        vault.try_say(&resealed(&vault, (LEAD, CUSTODIAN), grants))
    };
    let grant = |vault: &mut Vault, of: Digest, change: &dyn Fn(&mut custody::rules::Grant)| {
        change(vault.state.grants.get_mut(&of).unwrap());
    };
    let in_pairs = Err(Refusal::OpenedInPairs);
    for at in [0, 1] {
        assert_eq!(refused(&|vault, g| grant(vault, g[at], &|grant| grant.completed = true)), in_pairs);
        assert_eq!(refused(&|vault, g| grant(vault, g[at], &|grant| grant.expires = now())), in_pairs);
        assert_eq!(refused(&|vault, g| grant(vault, g[at], &|grant| grant.item = item(2))), in_pairs);
        assert_eq!(
            refused(&|vault, g| grant(vault, g[at], &|grant| grant.with = Some(person(READER)))),
            in_pairs
        );
    }
    let revoked = |vault: &mut Vault, _: [Digest; 2]| {
        // The person has another key, to which everything is sealed as well.
        let mut other = vault.state.keys[&key(2).hash()].clone();
        other.recipient = Some(recipient(22));
        vault.state.keys.insert(key(22).hash(), other);
        vault.state.keys.get_mut(&key(2).hash()).unwrap().revoked = Some(9);
    };
    assert_eq!(refused(&revoked), in_pairs);
    let suspended = |vault: &mut Vault, _: [Digest; 2]| {
        vault.state.persons.get_mut(&person(CUSTODIAN)).unwrap().suspended = Some(9);
    };
    let (mut vault, grants) = base();
    suspended(&mut vault, grants);
    let mut recovery = [recipient(8), recipient(9)];
    recovery.sort_unstable();
    let d = ItemResealed {
        expires: later(1_000),
        grant: grants[0],
        halves: HALVES,
        sealing: Sealing { pairs: vec![pair(LEAD, READER)], recovery: Some(recovery) },
        with: person(CUSTODIAN),
        with_grant: grants[1],
    };
    assert_eq!(vault.try_say(&about(&vault, LEAD, Kind::ItemResealed, d.to_data())), in_pairs, "suspended");
}

#[test]
fn a_grant_counts_while_it_is_open_and_the_key_by_which_it_was_said_is_its_readers_and_valid() {
    let mut vault = restricted();
    let [lead, _] = opened(&mut vault, LEAD, CUSTODIAN);
    let grant = vault.state.grants[&lead].clone();
    assert_eq!(grant.key, Some(key(1).hash()));
    assert!(counts(&vault.state, now(), &grant));
    assert!(!counts(&vault.state, grant.expires, &grant), "it ran out");
    let with = |change: &dyn Fn(&mut custody::rules::Grant)| {
        let mut grant = grant.clone();
        change(&mut grant);
        counts(&vault.state, now(), &grant)
    };
    assert!(!with(&|grant| grant.completed = true));
    assert!(!with(&|grant| grant.key = None));
    assert!(!with(&|grant| grant.key = Some(key(2).hash())), "another's key");
    vault.state.keys.get_mut(&key(1).hash()).unwrap().revoked = Some(9);
    assert!(!counts(&vault.state, now(), &grant));
    vault.state.keys.get_mut(&key(1).hash()).unwrap().revoked = None;
    // Of what is not restricted nobody asks by which key it was said.
    vault.register(2, Class::Open, None).unwrap();
    let of_open = of_item(read(&vault, READER, None), 2);
    let data =
        ContentReceived { halves: None, manifest: Digest::ZERO, object: ObjectId::new([8; 16]), version: 1 };
    let received = of_item(vault.system(Kind::ContentReceived, data.to_data()), 2);
    vault.say(&Statement { content: Some(content(1, CheckedBy::Vault)), ..received });
    let record = vault.say(&of_open);
    assert_eq!(vault.state.grants[&record].key, None);
}

#[test]
fn what_is_sealed_anew_fits_waits_for_a_while_and_is_a_restricted_item_with_content() {
    let mut vault = restricted();
    let grants = opened(&mut vault, LEAD, CUSTODIAN);
    let with = |change: &dyn Fn(&mut ItemResealed)| {
        let mut d = ItemResealed {
            expires: later(1_000),
            grant: grants[0],
            halves: HALVES,
            sealing: crossed(),
            with: person(CUSTODIAN),
            with_grant: grants[1],
        };
        change(&mut d);
        vault.clone_and_say(&about(&vault, LEAD, Kind::ItemResealed, d.to_data()))
    };
    for (millis, fits) in
        [(-1, false), (0, false), (1, true), (THIRTY_DAYS_MS, true), (THIRTY_DAYS_MS + 1, false)]
    {
        let said = with(&|d| d.expires = later(millis));
        assert_eq!(said.is_ok(), fits, "{millis}");
        assert!(fits || said == Err(Refusal::ResealTooLong));
    }
    let one = Sealing { pairs: vec![pair(LEAD, CUSTODIAN)], recovery: None };
    assert!(matches!(with(&|d| d.sealing = one.clone()), Err(Refusal::SealingUnfit(_))));
    let stranger = Sealing { pairs: vec![pair(LEAD, STRANGER), pair(CUSTODIAN, READER)], recovery: None };
    assert!(matches!(with(&|d| d.sealing = stranger.clone()), Err(Refusal::SealingUnfit(_))));
    let unsorted = Sealing { pairs: vec![pair(CUSTODIAN, LEAD)], recovery: None };
    let data = ItemResealed {
        expires: later(1_000),
        grant: grants[0],
        halves: HALVES,
        sealing: unsorted,
        with: person(CUSTODIAN),
        with_grant: grants[1],
    };
    assert!(Act::parse(&about(&vault, LEAD, Kind::ItemResealed, data.to_data())).is_err());

    let mut empty = sealing_vault();
    empty.say(&registered(&empty, 1, Some(two_pairs())));
    let said = resealed(&empty, (LEAD, CUSTODIAN), [Digest::ZERO; 2]);
    assert_eq!(empty.try_say(&said), Err(Refusal::NoContent));
    let mut open = sealing_vault();
    open.register(1, Class::Open, None).unwrap();
    open.receive(1, CONTENT).unwrap();
    assert_eq!(open.try_say(&said), Err(Refusal::NotInPairs));
    let withdrawn = about(&open, LEAD, Kind::ResealWithdrawn, ResealWithdrawn { reseal: HALVES }.to_data());
    assert_eq!(open.try_say(&withdrawn), Err(Refusal::NotInPairs));
    let elsewhere = Statement { item: Some(item(3)), ..said };
    assert_eq!(open.try_say(&elsewhere), Err(Refusal::Unknown("item")));
    // Through the vault's session nobody says any of it.
    for kind in [Kind::ItemResealed, Kind::ResealConfirmed, Kind::ResealWithdrawn] {
        let said = of_item(open.session(LEAD, kind, Object::new()), 1);
        assert!(Act::parse(&said).is_err(), "{kind}");
    }
}

#[test]
fn nobody_confirms_what_they_sealed_nor_what_they_did_not_find() {
    let (mut vault, d) = waiting();
    let said = |by, change: &dyn Fn(&mut ResealConfirmed)| {
        let mut d = d.clone();
        change(&mut d);
        vault.clone_and_say(&confirmed(&vault, by, &d))
    };
    assert!(said(READER, &|_| ()).is_ok());
    assert_eq!(
        said(READER, &|d| d.digest = content(8, CheckedBy::Vault).digest),
        Err(Refusal::DigestMismatch)
    );
    assert_eq!(said(READER, &|d| d.halves = Digest::ZERO), Err(Refusal::OtherHalves));
    assert_eq!(said(READER, &|d| d.sealing = two_pairs()), Err(Refusal::OtherHalves));
    assert_eq!(said(READER, &|d| d.reseal = Digest::ZERO), Err(Refusal::NoSuchReseal));
    // The other of the pair that opened it could as well; the sealer not.
    let swapped = |d: &mut ResealConfirmed| {
        (d.grant, d.with_grant, d.with) = (d.with_grant, d.grant, person(READER));
    };
    assert_eq!(said(LEAD, &swapped), Err(Refusal::AnotherPerson));
    // Through the new halves: an opening by a pair of before says nothing about them.
    let [custodian, lead] = opened(&mut vault, CUSTODIAN, LEAD);
    let old = ResealConfirmed { grant: custodian, with_grant: lead, with: person(LEAD), ..d.clone() };
    assert_eq!(vault.clone_and_say(&confirmed(&vault, CUSTODIAN, &old)), Err(Refusal::OpenedInPairs));
    let [defence, custodian] = opened(&mut vault, DEFENCE, CUSTODIAN);
    let other =
        ResealConfirmed { grant: defence, with_grant: custodian, with: person(CUSTODIAN), ..d.clone() };
    assert!(vault.clone_and_say(&confirmed(&vault, DEFENCE, &other)).is_ok());
    let mixed = ResealConfirmed { with_grant: d.with_grant, ..other };
    assert_eq!(vault.clone_and_say(&confirmed(&vault, DEFENCE, &mixed)), Err(Refusal::OpenedInPairs));
}

#[test]
fn what_waits_too_long_or_was_sealed_by_somebody_suspended_or_by_a_revoked_key_is_not_confirmed() {
    let refused = |change: &dyn Fn(&mut Vault)| {
        let (mut vault, d) = waiting();
        change(&mut vault);
        vault.try_say(&confirmed(&vault, READER, &d))
    };
    let waits = |vault: &mut Vault, at: Timestamp| {
        vault.state.items.get_mut(&item(1)).unwrap().reseal.as_mut().unwrap().expires = at;
    };
    assert_eq!(refused(&|vault| waits(vault, now())), Err(Refusal::NoSuchReseal));
    assert!(refused(&|vault| waits(vault, later(1))).is_ok());
    // The sealer is one of the new pairs here as well: who sealed it comes first.
    let suspended = |vault: &mut Vault| {
        let s = vault.signed(ADMIN, Kind::PersonSuspended, PersonSuspended { suspect_from: None }.to_data());
        vault.say(&Statement { person: Some(person(LEAD)), ..s });
    };
    assert_eq!(refused(&suspended), Err(Refusal::NoSuchReseal));
    let revoked = |vault: &mut Vault| vault.state.keys.get_mut(&key(1).hash()).unwrap().revoked = Some(9);
    assert_eq!(refused(&revoked), Err(Refusal::NoSuchReseal));
    // Whom it is sealed to may have left meanwhile.
    let left = |vault: &mut Vault| drop(vault.state.members.remove(&(case(), person(DEFENCE))));
    assert!(matches!(refused(&left), Err(Refusal::SealingUnfit(_))));
    // One who waits opens it together with another through what waits, and no longer.
    let (mut vault, _) = waiting();
    vault.say(&read(&vault, CUSTODIAN, Some(DEFENCE)));
    waits(&mut vault, now());
    assert_eq!(vault.try_say(&read(&vault, CUSTODIAN, Some(DEFENCE))), Err(Refusal::OpenedInPairs));
}

#[test]
fn one_of_those_who_seal_and_confirm_may_classify_items() {
    let role = |vault: &mut Vault, n, role| {
        vault.state.members.insert((case(), person(n)), [(role, Term::LASTING)].into());
    };
    // The lead sealed it, the reader confirms it: the former may.
    let (mut vault, d) = waiting();
    assert!(vault.clone_and_say(&confirmed(&vault, READER, &d)).is_ok());
    role(&mut vault, LEAD, CaseRole::Prosecutor);
    assert_eq!(
        vault.clone_and_say(&confirmed(&vault, READER, &d)),
        Err(Refusal::NotPermitted(Right::Classify))
    );
    role(&mut vault, READER, CaseRole::Custodian);
    role(&mut vault, CUSTODIAN, CaseRole::Reader);
    assert!(vault.clone_and_say(&confirmed(&vault, READER, &d)).is_ok());
}

#[test]
fn what_was_sealed_anew_is_withdrawn_by_its_author_or_who_may_classify_and_replaced_by_the_next() {
    let (mut vault, d) = waiting();
    let withdrawn = |vault: &Vault, by, reseal| {
        about(vault, by, Kind::ResealWithdrawn, ResealWithdrawn { reseal }.to_data())
    };
    let said = |by, reseal| vault.clone_and_say(&withdrawn(&vault, by, reseal));
    assert!(said(LEAD, d.reseal).is_ok() && said(CUSTODIAN, d.reseal).is_ok());
    assert_eq!(said(READER, d.reseal), Err(Refusal::NotPermitted(Right::Classify)));
    assert_eq!(said(LEAD, Digest::ZERO), Err(Refusal::NoSuchReseal));
    vault.state.members.insert((case(), person(LEAD)), [(CaseRole::Reader, Term::LASTING)].into());
    assert!(vault.clone_and_say(&withdrawn(&vault, LEAD, d.reseal)).is_ok(), "its author");
    vault.say(&withdrawn(&vault, CUSTODIAN, d.reseal));
    assert_eq!((sealing_of(&vault), &vault.state.items[&item(1)].reseal), (Some(two_pairs()), &None));
    assert_eq!(vault.try_say(&withdrawn(&vault, CUSTODIAN, d.reseal)), Err(Refusal::NoSuchReseal));
    assert_eq!(vault.try_say(&confirmed(&vault, READER, &d)), Err(Refusal::NoSuchReseal));

    let (mut vault, d) = waiting();
    let grants = opened(&mut vault, CUSTODIAN, LEAD);
    let next = vault.say(&resealed(&vault, (CUSTODIAN, LEAD), grants));
    assert_eq!(vault.try_say(&confirmed(&vault, READER, &d)), Err(Refusal::NoSuchReseal));
    vault.say(&confirmed(&vault, READER, &ResealConfirmed { reseal: next, ..d }));
    assert_eq!(sealing_of(&vault), Some(crossed()));
}

#[test]
fn what_is_destroyed_is_not_sealed_anew_and_what_waits_goes_with_it() {
    let (mut vault, d) = waiting();
    let dispose = |vault: &Vault, by, kind, data: Object| Statement {
        purpose: Some("ordered".parse().unwrap()),
        ..about(vault, by, kind, data)
    };
    vault.state.members.insert((case(), person(DEFENCE)), [(CaseRole::Prosecutor, Term::LASTING)].into());
    vault.state.members.insert((case(), person(READER)), [(CaseRole::Court, Term::LASTING)].into());
    let proposal = vault.say(&dispose(
        &vault,
        LEAD,
        Kind::DisposalProposed,
        DisposalProposed { records: None, retention: None }.to_data(),
    ));
    for (by, role) in [(DEFENCE, "prosecutor"), (READER, "court")] {
        let disclosure = Disclosure::MadeOtherwise;
        let role = role.parse().unwrap();
        let approved = DisposalApproved { disclosure, exports: 0, proposal, role }.to_data();
        vault.say(&dispose(&vault, by, Kind::DisposalApproved, approved));
    }
    let (object, horizon) = (Some(ObjectId::new([9; 16])), None);
    let executed = DisposalExecuted { backups: 0, horizon, kek: Some(1), key: None, object, proposal };
    vault.say(&of_item(vault.system(Kind::DisposalExecuted, executed.to_data()), 1));
    assert_eq!(vault.state.items[&item(1)].reseal, None);
    assert_eq!(vault.try_say(&confirmed(&vault, READER, &d)), Err(Refusal::NoSuchReseal));
    let grants = [d.with_grant, d.grant];
    let again = resealed(&vault, (LEAD, CUSTODIAN), grants);
    assert!(vault.try_say(&again).is_err());
}

#[test]
fn who_left_is_suspended_or_has_no_key_cannot_open_what_is_sealed_to_them() {
    let cannot = |change: &dyn Fn(&mut Vault)| {
        let mut vault = restricted();
        change(&mut vault);
        let found = who_cannot_open(&vault.state, now(), case(), &two_pairs());
        found.into_iter().collect::<Vec<_>>()
    };
    assert_eq!(cannot(&|_| ()), []);
    let one = [person(CUSTODIAN)];
    assert_eq!(cannot(&|vault| drop(vault.state.members.remove(&(case(), person(CUSTODIAN))))), one);
    let observer = |vault: &mut Vault| {
        vault.state.members.insert((case(), person(CUSTODIAN)), [(CaseRole::Observer, Term::LASTING)].into());
    };
    assert_eq!(cannot(&observer), one);
    let suspended =
        |vault: &mut Vault| vault.state.persons.get_mut(&person(CUSTODIAN)).unwrap().suspended = Some(1);
    assert_eq!(cannot(&suspended), one);
    let revoked = |vault: &mut Vault| vault.state.keys.get_mut(&key(2).hash()).unwrap().revoked = Some(1);
    assert_eq!(cannot(&revoked), one);
}

#[test]
fn what_waits_opens_nothing_once_its_author_may_not_stand_for_it() {
    let ends: [&dyn Fn(&mut Vault); 3] = [
        &|vault| {
            let data = KeyRevoked { key: key(1).hash(), suspect_from: None }.to_data();
            let s = vault.session(ADMIN, Kind::KeyRevoked, data);
            vault.say(&Statement { person: Some(person(LEAD)), ..s });
        },
        &|vault| vault.state.persons.get_mut(&person(LEAD)).unwrap().suspended = Some(1),
        &|vault| vault.state.items.get_mut(&item(1)).unwrap().reseal.as_mut().unwrap().expires = now(),
    ];
    for end in ends {
        let (mut vault, _) = waiting();
        // A pair of the new ones that was none before.
        vault.clone_and_say(&read(&vault, CUSTODIAN, Some(DEFENCE))).unwrap();
        end(&mut vault);
        assert_eq!(vault.try_say(&read(&vault, CUSTODIAN, Some(DEFENCE))), Err(Refusal::OpenedInPairs));
    }
}

#[test]
fn what_somebody_is_about_to_confirm_is_replaced_by_its_author_or_whoever_may_restrict_items() {
    let (mut vault, _) = waiting();
    let grants = opened(&mut vault, READER, DEFENCE);
    let replaces =
        |vault: &Vault, by, with, grants| vault.clone_and_say(&resealed(vault, (by, with), grants));
    assert_eq!(replaces(&vault, READER, DEFENCE, grants), Err(Refusal::NotPermitted(Right::Classify)));
    let [lead, custodian] = opened(&mut vault, LEAD, CUSTODIAN);
    replaces(&vault, LEAD, CUSTODIAN, [lead, custodian]).unwrap();
    replaces(&vault, CUSTODIAN, LEAD, [custodian, lead]).unwrap();
    vault.state.items.get_mut(&item(1)).unwrap().reseal.as_mut().unwrap().expires = now();
    let own = vault.say(&resealed(&vault, (READER, DEFENCE), grants));
    assert_ne!(vault.say(&resealed(&vault, (READER, DEFENCE), grants)), own, "their own");
}

#[test]
fn a_date_to_come_lets_nothing_wait_for_years() {
    let mut vault = restricted();
    let grants = opened(&mut vault, LEAD, CUSTODIAN);
    let s = resealed(&vault, (LEAD, CUSTODIAN), grants);
    let act = Act::parse(&s).unwrap();
    let far = Timestamp::from_millis(later(1_000).millis() - 31 * 24 * 3_600_000).unwrap();
    assert_eq!(decide(&vault.state, far, &s, &act), Err(Refusal::ResealTooLong));
    assert_eq!(decide(&vault.state, now(), &s, &act), Ok(()));
}
