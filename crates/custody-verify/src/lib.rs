//! How `custody-verify` and `custos verify` read a bundle: folder or ZIP, trust, entries and receipts from files, a
//! report on standard output. All judging is done by [`custody::bundle::verify`].

mod entries;
mod folder;
mod open;
mod pool;
mod zip;

use std::fs::File;
use std::io::{self, Read as _, Write};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::thread::available_parallelism;

use custody::bundle::findings::Gravity;
use custody::bundle::{Entries, Files, PublicEntries, Report, Trust, VerifyError, verify_by};
use custody::digest::Digest;
use custody::log_keys::{MAX_CHANGES_BYTES, parse_changes};
use custody::note::MAX_NOTE_LEN;
use custody::policy::{MAX_POLICY_LEN, Policy};
use custody::receipt::{MAX_RECEIPT_BYTES, Receipt};
use custody::record::ENTRY_BYTES;
use custody::timestamp::{Anchors, MAX_LEN};

use entries::{EntriesFile, MirrorFolder};
use folder::Folder;
use zip::Zip;

pub use open::{Opened, open_sealed};

/// Exit code of a failure that is no verdict.
pub const FAILURE: u8 = 1;
/// Exit code of wrong usage.
pub const USAGE: u8 = 2;

/// Most public entries that are read: far above any log, and an end to every reading.
const MAX_ENTRIES: u64 = 1 << 32;

/// What to verify, and whom to trust.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// The bundle: a folder, or a ZIP file
    pub bundle: PathBuf,

    /// The vault's fingerprint, 64 hexadecimal digits, from paper or a public register
    #[arg(long, value_name = "HEX")]
    pub fingerprint: Option<Digest>,

    /// A trust file: logs and witnesses that you trust (C2SP tlog-policy)
    #[arg(long, value_name = "FILE")]
    pub trust: Option<PathBuf>,

    /// Root certificates of timestamp authorities that you trust, in PEM
    #[arg(long, value_name = "FILE")]
    pub timestamp_roots: Option<PathBuf>,

    /// The log's public entries, from anybody: a mirror's folder, or a file of 97 bytes each
    #[arg(long, value_name = "FILE|DIR")]
    pub entries: Option<PathBuf>,

    /// The checkpoint to be met by the entries; a mirror's folder has its own
    #[arg(long, value_name = "FILE", requires = "entries")]
    pub checkpoint: Option<PathBuf>,

    /// Receipts that somebody kept; each must be covered by the bundle
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub receipt: Vec<PathBuf>,

    /// Threads that check signatures; without it as many as there are processor cores
    #[arg(long, value_name = "COUNT")]
    pub threads: Option<NonZeroUsize>,

    /// A court's own key, as age-keygen wrote it: opens what the bundle carries sealed to it, once the bundle verifies
    #[arg(long, value_name = "FILE", requires = "into")]
    pub open_with: Option<PathBuf>,

    /// The folder into which it is opened
    #[arg(long, value_name = "DIR", requires = "open_with")]
    pub into: Option<PathBuf>,

    /// Print the report as one JSON document
    #[arg(long)]
    pub json: bool,
}

/// Why there is no verdict.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// A file cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The bundle's medium failed while it was read, or a thread did while it was checked.
    #[error("cannot check the bundle: {0}")]
    Bundle(#[from] VerifyError),
    /// The bundle, or a file given to judge it by, is not what it should be.
    #[error("{path} is not {what}: {why}")]
    Given {
        /// Which file.
        path: PathBuf,
        /// What it should be.
        what: &'static str,
        /// Which rule it breaks.
        why: String,
    },
    /// What was opened cannot be written.
    #[error("cannot write {path}: {source}")]
    Open {
        /// Which file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The report cannot be written.
    #[error("cannot write the report: {0}")]
    Write(io::Error),
}

impl Failure {
    /// 1, or 2 where other arguments would help.
    pub const fn exit_code(&self) -> u8 {
        if matches!(self, Self::Given { .. }) { USAGE } else { FAILURE }
    }

    /// What to do about it.
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Read { .. } => "check the path and that you may read it",
            Self::Bundle(VerifyError::Lost(_)) => {
                "try again with --threads 1; if it happens again, report it: this is no verdict about the bundle"
            }
            Self::Bundle(_) => "copy the bundle to another disk and try again; this is no verdict about it",
            Self::Given { .. } => "leave the file out, or get it again from where it came",
            Self::Open { .. } => "name an empty folder of your own (--into): nothing is ever overwritten",
            Self::Write(_) => "write to another place",
        }
    }
}

/// Verifies and returns the report.
pub fn run(args: &Args) -> Result<Report, Failure> {
    let trust = Trust {
        fingerprint: args.fingerprint,
        policy: args.trust.as_deref().map(read_policy).transpose()?,
        timestamps: args.timestamp_roots.as_deref().map(read_roots).transpose()?,
    };
    let receipts = args.receipt.iter().map(|path| read_receipt(path)).collect::<Result<Vec<_>, _>>()?;
    let checkpoint = args
        .checkpoint
        .as_deref()
        .map(|path| read_file(path, "a checkpoint", MAX_NOTE_LEN as u64))
        .transpose()?;
    let mut given = args.entries.as_deref().map(open_entries).transpose()?;
    let keys = args.entries.as_deref().map(read_keys).transpose()?.unwrap_or_default();
    let public = given.as_mut().map(|(entries, own)| PublicEntries {
        entries: &mut **entries,
        checkpoint: checkpoint.as_deref().or(own.as_deref()),
        keys: &keys,
    });
    let mut files = open(&args.bundle)?;
    let threads = args.threads.or_else(|| available_parallelism().ok()).unwrap_or(NonZeroUsize::MIN);
    let checked =
        pool::with_threads(threads, |checker| verify_by(checker, &mut *files, &trust, public, &receipts));
    Ok(checked?)
}

/// Writes a report as JSON or text; `colour` marks the verdict on a terminal.
pub fn print(report: &Report, json: bool, colour: bool, out: &mut dyn Write) -> Result<(), Failure> {
    let mut text = if json {
        let mut bytes = report.to_json();
        bytes.push(b'\n');
        bytes
    } else {
        report.to_text().into_bytes()
    };
    if colour && !json && text.starts_with(report.verdict.as_bytes()) {
        let code = match report.findings.iter().map(|finding| finding.code.gravity()).min() {
            Some(Gravity::Failed) => "31",
            Some(Gravity::Incomplete) => "33",
            Some(Gravity::Notice) | None => "32",
        };
        let rest = text.split_off(report.verdict.len());
        text = [format!("\u{1b}[1;{code}m{}\u{1b}[0m", report.verdict).into_bytes(), rest].concat();
    }
    out.write_all(&text).and_then(|()| out.flush()).map_err(Failure::Write)
}

/// Says what was opened and what was not, beside the report, which may be JSON; whether all of it was.
pub fn print_opened(opened: &[Opened], out: &mut dyn Write) -> Result<bool, Failure> {
    for Opened { exhibit, result } in opened {
        match result {
            Ok((file, digest)) => {
                writeln!(out, "{exhibit} opened: {} (SHA-256 {digest}, as on record)", file.display())
            }
            Err(why) => writeln!(out, "{exhibit} NOT opened: {why}\nhint: {}", why.hint()),
        }
        .map_err(Failure::Write)?;
    }
    Ok(opened.iter().all(|opened| opened.result.is_ok()))
}

/// Opens a folder or a ZIP file.
pub fn open(path: &Path) -> Result<Box<dyn Files>, Failure> {
    let failed = |source| Failure::Read { path: path.to_owned(), source };
    if std::fs::metadata(path).map_err(failed)?.is_dir() {
        Ok(Box::new(Folder::new(path)))
    } else {
        let (file, _) = open_regular(path, "a bundle")?;
        Ok(Box::new(Zip::new(file)))
    }
}

/// Public entries, and the checkpoint that lies beside them in a mirror's folder.
type Given = (Box<dyn Entries>, Option<Vec<u8>>);

/// The entries of a file or of a mirror's folder.
fn open_entries(path: &Path) -> Result<Given, Failure> {
    if path.is_dir() {
        let own = path.join("checkpoint");
        let checkpoint = read_file(&own, "a checkpoint", MAX_NOTE_LEN as u64)?;
        let mirror =
            MirrorFolder::new(path, &checkpoint).map_err(|error| given(&own, "a checkpoint", &error))?;
        return Ok((Box::new(mirror), Some(checkpoint)));
    }
    open_entries_file(path).map(|file| (Box::new(file) as Box<dyn Entries>, None))
}

/// What a mirror's folder says about the log's later keys.
fn read_keys(path: &Path) -> Result<Vec<Receipt>, Failure> {
    let path = path.join("keys");
    if !path.is_file() {
        return Ok(Vec::new());
    }
    let what = "what a log says about its keys";
    let text = read_file(&path, what, MAX_CHANGES_BYTES as u64)?;
    parse_changes(&text).map_err(|error| given(&path, what, &error))
}

fn open_entries_file(path: &Path) -> Result<EntriesFile, Failure> {
    let what = "the log's public entries";
    let (file, size) = open_regular(path, what)?;
    let wrong = |why: String| Failure::Given { path: path.to_owned(), what, why };
    let entry = ENTRY_BYTES as u64;
    if size % entry != 0 {
        return Err(wrong(format!("entries have {entry} bytes each, and {size} is no multiple of that")));
    }
    if size / entry > MAX_ENTRIES {
        return Err(wrong(format!("it has {size} bytes, and more than {MAX_ENTRIES} entries are not read")));
    }
    Ok(EntriesFile::new(file.take(size)))
}

fn read_policy(path: &Path) -> Result<Policy, Failure> {
    let bytes = read_file(path, "a trust file", MAX_POLICY_LEN as u64)?;
    Policy::parse(&bytes).map_err(|error| given(path, "a trust file", &error))
}

fn read_roots(path: &Path) -> Result<Anchors, Failure> {
    let what = "a file of root certificates";
    let bytes = read_file(path, what, MAX_LEN as u64)?;
    Anchors::parse(&bytes).map_err(|error| given(path, what, &error))
}

fn read_receipt(path: &Path) -> Result<Receipt, Failure> {
    let bytes = read_file(path, "a receipt", MAX_RECEIPT_BYTES as u64)?;
    Receipt::parse(&bytes).map_err(|error| given(path, "a receipt", &error))
}

/// A file of at most `limit` bytes.
fn read_file(path: &Path, what: &'static str, limit: u64) -> Result<Vec<u8>, Failure> {
    let (file, size) = open_regular(path, what)?;
    if size > limit {
        let why = format!("it has {size} bytes, and {what} has at most {limit}");
        return Err(Failure::Given { path: path.to_owned(), what, why });
    }
    let mut bytes = Vec::new();
    file.take(size)
        .read_to_end(&mut bytes)
        .map_err(|source| Failure::Read { path: path.to_owned(), source })?;
    Ok(bytes)
}

/// Opens a regular file; its size. Devices and pipes are refused before they are opened: some never end, and opening
/// some waits for a writer.
fn open_regular(path: &Path, what: &'static str) -> Result<(File, u64), Failure> {
    let failed = |source| Failure::Read { path: path.to_owned(), source };
    let special = || Failure::Given {
        path: path.to_owned(),
        what,
        why: "it is not a regular file; write what it gives into one first".to_owned(),
    };
    if !std::fs::metadata(path).map_err(failed)?.is_file() {
        return Err(special());
    }
    let file = File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if metadata.is_file() { Ok((file, metadata.len())) } else { Err(special()) }
}

fn given(path: &Path, what: &'static str, error: &dyn std::error::Error) -> Failure {
    Failure::Given { path: path.to_owned(), what, why: error.to_string() }
}
