//! PNG files (W3C PNG, third edition): in, without anything but pixels, and out.

use std::io::{Cursor, Write as _};

use image::codecs::png::PngDecoder;
use image::{ColorType, DynamicImage, ImageDecoder as _, Limits};

use super::{Claims, MAX_PIXEL_BYTES, MAX_SIDE, RedactError, unread};

/// How every file begins.
pub(super) const SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";
/// Length and type before, checksum after a chunk's bytes.
const AROUND: usize = 12;
const KEYWORD_XMP: &[u8] = b"XML:com.adobe.xmp";
/// Metadata as some tools write it, in letters and digits.
const KEYWORD_RAW: &[u8] = b"Raw profile type ";

/// Leaves what the pixels need, and tells what the rest says of how they are turned.
pub(super) fn strip(file: &mut Vec<u8>) -> Result<Claims, RedactError> {
    let cut_off = || RedactError::damaged("it ends before its last chunk");
    let (mut claims, mut from, mut to) = (Claims::default(), SIGNATURE.len(), SIGNATURE.len());
    let mut pixels = None;
    loop {
        let head = file.get(from..from.saturating_add(8)).ok_or_else(cut_off)?;
        let ([a, b, c, d], kind) = head.split_first_chunk().ok_or_else(cut_off)?;
        let length = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
        let end = from.checked_add(AROUND).and_then(|end| end.checked_add(length)).ok_or_else(cut_off)?;
        let data = file.get(from + 8..end - 4).filter(|_| end <= file.len()).ok_or_else(cut_off)?;
        let last = kind == b"IEND";
        match kind {
            // Any number of chunks of pixels, whose beginnings cost a decoder more than their bytes, becomes one.
            b"IDAT" => {
                checked(file, from, end)?;
                let begin = *pixels.get_or_insert(to);
                if begin == to {
                    to += 8;
                }
                file.copy_within(from + 8..end - 4, to);
                to += length;
            }
            b"IHDR" | b"PLTE" | b"tRNS" | b"IEND" => {
                if let Some(begin) = pixels.take() {
                    to = as_one(file, begin, to)?;
                }
                file.copy_within(from..end, to);
                to += end - from;
            }
            b"acTL" | b"fcTL" | b"fdAT" => return Err(RedactError::Animated),
            b"eXIf" => claims.exif(data),
            b"iTXt" | b"tEXt" | b"zTXt" => text(kind, data, &mut claims),
            // What must be understood to show it.
            [first, ..] if first.is_ascii_uppercase() => return Err(RedactError::NotAnImage),
            _ => {}
        }
        if last {
            file.truncate(to);
            return Ok(claims);
        }
        from = end;
    }
}

/// Whether a chunk is as its checksum says.
fn checked(file: &[u8], from: usize, end: usize) -> Result<(), RedactError> {
    let sum = crc32fast::hash(&file[from + 4..end - 4]).to_be_bytes();
    if file[end - 4..end] == sum { Ok(()) } else { Err(RedactError::damaged("a checksum differs")) }
}

/// Writes length, type and checksum around pixels whose room for the first two begins at `begin`; where they end.
fn as_one(file: &mut [u8], begin: usize, end: usize) -> Result<usize, RedactError> {
    let length = u32::try_from(end - begin - 8).map_err(|_| RedactError::TooLarge)?;
    file[begin..begin + 4].copy_from_slice(&length.to_be_bytes());
    file[begin + 4..begin + 8].copy_from_slice(b"IDAT");
    let sum = crc32fast::hash(&file[begin + 4..end]).to_be_bytes();
    file[end..end + 4].copy_from_slice(&sum);
    Ok(end + 4)
}

/// What a chunk of text says of how the picture is turned.
fn text(kind: &[u8], data: &[u8], claims: &mut Claims) {
    let (keyword, rest) = match data.iter().position(|byte| *byte == 0) {
        Some(end) => (&data[..end], &data[end + 1..]),
        None => (data, &[][..]),
    };
    if keyword == KEYWORD_XMP {
        match (kind, rest) {
            (b"iTXt", [0, _, packet @ ..]) | (b"tEXt", packet) => claims.xmp(packet),
            _ => claims.unreadable(),
        }
    } else if let Some(profile) = keyword.strip_prefix(KEYWORD_RAW)
        && [&b"exif"[..], b"app1", b"xmp"].iter().any(|name| profile.eq_ignore_ascii_case(name))
    {
        claims.unreadable();
    }
}

/// The pixels of a stripped file.
pub(super) fn read(file: Vec<u8>) -> Result<DynamicImage, RedactError> {
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    limits.max_alloc = Some(MAX_PIXEL_BYTES);
    let mut decoder = PngDecoder::with_limits(Cursor::new(file), limits.clone()).map_err(unread)?;
    if decoder.total_bytes() > MAX_PIXEL_BYTES {
        return Err(RedactError::TooLarge);
    }
    decoder.set_limits(limits).map_err(unread)?;
    DynamicImage::from_decoder(decoder).map_err(unread)
}

/// A file with these pixels and nothing else. It is written row by row: beside the pixels it needs memory for itself only.
pub(super) fn write(image: &DynamicImage) -> Result<Vec<u8>, RedactError> {
    let (colour, wide) = match image.color() {
        ColorType::L8 => (::png::ColorType::Grayscale, false),
        ColorType::La8 => (::png::ColorType::GrayscaleAlpha, false),
        ColorType::Rgb8 => (::png::ColorType::Rgb, false),
        ColorType::Rgba8 => (::png::ColorType::Rgba, false),
        ColorType::L16 => (::png::ColorType::Grayscale, true),
        ColorType::La16 => (::png::ColorType::GrayscaleAlpha, true),
        ColorType::Rgb16 => (::png::ColorType::Rgb, true),
        ColorType::Rgba16 => (::png::ColorType::Rgba, true),
        _ => return Err(RedactError::NotAnImage),
    };
    let failed = |error: ::png::EncodingError| RedactError::Written(error.into());
    let (pixels, height) = (image.as_bytes(), image.height() as usize);
    // As much as it may need, so that it never grows by being copied; what is not written takes no memory.
    let mut made = Vec::with_capacity(pixels.len() + pixels.len() / 128 + height + 4_096);
    let mut encoder = ::png::Encoder::new(&mut made, image.width(), image.height());
    encoder.set_color(colour);
    encoder.set_depth(if wide { ::png::BitDepth::Sixteen } else { ::png::BitDepth::Eight });
    encoder.set_filter(::png::Filter::Adaptive);
    let mut writer = encoder.write_header().map_err(failed)?;
    let mut stream = writer.stream_writer().map_err(failed)?;
    let mut turned = Vec::new();
    for row in pixels.chunks(pixels.len() / height.max(1)) {
        let row = if wide {
            turned.clear();
            // From this machine's order of bytes to the file's.
            turned.extend(
                row.chunks_exact(2).flat_map(|two| u16::from_ne_bytes([two[0], two[1]]).to_be_bytes()),
            );
            turned.as_slice()
        } else {
            row
        };
        stream.write_all(row).map_err(|error| RedactError::Written(error.into()))?;
    }
    stream.finish().map_err(failed)?;
    writer.finish().map_err(failed)?;
    Ok(made)
}
