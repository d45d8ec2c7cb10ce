//! Content that its sender seals: the vault takes what fits, sees nothing of it, and says so.

use custody::act::{Act, ObjectId};
use custody::age::Identity;
use custody::blob::{BlobContext, BlobFacts, BlobStream, BlobWriter, HEADER_LEN, SegmentsPerPart, VaultId};
use custody::bundle::findings::Code;
use custody::digest::Digest;
use custody::halves::{self, Pair, Party};
use custody::keys::{DataKey, Key32};
use custody::kind::Kind;
use custody::statement::CheckedBy;
use custos::api;
use custos::app::rotate_kek;
use custos::engine::{AwsLc, OsEntropy};
use custos::store::Store;
use reqwest::Method;
use serde_json::{Value, json};

use super::destruction::{approval, proposed, swept};
use super::restricted::{Machine, People, halves, help, identity, open, reading, video};
use super::stays::audited;
use crate::ops::backup::{backed_up, elsewhere, restored};
use crate::ops::recover::assert_replays;
use crate::support::app::{TestApp, custos_random};
use crate::support::bundle::judged;
use crate::support::client::{Answer, Caller, draft};
use crate::support::world::Engine;

crate::on_both_engines! {
    what_its_sender_sealed_is_taken_unseen_and_opened_by_two_who_say_what_they_found
    what_was_sealed_by_its_sender_is_opened_by_nobody_alone
    what_does_not_fit_is_refused_and_leaves_nothing
    who_seals_says_so_beforehand_and_nobody_else_sends
    what_the_sender_only_claimed_is_contradicted_by_whoever_opens_it
    of_two_who_choose_the_same_id_one_is_refused_and_what_was_there_stays
    whoever_lost_a_key_while_it_was_sent_is_not_given_what_opens_it
    what_its_sender_sealed_lives_as_everything_else_does
}

/// What goes over the line: the JSON before, the object, and the digest of its sealed halves.
struct Sealed {
    line: Value,
    object: Vec<u8>,
    halves: Digest,
    id: ObjectId,
}

impl Sealed {
    /// Content sealed for the people's two pairs, as an object of this vault and item.
    fn new(people: &People, vault: &Digest, exhibit: &str, content: &[u8]) -> Self {
        Self::under(ObjectId::new(random()), people, vault, exhibit, content)
    }

    fn under(id: ObjectId, people: &People, vault: &Digest, exhibit: &str, content: &[u8]) -> Self {
        let item = exhibit.parse().unwrap();
        let place = BlobContext { object: id, vault: VaultId::of(vault), item, version: 1 };
        let (key, persons) = (DataKey::make(&mut OsEntropy), Key32::make(&mut OsEntropy));
        let vaults = key.as_key().xor(&persons);
        let (object, facts) = seal(place, &key, content);
        let People { asha, ben, prisca, dora, .. } = people;
        let sealed = halves::seal(&persons, item, &[pair([asha, ben]), pair([dora, prisca])]).unwrap();
        let new = api::NewSealedContent {
            crc32: facts.crc32,
            half: api::Bytes64(vaults.expose().to_vec()),
            halves: sealed.iter().cloned().map(Into::into).collect(),
            object: id.to_string(),
        };
        let line = serde_json::to_value(&new).unwrap();
        Self { line, object, halves: halves::digest(&sealed), id }
    }

    fn body(&self) -> Vec<u8> {
        [self.line.to_string().as_bytes(), b"\n", &self.object].concat()
    }
}

fn random<const N: usize>() -> [u8; N] {
    custos_random()[..N].try_into().unwrap()
}

fn seal(place: BlobContext, key: &DataKey, content: &[u8]) -> (Vec<u8>, BlobFacts) {
    let parts = SegmentsPerPart::for_content(Some(content.len() as u64));
    let writer = BlobWriter::<AwsLc>::start(place, parts, key, &mut OsEntropy).unwrap();
    let (mut stream, mut object) = (BlobStream::new(writer), Vec::new());
    stream.push(content, &mut OsEntropy, &mut |bytes| object.extend_from_slice(bytes)).unwrap();
    let facts = stream.finish(&mut OsEntropy, &mut |bytes| object.extend_from_slice(bytes)).unwrap();
    (object, facts)
}

fn pair([one, other]: [&Caller; 2]) -> Pair {
    let party = |who: &Caller| Party::Person(who.id.parse().unwrap());
    let recipients = |who: &Caller| vec![identity(who).recipient()];
    Pair { parties: [party(one), party(other)], recipients: [recipients(one), recipients(other)] }
}

/// The registration of something that its sender will seal.
fn registration(people: &People, exhibit: &str, content: &[u8]) -> Value {
    let mut pairs = people.sealing().pairs;
    for pair in &mut pairs {
        pair.sort_unstable();
    }
    pairs.sort_unstable();
    let data = json!({
        "class": "restricted", "route": "cli", "sealed_by": "sender", "sealing": { "pairs": pairs },
    });
    let content = json!({ "digest": Digest::of(content).to_hex(), "size": content.len() });
    draft(
        "item.registered",
        &json!({ "case": people.case, "item": exhibit, "content": content, "data": data }),
    )
}

fn new_id() -> String {
    uuid::Builder::from_custom_bytes(random()).into_uuid().to_string()
}

async fn registered(people: &People, content: &[u8]) -> String {
    let exhibit = new_id();
    people.asha.say(&registration(people, &exhibit, content)).await.made::<api::Recorded>();
    exhibit
}

async fn send(who: &Caller, exhibit: &str, body: Vec<u8>) -> Answer {
    let path = format!("/api/v1/items/{exhibit}/sealed-content");
    who.send(who.request(Method::PUT, &path).body(body)).await
}

/// A video that its sender sealed.
async fn taken(app: &TestApp, people: &People) -> String {
    let exhibit = registered(people, &video()).await;
    let sealed = Sealed::new(people, &app.shared.vault, &exhibit, &video());
    send(&people.asha, &exhibit, sealed.body()).await.made::<api::Stored>();
    exhibit
}

/// Two who opened it: the grants of the reader and of the other.
struct Opened<'a> {
    with: &'a Caller,
    grants: [String; 2],
}

/// What the reader of two says that they found, under their grants.
async fn found(
    who: &Caller,
    (case, exhibit): (&str, &str),
    (kind, opened): (&str, &Opened<'_>),
    (object, content): (ObjectId, &[u8]),
) -> Answer {
    let data = json!({
        "grant": opened.grants[0], "object": object.to_string(), "stage": "opening", "with": opened.with.id,
        "with_grant": opened.grants[1],
    });
    let content = json!({ "digest": Digest::of(content).to_hex(), "size": content.len() });
    let more = json!({ "case": case, "item": exhibit, "content": content, "data": data });
    let prepared = who.prepare(&draft(kind, &more)).await;
    if prepared.status == 200 { who.submit(&prepared.ok()).await } else { prepared }
}

/// Prisca and Dora open it, and Prisca reads it.
async fn opened<'a>(people: &'a People, exhibit: &str) -> (Opened<'a>, Vec<u8>) {
    let People { prisca, dora, case, .. } = people;
    let own = reading(dora, case, exhibit, prisca).await;
    let theirs = reading(prisca, case, exhibit, dora).await;
    help(dora, exhibit, &own, &identity(dora)).await;
    let content = open(prisca, exhibit, &theirs, &identity(prisca)).await;
    (Opened { with: dora, grants: [theirs, own] }, content)
}

async fn what_its_sender_sealed_is_taken_unseen_and_opened_by_two_who_say_what_they_found(engine: Engine) {
    let app = TestApp::new(engine).await;
    let people = People::new(&app).await;
    let exhibit = registered(&people, &video()).await;
    let People { asha, prisca, dora, case, .. } = &people;
    assert_eq!(asha.item(&exhibit).await.ok::<api::Item>().sealed_by.as_deref(), Some("sender"));
    let sealed = Sealed::new(&people, &app.shared.vault, &exhibit, &video());
    let stored: api::Stored = send(asha, &exhibit, sealed.body()).await.made();
    assert_eq!((stored.digest, stored.size), (Digest::of(&video()).to_hex(), video().len() as u64));
    // The vault says what it was given, and that it did not look.
    let received = asha.check(&stored.receipts).remove(0).statement;
    let Act::ContentReceived(_, _, d, content) = Act::parse(&received).unwrap() else {
        panic!("{received:?}")
    };
    assert_eq!((d.object, d.halves, content.checked_by), (sealed.id, Some(sealed.halves), CheckedBy::None));
    send(asha, &exhibit, sealed.body()).await.problem("content-exists");

    let checked: api::Fixity = asha.post(&format!("/api/v1/items/{exhibit}/fixity"), &json!({})).await.made();
    let said = asha.check(&checked.receipts).remove(0).statement;
    let by = said.content.map(|content| content.checked_by);
    assert_eq!((checked.intact, said.kind, by), (true, Kind::FixityPassed, Some(CheckedBy::None)));

    let (both, content) = opened(&people, &exhibit).await;
    assert_eq!(content, video());
    // Whoever opens it can make all the halves again that others were given.
    let shown = halves(prisca, &exhibit, &both.grants[0]).await;
    assert_eq!((shown.sealed.len(), shown.others.len()), (1, 3));
    let place = (case.as_str(), exhibit.as_str());
    let passed = |who| found(who, place, ("fixity.passed", &both), (sealed.id, &content));
    passed(dora).await.problem("opened-in-pairs");
    passed(asha).await.problem("opened-in-pairs");
    let alone = Opened { with: dora, grants: [both.grants[0].clone(), both.grants[0].clone()] };
    found(prisca, place, ("fixity.passed", &alone), (sealed.id, &content)).await.problem("opened-in-pairs");
    found(prisca, place, ("fixity.passed", &both), (sealed.id, b"other")).await.problem("digest-mismatch");
    found(prisca, place, ("fixity.failed", &both), (sealed.id, &content)).await.problem("digest-mismatch");
    let other = ObjectId::new(random());
    found(prisca, place, ("fixity.passed", &both), (other, &content)).await.problem("unknown");
    let said: api::Recorded = passed(prisca).await.made();
    assert_eq!(prisca.check(&said.receipts)[0].statement.kind, Kind::FixityPassed);

    // A bundle says that nobody but the sender and those who opened it have seen it.
    let export: api::Export = asha.export(case).await.made();
    let report = judged(asha, &asha.bundle(&export.id).await.body).await;
    let unseen = report.findings.iter().find(|found| found.code == Code::NotVaultVerified).unwrap();
    assert!(unseen.places[0].detail.contains("sealed by its sender"), "{unseen:?}");
    assert!(unseen.places[0].detail.contains("1 other person says"), "{unseen:?}");
    assert_eq!((report.exit_code, report.facts.fixity_failures), (4, 0));
    // Grants end, and what is said under them.
    let ended = format!("/api/v1/items/{exhibit}/access/{}/complete", both.grants[0]);
    prisca.post(&ended, &json!({})).await.ok::<Value>();
    passed(prisca).await.problem("opened-in-pairs");
}

async fn what_was_sealed_by_its_sender_is_opened_by_nobody_alone(engine: Engine) {
    let mut app = TestApp::new(engine).await;
    let people = People::new(&app).await;
    let exhibit = taken(&app, &people).await;
    app.stop().await;
    let machine = Machine::of(&app, &exhibit).await;
    let tried = |who: &[&Caller]| {
        let identities: Vec<Identity> = who.iter().map(|who| identity(who)).collect();
        machine.opened_with(&identities)
    };
    let People { asha, ben, prisca, dora, .. } = &people;
    for one in [&[][..], &[asha], &[ben], &[prisca], &[dora], &[asha, dora], &[ben, prisca]] {
        assert_eq!(tried(one), None);
    }
    for both in [[asha, ben], [dora, prisca]] {
        assert_eq!(tried(&both), Some(video()));
    }
}

async fn what_does_not_fit_is_refused_and_leaves_nothing(engine: Engine) {
    let app = TestApp::new(engine).await;
    let people = People::new(&app).await;
    let (asha, vault) = (&people.asha, app.shared.vault);
    let exhibit = registered(&people, &video()).await;
    let elsewhere = registered(&people, b"elsewhere").await;
    let other = Sealed::new(&people, &vault, &elsewhere, b"elsewhere");
    send(asha, &elsewhere, other.body()).await.made::<api::Stored>();
    let objects = app.objects();
    let good = Sealed::new(&people, &vault, &exhibit, &video());
    let changed = |change: &dyn Fn(&mut Value)| {
        let mut line = good.line.clone();
        change(&mut line);
        [line.to_string().as_bytes(), b"\n", &good.object].concat()
    };
    let altered = |at: usize| {
        let mut object = good.object.clone();
        object[at] ^= 1;
        Sealed { line: good.line.clone(), object, ..good }.body()
    };
    let shorter = Sealed::new(&people, &vault, &exhibit, &video()[1..]);
    let foreign = Sealed::new(&people, &vault, &elsewhere, &video());
    let strange = Sealed::new(&people, &Digest::ZERO, &exhibit, &video());
    let taken = Sealed::under(other.id, &people, &vault, &exhibit, &video());
    for (what, body, says) in [
        ("no line", good.object.clone(), "one line of JSON"),
        ("nothing", Vec::new(), "one line of JSON"),
        ("no end of the line", vec![b' '; (1 << 20) + 2], "one line of JSON"),
        ("a long line", [vec![b' '; (1 << 20) + 1], good.body()].concat(), "one line of JSON"),
        ("no JSON", [&b"{}\n"[..], &good.object].concat(), "one line of JSON"),
        ("a short half", changed(&|line| line["half"] = json!("AAAA")), "32 bytes"),
        ("no halves", changed(&|line| line["halves"] = json!([])), "halves"),
        ("one half less", changed(&|line| drop(line["halves"].as_array_mut().unwrap().pop())), "halves"),
        ("another object's id", changed(&|line| line["object"] = json!("00".repeat(16))), "object"),
        ("an id that is none", changed(&|line| line["object"] = json!("x")), "object"),
        ("an id that is taken", taken.body(), "there is, or was, one of this id"),
        ("another item's", foreign.body(), "item"),
        ("another vault's", strange.body(), "vault"),
        ("other content", shorter.body(), "length word"),
        ("a byte missing", good.body()[..good.body().len() - 1].to_vec(), "its content takes"),
        ("a byte more", [good.body(), vec![0]].concat(), "its content takes"),
        (
            "nothing but the header",
            [good.line.to_string().as_bytes(), b"\n", &good.object[..HEADER_LEN]].concat(),
            "its content takes",
        ),
        ("half a header", [good.line.to_string().as_bytes(), b"\n", &good.object[..9]].concat(), "CUS1"),
        ("no blob", altered(0), "CUS1"),
        ("other parameters", altered(64 + 5), "parameters"),
        ("the first word", altered(HEADER_LEN), "segment 0"),
        ("the last word", altered(HEADER_LEN + 262_144), "segment 1"),
    ] {
        let refused = send(asha, &exhibit, body).await.problem("invalid-request");
        assert!(refused.detail.contains(says), "{what}: {}", refused.detail);
        assert_eq!(app.objects(), objects, "{what}");
    }
    // What was there already is as it was, and what fits goes in.
    send(asha, &exhibit, good.body()).await.made::<api::Stored>();
    assert_eq!(app.objects().len(), objects.len() + 1);
    assert_eq!(opened(&people, &elsewhere).await.1, b"elsewhere");
    assert_eq!(opened(&people, &exhibit).await.1, video());
}

async fn who_seals_says_so_beforehand_and_nobody_else_sends(engine: Engine) {
    let app = TestApp::new(engine).await;
    let people = People::new(&app).await;
    let People { asha, prisca, case, .. } = &people;
    // Under a key of their own, with a digest, and of restricted items only.
    let told = registration(&people, &new_id(), &video());
    asha.post("/api/v1/statements/on-behalf", &told).await.problem("invalid-statement");
    let mut without = told.clone();
    without.as_object_mut().unwrap().remove("content");
    asha.prepare(&without).await.problem("invalid-statement");
    let mut open = told.clone();
    open["data"] = json!({ "class": "open", "route": "cli", "sealed_by": "sender" });
    asha.prepare(&open).await.problem("invalid-statement");
    // In the clear it is not taken, and what the vault is to seal does not come sealed.
    let exhibit = registered(&people, &video()).await;
    asha.upload(&exhibit, &video()).await.problem("sealed-by-sender");
    let by_vault = people.register(people.sealing(), &video()).await;
    let sealed = Sealed::new(&people, &app.shared.vault, &by_vault, &video());
    send(asha, &by_vault, sealed.body()).await.problem("sealed-by-sender");
    assert_eq!(asha.upload(&by_vault, &video()).await.status, 201);
    let (both, _) = opened(&people, &by_vault).await;
    assert!(halves(prisca, &by_vault, &both.grants[0]).await.others.is_empty());
    let sealed = Sealed::new(&people, &app.shared.vault, &exhibit, &video());
    send(prisca, &exhibit, sealed.body()).await.problem("not-permitted");
    // What a person says of content, they say of what they opened, under a grant.
    let grantless = json!({ "case": case, "item": by_vault, "data": { "object": "00".repeat(16), "stage": "opening" },
        "content": { "digest": Digest::of(b"").to_hex(), "size": 0 } });
    prisca.prepare(&draft("fixity.failed", &grantless)).await.problem("invalid-statement");
}

async fn what_the_sender_only_claimed_is_contradicted_by_whoever_opens_it(engine: Engine) {
    let app = TestApp::new(engine).await;
    let people = People::new(&app).await;
    let People { asha, prisca, case, .. } = &people;
    let exhibit = registered(&people, &video()).await;
    let other: Vec<u8> = video().iter().rev().copied().collect();
    let sealed = Sealed::new(&people, &app.shared.vault, &exhibit, &other);
    send(asha, &exhibit, sealed.body()).await.made::<api::Stored>();
    let (both, content) = opened(&people, &exhibit).await;
    assert_eq!(content, other);
    let place = (case.as_str(), exhibit.as_str());
    found(prisca, place, ("fixity.passed", &both), (sealed.id, &content)).await.problem("digest-mismatch");
    found(prisca, place, ("fixity.failed", &both), (sealed.id, &content)).await.made::<api::Recorded>();
    let export: api::Export = asha.export(case).await.made();
    let report = judged(asha, &asha.bundle(&export.id).await.body).await;
    assert_eq!((report.facts.fixity_failures, report.facts.found_otherwise), (0, 1));
    let unseen = report.findings.iter().find(|found| found.code == Code::NotVaultVerified).unwrap();
    assert!(unseen.places[0].detail.contains("nobody else has said"), "{unseen:?}");
}

async fn of_two_who_choose_the_same_id_one_is_refused_and_what_was_there_stays(engine: Engine) {
    let app = TestApp::new(engine).await;
    let people = People::new(&app).await;
    let (asha, vault) = (&people.asha, app.shared.vault);
    for round in 0..4_u8 {
        let id = ObjectId::new(random());
        let contents = [vec![round; 3 << 20], vec![round + 100; 50]];
        let exhibits = [registered(&people, &contents[0]).await, registered(&people, &contents[1]).await];
        let bodies = [0, 1].map(|n| Sealed::under(id, &people, &vault, &exhibits[n], &contents[n]).body());
        let [large, small] = bodies;
        let (large, small) = tokio::join!(send(asha, &exhibits[0], large), send(asha, &exhibits[1], small));
        let won = usize::from(large.status != 201);
        let (winner, loser) = if won == 0 { (large, small) } else { (small, large) };
        winner.made::<api::Stored>();
        assert!(loser.problem("invalid-request").detail.contains("of this id"));
        assert_eq!(opened(&people, &exhibits[won]).await.1, contents[won]);
    }
    // Nor is an id used that was given up once.
    let exhibit = registered(&people, b"new").await;
    let buried = Sealed::new(&people, &vault, &exhibit, b"new");
    let store = Store::attach(app.config.database_url()).await.unwrap();
    assert!(store.bury(buried.id, "2026-11-21T12:00:00.000Z".parse().unwrap()).await.unwrap());
    store.close().await;
    let refused = send(asha, &exhibit, buried.body()).await.problem("invalid-request");
    assert!(refused.detail.contains("or was, one of this id"), "{refused:?}");
    let other = Sealed::new(&people, &vault, &exhibit, b"new");
    send(asha, &exhibit, other.body()).await.made::<api::Stored>();
}

async fn whoever_lost_a_key_while_it_was_sent_is_not_given_what_opens_it(engine: Engine) {
    let app = TestApp::new(engine).await;
    let people = People::new(&app).await;
    let exhibit = registered(&people, &video()).await;
    let body = Sealed::new(&people, &app.shared.vault, &exhibit, &video()).body();
    let (to, mut from) = tokio::sync::mpsc::channel::<Result<Vec<u8>, std::io::Error>>(2);
    let sent = futures_util::stream::poll_fn(move |context| from.poll_recv(context));
    let path = format!("/api/v1/items/{exhibit}/sealed-content");
    let asked = people.asha.request(Method::PUT, &path).body(reqwest::Body::wrap_stream(sent));
    let asha = people.asha.clone();
    let answer = tokio::spawn(async move { asha.send(asked).await });
    let (begin, end) = body.split_at(body.len() - 10);
    to.send(Ok(begin.to_vec())).await.unwrap();
    // The vault has looked at the halves, and begun to write.
    while app.objects().is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(app.admin.revoke_key(&people.ben.key_hash()).await.status, 200);
    to.send(Ok(end.to_vec())).await.unwrap();
    drop(to);
    answer.await.unwrap().problem("sealing-unfit");
    let machine = Store::attach(app.config.database_url()).await.unwrap();
    assert!(machine.read().await.unwrap().objects_of(exhibit.parse().unwrap()).await.unwrap().is_empty());
    machine.close().await;
}

async fn what_its_sender_sealed_lives_as_everything_else_does(engine: Engine) {
    let mut app = TestApp::new(engine).await;
    let people = People::new(&app).await;
    let exhibit = taken(&app, &people).await;
    app.stop().await;
    assert_replays(&app.config).await;
    rotate_kek(&app.config, None).await.unwrap();
    let repository = app.root().join("backups");
    backed_up(&app.config, &repository, 0).await;
    let config = elsewhere(engine, &app.root(), "restored", &[]).await;
    restored(&config, &repository).await.unwrap();
    assert_replays(&config).await;
    app.config = config;
    app.start().await;
    let (asha, ben, prisca, case) = (&people.asha, &people.ben, &people.prisca, &people.case);
    assert_eq!(asha.item(&exhibit).await.ok::<api::Item>().sealed_by.as_deref(), Some("sender"));
    assert_eq!(opened(&people, &exhibit).await.1, video());
    audited(&app).await;

    // Destroyed, with a certificate that says whose word the digest is.
    let about = json!({ "case": case, "item": exhibit, "purpose": "court-order" });
    let proposal = proposed(ben, &about).await;
    for (who, role) in [(asha, "lead"), (prisca, "prosecutor")] {
        let mut approval = approval(&about, &proposal, role, 0);
        approval["data"]["disclosure"] = json!("made-otherwise");
        who.say(&approval).await.made::<api::Recorded>();
    }
    assert_eq!(swept(&mut app, None).await.0, 1);
    let certificate: api::DestructionCertificate =
        asha.get(&format!("/api/v1/disposals/{proposal}/certificate")).await.ok();
    assert!(certificate.text.contains("as its sender said, who sealed it"), "{}", certificate.text);
    assert_eq!(app.objects().len(), 0);
}
