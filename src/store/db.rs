//! Two engines behind one set of statements: connections, transactions, and how statements run.

use std::collections::BTreeMap;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, Postgres, SqlSafeStr as _, Sqlite, Transaction,
};

use super::error::{Differs, StoreError};
use super::row::{Row, Value};
use super::sql::{self, Dialect, Sql, SqlIn};

/// Connections that read beside the writer.
const READERS: u32 = 4;
/// Connections to PostgreSQL.
const CONNECTIONS: u32 = 16;
/// Prepared statements kept per connection: multi-row statements come in a few sizes each, and what a batch writes in
/// some combinations of them.
const PREPARED: usize = 192;
/// How long to wait for a lock or a connection before giving up.
const PATIENCE: Duration = Duration::from_secs(30);

/// A database of either kind.
#[derive(Debug, Clone)]
pub enum Db {
    /// One file. One connection writes, others read snapshots beside it.
    Sqlite {
        /// The one that writes.
        writer: SqlitePool,
        /// Those that read.
        readers: SqlitePool,
    },
    /// A server, perhaps shared with other replicas of this service.
    Postgres(PgPool),
}

impl Db {
    /// Connects to `sqlite:<path>` or `postgres://…`. A missing file is made only if `create` says so.
    pub async fn connect(url: &str, create: bool) -> Result<Self, StoreError> {
        if url.starts_with("sqlite:") {
            Self::sqlite(url, create).await
        } else if url.starts_with("postgres:") || url.starts_with("postgresql:") {
            Self::postgres(url).await
        } else {
            Err(StoreError::Address)
        }
    }

    async fn sqlite(url: &str, create: bool) -> Result<Self, StoreError> {
        let options = SqliteConnectOptions::from_str(url)
            .map_err(StoreError::Unreachable)?
            .create_if_missing(false)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(PATIENCE)
            .statement_cache_capacity(PREPARED)
            .disable_statement_logging();
        if create {
            make_private(options.get_filename()).map_err(|error| StoreError::Unreachable(error.into()))?;
        }
        let pool =
            || SqlitePoolOptions::new().acquire_timeout(PATIENCE).max_lifetime(None).idle_timeout(None);
        // The writer comes first: WAL mode stays with the file. Pages that several batches change are written back once.
        let writing = options
            .clone()
            .pragma("cache_size", "-4000")
            .pragma("wal_autocheckpoint", "4000")
            .pragma("secure_delete", "on");
        let writer = pool()
            .max_connections(1)
            // A file does not hang up.
            .test_before_acquire(false)
            // SQLite ends a transaction by itself when the disk is full; the connection does not learn of it.
            .before_acquire(|connection, _| Box::pin(async { Ok(!connection.is_in_transaction()) }))
            .connect_with(writing)
            .await
            .map_err(unreachable)?;
        let readers = options.pragma("query_only", "on");
        let readers = pool().max_connections(READERS).connect_with(readers).await.map_err(unreachable)?;
        Ok(Self::Sqlite { writer, readers })
    }

    async fn postgres(url: &str) -> Result<Self, StoreError> {
        let options = PgConnectOptions::from_str(url)
            .map_err(StoreError::Unreachable)?
            .application_name("custos")
            .options([
                ("synchronous_commit", "on"),
                ("lock_timeout", "30s"),
                // A plan kept from when a table was small reads all of it, for every batch, once it is large.
                ("plan_cache_mode", "force_custom_plan"),
            ])
            .statement_cache_capacity(PREPARED)
            .disable_statement_logging();
        let pool = PgPoolOptions::new().max_connections(CONNECTIONS).acquire_timeout(PATIENCE);
        Ok(Self::Postgres(pool.connect_with(options).await.map_err(unreachable)?))
    }

    /// Brings the schema up to date; refuses one that is newer than this program.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        self.migrate_to(i64::MAX).await
    }

    /// Brings the schema to a version, as an older program would have.
    pub async fn migrate_to(&self, version: i64) -> Result<(), StoreError> {
        let own = migrations(self.texts(), version);
        match self {
            Self::Sqlite { writer, .. } => own.run(writer).await?,
            Self::Postgres(pool) => own.run(pool).await?,
        }
        Ok(())
    }

    /// Whether the schema was made by this program's migrations, each of them and no other; else which one differs, and how.
    pub(super) async fn same_schema(&self) -> Result<(), StoreError> {
        let mut applied = BTreeMap::new();
        for row in self.read().await?.all(sql::APPLIED, Vec::new()).await? {
            applied.insert(row.int(0)?, (row.text(1)?, row.blob(2)?));
        }
        for own in migrations(self.texts(), i64::MAX).iter() {
            let differs = match applied.remove(&own.version) {
                None => Differs::Missing,
                Some((_, checksum)) if checksum != *own.checksum => Differs::Changed,
                Some(_) => continue,
            };
            let (number, name) = (own.version, own.description.to_string());
            return Err(StoreError::OtherSchema { number, name, differs });
        }
        match applied.pop_first() {
            Some((number, (name, _))) => {
                Err(StoreError::OtherSchema { number, name, differs: Differs::Unknown })
            }
            None => Ok(()),
        }
    }

    const fn texts(&self) -> &'static [(i64, &'static str, &'static str)] {
        match self {
            Self::Sqlite { .. } => sql::MIGRATIONS_SQLITE,
            Self::Postgres(_) => sql::MIGRATIONS_POSTGRES,
        }
    }

    /// Frees what deleted rows of these tables held.
    pub(super) async fn free(&self, tables: &[&str]) -> Result<(), StoreError> {
        match self {
            Self::Sqlite { writer, .. } => {
                let text = AssertSqlSafe("PRAGMA wal_checkpoint(TRUNCATE)".to_owned());
                sqlx::query(text).fetch_all(writer).await?;
            }
            Self::Postgres(pool) => {
                for table in tables {
                    sqlx::query(AssertSqlSafe(format!("VACUUM {table}"))).execute(pool).await?;
                }
            }
        }
        Ok(())
    }

    /// The version of the schema; 0 before there is one.
    pub async fn version(&self) -> Result<i64, StoreError> {
        let mut tx = self.read().await?;
        let versioned = match tx {
            Tx::Sqlite(_) => sql::VERSIONED_SQLITE,
            Tx::Postgres(_) => sql::VERSIONED_POSTGRES,
        };
        let number = |row: Option<Row>| row.map_or(Ok(0), |row| row.int(0));
        if number(tx.one(versioned, Vec::new()).await?)? == 0 {
            return Ok(0);
        }
        number(tx.one(sql::VERSION, Vec::new()).await?)
    }

    /// The version of the schema that this program works with.
    pub fn newest() -> i64 {
        sql::MIGRATIONS_SQLITE.iter().map(|migration| migration.0).max().unwrap_or_default()
    }

    /// A transaction that reads one snapshot. Dropping it ends it.
    pub async fn read(&self) -> Result<Tx, StoreError> {
        Ok(match self {
            Self::Sqlite { readers, .. } => Tx::Sqlite(readers.begin_with(sql::BEGIN_READ_SQLITE).await?),
            Self::Postgres(pool) => Tx::Postgres(pool.begin_with(sql::BEGIN_READ_POSTGRES).await?),
        })
    }

    /// A transaction that writes; rolled back unless committed.
    pub async fn write(&self) -> Result<Tx, StoreError> {
        Ok(match self {
            Self::Sqlite { writer, .. } => Tx::Sqlite(writer.begin_with(sql::BEGIN_WRITE_SQLITE).await?),
            Self::Postgres(pool) => Tx::Postgres(pool.begin_with(sql::BEGIN_WRITE_POSTGRES).await?),
        })
    }

    /// Closes all connections, after what they are doing.
    pub async fn close(&self) {
        match self {
            Self::Sqlite { writer, readers } => {
                readers.close().await;
                writer.close().await;
            }
            Self::Postgres(pool) => pool.close().await,
        }
    }
}

/// A transaction on either engine. All reads of the store are its methods, so that what belongs together is read
/// from one snapshot.
#[derive(Debug)]
pub enum Tx {
    /// On a file.
    Sqlite(Transaction<'static, Sqlite>),
    /// On a server.
    Postgres(Transaction<'static, Postgres>),
}

macro_rules! query {
    ($sql:expr, $params:expr) => {{
        let mut query = sqlx::query($sql);
        for value in $params {
            query = match value {
                Value::Text(value) => query.bind(value),
                Value::Int(value) => query.bind(value),
                Value::Bool(value) => query.bind(value),
                Value::Blob(value) => query.bind(value),
            };
        }
        query
    }};
}

impl Tx {
    /// All rows of a statement.
    pub(super) async fn all(&mut self, sql: Sql, params: Vec<Value>) -> Result<Vec<Row>, StoreError> {
        self.fetch(sql.table, sql.text.into_sql_str(), params).await
    }

    /// The only row of a statement, if there is one.
    pub(super) async fn one(&mut self, sql: Sql, params: Vec<Value>) -> Result<Option<Row>, StoreError> {
        Ok(self.all(sql, params).await?.into_iter().next())
    }

    /// Runs a statement; how many rows it changed.
    pub(super) async fn run(&mut self, sql: Sql, params: Vec<Value>) -> Result<u64, StoreError> {
        self.execute(sql.text.into_sql_str(), params).await
    }

    /// All rows for any number of keys, each of `sql.width` values; none asks nothing.
    pub(super) async fn all_in(&mut self, sql: SqlIn, keys: Vec<Value>) -> Result<Vec<Row>, StoreError> {
        let mut rows = Vec::new();
        for chunk in keys.chunks(self.max_keys() * sql.width) {
            let count = (chunk.len() / sql.width).next_power_of_two();
            let last = &chunk[chunk.len() - sql.width..];
            // Padding with the last key keeps the number of different statements small.
            let padding = last.iter().cycle().take(count * sql.width - chunk.len());
            let params = chunk.iter().chain(padding).cloned().collect();
            let text = AssertSqlSafe(sql.text_for(self.dialect(), count)).into_sql_str();
            rows.extend(self.fetch(sql.table, text, params).await?);
        }
        Ok(rows)
    }

    /// Makes it durable. Whoever gets an error here does not know whether it is.
    pub(crate) async fn commit(self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(tx) => tx.commit().await?,
            Self::Postgres(tx) => tx.commit().await?,
        }
        Ok(())
    }

    /// Prepares a statement without running it: what the test of all statements does.
    #[doc(hidden)]
    pub async fn prepare(&mut self, text: String) -> Result<(), StoreError> {
        use sqlx::Executor as _;
        let text = AssertSqlSafe(text).into_sql_str();
        match self {
            Self::Sqlite(tx) => (&mut **tx).prepare(text).await.map(drop)?,
            Self::Postgres(tx) => (&mut **tx).prepare(text).await.map(drop)?,
        }
        Ok(())
    }

    /// All rows of a statement that was put together from the schema.
    pub(super) async fn all_of(&mut self, text: String, params: Vec<Value>) -> Result<Vec<Row>, StoreError> {
        self.fetch("copied", AssertSqlSafe(text).into_sql_str(), params).await
    }

    async fn fetch(
        &mut self,
        table: &'static str,
        text: sqlx::SqlStr,
        params: Vec<Value>,
    ) -> Result<Vec<Row>, StoreError> {
        Ok(match self {
            Self::Sqlite(tx) => {
                let rows = query!(text, params).fetch_all(&mut **tx).await?;
                rows.into_iter().map(|row| Row::sqlite(table, row)).collect()
            }
            Self::Postgres(tx) => {
                let rows = query!(text, params).fetch_all(&mut **tx).await?;
                rows.into_iter().map(|row| Row::postgres(table, row)).collect()
            }
        })
    }

    pub(super) async fn execute(
        &mut self,
        text: sqlx::SqlStr,
        params: Vec<Value>,
    ) -> Result<u64, StoreError> {
        Ok(match self {
            Self::Sqlite(tx) => query!(text, params).execute(&mut **tx).await?.rows_affected(),
            Self::Postgres(tx) => query!(text, params).execute(&mut **tx).await?.rows_affected(),
        })
    }

    pub(super) const fn dialect(&self) -> Dialect {
        match self {
            Self::Sqlite(_) => Dialect::Sqlite,
            Self::Postgres(_) => Dialect::Postgres,
        }
    }

    /// Both engines allow several times as many.
    const fn max_keys(&self) -> usize {
        match self {
            Self::Sqlite(_) => 2_048,
            Self::Postgres(_) => 4_096,
        }
    }
}

/// Makes an empty file, which is an empty database, for its owner alone; SQLite gives its other files the same mode.
fn make_private(path: &Path) -> std::io::Result<()> {
    std::fs::OpenOptions::new().append(true).create(true).mode(0o600).open(path).map(drop)
}

fn migrations(texts: &[(i64, &'static str, &'static str)], newest: i64) -> Migrator {
    let migration = |&(version, name, text): &(i64, &'static str, &'static str)| {
        Migration::new(version, name.into(), MigrationType::Simple, text.into_sql_str(), false)
    };
    let wanted = texts.iter().filter(|(version, ..)| *version <= newest);
    Migrator::with_migrations(wanted.map(migration).collect())
}

fn unreachable(error: sqlx::Error) -> StoreError {
    match StoreError::from(error) {
        StoreError::Database(error) => StoreError::Unreachable(error),
        other => other,
    }
}
