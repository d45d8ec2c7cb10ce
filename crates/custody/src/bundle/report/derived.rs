//! What was made from what, as the report says it.

use core::fmt;

use serde::Serialize;

use super::destroyed::is_false;
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
    /// The best protected of what it was made from, where it is less protected than that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub less_protected_than: Option<String>,
    /// The original.
    pub of: String,
    /// Whether the original's content was destroyed, and this one's is still there.
    #[serde(skip_serializing_if = "is_false")]
    pub outlives: bool,
}

/// Who makes what the vault made itself.
pub const MADE_BY_VAULT: &str = "vault";

impl fmt::Display for Made {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { how, by, exhibit, less_protected_than, of, outlives } = self;
        write!(f, "{exhibit} is a {how} of {of}, ")?;
        if by == MADE_BY_VAULT { f.write_str("made by the vault") } else { write!(f, "as {by} says") }?;
        if let Some(original) = less_protected_than {
            write!(f, "; it is less protected than {original}")?;
        }
        if *outlives { write!(f, "; {of} was destroyed, {exhibit} was not") } else { Ok(()) }
    }
}
