//! The book for installing the service: its commands, in its order, and then the service as its unit starts it.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::init::on_a_terminal;

const PROGRAM: &str = env!("CARGO_BIN_EXE_custos");
const PASSPHRASE: &str = "four words on paper";

/// A file of the folder with the book, with this folder in place of the system's.
fn from_the_book(home: &Path, name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy").join(name);
    let text = fs::read_to_string(path).unwrap();
    let (etc, var) = (home.join("etc").display().to_string(), home.join("var").display().to_string());
    text.replace("/etc/custos", &etc)
        .replace("/var/lib/custos", &var)
        .replace("/usr/local/bin/custos", PROGRAM)
}

/// What stands behind `key=` in the unit.
fn of_the_unit<'a>(unit: &'a str, key: &str) -> &'a str {
    let mut values = unit.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    values.next().unwrap_or_else(|| panic!("the unit has no {key}"))
}

/// The four rows of a sheet.
fn rows(sheet: &Path) -> String {
    let page = fs::read_to_string(sheet).unwrap();
    page.split("<li>")
        .skip(1)
        .take(4)
        .map(|row| row.split("</li>").next().unwrap().to_owned() + "\n")
        .collect()
}

#[test]
fn the_service_starts_after_what_the_book_says() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    for folder in ["etc", "var"] {
        fs::create_dir(home.join(folder)).unwrap();
        fs::set_permissions(home.join(folder), fs::Permissions::from_mode(0o700)).unwrap();
    }
    let configuration = from_the_book(home, "custos.toml").replace("0.0.0.0:8443", "127.0.0.1:0");
    fs::write(home.join("etc/custos.toml"), configuration).unwrap();

    let book = from_the_book(home, "README.md");
    let install = book.split("\n## Install\n").nth(1).unwrap().split("\n## ").next().unwrap();
    let blocks = install.split("```").skip(1).step_by(2).flat_map(str::lines).map(str::trim);
    let mut typed = Vec::new();
    for line in blocks.filter(|line| line.contains("systemd-ask-password") || line.starts_with("runuser ")) {
        // Who asks for the passphrase, and that the commands are run as the service's user, is the system's.
        let (asker, rest) = line.split_once("systemd-ask-password").unwrap_or((line, ""));
        let command = match rest.split_once('>') {
            Some((_, file)) => format!("{asker}printf '%s' '{PASSPHRASE}' >{file}"),
            None => line.strip_prefix("runuser -u custos -- ").unwrap().to_owned(),
        };
        let answers = match command.split(' ').nth(1) {
            Some("init") => format!("Office\nA. Example\n{PASSPHRASE}\n{PASSPHRASE}\n\n\n"),
            Some("key") => format!("{PASSPHRASE}\n{}", rows(&home.join("var/recovery-1.html"))),
            _ => String::new(),
        };
        let (code, screen) = on_a_terminal(home, &command, &answers);
        assert_eq!(code, Some(0), "{command}: {screen}");
        typed.push(screen);
    }
    assert!(typed.len() == 3 && typed[2].contains("takes evidence"), "{typed:?}");

    let unit = from_the_book(home, "custos.service");
    let (name, file) = of_the_unit(&unit, "LoadCredential").split_once(':').unwrap();
    let (variable, value) = of_the_unit(&unit, "Environment").split_once('=').unwrap();
    assert_eq!(value, format!("%d/{name}"));
    // As newer versions of systemd hand it over: what lets the user in stands in the group's bits.
    let credentials = home.join("credentials");
    fs::create_dir(&credentials).unwrap();
    fs::copy(file, credentials.join(name)).unwrap();
    fs::set_permissions(credentials.join(name), fs::Permissions::from_mode(0o440)).unwrap();
    let mut service = Command::new("sh");
    service.args(["-c", &format!("exec {} --json", of_the_unit(&unit, "ExecStart"))]);
    service.env_clear().env(variable, credentials.join(name)).env("CREDENTIALS_DIRECTORY", &credentials);
    service.env("CUSTOS_LOG", "off").current_dir(home);
    let mut service = service.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(service.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    service.kill().unwrap();
    service.wait().unwrap();
    let bound: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("it did not start: {line}"));
    assert!(bound["addr"].is_string(), "{bound}");
}
