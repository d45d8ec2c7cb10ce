//! The certificates by which witnesses are believed, where an operator names them.
//!
//! Each is an authority, whose witnesses must have the name that they are called by; or a witness's own, such as `custos
//! witness serve` makes, and then it is a pin: names and dates in it mean nothing.

use std::path::Path;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

use super::witnesses::WitnessesError;

#[derive(Debug)]
struct Roots {
    each: Vec<CertificateDer<'static>>,
    as_authorities: Arc<WebPkiServerVerifier>,
}

/// TLS to whoever is known by a certificate of the file `pem`, which stands at `path`.
pub(super) fn trusting(path: &Path, pem: &[u8]) -> Result<ClientConfig, WitnessesError> {
    let malformed = |source| WitnessesError::Pem { path: path.to_owned(), source };
    let unusable = |source| WitnessesError::Roots { path: path.to_owned(), source };
    let each: Vec<_> = CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().map_err(malformed)?;
    let mut authorities = RootCertStore::empty();
    for certificate in &each {
        authorities.add(certificate.clone()).map_err(|source| unusable(source.into()))?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let as_authorities =
        WebPkiServerVerifier::builder_with_provider(Arc::new(authorities), Arc::clone(&provider)).build();
    let as_authorities = as_authorities.map_err(|source| unusable(source.into()))?;
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.map_err(|source| unusable(source.into()))?;
    Ok(config
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Roots { each, as_authorities }))
        .with_no_client_auth())
}

impl ServerCertVerifier for Roots {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if self.each.contains(end_entity) {
            return Ok(ServerCertVerified::assertion());
        }
        self.as_authorities.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.as_authorities.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.as_authorities.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.as_authorities.supported_verify_schemes()
    }
}
