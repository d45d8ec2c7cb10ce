//! What must stay, and what was destroyed, as the report says it.

use core::fmt;

use serde::Serialize;

/// A hold: nothing that it was on was destroyed meanwhile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Held {
    /// The exhibit; the whole case without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exhibit: Option<String>,
    /// Log index of the record that placed it.
    pub placed: u64,
    /// Log index of the record that released it.
    pub released: Option<u64>,
}

/// Something that was destroyed on record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Disposed {
    /// Who agreed, in which role.
    pub approvers: Vec<String>,
    /// Log index of the record that says that it is destroyed.
    pub executed: u64,
    /// The exhibit, where it is one's content.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exhibit: Option<String>,
    /// Whether the vault says that nothing it knows of opens it any more.
    pub last: bool,
    /// Exhibits that were made from it, also by way of others, and whose content is still there.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub left: Vec<String>,
    /// Log index of the proposal.
    pub proposed: u64,
    /// What it was.
    pub subject: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
pub(super) const fn is_zero(count: &u64) -> bool {
    *count == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
pub(super) const fn is_false(value: &bool) -> bool {
    !*value
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = self.exhibit.as_deref().unwrap_or("the whole case");
        write!(f, "{what}, since record {}, ", self.placed)?;
        match self.released {
            Some(record) => write!(f, "released by record {record}"),
            None => f.write_str("not released"),
        }
    }
}

impl fmt::Display for Disposed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { approvers, executed, exhibit, last, left, proposed, subject } = self;
        let exhibit = exhibit.as_ref().map_or_else(String::new, |exhibit| format!("{exhibit}: "));
        let end = if *last { "final" } else { "provisional: backups or older keys may open it" };
        let by = approvers.join(", ");
        write!(f, "{exhibit}{subject}, record {executed} (proposed in {proposed}, approved by {by}), {end}")?;
        if left.is_empty() {
            Ok(())
        } else {
            write!(f, "; made from it and still there: {}", left.join(", "))
        }
    }
}
