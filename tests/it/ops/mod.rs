//! Looking after a vault: replaying, copying, restoring.

mod backup;
mod commands;
mod kit;
mod recover;
mod replay;
mod scrub;
mod upgrade;
