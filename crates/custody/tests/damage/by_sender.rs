//! What its sender sealed, and a vault that says of it what it cannot know.

use custody::act::{
    AccessGranted, Class, ContentReceived, FixityChecked, ItemRegistered, ObjectId, STAGE_OPENING, SealedBy,
};
use custody::blob::BlobFacts;
use custody::bundle::Report;
use custody::bundle::findings::Code;
use custody::bundle::layout::{HASH_REPORT, TIMELINE};
use custody::digest::Digest;
use custody::id::ItemId;
use custody::kind::Kind;
use custody::manifest;
use custody::statement::{CheckedBy, Content, DigestAlg};
use custody::time::Timestamp;

use super::rows::Row;
use super::sealed::{named, sealing};
use super::support::bundle::{Options, object_manifest};
use super::support::{By, Story, draft, story};
use crate::exported;

const BYTES: &[u8] = b"what the vault never saw";
const OBJECT: ObjectId = ObjectId::new([42; 16]);

fn content(checked_by: CheckedBy, bytes: &[u8]) -> Content {
    let (digest, size) = (Digest::of(bytes), bytes.len() as u64);
    Content { alg: DigestAlg::Sha256, checked_by, digest, size }
}

/// Who says what they found.
#[derive(Clone, Copy)]
enum Who {
    Sender,
    Another,
}

/// What they say.
#[derive(Clone, Copy)]
struct Found {
    by: Who,
    kind: Kind,
    bytes: &'static [u8],
    /// Naming their own grant as the other's.
    alone: bool,
}

/// Registered by the lead, taken by the vault, opened by the lead together with the custodian; the vault says that it was
/// checked so, its manifest that it was sealed by its sender or not, and the lead what they found.
fn taken(checked_by: CheckedBy, by_sender: bool, found: Option<Found>) -> Report {
    let mut s = said(checked_by, by_sender, found);
    audited(&mut s, &Options::default())
}

fn said(checked_by: CheckedBy, by_sender: bool, found: Option<Found>) -> Story {
    let mut s = story(1);
    s.vault.lawless = true;
    named(&mut s);
    let item = ItemId::new(s.vault.uuid());
    let (class, route, sealing) = (Class::Restricted, "cli".parse().unwrap(), Some(sealing(&s, [8, 9])));
    let data = ItemRegistered { class, route, sealing, sealed_by: Some(SealedBy::Sender) };
    let mut d = draft(Kind::ItemRegistered, data.to_data());
    (d.case, d.item, d.content) = (Some(s.case), Some(item), Some(content(CheckedBy::Oneself, BYTES)));
    let (lead, custodian) = (s.lead.clone(), s.custodian.clone());
    s.vault.say(By::Own(&lead), d);

    let signed = object_manifest(&s.vault, item, OBJECT, BYTES);
    let facts = manifest::verify(&signed, &s.vault.key.verifying_key()).unwrap();
    let signed = manifest::sign(&BlobFacts { by_sender, ..facts }, &s.vault.key);
    let halves = (checked_by == CheckedBy::None).then_some(Digest::ZERO);
    let data = ContentReceived { halves, manifest: Digest::of(&signed), object: OBJECT, version: 1 };
    let mut d = draft(Kind::ContentReceived, data.to_data());
    (d.case, d.item, d.content) = (Some(s.case), Some(item), Some(content(checked_by, BYTES)));
    s.vault.contents.insert(OBJECT, BYTES.to_vec());
    s.vault.manifests.insert(OBJECT, signed);
    s.vault.say(By::Vault, d);

    let expires = Timestamp::from_millis(s.vault.now + 600_000).unwrap();
    let both = [(&lead, &custodian), (&custodian, &lead)].map(|(by, with)| {
        let mut d = draft(Kind::AccessGranted, AccessGranted { expires, with: Some(with.id) }.to_data());
        (d.case, d.item, d.purpose) = (Some(s.case), Some(item), Some("review"));
        s.vault.say(By::Own(by), d)
    });
    if let Some(Found { by, kind, bytes, alone }) = found {
        let (by, with, grants) = match by {
            Who::Sender => (&lead, custodian.id, both),
            Who::Another => (&custodian, lead.id, [both[1], both[0]]),
        };
        let data = FixityChecked {
            grant: Some(grants[0]),
            object: OBJECT,
            reason: None,
            stage: STAGE_OPENING.parse().unwrap(),
            with: Some(with),
            with_grant: Some(if alone { grants[0] } else { grants[1] }),
        };
        let mut d = draft(kind, data.to_data());
        (d.case, d.item, d.content) = (Some(s.case), Some(item), Some(content(CheckedBy::Oneself, bytes)));
        s.vault.say(By::Own(by), d);
    }
    s
}

fn audited(s: &mut Story, options: &Options<'_>) -> Report {
    let bundle = exported(s, options);
    bundle.audit(&s.vault)
}

const fn passed(by: Who) -> Found {
    Found { by, kind: Kind::FixityPassed, bytes: BYTES, alone: false }
}

const FAILED: Found =
    Found { by: Who::Another, kind: Kind::FixityFailed, bytes: b"something else", alone: false };

pub(crate) const BY_SENDER: &[Row] = &[
    ("sealed-by-its-sender", || taken(CheckedBy::None, true, Some(passed(Who::Another)))),
    ("sealed-by-its-sender-and-found-otherwise", || taken(CheckedBy::None, true, Some(FAILED))),
    ("sealed-by-its-sender-grants-kept-back", || {
        let mut s = said(CheckedBy::None, true, Some(passed(Who::Another)));
        let withhold = vec![Kind::AccessGranted];
        audited(&mut s, &Options { withhold, ..Options::default() })
    }),
    ("rule-sealed-by-its-sender-as-if-seen", || taken(CheckedBy::Vault, true, None)),
    ("sealed-by-its-sender-says-no-manifest", || taken(CheckedBy::None, false, None)),
    ("rule-found-as-recorded-and-other", || {
        taken(CheckedBy::None, true, Some(Found { kind: Kind::FixityPassed, ..FAILED }))
    }),
    ("rule-found-as-recorded-alone", || {
        taken(CheckedBy::None, true, Some(Found { alone: true, ..passed(Who::Another) }))
    }),
];

#[test]
fn the_report_says_who_else_found_what_its_sender_stated() {
    for (found, says, otherwise) in [
        (Some(passed(Who::Another)), "1 other person says that they opened it and found that", 0),
        (Some(passed(Who::Sender)), "nobody else has said that they opened it and found that", 0),
        (None, "nobody else has said that they opened it and found that", 0),
        (Some(FAILED), "nobody else has said that they opened it and found that", 1),
    ] {
        let report = taken(CheckedBy::None, true, found);
        let unseen = report.findings.iter().find(|found| found.code == Code::NotVaultVerified).unwrap();
        assert!(unseen.places[0].detail.ends_with(says), "{unseen:?}");
        assert_eq!((report.facts.fixity_failures, report.facts.found_otherwise), (0, otherwise));
        let told = "1 in which somebody says that it is not what is recorded";
        assert_eq!(report.to_text().contains(told), otherwise == 1);
    }
}

#[test]
fn tables_say_whose_word_a_digest_is() {
    let mut s = said(CheckedBy::None, true, None);
    let bundle = exported(&mut s, &Options::default());
    let text = |path: &str| String::from_utf8(bundle.files[path].clone()).unwrap();
    let marked = |text: &str| text.lines().filter(|line| line.contains("as its sender says")).count();
    assert_eq!(marked(&text(TIMELINE)), 1, "what was received");
    assert_eq!(marked(&text(HASH_REPORT)), 1);
}
