//! Restricted items: to whom they may be sealed, and which two may open them.

use custody::act::{MemberAdded, PersonSuspended, RecipientNamed, Sealing};
use custody::age::{Identity, Recipient};
use custody::rules::may_open;

use super::*;

pub(super) const DEFENCE: u128 = 6;

pub(super) fn recipient(n: u8) -> Recipient {
    Identity::derive(&[n; 32]).recipient()
}

fn named(vault: &Vault, by: u128) -> Statement {
    let data = RecipientNamed { recipient: recipient(u8::try_from(by).unwrap()) }.to_data();
    Statement { person: Some(person(by)), ..vault.signed(by, Kind::RecipientNamed, data) }
}

/// A vault whose lead, custodian, reader and a member for the defence all have a recipient.
pub(super) fn sealing_vault() -> Vault {
    let mut vault = Vault::new();
    let about = |s: Statement, n| Statement { person: Some(person(n)), ..s };
    vault.say(&about(
        vault.session(ADMIN, Kind::PersonRegistered, PersonRegistered { org: org() }.to_data()),
        DEFENCE,
    ));
    vault.say(&about(vault.signed(ADMIN, Kind::KeyEnrolled, enrolled(key(6))), DEFENCE));
    let member = MemberChange { member: person(DEFENCE), role: CaseRole::Defence }.to_data();
    vault.say(&in_case(vault.signed(LEAD, Kind::MemberAdded, member)));
    for n in [LEAD, CUSTODIAN, READER, DEFENCE] {
        vault.say(&named(&vault, n));
    }
    vault
}

pub(super) fn pair(one: u128, other: u128) -> [PersonId; 2] {
    [person(one), person(other)]
}

pub(super) fn two_pairs() -> Sealing {
    Sealing { pairs: vec![pair(LEAD, CUSTODIAN), pair(READER, DEFENCE)], recovery: None }
}

pub(super) fn registered(vault: &Vault, n: u128, sealing: Option<Sealing>) -> Statement {
    let class = Class::Restricted;
    let data = ItemRegistered { class, route: "cli".parse().unwrap(), sealing, sealed_by: None }.to_data();
    of_item(vault.signed(LEAD, Kind::ItemRegistered, data), n)
}

fn classified(vault: &Vault, class: Class, sealing: Option<Sealing>, seen: Digest) -> Statement {
    let s = of_item(vault.signed(LEAD, Kind::ItemClassified, ItemClassified { class, sealing }.to_data()), 1);
    Statement { seen: Some(Seen::Record(seen)), ..s }
}

pub(super) fn read(vault: &Vault, by: u128, with: Option<u128>) -> Statement {
    let expires = "2026-11-21T12:10:00.000Z".parse().unwrap();
    let data = AccessGranted { expires, with: with.map(person) }.to_data();
    let s = of_item(vault.signed(by, Kind::AccessGranted, data), 1);
    Statement { purpose: Some("review".parse().unwrap()), ..s }
}

#[test]
fn a_key_gets_one_recipient_from_whoever_has_it() {
    let mut vault = Vault::new();
    let for_another = Statement { person: Some(person(READER)), ..named(&vault, LEAD) };
    assert_eq!(vault.try_say(&for_another), Err(Refusal::WrongAssurance));
    vault.say(&named(&vault, LEAD));
    assert_eq!(vault.try_say(&named(&vault, LEAD)), Err(Refusal::Exists("key's recipient")));
    assert_eq!(vault.state.keys[&key(1).hash()].recipient, Some(recipient(1)));
    let on_behalf = vault.session(LEAD, Kind::RecipientNamed, named(&vault, LEAD).data);
    assert!(Act::parse(&Statement { person: Some(person(LEAD)), ..on_behalf }).is_err());
}

#[test]
fn restricted_items_are_sealed_to_pairs_in_one_spelling_and_others_to_nobody() {
    let vault = sealing_vault();
    let refuse = |s: Statement| assert!(Act::parse(&s).is_err(), "{:?}", s.data);
    refuse(registered(&vault, 1, None));
    let open = ItemRegistered {
        class: Class::Open,
        route: "cli".parse().unwrap(),
        sealing: Some(two_pairs()),
        sealed_by: None,
    };
    refuse(of_item(vault.signed(LEAD, Kind::ItemRegistered, open.to_data()), 1));
    let (one, other) = (pair(LEAD, CUSTODIAN), pair(READER, DEFENCE));
    let too_many = (0..17).map(|n| pair(n, n + 100)).collect();
    for pairs in
        [vec![], vec![other, one], vec![one, one], vec![pair(CUSTODIAN, LEAD)], vec![pair(1, 1)], too_many]
    {
        refuse(registered(&vault, 1, Some(Sealing { pairs, recovery: None })));
    }
    let (low, high) = (recipient(1).min(recipient(2)), recipient(1).max(recipient(2)));
    for (recovery, fits) in [([low, high], true), ([high, low], false), ([low, low], false)] {
        let s = registered(&vault, 1, Some(Sealing { pairs: vec![one], recovery: Some(recovery) }));
        assert_eq!(Act::parse(&s).is_ok(), fits);
    }
}

#[test]
fn an_item_is_sealed_to_members_who_can_open_it_and_no_single_loss_closes_it() {
    let unfit = |change: &dyn Fn(&mut Vault), sealing: Sealing| {
        let mut vault = sealing_vault();
        change(&mut vault);
        match vault.try_say(&registered(&vault, 1, Some(sealing))) {
            Err(Refusal::SealingUnfit(why)) => why,
            other => panic!("{other:?}"),
        }
    };
    let nothing = |_: &mut Vault| ();
    sealing_vault().say(&registered(&sealing_vault(), 1, Some(two_pairs())));
    let one = |pair| Sealing { pairs: vec![pair], recovery: None };
    assert!(unfit(&nothing, one(pair(LEAD, CUSTODIAN))).contains("nobody in common"));
    let shared = Sealing { pairs: vec![pair(LEAD, CUSTODIAN), pair(LEAD, READER)], recovery: None };
    assert!(unfit(&nothing, shared.clone()).contains("nobody in common"));
    for pairs in [
        vec![pair(LEAD, CUSTODIAN), pair(CUSTODIAN, READER)],
        vec![pair(LEAD, READER), pair(CUSTODIAN, READER)],
    ] {
        let shared = Sealing { pairs, recovery: None };
        assert!(unfit(&nothing, shared).contains("nobody in common"));
    }
    let (low, high) = (recipient(8).min(recipient(9)), recipient(8).max(recipient(9)));
    let mut vault = sealing_vault();
    vault.say(&registered(&vault, 1, Some(Sealing { recovery: Some([low, high]), ..shared })));

    let stranger = Sealing { pairs: vec![pair(LEAD, STRANGER), pair(READER, DEFENCE)], recovery: None };
    assert!(unfit(&nothing, stranger).contains("member"));
    let observer = |vault: &mut Vault| {
        vault.state.members.insert((case(), person(CUSTODIAN)), [(CaseRole::Observer, Term::LASTING)].into());
    };
    assert!(unfit(&observer, two_pairs()).contains("may read content"));
    let revoked = |vault: &mut Vault| {
        let data = KeyRevoked { key: key(2).hash(), suspect_from: None }.to_data();
        vault.say(&Statement {
            person: Some(person(CUSTODIAN)),
            ..vault.session(ADMIN, Kind::KeyRevoked, data)
        });
    };
    assert!(unfit(&revoked, two_pairs()).contains("no valid key"));
    let unnamed = |vault: &mut Vault| vault.state.keys.get_mut(&key(2).hash()).unwrap().recipient = None;
    assert!(unfit(&unnamed, two_pairs()).contains("custos key recipient"));
    let unproven = |vault: &mut Vault| vault.state.keys.get_mut(&key(2).hash()).unwrap().unproven = true;
    assert!(unfit(&unproven, two_pairs()).contains("vouched"));
    let suspended = |vault: &mut Vault| {
        let s = vault.signed(ADMIN, Kind::PersonSuspended, PersonSuspended { suspect_from: None }.to_data());
        vault.say(&Statement { person: Some(person(CUSTODIAN)), ..s });
    };
    assert!(unfit(&suspended, two_pairs()).contains("suspended"));
    let same_role = |vault: &mut Vault| {
        vault.state.members.insert((case(), person(CUSTODIAN)), [(CaseRole::Lead, Term::LASTING)].into());
    };
    assert!(unfit(&same_role, two_pairs()).contains("different roles"));
}

#[test]
fn two_of_a_pair_open_a_restricted_item_under_their_own_keys() {
    let mut vault = sealing_vault();
    vault.say(&registered(&vault, 1, Some(two_pairs())));
    assert_eq!(vault.try_say(&read(&vault, LEAD, Some(CUSTODIAN))), Err(Refusal::NoContent));
    vault.receive(1, 7).unwrap();
    vault.say(&read(&vault, LEAD, Some(CUSTODIAN)));
    vault.say(&read(&vault, CUSTODIAN, Some(LEAD)));
    for with in [None, Some(LEAD), Some(READER), Some(STRANGER)] {
        assert_eq!(vault.try_say(&read(&vault, LEAD, with)), Err(Refusal::OpenedInPairs), "{with:?}");
    }
    let on_behalf = read(&vault, LEAD, Some(CUSTODIAN));
    let on_behalf = Statement { actor_key: VAULT_KEY.hash(), assurance: Assurance::Session, ..on_behalf };
    assert_eq!(vault.try_say(&on_behalf), Err(Refusal::OpenedInPairs));
    let until = Some("2026-11-21T12:00:00.000Z".parse().unwrap());
    let over = MemberAdded { from: None, member: person(DEFENCE), role: CaseRole::Defence, until };
    vault.state.members.insert((case(), person(DEFENCE)), [(over.role, over.term())].into());
    assert_eq!(
        vault.try_say(&read(&vault, READER, Some(DEFENCE))),
        Err(Refusal::OpenedInPairs),
        "a role that ended"
    );
    vault.state.persons.get_mut(&person(CUSTODIAN)).unwrap().suspended = Some(1);
    assert_eq!(vault.try_say(&read(&vault, LEAD, Some(CUSTODIAN))), Err(Refusal::OpenedInPairs), "suspended");
}

#[test]
fn with_a_recovery_pair_on_paper_any_two_in_different_roles_may_open() {
    let mut vault = sealing_vault();
    let recovery = [recipient(8).min(recipient(9)), recipient(8).max(recipient(9))];
    let sealing = Sealing { pairs: vec![pair(LEAD, CUSTODIAN)], recovery: Some(recovery) };
    vault.say(&registered(&vault, 1, Some(sealing)));
    vault.receive(1, 7).unwrap();
    vault.say(&read(&vault, READER, Some(DEFENCE)));
    assert_eq!(vault.try_say(&read(&vault, READER, Some(READER))), Err(Refusal::OpenedInPairs));
    assert_eq!(vault.try_say(&read(&vault, READER, Some(STRANGER))), Err(Refusal::OpenedInPairs));
}

#[test]
fn what_is_not_restricted_is_read_alone_and_can_become_restricted_but_not_the_other_way() {
    let mut vault = sealing_vault();
    let head = vault.register(1, Class::Open, None).unwrap();
    vault.receive(1, 7).unwrap();
    assert_eq!(vault.try_say(&read(&vault, LEAD, Some(CUSTODIAN))), Err(Refusal::NotInPairs));
    vault.say(&read(&vault, LEAD, None));
    let one_pair = Sealing { pairs: vec![pair(LEAD, CUSTODIAN)], recovery: None };
    let unfit = vault.try_say(&classified(&vault, Class::Restricted, Some(one_pair), head));
    assert!(matches!(unfit, Err(Refusal::SealingUnfit(_))), "{unfit:?}");
    let head = vault.say(&classified(&vault, Class::Restricted, Some(two_pairs()), head));
    assert_eq!(vault.state.items[&item(1)].sealing, Some(two_pairs()));
    assert_eq!(vault.try_say(&read(&vault, LEAD, None)), Err(Refusal::OpenedInPairs));
    for (class, sealing) in [(Class::Open, None), (Class::Restricted, Some(two_pairs()))] {
        assert_eq!(vault.try_say(&classified(&vault, class, sealing, head)), Err(Refusal::SealedToPersons));
    }
}

#[test]
fn the_different_roles_of_a_pair_are_those_that_let_them_read_now() {
    let mut vault = sealing_vault();
    vault.say(&registered(&vault, 1, Some(two_pairs())));
    vault.receive(1, 7).unwrap();
    let ended = Term { from: None, until: Some("2026-11-21T12:00:00.000Z".parse().unwrap()) };
    let reads = |roles: &[(CaseRole, Term)]| {
        let mut vault = vault.copy();
        vault.state.members.insert((case(), person(CUSTODIAN)), roles.iter().copied().collect());
        vault.try_say(&read(&vault, LEAD, Some(CUSTODIAN))).map(drop)
    };
    let lead = (CaseRole::Lead, Term::LASTING);
    assert_eq!(reads(&[lead, (CaseRole::Reader, Term::LASTING)]), Ok(()));
    for other in [(CaseRole::Observer, Term::LASTING), (CaseRole::Reader, ended)] {
        assert_eq!(reads(&[lead, other]), Err(Refusal::OpenedInPairs), "{other:?}");
    }
    let opens = |vault: &Vault, one, other| {
        let at = "2026-11-21T12:00:00.000Z".parse().unwrap();
        may_open(&vault.state, at, (case(), &two_pairs()), (person(one), person(other)))
    };
    assert!(opens(&vault, LEAD, CUSTODIAN) && opens(&vault, CUSTODIAN, LEAD));
    let mut suspended = vault.copy();
    suspended.state.persons.get_mut(&person(LEAD)).unwrap().suspended = Some(1);
    assert!(!opens(&suspended, LEAD, CUSTODIAN) && !opens(&suspended, CUSTODIAN, LEAD));
    // Nobody is two, whatever roles they have.
    let recovery = [recipient(8).min(recipient(9)), recipient(8).max(recipient(9))];
    let on_paper = Sealing { recovery: Some(recovery), ..two_pairs() };
    vault.state.items.get_mut(&item(1)).unwrap().sealing = Some(on_paper);
    let roles = [lead, (CaseRole::Reader, Term::LASTING)].into();
    vault.state.members.insert((case(), person(LEAD)), roles);
    assert_eq!(vault.try_say(&read(&vault, LEAD, Some(LEAD))), Err(Refusal::OpenedInPairs));
}
