//! What the verifier says: a verdict, its reasons, what was checked and what was not.

mod carriage;
mod derived;
mod destroyed;
mod produced;
mod sealed;
mod stamps;

use core::fmt;
use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

use super::findings::{Code, Finding, Gravity, printable};
use super::layout::FIELD_TITLE;
use super::manifest::CheckpointHead;
use crate::act::{Act, Carriage, CaseType, PublicKey, TransferStep, reference_in};
use crate::commitment::FieldOpening;
use crate::digest::Digest;
use crate::id::{CaseId, Code as Name, KeyHash, PersonId};
use crate::json;
use crate::statement::Version;
use crate::time::Timestamp;

pub use carriage::{BY_OUTSIDE, Carried};
pub use derived::{MADE_BY_VAULT, Made};
pub use destroyed::{Disposed, Held};
pub use produced::Produced;
pub use sealed::Resealed;

pub(super) use stamps::hours;
pub use stamps::{Bracket, Stamp, Width};

use destroyed::is_zero;

/// What no verification of any bundle proves.
pub const LIMITS: &[&str] = &[
    "That what the exhibits show is true. A digest proves sameness, not truth.",
    "That an act which was never submitted to the vault did not happen.",
    "That nobody looked at something without a record, if the vault's operator let them.",
    "That a record which was never chained does not exist: only a receipt for it would show that.",
    "That times are exact: without independent time stamps they are the vault's word.",
];

/// The verdict on a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// 0 verified, 3 not verified, 4 verified but incomplete.
    pub exit_code: u8,
    /// What the bundle is, as far as it could be read.
    pub facts: Facts,
    /// What was found, gravest first.
    pub findings: Vec<Finding>,
    /// What this does not prove, whatever the verdict.
    pub limits: &'static [&'static str],
    /// What was not checked, and why.
    pub not_checked: Vec<String>,
    /// Version of the report's format.
    pub v: Version,
    /// `VERIFIED`, `NOT VERIFIED` or `VERIFIED, INCOMPLETE`.
    pub verdict: &'static str,
}

/// Facts and counts. On exit 3 they are what the bundle claims.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Facts {
    /// Statements by how they were signed.
    pub assurance: AssuranceCounts,
    /// Between which times the case's records were received, as outsiders say.
    pub bracket: Option<Bracket>,
    /// Bytes below `data/`.
    pub bytes: u64,
    /// The case.
    pub case: Option<CaseId>,
    /// What the case is, as it was said last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub case_about: Option<CaseAbout>,
    /// The checkpoint.
    pub checkpoint: Option<CheckpointHead>,
    /// Known witnesses that cosigned the checkpoint.
    pub cosignatures: u64,
    /// Who holds the items now.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub custodians: Vec<Custodian>,
    /// Every record in scope below this log index is here.
    pub cut: Option<u64>,
    /// Which exhibits were made from which others, by number.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub derived: Vec<Made>,
    /// What was destroyed on record, oldest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub disposals: Vec<Disposed>,
    /// Public entries read.
    pub entries: Option<u64>,
    /// Personal values that were destroyed on record.
    #[serde(skip_serializing_if = "is_zero")]
    pub erased: u64,
    /// Items in the case.
    pub exhibits: u64,
    /// Items whose content is here and matches its record.
    pub exhibits_matched: u64,
    /// When the bundle was exported, by the vault's clock.
    pub exported_at: Option<Timestamp>,
    /// Exhibits that carriers have.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub carriage: Vec<Carried>,
    /// Files below `data/`.
    pub files: u64,
    /// Times that the vault itself found stored bytes damaged.
    pub fixity_failures: u64,
    /// Openings of restricted items in which somebody says that they found something else than is recorded, or nothing.
    pub found_otherwise: u64,
    /// Readings in an emergency.
    pub emergencies: u64,
    /// Of these, how many nobody had looked at when the bundle was made.
    pub unreviewed: u64,
    /// Holds, released ones included, oldest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub holds: Vec<Held>,
    /// When the log's key was replaced, oldest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub log_changes: Vec<LogChange>,
    /// The log's verifier key: the one that signed the checkpoint.
    pub log_key: Option<String>,
    /// Openings of personal fields that match their commitments.
    pub openings: u64,
    /// Restricted content that is here, sealed to a court.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub produced: Vec<Produced>,
    /// Receipts that hold and are covered.
    pub receipts: u64,
    /// Records.
    pub records: u64,
    /// Restricted exhibits that were sealed to other pairs, oldest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub resealed: Vec<Resealed>,
    /// Who signed.
    pub signers: Vec<Signer>,
    /// Statements: a statement on many items has many records.
    pub statements: u64,
    /// Time stamps by authorities that the reader trusts.
    pub timestamps: Vec<Stamp>,
    /// What became of offers of custody, counted in items.
    pub transfers: Transfers,
    /// Time stamps by authorities for whom no root that was given vouches.
    pub unknown_timestamps: u64,
    /// The vault's fingerprint: hash of record 0.
    pub vault: Option<Digest>,
    /// The vault's key, which record 0 names.
    #[serde(skip)]
    pub vault_key: Option<PublicKey>,
}

/// What a case is, as it was said last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CaseAbout {
    /// Its type.
    pub case_type: CaseType,
    /// Whether it is closed.
    pub closed: bool,
    /// Its jurisdiction.
    pub jurisdiction: Name,
    /// Numbers under which others know it, by their kind, where they were disclosed.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub references: BTreeMap<String, String>,
    /// Its title, where it was disclosed.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub title: String,
}

impl CaseAbout {
    /// Carries on what is known of a case, by an act about it and the fields that were disclosed with it.
    pub(super) fn learn(about: &mut Option<Self>, act: &Act, openings: &[FieldOpening]) {
        let (new_type, new_jurisdiction) = match act {
            Act::CaseOpened(_, d) => (Some(d.case_type), Some(&d.jurisdiction)),
            Act::CaseUpdated(_, d) => (d.case_type, d.jurisdiction.as_ref()),
            _ => (None, None),
        };
        if let (None, Some(case_type), Some(jurisdiction)) = (&about, new_type, new_jurisdiction) {
            let (closed, jurisdiction) = (false, jurisdiction.clone());
            let (references, title) = (BTreeMap::new(), String::new());
            *about = Some(Self { case_type, closed, jurisdiction, references, title });
        }
        let Some(about) = about else { return };
        match act {
            Act::CaseClosed(_) => about.closed = true,
            Act::CaseReopened(_) => about.closed = false,
            Act::CaseOpened(..) | Act::CaseUpdated(..) => {
                about.case_type = new_type.unwrap_or(about.case_type);
                if let Some(jurisdiction) = new_jurisdiction {
                    about.jurisdiction.clone_from(jurisdiction);
                }
                for FieldOpening { name, value, .. } in openings {
                    if name.as_str() == FIELD_TITLE {
                        about.title.clone_from(value);
                    } else if let Ok(Some(reference)) = reference_in(name) {
                        about.references.insert(reference.to_owned(), value.clone());
                    }
                }
            }
            _ => {}
        }
    }
}

/// A change of the log's key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LogChange {
    /// Index of the record that says so: larger checkpoints are signed by the new key.
    pub index: u64,
    /// The new key.
    pub key: String,
    /// Whether the old key was given up and the log goes on under another name, by the vault's word.
    pub renamed: bool,
}

/// Statements by assurance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct AssuranceCounts {
    /// Signed by the vault on behalf of a signed-in person.
    pub session: u64,
    /// The vault's own.
    pub system: u64,
    /// Signed by a person's own key.
    pub user_key: u64,
}

/// What became of offers of custody, counted in items: an item offered twice counts twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Transfers {
    /// Offers that were accepted.
    pub accepted: u64,
    /// Times that a carrier took something under a key of their own.
    #[serde(skip_serializing_if = "is_zero")]
    pub carried: u64,
    /// Offers that were declined.
    pub declined: u64,
    /// Offers that ran out.
    pub expired: u64,
    /// Offers.
    pub offered: u64,
    /// Offers that were taken back.
    pub recalled: u64,
}

impl Transfers {
    /// Counts a step of a transfer of so many items.
    pub(super) const fn count(&mut self, step: &TransferStep, items: u64) {
        let counted = match step {
            TransferStep::Offered(..) => &mut self.offered,
            TransferStep::Carried(Carriage::Taken) => &mut self.carried,
            // It is the next one's word that it changed hands.
            TransferStep::Carried(Carriage::HandedOn) => return,
            TransferStep::Accepted(_) => &mut self.accepted,
            TransferStep::Declined => &mut self.declined,
            TransferStep::Recalled => &mut self.recalled,
            TransferStep::Expired => &mut self.expired,
        };
        *counted += items;
    }

    /// Offers that wait for an answer; none by a bundle whose records contradict each other.
    const fn waiting(self) -> u64 {
        self.offered.saturating_sub(self.accepted + self.declined + self.expired + self.recalled)
    }
}

impl fmt::Display for Transfers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { accepted, carried, declined, expired, offered, recalled } = self;
        let waiting = self.waiting();
        write!(
            f,
            "{offered} offered: {accepted} accepted, {declined} declined, {recalled} recalled, {expired} "
        )?;
        write!(f, "expired, {waiting} waiting")?;
        if *carried > 0 { write!(f, "; taken by carriers {carried} time(s)") } else { Ok(()) }
    }
}

/// Somebody who holds items.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Custodian {
    /// How many.
    pub exhibits: u64,
    /// The person's name, where it was disclosed.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// The person.
    pub person: PersonId,
}

/// A key that signed statements here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Signer {
    /// Person id, or `vault`.
    pub actor: String,
    /// H(public key).
    pub key: KeyHash,
    /// The person's name, where it was disclosed.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// How many statements.
    pub statements: u64,
    /// Who vouched for the key, and how they made sure.
    pub vouched_by: String,
}

impl Report {
    /// The report as strict JSON.
    pub fn to_json(&self) -> Vec<u8> {
        json::emit(self)
    }

    /// Whether a finding is among them.
    pub fn has(&self, code: Code) -> bool {
        self.findings.iter().any(|finding| finding.code == code)
    }

    /// The report in plain words.
    pub fn to_text(&self) -> String {
        let mut text = format!("{}\n\n", self.verdict);
        self.write_facts(&mut text);
        for (gravity, title) in [
            (Gravity::Failed, "WHAT IS WRONG"),
            (Gravity::Incomplete, "WHAT IS INCOMPLETE OR DOUBTFUL"),
            (Gravity::Notice, "WORTH KNOWING"),
        ] {
            let findings: Vec<_> = self.findings.iter().filter(|f| f.code.gravity() == gravity).collect();
            if !findings.is_empty() {
                let _ = writeln!(text, "\n{title}");
                for finding in findings {
                    write_finding(&mut text, finding);
                }
            }
        }
        write_list(&mut text, "NOT CHECKED", self.not_checked.iter().map(String::as_str));
        write_list(&mut text, "WHAT THIS DOES NOT PROVE", self.limits.iter().copied());
        text
    }

    fn write_facts(&self, text: &mut String) {
        let facts = &self.facts;
        let mut row = |name: &str, value: String| {
            let value: String = value.chars().flat_map(printable).collect();
            let _ = writeln!(text, "{name:<16}{value}");
        };
        if let Some(vault) = facts.vault {
            row("Vault", vault.to_hex());
        }
        if let Some(key) = &facts.log_key {
            row("Log", key.clone());
        }
        for LogChange { index, key, renamed } in &facts.log_changes {
            let how = if *renamed {
                "given up, the log goes on by the vault's word as"
            } else {
                "replaced, as the key before and the vault signed, by"
            };
            row("Log's key", format!("record {index}: {how} {key}"));
        }
        if let Some(case) = facts.case {
            row("Case", case.to_string());
        }
        if let Some(about) = &facts.case_about {
            let state = if about.closed { "closed" } else { "open" };
            row("Case is", format!("{}, {}, {state}", about.case_type, about.jurisdiction));
            if !about.title.is_empty() {
                row("Title", about.title.clone());
            }
            for (reference, value) in &about.references {
                row("Reference", format!("{reference}: {value}"));
            }
        }
        if let (Some(at), Some(cut)) = (facts.exported_at, facts.cut) {
            row("Exported", format!("{at}, up to log index {}", cut.saturating_sub(1)));
        }
        if let Some(checkpoint) = facts.checkpoint {
            let cosigned = facts.cosignatures;
            row("Checkpoint", format!("{} entries, {cosigned} known cosignature(s)", checkpoint.size));
        }
        row("Records", format!("{} from {} statements", facts.records, facts.statements));
        let AssuranceCounts { session, system, user_key } = facts.assurance;
        row(
            "Signed",
            format!("{user_key} by own key, {session} by the vault for a person, {system} by the vault"),
        );
        row(
            "Exhibits",
            format!("{} in the case, {} here and unchanged", facts.exhibits, facts.exhibits_matched),
        );
        facts.derived.iter().for_each(|made| row("Derived", made.to_string()));
        facts.produced.iter().for_each(|produced| row("Produced", produced.to_string()));
        if facts.transfers.offered > 0 {
            row("Transfers", facts.transfers.to_string());
        }
        facts.carriage.iter().for_each(|carried| row("In carriage", carried.to_string()));
        for custodian in &facts.custodians {
            let name = or_id(&custodian.name, custodian.person);
            row("Holds now", format!("{name}: {} exhibit(s)", custodian.exhibits));
        }
        facts.resealed.iter().for_each(|sealed| row("Sealed anew", sealed.to_string()));
        facts.holds.iter().for_each(|held| row("Hold", held.to_string()));
        facts.disposals.iter().for_each(|disposed| row("Destroyed", disposed.to_string()));
        if facts.erased > 0 {
            row("Erased fields", facts.erased.to_string());
        }
        row("Payload", format!("{} files, {} bytes", facts.files, facts.bytes));
        row("Opened fields", facts.openings.to_string());
        facts.timestamps.iter().for_each(|stamp| row("Time stamp", stamp.to_string()));
        if facts.unknown_timestamps > 0 {
            row("Time stamps", format!("{} by authorities not given as trusted", facts.unknown_timestamps));
        }
        if let Some(bracket) = facts.bracket {
            row("Bracket", bracket.to_string());
        }
        if let Some(entries) = facts.entries {
            row("Public entries", format!("{entries} read"));
        }
        if facts.receipts > 0 {
            row("Receipts", format!("{} covered", facts.receipts));
        }
        if facts.emergencies > 0 {
            let (all, open) = (facts.emergencies, facts.unreviewed);
            row(
                "Emergencies",
                format!("{all} reading(s) without another right, {open} of them not reviewed"),
            );
        }
        if facts.fixity_failures > 0 {
            row("Fixity", format!("{} failure(s) recorded by the vault", facts.fixity_failures));
        }
        if facts.found_otherwise > 0 {
            row(
                "Openings",
                format!("{} in which somebody says that it is not what is recorded", facts.found_otherwise),
            );
        }
        for signer in &facts.signers {
            let name = or_id(&signer.name, &signer.actor);
            row("Signer", format!("{name} ({} statements), {}", signer.statements, signer.vouched_by));
        }
    }
}

/// A disclosed name before the id, or the id alone.
fn or_id(name: &str, id: impl fmt::Display) -> String {
    if name.is_empty() { id.to_string() } else { format!("{name}, {id}") }
}

fn write_finding(text: &mut String, finding: &Finding) {
    let Finding { code, count, places } = finding;
    let _ = writeln!(text, "  {code} ({count}): {}", code.explanation());
    for place in places {
        let index = place.index.map_or_else(String::new, |index| format!(", record {index}"));
        let _ = writeln!(text, "    - {}{index}: {}", place.path, place.detail);
    }
    if *count > places.len() as u64 {
        let _ = writeln!(text, "    - and {} more", count - places.len() as u64);
    }
    let _ = writeln!(text, "    What to do: {}", code.remedy());
}

fn write_list<'a>(text: &mut String, title: &str, lines: impl Iterator<Item = &'a str>) {
    let mut lines = lines.peekable();
    if lines.peek().is_some() {
        let _ = writeln!(text, "\n{title}");
        lines.for_each(|line| {
            let line: String = line.chars().flat_map(printable).collect();
            let _ = writeln!(text, "  - {line}");
        });
    }
}

/// The verdict in words.
pub(super) const fn verdict(exit_code: u8) -> &'static str {
    match exit_code {
        0 => "VERIFIED",
        4 => "VERIFIED, INCOMPLETE",
        _ => "NOT VERIFIED",
    }
}
