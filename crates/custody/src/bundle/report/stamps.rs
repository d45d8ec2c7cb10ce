//! What time stamps say of the records.

use core::fmt;

use serde::Serialize;

use crate::time::Timestamp;

/// A verified time stamp over a checkpoint of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Stamp {
    /// The authority's name (RFC 4514).
    pub authority: String,
    /// When the first certificate of its chain expires.
    pub expires: Timestamp,
    /// How many entries it covers.
    pub size: u64,
    /// The time.
    pub time: Timestamp,
}

/// Between which times the case's records were received, by time stamps alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Bracket {
    /// The newest time stamp that was noted before the first of them.
    pub from: Option<Timestamp>,
    /// The oldest one that covers the last of them.
    pub to: Option<Timestamp>,
    /// The record that is placed least exactly, of those that lie between two time stamps.
    pub widest: Option<Width>,
}

/// How exactly time stamps place a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Width {
    /// The record's log index.
    pub index: u64,
    /// Milliseconds between the two time stamps.
    pub width_ms: i64,
}

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { authority, expires, size, time } = self;
        write!(f, "{time} over {size} entries, by {authority}, certified until {expires}")
    }
}

impl fmt::Display for Bracket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the case's records were received ")?;
        match (self.from, self.to) {
            (Some(from), Some(to)) => write!(f, "between {from} and {to}")?,
            (Some(from), None) => write!(f, "after {from}")?,
            (None, Some(to)) => write!(f, "before {to}")?,
            (None, None) => f.write_str("at times that no time stamp bounds")?,
        }
        if let Some(Width { index, width_ms }) = self.widest {
            write!(f, "; each within {} (record {index})", hours(width_ms))?;
        }
        Ok(())
    }
}

/// Hours, rounded up.
pub(in crate::bundle) fn hours(millis: i64) -> String {
    let hour = 60 * 60 * 1_000;
    format!("{} h", millis / hour + i64::from(millis % hour > 0))
}
