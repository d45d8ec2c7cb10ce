//! The commands of `docs/OPERATIONS.md`, as they are typed.

use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::{Command, Output};

use custos::config::{Config, Flags};
use custos::ops::backup::{before_version, restore_rows};
use custos::ops::replay::replay;
use custos::store::Store;

use crate::support::app::place;
use crate::support::raw::change;
use crate::support::world::{Engine, World, noon};

crate::on_both_engines! {
    an_older_schema_is_copied_before_it_changes
}

fn custos(home: &Path, line: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_custos"));
    command.args(line.split(' ')).env_clear().env("CUSTOS_HOME", home).current_dir(home).output().unwrap()
}

fn said(output: &Output) -> serde_json::Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("no JSON: {output:?}"))
}

fn secret(path: &Path, text: &str) {
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(0o600).open(path).unwrap();
    std::io::Write::write_all(&mut file, text.as_bytes()).unwrap();
}

#[test]
fn backup_replay_and_restore_as_the_page_for_operators_has_them() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    secret(&home.join("pass"), "a passphrase\n");
    let init = custos(home, "--json init --org Unit --admin Ada --samples-only --data-dir vault");
    let fingerprint = said(&init)["fingerprint"].as_str().unwrap().to_owned();

    let replayed = custos(home, "doctor --replay --data-dir vault");
    assert_eq!(replayed.status.code(), Some(0), "{replayed:?}");
    assert!(String::from_utf8_lossy(&replayed.stdout).contains("no difference"), "{replayed:?}");

    let backup = "--json backup --to backups --backup-passphrase-file pass --data-dir vault";
    let made = custos(home, backup);
    assert_eq!(
        (made.status.code(), said(&made)["vault"].as_str()),
        (Some(0), Some(&*fingerprint)),
        "{made:?}"
    );

    let restore = "restore --from backups --backup-passphrase-file pass";
    let over = custos(home, &format!("{restore} --data-dir vault"));
    assert_eq!(over.status.code(), Some(1), "{over:?}");
    assert!(String::from_utf8_lossy(&over.stderr).contains("is not empty"), "{over:?}");
    let restored = custos(home, &format!("--json {restore} --data-dir again --fingerprint {fingerprint}"));
    assert_eq!(restored.status.code(), Some(0), "{restored:?}");
    assert_eq!(said(&restored)["replay"]["differences"]["rows"], serde_json::json!([]));
    let doctor = custos(home, "--json doctor --data-dir again");
    assert_eq!(doctor.status.code(), Some(0), "{doctor:?}");

    let other = "0".repeat(64);
    let stranger = custos(home, &format!("{restore} --data-dir third --fingerprint {other}"));
    assert_eq!(stranger.status.code(), Some(3), "{stranger:?}");
    std::fs::remove_dir_all(home.join("backups/objects")).ok();
    let nowhere = custos(home, "restore --from pass --backup-passphrase-file pass --data-dir fourth");
    assert_eq!(nowhere.status.code(), Some(1), "{nowhere:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_difference_is_exit_1_with_table_and_row() {
    let world = World::new(Engine::Sqlite).await;
    let ben = world.ben.id;
    change(&world.ground.url, &format!("UPDATE persons SET roles = '' WHERE id = '{ben}'"), 1).await;
    let line =
        format!("--json doctor --replay --database-url {}", world.ground.url.replace("sqlite:", "sqlite://"));
    let home = tempfile::tempdir().unwrap();
    let output = custos(home.path(), &line);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let row = &said(&output)["differences"]["rows"][0];
    assert_eq!((row["table"].as_str(), row["row"].as_str()), (Some("persons"), Some(&*ben.to_string())));
}

async fn an_older_schema_is_copied_before_it_changes(engine: Engine) {
    let world = World::new(engine).await;
    let home = tempfile::tempdir().unwrap();
    let flags = Flags {
        data_dir: Some(home.path().join("data")),
        database_url: Some(world.ground.url.replace("sqlite:", "sqlite://")),
        ..Flags::default()
    };
    let config = Config::load(&flags, &|_| None).unwrap();
    let newest = Store::newest_version();
    assert_eq!(before_version(&config, newest, noon()).await.unwrap(), None);
    let copy = before_version(&config, newest + 1, noon()).await.unwrap().unwrap();
    assert!(copy.starts_with(home.path().join("data/backups")));

    // Back into either engine, as it was.
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let root = tempfile::tempdir().unwrap();
        let place = place(engine, root.path()).await;
        std::fs::create_dir(place.data_dir()).unwrap();
        let version = restore_rows(place.database_url(), &copy, &mut |_, _, _| {}).await.unwrap();
        assert_eq!(version, newest);
        let store = Store::attach(place.database_url()).await.unwrap();
        let report = replay(&store, root.path(), &mut |_, _, _| {}).await.unwrap();
        assert!(report.replayed && report.differences.is_empty(), "{report:?}");
        assert_eq!(report.records, world.size().await);
        assert!(restore_rows(place.database_url(), &copy, &mut |_, _, _| {}).await.is_err());
    }
}
