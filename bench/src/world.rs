//! A vault with one case and one investigator who has a key.

use std::sync::Arc;

use custody::act::{
    CaseOpened, KeyCheck, KeyEnrolled, OrgRegistered, PersonRegistered, PublicKey, RoleChange, VaultRole,
};
use custody::checkpoint::Origin;
use custody::envelope::{PayloadType, sign};
use custody::id::{CaseId, OrgId, PersonId};
use custody::kind::Kind;
use custody::record::record_hash;
use custody::statement::{Actor, Statement};
use custos::clock::{Clock, SystemClock};
use custos::engine::OsEntropy;
use custos::sequencer::{Attachments, Handle, SigningKeys, Submission, create_vault, start};
use custos::store::Store;
use ed25519_dalek::SigningKey;
use uuid::Uuid;

use crate::Failure;
use crate::speaker::Speaker;

pub(crate) struct World {
    handle: Handle,
    keys: Arc<SigningKeys>,
    investigator: Speaker,
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
        let vault = record_hash(&first.record);
        let actor = Actor::Person(PersonId::new(Uuid::now_v7()));
        let investigator = Speaker { vault, actor, key: key(3), clock };
        let world = Self { handle, keys, investigator, case: CaseId::new(Uuid::now_v7()) };
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
        let speaker = |actor, key: &SigningKey| Speaker {
            vault: self.investigator.vault,
            actor,
            key: key.clone(),
            clock: Arc::clone(&self.investigator.clock),
        };
        let (vault, first) =
            (speaker(Actor::System, &self.keys.vault), speaker(Actor::Person(admin), &admin_key));
        let Actor::Person(person) = self.investigator.actor else { return Err("a person".into()) };
        let system = |kind, person, data| Statement { person, ..vault.said(kind, data) };
        let by_admin = |kind, data| Statement { person: Some(person), ..first.said(kind, data) };
        let registered = || PersonRegistered { org }.to_data();
        let vault_key = &self.keys.vault;

        self.record(&system(Kind::OrgRegistered, None, OrgRegistered { org }.to_data()), &[vault_key])
            .await?;
        self.record(&system(Kind::PersonRegistered, Some(admin), registered()), &[vault_key]).await?;
        for granted in [VaultRole::Administrator, VaultRole::Registrar] {
            self.record(&system(Kind::RoleGranted, Some(admin), role(granted)), &[vault_key]).await?;
        }
        let enrolled = system(Kind::KeyEnrolled, Some(admin), enrol(&admin_key));
        self.record(&enrolled, &[vault_key, &admin_key]).await?;
        self.record(&by_admin(Kind::PersonRegistered, registered()), &[&admin_key]).await?;
        self.record(&by_admin(Kind::RoleGranted, role(VaultRole::Investigator)), &[&admin_key]).await?;
        self.record(
            &by_admin(Kind::KeyEnrolled, enrol(&self.investigator.key)),
            &[&admin_key, &self.investigator.key],
        )
        .await?;
        let opened = CaseOpened { case_type: "other".parse()?, jurisdiction: "xx".parse()? }.to_data();
        let opened = Statement { case: Some(self.case), ..self.investigator.said(Kind::CaseOpened, opened) };
        self.record(&opened, &[&self.investigator.key]).await
    }

    /// Signed registrations of items, `count` for each submitter.
    pub(crate) fn prepare(&self, submitters: usize, count: usize) -> Result<Vec<Vec<Vec<u8>>>, Failure> {
        self.investigator.registrations(self.case, submitters, count)
    }

    pub(crate) async fn submit(&self, envelope: Vec<u8>) -> Result<(), Failure> {
        self.handle.submit(Submission::new(envelope, Attachments::default())?).await?;
        Ok(())
    }

    async fn record(&self, statement: &Statement, keys: &[&SigningKey]) -> Result<(), Failure> {
        self.submit(sign(PayloadType::Statement, &statement.to_bytes(), keys)).await
    }
}
