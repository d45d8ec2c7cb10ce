//! What was made from what, and a vault that says so of what cannot be.

use custody::act::{
    AccessBreakGlass, AccessCompleted, AccessGranted, AccessOutcome, AccessReviewed, CaseRole, Class,
    Derivation, ItemDerived, ItemRegistered, PixelBox, ROUTE_VAULT, VaultRole,
};
use custody::bundle::Report;
use custody::digest::Digest;
use custody::id::ItemId;
use custody::kind::Kind;
use custody::rules::made_from;
use custody::statement::{CheckedBy, Content, DigestAlg};
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
fn redacted(s: &mut Story) -> ItemId {
    let (lead, of) = (s.lead.clone(), s.items[0]);
    let grant = open_grant(s, &lead, of);
    let item = under(s, of, grant);
    ended(s, of, grant);
    item
}

fn under(s: &mut Story, of: ItemId, grant: Digest) -> ItemId {
    let item = linked(s, of, grant);
    s.vault.receive(s.case, item, MADE);
    item
}

/// What the vault registers for the lead, and links under a grant before it has its content.
fn linked(s: &mut Story, of: ItemId, grant: Digest) -> ItemId {
    let (lead, item) = (s.lead.clone(), ItemId::new(s.vault.uuid()));
    let data = ItemRegistered {
        class: Class::Open,
        route: ROUTE_VAULT.parse().unwrap(),
        sealing: None,
        sealed_by: None,
    };
    let mut d = draft(Kind::ItemRegistered, data.to_data());
    let (digest, size) = (Digest::of(MADE), MADE.len() as u64);
    let claimed = Content { alg: DigestAlg::Sha256, checked_by: CheckedBy::Oneself, digest, size };
    (d.case, d.item, d.content) = (Some(s.case), Some(item), Some(claimed));
    s.vault.say(By::OnBehalf(lead.id), d);
    let made = ItemDerived {
        how: Derivation::Redaction,
        boxes: Some(vec![PixelBox { h: 5, w: 5, x: 0, y: 0 }]),
        digest,
        grant: Some(grant),
        of,
        original: self::digest(s, of),
    };
    said(s, true, item, &made);
    item
}

fn ended(s: &mut Story, item: ItemId, grant: Digest) {
    let data = AccessCompleted { bytes: Some(3), grant, outcome: AccessOutcome::Completed };
    let mut d = draft(Kind::AccessCompleted, data.to_data());
    (d.case, d.item) = (Some(s.case), Some(item));
    s.vault.say(By::Vault, d);
}

/// The story with both, and the report on its bundle.
fn after(options: impl FnOnce(&Story) -> Options<'static>) -> Report {
    after_lies(|_| (), options)
}

/// The same, with something that is not so.
fn after_lies(lie: impl FnOnce(&mut Story), options: impl FnOnce(&Story) -> Options<'static>) -> Report {
    let mut story = story(1);
    clipped(&mut story);
    redacted(&mut story);
    story.vault.lawless = true;
    lie(&mut story);
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
            let (of, lead) = (s.items[0], s.lead.clone());
            let elsewhere = open_grant(s, &lead, s.items[1]);
            under(s, of, elsewhere);
        })
    }),
    ("rule-redacted-under-no-grant", || lying(|s| _ = under(s, s.items[0], Digest::of(b"no record")))),
    ("rule-redacted-for-another", || {
        lying(|s| {
            let (of, other) = (s.items[0], s.custodian.clone());
            let theirs = open_grant(s, &other, of);
            under(s, of, theirs);
        })
    }),
    ("rule-redacted-after-reading", || {
        lying(|s| {
            let (of, lead) = (s.items[0], s.lead.clone());
            let over = s.vault.view(By::Own(&lead), s.case, of);
            under(s, of, over);
        })
    }),
    ("rule-redacted-after-reading-kept-back", || {
        let read = |s: &mut Story| {
            let (of, lead) = (s.items[0], s.lead.clone());
            let over = s.vault.view(By::Own(&lead), s.case, of);
            under(s, of, over);
        };
        after_lies(read, |_| Options { withhold: vec![Kind::AccessGranted], ..Options::default() })
    }),
    ("rule-redacted-for-nobody-kept-back", || {
        let elsewhere = |s: &mut Story| {
            let (of, lead) = (s.items[0], s.lead.clone());
            let elsewhere = open_grant(s, &lead, s.items[1]);
            under(s, of, elsewhere);
        };
        after_lies(elsewhere, |_| Options { withhold: vec![Kind::AccessGranted], ..Options::default() })
    }),
    ("rule-redaction-received-too-late", || {
        lying(|s| {
            let (of, lead) = (s.items[0], s.lead.clone());
            let grant = open_grant(s, &lead, of);
            let item = linked(s, of, grant);
            classified(s, of);
            s.vault.receive(s.case, item, MADE);
        })
    }),
    ("rule-derived-by-another", || {
        lying(|s| {
            let (admin, org, lead) = (s.admin.clone(), s.org, s.lead.clone());
            let other = s.vault.enrol(&admin, org, "Yaw Boateng", None);
            s.vault.add_member(&lead, s.case, &other, CaseRole::Investigator);
            let (item, of) = (s.items[2], s.items[1]);
            let mut d = draft(Kind::ItemDerived, link(s, item, of).to_data());
            (d.case, d.item) = (Some(s.case), Some(item));
            s.vault.say(By::Own(&other), d);
        })
    }),
    ("emergency-reviewed", || {
        let mut s = story(1);
        reviewed_emergency(&mut s);
        let bundle = exported(&mut s, &Options::default());
        bundle.audit(&s.vault)
    }),
    ("rule-derived-less-protected", || {
        lying(|s| {
            let of = s.items[1];
            classified(s, of);
            clipped(s);
        })
    }),
];

/// Somebody outside the case reads in an emergency; once it is over, the lead looks at why.
fn reviewed_emergency(s: &mut Story) {
    let (admin, org, lead, item) = (s.admin.clone(), s.org, s.lead.clone(), s.items[0]);
    let other = s.vault.enrol(&admin, org, "Yaw Boateng", Some(VaultRole::Investigator));
    let expires = Timestamp::from_millis(s.vault.now + 600_000).unwrap();
    let mut d = draft(Kind::AccessBreakGlass, AccessBreakGlass { expires }.to_data());
    (d.case, d.item, d.purpose) = (Some(s.case), Some(item), Some("life-in-danger"));
    d.fields.push(("reason", "a child was missing".to_owned()));
    let grant = s.vault.say(By::Own(&other), d);
    ended(s, item, grant);
    let mut d = draft(Kind::AccessReviewed, AccessReviewed { grant }.to_data());
    (d.case, d.item) = (Some(s.case), Some(item));
    d.fields.push(("finding", "it was right".to_owned()));
    s.vault.say(By::Own(&lead), d);
}

/// A reading that is not over.
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
fn the_report_tells_what_does_not_follow_its_original() {
    let mut s = story(1);
    redacted(&mut s);
    let redaction = *s.vault.state.items.iter().find(|(_, item)| item.exhibit == 4).unwrap().0;
    let lead = s.lead.clone();
    let words = s.vault.put(By::Own(&lead), s.case, "words.txt", b"words in it");
    let d = link(&s, words, redaction);
    said(&mut s, false, words, &d);
    let of = s.items[0];
    classified(&mut s, of);
    let text = exported(&mut s, &Options::default()).audit(&s.vault).to_text();
    assert!(text.contains("made by the vault; it is less protected than E-0001\n"), "{text}");
    assert!(
        text.contains("E-0005 is a clip of E-0004, as Kofi Mensah says; it is less protected than E-0001\n"),
        "{text}"
    );

    // As good as destroyed: what a disposal takes is told elsewhere.
    s.vault.state.items.get_mut(&of).unwrap().disposed = true;
    let found = made_from(s.vault.state.items.iter().map(|(id, item)| (*id, item)), of);
    assert_eq!(found.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [redaction, words]);
}

#[test]
fn the_report_tells_what_was_made_from_what_and_who_says_so() {
    let report = after(|s| Options { hide_contents: vec![s.items[0]], ..Options::default() });
    let text = report.to_text();
    assert!(text.contains("E-0003 is a clip of E-0002, as Kofi Mensah says\n"), "{text}");
    assert!(text.contains("E-0004 is a redaction of E-0001, made by the vault\n"), "{text}");
    assert_ne!(report.exit_code, 3, "{text}");
    assert!(report.facts.derived.iter().all(|made| made.less_protected_than.is_none() && !made.outlives));
    let untouched = exported(&mut story(1), &Options::default());
    assert!(untouched.audit(&untouched.vault.clone()).facts.derived.is_empty());
}
