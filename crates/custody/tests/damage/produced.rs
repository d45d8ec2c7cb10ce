//! Restricted content in a bundle, sealed to a court, and what is wrong with it without the court's key.

use custody::act::{
    CaseRole, Class, ItemClassified, ProductionApproved, ProductionDeclined, ProductionProposed,
    ProductionSealed, RecipientNamed, Sealing,
};
use custody::aead::Portable;
use custody::age::{Identity, seal};
use custody::bundle::layout::{Half, half_path, sealed_path};
use custody::bundle::{ProducedError, Report, open_produced};
use custody::digest::Digest;
use custody::json::Object;
use custody::kind::Kind;
use custody::statement::Seen;

use super::rows::Row;
use super::support::bundle::{Exported, Memory, Options, sealed_object};
use super::support::{By, Draft, Person, Story, draft, story};
use crate::exported;

fn court() -> Identity {
    Identity::derive(&[50; 32])
}

/// The halves of the key with which the kit seals: their sum is 32 times 1.
const HALVES: [[u8; 32]; 2] = [[9; 32], [8; 32]];

fn sealed(half: Half) -> Vec<u8> {
    let mut random = |bytes: &mut [u8]| bytes.fill(7);
    seal(&HALVES[usize::from(half == Half::Vault)], &[court().recipient()], &mut random).unwrap()
}

fn about(s: &Story, kind: Kind, data: Object) -> Draft {
    let mut d = draft(kind, data);
    (d.case, d.item) = (Some(s.case), Some(s.items[0]));
    d
}

/// The first exhibit is sealed to the lead and the custodian, with a pair of papers.
fn restricted(s: &mut Story) {
    for (person, seed) in [(s.lead.clone(), 51), (s.custodian.clone(), 52)] {
        let recipient = Identity::derive(&[seed; 32]).recipient();
        let mut d = draft(Kind::RecipientNamed, RecipientNamed { recipient }.to_data());
        d.person = Some(person.id);
        s.vault.say(By::Own(&person), d);
    }
    let mut pair = [s.lead.id, s.custodian.id];
    pair.sort_unstable();
    let mut papers = [53, 54].map(|seed| Identity::derive(&[seed; 32]).recipient());
    papers.sort_unstable();
    let sealing = Some(Sealing { pairs: vec![pair], recovery: Some(papers) });
    let data = ItemClassified { class: Class::Restricted, sealing }.to_data();
    let mut d = about(s, Kind::ItemClassified, data);
    d.seen = Some(Seen::Record(s.vault.state.items[&s.items[0]].head.record));
    let lead = s.lead.clone();
    s.vault.say(By::Own(&lead), d);
}

fn proposed(s: &mut Story) -> Digest {
    let data = ProductionProposed { order: Digest::of(b"order"), recipient: court().recipient() }.to_data();
    let mut d = about(s, Kind::ProductionProposed, data);
    d.purpose = Some("court-order");
    d.fields.push(("authority", "High Court, order 12".to_owned()));
    let custodian = s.custodian.clone();
    s.vault.say(By::Own(&custodian), d)
}

fn approved(s: &mut Story, by: &Person, proposal: Digest) {
    let d = about(
        s,
        Kind::ProductionApproved,
        ProductionApproved { order: Digest::of(b"order"), proposal, recipient: court().recipient() }
            .to_data(),
    );
    s.vault.say(By::Own(by), d);
}

fn said_sealed(s: &mut Story, proposal: Digest) {
    let sealed = Digest::of(&sealed(Half::Persons));
    let data =
        ProductionSealed { proposal, recipient: court().recipient(), sealed, with: s.custodian.id }.to_data();
    let (d, lead) = (about(s, Kind::ProductionSealed, data), s.lead.clone());
    s.vault.say(By::Own(&lead), d);
}

fn judge(s: &mut Story) -> Person {
    let (admin, lead) = (s.admin.clone(), s.lead.clone());
    let judge = s.vault.enrol(&admin, s.org, "Abla Judge", None);
    s.vault.add_member(&lead, s.case, &judge, CaseRole::Court);
    judge
}

fn agreed(s: &mut Story) -> Digest {
    restricted(s);
    let (judge, lead, proposal) = (judge(s), s.lead.clone(), proposed(s));
    approved(s, &lead, proposal);
    approved(s, &judge, proposal);
    said_sealed(s, proposal);
    proposal
}

fn carries(s: &mut Story, proposal: Digest, named: bool) -> Exported {
    let productions = if named { vec![proposal] } else { Vec::new() };
    let mut bundle = exported(s, &Options { productions, ..Options::default() });
    let object = s.vault.state.items[&s.items[0]].stored.unwrap().object;
    let content = s.vault.contents[&object].clone();
    bundle.files.insert(sealed_path(1), sealed_object(&s.vault, s.items[0], object, &content).1);
    for half in [Half::Persons, Half::Vault] {
        bundle.files.insert(half_path(1, &proposal, half), sealed(half));
    }
    bundle.reseal();
    bundle
}

fn produced() -> (Story, Digest, Exported) {
    let mut s = story(1);
    let proposal = agreed(&mut s);
    let bundle = carries(&mut s, proposal, true);
    (s, proposal, bundle)
}

/// The vault's operator changes the bundle and signs it again.
fn changed(change: impl FnOnce(&mut Exported, Digest)) -> Report {
    let (s, proposal, mut bundle) = produced();
    change(&mut bundle, proposal);
    bundle.reseal();
    bundle.audit(&s.vault)
}

/// The vault carries out what its rules do not allow.
fn lying(lie: impl FnOnce(&mut Story) -> Digest) -> Report {
    let mut s = story(1);
    s.vault.lawless = true;
    let proposal = lie(&mut s);
    let bundle = carries(&mut s, proposal, true);
    bundle.audit(&s.vault)
}

pub(crate) const PRODUCED: &[Row] = &[
    ("produced", || changed(|_, _| ())),
    ("produced-other-ciphertext", || {
        changed(|bundle, _| *bundle.files.get_mut(&sealed_path(1)).unwrap().last_mut().unwrap() ^= 1)
    }),
    ("produced-other-half", || {
        changed(|bundle, proposal| {
            let path = half_path(1, &proposal, Half::Persons);
            bundle.files.insert(path, sealed(Half::Vault));
        })
    }),
    ("produced-without-half", || {
        changed(|bundle, proposal| {
            bundle.files.remove(&half_path(1, &proposal, Half::Vault));
        })
    }),
    ("produced-in-the-open", || {
        changed(|bundle, _| {
            bundle.files.insert("data/exhibits/E-0001/photo.jpg".to_owned(), b"a photograph".to_vec());
        })
    }),
    ("produced-unsaid", || {
        let mut s = story(1);
        let proposal = agreed(&mut s);
        let bundle = carries(&mut s, proposal, false);
        bundle.audit(&s.vault)
    }),
    ("rule-produced-by-one", || {
        lying(|s| {
            restricted(s);
            let (judge, proposal) = (judge(s), proposed(s));
            approved(s, &judge, proposal);
            said_sealed(s, proposal);
            proposal
        })
    }),
    ("rule-produced-after-its-end", || {
        lying(|s| {
            let (proposal, lead) = (agreed(s), s.lead.clone());
            let d = about(s, Kind::ProductionDeclined, ProductionDeclined { proposal }.to_data());
            s.vault.say(By::Own(&lead), d);
            proposal
        })
    }),
];

#[test]
fn the_report_tells_to_whom_it_was_produced_and_that_nobody_looked_at_it() {
    let (s, _, bundle) = produced();
    let report = bundle.audit(&s.vault);
    let text = report.to_text();
    let court = court().recipient();
    assert!(text.contains(&format!("E-0001 is here sealed to {court}, by the order with SHA-256")), "{text}");
    assert!(text.contains("Kofi Mensah and Abla Judge approved; its content was not looked at"), "{text}");
    assert!(text.contains("E-0001: whether what is sealed to the court opens"), "{text}");
}

#[test]
fn the_courts_key_opens_it_and_whatever_is_wrong_then_has_a_name() {
    let (s, proposal, bundle) = produced();
    let report = bundle.audit(&s.vault);
    let key = s.vault.key.verifying_key();
    let open = |bundle: &Exported, identity: &Identity| {
        let (mut files, mut content) = (Memory::new(&bundle.files), Vec::new());
        let opened =
            open_produced::<Portable>(&mut files, &report.facts.produced[0], (identity, &key), |bytes| {
                content.extend_from_slice(bytes);
                Ok(())
            });
        opened.map(|digest| (digest, content))
    };
    assert_eq!(open(&bundle, &court()).unwrap(), (Digest::of(b"a photograph"), b"a photograph".to_vec()));
    let wrong = open(&bundle, &Identity::derive(&[49; 32]));
    assert!(matches!(wrong, Err(ProducedError::Half { .. })), "{wrong:?}");
    let with = |change: &dyn Fn(&mut Exported)| {
        let mut bundle = bundle.clone();
        change(&mut bundle);
        open(&bundle, &court())
    };
    let halves = [Half::Persons, Half::Vault].map(|half| half_path(1, &proposal, half));
    let absent = with(&|bundle| drop(bundle.files.remove(&halves[1])));
    assert!(matches!(absent, Err(ProducedError::Absent(_))), "{absent:?}");
    let same = with(&|bundle| drop(bundle.files.insert(halves[1].clone(), sealed(Half::Persons))));
    assert!(matches!(same, Err(ProducedError::Blob(_))), "{same:?}");
    let mut random = |bytes: &mut [u8]| bytes.fill(7);
    let short = seal(b"short", &[court().recipient()], &mut random).unwrap();
    let short = with(&|bundle| drop(bundle.files.insert(halves[0].clone(), short.clone())));
    assert!(matches!(short, Err(ProducedError::NotAHalf(_))), "{short:?}");
    let longer = with(&|bundle| bundle.files.get_mut(&sealed_path(1)).unwrap().push(0));
    assert!(matches!(longer, Err(ProducedError::Read(_))), "{longer:?}");
    let flipped = with(&|bundle| *bundle.files.get_mut(&sealed_path(1)).unwrap().last_mut().unwrap() ^= 1);
    assert!(matches!(flipped, Err(ProducedError::Blob(_))), "{flipped:?}");
    let full = open_produced::<Portable>(
        &mut Memory::new(&bundle.files),
        &report.facts.produced[0],
        (&court(), &key),
        |_| Err("no space".to_owned()),
    );
    assert!(matches!(full, Err(ProducedError::Write(_))), "{full:?}");
}
