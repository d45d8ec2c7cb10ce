//! A bundle as a ZIP file with stored entries, read in place.
//!
//! A ZIP names every file twice, in its local header and in its central directory, and programs differ in which they
//! believe. So that nobody unpacks another tree than the one verified here, both must agree, entries must not
//! overlap, and no bytes may lie between them.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};

use custody::bundle::findings::{Code, Place};
use custody::bundle::{FileEntry, Files, Listing, ReadError};
use zip::result::ZipError;
use zip::{CompressionMethod, ZipArchive};

const LOCAL_HEADER_LEN: usize = 30;
const LOCAL_SIGNATURE: [u8; 4] = *b"PK\x03\x04";
const END_LEN: usize = 22;
const END_SIGNATURE: [u8; 4] = *b"PK\x05\x06";
/// A data descriptor, which a streaming writer puts behind an entry: with or without signature, 4 or 8 byte sizes.
const DESCRIPTOR_LENS: [u64; 4] = [12, 16, 20, 24];
/// Bit 3 of the flags: a data descriptor follows.
const HAS_DESCRIPTOR: u16 = 1 << 3;

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
    header: u64,
    stored: u64,
    problem: Option<&'static str>,
}

impl Zip {
    pub(crate) const fn new(file: File) -> Self {
        Self { file, extents: Vec::new() }
    }

    fn directory(&self, listing: &mut Listing) -> Result<(Vec<Entry>, u64), ReadError> {
        let file = self.file.try_clone().map_err(|error| failed(&error))?;
        let mut archive = ZipArchive::new(io::BufReader::new(file)).map_err(of_zip)?;
        if archive.offset() != 0 || !archive.comment().is_empty() {
            problem(listing, Code::Extra, "", "the ZIP file has bytes before its entries, or a comment");
        }
        let mut entries = Vec::with_capacity(archive.len());
        for at in 0..archive.len() {
            let entry = archive.by_index_raw(at).map_err(of_zip)?;
            let stored = entry.compression() == CompressionMethod::Stored;
            let special = entry.is_symlink() || entry.unix_mode().is_some_and(is_special);
            let name = String::from_utf8(entry.name_raw().to_vec());
            let found = if entry.encrypted() {
                Some("it is encrypted")
            } else if !stored || entry.compressed_size() != entry.size() {
                Some("it is compressed: unpack the ZIP and verify the folder")
            } else if special {
                Some("a symbolic link or special file: refused")
            } else {
                name.as_ref().err().map(|_| "its name is not UTF-8")
            };
            let name = name.unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
            let (header, stored) = (entry.header_start(), entry.compressed_size());
            entries.push(Entry { name, header, stored, problem: found });
        }
        entries.sort_by_key(|entry| entry.header);
        Ok((entries, archive.central_directory_start()))
    }

    /// Where the entry's bytes start, if its local header says the same as the central directory.
    fn local(&mut self, entry: &Entry) -> Result<(u64, bool, Option<&'static str>), ReadError> {
        let mut header = [0; LOCAL_HEADER_LEN];
        self.exact(entry.header, &mut header)?;
        let short = |at: usize| u16::from_le_bytes([header[at], header[at + 1]]);
        let (flags, method, name_len, extra_len) = (short(6), short(8), short(26), short(28));
        let mut name = vec![0; usize::from(name_len)];
        self.exact(entry.header + LOCAL_HEADER_LEN as u64, &mut name)?;
        let start = entry.header + LOCAL_HEADER_LEN as u64 + u64::from(name_len) + u64::from(extra_len);
        let agrees = header[..4] == LOCAL_SIGNATURE && method == 0 && name == entry.name.as_bytes();
        let problem = (!agrees).then_some("its two headers in the ZIP file disagree");
        Ok((start, flags & HAS_DESCRIPTOR != 0, problem))
    }

    /// The end record stands at the very end, without a comment.
    fn check_end(&mut self, listing: &mut Listing) -> Result<(), ReadError> {
        let mut end = [0; END_LEN];
        let length = self.file.seek(SeekFrom::End(0)).map_err(|error| failed(&error))?;
        self.exact(length.saturating_sub(END_LEN as u64), &mut end)?;
        if end[..4] != END_SIGNATURE || end[20..] != [0, 0] {
            problem(listing, Code::Extra, "", "bytes follow the end of the ZIP file");
        }
        Ok(())
    }

    fn exact(&mut self, offset: u64, buffer: &mut [u8]) -> Result<(), ReadError> {
        let read = self.file.seek(SeekFrom::Start(offset)).and_then(|_| self.file.read_exact(buffer));
        read.map_err(|error| failed(&error))
    }
}

impl Files for Zip {
    fn list(&mut self) -> Result<Listing, ReadError> {
        let mut listing = Listing::default();
        let (entries, directory) = self.directory(&mut listing)?;
        self.check_end(&mut listing)?;
        let root = common_root(&entries);
        let mut names: Vec<_> = entries.iter().map(|entry| entry.name.clone()).collect();
        names.sort_unstable();
        let mut expected = vec![0];
        for entry in &entries {
            if !expected.contains(&entry.header) {
                problem(
                    &mut listing,
                    Code::Extra,
                    &entry.name,
                    "bytes lie between the entries of the ZIP file",
                );
            }
            let (start, descriptor, disagreement) = self.local(entry)?;
            let end = start.checked_add(entry.stored).filter(|end| *end <= directory);
            let Some(end) = end else {
                return Err(ReadError::Damaged(format!("{}: it is cut off", entry.name)));
            };
            expected = vec![end];
            if descriptor {
                expected.extend(DESCRIPTOR_LENS.map(|len| end + len));
            }
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
            listing.files.push(FileEntry { name: name.to_owned(), size: entry.stored });
            self.extents.push((start, entry.stored));
        }
        if !expected.contains(&directory) {
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

/// Neither a regular file nor a folder, in Unix mode bits.
const fn is_special(mode: u32) -> bool {
    !matches!(mode & 0o170_000, 0 | 0o100_000 | 0o040_000)
}

fn of_zip(error: ZipError) -> ReadError {
    match error {
        ZipError::Io(error) => failed(&error),
        other => ReadError::Damaged(format!("not a sound ZIP file: {other}")),
    }
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
