//! Honest bundles verify, and only say what they must.

#![cfg(test)]

mod support;

use custody::act::{CaseType, CaseUpdated};
use custody::bundle::findings::Code;
use custody::bundle::{Report, Trust};
use custody::json::Object;
use custody::kind::Kind;
use custody::policy::Policy;
use support::bundle::{Exported, Options, export};
use support::{By, draft, story};

fn codes(report: &Report) -> Vec<&'static str> {
    report.findings.iter().map(|finding| finding.code.name()).collect()
}

fn honest() -> Exported {
    let mut story = story(1);
    let lead = story.lead.clone();
    export(&mut story.vault, By::Own(&lead), story.case, &Options::default())
}

#[test]
fn an_honest_bundle_is_incomplete_only_for_what_was_not_given() {
    let bundle = honest();
    let report = bundle.verify();
    assert_eq!(
        codes(&report),
        ["not-pinned", "not-audited", "not-witnessed", "not-timestamped", "on-behalf"],
        "{}",
        report.to_text()
    );
    assert_eq!(report.exit_code, 4);
    let report = bundle.audit(&bundle.vault);
    assert_eq!(codes(&report), ["not-witnessed", "not-timestamped", "on-behalf"], "{}", report.to_text());
    assert_eq!((report.facts.exhibits, report.facts.exhibits_matched), (3, 3));
    assert!(report.to_text().contains("Kofi Mensah"));
}

#[test]
fn a_trust_file_that_lists_the_log_pins_the_vault() {
    let bundle = honest();
    let policy = Policy::parse(&bundle.files["trust/policy"]).unwrap();
    let report = bundle.verify_with(&Trust { policy: Some(policy), ..Trust::default() }, None, &[]);
    assert!(!report.has(Code::NotPinned) && !report.has(Code::UnknownSigner), "{}", report.to_text());
}

#[test]
fn what_is_kept_back_is_named() {
    let mut story = story(2);
    let lead = story.lead.clone();
    let options = Options {
        withhold: vec![Kind::AccessGranted],
        hide_fields: true,
        hide_contents: vec![story.items[0]],
        ..Options::default()
    };
    let bundle = export(&mut story.vault, By::Own(&lead), story.case, &options);
    let report = bundle.audit(&story.vault);
    let expected = ["not-witnessed", "not-timestamped", "not-disclosed", "on-behalf", "field-withheld"];
    assert_eq!(codes(&report), expected, "{}", report.to_text());
    assert!(bundle.files.contains_key("data/exhibits/E-0002/content.bin"));
}

#[test]
fn receipts_are_covered_or_newer() {
    let mut story = story(3);
    let (lead, case) = (story.lead.clone(), story.case);
    let bundle = export(&mut story.vault, By::Own(&lead), case, &Options::default());
    story.vault.put(By::Own(&lead), case, "late.txt", b"late");
    let size = story.vault.size();
    let receipts: Vec<_> = (0..size).map(|index| story.vault.receipt(index)).collect();
    let trust = Trust { fingerprint: Some(story.vault.id()), ..Trust::default() };
    let report = bundle.verify_with(&trust, Some(&story.vault.entries()), &receipts);
    let expected = ["not-witnessed", "not-timestamped", "on-behalf", "continued", "receipt-newer"];
    assert_eq!(codes(&report), expected, "{}", report.to_text());
    assert_eq!(report.facts.receipts, bundle.record_lines().len() as u64);
}

#[test]
fn the_report_says_what_the_case_is_as_it_was_said_last() {
    let mut story = story(3);
    let (lead, case) = (story.lead.clone(), story.case);
    let mut said = |kind, data, fields: &[(&'static str, &str)]| {
        let mut d = draft(kind, data);
        d.case = Some(case);
        d.fields.extend(fields.iter().map(|(name, value)| (*name, (*value).to_owned())));
        story.vault.say(By::Own(&lead), d);
    };
    let update = |case_type, jurisdiction| CaseUpdated { case_type, jurisdiction }.to_data();
    let first = update(Some(CaseType::Trafficking), None);
    said(Kind::CaseUpdated, first, &[("ref-fir", "12/2026"), ("ref-gd", "7"), ("title", "Site 5")]);
    said(Kind::CaseUpdated, update(None, Some("bj".parse().unwrap())), &[("ref-fir", "13/2026")]);
    said(Kind::CaseClosed, Object::new(), &[]);
    said(Kind::CaseReopened, Object::new(), &[]);
    said(Kind::CaseClosed, Object::new(), &[]);
    let bundle = export(&mut story.vault, By::Own(&lead), case, &Options::default());
    let report = bundle.audit(&story.vault);
    assert_eq!(codes(&report), ["not-witnessed", "not-timestamped", "on-behalf"], "{}", report.to_text());
    let text = report.to_text();
    for line in [
        "Case is         trafficking, bj, closed",
        "Title           Site 5",
        "Reference       fir: 13/2026",
        "Reference       gd: 7",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    let hidden = Options { hide_fields: true, ..Options::default() };
    let hidden = export(&mut story.vault, By::Own(&lead), case, &hidden).audit(&story.vault).to_text();
    assert!(hidden.contains("trafficking, bj, closed") && !hidden.contains("13/2026"), "{hidden}");
}
