//! Why the keyring stays shut, and what mends it.

use std::io;
use std::path::PathBuf;

/// Why keys cannot be created or opened. [`remedy`](Self::remedy) says what to do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyringError {
    /// There is no key directory.
    #[error("there is no key directory at {0}")]
    NoDirectory(PathBuf),
    /// A key file that must be there is not. It is never made anew: what it encrypted would be lost for ever.
    #[error("the key file {0} is missing")]
    Missing(PathBuf),
    /// Keys are created only where there is nothing yet.
    #[error("{0} is not empty")]
    NotEmpty(PathBuf),
    /// Others than the owner may read or change a key.
    #[error("{path} has mode {mode:04o}, which lets others than its owner in")]
    Permissions {
        /// What is open to others.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
        /// The bits it should have.
        wanted: u32,
    },
    /// A file is not a key file of version 1, or its name and its content disagree.
    #[error("{path} is not a key file: {reason}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Which rule it breaks.
        reason: &'static str,
    },
    /// The file is protected otherwise than the keyring was asked to open it.
    #[error("{path} is protected by `{found}`, not by `{wanted}`")]
    OtherProvider {
        /// The file.
        path: PathBuf,
        /// What the file names.
        found: String,
        /// What was configured.
        wanted: &'static str,
    },
    /// The passphrase does not open the file.
    #[error("the passphrase does not open {0}")]
    WrongPassphrase(PathBuf),
    /// The key is not the one whose check value stands beside it or in the vault.
    #[error("the key in {0} is not the one this vault was made with")]
    Canary(PathBuf),
    /// The key is published in this project's sources.
    #[error("{0} is a sample key that everybody knows")]
    Sample(PathBuf),
    /// A file could not be read or written.
    #[error("cannot use {path}")]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The passphrase could not be turned into a key.
    #[error("cannot derive a key from the passphrase: {0}")]
    Derivation(String),
}

impl KeyringError {
    /// What to do, in one or two sentences.
    pub fn remedy(&self) -> String {
        match self {
            Self::NoDirectory(path) => format!(
                "restore the key directory {} from its backup; for a new vault, create one with `custos init`",
                path.display()
            ),
            Self::Missing(path) => format!(
                "restore {} from the backup of the keys; without it what it protects cannot be opened",
                path.display()
            ),
            Self::NotEmpty(path) => {
                format!("choose another directory, or open the keys that are in {}", path.display())
            }
            Self::Permissions { path, wanted, .. } => format!("chmod {wanted:04o} {}", path.display()),
            Self::Malformed { path, .. } => {
                format!("restore {} from the backup of the keys; do not edit it", path.display())
            }
            Self::OtherProvider { found, .. } => {
                format!(
                    "the file is protected by `{found}`: give the passphrase (CUSTOS_PASSPHRASE_FILE) exactly if \
                     that is `passphrase`"
                )
            }
            Self::WrongPassphrase(_) => {
                "check the passphrase (keyboard layout, capitals) and try again".into()
            }
            Self::Canary(path) => format!(
                "restore the right {} from the backup of the keys; this one opens nothing here",
                path.display()
            ),
            Self::Sample(_) => {
                "create keys of your own with `custos init`; sample keys protect nothing".into()
            }
            Self::Io { path, .. } => {
                format!(
                    "check that {} exists, that its disk has room and that this user may use it",
                    path.display()
                )
            }
            Self::Derivation(_) => {
                "free some memory; deriving a key needs as much as the key file says".into()
            }
        }
    }
}
