//! What a ZIP file says of its entries (APPNOTE.TXT 6.3.10, sections 4.3 to 4.5), in the one form that all programs
//! read alike: no data descriptors, no compression, no fields that say a name or a size a second time.

pub(super) const LOCAL_LEN: usize = 30;
pub(super) const CENTRAL_LEN: usize = 46;
pub(super) const END_LEN: usize = 22;
pub(super) const END64_LEN: usize = 56;
pub(super) const LOCATOR_LEN: usize = 20;

const LOCAL: &[u8] = b"PK\x03\x04";
const CENTRAL: &[u8] = b"PK\x01\x02";
const END: &[u8] = b"PK\x05\x06";
const END64: &[u8] = b"PK\x06\x06";
const LOCATOR: &[u8] = b"PK\x06\x07";

/// Bit 0 of the flags: encrypted.
const ENCRYPTED: u16 = 1;
/// Bit 3: a data descriptor follows, and the local header does not know the sizes.
const DESCRIPTOR: u16 = 1 << 3;
/// Bit 11: the name is UTF-8.
const UTF8: u16 = 1 << 11;

/// Extra field: sizes and offset with 8 bytes each.
const ZIP64: u16 = 1;
/// Extra fields that say nothing about content or name: times and owners, as Info-ZIP writes them.
const HARMLESS: [u16; 2] = [0x5455, 0x7875];

type Problem = &'static str;

const TWO_HEADERS: Problem = "its two headers in the ZIP file disagree";
const CUT_OFF: Problem = "a header in the ZIP file is cut off";
const EXTRAS: Problem = "a header in the ZIP file has further fields that may tell of another name or size";

/// What both headers say.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Header {
    flags: u16,
    method: u16,
    crc: u32,
    /// Bytes in the file.
    pub(super) stored: u64,
    /// Bytes unpacked.
    size: u64,
    pub(super) name: Vec<u8>,
}

/// A header in front of an entry's bytes.
#[derive(Debug)]
pub(super) struct Local(Header);

/// A header in the directory.
#[derive(Debug)]
pub(super) struct Central {
    pub(super) header: Header,
    /// Where the local header stands.
    pub(super) local_at: u64,
    mode: u32,
    /// A comment, or extra fields that are not known to be harmless.
    problem: Option<Problem>,
}

/// The directory's place.
#[derive(Debug)]
pub(super) struct Directory {
    pub(super) start: u64,
    pub(super) end: u64,
    pub(super) entries: u64,
}

/// Bytes of name and extra fields behind a local header.
pub(super) fn local_rest(fixed: &[u8; LOCAL_LEN]) -> usize {
    usize::from(u16_at(fixed, 26)) + usize::from(u16_at(fixed, 28))
}

/// Bytes of name, extra fields and comment behind a central header.
pub(super) fn central_rest(fixed: &[u8; CENTRAL_LEN]) -> Result<usize, Problem> {
    let lengths = [28, 30, 32].map(|at| usize::from(u16_at(fixed, at)));
    if fixed.starts_with(CENTRAL) { Ok(lengths.iter().sum()) } else { Err("its directory is no directory") }
}

impl Local {
    pub(super) fn parse(fixed: &[u8; LOCAL_LEN], rest: &[u8]) -> Result<Self, Problem> {
        if !fixed.starts_with(LOCAL) {
            return Err(TWO_HEADERS);
        }
        let (name, extra) = split(rest, u16_at(fixed, 26).into())?;
        let mut header = Header {
            flags: u16_at(fixed, 6),
            method: u16_at(fixed, 8),
            crc: u32_at(fixed, 14),
            stored: u32_at(fixed, 18).into(),
            size: u32_at(fixed, 22).into(),
            name: name.to_vec(),
        };
        // A local header has both sizes there or neither.
        let mut long = Long::find(extra)?;
        long.take(&mut header.size)?;
        long.take(&mut header.stored)?;
        long.finish()?;
        Ok(Self(header))
    }

    /// Whether it says what the directory says.
    pub(super) fn agrees(&self, central: &Central) -> Result<(), Problem> {
        if self.0 == central.header { Ok(()) } else { Err(TWO_HEADERS) }
    }
}

impl Central {
    /// `rest` has the length that [`central_rest`] says.
    pub(super) fn parse(fixed: &[u8; CENTRAL_LEN], rest: &[u8]) -> Result<Self, Problem> {
        let (name, behind) = split(rest, u16_at(fixed, 28).into())?;
        let (extra, comment) = split(behind, u16_at(fixed, 30).into())?;
        let mut header = Header {
            flags: u16_at(fixed, 8),
            method: u16_at(fixed, 10),
            crc: u32_at(fixed, 16),
            stored: u32_at(fixed, 20).into(),
            size: u32_at(fixed, 24).into(),
            name: name.to_vec(),
        };
        let mut local_at = u32_at(fixed, 42).into();
        let mut long = Long::find(extra)?;
        long.take(&mut header.size)?;
        long.take(&mut header.stored)?;
        long.take(&mut local_at)?;
        long.finish()?;
        let problem = if comment.is_empty() && u16_at(fixed, 34) == 0 { None } else { Some(EXTRAS) };
        // Mode bits count where a Unix system made the entry.
        let mode = if fixed[5] == 3 { u32_at(fixed, 38) >> 16 } else { 0 };
        Ok(Self { header, local_at, mode, problem })
    }

    /// Why the entry is not taken as it is.
    pub(super) fn problem(&self) -> Option<Problem> {
        let Header { flags, method, stored, size, ref name, .. } = self.header;
        if flags & ENCRYPTED != 0 {
            Some("it is encrypted")
        } else if method != 0 || stored != size {
            Some("it is compressed: unpack the ZIP and verify the folder")
        } else if flags & DESCRIPTOR != 0 {
            Some("it is followed by a data descriptor: unpack the ZIP and verify the folder")
        } else if flags & !UTF8 != 0 {
            Some("it is flagged as something special: unpack the ZIP and verify the folder")
        } else if std::str::from_utf8(name).is_err() || (!name.is_ascii() && flags & UTF8 == 0) {
            Some("its name is not UTF-8")
        } else if !matches!(self.mode & 0o170_000, 0 | 0o100_000 | 0o040_000) {
            Some("a symbolic link or special file: refused")
        } else {
            self.problem
        }
    }
}

impl Directory {
    /// From the last bytes of a file of `length` bytes.
    pub(super) fn parse(tail: &[u8], length: u64) -> Result<Self, Problem> {
        let (before, end) = split_end(tail, END_LEN)?;
        // No comment: the end record is the end of the file.
        if !end.starts_with(END) || u16_at(end, 20) != 0 {
            return Err("bytes follow its end, or it is cut off");
        }
        let short = [u64::from(u16_at(end, 8)), u64::from(u16_at(end, 10))];
        let (size, start) = (u32_at(end, 12).into(), u32_at(end, 16).into());
        let mut found = [short[0], short[1], size, start];
        let mut at = length - END_LEN as u64;
        if before.len() >= LOCATOR_LEN && before[before.len() - LOCATOR_LEN..].starts_with(LOCATOR) {
            let (before, locator) = split_end(before, LOCATOR_LEN)?;
            let (_, end64) = split_end(before, END64_LEN)?;
            at -= (LOCATOR_LEN + END64_LEN) as u64;
            let sound = end64.starts_with(END64) && u64_at(end64, 4) == END64_LEN as u64 - 12;
            let sound = sound && (u32_at(end64, 16), u32_at(end64, 20)) == (0, 0);
            if !sound || (u32_at(locator, 4), u64_at(locator, 8), u32_at(locator, 16)) != (0, at, 1) {
                return Err("its ZIP64 end record is not where it should be");
            }
            let long = [24, 32, 40, 48].map(|at| u64_at(end64, at));
            let unsaid = [0xffff, 0xffff, 0xffff_ffff, 0xffff_ffff];
            let agree = (0..4).all(|field| found[field] == unsaid[field] || found[field] == long[field]);
            if !agree {
                return Err("its two end records disagree");
            }
            found = long;
        }
        let [here, entries, size, start] = found;
        if (u16_at(end, 4), u16_at(end, 6)) != (0, 0) || here != entries {
            return Err("it is one of several parts");
        }
        if start.checked_add(size) != Some(at) {
            return Err("bytes lie before its entries or behind its directory");
        }
        Ok(Self { start, end: at, entries })
    }
}

/// The ZIP64 field of a header.
struct Long<'a>(&'a [u8]);

impl<'a> Long<'a> {
    /// The field, once or not at all, among none but harmless ones.
    fn find(mut extra: &'a [u8]) -> Result<Self, Problem> {
        let mut found = None;
        while !extra.is_empty() {
            let (head, behind) = split(extra, 4)?;
            let (body, rest) = split(behind, u16_at(head, 2).into())?;
            match u16_at(head, 0) {
                ZIP64 if found.is_none() => found = Some(body),
                id if HARMLESS.contains(&id) => {}
                _ => return Err(EXTRAS),
            }
            extra = rest;
        }
        Ok(Self(found.unwrap_or_default()))
    }

    /// The next 8 bytes in place of a value that does not fit into 4.
    fn take(&mut self, value: &mut u64) -> Result<(), Problem> {
        if *value == u64::from(u32::MAX) {
            let (long, rest) = split(self.0, 8)?;
            (*value, self.0) = (u64_at(long, 0), rest);
        }
        Ok(())
    }

    /// Nothing is said that nobody asked for.
    fn finish(self) -> Result<(), Problem> {
        if self.0.is_empty() { Ok(()) } else { Err(EXTRAS) }
    }
}

fn split(bytes: &[u8], at: usize) -> Result<(&[u8], &[u8]), Problem> {
    bytes.split_at_checked(at).ok_or(CUT_OFF)
}

fn split_end(bytes: &[u8], len: usize) -> Result<(&[u8], &[u8]), Problem> {
    bytes.len().checked_sub(len).map(|at| bytes.split_at(at)).ok_or("it is cut off")
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from(u16_at(bytes, at)) | u32::from(u16_at(bytes, at + 2)) << 16
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}
