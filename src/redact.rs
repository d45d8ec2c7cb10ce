//! Redactions of images: boxes made black, in the pixels themselves.
//!
//! What goes in is a PNG or JPEG file, what comes out a new PNG file with nothing but pixels: no metadata, no thumbnail, no
//! colour profile, no second frame, no colour under what nobody can see through. The picture is turned as its metadata says
//! before the boxes are painted, so that their pixels are those that a viewer shows; where viewers may disagree, nothing is
//! painted. The file and all sizes come from outside: everything is capped before anything is allocated, and decoders get
//! nothing but what the pixels need. This works hard and long; callers give it a thread, one at a time, and up to
//! [`MAX_MEMORY`].

mod jpeg;
mod png;
mod turned;

use custody::act::PixelBox;
use image::{DynamicImage, ImageBuffer, ImageError, Luma, LumaA, Pixel, Primitive, Rgb, Rgba};

use turned::Claims;

/// Largest file that is redacted, bytes.
pub const MAX_FILE_BYTES: u64 = 64 << 20;
/// Longest side of an image, pixels.
pub const MAX_SIDE: u32 = 30_000;
/// Most bytes of an image's pixels: some eighty million of a colour photograph.
pub const MAX_PIXEL_BYTES: u64 = 256 << 20;
/// The same of a JPEG in several passes, all of whose coefficients are kept until the last.
pub const MAX_PASSES_PIXEL_BYTES: u64 = 128 << 20;
/// Most passes of a JPEG: each takes as long as the whole image.
pub const MAX_PASSES: u32 = 100;
/// Most memory that a redaction takes, as measured, bytes: the file and its pixels, with all coefficients of a JPEG in
/// passes; then the pixels twice, to turn them; then the pixels and the file that is made of them.
pub const MAX_MEMORY: u64 = 640 << 20;

/// Why an image cannot be redacted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RedactError {
    /// Another sort of file, or pixels of another sort.
    #[error("the vault redacts PNG and JPEG images of 8 or 16 bits")]
    NotAnImage,
    /// More than the vault has memory or time for.
    #[error(
        "the vault redacts images of at most 64 MiB and 30,000 pixels a side, with 256 MiB of pixels; JPEGs in passes \
         (progressive ones) of at most 100 with 128 MiB"
    )]
    TooLarge,
    /// A picture that moves: the one that would be painted may never be shown.
    #[error("the image is an animation: redact a single picture of it")]
    Animated,
    /// Viewers may show it in different ways, so that boxes would lie elsewhere than somebody saw.
    #[error(
        "the metadata of the image says in several ways, or where not all viewers look, how it is turned: turn it upright, \
         save it without metadata, put it in as a working copy, and redact that"
    )]
    Turned,
    /// A box without pixels, or with some outside.
    #[error(
        "each box is at least a pixel wide and high, and lies within the {0} x {1} pixels of the image as it is shown"
    )]
    Outside(u32, u32),
    /// It begins like an image, and does not go on so, or ends too early.
    #[error("the image cannot be read: it is damaged, or cut off")]
    Damaged(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// What was painted could not be written.
    #[error("the redacted image cannot be written")]
    Written(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl RedactError {
    fn damaged(why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Damaged(why.into())
    }
}

/// A PNG file with the picture in `file`, in which these boxes are black, pixels that nobody can see through have no colour
/// any more, and all others are as they were.
pub fn redact(file: Vec<u8>, boxes: &[PixelBox]) -> Result<Vec<u8>, RedactError> {
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
    png::write(&image)
}

/// The picture as it is shown. Its file is gone before it is turned.
fn decode(mut file: Vec<u8>) -> Result<DynamicImage, RedactError> {
    if file.len() as u64 > MAX_FILE_BYTES {
        return Err(RedactError::TooLarge);
    }
    let (mut image, turned) = if file.starts_with(png::SIGNATURE) {
        let turned = png::strip(&mut file)?.orientation()?;
        (png::read(file)?, turned)
    } else if file.starts_with(jpeg::SIGNATURE) {
        let (claims, passes) = jpeg::strip(&mut file)?;
        let turned = claims.orientation()?;
        (jpeg::read(file, passes)?, turned)
    } else {
        return Err(RedactError::NotAnImage);
    };
    image.apply_orientation(turned);
    Ok(image)
}

fn unread(error: ImageError) -> RedactError {
    match error {
        ImageError::Limits(_) => RedactError::TooLarge,
        ImageError::Unsupported(_) => RedactError::NotAnImage,
        error => RedactError::damaged(error),
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
            } else {
                clear(pixel);
            }
        }
    }
}

/// What is wholly transparent has no colour: whoever took the transparency away would see it.
fn clear<P: Pixel>(pixel: &mut P) {
    let (none, channels) = (P::Subpixel::DEFAULT_MIN_VALUE, pixel.channels_mut());
    if let ([colour @ .., alpha], true) = (channels, matches!(P::CHANNEL_COUNT, 2 | 4))
        && *alpha == none
    {
        colour.fill(none);
    }
}

#[cfg(test)]
mod tests;
