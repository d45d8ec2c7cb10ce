//! Custos: a self-hosted evidence vault with a custody log that outsiders can check.

#![forbid(unsafe_code)]

pub mod api;
pub mod blobs;
pub mod engine;
pub mod keyring;
