//! Custody: the pure core of Custos.

#![forbid(unsafe_code)]

pub mod digest;
pub mod envelope;
pub mod id;
pub mod json;
pub mod time;
