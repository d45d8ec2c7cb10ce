//! The rules, one sentence a test: who may say what, after what.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says by failing")]

mod by_sender;
mod carriage;
mod decisions;
mod derived;
mod disclosure;
mod disposal;
mod edges;
mod elsewhere;
mod erasure;
mod glass;
mod holding;
mod log_key;
mod part;
mod production;
mod resealing;
mod roles;
mod sealing;
mod stays;
mod suspension;

use std::collections::BTreeMap;

use custody::act::{
    AccessCompleted, AccessGranted, AccessOutcome, Act, CaseOpened, CaseRole, Class, ContentReceived,
    CorrectionNoted, ItemClassified, ItemRegistered, KeyCheck, KeyEnrolled, KeyRevoked, MemberChange,
    ObjectId, OrgRegistered, PersonRegistered, PublicKey, RoleChange, TransferAnswered, TransferOffered,
    VaultCreated, VaultRole,
};
use custody::digest::Digest;
use custody::id::{CaseId, ItemId, OpId, OrgId, PersonId};
use custody::json::Object;
use custody::kind::Kind;
use custody::record::Sequence;
use custody::rules::{
    Admitted, Footprint, Refusal, Right, State, Term, Voucher, apply, decide, places, signers,
};
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
        let decision = decide(&self.state, statement.actor_time, statement, &act);
        // A store decides from what the footprint names, and must come to the same.
        let mut footprint = Footprint::default();
        footprint.add(statement, &act);
        let part = part::part(&self.state, &footprint, statement.actor_time);
        assert_eq!(decide(&part, statement.actor_time, statement, &act), decision, "{}", statement.kind);
        decision?;
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

    fn copy(&self) -> Self {
        Self { state: self.state.clone(), records: self.records }
    }

    /// What would come of it.
    fn clone_and_say(&self, statement: &Statement) -> Result<Digest, Refusal> {
        self.copy().try_say(statement)
    }

    fn say(&mut self, statement: &Statement) -> Digest {
        self.try_say(statement).unwrap_or_else(|refusal| panic!("{:?}: {refusal}", statement.kind))
    }

    /// A vault with an administrator who vouches, by a key for which the vault did.
    fn founded(checked: KeyCheck) -> Self {
        let mut vault = Self { state: State::default(), records: 0 };
        let created =
            VaultCreated { log_vkey: "log".to_owned(), origin: "o".to_owned(), vault_key: VAULT_KEY };
        vault.say(&vault.system(Kind::VaultCreated, created.to_data()));
        vault.say(&vault.system(Kind::OrgRegistered, OrgRegistered { org: org() }.to_data()));
        let registered = PersonRegistered { org: org() }.to_data();
        let about = |s: Statement, n| Statement { person: Some(person(n)), ..s };
        vault.say(&about(vault.system(Kind::PersonRegistered, registered), ADMIN));
        for role in [VaultRole::Administrator, VaultRole::Registrar] {
            vault.say(&about(vault.system(Kind::RoleGranted, RoleChange { role }.to_data()), ADMIN));
        }
        let first = KeyEnrolled { checked, key: ADMIN_KEY }.to_data();
        vault.say(&about(vault.system(Kind::KeyEnrolled, first), ADMIN));
        vault
    }

    /// The same with a lead, a custodian, a reader and a stranger, each with a key, and one case.
    fn new() -> Self {
        let mut vault = Self::founded(KeyCheck::InPerson);
        let registered = PersonRegistered { org: org() }.to_data();
        let about = |s: Statement, n| Statement { person: Some(person(n)), ..s };
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
        let data =
            ItemRegistered { class, route: "cli".parse().unwrap(), sealing: None, sealed_by: None }.to_data();
        let s = of_item(self.signed(LEAD, Kind::ItemRegistered, data), n);
        self.try_say(&Statement { content: claimed, ..s })
    }

    fn receive(&mut self, n: u128, digest: u8) -> Result<Digest, Refusal> {
        let data = ContentReceived {
            halves: None,
            manifest: Digest::ZERO,
            object: ObjectId::new([9; 16]),
            version: 1,
        }
        .to_data();
        let s = of_item(self.system(Kind::ContentReceived, data), n);
        self.try_say(&Statement { content: Some(content(digest, CheckedBy::Vault)), ..s })
    }

    fn offer(&self, by: u128, to: u128, n: u128, seen: Digest) -> Statement {
        let data = TransferOffered { carriers: None, expires: None, to: person(to) }.to_data();
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
