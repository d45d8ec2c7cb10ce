//! Looking after a vault: replaying, copying, restoring.

mod backup;
mod commands;
mod replay;
mod scrub;
