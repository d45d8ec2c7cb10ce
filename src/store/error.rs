//! What can go wrong with the database, sorted by what to do about it.

/// Why the store gave no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Neither `sqlite:<path>` nor `postgres://…`.
    #[error("a database address starts with sqlite: or postgres:")]
    Address,
    /// The database cannot be reached, or the connection broke.
    #[error("the database cannot be reached")]
    Unreachable(#[source] sqlx::Error),
    /// The schema could not be brought up to date, or is newer than this program.
    #[error("the database schema cannot be brought up to date")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// The schema is of another version than this program's, and was to be left as it is.
    #[error(
        "the database has schema {found}, this program works with {needed}: start the service to bring it up to date"
    )]
    OlderSchema {
        /// The version found; 0 where there is none.
        found: i64,
        /// The version needed.
        needed: i64,
    },
    /// The schema is of this program's version, and not made by its migrations.
    #[error("migration {number} ({name}) of the database {differs}")]
    OtherSchema {
        /// The migration's number.
        number: i64,
        /// Its name.
        name: String,
        /// How it differs.
        differs: Differs,
    },
    /// There is no vault in this database yet.
    #[error("there is no vault in this database: run `custos init` first")]
    NoVault,
    /// There is a vault in this database already.
    #[error("there is a vault in this database already")]
    VaultExists,
    /// Another process has replaced the log's key, and this one does not have the new one.
    #[error("the log has another key now: start this process again, so that it reads the keyring anew")]
    LogKeyReplaced,
    /// Another transaction was in the way; the same one may succeed when tried again.
    #[error("another transaction was in the way")]
    Retriable(#[source] sqlx::Error),
    /// A constraint held: something would have been there twice, or pointed nowhere.
    #[error("a constraint of the database refused the change")]
    Constraint(#[source] sqlx::Error),
    /// The disk is full. Nothing was written.
    #[error("the database's disk is full")]
    Full(#[source] sqlx::Error),
    /// Reading or writing the disk failed, `fsync` included, or what was read is damaged. What reached the disk
    /// is unknown: the process must stop writing (the rule of PostgreSQL after a failed `fsync`).
    #[error("the database's disk failed or its file is damaged")]
    Disk(#[source] sqlx::Error),
    /// A row that does not hold what this program wrote.
    #[error("row {id} of table {table} cannot be read (column {column}): {problem}")]
    Undecodable {
        /// The table.
        table: &'static str,
        /// Its first column, which names the row.
        id: String,
        /// Position of the column in the query, from 0.
        column: usize,
        /// What is wrong with it.
        problem: String,
    },
    /// Rows that belong together and are not all there.
    #[error("the database is inconsistent: {0}")]
    Inconsistent(&'static str),
    /// Any other answer of the database.
    #[error("the database refused a statement")]
    Database(#[source] sqlx::Error),
}

/// How a migration differs from this program's, and what to do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Differs {
    /// The database never had it, though it had newer ones.
    #[error("is missing, though newer ones are there: start the service to bring the schema up to date")]
    Missing,
    /// It was made by another text.
    #[error("was another one than this program's: use the program that the database was made with")]
    Changed,
    /// This program has none with this number.
    #[error("is none of this program's: use the program that the database was made with")]
    Unknown,
}

impl StoreError {
    /// Whether the engine gave this transaction up, at once, so that another one could go on: it left nothing, and finds
    /// its way free when tried again. Whoever waited too long has waited already.
    pub(super) fn is_deadlock(&self) -> bool {
        let Self::Retriable(sqlx::Error::Database(answer)) = self else { return false };
        matches!(answer.code().as_deref(), Some("40001" | "40P01"))
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed => Self::Unreachable(error),
            sqlx::Error::Database(answer) => {
                let class = if answer.try_downcast_ref::<sqlx::postgres::PgDatabaseError>().is_some() {
                    postgres(answer.code().as_deref())
                } else {
                    sqlite(answer.code().as_deref())
                };
                class(error)
            }
            _ => Self::Database(error),
        }
    }
}

type Class = fn(sqlx::Error) -> StoreError;

/// SQLSTATE classes (PostgreSQL, appendix "Error Codes").
fn postgres(code: Option<&str>) -> Class {
    match code {
        Some("40001" | "40P01" | "55P03") => StoreError::Retriable,
        Some("53100") => StoreError::Full,
        Some("58030" | "XX001" | "XX002") => StoreError::Disk,
        Some(code) if code.starts_with("23") => StoreError::Constraint,
        Some(code) if code.starts_with("08") || code.starts_with("57P") => StoreError::Unreachable,
        _ => StoreError::Database,
    }
}

/// Primary result codes (the low byte; SQLite, "Result and Error Codes").
fn sqlite(code: Option<&str>) -> Class {
    match code.and_then(|code| code.parse::<i32>().ok()).map(|code| code & 0xff) {
        Some(5 | 6) => StoreError::Retriable,
        Some(13) => StoreError::Full,
        Some(10 | 11 | 26) => StoreError::Disk,
        Some(19) => StoreError::Constraint,
        _ => StoreError::Database,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn boxed() -> sqlx::Error {
        sqlx::Error::RowNotFound
    }

    #[test]
    fn engines_answers_are_sorted_by_what_to_do() {
        assert!(matches!(postgres(Some("40P01"))(boxed()), StoreError::Retriable(_)));
        assert!(matches!(postgres(Some("23505"))(boxed()), StoreError::Constraint(_)));
        assert!(matches!(postgres(Some("58030"))(boxed()), StoreError::Disk(_)));
        assert!(matches!(postgres(Some("42601"))(boxed()), StoreError::Database(_)));
        // 1555: SQLITE_CONSTRAINT_PRIMARYKEY, 1034: SQLITE_IOERR_FSYNC.
        assert!(matches!(sqlite(Some("1555"))(boxed()), StoreError::Constraint(_)));
        assert!(matches!(sqlite(Some("1034"))(boxed()), StoreError::Disk(_)));
        assert!(matches!(sqlite(Some("13"))(boxed()), StoreError::Full(_)));
        assert!(matches!(sqlite(Some("5"))(boxed()), StoreError::Retriable(_)));
    }
}
