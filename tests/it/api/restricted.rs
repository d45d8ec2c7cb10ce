//! Restricted items: no one person opens them, nor whoever has the machine; two of a pair do.

use custody::act::Act;
use custody::age::Identity;
use custody::blob::{BlobContext, BlobReader, HEADER_LEN, VaultId};
use custody::bundle::findings::Code;
use custody::digest::Digest;
use custody::halves::SealedHalf;
use custody::keys::{DataKey, Key32, KeyContext, WrappedKey};
use custody::manifest;
use custody::time::Timestamp;
use custos::api;
use custos::app::rotate_kek;
use custos::blobs::Blobs;
use custos::engine::AwsLc;
use custos::keyring::{FileProvider, Keyring};
use custos::store::{ObjectRow, Store};
use futures_util::TryStreamExt as _;
use reqwest::Method;
use serde_json::json;

use super::spine::two_custodians;
use super::stays::audited;
use crate::ops::backup::backed_up;
use crate::support::app::TestApp;
use crate::support::bundle::{Unzipped, judged};
use crate::support::client::{Answer, Caller, draft, item};
use crate::support::world::Engine;

crate::on_both_engines! {
    two_of_a_pair_open_a_restricted_item_and_each_reading_comes_first
    neither_one_person_nor_all_that_the_machine_has_opens_a_restricted_item
    whoever_has_the_papers_of_the_recovery_pair_opens_it_together_with_somebody
    what_becomes_restricted_loses_its_whole_key_and_a_rotation_keeps_it_so
    a_class_and_the_kind_of_key_agree_whatever_comes_first
}

/// Asha leads, Ben is custodian, Prisca prosecutes, Dora is there for the defence; each can be sealed to.
pub(crate) struct People {
    pub(crate) asha: Caller,
    pub(crate) ben: Caller,
    pub(crate) prisca: Caller,
    pub(crate) dora: Caller,
    pub(crate) case: String,
}

impl People {
    pub(crate) async fn new(app: &TestApp) -> Self {
        let (asha, ben, case) = two_custodians(app).await;
        let prisca = app.enrol("Prisca Prosecutor", &[]).await;
        let dora = app.enrol("Dora Defence", &[]).await;
        for (who, role) in [(&prisca, "prosecutor"), (&dora, "defence")] {
            asha.add_member(&case, &who.id, role).await.made::<api::Recorded>();
        }
        for who in [&asha, &ben, &prisca, &dora] {
            let named = json!({ "person": who.id, "data": { "recipient": identity(who).recipient() } });
            who.say(&draft("recipient.named", &named)).await.made::<api::Recorded>();
        }
        Self { asha, ben, prisca, dora, case }
    }

    pub(crate) fn sealing(&self) -> api::Sealing {
        let pair = |one: &Caller, other: &Caller| [one.id.clone(), other.id.clone()];
        api::Sealing {
            pairs: vec![pair(&self.asha, &self.ben), pair(&self.dora, &self.prisca)],
            recovery: None,
        }
    }

    pub(super) async fn register(&self, sealing: api::Sealing, content: &[u8]) -> String {
        let new = api::NewItem { sealing: Some(sealing), ..item("restricted", "video.mp4", Some(content)) };
        self.asha.register(&self.case, &new).await.made::<api::Created>().id
    }

    pub(super) async fn put(&self, sealing: api::Sealing, content: &[u8]) -> String {
        let exhibit = self.register(sealing, content).await;
        let stored: api::Stored = self.asha.upload(&exhibit, content).await.made();
        assert_eq!(stored.digest, Digest::of(content).to_hex());
        exhibit
    }

    async fn classify(&self, exhibit: &str) -> Answer {
        let head = self.asha.item(exhibit).await.ok::<api::Item>().head;
        let body = json!({ "class": "restricted", "seen": head, "sealing": self.sealing() });
        self.asha.post(&format!("/api/v1/items/{exhibit}/class"), &body).await
    }
}

pub(super) fn identity(who: &Caller) -> Identity {
    Identity::derive(&who.key.to_bytes())
}

/// Somebody's own statement that they open it together with another.
pub(super) async fn say_reading(who: &Caller, case: &str, exhibit: &str, with: &Caller) -> Answer {
    let expires = Timestamp::from_millis(jiff::Timestamp::now().as_millisecond() + 600_000).unwrap();
    let data = json!({ "expires": expires.to_string(), "with": with.id });
    let more = json!({ "case": case, "item": exhibit, "purpose": "case-review", "data": data });
    who.say(&draft("access.granted", &more)).await
}

pub(super) async fn reading(who: &Caller, case: &str, exhibit: &str, with: &Caller) -> String {
    let recorded: api::Recorded = say_reading(who, case, exhibit, with).await.made();
    who.check(&recorded.receipts)[0].record_hash.to_hex()
}

pub(super) async fn halves(who: &Caller, exhibit: &str, access: &str) -> api::Halves {
    who.get(&format!("/api/v1/items/{exhibit}/halves?access={access}")).await.ok()
}

/// Of the halves that count now, if these can be asked for.
pub(super) async fn contribute(who: &Caller, exhibit: &str, access: &str, sealed: &[u8]) -> Answer {
    let found = who.get(&format!("/api/v1/items/{exhibit}/halves?access={access}")).await;
    let of = if found.status == 200 { found.ok::<api::Halves>().halves } else { Digest::ZERO.to_hex() };
    contribute_of(who, (exhibit, access), &of, sealed).await
}

pub(super) async fn contribute_of(
    who: &Caller,
    (exhibit, access): (&str, &str),
    halves: &str,
    sealed: &[u8],
) -> Answer {
    let body = api::NewContribution { sealed: api::Bytes64(sealed.to_vec()), halves: halves.to_owned() };
    let path = format!("/api/v1/items/{exhibit}/contribution?access={access}");
    who.send(who.request(Method::PUT, &path).json(&body)).await
}

/// What the first of two does on their own device for the other.
pub(super) async fn help(who: &Caller, exhibit: &str, access: &str, identity: &Identity) {
    let found = halves(who, exhibit, access).await;
    let inner = found.sealed.iter().find_map(|half| identity.open(&half.sealed.0).ok()).unwrap();
    assert_eq!(contribute(who, exhibit, access, &inner).await.status, 204);
}

/// What the second does with it.
pub(super) async fn open(who: &Caller, exhibit: &str, access: &str, identity: &Identity) -> Vec<u8> {
    let found = halves(who, exhibit, access).await;
    let persons = identity.open(&found.contributed.unwrap().0).unwrap();
    let key = key32(&found.half.unwrap().0).xor(&key32(&persons));
    let sealed = who.get(&format!("/api/v1/items/{exhibit}/sealed-content?access={access}")).await;
    assert_eq!(sealed.status, 200);
    opened(&sealed.body, &found.manifest.0, &DataKey::new(key)).unwrap()
}

pub(super) fn key32(bytes: &[u8]) -> Key32 {
    Key32::new(bytes.try_into().unwrap())
}

/// The content of a stored object, if this is its key.
pub(super) fn opened(stored: &[u8], manifest: &[u8], key: &DataKey) -> Option<Vec<u8>> {
    let envelope =
        custody::envelope::Envelope::parse(manifest, custody::envelope::PayloadType::Manifest).unwrap();
    let facts = manifest::decode(envelope.body()).unwrap();
    let mut reader =
        BlobReader::<AwsLc>::open(&facts.header, facts.header.context(), key, facts.content_size).ok()?;
    assert_eq!(stored[..HEADER_LEN], facts.header.as_bytes()[..]);
    let mut content = Vec::new();
    for segment in 0..reader.layout().segments() {
        let extent = reader.layout().segment(segment).unwrap();
        let at = usize::try_from(extent.offset).unwrap();
        let mut bytes = stored[at..at + usize::try_from(extent.size).unwrap()].to_vec();
        content.extend_from_slice(reader.segment(segment, &mut bytes).ok()?);
    }
    Some(content)
}

pub(super) fn video() -> Vec<u8> {
    b"what two only may see ".repeat(20_000)
}

async fn two_of_a_pair_open_a_restricted_item_and_each_reading_comes_first(engine: Engine) {
    let app = TestApp::new(engine).await;
    let people = People::new(&app).await;
    let People { asha, prisca, dora, case, .. } = &people;
    let exhibit = people.put(people.sealing(), &video()).await;

    // Nobody alone, nor with somebody who is not the other of a pair.
    asha.access(&exhibit).await.problem("opened-in-pairs");
    say_reading(asha, case, &exhibit, prisca).await.problem("opened-in-pairs");
    let theirs = reading(prisca, case, &exhibit, dora).await;
    prisca.send(prisca.reading(&exhibit, &theirs)).await.problem("sealed-to-persons");
    asha.get(&format!("/api/v1/items/{exhibit}/halves?access={theirs}")).await.problem("access-grant-needed");
    let alone = halves(prisca, &exhibit, &theirs).await;
    assert_eq!((alone.sealed.len(), alone.half.is_none(), alone.contributed.is_none()), (1, true, true));
    assert_eq!((&alone.sealed[0].first, &alone.sealed[0].second), (&prisca.id, &dora.id));

    // What somebody contributes without being asked opens nothing before they have said so.
    let own = reading(dora, case, &exhibit, prisca).await;
    assert!(halves(prisca, &exhibit, &theirs).await.half.is_none(), "nothing was opened yet");
    contribute(dora, &exhibit, &own, &[]).await.problem("invalid-request");
    let elsewhere = people.put(people.sealing(), b"another").await;
    let theirs_elsewhere = reading(dora, case, &elsewhere, prisca).await;
    let outer = halves(dora, &elsewhere, &theirs_elsewhere).await.sealed.remove(0);
    let inner = identity(dora).open(&outer.sealed.0).unwrap();
    contribute(dora, &exhibit, &own, &inner).await.problem("invalid-request");
    contribute(dora, &exhibit, &own, &vec![0; 20_000]).await.problem("invalid-request");
    help(dora, &exhibit, &own, &identity(dora)).await;
    assert_eq!(open(prisca, &exhibit, &theirs, &identity(prisca)).await, video());

    // Both readings stand before, with the other's name, and the end says how many bytes went out.
    let done: api::Recorded =
        prisca.post(&format!("/api/v1/items/{exhibit}/access/{theirs}/complete"), &json!({})).await.ok();
    let completed = prisca.check(&done.receipts);
    let Act::AccessCompleted(_, _, ended) = Act::parse(&completed[0].statement).unwrap() else {
        panic!("the end of a reading")
    };
    let sent = ended.bytes.unwrap();
    assert!(sent > video().len() as u64, "the whole of the ciphertext: {sent}");
    prisca
        .get(&format!("/api/v1/items/{exhibit}/halves?access={theirs}"))
        .await
        .problem("access-grant-needed");
    // The other's own reading is open still; once it has ended, the half is not given any more.
    let again = reading(prisca, case, &exhibit, dora).await;
    assert!(halves(prisca, &exhibit, &again).await.half.is_some());
    dora.post(&format!("/api/v1/items/{exhibit}/access/{own}/complete"), &json!({}))
        .await
        .ok::<api::Recorded>();
    let found = halves(prisca, &exhibit, &again).await;
    assert!(found.contributed.is_none() && found.half.is_none());
    // Nor after somebody has left the case, whatever they said before.
    let own = reading(dora, case, &exhibit, prisca).await;
    assert!(halves(prisca, &exhibit, &again).await.half.is_none(), "each reading takes the other anew");
    help(dora, &exhibit, &own, &identity(dora)).await;
    assert!(halves(prisca, &exhibit, &again).await.half.is_some());
    asha.delete(&format!("/api/v1/cases/{case}/members/{}/defence", dora.id)).await.ok::<api::Recorded>();
    let found = halves(prisca, &exhibit, &again).await;
    assert!(found.contributed.is_none() && found.half.is_none());
    asha.add_member(case, &dora.id, "defence").await.made::<api::Recorded>();

    // No bundle has it, and the verdict says why.
    let export: api::Export = asha.export(case).await.made();
    let bundle = asha.bundle(&export.id).await;
    assert_eq!(bundle.status, 200);
    let files = Unzipped::new(&bundle.body);
    assert!(files.by_name().keys().all(|name| !name.starts_with("data/exhibits/")));
    let report = judged(asha, &bundle.body).await;
    let withheld = report.findings.iter().find(|found| found.code == Code::NotDisclosed).unwrap();
    assert_eq!(withheld.count, 2, "{:?}", report.findings);
    assert!(withheld.places[0].detail.contains("sealed to persons"), "{withheld:?}");
    assert_eq!(report.exit_code, 4);
    audited(&app).await;
}

/// The database, the object store and the keys of a vault that does not run, as whoever has its machine has them.
pub(super) struct Machine {
    pub(super) object: ObjectRow,
    pub(super) halves: Vec<SealedHalf>,
    pub(super) stored: Vec<u8>,
    pub(super) keyring: Keyring,
    pub(super) context: BlobContext,
}

impl Machine {
    pub(super) async fn of(app: &TestApp, exhibit: &str) -> Self {
        let store = Store::open(app.config.database_url()).await.unwrap();
        let mut tx = store.read().await.unwrap();
        let object = tx.objects_of(exhibit.parse().unwrap()).await.unwrap().pop().unwrap();
        let halves = tx.sealed_halves(object.object).await.unwrap();
        let vault = tx.vault().await.unwrap().unwrap();
        drop(tx);
        store.close().await;
        let blobs = Blobs::open(app.config.blobs_url()).unwrap();
        let stored: Vec<_> = blobs.ciphertext(object.object).await.unwrap().try_collect().await.unwrap();
        let mut keyring = Keyring::open(&app.config.data_dir().join("keys"), &FileProvider).unwrap();
        keyring.use_kek(object.kek);
        let context = BlobContext {
            object: object.object,
            vault: VaultId::of(&vault.id),
            item: object.item,
            version: 1,
        };
        Self { object, halves, stored: stored.concat(), keyring, context }
    }

    fn unwrapped(&self, context: &KeyContext) -> Option<Key32> {
        self.keyring.unwrap(context, &WrappedKey::parse(&self.object.wrapped).unwrap()).ok()
    }

    /// The content, if these identities together with the machine suffice.
    pub(super) fn opened_with(&self, identities: &[Identity]) -> Option<Vec<u8>> {
        let mut keys: Vec<_> = self.unwrapped(&KeyContext::Data(self.context)).into_iter().collect();
        if let Some(vaults) = self.unwrapped(&KeyContext::VaultHalf(self.context)) {
            let open = |file: &[u8]| identities.iter().find_map(|identity| identity.open(file).ok());
            let persons = self.halves.iter().filter_map(|half| open(&open(&half.sealed)?));
            keys.extend(persons.map(|half| vaults.xor(&key32(&half))));
            keys.push(vaults);
        }
        keys.into_iter().find_map(|key| opened(&self.stored, &self.object.manifest, &DataKey::new(key)))
    }
}

async fn neither_one_person_nor_all_that_the_machine_has_opens_a_restricted_item(engine: Engine) {
    let mut app = TestApp::new(engine).await;
    let people = People::new(&app).await;
    let exhibit = people.put(people.sealing(), &video()).await;
    let open_one = people.asha.put(&people.case, "open.txt", &video()).await;
    let People { asha, ben, prisca, dora, .. } = &people;
    app.stop().await;
    let repository = app.root().join("backups");
    backed_up(&app.config, &repository, 0).await;

    let machine = Machine::of(&app, &exhibit).await;
    assert!(machine.object.halved && machine.halves.len() == 4);
    let tried = |who: &[&Caller]| {
        let identities: Vec<_> = who.iter().map(|who| identity(who)).collect();
        machine.opened_with(&identities)
    };
    assert_eq!(tried(&[]), None, "the machine alone");
    for one in [asha, ben, prisca, dora] {
        assert_eq!(tried(&[one]), None, "the machine and one person");
    }
    for [one, other] in [[asha, dora], [asha, prisca], [ben, dora], [ben, prisca]] {
        assert_eq!(tried(&[one, other]), None, "two who are no pair");
    }
    // What makes the attempts above attempts: a pair opens it, and the machine alone opens what is not restricted.
    for pair in [[asha, ben], [prisca, dora]] {
        assert_eq!(tried(&pair), Some(video()));
    }
    let other = Machine::of(&app, &open_one).await;
    assert_eq!(other.opened_with(&[]), Some(video()));
    // The pairs alone, without the vault's half.
    for half in &machine.halves {
        let inner = [asha, ben, prisca, dora]
            .into_iter()
            .find_map(|who| identity(who).open(&half.sealed).ok())
            .unwrap();
        let persons =
            [asha, ben, prisca, dora].into_iter().find_map(|who| identity(who).open(&inner).ok()).unwrap();
        assert_eq!(opened(&machine.stored, &machine.object.manifest, &DataKey::new(key32(&persons))), None);
    }
    // Neither the content nor a whole key is in anything that the machine or a backup has.
    for entry in walkdir::WalkDir::new(app.root()) {
        let entry = entry.unwrap();
        if entry.file_type().is_file() && entry.path().file_name().is_some_and(|name| name != "part") {
            let bytes = std::fs::read(entry.path()).unwrap();
            let marker: &[u8] = b"what two only may see ";
            assert!(!bytes.windows(marker.len()).any(|w| w == marker), "{}", entry.path().display());
        }
    }
}

async fn whoever_has_the_papers_of_the_recovery_pair_opens_it_together_with_somebody(engine: Engine) {
    let app = TestApp::new(engine).await;
    let people = People::new(&app).await;
    let People { asha, ben, prisca, dora, case } = &people;
    let papers = [[41; 32], [42; 32]].map(|seed| Identity::derive(&seed));
    let recovery = Some(papers.each_ref().map(|paper| paper.recipient().to_string()));
    let pairs = vec![[asha.id.clone(), ben.id.clone()]];
    let exhibit = people.put(api::Sealing { pairs, recovery }, &video()).await;
    let (first, second) =
        (reading(dora, case, &exhibit, prisca).await, reading(prisca, case, &exhibit, dora).await);
    let found = halves(dora, &exhibit, &first).await;
    assert_eq!(found.sealed.len(), 2, "each paper may come first");
    let inner = found.sealed.iter().find_map(|half| papers[0].open(&half.sealed.0).ok()).unwrap();
    assert_eq!(contribute(dora, &exhibit, &first, &inner).await.status, 204);
    assert_eq!(open(prisca, &exhibit, &second, &papers[1]).await, video());
}

async fn what_becomes_restricted_loses_its_whole_key_and_a_rotation_keeps_it_so(engine: Engine) {
    let mut app = TestApp::new(engine).await;
    let people = People::new(&app).await;
    let People { asha, ben, case, .. } = &people;
    let exhibit = asha.put(case, "a.txt", &video()).await;
    let before: api::Access = asha.access(&exhibit).await.made();
    people.classify(&exhibit).await.ok::<api::Classified>();
    asha.send(asha.reading(&exhibit, &before.access)).await.problem("sealed-to-persons");
    people.classify(&exhibit).await.problem("sealed-to-persons");
    app.stop().await;
    let machine = Machine::of(&app, &exhibit).await;
    assert!(machine.object.halved);
    assert_eq!(machine.opened_with(&[]), None);
    assert_eq!(machine.opened_with(&[identity(asha), identity(ben)]), Some(video()));

    rotate_kek(&app.config, None).await.unwrap();
    let machine = Machine::of(&app, &exhibit).await;
    assert_eq!((machine.object.kek, machine.opened_with(&[])), (2, None));
    app.start().await;
    let (own, theirs) = (reading(asha, case, &exhibit, ben).await, reading(ben, case, &exhibit, asha).await);
    help(ben, &exhibit, &theirs, &identity(ben)).await;
    assert_eq!(open(asha, &exhibit, &own, &identity(asha)).await, video());
    let checked: api::Fixity = asha.post(&format!("/api/v1/items/{exhibit}/fixity"), &json!({})).await.made();
    assert!(checked.intact, "read back without any key");
    audited(&app).await;
}

async fn a_class_and_the_kind_of_key_agree_whatever_comes_first(engine: Engine) {
    let mut app = TestApp::new(engine).await;
    let people = People::new(&app).await;
    let mut exhibits = Vec::new();
    for n in 0..8_u8 {
        let new = item("open", "a.txt", None);
        let exhibit = people.asha.register(&people.case, &new).await.made::<api::Created>().id;
        let content = vec![n; 1_000];
        let (sent, classified) =
            tokio::join!(people.asha.upload(&exhibit, &content), people.classify(&exhibit));
        for answer in [sent, classified] {
            if !answer.status.is_success() {
                answer.problem("too-late");
            }
        }
        exhibits.push(exhibit);
    }
    let items: Vec<api::Item> = {
        let mut items = Vec::new();
        for exhibit in &exhibits {
            items.push(people.asha.item(exhibit).await.ok());
        }
        items
    };
    app.stop().await;
    for item in items.iter().filter(|item| item.stored.is_some()) {
        let machine = Machine::of(&app, &item.id).await;
        assert_eq!(machine.object.halved, item.class == "restricted");
        assert_eq!(machine.opened_with(&[]).is_some(), item.class != "restricted");
    }
}
