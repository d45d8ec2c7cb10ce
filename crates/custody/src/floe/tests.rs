use std::fs;
use std::path::PathBuf;

use fast_floe::{Key, Parameters};
use proptest::prelude::*;

use super::*;
use crate::aead::Portable;

const AAD: &[u8] = b"This is AAD";

/// Distinct bytes for every call, so that a nonce used twice would show.
fn counting() -> impl FnMut(&mut [u8]) {
    let mut calls = 0_u64;
    move |bytes| {
        calls += 1;
        blake3::Hasher::new().update(&calls.to_be_bytes()).finalize_xof().fill(bytes);
    }
}

fn seal(params: Params, key: &[u8; 32], aad: &[u8], plaintext: &[u8]) -> Vec<u8> {
    let mut random = counting();
    let mut sealer = Sealer::<Portable>::start(params, key, aad, &mut random);
    let mut out = sealer.header().to_vec();
    let room = params.segment_len() - OVERHEAD;
    let mut rest = plaintext;
    while rest.len() > room {
        let (piece, after) = rest.split_at(room);
        let mut segment = framed(piece);
        sealer.segment(&mut segment, &mut random).unwrap();
        out.extend(segment);
        rest = after;
    }
    let mut segment = framed(rest);
    sealer.last(&mut segment, &mut random).unwrap();
    out.extend(segment);
    out
}

fn framed(plaintext: &[u8]) -> Vec<u8> {
    [&[0; PLAINTEXT_AT], plaintext, &[0; TAG_LEN]].concat()
}

fn open(params: Params, key: &[u8; 32], aad: &[u8], ciphertext: &[u8]) -> Result<Vec<u8>, FloeError> {
    let (header, body) = ciphertext.split_at(HEADER_LEN);
    let mut opener = Opener::<Portable>::start(params, key, aad, header.try_into().unwrap())?;
    let mut plaintext = Vec::new();
    let segments = body.chunks(params.segment_len());
    let last = segments.len().saturating_sub(1) as u64;
    for (position, segment) in (0..).zip(segments) {
        let mut segment = segment.to_vec();
        plaintext.extend_from_slice(opener.open(position, position == last, &mut segment)?);
    }
    Ok(plaintext)
}

fn params(segment_len: u32) -> Params {
    Params::new(segment_len).unwrap()
}

#[test]
fn published_answers_open() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/floe");
    let mut cases = 0;
    for entry in fs::read_dir(&folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let Some(case) = name.strip_suffix("_ct.txt") else { continue };
        let read = |kind: &str| {
            let text = fs::read_to_string(folder.join(format!("{case}_{kind}.txt"))).unwrap();
            hex::decode(text.trim()).unwrap()
        };
        let params = match case {
            _ if case.ends_with("_4K") => params(4096),
            _ if case.ends_with("_64") => params(64),
            // These rotate every four segments, as the reference implementations' own suites do.
            _ if case.ends_with("_rotation") => params(40).with_rotation(2),
            _ => params(40),
        };
        assert_eq!(open(params, &[0; 32], AAD, &read("ct")), Ok(read("pt")), "{case}");
        cases += 1;
    }
    assert_eq!(cases, 17, "every published answer was tried");
}

#[test]
fn segment_lengths_that_cannot_work_are_refused() {
    for length in [0, 32, u32::MAX] {
        assert_eq!(Params::new(length), Err(FloeError::SegmentLength(length)));
    }
    assert!(Params::new(33).is_ok());
}

#[test]
fn buffers_of_the_wrong_length_are_refused() {
    let mut random = counting();
    let mut sealer = Sealer::<Portable>::start(params(64), &[1; 32], AAD, &mut random);
    let short = FloeError::Size { segment: 0, bytes: 63 };
    assert_eq!(sealer.segment(&mut [0; 63], &mut random), Err(short));
    let long = FloeError::Size { segment: 0, bytes: 65 };
    assert_eq!(sealer.last(&mut [0; 65], &mut random), Err(long));

    let ciphertext = seal(params(64), &[1; 32], AAD, &[1; 100]);
    let header = ciphertext[..HEADER_LEN].try_into().unwrap();
    let mut opener = Opener::<Portable>::start(params(64), &[1; 32], AAD, header).unwrap();
    for (is_last, bytes) in [(true, 31), (true, 65), (false, 63), (false, 65), (true, 0)] {
        let size = FloeError::Size { segment: 0, bytes };
        assert_eq!(opener.open(0, is_last, &mut vec![0; bytes]).unwrap_err(), size);
    }
    assert_eq!(opener.open(1 << 40, false, &mut [0; 64]).unwrap_err(), FloeError::TooManySegments);
}

#[test]
fn another_key_context_or_length_fails_at_the_header() {
    let sealed = seal(params(64), &[1; 32], AAD, &[1; 100]);
    assert_eq!(open(params(64), &[2; 32], AAD, &sealed), Err(FloeError::Header));
    assert_eq!(open(params(64), &[1; 32], b"other", &sealed), Err(FloeError::Header));
    assert_eq!(open(params(65), &[1; 32], AAD, &sealed), Err(FloeError::Params));
}

#[test]
fn a_tail_cut_at_a_segment_is_found_at_the_new_last_segment() {
    let sealed = seal(params(64), &[1; 32], AAD, &[1; 96]);
    assert_eq!(open(params(64), &[1; 32], AAD, &sealed[..HEADER_LEN + 128]), Err(FloeError::Word(1)));
}

proptest! {
    #[test]
    fn the_reference_opens_what_we_seal(
        plaintext in proptest::collection::vec(any::<u8>(), 0..600),
        length in 64_u32..300,
        key in any::<[u8; 32]>(),
    ) {
        let sealed = seal(params(length), &key, AAD, &plaintext);
        let theirs = Parameters::with_segment_length(length).unwrap();
        let opened =
            fast_floe::decrypt_with_parameters(&Key::from_bytes(key), AAD, theirs, &sealed).unwrap();
        prop_assert_eq!(opened, plaintext);
    }

    #[test]
    fn we_open_what_the_reference_seals(
        plaintext in proptest::collection::vec(any::<u8>(), 0..600),
        length in 64_u32..300,
        key in any::<[u8; 32]>(),
    ) {
        let theirs = Parameters::with_segment_length(length).unwrap();
        let sealed = fast_floe::encrypt(&Key::from_bytes(key), AAD, theirs, &plaintext).unwrap();
        prop_assert_eq!(open(params(length), &key, AAD, &sealed), Ok(plaintext));
    }

    #[test]
    fn a_flipped_bit_is_found_wherever_it_is(
        plaintext in proptest::collection::vec(any::<u8>(), 0..200),
        place in any::<proptest::sample::Index>(),
        bit in 0_u32..8,
    ) {
        let mut sealed = seal(params(64), &[1; 32], AAD, &plaintext);
        let place = place.index(sealed.len());
        sealed[place] ^= 1 << bit;
        prop_assert!(open(params(64), &[1; 32], AAD, &sealed).is_err());
    }

    #[test]
    fn a_cut_is_found_wherever_it_is(
        plaintext in proptest::collection::vec(any::<u8>(), 0..200),
        cut in any::<proptest::sample::Index>(),
    ) {
        let sealed = seal(params(64), &[1; 32], AAD, &plaintext);
        let cut = HEADER_LEN + cut.index(sealed.len() - HEADER_LEN);
        let kept = open(params(64), &[1; 32], AAD, &sealed[..cut]);
        prop_assert!(cut == HEADER_LEN || kept.is_err());
    }
}
