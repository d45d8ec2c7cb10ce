//! A vault in memory, made of nothing but the core: says things, keeps records, exports bundles, and lies on request.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses a part")]

pub mod authority;
pub mod bundle;
mod log;
mod lost;
mod story;

pub use authority::Stamp;
pub use log::vkey;
pub use lost::Lost;
pub use story::*;

use std::collections::{BTreeMap, HashMap};

use custody::act::*;
use custody::checkpoint::{Checkpoint, Origin};
use custody::commitment::FieldOpening;
use custody::digest::Digest;
use custody::envelope::{PayloadType, key_hash, sign};
use custody::id::{CaseId, ItemId, OpId, OrgId, PersonId};
use custody::json::Object;
use custody::kind::Kind;
use custody::log_keys::LogKeys;
use custody::merkle::{Batch, Frontier, leaf_hash};
use custody::note::{SignatureType, SignedNote, VerifierKey};
use custody::proof::TlogProof;
use custody::receipt::{Predecessor, Receipt};
use custody::record::*;
use custody::rules::{self, Admitted, State};
use custody::statement::*;
use custody::time::Timestamp;
use ed25519_dalek::SigningKey;
use uuid::Uuid;

pub const ORIGIN: &str = "vault.example.org/custos/1";

/// A statement with its records, as the vault keeps them.
#[derive(Clone)]
pub struct Said {
    pub statement: Statement,
    pub act: Act,
    pub envelope: Vec<u8>,
    pub openings: Vec<FieldOpening>,
    pub records: Vec<Built>,
}

#[derive(Clone)]
pub struct Vault {
    pub key: SigningKey,
    pub log_key: SigningKey,
    /// The log's name now.
    pub origin: String,
    pub state: State,
    pub heads: HashMap<Sequence, Head>,
    pub said: Vec<Said>,
    pub contents: BTreeMap<ObjectId, Vec<u8>>,
    pub manifests: BTreeMap<ObjectId, Vec<u8>>,
    /// Checkpoints with the tokens over them, by size.
    pub stamps: BTreeMap<u64, Stamp>,
    /// What restores have lost.
    pub lost: Lost,
    /// The vault's clock, milliseconds.
    pub now: i64,
    /// Admits what the rules refuse.
    pub lawless: bool,
    random: (u8, u64),
}

/// A person with the key of a device.
#[derive(Clone)]
pub struct Person {
    pub id: PersonId,
    pub key: SigningKey,
}

/// What is to be said; see [`Vault::say`].
#[derive(Clone)]
pub struct Draft {
    pub kind: Kind,
    pub data: Object,
    pub case: Option<CaseId>,
    pub item: Option<ItemId>,
    pub items: Option<Vec<ItemRef>>,
    pub person: Option<PersonId>,
    pub content: Option<Content>,
    pub purpose: Option<&'static str>,
    pub seen: Option<Seen>,
    pub fields: Vec<(&'static str, String)>,
    pub op_id: Option<OpId>,
}

pub fn draft(kind: Kind, data: Object) -> Draft {
    Draft {
        kind,
        data,
        case: None,
        item: None,
        items: None,
        person: None,
        content: None,
        purpose: None,
        seen: None,
        fields: Vec::new(),
        op_id: None,
    }
}

/// Who says it, and how it is signed.
#[derive(Clone, Copy)]
pub enum By<'a> {
    Vault,
    Own(&'a Person),
    OnBehalf(PersonId),
    /// The envelope's signatures are made by these keys, whatever the actor.
    Forged(&'a Person, &'a SigningKey),
    /// The vault, with the signatures of these keys.
    Keys(&'a [&'a SigningKey]),
}

impl Vault {
    /// A vault with its first record.
    pub fn new(seed: u8) -> Self {
        Self::new_at(seed, 1_795_000_000_000)
    }

    /// The same, begun at another time.
    pub fn new_at(seed: u8, now: i64) -> Self {
        let mut vault = Self {
            key: SigningKey::from_bytes(&[seed; 32]),
            log_key: SigningKey::from_bytes(&[seed ^ 0x80; 32]),
            origin: ORIGIN.to_owned(),
            state: State::default(),
            heads: HashMap::new(),
            said: Vec::new(),
            contents: BTreeMap::new(),
            manifests: BTreeMap::new(),
            stamps: BTreeMap::new(),
            lost: Lost::default(),
            now,
            lawless: false,
            random: (seed, 0),
        };
        let created = VaultCreated {
            log_vkey: vault.log_vkey().to_string(),
            origin: ORIGIN.to_owned(),
            vault_key: PublicKey::new(vault.key.verifying_key().to_bytes()),
        };
        vault.say(By::Vault, draft(Kind::VaultCreated, created.to_data()));
        vault
    }

    pub fn random(&mut self) -> Digest {
        self.random.1 += 1;
        Digest::of(&[&[self.random.0][..], &self.random.1.to_be_bytes()].concat())
    }

    pub fn uuid(&mut self) -> Uuid {
        let random = self.random();
        Uuid::from_slice(&random.as_bytes()[..16]).unwrap()
    }

    pub fn log_vkey(&self) -> VerifierKey {
        vkey(&self.origin, &self.log_key)
    }

    /// The fingerprint on paper.
    pub fn id(&self) -> Digest {
        self.said[0].records[0].hash
    }

    pub fn records(&self) -> impl Iterator<Item = (&Said, &Built)> {
        self.said.iter().flat_map(|said| said.records.iter().map(move |built| (said, built)))
    }

    pub fn size(&self) -> u64 {
        let last = self.said.last().and_then(|said| said.records.last());
        let said = last.map_or(0, |last| last.record.log_index + 1);
        self.lost.entries.last_key_value().map_or(said, |(lost, _)| said.max(lost + 1))
    }

    /// Says something, unless the rules refuse it; the hash of its first record.
    pub fn say(&mut self, by: By<'_>, draft: Draft) -> Digest {
        let (statement, openings) = self.statement(by, draft);
        let act = Act::parse(&statement).unwrap();
        let envelope = self.envelope(by, &statement, &act);
        if !self.lawless {
            let received = Timestamp::from_millis(self.now + 1_000).unwrap();
            rules::decide(&self.state, received, &statement, &act)
                .unwrap_or_else(|refusal| panic!("{}: {refusal}", statement.kind));
        }
        self.record(statement, act, envelope, openings)
    }

    fn statement(&mut self, by: By<'_>, draft: Draft) -> (Statement, Vec<FieldOpening>) {
        let (actor, assurance, key) = match by {
            By::Vault | By::Keys(_) => (Actor::System, Assurance::System, &self.key),
            By::OnBehalf(person) => (Actor::Person(person), Assurance::Session, &self.key),
            By::Own(person) | By::Forged(person, _) => {
                (Actor::Person(person.id), Assurance::UserKey, &person.key)
            }
        };
        let actor_key = key_hash(&key.verifying_key());
        let op_id = OpId::new(self.random().as_bytes()[..16].try_into().unwrap());
        let op_id = draft.op_id.unwrap_or(op_id);
        let mut openings = Vec::new();
        for (name, value) in &draft.fields {
            let salt = self.random();
            openings.push(FieldOpening { name: name.parse().unwrap(), salt, value: value.clone() });
        }
        let statement = Statement {
            actor,
            actor_key,
            actor_time: Timestamp::from_millis(self.now - 500).unwrap(),
            assurance,
            case: draft.case,
            content: draft.content,
            data: draft.data,
            fields: openings.iter().map(|o| (o.name.clone(), o.commitment(&op_id))).collect(),
            item: draft.item,
            items: draft.items,
            kind: draft.kind,
            op_id,
            person: draft.person,
            purpose: draft.purpose.map(|purpose| purpose.parse().unwrap()),
            seen: draft.seen,
            v: Version,
            vault: self.said.first().map(|said| said.records[0].hash),
        };
        (statement, openings)
    }

    fn envelope(&self, by: By<'_>, statement: &Statement, act: &Act) -> Vec<u8> {
        let body = statement.to_bytes();
        let signer = match by {
            By::Vault | By::OnBehalf(_) => &self.key,
            By::Own(person) => &person.key,
            By::Forged(_, key) => key,
            By::Keys(keys) => return sign(PayloadType::Statement, &body, keys),
        };
        match act {
            // The kit derives every person's key from its public half's place in this table.
            Act::KeyEnrolled(_, d) => {
                let new = key_of(&d.key);
                sign(PayloadType::Statement, &body, &[signer, &new])
            }
            _ => sign(PayloadType::Statement, &body, &[signer]),
        }
    }

    /// Records a statement, whatever the rules say.
    pub fn record(
        &mut self,
        statement: Statement,
        act: Act,
        envelope: Vec<u8>,
        openings: Vec<FieldOpening>,
    ) -> Digest {
        self.now += 1_000;
        let stmt = Digest::of(&envelope);
        let log = LogIdentity {
            origin: self.origin.clone(),
            vault: self.said.first().map(|said| said.records[0].hash),
        };
        let first_index = self.size();
        let mut records: Vec<Built> = Vec::new();
        for (own, case) in rules::places(&statement, &act) {
            let place = |s: Option<Sequence>| {
                s.map(|sequence| Place {
                    sequence,
                    head: self.heads.get(&sequence).copied(),
                    resumes: self.resumption(sequence, statement.kind),
                })
            };
            let places = (place(own), place(case));
            let nonces = self.nonces();
            let built = build(
                &log,
                first_index + records.len() as u64,
                stmt,
                statement.kind,
                Timestamp::from_millis(self.now).unwrap(),
                places,
                &nonces,
            );
            self.heads.extend(built.heads.iter().copied());
            records.push(built);
        }
        let hashes: Vec<_> = records.iter().map(|built| built.hash).collect();
        let admitted = Admitted { stmt, log_index: first_index, records: &hashes };
        rules::apply(&mut self.state, &statement, &act, &admitted);
        self.said.push(Said { statement, act, envelope, openings, records });
        hashes[0]
    }

    fn nonces(&mut self) -> Nonces {
        let mut next = || NextOpening { s: self.random(), t: self.random() };
        let (own, case) = (next(), next());
        Nonces { salt: self.random(), own, case }
    }

    /// The first organisation, and the first administrator and registrar.
    pub fn found(&mut self) -> (OrgId, Person, Person) {
        let org = OrgId::new(self.uuid());
        let mut d = draft(Kind::OrgRegistered, OrgRegistered { org }.to_data());
        d.fields.push(("name", "Office of the Prosecutor".to_owned()));
        self.say(By::Vault, d);
        let first = self.person();
        self.say(By::Vault, registered(&first, org, "Adaeze Obi"));
        for role in [VaultRole::Administrator, VaultRole::Registrar] {
            let mut d = draft(Kind::RoleGranted, RoleChange { role }.to_data());
            d.person = Some(first.id);
            self.say(By::Vault, d);
        }
        self.say(By::Vault, enrolled(&first, &first.key, KeyCheck::InPerson));
        (org, first.clone(), first)
    }

    /// A person and a key, not registered yet.
    pub fn person(&mut self) -> Person {
        let id = PersonId::new(self.uuid());
        let seed = *self.random().as_bytes();
        Person { id, key: make_key(seed) }
    }

    /// Registers a person, grants a role and enrols the key, all by the administrator who is a registrar too.
    pub fn enrol(&mut self, by: &Person, org: OrgId, name: &str, role: Option<VaultRole>) -> Person {
        let person = self.person();
        self.say(By::Own(by), registered(&person, org, name));
        if let Some(role) = role {
            let mut d = draft(Kind::RoleGranted, RoleChange { role }.to_data());
            d.person = Some(person.id);
            self.say(By::Own(by), d);
        }
        self.say(By::Own(by), enrolled(&person, &person.key, KeyCheck::InPerson));
        person
    }

    pub fn open_case(&mut self, by: &Person, title: &str) -> CaseId {
        let case = CaseId::new(self.uuid());
        let data =
            CaseOpened { case_type: "forced-labour".parse().unwrap(), jurisdiction: "gh".parse().unwrap() };
        let mut d = draft(Kind::CaseOpened, data.to_data());
        d.case = Some(case);
        d.fields.push(("title", title.to_owned()));
        self.say(By::Own(by), d);
        case
    }

    pub fn add_member(&mut self, by: &Person, case: CaseId, member: &Person, role: CaseRole) {
        let mut d = draft(Kind::MemberAdded, MemberChange { member: member.id, role }.to_data());
        d.case = Some(case);
        self.say(By::Own(by), d);
    }

    /// Registers an item and receives its content.
    pub fn put(&mut self, by: By<'_>, case: CaseId, name: &str, bytes: &[u8]) -> ItemId {
        let item = ItemId::new(self.uuid());
        let content = Content {
            alg: DigestAlg::Sha256,
            checked_by: CheckedBy::Oneself,
            digest: Digest::of(bytes),
            size: bytes.len() as u64,
        };
        let data = ItemRegistered {
            class: Class::Open,
            route: "cli".parse().unwrap(),
            sealing: None,
            sealed_by: None,
        };
        let mut d = draft(Kind::ItemRegistered, data.to_data());
        (d.case, d.item, d.content) = (Some(case), Some(item), Some(content));
        d.fields.push(("file-name", name.to_owned()));
        self.say(by, d);
        self.receive(case, item, bytes);
        item
    }

    pub fn receive(&mut self, case: CaseId, item: ItemId, bytes: &[u8]) {
        let object = ObjectId::new(self.random().as_bytes()[..16].try_into().unwrap());
        let manifest = bundle::object_manifest(self, item, object, bytes);
        let data = ContentReceived { halves: None, manifest: Digest::of(&manifest), object, version: 1 };
        let mut d = draft(Kind::ContentReceived, data.to_data());
        (d.case, d.item) = (Some(case), Some(item));
        d.content = Some(Content {
            alg: DigestAlg::Sha256,
            checked_by: CheckedBy::Vault,
            digest: Digest::of(bytes),
            size: bytes.len() as u64,
        });
        self.contents.insert(object, bytes.to_vec());
        self.manifests.insert(object, manifest);
        self.say(By::Vault, d);
    }

    /// Grants access; the hash of the grant's record.
    pub fn view(&mut self, by: By<'_>, case: CaseId, item: ItemId) -> Digest {
        let expires = Timestamp::from_millis(self.now + 600_000).unwrap();
        let mut d = draft(Kind::AccessGranted, AccessGranted { expires, with: None }.to_data());
        (d.case, d.item, d.purpose) = (Some(case), Some(item), Some("review"));
        let grant = self.say(by, d);
        let data = AccessCompleted { bytes: Some(3), grant, outcome: AccessOutcome::Completed };
        let mut d = draft(Kind::AccessCompleted, data.to_data());
        (d.case, d.item) = (Some(case), Some(item));
        self.say(By::Vault, d);
        grant
    }

    /// Offers items to somebody.
    pub fn offer(&mut self, by: &Person, to: &Person, case: CaseId, items: &[ItemId]) {
        self.offer_until(by, to, case, items, None);
    }

    /// Offers items to somebody, for some time.
    pub fn offer_until(
        &mut self,
        by: &Person,
        to: &Person,
        case: CaseId,
        items: &[ItemId],
        expires: Option<Timestamp>,
    ) {
        let mut d =
            draft(Kind::TransferOffered, TransferOffered { carriers: None, expires, to: to.id }.to_data());
        (d.case, d.purpose) = (Some(case), Some("examination"));
        self.about_items(&mut d, items, false);
        self.say(By::Own(by), d);
    }

    /// Takes items over, or declines.
    pub fn answer(&mut self, by: &Person, case: CaseId, items: &[ItemId], kind: Kind) {
        let mut d = draft(kind, Object::new());
        d.case = Some(case);
        self.about_items(&mut d, items, true);
        self.say(By::Own(by), d);
    }

    fn about_items(&self, d: &mut Draft, items: &[ItemId], answer: bool) {
        let mut refs: Vec<_> = items
            .iter()
            .map(|id| {
                let item = &self.state.items[id];
                let seen = Some(Seen::Record(item.head.record));
                let offer =
                    answer.then(|| Seen::Record(item.offer.as_ref().map_or(Digest::ZERO, |o| o.head.record)));
                ItemRef { item: *id, offer, seen }
            })
            .collect();
        refs.sort_by_key(|r| r.item);
        if let [one] = &refs[..] {
            (d.item, d.seen) = (Some(one.item), one.seen);
            if let Some(offer) = one.offer {
                d.data = TransferAnswered { offer }.to_data();
            }
        } else {
            d.items = Some(refs);
        }
    }
}

pub fn registered(person: &Person, org: OrgId, name: &str) -> Draft {
    let mut d = draft(Kind::PersonRegistered, PersonRegistered { org }.to_data());
    d.person = Some(person.id);
    d.fields.push(("name", name.to_owned()));
    d
}

pub fn enrolled(person: &Person, key: &SigningKey, checked: KeyCheck) -> Draft {
    let key = PublicKey::new(key.verifying_key().to_bytes());
    let mut d = draft(Kind::KeyEnrolled, KeyEnrolled { checked, key }.to_data());
    d.person = Some(person.id);
    d
}

thread_local! {
    /// Secret keys by public key: an enrolment needs the new key's own signature.
    static KEYS: std::cell::RefCell<HashMap<[u8; 32], [u8; 32]>> = std::cell::RefCell::default();
}

pub fn make_key(seed: [u8; 32]) -> SigningKey {
    let key = SigningKey::from_bytes(&seed);
    KEYS.with_borrow_mut(|keys| keys.insert(key.verifying_key().to_bytes(), seed));
    key
}

fn key_of(public: &PublicKey) -> SigningKey {
    KEYS.with_borrow(|keys| SigningKey::from_bytes(&keys[public.as_bytes()]))
}

/// The same record in the same place, but of another kind; its entry commits to it.
pub fn rebuilt(built: &Built, kind: Kind) -> Built {
    let mut other = built.clone();
    other.record.kind = kind;
    other.bytes = other.record.to_bytes();
    other.hash = record_hash(&other.bytes);
    other.entry.commitment = leaf_commitment(&other.salt, &other.hash);
    other
}
