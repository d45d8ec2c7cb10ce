//! The receipts that a person keeps: one file a record, never changed, never deleted.
//!
//! A receipt is checked before it is kept. One that does not hold is kept too, apart, as evidence.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use custody::digest::Digest;
use custody::kind::Kind;
use custody::receipt::{Checked, Receipt};

use super::ask::{Ask, Voice};
use super::error::ReceiptProblem;
use super::secret::file;
use super::{ClientError, VaultTrust};

/// A folder of receipts.
#[derive(Debug, Clone)]
pub struct Receipts {
    folder: PathBuf,
}

/// What a receipt must be the receipt of.
#[derive(Debug, Clone, Copy)]
pub enum Of<'a> {
    /// Of exactly this envelope, which was signed here.
    Envelope(&'a [u8]),
    /// Of a statement that the vault signed for the person.
    OnBehalf(&'a Ask, &'a Voice),
    /// Of what the vault itself composed, of one of these kinds.
    Kinds(&'a [Kind]),
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
                let path = self.folder.join(format!("{}.json", checked.record_hash));
                write_once(&path, bytes)?;
                Ok(Kept { checked, path })
            }
            Err(source) => {
                let kept = self.folder.join(format!("refused-{}.json", Digest::of(bytes)));
                write_once(&kept, bytes)?;
                Err(ClientError::Receipt { kept, source })
            }
        }
    }
}

/// Append only: the first receipt of a record stays.
fn write_once(path: &Path, bytes: &[u8]) -> Result<(), ClientError> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(mut new) => new.write_all(bytes).and_then(|()| new.sync_data()).map_err(file(path)),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(file(path)(error)),
    }
}

fn check(bytes: &[u8], trust: &VaultTrust, of: Of<'_>) -> Result<Checked, ReceiptProblem> {
    let receipt = Receipt::parse(bytes)?;
    let checked = receipt.check(&trust.fingerprint(), trust.log())?;
    match of {
        Of::Envelope(sent) if *receipt.envelope != *sent => return Err(ReceiptProblem::OtherEnvelope),
        Of::OnBehalf(ask, voice) => {
            ask.compare(&checked.statement, voice).map_err(ReceiptProblem::NotAsked)?;
        }
        Of::Kinds(kinds) if !kinds.contains(&checked.statement.kind) => {
            return Err(ReceiptProblem::OtherKind(checked.statement.kind));
        }
        Of::Envelope(_) | Of::Kinds(_) => {}
    }
    // What carries the vault's key must be signed with it; whose other keys are is for the verifier to say.
    if checked.statement.actor_key == trust.key_hash() {
        let envelope =
            custody::envelope::Envelope::parse(&receipt.envelope, custody::envelope::PayloadType::Statement)?;
        envelope.verify(0, trust.key())?;
    }
    Ok(checked)
}
