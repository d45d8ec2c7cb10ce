use ed25519_dalek::SigningKey;
use proptest::prelude::*;

use super::*;
use crate::checkpoint::Origin;
use crate::digest::Digest;
use crate::note::{KeyName, NoteSignature, VerifierKeyError};

const ORIGIN: &str = "vault.example.org/custos/1";

fn signing_key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

fn vkey(name: &str, signature_type: SignatureType, seed: u8) -> VerifierKey {
    VerifierKey::new(KeyName::new(name).unwrap(), signature_type, signing_key(seed).verifying_key()).unwrap()
}

fn log_key() -> VerifierKey {
    vkey(ORIGIN, SignatureType::Ed25519, 200)
}

fn witness_key(seed: u8) -> VerifierKey {
    vkey(&format!("witness{seed}.example"), SignatureType::Cosignature, seed)
}

/// `{log}` and `{w1}`, `{w2}`, … stand for keys.
fn fill(text: &str) -> String {
    let text = text.replace("{log}", &log_key().to_string());
    (1..=9).fold(text, |text, seed| text.replace(&format!("{{w{seed}}}"), &witness_key(seed).to_string()))
}

fn parse(text: &str) -> Result<Policy, PolicyError> {
    Policy::parse(fill(text).as_bytes())
}

/// The example of C2SP tlog-policy, with keys filled in.
const EXAMPLE: &str = "log {log}\n\
    \n\
    witness X1 {w1}\n\
    witness X2 {w2}\n\
    witness X3 {w3}\n\
    group X-witnesses 2 X1 X2 X3\n\
    \n\
    witness Y1 {w4}\n\
    witness Y2 {w5}\n\
    witness Y3 {w6}\n\
    group Y-witnesses any Y1 Y2 Y3\n\
    \n\
    group X-and-Y all X-witnesses Y-witnesses\n\
    quorum X-and-Y\n";

fn met(policy: &Policy, seeds: &[u8]) -> bool {
    let keys: Vec<_> = seeds.iter().map(|seed| witness_key(*seed)).collect();
    policy.quorum_met(&keys.iter().collect::<Vec<_>>())
}

#[test]
fn the_published_example_asks_for_two_of_x_and_one_of_y() {
    let policy = parse(EXAMPLE).unwrap();
    for subset in 0..64_u8 {
        let seeds: Vec<u8> = (1..=6).filter(|seed| subset >> (seed - 1) & 1 == 1).collect();
        let (x, y) = ((subset & 7).count_ones(), (subset >> 3).count_ones());
        assert_eq!(met(&policy, &seeds), x >= 2 && y >= 1, "{seeds:?}");
    }
    assert!(!met(&policy, &[7, 8, 9]));
    assert!(!met(&policy, &[1, 1, 4]));
}

#[test]
fn a_quorum_may_be_one_witness_or_none() {
    let one = parse("witness w {w1}\nquorum w\n").unwrap();
    assert!(met(&one, &[1]) && !met(&one, &[2]) && !met(&one, &[]) && !one.quorum_is_none());
    let none = parse("quorum none\n").unwrap();
    assert!(met(&none, &[]) && none.quorum_is_none() && none.logs().is_empty());
}

#[test]
fn spaces_tabs_comments_urls_and_foreign_bytes_are_read() {
    let mut file = fill("\t # a comment\n\n  log\t{log}  https://vault.example.org/ \n").into_bytes();
    file.extend(b"witness \xff ");
    file.extend(fill("{w1} https://w.example\n#\n").as_bytes());
    file.extend(b"quorum \xff\n");
    let policy = Policy::parse(&file).unwrap();
    assert_eq!(policy.logs()[0].url(), Some("https://vault.example.org/"));
    assert_eq!(policy.witnesses()[0].name(), b"\xff");
    assert_eq!(policy.witnesses()[0].url(), Some("https://w.example"));
    assert_eq!(Policy::parse(&policy.to_bytes()), Ok(policy));
}

#[test]
fn a_written_policy_is_read_back() {
    let policy = parse(EXAMPLE).unwrap();
    assert_eq!(Policy::parse(&policy.to_bytes()), Ok(policy));
    let minimal = Policy::of_log(log_key()).unwrap();
    assert_eq!(minimal.to_bytes(), fill("log {log}\nquorum none\n").into_bytes());
    assert_eq!(Policy::of_log(witness_key(1)), None);
}

#[test]
fn each_broken_line_is_refused_by_its_rule_and_number() {
    use LineError::*;
    let cases = [
        ("quorum none\r\n", 1, ControlCharacter),
        ("quorum none\u{7f}\n", 1, ControlCharacter),
        ("\nlogs {log}\n", 2, UnknownKeyword),
        ("log\n", 1, WrongWords),
        ("log {log} url more\n", 1, WrongWords),
        ("witness w\n", 1, WrongWords),
        ("witness w {w1}\ngroup g any\n", 2, WrongWords),
        ("quorum\n", 1, WrongWords),
        ("quorum none none\n", 1, WrongWords),
        ("log nonsense\n", 1, BadKey(VerifierKeyError::Malformed)),
        ("log {w1}\n", 1, WrongKeyType),
        ("witness w {log}\n", 1, WrongKeyType),
        ("log {log}\nlog {log}\n", 2, DuplicateKey),
        ("witness a {w1}\nwitness b {w1}\n", 2, DuplicateKey),
        ("witness none {w1}\n", 1, NameTaken),
        ("witness a {w1}\nwitness a {w2}\n", 2, NameTaken),
        ("witness a {w1}\ngroup a any a\n", 2, NameTaken),
        ("group g any g\n", 1, UnknownName),
        ("group g any none\n", 1, UnknownName),
        ("quorum w\nwitness w {w1}\n", 1, UnknownName),
        ("witness a {w1}\ngroup g all a a\n", 2, MemberTwice),
        ("witness a {w1}\ngroup g any a\ngroup h any a\n", 3, MemberTwice),
        ("witness a {w1}\ngroup g 0 a\n", 2, BadThreshold),
        ("witness a {w1}\ngroup g 2 a\n", 2, BadThreshold),
        ("witness a {w1}\ngroup g 01 a\n", 2, BadThreshold),
        ("witness a {w1}\ngroup g +1 a\n", 2, BadThreshold),
        ("witness a {w1}\ngroup g some a\n", 2, BadThreshold),
        ("quorum none\nquorum none\n", 2, SecondQuorum),
    ];
    for (text, line, rule) in cases {
        assert_eq!(parse(text), Err(PolicyError::Line { line, rule }), "{text}");
    }
    assert_eq!(parse(""), Err(PolicyError::NoQuorum));
    assert_eq!(parse("\n"), Err(PolicyError::NoQuorum));
    assert_eq!(parse("log {log}\n"), Err(PolicyError::NoQuorum));
    assert_eq!(parse("quorum none"), Err(PolicyError::NoFinalNewline));
}

#[test]
fn a_log_cannot_be_its_own_witness() {
    let itself = vkey("w", SignatureType::Cosignature, 200);
    let rule = LineError::DuplicateKey;
    let text = format!("log {{log}}\nwitness w {itself}\nquorum w\n");
    assert_eq!(parse(&text), Err(PolicyError::Line { line: 2, rule }));
}

#[test]
fn limits_hold() {
    let witness = |seed: u8| format!("witness w{seed} {}\n", witness_key(seed));
    let full: String = (1..=64).map(witness).collect();
    assert!(Policy::parse(format!("{full}quorum none\n").as_bytes()).is_ok());
    let over = format!("{full}{}quorum none\n", witness(65));
    let rule = LineError::TooMany;
    assert_eq!(Policy::parse(over.as_bytes()), Err(PolicyError::Line { line: 65, rule }));
    let comment = "#".repeat(MAX_POLICY_LEN);
    assert_eq!(Policy::parse(format!("{comment}\n").as_bytes()), Err(PolicyError::TooLong));
}

fn note(witnesses: &[u8]) -> (Checkpoint, SignedNote) {
    let checkpoint = Checkpoint::new(Origin::new(ORIGIN).unwrap(), 9, Digest::of(b"root")).unwrap();
    let mut note = checkpoint.sign(&signing_key(200)).unwrap();
    for seed in witnesses {
        let name = witness_key(*seed).name().clone();
        note.add(checkpoint.cosign(name, &signing_key(*seed), 1000 + u64::from(*seed)).unwrap()).unwrap();
    }
    (checkpoint, note)
}

#[test]
fn a_checkpoint_is_accepted_with_the_witnesses_that_are_known() {
    let policy = parse(EXAMPLE).unwrap();
    let (checkpoint, signed) = note(&[2, 9, 3, 6]);
    let accepted = policy.accept(&signed).unwrap();
    assert_eq!(accepted.checkpoint, checkpoint);
    assert_eq!(accepted.log, &log_key());
    let seen: Vec<_> = accepted.cosignatures.iter().map(|(witness, time)| (witness.name(), *time)).collect();
    assert_eq!(seen, [(&b"X2"[..], 1002), (b"X3", 1003), (b"Y3", 1006)]);
    assert!(accepted.quorum_met);
    let (_, fewer) = note(&[2, 9, 6]);
    assert!(!policy.accept(&fewer).unwrap().quorum_met);
}

#[test]
fn a_repeated_cosignature_counts_once() {
    let policy = parse("log {log}\nwitness a {w1}\nwitness b {w2}\ngroup g 2 a b\nquorum g\n").unwrap();
    let (checkpoint, mut signed) = note(&[1]);
    signed.add(checkpoint.cosign(witness_key(1).name().clone(), &signing_key(1), 5).unwrap()).unwrap();
    let accepted = policy.accept(&signed).unwrap();
    assert_eq!(accepted.cosignatures.len(), 2);
    assert!(!accepted.quorum_met);
}

#[test]
fn a_known_witness_that_fails_rejects_the_checkpoint() {
    let policy = parse("log {log}\nwitness a {w1}\nquorum none\n").unwrap();
    let (_, mut signed) = note(&[]);
    let name = witness_key(1).name().clone();
    signed.add(NoteSignature::cosignature(name, &signing_key(1), 5, "other\n1\nroot\n").unwrap()).unwrap();
    assert_eq!(policy.accept(&signed), Err(CheckpointError::Note(NoteError::BadSignature)));
}

#[test]
fn a_checkpoint_of_an_unknown_log_is_not_accepted() {
    let (_, signed) = note(&[1]);
    let policy = parse("witness a {w1}\nquorum a\n").unwrap();
    assert_eq!(policy.accept(&signed), Err(CheckpointError::Note(NoteError::NoKnownSigner)));
    assert!(policy.accept_from(&signed, &log_key()).unwrap().quorum_met);
}

proptest! {
    #[test]
    fn no_bytes_make_the_parser_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(policy) = Policy::parse(&bytes) {
            prop_assert_eq!(Policy::parse(&policy.to_bytes()), Ok(policy));
        }
    }

    #[test]
    fn more_witnesses_never_undo_a_quorum(subset in 0u8..64, more in 0u8..64) {
        let policy = parse(EXAMPLE).unwrap();
        let seeds = |set: u8| (1..=6).filter(|seed| set >> (seed - 1) & 1 == 1).collect::<Vec<u8>>();
        prop_assert!(!met(&policy, &seeds(subset)) || met(&policy, &seeds(subset | more)));
    }
}
