//! A vault with people in it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use custody::act::{
    CaseOpened, CaseRole, CaseType, Class, ItemRegistered, KeyCheck, KeyEnrolled, MemberChange,
    OrgRegistered, PersonRegistered, PublicKey, RoleChange, TransferOffered, VaultRole,
};
use custody::checkpoint::Origin;
use custody::digest::Digest;
use custody::envelope::{PayloadType, key_hash, sign};
use custody::id::{CaseId, ItemId, OpId, OrgId, PersonId};
use custody::json::Object;
use custody::kind::Kind;
use custody::note::{SignatureType, VerifierKey};
use custody::receipt::{Checked, Receipt};
use custody::statement::{Actor, Assurance, Seen, Statement, Version};
use custody::time::Timestamp;
use custos::clock::ManualClock;
use custos::sequencer::{Attachments, Handle, SigningKeys, Submission, SubmitError, create_vault, start};
use custos::store::Store;
use ed25519_dalek::SigningKey;
use uuid::Uuid;

use super::postgres;

/// Which database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Engine {
    Sqlite,
    Postgres,
}

/// Runs each of the tests named on both engines.
#[macro_export]
macro_rules! on_both_engines {
    ($($test:ident)*) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                super::$test($crate::support::world::Engine::Sqlite).await;
            })*
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                super::$test($crate::support::world::Engine::Postgres).await;
            })*
        }
    };
}

/// A database without a vault.
pub(crate) struct Ground {
    pub(crate) store: Store,
    pub(crate) url: String,
    _directory: Option<tempfile::TempDir>,
}

impl Ground {
    pub(crate) async fn new(engine: Engine) -> Self {
        let (url, directory) = match engine {
            Engine::Sqlite => {
                let directory = tempfile::tempdir().unwrap();
                (format!("sqlite:{}/vault.db", directory.path().display()), Some(directory))
            }
            Engine::Postgres => (postgres::fresh_database().await, None),
        };
        Self { store: Store::create(&url).await.unwrap(), url, _directory: directory }
    }
}

/// A person with a key of their own.
pub(crate) struct Cast {
    pub(crate) id: PersonId,
    pub(crate) key: SigningKey,
}

/// A vault: a registrar who administers, two custodians, and one case that the first of them leads.
pub(crate) struct World {
    pub(crate) ground: Ground,
    pub(crate) handle: Handle,
    pub(crate) keys: Arc<SigningKeys>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) vault: Digest,
    pub(crate) log: VerifierKey,
    pub(crate) registrar: Cast,
    pub(crate) asha: Cast,
    pub(crate) ben: Cast,
    pub(crate) case: CaseId,
}

pub(crate) const ORIGIN: &str = "vault.example.org/custos/1";

/// Another identifier with every call, the same ones in every run.
pub(crate) fn next_id() -> Uuid {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    Uuid::from_u64_pair(0x0192_0000_0000_7000, NEXT.fetch_add(1, Ordering::Relaxed) | 1 << 63)
}

/// Bytes that never repeat: a source for tests, not a random one.
pub(crate) fn counting() -> impl FnMut(&mut [u8]) + Send {
    static SOURCE: AtomicU64 = AtomicU64::new(0);
    |bytes| {
        for (number, chunk) in bytes.chunks_mut(32).enumerate() {
            let seed = SOURCE.fetch_add(1, Ordering::Relaxed);
            let block = Digest::of(&[seed.to_be_bytes(), number.to_be_bytes()].concat());
            chunk.copy_from_slice(&block.as_bytes()[..chunk.len()]);
        }
    }
}

pub(crate) fn noon() -> Timestamp {
    "2026-11-21T12:00:00.000Z".parse().unwrap()
}

pub(crate) fn signing_keys() -> SigningKeys {
    SigningKeys { log: SigningKey::from_bytes(&[1; 32]), vault: SigningKey::from_bytes(&[2; 32]) }
}

impl World {
    pub(crate) async fn new(engine: Engine) -> Self {
        let ground = Ground::new(engine).await;
        let keys = Arc::new(signing_keys());
        let clock = Arc::new(ManualClock::new(noon()));
        let origin = Origin::new(ORIGIN).unwrap();
        let first = create_vault(&ground.store, &keys, &origin, &*clock, &mut counting()).await.unwrap();
        let vault = custody::record::record_hash(&first.record);
        let log = VerifierKey::new(origin.key_name(), SignatureType::Ed25519, keys.log.verifying_key());
        let (handle, _) = start(ground.store.clone(), Arc::clone(&keys), clock.clone(), Box::new(counting()))
            .await
            .unwrap();
        let person = |byte| Cast { id: PersonId::new(next_id()), key: SigningKey::from_bytes(&[byte; 32]) };
        let (registrar, asha, ben) = (person(11), person(12), person(13));
        let case = CaseId::new(next_id());
        let log = log.unwrap();
        let world = Self { ground, handle, keys, clock, vault, log, registrar, asha, ben, case };
        world.found().await;
        world
    }

    async fn found(&self) {
        let org = OrgId::new(next_id());
        self.done(self.system(Kind::OrgRegistered, OrgRegistered { org }.to_data())).await;
        let data = PersonRegistered { org }.to_data();
        let person = |statement: Statement, id| Statement { person: Some(id), ..statement };
        let first = self.registrar.id;
        self.done(person(self.system(Kind::PersonRegistered, data.clone()), first)).await;
        for role in [VaultRole::Administrator, VaultRole::Registrar] {
            self.done(person(self.system(Kind::RoleGranted, RoleChange { role }.to_data()), first)).await;
        }
        self.enrol(person(self.system(Kind::KeyEnrolled, enrolled(&self.registrar)), first), &self.registrar)
            .await;
        for cast in [&self.asha, &self.ben] {
            self.done(person(self.said(&self.registrar, Kind::PersonRegistered, data.clone()), cast.id))
                .await;
            let role = RoleChange { role: VaultRole::Custodian }.to_data();
            self.done(person(self.said(&self.registrar, Kind::RoleGranted, role), cast.id)).await;
            let enrolment = self.said(&self.registrar, Kind::KeyEnrolled, enrolled(cast));
            self.enrol(person(enrolment, cast.id), cast).await;
        }
        let opened = Self::case_opened();
        self.done(self.in_case(self.said(&self.asha, Kind::CaseOpened, opened))).await;
        let member = MemberChange { member: self.ben.id, role: CaseRole::Custodian };
        self.done(self.in_case(self.said(&self.asha, Kind::MemberAdded, member.to_data()))).await;
    }

    pub(crate) fn case_opened() -> Object {
        CaseOpened { case_type: CaseType::ForcedLabour, jurisdiction: "ke".parse().unwrap() }.to_data()
    }

    async fn enrol(&self, statement: Statement, cast: &Cast) {
        let voucher = if statement.actor == Actor::System { &self.keys.vault } else { &self.registrar.key };
        let envelope = sign(PayloadType::Statement, &statement.to_bytes(), &[voucher, &cast.key]);
        let submission = Submission::new(envelope, Attachments::default()).unwrap();
        self.handle.submit(submission).await.unwrap();
    }

    /// A statement of the vault itself.
    pub(crate) fn system(&self, kind: Kind, data: Object) -> Statement {
        let said = self.said(&self.registrar, kind, data);
        let actor_key = key_hash(&self.keys.vault.verifying_key());
        Statement { actor: Actor::System, actor_key, assurance: Assurance::System, ..said }
    }

    /// A statement of a person, by own key.
    pub(crate) fn said(&self, by: &Cast, kind: Kind, data: Object) -> Statement {
        Statement {
            actor: Actor::Person(by.id),
            actor_key: key_hash(&by.key.verifying_key()),
            actor_time: noon(),
            assurance: Assurance::UserKey,
            case: None,
            content: None,
            data,
            fields: BTreeMap::new(),
            item: None,
            items: None,
            kind,
            op_id: OpId::new(*next_id().as_bytes()),
            person: None,
            purpose: None,
            seen: None,
            v: Version,
            vault: Some(self.vault),
        }
    }

    pub(crate) fn in_case(&self, statement: Statement) -> Statement {
        Statement { case: Some(self.case), ..statement }
    }

    /// Asha registers a new item.
    pub(crate) fn item(&self) -> Statement {
        self.item_named(ItemId::new(next_id()))
    }

    pub(crate) fn item_named(&self, item: ItemId) -> Statement {
        let data = ItemRegistered {
            class: Class::Open,
            route: "physical".parse().unwrap(),
            sealing: None,
            sealed_by: None,
        }
        .to_data();
        let said = self.in_case(self.said(&self.asha, Kind::ItemRegistered, data));
        Statement { item: Some(item), ..said }
    }

    /// Asha offers an item to Ben.
    pub(crate) fn offer(&self, item: ItemId, seen: Digest) -> Statement {
        let said = self.said(
            &self.asha,
            Kind::TransferOffered,
            TransferOffered { carriers: None, expires: None, to: self.ben.id }.to_data(),
        );
        let purpose = Some("court-hearing".parse().unwrap());
        Statement { item: Some(item), seen: Some(Seen::Record(seen)), purpose, ..self.in_case(said) }
    }

    /// Signed by whom it says.
    pub(crate) fn signed(&self, statement: &Statement) -> Submission {
        self.signed_with(statement, Attachments::default())
    }

    pub(crate) fn signed_with(&self, statement: &Statement, attachments: Attachments) -> Submission {
        let people = [&self.registrar, &self.asha, &self.ben];
        let owner = people.into_iter().find(|cast| Some(cast.id) == statement.actor.person());
        let key = owner.map_or(&self.keys.vault, |cast| &cast.key);
        let envelope = sign(PayloadType::Statement, &statement.to_bytes(), &[key]);
        Submission::new(envelope, attachments).unwrap()
    }

    /// Submits, whatever the answer.
    pub(crate) async fn submit(&self, statement: &Statement) -> Result<Vec<Receipt>, SubmitError> {
        self.handle.submit(self.signed(statement)).await
    }

    /// Submits what must succeed, and checks the receipt of its first record.
    pub(crate) async fn done(&self, statement: Statement) -> Checked {
        let receipts = self.submit(&statement).await.unwrap();
        self.check(&receipts[0])
    }

    pub(crate) fn check(&self, receipt: &Receipt) -> Checked {
        receipt.check(&self.vault, &self.log).unwrap()
    }

    /// How many records there are.
    pub(crate) async fn size(&self) -> u64 {
        self.ground.store.read().await.unwrap().log_head().await.unwrap().unwrap().size()
    }
}

fn enrolled(cast: &Cast) -> Object {
    let key = PublicKey::new(cast.key.verifying_key().to_bytes());
    KeyEnrolled { checked: KeyCheck::InPerson, key }.to_data()
}
