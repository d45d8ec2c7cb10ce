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
