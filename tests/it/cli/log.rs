//! `custos log mirror`, `audit` and `prove`: what an outsider does with a log, and what a log must not do.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};

use custody::digest::Digest;
use custody::merkle::leaf_hash;
use custody::note::{KeyName, NoteSignature, SignatureType, SignedNote, VerifierKey};
use custody::proof::TlogProof;
use custody::witness::AddCheckpoint;
use ed25519_dalek::SigningKey;
use serde_json::Value;

use super::fake::{self, Fake};
use crate::support::published::Published;

const ORIGIN: &str = "vault.example.org/custos/1";

/// A log behind HTTPS that shows what a test wants, and an outsider's folder.
struct World {
    home: tempfile::TempDir,
    fake: Fake,
    shown: Arc<Mutex<Shown>>,
}

/// What the server shows.
struct Shown {
    log: Published,
    size: u64,
    cosignatures: Vec<NoteSignature>,
    /// Files that are shown otherwise than they are.
    other: BTreeMap<String, Vec<u8>>,
}

impl Shown {
    fn file(&self, path: &str) -> Option<Vec<u8>> {
        let name = path.strip_prefix("/log/")?;
        if let Some(bytes) = self.other.get(name) {
            return Some(bytes.clone());
        }
        let bytes = self.log.file(name, self.size)?;
        if name != "checkpoint" {
            return Some(bytes);
        }
        let mut note = SignedNote::parse(&bytes).unwrap();
        self.cosignatures.iter().for_each(|signature| note.add(signature.clone()).unwrap());
        Some(note.to_string().into_bytes())
    }
}

impl World {
    fn new(log: Published, size: u64) -> Self {
        let shown = Shown { log, size, cosignatures: Vec::new(), other: BTreeMap::new() };
        let shown = Arc::new(Mutex::new(shown));
        let served = Arc::clone(&shown);
        let fake = fake::start(Arc::new(move |_, path, _| match served.lock().unwrap().file(path) {
            Some(bytes) => (200, bytes),
            None => (404, Vec::new()),
        }));
        Self { home: tempfile::tempdir().unwrap(), fake, shown }
    }

    fn show(&self, log: Published, size: u64) {
        let mut shown = self.shown.lock().unwrap();
        (shown.log, shown.size, shown.cosignatures) = (log, size, Vec::new());
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    fn run(&self, args: &[&str]) -> Output {
        let vkey = self.shown.lock().unwrap().log.vkey().to_string();
        let whose = ["--vkey", &vkey, "--fingerprint", &self.fake.tls.to_hex()];
        self.plain(&[&["--json", "log"][..], args, &whose].concat())
    }

    fn plain(&self, args: &[&str]) -> Output {
        let args = args.iter().map(|arg| arg.replace('@', &self.fake.url));
        let mut command = Command::new(env!("CARGO_BIN_EXE_custos"));
        command.args(args).env_clear().env("CUSTOS_HOME", self.home.path()).current_dir(self.home.path());
        command.output().unwrap()
    }

    #[track_caller]
    fn ok(&self, args: &[&str]) -> Value {
        let output = self.run(args);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        json(&output)
    }

    /// The finding, and the evidence that was kept.
    #[track_caller]
    fn found(&self, args: &[&str]) -> (String, Vec<PathBuf>) {
        let output = self.run(args);
        assert_eq!(output.status.code(), Some(3), "{output:?}");
        let said = json(&output);
        let evidence = said["evidence"].as_array().unwrap().iter();
        let paths = evidence.map(|path| self.path(path.as_str().unwrap())).collect();
        (said["finding"].as_str().unwrap().to_owned(), paths)
    }
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("no JSON: {output:?}"))
}

fn log(branch: u8, fork: u64) -> Published {
    Published::new(ORIGIN, branch, fork, 1_000)
}

/// Evidence is two checkpoints of one log, and a request that whoever cosigned the first must refuse.
#[track_caller]
fn assert_contradiction(evidence: &[PathBuf], held: &SignedNote, other: &SignedNote) {
    let bytes: Vec<_> = evidence.iter().map(|path| std::fs::read(path).unwrap()).collect();
    assert_eq!(SignedNote::parse(&bytes[0]).unwrap().text(), held.text());
    let request = AddCheckpoint::parse(&bytes[1]).unwrap();
    assert_eq!(request.checkpoint().text(), other.text());
}

#[track_caller]
fn assert_mirrors(folder: &Path, log: &Published, size: u64) {
    for name in Published::names(size) {
        let kept = std::fs::read(folder.join(&name)).unwrap_or_else(|_| panic!("{name} is not there"));
        assert_eq!(Some(kept), log.file(&name, size), "{name}");
    }
}

#[test]
fn a_mirror_has_the_layout_of_the_log_and_fetches_full_tiles_once() {
    let world = World::new(log(0, 0), 300);
    let first = world.ok(&["mirror", "@", "copy"]);
    assert_eq!((&first["size"], &first["new"]), (&300.into(), &300.into()));
    let copy = world.path("copy");
    assert_mirrors(&copy, &log(0, 0), 300);
    assert!(copy.join("tile/entries/001.p/44").exists());
    world.show(log(0, 0), 700);
    assert_eq!(world.ok(&["mirror", "@", "copy"])["new"], 400);
    assert_mirrors(&copy, &log(0, 0), 700);
    assert!(!copy.join("tile/entries/001.p").exists() && !copy.join("tile/0/001.p").exists());
    assert_eq!(world.ok(&["mirror", "@", "copy"])["new"], 0);
    let asked = world.fake.asked.lock().unwrap().clone();
    for name in ["tile/0/000", "tile/0/001", "tile/entries/000", "tile/entries/001"] {
        assert_eq!(asked[&format!("GET /log/{name}")], 1, "{name}");
    }
    // A mirror can be mirrored, and audited, from its folder.
    assert_eq!(world.ok(&["mirror", "copy", "copy2"])["size"], 700);
    assert_mirrors(&world.path("copy2"), &log(0, 0), 700);
    assert_eq!(world.ok(&["audit", "copy2"])["size"], 700);
}

#[test]
fn a_mirror_refuses_a_fork_by_name_and_keeps_both_checkpoints() {
    let world = World::new(log(1, 100), 300);
    world.ok(&["mirror", "@", "copy"]);
    let held = log(1, 100).checkpoint(300);
    for (size, finding) in [(300, "forked"), (700, "forked"), (120, "forked"), (90, "rolled-back")] {
        world.show(log(2, 100), size);
        let (found, evidence) = world.found(&["mirror", "@", "copy"]);
        assert_eq!(found, finding, "{size}");
        assert_contradiction(&evidence, &held, &log(2, 100).checkpoint(size));
        assert_mirrors(&world.path("copy"), &log(1, 100), 300);
    }
    world.show(log(1, 100), 1_000);
    assert_eq!(world.ok(&["mirror", "@", "copy"])["new"], 700, "the true history goes on");
}

#[test]
fn what_does_not_lead_to_the_root_is_refused_and_a_mirror_goes_on_later() {
    let world = World::new(log(0, 0), 1_000);
    for name in ["tile/entries/002", "tile/0/001", "tile/1/000.p/3", "tile/entries/003.p/232"] {
        let mut bytes = log(0, 0).file(name, 1_000).unwrap();
        bytes[40] ^= 1;
        world.shown.lock().unwrap().other = BTreeMap::from([(name.to_owned(), bytes)]);
        let (found, evidence) = world.found(&["mirror", "@", "copy"]);
        assert_eq!((found.as_str(), evidence.len()), ("changed", 0), "{name}");
        assert!(!world.path("copy/checkpoint").exists(), "the checkpoint comes last");
        assert!(!world.path("copy").join(name).exists(), "{name}");
    }
    world.shown.lock().unwrap().other.clear();
    world.ok(&["mirror", "@", "copy"]);
    assert_mirrors(&world.path("copy"), &log(0, 0), 1_000);
    // What was damaged here is not said to be the log's fault.
    std::fs::remove_file(world.path("copy/checkpoint")).unwrap();
    std::fs::write(world.path("copy/tile/entries/001"), b"x").unwrap();
    let output = world.run(&["mirror", "@", "copy"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(String::from_utf8(output.stderr).unwrap().contains("copy/tile/entries/001 is damaged"));
    std::fs::remove_file(world.path("copy/tile/entries/001")).unwrap();
    world.ok(&["mirror", "@", "copy"]);
    assert_mirrors(&world.path("copy"), &log(0, 0), 1_000);
}

#[test]
fn nothing_is_trusted_on_first_use() {
    let world = World::new(log(0, 0), 9);
    let vkey = log(0, 0).vkey().to_string();
    let pin = world.fake.tls.to_hex();
    let other = Digest::of(b"other").to_hex();
    let mirror = ["log", "mirror", "@", "copy"];
    // Without a profile.
    assert_eq!(world.plain(&mirror).status.code(), Some(5));
    assert_eq!(world.plain(&[&mirror[..], &["--vkey", &vkey]].concat()).status.code(), Some(5));
    let pinned = |pin: &str, vkey: &str| {
        world.plain(&[&mirror[..], &["--vkey", vkey, "--fingerprint", pin]].concat()).status.code()
    };
    assert_eq!(pinned(&other, &vkey), Some(3));
    let foreign = VerifierKey::new(
        KeyName::new(ORIGIN).unwrap(),
        SignatureType::Ed25519,
        SigningKey::from_bytes(&[3; 32]).verifying_key(),
    );
    assert_eq!(pinned(&pin, &foreign.unwrap().to_string()), Some(3));
    assert!(!world.path("copy/checkpoint").exists());
    assert_eq!(pinned(&pin, &vkey), Some(0));
}

#[test]
fn an_audit_remembers_asks_for_the_quorum_and_names_the_fork() {
    let world = World::new(log(1, 100), 300);
    let key = SigningKey::from_bytes(&[5; 32]);
    let name = KeyName::new("witness.example/w1").unwrap();
    let witness = VerifierKey::new(name.clone(), SignatureType::Cosignature, key.verifying_key()).unwrap();
    let policy = format!("log {}\nwitness w1 {witness}\nquorum w1\n", log(0, 0).vkey());
    std::fs::write(world.path("policy"), policy).unwrap();
    let pin = world.fake.tls.to_hex();
    let audit = || world.plain(&["--json", "log", "audit", "@", "--policy", "policy", "--fingerprint", &pin]);

    let alone = audit();
    assert_eq!(alone.status.code(), Some(4), "{alone:?}");
    assert_eq!((&json(&alone)["new"], &json(&alone)["quorum_met"]), (&300.into(), &false.into()));
    world.show(log(1, 100), 400);
    let text = log(1, 100).checkpoint(400).text().to_owned();
    let cosignature = NoteSignature::cosignature(name, &key, 1_795_000_000, &text).unwrap();
    world.shown.lock().unwrap().cosignatures = vec![cosignature];
    let cosigned = audit();
    assert_eq!(cosigned.status.code(), Some(0), "{cosigned:?}");
    let said = json(&cosigned);
    assert_eq!(
        (&said["before"], &said["new"], &said["quorum_met"]),
        (&300.into(), &100.into(), &true.into())
    );
    assert_eq!(said["cosignatures"][0]["witness"], "w1");

    let held = log(1, 100).checkpoint(400);
    for (size, finding) in [(400, "forked"), (900, "forked"), (350, "rolled-back")] {
        world.show(log(2, 100), size);
        let (found, evidence) = world.found(&["audit", "@"]);
        assert_eq!(found, finding, "{size}");
        assert_contradiction(&evidence, &held, &log(2, 100).checkpoint(size));
    }
    let nobody = world.run(&["audit", "https://127.0.0.1:9"]);
    assert_eq!(nobody.status.code(), Some(7), "{nobody:?}");
}

#[test]
fn a_proof_holds_without_the_log() {
    let world = World::new(log(0, 0), 1_000);
    let output = world.plain(&[
        "log",
        "prove",
        "517",
        "--from",
        "@",
        "--vkey",
        &log(0, 0).vkey().to_string(),
        "--fingerprint",
        &world.fake.tls.to_hex(),
    ]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let proof = TlogProof::parse(&output.stdout).unwrap();
    let checkpoint = proof.verify(&leaf_hash(&log(0, 0).entry(517)), &log(0, 0).vkey()).unwrap();
    assert_eq!((proof.index(), checkpoint.size()), (517, 1_000));
    let beyond = world.run(&["prove", "1000", "--from", "@"]);
    assert_eq!(beyond.status.code(), Some(1), "{beyond:?}");
    let unknown = world.run(&["prove", &Digest::of(b"no record").to_hex(), "--from", "@"]);
    assert_eq!(unknown.status.code(), Some(5), "{unknown:?}");
}
