//! The public entries: from a file, 97 bytes each and nothing between them, or from a mirror's folder.

use std::fs::{self, File};
use std::io::{self, BufReader, Read as _, Take};
use std::path::{Path, PathBuf};

use custody::bundle::{Entries, ReadError};
use custody::checkpoint::{Checkpoint, CheckpointError};
use custody::note::SignedNote;
use custody::record::ENTRY_BYTES;
use custody::tile::{FULL_WIDTH, TileKind, TilePath, parse_entries};

/// A full bundle of our entries, each behind its length.
const MAX_BUNDLE_LEN: u64 = (2 + ENTRY_BYTES as u64) * FULL_WIDTH as u64;

/// Reads entry by entry, no further than the file went when it was opened.
#[derive(Debug)]
pub(crate) struct EntriesFile(BufReader<Take<File>>);

impl EntriesFile {
    pub(crate) fn new(file: Take<File>) -> Self {
        Self(BufReader::with_capacity(1 << 16, file))
    }
}

impl Entries for EntriesFile {
    fn next_entry(&mut self) -> Result<Option<[u8; ENTRY_BYTES]>, ReadError> {
        let mut entry = [0; ENTRY_BYTES];
        let mut filled = 0;
        while filled < ENTRY_BYTES {
            match self.0.read(&mut entry[filled..]) {
                Ok(0) if filled == 0 => return Ok(None),
                Ok(0) => return Err(ReadError::Damaged("the last entry is cut short".to_owned())),
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(ReadError::Failed(error.to_string())),
            }
        }
        Ok(Some(entry))
    }
}

/// Reads the bundles of a mirror (C2SP tlog-tiles), one at a time, as far as its checkpoint says. Who signed that is for
/// the verifier to find out, and whether the entries lead to its root.
#[derive(Debug)]
pub(crate) struct MirrorFolder {
    folder: PathBuf,
    size: u64,
    next: u64,
    bundle: Vec<[u8; ENTRY_BYTES]>,
}

impl MirrorFolder {
    pub(crate) fn new(folder: &Path, checkpoint: &[u8]) -> Result<Self, CheckpointError> {
        let checkpoint = Checkpoint::parse(SignedNote::parse(checkpoint)?.text())?;
        Ok(Self { folder: folder.to_owned(), size: checkpoint.size(), next: 0, bundle: Vec::new() })
    }

    /// The entries of a bundle; where the partial one is gone, those of the full one.
    fn read(&self, path: TilePath) -> Result<Vec<[u8; ENTRY_BYTES]>, ReadError> {
        let full = TilePath::new(path.kind(), path.index(), FULL_WIDTH).unwrap_or(path);
        let bytes = match read_bundle(&self.folder, path)? {
            Some(bytes) => Some(bytes),
            None => read_bundle(&self.folder, full)?,
        };
        let bytes = bytes.ok_or_else(|| damaged(path, "is not there"))?;
        let entries =
            parse_entries(path, &bytes).map_err(|error| damaged(path, &format!("is malformed: {error}")))?;
        let sized = entries.into_iter().map(<[u8; ENTRY_BYTES]>::try_from).collect::<Result<_, _>>();
        sized.map_err(|_| damaged(path, "has an entry that is not 97 bytes long"))
    }
}

impl Entries for MirrorFolder {
    fn next_entry(&mut self) -> Result<Option<[u8; ENTRY_BYTES]>, ReadError> {
        if self.next == self.size {
            return Ok(None);
        }
        let width = u64::from(FULL_WIDTH);
        if self.next.is_multiple_of(width) {
            let path = TilePath::in_tree(TileKind::Entries, self.next / width, self.size);
            self.bundle =
                self.read(path.ok_or_else(|| ReadError::Damaged("no log is so long".to_owned()))?)?;
        }
        let entry = usize::try_from(self.next % width).ok().and_then(|at| self.bundle.get(at));
        self.next += 1;
        Ok(entry.copied())
    }
}

/// A bundle's bytes, if there is such a file. Devices and pipes are refused before they are opened.
fn read_bundle(folder: &Path, path: TilePath) -> Result<Option<Vec<u8>>, ReadError> {
    let file = folder.join(path.to_string());
    let failed = |error: &io::Error| ReadError::Failed(format!("{}: {error}", file.display()));
    match fs::metadata(&file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(&error)),
        Ok(metadata) if !metadata.is_file() => return Err(damaged(path, "is not a regular file")),
        Ok(metadata) if metadata.len() > MAX_BUNDLE_LEN => return Err(damaged(path, "is too long")),
        Ok(_) => {}
    }
    let mut bytes = Vec::new();
    let read = File::open(&file).and_then(|file| file.take(MAX_BUNDLE_LEN).read_to_end(&mut bytes));
    read.map_err(|error| failed(&error))?;
    Ok(Some(bytes))
}

fn damaged(path: TilePath, why: &str) -> ReadError {
    ReadError::Damaged(format!("{path} {why}"))
}
