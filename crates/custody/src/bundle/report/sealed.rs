//! What was sealed anew, as the report says it.

use core::fmt;

use serde::Serialize;

/// That a restricted exhibit was sealed to other pairs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Resealed {
    /// Who sealed it, the name where it was disclosed.
    pub by: String,
    /// Who opened it through the new halves and confirmed that; nobody: it did not come to count.
    pub confirmed_by: Option<String>,
    /// The exhibit.
    pub exhibit: String,
    /// Log index of the record.
    pub index: u64,
}

impl fmt::Display for Resealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { by, confirmed_by, exhibit, index } = self;
        write!(f, "{exhibit}, record {index}: sealed anew by {by}, ")?;
        match confirmed_by {
            Some(person) => write!(f, "opened again and confirmed by {person}"),
            None => f.write_str("not confirmed: the pairs before count"),
        }
    }
}
