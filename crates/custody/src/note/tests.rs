use ed25519_dalek::{SigningKey, VerifyingKey};
use proptest::prelude::*;

use super::*;

const EXAMPLE_KEY: &str = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
const EXAMPLE_NOTE: &str = "This is an example message.\n\n— example.com/foo \
    Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n";

fn signing_key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

fn name(name: &str) -> KeyName {
    KeyName::new(name).unwrap()
}

fn verifier(key_name: &str, signature_type: SignatureType, seed: u8) -> VerifierKey {
    VerifierKey::new(name(key_name), signature_type, signing_key(seed).verifying_key()).unwrap()
}

fn signed(text: &str, seeds: &[u8]) -> SignedNote {
    let sign = |seed: &u8| NoteSignature::ed25519(name(&format!("signer/{seed}")), &signing_key(*seed), text);
    SignedNote::new(text.to_owned(), seeds.iter().map(sign).collect()).unwrap()
}

#[test]
fn the_published_example_verifies() {
    let key: VerifierKey = EXAMPLE_KEY.parse().unwrap();
    assert_eq!(key.to_string(), EXAMPLE_KEY);
    let note = SignedNote::parse(EXAMPLE_NOTE.as_bytes()).unwrap();
    assert_eq!(note.to_string(), EXAMPLE_NOTE);
    assert_eq!(note.text(), "This is an example message.\n");
    let keys = [key];
    assert_eq!(note.verify(&keys), Ok(vec![Verified { key: &keys[0], time: None }]));
}

#[test]
fn the_published_example_fails_when_any_character_of_its_text_changes() {
    let key: VerifierKey = EXAMPLE_KEY.parse().unwrap();
    for at in 0.."This is an example message.".len() {
        let mut bytes = EXAMPLE_NOTE.as_bytes().to_vec();
        bytes[at] ^= 1;
        let verdict =
            SignedNote::parse(&bytes).and_then(|note| note.verify(core::slice::from_ref(&key)).map(|_| ()));
        assert_eq!(verdict, Err(NoteError::BadSignature));
    }
}

#[test]
fn unknown_signers_are_ignored_even_when_name_or_id_is_known() {
    let note = signed("text\n", &[1, 2]);
    let known = [verifier("signer/2", SignatureType::Ed25519, 2)];
    assert_eq!(note.verify(&known).unwrap().len(), 1);
    let strangers = [
        verifier("signer/1", SignatureType::Ed25519, 3),
        verifier("signer/1", SignatureType::Cosignature, 1),
        verifier("other", SignatureType::Ed25519, 1),
    ];
    assert_eq!(note.verify(&strangers), Err(NoteError::NoKnownSigner));
    assert_eq!(note.verify(&[]), Err(NoteError::NoKnownSigner));
}

#[test]
fn one_failing_known_signer_rejects_the_note() {
    let good = signed("text\n", &[1, 2]);
    let foreign = signed("other\n", &[2]);
    let note = SignedNote::new(
        "text\n".to_owned(),
        vec![good.signatures()[0].clone(), foreign.signatures()[0].clone()],
    )
    .unwrap();
    let (first, second) =
        (verifier("signer/1", SignatureType::Ed25519, 1), verifier("signer/2", SignatureType::Ed25519, 2));
    assert_eq!(note.verify(&[first.clone(), second]), Err(NoteError::BadSignature));
    assert!(note.verify(&[first]).is_ok());
}

#[test]
fn a_cosignature_covers_its_time() {
    let cosigner = verifier("w", SignatureType::Cosignature, 4);
    let text = "origin\n1\nroot\n";
    let signature = NoteSignature::cosignature(name("w"), &signing_key(4), 1_679_315_147, text).unwrap();
    assert_eq!(signature.verify(&cosigner, text), Ok(Some(1_679_315_147)));
    let line = format!("{signature}\n");
    assert_eq!(NoteSignature::parse_lines(&line), Ok(vec![signature.clone()]));
    for position in 0..signature.signature.len() {
        let mut damaged = signature.clone();
        damaged.signature[position] ^= 1;
        assert!(damaged.verify(&cosigner, text).is_err(), "byte {position}");
    }
}

#[test]
fn a_cosignature_beyond_the_end_of_time_is_refused() {
    let key = signing_key(4);
    assert_eq!(NoteSignature::cosignature(name("w"), &key, 1 << 63, "t\n"), Err(NoteError::TimeOutOfRange));
    let mut signature = NoteSignature::cosignature(name("w"), &key, 0, "t\n").unwrap();
    signature.signature[0] = 0x80;
    let verdict = signature.verify(&verifier("w", SignatureType::Cosignature, 4), "t\n");
    assert_eq!(verdict, Err(NoteError::TimeOutOfRange));
}

#[test]
fn a_signature_of_one_kind_is_not_one_of_the_other() {
    let cosignature = NoteSignature::cosignature(name("w"), &signing_key(4), 7, "t\n").unwrap();
    let plain = NoteSignature::ed25519(name("w"), &signing_key(4), "t\n");
    assert_eq!(
        cosignature.verify(&verifier("w", SignatureType::Ed25519, 4), "t\n"),
        Err(NoteError::BadSignature)
    );
    assert_eq!(
        plain.verify(&verifier("w", SignatureType::Cosignature, 4), "t\n"),
        Err(NoteError::BadSignature)
    );
}

#[test]
fn the_text_may_contain_blank_lines() {
    let note = signed("\n\none\n\n\ntwo\n\n", &[1]);
    let read = SignedNote::parse(note.to_string().as_bytes()).unwrap();
    assert_eq!(read, note);
}

#[test]
fn limits_hold_for_parsing_and_for_adding() {
    let mut note = signed("t\n", &[0]);
    for seed in 1..64 {
        note.add(NoteSignature::ed25519(name("x"), &signing_key(seed), "t\n")).unwrap();
    }
    let more = NoteSignature::ed25519(name("x"), &signing_key(64), "t\n");
    assert_eq!(note.add(more.clone()), Err(NoteError::TooManySignatures));
    assert_eq!(note.signatures().len(), 64);
    assert!(SignedNote::parse(note.to_string().as_bytes()).is_ok());
    assert_eq!(SignedNote::parse(format!("{note}{more}\n").as_bytes()), Err(NoteError::TooManySignatures));
    let first = note.signatures()[0].clone();
    assert_eq!(note.add(first), Ok(()));
    let long = "x".repeat(MAX_NOTE_LEN + 1);
    assert_eq!(SignedNote::parse(long.as_bytes()), Err(NoteError::TooLong));
    let text = format!("{}\n", "x".repeat(MAX_NOTE_LEN - 100));
    let signature = NoteSignature::ed25519(name("x"), &signing_key(1), &text);
    assert_eq!(SignedNote::new(text, vec![signature]), Err(NoteError::TooLong));
}

#[test]
fn only_one_keys_signature_is_kept_on_request() {
    let note = signed("t\n", &[1, 2, 3]);
    let only = note.only(&verifier("signer/2", SignatureType::Ed25519, 2)).unwrap();
    assert_eq!(only.signatures(), &note.signatures()[1..2]);
    assert_eq!(note.only(&verifier("signer/9", SignatureType::Ed25519, 2)), None);
}

#[test]
fn names_that_would_break_a_line_are_refused() {
    let long = "x".repeat(256);
    for bad in ["", "a b", "a+b", "a\nb", "a\u{a0}b", "a\u{2003}", "\u{1}", "a\u{7f}", &long] {
        assert_eq!(KeyName::new(bad), Err(KeyNameError), "{bad:?}");
    }
    assert!(KeyName::new("vault.example.org/custos/1").is_ok());
}

#[test]
fn malformed_verifier_keys_are_refused_by_rule() {
    use VerifierKeyError::{BadKey, Malformed, UnsupportedType, WrongId};
    let (head, tail) = EXAMPLE_KEY.rsplit_once('+').unwrap();
    let cases = [
        (String::new(), Malformed),
        (head.to_owned(), Malformed),
        (EXAMPLE_KEY.to_uppercase(), Malformed),
        (EXAMPLE_KEY.replace("530d903a", "530D903A"), Malformed),
        (EXAMPLE_KEY.replace("530d903a", "530d903"), Malformed),
        (EXAMPLE_KEY.replace("530d903a", "530d903b"), WrongId),
        (EXAMPLE_KEY.replace("/foo", "/fop"), WrongId),
        (EXAMPLE_KEY.replace('A', "B"), UnsupportedType(5)),
        (format!("{head}+Ag=="), UnsupportedType(2)),
        (format!("{head}+AQ=="), BadKey),
        (format!("{head}+"), Malformed),
        (format!("{EXAMPLE_KEY}="), Malformed),
        (format!("{EXAMPLE_KEY}\n"), Malformed),
        (format!("{}+{tail}", "x".repeat(400)), Malformed),
    ];
    for (text, expected) in cases {
        assert_eq!(text.parse::<VerifierKey>(), Err(expected), "{text}");
    }
}

#[test]
fn a_key_of_small_order_is_refused() {
    let mut identity = [0; 32];
    identity[0] = 1;
    let weak = VerifyingKey::from_bytes(&identity).unwrap();
    let refused = VerifierKey::new(name("x"), SignatureType::Ed25519, weak);
    assert_eq!(refused, Err(VerifierKeyError::BadKey));
}

#[test]
fn two_known_keys_with_one_name_and_id_are_ambiguous_only_if_they_differ() {
    let note = signed("t\n", &[1]);
    let key = verifier("signer/1", SignatureType::Ed25519, 1);
    assert_eq!(note.verify(&[key.clone(), key]).unwrap().len(), 1);
}

proptest! {
    #[test]
    fn whatever_parses_is_written_back_byte_for_byte(
        text in "[a-zé \n—+]{0,40}\n",
        seeds in proptest::collection::vec(0u8..9, 1..4),
        position in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let note = signed(&text, &seeds);
        let mut bytes = note.to_string().into_bytes();
        prop_assert_eq!(&SignedNote::parse(&bytes).unwrap(), &note);
        let at = position.index(bytes.len());
        bytes[at] = byte;
        if let Ok(read) = SignedNote::parse(&bytes) {
            prop_assert_eq!(read.to_string().into_bytes(), bytes);
        }
    }

    #[test]
    fn no_bytes_make_the_parsers_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), text in "\\PC{0,80}") {
        let _ = SignedNote::parse(&bytes);
        let _ = NoteSignature::parse_lines(&text);
        let _ = text.parse::<VerifierKey>();
    }
}
