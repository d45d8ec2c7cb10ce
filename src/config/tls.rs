//! Where the server's certificate comes from.

use std::fmt;
use std::path::PathBuf;

/// The server's certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tls {
    /// Made at the first start; its fingerprint is what people pin.
    SelfSigned,
    /// PEM files of the operator's.
    Files {
        /// Certificate chain.
        cert: PathBuf,
        /// Private key.
        key: PathBuf,
    },
}

impl fmt::Display for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SelfSigned => f.write_str("self-signed"),
            Self::Files { cert, key } => write!(f, "cert {}, key {}", cert.display(), key.display()),
        }
    }
}

/// Whether whoever connects must show a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ClientCertificates {
    /// Who shows one shows one that counts; who shows none is asked for something else.
    #[default]
    Optional,
    /// Nothing is answered to who shows none, but that the vault is alive.
    Required,
}

impl ClientCertificates {
    pub(super) fn of(text: &str) -> Option<Self> {
        [Self::Optional, Self::Required].into_iter().find(|one| one.to_string() == text)
    }
}

impl fmt::Display for ClientCertificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Optional => "optional",
            Self::Required => "required",
        })
    }
}
