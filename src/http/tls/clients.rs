//! Certificates that people and machines show: which authorities are believed, and what they have revoked.
//!
//! Lists of what was revoked are read again whenever their files change, and count for every certificate of a chain but
//! the authority's own. What no list says anything about is refused, and so is everything under a list that has run out:
//! an old list may lack what has since been revoked. What is refused here never becomes a request; it is told to the
//! operator's security log.

use std::any::Any;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Instant, SystemTime};

use actix_tls::accept::rustls_0_23::TlsStream;
use actix_web::dev::Extensions;
use actix_web::rt::net::TcpStream;
use custody::digest::Digest;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ParsedCertificate, WebPkiClientVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore, SignatureScheme,
};

use super::TlsError;
use super::lists::{Lists, read};

/// The certificate that a connection showed, which its other end has the key of.
#[derive(Debug, Clone)]
pub(crate) struct Shown {
    chain: Arc<[CertificateDer<'static>]>,
    /// SHA-256 of its public key.
    pub(crate) key: Digest,
}

impl Shown {
    fn of(chain: &[CertificateDer<'_>]) -> Option<Self> {
        let key = key_of(chain.first()?)?;
        Some(Self { chain: chain.iter().map(|one| one.clone().into_owned()).collect(), key })
    }
}

/// SHA-256 of a certificate's public key (`SubjectPublicKeyInfo`).
fn key_of(certificate: &CertificateDer<'_>) -> Option<Digest> {
    let parsed = ParsedCertificate::try_from(certificate).ok()?;
    Some(Digest::of(&parsed.subject_public_key_info()))
}

/// Keeps what a new connection showed beside it.
pub(crate) fn keep_shown(connection: &dyn Any, data: &mut Extensions) {
    let tls = connection.downcast_ref::<TlsStream<TcpStream>>();
    let chain = tls.and_then(|tls| tls.get_ref().1.peer_certificates());
    if let Some(shown) = chain.and_then(Shown::of) {
        data.insert(shown);
    }
}

/// Whose certificates are believed.
#[derive(Debug)]
pub struct Clients {
    roots: Arc<RootCertStore>,
    hints: Vec<DistinguishedName>,
    lists: Option<Mutex<Lists>>,
    required: bool,
    current: RwLock<Current>,
}

/// What counts until the files of lists change.
#[derive(Debug)]
struct Current {
    until: Vec<(PathBuf, SystemTime)>,
    verifier: Arc<dyn ClientCertVerifier>,
}

impl Clients {
    /// The authorities in the file `ca`, and what they revoke in the file or folder `path`.
    pub fn load(ca: &Path, path: Option<&Path>, required: bool) -> Result<Self, TlsError> {
        let malformed = |source| TlsError::Pem { path: ca.to_owned(), source };
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(ca).map_err(malformed)? {
            roots.add(certificate.map_err(malformed)?)?;
        }
        if roots.is_empty() {
            return Err(TlsError::Empty(ca.to_owned()));
        }
        let roots = Arc::new(roots);
        let mut lists = path.map(|path| Lists::at(path.to_owned()));
        let troubles = lists
            .as_mut()
            .map(|lists| lists.refresh(lists.look(), Instant::now(), |path| read(path, &roots)));
        let mut troubles = troubles.unwrap_or_default();
        // No list at all would mean that nothing is looked up.
        if lists.as_ref().is_some_and(|lists| lists.counting().is_empty()) {
            return Err(troubles.pop().unwrap_or_else(|| TlsError::NoList(path.unwrap_or(ca).to_owned())));
        }
        tell_of(&troubles);
        let current = Current::of(&roots, lists.as_ref())?;
        current.tell_of_old_lists();
        let hints = current.verifier.root_hint_subjects().to_vec();
        Ok(Self { roots, hints, lists: lists.map(Mutex::new), required, current: RwLock::new(current) })
    }

    /// Whether whoever shows none is turned away.
    pub(crate) const fn required(&self) -> bool {
        self.required
    }

    /// Whether what a connection showed still counts: it may have been revoked, or run out, since.
    pub(crate) fn still_counts(&self, shown: &Shown) -> bool {
        let Some((first, others)) = shown.chain.split_first() else { return false };
        self.judge(first, others, UnixTime::now()).is_ok()
    }

    fn judge(
        &self,
        certificate: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.read_again_if_due();
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        current.verifier.verify_client_cert(certificate, others, now).inspect_err(|error| {
            let fingerprint = Digest::of(certificate);
            let key = key_of(certificate).map(Digest::to_hex).unwrap_or_default();
            let reason = reason(error);
            tracing::warn!(target: "security", %fingerprint, key, reason, "a client certificate was refused");
            if reason == "revocation-list-expired" {
                current.tell_of_old_lists();
            }
        })
    }

    /// What an operator must look at.
    pub(crate) fn alarms(&self) -> Vec<String> {
        let Some(lists) = &self.lists else { return Vec::new() };
        self.read_again_if_due();
        let (unread, none_left) = {
            let lists = lists.lock().unwrap_or_else(PoisonError::into_inner);
            (lists.troubles(), lists.counting().is_empty())
        };
        let old = self.current.read().unwrap_or_else(PoisonError::into_inner).old().count();
        let mut alarms = Vec::new();
        if unread > 0 {
            alarms.push(format!("files of revoked certificates: {unread} cannot be used"));
        }
        if none_left {
            alarms.push("lists of revoked certificates: none is left; those from before count".to_owned());
        }
        if old > 0 {
            alarms.push(format!("lists of revoked certificates: {old} have run out"));
        }
        alarms
    }

    /// What cannot be read leaves in force what its file held before: that runs out by itself.
    fn read_again_if_due(&self) {
        let Some(lists) = &self.lists else { return };
        let mut lists = lists.lock().unwrap_or_else(PoisonError::into_inner);
        let (found, now) = (lists.look(), Instant::now());
        if !lists.is_due(&found, now) {
            return;
        }
        tell_of(&lists.refresh(found, now, |path| read(path, &self.roots)));
        // No list at all would mean that nothing is looked up.
        if lists.counting().is_empty() {
            tracing::error!(target: "security", "no list of revoked certificates is left; those from before count");
            return;
        }
        match Current::of(&self.roots, Some(&lists)) {
            Ok(new) => {
                tracing::info!(target: "security", lists = new.until.len(), "lists of revoked certificates were read");
                new.tell_of_old_lists();
                *self.current.write().unwrap_or_else(PoisonError::into_inner) = new;
            }
            Err(error) => tell_of(&[error]),
        }
    }
}

/// Tells of files that cannot be used.
fn tell_of(troubles: &[TlsError]) {
    for error in troubles {
        let error = crate::http::error::chain(error);
        tracing::error!(
            target: "security",
            error,
            "a file of revoked certificates cannot be used; what it held before counts until that runs out"
        );
    }
}

impl Current {
    fn of(roots: &Arc<RootCertStore>, lists: Option<&Lists>) -> Result<Self, TlsError> {
        let counting = lists.map(Lists::counting).unwrap_or_default();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::clone(roots), provider)
            .with_crls(counting.iter().map(|(_, list)| list.der.clone()))
            .enforce_revocation_expiration()
            .allow_unauthenticated()
            .build()?;
        let until = counting.iter().map(|(path, list)| ((*path).to_owned(), list.until)).collect();
        Ok(Self { until, verifier })
    }

    fn old(&self) -> impl Iterator<Item = &Path> {
        let old = self.until.iter().filter(|(_, until)| *until <= SystemTime::now());
        old.map(|(path, _)| path.as_path())
    }

    /// Names the lists that have run out.
    fn tell_of_old_lists(&self) {
        for path in self.old() {
            let list = path.display();
            tracing::error!(
                target: "security",
                %list,
                "a list of revoked certificates has run out; nobody signs in under it until there is a newer one"
            );
        }
    }
}

/// Why, in one word for the log.
fn reason(error: &Error) -> &'static str {
    use CertificateError::{
        Expired, ExpiredContext, ExpiredRevocationList, ExpiredRevocationListContext, InvalidPurpose,
        InvalidPurposeContext, NotValidYet, NotValidYetContext, Revoked, UnknownIssuer,
        UnknownRevocationStatus,
    };
    let Error::InvalidCertificate(error) = error else { return "malformed" };
    match error {
        Expired | ExpiredContext { .. } => "expired",
        NotValidYet | NotValidYetContext { .. } => "not-yet-valid",
        UnknownIssuer => "unknown-issuer",
        Revoked => "revoked",
        UnknownRevocationStatus => "revocation-unknown",
        ExpiredRevocationList | ExpiredRevocationListContext { .. } => "revocation-list-expired",
        InvalidPurpose | InvalidPurposeContext { .. } => "not-for-clients",
        _ => "does-not-verify",
    }
}

impl ClientCertVerifier for Clients {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.hints
    }

    /// Who shows none is turned away with an answer and an entry, where one must: here it would be without either.
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.judge(end_entity, intermediates, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        current.verifier.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        current.verifier.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        current.verifier.supported_verify_schemes()
    }
}
