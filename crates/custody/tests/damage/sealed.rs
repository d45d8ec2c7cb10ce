//! What was sealed to other pairs, and a vault that says so of what nobody opened or confirmed.

use custody::act::{
    AccessGranted, Class, ItemClassified, ItemResealed, RecipientNamed, ResealConfirmed, Sealing,
};
use custody::age::Identity;
use custody::bundle::Report;
use custody::digest::Digest;
use custody::json::Object;
use custody::kind::Kind;
use custody::statement::Seen;
use custody::time::Timestamp;

use super::rows::Row;
use super::support::bundle::Options;
use super::support::{By, Person, Story, draft, story};
use crate::exported;

const HALVES: Digest = Digest::new([5; 32]);

/// The lead and the custodian, or two papers.
pub(super) fn sealing(s: &Story, papers: [u8; 2]) -> Sealing {
    let mut pair = [s.lead.id, s.custodian.id];
    pair.sort_unstable();
    let mut recovery = papers.map(|n| Identity::derive(&[n; 32]).recipient());
    recovery.sort_unstable();
    Sealing { pairs: vec![pair], recovery: Some(recovery) }
}

fn say(s: &mut Story, by: &Person, kind: Kind, data: Object) -> Digest {
    let mut d = draft(kind, data);
    (d.case, d.item) = (Some(s.case), Some(s.items[0]));
    d.purpose = matches!(kind, Kind::AccessGranted | Kind::ItemResealed).then_some("left");
    if kind == Kind::ItemClassified {
        d.seen = Some(Seen::Record(s.vault.state.items[&s.items[0]].head.record));
    }
    s.vault.say(By::Own(by), d)
}

/// Both say to what is sealed for them.
pub(super) fn named(s: &mut Story) {
    let (lead, custodian) = (s.lead.clone(), s.custodian.clone());
    for (n, person) in [(1, &lead), (2, &custodian)] {
        let recipient = Identity::derive(&[n; 32]).recipient();
        let mut d = draft(Kind::RecipientNamed, RecipientNamed { recipient }.to_data());
        d.person = Some(person.id);
        s.vault.say(By::Own(person), d);
    }
}

/// The first exhibit becomes a restricted one.
fn restricted(s: &mut Story) {
    named(s);
    let lead = s.lead.clone();
    let sealing = Some(sealing(s, [8, 9]));
    say(s, &lead, Kind::ItemClassified, ItemClassified { class: Class::Restricted, sealing }.to_data());
}

/// Both say that they open it with the other; the grants of the first and of the second.
fn opened(s: &mut Story, one: &Person, other: &Person) -> [Digest; 2] {
    let expires = Timestamp::from_millis(s.vault.now + 600_000).unwrap();
    [(one, other), (other, one)].map(|(by, with)| {
        say(s, by, Kind::AccessGranted, AccessGranted { expires, with: Some(with.id) }.to_data())
    })
}

/// Sealed anew by the lead, and confirmed by the custodian unless something else is said instead.
fn resealed(
    s: &mut Story,
    change: impl Fn(&mut ItemResealed),
    lie: impl Fn(&Story, &mut ResealConfirmed) -> bool,
) {
    restricted(s);
    let (lead, custodian) = (s.lead.clone(), s.custodian.clone());
    let [grant, with_grant] = opened(s, &lead, &custodian);
    let expires = Timestamp::from_millis(s.vault.now + 600_000).unwrap();
    let new = sealing(s, [10, 11]);
    let mut d =
        ItemResealed { expires, grant, halves: HALVES, sealing: new.clone(), with: custodian.id, with_grant };
    change(&mut d);
    let reseal = say(s, &lead, Kind::ItemResealed, d.to_data());
    let digest = s.vault.state.items[&s.items[0]].stored.unwrap().content.digest;
    let mut d = ResealConfirmed {
        digest,
        grant: with_grant,
        halves: HALVES,
        reseal,
        sealing: new,
        with: lead.id,
        with_grant: grant,
    };
    let by = if lie(s, &mut d) { custodian } else { lead };
    say(s, &by, Kind::ResealConfirmed, d.to_data());
}

/// The report on a bundle of it.
fn after(
    withhold: Vec<Kind>,
    change: impl Fn(&mut ItemResealed),
    lie: impl Fn(&Story, &mut ResealConfirmed) -> bool,
) -> Report {
    let mut story = story(1);
    story.vault.lawless = true;
    resealed(&mut story, change, lie);
    let options = Options { withhold, hide_contents: vec![story.items[0]], ..Options::default() };
    let bundle = exported(&mut story, &options);
    bundle.audit(&story.vault)
}

pub(crate) const SEALED: &[Row] = &[
    ("resealed", || after(vec![], |_| (), |_, _| true)),
    ("resealed-grants-kept-back", || after(vec![Kind::AccessGranted], |_| (), |_, _| true)),
    ("rule-resealed-alone", || after(vec![], |d| d.with_grant = d.grant, |_, _| true)),
    ("rule-resealed-by-grants-that-nobody-has", || {
        after(vec![], |d| d.with_grant = Digest::of(b"nobody's"), |_, _| true)
    }),
    ("rule-resealed-by-grants-kept-back-of-another", || {
        after(vec![Kind::AccessGranted], |d| d.with_grant = Digest::of(b"nobody's"), |_, _| true)
    }),
    ("rule-resealed-to-anybody", || {
        after(
            vec![],
            |d| d.sealing.recovery = None,
            |_, d| {
                d.sealing.recovery = None;
                true
            },
        )
    }),
    ("rule-reseal-confirmed-by-its-author", || {
        after(
            vec![],
            |_| (),
            |s, d| {
                (d.grant, d.with_grant, d.with) = (d.with_grant, d.grant, s.custodian.id);
                false
            },
        )
    }),
    ("rule-reseal-confirmed-of-other-halves", || {
        after(
            vec![],
            |_| (),
            |_, d| {
                d.halves = Digest::ZERO;
                true
            },
        )
    }),
    ("rule-reseal-confirmed-unopened", || {
        after(
            vec![],
            |_| (),
            |_, d| {
                d.digest = Digest::ZERO;
                true
            },
        )
    }),
];

#[test]
fn the_report_tells_what_was_sealed_anew_and_who_confirmed_it() {
    let text = after(vec![], |_| (), |_, _| true).to_text();
    let line = "sealed anew by Kofi Mensah, opened again and confirmed by Esi Owusu\n";
    assert!(text.contains("E-0001, record ") && text.contains(line), "{text}");
    // A story in which the rules refuse nothing is told the same by a vault that keeps them.
    let mut story = story(1);
    resealed(&mut story, |_| (), |_, _| true);
    let of = story.items[0];
    assert_eq!(story.vault.state.items[&of].sealing, Some(sealing(&story, [10, 11])));
}
