//! What notices are made of, and up to where each channel was told.

use std::sync::Arc;

use custody::kind::Kind;
use custody::time::Timestamp;

use super::db::Tx;
use super::error::StoreError;
use super::row::{Row, Value};
use super::{Store, sql};

/// The first record of a statement that is told of.
#[derive(Debug, Clone)]
pub struct NotableRow {
    /// Its place in the log.
    pub log_index: u64,
    /// What was said.
    pub kind: Kind,
    /// When.
    pub received: Timestamp,
    /// The statement's envelope.
    pub envelope: Arc<[u8]>,
}

impl Tx {
    /// What is told of, from a place in the log on, in its order.
    pub async fn notable(&mut self, from: u64, limit: u32) -> Result<Vec<NotableRow>, StoreError> {
        let params = vec![Value::uint(from), Value::uint(u64::from(limit))];
        self.all(sql::NOTABLE, params).await?.iter().map(notable).collect()
    }

    /// The place in the log from which a channel has not been told; nothing if it never was.
    pub async fn told(&mut self, channel: &str) -> Result<Option<u64>, StoreError> {
        self.one(sql::TOLD, vec![Value::text(channel)]).await?.map(|row| row.uint(1)).transpose()
    }
}

impl Store {
    /// Notes that a channel was told everything before a place in the log. It never goes back.
    pub async fn note_told(&self, channel: &str, before: u64) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        tx.run(sql::TELL, vec![Value::text(channel), Value::uint(before)]).await?;
        tx.commit().await
    }
}

fn notable(row: &Row) -> Result<NotableRow, StoreError> {
    let kind = row.text(1)?.parse().map_err(|_| row.undecodable(1, "not a kind"))?;
    Ok(NotableRow { log_index: row.uint(0)?, kind, received: row.time(2)?, envelope: row.blob(3)?.into() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notices::TOPICS;

    #[test]
    fn what_is_asked_for_is_what_is_told_of() {
        let asked: Vec<_> = sql::NOTABLE.text.split('\'').skip(1).step_by(2).collect();
        let told: Vec<_> = TOPICS.iter().map(|(kind, _)| kind.spec().name).collect();
        assert_eq!(asked, told);
    }
}
