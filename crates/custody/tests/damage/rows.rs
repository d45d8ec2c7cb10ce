//! What each row of the table does.

use custody::act::*;
use custody::bundle::lines::{EnvelopeMember, OpeningLine, ProofLine, RecordLine};
use custody::bundle::{Report, Trust, layout};
use custody::checkpoint::{Checkpoint, Origin};
use custody::digest::Digest;
use custody::id::PersonId;
use custody::kind::Kind;
use custody::note::{KeyName, SignatureType, VerifierKey};
use custody::policy::Policy;
use custody::record::{Built, Sequence};
use custody::statement::{CheckedBy, Content, DigestAlg, Seen};
use custody::time::Timestamp;
use ed25519_dalek::SigningKey;

use crate::support::bundle::{Exported, Options, export};
use crate::support::{self, By, ORIGIN, Said, Story, draft, enrolled, story};
use crate::{exported, honest, pinned};

/// Changes an honest bundle; nobody signs it again.
fn naive(change: impl FnOnce(&mut Exported)) -> Report {
    let mut bundle = honest();
    change(&mut bundle);
    bundle.audit(&bundle.vault.clone())
}

/// Changes an honest bundle; the vault's operator makes all lists and signatures again.
fn resealed(change: impl FnOnce(&mut Exported)) -> Report {
    naive(|bundle| {
        change(bundle);
        bundle.reseal();
    })
}

/// The vault itself lies while it keeps its records, and exports as if nothing were wrong.
pub(crate) fn lying(lie: impl FnOnce(&mut Story)) -> Report {
    let mut story = story(1);
    story.vault.lawless = true;
    lie(&mut story);
    let bundle = exported(&mut story, &Options::default());
    bundle.audit(&story.vault)
}

/// An exporter leaves records out, and commits to what is left. With and without the public entries.
fn omitting(audited: bool, lie: impl FnOnce(&mut Story), omit: &dyn Fn(&Said, &Built) -> bool) -> Report {
    let mut story = story(1);
    story.vault.lawless = true;
    lie(&mut story);
    let bundle = exported(&mut story, &Options { omit: Some(omit), ..Options::default() });
    let entries = story.vault.entries();
    bundle.verify_with(&pinned(&bundle), audited.then_some(&entries), &[])
}

fn flip(bundle: &mut Exported, path: &str, find: &str) {
    let bytes = bundle.files.get_mut(path).unwrap();
    let at = bytes.windows(find.len()).position(|window| window == find.as_bytes()).unwrap() + find.len() + 7;
    bytes[at] = if bytes[at] == b'B' { b'C' } else { b'B' };
}

fn edit_line(bundle: &mut Exported, path: &str, edit: impl FnOnce(&mut Vec<String>)) {
    let mut lines = bundle.lines(path);
    edit(&mut lines);
    bundle.set_lines(path, &lines);
}

/// The line of the first record of a kind.
fn line_of(bundle: &Exported, kind: Kind) -> usize {
    let is = |line: &RecordLine| custody::record::Record::parse(&line.record).unwrap().kind == kind;
    bundle.record_lines().iter().position(is).unwrap()
}

fn exhibit(bundle: &Exported) -> String {
    bundle.path("data/exhibits/E-0001/")
}

pub(crate) fn add_reader(story: &mut Story) -> support::Person {
    let reader = story.vault.enrol(&story.admin.clone(), story.org, "Yaw Reader", None);
    story.vault.add_member(&story.lead.clone(), story.case, &reader, CaseRole::Reader);
    reader
}

pub(crate) fn revoke(story: &mut Story, person: &support::Person, suspect_from: Option<u64>) {
    let key = Digest::of(person.key.verifying_key().as_bytes());
    let mut d = draft(Kind::KeyRevoked, KeyRevoked { key, suspect_from }.to_data());
    d.person = Some(person.id);
    story.vault.say(By::Own(&story.admin.clone()), d);
}

fn suspend(story: &mut Story, person: &support::Person, suspect_from: Option<u64>) {
    let mut d = draft(Kind::PersonSuspended, PersonSuspended { suspect_from }.to_data());
    d.person = Some(person.id);
    story.vault.say(By::Own(&story.admin.clone()), d);
}

fn person_stream(person: PersonId) -> impl Fn(&Said, &Built) -> bool {
    move |_, built| built.record.own.is_some_and(|link| link.sequence == Sequence::Person(person))
}

/// Forgets the last record of every sequence of an item, as if it had never been.
fn with_old_heads<T>(story: &mut Story, act: impl Fn(&mut Story) -> T) {
    let heads = story.vault.heads.clone();
    act(story);
    story.vault.heads = heads;
    act(story);
}

pub(crate) fn view_by_lead(story: &mut Story) -> Digest {
    let (lead, case, item) = (story.lead.clone(), story.case, story.items[2]);
    story.vault.view(By::Own(&lead), case, item)
}

fn witness(seconds_after: i64) -> Report {
    let mut story = story(1);
    let bundle = exported(&mut story, &Options::default());
    let key = SigningKey::from_bytes(&[77; 32]);
    let name = KeyName::new("witness.example/w1").unwrap();
    let vkey = VerifierKey::new(name.clone(), SignatureType::Cosignature, key.verifying_key()).unwrap();
    let mut note = story.vault.checkpoint();
    let checkpoint = Checkpoint::open(&note, &story.vault.log_vkey()).unwrap();
    let seconds = u64::try_from(story.vault.now / 1_000 + seconds_after).unwrap();
    note.add(checkpoint.cosign(name, &key, seconds).unwrap()).unwrap();
    let mut bundle = bundle;
    bundle.files.insert(layout::CHECKPOINT.to_owned(), note.to_string().into_bytes());
    bundle.reseal();
    let policy = format!("log {}\nwitness w1 {vkey}\nquorum w1\n", story.vault.log_vkey());
    let trust = Trust { policy: Some(Policy::parse(policy.as_bytes()).unwrap()), ..Trust::default() };
    bundle.verify_with(&trust, Some(&story.vault.entries()), &[])
}

fn other_vault(pin: bool) -> Report {
    let (honest, mut other) = (honest(), story(2));
    let bundle = exported(&mut other, &Options::default());
    let trust = if pin { pinned(&honest) } else { Trust::default() };
    bundle.verify_with(&trust, None, &[])
}

/// The vault keeps a copy of its past, cuts its end off, and goes on from there with its own keys.
fn history_rewritten(audited: bool) -> Report {
    let mut real = story(1);
    let past = real.vault.clone();
    view_by_lead(&mut real);
    exported(&mut real, &Options::default());
    let mut lying = Story { vault: past, items: real.items.clone(), lead: real.lead.clone(), ..story(1) };
    let bundle = exported(&mut lying, &Options::default());
    bundle.verify_with(&pinned(&bundle), audited.then_some(&real.vault.entries()), &[])
}

fn receipt_kept(forked: bool) -> Report {
    let mut real = story(1);
    let mut lying =
        Story { vault: real.vault.clone(), items: real.items.clone(), lead: real.lead.clone(), ..story(1) };
    let index = real.vault.size();
    view_by_lead(&mut real);
    let receipt = real.vault.receipt(index);
    if forked {
        let (lead, case) = (lying.lead.clone(), lying.case);
        lying.vault.now += 7;
        lying.vault.view(By::Own(&lead), case, lying.items[0]);
        let bundle = exported(&mut lying, &Options::default());
        return bundle.verify_with(&pinned(&bundle), None, &[receipt]);
    }
    let is_view = |said: &Said, _: &Built| said.records.iter().any(|built| built.record.log_index == index);
    let bundle = exported(&mut real, &Options { omit: Some(&is_view), ..Options::default() });
    bundle.verify_with(&pinned(&bundle), None, &[receipt])
}

pub(crate) type Row = (&'static str, fn() -> Report);

#[rustfmt::skip]
pub(crate) const ROWS: &[Row] = &[
    ("untouched", || naive(|_| ())),
    ("exhibit-bit", || naive(|b| { let p = exhibit(b); b.files.get_mut(&p).unwrap()[3] ^= 1; })),
    ("record-bit", || naive(|b| b.edit_record(20, |line| {
        let text = String::from_utf8(line.record.clone()).unwrap().replace(".000Z", ".001Z");
        line.record = text.into_bytes();
    }))),
    ("record-zero-bit", || naive(|b| flip(b, layout::RECORDS, "\"record\":\""))),
    ("envelope-bit", || naive(|b| flip(b, layout::RECORDS, "\"envelope\":\""))),
    ("proof-bit", || naive(|b| flip(b, layout::PROOFS, "\"path\":[\""))),
    ("checkpoint-bit", || naive(|b| flip(b, layout::CHECKPOINT, "\u{2014} "))),
    ("opening-bit", || naive(|b| flip(b, layout::OPENINGS, "\"value\":\""))),
    ("bundle-json-bit", || naive(|b| flip(b, layout::BUNDLE, "\"sig\":\""))),
    ("signature-bit", || naive(|b| b.files.get_mut(layout::TAG_MANIFEST_SIG).unwrap()[9] ^= 1)),
    ("list-bit", || naive(|b| b.files.get_mut(layout::MANIFEST).unwrap()[0] ^= 1)),
    ("record-deleted", || naive(|b| edit_line(b, layout::RECORDS, |l| drop(l.remove(20))))),
    ("records-swapped", || naive(|b| edit_line(b, layout::RECORDS, |l| l.swap(20, 21)))),
    ("file-added", || naive(|b| drop(b.files.insert("data/new.txt".to_owned(), b"new".to_vec())))),
    ("file-deleted", || naive(|b| { let p = exhibit(b); b.files.remove(&p); })),
    ("fetch", || naive(|b| drop(b.files.insert("fetch.txt".to_owned(), b"http://a 1 data/a\n".to_vec())))),

    ("exhibit-replaced", || resealed(|b| { let p = exhibit(b); b.files.insert(p, b"another".to_vec()); })),
    ("exhibit-renamed", || resealed(|b| {
        let p = exhibit(b);
        let bytes = b.files.remove(&p).unwrap();
        b.files.insert("data/exhibits/E-0001/other.jpg".to_owned(), bytes);
    })),
    ("exhibit-withdrawn", || resealed(|b| { let p = exhibit(b); b.files.remove(&p); })),
    ("payload-added", || resealed(|b| drop(b.files.insert("data/exhibits/E-0009/x".to_owned(), b"x".to_vec())))),
    ("document-added", || resealed(|b| drop(b.files.insert("certificate.txt".to_owned(), b"true".to_vec())))),
    ("object-manifest-replaced", || resealed(|b| {
        let paths: Vec<_> = b.files.keys().filter(|p| p.starts_with("data/manifests/")).cloned().collect();
        let other = b.files[&paths[1]].clone();
        b.files.insert(paths[0].clone(), other);
    })),
    ("object-manifest-deleted", || resealed(|b| { let p = b.path("data/manifests/"); b.files.remove(&p); })),
    ("record-edited", || resealed(|b| b.edit_record(20, |line| {
        let text = String::from_utf8(line.record.clone()).unwrap().replace("\"received\":\"2026", "\"received\":\"2025");
        line.record = text.into_bytes();
    }))),
    ("record-malformed", || resealed(|b| b.edit_record(20, |line| line.record[0] = b'['))),
    ("line-malformed", || resealed(|b| edit_line(b, layout::RECORDS, |l| l[20].insert(1, ' ')))),
    ("entry-edited", || resealed(|b| b.edit_record(20, |line| line.entry.tag = Digest::ZERO))),
    ("salt-edited", || resealed(|b| b.edit_record(20, |line| line.salt = Digest::ZERO))),
    ("envelope-replaced", || resealed(|b| {
        let other = b.record_lines()[19].envelope.clone();
        b.edit_record(20, |line| line.envelope = other);
    })),
    ("envelope-withheld", || resealed(|b| {
        let at = line_of(b, Kind::TransferOffered);
        b.edit_record(at, |line| line.envelope = EnvelopeMember::Withheld);
    })),
    ("successor-hidden", || resealed(|b| {
        let at = b.record_lines().len() - 1;
        b.edit_record(at, |line| line.case = None);
    })),
    ("successor-replaced", || resealed(|b| {
        let at = b.record_lines().len() - 1;
        b.edit_record(at, |line| line.case.as_mut().unwrap().t = Digest::ZERO);
    })),
    ("proof-replaced", || resealed(|b| edit_line(b, layout::PROOFS, |lines| {
        let mut proof = ProofLine::parse(lines[0].as_bytes()).unwrap();
        proof.path[0] = Digest::ZERO;
        lines[0] = String::from_utf8(proof.emit()).unwrap().trim_end().to_owned();
    }))),
    ("proof-deleted", || resealed(|b| edit_line(b, layout::PROOFS, |lines| drop(lines.pop())))),
    ("record-deleted-resealed", || resealed(|b| {
        edit_line(b, layout::RECORDS, |lines| drop(lines.remove(20)));
        edit_line(b, layout::PROOFS, |lines| drop(lines.remove(20)));
    })),
    ("last-record-deleted", || resealed(|b| {
        edit_line(b, layout::RECORDS, |lines| drop(lines.pop()));
        edit_line(b, layout::PROOFS, |lines| drop(lines.pop()));
    })),
    ("records-swapped-resealed", || resealed(|b| {
        edit_line(b, layout::RECORDS, |lines| lines.swap(20, 21));
        edit_line(b, layout::PROOFS, |lines| lines.swap(20, 21));
    })),
    ("record-doubled", || resealed(|b| {
        edit_line(b, layout::RECORDS, |lines| lines.insert(20, lines[20].clone()));
        edit_line(b, layout::PROOFS, |lines| lines.insert(20, lines[20].clone()));
    })),
    ("opening-false", || resealed(|b| edit_line(b, layout::OPENINGS, |lines| {
        let mut opening = OpeningLine::parse(lines[0].as_bytes()).unwrap();
        opening.value.push('x');
        lines[0] = String::from_utf8(opening.emit()).unwrap().trim_end().to_owned();
    }))),
    ("opening-strange", || resealed(|b| edit_line(b, layout::OPENINGS, |lines| lines.push(lines[0].clone())))),
    ("timeline-tells-otherwise", || resealed(|b| edit_line(b, layout::TIMELINE, |lines| drop(lines.pop())))),
    ("hash-report-tells-otherwise", || resealed(|b| edit_line(b, layout::HASH_REPORT, |lines| drop(lines.pop())))),
    ("instructions-replaced", || resealed(|b| drop(b.files.insert("verify.sh".to_owned(), b"echo verified\n".to_vec())))),
    ("key-file-replaced", || resealed(|b| {
        let pem = custody::bundle::documents::public_key_pem(&[9; 32]);
        b.files.insert(layout::LOG_PEM.to_owned(), pem.into_bytes());
    })),
    ("stream-uncounted", || resealed(|b| { b.manifest.streams.pop(); })),
    ("count-raised", || resealed(|b| b.manifest.streams[0].count += 1)),
    ("exporter-renamed", || resealed(|b| b.manifest.exporter = custody::statement::Actor::System)),
    ("checkpoint-of-another-tree", || resealed(|b| {
        let other = Checkpoint::new(Origin::new(ORIGIN).unwrap(), b.vault.size(), Digest::of(b"x")).unwrap();
        let note = other.sign(&b.vault.log_key).unwrap();
        b.files.insert(layout::CHECKPOINT.to_owned(), note.to_string().into_bytes());
    })),
    ("checkpoint-by-another-key", || resealed(|b| {
        let key = SigningKey::from_bytes(&[66; 32]);
        let other = Checkpoint::new(Origin::new(ORIGIN).unwrap(), b.vault.size(), Digest::of(b"x")).unwrap();
        b.files.insert(layout::CHECKPOINT.to_owned(), other.sign(&key).unwrap().to_string().into_bytes());
    })),
    ("sealed-by-another-key", || naive(|b| {
        b.vault.key = SigningKey::from_bytes(&[66; 32]);
        b.reseal();
    })),

    ("twin-stream", || lying(|s| {
        s.vault.heads.remove(&Sequence::Item(s.items[0]));
        view_by_lead(s);
        let (lead, case, item) = (s.lead.clone(), s.case, s.items[0]);
        s.vault.view(By::Own(&lead), case, item);
    })),
    ("forked-record", || lying(|s| with_old_heads(s, view_by_lead))),
    ("forked-record-hidden", || {
        let from = story(1).vault.size();
        omitting(true, |s| with_old_heads(s, view_by_lead), &|_, built| (from..from + 2).contains(&built.record.log_index))
    }),
    ("forked-record-hidden-unaudited", || {
        let from = story(1).vault.size();
        omitting(false, |s| with_old_heads(s, view_by_lead), &|_, built| (from..from + 2).contains(&built.record.log_index))
    }),
    ("tail-cut", || {
        omitting(true, |s| { let c = s.custodian.clone(); revoke(s, &c, None); }, &|said, _| said.statement.kind == Kind::KeyRevoked)
    }),
    ("tail-cut-unaudited", || {
        omitting(false, |s| { let c = s.custodian.clone(); revoke(s, &c, None); }, &|said, _| said.statement.kind == Kind::KeyRevoked)
    }),
    ("history-rewritten", || history_rewritten(true)),
    ("history-rewritten-unaudited", || history_rewritten(false)),
    ("person-left-out", || { let s = story(1); omitting(true, |_| (), &person_stream(s.custodian.id)) }),
    ("foreign-case-included", || {
        let mut s = story(1);
        let other = *s.vault.state.cases.keys().find(|case| **case != s.case).unwrap();
        let mut bundle = exported(&mut s, &Options::default());
        let (_, built) = s.vault.records().find(|(said, _)| said.statement.case == Some(other)).unwrap();
        let at = bundle.record_lines().iter().position(|line| line.index > built.record.log_index).unwrap();
        let said = s.vault.said.iter().find(|said| said.statement.case == Some(other)).unwrap();
        let line = RecordLine {
            index: built.record.log_index,
            record: built.bytes.clone(),
            envelope: EnvelopeMember::Here(said.envelope.clone()),
            salt: built.salt,
            entry: built.entry,
            own: None,
            case: Some(built.heads[0].1.next),
        };
        edit_line(&mut bundle, layout::RECORDS, |lines| {
            lines.insert(at, String::from_utf8(line.emit()).unwrap().trim_end().to_owned());
        });
        bundle.reproof(&s.vault);
        bundle.reseal();
        bundle.audit(&s.vault)
    }),
    ("rule-stranger-reads", || lying(|s| {
        let stranger = s.vault.enrol(&s.admin.clone(), s.org, "Ama Stranger", None);
        let (case, item) = (s.case, s.items[0]);
        s.vault.view(By::Own(&stranger), case, item);
    })),
    ("rule-not-custodian-offers", || lying(|s| {
        let (lead, custodian, case, item) = (s.lead.clone(), s.custodian.clone(), s.case, s.items[0]);
        s.vault.offer(&lead, &custodian, case, &[item]);
    })),
    ("rule-accepted-without-offer", || lying(|s| {
        let (custodian, case, item) = (s.custodian.clone(), s.case, s.items[2]);
        s.vault.answer(&custodian, case, &[item], Kind::TransferAccepted);
    })),
    ("rule-accepted-too-late", || lying(|s| {
        let (lead, custodian, case, item) = (s.lead.clone(), s.custodian.clone(), s.case, s.items[2]);
        let expires = Timestamp::from_millis(s.vault.now + 60_000).unwrap();
        s.vault.offer_until(&lead, &custodian, case, &[item], Some(expires));
        s.vault.now += 3_600_000;
        s.vault.answer(&custodian, case, &[item], Kind::TransferAccepted);
    })),
    ("rule-suspended-person-reads", || lying(|s| {
        let (custodian, case, item) = (s.custodian.clone(), s.case, s.items[0]);
        suspend(s, &custodian, None);
        s.vault.view(By::Own(&custodian), case, item);
    })),
    ("rule-reader-exports", || {
        let mut s = story(1);
        s.vault.lawless = true;
        let reader = add_reader(&mut s);
        let bundle = export(&mut s.vault, By::Own(&reader), s.case, &Options::default());
        bundle.audit(&s.vault)
    }),
    ("rule-stale-decision", || lying(|s| {
        let (custodian, case, item) = (s.custodian.clone(), s.case, s.items[0]);
        let mut d = draft(Kind::ItemClassified, ItemClassified { class: Class::Confidential, sealing: None }.to_data());
        (d.case, d.item) = (Some(case), Some(item));
        d.seen = Some(Seen::Record(Digest::ZERO));
        s.vault.say(By::Own(&custodian), d);
    })),
    ("rule-administrator-opens-case", || lying(|s| {
        let (admin, case) = (s.admin.clone(), s.case);
        s.vault.add_member(&admin, case, &admin, CaseRole::Lead);
    })),
    ("rule-content-twice", || lying(|s| {
        let (case, item) = (s.case, s.items[0]);
        s.vault.receive(case, item, b"a photograph");
    })),
    ("signature-of-another", || lying(|s| {
        let (lead, other, case, item) = (s.lead.clone(), s.custodian.key.clone(), s.case, s.items[0]);
        s.vault.view(By::Forged(&lead, &other), case, item);
    })),
    ("key-nobody-vouched-for", || lying(|s| {
        let (mut lead, case, item) = (s.lead.clone(), s.case, s.items[0]);
        lead.key = SigningKey::from_bytes(&[67; 32]);
        s.vault.view(By::Own(&lead), case, item);
    })),
    ("key-revoked", || lying(|s| {
        let (custodian, case, item) = (s.custodian.clone(), s.case, s.items[0]);
        revoke(s, &custodian, None);
        s.vault.view(By::Own(&custodian), case, item);
    })),
    ("act-recorded-twice", || lying(|s| {
        let (case, item, lead) = (s.case, s.items[2], s.lead.clone());
        let expires = custody::time::Timestamp::from_millis(s.vault.now + 60_000).unwrap();
        for _ in 0..2 {
            let mut d = draft(Kind::AccessGranted, AccessGranted { expires, with: None }.to_data());
            (d.case, d.item, d.purpose) = (Some(case), Some(item), Some("review"));
            d.op_id = Some(custody::id::OpId::new([5; 16]));
            s.vault.say(By::Own(&lead), d);
        }
    })),
    ("clock-turned-back", || lying(|s| { s.vault.now -= 3_600_000; view_by_lead(s); })),
    ("clock-turned-back-openly", || lying(|s| {
        s.vault.say(By::Vault, draft(Kind::ClockFault, ClockFault { drift_ms: -3_600_000 }.to_data()));
        s.vault.now -= 3_600_000;
        view_by_lead(s);
    })),
    ("record-of-another-kind", || lying(|s| {
        let (lead, case, item) = (s.lead.clone(), s.case, s.items[2]);
        s.vault.view(By::Own(&lead), case, item);
        let said = s.vault.said.last_mut().unwrap();
        said.records[0] = support::rebuilt(&said.records[0], Kind::FixityPassed);
        let hash = said.records[0].hash;
        for sequence in [Sequence::Item(item), Sequence::Case(case)] {
            s.vault.heads.get_mut(&sequence).unwrap().record = hash;
        }
    })),
    ("witnessed-too-early", || witness(-7_200)),
    ("witnessed", || witness(5)),
    ("receipt-not-covered", || receipt_kept(false)),
    ("tail-cut-with-receipt", || {
        let mut s = story(1);
        let custodian = s.custodian.clone();
        revoke(&mut s, &custodian, None);
        let receipt = s.vault.receipt(s.vault.size() - 1);
        let cut = |said: &Said, _: &Built| said.statement.kind == Kind::KeyRevoked;
        let bundle = exported(&mut s, &Options { omit: Some(&cut), ..Options::default() });
        bundle.verify_with(&pinned(&bundle), None, &[receipt])
    }),
    ("receipt-of-another-history", || receipt_kept(true)),
    ("another-vault-unpinned", || other_vault(false)),
    ("another-vault-pinned", || other_vault(true)),

    ("key-suspect", || lying(|s| { let c = s.custodian.clone(); revoke(s, &c, Some(3)); })),
    ("person-suspect", || lying(|s| { let c = s.custodian.clone(); suspend(s, &c, Some(3)); })),
    ("key-unproven", || lying(|s| {
        let (admin, mut lead) = (s.admin.clone(), s.lead.clone());
        lead.key = support::make_key([68; 32]);
        let d = enrolled(&lead, &lead.key, KeyCheck::None);
        s.vault.say(By::Own(&admin), d);
        let (case, item) = (s.case, s.items[0]);
        s.vault.view(By::Own(&lead), case, item);
    })),
    ("digest-by-the-person-alone", || lying(|s| {
        let item = custody::id::ItemId::new(s.vault.uuid());
        let mut d = draft(Kind::ItemRegistered, ItemRegistered { class: Class::HashOnly, route: "cli".parse().unwrap(), sealing: None, sealed_by: None }.to_data());
        (d.case, d.item) = (Some(s.case), Some(item));
        d.content = Some(Content { alg: DigestAlg::Sha256, checked_by: CheckedBy::Oneself, digest: Digest::ZERO, size: 9 });
        let lead = s.lead.clone();
        s.vault.say(By::Own(&lead), d);
    })),
    ("content-and-views-kept-back", || {
        let mut s = story(1);
        let options = Options {
            withhold: vec![Kind::AccessGranted], hide_fields: true, hide_contents: vec![s.items[0]], ..Options::default()
        };
        let bundle = exported(&mut s, &options);
        bundle.audit(&s.vault)
    }),
    ("history-goes-on", || {
        let mut s = story(1);
        let bundle = exported(&mut s, &Options::default());
        view_by_lead(&mut s);
        let receipt = s.vault.receipt(s.vault.size() - 1);
        bundle.verify_with(&pinned(&bundle), Some(&s.vault.entries()), &[receipt])
    }),
    ("entries-too-few", || {
        let mut s = story(1);
        let bundle = exported(&mut s, &Options::default());
        bundle.verify_with(&pinned(&bundle), Some(&s.vault.entries()[..9]), &[])
    }),
];
