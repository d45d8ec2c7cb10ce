//! JPEG files (ITU-T T.81), read without anything but pixels.

use custody::digest::Digest;
use image::{DynamicImage, GrayImage, RgbImage};
use zune_jpeg::JpegDecoder;
use zune_jpeg::errors::DecodeErrors;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use super::{Claims, MAX_PASSES, MAX_PASSES_PIXEL_BYTES, MAX_PIXEL_BYTES, MAX_SIDE, RedactError};

/// How every file begins.
pub(super) const SIGNATURE: &[u8] = b"\xff\xd8\xff";
const PROGRESSIVE: u8 = 0xc2;
const SCAN: u8 = 0xda;
const END: u8 = 0xd9;
/// What is put after the last scan to see whether anything of it is read: bits of every sort, no marker.
const MORE: &[u8] = &[
    0x2b, 0x91, 0x7c, 0xd5, 0x3e, 0xa8, 0x64, 0x1f, 0xc9, 0x52, 0xb7, 0x0d, 0xe3, 0x76, 0x98, 0x45, 0xda,
    0x33, 0x6e, 0x87, 0x19, 0xf4, 0xac, 0x5b, 0x2b, 0x91, 0x7c, 0xd5, 0x3e, 0xa8, 0x64, 0x1f,
];
const EXIF: &[u8] = b"Exif\0";
const XMP: &[u8] = b"http://ns.adobe.com/xap/1.0/\0";
/// What does not fit into one segment of XMP, with a name, a length and a place before each part.
const MORE_XMP: &[u8] = b"http://ns.adobe.com/xmp/extension/\0";
const BEFORE_MORE_XMP: usize = 32 + 4 + 4;

/// How often a decoder goes over the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Passes {
    /// Once, row by row.
    One,
    /// More than once, or in refinements: everything is kept until the last.
    Several,
}

/// Leaves what the pixels need, and tells what the rest says of how they are turned. A file without an end is refused.
pub(super) fn strip(file: &mut Vec<u8>) -> Result<(Claims, Passes), RedactError> {
    let cut_off = || RedactError::damaged("it ends before its end is marked");
    let (mut claims, mut more_xmp) = (Claims::default(), Vec::new());
    let (mut scans, mut frames, mut progressive) = (0, 0, false);
    let (mut from, mut to) = (2, 2);
    loop {
        let begins = file.get(from).ok_or_else(cut_off)? == &0xff;
        // Any number of fill bytes may come before a marker.
        while file.get(from + 1) == Some(&0xff) {
            from += 1;
        }
        let marker = *file.get(from + 1).ok_or_else(cut_off)?;
        if marker == END && begins {
            file.copy_within(from..from + 2, to);
            file.truncate(to + 2);
            break;
        }
        if !begins || matches!(marker, 0x00 | 0x01 | 0xd0..=0xd8) {
            return Err(RedactError::damaged("there is something between its segments"));
        }
        let [high, low] = *file.get(from + 2..).and_then(<[u8]>::first_chunk).ok_or_else(cut_off)?;
        let mut end = from + 2 + usize::from(u16::from_be_bytes([high, low]));
        let body = file.get(from + 4..end).ok_or_else(cut_off)?;
        let kept = match marker {
            0xe0 => body.starts_with(b"JFIF\0"),
            0xee => body.starts_with(b"Adobe"),
            0xe1 => {
                if let Some(block) = body.strip_prefix(EXIF).and_then(<[u8]>::split_first) {
                    if scans == 0 { claims.exif(block.1) } else { claims.exif_elsewhere(block.1) }
                } else if let Some(packet) = body.strip_prefix(XMP) {
                    claims.xmp(packet);
                } else if let Some(part) = body.strip_prefix(MORE_XMP) {
                    more_xmp.extend_from_slice(part.get(BEFORE_MORE_XMP..).unwrap_or_default());
                }
                false
            }
            0xe2..=0xef | 0xfe => false,
            SCAN => {
                scans += 1;
                end = end_of_scan(file, end).ok_or_else(cut_off)?;
                true
            }
            0xc0..=0xcf if !matches!(marker, 0xc4 | 0xc8 | 0xcc) => {
                frames += 1;
                progressive = marker == PROGRESSIVE;
                // After the bits of a sample come height and width, two bytes each.
                let sides = body.get(1..5).unwrap_or_default().chunks(2);
                if sides
                    .flat_map(<[u8; 2]>::try_from)
                    .any(|side| u32::from(u16::from_be_bytes(side)) > MAX_SIDE)
                {
                    return Err(RedactError::TooLarge);
                }
                true
            }
            _ => true,
        };
        if frames > 1 || (scans > 0 && frames == 0) {
            return Err(RedactError::damaged("it has no frame, or several"));
        }
        if scans > MAX_PASSES {
            return Err(RedactError::TooLarge);
        }
        if kept {
            file.copy_within(from..end, to);
            to += end - from;
        }
        from = end;
    }
    claims.xmp(&more_xmp);
    Ok((claims, if progressive || scans > 1 { Passes::Several } else { Passes::One }))
}

/// Where the marker after a scan stands.
fn end_of_scan(file: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        at += file.get(at..)?.iter().position(|byte| *byte == 0xff)?;
        match file.get(at + 1)? {
            0xff => at += 1,
            0x00 | 0xd0..=0xd7 => at += 2,
            _ => return Some(at),
        }
    }
}

/// The pixels of a stripped file, all of them. A decoder fills in what is missing where a scan ends too early; then
/// the pixels change with what comes after the scan, where a whole one leaves it alone.
pub(super) fn read(mut file: Vec<u8>, passes: Passes) -> Result<DynamicImage, RedactError> {
    let mut pixels = Pixels::make(&file, passes)?;
    let before = pixels.fingerprint();
    let end = file.len().saturating_sub(2);
    file.reserve_exact(MORE.len());
    file.splice(end..end, MORE.iter().copied());
    pixels.decode(&file)?;
    if pixels.fingerprint() != before {
        return Err(RedactError::damaged("its pixels end too early"));
    }
    pixels.into_image()
}

/// Room for the pixels of a file, used for each decoding.
struct Pixels {
    bytes: Vec<u8>,
    grey: bool,
    options: DecoderOptions,
    side: (usize, usize),
}

impl Pixels {
    fn make(file: &[u8], passes: Passes) -> Result<Self, RedactError> {
        let side = MAX_SIDE as usize;
        let options = DecoderOptions::default()
            .set_strict_mode(true)
            .set_use_unsafe(false)
            .set_max_width(side)
            .set_max_height(side)
            .jpeg_set_max_scans(MAX_PASSES as usize);
        let mut decoder = JpegDecoder::new_with_options(ZCursor::new(file), options);
        decoder.decode_headers().map_err(unread)?;
        let side = decoder.dimensions().ok_or(RedactError::NotAnImage)?;
        let grey = decoder.input_colorspace() == Some(ColorSpace::Luma);
        let most = if passes == Passes::One { MAX_PIXEL_BYTES } else { MAX_PASSES_PIXEL_BYTES };
        let bytes = side.0 as u64 * side.1 as u64 * if grey { 1 } else { 3 };
        if bytes > most {
            return Err(RedactError::TooLarge);
        }
        let options = options.jpeg_set_out_colorspace(if grey { ColorSpace::Luma } else { ColorSpace::RGB });
        let bytes = vec![0; usize::try_from(bytes).map_err(|_| RedactError::TooLarge)?];
        let mut this = Self { bytes, grey, options, side };
        this.decode(file)?;
        Ok(this)
    }

    fn decode(&mut self, file: &[u8]) -> Result<(), RedactError> {
        self.bytes.fill(0);
        JpegDecoder::new_with_options(ZCursor::new(file), self.options)
            .decode_into(&mut self.bytes)
            .map_err(unread)
    }

    fn fingerprint(&self) -> Digest {
        Digest::of(&self.bytes)
    }

    fn into_image(self) -> Result<DynamicImage, RedactError> {
        let side = |length: usize| u32::try_from(length).map_err(|_| RedactError::TooLarge);
        let (width, height) = (side(self.side.0)?, side(self.side.1)?);
        let image = if self.grey {
            GrayImage::from_raw(width, height, self.bytes).map(DynamicImage::ImageLuma8)
        } else {
            RgbImage::from_raw(width, height, self.bytes).map(DynamicImage::ImageRgb8)
        };
        image.ok_or(RedactError::NotAnImage)
    }
}

fn unread(error: DecodeErrors) -> RedactError {
    match error {
        DecodeErrors::LargeDimensions(_) => RedactError::TooLarge,
        DecodeErrors::Unsupported(_) => RedactError::NotAnImage,
        error => RedactError::damaged(error.to_string()),
    }
}
