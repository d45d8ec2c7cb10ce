//! Lists of what was revoked (CRL): the files that they are in, read again when those change, each on its own.
//!
//! A file that cannot be read, or holds what is no list, keeps what it held before in force, is tried again every few
//! seconds, and holds up no other. Of several lists of one authority the newest counts, whatever the files are called:
//! what looks them up takes the first that fits.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashSet};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use rustls::RootCertStore;
use rustls::pki_types::CertificateRevocationListDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::server::WebPkiClientVerifier;
use x509_cert::crl::{CertificateList, TbsCertList};
use x509_cert::der::asn1::{ObjectIdentifier, Uint};
use x509_cert::der::{Decode as _, Encode as _};

use super::TlsError;

/// Far above any list of revoked certificates.
const MAX_LIST_BYTES: u64 = 64 << 20;
/// What could not be read is tried again after this time.
const AGAIN: Duration = Duration::from_secs(3);
/// `cRLNumber` (RFC 5280, section 5.2.3).
const NUMBER: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.20");
/// `issuingDistributionPoint` (RFC 5280, section 5.2.5).
const POINT: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.28");

/// The lists at a path: a file, or a folder of files.
#[derive(Debug)]
pub(super) struct Lists {
    path: PathBuf,
    files: BTreeMap<PathBuf, Held>,
    /// The folder cannot be looked into.
    lost: bool,
    tried: Option<Instant>,
}

/// What a file held when it could last be read, and what it is now.
#[derive(Debug, Default)]
struct Held {
    seen: Option<Seen>,
    lists: Vec<List>,
    trouble: bool,
}

/// A file as it was when it was read: any change of it changes one of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seen {
    place: (u64, u64),
    len: u64,
    written: (i64, i64),
    changed: (i64, i64),
}

/// A list.
#[derive(Debug, Clone)]
pub(super) struct List {
    pub(super) der: CertificateRevocationListDer<'static>,
    /// The time until which it counts.
    pub(super) until: SystemTime,
    /// Whose it is, and for which of its certificates.
    of: (Vec<u8>, Vec<u8>),
    /// Larger for the newer of two: when it was made, and its number as length and bytes.
    age: (SystemTime, usize, Vec<u8>),
}

/// The files at a path as they are now; nothing if that cannot be told.
pub(super) type Found = Option<BTreeMap<PathBuf, Option<Seen>>>;

impl Lists {
    /// None yet, of this path.
    pub(super) const fn at(path: PathBuf) -> Self {
        Self { path, files: BTreeMap::new(), lost: false, tried: None }
    }

    /// Whether there is something to read: files have changed, or what could not be read may be tried again.
    pub(super) fn is_due(&self, found: &Found, now: Instant) -> bool {
        let again = self.tried.is_none_or(|tried| now.duration_since(tried) >= AGAIN);
        let Some(found) = found else { return !self.lost || again };
        let changed = self.lost
            || self.files.len() != found.len()
            || found.iter().any(|(path, seen)| self.files.get(path).is_none_or(|held| held.seen != *seen));
        changed || again && self.files.values().any(|held| held.trouble)
    }

    /// Takes over what the files hold now; what went wrong.
    pub(super) fn refresh(
        &mut self,
        found: Found,
        now: Instant,
        mut read: impl FnMut(&Path) -> Result<Vec<List>, TlsError>,
    ) -> Vec<TlsError> {
        self.tried = Some(now);
        self.lost = found.is_none();
        let Some(found) = found else {
            let source = std::io::Error::other("it cannot be looked into");
            return vec![TlsError::File { path: self.path.clone(), source }];
        };
        let mut troubles = Vec::new();
        let mut before = std::mem::take(&mut self.files);
        for (path, seen) in found {
            let mut held = before.remove(&path).unwrap_or_default();
            // A file of which nothing can be told is read all the same: reading says why.
            if held.seen != seen || held.trouble || seen.is_none() {
                match read(&path) {
                    Ok(lists) => held = Held { seen, lists, trouble: false },
                    Err(error) => {
                        held = Held { seen, trouble: true, ..held };
                        troubles.push(error);
                    }
                }
            }
            self.files.insert(path, held);
        }
        troubles
    }

    /// The lists that count, the newest first, with their files: of each authority, and for the same of its certificates, one.
    pub(super) fn counting(&self) -> Vec<(&Path, &List)> {
        let files = self.files.iter();
        let mut all: Vec<_> =
            files.flat_map(|(path, held)| held.lists.iter().map(|list| (path.as_path(), list))).collect();
        all.sort_by_key(|(_, list)| Reverse(&list.age));
        let mut known = HashSet::new();
        all.retain(|(_, list)| known.insert(&list.of));
        all
    }

    /// How many files cannot be used as they are.
    pub(super) fn troubles(&self) -> usize {
        self.files.values().filter(|held| held.trouble).count() + usize::from(self.lost)
    }

    /// The files, as they are now.
    pub(super) fn look(&self) -> Found {
        let seen = |path: PathBuf| {
            let state = std::fs::metadata(&path).ok().map(|found| Seen::of(&found));
            (path, state)
        };
        if !self.path.is_dir() {
            return Some(BTreeMap::from([seen(self.path.clone())]));
        }
        let entries = std::fs::read_dir(&self.path).ok()?;
        let paths =
            entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>().ok()?;
        // A file that somebody is writing begins with a dot, or is a folder of theirs.
        let hidden =
            |path: &PathBuf| path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        Some(paths.into_iter().filter(|path| !path.is_dir() && !hidden(path)).map(seen).collect())
    }
}

impl Seen {
    fn of(found: &std::fs::Metadata) -> Self {
        Self {
            place: (found.dev(), found.ino()),
            len: found.len(),
            written: (found.mtime(), found.mtime_nsec()),
            changed: (found.ctime(), found.ctime_nsec()),
        }
    }
}

/// The lists of a file, one in DER or any number in PEM, if all of them can be used under these authorities.
pub(super) fn read(path: &Path, roots: &Arc<RootCertStore>) -> Result<Vec<List>, TlsError> {
    let file = |source| TlsError::File { path: path.to_owned(), source };
    let found = std::fs::metadata(path).map_err(file)?;
    if !found.is_file() {
        return Err(TlsError::List { path: path.to_owned(), problem: "it is no file" });
    }
    if found.len() > MAX_LIST_BYTES {
        return Err(TlsError::List { path: path.to_owned(), problem: "it is larger than 64 MiB" });
    }
    let bytes = std::fs::read(path).map_err(file)?;
    // A sequence.
    if bytes.starts_with(&[0x30]) {
        return Ok(vec![list(path, bytes.into(), roots)?]);
    }
    let lists = CertificateRevocationListDer::pem_slice_iter(&bytes).collect::<Result<Vec<_>, _>>();
    let lists = lists.map_err(|source| TlsError::Pem { path: path.to_owned(), source })?;
    if lists.is_empty() {
        return Err(TlsError::NoList(path.to_owned()));
    }
    lists.into_iter().map(|der| list(path, der, roots)).collect()
}

fn list(
    path: &Path,
    der: CertificateRevocationListDer<'static>,
    roots: &Arc<RootCertStore>,
) -> Result<List, TlsError> {
    let problem = |problem| TlsError::List { path: path.to_owned(), problem };
    let parsed: CertificateList =
        CertificateList::from_der(&der).map_err(|_| problem("it is no list of revoked certificates"))?;
    // One that is of a kind that is not looked up (a difference to another one, say) would take all others with it.
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    WebPkiClientVerifier::builder_with_provider(Arc::clone(roots), provider)
        .with_crls([der.clone()])
        .build()?;
    let facts = parsed.tbs_cert_list;
    let until = facts.next_update.ok_or(problem("it does not say when the next one comes (nextUpdate)"))?;
    let issuer = facts.issuer.to_der().map_err(|_| problem("it does not say whose it is"))?;
    let number = extension(&facts, NUMBER)
        .map_or(Ok(Vec::new()), |bytes| Uint::from_der(bytes).map(|number| number.as_bytes().to_vec()));
    let number = number.map_err(|_| problem("its number is none"))?;
    let point = extension(&facts, POINT).unwrap_or_default().to_vec();
    Ok(List {
        der,
        until: until.to_system_time(),
        of: (issuer, point),
        age: (facts.this_update.to_system_time(), number.len(), number),
    })
}

fn extension(facts: &TbsCertList, id: ObjectIdentifier) -> Option<&[u8]> {
    let extensions = facts.crl_extensions.as_ref()?;
    extensions.iter().find(|one| one.extn_id == id).map(|one| one.extn_value.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str, minute: u64, number: u8) -> List {
        let made = SystemTime::UNIX_EPOCH + Duration::from_secs(60 * minute);
        List {
            der: vec![number].into(),
            until: made,
            of: (name.into(), Vec::new()),
            age: (made, 1, vec![number]),
        }
    }

    #[expect(clippy::unnecessary_wraps, reason = "as a folder is found that can be looked into")]
    fn found(files: &[(&str, u64)]) -> Found {
        let seen = |len| Some(Seen { place: (1, 1), len, written: (0, 0), changed: (0, 0) });
        Some(files.iter().map(|(path, len)| (PathBuf::from(path), seen(*len))).collect())
    }

    fn refuse(path: &Path) -> Result<Vec<List>, TlsError> {
        Err(TlsError::NoList(path.to_owned()))
    }

    fn numbers(lists: &Lists) -> Vec<u8> {
        lists.counting().iter().map(|(_, list)| list.der[0]).collect()
    }

    #[test]
    fn what_could_not_be_read_is_tried_again_though_no_file_changed() {
        let start = Instant::now();
        let mut lists = Lists::at(PathBuf::from("lists"));
        assert!(lists.refresh(found(&[("a", 1)]), start, |_| Ok(vec![of("one", 1, 1)])).is_empty());
        assert!(!lists.is_due(&found(&[("a", 1)]), start + 10 * AGAIN));
        let newer = found(&[("a", 2)]);
        assert!(lists.is_due(&newer, start));
        assert_eq!(lists.refresh(newer.clone(), start, refuse).len(), 1);
        assert_eq!((numbers(&lists), lists.troubles()), (vec![1], 1));
        assert!(!lists.is_due(&newer, start + AGAIN / 2));
        assert!(lists.is_due(&newer, start + AGAIN));
        assert!(lists.refresh(newer.clone(), start + AGAIN, |_| Ok(vec![of("one", 2, 2)])).is_empty());
        assert_eq!((numbers(&lists), lists.troubles()), (vec![2], 0));
        assert!(!lists.is_due(&newer, start + 10 * AGAIN));
    }

    #[test]
    fn a_folder_that_cannot_be_looked_into_takes_nothing_away() {
        let start = Instant::now();
        let mut lists = Lists::at(PathBuf::from("lists"));
        lists.refresh(found(&[("a", 1)]), start, |_| Ok(vec![of("one", 1, 1)]));
        assert!(lists.is_due(&None, start));
        assert_eq!(lists.refresh(None, start, refuse).len(), 1);
        assert_eq!((numbers(&lists), lists.troubles()), (vec![1], 1));
        assert!(!lists.is_due(&None, start) && lists.is_due(&None, start + AGAIN));
        assert!(lists.is_due(&found(&[("a", 1)]), start));
        lists.refresh(found(&[("a", 1)]), start, refuse);
        assert_eq!((numbers(&lists), lists.troubles()), (vec![1], 0));
        lists.refresh(found(&[]), start, refuse);
        assert!(numbers(&lists).is_empty());
    }

    #[test]
    fn the_newest_of_each_authority_counts() {
        let mut lists = Lists::at(PathBuf::from("lists"));
        let held = |path: &Path| {
            Ok(match path.to_str() {
                Some("a") => vec![of("one", 1, 9), of("two", 1, 1)],
                Some("b") => vec![of("one", 2, 3), of("one", 2, 4), of("one", 1, 10)],
                _ => vec![of("two", 1, 2)],
            })
        };
        lists.refresh(found(&[("a", 1), ("b", 1), ("c", 1)]), Instant::now(), held);
        assert_eq!(numbers(&lists), [4, 2]);
    }
}
