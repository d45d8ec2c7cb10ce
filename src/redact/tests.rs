//! What a redaction holds, and what it refuses.

mod hostile;

use std::io::Cursor;

use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder as _, ImageFormat};
use proptest::prelude::*;

use super::*;

const GPS: &[u8] = b"GPS 5.6037N 0.1870W";
const ONE: &[PixelBox] = &[PixelBox { x: 0, y: 0, w: 1, h: 1 }];

/// An Exif block that turns the picture and has a place in it.
fn exif(orientation: u8) -> Vec<u8> {
    let mut block = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".to_vec();
    block.extend([orientation, 0, 0, 0, 0, 0, 0]);
    block.extend(GPS);
    block
}

fn xmp(orientation: u8) -> Vec<u8> {
    format!("<x:xmpmeta><rdf:Description tiff:Orientation=\"{orientation}\"/></x:xmpmeta>").into_bytes()
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

fn plain_png(image: &DynamicImage) -> Vec<u8> {
    let mut file = Vec::new();
    image.write_with_encoder(PngEncoder::new(&mut file)).unwrap();
    file
}

/// With a chunk more, before the pixels or after them.
fn with_chunk(png: &[u8], kind: &[u8], data: &[u8], after: bool) -> Vec<u8> {
    let mut chunk = u32::try_from(data.len()).unwrap().to_be_bytes().to_vec();
    chunk.extend([kind, data].concat());
    chunk.extend(crc32fast::hash(&[kind, data].concat()).to_be_bytes());
    // The head with IHDR has 33 bytes, IEND 12.
    let at = if after { png.len() - 12 } else { 33 };
    [&png[..at], &chunk, &png[at..]].concat()
}

/// With a segment more, right after the beginning or before the end.
fn with_segment(jpeg: &[u8], marker: u8, body: &[u8], after: bool) -> Vec<u8> {
    let length = u16::try_from(body.len() + 2).unwrap().to_be_bytes();
    let at = if after { jpeg.len() - 2 } else { 2 };
    [&jpeg[..at], &[0xff, marker], &length, body, &jpeg[at..]].concat()
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

/// As another decoder than the vault's shows a file.
fn shown(file: &[u8], format: ImageFormat) -> DynamicImage {
    let mut reader = image::ImageReader::new(Cursor::new(file));
    reader.set_format(format);
    let mut decoder = reader.into_decoder().unwrap();
    let orientation = image::ImageDecoder::orientation(&mut decoder).unwrap();
    let mut image = DynamicImage::from_decoder(decoder).unwrap();
    image.apply_orientation(orientation);
    image
}

/// Black and opaque under the boxes, without a colour where nothing can be seen, as shown everywhere else, and nothing but
/// pixels in the file.
fn holds_for(file: &[u8], format: ImageFormat, boxes: &[PixelBox]) {
    let before = shown(file, format);
    let made = redact(file.to_vec(), boxes).unwrap();
    let painted = shown(&made, ImageFormat::Png);
    assert_eq!(
        (painted.color(), painted.width(), painted.height()),
        (before.color(), before.width(), before.height())
    );
    let wide = DynamicImage::to_rgba16;
    let (before, painted) = (wide(&before), wide(&painted));
    for (x, y, pixel) in painted.enumerate_pixels() {
        let was = before.get_pixel(x, y);
        let wanted = match was.0 {
            _ if is_under(boxes, x, y) => [0, 0, 0, u16::MAX],
            [.., 0] => [0; 4],
            was => was,
        };
        if format == ImageFormat::Png || is_under(boxes, x, y) {
            assert_eq!(pixel.0, wanted, "{x} {y}");
        } else {
            // Two decoders may round in different ways.
            assert!(
                pixel.0.iter().zip(wanted).all(|(a, b)| a.abs_diff(b) <= 4 * 257),
                "{x} {y} {pixel:?} {wanted:?}"
            );
        }
    }
    let kinds = chunks(&made);
    assert!(kinds.iter().all(|kind| [b"IHDR", b"IDAT", b"IEND"].contains(&kind)), "{kinds:?}");
    assert!(!holds(&made, GPS));
}

#[test]
fn no_pixel_under_a_box_survives_all_others_do_and_no_metadata_does() {
    let boxes = [PixelBox { x: 3, y: 2, w: 9, h: 5 }, PixelBox { x: 8, y: 4, w: 30, h: 3 }];
    let file = jpeg(1);
    assert!(holds(&file, GPS), "it is there before");
    holds_for(&file, ImageFormat::Jpeg, &boxes);
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
        holds_for(&file, ImageFormat::Png, &boxes);
    }
}

#[test]
fn boxes_are_in_the_picture_as_it_is_shown() {
    let corner = [PixelBox { x: 0, y: 0, w: 5, h: 3 }];
    let upright = plain_png(&picture(40, 24).into());
    for orientation in 1..=8 {
        let (width, height) = if orientation < 5 { (40, 24) } else { (24, 40) };
        for (format, file) in [
            (ImageFormat::Jpeg, jpeg(orientation)),
            (ImageFormat::Png, with_chunk(&upright, b"eXIf", &exif(orientation), false)),
        ] {
            assert!(matches!(
                redact(file.clone(), &[PixelBox { x: 0, y: 0, w: width + 1, h: 1 }]),
                Err(RedactError::Outside(w, h)) if (w, h) == (width, height)
            ));
            holds_for(&file, format, &corner);
        }
        // After the pixels it counts as well, though not every decoder reads it there.
        let late = with_chunk(&upright, b"eXIf", &exif(orientation), true);
        let early = with_chunk(&upright, b"eXIf", &exif(orientation), false);
        assert_eq!(redact(late, &corner).unwrap(), redact(early, &corner).unwrap());
    }
    // Turned by a quarter to the right: what is shown at the upper left corner was at the lower left one.
    let stored = image::load_from_memory(&upright).unwrap().to_rgb8();
    let turned = with_chunk(&upright, b"eXIf", &exif(6), false);
    let made = image::load_from_memory(&redact(turned, &corner).unwrap()).unwrap().to_rgb8();
    assert_eq!(made.get_pixel(0, 0), &Rgb([0; 3]));
    assert_eq!(made.get_pixel(23, 39), stored.get_pixel(39, 0));
}

#[test]
fn where_viewers_may_disagree_how_a_picture_is_turned_nothing_is_painted() {
    let is_turned = |file: Vec<u8>| matches!(redact(file, ONE), Err(RedactError::Turned));
    let (upright, jpeg_6) = (plain_png(&picture(40, 24).into()), jpeg(6));
    let itxt = |xmp: &[u8]| [&b"XML:com.adobe.xmp\0\0\0\0\0"[..], xmp].concat();
    let in_xmp = |orientation| [&b"http://ns.adobe.com/xap/1.0/\0"[..], &xmp(orientation)].concat();
    let in_more_xmp =
        |orientation| [&b"http://ns.adobe.com/xmp/extension/\0"[..], &[b'0'; 40], &xmp(orientation)].concat();
    let in_exif = |orientation| [&b"Exif\0\0"[..], &exif(orientation)].concat();
    for after in [false, true] {
        for file in [
            with_chunk(&upright, b"iTXt", &itxt(&xmp(6)), after),
            // Compressed, or as some tools write it: it is not known what it says.
            with_chunk(&upright, b"iTXt", b"XML:com.adobe.xmp\0\x01\0\0\0x\x9c", after),
            with_chunk(&upright, b"zTXt", b"Raw profile type exif\0\0x\x9c", after),
            with_chunk(&upright, b"tEXt", b"Raw profile type APP1\0\n exif", after),
            with_chunk(&with_chunk(&upright, b"eXIf", &exif(6), after), b"eXIf", &exif(8), !after),
            with_segment(&jpeg(1), 0xe1, &in_xmp(6), after),
            with_segment(&jpeg_6, 0xe1, &in_xmp(3), after),
            with_segment(&jpeg(1), 0xe1, &in_more_xmp(6), after),
            with_segment(&jpeg_6, 0xe1, &in_exif(8), after),
        ] {
            assert!(is_turned(file));
        }
        for file in [
            with_chunk(&upright, b"iTXt", &itxt(&xmp(1)), after),
            with_chunk(&upright, b"tEXt", b"Comment\0tiff:Orientation=\"6\"", after),
            with_segment(&jpeg_6, 0xe1, &in_xmp(6), after),
            with_segment(&jpeg_6, 0xe1, &in_exif(6), after),
        ] {
            redact(file, ONE).unwrap();
        }
    }
    // Where not all viewers look, without anything where they all do.
    let mut bare = Vec::new();
    JpegEncoder::new_with_quality(&mut bare, 90).encode_image(&picture(40, 24)).unwrap();
    assert!(is_turned(with_segment(&bare, 0xe1, &in_exif(6), true)));
    assert!(!is_turned(with_segment(&bare, 0xe1, &in_exif(6), false)));
}

#[test]
fn an_animation_is_refused_wherever_it_says_that_it_is_one() {
    let file = plain_png(&picture(4, 3).into());
    for kind in [b"acTL", b"fcTL", b"fdAT"] {
        for after in [false, true] {
            let moving = with_chunk(&file, kind, &[0; 8], after);
            assert!(matches!(redact(moving, ONE), Err(RedactError::Animated)), "{kind:?}");
        }
    }
}

#[test]
fn no_colour_is_left_where_nothing_can_be_seen() {
    let hidden = image::RgbaImage::from_fn(8, 8, |x, y| Rgba([200, 100, 50, u8::from((x + y) % 2 != 0)]));
    let made = shown(&redact(plain_png(&hidden.into()), ONE).unwrap(), ImageFormat::Png).to_rgba8();
    for (x, y, pixel) in made.enumerate_pixels().skip(1) {
        let wanted = if (x + y) % 2 == 0 { [0; 4] } else { [200, 100, 50, 1] };
        assert_eq!(pixel.0, wanted, "{x} {y}");
    }
    // A palette whose second and third colours are transparent, and a colour that is.
    let indexed = made_with(::png::ColorType::Indexed, &[0, 1, 2, 1], |encoder| {
        encoder.set_palette(vec![10, 20, 30, 40, 50, 60, 70, 80, 90]);
        encoder.set_trns(vec![255, 0, 0]);
    });
    let keyed = made_with(::png::ColorType::Rgb, &[1, 2, 3, 9, 8, 7, 9, 8, 7, 1, 2, 3], |encoder| {
        encoder.set_trns(vec![0, 9, 0, 8, 0, 7]);
    });
    for (file, last) in [(indexed, [0; 4]), (keyed, [1, 2, 3, 255])] {
        let made = shown(&redact(file, ONE).unwrap(), ImageFormat::Png).to_rgba8();
        let pixels: Vec<_> = made.pixels().map(|pixel| pixel.0).collect();
        assert_eq!(pixels, [[0, 0, 0, 255], [0; 4], [0; 4], last]);
    }
}

/// A file of four pixels in a row, as asked for.
fn made_with(
    colour: ::png::ColorType,
    pixels: &[u8],
    set: impl FnOnce(&mut ::png::Encoder<'_, &mut Vec<u8>>),
) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = ::png::Encoder::new(&mut file, 4, 1);
    encoder.set_color(colour);
    encoder.set_depth(::png::BitDepth::Eight);
    set(&mut encoder);
    encoder.write_header().unwrap().write_image_data(pixels).unwrap();
    file
}

#[test]
fn a_file_that_is_cut_off_is_refused_and_nothing_is_filled_in() {
    let (file, flat) = (jpeg(1), plain_png(&picture(40, 24).into()));
    for whole in [&file, &flat] {
        redact(whole.clone(), ONE).unwrap();
        for length in whole.len() / 2..whole.len() {
            assert!(redact(whole[..length].to_vec(), ONE).is_err(), "{length} of {}", whole.len());
        }
    }
    // With an end after half of the pixels.
    let scan = file.windows(2).position(|two| two == [0xff, 0xda]).unwrap();
    for length in [scan + 20, scan + (file.len() - scan) / 2] {
        let cut = [&file[..length], &[0xff, 0xd9]].concat();
        assert!(matches!(redact(cut, ONE), Err(RedactError::Damaged(_))), "{length} of {}", file.len());
    }
    // Two frames, no frame, bytes between segments.
    let frame = file.windows(2).position(|two| two == [0xff, 0xc0]).unwrap();
    let twice = [&file[..frame], &file[frame..frame + 19], &file[frame..]].concat();
    let none = [&file[..frame], &file[frame + 19..]].concat();
    let between = [&file[..frame], &[7], &file[frame..]].concat();
    for wrong in [twice, none, between] {
        assert!(matches!(redact(wrong, ONE), Err(RedactError::Damaged(_))));
    }
}

#[test]
fn what_is_no_image_or_too_large_is_refused_before_it_is_read() {
    for file in [&b""[..], b"GIF89a", b"%PDF-1.7", b"\x89PNG"] {
        assert!(matches!(redact(file.to_vec(), ONE), Err(RedactError::NotAnImage)));
    }
    // What must be understood to show it, and is not.
    let apples = with_chunk(&plain_png(&picture(4, 3).into()), b"CgBI", &[0; 4], false);
    assert!(matches!(redact(apples, ONE), Err(RedactError::NotAnImage)));
    let wide = plain_png(&DynamicImage::new_luma8(1, 1));
    // A header that promises 30,001 x 1 pixels, and one that promises 30,000 x 30,000.
    for (width, height) in [(MAX_SIDE + 1, 1), (MAX_SIDE, MAX_SIDE)] {
        let promised = promising(wide.clone(), (width, height));
        assert!(matches!(redact(promised, ONE), Err(RedactError::TooLarge)), "{width} x {height}");
    }
}

/// A PNG with another size in its head.
fn promising(mut png: Vec<u8>, (width, height): (u32, u32)) -> Vec<u8> {
    png[16..20].copy_from_slice(&width.to_be_bytes());
    png[20..24].copy_from_slice(&height.to_be_bytes());
    let check = crc32fast::hash(&png[12..29]).to_be_bytes();
    png[29..33].copy_from_slice(&check);
    png
}

/// Sorts of files that come in.
fn any_image() -> impl Strategy<Value = (Vec<u8>, ImageFormat, u32, u32)> {
    (0..10_usize, 1..40_u32, 1..30_u32, any::<u64>()).prop_map(|(sort, width, height, seed)| {
        let mut state = seed | 1;
        let mut byte = move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            // Some bytes are often the least and the greatest: transparent, opaque.
            match state.to_le_bytes() {
                [0..=40, ..] => 0,
                [41..=90, ..] => u8::MAX,
                [_, byte, ..] => byte,
            }
        };
        let mut bytes = |each: u32| (0..width * height * each).map(|_| byte()).collect::<Vec<u8>>();
        let mut file = Vec::new();
        let colours = [
            (ExtendedColorType::L8, 1),
            (ExtendedColorType::La8, 2),
            (ExtendedColorType::Rgb8, 3),
            (ExtendedColorType::Rgba8, 4),
            (ExtendedColorType::L16, 2),
            (ExtendedColorType::La16, 4),
            (ExtendedColorType::Rgba16, 8),
        ];
        if let Some((colour, each)) = colours.get(sort) {
            PngEncoder::new(&mut file).write_image(&bytes(*each), width, height, *colour).unwrap();
            return (file, ImageFormat::Png, width, height);
        }
        if sort == 7 {
            let mut encoder = ::png::Encoder::new(&mut file, width, height);
            encoder.set_color(::png::ColorType::Indexed);
            encoder.set_depth(::png::BitDepth::Eight);
            encoder.set_palette(bytes(3).into_iter().cycle().take(768).collect::<Vec<_>>());
            encoder.set_trns(bytes(1).into_iter().cycle().take(256).collect::<Vec<_>>());
            encoder.write_header().unwrap().write_image_data(&bytes(1)).unwrap();
            return (file, ImageFormat::Png, width, height);
        }
        let (colour, each) = if sort == 8 { colours[0] } else { colours[2] };
        JpegEncoder::new_with_quality(&mut file, 85)
            .write_image(&bytes(each), width, height, colour)
            .unwrap();
        (file, ImageFormat::Jpeg, width, height)
    })
}

proptest! {
    #[test]
    fn whatever_is_painted_boxes_are_black_and_opaque_and_the_rest_is_as_it_was(
        (file, format, width, height) in any_image(),
        boxes in prop::collection::vec((0..40_u32, 0..30_u32, 1..41_u32, 1..31_u32), 1..8)
    ) {
        let within = |(x, y, w, h): (u32, u32, u32, u32)| {
            let (x, y) = (x % width, y % height);
            PixelBox { x, y, w: w.min(width - x), h: h.min(height - y) }
        };
        let boxes: Vec<_> = boxes.into_iter().map(within).collect();
        holds_for(&file, format, &boxes);
    }

    #[test]
    fn damaged_files_are_refused_or_redacted_and_never_more(at in 0..4_000_usize, byte: u8, cut in 0..4_000_usize) {
        for mut file in [jpeg(1), png(&DynamicImage::ImageRgb8(picture(40, 24)))] {
            let at = at % file.len();
            file[at] ^= byte;
            let _ = redact(file[..cut.min(file.len())].to_vec(), ONE);
            let _ = redact(file, ONE);
        }
    }
}
