//! Why a request to a vault did not do what was asked.

use std::path::PathBuf;

use custody::commitment::OpeningError;
use custody::digest::Digest;
use custody::envelope::EnvelopeError;
use custody::receipt::ReceiptError;
use custody::statement::StatementError;

use super::ask::Difference;
use crate::api::Problem;

/// What can go wrong between a person's device and a vault. [`remedy`](Self::remedy) says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The vault refused, and says which rule.
    #[error("{}", .0.detail)]
    Refused(Box<Problem>),
    /// An error that is no problem document: something else than the vault answered, or a proxy stood between.
    #[error("the server answered {status} without saying why")]
    Http {
        /// HTTP status.
        status: u16,
    },
    /// No connection, or it broke.
    #[error("cannot reach {url}")]
    Network {
        /// The vault's address.
        url: String,
        /// What the network said.
        #[source]
        source: reqwest::Error,
    },
    /// The server shows another certificate than the pinned one.
    #[error("the server's certificate is not the pinned one: expected {expected}, found {found}")]
    Certificate {
        /// SHA-256 of the pinned certificate.
        expected: Digest,
        /// SHA-256 of the one shown.
        found: Digest,
    },
    /// An answer that is not what the contract promises.
    #[error("the vault's answer is not what the protocol says: {0}")]
    Protocol(&'static str),
    /// Record 0 does not prove the keys that the vault names, or is not the one on paper.
    #[error("this is not the vault of that fingerprint: {0}")]
    OtherVault(&'static str),
    /// What the vault gave to sign is not what was asked for. Nothing was signed.
    #[error("refused to sign: the prepared statement says something else than was asked ({0})")]
    NotAsked(Difference),
    /// What the vault gave to sign is not a statement. Nothing was signed.
    #[error("refused to sign: the prepared bytes are not a statement")]
    NotStatement(#[source] StatementError),
    /// The openings given along do not belong to the statement. Nothing was signed.
    #[error("refused to sign: the openings do not belong to the statement")]
    Openings(#[source] OpeningError),
    /// A receipt does not hold. Whatever the vault answered is not proven.
    #[error("ALARM: a receipt of this vault does not hold (kept as {})", kept.display())]
    Receipt {
        /// The refused bytes, kept as evidence.
        kept: PathBuf,
        /// What is wrong with it.
        #[source]
        source: ReceiptProblem,
    },
    /// An answer to a write carries no receipt for it.
    #[error("ALARM: the vault answered without a receipt for what was recorded")]
    NoReceipt,
    /// Bytes as read or as the vault reports them have another digest than they should.
    #[error("ALARM: digests disagree: {ours} here, {theirs} {place}")]
    Digest {
        /// Computed on this device.
        ours: Digest,
        /// Reported by the vault.
        theirs: Digest,
        /// Where the vault computed it.
        place: &'static str,
    },
    /// The key that should sign is not there, or does not open.
    #[error("{0}")]
    Key(String),
    /// A profile that cannot be used.
    #[error("profile {}: {problem}", path.display())]
    Profile {
        /// The profile's file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A file of this device.
    #[error("cannot use {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A file that others may read though it holds a secret.
    #[error("{} may be read by others (mode {mode:04o})", path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// What was given is not of the form that the protocol asks for.
    #[error("{0}")]
    Input(String),
    /// TLS could not be set up.
    #[error("cannot set up TLS: {0}")]
    Tls(String),
}

/// What is wrong with a receipt.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReceiptProblem {
    /// It does not hold in itself or against the pinned vault.
    #[error(transparent)]
    Check(#[from] ReceiptError),
    /// Its envelope is not the one that was sent.
    #[error("it is the receipt of another statement than the one sent")]
    OtherEnvelope,
    /// It records another act than the one asked for: of this kind.
    #[error("it records another act than the one asked for ({0})")]
    OtherAct(custody::kind::Kind),
    /// It records something else than was asked for.
    #[error("it records something else than was asked ({0})")]
    NotAsked(Difference),
    /// What the vault said in somebody's place or its own is not signed by the vault.
    #[error("its statement is not signed by the vault")]
    Signature(#[from] EnvelopeError),
}

impl ClientError {
    /// What to do about it, where there is something to do.
    pub fn remedy(&self) -> Option<String> {
        let text = match self {
            Self::Refused(problem) => return (!problem.remedy.is_empty()).then(|| problem.remedy.clone()),
            Self::Http { status: 502..=504 } => "the vault may be starting or overloaded: try again".into(),
            Self::Http { .. } => "check the address: it must be a vault's, without a path".into(),
            Self::Network { .. } => {
                "check that the vault runs and that the network reaches it; the same command can be repeated"
                    .into()
            }
            Self::Certificate { .. } => "somebody may stand between you and the vault. Compare the fingerprint \
                with the one that the vault's administrator gives you on paper or by voice, and only then: \
                custos login URL --fingerprint HEX …"
                .into(),
            Self::OtherVault(_) => "compare the vault's fingerprint with the one on paper".into(),
            Self::NotAsked(_) | Self::NotStatement(_) | Self::Openings(_) => {
                "do not repeat it before you know why: tell the vault's administrator and your own organisation"
                    .into()
            }
            Self::Receipt { .. } | Self::NoReceipt => "the vault's word and its log disagree. Keep the receipts \
                folder, and tell your own organisation and the vault's auditors"
                .into(),
            Self::Digest { .. } => "the bytes changed on the way or on disk: check the file and the disk, then \
                repeat"
                .into(),
            Self::Exposed { path, .. } => format!("chmod 0600 {}", path.display()),
            Self::Profile { .. } => "custos login URL --fingerprint HEX --vault-fingerprint HEX …".into(),
            Self::Protocol(_) => "client and vault may be of different versions: compare `custos --version`".into(),
            Self::Key(_) | Self::File { .. } | Self::Input(_) | Self::Tls(_) => return None,
        };
        Some(text)
    }
}
