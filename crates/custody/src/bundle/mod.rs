//! Bundles: what a court receives, and the verifier that checks it (`docs/FORMAT.md`, "Bundle").
//!
//! A bundle is a `BagIt` 1.0 bag (RFC 8493) with the exhibits of a case, every record of its history, and all that is
//! needed to check both offline. [`verify()`] reads it through [`Files`] and gives a [`Report`] of named findings
//! ([`findings::Code`]). What stands in a bundle never says whom to trust: that comes from outside ([`Trust`]).
//!
//! The verifier is not a reader of evidence: it never interprets an exhibit's bytes, it only hashes them.

pub mod checks;
pub mod closure;
pub mod documents;
pub mod findings;
pub mod layout;
pub mod lines;
pub mod manifest;
mod produced;
mod read;
pub mod report;
pub mod timeline;
mod verify;

pub use manifest::BundleManifest;
pub use produced::{ProducedError, open_produced};
pub use read::{Entries, FileEntry, Files, Listing, ReadError};
pub use report::Report;
pub use verify::{PublicEntries, Trust, VerifyError, verify, verify_by};
