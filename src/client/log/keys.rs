//! By which keys a log is known, and how it says which came after them.

use std::path::Path;

use custody::log_keys::{FollowError, LogKeys, MAX_CHANGES_BYTES, VaultKey, parse_changes};
use custody::note::VerifierKey;
use custody::receipt::Receipt;
use tokio::runtime::Handle;

use super::evidence::{self, Finding, LogError};
use super::source::{is_absent, read_at_most};
use super::{ClientError, Source};

/// Where a log says it, below its address and in folders: the receipts of the records that replaced its key, one a line.
/// A log whose key was never replaced has an empty one, or none.
pub(super) const KEYS: &str = "keys";

/// A log as it is known from elsewhere.
#[derive(Debug, Clone)]
pub struct KnownLog {
    /// The keys that are known.
    pub logs: LogKeys,
    /// Whose log it is, where that is known: a log whose key was stolen is followed by the vault's word only.
    pub vault: Option<VaultKey>,
}

impl From<VerifierKey> for KnownLog {
    fn from(key: VerifierKey) -> Self {
        Self { logs: key.into(), vault: None }
    }
}

/// Reads what a log says about its keys.
pub(crate) fn parse(text: &[u8]) -> Result<Vec<Receipt>, ClientError> {
    let malformed = |_| ClientError::Protocol("a log's later keys are receipts, one a line");
    parse_changes(text).map_err(malformed)
}

impl KnownLog {
    /// The keys of the log as `source` has them now, and by which receipts they were followed: to be kept in `folder` once
    /// the log is believed. What is kept there already is believed without the source.
    pub(super) fn follow(
        &self,
        source: &Source,
        folder: Option<&Path>,
        runtime: &Handle,
    ) -> Result<(LogKeys, Vec<u8>), LogError> {
        let mut by = Vec::new();
        let mut logs = self.logs.clone();
        let kept = folder.map(|folder| read_at_most(&folder.join(KEYS), MAX_CHANGES_BYTES));
        match kept {
            Some(Ok(text)) => logs = self.further(&logs, &text, &mut by)?,
            Some(Err(error)) if !is_absent(&error) => return Err(error.into()),
            _ => {}
        }
        let text = runtime.block_on(source.keys())?;
        Ok((self.further(&logs, &text, &mut by)?, by))
    }

    /// Follows on, and adds to `by` what led there.
    fn further(&self, logs: &LogKeys, text: &[u8], by: &mut Vec<u8>) -> Result<LogKeys, LogError> {
        let receipts = parse(text)?;
        let followed = logs.follow_by(&receipts, self.vault.as_ref());
        let followed = followed.map(|(keys, receipts)| {
            by.extend(receipts.into_iter().flat_map(|receipt| [receipt.emit(), b"\n".to_vec()].concat()));
            keys
        });
        followed.map_err(|error| {
            let source = std::error::Error::source(&error).map(|source| format!(": {source}"));
            let finding = match error {
                FollowError::Continued(_) => Finding::LogContinued,
                _ => Finding::BadSignature,
            };
            LogError::found(finding, format!("{error}{}", source.unwrap_or_default()))
        })
    }
}

/// Keeps by what a log's keys were followed.
pub(super) fn keep(folder: &Path, text: &[u8]) -> Result<(), ClientError> {
    if text.is_empty() { Ok(()) } else { evidence::replace(&folder.join(KEYS), text) }
}
