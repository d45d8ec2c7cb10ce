//! One certificate and no other: the pin.
//!
//! A vault's certificate is known by the SHA-256 of its DER bytes, which its administrator hands over on paper.
//! There is no trust on first use and no switch that turns the check off; names and validity dates of a pinned
//! certificate mean nothing and are not looked at.

use std::sync::{Arc, Mutex, PoisonError};

use custody::digest::Digest;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, SignatureScheme};

use super::ClientError;
use super::certificate::OwnCertificate;

/// Accepts exactly one end-entity certificate.
#[derive(Debug)]
pub(super) struct Pin {
    expected: Digest,
    found: Mutex<Option<Digest>>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Pin {
    /// The certificate that the server showed instead, if it did.
    pub(super) fn violated(&self) -> Option<ClientError> {
        let found = *self.found.lock().unwrap_or_else(PoisonError::into_inner);
        found.map(|found| ClientError::Certificate { expected: self.expected, found })
    }
}

/// TLS 1.3 and 1.2 with aws-lc-rs, to the server that holds the certificate with SHA-256 `expected`; shows a certificate of
/// one's own where there is one.
pub(super) fn pinned(
    expected: Digest,
    own: Option<&OwnCertificate>,
) -> Result<(ClientConfig, Arc<Pin>), ClientError> {
    let provider = Arc::new(provider());
    let pin = Arc::new(Pin {
        expected,
        found: Mutex::new(None),
        algorithms: provider.signature_verification_algorithms,
    });
    let tls = |error: Error| ClientError::Tls(error.to_string());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(tls)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::clone(&pin) as Arc<dyn ServerCertVerifier>);
    let config = match own {
        None => config.with_no_client_auth(),
        Some(own) => {
            let (chain, key) = own.read()?;
            config.with_client_auth_cert(chain, key).map_err(tls)?
        }
    };
    Ok((config, pin))
}

fn provider() -> CryptoProvider {
    rustls::crypto::aws_lc_rs::default_provider()
}

impl ServerCertVerifier for Pin {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let found = Digest::of(end_entity);
        let matches = found == self.expected;
        *self.found.lock().unwrap_or_else(PoisonError::into_inner) = (!matches).then_some(found);
        if matches {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure))
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
