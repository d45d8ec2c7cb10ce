//! What is personal or evidence stands in no file of the vault, no table, no log and no error.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use custos::api;
use serde_json::json;
use sqlx::{AssertSqlSafe, Connection as _, Row as _};

use super::restricted::People;
use crate::on_both_engines;
use crate::ops::backup::backed_up;
use crate::signin::Browser;
use crate::signin::passwords::set_up_with;
use crate::support::app::{TestApp, enrol};
use crate::support::child::Child;
use crate::support::client::{draft, fields, item};
use crate::support::world::Engine;

on_both_engines! {
    markers_are_found_nowhere
    of_no_class_are_markers_found_in_backups_or_anywhere
}

/// Unlike anything else, and the same in every encoding that text is put into by mistake.
fn marker(of: &str) -> String {
    format!("{CORE}-{of}")
}

const CORE: &str = "QzxMarkerXzq";

async fn markers_are_found_nowhere(engine: Engine) {
    let mut app = TestApp::named(engine, &marker("OrgOne"), &marker("AdminName")).await;
    app.stop().await;
    let log = app.root().join("log");
    let child = Child::start(&app.config, &[], Some(File::create(&log).unwrap()));
    app.serve_at(&child.base);

    let asha = enrol(&app.admin, &app.org, &marker("PersonName"), &["custodian"]).await;
    let ben = enrol(&app.admin, &app.org, &marker("OtherName"), &["custodian"]).await;
    assert_eq!(app.admin.new_org(&marker("OrgTwo")).await.status, 201);
    let case = json!({
        "title": marker("Title"), "case_type": "other", "jurisdiction": "ke",
        "references": { "fir": marker("Fir") },
        "fields": { "warrant": marker("Warrant"), "reference": marker("Reference") },
    });
    let case: api::Created = asha.post("/api/v1/cases", &case).await.made();
    assert_eq!(asha.add_member(&case.id, &ben.id, "custodian").await.status, 201);
    let content = marker("Content").repeat(10_000).into_bytes();
    let mut new = item("open", &marker("FileName"), Some(&content));
    for name in ["title", "place", "device-serial", "collected-by", "notes"] {
        new.fields.insert(name.to_owned(), marker("Field"));
    }
    let made: api::Created = asha.register(&case.id, &new).await.made();
    asha.send(
        asha.request(reqwest::Method::PUT, &format!("/api/v1/items/{}/content", made.id))
            .body(marker("WrongContent").into_bytes()),
    )
    .await
    .problem("digest-mismatch");
    assert_eq!(asha.upload(&made.id, &content).await.status, 201);
    let why = json!({ "purpose": "court", "fields": { "notes": marker("Why") } });
    let access: api::Access = ben.post(&format!("/api/v1/items/{}/access", made.id), &why).await.made();
    assert_eq!(ben.send(ben.reading(&made.id, &access.access)).await.body, content);
    let offer = json!({ "case": case.id, "item": made.id, "purpose": "court", "data": { "to": ben.id },
        "fields": fields([("notes", &marker("Handover"))]) });
    assert_eq!(asha.say(&draft("transfer.offered", &offer)).await.status, 201);
    let wanted = json!({ "purpose": "court", "fields": { "recipient": marker("Recipient") } });
    let export: api::Export = asha.post(&format!("/api/v1/cases/{}/exports", case.id), &wanted).await.made();
    assert_eq!(asha.bundle(&export.id).await.status, 200);
    let found = asha.search(&case.id, &marker("FileName")).await;
    assert_eq!(found.items.len(), 1, "whoever may see them finds them");
    errors(&asha, &case.id, &made.id).await;
    let browser = Browser::new(&app);
    let device = set_up_with(&asha, &marker("SignIn"), &marker("Password")).await;
    for (password, status) in [(marker("Password"), 201), (marker("Wrong"), 401)] {
        let ask = device.sign_in(&password, &device.fresh(&app).await);
        let answer = browser.post("/api/v1/sign-in/password", &ask).await;
        assert_eq!(answer.status, status);
    }

    child.stop();
    let searched = files_without_markers(&app.root());
    assert!(searched.len() >= 7, "{searched:?}");
    assert!(fs::read_to_string(&log).unwrap().len() > 1_000, "the log says something");
    no_markers("errors", app.shared.errors.lock().unwrap().join("\n").as_bytes());
    tables_without_markers(app.config.database_url()).await;
    if let Some(cluster) = cluster(app.config.database_url()) {
        files_without_markers(&cluster);
    }
}

/// Content and words of each class, in the database, the object store, the log and a backup of all.
async fn of_no_class_are_markers_found_in_backups_or_anywhere(engine: Engine) {
    let mut app = TestApp::new(engine).await;
    app.stop().await;
    let log = app.root().join("log");
    let child = Child::start(&app.config, &[], Some(File::create(&log).unwrap()));
    app.serve_at(&child.base);
    let people = People::new(&app).await;
    let mut stored = 0;
    for class in ["open", "confidential", "restricted", "hash-only"] {
        let content = marker(class).repeat(20_000).into_bytes();
        let sealing = (class == "restricted").then(|| people.sealing());
        let mut new = api::NewItem { sealing, ..item(class, &marker("FileName"), Some(&content)) };
        new.fields.insert("place".to_owned(), marker("Field"));
        let made: api::Created = people.asha.register(&people.case, &new).await.made();
        let sent = people.asha.upload(&made.id, &content).await;
        if class == "hash-only" {
            sent.problem("hash-only");
        } else {
            assert_eq!(sent.status, 201);
            stored += 1;
        }
    }
    child.stop();
    assert_eq!(app.objects().len(), stored);
    let repository = app.root().join("backups");
    backed_up(&app.config, &repository, 0).await;
    let searched = files_without_markers(&app.root());
    assert!(searched.iter().any(|path| path.starts_with(&repository)));
    tables_without_markers(app.config.database_url()).await;
}

/// Markers in every place from which a careless answer would repeat them.
async fn errors(who: &crate::support::client::Caller, case: &str, exhibit: &str) {
    let word = marker("Mistake");
    let bodies = [
        json!({ "title": 5, "case_type": word }),
        json!({ "title": word, "case_type": word, "jurisdiction": "ke" }),
        json!({ word.clone(): word }),
        json!(word),
        json!({ "title": [word] }),
        json!({ "title": "T", "case_type": "other", "jurisdiction": "ke", "fields": { word.clone(): word } }),
    ];
    for body in &bodies {
        who.post("/api/v1/cases", body).await.problem("invalid-request");
    }
    let mut wrong = item("open", &word.repeat(600), None);
    who.register(case, &wrong).await.problem("invalid-request");
    wrong.class.clone_from(&word);
    who.register(case, &wrong).await.problem("invalid-request");
    who.post("/api/v1/statements/prepare", &json!({ "kind": word })).await.problem("invalid-request");
    let forged = json!({ "envelope": "eyJ9", "openings": [{ "name": word, "salt": word, "value": word }] });
    who.post("/api/v1/statements", &forged).await.problem("invalid-request");
    let signed = who.envelope(format!("{{\"v\":1,\"kind\":\"{word}\"}}").as_bytes());
    who.submit_envelope(signed, &[]).await.problem("invalid-statement");
    for path in [
        format!("/api/v1/cases/{word}"),
        format!("/api/v1/{word}"),
        format!("/api/v1/cases?{word}={word}"),
        format!("/api/v1/cases?limit={word}"),
        format!("/api/v1/items/{exhibit}/content?access={word}"),
        format!("/api/v1/cases/{case}/items?cursor={word}&q={word}"),
    ] {
        assert!(who.get(&path).await.status.is_client_error(), "{path}");
    }
    who.with_token(&word).me().await.problem("unauthenticated");
    who.post("/api/v1/invitations/prepare", &json!({ "code": word, "key": word }))
        .await
        .problem("invitation-invalid");
}

/// No file below this folder has a marker in it or in its name. Returns what was searched.
fn files_without_markers(root: &Path) -> Vec<PathBuf> {
    let mut searched = Vec::new();
    for entry in walkdir::WalkDir::new(root) {
        let entry = entry.unwrap();
        let path = entry.path();
        no_markers(&path.display().to_string(), path.as_os_str().as_encoded_bytes());
        if entry.file_type().is_file() {
            match fs::read(path) {
                Ok(bytes) => no_markers(&path.display().to_string(), &bytes),
                // A server that runs takes away files of its own.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                Err(error) => panic!("{}: {error}", path.display()),
            }
            searched.push(path.to_owned());
        }
    }
    searched
}

/// As it stands, in hexadecimal, in base64 from each of the three positions it may start at, in UTF-16.
fn no_markers(what: &str, bytes: &[u8]) {
    let mut needles = vec![CORE.as_bytes().to_vec(), hex::encode(CORE).into_bytes()];
    needles.push(CORE.to_lowercase().into_bytes());
    needles.push(CORE.encode_utf16().flat_map(u16::to_le_bytes).collect());
    for skipped in 0..3 {
        let whole = &CORE.as_bytes()[skipped..skipped + 9];
        needles.push(STANDARD_NO_PAD.encode(whole).into_bytes());
    }
    for needle in needles {
        let found = bytes.windows(needle.len()).any(|window| window == needle);
        assert!(!found, "{what} has a marker, as {}", String::from_utf8_lossy(&needle));
    }
}

#[test]
fn a_marker_is_found_however_it_is_written() {
    use std::panic::catch_unwind;
    let text = format!("a{}", marker("Any"));
    let wide: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let base64 = (0..3).map(|before| {
        STANDARD_NO_PAD.encode(text[1..].replace("Qzx", &format!("{}Qzx", &"abc"[..before]))).into_bytes()
    });
    for written in
        [text.clone().into_bytes(), hex::encode(&text).into_bytes(), wide].into_iter().chain(base64)
    {
        assert!(catch_unwind(|| no_markers("here", &written)).is_err(), "{written:?}");
    }
    no_markers("here", b"Qzx and Xzq");
}

/// No row of any table, written as text.
async fn tables_without_markers(url: &str) {
    let (tables, rows): (Vec<String>, Vec<String>) = if url.starts_with("sqlite") {
        return;
    } else {
        let mut connection = sqlx::PgConnection::connect(url).await.unwrap();
        sqlx::query("CHECKPOINT").execute(&mut connection).await.unwrap();
        let names = "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'";
        let tables = sqlx::query(names).fetch_all(&mut connection).await.unwrap();
        let tables: Vec<String> = tables.iter().map(|row| row.get(0)).collect();
        let mut texts = Vec::new();
        for table in &tables {
            let rows = AssertSqlSafe(format!("SELECT each_row::text FROM {table} each_row"));
            let rows = sqlx::query(rows).fetch_all(&mut connection).await.unwrap();
            texts.extend(rows.iter().map(|row| row.get::<String, _>(0)));
        }
        (tables, texts)
    };
    assert!(tables.len() > 15 && rows.len() > 50);
    for row in rows {
        no_markers("a row", row.as_bytes());
    }
}

/// Where the throw-away server keeps its files.
fn cluster(url: &str) -> Option<PathBuf> {
    let (_, host) = url.split_once("host=/")?;
    let folder = PathBuf::from(format!("/{}", host.split('&').next()?)).join("data");
    folder.exists().then_some(folder)
}
