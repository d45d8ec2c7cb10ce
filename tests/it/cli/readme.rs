//! The first steps of the README, run as they are printed.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

/// Who types a line.
#[derive(Debug, Clone, Copy)]
enum Who {
    Administrator,
    Investigator,
    Colleague,
}

/// A line of a block: what is typed, by whom.
#[derive(Debug, Clone)]
struct Line {
    who: Who,
    text: String,
}

/// Everybody's folders, and what the outputs so far have said.
struct Story {
    home: tempfile::TempDir,
    said: BTreeMap<&'static str, String>,
    address: String,
    server: Option<Child>,
}

impl Drop for Story {
    fn drop(&mut self) {
        if let Some(server) = &mut self.server {
            drop(server.kill());
            drop(server.wait());
        }
    }
}

#[test]
fn the_first_steps_of_the_readme_can_be_taken_as_printed() {
    let lines = printed();
    assert!(lines.len() > 15, "{lines:?}");
    let mut story = Story::begin();
    for line in &lines {
        if line.text.contains("COLLEAGUE") && !story.said.contains_key("COLLEAGUE") {
            story.bring_in_the_colleague(&lines);
        }
        story.type_in(line);
    }
    assert!(story.folder(Who::Investigator).join("bundle.zip").exists());
}

/// Commands of the section's blocks, in order.
fn printed() -> Vec<Line> {
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let section = readme.split("\n## First steps\n").nth(1).unwrap().split("\n## ").next().unwrap();
    let blocks = section.split("```").skip(1).step_by(2).map(|block| block.strip_prefix("sh\n").unwrap());
    let mut lines = Vec::new();
    for block in blocks {
        let mut at_work = Who::Administrator;
        for line in block.lines().filter(|line| !line.is_empty() && !line.starts_with("cargo ")) {
            let (text, remark) = line.split_once('#').unwrap_or((line, ""));
            let remark = remark.trim();
            if text.is_empty() {
                let first = remark.contains("administrator");
                at_work = if first { Who::Administrator } else { Who::Investigator };
                continue;
            }
            let who = match remark {
                _ if remark.starts_with("the registrar") => Who::Administrator,
                _ if remark.starts_with("the colleague") => Who::Colleague,
                _ => at_work,
            };
            lines.push(Line { who, text: text.trim().to_owned() });
        }
    }
    lines
}

impl Story {
    fn begin() -> Self {
        let home = tempfile::tempdir().unwrap();
        let story = Self { home, said: BTreeMap::new(), address: String::new(), server: None };
        for who in [Who::Administrator, Who::Investigator, Who::Colleague] {
            std::fs::create_dir(story.folder(who)).unwrap();
        }
        let programs = story.programs();
        std::fs::create_dir(&programs).unwrap();
        // The court's program is another package's; the README says that `custos verify` takes the same arguments.
        for (name, call) in [("custos", "--json \"$@\""), ("custody-verify", "--json verify \"$@\"")] {
            let path = programs.join(name);
            std::fs::write(&path, format!("#!/bin/sh\nexec {} {call}\n", env!("CARGO_BIN_EXE_custos")))
                .unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        let theirs = story.folder(Who::Investigator);
        std::fs::create_dir(theirs.join("photos")).unwrap();
        for name in ["photos/one.jpg", "photos/two.jpg", "phone.dump"] {
            std::fs::write(theirs.join(name), name).unwrap();
        }
        story
    }

    fn programs(&self) -> PathBuf {
        self.home.path().join("programs")
    }

    fn folder(&self, who: Who) -> PathBuf {
        self.home.path().join(format!("{who:?}"))
    }

    fn shell(&self, who: Who, text: &str) -> Command {
        let mut shell = Command::new("sh");
        shell.args(["-c", text]).current_dir(self.folder(who)).env_clear();
        let path = format!("{}:/usr/bin:/bin", self.programs().display());
        shell.env("PATH", path).env("CUSTOS_HOME", self.folder(who)).env("CUSTOS_LISTEN", "127.0.0.1:0");
        shell
    }

    /// Types a line in, with what is known in place of the words in capitals, and remembers what it says.
    fn type_in(&mut self, line: &Line) {
        let text = self.filled_in(&line.text);
        if text == "custos serve" {
            return self.serve(line.who);
        }
        let output = self.shell(line.who, &text).output().unwrap();
        let expected = if text.starts_with("custody-verify") { 4 } else { 0 };
        assert_eq!(output.status.code(), Some(expected), "{}: {output:?}", line.text);
        self.remember(line, &output);
        if text.starts_with("custos invite") {
            let invitation = self.folder(line.who).join("invitation");
            std::fs::rename(invitation, self.home.path().join("carried")).unwrap();
        }
    }

    fn filled_in(&self, text: &str) -> String {
        let words = text.split(' ').filter(|word| !word.is_empty()).map(|word| {
            if word.starts_with("https://") {
                self.address.clone()
            } else if word == "invitation" && text.contains("login") {
                self.home.path().join("carried").display().to_string()
            } else if word.len() > 2 && word.chars().all(|letter| letter.is_ascii_uppercase()) {
                self.said.get(word).unwrap_or_else(|| panic!("nothing has said {word}: {text}")).clone()
            } else {
                word.to_owned()
            }
        });
        words.collect::<Vec<_>>().join(" ")
    }

    fn serve(&mut self, who: Who) {
        let mut command = self.shell(who, "exec custos serve");
        let server = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let server = self.server.insert(server);
        let mut line = String::new();
        BufReader::new(server.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let bound: Value = serde_json::from_str(&line).unwrap();
        self.address = format!("https://{}", bound["addr"].as_str().unwrap());
    }

    fn remember(&mut self, line: &Line, output: &Output) {
        let mut documents = serde_json::Deserializer::from_slice(&output.stdout).into_iter::<Value>();
        let Some(Ok(said)) = documents.next() else { return };
        let in_photos =
            |item: &&Value| item["fields"]["path"].as_str().is_some_and(|path| path.starts_with("photos/"));
        let found: &[(&str, &Value)] = match line.text.split(' ').skip(1).collect::<Vec<_>>()[..] {
            ["init", ..] => &[("VAULT", &said["fingerprint"]), ("TLS", &said["tls_fingerprint"])],
            ["org", "list"] => &[("ORG", &said[0]["id"])],
            ["person", "add", ..] => &[("PERSON", &said["person"])],
            ["login", ..] => &[("ENROLMENT", &said["enrolment"])],
            ["case", "open", ..] => &[("CASE", &said["case"])],
            ["item", "list", ..] => {
                &[("ITEM", &said.as_array().unwrap().iter().find(in_photos).unwrap()["id"])]
            }
            ["item", "add", ..] => &[("PHONE", &said["item"])],
            _ => &[],
        };
        for (name, value) in found {
            if let Some(value) = value.as_str() {
                self.said.insert(name, value.to_owned());
            }
        }
    }

    /// The same lines again, for somebody else.
    fn bring_in_the_colleague(&mut self, lines: &[Line]) {
        for start in
            ["custos person add", "custos invite", "custos login https://vault", "custos key approve"]
        {
            let mut line = lines.iter().find(|line| line.text.starts_with(start)).unwrap().clone();
            line.text = line.text.replace("investigator", "custodian");
            if matches!(line.who, Who::Investigator) {
                line.who = Who::Colleague;
            }
            self.type_in(&line);
        }
        self.said.insert("COLLEAGUE", self.said["PERSON"].clone());
    }
}
