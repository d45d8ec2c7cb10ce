//! What its sender sealed, and a vault that says of it what it cannot know.

use custody::act::{
    AccessGranted, Class, ContentReceived, FixityChecked, ItemRegistered, ObjectId, STAGE_OPENING, SealedBy,
};
use custody::blob::BlobFacts;
use custody::bundle::Report;
use custody::bundle::findings::Code;
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

/// Registered by the lead, taken by the vault, opened by the lead together with the custodian; the vault says that it was
/// checked so, its manifest that it was sealed by its sender or not, and the lead what they found.
fn taken(checked_by: CheckedBy, by_sender: bool, found: Option<(Kind, &[u8])>) -> Report {
    let mut s = said(checked_by, by_sender, found);
    audited(&mut s, &Options::default())
}

fn said(checked_by: CheckedBy, by_sender: bool, found: Option<(Kind, &[u8])>) -> Story {
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
    let mut d = draft(Kind::AccessGranted, AccessGranted { expires, with: Some(custodian.id) }.to_data());
    (d.case, d.item, d.purpose) = (Some(s.case), Some(item), Some("review"));
    let grant = Some(s.vault.say(By::Own(&lead), d));
    if let Some((kind, bytes)) = found {
        let data = FixityChecked { grant, object: OBJECT, stage: STAGE_OPENING.parse().unwrap() };
        let mut d = draft(kind, data.to_data());
        (d.case, d.item, d.content) = (Some(s.case), Some(item), Some(content(CheckedBy::Oneself, bytes)));
        s.vault.say(By::Own(&lead), d);
    }
    s
}

fn audited(s: &mut Story, options: &Options<'_>) -> Report {
    let bundle = exported(s, options);
    bundle.audit(&s.vault)
}

pub(crate) const BY_SENDER: &[Row] = &[
    ("sealed-by-its-sender", || taken(CheckedBy::None, true, Some((Kind::FixityPassed, BYTES)))),
    ("sealed-by-its-sender-and-found-otherwise", || {
        taken(CheckedBy::None, true, Some((Kind::FixityFailed, b"something else")))
    }),
    ("sealed-by-its-sender-grants-kept-back", || {
        let mut s = said(CheckedBy::None, true, Some((Kind::FixityPassed, BYTES)));
        let withhold = vec![Kind::AccessGranted];
        audited(&mut s, &Options { withhold, ..Options::default() })
    }),
    ("rule-sealed-by-its-sender-as-if-seen", || taken(CheckedBy::Vault, true, None)),
    ("sealed-by-its-sender-says-no-manifest", || taken(CheckedBy::None, false, None)),
    ("rule-found-as-recorded-and-other", || {
        taken(CheckedBy::None, true, Some((Kind::FixityPassed, b"something else")))
    }),
];

#[test]
fn the_report_says_how_many_found_what_its_sender_stated() {
    for (found, says, failures) in [
        (Some((Kind::FixityPassed, BYTES)), "1 opening on record found it", 0),
        (None, "0 openings on record found it", 0),
        (Some((Kind::FixityFailed, &b"something else"[..])), "0 openings on record found it", 1),
    ] {
        let report = taken(CheckedBy::None, true, found);
        let unseen = report.findings.iter().find(|found| found.code == Code::NotVaultVerified).unwrap();
        assert!(unseen.places[0].detail.ends_with(says), "{unseen:?}");
        assert_eq!(report.facts.fixity_failures, failures);
        assert_eq!(report.to_text().contains("1 failure(s) on record"), failures == 1);
    }
}
