//! The receipts that a person keeps: one file a record, never changed, never deleted.
//!
//! A receipt is checked before it is kept. One that does not hold is kept too, apart, as evidence.

use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use custody::digest::Digest;
use custody::receipt::{Checked, Receipt};
use custody::statement::Statement;

use super::ask::{Ask, Voice};
use super::error::ReceiptProblem;
use super::secret::file;
use super::{ClientError, VaultTrust};
use crate::durable;

/// A folder of receipts.
#[derive(Debug, Clone)]
pub struct Receipts {
    folder: PathBuf,
}

/// What a receipt must be the receipt of.
#[derive(Clone, Copy)]
pub enum Of<'a> {
    /// Of exactly this envelope, which was signed here.
    Envelope(&'a [u8]),
    /// Of a statement that the vault signed for the person.
    OnBehalf(&'a Ask, &'a Voice),
    /// Of what the vault itself composed: a statement of which this is true.
    Composed(&'a (dyn Fn(&Statement) -> bool + Sync)),
}

impl fmt::Debug for Of<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Envelope(_) => "Envelope",
            Self::OnBehalf(..) => "OnBehalf",
            Self::Composed(_) => "Composed",
        })
    }
}

/// A receipt that holds.
#[derive(Debug, Clone)]
pub struct Kept {
    /// What it proves.
    pub checked: Checked,
    /// Where it lies.
    pub path: PathBuf,
}

impl Receipts {
    /// The folder, made if it is not there.
    pub fn open(folder: &Path) -> Result<Self, ClientError> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(file(folder))?;
        Ok(Self { folder: folder.to_owned() })
    }

    /// Checks a receipt against the vault and what was asked, and keeps it either way.
    pub fn check_and_keep(&self, bytes: &[u8], trust: &VaultTrust, of: Of<'_>) -> Result<Kept, ClientError> {
        match check(bytes, trust, of) {
            Ok(checked) => {
                // A record has many receipts, one a checkpoint since: the first one stays.
                let first = |found: &[u8]| {
                    let found = check(found, trust, Of::Composed(&|_| true));
                    found.is_ok_and(|found| found.record_hash == checked.record_hash)
                };
                let path = self.write_once(&format!("{}.json", checked.record_hash), bytes, first)?;
                Ok(Kept { checked, path })
            }
            Err(source) => {
                let name = format!("refused-{}.json", Digest::of(bytes));
                let kept = self.write_once(&name, bytes, |_| false)?;
                Err(ClientError::Receipt { kept, source })
            }
        }
    }

    /// A file appears complete or not at all. One that is there stays if it has the same bytes or `stays` says so; what
    /// a crash cut off is replaced.
    fn write_once(
        &self,
        name: &str,
        bytes: &[u8],
        stays: impl Fn(&[u8]) -> bool,
    ) -> Result<PathBuf, ClientError> {
        let path = self.folder.join(name);
        match fs::read(&path) {
            Ok(found) if found == bytes || stays(&found) => return Ok(path),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(file(&path)(error)),
        }
        // The name as well: a receipt that was shown must be there after a crash.
        durable::replace(&path, 0o600, bytes).map_err(file(&path))?;
        Ok(path)
    }
}

fn check(bytes: &[u8], trust: &VaultTrust, of: Of<'_>) -> Result<Checked, ReceiptProblem> {
    let receipt = Receipt::parse(bytes)?;
    let checked = receipt.check_with(&trust.fingerprint(), trust.logs())?;
    receipt.check_recoveries(trust.key())?;
    match of {
        Of::Envelope(sent) if *receipt.envelope != *sent => return Err(ReceiptProblem::OtherEnvelope),
        Of::OnBehalf(ask, voice) => {
            ask.compare(&checked.statement, voice).map_err(ReceiptProblem::NotAsked)?;
        }
        Of::Composed(asked) if !asked(&checked.statement) => {
            return Err(ReceiptProblem::OtherAct(checked.statement.kind));
        }
        Of::Envelope(_) | Of::Composed(_) => {}
    }
    // What carries the vault's key must be signed with it; whose other keys are is for the verifier to say.
    if checked.statement.actor_key == trust.key_hash() {
        let envelope =
            custody::envelope::Envelope::parse(&receipt.envelope, custody::envelope::PayloadType::Statement)?;
        envelope.verify(0, trust.key())?;
    }
    Ok(checked)
}
