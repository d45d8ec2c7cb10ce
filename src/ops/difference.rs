//! What is found to be wrong with a database, by table and row.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::store::StoreError;

/// Most that are listed; beyond, they are only counted.
const MAX_LISTED: usize = 1_000;

/// A row that is not what it must be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The table.
    pub table: String,
    /// The row's primary key; several values with `/` between them, bytes in hexadecimal.
    pub row: String,
    /// What is wrong with it. Never a value.
    pub problem: String,
}

/// All that was found, each row once.
#[derive(Debug, Default, Serialize)]
pub struct Differences {
    /// The first of them, in the order in which they were found.
    pub rows: Vec<Difference>,
    /// How many more there are.
    pub more: u64,
    #[serde(skip)]
    known: BTreeSet<(String, String)>,
}

impl Differences {
    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.rows.len() as u64 + self.more
    }

    pub(super) fn add(&mut self, table: &str, row: impl std::fmt::Display, problem: impl Into<String>) {
        let row = row.to_string();
        if self.rows.len() >= MAX_LISTED {
            self.more += 1;
        } else if self.known.insert((table.to_owned(), row.clone())) {
            self.rows.push(Difference { table: table.to_owned(), row, problem: problem.into() });
        }
    }

    /// A row that cannot be read is a difference; `table` names it where the error does not know. Every other error
    /// stays one.
    pub(super) fn unreadable(&mut self, error: StoreError, table: Option<&str>) -> Result<(), StoreError> {
        match error {
            StoreError::Undecodable { table: named, id, problem, .. } => {
                self.add(table.unwrap_or(named), id, format!("it cannot be read: {problem}"));
                Ok(())
            }
            error => Err(error),
        }
    }
}
