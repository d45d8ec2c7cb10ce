//! Other people's programs read the log: Go's checksum database and openssl.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use custody::checkpoint::Checkpoint;
use custody::digest::Digest;
use custody::note::{NoteSignature, SignedNote, VerifierKey};
use custody::tile::TilePath;
use custos::api;
use custos::store::Store;

use super::{Office, patient};
use crate::log_keys::{follow, rotate};
use crate::support::app::TestApp;
use crate::support::witness::{Witness, policy};
use crate::support::world::Engine;

crate::on_both_engines! {
    go_reads_the_log_as_we_do
    go_reads_on_after_the_logs_key_was_replaced
}

/// Lays a log out for Go: as `old` was under its key, and as it is now under its own.
async fn lay_out(path: &Path, store: &Store, old: (&SignedNote, &VerifierKey), log: &VerifierKey) -> u64 {
    let new = store.read().await.unwrap().log_head().await.unwrap().unwrap();
    let old_size = Checkpoint::open(old.0, old.1).unwrap().size();
    let mut tx = store.read().await.unwrap();
    write(path, "vkey", format!("{log}\n").as_bytes());
    write(path, "old.vkey", format!("{}\n", old.1).as_bytes());
    write(path, "old", old.0.to_string().as_bytes());
    write(path, "checkpoint", new.checkpoint.to_string().as_bytes());
    write(path, "entries", &tx.entries(0..new.size()).await.unwrap().concat());
    for index in [0, old_size, new.size() / 2, new.size() - 1] {
        let proof = tx.inclusion_proof(index, new.size()).await.unwrap();
        write(path, &format!("inclusion.{index}"), lines(&proof).as_bytes());
    }
    let proof = tx.consistency_proof(old_size, new.size()).await.unwrap();
    write(path, "consistency", lines(&proof).as_bytes());
    for tile in TilePath::changed(0, new.size()) {
        // Go lists partial tiles of every width, as a log that grew one by one has had them.
        let narrowest = if tile.is_full() { tile.width() } else { 1 };
        for width in narrowest..=tile.width() {
            let tile = TilePath::new(tile.kind(), tile.index(), width).unwrap();
            write(path, &tile.to_string(), &tx.tile(tile).await.unwrap().unwrap());
        }
    }
    new.size()
}

fn write(folder: &Path, name: &str, bytes: &[u8]) {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
}

/// What it reads is right, and it would have noticed if any of these were not.
#[track_caller]
fn assert_go_reads(path: &Path, noticed: &[&str]) {
    let said = go(path);
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    for name in noticed {
        let sound = std::fs::read(path.join(name)).unwrap();
        let mut damaged = sound.clone();
        // The first byte of an entry or hash, some letter of a text.
        damaged[0] ^= 1;
        write(path, name, &damaged);
        assert!(!go(path).status.success(), "{name}");
        write(path, name, &sound);
    }
    assert!(go(path).status.success());
}

async fn go_reads_the_log_as_we_do(engine: Engine) {
    let office = Office::new(engine).await;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let store = &office.world.ground.store;
    let old = store.read().await.unwrap().log_head().await.unwrap().unwrap().checkpoint;
    // Beyond two tiles, and not at the end of one.
    office.grow(530).await;
    let size = lay_out(path, store, (&old, &office.world.log), &office.world.log).await;
    let last = format!("inclusion.{}", size - 1);
    let noticed =
        ["vkey", "old", "checkpoint", "entries", &last, "consistency", "tile/0/001", "tile/1/000.p/2"];
    assert_go_reads(path, &noticed);
}

async fn go_reads_on_after_the_logs_key_was_replaced(engine: Engine) {
    let mut app = TestApp::new(engine).await;
    app.stop().await;
    let store = Store::attach(app.config.database_url()).await.unwrap();
    let old = store.read().await.unwrap().log_head().await.unwrap().unwrap().checkpoint;
    let (first, (second, _)) = (app.shared.log.clone(), rotate(&app));
    app.start().await;
    follow(&app).await;
    for name in ["One", "Two", "Three"] {
        app.admin.check(&app.admin.new_org(name).await.made::<api::Created>().receipts);
    }
    app.stop().await;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let size = lay_out(path, &store, (&old, &first), &second).await;
    store.close().await;
    let last = format!("inclusion.{}", size - 1);
    assert_go_reads(path, &["vkey", "old.vkey", "old", "checkpoint", &last, "consistency"]);
    // Each key signs what was its own.
    for (name, key) in [("vkey", &first), ("old.vkey", &second)] {
        let right = std::fs::read(path.join(name)).unwrap();
        write(path, name, format!("{key}\n").as_bytes());
        assert!(!go(path).status.success(), "{name}");
        write(path, name, &right);
    }
}

fn lines(hashes: &[Digest]) -> String {
    hashes.iter().map(|hash| STANDARD.encode(hash.as_bytes()) + "\n").collect()
}

/// Runs the oracle, built once a run.
fn go(folder: &Path) -> Output {
    static ORACLE: OnceLock<PathBuf> = OnceLock::new();
    Command::new(ORACLE.get_or_init(build)).arg(folder).output().unwrap()
}

fn build() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let tools = root.join("target/test-tools");
    let program = tools.join("oracle");
    let built = Command::new("go")
        .args(["build", "-o"])
        .args([&program, Path::new("./tests/go/oracle")])
        .current_dir(root)
        // Debian's library, and nothing from the network.
        .envs([("GO111MODULE", "off"), ("GOPATH", "/usr/share/gocode"), ("GOFLAGS", "")])
        .env("GOCACHE", tools.join("go-cache"))
        .output()
        .expect(
            "these tests need Go: tests/setup.sh installs it (Debian: golang-go golang-golang-x-mod-dev)",
        );
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    program
}

#[tokio::test]
async fn openssl_verifies_the_signatures_of_log_and_witness() {
    let office = Office::new(Engine::Sqlite).await;
    let witness = Witness::new(41).await;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("witnesses");
    std::fs::write(&file, policy(1, &[&witness], None)).unwrap();
    let mut running = office.publish(Some(patient(&file, None))).await;
    running.published(&office, office.world.size().await, true).await;
    let note = running.status.borrow().published.clone().unwrap().note;
    let [log, cosignature] = note.signatures() else { panic!("{note}") };

    assert!(openssl(directory.path(), &office.world.log, note.text().as_bytes(), log.signature()));
    let (message, signature) = cosigned(&note, cosignature);
    assert!(openssl(directory.path(), &witness.key(), &message, signature));
    assert!(!openssl(directory.path(), &witness.key(), note.text().as_bytes(), signature));
}

/// C2SP tlog-cosignature: eight bytes of time, then the signature over the time and the text.
fn cosigned<'s>(note: &SignedNote, cosignature: &'s NoteSignature) -> (Vec<u8>, &'s [u8]) {
    let (time, signature) = cosignature.signature().split_first_chunk().unwrap();
    let message = format!("cosignature/v1\ntime {}\n{}", u64::from_be_bytes(*time), note.text());
    (message.into_bytes(), signature)
}

fn openssl(folder: &Path, key: &VerifierKey, message: &[u8], signature: &[u8]) -> bool {
    // SubjectPublicKeyInfo of Ed25519 (RFC 8410).
    let mut der = hex::decode("302a300506032b6570032100").unwrap();
    der.extend_from_slice(key.public_key().as_bytes());
    for (name, bytes) in [("key", &der[..]), ("message", message), ("signature", signature)] {
        std::fs::write(folder.join(name), bytes).unwrap();
    }
    let mut verify = Command::new("openssl");
    verify.args(["pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", "key", "-rawin"]);
    verify.args(["-in", "message", "-sigfile", "signature"]);
    verify.current_dir(folder).output().unwrap().status.success()
}
