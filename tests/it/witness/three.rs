//! Three processes: a vault and two witnesses outside its operator's control, and an outsider who looks from time to
//! time. What the operator rolls back is found by all of them.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use custody::digest::Digest;
use custody::note::SignedNote;
use custody::policy::Policy;
use custos::api;
use custos::config::{Config, Flags};
use serde_json::{Value, json};

use super::service::Service;
use crate::support::app::TestApp;
use crate::support::child::Child;
use crate::support::client::Caller;
use crate::support::world::Engine;

/// Who says what is published: the vault, over its two witnesses' cosignatures.
struct World {
    app: TestApp,
    folder: tempfile::TempDir,
    witnesses: [Service; 2],
    certificate: Digest,
}

impl World {
    async fn new() -> Self {
        let mut app = TestApp::new(Engine::Sqlite).await;
        app.stop().await;
        let certificate = app.start().await.tls_fingerprint;
        app.stop().await;
        let folder = tempfile::tempdir().unwrap();
        let service = |name: &str| {
            Service::new(&folder.path().join(name), &format!("witness.example/{name}"), &[&app.shared.log])
        };
        let witnesses = [service("w1"), service("w2")];
        let lines = ["w1", "w2"].iter().zip(&witnesses);
        let lines =
            lines.map(|(name, witness)| format!("witness {name} {} {}\n", witness.vkey, witness.base));
        let policy = format!(
            "log {}\n{}group both all w1 w2\nquorum both\n",
            app.shared.log,
            lines.collect::<String>()
        );
        std::fs::write(folder.path().join("policy"), policy).unwrap();
        Self { app, folder, witnesses, certificate }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Serves the vault in a process of its own, with or without its witnesses.
    fn serve(&self, witnessed: bool) -> Child {
        let config = &self.app.config;
        let flags = Flags {
            listen: Some("127.0.0.1:0".to_owned()),
            data_dir: Some(config.data_dir().to_owned()),
            database_url: Some(config.database_url().to_owned()),
            blobs_url: Some(config.blobs_url().to_owned()),
            ..Flags::default()
        };
        let policy = self.path("policy").display().to_string();
        let env = |name: &str| (witnessed && name == "CUSTOS_WITNESSES").then(|| policy.clone());
        let child = Child::start(&Config::load(&flags, &env).unwrap(), &[], None);
        self.app.serve_at(&child.base);
        child
    }

    /// Writes something, and says whether the witnesses cosigned it.
    async fn write(&self, name: &str) -> Option<bool> {
        let made = self.app.admin.post("/api/v1/orgs?wait=witnessed", &json!({ "name": name })).await;
        let made: api::Created = made.made();
        self.app.admin.check(&made.receipts);
        made.receipts.witnessed
    }

    fn stranger(&self) -> Caller {
        self.app.admin.with_token("")
    }

    async fn shown(&self) -> (u64, usize) {
        let note = SignedNote::parse(self.stranger().checkpoint().await.as_bytes()).unwrap();
        let policy = Policy::parse(&std::fs::read(self.path("policy")).unwrap()).unwrap();
        let accepted = policy.accept(&note).unwrap();
        (accepted.checkpoint.size(), accepted.cosignatures.len())
    }

    /// An outsider's command about the log.
    fn outsider(&self, args: &[&str]) -> Output {
        let (vkey, pin) = (self.app.shared.log.to_string(), self.certificate.to_hex());
        let url = self.app.shared.base.lock().unwrap().clone();
        let mut command = Command::new(env!("CARGO_BIN_EXE_custos"));
        command.args(["--json", "log"]).args(args.iter().map(|arg| arg.replace('@', &url)));
        command
            .args(["--vkey", &vkey, "--fingerprint", &pin])
            .env_clear()
            .env("CUSTOS_HOME", self.folder.path());
        command.current_dir(self.folder.path()).output().unwrap()
    }

    #[track_caller]
    fn found(&self, args: &[&str], finding: &str) {
        let output = self.outsider(args);
        assert_eq!(output.status.code(), Some(3), "{output:?}");
        let said: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(said["finding"], finding, "{said}");
        let evidence = said["evidence"].as_array().unwrap();
        assert_eq!(evidence.len(), 2);
        assert!(evidence.iter().all(|path| self.path(path.as_str().unwrap()).exists()));
    }

    /// Puts a copy of database and published log to another place.
    fn copy(&self, to: &str) {
        for (from, name) in self.parts() {
            copy(&from, &self.path(to).join(name));
        }
    }

    /// The operator rolls the vault back.
    fn roll_back(&self, from: &str) {
        for (to, name) in self.parts() {
            if to.is_dir() {
                std::fs::remove_dir_all(&to).unwrap();
            } else if to.exists() {
                std::fs::remove_file(&to).unwrap();
            }
            copy(&self.path(from).join(name), &to);
        }
    }

    fn parts(&self) -> [(PathBuf, &'static str); 4] {
        let data = self.app.config.data_dir();
        let blobs = Path::new(self.app.config.blobs_url().strip_prefix("file://").unwrap());
        [
            (data.join("custos.db"), "custos.db"),
            (data.join("custos.db-wal"), "custos.db-wal"),
            (data.join("custos.db-shm"), "custos.db-shm"),
            (blobs.join("log"), "log"),
        ]
    }
}

fn copy(from: &Path, to: &Path) {
    for entry in walkdir::WalkDir::new(from).into_iter().filter_map(Result::ok) {
        if entry.file_type().is_file() {
            let below = entry.path().strip_prefix(from).unwrap();
            let to = if below.as_os_str().is_empty() { to.to_owned() } else { to.join(below) };
            std::fs::create_dir_all(to.parent().unwrap()).unwrap();
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}

#[tokio::test]
async fn a_vault_that_was_rolled_back_finds_no_witness_and_is_named_by_whoever_saw_more() {
    let world = World::new().await;
    let child = world.serve(true);
    assert_eq!(world.write("One").await, Some(true));
    let (old, cosignatures) = world.shown().await;
    assert_eq!(cosignatures, 2);
    child.stop();
    world.copy("older");

    let child = world.serve(true);
    assert_eq!((world.write("Two").await, world.write("Three").await), (Some(true), Some(true)));
    let (newer, cosignatures) = world.shown().await;
    assert!(newer > old && cosignatures == 2);
    let audit = ["audit", "@", "--policy", "policy", "--state", "seen"];
    let seen = world.outsider(&audit);
    assert_eq!(seen.status.code(), Some(0), "{seen:?}");
    let mirrored = world.outsider(&["mirror", "@", "copy"]);
    assert_eq!(mirrored.status.code(), Some(0), "{mirrored:?}");
    child.stop();

    world.roll_back("older");
    let child = world.serve(true);
    assert_eq!(world.write("Another").await, Some(false), "it is recorded, and nobody cosigns it");
    let ready = String::from_utf8(world.stranger().get("/readyz").await.body).unwrap();
    assert!(ready.contains("alarm: publishing has stopped: witness w"), "{ready}");
    assert_eq!(world.shown().await, (old, 2), "the last one that was cosigned is still shown");
    world.found(&audit, "rolled-back");
    world.found(&["mirror", "@", "copy"], "rolled-back");
    child.stop();

    // The operator does without witnesses, and writes until there is more than there was.
    let child = world.serve(false);
    while world.shown().await.0 <= newer {
        world.write("More").await;
    }
    world.found(&audit, "forked");
    world.found(&["mirror", "@", "copy"], "forked");
    child.stop();

    // With witnesses again: they have seen another history.
    let child = world.serve(true);
    assert_eq!(world.write("Once more").await, Some(false));
    let ready = String::from_utf8(world.stranger().get("/readyz").await.body).unwrap();
    assert!(ready.contains("alarm: publishing has stopped: witness w"), "{ready}");
    child.stop();
    for (name, witness) in ["w1", "w2"].iter().zip(&world.witnesses) {
        assert_eq!(witness.logs()[0]["size"], newer, "{name}");
    }
    assert!(
        world.witnesses.iter().any(|witness| witness.logs()[0]["evidence"] != 0),
        "and keep what shows it"
    );
}
