//! The schema and its statements.

use custos::store::{Differs, Store, StoreError, texts};

use crate::support::raw::change;
use crate::support::world::{Engine, Ground};

crate::on_both_engines! {
    every_statement_prepares
    opening_again_changes_nothing
    a_schema_that_other_migrations_made_is_refused_by_name
}

async fn every_statement_prepares(engine: Engine) {
    let ground = Ground::new(engine).await;
    let statements = texts(engine == Engine::Postgres);
    assert!(statements.len() > 60);
    for (name, text) in statements {
        // A savepoint belongs to one transaction; each statement gets its own.
        let mut tx = ground.store.read().await.unwrap();
        let prepared = tx.prepare(text.clone()).await;
        assert!(prepared.is_ok(), "{name}: {prepared:?}\n{text}");
    }
}

async fn opening_again_changes_nothing(engine: Engine) {
    let ground = Ground::new(engine).await;
    let again = Store::open(&ground.url).await.unwrap();
    assert!(again.read().await.unwrap().log_head().await.unwrap().is_none());
}

async fn a_schema_that_other_migrations_made_is_refused_by_name(engine: Engine) {
    let ground = Ground::new(engine).await;
    let attach = async || match Store::attach(&ground.url).await {
        Ok(store) => {
            store.close().await;
            None
        }
        Err(StoreError::OtherSchema { number, name, differs }) => Some((number, name, differs)),
        Err(other) => panic!("{other}"),
    };
    assert_eq!(attach().await, None);
    let life = |differs| Some((12, "life".to_owned(), differs));
    // As programs of two branches leave it, and as somebody who edits what was published.
    let renamed = "UPDATE _sqlx_migrations SET version = 15 WHERE version = 12";
    change(&ground.url, renamed, 1).await;
    assert_eq!(attach().await, life(Differs::Missing));
    change(&ground.url, "UPDATE _sqlx_migrations SET version = 12 WHERE version = 15", 1).await;
    let altered = "UPDATE _sqlx_migrations SET checksum = (SELECT other.checksum FROM _sqlx_migrations other WHERE \
                   other.version = 13) WHERE version = 12";
    let more = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) SELECT 15, 'more', \
                success, checksum, execution_time FROM _sqlx_migrations WHERE version = 12";
    change(&ground.url, more, 1).await;
    assert_eq!(attach().await, Some((15, "more".to_owned(), Differs::Unknown)));
    change(&ground.url, "DELETE FROM _sqlx_migrations WHERE version = 15", 1).await;
    assert_eq!(attach().await, None);
    change(&ground.url, altered, 1).await;
    assert_eq!(attach().await, life(Differs::Changed));
    let refused = Store::attach(&ground.url).await.unwrap_err().to_string();
    assert_eq!(
        refused,
        "migration 12 (life) of the database was another one than this program's: use the program that the database was made with"
    );
}

#[tokio::test]
async fn a_missing_file_is_made_only_when_asked() {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}/vault.db", directory.path().display());
    assert!(matches!(Store::open(&url).await, Err(StoreError::Unreachable(_))));
    Store::create(&url).await.unwrap();
    Store::open(&url).await.unwrap();
}

#[tokio::test]
async fn other_addresses_are_refused() {
    assert!(matches!(Store::open("mysql://localhost/custos").await, Err(StoreError::Address)));
}
