//! Files that are made to take memory or time.

use super::*;

/// The file that a process of its own reads.
const FILE: &str = "CUSTOS_TEST_IMAGE";

/// A JPEG with another size in its frame, and perhaps as one in passes.
fn frame_of(mut jpeg: Vec<u8>, (width, height): (u16, u16), marker: u8) -> Vec<u8> {
    let frame = jpeg.windows(2).position(|two| two == [0xff, 0xc0]).unwrap();
    jpeg[frame + 1] = marker;
    jpeg[frame + 5..frame + 7].copy_from_slice(&height.to_be_bytes());
    jpeg[frame + 7..frame + 9].copy_from_slice(&width.to_be_bytes());
    jpeg
}

/// Files that promise much, or say the same over and over, and what each is refused for.
fn hostile() -> Vec<(&'static str, Vec<u8>)> {
    let (png, jpeg) = (plain_png(&picture(40, 24).into()), jpeg(1));
    let most = u16::try_from(MAX_SIDE).unwrap();
    let zeros = |length: usize| vec![0_u8; length];
    let chunk =
        |kind: &[u8], data: &[u8]| with_chunk(&png, kind, data, false)[33..33 + 12 + data.len()].to_vec();
    let many = |chunk: &[u8]| [&png[..33], &chunk.repeat((20 << 20) / chunk.len()), &png[33..]].concat();
    let mut bomb = Vec::new();
    // A hundred megabytes of zeros in some kilobytes, where text, a profile or pixels should be.
    let mut zlib = ::png::Encoder::new(&mut bomb, 10_000, 10_000);
    zlib.set_color(::png::ColorType::Grayscale);
    let mut writer = zlib.write_header().unwrap();
    let mut stream = writer.stream_writer().unwrap();
    for _ in 0..10_000 {
        std::io::Write::write_all(&mut stream, &zeros(10_000)).unwrap();
    }
    stream.finish().unwrap();
    writer.finish().unwrap();
    let inflated: Vec<_> = pixel_data(&bomb);
    let scan = jpeg.windows(2).position(|two| two == [0xff, 0xda]).unwrap();
    let scans = [&jpeg[..scan], &jpeg[scan..jpeg.len() - 2].repeat(5_000), &[0xff, 0xd9]].concat();
    vec![
        ("png-huge", promising(png.clone(), (u32::MAX, u32::MAX))),
        ("png-no-width", promising(png.clone(), (0, 24))),
        ("png-large-and-empty", promising(png.clone(), (MAX_SIDE, 2_900))),
        ("png-bomb-higher-than-said", promising(bomb, (100, 100))),
        ("png-text-bomb", with_chunk(&png, b"zTXt", &[&b"x\0\0"[..], &inflated].concat(), false)),
        ("png-profile-bomb", with_chunk(&png, b"iCCP", &[&b"x\0\0"[..], &inflated].concat(), false)),
        ("png-many-chunks", many(&chunk(b"tEXt", b"a\0b"))),
        ("png-many-empty-chunks", many(&chunk(b"abCd", b""))),
        ("png-many-pixels-chunks", many(&chunk(b"IDAT", b""))),
        ("png-length-lies", [&png[..33], &[0xff; 4], &b"tEXt"[..], &png[33..]].concat()),
        ("jpeg-huge", frame_of(jpeg.clone(), (u16::MAX, u16::MAX), 0xc0)),
        ("jpeg-no-height", frame_of(jpeg.clone(), (40, 0), 0xc0)),
        ("jpeg-large-and-empty", frame_of(jpeg.clone(), (most, 2_900), 0xc0)),
        ("jpeg-large-in-passes", frame_of(jpeg.clone(), (most, 1_490), 0xc2)),
        ("jpeg-too-large-in-passes", frame_of(jpeg.clone(), (most, 2_900), 0xc2)),
        ("jpeg-many-scans", scans),
        ("jpeg-many-segments", [&jpeg[..2], &b"\xff\xe1\0\x02".repeat(5 << 20), &jpeg[2..]].concat()),
        ("jpeg-fill", [&jpeg[..2], &vec![0xff; 20 << 20], &jpeg[2..]].concat()),
        ("jpeg-one-marker", [&jpeg[..2], &b"\xff\xda\0\x02".repeat(1_000)].concat()),
    ]
}

/// What stands in the chunks of pixels.
fn pixel_data(file: &[u8]) -> Vec<u8> {
    let (mut at, mut found) = (8, Vec::new());
    while at < file.len() {
        let length = u32::from_be_bytes(file[at..at + 4].try_into().unwrap()) as usize;
        if &file[at + 4..at + 8] == b"IDAT" {
            found.extend_from_slice(&file[at + 8..at + 8 + length]);
        }
        at += 12 + length;
    }
    found
}

/// What came of redacting a file, in a word.
fn word(made: &Result<Vec<u8>, RedactError>) -> &'static str {
    match made {
        Ok(_) => "made",
        Err(RedactError::NotAnImage) => "not-an-image",
        Err(RedactError::TooLarge) => "too-large",
        Err(RedactError::Damaged(_)) => "damaged",
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn hostile_files_are_redacted_or_refused_by_name() {
    let found: Vec<_> = hostile().into_iter().map(|(name, file)| (name, word(&redact(file, ONE)))).collect();
    let damaged = ["png-large-and-empty", "png-no-width", "png-length-lies"];
    let too_large = ["png-huge", "jpeg-huge", "jpeg-too-large-in-passes", "jpeg-many-scans"];
    for (name, word) in found {
        let wanted = match name {
            _ if damaged.contains(&name) => "damaged",
            _ if too_large.contains(&name) => "too-large",
            _ if name.starts_with("png-") => "made",
            "jpeg-many-segments" | "jpeg-fill" => "made",
            _ => "damaged",
        };
        assert_eq!(word, wanted, "{name}");
    }
}

/// Each in a process of its own, which has no more memory than is stated.
fn each_in_its_own_process(files: impl Iterator<Item = (String, Vec<u8>)>) {
    let (own, folder) = (std::env::current_exe().unwrap(), tempfile::tempdir().unwrap());
    for (name, file) in files {
        let path = folder.path().join(&name);
        std::fs::write(&path, file).unwrap();
        let ran = std::process::Command::new(&own)
            .args(["--exact", "redact::tests::hostile::in_a_process_of_its_own", "--ignored", "--nocapture"])
            .env(FILE, &path)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&ran.stdout).into_owned();
        assert!(ran.status.success() && said.contains("1 passed"), "{name}: {said}");
        let taken = said.lines().find_map(|line| line.rsplit_once("bytes taken: ")).unwrap().1;
        let taken: u64 = taken.trim().parse().unwrap();
        println!("{name}: {} MiB", taken >> 20);
        assert!(taken <= MAX_MEMORY, "{name} takes {} MiB", taken >> 20);
        std::fs::remove_file(&path).unwrap();
    }
}

#[test]
fn no_hostile_file_takes_more_memory_than_is_stated() {
    each_in_its_own_process(hostile().into_iter().map(|(name, file)| (name.to_owned(), file)));
}

#[test]
#[ignore = "it takes minutes: run it when a decoder changes"]
fn no_image_takes_more_memory_than_is_stated() {
    each_in_its_own_process((0..LARGEST).map(|sort| (format!("largest-{sort}"), largest(sort))));
}

/// How many sorts of largest images there are.
const LARGEST: usize = 4;

/// As large as may be, and of the worst sort: nothing in them can be compressed.
fn largest(sort: usize) -> Vec<u8> {
    let mut seed = 1_u32;
    let mut noise = move || {
        seed ^= seed << 13;
        seed ^= seed >> 17;
        seed ^= seed << 5;
        seed.to_le_bytes()[0]
    };
    let mut file = Vec::new();
    match sort {
        // A small file that becomes large, turned by a quarter, with eight or sixteen bits.
        0 | 1 => {
            let colour = if sort == 0 { ExtendedColorType::Rgb8 } else { ExtendedColorType::Rgba16 };
            let row = if sort == 0 { 3 } else { 8 };
            let (width, height) = (8_000, (256 << 20) / row / 8_000);
            let line: Vec<u8> = (0..width * row).map(|_| noise()).collect();
            let mut pixels = Vec::with_capacity((width * row * height) as usize);
            (0..height).for_each(|_| pixels.extend_from_slice(&line));
            PngEncoder::new_with_quality(
                &mut file,
                image::codecs::png::CompressionType::Fast,
                image::codecs::png::FilterType::Up,
            )
            .write_image(&pixels, width, height, colour)
            .unwrap();
            with_chunk(&file, b"eXIf", &exif(6), false)
        }
        // A photograph in one pass, and one in several, both turned.
        2 => {
            JpegEncoder::new_with_quality(&mut file, 30)
                .write_image(&vec![77; 9_400 * 9_400 * 3], 9_400, 9_400, ExtendedColorType::Rgb8)
                .unwrap();
            with_segment(&file, 0xe1, &[&b"Exif\0\0"[..], &exif(6)].concat(), false)
        }
        _ => in_passes(6_600, 6_600),
    }
}

/// A flat JPEG of one pass that refines later: coefficients of everything, and nothing in them.
fn in_passes(width: u16, height: u16) -> Vec<u8> {
    let blocks = usize::from(width.div_ceil(8)) * usize::from(height.div_ceil(8));
    let mut file = b"\xff\xd8\xff\xdb\0\x43\0".to_vec();
    file.extend([1; 64]);
    let [w, h] = [width.to_be_bytes(), height.to_be_bytes()];
    file.extend([0xff, 0xc2, 0, 17, 8, h[0], h[1], w[0], w[1], 3, 1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0]);
    // One code of one bit, for a difference of nothing.
    file.extend([0xff, 0xc4, 0, 20, 0, 1]);
    file.extend([0; 16]);
    file.extend([0xff, 0xda, 0, 12, 3, 1, 0, 2, 0, 3, 0, 0, 0, 0]);
    file.extend(vec![0; (blocks * 3).div_ceil(8)]);
    file.extend([0xff, 0xd9]);
    file
}

/// Run by the tests above, one file each.
#[test]
#[ignore = "it measures a process of its own"]
fn in_a_process_of_its_own() {
    let Ok(path) = std::env::var(FILE) else { return };
    let before = memory("VmRSS:");
    let made = redact(std::fs::read(path).unwrap(), ONE);
    let taken = memory("VmHWM:").saturating_sub(before);
    println!("{} bytes taken: {taken}", word(&made));
}

/// What the system says of this process, bytes.
fn memory(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
}
