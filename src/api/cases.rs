//! Cases, their members and exports.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Receipts, RoleTerm};

wire! {
    /// `POST /api/v1/cases`.
    NewCase {
        /// Title as entered; kept as a commitment with an encrypted opening.
        title: String,
        /// Type of case: `forced-labour`, `trafficking`, `online-exploitation`, `sexual-violence`, `property-grabbing`,
        /// `police-abuse`, `citizenship-rights`, `other`.
        case_type: String,
        /// Jurisdiction, a code such as `ke`.
        jurisdiction: String,
        /// Numbers under which others know it, by `fir`, `gd`, `cnr`, `docket`, `warrant`, `esakshya-sid`, `other`; a second
        /// one by `fir-2`. Kept as the title is.
        #[serde(default)]
        references: BTreeMap<String, String>,
        /// Further fields by name.
        #[serde(default)]
        fields: BTreeMap<String, String>,
    }
    /// `POST /api/v1/cases/{id}/update`: what is there takes the place of what was.
    CaseUpdate {
        /// Another title.
        #[serde(default)]
        title: Option<String>,
        /// Another type.
        #[serde(default)]
        case_type: Option<String>,
        /// Another jurisdiction.
        #[serde(default)]
        jurisdiction: Option<String>,
        /// References that are new, or other than they were.
        #[serde(default)]
        references: BTreeMap<String, String>,
        /// Further fields by name.
        #[serde(default)]
        fields: BTreeMap<String, String>,
    }
    /// `POST /api/v1/cases/{id}/close` and `…/reopen`.
    CaseTurn {
        /// Why, a code such as `judgment`.
        #[serde(default)]
        purpose: Option<String>,
        /// `notes` as entered, and further fields.
        #[serde(default)]
        fields: BTreeMap<String, String>,
    }
    /// A case as listed.
    Case {
        /// Id.
        id: String,
        /// Type of case.
        case_type: String,
        /// Jurisdiction.
        jurisdiction: String,
        /// Opened fields (title) as they are now.
        fields: BTreeMap<String, String>,
        /// Opened references as they are now.
        #[serde(default)]
        references: BTreeMap<String, String>,
        /// The reader's roles in it that count now.
        roles: Vec<String>,
        /// Whether it is closed.
        #[serde(default)]
        closed: bool,
        /// How many items.
        items: u32,
        /// How many records.
        records: u64,
    }
    /// `GET /api/v1/cases/{id}/intake-form`: what to ask for when something comes in, by the case's jurisdiction.
    IntakeForm {
        /// The form.
        name: String,
        /// The case's jurisdiction.
        jurisdiction: String,
        /// The law that asks.
        law: String,
        /// Who must look at the form before it is relied on.
        review: String,
        /// What it asks for, in order.
        facts: Vec<IntakeFact>,
    }
    /// A fact that a form asks for.
    IntakeFact {
        /// The field in which it stands.
        field: String,
        /// What is asked.
        label: String,
        /// Whether a certificate cannot be made without it.
        needed: bool,
    }
    /// `GET /api/v1/cases`.
    Cases {
        /// One's own.
        cases: Vec<Case>,
        /// Where the next page starts, if there is one.
        #[serde(default)]
        next: Option<String>,
    }
    /// `POST /api/v1/cases/{id}/members`, and to remove `DELETE …/members/{person}/{role}`.
    NewMember {
        /// Who.
        person: String,
        /// As what.
        role: String,
        /// From when it counts; without it, at once.
        #[serde(default)]
        from: Option<String>,
        /// Until when it counts; without it, until it is taken away.
        #[serde(default)]
        until: Option<String>,
    }
    /// A member.
    Member {
        /// Who.
        person: String,
        /// Name.
        #[serde(default)]
        name: Option<String>,
        /// As what, now.
        roles: Vec<String>,
        /// Those that begin or end at some time, whether they count now or not.
        #[serde(default)]
        terms: Vec<RoleTerm>,
    }
    /// `GET /api/v1/cases/{id}/members`.
    Members {
        /// The members.
        members: Vec<Member>,
    }
    /// `POST /api/v1/cases/{id}/exports`.
    NewExport {
        /// Why, a code such as `court`.
        purpose: String,
        /// Restricted content that the bundle carries, sealed to courts: record hashes of `production.proposed`.
        #[serde(default)]
        productions: Vec<String>,
        /// `recipient` and `authority` as entered, and further fields.
        #[serde(default)]
        fields: BTreeMap<String, String>,
    }
    /// A finished export; the bundle is at `GET /api/v1/exports/{id}/bundle` (ZIP).
    Export {
        /// Record hash of `bundle.exported`, hex.
        id: String,
        /// Records in the bundle.
        records: u64,
        /// Exhibits in the bundle.
        exhibits: u64,
        /// Exact bytes of the ZIP.
        size: u64,
        /// The vault's fingerprint, hex.
        fingerprint: String,
        /// The receipts of `bundle.exported` and `bundle.completed`.
        receipts: Receipts,
    }
}
