//! Taking in an object that somebody else sealed: what fits is hashed as its writer hashed it, nothing else passes.

use custody::blob::{
    Arrival, BlobContext, BlobError, BlobFacts, HEADER_LEN, ObjectId, SEGMENT_LEN, SEGMENT_ROOM, Stated,
    VaultId,
};
use custody::digest::Digest;
use custody::floe::FloeError;
use custody::id::ItemId;
use proptest::prelude::*;
use uuid::Uuid;

use crate::support::{content, context, seal, seal_in};

fn stated(facts: &BlobFacts) -> Stated {
    Stated { size: facts.content_size, sha256: facts.sha256, crc32: facts.crc32 }
}

/// The object in chunks of these sizes, over and over.
fn taken(object: &[u8], stated: Stated, sizes: &[usize]) -> Result<BlobFacts, BlobError> {
    let header = &object[..HEADER_LEN.min(object.len())];
    let mut arrival = Arrival::new(header, &context(), stated)?;
    let mut rest = object;
    for size in sizes.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (now, later) = rest.split_at((*size).clamp(1, rest.len()));
        arrival.push(now)?;
        rest = later;
    }
    arrival.finish()
}

#[test]
fn an_object_of_every_awkward_size_arrives_as_it_was_written_however_it_is_cut() {
    for size in [0, 1, SEGMENT_ROOM - 1, SEGMENT_ROOM, SEGMENT_ROOM + 1, 5 * SEGMENT_ROOM + 17] {
        let (object, facts) = seal_in(&content(size), 2);
        let wanted = BlobFacts { by_sender: true, ..facts.clone() };
        for sizes in [&[usize::MAX][..], &[1 << 20], &[1000, 3, 70_000], &[HEADER_LEN, SEGMENT_LEN]] {
            assert_eq!(taken(&object, stated(&facts), sizes), Ok(wanted.clone()), "{size} {sizes:?}");
        }
        let arrival = Arrival::new(&object[..HEADER_LEN], &context(), stated(&facts)).unwrap();
        assert_eq!((arrival.object_size(), *arrival.context()), (facts.object_size, context()));
    }
}

#[test]
fn what_is_missing_and_what_is_too_much_is_refused() {
    let (object, facts) = seal_in(&content(2 * SEGMENT_ROOM + 5), 2);
    let wanted = facts.object_size;
    for cut in [0, HEADER_LEN, HEADER_LEN + 1, object.len() - 1] {
        let mut arrival = Arrival::new(&object[..HEADER_LEN], &context(), stated(&facts)).unwrap();
        arrival.push(&object[..cut]).unwrap();
        assert_eq!(arrival.finish(), Err(BlobError::Length { found: cut as u64, wanted }));
    }
    let longer = [&object[..], b"x"].concat();
    for sizes in [&[usize::MAX][..], &[4096]] {
        let found = wanted + 1;
        assert_eq!(taken(&longer, stated(&facts), sizes), Err(BlobError::Length { found, wanted }));
    }
    let other = Stated { size: facts.content_size - 5, ..stated(&facts) };
    assert!(matches!(taken(&object, other, &[4096]), Err(BlobError::Floe(FloeError::Word(1)))));
}

#[test]
fn the_header_is_the_one_that_was_announced_and_of_this_object() {
    let (object, facts) = seal(b"content");
    let header = &object[..HEADER_LEN];
    for (name, wanted) in [
        ("object", BlobContext { object: ObjectId::new([9; 16]), ..context() }),
        ("item", BlobContext { item: ItemId::new(Uuid::from_bytes([9; 16])), ..context() }),
        ("version", BlobContext { version: 2, ..context() }),
        ("vault", BlobContext { vault: VaultId::of(&Digest::of(b"another")), ..context() }),
    ] {
        let refused = Arrival::new(header, &wanted, stated(&facts)).unwrap_err();
        assert_eq!(refused, BlobError::Context(name));
    }
    for short in [0, 63, HEADER_LEN - 1] {
        let refused = Arrival::new(&object[..short], &context(), stated(&facts)).unwrap_err();
        assert_eq!(refused, BlobError::Magic);
    }
    for at in 64..74 {
        let mut other = object.clone();
        other[at] ^= 1;
        let refused = Arrival::new(&other[..HEADER_LEN], &context(), stated(&facts)).unwrap_err();
        assert_eq!(refused, BlobError::Floe(FloeError::Params), "{at}");
    }
    let mut arrival = Arrival::new(header, &context(), stated(&facts)).unwrap();
    let mut other = object.clone();
    other[HEADER_LEN - 1] ^= 1;
    assert_eq!(arrival.push(&other), Err(BlobError::Context("header")));
    let huge = Stated { size: 1 << 50, ..stated(&facts) };
    assert!(matches!(Arrival::new(header, &context(), huge), Err(BlobError::TooLarge { .. })));
}

#[test]
fn every_segment_begins_with_its_length_wherever_it_is_cut() {
    let (object, facts) = seal_in(&content(2 * SEGMENT_ROOM + 5), 2);
    for segment in 0..3 {
        for byte in 0..4 {
            let mut other = object.clone();
            other[HEADER_LEN + segment * SEGMENT_LEN + byte] ^= 0x80;
            for sizes in [&[usize::MAX][..], &[1 << 16], &[HEADER_LEN + 2, SEGMENT_LEN]] {
                let refused = taken(&other, stated(&facts), sizes).unwrap_err();
                assert_eq!(refused, BlobError::Floe(FloeError::Word(segment as u64)), "{byte} {sizes:?}");
            }
        }
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic_and_only_whole_objects_pass(
        size in 0..3 * SEGMENT_ROOM,
        other in proptest::collection::vec(any::<u8>(), 0..400),
        sizes in proptest::collection::vec(1..400_000_usize, 1..6),
        at in any::<prop::sample::Index>(),
    ) {
        let (object, facts) = seal_in(&content(size), 1);
        prop_assert!(taken(&other, stated(&facts), &sizes).is_err());
        let cut = at.index(object.len());
        prop_assert!(cut == object.len() || taken(&object[..cut], stated(&facts), &sizes).is_err());
        // Anything but what frames it may be other bytes: that shows when it is opened, and in its parts' hashes.
        let mut changed = object.clone();
        changed[cut] ^= 1;
        if let Ok(found) = taken(&changed, stated(&facts), &sizes) {
            prop_assert_ne!(found.parts, facts.parts);
        }
    }
}
