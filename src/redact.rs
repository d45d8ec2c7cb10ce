//! Redactions of images: boxes made black, in the pixels themselves.
//!
//! What goes in is a PNG or JPEG file, what comes out a new PNG file with nothing but pixels: no metadata, no thumbnail, no
//! colour profile, no second frame. The picture is turned as its metadata says before the boxes are painted, so that
//! their pixels are those that a viewer shows. Both files and all sizes come from outside: everything is capped before
//! anything is allocated. This works hard and long; callers give it a thread, one at a time.

use std::io::Cursor;

use custody::act::PixelBox;
use image::codecs::jpeg::JpegDecoder;
use image::codecs::png::{PngDecoder, PngEncoder};
use image::{DynamicImage, ImageBuffer, ImageDecoder, ImageError, Limits, Luma, LumaA, Pixel, Rgb, Rgba};

/// Largest file that is redacted, bytes.
pub const MAX_FILE_BYTES: u64 = 64 << 20;
/// Longest side of an image, pixels.
pub const MAX_SIDE: u32 = 30_000;
/// Most bytes of an image's pixels: some eighty million of a colour photograph.
pub const MAX_PIXEL_BYTES: u64 = 256 << 20;

/// Why an image cannot be redacted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RedactError {
    /// Another sort of file, or pixels of another sort.
    #[error("the vault redacts PNG and JPEG images of 8 or 16 bits")]
    NotAnImage,
    /// More than the vault has memory for.
    #[error("the vault redacts images of at most 64 MiB and 30,000 pixels a side, with 256 MiB of pixels")]
    TooLarge,
    /// A box without pixels, or with some outside.
    #[error(
        "each box is at least a pixel wide and high, and lies within the {0} x {1} pixels of the image as it is shown"
    )]
    Outside(u32, u32),
    /// It begins like an image, and does not go on so.
    #[error("the image cannot be read: it is damaged")]
    Damaged(#[source] ImageError),
    /// What was painted could not be written.
    #[error("the redacted image cannot be written")]
    Written(#[source] ImageError),
}

/// A PNG file with the picture in `file`, in which these boxes are black and all other pixels as they were.
pub fn redact(file: &[u8], boxes: &[PixelBox]) -> Result<Vec<u8>, RedactError> {
    let mut image = decode(file)?;
    let (width, height) = (image.width(), image.height());
    if !boxes.iter().all(|b| b.is_within(width, height)) {
        return Err(RedactError::Outside(width, height));
    }
    match &mut image {
        DynamicImage::ImageLuma8(image) => paint(image, Luma([0]), boxes),
        DynamicImage::ImageLumaA8(image) => paint(image, LumaA([0, u8::MAX]), boxes),
        DynamicImage::ImageRgb8(image) => paint(image, Rgb([0; 3]), boxes),
        DynamicImage::ImageRgba8(image) => paint(image, Rgba([0, 0, 0, u8::MAX]), boxes),
        DynamicImage::ImageLuma16(image) => paint(image, Luma([0]), boxes),
        DynamicImage::ImageLumaA16(image) => paint(image, LumaA([0, u16::MAX]), boxes),
        DynamicImage::ImageRgb16(image) => paint(image, Rgb([0; 3]), boxes),
        DynamicImage::ImageRgba16(image) => paint(image, Rgba([0, 0, 0, u16::MAX]), boxes),
        _ => return Err(RedactError::NotAnImage),
    }
    let mut made = Vec::new();
    image.write_with_encoder(PngEncoder::new(&mut made)).map_err(RedactError::Written)?;
    Ok(made)
}

/// The picture as it is shown.
fn decode(file: &[u8]) -> Result<DynamicImage, RedactError> {
    if file.len() as u64 > MAX_FILE_BYTES {
        return Err(RedactError::TooLarge);
    }
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    limits.max_alloc = Some(MAX_PIXEL_BYTES);
    let source = Cursor::new(file);
    if file.starts_with(b"\x89PNG\r\n\x1a\n") {
        upright(PngDecoder::with_limits(source, limits.clone()).map_err(unread)?, limits)
    } else if file.starts_with(b"\xff\xd8\xff") {
        upright(JpegDecoder::new(source).map_err(unread)?, limits)
    } else {
        Err(RedactError::NotAnImage)
    }
}

fn upright(mut decoder: impl ImageDecoder, limits: Limits) -> Result<DynamicImage, RedactError> {
    if decoder.total_bytes() > MAX_PIXEL_BYTES {
        return Err(RedactError::TooLarge);
    }
    decoder.set_limits(limits).map_err(unread)?;
    let orientation = decoder.orientation().map_err(unread)?;
    let mut image = DynamicImage::from_decoder(decoder).map_err(unread)?;
    image.apply_orientation(orientation);
    Ok(image)
}

fn unread(error: ImageError) -> RedactError {
    match error {
        ImageError::Limits(_) => RedactError::TooLarge,
        ImageError::Unsupported(_) => RedactError::NotAnImage,
        error => RedactError::Damaged(error),
    }
}

/// Row by row, each pixel once, however many boxes cover it.
fn paint<P: Pixel>(image: &mut ImageBuffer<P, Vec<P::Subpixel>>, black: P, boxes: &[PixelBox]) {
    for (y, row) in (0..).zip(image.rows_mut()) {
        let here = boxes.iter().filter(|b| (b.y..b.y.saturating_add(b.h)).contains(&y));
        let mut spans: Vec<_> = here.map(|b| (b.x, b.x.saturating_add(b.w))).collect();
        spans.sort_unstable();
        let (mut spans, mut span) = (spans.into_iter(), None);
        for (x, pixel) in (0..).zip(row) {
            while span.is_none_or(|(_, to)| to <= x) {
                match spans.next() {
                    Some(next) => span = Some(next),
                    None => break,
                }
            }
            if span.is_some_and(|(from, to)| (from..to).contains(&x)) {
                *pixel = black;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use image::ImageEncoder as _;
    use image::codecs::jpeg::JpegEncoder;
    use proptest::prelude::*;

    use super::*;

    const GPS: &[u8] = b"GPS 5.6037N 0.1870W";

    /// An Exif block that turns the picture and has a place in it.
    fn exif(orientation: u8) -> Vec<u8> {
        let mut block = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".to_vec();
        block.extend([orientation, 0, 0, 0, 0, 0, 0]);
        block.extend(GPS);
        block
    }

    fn picture(width: u32, height: u32) -> image::RgbImage {
        let shade = |x, y| u8::try_from((x * 7 + y * 13) % 200 + 40).unwrap();
        ImageBuffer::from_fn(width, height, |x, y| Rgb([shade(x, y), shade(y, x), shade(x + 3, y)]))
    }

    fn jpeg(orientation: u8) -> Vec<u8> {
        let mut file = Vec::new();
        let mut encoder = JpegEncoder::new_with_quality(&mut file, 90);
        encoder.set_exif_metadata(exif(orientation)).unwrap();
        encoder.encode_image(&picture(40, 24)).unwrap();
        file
    }

    fn png(image: &DynamicImage) -> Vec<u8> {
        let mut file = Vec::new();
        let mut encoder = PngEncoder::new(&mut file);
        encoder.set_exif_metadata(exif(1)).unwrap();
        image.write_with_encoder(encoder).unwrap();
        file
    }

    /// The types of the chunks of a PNG file.
    fn chunks(file: &[u8]) -> Vec<[u8; 4]> {
        let (mut at, mut found) = (8, Vec::new());
        while at < file.len() {
            let length = u32::from_be_bytes(file[at..at + 4].try_into().unwrap());
            found.push(file[at + 4..at + 8].try_into().unwrap());
            at += 12 + usize::try_from(length).unwrap();
        }
        found
    }

    fn holds(file: &[u8], words: &[u8]) -> bool {
        file.windows(words.len()).any(|window| window == words)
    }

    fn is_under(boxes: &[PixelBox], x: u32, y: u32) -> bool {
        boxes.iter().any(|b| x >= b.x && x - b.x < b.w && y >= b.y && y - b.y < b.h)
    }

    /// Black under the boxes, as shown everywhere else, and nothing but pixels in the file.
    fn holds_for(file: &[u8], boxes: &[PixelBox]) {
        let shown = decode(file).unwrap();
        let made = redact(file, boxes).unwrap();
        let painted = image::load_from_memory_with_format(&made, image::ImageFormat::Png).unwrap();
        assert_eq!((painted.color(), painted.width()), (shown.color(), shown.width()));
        let (shown, painted) = (shown.to_rgba16(), painted.to_rgba16());
        for (x, y, pixel) in painted.enumerate_pixels() {
            if is_under(boxes, x, y) {
                assert_eq!(pixel.0, [0, 0, 0, u16::MAX], "{x} {y}");
            } else {
                assert_eq!(pixel, shown.get_pixel(x, y), "{x} {y}");
            }
        }
        assert!(
            chunks(&made).iter().all(|kind| [b"IHDR", b"IDAT", b"IEND"].contains(&kind)),
            "{:?}",
            chunks(&made)
        );
        assert!(!holds(&made, GPS));
    }

    #[test]
    fn no_pixel_under_a_box_survives_all_others_do_and_no_metadata_does() {
        let boxes = [PixelBox { x: 3, y: 2, w: 9, h: 5 }, PixelBox { x: 8, y: 4, w: 30, h: 3 }];
        let file = jpeg(1);
        assert!(holds(&file, GPS), "it is there before");
        holds_for(&file, &boxes);
        let picture = DynamicImage::ImageRgb8(picture(40, 24));
        let every = [
            picture.to_luma8().into(),
            picture.to_luma_alpha8().into(),
            picture.to_rgba8().into(),
            picture.to_luma16().into(),
            picture.to_luma_alpha16().into(),
            picture.to_rgb16().into(),
            picture.to_rgba16().into(),
            picture,
        ];
        for image in &every {
            let file = png(image);
            assert!(holds(&file, GPS));
            holds_for(&file, &boxes);
        }
    }

    #[test]
    fn boxes_are_in_the_picture_as_it_is_shown() {
        let corner = [PixelBox { x: 0, y: 0, w: 5, h: 3 }];
        for orientation in 1..=8 {
            let file = jpeg(orientation);
            let (width, height) = if orientation < 5 { (40, 24) } else { (24, 40) };
            assert!(matches!(
                redact(&file, &[PixelBox { x: 0, y: 0, w: width + 1, h: 1 }]),
                Err(RedactError::Outside(w, h)) if (w, h) == (width, height)
            ));
            holds_for(&file, &corner);
        }
        // Turned by a quarter to the right: what is shown at the upper left corner was at the lower left one.
        let stored = image::load_from_memory(&jpeg(6)).unwrap().to_rgb8();
        let made = image::load_from_memory(&redact(&jpeg(6), &corner).unwrap()).unwrap().to_rgb8();
        assert_eq!(made.get_pixel(0, 0), &Rgb([0; 3]));
        assert_eq!(made.get_pixel(23, 39), stored.get_pixel(39, 0));
    }

    #[test]
    fn what_is_no_image_or_too_large_is_refused_before_it_is_read() {
        let one = [PixelBox { x: 0, y: 0, w: 1, h: 1 }];
        for file in [&b""[..], b"GIF89a", b"%PDF-1.7", b"\x89PNG"] {
            assert!(matches!(redact(file, &one), Err(RedactError::NotAnImage)));
        }
        let file = jpeg(1);
        assert!(redact(&file[..9], &one).is_err());
        // A header that promises 30,001 x 1 pixels, and one that promises 30,000 x 30,000.
        let mut wide = png(&DynamicImage::new_luma8(1, 1));
        for (width, height) in [(MAX_SIDE + 1, 1), (MAX_SIDE, MAX_SIDE)] {
            wide[16..20].copy_from_slice(&width.to_be_bytes());
            wide[20..24].copy_from_slice(&height.to_be_bytes());
            let check = crc32fast::hash(&wide[12..29]).to_be_bytes();
            wide[29..33].copy_from_slice(&check);
            assert!(matches!(redact(&wide, &one), Err(RedactError::TooLarge)), "{width} x {height}");
        }
    }

    proptest! {
        #[test]
        fn whatever_the_boxes_are_they_are_black_and_nothing_else_changes(
            boxes in prop::collection::vec((0..40_u32, 0..24_u32, 1..41_u32, 1..25_u32), 1..8)
        ) {
            let boxes: Vec<_> = boxes.into_iter().map(|(x, y, w, h)| PixelBox { x, y, w: w.min(40 - x), h: h.min(24 - y) }).collect();
            holds_for(&jpeg(1), &boxes);
        }

        #[test]
        fn damaged_files_are_refused_or_redacted_and_never_more(at in 0..4_000_usize, byte: u8, cut in 0..4_000_usize) {
            let one = [PixelBox { x: 0, y: 0, w: 1, h: 1 }];
            for mut file in [jpeg(1), png(&DynamicImage::ImageRgb8(picture(40, 24)))] {
                let at = at % file.len();
                file[at] ^= byte;
                let _ = redact(&file, &one);
                let _ = redact(&file[..cut.min(file.len())], &one);
            }
        }
    }
}
