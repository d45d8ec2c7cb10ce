//! File names that would lead out of a folder, break a system or pretend to be something else.

use custos::api;
use serde_json::json;

use super::spine::two_custodians;
use crate::on_both_engines;
use crate::support::app::TestApp;
use crate::support::bundle::{Unzipped, assert_as_good_as_it_gets, judged};
use crate::support::client::item;
use crate::support::world::Engine;

on_both_engines! { names_never_lead_out_of_a_bundle }

async fn names_never_lead_out_of_a_bundle(engine: Engine) {
    let app = TestApp::new(engine).await;
    let (asha, _, case) = two_custodians(&app).await;
    let long = "x".repeat(300);
    let tricks = [
        "../../etc/passwd",
        "..",
        ".",
        "/etc/shadow",
        "C:\\Windows\\system.ini",
        "\\\\host\\share",
        "a/b",
        "a\\b",
        "con",
        "NUL.txt",
        "LPT1.log",
        "line\nbreak.txt",
        "null\u{0}.txt",
        "\u{1b}[2Jclear",
        "\u{202e}gpj.exe",
        "trailing.",
        "trailing ",
        " leading",
        "-rf",
        "~",
        "a:b",
        "star*.txt",
        "q?.txt",
        "\"quoted\"",
        "<tag>",
        "%2e%2e%2f",
        "E-0001",
        "café.txt",
        "cafe\u{301}.txt",
        &long,
        "=cmd|' /C calc'!A0",
        "bundle.json",
    ];
    for name in tricks {
        let exhibit = asha.put(&case, name, name.as_bytes()).await;
        let seen: api::Item = asha.item(&exhibit).await.ok();
        assert_eq!(seen.fields["file-name"], name, "kept as it was given");
    }
    let mut same = item("open", "", None);
    same.fields.clear();
    assert_eq!(asha.register(&case, &same).await.status, 201);
    let export: api::Export = asha.export(&case).await.made();
    let bundle = asha.bundle(&export.id).await.body;
    assert_as_good_as_it_gets(&judged(&asha, &bundle).await);

    let unzipped = Unzipped::new(&bundle);
    for (number, name) in (1..).zip(tricks) {
        assert_eq!(unzipped.exhibit(number).1, name.as_bytes());
    }
    let files = unzipped.by_name();
    for path in files.keys() {
        let last = path.rsplit('/').next().unwrap();
        assert!(path.len() < 512 && path.split('/').all(|part| !matches!(part, "" | "." | "..")), "{path}");
        assert!(!path.contains(['\\', ':', '*', '?', '"', '<', '>', '|']), "{path}");
        assert!(!path.contains(char::is_control) && !path.contains('\u{202e}'), "{path}");
        assert!(!last.ends_with(['.', ' ']) && !last.to_lowercase().starts_with("nul."), "{path}");
    }
    let timeline = String::from_utf8(files[custody::bundle::layout::TIMELINE].to_vec()).unwrap();
    assert!(timeline.lines().all(|line| !line.contains(",=cmd")), "no spreadsheet runs a name");
    let listed = json!(files.keys().collect::<Vec<_>>()).to_string();
    assert!(
        listed.contains("content.bin") && listed.contains("-rf") == files.keys().any(|p| p.ends_with("/-rf"))
    );
}
