//! Derived items: linked to their originals by people, and redactions that the vault makes itself.

use std::io::Cursor;

use custody::act::PixelBox;
use custody::bundle::report::Made;
use custody::digest::Digest;
use custos::api;
use futures_util::stream;
use image::codecs::jpeg::JpegEncoder;
use image::{ImageEncoder as _, ImageFormat, Rgb, RgbImage};
use reqwest::{Body, Method};
use serde_json::{Value, json};

use super::bytes::until;
use super::destruction::{approval, disposal, people, proposed, swept};
use super::restricted::People;
use super::spine::two_custodians;
use super::stays::audited;
use crate::support::app::TestApp;
use crate::support::bundle::judged;
use crate::support::client::{Answer, Caller, draft, item, op_id};
use crate::support::world::Engine;

crate::on_both_engines! {
    the_vault_redacts_an_image_under_a_grant_and_nothing_under_a_box_survives
    what_the_vault_cannot_read_or_paint_it_does_not_redact
    people_link_what_they_made_to_an_original_that_stays_as_it_is
    what_is_better_protected_while_the_vault_paints_leaves_a_redaction_without_content
    whoever_destroys_an_item_or_protects_it_better_is_told_what_does_not_follow_it
    nobody_says_for_the_vault_what_it_made_nor_for_another_what_they_put_in
}

const PLACE: &[u8] = b"GPS 5.6037N 0.1870W";

/// A photograph that says where it was taken.
fn photo() -> Vec<u8> {
    let shade = |n: u32| u8::try_from(n % 200 + 50).unwrap();
    let picture = RgbImage::from_fn(64, 48, |x, y| Rgb([shade(x * 3 + y), shade(y * 5), shade(x + y)]));
    let mut file = Vec::new();
    let mut encoder = JpegEncoder::new_with_quality(&mut file, 92);
    encoder.set_exif_metadata([b"MM\0*\0\0\0\x08\0\0\0\0\0\0".as_slice(), PLACE].concat()).unwrap();
    encoder.encode_image(&picture).unwrap();
    file
}

fn boxes() -> Value {
    json!({ "boxes": [{ "x": 10, "y": 5, "w": 20, "h": 9 }, { "x": 60, "y": 40, "w": 4, "h": 8 }] })
}

async fn grant(who: &Caller, exhibit: &str) -> String {
    who.access(exhibit).await.made::<api::Access>().access
}

async fn redact(who: &Caller, exhibit: &str, access: &str, body: &Value) -> Answer {
    who.post(&format!("/api/v1/items/{exhibit}/redactions?access={access}"), body).await
}

async fn content(who: &Caller, exhibit: &str) -> Vec<u8> {
    let access = grant(who, exhibit).await;
    let read = who.send(who.reading(exhibit, &access)).await;
    assert_eq!(read.status, 200);
    read.body
}

fn holds(file: &[u8], words: &[u8]) -> bool {
    file.windows(words.len()).any(|window| window == words)
}

async fn report(who: &Caller, case: &str) -> custody::bundle::Report {
    let export: api::Export = who.export(case).await.made();
    judged(who, &who.bundle(&export.id).await.body).await
}

async fn the_vault_redacts_an_image_under_a_grant_and_nothing_under_a_box_survives(engine: Engine) {
    let app = TestApp::new(engine).await;
    let (asha, ben, case) = two_custodians(&app).await;
    let photo = photo();
    assert!(holds(&photo, PLACE));
    let original = asha.put(&case, "photo.jpg", &photo).await;
    let before: api::Item = asha.item(&original).await.ok();

    let no_grant = Digest::ZERO.to_hex();
    redact(&asha, &original, &no_grant, &boxes()).await.problem("access-grant-needed");
    let others = grant(&ben, &original).await;
    redact(&asha, &original, &others, &boxes()).await.problem("access-grant-needed");
    let access = grant(&asha, &original).await;
    for wrong in [json!({ "boxes": [] }), json!({ "boxes": [{ "x": 0, "y": 0, "w": 0, "h": 1 }] })] {
        redact(&asha, &original, &access, &wrong).await.problem("invalid-request");
    }
    let outside = json!({ "boxes": [{ "x": 60, "y": 0, "w": 5, "h": 1 }] });
    let problem = redact(&asha, &original, &access, &outside).await.problem("not-redactable");
    assert!(problem.detail.contains("64 x 48"), "{}", problem.detail);
    let items: api::Items = asha.get(&format!("/api/v1/cases/{case}/items")).await.ok();
    assert_eq!(items.items.len(), 1, "what is refused leaves no item");

    let (key, path) = (op_id(), format!("/api/v1/items/{original}/redactions?access={access}"));
    let made: api::Redacted = asha.post_as(&key, &path, &boxes()).await.made();
    assert_eq!(asha.check(&made.receipts).len(), 3);
    let again: api::Redacted = asha.post_as(&key, &path, &boxes()).await.made();
    assert_eq!((&again.id, &again.digest), (&made.id, &made.digest), "the same request is the same act");
    let others = json!({ "boxes": [{ "x": 0, "y": 0, "w": 1, "h": 1 }] });
    asha.post_as(&key, &path, &others).await.problem("op-id-reused");

    let file = content(&asha, &made.id).await;
    assert_eq!(Digest::of(&file).to_hex(), made.digest);
    assert!(!holds(&file, PLACE) && !holds(&file, b"Exif"), "no metadata");
    let painted = image::load_from_memory_with_format(&file, ImageFormat::Png).unwrap().to_rgb8();
    let shown = image::load(Cursor::new(&photo), ImageFormat::Jpeg).unwrap().to_rgb8();
    assert_eq!(painted.dimensions(), shown.dimensions());
    for (x, y, pixel) in painted.enumerate_pixels() {
        let black = ((10..30).contains(&x) && (5..14).contains(&y)) || (x >= 60 && y >= 40);
        assert_eq!(pixel, if black { &Rgb([0; 3]) } else { shown.get_pixel(x, y) }, "{x} {y}");
    }
    assert_eq!(content(&asha, &original).await, photo, "the original is never touched");

    let after: api::Item = asha.item(&original).await.ok();
    assert_eq!((after.head, after.stored.unwrap().digest), (before.head, before.stored.unwrap().digest));
    let derived: api::Item = ben.item(&made.id).await.ok();
    let link = derived.derived.unwrap();
    assert_eq!((link.of, link.how.as_str(), link.by), (original, "redaction", None));
    assert_eq!((derived.class, derived.custodian), (after.class, asha.id.clone()));
    let report = report(&asha, &case).await;
    let [Made { exhibit, of, by, .. }] = &report.facts.derived[..] else { panic!("{}", report.to_text()) };
    assert_eq!((exhibit.as_str(), of.as_str(), by.as_str()), ("E-0002", "E-0001", "vault"));
    assert!(report.to_text().contains("E-0002 is a redaction of E-0001, made by the vault"));
    assert_ne!(report.exit_code, 3, "{}", report.to_text());
    audited(&app).await;
}

async fn what_the_vault_cannot_read_or_paint_it_does_not_redact(engine: Engine) {
    let app = TestApp::new(engine).await;
    let people = People::new(&app).await;
    let (asha, case) = (&people.asha, &people.case);
    let restricted = people.put(people.sealing(), &photo()).await;
    let none = Digest::ZERO.to_hex();
    redact(asha, &restricted, &none, &boxes()).await.problem("sealed-to-persons");
    let hash_only = asha.register(case, &item("hash-only", "photo.jpg", Some(&photo()))).await;
    let hash_only = hash_only.made::<api::Created>().id;
    redact(asha, &hash_only, &none, &boxes()).await.problem("hash-only");
    for (name, bytes) in [("notes.txt", &b"no image"[..]), ("photo.jpg", &photo()[..200])] {
        let exhibit = asha.put(case, name, bytes).await;
        let access = grant(asha, &exhibit).await;
        redact(asha, &exhibit, &access, &boxes()).await.problem("not-redactable");
    }
    // Nobody says for the vault what it made.
    let exhibit = asha.put(case, "photo.jpg", &photo()).await;
    let made = asha.put(case, "redacted.png", b"anything").await;
    let access = grant(asha, &exhibit).await;
    let forged = link("redaction", (&made, b"anything"), (&exhibit, &photo()), case);
    let mut forged = forged;
    forged["data"]["grant"] = access.as_str().into();
    forged["data"]["boxes"] = boxes()["boxes"].clone();
    asha.prepare(&forged).await.problem("invalid-statement");
    asha.post("/api/v1/statements/on-behalf", &forged).await.problem("invalid-statement");
}

/// Somebody's word that one item was made from another.
fn link(how: &str, (made, own): (&str, &[u8]), (of, original): (&str, &[u8]), case: &str) -> Value {
    let data = json!({
        "as": how, "digest": Digest::of(own).to_hex(), "of": of, "original": Digest::of(original).to_hex(),
    });
    draft("item.derived", &json!({ "case": case, "item": made, "data": data }))
}

async fn people_link_what_they_made_to_an_original_that_stays_as_it_is(engine: Engine) {
    let app = TestApp::new(engine).await;
    let (asha, ben, case) = two_custodians(&app).await;
    let (call, words) = (&b"a call"[..], &b"what was said"[..]);
    let original = asha.put(&case, "call.ogg", call).await;
    let transcript = ben.put(&case, "call.txt", words).await;
    let said = link("transcript", (&transcript, words), (&original, call), &case);
    let wrong = link("transcript", (&transcript, words), (&original, words), &case);
    ben.say(&wrong).await.problem("derived-unfit");
    ben.say(&link("transcript", (&original, call), (&transcript, words), &case))
        .await
        .problem("derived-unfit");
    let elsewhere = ben.open_case("Another").await;
    let foreign = ben.put(&elsewhere, "call.txt", words).await;
    ben.say(&link("transcript", (&transcript, words), (&foreign, words), &case)).await.problem("not-found");

    // The original becomes better protected than what was made from it.
    let head = asha.item(&original).await.ok::<api::Item>().head;
    asha.classify(&original, "confidential", &head).await.ok::<api::Classified>();
    ben.say(&said).await.problem("derived-unfit");
    let mut purposed = said.clone();
    purposed["purpose"] = "disclosure".into();
    ben.check(&ben.say(&purposed).await.made::<api::Recorded>().receipts);
    asha.say(&purposed).await.problem("exists");
    let shown: api::Item = asha.item(&transcript).await.ok();
    let found = shown.derived.unwrap();
    assert_eq!(
        (found.of, found.how.as_str(), found.by),
        (original.clone(), "transcript", Some(ben.id.clone()))
    );

    // Less protected than now: for a purpose only.
    let path = format!("/api/v1/items/{transcript}/class");
    let body = |class: &str, head: &str| json!({ "class": class, "seen": head });
    asha.post(&path, &body("confidential", &shown.head)).await.ok::<api::Classified>();
    let head = asha.item(&transcript).await.ok::<api::Item>().head;
    asha.post(&path, &body("open", &head)).await.problem("derived-unfit");
    let mut purposed = body("open", &head);
    purposed["purpose"] = "disclosure".into();
    asha.post(&path, &purposed).await.ok::<api::Classified>();

    let report = report(&asha, &case).await;
    assert!(report.to_text().contains("E-0002 is a transcript of E-0001, as "), "{}", report.to_text());
    assert_ne!(report.exit_code, 3, "{}", report.to_text());
    audited(&app).await;
}

/// Uploads of somebody that take all their places, until they are let go.
struct Held {
    ends: Vec<tokio::sync::mpsc::UnboundedSender<Result<&'static str, std::io::Error>>>,
    uploads: Vec<tokio::task::JoinHandle<Answer>>,
}

impl Held {
    async fn all_places_of(app: &TestApp, who: &Caller, case: &str) -> Self {
        let places = std::thread::available_parallelism().map_or(1, usize::from);
        let (mut held, before) = (Self { ends: Vec::new(), uploads: Vec::new() }, app.objects().len());
        for _ in 0..places {
            let made: api::Created = who.register(case, &item("open", "held", None)).await.made();
            let (send, receive) = tokio::sync::mpsc::unbounded_channel();
            let body =
                stream::unfold(receive, |mut receive| async { Some((receive.recv().await?, receive)) });
            let upload = who.request(Method::PUT, &format!("/api/v1/items/{}/content", made.id));
            let (upload, who) = (upload.body(Body::wrap_stream(body)), who.clone());
            send.send(Ok("held")).unwrap();
            held.ends.push(send);
            held.uploads.push(tokio::spawn(async move { who.send(upload).await }));
        }
        until(|| app.objects().len() == before + places).await;
        held
    }

    async fn let_go(self) {
        drop(self.ends);
        for upload in self.uploads {
            assert_eq!(upload.await.unwrap().status, 201);
        }
    }
}

/// The first item of a case that was made from another.
async fn made_of(who: &Caller, case: &str) -> api::Item {
    let deadline = std::time::Instant::now() + std::time::Duration::from_mins(1);
    loop {
        assert!(std::time::Instant::now() < deadline, "it never came about");
        let found: api::Items = who.get(&format!("/api/v1/cases/{case}/items")).await.ok();
        if let Some(made) = found.items.into_iter().find(|item| item.derived.is_some()) {
            return made;
        }
    }
}

async fn what_is_better_protected_while_the_vault_paints_leaves_a_redaction_without_content(engine: Engine) {
    let app = TestApp::new(engine).await;
    let (asha, ben, case) = two_custodians(&app).await;
    let photo = photo();
    let original = asha.put(&case, "photo.jpg", &photo).await;
    let access = grant(&asha, &original).await;
    let uploads = Held::all_places_of(&app, &asha, &case).await;
    let objects = app.objects().len();
    let redacting = {
        let (asha, original, access) = (asha.clone(), original.clone(), access.clone());
        tokio::spawn(async move { redact(&asha, &original, &access, &boxes()).await })
    };
    // Painted and linked, and waiting for its turn to be stored.
    let made = made_of(&ben, &case).await;
    assert_eq!((made.stored.is_none(), made.derived.unwrap().by), (true, None));
    let head = ben.item(&original).await.ok::<api::Item>().head;
    let raised: api::Classified = ben.classify(&original, "confidential", &head).await.ok();
    assert!(raised.less_protected.is_empty(), "there is nothing that is less protected");
    uploads.let_go().await;
    redacting.await.unwrap().problem("derived-unfit");
    assert!(ben.item(&made.id).await.ok::<api::Item>().stored.is_none());
    // Nor does anybody put it in by hand.
    let painted = custos::redact::redact(
        photo,
        &[PixelBox { x: 10, y: 5, w: 20, h: 9 }, PixelBox { x: 60, y: 40, w: 4, h: 8 }],
    );
    let painted = painted.unwrap();
    assert_eq!(Digest::of(&painted).to_hex(), made.claimed.unwrap().digest);
    asha.upload(&made.id, &painted).await.problem("derived-unfit");
    assert_eq!(app.objects().len(), objects, "nothing is left of it");
    let report = report(&asha, &case).await;
    assert_ne!(report.exit_code, 3, "{}", report.to_text());
    audited(&app).await;
}

async fn whoever_destroys_an_item_or_protects_it_better_is_told_what_does_not_follow_it(engine: Engine) {
    let mut app = TestApp::new(engine).await;
    let (asha, ben, prisca, case) = people(&app).await;
    let original = asha.put(&case, "photo.jpg", &photo()).await;
    let access = grant(&asha, &original).await;
    let redaction: api::Redacted = redact(&asha, &original, &access, &boxes()).await.made();
    let (words, file) = (&b"two people"[..], content(&asha, &redaction.id).await);
    let transcript = ben.put(&case, "photo.txt", words).await;
    let said = link("transcript", (&transcript, words), (&redaction.id, &file), &case);
    ben.say(&said).await.made::<api::Recorded>();
    ben.put(&case, "other.txt", b"made from nothing").await;

    let shown: api::Item = ben.item(&original).await.ok();
    let told = |linked: &[api::LinkedInfo]| {
        linked.iter().map(|l| (l.exhibit, l.how.clone(), l.of.clone(), l.held)).collect::<Vec<_>>()
    };
    let all = [
        (2, "redaction".to_owned(), original.clone(), true),
        (3, "transcript".to_owned(), redaction.id.clone(), true),
    ];
    assert_eq!(told(&shown.linked.unwrap()), all);
    let listed: api::Items = ben.get(&format!("/api/v1/cases/{case}/items")).await.ok();
    assert!(listed.items.iter().all(|item| item.linked.is_none()), "of one item only");
    let raised: api::Classified = ben.classify(&original, "confidential", &shown.head).await.ok();
    assert_eq!(told(&raised.less_protected), all);
    let head = ben.item(&transcript).await.ok::<api::Item>().head;
    ben.classify(&transcript, "confidential", &head).await.ok::<api::Classified>();
    let text = report(&asha, &case).await.to_text();
    assert!(
        text.contains("E-0002 is a redaction of E-0001, made by the vault; it is less protected than E-0001"),
        "{text}"
    );
    assert_eq!(text.matches("less protected").count(), 1, "{text}");

    let about = json!({ "case": case, "item": original, "purpose": "court-order" });
    let proposal = proposed(&ben, &about).await;
    assert_eq!(told(&disposal(&asha, &proposal).await.linked), all, "before anybody approves");
    // By now a bundle was exported.
    asha.say(&approval(&about, &proposal, "lead", 1)).await.made::<api::Recorded>();
    prisca.say(&approval(&about, &proposal, "prosecutor", 1)).await.made::<api::Recorded>();
    assert_eq!(swept(&mut app, None).await.0, 1);
    let certificate: api::DestructionCertificate =
        asha.get(&format!("/api/v1/disposals/{proposal}/certificate")).await.ok();
    for (exhibit, how) in [(2, "redaction"), (3, "transcript")] {
        let wanted = format!("exhibit {exhibit}, a {how}, item ");
        let line = certificate.text.lines().find(|line| line.contains(&wanted)).unwrap();
        assert!(line.contains("Made from it") && line.ends_with("STILL THERE"), "{line}");
    }
    let access = grant(&asha, &redaction.id).await;
    redact(&asha, &original, &access, &boxes()).await.problem("disposed");
    let text = report(&asha, &case).await.to_text();
    assert!(text.contains("; made from it and still there: E-0002, E-0003\n"), "{text}");
    assert!(text.contains("E-0001 was destroyed, E-0002 was not\n"), "{text}");
    audited(&app).await;
}

async fn nobody_says_for_the_vault_what_it_made_nor_for_another_what_they_put_in(engine: Engine) {
    let app = TestApp::new(engine).await;
    let (asha, _, case) = two_custodians(&app).await;
    let investigator = app.enrol("Ines Investigator", &[]).await;
    asha.add_member(&case, &investigator.id, "investigator").await.made::<api::Recorded>();
    let new = api::NewItem { route: "vault".to_owned(), ..item("open", "redacted.png", None) };
    asha.register(&case, &new).await.problem("invalid-request");
    let id = "01920000-0000-7000-8000-000000000001";
    let data = json!({ "class": "open", "route": "vault" });
    let said = draft("item.registered", &json!({ "case": case, "item": id, "data": data }));
    asha.post("/api/v1/statements/on-behalf", &said).await.problem("invalid-request");
    asha.prepare(&said).await.problem("invalid-statement");

    let (call, words) = (&b"a call"[..], &b"what was said"[..]);
    let original = asha.put(&case, "call.ogg", call).await;
    let (theirs, own) =
        (asha.put(&case, "a.txt", words).await, investigator.put(&case, "b.txt", words).await);
    let of = |made: &str| link("transcript", (made, words), (&original, call), &case);
    investigator.say(&of(&theirs)).await.problem("not-permitted");
    investigator.say(&of(&own)).await.made::<api::Recorded>();
    asha.say(&of(&theirs)).await.made::<api::Recorded>();
    audited(&app).await;
}
