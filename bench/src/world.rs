//! A vault with one case and one investigator who has a key.

use std::collections::BTreeMap;
use std::sync::Arc;

use custody::act::{
    CaseOpened, Class, ItemRegistered, KeyCheck, KeyEnrolled, OrgRegistered, PersonRegistered, PublicKey,
    RoleChange, VaultRole,
};
use custody::checkpoint::Origin;
use custody::digest::Digest;
use custody::envelope::{PayloadType, key_hash, sign};
use custody::id::{CaseId, ItemId, OpId, OrgId, PersonId};
use custody::json::Object;
use custody::kind::Kind;
use custody::record::record_hash;
use custody::statement::{Actor, Assurance, Statement, Version};
use custos::clock::{Clock, SystemClock};
use custos::engine::OsEntropy;
use custos::sequencer::{Attachments, Handle, SigningKeys, Submission, create_vault, start};
use custos::store::Store;
use ed25519_dalek::SigningKey;
use uuid::Uuid;

pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

pub(crate) struct World {
    handle: Handle,
    clock: Arc<dyn Clock>,
    vault: Digest,
    keys: Arc<SigningKeys>,
    person: PersonId,
    key: SigningKey,
    case: CaseId,
}

impl World {
    pub(crate) async fn new(url: &str) -> Result<Self, Failure> {
        let store = Store::create(url).await?;
        let key = |byte| SigningKey::from_bytes(&[byte; 32]);
        let keys = Arc::new(SigningKeys { log: key(1), vault: key(2) });
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let origin = Origin::new("bench.example.org/custos/1")?;
        let first = create_vault(&store, &keys, &origin, clock.as_ref(), &mut OsEntropy).await?;
        let (handle, _) = start(store, Arc::clone(&keys), Arc::clone(&clock), Box::new(OsEntropy)).await?;
        let world = Self {
            handle,
            clock,
            vault: record_hash(&first.record),
            keys,
            person: PersonId::new(Uuid::now_v7()),
            key: key(3),
            case: CaseId::new(Uuid::now_v7()),
        };
        world.found().await?;
        Ok(world)
    }

    async fn found(&self) -> Result<(), Failure> {
        let org = OrgId::new(Uuid::now_v7());
        let admin = PersonId::new(Uuid::now_v7());
        let admin_key = SigningKey::from_bytes(&[4; 32]);
        let role = |role| RoleChange { role }.to_data();
        let enrol = |key: &SigningKey| {
            let key = PublicKey::new(key.verifying_key().to_bytes());
            KeyEnrolled { checked: KeyCheck::InPerson, key }.to_data()
        };
        let system = |kind, person, data| self.said(Actor::System, &self.keys.vault, kind, person, data);
        let by_admin =
            |kind, data| self.said(Actor::Person(admin), &admin_key, kind, Some(self.person), data);
        let registered = || PersonRegistered { org }.to_data();
        let vault_key = &self.keys.vault;

        self.record(&system(Kind::OrgRegistered, None, OrgRegistered { org }.to_data()), &[vault_key])
            .await?;
        self.record(&system(Kind::PersonRegistered, Some(admin), registered()), &[vault_key]).await?;
        for granted in [VaultRole::Administrator, VaultRole::Registrar] {
            self.record(&system(Kind::RoleGranted, Some(admin), role(granted)), &[vault_key]).await?;
        }
        let first = system(Kind::KeyEnrolled, Some(admin), enrol(&admin_key));
        self.record(&first, &[vault_key, &admin_key]).await?;
        self.record(&by_admin(Kind::PersonRegistered, registered()), &[&admin_key]).await?;
        self.record(&by_admin(Kind::RoleGranted, role(VaultRole::Investigator)), &[&admin_key]).await?;
        self.record(&by_admin(Kind::KeyEnrolled, enrol(&self.key)), &[&admin_key, &self.key]).await?;
        let opened = CaseOpened { case_type: "other".parse()?, jurisdiction: "xx".parse()? }.to_data();
        let opened = Statement { case: Some(self.case), ..self.own(Kind::CaseOpened, opened) };
        self.record(&opened, &[&self.key]).await
    }

    /// Signed registrations of items, `count` for each submitter, made in the order in which they will be said: names
    /// grow with time.
    pub(crate) fn prepare(&self, submitters: usize, count: usize) -> Vec<Vec<Vec<u8>>> {
        let data = ItemRegistered { class: Class::Open, route: self.route() }.to_data();
        let mut prepared = vec![Vec::with_capacity(count); submitters];
        for _ in 0..count {
            for statements in &mut prepared {
                let statement = Statement {
                    case: Some(self.case),
                    item: Some(ItemId::new(Uuid::now_v7())),
                    ..self.own(Kind::ItemRegistered, data.clone())
                };
                statements.push(sign(PayloadType::Statement, &statement.to_bytes(), &[&self.key]));
            }
        }
        prepared
    }

    #[expect(clippy::expect_used, clippy::unused_self, reason = "a constant of this program")]
    fn route(&self) -> custody::id::Code {
        "cli".parse().expect("a code")
    }

    pub(crate) async fn submit(&self, envelope: Vec<u8>) -> Result<(), Failure> {
        self.handle.submit(Submission::new(envelope, Attachments::default())?).await?;
        Ok(())
    }

    async fn record(&self, statement: &Statement, keys: &[&SigningKey]) -> Result<(), Failure> {
        self.submit(sign(PayloadType::Statement, &statement.to_bytes(), keys)).await
    }

    fn own(&self, kind: Kind, data: Object) -> Statement {
        self.said(Actor::Person(self.person), &self.key, kind, None, data)
    }

    fn said(
        &self,
        actor: Actor,
        key: &SigningKey,
        kind: Kind,
        person: Option<PersonId>,
        data: Object,
    ) -> Statement {
        let assurance = if actor == Actor::System { Assurance::System } else { Assurance::UserKey };
        Statement {
            actor,
            actor_key: key_hash(&key.verifying_key()),
            actor_time: self.clock.now(),
            assurance,
            case: None,
            content: None,
            data,
            fields: BTreeMap::new(),
            item: None,
            items: None,
            kind,
            op_id: OpId::new(*Uuid::now_v7().as_bytes()),
            person,
            purpose: None,
            seen: None,
            v: Version,
            vault: Some(self.vault),
        }
    }
}
