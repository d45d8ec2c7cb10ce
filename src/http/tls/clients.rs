//! Certificates that people and machines show: which authorities are believed, and what they have revoked.
//!
//! Lists of what was revoked are read again whenever their files change, and count for every certificate of a chain but
//! the authority's own. What no list says anything about is refused, and so is everything under a list that has run out:
//! an old list may lack what has since been revoked. What is refused here never becomes a request; it is told to the
//! operator's security log.

use std::any::Any;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{SystemTime, UNIX_EPOCH};

use actix_tls::accept::rustls_0_23::TlsStream;
use actix_web::dev::Extensions;
use actix_web::rt::net::TcpStream;
use custody::digest::Digest;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ParsedCertificate, WebPkiClientVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore, SignatureScheme,
};
use x509_cert::crl::CertificateList;
use x509_cert::der::Decode as _;

use super::TlsError;

/// Far above any list of revoked certificates.
const MAX_LIST_BYTES: u64 = 64 << 20;

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
    lists: Option<PathBuf>,
    required: bool,
    current: RwLock<Current>,
}

/// What counts until the files of lists change.
#[derive(Debug)]
struct Current {
    files: Vec<Seen>,
    until: Vec<(PathBuf, SystemTime)>,
    verifier: Arc<dyn ClientCertVerifier>,
}

/// A file as it was when it was read.
type Seen = (PathBuf, Option<(u64, SystemTime)>);

impl Clients {
    /// The authorities in the file `ca`, and what they revoke in the file or folder `lists`.
    pub fn load(ca: &Path, lists: Option<&Path>, required: bool) -> Result<Self, TlsError> {
        let malformed = |source| TlsError::Pem { path: ca.to_owned(), source };
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(ca).map_err(malformed)? {
            roots.add(certificate.map_err(malformed)?)?;
        }
        if roots.is_empty() {
            return Err(TlsError::Empty(ca.to_owned()));
        }
        let roots = Arc::new(roots);
        let current = Current::read(&roots, lists, files(lists))?;
        current.tell_of_old_lists();
        let hints = current.verifier.root_hint_subjects().to_vec();
        let lists = lists.map(Path::to_owned);
        Ok(Self { roots, hints, lists, required, current: RwLock::new(current) })
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
        self.read_again_if_changed();
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

    /// A list that cannot be read leaves those in force that were: they run out by themselves.
    fn read_again_if_changed(&self) {
        if self.lists.is_none() {
            return;
        }
        let files = files(self.lists.as_deref());
        if self.current.read().unwrap_or_else(PoisonError::into_inner).files == files {
            return;
        }
        let read = Current::read(&self.roots, self.lists.as_deref(), files.clone());
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        match read {
            Ok(new) => {
                tracing::info!(target: "security", lists = new.until.len(), "lists of revoked certificates were read");
                new.tell_of_old_lists();
                *current = new;
            }
            Err(error) => {
                current.files = files;
                let error = crate::http::error::chain(&error);
                tracing::error!(
                    target: "security",
                    error,
                    "new lists of revoked certificates cannot be used; those from before count until they run out"
                );
            }
        }
    }
}

impl Current {
    fn read(roots: &Arc<RootCertStore>, lists: Option<&Path>, files: Vec<Seen>) -> Result<Self, TlsError> {
        let (mut all, mut until) = (Vec::new(), Vec::new());
        for (path, _) in &files {
            for (list, next) in lists_in(path)? {
                all.push(list);
                until.push((path.clone(), next));
            }
        }
        // No list at all would mean that nothing is looked up.
        if let Some(path) = lists.filter(|_| all.is_empty()) {
            return Err(TlsError::NoList(path.to_owned()));
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::clone(roots), provider)
            .with_crls(all)
            .enforce_revocation_expiration()
            .allow_unauthenticated()
            .build()?;
        Ok(Self { files, until, verifier })
    }

    /// Names the lists that have run out.
    fn tell_of_old_lists(&self) {
        for (path, _) in self.until.iter().filter(|(_, until)| *until <= SystemTime::now()) {
            let list = path.display();
            tracing::error!(
                target: "security",
                %list,
                "a list of revoked certificates has run out; nobody signs in under it until there is a newer one"
            );
        }
    }
}

/// The files of lists, as they are now.
fn files(lists: Option<&Path>) -> Vec<Seen> {
    let Some(lists) = lists else { return Vec::new() };
    let seen = |path: PathBuf| {
        let metadata = std::fs::metadata(&path).ok();
        let state = metadata.map(|found| (found.len(), found.modified().unwrap_or(UNIX_EPOCH)));
        (path, state)
    };
    if !lists.is_dir() {
        return vec![seen(lists.to_owned())];
    }
    let Ok(entries) = std::fs::read_dir(lists) else { return vec![(lists.to_owned(), None)] };
    let paths = entries.filter_map(|entry| entry.ok().map(|entry| entry.path()));
    // A file that somebody is writing begins with a dot, or is a folder of theirs.
    let hidden =
        |path: &PathBuf| path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
    let mut files: Vec<_> = paths.filter(|path| path.is_file() && !hidden(path)).map(seen).collect();
    files.sort();
    files
}

/// A list with the time until which it counts.
type Dated = (CertificateRevocationListDer<'static>, SystemTime);

/// The lists of a file: one in DER, or any number in PEM.
fn lists_in(path: &Path) -> Result<Vec<Dated>, TlsError> {
    let file = |source| TlsError::File { path: path.to_owned(), source };
    if std::fs::metadata(path).map_err(file)?.len() > MAX_LIST_BYTES {
        return Err(TlsError::List { path: path.to_owned(), problem: "it is larger than 64 MiB" });
    }
    let bytes = std::fs::read(path).map_err(file)?;
    // A sequence.
    if bytes.starts_with(&[0x30]) {
        return Ok(vec![dated(path, bytes.into())?]);
    }
    let lists = CertificateRevocationListDer::pem_slice_iter(&bytes).collect::<Result<Vec<_>, _>>();
    let lists = lists.map_err(|source| TlsError::Pem { path: path.to_owned(), source })?;
    if lists.is_empty() {
        return Err(TlsError::NoList(path.to_owned()));
    }
    lists.into_iter().map(|list| dated(path, list)).collect()
}

fn dated(path: &Path, list: CertificateRevocationListDer<'static>) -> Result<Dated, TlsError> {
    let problem = |problem| TlsError::List { path: path.to_owned(), problem };
    let parsed: CertificateList =
        CertificateList::from_der(&list).map_err(|_| problem("it is no list of revoked certificates"))?;
    let until = parsed.tbs_cert_list.next_update;
    let until = until.ok_or(problem("it does not say when the next one comes (nextUpdate)"))?;
    Ok((list, until.to_system_time()))
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
