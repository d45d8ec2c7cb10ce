//! What was made from what, and a vault that says so of what cannot be.

use custody::act::{AccessGranted, Class, Derivation, ItemDerived, PixelBox};
use custody::bundle::Report;
use custody::digest::Digest;
use custody::id::ItemId;
use custody::kind::Kind;
use custody::time::Timestamp;

use super::rows::{Row, lying};
use super::support::bundle::Options;
use super::support::{By, Person, Story, draft, story};
use crate::exported;

const MADE: &[u8] = b"a photograph with a black box";

fn digest(s: &Story, item: ItemId) -> Digest {
    s.vault.state.items[&item].stored.unwrap().content.digest
}

fn link(s: &Story, item: ItemId, of: ItemId) -> ItemDerived {
    ItemDerived {
        how: Derivation::Clip,
        boxes: None,
        digest: digest(s, item),
        grant: None,
        of,
        original: digest(s, of),
    }
}

fn said(s: &mut Story, by_vault: bool, item: ItemId, d: &ItemDerived) {
    let lead = s.lead.clone();
    let mut said = draft(Kind::ItemDerived, d.to_data());
    (said.case, said.item) = (Some(s.case), Some(item));
    s.vault.say(if by_vault { By::Vault } else { By::Own(&lead) }, said);
}

/// The last exhibit as a clip of another, by the lead's word.
fn clipped(s: &mut Story) {
    let (item, of) = (s.items[2], s.items[1]);
    let d = link(s, item, of);
    said(s, false, item, &d);
}

/// A redaction of the first exhibit, made by the vault under the lead's grant.
fn redacted(s: &mut Story) {
    let (lead, case, of) = (s.lead.clone(), s.case, s.items[0]);
    let grant = s.vault.view(By::Own(&lead), case, of);
    let item = s.vault.put(By::OnBehalf(lead.id), case, "redacted.png", MADE);
    let boxes = Some(vec![PixelBox { h: 5, w: 5, x: 0, y: 0 }]);
    let d = ItemDerived { how: Derivation::Redaction, boxes, grant: Some(grant), ..link(s, item, of) };
    said(s, true, item, &d);
}

/// The story with both, and the report on its bundle.
fn after(options: impl FnOnce(&Story) -> Options<'static>) -> Report {
    let mut story = story(1);
    clipped(&mut story);
    redacted(&mut story);
    let options = options(&story);
    let bundle = exported(&mut story, &options);
    bundle.audit(&story.vault)
}

pub(crate) const DERIVED: &[Row] = &[
    ("derived", || after(|_| Options::default())),
    ("derived-original-kept-back", || {
        after(|s| Options {
            withhold: vec![Kind::AccessGranted],
            hide_contents: vec![s.items[0]],
            ..Options::default()
        })
    }),
    ("rule-derived-from-other-content", || {
        lying(|s| {
            let (item, of) = (s.items[2], s.items[1]);
            let d = ItemDerived { original: Digest::of(b"another"), ..link(s, item, of) };
            said(s, false, item, &d);
        })
    }),
    ("rule-derived-twice", || {
        lying(|s| {
            clipped(s);
            let (item, of) = (s.items[2], s.items[0]);
            let d = link(s, item, of);
            said(s, false, item, &d);
        })
    }),
    ("rule-derived-from-itself", || {
        lying(|s| {
            let (one, other) = (s.items[0], s.items[1]);
            let d = link(s, other, one);
            said(s, false, other, &d);
            let d = link(s, one, other);
            said(s, false, one, &d);
        })
    }),
    ("rule-redacted-for-nobody", || {
        lying(|s| {
            let (item, of, lead) = (s.items[2], s.items[0], s.lead.clone());
            let elsewhere = open_grant(s, &lead, s.items[1]);
            let boxes = Some(vec![PixelBox { h: 5, w: 5, x: 0, y: 0 }]);
            let how = Derivation::Redaction;
            let d = ItemDerived { how, boxes, grant: Some(elsewhere), ..link(s, item, of) };
            said(s, true, item, &d);
        })
    }),
    ("rule-derived-less-protected", || {
        lying(|s| {
            let of = s.items[1];
            classified(s, of);
            clipped(s);
        })
    }),
];

/// A reading that is not over: the verifier forgets those that are.
fn open_grant(s: &mut Story, by: &Person, item: ItemId) -> Digest {
    let expires = Timestamp::from_millis(s.vault.now + 600_000).unwrap();
    let mut d = draft(Kind::AccessGranted, AccessGranted { expires, with: None }.to_data());
    (d.case, d.item, d.purpose) = (Some(s.case), Some(item), Some("review"));
    s.vault.say(By::Own(by), d)
}

/// An item becomes confidential.
fn classified(s: &mut Story, item: ItemId) {
    let data = custody::act::ItemClassified { class: Class::Confidential, sealing: None }.to_data();
    let mut d = draft(Kind::ItemClassified, data);
    let head = s.vault.state.items[&item].head.record;
    (d.case, d.item, d.seen) = (Some(s.case), Some(item), Some(custody::statement::Seen::Record(head)));
    let lead = s.lead.clone();
    s.vault.say(By::Own(&lead), d);
}

#[test]
fn the_report_tells_what_was_made_from_what_and_who_says_so() {
    let report = after(|s| Options { hide_contents: vec![s.items[0]], ..Options::default() });
    let text = report.to_text();
    assert!(text.contains("E-0003 is a clip of E-0002, as Kofi Mensah says\n"), "{text}");
    assert!(text.contains("E-0004 is a redaction of E-0001, made by the vault\n"), "{text}");
    assert_ne!(report.exit_code, 3, "{text}");
    let untouched = exported(&mut story(1), &Options::default());
    assert!(untouched.audit(&untouched.vault.clone()).facts.derived.is_empty());
}
