//! The signed manifest of an object.

use custody::blob::SEGMENT_ROOM;
use custody::manifest::{self, ManifestError};
use ed25519_dalek::SigningKey;
use proptest::prelude::*;

use crate::support::{content, seal, seal_in};

fn vault_key() -> SigningKey {
    SigningKey::from_bytes(&[3; 32])
}

#[test]
fn a_manifest_says_what_was_written_and_only_the_vault_can_say_it() {
    let (_, facts) = seal_in(&content(3 * SEGMENT_ROOM), 2);
    let signed = manifest::sign(&facts, &vault_key());
    assert_eq!(manifest::verify(&signed, &vault_key().verifying_key()).unwrap(), facts);
    let another = SigningKey::from_bytes(&[4; 32]).verifying_key();
    assert!(matches!(manifest::verify(&signed, &another), Err(ManifestError::Envelope(_))));
}

#[test]
fn the_body_is_frozen() {
    let (_, facts) = seal(b"content");
    let body = String::from_utf8(manifest::encode(&facts)).unwrap();
    let header = hex::encode(facts.header.as_bytes());
    let hash = String::from(facts.parts[0].blake3);
    assert_eq!(
        body,
        format!(
            "{{\"crc32\":\"{:08x}\",\"header\":\"{header}\",\"object_size\":177,\
             \"parts\":[{{\"blake3\":\"{hash}\",\"offset\":0,\"size\":177}}],\
             \"sha256\":\"{}\",\"size\":7,\"v\":1}}",
            facts.crc32, facts.sha256
        )
    );
}

#[test]
fn a_manifest_says_whose_word_the_digest_is() {
    let (_, facts) = seal(b"content");
    let unseen = custody::blob::BlobFacts { by_sender: true, ..facts };
    let body = String::from_utf8(manifest::encode(&unseen)).unwrap();
    assert!(body.contains("],\"sealed_by\":\"sender\",\"sha256\":"), "{body}");
    assert_eq!(manifest::decode(body.as_bytes()).unwrap(), unseen);
    for other in ["\"vault\"", "null", "true"] {
        assert!(manifest::decode(body.replace("\"sender\"", other).as_bytes()).is_err(), "{other}");
    }
}

#[test]
fn contradictions_are_refused_by_name() {
    let (_, facts) = seal(b"content");
    let body = String::from_utf8(manifest::encode(&facts)).unwrap();
    let edited = |from: &str, to: &str| {
        assert!(body.contains(from), "{from}");
        manifest::decode(body.replace(from, to).as_bytes()).unwrap_err()
    };
    assert!(matches!(edited("\"size\":7,", "\"size\":8,"), ManifestError::Layout));
    assert!(matches!(edited("\"object_size\":177", "\"object_size\":178"), ManifestError::Layout));
    assert!(matches!(edited("\"offset\":0", "\"offset\":1"), ManifestError::Layout));
    assert!(matches!(edited("\"v\":1", "\"v\":2"), ManifestError::Version(2)));
    assert!(matches!(edited("\"v\":1", "\"v\":1,\"w\":1"), ManifestError::Json(_)));
    assert!(matches!(edited("\"header\":\"43", "\"header\":\"44"), ManifestError::Blob(_)));
    assert!(matches!(edited("\"header\":\"43", "\"header\":\""), ManifestError::Hex("header")));
    assert!(matches!(edited("\"crc32\":\"", "\"crc32\":\"0"), ManifestError::Hex("crc32")));
}

proptest! {
    #[test]
    fn no_bytes_make_the_parser_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(manifest::decode(&bytes).is_err());
    }
}
