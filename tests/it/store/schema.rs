//! The schema and its statements.

use custos::store::{Store, StoreError, texts};

use crate::support::world::{Engine, Ground};

crate::on_both_engines! {
    every_statement_prepares
    opening_again_changes_nothing
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
