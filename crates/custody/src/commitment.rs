//! Commitments to personal fields (`docs/FORMAT.md`, "Privacy").
//!
//! A statement carries `H("custos/field/v1" || op_id || be16(len name) || name || salt || value)` for each title,
//! name or free text. The opening (salt and value) is stored apart, encrypted, can be disclosed one by one, and can
//! be erased without any chain noticing.

use core::fmt;

use serde::{Deserialize, Serialize};

use crate::digest::{Digest, Domain};
use crate::id::{Code, OpId};

/// Longest value, bytes of UTF-8.
pub const MAX_VALUE_BYTES: usize = 4_096;

/// What opens one commitment. `Debug` shows the name only.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FieldOpening {
    /// The field's name.
    pub name: Code,
    /// 32 random bytes, so that values cannot be guessed from their commitment.
    pub salt: Digest,
    /// The value as entered.
    pub value: String,
}

/// Why an opening is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpeningError {
    /// A field without opening, an opening without field, or one twice.
    #[error("every field needs exactly one opening: {0}")]
    Unmatched(Code),
    /// Salt and value do not give the commitment.
    #[error("the opening of field {0} does not match its commitment")]
    Mismatch(Code),
    /// Too long.
    #[error("the value of field {0} is longer than 4,096 bytes of UTF-8")]
    TooLong(Code),
}

impl FieldOpening {
    /// The commitment for the act `op_id`.
    pub fn commitment(&self, op_id: &OpId) -> Digest {
        commitment(op_id, &self.name, &self.salt, &self.value)
    }
}

impl fmt::Debug for FieldOpening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FieldOpening({}, ..)", self.name)
    }
}

/// `H("custos/field/v1" || op_id[16] || be16(len name) || name || salt[32] || value)`.
pub fn commitment(op_id: &OpId, name: &Code, salt: &Digest, value: &str) -> Digest {
    // A code is at most 64 bytes, so that its length always fits.
    let length = u16::try_from(name.as_str().len()).unwrap_or(u16::MAX).to_be_bytes();
    Domain::Field.hash(&[
        op_id.as_bytes(),
        &length,
        name.as_str().as_bytes(),
        salt.as_bytes(),
        value.as_bytes(),
    ])
}

/// Checks that `openings` open exactly the commitments in `fields`.
pub fn check_openings(
    op_id: &OpId,
    fields: &std::collections::BTreeMap<Code, Digest>,
    openings: &[FieldOpening],
) -> Result<(), OpeningError> {
    let mut opened = std::collections::BTreeSet::new();
    for opening in openings {
        let name = &opening.name;
        let expected = fields.get(name).ok_or_else(|| OpeningError::Unmatched(name.clone()))?;
        if !opened.insert(name) {
            return Err(OpeningError::Unmatched(name.clone()));
        }
        if opening.value.len() > MAX_VALUE_BYTES {
            return Err(OpeningError::TooLong(name.clone()));
        }
        if opening.commitment(op_id) != *expected {
            return Err(OpeningError::Mismatch(name.clone()));
        }
    }
    match fields.keys().find(|name| !opened.contains(name)) {
        Some(name) => Err(OpeningError::Unmatched(name.clone())),
        None => Ok(()),
    }
}
