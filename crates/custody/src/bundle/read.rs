//! How the verifier gets at bytes: it asks, the caller reads. Nothing here opens a file.

use super::findings::{Code, Place};
use crate::record::ENTRY_BYTES;

/// A file of a bundle, as its container lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileEntry {
    /// Path below the bundle's root, with `/`. A name that ends in `/` is an empty directory.
    pub name: String,
    /// Bytes.
    pub size: u64,
}

/// What a container holds, and what is wrong with the container itself.
#[derive(Debug, Clone, Default)]
pub struct Listing {
    /// Every file; the position is the handle for [`Files::read_at`].
    pub files: Vec<FileEntry>,
    /// What the container itself shows to be wrong (symbolic links, overlapping ZIP entries).
    pub problems: Vec<(Code, Place)>,
}

/// Why bytes did not come.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The container is damaged here: a verdict about the bundle.
    #[error("damaged: {0}")]
    Damaged(String),
    /// The medium failed: no verdict about the bundle.
    #[error("cannot be read: {0}")]
    Failed(String),
}

/// A bundle's files, wherever they are.
pub trait Files {
    /// Lists all files, once.
    fn list(&mut self) -> Result<Listing, ReadError>;

    /// Reads from `offset` of the file at position `file` of the listing; 0 only at its end or for an empty buffer.
    fn read_at(&mut self, file: usize, offset: u64, buffer: &mut [u8]) -> Result<usize, ReadError>;
}

/// The log's public entries, in order, from index 0.
pub trait Entries {
    /// The next entry; `None` after the last. An entry cut short is [`ReadError::Damaged`].
    fn next_entry(&mut self) -> Result<Option<[u8; ENTRY_BYTES]>, ReadError>;
}

const CHUNK: usize = 64 << 10;

/// Reads a file to its end in chunks.
pub(super) fn stream(
    files: &mut dyn Files,
    file: usize,
    mut sink: impl FnMut(&[u8]),
) -> Result<u64, ReadError> {
    let mut buffer = vec![0; CHUNK];
    let mut offset = 0;
    loop {
        let read = files.read_at(file, offset, &mut buffer)?.min(CHUNK);
        if read == 0 {
            return Ok(offset);
        }
        sink(&buffer[..read]);
        offset += read as u64;
    }
}

/// Reads a whole file of at most `limit` bytes; `None` if it is longer.
pub(super) fn whole(
    files: &mut dyn Files,
    file: usize,
    size: u64,
    limit: usize,
) -> Result<Option<Vec<u8>>, ReadError> {
    if size > limit as u64 {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    let mut buffer = vec![0; CHUNK];
    loop {
        let read = files.read_at(file, bytes.len() as u64, &mut buffer)?.min(CHUNK);
        if read == 0 {
            return Ok(Some(bytes));
        }
        bytes.extend_from_slice(&buffer[..read]);
        if bytes.len() > limit {
            return Ok(None);
        }
    }
}

/// A file's lines, one at a time, with a cap on their length.
#[derive(Debug)]
pub(super) struct Lines {
    file: usize,
    limit: usize,
    offset: u64,
    buffer: Vec<u8>,
    start: usize,
    scanned: usize,
    ended: bool,
    number: u64,
}

/// What came instead of a line.
#[derive(Debug)]
pub(super) enum Line<'a> {
    /// A line without its newline.
    Text(&'a [u8]),
    /// Longer than allowed; the rest of the file is not read.
    TooLong,
    /// The last line has no newline: the file was cut.
    Cut,
    /// After the last line.
    End,
}

impl Lines {
    pub(super) fn new(file: usize, limit: usize) -> Self {
        let (buffer, start, scanned) = (Vec::new(), 0, 0);
        Self { file, limit, offset: 0, buffer, start, scanned, ended: false, number: 0 }
    }

    /// The number of the line that came last, from 1.
    pub(super) const fn number(&self) -> u64 {
        self.number
    }

    pub(super) fn next(&mut self, files: &mut dyn Files) -> Result<Line<'_>, ReadError> {
        loop {
            if let Some(at) = self.buffer[self.scanned..].iter().position(|byte| *byte == b'\n') {
                let line = self.start..self.scanned + at;
                self.start = line.end + 1;
                self.scanned = self.start;
                self.number += 1;
                return Ok(Line::Text(&self.buffer[line]));
            }
            self.scanned = self.buffer.len();
            let pending = self.buffer.len() - self.start;
            if self.ended {
                self.start = self.buffer.len();
                return Ok(if pending == 0 { Line::End } else { Line::Cut });
            }
            if pending > self.limit {
                self.ended = true;
                self.start = self.buffer.len();
                return Ok(Line::TooLong);
            }
            self.fill(files)?;
        }
    }

    fn fill(&mut self, files: &mut dyn Files) -> Result<(), ReadError> {
        self.buffer.drain(..self.start);
        self.scanned -= self.start;
        self.start = 0;
        let kept = self.buffer.len();
        self.buffer.resize(kept + CHUNK, 0);
        let read = files.read_at(self.file, self.offset, &mut self.buffer[kept..])?.min(CHUNK);
        self.buffer.truncate(kept + read);
        self.offset += read as u64;
        self.ended = read == 0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct One(Vec<u8>);

    impl Files for One {
        fn list(&mut self) -> Result<Listing, ReadError> {
            Ok(Listing::default())
        }
        fn read_at(&mut self, _: usize, offset: u64, buffer: &mut [u8]) -> Result<usize, ReadError> {
            let rest = self.0.get(usize::try_from(offset).unwrap()..).unwrap_or_default();
            // Short reads on purpose: a reader may give any number of bytes.
            let count = rest.len().min(buffer.len()).min(3);
            buffer[..count].copy_from_slice(&rest[..count]);
            Ok(count)
        }
    }

    fn lines(text: &str, limit: usize) -> Vec<String> {
        let mut files = One(text.as_bytes().to_vec());
        let mut lines = Lines::new(0, limit);
        let mut all = Vec::new();
        loop {
            match lines.next(&mut files).unwrap() {
                Line::Text(line) => all.push(String::from_utf8(line.to_vec()).unwrap()),
                Line::End => return all,
                other => all.push(format!("{other:?}")),
            }
        }
    }

    #[test]
    fn lines_come_whole_however_they_are_read() {
        assert_eq!(lines("", 9), Vec::<String>::new());
        assert_eq!(lines("one\n\nthree 33\n", 9), ["one", "", "three 33"]);
        assert_eq!(lines("one\ntwo", 9), ["one", "Cut"]);
        assert_eq!(lines("one\n0123456789abcdef\n", 9), ["one", "TooLong"]);
    }
}
