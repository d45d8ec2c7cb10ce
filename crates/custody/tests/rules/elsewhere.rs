//! Nobody reaches from one case into another, whatever they may in their own; nor does the vault.

use custody::act::{AccessBreakGlass, AccessReviewed, DisposalProposed, FixityChecked};
use custody::kind::Speaker;
use custody::rules::{Case, Holders};

use super::roles::said;
use super::*;

fn theirs() -> CaseId {
    CaseId::new(Uuid::from_u128(3))
}

/// Item 1 with content in the case, and somebody with every role in another.
fn two_cases() -> Vault {
    let mut vault = Vault::new();
    vault.register(1, Class::Open, None).unwrap();
    vault.receive(1, 7).unwrap();
    vault.state.cases.insert(theirs(), Case::default());
    let every = CaseRole::ALL.iter().map(|role| (*role, Term::LASTING)).collect();
    vault.state.members.insert((theirs(), person(STRANGER)), every);
    vault
}

fn there(s: Statement) -> Statement {
    Statement { case: Some(theirs()), ..s }
}

/// Somebody has read item 1 in an emergency; the grant.
fn read_in_an_emergency(vault: &mut Vault) -> Digest {
    let role = RoleChange { role: VaultRole::Investigator }.to_data();
    vault.say(&Statement { person: Some(person(STRANGER)), ..vault.session(ADMIN, Kind::RoleGranted, role) });
    vault.say(&of_item(in_an_emergency(vault), 1))
}

fn in_an_emergency(vault: &Vault) -> Statement {
    let data = AccessBreakGlass { expires: "2026-11-21T13:00:00.000Z".parse().unwrap() };
    let s = vault.signed(STRANGER, Kind::AccessBreakGlass, data.to_data());
    let fields = [("reason".parse().unwrap(), Digest::ZERO)].into();
    Statement { fields, purpose: Some("life-in-danger".parse().unwrap()), ..s }
}

#[test]
fn whoever_has_every_role_in_one_case_says_nothing_about_an_item_of_another() {
    let vault = two_cases();
    let rows = Right::ALL.iter().map(|right| right.row());
    let kinds = rows.filter(|row| matches!(row.holders, Holders::Case(_))).flat_map(|row| row.acts);
    let mut tried = 0;
    for kind in kinds.filter(|kind| kind.spec().supported && kind.spec().speaker != Speaker::System) {
        let s = there(said(&vault, STRANGER, *kind));
        if s.item.is_none() || *kind == Kind::ItemRegistered {
            continue;
        }
        let refusal = match kind {
            Kind::DisposalApproved | Kind::DisposalDeclined => Refusal::NoSuchProposal,
            _ => Refusal::Unknown("item"),
        };
        assert_eq!(vault.clone_and_say(&s), Err(refusal), "{kind}");
        tried += 1;
    }
    assert!(tried >= 20, "{tried}");
    let mut held = said(&vault, STRANGER, Kind::HoldPlaced);
    vault.clone_and_say(&there(held.clone())).unwrap();
    held.item = Some(item(1));
    assert_eq!(vault.clone_and_say(&there(held)), Err(Refusal::Unknown("item")));
}

#[test]
fn an_item_of_the_case_can_be_read_in_an_emergency_and_its_reading_looked_at_by_who_is_in_the_case() {
    let mut vault = two_cases();
    let grant = read_in_an_emergency(&mut vault);
    let mut elsewhere = vault.copy();
    elsewhere.state.members.remove(&(theirs(), person(STRANGER)));
    let s = there(of_item(in_an_emergency(&vault), 1));
    assert_eq!(elsewhere.try_say(&s), Err(Refusal::Unknown("item")));
    // Two who have everything to say in the other case.
    let every = CaseRole::ALL.iter().map(|role| (*role, Term::LASTING)).collect();
    vault.state.members.insert((theirs(), person(READER)), every);
    let reviewed = |by| {
        let s = of_item(vault.signed(by, Kind::AccessReviewed, AccessReviewed { grant }.to_data()), 1);
        Statement { fields: [("finding".parse().unwrap(), Digest::ZERO)].into(), ..s }
    };
    assert_eq!(vault.clone_and_say(&there(reviewed(READER))), Err(Refusal::Unknown("item")));
    vault.clone_and_say(&reviewed(LEAD)).unwrap();
}

#[test]
fn what_the_vault_says_of_an_item_it_says_in_its_case() {
    let mut vault = two_cases();
    let expires = "2026-11-21T12:15:00.000Z".parse().unwrap();
    let s = vault.session(READER, Kind::AccessGranted, AccessGranted { expires, with: None }.to_data());
    let grant = vault.say(&of_item(Statement { purpose: Some("review".parse().unwrap()), ..s }, 1));
    let head = vault.state.items[&item(1)].head.record;
    let offer = vault.say(&vault.offer(LEAD, CUSTODIAN, 1, head));
    let object = ObjectId::new([9; 16]);
    let completed = AccessCompleted { bytes: Some(5), grant, outcome: AccessOutcome::Completed };
    let checked = FixityChecked::by_vault(object, "scrub".parse().unwrap());
    let received = ContentReceived { halves: None, manifest: Digest::ZERO, object, version: 1 };
    let over = TransferAnswered { offer: Seen::Record(offer) };
    let about = |kind, data| of_item(vault.system(kind, data), 1);
    let found = |s| Statement { content: Some(content(7, CheckedBy::Vault)), ..s };
    for s in [
        about(Kind::AccessCompleted, completed.to_data()),
        found(about(Kind::FixityPassed, checked.to_data())),
        found(about(Kind::ContentReceived, received.to_data())),
        Statement { seen: Some(Seen::Record(offer)), ..about(Kind::TransferExpired, over.to_data()) },
    ] {
        assert_eq!(vault.clone_and_say(&there(s)), Err(Refusal::Unknown("item")));
    }
    vault.clone_and_say(&about(Kind::AccessCompleted, completed.to_data())).unwrap();
}

#[test]
fn values_are_destroyed_of_records_of_the_case() {
    let mut vault = two_cases();
    let record = vault.say(&there(updated(&vault)));
    let propose = |case, record| {
        let data = DisposalProposed { records: Some(vec![record]), retention: None }.to_data();
        let s = vault.signed(STRANGER, Kind::DisposalProposed, data);
        Statement { case: Some(case), purpose: Some("court-order".parse().unwrap()), ..s }
    };
    vault.clone_and_say(&propose(theirs(), record)).unwrap();
    let other = vault.state.items[&item(1)].head.record;
    assert_eq!(vault.clone_and_say(&propose(theirs(), other)), Err(Refusal::SeenElsewhere));
}

fn updated(vault: &Vault) -> Statement {
    said(vault, STRANGER, Kind::CaseUpdated)
}

#[test]
fn whoever_speaks_for_the_vault_or_a_person_has_its_key() {
    let vault = Vault::new();
    let data =
        ItemRegistered { class: Class::Open, route: "cli".parse().unwrap(), sealing: None, sealed_by: None }
            .to_data();
    let s = of_item(vault.session(LEAD, Kind::ItemRegistered, data), 1);
    let act = Act::parse(&s).unwrap();
    assert_eq!(signers(&vault.state, &s, &act), Ok(vec![VAULT_KEY]));
    for own in [key(1), key(90)] {
        let s = Statement { actor_key: own.hash(), ..s.clone() };
        assert_eq!(signers(&vault.state, &s, &act), Err(Refusal::WrongAssurance));
    }
    let unknown = Statement { actor_key: key(90).hash(), assurance: Assurance::UserKey, ..s };
    assert_eq!(signers(&vault.state, &unknown, &act), Err(Refusal::KeyNotValid));
    assert_eq!(signers(&State::default(), &unknown, &act), Err(Refusal::Unknown("vault")));
}
