//! Who confirmed the log from outside, and is asked no more: a configuration that was lost must not pass unseen.

use crate::config::Config;
use crate::store::{Store, StoreError};

/// How many timestamp authorities a configuration has at most.
const AUTHORITIES: std::ops::RangeInclusive<u8> = 1..=2;

/// Somebody who confirmed the log and is not in the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lapsed {
    /// Witnesses: the database has checkpoints that they cosigned.
    Witnesses,
    /// Timestamp authorities: the database has their time stamps.
    Timestamps,
}

impl Lapsed {
    /// What is wrong.
    pub const fn detail(self) -> &'static str {
        match self {
            Self::Witnesses => {
                "witnesses cosigned this log, and none are configured: none cosigns what comes now"
            }
            Self::Timestamps => {
                "this log has time stamps, and no authority is configured: what comes now gets none"
            }
        }
    }

    /// What mends it.
    pub const fn remedy(self) -> &'static str {
        match self {
            Self::Witnesses => {
                "set `witnesses` (and `witness_roots`) again in the one file that is read (custos config show); \
                 neither the configuration nor what it names is in a backup"
            }
            Self::Timestamps => {
                "set `timestamps` and `timestamp_roots` again in the one file that is read (custos config show); \
                 neither the configuration nor what it names is in a backup"
            }
        }
    }
}

/// Who confirmed the log that is in the database `store`, and is not in the configuration.
pub async fn lapsed(config: &Config, store: &Store) -> Result<Vec<Lapsed>, StoreError> {
    let mut tx = store.read().await?;
    let mut lapsed = Vec::new();
    if config.witnesses().is_none() && tx.newest_checkpoint().await?.is_some() {
        lapsed.push(Lapsed::Witnesses);
    }
    if config.timestamps().is_empty() {
        for authority in AUTHORITIES {
            if tx.newest_timestamp(authority).await?.is_some() {
                lapsed.push(Lapsed::Timestamps);
                break;
            }
        }
    }
    Ok(lapsed)
}

/// The same of the database that the configuration names.
pub async fn lapsed_of(config: &Config) -> Result<Vec<Lapsed>, StoreError> {
    let store = Store::attach(config.database_url()).await?;
    let lapsed = lapsed(config, &store).await?;
    store.close().await;
    Ok(lapsed)
}
