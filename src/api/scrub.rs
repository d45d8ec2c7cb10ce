//! Scrubbing.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

wire! {
    /// `POST /api/v1/scrub`.
    NewScrub {
        /// At most so many MiB a second, at least 1; as fast as it goes when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mib_per_second: Option<u32>,
    }
    /// A scrub, running or ended.
    Scrub {
        /// `running`, `done`, or `broken-off` where the log of the service says why.
        state: String,
        /// Since when.
        started: String,
        /// Records compared with the signed checkpoint so far.
        records: u64,
        /// Objects compared with their part hashes so far.
        objects: u64,
        /// Bytes of these.
        bytes: u64,
        /// How many things were damaged.
        failed: u64,
        /// The first 1,000 of them.
        findings: Vec<ScrubFinding>,
    }
    /// Something that is damaged.
    ScrubFinding {
        /// `objects`, or a table of the database.
        table: String,
        /// The object's id, or the row's key.
        row: String,
        /// What is wrong with it.
        problem: String,
    }
}
