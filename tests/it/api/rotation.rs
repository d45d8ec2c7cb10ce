//! Rotations of the key encryption key: whatever breaks off, nothing is lost, and nothing comes in by an older version.

use std::path::Path;
use std::process::{Command, Stdio};

use custos::api;
use custos::app::{rotate_kek, setup};
use custos::store::{Change, Store, SubjectKey};

use super::alter;
use super::destruction::{MARKER, name, wrapped_of};
use super::spine::two_custodians;
use super::stays::audited;
use crate::support::app::TestApp;
use crate::support::client::{Caller, item};
use crate::support::world::Engine;

crate::on_both_engines! {
    a_rotation_that_broke_off_is_gone_on_with
    a_rotation_that_is_killed_loses_nothing
    nothing_is_wrapped_by_a_version_that_is_not_the_present_one
}

async fn a_rotation_that_broke_off_is_gone_on_with(engine: Engine) {
    let mut app = TestApp::new(engine).await;
    let (asha, _, case) = two_custodians(&app).await;
    let exhibit = asha.put(&case, "a.txt", MARKER).await;
    let keys = app.config.data_dir().join("keys");
    app.stop().await;
    // A key file that no record names, as a crash leaves it, is taken; a copy of the destroyed one is destroyed again.
    let copy = std::fs::read(keys.join("kek-1.key")).unwrap();
    let first = rotate_kek(&app.config, None).await.unwrap();
    assert_eq!((first.kek, first.destroyed.as_slice()), (2, &[1][..]));
    restore_file(&keys.join("kek-1.key"), &copy);
    app.start().await;
    app.stop().await;
    assert!(!keys.join("kek-1.key").exists(), "what is destroyed does not come back with a copy of the keys");
    // What the table says and no record does destroys nothing, the key in use least of all.
    for (set, back) in [("destroyed = 0", "destroyed = NULL"), ("destroyed = 999999", "destroyed = NULL")] {
        alter(&app, &format!("UPDATE keks SET {set} WHERE version = 2")).await;
        assert!(setup::open(&app.config, None).await.is_err(), "{set}");
        assert!(keys.join("kek-2.key").exists(), "{set}");
        alter(&app, &format!("UPDATE keks SET {back} WHERE version = 2")).await;
    }
    let second = rotate_kek(&app.config, None).await.unwrap();
    assert_eq!((second.kek, second.new, second.destroyed.as_slice()), (3, true, &[2][..]));
    app.start().await;
    let access: api::Access = asha.access(&exhibit).await.made();
    assert_eq!(asha.send(asha.reading(&exhibit, &access.access)).await.body, MARKER);
    let (_, kek, _) = wrapped_of(&app.config, &exhibit).await;
    assert_eq!(kek, 3);
    audited(&app).await;

    // Without the present key the vault does not start, and makes no other.
    app.stop().await;
    let present = std::fs::read(keys.join("kek-3.key")).unwrap();
    std::fs::remove_file(keys.join("kek-3.key")).unwrap();
    assert!(setup::open(&app.config, None).await.is_err());
    restore_file(&keys.join("kek-3.key"), &present);
    app.start().await;
    assert_eq!(asha.access(&exhibit).await.status, 201);
}

/// Where a rotation stands, as others see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reached {
    KeyFile,
    Record,
    Rewrapped,
    Destroyed,
}

impl Reached {
    /// Whether it is there; whatever is looked at while it changes is not.
    async fn is_so(self, store: &Store, keys: &Path, kek: u32) -> bool {
        if self == Self::KeyFile {
            return keys.join(format!("kek-{kek}.key")).exists();
        }
        let Ok(mut tx) = store.read().await else { return false };
        match self {
            Self::Rewrapped => tx.objects_before_kek(kek, 1).await.is_ok_and(|rows| rows.is_empty()),
            _ => tx.vault().await.ok().flatten().is_some_and(|vault| match self {
                Self::Destroyed => vault.keks_destroyed_to(Some(kek - 1)),
                _ => vault.kek() == kek,
            }),
        }
    }
}

/// Killed wherever it stands, it is gone on with; in between, the vault serves what it has and takes more.
async fn a_rotation_that_is_killed_loses_nothing(engine: Engine) {
    let mut app = TestApp::new(engine).await;
    let (asha, _, case) = two_custodians(&app).await;
    let mut exhibits = Vec::new();
    for number in 0..4 {
        exhibits.push(asha.put(&case, "a.txt", format!("exhibit {number}").as_bytes()).await);
    }
    app.stop().await;
    let keys = app.config.data_dir().join("keys");
    let steps = [Reached::KeyFile, Reached::Record, Reached::Rewrapped, Reached::Destroyed];
    for step in steps.into_iter().cycle().take(2 * steps.len()) {
        let store = Store::open(app.config.database_url()).await.unwrap();
        let next = store.read().await.unwrap().vault().await.unwrap().unwrap().kek() + 1;
        let mut rotation = Command::new(env!("CARGO_BIN_EXE_custos"))
            .args(["--json", "key", "rotate-kek", "--listen", "127.0.0.1:0"])
            .env("CUSTOS_DATA_DIR", app.config.data_dir())
            .env("CUSTOS_DATABASE_URL", app.config.database_url())
            .env("CUSTOS_BLOBS_URL", app.config.blobs_url())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        while !step.is_so(&store, &keys, next).await && rotation.try_wait().unwrap().is_none() {}
        drop(rotation.kill());
        rotation.wait().unwrap();
        store.close().await;

        app.start().await;
        exhibits.push(asha.put(&case, "b.txt", format!("exhibit {}", exhibits.len()).as_bytes()).await);
        reads_all(&asha, &exhibits).await;
        app.stop().await;
        let rotated = rotate_kek(&app.config, None).await.unwrap();
        assert!(rotated.kek >= next, "{step:?}: {rotated:?}");
        let files = std::fs::read_dir(&keys).unwrap().map(|entry| name(&entry.unwrap().path()));
        let left: Vec<_> = files.filter(|file| file.starts_with("kek-")).collect();
        assert_eq!(left, [format!("kek-{}.key", rotated.kek)], "{step:?}");
        for exhibit in &exhibits {
            assert_eq!(wrapped_of(&app.config, exhibit).await.1, rotated.kek, "{step:?}");
        }
    }
    app.start().await;
    reads_all(&asha, &exhibits).await;
    audited(&app).await;
}

async fn reads_all(who: &Caller, exhibits: &[String]) {
    for (number, exhibit) in exhibits.iter().enumerate() {
        let access: api::Access = who.access(exhibit).await.made();
        let content = who.send(who.reading(exhibit, &access.access)).await.body;
        assert_eq!(content, format!("exhibit {number}").as_bytes());
    }
}

/// A process that was left running brings in no key that the next step of a rotation would lose.
async fn nothing_is_wrapped_by_a_version_that_is_not_the_present_one(engine: Engine) {
    let mut app = TestApp::new(engine).await;
    let (asha, _, case) = two_custodians(&app).await;
    let exhibit = asha.put(&case, "a.txt", MARKER).await;
    // The vault has another version now; the service does not know.
    rotate_kek(&app.config, None).await.unwrap();
    let late: api::Created = asha.register(&case, &item("open", "late.txt", Some(b"late"))).await.made();
    asha.upload(&late.id, b"late").await.problem("kek-replaced");
    let store = Store::open(app.config.database_url()).await.unwrap();
    let key = |kek| SubjectKey { scope: format!("test:{kek}"), wrapped: vec![1], kek };
    assert!(!store.add_subject_key(&key(1)).await.unwrap());
    assert!(store.read().await.unwrap().subject_keys(&["test:1".to_owned()]).await.unwrap().is_empty());
    // What a version wraps keeps it from being destroyed, whoever forgot to look.
    assert!(store.add_subject_key(&key(2)).await.unwrap());
    assert!(!store.apply(&[Change::KekUnused { kek: 2 }]).await.unwrap());
    assert!(store.apply(&[Change::KekUnused { kek: 1 }]).await.unwrap());
    store.close().await;
    alter(&app, "DELETE FROM subject_keys WHERE scope = 'test:2'").await;
    app.restart().await;
    assert_eq!(asha.access(&exhibit).await.status, 201);
    asha.put(&case, "b.txt", b"now").await;
}

fn restore_file(path: &Path, bytes: &[u8]) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::write(path, bytes).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}
