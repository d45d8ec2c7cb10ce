//! A bundle as a ZIP file with stored entries, read in place.
//!
//! A ZIP names every file twice, in its local header and in its central directory, counts them up to twice, and
//! programs differ in which they believe. So that nobody unpacks another tree than the one verified here, all must
//! agree, entries must fill the file from its first byte to the directory, and nothing may be said twice in further
//! fields.

mod header;

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};

use custody::bundle::findings::{Code, Place};
use custody::bundle::{FileEntry, Files, Listing, ReadError};

use header::{CENTRAL_LEN, Central, Directory, END_LEN, END64_LEN, LOCAL_LEN, LOCATOR_LEN, Local};

/// A ZIP file.
#[derive(Debug)]
pub(crate) struct Zip {
    file: File,
    /// Start and length of each listed file's bytes.
    extents: Vec<(u64, u64)>,
}

/// An entry of the central directory.
struct Entry {
    name: String,
    central: Central,
    problem: Option<&'static str>,
}

impl Zip {
    pub(crate) const fn new(file: File) -> Self {
        Self { file, extents: Vec::new() }
    }

    /// The entries by place, and where they end and their directory starts.
    fn directory(&mut self) -> Result<(Vec<Entry>, u64), ReadError> {
        let length = self.file.seek(SeekFrom::End(0)).map_err(|error| failed(&error))?;
        let tail_len = length.min((END_LEN + LOCATOR_LEN + END64_LEN) as u64);
        let mut tail = vec![0; usize::try_from(tail_len).unwrap_or_default()];
        self.exact(length - tail_len, &mut tail)?;
        let directory = Directory::parse(&tail, length).map_err(unsound)?;
        let (mut at, mut entries) = (directory.start, Vec::new());
        while at < directory.end {
            let mut fixed = [0; CENTRAL_LEN];
            self.exact(at, &mut fixed)?;
            let mut rest = vec![0; header::central_rest(&fixed).map_err(unsound)?];
            self.exact(at + CENTRAL_LEN as u64, &mut rest)?;
            at += (CENTRAL_LEN + rest.len()) as u64;
            let central = Central::parse(&fixed, &rest).map_err(unsound)?;
            let name = String::from_utf8_lossy(&central.header.name).into_owned();
            entries.push(Entry { name, problem: central.problem(), central });
        }
        if at != directory.end || entries.len() as u64 != directory.entries {
            return Err(unsound("its directory has another length than it says"));
        }
        entries.sort_by_key(|entry| entry.central.local_at);
        Ok((entries, directory.start))
    }

    /// Where the entry's bytes start, and in what its local header says otherwise than the central directory.
    fn local(&mut self, entry: &Entry) -> Result<(u64, Option<&'static str>), ReadError> {
        let at = entry.central.local_at;
        let mut fixed = [0; LOCAL_LEN];
        self.exact(at, &mut fixed)?;
        let mut rest = vec![0; header::local_rest(&fixed)];
        self.exact(at + LOCAL_LEN as u64, &mut rest)?;
        let start = at + (LOCAL_LEN + rest.len()) as u64;
        Ok((start, Local::parse(&fixed, &rest).and_then(|local| local.agrees(&entry.central)).err()))
    }

    fn exact(&mut self, offset: u64, buffer: &mut [u8]) -> Result<(), ReadError> {
        let read = self.file.seek(SeekFrom::Start(offset)).and_then(|_| self.file.read_exact(buffer));
        read.map_err(|error| failed(&error))
    }
}

impl Files for Zip {
    fn list(&mut self) -> Result<Listing, ReadError> {
        let mut listing = Listing::default();
        let (entries, directory) = self.directory()?;
        let root = common_root(&entries);
        let mut names: Vec<_> = entries.iter().map(|entry| entry.name.clone()).collect();
        names.sort_unstable();
        let mut expected = 0;
        for entry in &entries {
            if entry.central.local_at != expected {
                let detail = "bytes lie before or between the entries of the ZIP file, or entries overlap";
                problem(&mut listing, Code::Extra, &entry.name, detail);
            }
            let (start, disagreement) = self.local(entry)?;
            let size = entry.central.header.stored;
            let end = start.checked_add(size).filter(|end| *end <= directory);
            expected = end.ok_or_else(|| ReadError::Damaged(format!("{}: it is cut off", entry.name)))?;
            let name = entry.name.strip_prefix(&root).unwrap_or(&entry.name);
            if let Some(detail) = entry.problem.or(disagreement) {
                let compressed = entry.problem.is_some_and(|problem| problem.starts_with("it is"));
                let code = if compressed || disagreement.is_some() { Code::Changed } else { Code::Extra };
                problem(&mut listing, code, name, detail);
                continue;
            }
            if name.is_empty() || (name.ends_with('/') && is_parent(&names, &entry.name)) {
                // An entry for a folder that has files says nothing.
                continue;
            }
            listing.files.push(FileEntry { name: name.to_owned(), size });
            self.extents.push((start, size));
        }
        if expected != directory {
            problem(
                &mut listing,
                Code::Extra,
                "",
                "bytes lie between the entries of the ZIP file and its directory",
            );
        }
        Ok(listing)
    }

    fn read_at(&mut self, file: usize, offset: u64, buffer: &mut [u8]) -> Result<usize, ReadError> {
        let (start, len) =
            *self.extents.get(file).ok_or_else(|| ReadError::Failed("no such file".to_owned()))?;
        let rest = len.saturating_sub(offset);
        let count = usize::try_from(rest).unwrap_or(usize::MAX).min(buffer.len());
        if count > 0 {
            self.exact(start + offset, &mut buffer[..count])?;
        }
        Ok(count)
    }
}

/// RFC 8493 lets a serialised bag stand in one top folder; nothing if it does not.
fn common_root(entries: &[Entry]) -> String {
    let root =
        entries.first().and_then(|entry| entry.name.split_once('/')).map(|(root, _)| format!("{root}/"));
    match root {
        Some(root)
            if entries.iter().all(|entry| entry.name.starts_with(&root))
                && entries.iter().any(|entry| entry.name[root.len()..] == *"bagit.txt") =>
        {
            root
        }
        _ => String::new(),
    }
}

/// Whether anything lies in a folder; `names` are sorted.
fn is_parent(names: &[String], folder: &str) -> bool {
    let next = names.partition_point(|name| name.as_str() <= folder);
    names.get(next).is_some_and(|name| name.starts_with(folder))
}

fn unsound(why: &'static str) -> ReadError {
    ReadError::Damaged(format!("not a sound ZIP file: {why}"))
}

fn failed(error: &io::Error) -> ReadError {
    match error.kind() {
        io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => {
            ReadError::Damaged("the ZIP file is cut off or damaged".to_owned())
        }
        _ => ReadError::Failed(error.to_string()),
    }
}

fn problem(listing: &mut Listing, code: Code, path: &str, detail: &str) {
    let place = Place { detail: detail.to_owned(), index: None, path: path.to_owned() };
    listing.problems.push((code, place));
}
