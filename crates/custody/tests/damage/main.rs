//! Every kind of damage and every lie of `docs/DAMAGE.md`, row by row: the findings are exactly the listed ones; and
//! any random change of a bundle is found, and none is found in an untouched one.
#![cfg(test)]

mod by_sender;
mod carriage;
mod derived;
mod life;
mod log_keys;
mod produced;
mod random;
mod recoveries;
mod rights;
mod rows;
mod sealed;
mod stamps;
#[path = "../support/mod.rs"]
mod support;

use std::collections::{BTreeMap, BTreeSet};

use by_sender::BY_SENDER;
use carriage::CARRIAGE;
use custody::bundle::findings::{Code, Gravity};
use custody::bundle::{Report, Trust};
use derived::DERIVED;
use life::LIFE;
use log_keys::LOG_KEYS;
use produced::PRODUCED;
use recoveries::RECOVERIES;
use rights::RIGHTS;
use rows::ROWS;
use sealed::SEALED;
use stamps::STAMPS;
use support::bundle::{Exported, Options, export};
use support::{By, Story, authority, story};

/// All rows of the table.
fn rows() -> impl Iterator<Item = &'static rows::Row> {
    let more = LIFE.iter().chain(DERIVED).chain(PRODUCED).chain(SEALED).chain(BY_SENDER).chain(CARRIAGE);
    ROWS.iter().chain(STAMPS).chain(RECOVERIES).chain(LOG_KEYS).chain(RIGHTS).chain(more)
}

fn honest() -> Exported {
    exported(&mut story(1), &Options::default())
}

fn exported(story: &mut Story, options: &Options<'_>) -> Exported {
    let lead = story.lead.clone();
    export(&mut story.vault, By::Own(&lead), story.case, options)
}

fn pinned(bundle: &Exported) -> Trust {
    Trust { fingerprint: Some(bundle.vault.id()), timestamps: Some(authority::trusted()), ..Trust::default() }
}

/// What every bundle of the kit says, whatever is done to it: nobody witnessed it, one item came by a signed-in person.
fn always(report: &Report, code: Code) -> bool {
    let facts = &report.facts;
    let unstamped = facts.timestamps.is_empty() && facts.unknown_timestamps == 0;
    let usual = matches!(code, Code::NotWitnessed | Code::OnBehalf);
    usual
        || (code == Code::NotTimestamped && unstamped)
        || (code == Code::FieldWithheld && report.exit_code == 3)
}

fn table() -> BTreeMap<String, BTreeSet<String>> {
    let page = include_str!("../../../../docs/DAMAGE.md");
    let rows = page.lines().filter_map(|line| {
        let cells: Vec<_> = line.strip_prefix("| `")?.split(" | ").collect();
        let [key, _, findings] = &cells[..] else { return None };
        let findings = findings.split('`').skip(1).step_by(2).map(ToOwned::to_owned).collect();
        Some((key.trim_end_matches('`').to_owned(), findings))
    });
    rows.collect()
}

#[test]
fn every_kind_of_damage_has_exactly_the_findings_of_the_table() {
    let (table, mut wrong) = (table(), Vec::new());
    for (key, make) in rows() {
        let report = make();
        let found: BTreeSet<_> = report
            .findings
            .iter()
            .filter(|f| !always(&report, f.code))
            .map(|f| f.code.name().to_owned())
            .collect();
        if table.get(*key) != Some(&found) {
            let places: Vec<_> = report
                .findings
                .iter()
                .filter(|f| f.code.gravity() == Gravity::Failed)
                .flat_map(|f| {
                    f.places
                        .iter()
                        .take(3)
                        .map(move |p| format!("\n      {}: {} {:?} {}", f.code, p.path, p.index, p.detail))
                })
                .collect();
            wrong.push(format!("{key}: {found:?}, the table says {:?}{}", table.get(*key), places.concat()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_table_has_no_row_without_a_test_and_every_finding_a_row() {
    let keys: BTreeSet<_> = rows().map(|(key, _)| (*key).to_owned()).collect();
    let table = table();
    assert_eq!(keys, table.keys().cloned().collect());
    let hit: BTreeSet<_> = table.values().flatten().map(String::as_str).collect();
    // Both are said of every bundle of the kit.
    let elsewhere = [Code::NotWitnessed, Code::OnBehalf];
    for code in Code::ALL.iter().filter(|code| !elsewhere.contains(code)) {
        assert!(hit.contains(code.name()), "no row shows {code}");
    }
}
