//! Looking after a vault: replaying, copying, restoring.

mod replay;
