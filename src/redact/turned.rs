//! How a picture is turned, as its metadata says.
//!
//! All viewers look for the orientation in Exif, before the pixels. Some look elsewhere as well: where anything else that
//! is said contradicts, or cannot be read, nobody knows what somebody saw who gave boxes.

use image::metadata::Orientation;

use super::RedactError;

/// Exif's number of the orientation.
const ORIENTATION: u16 = 0x0112;
/// Exif's number of two-byte integers.
const SHORT: u16 = 3;
const XMP_NAME: &[u8] = b"Orientation";

/// What a file says of how its picture is turned: numbers from 1 (upright) to 8, as Exif has them.
#[derive(Debug, Default)]
pub(super) struct Claims {
    /// What all viewers heed.
    exif: Option<u8>,
    /// Everything that was said, a bit each.
    said: u16,
    /// Something that cannot be read.
    unclear: bool,
}

impl Claims {
    /// Exif where all viewers look for it.
    pub(super) fn exif(&mut self, block: &[u8]) {
        match in_exif(block) {
            Ok(Some(said)) => {
                self.exif.get_or_insert(said);
                self.said |= 1 << said;
            }
            Ok(None) => {}
            Err(Unclear) => self.unclear = true,
        }
    }

    /// Exif where some viewers look for it.
    pub(super) fn exif_elsewhere(&mut self, block: &[u8]) {
        match in_exif(block) {
            Ok(said) => self.said |= said.map_or(0, |said| 1 << said),
            Err(Unclear) => self.unclear = true,
        }
    }

    /// An XMP packet, or a part of one.
    pub(super) fn xmp(&mut self, packet: &[u8]) {
        // UTF-16, as XMP may have it elsewhere, reads the same without its zeros.
        let text: Vec<u8> = packet.iter().copied().filter(|byte| *byte != 0).collect();
        let mut rest = text.as_slice();
        while let Some(at) = rest.windows(XMP_NAME.len()).position(|name| name == XMP_NAME) {
            let (before, after) = (&rest[..at], &rest[at + XMP_NAME.len()..]);
            if is_name(before, after) {
                match value(after) {
                    Some(said) => self.said |= 1 << said,
                    None => self.unclear = true,
                }
            }
            rest = after;
        }
    }

    /// Metadata in which an orientation may stand that cannot be read here.
    pub(super) const fn unreadable(&mut self) {
        self.unclear = true;
    }

    /// How to turn it, if everything that is said says so.
    pub(super) fn orientation(&self) -> Result<Orientation, RedactError> {
        let said = self.exif.unwrap_or(1);
        if self.unclear || self.said & !(1 << said) != 0 {
            return Err(RedactError::Turned);
        }
        Orientation::from_exif(said).ok_or(RedactError::Turned)
    }
}

/// An orientation in a form that viewers may read in different ways.
struct Unclear;

/// What the first directory of an Exif block says; numbers that mean nothing are nothing said, as with all viewers.
fn in_exif(block: &[u8]) -> Result<Option<u8>, Unclear> {
    let big = match block.get(..4) {
        Some(b"MM\0*") => true,
        Some(b"II*\0") => false,
        _ => return Ok(None),
    };
    let short = |at: usize| {
        let bytes = block.get(at..at.checked_add(2)?)?.try_into().ok()?;
        Some(if big { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) })
    };
    let long = |at: usize| {
        let bytes = block.get(at..at.checked_add(4)?)?.try_into().ok()?;
        Some(if big { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
    };
    let Some(directory) = long(4).and_then(|at| usize::try_from(at).ok()) else { return Ok(None) };
    let mut found = None;
    for entry in 0..short(directory).unwrap_or(0) {
        let at = directory.saturating_add(2 + 12 * usize::from(entry));
        let Some(tag) = short(at) else { break };
        if tag != ORIENTATION {
            continue;
        }
        let (Some(SHORT), Some(1), Some(said)) = (short(at + 2), long(at + 4), short(at + 8)) else {
            return Err(Unclear);
        };
        let said = u8::try_from(said).ok().filter(|said| (1..=8).contains(said));
        if found.is_some_and(|found| found != said) {
            return Err(Unclear);
        }
        found = Some(said);
    }
    Ok(found.flatten())
}

/// Whether a word is the name of an element that begins, or of an attribute: these always have a prefix.
fn is_name(before: &[u8], after: &[u8]) -> bool {
    let part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    let begins = match before.split_last() {
        Some((b'<', _)) => true,
        Some((b':', before)) => {
            let prefix = before.iter().rev().take_while(|byte| part(byte)).count();
            before[..before.len() - prefix].last() != Some(&b'/')
        }
        _ => false,
    };
    begins && !after.first().is_some_and(part)
}

/// The number after a name, as an attribute or an element: `="6"`, `>6<`.
fn value(after: &[u8]) -> Option<u8> {
    let after = match after.trim_ascii_start() {
        [b'=', rest @ ..] => match rest.trim_ascii_start() {
            [b'"' | b'\'', rest @ ..] => rest,
            _ => return None,
        },
        [b'>', rest @ ..] => rest,
        _ => return None,
    };
    match after.trim_ascii_start() {
        [digit @ b'1'..=b'8', rest @ ..] if !rest.first().is_some_and(u8::is_ascii_alphanumeric) => {
            Some(digit - b'0')
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said_by(xmp: &str) -> Option<u8> {
        let mut claims = Claims::default();
        claims.xmp(xmp.as_bytes());
        (!claims.unclear && claims.said.is_power_of_two()).then(|| u8::try_from(claims.said.ilog2()).unwrap())
    }

    #[test]
    fn an_orientation_is_found_in_xmp_in_all_its_forms() {
        for (xmp, said) in [
            (r#"<rdf:Description tiff:Orientation="6" tiff:Make="x"/>"#, 6),
            ("<rdf:Description tiff:Orientation = '3'/>", 3),
            ("<tiff:Orientation>8</tiff:Orientation>", 8),
            ("<Orientation>\n 2 </Orientation>", 2),
        ] {
            assert_eq!(said_by(xmp), Some(said), "{xmp}");
            let wide: Vec<_> = xmp.encode_utf16().flat_map(u16::to_le_bytes).collect();
            assert_eq!(said_by(&String::from_utf8(wide).unwrap()), Some(said), "{xmp}");
        }
        for nothing in
            ["", "<a:OrientationOfTheBuilding>6</a:OrientationOfTheBuilding>", "ReOrientation='6'", "Orient"]
        {
            let mut claims = Claims::default();
            claims.xmp(nothing.as_bytes());
            assert!(!claims.unclear && claims.said == 0, "{nothing}");
        }
        for unclear in [
            "tiff:Orientation='&#54;'",
            "<tiff:Orientation rdf:a='b'>6<",
            "tiff:Orientation=\"66\"",
            "x:Orientation",
        ] {
            let mut claims = Claims::default();
            claims.xmp(unclear.as_bytes());
            assert!(claims.unclear, "{unclear}");
        }
    }

    fn exif(entries: &[[u16; 5]]) -> Vec<u8> {
        let mut block = b"MM\0*\0\0\0\x08".to_vec();
        block.extend(u16::try_from(entries.len()).unwrap().to_be_bytes());
        for [tag, form, count, value, rest] in entries {
            for part in [*tag, *form, 0, *count, *value, *rest] {
                block.extend(part.to_be_bytes());
            }
        }
        block
    }

    #[test]
    fn what_exif_says_is_read_or_unclear_and_nonsense_is_nothing() {
        let orientation = |form, count, value| [ORIENTATION, form, count, value, 0];
        let read = |block: &[u8]| in_exif(block).map_err(|_| ());
        assert_eq!(read(&exif(&[[0x010f, 2, 4, 1, 1], orientation(3, 1, 6)])), Ok(Some(6)));
        assert_eq!(read(b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x05\0\0\0"), Ok(Some(5)));
        for value in [0, 9, 0x0106] {
            assert_eq!(read(&exif(&[orientation(3, 1, value)])), Ok(None), "{value}");
        }
        for block in [&b""[..], b"MM\0*", b"MM\0*\xff\xff\xff\xff", b"II*\0\x08\0\0\0\xff\xff", b"Exif"] {
            assert_eq!(read(block), Ok(None), "{block:?}");
        }
        let twice = exif(&[orientation(3, 1, 6), orientation(3, 1, 8)]);
        for block in [exif(&[orientation(4, 1, 6)]), exif(&[orientation(3, 2, 6)]), twice] {
            assert_eq!(read(&block), Err(()));
        }
        assert_eq!(read(&exif(&[orientation(3, 1, 6), orientation(3, 1, 6)])), Ok(Some(6)));
    }
}
