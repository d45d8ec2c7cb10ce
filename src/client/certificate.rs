//! A certificate of one's own, for vaults that ask for one: a file with its chain and a file with its key, both in PEM.

use std::path::PathBuf;

use custody::digest::Digest;
use reqwest::Method;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::http::Call;
use super::secret::{file, is_exposed};
use super::{Client, ClientError, segment};
use crate::api;

/// Where chain and key lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnCertificate {
    /// The certificate, with those between it and its authority.
    pub chain: PathBuf,
    /// Its key; only its owner may read it.
    pub key: PathBuf,
}

/// A chain, and the key of its first certificate.
type Pair = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

impl OwnCertificate {
    pub(super) fn read(&self) -> Result<Pair, ClientError> {
        let unfit =
            |path: &PathBuf, what: &str| ClientError::Input(format!("{} holds no {what}", path.display()));
        let metadata = std::fs::metadata(&self.key).map_err(file(&self.key))?;
        if is_exposed(&self.key, &metadata) {
            let mode = std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o7777;
            return Err(ClientError::Exposed { path: self.key.clone(), mode });
        }
        let chain: Vec<_> = CertificateDer::pem_file_iter(&self.chain)
            .and_then(Iterator::collect)
            .map_err(|_| unfit(&self.chain, "certificate in PEM"))?;
        if chain.is_empty() {
            return Err(unfit(&self.chain, "certificate in PEM"));
        }
        let key = PrivateKeyDer::from_pem_file(&self.key).map_err(|_| unfit(&self.key, "key in PEM"))?;
        Ok((chain, key))
    }

    /// What stands for the key where something must be derived from a secret of this device.
    pub(super) fn secret_digest(&self) -> Result<Digest, ClientError> {
        Ok(Digest::of(self.read()?.1.secret_der()))
    }
}

impl Client {
    /// `GET /api/v1/credentials`
    pub async fn credentials(&self) -> Result<api::Credentials, ClientError> {
        self.http.fetch(Call::get("/api/v1/credentials")).await
    }

    /// `POST /api/v1/certificates`: the one that this client's connections show.
    pub async fn add_certificate(&self, label: &str) -> Result<api::CertificateInfo, ClientError> {
        let body = api::NewCertificate { label: label.to_owned() };
        self.http.fetch(Call::once("/api/v1/certificates").json(&body)?).await
    }

    /// `DELETE /api/v1/certificates/{id}`
    pub async fn remove_certificate(&self, id: &str) -> Result<(), ClientError> {
        let path = format!("/api/v1/certificates/{}", segment(id)?);
        self.http.send(Call::write(Method::DELETE, path, super::new_op_id())).await.map(drop)
    }
}
