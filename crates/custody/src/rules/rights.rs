//! The table of rights: which role may do what, in which state of the case. One table for the rules, the service and
//! the documentation page.

use std::collections::BTreeMap;

use super::term::Term;
use super::{Case, Refusal};
use crate::act::{CaseRole, VaultRole};
use crate::kind::Kind;
use crate::time::Timestamp;

/// Who has a right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holders {
    /// Whoever has one of these roles in the vault.
    Vault(&'static [VaultRole]),
    /// Whoever has one of these roles in the case concerned.
    Case(&'static [CaseRole]),
}

/// A row of the table.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// The right.
    pub right: Right,
    /// The code that a refusal names.
    pub code: &'static str,
    /// What it permits, in words.
    pub what: &'static str,
    /// Who has it.
    pub holders: Holders,
    /// Whether it counts in a closed case. Of no meaning for a right in the vault.
    pub in_closed: bool,
    /// What cannot be said without it.
    pub acts: &'static [Kind],
    /// What cannot be said about others without it; about oneself it can.
    pub acts_on_others: &'static [Kind],
}

macro_rules! rights {
    ($($(#[doc = $what:literal])+ $right:ident $code:literal $scope:ident [$($role:ident)*] $closed:ident
        [$($act:ident)*] $([$($other:ident)*])?;)*) => {
        /// Something that a role may permit.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Right {$(
            $(#[doc = $what])+
            $right,
        )*}

        impl Right {
            /// Every right, in the order of the documentation page.
            pub const ALL: &[Self] = &[$(Self::$right),*];

            /// The right's row in the table.
            pub const fn row(self) -> &'static Row {
                match self {$(
                    Self::$right => &Row {
                        right: Self::$right,
                        code: $code,
                        what: concat!($($what),+),
                        holders: rights!(@ $scope [$($role)*]),
                        in_closed: rights!(@ $closed),
                        acts: &[$(Kind::$act),*],
                        acts_on_others: &[$($(Kind::$other),*)?],
                    },
                )*}
            }
        }
    };
    (@ vault [$($role:ident)*]) => { Holders::Vault(&[$(VaultRole::$role),*]) };
    (@ case [$($role:ident)*]) => { Holders::Case(&[$(CaseRole::$role),*]) };
    (@ always) => { true };
    (@ open) => { false };
}

rights! {
    /// Enter organisations
    RegisterOrg "register-org" vault [Administrator] always [OrgRegistered];
    /// Enter persons; correct what is said of persons and the vault
    RegisterPerson "register-person" vault [Administrator Registrar] always [PersonRegistered CorrectionNoted];
    /// Grant and revoke roles in the vault
    ChangeRoles "change-roles" vault [Administrator] always [RoleGranted RoleRevoked];
    /// Look after the vault: scrub it
    RunVault "run-vault" vault [Administrator] always [];
    /// Invite people and vouch for their keys
    Vouch "vouch" vault [Registrar] always [] [KeyEnrolled];
    /// Revoke people's keys, end their sign-in, suspend and restore them
    RevokeKeys "revoke-keys" vault [Administrator Registrar] always [PersonRestored] [KeyRevoked PersonSuspended];
    /// Read the vault's own records, persons' records and refusals
    ReadAudit "read-audit" vault [Auditor] always [];
    /// Ask that personal values about a person be destroyed
    ProposeErasure "propose-erasure" vault [Administrator Registrar] always [DisposalProposed];
    /// Agree that they be destroyed, as one of two who did not ask for it
    ApproveErasure "approve-erasure" vault [Administrator Registrar Auditor] always [DisposalApproved DisposalDeclined];
    /// Read content of a case that one may not read, in an emergency: at once, on record, and looked at afterwards
    BreakGlass "break-glass" vault [Custodian Investigator] always [AccessBreakGlass];
    /// Open cases
    OpenCase "open-case" vault [Custodian Investigator] always [CaseOpened];

    /// Read the custody records and fields of a case, and whose items are which
    ReadRecords "read-records" case [Lead Investigator Custodian Prosecutor Court Defence Reader Observer] always [];
    /// Read content, under a purpose; seal what is restricted anew, two together, one of them who may classify
    ReadContent "read-content" case [Lead Investigator Custodian Prosecutor Court Defence Reader] always [
        AccessGranted FixityPassed FixityFailed ItemResealed ResealConfirmed ResealWithdrawn ProductionSealed
    ];
    /// Look at why somebody read in an emergency
    ReviewAccess "review-access" case [Lead Prosecutor Court] always [AccessReviewed];
    /// Change a case's type, jurisdiction, title and references
    UpdateCase "update-case" case [Lead Investigator Prosecutor] open [CaseUpdated];
    /// Close a case and reopen it
    CloseCase "close-case" case [Lead] always [CaseClosed CaseReopened];
    /// Add and remove members
    ChangeMembers "change-members" case [Lead] always [MemberAdded MemberRemoved];
    /// Enter items, send their content, and say from which others they were made
    RegisterItem "register-item" case [Lead Investigator Custodian] open [ItemRegistered ContentReceived ItemDerived];
    /// Change an item's class
    Classify "classify" case [Lead Custodian] always [ItemClassified];
    /// Give and take custody of items, move and seal them
    HoldCustody "hold-custody" case [Lead Investigator Custodian Prosecutor Court] always [
        TransferOffered TransferCarried TransferAccepted TransferDeclined TransferRecalled TransferExpired ItemMoved
        SealApplied SealBroken
    ];
    /// Make bundles
    Export "export" case [Lead Custodian Prosecutor Court] always [BundleExported];
    /// Note corrections
    Correct "correct" case [Lead Investigator Custodian Prosecutor Court] always [CorrectionNoted];
    /// Ask that restricted content be produced to a court that ordered it
    ProposeProduction "propose-production" case [Lead Custodian Prosecutor Court] always [ProductionProposed];
    /// Agree that it be produced, as one of two who did not ask for it; end a production
    ApproveProduction "approve-production" case [Lead Prosecutor Court] always [ProductionApproved ProductionDeclined];
    /// Keep a case, or an item, from being destroyed
    PlaceHold "place-hold" case [Lead Custodian Prosecutor Court] always [HoldPlaced];
    /// End a hold
    ReleaseHold "release-hold" case [Lead Prosecutor Court] always [HoldReleased];
    /// Ask that content, or personal values in records, be destroyed
    ProposeDisposal "propose-disposal" case [Lead Custodian] always [DisposalProposed];
    /// Agree that they be destroyed, as one of two who did not ask for it
    ApproveDisposal "approve-disposal" case [Lead Custodian Prosecutor Court] always [DisposalApproved DisposalDeclined];
}

impl Right {
    /// The code that a refusal names.
    pub const fn code(self) -> &'static str {
        self.row().code
    }

    /// The right that it takes to say something of this kind, about a case or about none; nothing where it takes none,
    /// or none about oneself.
    pub fn needed(kind: Kind, of_case: bool) -> Option<Self> {
        let mut rows = Self::ALL.iter().filter(|right| right.row().acts.contains(&kind));
        let within = rows.clone().find(|right| matches!(right.row().holders, Holders::Case(_)) == of_case);
        within.or_else(|| rows.next()).copied()
    }
}

macro_rules! roles {
    ($role:ident $holders:ident $what:literal $($variant:ident $name:literal)*) => {
        impl $role {
            /// Every role, in the order of the documentation page.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The role's name on the wire.
            pub const fn name(self) -> &'static str {
                match self {$(Self::$variant => $name,)*}
            }

            /// Whether the table gives the role this right, in some state of the case.
            pub fn permits(self, right: Right) -> bool {
                matches!(right.row().holders, Holders::$holders(roles) if roles.contains(&self))
            }
        }

        impl core::str::FromStr for $role {
            type Err = RoleError;
            fn from_str(text: &str) -> Result<Self, RoleError> {
                let all = || Self::ALL.iter().map(|role| role.name()).collect::<Vec<_>>().join(", ");
                let found = Self::ALL.iter().find(|role| role.name() == text);
                found.copied().ok_or_else(|| RoleError { what: $what, all: all() })
            }
        }
    };
}

roles! { VaultRole Vault "the vault"
    Administrator "administrator"
    Registrar "registrar"
    Auditor "auditor"
    Custodian "custodian"
    Investigator "investigator"
}

roles! { CaseRole Case "a case"
    Lead "lead"
    Investigator "investigator"
    Custodian "custodian"
    Prosecutor "prosecutor"
    Court "court"
    Defence "defence"
    Reader "reader"
    Observer "observer"
}

/// A name that is no role's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a role in {what} is one of {all}")]
pub struct RoleError {
    what: &'static str,
    all: String,
}

/// Roles in the vault, each for its term.
pub type VaultRoles = BTreeMap<VaultRole, Term>;
/// Roles in a case, each for its term.
pub type CaseRoles = BTreeMap<CaseRole, Term>;

/// Whether these roles in the vault carry `right` at `at`.
pub fn permitted_in_vault(roles: &VaultRoles, right: Right, at: Timestamp) -> Result<(), Refusal> {
    let permits = roles.iter().any(|(role, term)| term.covers(at) && role.permits(right));
    if permits { Ok(()) } else { Err(Refusal::NotPermitted(right)) }
}

/// Whether these roles in `case` carry `right` at `at`, and the state of the case permits what it is for.
pub fn permitted_in_case(case: &Case, roles: &CaseRoles, right: Right, at: Timestamp) -> Result<(), Refusal> {
    if !roles.iter().any(|(role, term)| term.covers(at) && role.permits(right)) {
        return Err(Refusal::NotPermitted(right));
    }
    case.permits(right)
}

impl Case {
    /// Whether the state of the case permits what `right` is for, whoever does it.
    pub const fn permits(&self, right: Right) -> Result<(), Refusal> {
        if self.closed && !right.row().in_closed { Err(Refusal::CaseClosed) } else { Ok(()) }
    }
}

/// Whether somebody with these roles is a member of the case at `at`: others do not see that it exists.
pub fn is_member(roles: &CaseRoles, at: Timestamp) -> bool {
    roles.values().any(|term| term.covers(at))
}
