//! Looking after a vault: is the database what its records make of it, and copies of all of it.

pub mod backup;
mod difference;
pub(crate) mod history;
pub mod replay;

pub use difference::{Difference, Differences};

/// Told how far something is: what is being done, how much of it, out of how much.
pub type Progress<'a> = &'a mut (dyn FnMut(&'static str, u64, u64) + Send);
