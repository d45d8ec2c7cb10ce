//! The table of rights, and roles that begin and end.

use custody::act::{
    AccessReviewed, BundleExported, Carriage, CaseType, CaseUpdated, Derivation, Disclosure,
    DisposalApproved, DisposalDeclined, DisposalProposed, HoldReleased, ItemClassified, ItemDerived,
    MemberAdded, RoleGranted, SealBroken, TransferCarried,
};
use custody::rules::{Holders, MAX_CASE_UPDATES};
use custody::time::Timestamp;

use super::*;

/// Minutes after noon.
fn minute(n: i64) -> Timestamp {
    Timestamp::from_millis("2026-11-21T12:00:00.000Z".parse::<Timestamp>().unwrap().millis() + n * 60_000)
        .unwrap()
}

fn at(n: i64, s: Statement) -> Statement {
    Statement { actor_time: minute(n), ..s }
}

/// The same, written down by hand: a right that slips to somebody is not found by comparing the table with itself.
#[test]
fn the_rights_are_these() {
    let roles = |right: Right| match right.row().holders {
        Holders::Vault(roles) => roles.iter().map(|role| role.name()).collect::<Vec<_>>().join(" "),
        Holders::Case(roles) => {
            let closed = if right.row().in_closed { "" } else { " if open" };
            format!("{}{closed}", roles.iter().map(|role| role.name()).collect::<Vec<_>>().join(" "))
        }
    };
    let table: Vec<_> = Right::ALL.iter().map(|right| (right.code(), roles(*right))).collect();
    let table: Vec<_> = table.iter().map(|(code, roles)| (*code, roles.as_str())).collect();
    assert_eq!(
        table,
        [
            ("register-org", "administrator"),
            ("register-person", "administrator registrar"),
            ("change-roles", "administrator"),
            ("run-vault", "administrator"),
            ("vouch", "registrar"),
            ("revoke-keys", "administrator registrar"),
            ("read-audit", "auditor"),
            ("propose-erasure", "administrator registrar"),
            ("approve-erasure", "administrator registrar auditor"),
            ("break-glass", "custodian investigator"),
            ("open-case", "custodian investigator"),
            ("read-records", "lead investigator custodian prosecutor court defence reader observer"),
            ("read-content", "lead investigator custodian prosecutor court defence reader"),
            ("review-access", "lead prosecutor court"),
            ("update-case", "lead investigator prosecutor if open"),
            ("close-case", "lead"),
            ("change-members", "lead"),
            ("register-item", "lead investigator custodian if open"),
            ("classify", "lead custodian"),
            ("hold-custody", "lead investigator custodian prosecutor court"),
            ("export", "lead custodian prosecutor court"),
            ("correct", "lead investigator custodian prosecutor court"),
            ("propose-production", "lead custodian prosecutor court"),
            ("approve-production", "lead prosecutor court"),
            ("place-hold", "lead custodian prosecutor court"),
            ("release-hold", "lead prosecutor court"),
            ("propose-disposal", "lead custodian"),
            ("approve-disposal", "lead custodian prosecutor court"),
        ]
    );
}

#[test]
fn a_role_has_the_name_that_it_is_parsed_from_and_written_as() {
    for role in VaultRole::ALL {
        assert_eq!(role.name().parse(), Ok(*role));
        assert_eq!(RoleChange { role: *role }.to_data()["role"], role.name().into());
    }
    for role in CaseRole::ALL {
        assert_eq!(role.name().parse(), Ok(*role));
        let change = MemberChange { member: person(1), role: *role };
        assert_eq!(change.to_data()["role"], role.name().into());
    }
    let error = "manager".parse::<VaultRole>().unwrap_err().to_string();
    assert_eq!(
        error,
        "a role in the vault is one of administrator, registrar, auditor, custodian, investigator"
    );
}

#[test]
fn a_role_lasts_if_it_counts_and_has_no_end() {
    let begins = Term { from: Some(minute(1)), until: None };
    assert_eq!([0, 1, 2].map(|n| begins.lasts(minute(n))), [false, true, true]);
    assert!(Term::LASTING.lasts(minute(0)));
    let ends = Term { from: None, until: Some(minute(2)) };
    assert_eq!(
        [1, 2].map(|n| (ends.covers(minute(n)), ends.lasts(minute(n)))),
        [(true, false), (false, false)]
    );
}

#[test]
fn what_is_said_takes_the_right_of_where_it_is_said_or_the_only_one_there_is() {
    for (kind, of_case, right) in [
        (Kind::CorrectionNoted, true, Some(Right::Correct)),
        (Kind::CorrectionNoted, false, Some(Right::RegisterPerson)),
        (Kind::DisposalProposed, true, Some(Right::ProposeDisposal)),
        (Kind::DisposalProposed, false, Some(Right::ProposeErasure)),
        // It names a case that there is not yet.
        (Kind::CaseOpened, true, Some(Right::OpenCase)),
        (Kind::AccessGranted, false, Some(Right::ReadContent)),
        // About oneself it takes none.
        (Kind::KeyRevoked, false, None),
        (Kind::AccessDenied, true, None),
    ] {
        assert_eq!(Right::needed(kind, of_case), right, "{kind} in a case: {of_case}");
    }
}

/// Somebody says something of this kind about the case, its item 1 or another person, in a shape that is right.
pub(super) fn said(vault: &Vault, by: u128, kind: Kind) -> Statement {
    let expires = minute(10);
    let offer = TransferAnswered { offer: Seen::Record(Digest::ZERO) }.to_data();
    let data = match kind {
        Kind::ItemRegistered => ItemRegistered {
            class: Class::Open,
            route: "cli".parse().unwrap(),
            sealing: None,
            sealed_by: None,
        }
        .to_data(),
        Kind::ItemDerived => ItemDerived {
            how: Derivation::Clip,
            boxes: None,
            digest: Digest::ZERO,
            grant: None,
            of: item(1),
            original: Digest::ZERO,
        }
        .to_data(),
        Kind::ItemClassified => ItemClassified { class: Class::Confidential, sealing: None }.to_data(),
        Kind::AccessGranted => AccessGranted { expires, with: None }.to_data(),
        Kind::ItemResealed | Kind::ResealConfirmed | Kind::ResealWithdrawn => super::resealing::some(kind),
        Kind::AccessReviewed => AccessReviewed { grant: Digest::ZERO }.to_data(),
        Kind::TransferOffered => {
            TransferOffered { carriers: None, expires: None, to: person(LEAD) }.to_data()
        }
        Kind::TransferCarried => {
            TransferCarried { offer: Some(Seen::Record(Digest::ZERO)), step: Carriage::Taken }.to_data()
        }
        Kind::TransferAccepted | Kind::TransferDeclined | Kind::TransferRecalled => offer,
        Kind::CaseUpdated => {
            CaseUpdated { case_type: Some(CaseType::Trafficking), jurisdiction: None }.to_data()
        }
        Kind::ItemMoved | Kind::SealApplied | Kind::CaseClosed | Kind::CaseReopened | Kind::HoldPlaced => {
            Object::new()
        }
        Kind::SealBroken => SealBroken { seal: Seen::Record(Digest::ZERO) }.to_data(),
        Kind::CorrectionNoted => CorrectionNoted { record: Digest::ZERO }.to_data(),
        Kind::BundleExported => {
            BundleExported { heads: Digest::ZERO, productions: None, sequences: 1 }.to_data()
        }
        Kind::MemberAdded | Kind::MemberRemoved => {
            MemberChange { member: person(CUSTODIAN), role: CaseRole::Prosecutor }.to_data()
        }
        Kind::HoldReleased => HoldReleased { hold: Seen::Record(Digest::ZERO) }.to_data(),
        Kind::DisposalProposed => DisposalProposed { records: None, retention: None }.to_data(),
        Kind::DisposalApproved => DisposalApproved {
            disclosure: Disclosure::NonePending,
            exports: 0,
            proposal: Digest::ZERO,
            role: "lead".parse().unwrap(),
        }
        .to_data(),
        Kind::ProductionProposed
        | Kind::ProductionApproved
        | Kind::ProductionDeclined
        | Kind::ProductionSealed => super::production::some(kind),
        Kind::DisposalDeclined => DisposalDeclined { proposal: Digest::ZERO }.to_data(),
        Kind::FixityPassed | Kind::FixityFailed => super::by_sender::some(kind),
        _ => panic!("say how {kind} is said"),
    };
    let purpose = matches!(kind.spec().purpose, custody::kind::Need::Required);
    let committed = ["authority", "condition", "finding", "place", "reason", "seal"]
        .map(|name| (name.parse().unwrap(), Digest::ZERO));
    let disposes = matches!(kind, Kind::DisposalProposed | Kind::DisposalApproved | Kind::DisposalDeclined);
    let of_item = matches!(kind.spec().scope, custody::kind::Scope::Item) || disposes;
    let found = matches!(kind.spec().content, custody::kind::Need::Required);
    Statement {
        content: found.then(|| content(7, CheckedBy::Oneself)),
        purpose: purpose.then(|| "review".parse().unwrap()),
        fields: committed.into(),
        item: of_item.then(|| item(if kind == Kind::ItemRegistered { 9 } else { 1 })),
        ..in_case(vault.signed(by, kind, data))
    }
}

fn decided(vault: &Vault, statement: &Statement) -> Result<(), Refusal> {
    decide(&vault.state, statement.actor_time, statement, &Act::parse(statement).unwrap())
}

#[test]
fn what_is_said_in_a_case_takes_the_right_of_the_table_now_and_in_the_state_of_the_case() {
    let mut vault = Vault::new();
    vault.register(1, Class::Open, None).unwrap();
    let kinds: Vec<_> = Right::ALL
        .iter()
        .filter(|right| matches!(right.row().holders, Holders::Case(_)))
        .flat_map(|right| right.row().acts.iter().map(|kind| (*right, *kind)))
        .filter(|(_, kind)| kind.spec().supported && kind.spec().speaker != custody::kind::Speaker::System)
        .collect();
    assert!(kinds.len() >= 16);
    let terms = [
        (Term::LASTING, true),
        (Term { from: Some(minute(0)), until: Some(minute(1)) }, true),
        (Term { from: Some(minute(1)), until: None }, false),
        (Term { from: None, until: Some(minute(0)) }, false),
    ];
    for (right, kind) in kinds {
        let s = said(&vault, READER, kind);
        vault.state.cases.get_mut(&case()).unwrap().closed = kind == Kind::CaseReopened;
        for role in CaseRole::ALL {
            for (term, counts) in terms {
                vault.state.members.insert((case(), person(READER)), [(*role, term)].into());
                let refused = decided(&vault, &s) == Err(Refusal::NotPermitted(right));
                assert_eq!(refused, !(counts && role.permits(right)), "{kind} by {role:?} {term:?}");
            }
        }
        vault.state.cases.get_mut(&case()).unwrap().closed = true;
        let every = CaseRole::ALL.iter().map(|role| (*role, Term::LASTING)).collect();
        vault.state.members.insert((case(), person(READER)), every);
        let refused = decided(&vault, &s) == Err(Refusal::CaseClosed);
        assert_eq!(refused, !right.row().in_closed, "{kind} when closed");
    }
}

#[test]
fn what_the_vault_says_needs_no_role_and_is_held_to_the_state_of_the_case() {
    let mut vault = Vault::new();
    vault.register(1, Class::Open, None).unwrap();
    vault.say(&in_case(vault.signed(LEAD, Kind::CaseClosed, Object::new())));
    assert_eq!(vault.receive(1, 7), Err(Refusal::CaseClosed));
    vault.say(&in_case(vault.signed(LEAD, Kind::CaseReopened, Object::new())));
    vault.receive(1, 7).unwrap();
}

#[test]
fn a_case_is_updated_while_it_is_open_by_something_that_changes() {
    let mut vault = Vault::new();
    let update = |vault: &Vault, data: Object| in_case(vault.signed(LEAD, Kind::CaseUpdated, data));
    let nothing = update(&vault, Object::new());
    assert!(Act::parse(&nothing).is_err(), "it changes nothing");
    let with = |field: &str| Statement {
        fields: [(field.parse().unwrap(), Digest::ZERO)].into(),
        ..nothing.clone()
    };
    assert!(Act::parse(&with("ref-erence")).is_err(), "no kind of reference");
    vault.say(&with("ref-fir-2"));
    let changed = CaseUpdated { case_type: None, jurisdiction: Some("ug".parse().unwrap()) };
    vault.say(&update(&vault, changed.to_data()));
    let stmts = [with("ref-fir-2"), update(&vault, changed.to_data())];
    assert_eq!(vault.state.cases[&case()].updates.len(), stmts.len());
    assert_eq!(vault.state.cases[&case()].updates[0], Digest::of(&stmts[0].to_bytes()));
    vault.say(&in_case(vault.signed(LEAD, Kind::CaseClosed, Object::new())));
    assert_eq!(vault.try_say(&update(&vault, changed.to_data())), Err(Refusal::CaseClosed));
    // As often as somebody who shows the case can read.
    vault.say(&in_case(vault.signed(LEAD, Kind::CaseReopened, Object::new())));
    for _ in stmts.len()..MAX_CASE_UPDATES {
        vault.say(&update(&vault, changed.to_data()));
    }
    assert_eq!(vault.try_say(&update(&vault, changed.to_data())), Err(Refusal::TooManyUpdates));
    assert_eq!(vault.state.cases[&case()].updates.len(), MAX_CASE_UPDATES);
}

#[test]
fn a_case_is_closed_once_and_reopened_once() {
    let mut vault = Vault::new();
    let say = |vault: &mut Vault, by, kind| {
        let s = in_case(vault.signed(by, kind, Object::new()));
        vault.try_say(&s).map(drop)
    };
    assert_eq!(say(&mut vault, LEAD, Kind::CaseReopened), Err(Refusal::CaseState("open")));
    assert_eq!(say(&mut vault, CUSTODIAN, Kind::CaseClosed), Err(Refusal::NotPermitted(Right::CloseCase)));
    say(&mut vault, LEAD, Kind::CaseClosed).unwrap();
    assert_eq!(say(&mut vault, LEAD, Kind::CaseClosed), Err(Refusal::CaseState("closed")));
    assert_eq!(vault.register(1, Class::Open, None), Err(Refusal::CaseClosed));
    say(&mut vault, LEAD, Kind::CaseReopened).unwrap();
    vault.register(1, Class::Open, None).unwrap();
}

impl Vault {
    fn joins_for(&mut self, now: i64, by: u128, n: u128, role: CaseRole, term: Term) -> Result<(), Refusal> {
        let data = MemberAdded { from: term.from, member: person(n), role, until: term.until };
        let s = at(now, in_case(self.signed(by, Kind::MemberAdded, data.to_data())));
        self.try_say(&s).map(drop)
    }

    fn leaves_at(&mut self, now: i64, by: u128, n: u128, role: CaseRole) -> Result<(), Refusal> {
        let data = MemberChange { member: person(n), role }.to_data();
        let s = at(now, in_case(self.signed(by, Kind::MemberRemoved, data)));
        self.try_say(&s).map(drop)
    }

    fn vault_role(
        &mut self,
        now: i64,
        by: u128,
        n: u128,
        role: VaultRole,
        term: Term,
    ) -> Result<(), Refusal> {
        let data = RoleGranted { from: term.from, role, until: term.until }.to_data();
        let s = at(now, self.session(by, Kind::RoleGranted, data));
        self.try_say(&Statement { person: Some(person(n)), ..s }).map(drop)
    }

    fn takes_vault_role(&mut self, now: i64, by: u128, n: u128, role: VaultRole) -> Result<(), Refusal> {
        let s = at(now, self.session(by, Kind::RoleRevoked, RoleChange { role }.to_data()));
        self.try_say(&Statement { person: Some(person(n)), ..s }).map(drop)
    }
}

fn term(from: Option<i64>, until: Option<i64>) -> Term {
    Term { from: from.map(minute), until: until.map(minute) }
}

#[test]
fn a_role_counts_from_its_beginning_and_no_longer_than_to_its_end() {
    let mut vault = Vault::new();
    vault.joins_for(0, LEAD, STRANGER, CaseRole::Investigator, term(Some(10), Some(20))).unwrap();
    for (now, permitted) in [(9, false), (10, true), (19, true), (20, false)] {
        let s = at(now, said(&vault, STRANGER, Kind::ItemRegistered));
        assert_eq!(decided(&vault, &s).is_ok(), permitted, "minute {now}");
        assert_eq!(vault.state.is_member(case(), person(STRANGER), minute(now)), permitted);
    }
    let edge = Timestamp::from_millis(minute(20).millis() - 1).unwrap();
    assert!(vault.state.is_member(case(), person(STRANGER), edge));
}

#[test]
fn a_term_ends_after_it_begins_and_after_now() {
    let mut vault = Vault::new();
    for (from, until, good) in [
        (None, Some(0), false),
        (None, Some(-1), false),
        (Some(5), Some(5), false),
        (Some(6), Some(5), false),
        (Some(-5), Some(0), false),
        (Some(-5), Some(1), true),
    ] {
        let decision = vault.joins_for(0, LEAD, STRANGER, CaseRole::Court, term(from, until));
        assert_eq!(decision, if good { Ok(()) } else { Err(Refusal::Term) }, "{from:?} {until:?}");
    }
    let role = VaultRole::Auditor;
    assert_eq!(vault.vault_role(5, ADMIN, STRANGER, role, term(None, Some(5))), Err(Refusal::Term));
    vault.vault_role(5, ADMIN, STRANGER, role, term(None, Some(6))).unwrap();
}

#[test]
fn a_role_is_granted_again_only_for_longer_or_once_it_has_ended() {
    let has = Err(Refusal::Role("already has"));
    for (former, now, new, decision) in [
        ((None, None), 1, (None, Some(9)), has.clone()),
        ((None, None), 1, (None, None), has.clone()),
        ((None, Some(9)), 1, (None, Some(9)), has.clone()),
        ((None, Some(9)), 1, (None, Some(8)), has.clone()),
        ((None, Some(9)), 1, (None, Some(10)), Ok(())),
        ((None, Some(9)), 1, (Some(1), Some(10)), Ok(())),
        ((None, Some(9)), 1, (Some(2), None), has.clone()),
        ((None, Some(9)), 1, (None, None), Ok(())),
        ((Some(5), Some(9)), 1, (Some(5), Some(10)), Ok(())),
        ((Some(5), Some(9)), 1, (Some(4), Some(10)), Ok(())),
        ((Some(5), Some(9)), 1, (Some(6), Some(10)), has.clone()),
        ((Some(5), Some(9)), 8, (Some(9), Some(10)), has.clone()),
        ((None, Some(9)), 9, (Some(12), Some(13)), Ok(())),
        ((None, Some(9)), 10, (None, Some(11)), Ok(())),
    ] {
        let mut vault = Vault::new();
        let (former, new) = (term(former.0, former.1), term(new.0, new.1));
        vault.joins_for(0, LEAD, STRANGER, CaseRole::Court, former).unwrap();
        let decided = vault.joins_for(now, LEAD, STRANGER, CaseRole::Court, new);
        assert_eq!(decided, decision, "{former:?} at minute {now}, then {new:?}");
        let has = vault.state.members[&(case(), person(STRANGER))][&CaseRole::Court];
        assert_eq!(has, if decision.is_ok() { new } else { former });
        assert_eq!(vault.state.persons[&person(STRANGER)].memberships, 1);
    }
}

#[test]
fn a_lead_without_an_end_is_left_in_every_case() {
    let mut vault = Vault::new();
    let lead = CaseRole::Lead;
    vault.joins_for(0, LEAD, CUSTODIAN, lead, term(None, Some(60))).unwrap();
    assert_eq!(vault.leaves_at(1, CUSTODIAN, LEAD, lead), Err(Refusal::LastOne), "its own role ends");
    vault.joins_for(2, LEAD, READER, lead, term(Some(30), None)).unwrap();
    vault.joins_for(2, LEAD, STRANGER, lead, Term::LASTING).unwrap();
    assert_eq!(vault.leaves_at(3, LEAD, LEAD, lead), Err(Refusal::LastOne), "oneself");
    vault.leaves_at(3, STRANGER, LEAD, lead).unwrap();
    vault.leaves_at(4, CUSTODIAN, READER, lead).unwrap_err();
    assert_eq!(vault.leaves_at(4, STRANGER, STRANGER, lead), Err(Refusal::LastOne));
    vault.joins_for(5, STRANGER, LEAD, lead, term(None, Some(50))).unwrap();
    vault.leaves_at(6, CUSTODIAN, LEAD, lead).unwrap();
    vault.leaves_at(7, STRANGER, CUSTODIAN, lead).unwrap();
}

#[test]
fn whoever_has_a_role_for_a_time_gives_it_to_nobody_for_longer() {
    let mut vault = Vault::new();
    let lead = CaseRole::Lead;
    vault.joins_for(0, LEAD, CUSTODIAN, lead, term(None, Some(60))).unwrap();
    for (whom, until) in [(CUSTODIAN, None), (CUSTODIAN, Some(61)), (READER, None), (READER, Some(61))] {
        let granted = vault.joins_for(1, CUSTODIAN, whom, lead, term(None, until));
        assert_eq!(granted, Err(Refusal::Term), "{whom} {until:?}");
    }
    vault.joins_for(1, CUSTODIAN, READER, lead, term(None, Some(60))).unwrap();
    vault.joins_for(1, LEAD, CUSTODIAN, CaseRole::Reader, term(None, Some(60))).unwrap();
    vault.joins_for(1, CUSTODIAN, STRANGER, CaseRole::Reader, Term::LASTING).unwrap();
    vault.joins_for(2, LEAD, CUSTODIAN, lead, Term::LASTING).unwrap();
    vault.joins_for(3, CUSTODIAN, STRANGER, lead, Term::LASTING).unwrap();

    let (administrator, other) = (VaultRole::Administrator, 5);
    let registered = PersonRegistered { org: org() }.to_data();
    let s = vault.session(ADMIN, Kind::PersonRegistered, registered);
    vault.say(&Statement { person: Some(person(other)), ..s });
    vault.vault_role(4, ADMIN, other, administrator, term(None, Some(60))).unwrap();
    for until in [None, Some(61)] {
        let granted = vault.vault_role(5, other, other, administrator, term(None, until));
        assert_eq!(granted, Err(Refusal::Term), "{until:?}");
    }
    vault.vault_role(5, ADMIN, other, VaultRole::Auditor, term(None, Some(60))).unwrap();
    vault.vault_role(5, other, LEAD, VaultRole::Auditor, Term::LASTING).unwrap();
}

#[test]
fn an_administrator_and_a_registrar_without_an_end_are_left_in_the_vault() {
    let mut vault = Vault::new();
    let (admin, registrar) = (VaultRole::Administrator, VaultRole::Registrar);
    let other = 5;
    let registered = PersonRegistered { org: org() }.to_data();
    let s = vault.session(ADMIN, Kind::PersonRegistered, registered);
    vault.say(&Statement { person: Some(person(other)), ..s });
    vault.vault_role(0, ADMIN, other, admin, term(None, Some(60))).unwrap();
    assert_eq!(vault.takes_vault_role(1, other, ADMIN, admin), Err(Refusal::LastOne));
    assert_eq!(
        vault.takes_vault_role(60, other, ADMIN, registrar),
        Err(Refusal::NotPermitted(Right::ChangeRoles)),
        "ended"
    );
    vault.vault_role(61, ADMIN, LEAD, registrar, term(None, Some(90))).unwrap();
    assert_eq!(vault.takes_vault_role(62, ADMIN, ADMIN, registrar), Err(Refusal::LastOne), "one that ends");
    vault.vault_role(63, ADMIN, LEAD, registrar, Term::LASTING).unwrap();
    vault.takes_vault_role(64, ADMIN, ADMIN, registrar).unwrap();
    vault.vault_role(65, ADMIN, other, admin, Term::LASTING).unwrap();
    vault.takes_vault_role(66, other, ADMIN, admin).unwrap();
}

#[test]
fn a_role_that_does_not_count_keeps_administrators_and_cases_apart_all_the_same() {
    let mut vault = Vault::new();
    let (soon, administrator) = (term(Some(10), None), VaultRole::Administrator);
    vault.vault_role(0, ADMIN, STRANGER, administrator, soon).unwrap();
    let joins = vault.joins_for(1, LEAD, STRANGER, CaseRole::Reader, Term::LASTING);
    assert_eq!(joins, Err(Refusal::AdministratorApart));
    vault.joins_for(1, LEAD, CUSTODIAN, CaseRole::Court, term(None, Some(2))).unwrap();
    vault.leaves_at(1, LEAD, CUSTODIAN, CaseRole::Custodian).unwrap();
    let granted = vault.vault_role(5, ADMIN, CUSTODIAN, administrator, Term::LASTING);
    assert_eq!(granted, Err(Refusal::AdministratorApart));
}

#[test]
fn only_a_role_that_counts_lets_its_member_keep_what_they_hold() {
    let mut vault = Vault::new();
    let registered = vault.register(1, Class::Open, None).unwrap();
    let offer = vault.say(&vault.offer(LEAD, CUSTODIAN, 1, registered));
    vault.say(&vault.answer(CUSTODIAN, Kind::TransferAccepted, 1, offer, offer));
    vault.joins_for(0, LEAD, CUSTODIAN, CaseRole::Court, term(Some(10), Some(20))).unwrap();
    for (now, decision) in [(9, false), (20, false), (10, true)] {
        let decided = vault.leaves_at(now, LEAD, CUSTODIAN, CaseRole::Custodian);
        assert_eq!(decided, if decision { Ok(()) } else { Err(Refusal::HoldsCustody) }, "minute {now}");
    }
    // What never let them keep anything can be taken, whatever they hold; so can a role that has ended.
    vault.joins_for(21, LEAD, CUSTODIAN, CaseRole::Observer, Term::LASTING).unwrap();
    vault.leaves_at(22, LEAD, CUSTODIAN, CaseRole::Observer).unwrap();
    vault.leaves_at(22, LEAD, CUSTODIAN, CaseRole::Court).unwrap();
}

#[test]
fn nothing_is_offered_to_somebody_whose_role_does_not_count() {
    let mut vault = Vault::new();
    let registered = vault.register(1, Class::Open, None).unwrap();
    vault.joins_for(0, LEAD, STRANGER, CaseRole::Court, term(Some(10), Some(20))).unwrap();
    for (now, permitted) in [(9, false), (10, true), (20, false)] {
        let s = at(now, vault.offer(LEAD, STRANGER, 1, registered));
        assert_eq!(decided(&vault, &s).is_ok(), permitted, "minute {now}");
    }
}
