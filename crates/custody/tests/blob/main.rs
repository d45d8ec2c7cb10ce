//! One stored object, from the outside: what is sealed opens, and nothing else does.

mod arrival;
mod manifest;
mod support;
mod vectors;

use custody::aead::Portable;
use custody::blob::{
    Audit, BlobContext, BlobError, BlobHeader, BlobReader, BlobStream, BlobWriter, Layout, MAX_PARTS,
    ObjectId, SEGMENT_LEN, SEGMENT_ROOM, SegmentBuf, SegmentsPerPart, VaultId,
};
use custody::digest::Digest;
use custody::floe::FloeError;
use custody::id::ItemId;
use custody::keys::{DataKey, Key32};
use proptest::prelude::*;
use proptest::sample::Index;
use support::{HEADER, content, context, index, key, open_range, random, seal, seal_in};
use uuid::Uuid;

const ROOM: usize = SEGMENT_ROOM;

#[test]
fn content_of_every_awkward_size_comes_back() {
    for size in [0, 1, ROOM - 1, ROOM, ROOM + 1, 2 * ROOM, 3 * ROOM + 17] {
        let content = content(size);
        let (object, facts) = seal_in(&content, 2);
        assert_eq!(facts.content_size, size as u64);
        assert_eq!(facts.sha256, Digest::of(&content));
        assert_eq!(facts.crc32, crc32fast::hash(&content));
        assert_eq!(facts.object_size, object.len() as u64);
        let layout = Layout::new(size as u64, SegmentsPerPart::new(2).unwrap()).unwrap();
        assert_eq!(layout.object_size(), facts.object_size, "{size}");
        assert_eq!(layout.parts(), facts.parts.len() as u64, "{size}");
        for (part, index) in facts.parts.iter().zip(0..) {
            let extent = layout.part(index).unwrap();
            assert_eq!((part.offset, part.size), (extent.offset, extent.size), "part {index} of {size}");
        }
        assert_eq!(open_range(&object, &context(), size, 0, size), Ok(content));
    }
}

#[test]
fn another_object_item_version_or_vault_is_refused_by_name() {
    let (object, _) = seal(b"content");
    let wrong = [
        ("object", BlobContext { object: ObjectId::new([9; 16]), ..context() }),
        ("item", BlobContext { item: ItemId::new(Uuid::from_bytes([9; 16])), ..context() }),
        ("version", BlobContext { version: 2, ..context() }),
        ("vault", BlobContext { vault: VaultId::of(&Digest::of(b"another")), ..context() }),
    ];
    for (name, wanted) in wrong {
        assert_eq!(open_range(&object, &wanted, 7, 0, 7), Err(BlobError::Context(name)));
    }
}

#[test]
fn a_preamble_rewritten_for_another_item_fails_before_any_plaintext() {
    let (object, _) = seal(b"content");
    for (name, at) in [("object", 8), ("vault", 24), ("item", 40), ("version", 59), ("part size", 63)] {
        let mut forged = object.clone();
        forged[at] ^= 2;
        let header = BlobHeader::parse(&forged[..HEADER]).unwrap();
        let opened = BlobReader::<Portable>::open(&header, header.context(), &key(), 7);
        assert_eq!(opened.unwrap_err(), BlobError::Floe(FloeError::Header), "{name}");
    }
}

#[test]
fn another_key_fails_at_the_header() {
    let (object, _) = seal(b"content");
    let header = BlobHeader::parse(&object[..HEADER]).unwrap();
    let other = DataKey::new(Key32::new([2; 32]));
    let opened = BlobReader::<Portable>::open(&header, &context(), &other, 7);
    assert_eq!(opened.unwrap_err(), BlobError::Floe(FloeError::Header));
}

#[test]
fn swapped_duplicated_and_dropped_segments_are_found() {
    let size = 3 * ROOM;
    let (object, facts) = seal(&content(size));
    let (header, body) = object.split_at(HEADER);
    let segments: Vec<_> = body.chunks(SEGMENT_LEN).collect();
    for order in [vec![1_usize, 0, 2], vec![0, 0, 2], vec![2, 1, 0], vec![0, 1, 1], vec![0, 2], vec![0, 1]] {
        let mut forged = header.to_vec();
        for segment in &order {
            forged.extend_from_slice(segments[*segment]);
        }
        let size = size - (3 - order.len()) * ROOM;
        assert!(open_range(&forged, &context(), size, 0, size).is_err(), "{order:?}");
        let mut audit = Audit::new(facts.parts.clone());
        audit.push(&forged);
        assert!(!audit.finish().is_clean(), "{order:?}");
    }
}

#[test]
fn a_read_to_the_end_authenticates_the_last_segment_first() {
    let layout = Layout::new(3 * ROOM as u64, SegmentsPerPart::new(64).unwrap()).unwrap();
    let order = |offset: usize, len: usize| -> Vec<(u64, usize)> {
        let steps = layout.plan(offset as u64, len as u64).unwrap();
        steps.map(|step| (step.segment, step.keep.len())).collect()
    };
    assert_eq!(order(0, 3 * ROOM), [(2, 0), (0, ROOM), (1, ROOM), (2, ROOM)]);
    assert_eq!(order(0, 10), [(0, 10)]);
    assert_eq!(order(ROOM - 1, 2), [(0, 1), (1, 1)]);
    assert_eq!(order(3 * ROOM - 1, 1), [(2, 1)], "the last segment alone is opened once");
    assert_eq!(order(5, 0), []);
    assert_eq!(order(3 * ROOM, 0), [(2, 0)], "even nothing, read at the end, proves the end");
}

#[test]
fn ranges_outside_the_content_are_refused() {
    let layout = Layout::new(10, SegmentsPerPart::new(64).unwrap()).unwrap();
    for (offset, len) in [(0, 11), (11, 0), (u64::MAX, 1), (1, u64::MAX)] {
        assert_eq!(layout.plan(offset, len).unwrap_err(), BlobError::Range { offset, len, size: 10 });
    }
}

#[test]
fn parts_grow_with_the_declared_size() {
    const GIB: u64 = 1 << 30;
    let part = |bytes| SegmentsPerPart::for_content(bytes).get();
    assert_eq!([part(None), part(Some(0)), part(Some(128 * GIB))], [64; 3]);
    assert_eq!([part(Some(128 * GIB + 1)), part(Some(1024 * GIB))], [512; 2]);
    assert_eq!(part(Some(1024 * GIB + 1)), 2048);
    for bytes in [128 * GIB, 1024 * GIB, 4 * 1024 * GIB] {
        let layout = Layout::new(bytes, SegmentsPerPart::for_content(Some(bytes))).unwrap();
        assert!(layout.parts() <= MAX_PARTS);
    }
    let unknown = SegmentsPerPart::for_content(None);
    let max_bytes = MAX_PARTS * 64 * ROOM as u64;
    assert_eq!(Layout::new(max_bytes, unknown).unwrap().parts(), MAX_PARTS);
    assert_eq!(Layout::new(max_bytes + 1, unknown), Err(BlobError::TooLarge { max_bytes }));
    assert_eq!(SegmentsPerPart::new(0), Err(BlobError::SegmentsPerPart(0)));
    assert_eq!(SegmentsPerPart::new(2049), Err(BlobError::SegmentsPerPart(2049)));
}

#[test]
fn only_the_last_buffer_may_be_short() {
    let mut random = random();
    let spp = SegmentsPerPart::for_content(None);
    let mut writer = BlobWriter::<Portable>::start(context(), spp, &key(), &mut random).unwrap();
    assert_eq!(writer.segment(SegmentBuf::new(), &mut random).unwrap_err(), BlobError::NotFull);
    let mut full = SegmentBuf::new();
    assert_eq!(full.push(&content(ROOM + 1)), ROOM);
    let sealed = writer.segment(full, &mut random).unwrap();
    let empty = sealed.recycle();
    assert!(empty.is_empty());
    assert_eq!(writer.last(empty, &mut random).unwrap_err(), BlobError::NotFull);
}

#[test]
fn content_versions_count_from_one() {
    let context = BlobContext { version: 0, ..context() };
    let started =
        BlobWriter::<Portable>::start(context, SegmentsPerPart::for_content(None), &key(), &mut random());
    assert_eq!(started.unwrap_err(), BlobError::ContentVersion);
}

#[test]
fn an_audit_locates_damage_without_a_key() {
    let (object, facts) = seal_in(&content(5 * ROOM), 2);
    let audit = |object: &[u8]| {
        let mut audit = Audit::new(facts.parts.clone());
        object.chunks(100_000).for_each(|chunk| audit.push(chunk));
        audit.finish()
    };
    assert!(audit(&object).is_clean());
    let mut flipped = object.clone();
    flipped[3] ^= 1;
    flipped[HEADER + 2 * SEGMENT_LEN] ^= 1;
    assert_eq!(audit(&flipped).changed, [0, 1]);
    let cut = audit(&object[..object.len() - 10]);
    assert_eq!((cut.changed.len(), cut.missing_bytes, cut.extra_bytes), (0, 10, 0));
    let cut = audit(&object[..10]);
    assert_eq!(cut.missing_bytes, object.len() as u64 - 10);
    assert_eq!(audit(&[&object[..], b"more"].concat()).extra_bytes, 4);
}

#[test]
fn the_reference_implementation_of_floe_opens_our_blobs() {
    let content = content(2 * ROOM + 5);
    let (object, _) = seal(&content);
    let aad = [b"custos/blob/v1\0", &object[..64]].concat();
    let key = fast_floe::Key::from_bytes([1; 32]);
    let params = fast_floe::Parameters::with_segment_length(262_144).unwrap();
    let opened = fast_floe::decrypt_with_parameters(&key, &aad, params, &object[64..]).unwrap();
    assert!(opened == content);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_range_is_a_slice(size in 0..3 * ROOM, from in any::<Index>(), to in any::<Index>()) {
        let content = content(size);
        let (object, _) = seal(&content);
        let (from, to) = (from.index(size + 1), to.index(size + 1));
        let (from, to) = (from.min(to), from.max(to));
        let read = open_range(&object, &context(), size, from, to - from).unwrap();
        prop_assert!(read == content[from..to]);
    }

    #[test]
    fn chunking_never_matters(size in 0..3 * ROOM, cuts in proptest::collection::vec(any::<Index>(), 0..8)) {
        let content = content(size);
        let (whole, facts) = seal(&content);
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(size + 1)).collect();
        cuts.sort_unstable();
        let mut random = random();
        let spp = SegmentsPerPart::for_content(None);
        let writer = BlobWriter::<Portable>::start(context(), spp, &key(), &mut random).unwrap();
        let (mut stream, mut object, mut from) = (BlobStream::new(writer), Vec::new(), 0);
        for to in cuts.into_iter().chain([size]) {
            let mut emit = |bytes: &[u8]| object.extend_from_slice(bytes);
            stream.push(&content[from..to], &mut random, &mut emit).unwrap();
            from = to;
        }
        let pieces = stream.finish(&mut random, &mut |bytes| object.extend_from_slice(bytes)).unwrap();
        prop_assert!(object == whole);
        prop_assert_eq!(pieces, facts);
    }

    #[test]
    fn a_flipped_bit_is_found_by_reader_and_audit(
        size in 0..2 * ROOM,
        place in any::<Index>(),
        bit in 0_u32..8,
    ) {
        let (mut object, facts) = seal_in(&content(size), 1);
        let place = place.index(object.len());
        object[place] ^= 1 << bit;
        prop_assert!(open_range(&object, &context(), size, 0, size).is_err());
        let mut audit = Audit::new(facts.parts.clone());
        audit.push(&object);
        let expected = facts.parts.iter().position(|part| place < index(part.offset + part.size));
        prop_assert_eq!(audit.finish().changed, [expected.unwrap()]);
    }

    #[test]
    fn a_cut_is_found_even_when_the_size_is_cut_along(size in ROOM..3 * ROOM, cut in any::<Index>()) {
        let (object, _) = seal(&content(size));
        let claimed = cut.index(size);
        let layout = Layout::new(claimed as u64, SegmentsPerPart::for_content(None)).unwrap();
        let kept = &object[..index(layout.object_size())];
        prop_assert!(open_range(kept, &context(), claimed, 0, claimed).is_err());
    }

    #[test]
    fn no_header_makes_the_parser_panic(bytes in proptest::collection::vec(any::<u8>(), 130)) {
        let framed = [b"CUS1\x01\x01\0\0".as_slice(), &bytes].concat();
        if let Ok(header) = BlobHeader::parse(&framed) {
            prop_assert_eq!(&header.as_bytes()[..], &framed[..]);
        }
        prop_assert!(BlobHeader::parse(&bytes).is_err());
    }
}
