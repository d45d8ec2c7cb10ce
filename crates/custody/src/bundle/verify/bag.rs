//! The bag: every file is listed, every listed file is there and has its digest.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::Notes;
use crate::bundle::findings::Code;
use crate::bundle::layout::{
    self, BAG_INFO, BAGIT, BUNDLE, CHECKPOINT, HASH_REPORT, LOG_PEM, MANIFEST, OPENINGS, POLICY, PROOFS,
    RECORDS, TAG_MANIFEST, TAG_MANIFEST_SIG, TIMELINE, TimestampFile, VAULT_PEM, VERIFY_SH, VERIFY_TXT,
};
use crate::bundle::manifest::Payload;
use crate::bundle::read::{Files, Line, Lines, ReadError, stream, whole};
use crate::digest::{Digest, Hasher};

/// Most files in a bundle.
const MAX_FILES: usize = 2_000_000;
/// Longest line of a manifest: digest, two spaces, path.
const MAX_MANIFEST_LINE_BYTES: usize = 64 + 2 + layout::MAX_PATH_BYTES;

const REQUIRED: &[&str] = &[
    BAGIT,
    BAG_INFO,
    MANIFEST,
    TAG_MANIFEST,
    TAG_MANIFEST_SIG,
    BUNDLE,
    RECORDS,
    OPENINGS,
    PROOFS,
    CHECKPOINT,
    TIMELINE,
    HASH_REPORT,
    VERIFY_TXT,
    VERIFY_SH,
    VAULT_PEM,
    LOG_PEM,
];

/// Files of the format that say nothing which is not in the records, or that nobody should believe (a suggested
/// policy), and that are not read here.
const UNCHECKED: &[&str] = &[POLICY, "VERIFY.html", "custody/timeline.pdf", "custody/case.jsonld"];
const UNCHECKED_FOLDERS: &[&str] = &["certificates/", "trust/keys/"];

/// The files of a bag, hashed.
#[derive(Debug)]
pub(super) struct Bag {
    files: BTreeMap<String, File>,
    /// Files that are listed and not there, or there and not listed.
    absent: BTreeSet<String>,
    /// Counts of the listed files below `data/`.
    pub(super) payload: Payload,
}

#[derive(Debug)]
struct File {
    at: usize,
    size: u64,
    digest: Option<Digest>,
}

impl Bag {
    /// Lists and hashes. Nothing if the container cannot even be listed.
    pub(super) fn open(files: &mut dyn Files, notes: &mut Notes) -> Result<Option<Self>, ReadError> {
        let listing = match files.list() {
            Ok(listing) => listing,
            Err(ReadError::Damaged(why)) => {
                notes.find(Code::Changed, "", None, why);
                notes.skip("everything: the bundle cannot be opened");
                return Ok(None);
            }
            Err(failed) => return Err(failed),
        };
        for (code, place) in listing.problems {
            notes.find(code, &place.path, place.index, place.detail);
        }
        let mut bag =
            Self { files: BTreeMap::new(), absent: BTreeSet::new(), payload: Payload { bytes: 0, files: 0 } };
        let mut taken = HashSet::new();
        for (at, entry) in listing.files.into_iter().enumerate() {
            if let Some(problem) = name_problem(&entry.name, at, &mut taken) {
                notes.find(Code::Extra, &entry.name, None, problem);
            } else {
                bag.files.insert(entry.name, File { at, size: entry.size, digest: None });
            }
        }
        bag.check_lists(files, notes)?;
        Ok(Some(bag))
    }

    /// The digest of a listed file's bytes as they are.
    pub(super) fn digest(&self, path: &str) -> Option<Digest> {
        self.files.get(path)?.digest
    }

    /// A listed file's size in bytes.
    pub(super) fn size(&self, path: &str) -> Option<u64> {
        self.files.get(path).map(|file| file.size)
    }

    /// Whether the file is not there or not listed, which was found already.
    pub(super) fn lacks(&self, path: &str) -> bool {
        self.absent.contains(path)
    }

    /// Whether the listed files are those that are there, so that counts mean something.
    pub(super) fn is_complete(&self) -> bool {
        self.absent.is_empty()
    }

    /// All files below `data/`.
    pub(super) fn payload_paths(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str).filter(|path| path.starts_with("data/"))
    }

    /// All files of time stamps.
    pub(super) fn timestamp_files(&self) -> impl Iterator<Item = (u64, TimestampFile)> {
        self.files.keys().filter_map(|path| layout::parse_timestamp_path(path))
    }

    /// A whole file of at most `limit` bytes. Absence was found when the bag was opened.
    pub(super) fn whole(
        &self,
        files: &mut dyn Files,
        path: &str,
        limit: usize,
        notes: &mut Notes,
    ) -> Result<Option<Vec<u8>>, ReadError> {
        let Some(file) = self.files.get(path) else { return Ok(None) };
        match whole(files, file.at, file.size, limit) {
            Ok(Some(bytes)) => Ok(Some(bytes)),
            Ok(None) => {
                notes.find(Code::Changed, path, None, format!("larger than {limit} bytes"));
                Ok(None)
            }
            Err(ReadError::Damaged(why)) => {
                notes.find(Code::Changed, path, None, why);
                Ok(None)
            }
            Err(failed) => Err(failed),
        }
    }

    /// Reads a file through; whether it was there, and could be read.
    pub(super) fn stream(
        &self,
        files: &mut dyn Files,
        path: &str,
        sink: impl FnMut(&[u8]),
        notes: &mut Notes,
    ) -> Result<bool, ReadError> {
        let Some(file) = self.files.get(path) else { return Ok(false) };
        match stream(files, file.at, sink) {
            Ok(_) => Ok(true),
            Err(ReadError::Damaged(why)) => {
                notes.find(Code::Changed, path, None, why);
                Ok(false)
            }
            Err(failed) => Err(failed),
        }
    }

    /// A reader of lines.
    pub(super) fn lines(&self, path: &str, limit: usize) -> Option<Lines> {
        self.files.get(path).map(|file| Lines::new(file.at, limit))
    }

    fn check_lists(&mut self, files: &mut dyn Files, notes: &mut Notes) -> Result<(), ReadError> {
        for path in REQUIRED.iter().filter(|path| !self.files.contains_key(**path)) {
            notes.find(Code::Missing, path, None, "every bundle has this file");
        }
        let tags = self.read_list(files, TAG_MANIFEST, false, notes)?;
        let payload = self.read_list(files, MANIFEST, true, notes)?;
        self.payload.files = payload.len() as u64;
        let listed: BTreeMap<_, _> = tags.into_iter().chain(payload).collect();
        for (path, digest) in &listed {
            self.check_file(files, path, *digest, notes)?;
            if !path.starts_with("data/") && !REQUIRED.contains(&path.as_str()) {
                unchecked(path, notes);
            }
        }
        let unlisted = |path: &&String| !listed.contains_key(*path) && !is_last(path);
        for path in self.files.keys().filter(unlisted) {
            notes.find(Code::Extra, path, None, "no manifest lists it");
            self.absent.insert(path.clone());
        }
        self.files.retain(|path, _| listed.contains_key(path) || is_last(path));
        Ok(())
    }

    fn check_file(
        &mut self,
        files: &mut dyn Files,
        path: &str,
        expected: Digest,
        notes: &mut Notes,
    ) -> Result<(), ReadError> {
        let Some(file) = self.files.get_mut(path) else {
            self.absent.insert(path.to_owned());
            // The required ones have been named already.
            if !REQUIRED.contains(&path) {
                notes.find(Code::Missing, path, None, "a manifest lists it");
            }
            return Ok(());
        };
        let mut hasher = Hasher::new();
        let problem = match stream(files, file.at, |chunk| hasher.update(chunk)) {
            Ok(read) => {
                let digest = hasher.finish();
                file.digest = Some(digest);
                file.size = read;
                if path.starts_with("data/") {
                    self.payload.bytes += read;
                }
                (digest != expected).then(|| "its SHA-256 is not the listed one".to_owned())
            }
            Err(ReadError::Damaged(why)) => Some(why),
            Err(failed) => return Err(failed),
        };
        if let Some(problem) = problem {
            notes.find(Code::Changed, path, None, problem);
        }
        Ok(())
    }

    fn read_list(
        &self,
        files: &mut dyn Files,
        path: &str,
        payload: bool,
        notes: &mut Notes,
    ) -> Result<BTreeMap<String, Digest>, ReadError> {
        let mut listed = BTreeMap::new();
        let Some(mut lines) = self.lines(path, MAX_MANIFEST_LINE_BYTES) else { return Ok(listed) };
        loop {
            let problem = match lines.next(files) {
                Ok(Line::Text(line)) => match layout::parse_manifest_line(line) {
                    Some((_, name)) if name.starts_with("data/") != payload || is_last(name) => {
                        Some("a line names a file of the other manifest")
                    }
                    Some((digest, name)) => {
                        let twice = listed.insert(name.to_owned(), digest).is_some();
                        twice.then_some("a file is listed twice")
                    }
                    None => Some("a line is not a digest, two spaces and a path"),
                },
                Ok(Line::End) => return Ok(listed),
                Ok(Line::TooLong | Line::Cut) => Some("a line is cut or too long"),
                Err(ReadError::Damaged(why)) => {
                    notes.find(Code::Changed, path, None, why);
                    return Ok(listed);
                }
                Err(failed) => return Err(failed),
            };
            if let Some(problem) = problem {
                notes.find(Code::Changed, path, None, format!("line {}: {problem}", lines.number()));
            }
        }
    }
}

/// A listed file that nothing here compares with the records: named, and refused where no bundle has such a file.
fn unchecked(path: &str, notes: &mut Notes) {
    if layout::parse_timestamp_path(path).is_some() {
        return;
    }
    if UNCHECKED.contains(&path) || UNCHECKED_FOLDERS.iter().any(|folder| path.starts_with(folder)) {
        notes.skip(format!("{path}: the vault signed it, and it was not compared with the records"));
    } else {
        notes.find(Code::Extra, path, None, "no bundle has a file of this name");
    }
}

/// The tag manifest and its signature stand outside of every list.
fn is_last(path: &str) -> bool {
    path == TAG_MANIFEST || path == TAG_MANIFEST_SIG
}

fn name_problem(name: &str, at: usize, taken: &mut HashSet<String>) -> Option<&'static str> {
    if at >= MAX_FILES {
        return Some("more files than any bundle has");
    }
    if let Some(problem) = layout::path_problem(name) {
        return Some(problem);
    }
    if name.ends_with('/') {
        return Some("an empty folder");
    }
    let clash = !taken.insert(layout::clash_key(name));
    clash.then_some("another file has this name but for case or Unicode form")
}
