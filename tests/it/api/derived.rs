//! Derived items: linked to their originals by people, and redactions that the vault makes itself.

use std::io::Cursor;

use custody::bundle::report::Made;
use custody::digest::Digest;
use custos::api;
use image::codecs::jpeg::JpegEncoder;
use image::{ImageEncoder as _, ImageFormat, Rgb, RgbImage};
use serde_json::{Value, json};

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
    asha.classify(&original, "confidential", &head).await.ok::<api::Recorded>();
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
    asha.post(&path, &body("confidential", &shown.head)).await.ok::<api::Recorded>();
    let head = asha.item(&transcript).await.ok::<api::Item>().head;
    asha.post(&path, &body("open", &head)).await.problem("derived-unfit");
    let mut purposed = body("open", &head);
    purposed["purpose"] = "disclosure".into();
    asha.post(&path, &purposed).await.ok::<api::Recorded>();

    let report = report(&asha, &case).await;
    assert!(report.to_text().contains("E-0002 is a transcript of E-0001, as "), "{}", report.to_text());
    assert_ne!(report.exit_code, 3, "{}", report.to_text());
    audited(&app).await;
}
