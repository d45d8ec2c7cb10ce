//! What a case is: its type, and the numbers under which others know it.

use core::fmt;

use serde::{Deserialize, Serialize};

use super::shape;
use crate::id::Code;
use crate::statement::{Statement, StatementError};

macro_rules! case_types {
    ($($(#[doc = $what:literal])+ $variant:ident $name:literal)*) => {
        /// What a case is about. The set is closed: retention and forms go by it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum CaseType {$(
            $(#[doc = $what])+
            $variant,
        )*}

        impl CaseType {
            /// Every type.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// Its name on the wire.
            pub const fn name(self) -> &'static str {
                match self {$(Self::$variant => $name,)*}
            }
        }
    };
}

case_types! {
    /// Forced or bonded labour.
    ForcedLabour "forced-labour"
    /// Trafficking in persons.
    Trafficking "trafficking"
    /// Sexual exploitation of children online.
    OnlineExploitation "online-exploitation"
    /// Sexual violence.
    SexualViolence "sexual-violence"
    /// Property grabbing.
    PropertyGrabbing "property-grabbing"
    /// Police abuse of power.
    PoliceAbuse "police-abuse"
    /// Citizenship rights.
    CitizenshipRights "citizenship-rights"
    /// Anything else.
    Other "other"
}

/// A name that is no type of case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a case's type is one of forced-labour, trafficking, online-exploitation, sexual-violence, property-grabbing, \
     police-abuse, citizenship-rights, other"
)]
pub struct CaseTypeError;

impl core::str::FromStr for CaseType {
    type Err = CaseTypeError;
    fn from_str(text: &str) -> Result<Self, CaseTypeError> {
        Self::ALL.iter().copied().find(|kind| kind.name() == text).ok_or(CaseTypeError)
    }
}

impl fmt::Display for CaseType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Kinds of numbers under which others know a case: First Information Report, General Diary entry, Case Number Record,
/// court docket, warrant, eSakshya session, any other.
pub const REFERENCES: &[&str] = &["fir", "gd", "cnr", "docket", "warrant", "esakshya-sid", "other"];

/// What the names of the fields begin with in which such numbers stand. They can identify people, and so are fields.
const PREFIX: &str = "ref-";

/// A name that is no kind of reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a reference is one of fir, gd, cnr, docket, warrant, esakshya-sid, other; a second one of a kind is fir-2, and so \
     on to fir-99"
)]
pub struct ReferenceError;

/// The field for a reference: `fir` stands in `ref-fir`, a second one, `fir-2`, in `ref-fir-2`.
pub fn reference_field(reference: &str) -> Result<Code, ReferenceError> {
    if !is_reference(reference) {
        return Err(ReferenceError);
    }
    format!("{PREFIX}{reference}").parse().map_err(|_| ReferenceError)
}

/// The reference that stands in a field of this name; nothing if it is for something else, an error if its name only
/// looks like a reference's.
pub fn reference_in(field: &Code) -> Result<Option<&str>, ReferenceError> {
    match field.as_str().strip_prefix(PREFIX) {
        None => Ok(None),
        Some(reference) if is_reference(reference) => Ok(Some(reference)),
        Some(_) => Err(ReferenceError),
    }
}

/// Fields named like a reference are of a kind of reference that there is.
pub(super) fn known_references(s: &Statement) -> Result<(), StatementError> {
    s.fields.keys().try_for_each(|name| match reference_in(name) {
        Ok(_) => Ok(()),
        Err(error) => Err(shape(s, &format!("has no field {name}: {error}"))),
    })
}

fn is_reference(text: &str) -> bool {
    let numbered = text.rsplit_once('-').filter(|(_, number)| is_number(number));
    REFERENCES.contains(&numbered.map_or(text, |(kind, _)| kind))
}

/// 2 to 99, spelt in one way.
fn is_number(text: &str) -> bool {
    text.parse::<u8>().is_ok_and(|number| (2..=99).contains(&number) && number.to_string() == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_parsed_from_the_name_that_it_is_written_as() {
        for kind in CaseType::ALL {
            assert_eq!(kind.name().parse(), Ok(*kind));
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
            assert!(CaseTypeError.to_string().contains(kind.name()));
        }
        assert_eq!("fraud".parse::<CaseType>(), Err(CaseTypeError));
    }

    #[test]
    fn references_are_of_a_known_kind_and_counted_from_the_second() {
        for good in ["fir", "fir-2", "fir-99", "esakshya-sid", "esakshya-sid-3", "other"] {
            let field = reference_field(good).unwrap();
            assert_eq!(reference_in(&field), Ok(Some(good)));
        }
        for bad in
            ["", "fir-", "fir-0", "fir-1", "fir-02", "fir-100", "fir-+2", "firm", "sid", "fir-2-2", "FIR"]
        {
            assert_eq!(reference_field(bad), Err(ReferenceError), "{bad}");
        }
        assert_eq!(reference_in(&"title".parse().unwrap()), Ok(None));
        assert_eq!(reference_in(&"ref-erence".parse().unwrap()), Err(ReferenceError));
    }
}
