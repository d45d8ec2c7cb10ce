//! Random changes, and none.

use std::collections::BTreeMap;

use custody::bundle::findings::{Code, Gravity};
use custody::kind::Kind;

use crate::support::bundle::{Options, export};
use crate::support::{self, By};
use crate::{honest, pinned};

/// One random change of the tree; nobody signs it again.
fn mutate(files: &mut BTreeMap<String, Vec<u8>>, random: &mut impl FnMut(usize) -> usize) -> String {
    let names: Vec<_> = files.keys().cloned().collect();
    let name = names[random(names.len())].clone();
    let bytes = files[&name].clone();
    let mut lines: Vec<_> = bytes.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    let (kind, at) = (random(10), random(bytes.len().max(1)));
    let line = random(lines.len().max(1));
    let mut changed = bytes.clone();
    match kind {
        0 | 1 if !bytes.is_empty() => changed[at] ^= 1 << random(8),
        2 => changed.truncate(at),
        3 => changed.insert(at, u8::try_from(random(256)).unwrap()),
        4 if !lines.is_empty() => {
            lines.remove(line);
            changed = lines.concat();
        }
        5 if !lines.is_empty() => {
            lines.insert(line, lines[line].clone());
            changed = lines.concat();
        }
        6 if lines.len() > 1 => {
            let other = random(lines.len());
            lines.swap(line, other);
            changed = lines.concat();
        }
        7 => drop(files.remove(&name)),
        8 => drop(files.insert(format!("{name}.{}", random(100)), bytes.clone())),
        _ => {
            let other = names[random(names.len())].clone();
            changed.clone_from(&files[&other]);
        }
    }
    if kind != 7 {
        files.insert(name.clone(), changed);
    } else if random(2) == 0 {
        files.insert(format!("data/{}", random(1_000)), bytes);
    }
    format!("{kind} in {name} at {at}, line {line}")
}

#[test]
fn a_thousand_random_mutations_are_all_found() {
    let bundle = honest();
    let trust = pinned(&bundle);
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from((state >> 33) % below as u64).unwrap()
    };
    let mut found = 0;
    while found < 1_000 {
        let mut mutated = bundle.clone();
        let what = mutate(&mut mutated.files, &mut random);
        if mutated.files == bundle.files {
            continue;
        }
        let report = mutated.verify_with(&trust, None, &[]);
        assert_eq!(report.exit_code, 3, "{what}: {}", report.to_text());
        found += 1;
    }
}

#[test]
fn forged_signatures_all_over_a_long_history_are_found_in_its_order() {
    let mut story = support::story(1);
    let (lead, other, case) = (story.lead.clone(), story.custodian.clone(), story.case);
    let mut forged = Vec::new();
    for n in 0..150_u64 {
        let by = if n % 5 == 0 {
            forged.push(story.vault.size());
            By::Forged(&lead, &other.key)
        } else {
            By::Own(&lead)
        };
        story.vault.view(by, case, story.items[0]);
    }
    let bundle = export(&mut story.vault, By::Own(&lead), case, &Options::default());
    let report = bundle.audit(&story.vault);
    let found = report.findings.iter().find(|finding| finding.code == Code::BadSignature).unwrap();
    assert_eq!(found.count, forged.len() as u64);
    let places: Vec<_> = found.places.iter().filter_map(|place| place.index).collect();
    assert_eq!(places, forged[..places.len()]);
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(100))]
    #[test]
    fn an_untouched_bundle_is_never_doubted(
        seed in 1_u8..120,
        exhibits in proptest::collection::vec(("[a-zA-Z0-9 ./:\u{e9}\u{202e}]{1,12}", proptest::collection::vec(0_u8.., 0..300)), 1..5),
        views in 0_usize..4,
        hide_fields in proptest::prelude::any::<bool>(),
        withhold in proptest::prelude::any::<bool>(),
        goes_on in proptest::prelude::any::<bool>(),
    ) {
        let exhibits: Vec<_> = exhibits.iter().map(|(name, bytes)| (name.as_str(), &bytes[..])).collect();
        let mut story = support::story_with(seed, &exhibits);
        let (lead, case) = (story.lead.clone(), story.case);
        for n in 0..views {
            story.vault.view(By::OnBehalf(lead.id), case, story.items[n % story.items.len()]);
        }
        let options = Options {
            hide_fields,
            withhold: if withhold { vec![Kind::AccessGranted] } else { Vec::new() },
            ..Options::default()
        };
        let bundle = export(&mut story.vault, By::Own(&lead), case, &options);
        if goes_on {
            story.vault.put(By::Own(&lead), case, "later", b"later");
        }
        let report = bundle.audit(&story.vault);
        let grave = report.findings.iter().any(|finding| finding.code.gravity() == Gravity::Failed);
        proptest::prop_assert!(!grave, "{}", report.to_text());
        proptest::prop_assert!(!report.has(Code::NotPinned) && !report.has(Code::NotAudited));
    }
}
