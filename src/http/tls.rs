//! TLS: rustls with AWS-LC, TLS 1.3 and 1.2, a certificate of one's own or a self-signed one made at first start.

pub(crate) mod clients;
mod lists;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use custody::digest::Digest;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{NoServerSessionStorage, VerifierBuilderError};

pub use clients::Clients;

use crate::durable::{sync_dir, write_new};

/// Where certificate chain and key come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TlsSource {
    /// Made at first start under `<data_dir>/tls/`, kept from then on; clients pin its fingerprint.
    SelfSigned(PathBuf),
    /// PEM files of one's own.
    Files {
        /// Chain, end-entity certificate first.
        cert: PathBuf,
        /// Private key.
        key: PathBuf,
    },
}

/// Why TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file that cannot be read or written.
    #[error("cannot use {path}")]
    File {
        /// Which.
        path: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// A file that is not the PEM expected.
    #[error("{path} is not the PEM file expected")]
    Pem {
        /// Which.
        path: PathBuf,
        /// The cause.
        #[source]
        source: rustls::pki_types::pem::Error,
    },
    /// A PEM file without certificates.
    #[error("{0} holds no certificate")]
    Empty(PathBuf),
    /// The self-signed certificate could not be made.
    #[error("cannot make a certificate")]
    Make(#[from] rcgen::Error),
    /// A list of revoked certificates that is none.
    #[error("{path} cannot be used: {problem}")]
    List {
        /// Which.
        path: PathBuf,
        /// Why.
        problem: &'static str,
    },
    /// Nothing where lists of revoked certificates should be.
    #[error("{0} holds no list of revoked certificates")]
    NoList(PathBuf),
    /// Authorities and lists do not fit rustls.
    #[error("authorities or lists of revoked certificates cannot be used")]
    Clients(#[from] VerifierBuilderError),
    /// Certificate and key do not fit rustls.
    #[error("certificate and key cannot be used")]
    Rustls(#[from] rustls::Error),
}

/// A ready server configuration and what clients pin.
#[derive(Debug)]
pub struct Tls {
    /// For the listener.
    pub config: ServerConfig,
    /// SHA-256 of the end-entity certificate's DER.
    pub fingerprint: Digest,
}

impl Tls {
    /// Loads, or at first start makes, the certificate; asks whoever connects for one where there are `clients`.
    pub fn load(source: &TlsSource, clients: Option<Arc<Clients>>) -> Result<Self, TlsError> {
        let (cert, key) = match source {
            TlsSource::Files { cert, key } => (cert.clone(), key.clone()),
            TlsSource::SelfSigned(dir) => {
                let (cert, key) = (dir.join("server.crt"), dir.join("server.key"));
                if !cert.exists() && !key.exists() {
                    make_self_signed(dir, &cert, &key)?;
                }
                (cert, key)
            }
        };
        let chain = CertificateDer::pem_file_iter(&cert)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|source| TlsError::Pem { path: cert.clone(), source })?;
        let private =
            PrivateKeyDer::from_pem_file(&key).map_err(|source| TlsError::Pem { path: key, source })?;
        let fingerprint = Digest::of(chain.first().ok_or(TlsError::Empty(cert))?);
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?;
        let config = match clients {
            None => builder.with_no_client_auth().with_single_cert(chain, private)?,
            Some(clients) => {
                let mut config =
                    builder.with_client_cert_verifier(clients).with_single_cert(chain, private)?;
                // A session that is taken up again is not judged again: what was revoked since would go on.
                config.session_storage = Arc::new(NoServerSessionStorage {});
                config.send_tls13_tickets = 0;
                config
            }
        };
        Ok(Self { config, fingerprint })
    }
}

fn make_self_signed(dir: &Path, cert: &Path, key: &Path) -> Result<(), TlsError> {
    let file = |path: &Path| {
        let path = path.to_owned();
        move |source| TlsError::File { path, source }
    };
    fs::create_dir_all(dir).map_err(file(dir))?;
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    let made = rcgen::generate_simple_self_signed(names)?;
    // The key first: a certificate without its key would look complete at the next start.
    write_new(key, 0o600, made.signing_key.serialize_pem().as_bytes()).map_err(file(key))?;
    write_new(cert, 0o644, made.cert.pem().as_bytes()).map_err(file(cert))?;
    sync_dir(dir).map_err(file(dir))
}
