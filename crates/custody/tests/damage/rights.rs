//! A vault that lets people do more than the table of rights.

use custody::act::{CaseRole, MemberAdded};
use custody::json::Object;
use custody::kind::Kind;
use custody::time::Timestamp;

use super::rows::{Row, lying};
use super::support::{By, Person, Story, draft};

/// A reader whose role begins and ends so many milliseconds from now.
fn reader_for(story: &mut Story, from: Option<i64>, until: Option<i64>) -> Person {
    let reader = story.vault.enrol(&story.admin.clone(), story.org, "Yaw Reader", None);
    let time = |after: i64| Timestamp::from_millis(story.vault.now + after).unwrap();
    let (from, until) = (from.map(time), until.map(time));
    let data = MemberAdded { from, member: reader.id, role: CaseRole::Reader, until };
    let mut d = draft(Kind::MemberAdded, data.to_data());
    d.case = Some(story.case);
    story.vault.say(By::Own(&story.lead.clone()), d);
    reader
}

#[rustfmt::skip]
pub(crate) const RIGHTS: &[Row] = &[
    ("rule-role-ended", || lying(|s| {
        let reader = reader_for(s, None, Some(60_000));
        s.vault.now += 60_000;
        s.vault.view(By::Own(&reader), s.case, s.items[0]);
    })),
    ("rule-role-not-begun", || lying(|s| {
        let reader = reader_for(s, Some(60_000), None);
        s.vault.view(By::Own(&reader), s.case, s.items[0]);
    })),
    ("role-in-its-term", || lying(|s| {
        let reader = reader_for(s, Some(10_000), Some(60_000));
        s.vault.now += 10_000;
        s.vault.view(By::Own(&reader), s.case, s.items[0]);
    })),
    ("rule-closed-case-grows", || lying(|s| {
        let (lead, case) = (s.lead.clone(), s.case);
        let mut d = draft(Kind::CaseClosed, Object::new());
        d.case = Some(case);
        s.vault.say(By::Own(&lead), d);
        s.vault.put(By::Own(&lead), case, "late.txt", b"late");
    })),
];
