//! Looking after a vault: replaying, copying, restoring.

pub(crate) mod backup;
mod commands;
mod kit;
mod kit_files;
mod lapsed;
pub(crate) mod recover;
mod replay;
mod scrub;
mod upgrade;
