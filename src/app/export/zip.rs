//! ZIP64 with stored entries, laid out before the first byte is sent.
//!
//! Sizes and checksums of all entries are known beforehand, so the archive has an exact length, needs no data
//! descriptors, and the same entries give the same bytes (APPNOTE.TXT 6.3.10, sections 4.3 to 4.5). Times are fixed
//! at 1980-01-01: when things happened is in the records, not in file metadata.

use std::num::TryFromIntError;

/// One file of the archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ZipEntry {
    /// Path with forward slashes, UTF-8, at most 65,535 bytes.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// CRC-32 of the bytes.
    pub crc32: u32,
}

/// A name too long for the format.
#[derive(Debug, thiserror::Error)]
#[error("a path in the bundle is longer than 65,535 bytes")]
pub(super) struct NameTooLong(#[from] TryFromIntError);

/// The archive's layout.
#[derive(Debug)]
pub(super) struct ZipLayout {
    entries: Vec<(ZipEntry, u64)>,
    directory_at: u64,
    directory: Vec<u8>,
}

const LOCAL: u32 = 0x0403_4b50;
const CENTRAL: u32 = 0x0201_4b50;
const END_64: u32 = 0x0606_4b50;
const LOCATOR_64: u32 = 0x0706_4b50;
const END: u32 = 0x0605_4b50;
/// Names are UTF-8 (general purpose bit 11).
const FLAGS: u16 = 1 << 11;
/// Version 4.5: ZIP64.
const VERSION: u16 = 45;
/// Made on Unix, so that the mode below counts.
const MADE_BY: u16 = (3 << 8) | VERSION;
/// 1980-01-01, the format's zero.
const DATE: u16 = (1 << 5) | 1;
/// A regular file, rw-r--r--.
const MODE: u32 = 0o100_644 << 16;

impl ZipLayout {
    /// Lays out the entries in the given order.
    pub(super) fn new(entries: Vec<ZipEntry>) -> Result<Self, NameTooLong> {
        let mut offset = 0;
        let mut placed = Vec::with_capacity(entries.len());
        for entry in entries {
            let header = local_header(&entry)?.len() as u64;
            let size = entry.size;
            placed.push((entry, offset));
            offset += header + size;
        }
        let directory = directory(&placed, offset)?;
        Ok(Self { entries: placed, directory_at: offset, directory })
    }

    /// Exact bytes of the whole archive.
    pub(super) fn size(&self) -> u64 {
        self.directory_at + self.directory.len() as u64
    }

    /// The entries in order.
    pub(super) fn entries(&self) -> impl Iterator<Item = &ZipEntry> {
        self.entries.iter().map(|(entry, _)| entry)
    }

    /// What follows the last entry's bytes.
    pub(super) fn directory(&self) -> &[u8] {
        &self.directory
    }
}

/// What precedes an entry's bytes.
pub(super) fn local_header(entry: &ZipEntry) -> Result<Vec<u8>, NameTooLong> {
    let mut out = Vec::with_capacity(64 + entry.name.len());
    put32(&mut out, LOCAL);
    common(&mut out, entry);
    put16(&mut out, u16::try_from(entry.name.len())?);
    put16(&mut out, 20);
    out.extend_from_slice(entry.name.as_bytes());
    put16(&mut out, 1);
    put16(&mut out, 16);
    put64(&mut out, entry.size);
    put64(&mut out, entry.size);
    Ok(out)
}

/// Fields that local and central headers share: version, flags, method, time, date, checksum, sizes elsewhere.
fn common(out: &mut Vec<u8>, entry: &ZipEntry) {
    put16(out, VERSION);
    put16(out, FLAGS);
    put16(out, 0);
    put16(out, 0);
    put16(out, DATE);
    put32(out, entry.crc32);
    put32(out, u32::MAX);
    put32(out, u32::MAX);
}

fn directory(entries: &[(ZipEntry, u64)], at: u64) -> Result<Vec<u8>, NameTooLong> {
    let mut out = Vec::new();
    for (entry, offset) in entries {
        put32(&mut out, CENTRAL);
        put16(&mut out, MADE_BY);
        common(&mut out, entry);
        put16(&mut out, u16::try_from(entry.name.len())?);
        put16(&mut out, 28);
        put16(&mut out, 0);
        put16(&mut out, 0);
        put16(&mut out, 0);
        put32(&mut out, MODE);
        put32(&mut out, u32::MAX);
        out.extend_from_slice(entry.name.as_bytes());
        put16(&mut out, 1);
        put16(&mut out, 24);
        put64(&mut out, entry.size);
        put64(&mut out, entry.size);
        put64(&mut out, *offset);
    }
    let size = out.len() as u64;
    let count = entries.len() as u64;
    put32(&mut out, END_64);
    put64(&mut out, 44);
    put16(&mut out, MADE_BY);
    put16(&mut out, VERSION);
    put32(&mut out, 0);
    put32(&mut out, 0);
    put64(&mut out, count);
    put64(&mut out, count);
    put64(&mut out, size);
    put64(&mut out, at);
    put32(&mut out, LOCATOR_64);
    put32(&mut out, 0);
    put64(&mut out, at + size);
    put32(&mut out, 1);
    put32(&mut out, END);
    put16(&mut out, 0);
    put16(&mut out, 0);
    put16(&mut out, u16::MAX);
    put16(&mut out, u16::MAX);
    put32(&mut out, u32::MAX);
    put32(&mut out, u32::MAX);
    put16(&mut out, 0);
    Ok(out)
}

fn put16(out: &mut Vec<u8>, value: u16) {
    out.extend_from_slice(&value.to_le_bytes());
}
fn put32(out: &mut Vec<u8>, value: u32) {
    out.extend_from_slice(&value.to_le_bytes());
}
fn put64(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(&value.to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read as _;

    #[test]
    fn another_reader_finds_every_entry_and_the_exact_length() {
        let files: [(&str, &[u8]); 3] = [("a/é.txt", b"hello"), ("empty", b""), ("b.bin", &vec![7; 70_000])];
        let entries = files
            .iter()
            .map(|(name, bytes)| ZipEntry {
                name: (*name).to_owned(),
                size: bytes.len() as u64,
                crc32: crc32fast::hash(bytes),
            })
            .collect();
        let layout = ZipLayout::new(entries).unwrap();
        let mut archive = Vec::new();
        for (entry, (_, bytes)) in layout.entries().zip(files) {
            archive.extend(local_header(entry).unwrap());
            archive.extend_from_slice(bytes);
        }
        archive.extend_from_slice(layout.directory());
        assert_eq!(archive.len() as u64, layout.size());
        let mut read = zip::ZipArchive::new(std::io::Cursor::new(archive)).unwrap();
        assert_eq!(read.len(), 3);
        for (name, bytes) in files {
            let mut found = Vec::new();
            read.by_name(name).unwrap().read_to_end(&mut found).unwrap();
            assert_eq!(found, bytes);
        }
    }
}
