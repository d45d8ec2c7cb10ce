//! Certificates of destruction: what the records say about a disposal, in one document that the vault signs.
//!
//! A function of the records: the same records give the same bytes. Where the certificate is *provisional*, something
//! that the vault knows of may still open what was destroyed; *final*, nothing does. Neither speaks of what the vault
//! does not know of, and each says so.

use core::fmt::Write as _;

use serde::Serialize;

use crate::act::SealedBy;
use crate::act::{Derivation, Disclosure, DisposalExecuted, ObjectId, Subject};
use crate::digest::Digest;
use crate::id::{CaseId, Code, ItemId, PersonId};
use crate::json;
use crate::rules::Item;
use crate::statement::Version;
use crate::time::Timestamp;

/// What no certificate proves.
pub const NOT_PROVEN: &[&str] = &[
    "That no copy exists which was exported or downloaded before; the exports that the vault recorded are counted here.",
    "That nothing made from it is left: what the records call made from it is listed here; it is destroyed by itself, and copies that nobody called so are not known.",
    "That no copy of the key files, of a recovery kit or of a backup was kept where the vault does not know of it.",
    "That a storage medium gives nothing back: what a disk or a database server overwrites late is useless without the keys; but single values of a case were sealed under the case's key, which lives on.",
    "That a court to which restricted content was produced by its order, as records say, does not open it: its own key opens its bundles, and copies of the vault's database from before.",
    "That the vault's program did what it says; its signature says who answers for that.",
];

/// A certificate of destruction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Certificate {
    /// Who agreed, oldest first.
    pub approvals: Vec<Approved>,
    /// The record that says that nothing the vault knows of opens it any more; absent while provisional.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub completed: Option<Place>,
    /// What the record of execution says: the key that died, the object, backups and horizon.
    pub destroyed: Destroyed,
    /// The record of execution.
    pub executed: Place,
    /// Bundles of the case that were exported before: copies outside the vault.
    pub exports: u64,
    /// Why, as proposed.
    pub ground: Code,
    /// What was made from an item whose content it was, also by way of others, as the records say now: nothing of it was
    /// destroyed with it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub linked: Vec<Linked>,
    /// How many more of these there are than [`MAX_LINKED`].
    #[serde(skip_serializing_if = "is_zero")]
    pub linked_more: u64,
    /// What this does not prove.
    pub not_proven: &'static [&'static str],
    /// The proposal.
    pub proposed: Proposed,
    /// What stays: said so that nobody takes the certificate for more.
    pub remains: &'static str,
    /// `provisional` or `final`.
    pub state: &'static str,
    /// What was destroyed.
    pub subject: Named,
    /// Version of the format.
    pub v: Version,
    /// The vault's fingerprint.
    pub vault: Digest,
}

/// A record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Place {
    /// Log index.
    pub index: u64,
    /// Hash of the record.
    pub record: Digest,
    /// When the vault admitted it.
    pub time: Timestamp,
}

/// Most items that a certificate lists as made from what was destroyed.
pub const MAX_LINKED: usize = 1_000;

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
const fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// An item that was made from what was destroyed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Linked {
    /// What it is of its original.
    #[serde(rename = "as")]
    pub how: Derivation,
    /// SHA-256 of its content as on record, where the vault received it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// Exhibit number.
    pub exhibit: u32,
    /// Whether the vault holds its content: neither destroyed nor never received.
    pub held: bool,
    /// The item.
    pub item: ItemId,
    /// Its original: what was destroyed, or another of these.
    pub of: ItemId,
}

impl Linked {
    /// An item that was made from another; nothing of any other.
    pub fn of(item: ItemId, found: &Item) -> Option<Self> {
        let (derived, stored) = (found.derived?, found.stored);
        Some(Self {
            how: derived.how,
            digest: stored.map(|stored| stored.content.digest),
            exhibit: found.exhibit,
            held: stored.is_some() && !found.disposed,
            item,
            of: derived.of,
        })
    }
}

/// Who asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Proposed {
    /// Who; the vault itself without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<PersonId>,
    /// The record.
    pub record: Place,
}

/// Who agreed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Approved {
    /// Who.
    pub by: PersonId,
    /// What they said about the duty to disclose.
    pub disclosure: Disclosure,
    /// The record, whose statement is signed with that person's own key.
    pub record: Place,
    /// In which role.
    pub role: Code,
}

/// What died.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Destroyed {
    /// Backups that held it still when it was destroyed.
    pub backups: u64,
    /// Until when backups are kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub horizon: Option<Timestamp>,
    /// Every version of the key encryption key up to this one could open the wrapped key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kek: Option<u32>,
    /// SHA-256 of the wrapped key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<Digest>,
    /// The stored object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<ObjectId>,
}

impl From<&DisposalExecuted> for Destroyed {
    fn from(d: &DisposalExecuted) -> Self {
        Self { backups: d.backups, horizon: d.horizon, kek: d.kek, key: d.key, object: d.object }
    }
}

/// What it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Named {
    /// The case.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub case: Option<CaseId>,
    /// SHA-256 of an item's content.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// Exhibit number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exhibit: Option<u32>,
    /// The item.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub item: Option<ItemId>,
    /// The person about whom values were destroyed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub person: Option<PersonId>,
    /// The records whose values were destroyed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub records: Vec<Digest>,
    /// Who sealed the content, if not the vault: then digest and size are what they said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sealed_by: Option<SealedBy>,
    /// Bytes of an item's content.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
}

impl Named {
    /// What a disposal is about.
    pub fn of(subject: Subject, records: Vec<Digest>) -> Self {
        let (case, item, person) = match subject {
            Subject::Item(case, item) => (Some(case), Some(item), None),
            Subject::Case(case) => (Some(case), None, None),
            Subject::Person(person) => (None, None, Some(person)),
            Subject::Vault => (None, None, None),
        };
        Self { case, digest: None, exhibit: None, item, person, records, sealed_by: None, size: None }
    }
}

/// What stays in the vault after content was destroyed.
pub const REMAINS_OF_CONTENT: &str =
    "All records, the content's digest, size and manifest, and the personal values in the records.";
/// What stays in the vault after personal values were destroyed.
pub const REMAINS_OF_VALUES: &str =
    "All records, with commitments to the values that do not tell them, and all content.";

impl Certificate {
    /// The bytes to sign.
    pub fn to_bytes(&self) -> Vec<u8> {
        json::emit(self)
    }

    /// The certificate in words, to print.
    pub fn to_text(&self) -> String {
        let mut text = format!("CERTIFICATE OF DESTRUCTION ({})\n\n", self.state.to_uppercase());
        let mut row = |name: &str, value: String| {
            let _ = writeln!(text, "{name:<18}{value}");
        };
        let place = |place: &Place| format!("record {} of {}, {}", place.index, place.time, place.record);
        row("Vault", self.vault.to_hex());
        let subject = &self.subject;
        subject.case.iter().for_each(|case| row("Case", case.to_string()));
        if let (Some(item), Some(exhibit)) = (subject.item, subject.exhibit) {
            row("Content of", format!("exhibit {exhibit}, item {item}"));
        }
        if let (Some(digest), Some(size)) = (subject.digest, subject.size) {
            let whose = if subject.sealed_by.is_some() { ", as its sender said, who sealed it" } else { "" };
            row("SHA-256", format!("{digest}, {size} bytes{whose}"));
        }
        subject.person.iter().for_each(|person| row("Values about", format!("person {person}")));
        subject.records.iter().for_each(|record| row("Values in", format!("record {record}")));
        row("Ground", self.ground.to_string());
        let by = self.proposed.by.map_or_else(|| "the vault".to_owned(), |by| format!("person {by}"));
        row("Proposed", format!("by {by}, {}", place(&self.proposed.record)));
        for Approved { by, disclosure, record, role } in &self.approvals {
            row("Approved", format!("by person {by} as {role}, {}", place(record)));
            let said = match disclosure {
                Disclosure::NonePending => "nothing is still to be disclosed",
                Disclosure::MadeOtherwise => {
                    "the defence has what it must have, not by a bundle of the vault's"
                }
            };
            row("", format!("who said: {said}"));
        }
        row("Destroyed", place(&self.executed));
        let d = &self.destroyed;
        d.object.iter().for_each(|object| row("Object deleted", object.to_string()));
        if let (Some(key), Some(kek)) = (d.key, d.kek) {
            row(
                "Key destroyed",
                format!("SHA-256 of the wrapped key {key}, under key encryption keys up to {kek}"),
            );
        }
        row("Backups", format!("{} held it then", d.backups));
        let horizon = d.horizon.map_or_else(|| "no end is configured".to_owned(), |at| at.to_string());
        row("Kept until", horizon);
        row("Exported before", format!("{} bundle(s) of the case", self.exports));
        for linked in &self.linked {
            let Linked { how, exhibit, item, .. } = linked;
            let held = if linked.held { "STILL THERE" } else { "not there (any more)" };
            row("Made from it", format!("exhibit {exhibit}, a {how}, item {item}: {held}"));
        }
        if self.linked_more > 0 {
            row("Made from it", format!("{} more", self.linked_more));
        }
        match &self.completed {
            Some(completed) => row("Final", place(completed)),
            None => row("Provisional", "a backup or an older key may still open it".to_owned()),
        }
        row("What remains", self.remains.to_owned());
        text.push_str("\nWHAT THIS DOES NOT PROVE\n");
        self.not_proven.iter().for_each(|line| {
            let _ = writeln!(text, "  - {line}");
        });
        text.push_str(
            "\nTo check it: openssl pkeyutl -verify -pubin -inkey vault.pem -rawin -in certificate.signed -sigfile \
             certificate.sig\ncertificate.signed is `DSSEv1 `, the length and the name of the type, the length of \
             certificate.json, and certificate.json.\nCompare the vault's key with the one that record 0 names, whose \
             hash is the vault's fingerprint on paper.\n",
        );
        text
    }
}
