//! The service as a whole, against real databases.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]

mod api;
mod cli;
mod log_keys;
mod notices;
mod ops;
mod publish;
mod signin;
mod store;
mod support;
mod tidy;
mod timestamps;
mod witness;
