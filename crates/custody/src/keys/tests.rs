use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::blob::ObjectId;
use crate::digest::Digest;
use crate::id::ItemId;

fn blob() -> BlobContext {
    BlobContext {
        object: ObjectId::new([1; 16]),
        vault: VaultId::of(&Digest::of(b"vault")),
        item: ItemId::new(Uuid::from_bytes([2; 16])),
        version: 1,
    }
}

fn contexts() -> Vec<KeyContext> {
    let (blob, vault, id) = (blob(), blob().vault, Uuid::from_bytes([3; 16]));
    let other_vault = VaultId::of(&Digest::of(b"another vault"));
    vec![
        KeyContext::Data(blob),
        KeyContext::Data(BlobContext { object: ObjectId::new([9; 16]), ..blob }),
        KeyContext::Data(BlobContext { vault: other_vault, ..blob }),
        KeyContext::Data(BlobContext { item: ItemId::new(id), ..blob }),
        KeyContext::Data(BlobContext { version: 2, ..blob }),
        KeyContext::VaultHalf(blob),
        KeyContext::Case(vault, CaseId::new(id)),
        KeyContext::Case(other_vault, CaseId::new(id)),
        KeyContext::person(vault, PersonId::new(id)),
        KeyContext::Subject(vault, [4; 16]),
    ]
}

fn kek(name: &str, byte: u8) -> Kek {
    Kek::new(name.parse().unwrap(), Key32::new([byte; 32]))
}

fn fives(bytes: &mut [u8]) {
    bytes.fill(5);
}

#[test]
fn a_wrapped_key_unwraps_in_its_own_context_and_in_no_other() {
    let (kek, key) = (kek("kek/1", 7), Key32::new([8; 32]));
    for wrapped_for in contexts() {
        let stored = kek.wrap(&wrapped_for, &key, &mut fives).to_bytes();
        let wrapped = WrappedKey::parse(&stored).unwrap();
        for context in contexts() {
            let result = kek.unwrap(&context, &wrapped);
            if context == wrapped_for {
                assert_eq!(result.unwrap().expose(), key.expose());
            } else {
                assert_eq!(result.unwrap_err(), KeyError::Commitment, "{context:?}");
            }
        }
    }
}

#[test]
fn another_key_encryption_key_fails_by_name_and_by_commitment() {
    let wrapped = kek("kek/1", 7).wrap(&contexts()[0], &Key32::new([8; 32]), &mut fives);
    assert_eq!(kek("kek/2", 7).unwrap(&contexts()[0], &wrapped).unwrap_err(), KeyError::OtherKek);
    assert_eq!(kek("kek/1", 6).unwrap(&contexts()[0], &wrapped).unwrap_err(), KeyError::Commitment);
}

#[test]
fn a_wrapped_key_has_the_documented_shape() {
    let stored = kek("kek/1", 7).wrap(&contexts()[0], &Key32::new([8; 32]), &mut fives).to_bytes();
    assert_eq!(stored.len(), 4 + 1 + 1 + 2 + 5 + 24 + 32 + 48);
    assert_eq!(&stored[..13], b"CWK1\x01\x01\x00\x05kek/1");
    assert_eq!(stored[13..37], [5; 24]);
    // Computed once by this code and frozen: keys wrapped today must unwrap for ever.
    assert_eq!(
        Digest::of(&stored).to_hex(),
        "70f85b0368a8504f4a980ae97f857c7640a8e34b631efd535aff905e7a13fe90"
    );
}

#[test]
fn unknown_versions_and_algorithms_are_named() {
    let mut stored = kek("kek/1", 7).wrap(&contexts()[0], &Key32::new([8; 32]), &mut fives).to_bytes();
    stored[4] = 2;
    assert_eq!(WrappedKey::parse(&stored), Err(KeyError::Unknown { version: 2, alg: 1 }));
    (stored[4], stored[5]) = (1, 9);
    assert_eq!(WrappedKey::parse(&stored), Err(KeyError::Unknown { version: 1, alg: 9 }));
}

#[test]
fn references_are_short_and_plain() {
    for text in ["", "KEK/1", "kek 1", "kek\n", &"k".repeat(65)] {
        assert_eq!(text.parse::<KekRef>(), Err(KeyError::Reference), "{text:?}");
    }
    assert_eq!("kek/12".parse::<KekRef>().unwrap().as_str(), "kek/12");
}

#[test]
fn the_halves_of_a_key_give_it_back() {
    let (key, half) = (Key32::new([0xa5; 32]), Key32::new([0x0f; 32]));
    assert_eq!(key.xor(&half).xor(&half).expose(), key.expose());
}

#[test]
fn secrets_stay_silent_under_debug() {
    assert_eq!(format!("{:?}", DataKey::new(Key32::new([8; 32]))), "DataKey(Key32(..))");
    assert!(!format!("{:?}", kek("kek/1", 8)).contains("8, 8"));
}

#[test]
fn an_opening_opens_for_its_operation_and_field_only() {
    let key = FieldKey::new(Key32::new([1; 32]));
    let op = OpId::new([2; 16]);
    let sealed = key.seal_opening(op, "title", b"a title", &mut fives);
    assert_eq!(sealed.len(), 12 + 7 + 16);
    assert_eq!(&**key.open_opening(op, "title", &sealed).unwrap(), b"a title");
    assert_eq!(key.open_opening(op, "titles", &sealed).unwrap_err(), KeyError::Opening);
    assert_eq!(key.open_opening(OpId::new([3; 16]), "title", &sealed).unwrap_err(), KeyError::Opening);
    let other = FieldKey::new(Key32::new([4; 32]));
    assert_eq!(other.open_opening(op, "title", &sealed).unwrap_err(), KeyError::Opening);
    assert_eq!(key.open_opening(op, "title", &sealed[..27]).unwrap_err(), KeyError::Opening);
}

#[test]
fn a_canary_tells_keys_and_names_apart() {
    let canary = kek("kek/1", 7).canary();
    assert_eq!(canary, kek("kek/1", 7).canary());
    assert_ne!(canary, kek("kek/1", 8).canary());
    assert_ne!(canary, kek("kek/2", 7).canary());
}

proptest! {
    #[test]
    fn no_bytes_make_the_parser_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let framed = [b"CWK1\x01\x01".as_slice(), &bytes].concat();
        for bytes in [&bytes, &framed] {
            if let Ok(wrapped) = WrappedKey::parse(bytes) {
                prop_assert_eq!(&wrapped.to_bytes(), bytes);
            }
        }
    }

    #[test]
    fn a_flipped_bit_or_another_length_is_found(
        place in any::<proptest::sample::Index>(),
        bit in 0_u32..8,
        key in any::<[u8; 32]>(),
    ) {
        let (kek, context) = (kek("kek/1", 7), contexts()[0]);
        let stored = kek.wrap(&context, &Key32::new(key), &mut fives).to_bytes();
        let mut flipped = stored.clone();
        flipped[place.index(stored.len())] ^= 1 << bit;
        let result = WrappedKey::parse(&flipped).and_then(|wrapped| kek.unwrap(&context, &wrapped));
        prop_assert!(result.is_err());
        prop_assert!(WrappedKey::parse(&stored[..place.index(stored.len())]).is_err());
        prop_assert!(WrappedKey::parse(&[&stored[..], &[0]].concat()).is_err());
    }
}
