//! Timestamps by local authorities, made with the `openssl` command, in order and damaged in every way.

#![expect(clippy::unwrap_used, reason = "a test stops where openssl or a file fails it")]

mod authority;

use std::time::Duration;

use custody::digest::Digest;
use custody::timestamp::{Anchors, AnchorsError, MAX_LEN, Nonce, TimestampError, Token, Verified, request};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use authority::*;

const NONCE: Nonce = Nonce::new(0x8000_0000_0000_0001);

fn covered() -> Digest {
    Digest::of(b"a checkpoint")
}

fn query() -> Vec<u8> {
    request(&covered(), NONCE)
}

fn anchors(root: &Certified) -> Anchors {
    Anchors::parse(&std::fs::read(&root.certificate).unwrap()).unwrap()
}

fn verify_token(token: &[u8], root: &Certified) -> Result<Verified, TimestampError> {
    Token::from_der(token)?.verify(&covered(), Some(NONCE), &anchors(root))
}

fn verify(response: &[u8], root: &Certified) -> Result<Verified, TimestampError> {
    verify_token(Token::from_response(response)?.as_der(), root)
}

/// A root, an authority under it, and its response to our request.
fn simple(folder: &Folder, kind: KeyKind) -> (Certified, Certified, Vec<u8>) {
    let root = folder.root(kind, ROOT);
    let signer = folder.issue(&root, kind, SIGNER);
    let response = folder.reply(&signer, &query(), &[], "");
    (root, signer, response)
}

/// Runs `check` over tokens with one bit flipped.
fn each_flipped_bit(token: &[u8], check: impl Fn(&[u8]) -> Result<(), TestCaseError>) {
    let config = ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() };
    let mut runner = TestRunner::new(config);
    let flip = |(at, bit): (prop::sample::Index, u8)| {
        let mut token = token.to_vec();
        let at = at.index(token.len());
        token[at] ^= 1 << bit;
        check(&token)
    };
    runner.run(&(any::<prop::sample::Index>(), 0..8_u8), flip).unwrap();
}

#[test]
fn a_timestamp_says_when_by_whom_and_how_exactly() {
    let folder = Folder::new();
    let root = folder.root(P_256, ROOT);
    let signer = folder.issue(&root, P_256, SIGNER);
    let more = "accuracy=secs:1,millisecs:500,microsecs:100\nclock_precision_digits=3\nordering=yes";
    let response = folder.reply(&signer, &query(), &[], more);
    let verified = verify(&response, &root).unwrap();
    assert_eq!(verified.authority, "CN=Test authority,O=Custos tests");
    assert_eq!(verified.serial, "2b", "one after the authority's last");
    assert_eq!(verified.policy, "1.2.3.4.1");
    assert_eq!(verified.accuracy, Some(Duration::from_micros(1_500_100)));
    assert_eq!(verified.expires.to_string(), "2099-01-01T00:00:00.000Z");

    let text = run(folder.openssl("ts").args(["-reply", "-text", "-in"]).arg(folder.path("response.tsr")));
    let shown = text.lines().find_map(|line| line.strip_prefix("Time stamp: ")).unwrap();
    let second = verified.time.to_string();
    // openssl writes "Nov 22 00:50:03.123 2026 GMT".
    assert!(shown.contains(&second[11..19]) && shown.contains(&second[..4]), "{shown} is not {second}");
}

#[test]
fn openssl_reads_our_request_and_verifies_what_we_verify() {
    let folder = Folder::new();
    let (root, _, response) = simple(&folder, P_256);
    for number in [0, 1, 0x7f, 0x80, 0xff, 0x0100, 0x7fff, 0x8000, u64::MAX] {
        let query = folder.write("query.tsq", request(&covered(), Nonce::new(number)));
        let text = run(folder.openssl("ts").args(["-query", "-text", "-in"]).arg(query));
        let shown = text.lines().find_map(|line| line.strip_prefix("Nonce: ")).unwrap();
        let shown = shown.trim_start_matches("0x").to_ascii_lowercase();
        assert_eq!(u64::from_str_radix(&shown, 16).unwrap(), number);
        assert!(text.contains("Certificate required: yes") && text.contains("sha256"), "{text}");
    }
    assert!(verify(&response, &root).is_ok());
    let data = folder.write("data", b"a checkpoint");
    let response = folder.write("kept.tsr", response);
    let mut verify = folder.openssl("ts");
    verify
        .arg("-verify")
        .arg("-data")
        .arg(data)
        .arg("-in")
        .arg(response)
        .arg("-CAfile")
        .arg(&root.certificate);
    run(&mut verify);
}

#[test]
fn every_usual_algorithm_is_verified() {
    let folder = Folder::new();
    for (kind, hash) in [
        (RSA_2048, "sha256"),
        (RSA_3072, "sha384"),
        (RSA_4096, "sha512"),
        (P_256, "sha256"),
        (P_256, "sha512"),
        (P_384, "sha384"),
        (P_384, "sha256"),
    ] {
        let root = folder.root(kind, Wish { hash, ..ROOT });
        let signer = folder.issue(&root, kind, Wish { hash, ..SIGNER });
        let response = folder.reply(&signer, &query(), &[], &format!("signer_digest={hash}"));
        assert!(verify(&response, &root).is_ok(), "{kind:?} {hash}");
    }
    let root = folder.root(ED25519, Wish { hash: "default", ..ROOT });
    let signer = folder.issue(&root, P_256, Wish { hash: "default", ..SIGNER });
    assert!(verify(&folder.reply(&signer, &query(), &[], ""), &root).is_ok(), "a root with ed25519");
}

#[test]
fn a_certificate_may_be_named_by_either_attribute_and_any_hash() {
    let folder = Folder::new();
    let (root, signer, _) = simple(&folder, P_256);
    for hash in ["sha1", "sha256", "sha384", "sha512"] {
        let response = folder.reply(&signer, &query(), &[], &format!("ess_cert_id_alg={hash}"));
        assert!(verify(&response, &root).is_ok(), "{hash}");
    }
    let response = folder.reply(&signer, &query(), &[], "");
    let extensions = format!("{TSA}subjectKeyIdentifier=hash\n");
    let signer = folder.issue(&root, P_256, Wish { extensions: &extensions, ..SIGNER });
    let by_key_id = folder.sign_again(&response, &signer, &["-cades", "-keyid"]);
    assert!(verify_token(&by_key_id, &root).is_ok());
}

#[test]
fn a_chain_may_have_issuers_in_between() {
    let folder = Folder::new();
    let root = folder.root(RSA_2048, ROOT);
    let one = folder.issue(&root, P_256, Wish { name: "One", extensions: CA, ..ROOT });
    let two = folder.issue(&one, P_384, Wish { name: "Two", extensions: CA, ..ROOT });
    let signer = folder.issue(&two, P_256, SIGNER);
    let response = folder.reply(&signer, &query(), &[&one, &two], "");
    assert!(verify(&response, &root).is_ok());
    assert!(verify(&response, &one).is_ok(), "any of them may be the anchor");
    assert!(verify(&response, &signer).is_ok(), "the authority itself too");
    let gap = folder.reply(&signer, &query(), &[&two], "");
    assert_eq!(verify(&gap, &root), Err(TimestampError::NotTrusted));
    let all = folder.reply(&signer, &query(), &[&root, &two, &one], "");
    assert!(verify(&all, &root).is_ok(), "the root may come along");
    assert_eq!(
        verify(&all, &folder.root(RSA_2048, Wish { name: "Other", ..ROOT })),
        Err(TimestampError::NotTrusted)
    );
}

#[test]
fn only_issuers_issue() {
    let folder = Folder::new();
    let root = folder.root(P_256, ROOT);
    let refused = |extensions: &str, why: TimestampError| {
        let issuer = folder.issue(&root, P_256, Wish { name: "Issuer", extensions, ..ROOT });
        let signer = folder.issue(&issuer, P_256, SIGNER);
        let response = folder.reply(&signer, &query(), &[&issuer], "");
        assert_eq!(verify(&response, &root), Err(why), "{extensions}");
    };
    refused("basicConstraints=critical,CA:FALSE\n", TimestampError::NotTrusted);
    refused("keyUsage=critical,keyCertSign\n", TimestampError::NotTrusted);
    refused(
        "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,digitalSignature\n",
        TimestampError::NotTrusted,
    );
    refused("basicConstraints=critical,CA:TRUE\nextendedKeyUsage=serverAuth\n", TimestampError::NotTrusted);
    refused(
        &format!("{CA}nameConstraints=critical,permitted;dirName:dn\n[dn]\nO=Custos tests\n"),
        TimestampError::UnknownCritical,
    );

    let short =
        folder.root(P_256, Wish { extensions: "basicConstraints=critical,CA:TRUE,pathlen:0\n", ..ROOT });
    let direct = folder.issue(&short, P_256, SIGNER);
    assert!(verify(&folder.reply(&direct, &query(), &[], ""), &short).is_ok());
    let issuer = folder.issue(&short, P_256, Wish { name: "Issuer", ..ROOT });
    let signer = folder.issue(&issuer, P_256, SIGNER);
    let response = folder.reply(&signer, &query(), &[&issuer], "");
    assert_eq!(verify(&response, &short), Err(TimestampError::NotTrusted));
}

#[test]
fn another_root_of_the_same_name_is_not_trusted() {
    let folder = Folder::new();
    for kind in [P_256, RSA_2048] {
        let (_, _, response) = simple(&folder, kind);
        assert_eq!(verify(&response, &folder.root(kind, ROOT)), Err(TimestampError::NotTrusted));
    }
}

#[test]
fn certificates_count_at_the_time_stated() {
    let folder = Folder::new();
    for (root, signer) in [(NOW, THEN), (NOW, LATER), (THEN, NOW), (LATER, NOW)] {
        let root = folder.root(P_256, Wish { validity: root, ..ROOT });
        let signer = folder.issue(&root, P_256, Wish { validity: signer, ..SIGNER });
        let response = folder.reply(&signer, &query(), &[], "");
        assert_eq!(verify(&response, &root), Err(TimestampError::NotValidThen));
    }
}

#[test]
fn only_certificates_for_timestamps_alone_sign() {
    let folder = Folder::new();
    let (root, signer, response) = simple(&folder, P_256);
    assert!(verify_token(&folder.sign_again(&response, &signer, &["-cades"]), &root).is_ok());
    for extensions in [
        "extendedKeyUsage=critical,serverAuth\n",
        "extendedKeyUsage=critical,timeStamping,serverAuth\n",
        "extendedKeyUsage=critical,anyExtendedKeyUsage\n",
        "extendedKeyUsage=timeStamping\n",
        "keyUsage=digitalSignature\n",
        "keyUsage=critical,keyAgreement\nextendedKeyUsage=critical,timeStamping\n",
    ] {
        let other = folder.issue(&root, P_256, Wish { extensions, ..SIGNER });
        let token = folder.sign_again(&response, &other, &["-cades"]);
        assert_eq!(verify_token(&token, &root), Err(TimestampError::NotForTimestamps), "{extensions}");
    }
}

#[test]
fn a_signature_is_bound_to_one_certificate() {
    let folder = Folder::new();
    let (root, signer, response) = simple(&folder, P_256);
    let unbound = folder.sign_again(&response, &signer, &[]);
    assert_eq!(verify_token(&unbound, &root), Err(TimestampError::NotBound));
    let none = folder.sign_again(&response, &signer, &["-cades", "-nocerts"]);
    assert_eq!(verify_token(&none, &root), Err(TimestampError::NoCertificate));
    // Same key, same issuer, same serial number; valid for longer.
    let longer = Wish { validity: ("20200101000000Z", "20980101000000Z"), ..SIGNER };
    let twin = folder.certificate(&signer.key, longer, Some((&root, "1000")));
    let swapped = ["-cades", "-nocerts", "-certfile", twin.to_str().unwrap()];
    let swapped = folder.sign_again(&response, &signer, &swapped);
    assert_eq!(verify_token(&swapped, &root), Err(TimestampError::NotBound));
}

#[test]
fn weak_algorithms_are_refused() {
    let folder = Folder::new();
    let (root, signer, response) = simple(&folder, P_256);
    let sha1 = folder.sign_again(&response, &signer, &["-cades", "-md", "sha1"]);
    assert_eq!(verify_token(&sha1, &root), Err(TimestampError::Algorithm("digest")));
    let small = folder.issue(&root, RSA_1024, SIGNER);
    let small = folder.sign_again(&response, &small, &["-cades"]);
    assert_eq!(verify_token(&small, &root), Err(TimestampError::Algorithm("public key")));
    let issued = folder.issue(&root, P_256, Wish { hash: "sha1", ..SIGNER });
    let issued = folder.sign_again(&response, &issued, &["-cades"]);
    assert_eq!(verify_token(&issued, &root), Err(TimestampError::Algorithm("signature")));
    let pss = folder.issue(&root, RSA_2048, SIGNER);
    let pss = folder.sign_again(&response, &pss, &["-cades", "-keyopt", "rsa_padding_mode:pss"]);
    assert_eq!(verify_token(&pss, &root), Err(TimestampError::Algorithm("signature")));
}

#[test]
fn a_timestamp_covers_one_digest_and_answers_one_request() {
    let folder = Folder::new();
    let (root, _, response) = simple(&folder, P_256);
    let token = Token::from_response(&response).unwrap();
    let anchors = anchors(&root);
    let other = Digest::of(b"another checkpoint");
    assert_eq!(token.verify(&other, Some(NONCE), &anchors), Err(TimestampError::OtherImprint));
    let late = Nonce::new(NONCE.number() + 1);
    assert_eq!(token.verify(&covered(), Some(late), &anchors), Err(TimestampError::OtherNonce));
    assert!(token.verify(&covered(), None, &anchors).is_ok(), "years later nobody knows the nonce");
}

#[test]
fn a_refusal_is_no_timestamp() {
    let folder = Folder::new();
    let (_, signer, _) = simple(&folder, P_256);
    let query = folder.path("sha1.tsq");
    let data = folder.write("data", b"x");
    run(folder.openssl("ts").args(["-query", "-sha1", "-data"]).arg(data).arg("-out").arg(&query));
    let response = folder.reply(&signer, &std::fs::read(query).unwrap(), &[], "");
    assert_eq!(Token::from_response(&response), Err(TimestampError::NotGranted(2)));
}

#[test]
fn a_token_with_any_bit_flipped_never_verifies() {
    let folder = Folder::new();
    for kind in [P_256, RSA_2048] {
        let root = folder.root(kind, ROOT);
        let issuer = folder.issue(&root, kind, Wish { name: "Issuer", extensions: CA, ..ROOT });
        let signer = folder.issue(&issuer, kind, SIGNER);
        let response = folder.reply(&signer, &query(), &[&issuer], "accuracy=secs:1\nordering=yes");
        let token = Token::from_response(&response).unwrap();
        let anchors = anchors(&root);
        assert!(token.verify(&covered(), Some(NONCE), &anchors).is_ok());
        each_flipped_bit(token.as_der(), |damaged| {
            let verdict =
                Token::from_der(damaged).and_then(|token| token.verify(&covered(), Some(NONCE), &anchors));
            prop_assert!(verdict.is_err(), "{:?}", verdict);
            Ok(())
        });
    }
}

#[test]
fn whatever_is_cut_off_or_appended_is_noticed() {
    let folder = Folder::new();
    let (root, _, response) = simple(&folder, P_256);
    for cut in 0..response.len() {
        assert!(verify(&response[..cut], &root).is_err(), "{cut}");
    }
    let longer = [&response[..], &[0]].concat();
    assert_eq!(verify(&longer, &root), Err(TimestampError::Malformed("response")));
    let token = Token::from_response(&response).unwrap();
    assert!(verify_token(&[token.as_der(), &[0]].concat(), &root).is_err());
    assert_eq!(Token::from_response(&vec![0x30; MAX_LEN + 1]), Err(TimestampError::TooLong));
    assert_eq!(Token::from_der(&vec![0x30; MAX_LEN + 1]), Err(TimestampError::TooLong));
}

#[test]
fn anchors_are_read_in_pem_and_der() {
    let folder = Folder::new();
    let (one, two) = (folder.root(P_256, ROOT), folder.root(P_256, Wish { name: "Two", ..ROOT }));
    let read = |one: &Certified| std::fs::read_to_string(&one.certificate).unwrap();
    let both = format!("One:\n{}\nTwo:\n{}", read(&one), read(&two));
    let both = Anchors::parse(both.as_bytes()).unwrap();
    let names: Vec<_> = both.names().collect();
    assert_eq!(names, ["CN=Test root,O=Custos tests", "CN=Two,O=Custos tests"]);
    let der = folder.path("one.der");
    run(folder.openssl("x509").args(["-outform", "DER", "-in"]).arg(&one.certificate).arg("-out").arg(&der));
    assert_eq!(Anchors::parse(&std::fs::read(der).unwrap()).unwrap(), anchors(&one));
    assert_eq!(Anchors::parse(b""), Err(AnchorsError::None));
    assert_eq!(Anchors::parse(b"\x30\x00"), Err(AnchorsError::NotACertificate));
    assert_eq!(Anchors::parse(b"hello"), Err(AnchorsError::NotACertificate));
    assert_eq!(Anchors::parse(read(&one).replace("END", "").as_bytes()), Err(AnchorsError::BadPem));
    let unreadable = read(&one).replacen("-----\nM", "-----\n?", 1);
    assert_eq!(Anchors::parse(unreadable.as_bytes()), Err(AnchorsError::BadPem));
    assert_eq!(Anchors::parse(&vec![b' '; MAX_LEN + 1]), Err(AnchorsError::TooLong));
    assert_eq!(Anchors::parse(read(&one).repeat(33).as_bytes()), Err(AnchorsError::TooLong));
}

proptest! {
    #[test]
    fn no_bytes_make_the_parsers_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let nested = [&[0x30, 0x82, 0x01, 0x00][..], &bytes].concat();
        for bytes in [&bytes, &nested] {
            prop_assert!(Token::from_response(bytes).is_err());
            prop_assert!(Token::from_der(bytes).is_err());
            prop_assert!(Anchors::parse(bytes).is_err());
        }
    }
}
