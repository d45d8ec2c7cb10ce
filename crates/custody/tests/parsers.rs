//! Whatever bytes arrive, a parser answers; it never panics, and what it accepts it writes back the same.

use custody::blob::BlobHeader;
use custody::bundle::BundleManifest;
use custody::bundle::lines::{OpeningLine, ProofLine, RecordLine};
use custody::envelope::{Envelope, PayloadType, sign};
use custody::json::{self, Value};
use custody::keys::WrappedKey;
use custody::manifest;
use custody::merkle::Frontier;
use custody::note::SignedNote;
use custody::policy::Policy;
use custody::proof::TlogProof;
use custody::receipt::Receipt;
use custody::record::{Entry, Record};
use custody::statement::Statement;
use custody::tile::{TileKind, TilePath, emit_entries, parse_entries};
use custody::witness::{AddCheckpoint, Answer};
use ed25519_dalek::SigningKey;
use proptest::prelude::*;

/// Runs every parser of foreign bytes of this crate over `bytes`.
fn parse_everything(bytes: &[u8]) {
    if let Ok(value) = json::parse::<Value>(bytes, 1 << 16) {
        let emitted = json::emit(&value);
        assert_eq!(json::parse::<Value>(&emitted, 1 << 20).ok(), Some(value));
    }
    for kind in [PayloadType::Statement, PayloadType::Manifest, PayloadType::Bundle] {
        if let Ok(envelope) = Envelope::parse(bytes, kind) {
            let _ = Statement::parse(envelope.body()).map(|s| custody::act::Act::parse(&s).is_ok());
        }
    }
    if let Ok(statement) = Statement::parse(bytes) {
        assert_eq!(statement.to_bytes(), bytes);
    }
    if let Ok(record) = Record::parse(bytes) {
        assert_eq!(record.to_bytes(), bytes);
    }
    if let Ok(entry) = Entry::parse(bytes) {
        assert_eq!(entry.to_bytes().as_slice(), bytes);
    }
    if let Ok(receipt) = Receipt::parse(bytes) {
        assert_eq!(receipt.emit(), bytes);
    }
    if let Ok(note) = SignedNote::parse(bytes) {
        assert_eq!(note.to_string().as_bytes(), bytes);
    }
    if let Ok(frontier) = Frontier::from_bytes(bytes) {
        assert_eq!(frontier.to_bytes(), bytes);
    }
    if let Ok(wrapped) = WrappedKey::parse(bytes) {
        assert_eq!(wrapped.to_bytes(), bytes);
    }
    let bundle = (1..=256).find_map(|width| {
        let path = TilePath::new(TileKind::Entries, 0, width).ok()?;
        parse_entries(path, bytes).ok()
    });
    if let Some(entries) = bundle {
        assert!(emit_entries(entries).is_ok_and(|emitted| bytes.starts_with(&emitted)));
    }
    if let Some(path) = str::from_utf8(bytes).ok().and_then(|text| text.parse::<TilePath>().ok()) {
        assert_eq!(path.to_string().as_bytes(), bytes);
    }
    if let Ok(request) = AddCheckpoint::parse(bytes) {
        assert_eq!(request.to_string().as_bytes(), bytes);
    }
    for status in [200, 409] {
        if let Ok(answer) = Answer::parse(status, Some("text/x.tlog.size"), bytes) {
            assert_eq!(answer.body().as_bytes(), bytes);
        }
    }
    let _ = BlobHeader::parse(bytes).is_ok();
    let _ = BundleManifest::parse(bytes).is_ok();
    let _ = manifest::decode(bytes).is_ok();
    let _ = Policy::parse(bytes).is_ok();
    let _ = TlogProof::parse(bytes).is_ok();
    let _ = RecordLine::parse(bytes).is_ok();
    let _ = OpeningLine::parse(bytes).is_ok();
    let _ = ProofLine::parse(bytes).is_ok();
}

/// Documents that parse, as starting points for damage.
fn documents() -> Vec<Vec<u8>> {
    let statement = br#"{"actor":"system","actor_key":"0000000000000000000000000000000000000000000000000000000000000000","actor_time":"2026-11-21T12:00:00.000Z","assurance":"system","data":{"drift_ms":-7000},"kind":"clock.fault","op_id":"AAAAAAAAAAAAAAAAAAAAAA","seen":null,"v":1,"vault":"0000000000000000000000000000000000000000000000000000000000000000"}"#;
    let record = br#"{"kind":"clock.fault","log":"o","log_index":7,"next":"0000000000000000000000000000000000000000000000000000000000000000","prev":"0000000000000000000000000000000000000000000000000000000000000000","received":"2026-11-21T12:00:00.000Z","seq":3,"stmt":"0000000000000000000000000000000000000000000000000000000000000000","stream":"vault","v":1}"#;
    let key = SigningKey::from_bytes(&[7; 32]);
    let note = b"example.com/log\n1\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\n\xe2\x80\x94 example.com/log AAAAAAAA\n";
    vec![
        statement.to_vec(),
        record.to_vec(),
        sign(PayloadType::Statement, statement, &[&key]),
        sign(PayloadType::Bundle, b"{}", &[&key]),
        note.to_vec(),
        b"quorum none\n".to_vec(),
        vec![1; 97],
        vec![0; 138],
        [b"old 0\n\n", &note[..]].concat(),
        b"tile/1/x001/x234/067.p/8".to_vec(),
        b"\0\x03one\0\0\0\x05three".to_vec(),
    ]
}

#[test]
fn the_starting_points_parse() {
    let documents = documents();
    assert!(Statement::parse(&documents[0]).is_ok());
    assert!(Record::parse(&documents[1]).is_ok());
    assert!(Envelope::parse(&documents[2], PayloadType::Statement).is_ok());
    assert!(Policy::parse(&documents[5]).is_ok());
    assert!(Entry::parse(&documents[6]).is_ok());
    for document in &documents {
        parse_everything(document);
    }
}

proptest! {
    #[test]
    fn any_bytes_get_an_answer(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        parse_everything(&bytes);
    }

    #[test]
    fn any_damage_to_a_document_gets_an_answer(
        which in 0_usize..11,
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
        cut in any::<prop::sample::Index>(),
        insert in proptest::collection::vec(any::<u8>(), 0..8),
    ) {
        let mut bytes = documents().swap_remove(which);
        let position = at.index(bytes.len());
        bytes[position] = byte;
        parse_everything(&bytes);
        bytes.splice(position..position, insert);
        parse_everything(&bytes);
        bytes.truncate(cut.index(bytes.len()));
        parse_everything(&bytes);
    }
}
