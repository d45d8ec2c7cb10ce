//! Whoever looks at the log from outside, and knew its key from before.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use custody::bundle::findings::Code;
use custody::digest::Digest;
use custody::note::VerifierKey;
use custos::api;
use custos::client::{Client, NewProfile, Profile, Stranger};
use custos::config::{Config, Flags};
use serde_json::{Value, json};

use super::{done, follow, prepare, rotate};
use crate::api::spine::two_custodians;
use crate::support::app::TestApp;
use crate::support::world::Engine;
use crate::witness::service::Service;

/// A vault, and the folder of somebody outside.
pub(super) struct Outside {
    pub(super) app: TestApp,
    pub(super) tls: Digest,
    folder: tempfile::TempDir,
}

impl Outside {
    pub(super) async fn new() -> Self {
        let mut app = TestApp::new(Engine::Sqlite).await;
        app.stop().await;
        let tls = app.start().await.tls_fingerprint;
        Self { app, tls, folder: tempfile::tempdir().unwrap() }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The program of somebody who knows no more than what stands in `args`; `@` is the vault's address.
    pub(super) fn run(&self, args: &[&str]) -> Output {
        let url = self.app.shared.base.lock().unwrap().clone();
        let mut command = Command::new(env!("CARGO_BIN_EXE_custos"));
        command.arg("--json").args(args.iter().map(|arg| arg.replace('@', &url)));
        command.env_clear().env("CUSTOS_HOME", self.folder.path()).current_dir(self.folder.path());
        command.output().unwrap()
    }

    /// The same about the log, whose key is this one.
    pub(super) fn log(&self, key: &VerifierKey, args: &[&str]) -> Output {
        let (key, tls) = (key.to_string(), self.tls.to_hex());
        self.run(&[&["log"][..], args, &["--vkey", &key, "--fingerprint", &tls]].concat())
    }

    async fn rotate(&mut self) -> VerifierKey {
        self.app.stop().await;
        let (key, _) = rotate(&self.app);
        self.app.start().await;
        follow(&self.app).await;
        self.app.admin.check(&self.app.admin.new_org("Another").await.made::<api::Created>().receipts);
        key
    }

    async fn bundle(&self, name: &str) -> PathBuf {
        let (asha, _, case) = two_custodians(&self.app).await;
        asha.put(&case, "a.txt", b"a").await;
        let export: api::Export = asha.export(&case).await.made();
        let path = self.path(name);
        std::fs::write(&path, asha.bundle(&export.id).await.body).unwrap();
        path
    }
}

/// Serves the vault again, with this witness.
pub(super) async fn serve_with_witness(world: &mut Outside, witness: &Service) {
    let policy = world.path("policy");
    std::fs::write(&policy, format!("witness w1 {} {}\nquorum w1\n", witness.vkey, witness.base)).unwrap();
    let flags = Flags {
        listen: Some("127.0.0.1:0".to_owned()),
        data_dir: Some(world.app.config.data_dir().to_owned()),
        database_url: Some(world.app.config.database_url().to_owned()),
        ..Flags::default()
    };
    let policy = policy.display().to_string();
    let config = Config::load(&flags, &|name| (name == "CUSTOS_WITNESSES").then(|| policy.clone())).unwrap();
    if world.app.is_running() {
        world.app.stop().await;
    }
    world.app.config = config;
    world.app.start().await;
}

/// The operator of a witness is told of a key.
#[track_caller]
pub(super) fn tell(world: &Outside, witness: &str, key: &VerifierKey) {
    let told = Command::new(env!("CARGO_BIN_EXE_custos"))
        .args(["--json", "witness", "add", world.path(witness).to_str().unwrap(), &key.to_string()])
        .output()
        .unwrap();
    assert_eq!(done(&told)["new"], true);
}

/// A profile of the administrator, as whoever has just met the vault makes it.
pub(super) async fn profile(world: &Outside) -> PathBuf {
    let url = world.app.shared.base.lock().unwrap().clone();
    let stranger = Stranger::meet(&url, world.tls, world.app.shared.vault).await.unwrap();
    std::fs::write(world.path("token"), &world.app.admin.token).unwrap();
    std::fs::set_permissions(world.path("token"), std::os::unix::fs::PermissionsExt::from_mode(0o600))
        .unwrap();
    let profile = world.path("office.toml");
    let new = NewProfile {
        url,
        tls: world.tls,
        trust: stranger.trust().clone(),
        person: world.app.admin.id.parse().unwrap(),
        token: Some("token".into()),
        certificate: None,
        key: None,
        receipts: "receipts".into(),
    };
    Profile::create(&profile, new).unwrap();
    profile
}

/// The vault is served at another address now.
pub(super) fn moved(world: &Outside, profile: &Path) {
    let text = std::fs::read_to_string(profile).unwrap();
    let line = text.lines().find(|line| line.starts_with("url = ")).unwrap().to_owned();
    let now = format!("url = \"{}\"", world.app.shared.base.lock().unwrap());
    std::fs::write(profile, text.replace(&line, &now)).unwrap();
}

/// Says something with the profile.
#[track_caller]
pub(super) fn organisation(world: &Outside, name: &str) {
    let output = world.run(&["--profile", "./office.toml", "org", "add", name]);
    assert!(output.status.success(), "{output:?}");
}

/// The findings that are more than notices, and the exit code.
fn verified(bundle: &Path, fingerprint: Digest, more: &[&str]) -> (Vec<String>, i32) {
    let output = Command::new(env!("CARGO_BIN_EXE_custos"))
        .args(["verify", "--json", bundle.to_str().unwrap(), "--fingerprint", &fingerprint.to_hex()])
        .args(more)
        .output()
        .unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
    let codes = report["findings"].as_array().unwrap().iter().map(|f| f["code"].as_str().unwrap().to_owned());
    let notices = [Code::Continued, Code::OnBehalf, Code::ReceiptNewer, Code::FieldWithheld].map(Code::name);
    (codes.filter(|code| !notices.contains(&code.as_str())).collect(), output.status.code().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn mirrors_and_auditors_follow_by_what_each_key_signed_for_the_next() {
    let mut world = Outside::new().await;
    let first = world.app.shared.log.clone();
    let old_bundle = world.bundle("old.zip").await;
    let audit = ["audit", "@", "--state", "seen"];
    for args in [&audit[..], &["mirror", "@", "copy"]] {
        done(&world.log(&first, args));
    }
    let second = world.rotate().await;
    let third = world.rotate().await;
    let new_bundle = world.bundle("new.zip").await;
    for args in [
        &audit[..],
        &["mirror", "@", "copy"],
        &["prove", "3", "--from", "copy"],
        &["audit", "copy", "--state", "second"],
    ] {
        done(&world.log(&first, args));
    }
    // Whoever comes later knows a later key.
    done(&world.log(&second, &["audit", "@", "--state", "later"]));
    done(&world.log(&third, &["audit", "@", "--state", "latest"]));

    let fingerprint = world.app.shared.vault;
    let usual = (vec![Code::NotWitnessed.name().to_owned(), Code::NotTimestamped.name().to_owned()], 4);
    let copy = world.path("copy");
    let entries = ["--entries", copy.to_str().unwrap()];
    assert_eq!(verified(&old_bundle, fingerprint, &entries), usual);
    assert_eq!(verified(&new_bundle, fingerprint, &entries), usual);

    // A mirror keeps by what it followed, and nothing else that it was told.
    let keys = std::fs::read_to_string(copy.join("keys")).unwrap();
    let [one, two] = keys.lines().collect::<Vec<_>>()[..] else { panic!("{keys}") };
    std::fs::write(copy.join("keys"), format!("{one}\n{one}\n{two}\n{one}\n")).unwrap();
    for (known, name, kept) in [(&first, "of-first", &keys), (&second, "of-second", &format!("{two}\n"))] {
        done(&world.log(known, &["mirror", "copy", name]));
        assert_eq!(&std::fs::read_to_string(world.path(name).join("keys")).unwrap(), kept);
        done(&world.log(known, &["mirror", "copy", name]));
        assert_eq!(&std::fs::read_to_string(world.path(name).join("keys")).unwrap(), kept);
    }
    // What nobody proves is not believed: a mirror that says nothing of keys, or too little.
    let half = keys.lines().next().unwrap().to_owned() + "\n";
    for told in ["", &half] {
        std::fs::write(copy.join("keys"), told).unwrap();
        let output = world.log(&first, &["audit", "copy", "--state", "third"]);
        assert_eq!(output.status.code(), Some(3), "{output:?}");
        let said: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(said["finding"], "bad-signature");
        let (findings, exit) = verified(&old_bundle, fingerprint, &entries);
        assert!(exit == 4 && findings.contains(&"not-audited".to_owned()), "{findings:?}");
        // Who has followed before does not need to be told.
        done(&world.log(&first, &["audit", "copy", "--state", "seen"]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_from_before_follows_and_remembers() {
    let mut world = Outside::new().await;
    let profile = profile(&world).await;
    organisation(&world, "Before");
    let second = world.rotate().await;
    moved(&world, &profile);
    organisation(&world, "After");
    assert!(std::fs::read_to_string(&profile).unwrap().contains(&second.to_string()));
    let third = world.rotate().await;
    moved(&world, &profile);
    done(&world.run(&["--profile", "./office.toml", "log", "checkpoint"]));
    let known = Profile::read(&profile).unwrap().trust().logs().clone();
    assert_eq!((known.first(), known.present()), (&world.app.shared.log, &third));
    let refused = std::fs::read_dir(world.path("receipts")).unwrap();
    let refused =
        refused.filter(|file| file.as_ref().unwrap().file_name().to_str().unwrap().starts_with("refused"));
    assert_eq!(refused.count(), 0, "no false alarm");
    // Somebody new meets the vault as it is now.
    let url = world.app.shared.base.lock().unwrap().clone();
    let newcomer = Stranger::meet(&url, world.tls, world.app.shared.vault).await.unwrap();
    assert_eq!(newcomer.trust().logs(), &known);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_runs_on_follows_as_often_as_the_key_is_replaced() {
    let mut world = Outside::new().await;
    let profile = profile(&world).await;
    // From now on the vault stays at its address.
    let url = world.app.shared.base.lock().unwrap().clone();
    let flags = Flags {
        listen: Some(url.trim_start_matches("https://").to_owned()),
        data_dir: Some(world.app.config.data_dir().to_owned()),
        database_url: Some(world.app.config.database_url().to_owned()),
        ..Flags::default()
    };
    world.app.stop().await;
    world.app.config = Config::load(&flags, &|_| None).unwrap();
    world.app.start().await;
    let client = Client::open(&Profile::read(&profile).unwrap(), None).unwrap();
    client.checkpoint().await.unwrap();
    for rotations in 1..=3 {
        let key = world.rotate().await;
        client.checkpoint().await.unwrap();
        assert_eq!(
            (client.trust().logs().former().len(), client.trust().logs().present()),
            (rotations, &key)
        );
        assert_eq!(Profile::read(&profile).unwrap().trust().logs(), client.trust().logs());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_witness_cosigns_again_once_it_was_told_of_the_next_key() {
    let mut world = Outside::new().await;
    let witness = Service::new(&world.path("w1"), "witness.example/w1", &[&world.app.shared.log]);
    serve_with_witness(&mut world, &witness).await;
    let body = |name: &str| json!({ "name": name });
    let admin = world.app.admin.clone();
    admin.until_witnessed("/api/v1/orgs", &body("One")).await;

    world.app.stop().await;
    let (key, _) = rotate(&world.app);
    world.app.start().await;
    follow(&world.app).await;
    let made: api::Created = admin.post("/api/v1/orgs?wait=witnessed", &body("Two")).await.made();
    assert_eq!(made.receipts.witnessed, Some(false), "it is recorded, and the witness does not know the key");
    let ready = String::from_utf8(admin.with_token("").get("/readyz?verbose").await.body).unwrap();
    assert!(ready.contains(&format!("does not know the log's present key ({key})")), "{ready}");

    tell(&world, "w1", &key);
    let made = admin.until_witnessed("/api/v1/orgs", &body("Three")).await;
    admin.check(&made.receipts);
    // A witness that is told beforehand misses nothing.
    world.app.stop().await;
    let next = prepare(&world.app);
    tell(&world, "w1", &next);
    assert_eq!(rotate(&world.app).0, next);
    world.app.start().await;
    follow(&world.app).await;
    assert!(world.app.shared.keys.lock().unwrap().former().len() == 2);
    admin.until_witnessed("/api/v1/orgs", &body("Four")).await;
}
