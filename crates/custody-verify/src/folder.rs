//! A bundle as a folder. Nothing is followed: symbolic links and special files are findings.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use custody::bundle::findings::{Code, Place};
use custody::bundle::{FileEntry, Files, Listing, ReadError};
use unicode_normalization::UnicodeNormalization as _;

/// Files kept open at once: records, proofs and openings are read side by side.
const MAX_OPEN: usize = 4;
/// More entries than any bundle has: the rest is not even listed.
const MAX_ENTRIES: usize = 2_100_000;

/// A folder.
#[derive(Debug)]
pub(crate) struct Folder {
    root: PathBuf,
    paths: Vec<PathBuf>,
    open: VecDeque<(usize, File)>,
}

impl Folder {
    pub(crate) fn new(root: &Path) -> Self {
        Self { root: root.to_owned(), paths: Vec::new(), open: VecDeque::new() }
    }

    fn walk(&mut self, folder: &Path, prefix: &str, listing: &mut Listing) -> Result<(), ReadError> {
        let mut empty = true;
        for entry in fs::read_dir(folder).map_err(|error| failed(&error))? {
            let entry = entry.map_err(|error| failed(&error))?;
            empty = false;
            if listing.files.len() >= MAX_ENTRIES {
                return Ok(());
            }
            let Some(name) = entry.file_name().to_str().map(|name| name.nfc().collect::<String>()) else {
                let shown = format!("{prefix}{}", entry.file_name().to_string_lossy());
                problem(listing, Code::Extra, &shown, "its name is not UTF-8");
                continue;
            };
            let name = format!("{prefix}{name}");
            let kind = entry.file_type().map_err(|error| failed(&error))?;
            if kind.is_dir() {
                self.walk(&entry.path(), &format!("{name}/"), listing)?;
            } else if kind.is_file() {
                let size = entry.metadata().map_err(|error| failed(&error))?.len();
                listing.files.push(FileEntry { name, size });
                self.paths.push(entry.path());
            } else {
                problem(listing, Code::Extra, &name, "a symbolic link or special file: refused");
            }
        }
        if empty && !prefix.is_empty() {
            listing.files.push(FileEntry { name: prefix.to_owned(), size: 0 });
            self.paths.push(folder.to_owned());
        }
        Ok(())
    }

    fn file(&mut self, at: usize) -> Result<&mut File, ReadError> {
        if let Some(found) = self.open.iter().position(|(open, _)| *open == at) {
            self.open.swap(0, found);
        } else {
            let path = self.paths.get(at).ok_or_else(|| ReadError::Failed("no such file".to_owned()))?;
            let file = File::open(path).map_err(|error| failed(&error))?;
            self.open.truncate(MAX_OPEN - 1);
            self.open.push_front((at, file));
        }
        match self.open.front_mut() {
            Some((_, file)) => Ok(file),
            None => Err(ReadError::Failed("no such file".to_owned())),
        }
    }
}

impl Files for Folder {
    fn list(&mut self) -> Result<Listing, ReadError> {
        let mut listing = Listing::default();
        let root = self.root.clone();
        self.walk(&root, "", &mut listing)?;
        Ok(listing)
    }

    fn read_at(&mut self, file: usize, offset: u64, buffer: &mut [u8]) -> Result<usize, ReadError> {
        let file = self.file(file)?;
        file.seek(SeekFrom::Start(offset)).map_err(|error| failed(&error))?;
        loop {
            match file.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => return read.map_err(|error| failed(&error)),
            }
        }
    }
}

fn failed(error: &io::Error) -> ReadError {
    if error.kind() == io::ErrorKind::NotFound {
        ReadError::Damaged("it went away while it was read".to_owned())
    } else {
        ReadError::Failed(error.to_string())
    }
}

fn problem(listing: &mut Listing, code: Code, path: &str, detail: &str) {
    let place = Place { detail: detail.to_owned(), index: None, path: path.to_owned() };
    listing.problems.push((code, place));
}
