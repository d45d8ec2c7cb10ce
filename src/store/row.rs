//! Values on their way into the database and rows on their way out, the same for both engines.

use std::collections::BTreeMap;
use std::fmt::{Debug, Display};
use std::str::FromStr;

use custody::digest::Digest;
use custody::rules::Term;
use custody::time::Timestamp;
use serde::de::value::{Error as ValueError, StrDeserializer};
use serde::{Deserialize, Serialize};
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;

use super::error::StoreError;
use super::schema::Type;

/// A parameter. Each has a type even when it is null, because PostgreSQL wants to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    /// TEXT.
    Text(Option<String>),
    /// BIGINT.
    Int(Option<i64>),
    /// BOOLEAN.
    Bool(bool),
    /// BLOB or BYTEA.
    Blob(Option<Vec<u8>>),
}

impl Value {
    /// Anything that has a text form.
    pub(crate) fn text(value: impl Display) -> Self {
        Self::Text(Some(value.to_string()))
    }

    /// Anything that has a text form, or null.
    pub(crate) fn opt_text(value: Option<impl Display>) -> Self {
        Self::Text(value.map(|value| value.to_string()))
    }

    /// Counts and sizes; none of ours reaches 2^63.
    pub(crate) fn uint(value: u64) -> Self {
        Self::Int(Some(i64::try_from(value).unwrap_or(i64::MAX)))
    }

    /// A count or nothing.
    pub(crate) fn opt_uint(value: Option<u64>) -> Self {
        Self::Int(value.map(|value| i64::try_from(value).unwrap_or(i64::MAX)))
    }

    /// Raw bytes.
    pub(crate) fn blob(value: impl AsRef<[u8]>) -> Self {
        Self::Blob(Some(value.as_ref().to_vec()))
    }

    /// The 32 bytes of a digest.
    pub(crate) fn digest(value: &Digest) -> Self {
        Self::blob(value.as_bytes())
    }

    /// A digest or nothing.
    pub(crate) fn opt_digest(value: Option<&Digest>) -> Self {
        Self::Blob(value.map(|value| value.as_bytes().to_vec()))
    }

    /// Milliseconds since 1970.
    pub(crate) fn time(value: Timestamp) -> Self {
        Self::Int(Some(value.millis()))
    }

    /// Roles separated by spaces, each with its term if it has one: `reader lead:1795000000000:`.
    pub(crate) fn terms<'a, T: Serialize + 'a>(roles: impl IntoIterator<Item = (&'a T, &'a Term)>) -> Self {
        let millis = |at: Option<Timestamp>| at.map(|at| at.millis().to_string()).unwrap_or_default();
        let word = |(role, term): (&T, &Term)| match term {
            &Term::LASTING => code(role),
            Term { from, until } => format!("{}:{}:{}", code(role), millis(*from), millis(*until)),
        };
        Self::Text(Some(roles.into_iter().map(word).collect::<Vec<_>>().join(" ")))
    }

    /// The name that a coded value has on the wire.
    pub(crate) fn code(value: &impl Serialize) -> Self {
        Self::Text(Some(code(value)))
    }
}

/// The name that a coded value (a role, a class) has on the wire.
pub(crate) fn code(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(name)) => name,
        other => unreachable!("coded values are names, not {other:?}"),
    }
}

/// A row of one of our tables.
pub(crate) struct Row {
    table: &'static str,
    row: Engine,
}

enum Engine {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

impl Debug for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Row({})", self.table)
    }
}

macro_rules! cell {
    ($self:expr, $column:expr) => {
        match &$self.row {
            Engine::Sqlite(row) => row.try_get($column),
            Engine::Postgres(row) => row.try_get($column),
        }
        .map_err(|error: sqlx::Error| $self.undecodable($column, error))
    };
}

macro_rules! readers {
    ($($(#[$doc:meta])* $name:ident -> $type:ty;)*) => {$(
        $(#[$doc])*
        pub(crate) fn $name(&self, column: usize) -> Result<$type, StoreError> {
            cell!(self, column)
        }
    )*};
}

impl Row {
    pub(super) fn sqlite(table: &'static str, row: SqliteRow) -> Self {
        Self { table, row: Engine::Sqlite(row) }
    }

    pub(super) fn postgres(table: &'static str, row: PgRow) -> Self {
        Self { table, row: Engine::Postgres(row) }
    }

    readers! {
        /// TEXT.
        text -> String;
        /// TEXT or null.
        opt_text -> Option<String>;
        /// BIGINT.
        int -> i64;
        /// BIGINT or null.
        opt_int -> Option<i64>;
        /// BOOLEAN.
        bool -> bool;
        /// Bytes.
        blob -> Vec<u8>;
        /// Bytes or null.
        opt_blob -> Option<Vec<u8>>;
    }

    /// A cell of any of our types.
    pub(super) fn value(&self, column: usize, holds: Type) -> Result<Value, StoreError> {
        Ok(match holds {
            Type::Text => Value::Text(self.opt_text(column)?),
            Type::Int => Value::Int(self.opt_int(column)?),
            Type::Bool => Value::Bool(self.bool(column)?),
            Type::Blob => Value::Blob(self.opt_blob(column)?),
        })
    }

    /// A count or size.
    pub(crate) fn uint(&self, column: usize) -> Result<u64, StoreError> {
        u64::try_from(self.int(column)?).map_err(|error| self.undecodable(column, error))
    }

    /// A count or nothing.
    pub(crate) fn opt_uint(&self, column: usize) -> Result<Option<u64>, StoreError> {
        let number = self.opt_int(column)?.map(u64::try_from).transpose();
        number.map_err(|error| self.undecodable(column, error))
    }

    /// A count that fits 32 bits.
    pub(crate) fn uint32(&self, column: usize) -> Result<u32, StoreError> {
        u32::try_from(self.int(column)?).map_err(|error| self.undecodable(column, error))
    }

    /// A time.
    pub(crate) fn time(&self, column: usize) -> Result<Timestamp, StoreError> {
        Timestamp::from_millis(self.int(column)?).map_err(|error| self.undecodable(column, error))
    }

    /// A time or nothing.
    pub(crate) fn opt_time(&self, column: usize) -> Result<Option<Timestamp>, StoreError> {
        let time = self.opt_int(column)?.map(Timestamp::from_millis).transpose();
        time.map_err(|error| self.undecodable(column, error))
    }

    /// A value that is written as text.
    pub(crate) fn parse<T: FromStr<Err: Display>>(&self, column: usize) -> Result<T, StoreError> {
        self.text(column)?.parse().map_err(|error| self.undecodable(column, error))
    }

    /// A value that is written as text, or nothing.
    pub(crate) fn opt_parse<T: FromStr<Err: Display>>(&self, column: usize) -> Result<Option<T>, StoreError> {
        let value = self.opt_text(column)?.map(|text| text.parse()).transpose();
        value.map_err(|error| self.undecodable(column, error))
    }

    /// A coded value, by its name on the wire.
    pub(crate) fn code<T: for<'de> Deserialize<'de>>(&self, column: usize) -> Result<T, StoreError> {
        self.read_code(column, &self.text(column)?)
    }

    /// A coded value or nothing.
    pub(crate) fn opt_code<T: for<'de> Deserialize<'de>>(
        &self,
        column: usize,
    ) -> Result<Option<T>, StoreError> {
        self.opt_text(column)?.map(|name| self.read_code(column, &name)).transpose()
    }

    /// Roles, each for its term, as [`Value::terms`] writes them.
    pub(crate) fn terms<T>(&self, column: usize) -> Result<BTreeMap<T, Term>, StoreError>
    where
        T: for<'de> Deserialize<'de> + Ord,
    {
        let time = |text: Option<&str>| match text {
            None | Some("") => Ok(None),
            Some(millis) => millis
                .parse()
                .ok()
                .and_then(|millis| Timestamp::from_millis(millis).ok())
                .map(Some)
                .ok_or_else(|| self.undecodable(column, "not the term of a role")),
        };
        let role = |word: &str| {
            let mut parts = word.split(':');
            let role = self.read_code(column, parts.next().unwrap_or_default())?;
            Ok((role, Term { from: time(parts.next())?, until: time(parts.next())? }))
        };
        self.text(column)?.split_ascii_whitespace().map(role).collect()
    }

    /// Exactly `N` bytes.
    pub(crate) fn bytes<const N: usize>(&self, column: usize) -> Result<[u8; N], StoreError> {
        let bytes = self.blob(column)?;
        bytes.try_into().map_err(|_| self.undecodable(column, format!("expected {N} bytes")))
    }

    /// A digest.
    pub(crate) fn digest(&self, column: usize) -> Result<Digest, StoreError> {
        self.bytes(column).map(Digest::new)
    }

    /// A digest or nothing.
    pub(crate) fn opt_digest(&self, column: usize) -> Result<Option<Digest>, StoreError> {
        let digest = self.opt_blob(column)?.map(|bytes| Digest::from_slice(&bytes)).transpose();
        digest.map_err(|error| self.undecodable(column, error))
    }

    /// The error of a cell that does not hold what it should; names table and row.
    pub(crate) fn undecodable(&self, column: usize, problem: impl Display) -> StoreError {
        StoreError::Undecodable { table: self.table, id: self.id(), column, problem: problem.to_string() }
    }

    fn read_code<T: for<'de> Deserialize<'de>>(&self, column: usize, name: &str) -> Result<T, StoreError> {
        T::deserialize(StrDeserializer::<ValueError>::new(name))
            .map_err(|error| self.undecodable(column, error))
    }

    /// The first column as text: the key of the row in every query that decodes.
    fn id(&self) -> String {
        fn first<'r, R, T>(row: &'r R) -> Option<T>
        where
            R: sqlx::Row,
            usize: sqlx::ColumnIndex<R>,
            T: sqlx::Decode<'r, R::Database> + sqlx::Type<R::Database>,
        {
            row.try_get::<T, _>(0).ok()
        }
        let (text, int, blob): (Option<String>, Option<i64>, Option<Vec<u8>>) = match &self.row {
            Engine::Sqlite(row) => (first(row), first(row), first(row)),
            Engine::Postgres(row) => (first(row), first(row), first(row)),
        };
        text.or_else(|| int.map(|int| int.to_string()))
            .or_else(|| blob.map(hex::encode))
            .unwrap_or_else(|| "?".to_owned())
    }
}
