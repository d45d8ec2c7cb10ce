//! A disk without room, and keys that are missing or are others.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use custos::api;
use custos::http::ServeError;
use serde_json::json;

use super::spine::two_custodians;
use super::{log_of, refusals};
use crate::on_both_engines;
use crate::support::app::{TestApp, place, refused_start};
use crate::support::client::item;
use crate::support::world::Engine;

on_both_engines! { without_its_own_keys_a_vault_does_not_start }

/// A file system of a few megabytes, gone with its value.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    /// Mounting takes root; who is not has no small disk, and says so.
    fn mount(megabytes: u32) -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let size = format!("size={megabytes}m");
        let mut mount = Command::new("mount");
        let mounted = mount.args(["-t", "tmpfs", "-o", &size, "none"]).arg(directory.path()).status();
        mounted.is_ok_and(|status| status.success()).then(|| Self(directory))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("--lazy").arg(self.0.path()).status());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_by_name_loses_nothing_and_recovers() {
    let Some(disk) = SmallDisk::mount(24) else {
        assert!(!is_root(), "root can mount a small disk");
        return;
    };
    let config = place(Engine::Sqlite, disk.path()).await;
    let app = TestApp::init(config, tempfile::tempdir().unwrap(), "Unit", "Ada").await;
    let (asha, ben, case) = two_custodians(&app).await;
    let kept = asha.put(&case, "kept", &vec![1; 100_000]).await;

    // Content that does not fit.
    let large = vec![2; 30 << 20];
    let made: api::Created = asha.register(&case, &item("open", "large", None)).await.made();
    asha.upload(&made.id, &large).await.problem("storage-full");
    let small = asha.upload(&made.id, &large[..1_000]).await;
    assert_eq!(small.status, 201, "what did not fit left room behind");

    // No room for a record.
    let filler = disk.path().join("filler");
    fill(&filler);
    let before = log_of(&app).await.len();
    let mut refused = None;
    for _ in 0..200 {
        let answer = asha.register(&case, &item("open", "one more", None)).await;
        if answer.status != 201 {
            refused = Some(answer);
            break;
        }
    }
    refused.expect("the disk fills up").problem("storage-full");
    assert_eq!(asha.item(&kept).await.status, 200, "reading goes on");
    assert!(log_of(&app).await.len() >= before);

    fs::remove_file(&filler).unwrap();
    let after = asha.put(&case, "after", &vec![3; 100_000]).await;
    let access: api::Access = ben.access(&after).await.made();
    assert_eq!(ben.send(ben.reading(&after, &access.access)).await.body, vec![3; 100_000]);
    assert_eq!(asha.export(&case).await.status, 201);
    assert!(refusals(&app).await.is_empty(), "a full disk is nobody's fault");
}

/// Writes until there is no room left.
fn fill(path: &Path) {
    use std::io::Write as _;
    let mut file = fs::File::create(path).unwrap();
    for size in [1 << 20, 4 << 10, 1] {
        while file.write_all(&vec![0; size]).is_ok() {}
    }
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout == b"0\n")
}

#[tokio::test]
async fn only_their_owner_can_read_what_a_vault_keeps() {
    let app = TestApp::new(Engine::Sqlite).await;
    let files = walkdir::WalkDir::new(app.config.data_dir()).into_iter().map(Result::unwrap);
    let (mut database, mut others) = (Vec::new(), Vec::new());
    for entry in files {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with("custos.db") {
            assert!(!open_to_others(entry.path()), "{name}");
            database.push(name);
        } else if open_to_others(entry.path()) && entry.file_type().is_file() {
            // What is being written has a number behind its name.
            others.push(name.split('#').next().unwrap().to_owned());
        }
    }
    database.sort();
    assert_eq!(database, ["custos.db", "custos.db-shm", "custos.db-wal"]);
    others.sort();
    others.dedup();
    assert_eq!(others, ["checkpoint", "server.crt", "tail"], "what everybody is shown anyway");
    let keys = app.config.data_dir().join("keys");
    let folders = [app.config.data_dir(), &keys];
    assert!(!folders.into_iter().any(open_to_others));
}

fn open_to_others(path: &Path) -> bool {
    fs::metadata(path).unwrap().permissions().mode() & 0o077 != 0
}

async fn without_its_own_keys_a_vault_does_not_start(engine: Engine) {
    let mut app = TestApp::new(engine).await;
    let other = TestApp::new(Engine::Sqlite).await;
    app.stop().await;
    let keys = app.config.data_dir().join("keys");
    let saved = app.root().join("saved");
    let theirs = other.config.data_dir().join("keys");

    fs::rename(&keys, &saved).unwrap();
    refused(&app, "key directory").await;
    copy(&theirs, &keys);
    refused(&app, "restore the keyring").await;
    for name in ["kek-1.key", "log.key", "vault.key"] {
        fs::remove_dir_all(&keys).unwrap();
        copy(&saved, &keys);
        fs::remove_file(keys.join(name)).unwrap();
        refused(&app, "restore").await;
        fs::write(keys.join(name), "junk").unwrap();
        fs::set_permissions(keys.join(name), fs::Permissions::from_mode(0o600)).unwrap();
        refused(&app, "restore").await;
        fs::copy(theirs.join(name), keys.join(name)).unwrap();
        refused(&app, "restore").await;
        fs::copy(saved.join(name), keys.join(name)).unwrap();
        fs::set_permissions(keys.join(name), fs::Permissions::from_mode(0o644)).unwrap();
        refused(&app, "chmod 0600").await;
    }
    fs::remove_dir_all(&keys).unwrap();
    copy(&saved, &keys);
    app.start().await;
    let new = json!({ "label": "still here", "days": 1 });
    assert_eq!(app.admin.post("/api/v1/tokens", &new).await.status, 201);
}

/// The service does not start, and says what to do.
async fn refused(app: &TestApp, remedy: &str) {
    let error = refused_start(&app.config).await;
    assert!(matches!(error, ServeError::Setup(_)), "{error:?}");
    assert!(error.remedy().contains(remedy), "{error}: {}", error.remedy());
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    fs::set_permissions(to, fs::Permissions::from_mode(0o700)).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}
