//! Exhibits that are on their way to somebody.

use core::fmt;

use serde::Serialize;

/// An exhibit in carriage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Carried {
    /// Who carries it, the name where it was disclosed; `outside` where it is somebody without a key.
    pub by: String,
    /// The exhibit.
    pub exhibit: String,
    /// Who answers for it: the last who took it under a key of their own.
    pub held_by: String,
    /// To whom it is offered.
    #[serde(rename = "for")]
    pub to: String,
}

/// Who carries something and has no key.
pub const BY_OUTSIDE: &str = "outside";

impl fmt::Display for Carried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { by, exhibit, held_by, to } = self;
        if by == BY_OUTSIDE {
            write!(f, "{exhibit}: by a carrier without a key, to whom {held_by} handed it, for {to}")
        } else {
            write!(f, "{exhibit}: by {by}, for {to}")
        }
    }
}
