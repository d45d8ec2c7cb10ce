//! What each row about restores does.

use custody::act::*;
use custody::bundle::Report;
use custody::digest::Digest;
use custody::id::{ItemId, OrgId};
use custody::kind::Kind;
use custody::record::Sequence;
use custody::recovery::{MAX_RECOVERIES, resume_tag};
use ed25519_dalek::SigningKey;

use crate::rows::{Row, add_reader, revoke, view_by_lead};
use crate::support::bundle::{Exported, Options};
use crate::support::{By, Said, Story, Vault, draft, story};
use crate::{exported, pinned};

/// A story whose vault loses what `lost` does.
fn losing(lost: impl FnOnce(&mut Story)) -> (Story, Vault) {
    let mut story = story(1);
    let newer = lose(&mut story, lost);
    (story, newer)
}

/// The vault loses what `lost` does, and notes it; the vault that had it.
fn lose(story: &mut Story, lost: impl FnOnce(&mut Story)) -> Vault {
    let newer = forget(story, lost);
    story.vault.recover(&newer);
    newer
}

/// The same, not noted.
fn forget(story: &mut Story, lost: impl FnOnce(&mut Story)) -> Vault {
    let old = story.vault.clone();
    lost(story);
    std::mem::replace(&mut story.vault, old)
}

/// Something in the case, in a person's stream and in the vault's.
fn much(story: &mut Story) {
    view_by_lead(story);
    let (admin, case) = (story.admin.clone(), story.case);
    let custodian = story.custodian.clone();
    let by = By::Own(&custodian);
    story.vault.put(by, case, "lost.txt", b"lost");
    let org = OrgId::new(story.vault.uuid());
    story.vault.say(By::Own(&admin), draft(Kind::OrgRegistered, OrgRegistered { org }.to_data()));
    add_reader(story);
    revoke(story, &custodian, None);
}

/// Something in the other case alone.
fn something_else(story: &mut Story) {
    let custodian = story.custodian.clone();
    story.vault.open_case(&custodian, "A third one");
}

fn audited(story: &mut Story) -> Report {
    let bundle = exported(story, &Options::default());
    bundle.audit(&story.vault)
}

fn unaudited(story: &mut Story) -> Report {
    let bundle = exported(story, &Options::default());
    bundle.verify_with(&pinned(&bundle), None, &[])
}

/// The sequences of the third item go on with the tags that these make of the promised ones.
fn with_tags(story: &mut Story, tag: impl Fn(&Digest) -> Digest) {
    let (item, case) = (story.items[2], story.case);
    story.vault.lost.gaps.clear();
    for sequence in [Sequence::Item(item), Sequence::Case(case)] {
        let head = story.vault.heads.get_mut(&sequence).unwrap();
        head.next.t = tag(&head.next.t);
    }
    view_by_lead(story);
}

fn noted_as(change: impl FnOnce(&mut RecoveryNoted)) -> Report {
    let mut story = story(1);
    let newer = forget(&mut story, much);
    let mut noted = RecoveryNoted { from: story.vault.size(), log_key: None, to: newer.size() };
    change(&mut noted);
    story.vault.recover_as(&newer, &noted);
    view_by_lead(&mut story);
    audited(&mut story)
}

fn before_the_loss() -> Report {
    let mut story = story(1);
    let early = exported(&mut story, &Options::default());
    lose(&mut story, much);
    view_by_lead(&mut story);
    early.audit(&story.vault)
}

fn during_the_loss() -> Report {
    let mut bundle: Option<Exported> = None;
    let (mut story, _) = losing(|story| {
        view_by_lead(story);
        bundle = Some(exported(story, &Options::default()));
    });
    view_by_lead(&mut story);
    bundle.unwrap().audit(&story.vault)
}

/// Lost records had replaced the log's key, and what notes the loss names it again; with receipts of lost records.
fn with_key(change: impl Fn(&mut Vault), by: Option<&[&SigningKey]>) -> Report {
    let mut story = story(1);
    let newer = forget(&mut story, |story| {
        view_by_lead(story);
        change(&mut story.vault);
        view_by_lead(story);
    });
    story.vault.lawless = by.is_some();
    let from = story.vault.size();
    story.vault.recover_with_key(&newer, by);
    view_by_lead(&mut story);
    let lost = [newer.receipt(from), newer.receipt(newer.size() - 1)];
    let bundle = exported(&mut story, &Options::default());
    let report = bundle.verify_with(&pinned(&bundle), Some(&story.vault.entries()), &lost);
    assert!(!report.not_checked.iter().any(|line| line.contains("receipt")), "{}", report.to_text());
    report
}

fn rotate(vault: &mut Vault) {
    vault.rotate(&key(201));
}

fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

fn go_on(vault: &mut Vault) {
    let anchor = vault.checkpoint();
    vault.continue_log("vault.example.org/custos/2", &key(202), &anchor, LogAnchor::Vault);
}

pub(crate) const RECOVERIES: &[Row] = &[
    ("recovered-log-key", || with_key(rotate, None)),
    ("recovered-log-key-by-one", || {
        let own = story(1).vault.key;
        with_key(rotate, Some(&[&own, &key(201)]))
    }),
    ("recovered-log-continued", || with_key(go_on, None)),
    ("recovered", || {
        let (mut story, _) = losing(much);
        view_by_lead(&mut story);
        audited(&mut story)
    }),
    ("recovered-unaudited", || {
        let (mut story, _) = losing(much);
        view_by_lead(&mut story);
        unaudited(&mut story)
    }),
    ("recovered-elsewhere", || audited(&mut losing(something_else).0)),
    ("recovered-and-nothing-since", || audited(&mut losing(much).0)),
    ("recovered-twice", || {
        let (mut story, _) = losing(much);
        lose(&mut story, |story| {
            view_by_lead(story);
            something_else(story);
        });
        view_by_lead(&mut story);
        audited(&mut story)
    }),
    ("recovered-twice-from-one-copy", || {
        // The second restore loses the note of the first, and all that went on after it.
        let mut story = story(1);
        let old = story.vault.clone();
        lose(&mut story, much);
        view_by_lead(&mut story);
        let newer = std::mem::replace(&mut story.vault, old);
        story.vault.recover(&newer);
        view_by_lead(&mut story);
        audited(&mut story)
    }),
    ("recovered-begun-again", || {
        let mut item: Option<ItemId> = None;
        let data = ItemRegistered {
            class: Class::Open,
            route: "cli".parse().unwrap(),
            sealing: None,
            sealed_by: None,
        };
        let register = |story: &mut Story, item: ItemId| {
            let mut d = draft(Kind::ItemRegistered, data.to_data());
            (d.case, d.item) = (Some(story.case), Some(item));
            let lead = story.lead.clone();
            story.vault.say(By::Own(&lead), d);
        };
        let (mut story, _) = losing(|story| {
            let new = ItemId::new(story.vault.uuid());
            register(story, new);
            item = Some(new);
        });
        register(&mut story, item.unwrap());
        audited(&mut story)
    }),
    ("recovered-with-receipts", || {
        let (mut story, newer) = losing(view_by_lead_only);
        let lost = newer.receipt(newer.size() - 1);
        view_by_lead(&mut story);
        let kept = story.vault.receipt(story.vault.size() - 2);
        let bundle = exported(&mut story, &Options::default());
        let report = bundle.verify_with(&pinned(&bundle), Some(&story.vault.entries()), &[lost, kept]);
        assert_eq!(report.facts.receipts, 1, "{}", report.to_text());
        report
    }),
    ("recovered-after-the-bundle", before_the_loss),
    ("recovered-over-the-bundle", during_the_loss),
    ("recovered-tail-cut", || {
        let (mut story, _) = losing(much);
        let custodian = story.custodian.clone();
        revoke(&mut story, &custodian, None);
        let cut = |said: &Said, _: &custody::record::Built| said.statement.kind == Kind::KeyRevoked;
        let bundle = exported(&mut story, &Options { omit: Some(&cut), ..Options::default() });
        bundle.audit(&story.vault)
    }),
    ("recovered-with-the-old-tag", || {
        let (mut story, _) = losing(view_by_lead_only);
        with_tags(&mut story, |next| *next);
        audited(&mut story)
    }),
    ("recovered-without-a-loss", || {
        let (mut story, _) = losing(something_else);
        let noted = story.vault.lost.gaps[0].record;
        with_tags(&mut story, |next| resume_tag(next, &noted));
        audited(&mut story)
    }),
    ("recovered-without-a-loss-unaudited", || {
        let (mut story, _) = losing(something_else);
        let noted = story.vault.lost.gaps[0].record;
        with_tags(&mut story, |next| resume_tag(next, &noted));
        unaudited(&mut story)
    }),
    ("recovered-after-another-loss", || {
        // It lost records in the first gap, and goes on as if in the second.
        let (mut story, _) = losing(view_by_lead_only);
        lose(&mut story, something_else);
        let noted = story.vault.lost.gaps[1].record;
        with_tags(&mut story, |next| resume_tag(next, &noted));
        audited(&mut story)
    }),
    ("recovered-with-another-tag-unaudited", || {
        let (mut story, _) = losing(view_by_lead_only);
        with_tags(&mut story, |next| resume_tag(next, &Digest::of(b"another")));
        unaudited(&mut story)
    }),
    ("recovered-before-the-promise-unaudited", || {
        // What was promised after the loss cannot have been lost in it.
        let (mut story, _) = losing(view_by_lead_only);
        let noted = story.vault.lost.gaps[0].record;
        view_by_lead(&mut story);
        with_tags(&mut story, |next| resume_tag(next, &noted));
        unaudited(&mut story)
    }),
    ("recovered-without-a-note", || {
        let mut story = story(1);
        let newer = forget(&mut story, view_by_lead_only);
        // The entries stay, and nothing says why nobody can open them.
        story.vault.lost.entries = skipped(&newer, story.vault.size());
        with_tags(&mut story, |next| resume_tag(next, &Digest::of(b"nothing")));
        audited(&mut story)
    }),
    ("recovered-too-often", || {
        let mut story = story(1);
        for _ in 0..=MAX_RECOVERIES {
            lose(&mut story, something_else);
        }
        audited(&mut story)
    }),
    ("recovered-further-than-noted", || noted_as(|noted| noted.to -= 1)),
    ("recovered-over-what-is-here", || noted_as(|noted| noted.from -= 1)),
];

fn view_by_lead_only(story: &mut Story) {
    view_by_lead(story);
}

fn skipped(newer: &Vault, from: u64) -> std::collections::BTreeMap<u64, custody::record::Entry> {
    let entries = newer.entries().into_iter().map(|bytes| custody::record::Entry::parse(&bytes).unwrap());
    (0..).zip(entries).filter(|(index, _)| *index >= from).collect()
}
