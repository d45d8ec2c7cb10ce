//! Rules of the project that a machine can check.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;

use custody::kind::Kind;
use custos::http::Document;
use custos::http::problems::{TABLE, row};
use utoipa::OpenApi as _;

/// Longest source file, lines.
const MAX_LINES: usize = 500;

#[test]
fn the_core_knows_no_network_no_database_no_clock_and_no_randomness() {
    let names = dependencies("custody", &["--all-features"]);
    for forbidden in ["tokio", "sqlx", "sqlx-core", "actix-web", "actix-rt", "object_store", "getrandom"] {
        assert!(!names.contains(forbidden), "custody depends on {forbidden}");
    }
    assert!(names.contains("sha2"), "{names:?}");
}

#[test]
fn there_is_one_library_of_cryptography_for_tls_and_it_is_not_openssl_or_ring() {
    let names = dependencies("custos", &[]);
    for forbidden in ["openssl", "openssl-sys", "ring", "native-tls"] {
        assert!(!names.contains(forbidden), "custos depends on {forbidden}");
    }
    assert!(names.contains("aws-lc-rs"), "{names:?}");
}

/// Names of all packages that one is built from.
fn dependencies(package: &str, more: &[&str]) -> BTreeSet<String> {
    let mut tree = Command::new(env!("CARGO"));
    tree.args(["tree", "--offline", "--locked", "-e", "normal", "--prefix", "none", "-p", package])
        .args(more);
    let output = tree.current_dir(root()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}

#[test]
fn use_cases_know_no_http_and_http_knows_no_database() {
    for (folder, forbidden) in [("src/app", "actix"), ("src/http", "sqlx"), ("src/http", "crate::store")] {
        for (path, text) in sources(folder) {
            let names =
                text.lines().any(|line| !line.trim_start().starts_with("//") && line.contains(forbidden));
            assert!(!names, "{} names {forbidden}", path.display());
        }
    }
}

#[test]
fn files_are_short() {
    let all: Vec<_> = sources("src").into_iter().chain(sources("crates")).collect();
    assert!(all.len() > 100);
    for (path, text) in all {
        let lines = text.lines().count();
        let name = path.strip_prefix(root()).unwrap();
        assert!(lines <= MAX_LINES, "{} has {lines} lines", name.display());
    }
}

/// Rust sources below a folder.
fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    let files = walkdir::WalkDir::new(root().join(folder)).into_iter().map(Result::unwrap);
    let rust = files.filter(|entry| entry.path().extension().is_some_and(|extension| extension == "rs"));
    rust.map(|entry| (entry.path().to_owned(), std::fs::read_to_string(entry.path()).unwrap())).collect()
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap()
}

#[test]
fn every_code_has_a_title_and_a_remedy_and_every_title_a_code() {
    let mut codes = BTreeSet::new();
    for (path, from, to) in [
        ("src/app/error.rs", "fn code(&self)", "\n    }\n"),
        ("crates/custody/src/rules/mod.rs", "const fn code(&self)", "\n    }\n"),
    ] {
        let text = read(path);
        let body = text.split_once(from).unwrap().1.split_once(to).unwrap().0;
        codes.extend(body.split('"').skip(1).step_by(2).map(str::to_owned));
    }
    assert!(codes.len() > 40, "{codes:?}");
    for code in &codes {
        let (found, status, title, remedy) = row(code);
        assert_eq!(found, code, "the table of errors lacks {code}");
        assert!((400..600).contains(&status) && !title.is_empty() && !remedy.is_empty(), "{code}");
    }
    let table: BTreeSet<_> = TABLE.iter().map(|row| row.0.to_owned()).collect();
    assert_eq!(table, codes, "a code that nothing gives is in the table");
}

#[test]
fn the_openapi_document_and_the_page_list_the_same_routes() {
    let json = Document::openapi().to_json().unwrap();
    let document: serde_json::Value = serde_json::from_str(&json).unwrap();
    let mut served = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys() {
            served.insert((method.to_uppercase(), nameless(path)));
        }
    }
    let mut listed: BTreeSet<_> = read("docs/API.md").lines().flat_map(routes).collect();
    assert!(listed.remove(&("HEAD".to_owned(), "/api/v1/items/{}/content".to_owned())));
    assert_eq!(listed, served);
    assert!(listed.len() > 40, "{listed:?}");
}

/// The routes that a row of the page's table names: `POST, GET /a`, `POST /a/b, DELETE …/b/{c}`, `GET /a, /b`.
fn routes(line: &str) -> Vec<(String, String)> {
    let Some(cell) = line.strip_prefix("| ").and_then(|line| line.split(" | ").next()) else {
        return Vec::new();
    };
    let (mut methods, mut found, mut last) = (Vec::new(), Vec::new(), String::new());
    let mut after_path = true;
    for word in cell.split([' ', ',']).filter(|word| !word.is_empty()) {
        if let Some(path) = word.strip_prefix('`') {
            let path = path.trim_end_matches('`').split('?').next().unwrap_or_default();
            if path.is_empty() {
                continue;
            }
            last = continued(&last, path);
            found.extend(methods.iter().map(|method: &String| (method.clone(), nameless(&last))));
            after_path = true;
        } else if word.chars().all(|letter| letter.is_ascii_uppercase()) {
            if std::mem::take(&mut after_path) {
                methods.clear();
            }
            methods.push(word.to_owned());
        }
    }
    found
}

/// `/a/b` and `…/b/{c}` is `/a/b/{c}`; `/a` and `…/{c}` is `/a/{c}`.
fn continued(before: &str, path: &str) -> String {
    let Some(rest) = path.strip_prefix('…') else { return path.to_owned() };
    let first = rest.trim_start_matches('/').split('/').next().unwrap_or_default();
    let before = before.strip_suffix(first).map_or(before, |shorter| shorter.trim_end_matches('/'));
    format!("{before}{rest}")
}

/// A path without the names of its parameters.
fn nameless(path: &str) -> String {
    let parts = path.split('/').map(|part| if part.starts_with('{') { "{}" } else { part });
    parts.collect::<Vec<_>>().join("/")
}

#[test]
fn the_page_on_the_format_names_every_kind_that_is_supported() {
    let page = read("docs/FORMAT.md");
    for kind in Kind::ALL.iter().filter(|kind| kind.spec().supported) {
        assert!(page.contains(kind.spec().name), "docs/FORMAT.md lacks {kind}");
    }
}
