//! The court's verifier: reads a bundle, replays its history, names what it finds.
//!
//! The order of work: the bag's files against its lists ([`bag`]); record 0, the signatures over everything and the
//! checkpoint ([`identity`]); every record against chain, tags and tree ([`records`]) and every statement against its
//! signatures and the rules ([`statements`]), both against what outsiders saw and when ([`timestamps`]); exhibits and derived files ([`exhibits`]); at last the public entries
//! ([`entries`]). Memory is proportional to the number of records and files only by small keys.
//! Signatures are collected and checked by whoever the caller names ([`super::checks`]).

mod bag;
mod carriage;
mod derived;
mod entries;
mod erased;
mod exhibits;
mod identity;
mod log_keys;
mod next;
mod people;
mod produced;
mod receipts;
mod records;
mod recoveries;
mod sealed;
mod statements;
mod timestamps;

use super::checks::{Checker, Here, Lost};
use super::findings::{Code, Findings};
use super::read::{Entries, Files, ReadError};
use super::report::{Facts, LIMITS, Report, verdict};
use crate::digest::Digest;
use crate::policy::Policy;
use crate::receipt::Receipt;
use crate::statement::Version;
use crate::timestamp::Anchors;
use bag::Bag;
use entries::Audit;
use exhibits::Exhibits;
use identity::Identity;
use records::Replay;
use timestamps::Timestamps;

/// Whom the verifier trusts; never anything out of the bundle.
#[derive(Debug, Clone, Default)]
pub struct Trust {
    /// The vault's fingerprint, hash of record 0: from paper or a register.
    pub fingerprint: Option<Digest>,
    /// Logs and witnesses (C2SP tlog-policy). A vault is the one it should be as well if its log is listed here.
    pub policy: Option<Policy>,
    /// Roots of timestamp authorities.
    pub timestamps: Option<Anchors>,
}

/// The log's public entries, from any mirror.
pub struct PublicEntries<'a> {
    /// All entries from index 0, at least up to the bundle's checkpoint.
    pub entries: &'a mut dyn Entries,
    /// The mirror's own checkpoint (a signed note), over the entries given or fewer.
    pub checkpoint: Option<&'a [u8]>,
    /// Receipts of the records that replaced the log's key, in the order of the log, as the mirror has them: its
    /// checkpoint may stand under a key that is younger than the bundle.
    pub keys: &'a [Receipt],
}

impl core::fmt::Debug for PublicEntries<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("PublicEntries(..)")
    }
}

/// Why there is no verdict. Whatever the bytes of a bundle are, they lead to findings and never here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// The medium failed.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Whoever checked the signatures went away.
    #[error(transparent)]
    Lost(#[from] Lost),
}

/// Checks a bundle.
pub fn verify(
    files: &mut dyn Files,
    trust: &Trust,
    public: Option<PublicEntries<'_>>,
    receipts: &[Receipt],
) -> Result<Report, VerifyError> {
    verify_by(&mut Here, files, trust, public, receipts)
}

/// Checks a bundle, and has the signatures of its statements checked by `checker`. The report is the same to the byte.
pub fn verify_by(
    checker: &mut dyn Checker,
    files: &mut dyn Files,
    trust: &Trust,
    public: Option<PublicEntries<'_>>,
    receipts: &[Receipt],
) -> Result<Report, VerifyError> {
    let mut notes = Notes::default();
    verify_into(checker, files, trust, public, receipts, &mut notes)?;
    let exit_code = notes.findings.exit_code();
    Ok(Report {
        exit_code,
        facts: notes.facts,
        findings: notes.findings.into_vec(),
        limits: LIMITS,
        not_checked: notes.not_checked,
        v: Version,
        verdict: verdict(exit_code),
    })
}

/// Most lines about what was not checked.
const MAX_NOT_CHECKED: usize = 200;

/// What is collected on the way.
#[derive(Debug, Default)]
struct Notes {
    findings: Findings,
    facts: Facts,
    not_checked: Vec<String>,
}

impl Notes {
    fn find(&mut self, code: Code, path: &str, index: Option<u64>, detail: impl AsRef<str>) {
        self.findings.note(code, path, index, detail);
    }

    fn skip(&mut self, what: impl Into<String>) {
        // A hostile bundle decides how many there are.
        if self.not_checked.len() < MAX_NOT_CHECKED {
            self.not_checked.push(what.into());
        }
    }
}

fn verify_into(
    checker: &mut dyn Checker,
    files: &mut dyn Files,
    trust: &Trust,
    public: Option<PublicEntries<'_>>,
    receipts: &[Receipt],
    notes: &mut Notes,
) -> Result<(), VerifyError> {
    let Some(bag) = Bag::open(files, notes)? else { return Ok(()) };
    let Some(identity) = Identity::establish(files, &bag, trust, notes)? else {
        notes.skip("records, exhibits and log: record 0, bundle.json or the checkpoint cannot be used");
        return Ok(());
    };
    let logs = receipts::followed(&identity, receipts, public.as_ref().map_or(&[], |public| public.keys));
    let receipts = receipts::Receipts::check(receipts, &identity, &logs, notes);
    let mut exhibits = Exhibits::default();
    let times = Timestamps::check(files, &bag, &identity, trust, notes)?;
    let mut replay = Replay::new(&identity, receipts, times, checker);
    replay.run(files, &bag, &mut exhibits, notes)?;
    exhibits.check(files, &bag, &identity, &replay, notes)?;
    let anchors = replay.check_log_keys(&logs, trust, notes);
    if public.is_none() && !anchors.is_empty() {
        notes.skip("whether the log that went on under another name extends the one before: that takes public entries");
    }
    let audit = Audit::new(&identity, &mut replay, anchors, notes);
    audit.run(public, &logs, trust, notes).map_err(VerifyError::from)
}
