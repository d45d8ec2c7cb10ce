//! What was carried, and a vault that says so of what nobody handed on.

use custody::act::{Carriage, Carrier, CaseRole, TransferAccepted, TransferCarried, TransferOffered};
use custody::id::ItemId;
use custody::json::Object;
use custody::kind::Kind;
use custody::statement::Seen;

use super::rows::{Row, lying};
use super::support::bundle::Options;
use super::support::{By, Person, Story, draft, story};
use crate::exported;

/// A sealed exhibit of the lead's, offered to the custodian; the driver carries it.
struct Way {
    item: ItemId,
    driver: Person,
}

fn offered(s: &mut Story, sealed: bool) -> Way {
    let (admin, lead, org, case) = (s.admin.clone(), s.lead.clone(), s.org, s.case);
    let driver = s.vault.enrol(&admin, org, "Dina Driver", None);
    s.vault.add_member(&lead, case, &driver, CaseRole::Custodian);
    let item = s.vault.put(By::Own(&lead), case, "disk.img", b"a disk");
    if sealed {
        said(s, &lead, (Kind::SealApplied, item), Object::new());
    }
    let carriers = Some(vec![Carrier::Person(driver.id)]);
    let data = TransferOffered { carriers, expires: None, to: s.custodian.id }.to_data();
    said(s, &lead, (Kind::TransferOffered, item), data);
    Way { item, driver }
}

fn said(s: &mut Story, by: &Person, (kind, item): (Kind, ItemId), data: Object) {
    let mut d = draft(kind, data);
    (d.case, d.item) = (Some(s.case), Some(item));
    d.seen = Some(Seen::Record(s.vault.state.items[&item].head.record));
    d.purpose = (kind == Kind::TransferOffered).then_some("examination");
    d.fields.extend([("condition", "as sealed".to_owned()), ("seal", "S-7".to_owned())]);
    s.vault.say(By::Own(by), d);
}

fn carried(s: &mut Story, way: &Way, by: &Person, step: Carriage) {
    let offer = s.vault.state.items[&way.item].offer.as_ref().map(|offer| Seen::Record(offer.head.record));
    said(s, by, (Kind::TransferCarried, way.item), TransferCarried { offer, step }.to_data());
}

fn accepted(s: &mut Story, way: &Way) {
    let (custodian, from) = (s.custodian.clone(), Some(Carrier::Person(way.driver.id)));
    let offer = s.vault.state.items[&way.item].offer.as_ref().map(|offer| Seen::Record(offer.head.record));
    said(s, &custodian, (Kind::TransferAccepted, way.item), TransferAccepted { from, offer }.to_data());
}

pub(crate) const CARRIAGE: &[Row] = &[
    ("carried", || {
        let mut story = story(1);
        let way = offered(&mut story, true);
        carried(&mut story, &way, &way.driver.clone(), Carriage::Taken);
        carried(&mut story, &way, &way.driver.clone(), Carriage::HandedOn);
        accepted(&mut story, &way);
        exported(&mut story, &Options::default()).audit(&story.vault)
    }),
    ("rule-carried-unsealed", || lying(|s| drop(offered(s, false)))),
    ("rule-carried-by-another", || {
        lying(|s| {
            let way = offered(s, true);
            let custodian = s.custodian.clone();
            carried(s, &way, &custodian, Carriage::Taken);
        })
    }),
    ("rule-carried-never-taken", || {
        lying(|s| {
            let way = offered(s, true);
            accepted(s, &way);
        })
    }),
    ("rule-carried-not-handed-on", || {
        lying(|s| {
            let way = offered(s, true);
            carried(s, &way, &way.driver.clone(), Carriage::Taken);
            accepted(s, &way);
        })
    }),
];
