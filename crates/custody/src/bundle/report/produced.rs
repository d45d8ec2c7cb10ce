//! What was produced to a court, as the report says it.

use core::fmt;

use serde::Serialize;

use crate::digest::Digest;

/// Restricted content that is in the bundle, sealed to a court.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Produced {
    /// Who agreed, names where they were disclosed.
    pub approved_by: Vec<String>,
    /// SHA-256 of its content, as on record.
    pub digest: Digest,
    /// The exhibit.
    pub exhibit: String,
    /// The file with the vault's manifest of it.
    pub manifest: String,
    /// SHA-256 of the court's order, as the proposal states it.
    pub order: Digest,
    /// Where the content would stand if it were open.
    pub path: String,
    /// The file with the persons' half of its key.
    pub persons_half: String,
    /// To whom it is sealed.
    pub recipient: String,
    /// The file with its ciphertext.
    pub sealed: String,
    /// The file with the vault's half of its key.
    pub vaults_half: String,
}

impl fmt::Display for Produced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { approved_by, exhibit, order, recipient, .. } = self;
        write!(
            f,
            "{exhibit} is here sealed to {recipient}, by the order with SHA-256 {order}, which {} approved; its content \
             was not looked at",
            approved_by.join(" and ")
        )
    }
}
