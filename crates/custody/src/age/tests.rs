use proptest::prelude::*;

use super::*;

fn counting(mut next: u8) -> impl FnMut(&mut [u8]) {
    move |bytes: &mut [u8]| {
        for byte in bytes {
            next = next.wrapping_mul(37).wrapping_add(11);
            *byte = next;
        }
    }
}

fn identity(n: u8) -> Identity {
    Identity::derive(&[n; 32])
}

/// Made by `age` 1.1.1 (`age -r RECIPIENT`) for the identity below; the secret is the text `half of a key`.
const MADE_BY_AGE: &str = include_str!("made-by-age.b64");
const ITS_IDENTITY: &str = include_str!("made-by-age.identity");

#[test]
fn a_file_of_the_reference_implementation_opens() {
    use base64::prelude::{BASE64_STANDARD, Engine as _};
    let file = BASE64_STANDARD.decode(MADE_BY_AGE.trim()).unwrap();
    let identity: Identity = ITS_IDENTITY.trim().parse().unwrap();
    assert_eq!(&**identity.open(&file).unwrap(), b"half of a key");
    assert_eq!(*identity.expose(), ITS_IDENTITY.trim());
}

#[test]
fn each_recipient_opens_alone_and_nobody_else() {
    let (one, two, other) = (identity(1), identity(2), identity(3));
    let file = seal(b"a secret", &[one.recipient(), two.recipient()], &mut counting(0)).unwrap();
    for recipient in [&one, &two] {
        assert_eq!(&**recipient.open(&file).unwrap(), b"a secret");
    }
    assert_eq!(other.open(&file), Err(AgeError::NotForMe));
}

#[test]
fn a_nested_secret_takes_both_in_their_order() {
    let (outer, inner) = (identity(1), identity(2));
    let of = ItemId::new(uuid::Uuid::from_u128(7));
    let file =
        seal_nested(&[7; 32], of, &[outer.recipient()], &[inner.recipient()], &mut counting(0)).unwrap();
    assert_eq!(item_of(&file), None, "nothing is said of it outside");
    assert_eq!(inner.open(&file), Err(AgeError::NotForMe));
    let within = outer.open(&file).unwrap();
    assert_eq!(item_of(&within), Some(of));
    let elsewhere = String::from_utf8_lossy(&within[..80]).replace("000007", "000008");
    let elsewhere = [elsewhere.as_bytes(), &within[80..]].concat();
    assert_eq!(
        inner.open(&elsewhere),
        Err(AgeError::Altered),
        "whoever opens it sees that it was another item's"
    );
    assert_eq!(outer.open(&within), Err(AgeError::NotForMe));
    assert_eq!(**inner.open(&within).unwrap(), [7; 32]);
}

#[test]
fn recipients_and_identities_read_back_and_nothing_else_reads() {
    let identity = identity(9);
    let text = identity.recipient().to_string();
    assert_eq!((text.len(), text.parse::<Recipient>()), (62, Ok(identity.recipient())));
    let secret = identity.expose();
    assert_eq!(secret.parse::<Identity>().unwrap().recipient(), identity.recipient());
    let mut changed = text.clone().into_bytes();
    changed[20] = if changed[20] == b'q' { b'p' } else { b'q' };
    let changed = String::from_utf8(changed).unwrap();
    let other_checksum = ::bech32::encode::<::bech32::Bech32m>(Hrp::parse("age").unwrap(), &[1; 32]).unwrap();
    let low_order = Recipient([0; 32]).to_string();
    for bad in [&low_order, "", "age1", &text.to_uppercase(), &secret, &changed, &other_checksum, &text[..61]]
    {
        assert_eq!(bad.parse::<Recipient>(), Err(AgeError::Recipient), "{bad}");
        assert_eq!(
            bad.replace(&**secret, &text).parse::<Identity>().err(),
            Some(AgeError::Identity),
            "{bad}"
        );
    }
}

#[test]
fn a_recipient_that_every_secret_would_fit_is_refused() {
    assert_eq!(seal(b"x", &[Recipient([0; 32])], &mut counting(0)), Err(AgeError::Recipients));
    assert_eq!(seal(b"x", &[], &mut counting(0)), Err(AgeError::Recipients));
    let long = [0; MAX_SECRET_BYTES + 1];
    assert_eq!(seal(&long, &[identity(1).recipient()], &mut counting(0)), Err(AgeError::TooLong));
}

#[test]
fn stanzas_of_other_kinds_are_passed_over() {
    let me = identity(1);
    let file = seal(b"x", &[me.recipient()], &mut counting(0)).unwrap();
    let text = String::from_utf8_lossy(&file);
    let at = text.find("-> ").unwrap();
    // It changes what the code is over: the stanza is read past, and the change is found.
    let with = |stanza: &[u8]| me.open(&[&file[..at], stanza, &file[at..]].concat());
    assert_eq!(with(b"-> some-grease a b\nQUJD\n"), Err(AgeError::Altered));
    for bad in
        [&b"-> scrypt a 10\nQUJD\n"[..], b"->  a\nQUJD\n", b"-> \nQUJD\n", b"-> x\nQUI=\n", b"-> x\nQUF\n"]
    {
        assert_eq!(with(bad), Err(AgeError::Shape), "{}", String::from_utf8_lossy(bad));
    }
}

proptest! {
    #[test]
    fn what_is_sealed_opens_again(secret in proptest::collection::vec(any::<u8>(), 0..600), seed: u8) {
        let me = identity(seed);
        let file = seal(&secret, &[identity(seed.wrapping_add(1)).recipient(), me.recipient()], &mut counting(seed)).unwrap();
        prop_assert_eq!(&**me.open(&file).unwrap(), &secret[..]);
    }

    #[test]
    fn whatever_is_altered_does_not_open(at: prop::sample::Index, bit in 0..8_u8) {
        let me = identity(1);
        let mut file = seal(b"half of a key", &[me.recipient()], &mut counting(3)).unwrap();
        let at = at.index(file.len());
        file[at] ^= 1 << bit;
        prop_assert!(me.open(&file).is_err());
    }

    #[test]
    fn foreign_bytes_are_refused_by_name(bytes in proptest::collection::vec(any::<u8>(), 0..300), head: bool) {
        let head: &[u8] = if head { b"age-encryption.org/v1\n-> " } else { b"" };
        prop_assert!(identity(1).open(&[head, &bytes].concat()).is_err());
    }
}
