//! Custody: the pure core of Custos.

#![forbid(unsafe_code)]

pub mod act;
pub mod aead;
pub mod blob;
pub mod bundle;
pub mod checkpoint;
pub mod commitment;
pub mod digest;
pub mod entropy;
pub mod envelope;
pub mod floe;
pub mod id;
pub mod json;
mod kdf;
pub mod keys;
pub mod kind;
pub mod manifest;
pub mod merkle;
pub mod note;
pub mod policy;
pub mod proof;
pub mod receipt;
pub mod record;
pub mod rules;
pub mod statement;
pub mod time;
