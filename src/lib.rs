//! Custos: a self-hosted evidence vault with a custody log that outsiders can check.

#![forbid(unsafe_code)]

pub mod api;
pub mod app;
pub mod blobs;
pub mod cli;
pub mod client;
pub mod clock;
pub mod config;
mod demo;
mod durable;
pub mod engine;
pub mod http;
pub mod keyring;
pub mod kit;
pub mod notices;
pub mod ops;
mod outside;
pub mod providers;
pub mod publish;
mod qr;
pub mod redact;
pub mod sequencer;
pub mod store;
pub mod telemetry;
pub mod timestamps;
pub mod witness;
