//! Custody: the pure core of Custos.

#![forbid(unsafe_code)]

pub mod digest;
