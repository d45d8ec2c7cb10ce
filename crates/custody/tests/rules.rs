//! The rules, one sentence a test: who may say what, after what.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says by failing")]

use std::collections::BTreeMap;

use custody::act::{
    AccessCompleted, AccessGranted, AccessOutcome, Act, CaseOpened, CaseRole, Class, ContentReceived,
    ItemClassified, ItemRegistered, KeyCheck, KeyEnrolled, KeyRevoked, MemberChange, ObjectId, OrgRegistered,
    PersonRegistered, PublicKey, RoleChange, TransferAnswered, TransferOffered, VaultCreated, VaultRole,
};
use custody::digest::Digest;
use custody::id::{CaseId, ItemId, OpId, OrgId, PersonId};
use custody::json::Object;
use custody::kind::Kind;
use custody::rules::{Admitted, Footprint, Refusal, Right, State, Voucher, apply, decide, places, signers};
use custody::statement::{
    Actor, Assurance, CheckedBy, Content, DigestAlg, ItemRef, Seen, Statement, Version,
};
use uuid::Uuid;

/// A vault that says things and remembers their consequences. Record hashes are simply counted.
struct Vault {
    state: State,
    records: u8,
}

const VAULT_KEY: PublicKey = PublicKey::new([1; 32]);
const ADMIN_KEY: PublicKey = PublicKey::new([2; 32]);

fn org() -> OrgId {
    OrgId::new(Uuid::from_u128(1))
}
fn person(n: u128) -> PersonId {
    PersonId::new(Uuid::from_u128(100 + n))
}
fn key(n: u8) -> PublicKey {
    PublicKey::new([100 + n; 32])
}
fn case() -> CaseId {
    CaseId::new(Uuid::from_u128(2))
}
fn item(n: u128) -> ItemId {
    ItemId::new(Uuid::from_u128(200 + n))
}
fn content(byte: u8, checked_by: CheckedBy) -> Content {
    Content { alg: DigestAlg::Sha256, checked_by, digest: Digest::new([byte; 32]), size: 5 }
}

const ADMIN: u128 = 0;
const LEAD: u128 = 1;
const CUSTODIAN: u128 = 2;
const READER: u128 = 3;
const STRANGER: u128 = 4;

impl Vault {
    fn statement(&self, actor: Actor, actor_key: PublicKey, assurance: Assurance, kind: Kind) -> Statement {
        Statement {
            actor,
            actor_key: actor_key.hash(),
            actor_time: "2026-11-21T12:00:00.000Z".parse().unwrap(),
            assurance,
            case: None,
            content: None,
            data: Object::new(),
            fields: BTreeMap::new(),
            item: None,
            items: None,
            kind,
            op_id: OpId::new([self.records; 16]),
            person: None,
            purpose: None,
            seen: None,
            v: Version,
            vault: self.state.vault.as_ref().map(|vault| vault.id),
        }
    }

    fn system(&self, kind: Kind, data: Object) -> Statement {
        Statement { data, ..self.statement(Actor::System, VAULT_KEY, Assurance::System, kind) }
    }

    fn session(&self, by: u128, kind: Kind, data: Object) -> Statement {
        Statement { data, ..self.statement(Actor::Person(person(by)), VAULT_KEY, Assurance::Session, kind) }
    }

    fn signed(&self, by: u128, kind: Kind, data: Object) -> Statement {
        let own = if by == ADMIN { ADMIN_KEY } else { key(u8::try_from(by).unwrap()) };
        Statement { data, ..self.statement(Actor::Person(person(by)), own, Assurance::UserKey, kind) }
    }

    fn try_say(&mut self, statement: &Statement) -> Result<Digest, Refusal> {
        let act = Act::parse(statement).expect("the shape is right");
        signers(&self.state, statement, &act)?;
        decide(&self.state, statement, &act)?;
        let count = places(statement, &act).len();
        let records: Vec<_> = (0..count)
            .map(|_| {
                self.records += 1;
                Digest::new([self.records; 32])
            })
            .collect();
        let stmt = Digest::of(&statement.to_bytes());
        apply(
            &mut self.state,
            statement,
            &act,
            &Admitted { stmt, log_index: self.records.into(), records: &records },
        );
        Ok(records[0])
    }

    fn say(&mut self, statement: &Statement) -> Digest {
        self.try_say(statement).unwrap_or_else(|refusal| panic!("{:?}: {refusal}", statement.kind))
    }

    /// A vault with an administrator who vouches, a lead, a custodian, a reader and a stranger, each with a key, and
    /// one case.
    fn new() -> Self {
        let mut vault = Self { state: State::default(), records: 0 };
        let created =
            VaultCreated { log_vkey: "log".to_owned(), origin: "o".to_owned(), vault_key: VAULT_KEY };
        vault.say(&vault.system(Kind::VaultCreated, created.to_data()));
        vault.say(&vault.system(Kind::OrgRegistered, OrgRegistered { org: org() }.to_data()));
        let registered = PersonRegistered { org: org() }.to_data();
        let about = |s: Statement, n| Statement { person: Some(person(n)), ..s };
        vault.say(&about(vault.system(Kind::PersonRegistered, registered.clone()), ADMIN));
        for role in [VaultRole::Administrator, VaultRole::Registrar] {
            vault.say(&about(vault.system(Kind::RoleGranted, RoleChange { role }.to_data()), ADMIN));
        }
        vault.say(&about(vault.system(Kind::KeyEnrolled, enrolled(ADMIN_KEY)), ADMIN));
        for n in [LEAD, CUSTODIAN, READER, STRANGER] {
            vault.say(&about(vault.session(ADMIN, Kind::PersonRegistered, registered.clone()), n));
            let own = key(u8::try_from(n).unwrap());
            vault.say(&about(vault.signed(ADMIN, Kind::KeyEnrolled, enrolled(own)), n));
        }
        let role = RoleChange { role: VaultRole::Investigator }.to_data();
        vault.say(&about(vault.session(ADMIN, Kind::RoleGranted, role), LEAD));
        let opened = CaseOpened { case_type: "other".parse().unwrap(), jurisdiction: "ke".parse().unwrap() };
        vault.say(&in_case(vault.signed(LEAD, Kind::CaseOpened, opened.to_data())));
        for (n, role) in [(CUSTODIAN, CaseRole::Custodian), (READER, CaseRole::Reader)] {
            let member = MemberChange { member: person(n), role }.to_data();
            vault.say(&in_case(vault.signed(LEAD, Kind::MemberAdded, member)));
        }
        vault
    }

    fn register(&mut self, n: u128, class: Class, claimed: Option<Content>) -> Result<Digest, Refusal> {
        let data = ItemRegistered { class, route: "cli".parse().unwrap() }.to_data();
        let s = of_item(self.signed(LEAD, Kind::ItemRegistered, data), n);
        self.try_say(&Statement { content: claimed, ..s })
    }

    fn receive(&mut self, n: u128, digest: u8) -> Result<Digest, Refusal> {
        let data =
            ContentReceived { manifest: Digest::ZERO, object: ObjectId::new([9; 16]), version: 1 }.to_data();
        let s = of_item(self.system(Kind::ContentReceived, data), n);
        self.try_say(&Statement { content: Some(content(digest, CheckedBy::Vault)), ..s })
    }

    fn offer(&self, by: u128, to: u128, n: u128, seen: Digest) -> Statement {
        let data = TransferOffered { to: person(to) }.to_data();
        let s = of_item(self.signed(by, Kind::TransferOffered, data), n);
        Statement { seen: Some(Seen::Record(seen)), purpose: Some("storage".parse().unwrap()), ..s }
    }

    fn answer(&self, by: u128, kind: Kind, n: u128, offer: Digest, seen: Digest) -> Statement {
        let data = TransferAnswered { offer: Seen::Record(offer) }.to_data();
        Statement { seen: Some(Seen::Record(seen)), ..of_item(self.signed(by, kind, data), n) }
    }
}

fn enrolled(key: PublicKey) -> Object {
    KeyEnrolled { checked: KeyCheck::InPerson, key }.to_data()
}
fn in_case(s: Statement) -> Statement {
    Statement { case: Some(case()), ..s }
}
fn of_item(s: Statement, n: u128) -> Statement {
    Statement { item: Some(item(n)), ..in_case(s) }
}

#[test]
fn the_vault_founds_itself_once() {
    let mut vault = Vault::new();
    let created = VaultCreated { log_vkey: "log".to_owned(), origin: "o".to_owned(), vault_key: VAULT_KEY };
    let again = Statement { vault: None, ..vault.system(Kind::VaultCreated, created.to_data()) };
    assert_eq!(vault.try_say(&again), Err(Refusal::Exists("vault")));
    let other = OrgRegistered { org: OrgId::new(Uuid::from_u128(99)) }.to_data();
    assert_eq!(vault.try_say(&vault.system(Kind::OrgRegistered, other)), Err(Refusal::SetUpOnly));
    let registered = PersonRegistered { org: org() }.to_data();
    let more = Statement { person: Some(person(50)), ..vault.system(Kind::PersonRegistered, registered) };
    assert_eq!(vault.try_say(&more), Err(Refusal::SetUpOnly));
    let role = RoleChange { role: VaultRole::Administrator }.to_data();
    let more = Statement { person: Some(person(STRANGER)), ..vault.system(Kind::RoleGranted, role) };
    assert_eq!(vault.try_say(&more), Err(Refusal::SetUpOnly));
    let key = Statement { person: Some(person(ADMIN)), ..vault.system(Kind::KeyEnrolled, enrolled(key(60))) };
    assert_eq!(vault.try_say(&key), Err(Refusal::SetUpOnly));
}

#[test]
fn a_key_is_vouched_for_by_its_owner_or_a_registrar_and_by_nobody_else() {
    let mut vault = Vault::new();
    let about = |s: Statement, n| Statement { person: Some(person(n)), ..s };
    let by_stranger = about(vault.signed(STRANGER, Kind::KeyEnrolled, enrolled(key(70))), LEAD);
    assert_eq!(vault.try_say(&by_stranger), Err(Refusal::NotPermitted(Right::Vouch)));
    let on_behalf = about(vault.session(ADMIN, Kind::KeyEnrolled, enrolled(key(70))), LEAD);
    assert_eq!(vault.try_say(&on_behalf), Err(Refusal::NotVoucher));
    let own = about(vault.signed(LEAD, Kind::KeyEnrolled, enrolled(key(71))), LEAD);
    vault.say(&own);
    let found = &vault.state.keys[&key(71).hash()];
    assert!(matches!(found.voucher, Voucher::Owner(_)) && !found.unproven);
    let by_registrar = about(vault.signed(ADMIN, Kind::KeyEnrolled, enrolled(key(72))), LEAD);
    vault.say(&by_registrar);
    assert!(vault.state.keys[&key(72).hash()].unproven, "a further key that the owner did not vouch for");
    let twice = about(vault.signed(ADMIN, Kind::KeyEnrolled, enrolled(key(72))), STRANGER);
    assert_eq!(vault.try_say(&twice), Err(Refusal::KeyKnown));
    let vaults = about(vault.signed(ADMIN, Kind::KeyEnrolled, enrolled(VAULT_KEY)), STRANGER);
    assert_eq!(vault.try_say(&vaults), Err(Refusal::KeyKnown));
}

#[test]
fn an_enrolment_is_signed_by_voucher_and_new_key_in_this_order() {
    let vault = Vault::new();
    let s =
        Statement { person: Some(person(LEAD)), ..vault.signed(ADMIN, Kind::KeyEnrolled, enrolled(key(80))) };
    assert_eq!(signers(&vault.state, &s, &Act::parse(&s).unwrap()), Ok(vec![ADMIN_KEY, key(80)]));
}

#[test]
fn a_revoked_key_signs_nothing_more() {
    let mut vault = Vault::new();
    let revoked = KeyRevoked { key: key(1).hash(), suspect_from: Some(3) }.to_data();
    vault.say(&Statement { person: Some(person(LEAD)), ..vault.session(LEAD, Kind::KeyRevoked, revoked) });
    assert_eq!(vault.register(1, Class::Open, None), Err(Refusal::KeyNotValid));
}

#[test]
fn a_persons_key_is_no_good_for_somebody_else_and_the_vaults_for_nobody() {
    let mut vault = Vault::new();
    let data = ItemRegistered { class: Class::Open, route: "cli".parse().unwrap() }.to_data();
    let borrowed = Statement {
        actor: Actor::Person(person(CUSTODIAN)),
        ..vault.signed(LEAD, Kind::ItemRegistered, data)
    };
    assert_eq!(vault.try_say(&of_item(borrowed.clone(), 1)), Err(Refusal::KeyNotValid));
    let vaults = Statement { actor_key: VAULT_KEY.hash(), ..borrowed };
    assert_eq!(vault.try_say(&of_item(vaults, 1)), Err(Refusal::KeyNotValid));
}

#[test]
fn statements_for_another_vault_are_refused() {
    let mut vault = Vault::new();
    let data = ItemRegistered { class: Class::Open, route: "cli".parse().unwrap() }.to_data();
    let s = of_item(vault.signed(LEAD, Kind::ItemRegistered, data), 1);
    assert_eq!(vault.try_say(&Statement { vault: Some(Digest::ZERO), ..s }), Err(Refusal::OtherVault));
}

#[test]
fn administrators_and_cases_stay_apart() {
    let mut vault = Vault::new();
    let member = MemberChange { member: person(ADMIN), role: CaseRole::Reader }.to_data();
    let s = in_case(vault.signed(LEAD, Kind::MemberAdded, member));
    assert_eq!(vault.try_say(&s), Err(Refusal::AdministratorApart));
    let role = RoleChange { role: VaultRole::Administrator }.to_data();
    let s =
        Statement { person: Some(person(READER)), ..vault.signed(ADMIN, Kind::RoleGranted, role.clone()) };
    assert_eq!(vault.try_say(&s), Err(Refusal::AdministratorApart));
    let s = Statement { person: Some(person(ADMIN)), ..vault.signed(ADMIN, Kind::RoleRevoked, role) };
    assert_eq!(vault.try_say(&s), Err(Refusal::LastOne));
    let lead = MemberChange { member: person(LEAD), role: CaseRole::Lead }.to_data();
    let s = in_case(vault.signed(LEAD, Kind::MemberRemoved, lead));
    assert_eq!(vault.try_say(&s), Err(Refusal::LastOne));
}

#[test]
fn every_role_may_do_what_the_table_says_and_nothing_else() {
    // (right, roles in a case that carry it)
    let table: &[(Right, &[CaseRole])] = &[
        (Right::ChangeMembers, &[CaseRole::Lead]),
        (Right::RegisterItem, &[CaseRole::Lead, CaseRole::Investigator, CaseRole::Custodian]),
        (Right::Classify, &[CaseRole::Lead, CaseRole::Custodian]),
        (Right::Export, &[CaseRole::Lead, CaseRole::Custodian, CaseRole::Prosecutor]),
        (Right::ReadContent, CaseRole::ALL),
        (Right::ReadRecords, CaseRole::ALL),
        (
            Right::HoldCustody,
            &[CaseRole::Lead, CaseRole::Investigator, CaseRole::Custodian, CaseRole::Prosecutor],
        ),
        (
            Right::Correct,
            &[CaseRole::Lead, CaseRole::Investigator, CaseRole::Custodian, CaseRole::Prosecutor],
        ),
    ];
    for right in Right::ALL {
        let carriers = table.iter().find(|(r, _)| r == right).map_or(&[][..], |(_, roles)| roles);
        for role in CaseRole::ALL {
            assert_eq!(role.permits(*right), carriers.contains(role), "{role:?} {right:?}");
        }
        for role in VaultRole::ALL {
            assert!(!(role.permits(*right) && *right == Right::ReadContent), "{role:?} reads content");
        }
    }
}

#[test]
fn strangers_and_readers_register_nothing() {
    let mut vault = Vault::new();
    let data = ItemRegistered { class: Class::Open, route: "cli".parse().unwrap() }.to_data();
    for n in [READER, STRANGER, ADMIN] {
        let s = of_item(vault.signed(n, Kind::ItemRegistered, data.clone()), 1);
        assert_eq!(vault.try_say(&s), Err(Refusal::NotPermitted(Right::RegisterItem)));
    }
}

#[test]
fn content_is_received_once_and_only_as_registered() {
    let mut vault = Vault::new();
    vault.register(1, Class::Open, Some(content(7, CheckedBy::Oneself))).unwrap();
    assert_eq!(vault.receive(1, 8), Err(Refusal::DigestMismatch));
    vault.receive(1, 7).unwrap();
    assert_eq!(vault.receive(1, 7), Err(Refusal::ContentExists));
    assert_eq!(vault.receive(2, 7), Err(Refusal::Unknown("item")));
}

#[test]
fn hash_only_items_have_a_digest_and_never_bytes_and_restricted_ones_are_refused() {
    let mut vault = Vault::new();
    assert_eq!(vault.register(1, Class::HashOnly, None), Err(Refusal::HashOnly));
    assert_eq!(vault.register(1, Class::Restricted, None), Err(Refusal::RestrictedUnsupported));
    vault.register(1, Class::HashOnly, Some(content(7, CheckedBy::Oneself))).unwrap();
    assert_eq!(vault.receive(1, 7), Err(Refusal::HashOnly));
}

#[test]
fn exhibits_are_numbered_in_the_order_of_their_registration() {
    let mut vault = Vault::new();
    for n in [5, 3, 4] {
        vault.register(n, Class::Open, None).unwrap();
    }
    let numbers: Vec<_> = [5, 3, 4].iter().map(|n| vault.state.items[&item(*n)].exhibit).collect();
    assert_eq!(numbers, [1, 2, 3]);
}

#[test]
fn reading_needs_content_and_a_grant_is_completed_once_by_its_reader_or_the_vault() {
    let mut vault = Vault::new();
    vault.register(1, Class::Open, None).unwrap();
    let expires = "2026-11-21T12:15:00.000Z".parse().unwrap();
    let ask = |vault: &Vault, by| {
        let s = of_item(vault.session(by, Kind::AccessGranted, AccessGranted { expires }.to_data()), 1);
        Statement { purpose: Some("review".parse().unwrap()), ..s }
    };
    assert_eq!(vault.try_say(&ask(&vault, READER)), Err(Refusal::NoContent));
    vault.receive(1, 7).unwrap();
    assert_eq!(vault.try_say(&ask(&vault, STRANGER)), Err(Refusal::NotPermitted(Right::ReadContent)));
    let grant = vault.say(&ask(&vault, READER));
    let done = |vault: &Vault, by| {
        let data = AccessCompleted { bytes: Some(5), grant, outcome: AccessOutcome::Completed }.to_data();
        of_item(vault.session(by, Kind::AccessCompleted, data), 1)
    };
    assert_eq!(vault.try_say(&done(&vault, LEAD)), Err(Refusal::Grant));
    vault.say(&done(&vault, READER));
    assert_eq!(vault.try_say(&done(&vault, READER)), Err(Refusal::Grant));
}

#[test]
fn custody_changes_only_by_the_holders_offer_and_the_receivers_acceptance() {
    let mut vault = Vault::new();
    let registered = vault.register(1, Class::Open, None).unwrap();
    let s = vault.offer(CUSTODIAN, LEAD, 1, registered);
    assert_eq!(vault.try_say(&s), Err(Refusal::NotCustodian));
    assert_eq!(vault.try_say(&vault.offer(LEAD, LEAD, 1, registered)), Err(Refusal::OfferToSelf));
    for outsider in [READER, STRANGER] {
        assert!(matches!(
            vault.try_say(&vault.offer(LEAD, outsider, 1, registered)),
            Err(Refusal::Unknown(_))
        ));
    }
    let offer = vault.say(&vault.offer(LEAD, CUSTODIAN, 1, registered));
    assert_eq!(vault.state.items[&item(1)].custodian, person(LEAD), "an offer alone moves nothing");
    assert_eq!(vault.try_say(&vault.offer(LEAD, CUSTODIAN, 1, offer)), Err(Refusal::OfferPending));
    let accepted = Kind::TransferAccepted;
    assert_eq!(vault.try_say(&vault.answer(LEAD, accepted, 1, offer, offer)), Err(Refusal::NotReceiver));
    assert_eq!(
        vault.try_say(&vault.answer(CUSTODIAN, accepted, 1, registered, offer)),
        Err(Refusal::NoSuchOffer)
    );
    assert_eq!(vault.try_say(&vault.answer(CUSTODIAN, accepted, 1, offer, registered)), Err(Refusal::Stale));
    vault.say(&vault.answer(CUSTODIAN, accepted, 1, offer, offer));
    assert_eq!(vault.state.items[&item(1)].custodian, person(CUSTODIAN));
    assert_eq!(vault.try_say(&vault.answer(CUSTODIAN, accepted, 1, offer, offer)), Err(Refusal::NoSuchOffer));
}

#[test]
fn a_declined_offer_leaves_custody_where_it_was() {
    let mut vault = Vault::new();
    let registered = vault.register(1, Class::Open, None).unwrap();
    let offer = vault.say(&vault.offer(LEAD, CUSTODIAN, 1, registered));
    let declined = vault.say(&vault.answer(CUSTODIAN, Kind::TransferDeclined, 1, offer, offer));
    assert_eq!(vault.state.items[&item(1)].custodian, person(LEAD));
    vault.say(&vault.offer(LEAD, CUSTODIAN, 1, declined));
}

#[test]
fn one_envelope_moves_many_items_or_none() {
    let mut vault = Vault::new();
    let heads: Vec<_> = (1..=3).map(|n| vault.register(n, Class::Open, None).unwrap()).collect();
    let list = |heads: &[Digest]| {
        let one = |(n, head): (usize, &Digest)| ItemRef {
            item: item(n as u128 + 1),
            offer: None,
            seen: Some(Seen::Record(*head)),
        };
        Some(heads.iter().enumerate().map(one).collect::<Vec<_>>())
    };
    let s = vault.offer(LEAD, CUSTODIAN, 1, heads[0]);
    let mut many = Statement { item: None, seen: None, items: list(&heads), ..s };
    let stale = Statement { items: list(&[heads[0], heads[0], heads[2]]), ..many.clone() };
    assert_eq!(vault.try_say(&stale), Err(Refusal::Stale));
    assert!(vault.state.items.values().all(|item| item.offer.is_none()), "all or nothing");
    vault.say(&many);
    assert!(vault.state.items.values().all(|item| item.offer.is_some()));
    many.items.as_mut().unwrap().reverse();
    assert!(Act::parse(&many).is_err(), "an unsorted list has no shape");
}

#[test]
fn a_view_does_not_make_a_transfer_stale_and_a_new_class_does() {
    let mut vault = Vault::new();
    let registered = vault.register(1, Class::Open, None).unwrap();
    vault.receive(1, 7).unwrap();
    let expires = "2026-11-21T12:15:00.000Z".parse().unwrap();
    let view = of_item(vault.session(READER, Kind::AccessGranted, AccessGranted { expires }.to_data()), 1);
    vault.say(&Statement { purpose: Some("review".parse().unwrap()), ..view });
    let offer = vault.offer(LEAD, CUSTODIAN, 1, registered);
    let class = ItemClassified { class: Class::Confidential }.to_data();
    let s = of_item(vault.signed(LEAD, Kind::ItemClassified, class), 1);
    let mut other = Vault { state: vault.state.clone(), records: vault.records };
    vault.say(&offer);
    other.say(&Statement { seen: Some(Seen::Record(registered)), ..s });
    assert_eq!(other.try_say(&offer), Err(Refusal::Stale));
}

#[test]
fn the_footprint_names_everything_a_decision_looks_at() {
    let mut vault = Vault::new();
    let registered = vault.register(1, Class::Open, None).unwrap();
    let s = vault.offer(LEAD, CUSTODIAN, 1, registered);
    let act = Act::parse(&s).unwrap();
    let mut footprint = Footprint::default();
    footprint.add(&s, &act);
    let part = State {
        vault: vault.state.vault.clone(),
        orgs: footprint.orgs.iter().copied().filter(|id| vault.state.orgs.contains(id)).collect(),
        persons: pick(&footprint.persons, &vault.state.persons),
        keys: pick(&footprint.keys, &vault.state.keys),
        cases: pick(&footprint.cases, &vault.state.cases),
        members: pick(&footprint.members, &vault.state.members),
        items: pick(&footprint.items, &vault.state.items),
        grants: pick(&footprint.grants, &vault.state.grants),
        seen: vault.state.seen.iter().filter(|(seen, _)| footprint.seen.contains(seen)).copied().collect(),
    };
    assert_eq!(decide(&part, &s, &act), Ok(()));
}

fn pick<K: Copy + Ord + std::hash::Hash, V: Clone>(
    keys: &std::collections::BTreeSet<K>,
    map: &std::collections::HashMap<K, V>,
) -> std::collections::HashMap<K, V> {
    keys.iter().filter_map(|key| Some((*key, map.get(key)?.clone()))).collect()
}
