//! What was made from what, as the report says it.

use core::fmt;

use serde::Serialize;

use crate::act::Derivation;

/// An exhibit that was made from another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Made {
    /// What it is of the original.
    #[serde(rename = "as")]
    pub how: Derivation,
    /// Who says so, the name where it was disclosed; `vault` where the vault itself made it.
    pub by: String,
    /// The exhibit.
    pub exhibit: String,
    /// The original.
    pub of: String,
}

/// Who makes what the vault made itself.
pub const MADE_BY_VAULT: &str = "vault";

impl fmt::Display for Made {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { how, by, exhibit, of } = self;
        write!(f, "{exhibit} is a {how} of {of}, ")?;
        if by == MADE_BY_VAULT { f.write_str("made by the vault") } else { write!(f, "as {by} says") }
    }
}
