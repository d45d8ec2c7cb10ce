//! The closed set of findings (`docs/FORMAT.md`, "Findings").
//!
//! A finding is one named way in which a bundle is not what it should be. They are never merged: a reader who knows
//! the name knows what was found, and [`Code::explanation`] and [`Code::remedy`] say it in plain words.

use core::fmt;
use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

/// Most places that one finding lists; the count goes on.
pub const MAX_PLACES: usize = 20;

/// What a finding does to the verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Gravity {
    /// Exit 3: not verified.
    Failed,
    /// Exit 4: verified, but something that could have been checked was not, or is doubtful.
    Incomplete,
    /// Worth knowing; the verdict stays.
    Notice,
}

macro_rules! findings {
    ($($variant:ident $name:literal $gravity:ident $explanation:literal $remedy:literal;)*) => {
        /// A finding's name. The set is closed; names are part of the format.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {$(
            #[doc = concat!("`", $name, "`: ", $explanation)]
            $variant,
        )*}

        impl Code {
            /// Every finding, gravest first.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The name, as written in reports.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// What it does to the verdict.
            pub const fn gravity(self) -> Gravity {
                match self { $(Self::$variant => Gravity::$gravity,)* }
            }

            /// What was found, for somebody who has never seen the format.
            pub const fn explanation(self) -> &'static str {
                match self { $(Self::$variant => $explanation,)* }
            }

            /// What to do about it.
            pub const fn remedy(self) -> &'static str {
                match self { $(Self::$variant => $remedy,)* }
            }
        }
    };
}

findings! {
    Changed "changed" Failed
        "Something is not what was signed or recorded: bytes were altered, or a record and its statement disagree."
        "Do not rely on this copy. Ask for the bundle again and compare both.";
    Missing "missing" Failed
        "Something that was listed, counted or referred to is not there."
        "Ask for a complete bundle. If it comes without it again, ask why it was taken out.";
    Extra "extra" Failed
        "Something is there that nothing signed accounts for."
        "Do not rely on the additional material. Ask for the bundle again.";
    Reordered "reordered" Failed
        "Records do not stand in the order of the log."
        "Ask for the bundle again; an honest export writes records in order.";
    Truncated "truncated" Failed
        "A sequence of records went on before this bundle was made, and its last records were left out."
        "Ask for a bundle with the whole sequence. The public log proves that more existed.";
    Forked "forked" Failed
        "There are two versions of the same history: a second record in one place, or a second log."
        "Keep both versions. Whoever runs the vault must explain; compare with witnesses, mirrors and receipts.";
    Repeated "repeated" Failed
        "One act of one person was recorded twice."
        "Ask the vault's operator. A statement may be recorded once only.";
    BadSignature "bad-signature" Failed
        "A signature does not verify."
        "Whatever it should have vouched for is not vouched for. Ask for the bundle again.";
    KeyRevoked "key-revoked" Failed
        "Something was signed with a key after that key had been revoked."
        "Treat the act as not done by that person, and ask the person.";
    UnknownSigner "unknown-signer" Failed
        "The signer is not the one you trust, or nobody vouched for the key."
        "Compare the fingerprint with the one on paper. If it differs, the bundle comes from somebody else.";
    RuleBroken "rule-broken" Failed
        "An act was recorded that the rules of custody do not allow: a missing role, offer, member or approver."
        "The vault must not have admitted it. Ask who did it and why.";
    TimeContradicted "time-contradicted" Failed
        "The recorded times cannot be true."
        "Rely on the order of records only, and ask for the vault's clock records.";
    ReceiptNotCovered "receipt-not-covered" Failed
        "Somebody holds a receipt for a record that belongs here and is not here."
        "The bundle is incomplete. The receipt itself proves that the record was made.";
    NotPinned "not-pinned" Incomplete
        "Nobody told this program which vault to trust; what is inside the bundle proves nothing about who made it."
        "Give the vault's fingerprint from paper (--fingerprint) or a trust file (--trust).";
    NotAudited "not-audited" Incomplete
        "The log's public entries were not given, so that completeness is the vault's signed claim only."
        "Get the public entries from any mirror and give them (--entries).";
    NotWitnessed "not-witnessed" Incomplete
        "No independent witness confirmed the log; order and revocations rest on the vault's word."
        "Give a trust file that names witnesses (--trust), and ask for a bundle with their cosignatures.";
    NotTimestamped "not-timestamped" Incomplete
        "No independent time stamp says, or none says closely, when this was recorded: that is the vault's own word."
        "Give the roots of timestamp authorities (--timestamp-roots), and ask for a bundle with time stamps.";
    NotDisclosed "not-disclosed" Incomplete
        "Something recorded was left out of the bundle on purpose; digest and records stand in for it."
        "Ask for it, if you are entitled to it.";
    KeySuspect "key-suspect" Incomplete
        "A key or a person was reported as in other hands; what was said in that time is doubtful."
        "Ask the owner about each act listed.";
    KeyUnproven "key-unproven" Incomplete
        "Nobody who knew the person vouched for the key that the person used."
        "Ask how the person's key was handed over.";
    NotVaultVerified "not-vault-verified" Incomplete
        "A digest was computed by the person alone; the vault never saw the bytes."
        "Compare the digest with the bytes wherever they are kept.";
    RecoveredGap "recovered-gap" Incomplete
        "The vault lost published records and was restored; some records cannot be opened."
        "Ask for receipts of the time before the restore.";
    LogContinued "log-continued" Incomplete
        "The log's key was given up; nobody outside confirmed these records before the log went on under another name."
        "Ask for receipts of that time, and compare: whoever had the key could have signed other records in their place.";
    OnBehalf "on-behalf" Notice
        "The vault signed for a person who was signed in; that the person asked for it is the vault's word."
        "Ask the person, if the act matters.";
    FieldWithheld "field-withheld" Notice
        "Personal values were kept back; only commitments to them are here."
        "Ask for the opening of a particular field, if it matters.";
    Disposed "disposed" Notice
        "An exhibit's content was destroyed, on record, after two persons had approved it; its digest and records stay."
        "Read in the timeline who asked for it, why and who agreed. Ask for a copy that was exported before, if it matters.";
    Erased "erased" Notice
        "Personal values were destroyed, on record, after two persons had approved it; commitments to them stay."
        "Read in the timeline who asked for it, why and who agreed. An older copy of the bundle may hold them.";
    Continued "continued" Notice
        "The history went on after this bundle was made."
        "Ask for a newer bundle, if later events matter.";
    ReceiptNewer "receipt-newer" Notice
        "A receipt is about something after this bundle was made."
        "Ask for a newer bundle and check the receipt against it.";
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.name())
    }
}

/// Where something was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Place {
    /// What exactly, as part of a sentence; control characters are shown as `\u{…}`.
    pub detail: String,
    /// Log index of the record concerned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub index: Option<u64>,
    /// File of the bundle, or what else was given (`entries`, `receipt`).
    pub path: String,
}

/// One finding with its places.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Its name.
    pub code: Code,
    /// How often; `places` lists the first [`MAX_PLACES`].
    pub count: u64,
    /// Where.
    pub places: Vec<Place>,
}

/// Findings as they are collected.
#[derive(Debug, Clone, Default)]
pub struct Findings(BTreeMap<Code, Finding>);

impl Findings {
    /// Notes one finding in `path`, at a log index where there is one.
    pub fn note(&mut self, code: Code, path: &str, index: Option<u64>, detail: impl AsRef<str>) {
        let finding = self.0.entry(code).or_insert_with(|| Finding { code, count: 0, places: Vec::new() });
        finding.count += 1;
        if finding.places.len() < MAX_PLACES {
            // Names and values come from foreign hands: nothing of theirs may steer a terminal.
            let plain = |text: &str| text.chars().flat_map(printable).collect::<String>();
            finding.places.push(Place { detail: plain(detail.as_ref()), index, path: plain(path) });
        }
    }

    /// Whether a finding was noted.
    pub fn has(&self, code: Code) -> bool {
        self.0.contains_key(&code)
    }

    /// The findings, gravest first.
    pub fn into_vec(self) -> Vec<Finding> {
        self.0.into_values().collect()
    }

    /// 3, 4 or 0, from the gravest finding.
    pub fn exit_code(&self) -> u8 {
        let gravest = self.0.keys().map(|code| code.gravity()).min();
        match gravest {
            Some(Gravity::Failed) => 3,
            Some(Gravity::Incomplete) => 4,
            Some(Gravity::Notice) | None => 0,
        }
    }
}

/// The character, or its escape where it could steer a terminal or hide what stands beside it.
pub(super) fn printable(c: char) -> impl Iterator<Item = char> {
    let steers = c.is_control() || is_invisible(c);
    let plain = (!steers).then_some(c);
    let escaped = steers.then(|| c.escape_unicode());
    plain.into_iter().chain(escaped.into_iter().flatten())
}

/// Characters that turn the direction of text or cannot be seen.
pub(super) const fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gravest_finding_decides() {
        let mut findings = Findings::default();
        assert_eq!(findings.exit_code(), 0);
        findings.note(Code::Continued, "entries", None, "");
        assert_eq!(findings.exit_code(), 0);
        findings.note(Code::NotPinned, "", None, "");
        assert_eq!(findings.exit_code(), 4);
        findings.note(Code::Changed, "a", Some(1), "");
        assert_eq!(findings.exit_code(), 3);
    }

    #[test]
    fn names_are_unique_and_codes_are_sorted_by_gravity() {
        let names: std::collections::BTreeSet<_> = Code::ALL.iter().map(|code| code.name()).collect();
        assert_eq!(names.len(), Code::ALL.len());
        assert!(Code::ALL.is_sorted_by_key(|code| code.gravity()));
    }

    #[test]
    fn places_are_capped_and_terminal_codes_are_shown() {
        let mut findings = Findings::default();
        for _ in 0..50 {
            findings.note(Code::Extra, "a\u{1b}[31m\u{202e}", None, "b\n");
        }
        let finding = findings.into_vec().remove(0);
        assert_eq!((finding.count, finding.places.len()), (50, MAX_PLACES));
        assert_eq!(finding.places[0].path, "a\\u{1b}[31m\\u{202e}");
        assert_eq!(finding.places[0].detail, "b\\u{a}");
    }
}
