//! Copied under load, wiped, restored: the same vault.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use custody::digest::Digest;
use custos::api;
use custos::clock::{Clock as _, SystemClock};
use custos::config::{Config, Flags};
use custos::keyring::FileProvider;
use custos::ops::backup::{BackupError, Made, Restored, backup, restore};
use custos::store::{BackupRow, Store};
use zeroize::Zeroizing;

use crate::api::spine::two_custodians;
use crate::log_keys::{follow, rotate};
use crate::support::app::{TestApp, named};
use crate::support::bundle::{assert_as_good_as_it_gets, judged};
use crate::support::client::Caller;
use crate::support::postgres;
use crate::support::world::{Engine, noon};

pub(super) const PASSPHRASE: &str = "a passphrase of the backup";

fn passphrase() -> Zeroizing<String> {
    Zeroizing::new(PASSPHRASE.to_owned())
}

/// Rounds of copying under load: more in a test that is to take its time.
fn rounds() -> u64 {
    std::env::var("CUSTOS_TEST_RESTORES").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(3)
}

pub(crate) async fn backed_up(config: &Config, to: &Path, round: u64) -> Made {
    let now = custody::time::Timestamp::from_millis(noon().millis() + i64::try_from(round).unwrap()).unwrap();
    backup(config, &FileProvider, passphrase(), to, now, &mut |_, _, _| {}).await.unwrap()
}

pub(crate) async fn restored(config: &Config, from: &Path) -> Result<Restored, BackupError> {
    restore(config, from, passphrase(), (&std::env::temp_dir(), false), &mut |_, _, _| {}).await
}

/// A place where nothing is.
pub(crate) async fn elsewhere(engine: Engine, root: &Path, name: &str, more: &[(&str, &Path)]) -> Config {
    let flags = Flags {
        listen: Some("127.0.0.1:0".to_owned()),
        data_dir: Some(root.join(name)),
        database_url: match engine {
            Engine::Sqlite => None,
            Engine::Postgres => Some(postgres::fresh_database().await),
        },
        ..Flags::default()
    };
    Config::load(&flags, &named(more)).unwrap()
}

/// A vault with one case, something in it, and a bundle of it.
async fn vault(engine: Engine) -> (TestApp, Caller, String, api::Export, Vec<u8>) {
    let app = TestApp::new(engine).await;
    let (asha, _, case) = two_custodians(&app).await;
    for (name, size) in [("small.txt", 10), ("large.bin", 3_000_000)] {
        asha.put(&case, name, &vec![9; size]).await;
    }
    let export: api::Export = asha.export(&case).await.made();
    let bundle = asha.bundle(&export.id).await.body;
    (app, asha, case, export, bundle)
}

async fn round_trip(from: Engine, to: Engine) {
    let (mut app, asha, case, export, bundle) = vault(from).await;
    // The bundle is from before the log had another key: what is restored signs both.
    app.stop().await;
    rotate(&app);
    app.start().await;
    follow(&app).await;
    let repository = app.root().join("backups");
    for round in 0..rounds() {
        let (stop, asha) = (Arc::new(AtomicBool::new(false)), Arc::new(asha.clone()));
        let writers: Vec<_> = (0..3)
            .map(|writer| {
                let (stop, asha, case) = (Arc::clone(&stop), Arc::clone(&asha), case.clone());
                tokio::spawn(async move {
                    let mut written = 0_u8;
                    while !stop.load(Ordering::Relaxed) || written == 0 {
                        asha.put(&case, "more.bin", &vec![written ^ writer; 40_000]).await;
                        written = written.wrapping_add(1);
                    }
                })
            })
            .collect();
        let made = backed_up(&app.config, &repository, round).await;
        stop.store(true, Ordering::Relaxed);
        for writer in writers {
            writer.await.unwrap();
        }
        assert!(made.damaged.is_empty(), "{:?}", made.damaged);
        // Later backups copy what is new and nothing else.
        assert!(if round == 0 {
            made.copied == made.objects.count
        } else {
            made.copied < made.objects.count
        });

        let place = elsewhere(to, &app.root(), &format!("restored-{round}"), &[]).await;
        let found = restored(&place, &repository).await.unwrap();
        assert!(found.is_whole(), "{found:?}");
        assert_eq!((found.log_size, found.log_root), (made.log_size, made.log_root));
        assert_eq!((found.vault, found.objects), (app.shared.vault, made.objects));
        app.stop().await;
        let original = std::mem::replace(&mut app.config, place);
        // The same certificate, the same tokens, the same bytes.
        app.start().await;
        assert_eq!(asha.bundle(&export.id).await.body, bundle);
        assert_as_good_as_it_gets(&judged(&asha, &bundle).await);
        asha.put(&case, "after.txt", b"work goes on").await;
        app.stop().await;
        fs::remove_dir_all(app.config.data_dir()).unwrap();
        app.config = original;
        app.start().await;
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vault_copied_under_load_is_the_same_after_a_restore() {
    Box::pin(round_trip(Engine::Sqlite, Engine::Sqlite)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vault_moves_from_sqlite_to_postgresql() {
    Box::pin(round_trip(Engine::Sqlite, Engine::Postgres)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vault_moves_from_postgresql_to_sqlite() {
    Box::pin(round_trip(Engine::Postgres, Engine::Sqlite)).await;
}

/// Flips a bit in the middle of a file; doing it twice undoes it.
fn flip(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(path, bytes).unwrap();
}

fn cut(path: &Path) {
    let file = fs::OpenOptions::new().write(true).open(path).unwrap();
    file.set_len(file.metadata().unwrap().len() - 1).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_backup_says_what_is_damaged_and_a_vault_is_never_overwritten() {
    let (app, ..) = vault(Engine::Sqlite).await;
    let repository = app.root().join("backups");
    let made = backed_up(&app.config, &repository, 0).await;
    let place = elsewhere(Engine::Sqlite, &app.root(), "restored", &[]).await;

    for part in ["database", "keyring"] {
        let path = made.folder.join(part);
        flip(&path);
        let error = restored(&place, &made.folder).await.unwrap_err();
        assert_eq!(error.to_string(), format!("the backup's part {part} is damaged: it was changed"));
        flip(&path);
    }
    let error =
        restore(&place, &repository, Zeroizing::new("other".into()), (&app.root(), false), &mut |_, _, _| {})
            .await;
    assert!(matches!(error, Err(BackupError::WrongPassphrase)));
    assert!(matches!(restored(&place, &app.root()).await, Err(BackupError::NoBackup(_))));
    assert!(!place.data_dir().exists());
    assert!(matches!(restored(&app.config, &repository).await, Err(BackupError::NotEmpty(_))));
    let database = Flags {
        data_dir: Some(app.root().join("other")),
        database_url: Some(app.config.database_url().to_owned()),
        ..Flags::default()
    };
    let database = Config::load(&database, &|_| None).unwrap();
    assert!(matches!(restored(&database, &repository).await, Err(BackupError::NotEmpty(_))));

    let objects: Vec<PathBuf> = files(&repository.join("objects"));
    assert_eq!(objects.len(), 2);
    flip(&objects[0]);
    fs::remove_file(&objects[1]).unwrap();
    let found = restored(&place, &repository).await.unwrap();
    assert_eq!((found.is_whole(), found.damaged.rows.len(), found.objects.count), (false, 2, 0));
    for object in &objects {
        let name = object.file_name().unwrap().to_str().unwrap();
        assert!(found.damaged.rows.iter().any(|row| row.row == name), "{:?}", found.damaged);
    }

    // What was destroyed does not come back unasked because the list of it cannot be read.
    fs::write(repository.join("destroyed"), b"no list").unwrap();
    let unasked = elsewhere(Engine::Sqlite, &app.root(), "unasked", &[]).await;
    assert!(matches!(restored(&unasked, &repository).await, Err(BackupError::List)));
    let asked = elsewhere(Engine::Sqlite, &app.root(), "asked", &[]).await;
    let found =
        restore(&asked, &repository, passphrase(), (&std::env::temp_dir(), true), &mut |_, _, _| {}).await;
    assert!(found.unwrap().damaged.rows.iter().any(|row| row.row == "destroyed"));
    let noted = noted(&asked).await;
    assert_eq!(noted[0].folder, made.folder.display().to_string(), "where it came from");

    let other = elsewhere(Engine::Sqlite, &app.root(), "restored-2", &[]).await;
    cut(&made.folder.join("database"));
    let error = restored(&other, &made.folder).await.unwrap_err();
    assert_eq!(error.to_string(), "the backup's part database is damaged: it was cut short");
    fs::remove_file(made.folder.join("keyring")).unwrap();
    cut(&made.folder.join("manifest"));
    assert!(matches!(restored(&other, &made.folder).await, Err(BackupError::Manifest(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_damaged_in_the_vault_is_named_when_it_is_copied() {
    let (app, ..) = vault(Engine::Sqlite).await;
    let objects = app.objects();
    flip(&objects[0]);
    fs::remove_file(&objects[1]).unwrap();
    let made = backed_up(&app.config, &app.root().join("backups"), 0).await;
    assert_eq!((made.damaged.rows.len(), made.copied), (2, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_reveals_nothing_without_its_passphrase() {
    let (app, ..) = vault(Engine::Sqlite).await;
    let made = backed_up(&app.config, &app.root().join("backups"), 0).await;
    let secrets = files(&app.config.data_dir().join("keys"));
    assert_eq!(secrets.len(), 3);
    let person = app.admin.id.as_bytes();
    for path in files(&made.folder) {
        let bytes = fs::read(&path).unwrap();
        assert!(!contains(&bytes, person), "{}", path.display());
        for secret in &secrets {
            let text = fs::read_to_string(secret).unwrap();
            let key = text.lines().find_map(|line| line.strip_prefix("key: ")).unwrap();
            assert!(!contains(&bytes, key.as_bytes()), "{}", path.display());
        }
    }
    assert_ne!(made.vault, Digest::ZERO);
}

/// The backups that a vault knows of.
async fn noted(config: &Config) -> Vec<BackupRow> {
    let store = Store::open(config.database_url()).await.unwrap();
    let noted = store.read().await.unwrap().backups().await.unwrap();
    store.close().await;
    noted
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_is_too_old_goes_and_never_by_a_wrong_clock() {
    const DAY_MS: i64 = 24 * 60 * 60 * 1_000;
    let (app, ..) = vault(Engine::Sqlite).await;
    let repository = app.root().join("backups");
    let flags = Flags {
        data_dir: Some(app.config.data_dir().to_owned()),
        database_url: Some(app.config.database_url().to_owned()),
        ..Flags::default()
    };
    let config =
        Config::load(&flags, &|name| (name == "CUSTOS_BACKUP_DAYS").then(|| "1".to_owned())).unwrap();
    let start = SystemClock::new().now();
    let on = async |days: i64| {
        let now = start.saturating_add_millis(days * DAY_MS);
        backup(&config, &FileProvider, passphrase(), &repository, now, &mut |_, _, _| {}).await.unwrap()
    };
    let first = on(0).await.folder;
    let away = app.root().join("another-disk");
    fs::rename(&first, &away).unwrap();
    on(1).await;
    assert!(on(4).await.removed.is_empty(), "the newest two stay");
    assert!(noted(&config).await.iter().all(|backup| backup.removed.is_none()), "none was removed");
    fs::rename(&away, &first).unwrap();
    assert!(on(100).await.removed.is_empty(), "it is rather the clock");
    let removed = on(5).await.removed;
    assert!(removed.contains(&first) && !first.exists(), "{removed:?}");
    let gone = noted(&config).await.into_iter().filter(|backup| backup.removed.is_some());
    let gone: Vec<_> = gone.map(|backup| PathBuf::from(backup.folder)).collect();
    assert_eq!(gone.len(), removed.len());

    // What is damaged now may be whole in an earlier one.
    flip(&app.objects()[0]);
    fs::remove_dir_all(repository.join("objects")).unwrap();
    assert!(on(20).await.removed.is_empty());
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = walkdir::WalkDir::new(folder).sort_by_file_name().into_iter().map(Result::unwrap);
    entries.filter(|entry| entry.file_type().is_file()).map(walkdir::DirEntry::into_path).collect()
}
