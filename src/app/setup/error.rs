//! Why a vault cannot be set up or opened, and what to do about it.

use crate::app::AppError;
use crate::app::recover::RecoverError;
use crate::app::signin::BreachedError;
use crate::blobs::BlobsError;
use crate::http::tls::TlsError;
use crate::keyring::KeyringError;
use crate::notices::NoticesError;
use crate::ops::backup::BackupError;
use crate::providers::ProvidersError;
use crate::publish::StartError;
use crate::publish::witnesses::WitnessesError;
use crate::sequencer::GenesisError;
use crate::store::StoreError;
use crate::timestamps::AuthoritiesError;

/// Why a vault cannot be set up or opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SetupError {
    /// A directory that cannot be made or used.
    #[error("cannot use {path}")]
    Directory {
        /// Which.
        path: std::path::PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// The keys.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// The list of stolen passwords cannot be used.
    #[error(transparent)]
    Breached(#[from] BreachedError),
    /// The database.
    #[error("cannot use the database")]
    Store(#[from] StoreError),
    /// The object store.
    #[error("cannot use the object store")]
    Blobs(#[from] BlobsError),
    /// The certificate.
    #[error("cannot set up TLS")]
    Tls(#[from] TlsError),
    /// The origin is not one.
    #[error("origin: {0}")]
    Origin(String),
    /// Record 0 was not written.
    #[error("cannot create the vault")]
    Genesis(#[from] GenesisError),
    /// The database belongs to other keys, or the keys to another database.
    #[error("the keys are not those of the vault in the database ({0})")]
    OtherKeys(&'static str),
    /// The database could not be copied before its schema is brought up to date.
    #[error("cannot copy the database before its schema is brought up to date")]
    Copy(#[source] BackupError),
    /// What was published says otherwise than the database.
    #[error(transparent)]
    Published(StartError),
    /// The witnesses cannot be asked.
    #[error("cannot use the witnesses")]
    Witnesses(#[from] WitnessesError),
    /// The timestamp authorities cannot be asked.
    #[error("cannot use the timestamp authorities")]
    Authorities(#[from] AuthoritiesError),
    /// Nobody can be told that something happened.
    #[error("cannot use the notices")]
    Notices(#[from] NoticesError),
    /// Nobody can be sent to a provider.
    #[error("cannot use the providers")]
    Providers(#[from] ProvidersError),
    /// No next key was made for the log.
    #[error("the log has its first key, and no next one was made")]
    NoNextKey,
    /// The log's next key is not recorded.
    #[error("cannot record the log's next key")]
    LogKey(#[source] AppError),
    /// The vault's keys are not wrapped anew.
    #[error("cannot replace the key encryption key")]
    Kek(#[source] AppError),
    /// A first statement failed.
    #[error("cannot record the first organisation and person")]
    First(#[source] AppError),
    /// The log cannot go on behind what is lost.
    #[error(transparent)]
    Lost(Box<RecoverError>),
}

impl SetupError {
    /// What to do about it.
    pub fn remedy(&self) -> String {
        match self {
            Self::Directory { path, .. } => {
                format!("make {} a directory that this user may write", path.display())
            }
            Self::Keyring(error) => error.remedy(),
            Self::Breached(_) => "`breached_passwords` names a readable file with SHA-1 in capital hexadecimal, a line each, in \
                                  order; or leave it out"
                .to_owned(),
            Self::Store(_) => "check `database_url`; for a new vault run `custos init` first".to_owned(),
            Self::Copy(error) => error.remedy(),
            Self::Blobs(_) => "check `blobs_url`: the folder must exist and be mounted".to_owned(),
            Self::Tls(_) => {
                "check `tls`: PEM files, certificate chain first; and `client_ca` and `client_crls`, where they are set"
                    .to_owned()
            },
            Self::Origin(_) => {
                "choose an `origin` like https://vault.example.org: the address that people type".to_owned()
            }
            Self::Genesis(_) | Self::First(_) => "choose an empty database and data directory".to_owned(),
            Self::Published(error) => error.remedy(),
            Self::Witnesses(_) => {
                "check `witnesses` (a C2SP tlog-policy whose witnesses have addresses) and `witness_roots` (PEM)"
                    .to_owned()
            }
            Self::Authorities(_) => "check `timestamps` (addresses), `timestamp_roots` (PEM) and `timestamp_hours`; \
                                     docs/OPERATIONS.md, \"Time stamps\", says where roots come from"
                .to_owned(),
            Self::Notices(_) => "check the file that `notices` names (mode 0600): docs/OPERATIONS.md, \"Notices\", shows one"
                .to_owned(),
            Self::Providers(_) => "check the file that `providers` names, and the secrets that it names (mode 0600): \
                                   docs/OPERATIONS.md, \"Providers\", shows one"
                .to_owned(),
            Self::NoNextKey => "make it first: custos key rotate-log --prepare".to_owned(),
            Self::Lost(error) => error.remedy(),
            Self::LogKey(_) => {
                "nothing was recorded, and the vault keeps its key: repeat the command; the key that was made is taken"
                    .to_owned()
            }
            Self::Kek(_) => {
                "nothing is lost, and every key opens as before: repeat the command, it goes on where it broke off".to_owned()
            }
            Self::OtherKeys(_) => {
                "restore the keyring that belongs to this database, or the other way round".to_owned()
            }
        }
    }
}

impl From<StartError> for SetupError {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Store(error) => Self::Store(error),
            StartError::Blobs(error) => Self::Blobs(error),
            other => Self::Published(other),
        }
    }
}
