//! The table of rights: which role may do what. One table for the rules, the service and the documents.

use crate::act::{CaseRole, VaultRole};

/// Something that a role may permit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Right {
    /// Enter organisations.
    RegisterOrg,
    /// Enter persons and invite them.
    RegisterPerson,
    /// Grant and revoke roles in the vault.
    ChangeRoles,
    /// Vouch for other people's keys.
    Vouch,
    /// Revoke other people's keys.
    RevokeKeys,
    /// Open cases.
    OpenCase,
    /// Add and remove members of a case.
    ChangeMembers,
    /// Enter items and send their content.
    RegisterItem,
    /// Change an item's class.
    Classify,
    /// Read content, under a purpose.
    ReadContent,
    /// Read the custody records and fields of a case.
    ReadRecords,
    /// Give and take custody of items.
    HoldCustody,
    /// Make bundles.
    Export,
    /// Note corrections.
    Correct,
}

impl Right {
    /// Every right, in the order of the documentation page.
    pub const ALL: &[Self] = &[
        Self::RegisterOrg,
        Self::RegisterPerson,
        Self::ChangeRoles,
        Self::Vouch,
        Self::RevokeKeys,
        Self::OpenCase,
        Self::ChangeMembers,
        Self::RegisterItem,
        Self::Classify,
        Self::ReadContent,
        Self::ReadRecords,
        Self::HoldCustody,
        Self::Export,
        Self::Correct,
    ];

    /// The code that a refusal names.
    pub const fn code(self) -> &'static str {
        match self {
            Self::RegisterOrg => "register-org",
            Self::RegisterPerson => "register-person",
            Self::ChangeRoles => "change-roles",
            Self::Vouch => "vouch",
            Self::RevokeKeys => "revoke-keys",
            Self::OpenCase => "open-case",
            Self::ChangeMembers => "change-members",
            Self::RegisterItem => "register-item",
            Self::Classify => "classify",
            Self::ReadContent => "read-content",
            Self::ReadRecords => "read-records",
            Self::HoldCustody => "hold-custody",
            Self::Export => "export",
            Self::Correct => "correct",
        }
    }
}

impl VaultRole {
    /// Every role in the vault.
    pub const ALL: &[Self] =
        &[Self::Administrator, Self::Registrar, Self::Auditor, Self::Custodian, Self::Investigator];

    /// Whether the role carries the right. No role in the vault reads content.
    pub const fn permits(self, right: Right) -> bool {
        match self {
            Self::Administrator => {
                matches!(
                    right,
                    Right::RegisterOrg | Right::RegisterPerson | Right::ChangeRoles | Right::RevokeKeys
                )
            }
            Self::Registrar => matches!(right, Right::RegisterPerson | Right::Vouch | Right::RevokeKeys),
            Self::Auditor => false,
            Self::Custodian | Self::Investigator => matches!(right, Right::OpenCase),
        }
    }
}

impl CaseRole {
    /// Every role in a case.
    pub const ALL: &[Self] =
        &[Self::Lead, Self::Investigator, Self::Custodian, Self::Prosecutor, Self::Reader];

    /// Whether the role carries the right within its case.
    pub const fn permits(self, right: Right) -> bool {
        match right {
            Right::ReadContent | Right::ReadRecords => true,
            Right::ChangeMembers => matches!(self, Self::Lead),
            Right::RegisterItem => matches!(self, Self::Lead | Self::Investigator | Self::Custodian),
            Right::Classify => matches!(self, Self::Lead | Self::Custodian),
            Right::HoldCustody | Right::Correct => !matches!(self, Self::Reader),
            Right::Export => matches!(self, Self::Lead | Self::Custodian | Self::Prosecutor),
            Right::RegisterOrg
            | Right::RegisterPerson
            | Right::ChangeRoles
            | Right::Vouch
            | Right::RevokeKeys
            | Right::OpenCase => false,
        }
    }
}
