//! A database that was set back beside what was published from it.

use std::path::Path;

use custos::api;
use custos::app::setup::{self, InitOptions, SetupError};
use custos::config::{Config, Flags};
use custos::http::ServeError;
use custos::publish::StartError;

use crate::support::app::{TestApp, named, place, refused_start};
use crate::support::postgres::copy_of;
use crate::support::world::Engine;

crate::on_both_engines! {
    a_database_older_than_what_was_published_is_not_served
    a_database_with_another_history_is_not_served
    a_vault_that_is_only_opened_publishes_nothing
}

/// The same vault on a copy of its database as it is now. Nobody may be connected.
pub(super) async fn copied(engine: Engine, app: &TestApp, to: &Path, more: &[(&str, &Path)]) -> Config {
    let database_url = match engine {
        Engine::Postgres => copy_of(app.config.database_url()).await,
        Engine::Sqlite => {
            std::fs::create_dir(to).unwrap();
            for entry in std::fs::read_dir(app.config.data_dir()).unwrap().map(Result::unwrap) {
                if entry.file_name().to_string_lossy().starts_with("custos.db") {
                    std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
                }
            }
            format!("sqlite://{}", to.join("custos.db").display())
        }
    };
    let flags = Flags {
        listen: Some("127.0.0.1:0".to_owned()),
        data_dir: Some(app.config.data_dir().to_owned()),
        database_url: Some(database_url),
        blobs_url: Some(app.config.blobs_url().to_owned()),
        ..Flags::default()
    };
    Config::load(&flags, &named(more)).unwrap()
}

async fn a_database_older_than_what_was_published_is_not_served(engine: Engine) {
    let mut app = TestApp::new(engine).await;
    app.stop().await;
    let directory = tempfile::tempdir().unwrap();
    let old = copied(engine, &app, &directory.path().join("old"), &[]).await;
    app.start().await;
    let before: api::Created = app.admin.new_org("Second Unit").await.made();
    app.stop().await;

    let refused = refused_start(&old).await;
    let ServeError::Setup(SetupError::Published(StartError::RolledBack { published, database })) = refused
    else {
        panic!("{refused:?}")
    };
    assert!(published > database);
    assert!(refused.remedy().contains("newer copy"), "{}", refused.remedy());
    app.start().await;
    let orgs = app.admin.orgs().await.ok::<api::Orgs>().orgs;
    assert!(orgs.iter().any(|org| org.id == before.id), "the newer one is served");
}

async fn a_database_with_another_history_is_not_served(engine: Engine) {
    let mut app = TestApp::new(engine).await;
    app.stop().await;
    let directory = tempfile::tempdir().unwrap();
    let old = copied(engine, &app, &directory.path().join("old"), &[]).await;
    app.start().await;
    app.admin.new_org("One history").await.made::<api::Created>();
    app.stop().await;

    // Whoever sets the database back hides what was published, goes on, and puts it there again.
    let log = Path::new(app.config.blobs_url().strip_prefix("file://").unwrap()).join("log");
    let hidden = directory.path().join("hidden");
    std::fs::rename(&log, &hidden).unwrap();
    let newer = std::mem::replace(&mut app.config, old);
    app.start().await;
    app.admin.new_org("Another").await.made::<api::Created>();
    app.admin.new_org("And one more").await.made::<api::Created>();
    app.stop().await;
    std::fs::remove_dir_all(&log).unwrap();
    std::fs::rename(&hidden, &log).unwrap();
    let refused = refused_start(&app.config).await;
    assert!(
        matches!(refused, ServeError::Setup(SetupError::Published(StartError::Forked { .. }))),
        "{refused:?}"
    );
    app.config = newer;
    app.start().await;
}

async fn a_vault_that_is_only_opened_publishes_nothing(engine: Engine) {
    let directory = tempfile::tempdir().unwrap();
    let config = place(engine, directory.path()).await;
    let options = || InitOptions {
        org_name: "Unit".into(),
        admin_name: "Ada".into(),
        passphrase: None,
        samples_only: true,
    };
    setup::init(&config, options()).await.unwrap();
    let app = setup::open(&config, None).await.unwrap();
    assert_eq!(app.checkpoint().unwrap_err().code(), "not-published");
    app.close().await;
    let log = Path::new(config.blobs_url().strip_prefix("file://").unwrap()).join("log");
    assert!(!log.exists());

    // An object store in which another vault has published is no place for a new one.
    let other = tempfile::tempdir().unwrap();
    let second = place(engine, other.path()).await;
    let blobs = Path::new(second.blobs_url().strip_prefix("file://").unwrap());
    for left in ["log/checkpoint", "log/witnessed", "log/tail", "log/tile/entries/000", "log/tile/1/000"] {
        let left = blobs.join(left);
        std::fs::create_dir_all(left.parent().unwrap()).unwrap();
        std::fs::write(left, "anything").unwrap();
        assert!(matches!(
            setup::init(&second, options()).await,
            Err(SetupError::Published(StartError::OtherLog))
        ));
        assert!(!second.data_dir().join("keys").exists(), "nothing was made");
        std::fs::remove_dir_all(blobs.join("log")).unwrap();
    }
    setup::init(&second, options()).await.unwrap();
}
