//! Restricted content for a court that ordered it: what it takes, who is refused, and what whoever has the machine can do with
//! what is kept for the court.

use custody::age::{self, Identity};
use custody::bundle::findings::Code;
use custody::digest::Digest;
use custody::keys::DataKey;
use custos::api;
use custos::engine::OsEntropy;
use custos::store::{Change, ProductionHalves, Store};
use reqwest::Method;
use serde_json::{Value, json};

use super::restricted::{Machine, People, halves, help, identity, key32, opened, reading, video};
use super::stays::audited;
use crate::support::app::TestApp;
use crate::support::bundle::{Unzipped, judged};
use crate::support::client::{Answer, Caller, draft};
use crate::support::world::Engine;

crate::on_both_engines! {
    restricted_content_is_produced_to_the_court_that_ordered_it_and_opens_with_its_key_alone
    nothing_is_produced_without_two_agreements_and_two_who_open_it
    what_was_produced_ends_with_its_production_and_with_the_content
    nobody_seals_to_a_court_with_somebody_whose_key_was_revoked
}

/// The people of a restricted item, a judge, and the court's key.
struct Court {
    people: People,
    jude: Caller,
    key: Identity,
    exhibit: String,
}

impl Court {
    async fn new(app: &TestApp) -> Self {
        let people = People::new(app).await;
        let jude = app.enrol("Jude Judge", &[]).await;
        people.asha.add_member(&people.case, &jude.id, "court").await.made::<api::Recorded>();
        let exhibit = people.put(people.sealing(), &video()).await;
        Self { people, jude, key: Identity::derive(&[77; 32]), exhibit }
    }

    async fn say(&self, who: &Caller, kind: &str, data: &Value) -> Answer {
        let fields =
            if kind == "production.proposed" { json!({ "authority": "Order 12" }) } else { json!({}) };
        let purpose = (kind == "production.proposed").then_some("court-order");
        let more = json!({ "case": self.people.case, "item": self.exhibit, "data": data, "fields": fields, "purpose": purpose });
        who.say(&draft(kind, &more)).await
    }

    async fn proposed(&self) -> String {
        let data = json!({ "order": Digest::of(b"the order"), "recipient": self.key.recipient() });
        let recorded: api::Recorded = self.say(&self.people.asha, "production.proposed", &data).await.made();
        self.people.asha.check(&recorded.receipts)[0].record_hash.to_hex()
    }

    async fn approved(&self, who: &Caller, proposal: &str) -> Answer {
        let (order, recipient) = (Digest::of(b"the order"), self.key.recipient());
        let data = json!({ "order": order, "proposal": proposal, "recipient": recipient });
        self.say(who, "production.approved", &data).await
    }

    async fn agreed(&self) -> String {
        let proposal = self.proposed().await;
        for who in [&self.people.prisca, &self.jude] {
            self.approved(who, &proposal).await.made::<api::Recorded>();
        }
        proposal
    }

    async fn send(&self, who: &Caller, proposal: &str, access: &str, sealed: &[u8]) -> Answer {
        let found = who.get(&format!("/api/v1/items/{}/halves?access={access}", self.exhibit)).await;
        let of = if found.status == 200 { found.ok::<api::Halves>().halves } else { Digest::ZERO.to_hex() };
        self.send_of(who, (proposal, access), sealed, &of).await
    }

    async fn send_of(
        &self,
        who: &Caller,
        (proposal, access): (&str, &str),
        sealed: &[u8],
        halves: &str,
    ) -> Answer {
        let body = json!({ "sealed": api::Bytes64(sealed.to_vec()), "halves": halves });
        let path = format!("/api/v1/items/{}/productions/{proposal}/half?access={access}", self.exhibit);
        who.post(&path, &body).await
    }

    async fn sealed(&self, who: &Caller, proposal: &str, digest: &str, with: &Caller) -> Answer {
        let data = json!({ "proposal": proposal, "recipient": self.key.recipient(), "sealed": digest, "with": with.id });
        self.say(who, "production.sealed", &data).await
    }

    /// Ben opens the outer file for Asha, who seals what is in the inner one to the court.
    async fn produced(&self, proposal: &str) -> Vec<u8> {
        let People { asha, ben, case, .. } = &self.people;
        let mine = reading(asha, case, &self.exhibit, ben).await;
        let theirs = reading(ben, case, &self.exhibit, asha).await;
        help(ben, &self.exhibit, &theirs, &identity(ben)).await;
        let found = halves(asha, &self.exhibit, &mine).await;
        let half = identity(asha).open(&found.contributed.unwrap().0).unwrap();
        let sealed = age::seal(&half, &[self.key.recipient()], &mut OsEntropy).unwrap();
        let kept: api::Produced = self.send(asha, proposal, &mine, &sealed).await.made();
        self.sealed(asha, proposal, &kept.sealed, ben).await.made::<api::Recorded>();
        sealed
    }

    async fn export(&self, proposals: &[&str]) -> Answer {
        let body = json!({ "purpose": "court", "productions": proposals });
        self.jude.post(&format!("/api/v1/cases/{}/exports", self.people.case), &body).await
    }

    async fn bundle(&self, proposals: &[&str]) -> Vec<u8> {
        let export: api::Export = self.export(proposals).await.made();
        let bundle = self.jude.bundle(&export.id).await;
        assert_eq!(bundle.status, 200);
        bundle.body
    }

    async fn listed(&self) -> Vec<api::ProductionInfo> {
        let found: api::Productions =
            self.people.dora.get(&format!("/api/v1/items/{}/productions", self.exhibit)).await.ok();
        found.productions
    }
}

async fn kept(app: &TestApp, proposal: &str, digest: Digest) -> Option<ProductionHalves> {
    let store = Store::open(app.config.database_url()).await.unwrap();
    let kept = store.read().await.unwrap().production_halves(&proposal.parse().unwrap(), &digest).await;
    store.close().await;
    kept.unwrap()
}

async fn restricted_content_is_produced_to_the_court_that_ordered_it_and_opens_with_its_key_alone(
    engine: Engine,
) {
    let mut app = TestApp::new(engine).await;
    let court = Court::new(&app).await;
    let proposal = court.agreed().await;
    assert!(court.listed().await[0].waits[0].contains("two of a pair"));
    let sealed = court.produced(&proposal).await;
    let listed = court.listed().await;
    assert_eq!((listed[0].stage.as_str(), listed[0].waits.len()), ("sealed", 0));

    let export: api::Export = court.export(&[&proposal]).await.made();
    let bundle = court.jude.bundle(&export.id).await.body;
    assert!(bundle == court.jude.bundle(&export.id).await.body, "the same export, the same bytes");
    let report = judged(&court.jude, &bundle).await;
    assert!(!report.has(Code::NotDisclosed), "{:?}", report.findings);
    let [produced] = &report.facts.produced[..] else { panic!("{:?}", report.facts.produced) };
    assert_eq!(produced.recipient, court.key.recipient().to_string());
    assert_eq!(produced.approved_by, ["Prisca Prosecutor", "Jude Judge"]);
    let unzipped = Unzipped::new(&bundle);
    let files = unzipped.by_name();
    assert_eq!(files[produced.persons_half.as_str()], sealed);
    let half = |path: &str| key32(&court.key.open(files[path]).unwrap());
    let key = half(&produced.persons_half).xor(&half(&produced.vaults_half));
    let manifest = files[produced.manifest.as_str()];
    let content = |key| opened(files[produced.sealed.as_str()], manifest, &DataKey::new(key));
    assert_eq!(content(key), Some(video()));
    for one in [half(&produced.persons_half), half(&produced.vaults_half)] {
        assert_eq!(content(one), None, "one half alone");
    }
    // Another bundle carries nothing of it.
    let plain = court.bundle(&[]).await;
    assert!(Unzipped::new(&plain).by_name().keys().all(|name| !name.starts_with("data/sealed/")));
    assert!(judged(&court.jude, &plain).await.has(Code::NotDisclosed));
    audited(&app).await;

    // Whoever has the machine has nothing more than before: it takes the court's key.
    app.stop().await;
    let machine = Machine::of(&app, &court.exhibit).await;
    let People { asha, ben, .. } = &court.people;
    let halves = kept(&app, &proposal, Digest::of(&sealed)).await.unwrap();
    let tried = |identities: &[Identity]| {
        let open = |file: &[u8]| identities.iter().find_map(|identity| identity.open(file).ok());
        let key = key32(&open(&halves.persons)?).xor(&key32(&open(&halves.vault)?));
        opened(&machine.stored, &machine.object.manifest, &DataKey::new(key))
    };
    assert_eq!(machine.opened_with(&[]).or(tried(&[])), None, "the machine alone");
    for one in [asha, ben, &court.jude] {
        assert_eq!(machine.opened_with(&[identity(one)]).or(tried(&[identity(one)])), None, "and one person");
    }
    assert_eq!(tried(&[Identity::derive(&[77; 32])]), Some(video()), "the court");
}

async fn nothing_is_produced_without_two_agreements_and_two_who_open_it(engine: Engine) {
    let app = TestApp::new(engine).await;
    let court = Court::new(&app).await;
    let People { asha, ben, prisca, dora, case } = &court.people;
    let stranger = app.enrol("Sam Stranger", &[]).await;
    let proposal = court.proposed().await;
    let path = format!("/api/v1/items/{}/productions", court.exhibit);
    stranger.get(&path).await.problem("not-found");
    court.approved(asha, &proposal).await.problem("another-person");
    court.approved(dora, &proposal).await.problem("not-permitted");
    court.approved(prisca, &proposal).await.made::<api::Recorded>();

    let (mine, theirs) =
        (reading(asha, case, &court.exhibit, ben).await, reading(ben, case, &court.exhibit, asha).await);
    let file = age::seal(&[1; 32], &[court.key.recipient()], &mut OsEntropy).unwrap();
    court.send(asha, &proposal, &mine, &file).await.problem("not-approved");
    court.export(&[&proposal]).await.problem("no-such-production");
    court.approved(&court.jude, &proposal).await.made::<api::Recorded>();
    court.send(asha, &Digest::ZERO.to_hex(), &mine, &file).await.problem("no-such-production");
    court.send(asha, &proposal, &mine, &file).await.problem("opened-in-pairs");
    help(ben, &court.exhibit, &theirs, &identity(ben)).await;
    court.send(asha, &proposal, &mine, b"no age file").await.problem("invalid-request");
    let before = Digest::of(b"halves that were replaced").to_hex();
    court.send_of(asha, (&proposal, &mine), &file, &before).await.problem("other-halves");
    court.send(prisca, &proposal, &mine, &file).await.problem("access-grant-needed");
    stranger
        .post(&format!("{path}/{proposal}/half?access={mine}"), &json!({ "sealed": "", "halves": "" }))
        .await
        .problem("not-found");
    court.sealed(asha, &proposal, &Digest::of(&file).to_hex(), ben).await.problem("invalid-request");
    let kept: api::Produced = court.send(asha, &proposal, &mine, &file).await.made();
    court.sealed(asha, &proposal, &kept.sealed, prisca).await.problem("opened-in-pairs");
    court.sealed(prisca, &proposal, &kept.sealed, dora).await.problem("opened-in-pairs");
    court.export(&[&proposal]).await.problem("no-such-production");
    court.sealed(asha, &proposal, &kept.sealed, ben).await.made::<api::Recorded>();
    // Wrong, and nobody could know: the court says so, and it is sealed once more.
    let first: api::Export = court.export(&[&proposal]).await.made();
    let wrong = court.jude.bundle(&first.id).await.body;
    assert!(!judged(&court.jude, &wrong).await.has(Code::Changed));
    court.produced(&proposal).await;
    let right = court.bundle(&[&proposal]).await;
    assert_ne!(Digest::of(&right), Digest::of(&wrong));
    court.jude.bundle(&first.id).await.problem("destroyed");

    // A judge who is no judge any more.
    let member = format!("/api/v1/cases/{case}/members/{}/court", court.jude.id);
    asha.send(asha.request(Method::DELETE, &member)).await.ok::<api::Recorded>();
    let body = json!({ "purpose": "court", "productions": [proposal] });
    prisca.post(&format!("/api/v1/cases/{case}/exports"), &body).await.problem("proposal-lapsed");
    assert!(court.listed().await[0].waits[0].contains("counts no more"));
    audited(&app).await;
}

async fn what_was_produced_ends_with_its_production_and_with_the_content(engine: Engine) {
    let app = TestApp::new(engine).await;
    let court = Court::new(&app).await;
    let (first, second) = (court.agreed().await, court.agreed().await);
    let (one, two) = (court.produced(&first).await, court.produced(&second).await);
    let export: api::Export = court.export(&[&first, &second]).await.made();
    assert_eq!(court.jude.bundle(&export.id).await.status, 200);
    assert!(kept(&app, &first, Digest::of(&one)).await.is_some());
    let declined =
        court.say(&court.people.prisca, "production.declined", &json!({ "proposal": first })).await;
    declined.made::<api::Recorded>();
    assert!(kept(&app, &first, Digest::of(&one)).await.is_none());
    assert_eq!(court.listed().await[0].stage, "declined");
    court.jude.bundle(&export.id).await.problem("destroyed");
    court.export(&[&first, &second]).await.problem("no-such-production");
    court.bundle(&[&second]).await;

    let halves = kept(&app, &second, Digest::of(&two)).await.unwrap();
    let store = Store::open(app.config.database_url()).await.unwrap();
    let row = store.read().await.unwrap().objects(&[halves.object]).await.unwrap().pop().unwrap();
    let now = "2026-11-21T12:00:00.000Z".parse().unwrap();
    let shred = Change::ShredObject { object: row.object, kek: row.kek, wrapped: row.wrapped, now };
    assert!(store.apply(&[shred]).await.unwrap());
    store.close().await;
    assert!(kept(&app, &second, Digest::of(&two)).await.is_none());
}

async fn nobody_seals_to_a_court_with_somebody_whose_key_was_revoked(engine: Engine) {
    let app = TestApp::new(engine).await;
    let court = Court::new(&app).await;
    let proposal = court.agreed().await;
    let sealed = Digest::of(&court.produced(&proposal).await).to_hex();
    let People { asha, ben, .. } = &court.people;
    court.sealed(asha, &proposal, &sealed, ben).await.made::<api::Recorded>();
    let hash = custody::envelope::key_hash(&ben.key.verifying_key());
    ben.post(&format!("/api/v1/keys/{hash}/revoke"), &json!({})).await.ok::<api::Recorded>();
    court.sealed(asha, &proposal, &sealed, ben).await.problem("opened-in-pairs");
    audited(&app).await;
}
