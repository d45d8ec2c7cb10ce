//! Being a witness: it never cosigns two histories, whatever happens to it.

mod memory;
pub(crate) mod service;
mod three;
