//! Restricted items are sealed to other pairs; the old halves go once somebody else has opened the item through the new ones.

use custody::age::Recipient;
use custody::digest::Digest;
use custody::halves::{self, Pair, Party, SealedHalf};
use custody::keys::{DataKey, Key32};
use custody::time::Timestamp;
use custos::api;
use custos::app::rotate_kek;
use custos::store::{Change, Contribution, HalvesChange, Store};
use reqwest::Method;
use serde_json::{Value, json};

use super::restricted::{
    Machine, People, contribute, contribute_of, halves as given, help, identity, key32, open, opened,
    reading, say_reading, video,
};
use super::stays::audited;
use crate::support::app::TestApp;
use crate::support::bundle::{Unzipped, judged};
use crate::support::client::{Answer, Caller, draft};
use crate::support::raw;
use crate::support::world::Engine;

crate::on_both_engines! {
    what_is_sealed_anew_counts_once_somebody_else_opened_it_and_the_old_halves_are_gone
    one_person_locks_nobody_out_by_garbage
    what_waits_survives_a_rotation_and_goes_when_it_is_withdrawn_replaced_or_too_old
    what_was_said_by_a_key_that_was_revoked_opens_nothing
}

/// Halves as somebody made them, for whom.
struct Sealed {
    mask: Key32,
    sealing: api::Sealing,
    halves: Vec<SealedHalf>,
}

/// Everybody, and Eve, who is custodian after Ben.
async fn with_eve(app: &TestApp) -> (People, Caller) {
    let people = People::new(app).await;
    let eve = app.enrol("Eve Custodian", &[]).await;
    people.asha.add_member(&people.case, &eve.id, "custodian").await.made::<api::Recorded>();
    let named = json!({ "person": eve.id, "data": { "recipient": identity(&eve).recipient() } });
    eve.say(&draft("recipient.named", &named)).await.made::<api::Recorded>();
    (people, eve)
}

fn sealing(pairs: [[&Caller; 2]; 2]) -> api::Sealing {
    let mut pairs: Vec<_> = pairs
        .iter()
        .map(|pair| {
            let mut pair = pair.map(|who| who.id.clone());
            pair.sort_unstable();
            pair
        })
        .collect();
    pairs.sort_unstable();
    api::Sealing { pairs, recovery: None }
}

fn recipients(who: &Caller) -> Vec<Recipient> {
    vec![identity(who).recipient()]
}

fn pair([one, other]: [&Caller; 2]) -> Pair {
    let party = |who: &Caller| Party::Person(who.id.parse().unwrap());
    Pair { parties: [party(one), party(other)], recipients: [recipients(one), recipients(other)] }
}

/// What whoever seals anew makes of the half that the other has opened for them.
async fn sealed(who: &Caller, exhibit: &str, access: &str, pairs: [[&Caller; 2]; 2]) -> Sealed {
    let path = format!("/api/v1/items/{exhibit}/halves?access={access}&half=false");
    let found: api::Halves = who.get(&path).await.ok();
    assert!(found.half.is_none(), "the vault's half is not needed");
    let half = key32(&identity(who).open(&found.contributed.unwrap().0).unwrap());
    let mask = Key32::new([0x5a; 32]);
    let all = pairs.map(pair);
    let halves = halves::seal(&half.xor(&mask), exhibit.parse().unwrap(), &all).unwrap();
    Sealed { mask, sealing: sealing(pairs), halves }
}

fn soon() -> String {
    let later = jiff::Timestamp::now().as_millisecond() + 600_000;
    Timestamp::from_millis(later).unwrap().to_string()
}

/// The statement, with what comes with it.
async fn resealing(
    who: &Caller,
    (case, exhibit): (&str, &str),
    (with, grants): (&Caller, [&str; 2]),
    sealed: &Sealed,
) -> api::NewResealing {
    let data = json!({
        "expires": soon(), "grant": grants[0], "halves": halves::digest(&sealed.halves), "sealing": {"pairs": sealed.sealing.pairs},
        "with": with.id, "with_grant": grants[1],
    });
    let more = json!({ "case": case, "item": exhibit, "purpose": "left", "data": data });
    let prepared: api::Prepared = who.prepare(&draft("item.resealed", &more)).await.ok();
    api::NewResealing {
        signed: api::Signed { envelope: api::Bytes64(who.envelope(&prepared.statement.0)), openings: vec![] },
        mask: api::Bytes64(sealed.mask.expose().to_vec()),
        halves: sealed.halves.iter().cloned().map(Into::into).collect(),
    }
}

async fn send(who: &Caller, exhibit: &str, new: &api::NewResealing) -> Answer {
    who.post(&format!("/api/v1/items/{exhibit}/resealing"), &serde_json::to_value(new).unwrap()).await
}

fn record(who: &Caller, answer: &Answer) -> String {
    let recorded: api::Recorded = answer.made();
    who.check(&recorded.receipts)[0].record_hash.to_hex()
}

/// Two say that they open it and one helps the other; both grants, the reader's first.
async fn together(reader: &Caller, helper: &Caller, case: &str, exhibit: &str) -> [String; 2] {
    let own = reading(reader, case, exhibit, helper).await;
    let theirs = reading(helper, case, exhibit, reader).await;
    [own, theirs]
}

/// What the helper of two does through the halves that wait.
async fn help_new(who: &Caller, exhibit: &str, access: &str, reseal: &str) {
    let path = format!("/api/v1/items/{exhibit}/halves?access={access}&reseal={reseal}");
    let found: api::Halves = who.get(&path).await.ok();
    let inner = found.sealed.iter().find_map(|half| identity(who).open(&half.sealed.0).ok()).unwrap();
    let body = api::NewContribution { sealed: api::Bytes64(inner.to_vec()), halves: found.halves };
    let path = format!("/api/v1/items/{exhibit}/contribution?access={access}&reseal={reseal}");
    assert_eq!(who.send(who.request(Method::PUT, &path).json(&body)).await.status, 204);
}

/// What the reader finds through the halves that wait: the persons' half, and the content if both halves fit.
async fn open_new(who: &Caller, exhibit: &str, access: &str, reseal: &str) -> (Key32, Option<Vec<u8>>) {
    let path = format!("/api/v1/items/{exhibit}/halves?access={access}&reseal={reseal}");
    let found: api::Halves = who.get(&path).await.ok();
    let persons = key32(&identity(who).open(&found.contributed.unwrap().0).unwrap());
    let key = DataKey::new(key32(&found.half.unwrap().0).xor(&persons));
    let sealed = who.get(&format!("/api/v1/items/{exhibit}/sealed-content?access={access}")).await;
    assert_eq!(sealed.status, 200);
    (persons, opened(&sealed.body, &found.manifest.0, &key))
}

fn confirmation(
    (case, exhibit): (&str, &str),
    (with, grants): (&Caller, &[String; 2]),
    (reseal, sealed): (&str, &Sealed),
) -> Value {
    let data = json!({
        "digest": Digest::of(&video()), "grant": grants[0], "halves": halves::digest(&sealed.halves), "reseal": reseal,
        "sealing": {"pairs": sealed.sealing.pairs}, "with": with.id, "with_grant": grants[1],
    });
    draft("item.reseal-confirmed", &json!({ "case": case, "item": exhibit, "data": data }))
}

async fn count(app: &TestApp, sql: &str) -> i64 {
    raw::number(app.config.database_url(), sql.to_owned()).await
}

async fn what_is_sealed_anew_counts_once_somebody_else_opened_it_and_the_old_halves_are_gone(engine: Engine) {
    let mut app = TestApp::new(engine).await;
    let (people, eve) = with_eve(&app).await;
    let People { asha, ben, prisca, dora, case } = &people;
    let exhibit = people.put(people.sealing(), &video()).await;
    let place = (case.as_str(), exhibit.as_str());
    assert!(asha.item(&exhibit).await.ok::<api::Item>().cannot_open.is_empty());
    asha.delete(&format!("/api/v1/cases/{case}/members/{}/custodian", ben.id)).await.ok::<api::Recorded>();
    assert_eq!(asha.item(&exhibit).await.ok::<api::Item>().cannot_open, std::slice::from_ref(&ben.id));

    // The pair that is left opens it; one of them seals it to Asha and Eve, and to themselves.
    let before = Machine::of(&app, &exhibit).await;
    let [own, theirs] = together(prisca, dora, case, &exhibit).await;
    help(dora, &exhibit, &theirs, &identity(dora)).await;
    let new = sealed(prisca, &exhibit, &own, [[asha, &eve], [prisca, dora]]).await;
    let good = resealing(prisca, place, (dora, [&own, &theirs]), &new).await;

    // What is not as it must be is refused, and nothing waits.
    let refused = async |change: &dyn Fn(&mut api::NewResealing), code: &str| {
        let mut new = good.clone();
        change(&mut new);
        send(prisca, &exhibit, &new).await.problem(code);
    };
    refused(&|new| new.mask = api::Bytes64(vec![0; 32]), "invalid-request").await;
    refused(&|new| new.mask = api::Bytes64(vec![1; 31]), "invalid-request").await;
    refused(&|new| drop(new.halves.pop()), "invalid-request").await;
    refused(&|new| new.halves[0].sealed = new.halves[1].sealed.clone(), "other-halves").await;
    refused(&|new| new.halves[0].sealed = api::Bytes64(vec![7; 500]), "invalid-request").await;
    refused(&|new| new.halves[0].outer = vec![identity(ben).recipient().to_string()], "invalid-request")
        .await;
    refused(&|new| new.halves[0].inner.push(identity(ben).recipient().to_string()), "invalid-request").await;
    refused(&|new| new.halves[0].first.clone_from(&ben.id), "invalid-request").await;
    let mut twice = good.clone();
    twice.halves.push(twice.halves[0].clone());
    send(prisca, &exhibit, &twice).await.problem("invalid-request");
    send(dora, &exhibit, &good).await.problem("invalid-request");
    prisca.submit_envelope(good.signed.envelope.0.clone(), &[]).await.problem("invalid-request");
    let others = resealing(prisca, place, (dora, [&theirs, &own]), &new).await;
    send(prisca, &exhibit, &others).await.problem("opened-in-pairs");
    say_reading(asha, case, &exhibit, &eve).await.problem("opened-in-pairs");
    assert!(asha.item(&exhibit).await.ok::<api::Item>().reseal.is_none());
    assert_eq!(count(&app, "SELECT COUNT(*) FROM resealed_halves").await, 0);

    let reseal = record(prisca, &send(prisca, &exhibit, &good).await);
    let shown = asha.item(&exhibit).await.ok::<api::Item>();
    let waits = shown.reseal.unwrap();
    assert_eq!((&waits.record, &waits.by, &waits.sealing.pairs), (&reseal, &prisca.id, &new.sealing.pairs));
    assert_eq!(shown.sealing.unwrap().pairs, sealing([[asha, ben], [dora, prisca]]).pairs);
    // Until it is confirmed the pairs before open it as before.
    assert_eq!(open(prisca, &exhibit, &own, &identity(prisca)).await, video());

    // The sealer confirms nothing, nor does anybody without having opened it through the new halves.
    let lie = confirmation(place, (dora, &[own.clone(), theirs.clone()]), (&reseal, &new));
    prisca.say(&lie).await.problem("another-person");
    let grants = together(asha, &eve, case, &exhibit).await;
    prisca
        .get(&format!("/api/v1/items/{exhibit}/halves?access={own}&reseal={}", "0".repeat(64)))
        .await
        .problem("no-such-reseal");
    help_new(&eve, &exhibit, &grants[1], &reseal).await;
    assert!(given(asha, &exhibit, &grants[0]).await.half.is_none(), "what is opened of the new only");
    let (persons, content) = open_new(asha, &exhibit, &grants[0], &reseal).await;
    assert_eq!(content, Some(video()));
    let stale = given(dora, &exhibit, &theirs).await;
    let again = halves::seal(&persons, exhibit.parse().unwrap(), &[pair([asha, &eve]), pair([prisca, dora])]);
    assert_eq!(halves::digest(&again.unwrap()).to_hex(), waits.halves, "every new half holds this one");
    asha.say(&confirmation(place, (&eve, &[grants[0].clone(), own.clone()]), (&reseal, &new)))
        .await
        .problem("opened-in-pairs");
    let confirmed = confirmation(place, (&eve, &grants), (&reseal, &new));
    asha.say(&confirmed).await.made::<api::Recorded>();
    asha.say(&confirmed).await.problem("no-such-reseal");

    let shown = asha.item(&exhibit).await.ok::<api::Item>();
    assert_eq!(shown.sealing.unwrap().pairs, new.sealing.pairs);
    assert!(shown.reseal.is_none() && shown.cannot_open.is_empty());
    // What was opened of the old halves is forgotten, and the new ones open it as any.
    let found = given(prisca, &exhibit, &own).await;
    assert!(found.half.is_none() && found.contributed.is_none());
    what_was_on_its_way_opens_nothing(&app, &stale, &exhibit, [(prisca, &own), (dora, &theirs)]).await;
    help(&eve, &exhibit, &grants[1], &identity(&eve)).await;
    assert_eq!(open(asha, &exhibit, &grants[0], &identity(asha)).await, video());

    let export: api::Export = asha.export(case).await.made();
    let report = judged(asha, &asha.bundle(&export.id).await.body).await;
    assert_eq!(report.exit_code, 4, "{:?}", report.findings);
    let sealed_anew = &report.facts.resealed[0];
    assert!(
        sealed_anew.confirmed_by.is_some() && report.to_text().contains("sealed anew by"),
        "{sealed_anew:?}"
    );
    audited(&app).await;
    app.stop().await;

    // The machine has no old half, and neither an old one nor its vault's half fits a new one.
    let machine = Machine::of(&app, &exhibit).await;
    assert_ne!(machine.object.wrapped, before.object.wrapped);
    assert!(before.halves.iter().all(|old| !machine.halves.contains(old)));
    assert_eq!(count(&app, "SELECT COUNT(*) FROM resealed_halves").await, 0);
    assert_eq!(count(&app, "SELECT COUNT(*) FROM resealings").await, 0);
    assert_eq!(machine.opened_with(&[identity(asha), identity(&eve)]), Some(video()));
    assert_eq!(machine.opened_with(&[identity(ben), identity(asha)]), None);
    assert_eq!(
        before.opened_with(&[identity(ben), identity(asha)]),
        Some(video()),
        "what a backup of before has"
    );
    let mixed = Machine { halves: before.halves.clone(), ..machine };
    assert_eq!(mixed.opened_with(&[identity(ben), identity(asha)]), None);
    assert_eq!(mixed.opened_with(&[identity(dora), identity(prisca)]), None);
}

/// Even where it was looked at just before the confirmation.
async fn what_was_on_its_way_opens_nothing(
    app: &TestApp,
    stale: &api::Halves,
    exhibit: &str,
    [(reader, own), (helper, theirs)]: [(&Caller, &str); 2],
) {
    let inner = stale.sealed.iter().find_map(|half| identity(helper).open(&half.sealed.0).ok()).unwrap();
    contribute_of(helper, (exhibit, theirs), &stale.halves, &inner).await.problem("other-halves");
    let late = Contribution {
        access: theirs.parse().unwrap(),
        sealed: inner.to_vec(),
        expires: soon().parse().unwrap(),
        halves: stale.halves.parse().unwrap(),
    };
    let store = Store::open(app.config.database_url()).await.unwrap();
    assert!(store.apply(&[Change::Halves(HalvesChange::Contribute(late))]).await.unwrap());
    store.close().await;
    let found = given(reader, exhibit, own).await;
    assert!(found.half.is_none() && found.contributed.is_none(), "of the halves before");
    help(helper, exhibit, theirs, &identity(helper)).await;
    assert_eq!(open(reader, exhibit, own, &identity(reader)).await, video());
}

async fn one_person_locks_nobody_out_by_garbage(engine: Engine) {
    let app = TestApp::new(engine).await;
    let (people, eve) = with_eve(&app).await;
    let People { asha, ben, prisca, dora, case } = &people;
    let exhibit = people.put(people.sealing(), &video()).await;
    let place = (case.as_str(), exhibit.as_str());
    let [own, theirs] = together(prisca, dora, case, &exhibit).await;
    help(dora, &exhibit, &theirs, &identity(dora)).await;

    // One pair gets what fits, the other what opens to nothing. The vault cannot tell; whoever has opened theirs can.
    let pairs = [[asha, &eve], [prisca, dora]];
    let mut new = sealed(prisca, &exhibit, &own, pairs).await;
    let garbage = halves::seal(&Key32::new([9; 32]), exhibit.parse().unwrap(), &[pair(pairs[1])]).unwrap();
    new.halves.splice(2.., garbage);
    let reseal = record(
        prisca,
        &send(prisca, &exhibit, &resealing(prisca, place, (dora, [&own, &theirs]), &new).await).await,
    );
    let grants = together(asha, &eve, case, &exhibit).await;
    help_new(&eve, &exhibit, &grants[1], &reseal).await;
    let (persons, content) = open_new(asha, &exhibit, &grants[0], &reseal).await;
    assert_eq!(content, Some(video()), "this pair would open it");
    let made = halves::seal(&persons, exhibit.parse().unwrap(), &pairs.map(pair)).unwrap();
    assert_ne!(halves::digest(&made), halves::digest(&new.halves), "and finds that the other would not");
    let honest = Sealed { mask: Key32::new([1; 32]), sealing: new.sealing.clone(), halves: made };
    asha.say(&confirmation(place, (&eve, &grants), (&reseal, &honest))).await.problem("other-halves");
    let mut lie = confirmation(place, (&eve, &grants), (&reseal, &new));
    lie["data"]["digest"] = json!(Digest::of(b"garbage"));
    asha.say(&lie).await.problem("digest-mismatch");

    // A half that fits nothing at all: the content does not open, and the old halves do.
    let mut new = sealed(prisca, &exhibit, &own, pairs).await;
    new.mask = Key32::new([3; 32]);
    let next = record(
        prisca,
        &send(prisca, &exhibit, &resealing(prisca, place, (dora, [&own, &theirs]), &new).await).await,
    );
    eve.get(&format!("/api/v1/items/{exhibit}/halves?access={}&reseal={reseal}", grants[1]))
        .await
        .problem("no-such-reseal");
    help_new(&eve, &exhibit, &grants[1], &next).await;
    assert_eq!(open_new(asha, &exhibit, &grants[0], &next).await.1, None);
    // Who leads takes it away; whoever opened the item before does so still.
    let withdrawn = |record: &str| {
        draft(
            "item.reseal-withdrawn",
            &json!({ "case": case, "item": exhibit, "data": { "reseal": record } }),
        )
    };
    eve.say(&withdrawn(&reseal)).await.problem("no-such-reseal");
    dora.say(&withdrawn(&next)).await.problem("not-permitted");
    asha.say(&withdrawn(&next)).await.made::<api::Recorded>();
    assert_eq!(count(&app, "SELECT COUNT(*) FROM resealed_halves").await, 0);
    say_reading(asha, case, &exhibit, &eve).await.problem("opened-in-pairs");
    let [own, theirs] = together(asha, ben, case, &exhibit).await;
    help(ben, &exhibit, &theirs, &identity(ben)).await;
    assert_eq!(open(asha, &exhibit, &own, &identity(asha)).await, video());
    let export: api::Export = asha.export(case).await.made();
    let bundle = asha.bundle(&export.id).await.body;
    assert!(!Unzipped::new(&bundle).by_name().is_empty());
    let report = judged(asha, &bundle).await;
    assert_eq!(report.facts.resealed.iter().filter(|sealed| sealed.confirmed_by.is_none()).count(), 2);
    audited(&app).await;
}

async fn what_waits_survives_a_rotation_and_goes_when_it_is_withdrawn_replaced_or_too_old(engine: Engine) {
    let mut app = TestApp::new(engine).await;
    let (people, eve) = with_eve(&app).await;
    let People { asha, prisca, dora, case, .. } = &people;
    let exhibit = people.put(people.sealing(), &video()).await;
    let place = (case.as_str(), exhibit.as_str());
    let [own, theirs] = together(prisca, dora, case, &exhibit).await;
    help(dora, &exhibit, &theirs, &identity(dora)).await;
    let pairs = [[asha, &eve], [prisca, dora]];
    let new = sealed(prisca, &exhibit, &own, pairs).await;
    let good = resealing(prisca, place, (dora, [&own, &theirs]), &new).await;
    let reseal = record(prisca, &send(prisca, &exhibit, &good).await);
    app.stop().await;
    rotate_kek(&app.config, None).await.unwrap();
    assert_eq!(count(&app, "SELECT kek FROM resealings").await, 2);
    app.start().await;
    let grants = together(asha, &eve, case, &exhibit).await;
    help_new(&eve, &exhibit, &grants[1], &reseal).await;
    assert_eq!(open_new(asha, &exhibit, &grants[0], &reseal).await.1, Some(video()));

    // What nobody confirmed in time is forgotten, without the old halves.
    let url = app.config.database_url();
    let store = Store::open(url).await.unwrap();
    let expires: Timestamp =
        asha.item(&exhibit).await.ok::<api::Item>().reseal.unwrap().expires.parse().unwrap();
    store.forget_contributions(expires.saturating_add_millis(-1)).await.unwrap();
    assert_eq!(count(&app, "SELECT COUNT(*) FROM resealed_halves").await, 4);
    store.forget_contributions(expires).await.unwrap();
    assert_eq!(count(&app, "SELECT COUNT(*) FROM resealed_halves").await, 0);
    assert_eq!(count(&app, "SELECT COUNT(*) FROM sealed_halves").await, 4);
    store.close().await;
    asha.say(&confirmation(place, (&eve, &grants), (&reseal, &new))).await.problem("too-late");
    help(dora, &exhibit, &theirs, &identity(dora)).await;
    assert_eq!(open(prisca, &exhibit, &own, &identity(prisca)).await, video());
    audited(&app).await;
}

async fn what_was_said_by_a_key_that_was_revoked_opens_nothing(engine: Engine) {
    let app = TestApp::new(engine).await;
    let people = People::new(&app).await;
    let People { asha, ben, case, .. } = &people;
    let exhibit = people.put(people.sealing(), &video()).await;
    let [own, theirs] = together(asha, ben, case, &exhibit).await;
    help(ben, &exhibit, &theirs, &identity(ben)).await;
    assert!(given(asha, &exhibit, &own).await.half.is_some());
    let hash = custody::envelope::key_hash(&ben.key.verifying_key());
    ben.post(&format!("/api/v1/keys/{hash}/revoke"), &json!({})).await.ok::<api::Recorded>();
    let found = given(asha, &exhibit, &own).await;
    assert!(found.half.is_none() && found.contributed.is_none(), "whoever has the key may have said it");
    ben.get(&format!("/api/v1/items/{exhibit}/halves?access={theirs}")).await.problem("key-not-valid");
    ben.get(&format!("/api/v1/items/{exhibit}/sealed-content?access={theirs}"))
        .await
        .problem("key-not-valid");
    contribute(ben, &exhibit, &theirs, &[]).await.problem("key-not-valid");
    assert_eq!(asha.item(&exhibit).await.ok::<api::Item>().cannot_open, std::slice::from_ref(&ben.id));
    audited(&app).await;
}
