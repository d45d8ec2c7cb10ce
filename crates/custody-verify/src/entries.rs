//! The public entries from a file: 97 bytes each, nothing between them.

use std::fs::File;
use std::io::{self, BufReader, Read as _, Take};

use custody::bundle::{Entries, ReadError};
use custody::record::ENTRY_BYTES;

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
