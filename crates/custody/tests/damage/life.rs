//! What was destroyed on record, and a vault that destroys what it must not.

use custody::act::{
    CaseRole, Disclosure, DisposalApproved, DisposalExecuted, DisposalProposed, ObjectId, Subject,
};
use custody::bundle::layout;
use custody::digest::Digest;
use custody::json::Object;
use custody::kind::Kind;

use super::rows::Row;
use super::support::bundle::{Exported, Options};
use super::support::{By, Draft, Person, Story, draft, story};
use crate::exported;

/// The story, with something destroyed in it, and the bundle of after.
fn after(happens: impl FnOnce(&mut Story)) -> (Story, Exported) {
    let mut story = story(1);
    happens(&mut story);
    let bundle = exported(&mut story, &Options::default());
    (story, bundle)
}

fn audited((story, bundle): (Story, Exported)) -> custody::bundle::Report {
    bundle.audit(&story.vault)
}

fn about(story: &Story, subject: Subject, kind: Kind, data: Object) -> Draft {
    let mut d = draft(kind, data);
    match subject {
        Subject::Item(case, item) => (d.case, d.item) = (Some(case), Some(item)),
        Subject::Person(person) => d.person = Some(person),
        _ => d.case = Some(story.case),
    }
    d
}

fn proposed(s: &mut Story, subject: Subject, records: Option<Vec<Digest>>) -> Digest {
    let lead = s.lead.clone();
    let mut d =
        about(s, subject, Kind::DisposalProposed, DisposalProposed { records, retention: None }.to_data());
    d.purpose = Some("court-order");
    s.vault.say(By::Own(&lead), d)
}

fn approved(s: &mut Story, by: &Person, (subject, proposal): (Subject, Digest), role: &str) {
    let data = DisposalApproved {
        disclosure: Disclosure::NonePending,
        exports: 0,
        proposal,
        role: role.parse().unwrap(),
    };
    let d = about(s, subject, Kind::DisposalApproved, data.to_data());
    s.vault.say(By::Own(by), d);
}

fn executed(s: &mut Story, subject: Subject, proposal: Digest) {
    let (kind, object): (_, Option<ObjectId>) = match subject {
        Subject::Item(_, item) => {
            (Kind::DisposalExecuted, s.vault.state.items[&item].stored.map(|stored| stored.object))
        }
        _ => (Kind::OpeningErased, None),
    };
    let key = object.map(|object| Digest::of(object.as_bytes()));
    let kek = key.map(|_| 1);
    let data = DisposalExecuted { backups: 0, horizon: None, kek, key, object, proposal };
    let d = about(s, subject, kind, data.to_data());
    s.vault.say(By::Vault, d);
}

/// Proposed by the lead, agreed to by the custodian and a prosecutor, and destroyed.
fn destroyed(s: &mut Story, subject: Subject, records: Option<Vec<Digest>>) {
    let prosecutor = s.vault.enrol(&s.admin.clone(), s.org, "Adwoa Prosecutor", None);
    s.vault.add_member(&s.lead.clone(), s.case, &prosecutor, CaseRole::Prosecutor);
    let proposal = proposed(s, subject, records);
    approved(s, &s.custodian.clone(), (subject, proposal), "custodian");
    approved(s, &prosecutor, (subject, proposal), "prosecutor");
    executed(s, subject, proposal);
}

fn first(s: &Story) -> Subject {
    Subject::Item(s.case, s.items[0])
}

fn hold(s: &mut Story) {
    let lead = s.lead.clone();
    let mut d = draft(Kind::HoldPlaced, Object::new());
    (d.case, d.purpose) = (Some(s.case), Some("pending-trial"));
    d.fields.push(("authority", "High Court, order 7".to_owned()));
    s.vault.say(By::Own(&lead), d);
}

/// Values of the first exhibit's registration are destroyed; said on record or not.
fn erased(s: &mut Story, on_record: bool) {
    let item = s.items[0];
    let of_item = |said: &super::support::Said| {
        said.statement.kind == Kind::ItemRegistered && said.statement.item == Some(item)
    };
    let at = s.vault.said.iter().position(of_item).unwrap();
    let record = s.vault.said[at].records[0].hash;
    if on_record {
        destroyed(s, Subject::Case(s.case), Some(vec![record]));
    }
    s.vault.said[at].openings.clear();
}

pub(crate) const LIFE: &[Row] = &[
    ("disposed", || audited(after(|s| destroyed(s, first(s), None)))),
    ("disposed-and-here", || {
        let (story, mut bundle) = after(|s| destroyed(s, first(s), None));
        let number = story.vault.state.items[&story.items[0]].exhibit;
        bundle.files.insert(layout::exhibit_path(number, Some("photo.jpg")), b"a photograph".to_vec());
        bundle.reseal();
        bundle.audit(&story.vault)
    }),
    ("erased", || audited(after(|s| erased(s, true)))),
    ("erased-unsaid", || audited(after(|s| erased(s, false)))),
    ("rule-disposed-under-hold", || {
        audited(after(|s| {
            s.vault.lawless = true;
            hold(s);
            destroyed(s, first(s), None);
        }))
    }),
    ("rule-disposed-by-one", || {
        audited(after(|s| {
            s.vault.lawless = true;
            let subject = first(s);
            let proposal = proposed(s, subject, None);
            approved(s, &s.custodian.clone(), (subject, proposal), "custodian");
            executed(s, subject, proposal);
        }))
    }),
    ("rule-disposed-by-proposer", || {
        audited(after(|s| {
            s.vault.lawless = true;
            let subject = first(s);
            let proposal = proposed(s, subject, None);
            approved(s, &s.custodian.clone(), (subject, proposal), "custodian");
            approved(s, &s.lead.clone(), (subject, proposal), "lead");
            executed(s, subject, proposal);
        }))
    }),
];
