//! Receipts for what goes on after a restore that lost published records.
#![cfg(test)]

mod support;

use custody::act::*;
use custody::kind::Kind;
use custody::receipt::{Checked, Receipt, ReceiptError};
use custody::record::Sequence;
use custody::statement::StatementError;
use support::{By, Story, Vault, draft, story};

/// A vault that lost something of every sequence of an item, and has gone on; the receipt of what it lost.
fn recovered() -> (Story, Receipt) {
    let mut story = story(1);
    let lost = lose(&mut story);
    view(&mut story);
    (story, lost)
}

fn lose(story: &mut Story) -> Receipt {
    let old = story.vault.clone();
    view(story);
    let newer = std::mem::replace(&mut story.vault, old);
    story.vault.recover(&newer);
    newer.receipt(newer.size() - 2)
}

fn view(story: &mut Story) {
    let (lead, case, item) = (story.lead.clone(), story.case, story.items[2]);
    story.vault.view(By::Own(&lead), case, item);
}

/// The receipt of the first record after the newest recovery.
fn first_after(vault: &Vault) -> Receipt {
    vault.receipt(vault.lost.gaps.last().unwrap().to + 1)
}

fn check(vault: &Vault, receipt: &Receipt) -> Result<Checked, ReceiptError> {
    receipt.check(&vault.id(), &vault.log_vkey())
}

#[test]
fn a_receipt_brings_the_recovery_after_which_its_record_goes_on() {
    let (story, lost) = recovered();
    let vault = &story.vault;
    let receipt = first_after(vault);
    assert_eq!(receipt.recoveries.len(), 1, "one for both sequences");
    assert_eq!(Receipt::parse(&receipt.emit()).unwrap(), receipt);
    check(vault, &receipt).unwrap();
    // The one before is the note itself, the next ones go on as always, the lost one holds for ever.
    for other in [vault.receipt(vault.lost.gaps[0].to), vault.receipt(vault.size() - 1), lost] {
        assert!(other.recoveries.is_empty());
        assert_eq!(Receipt::parse(&other.emit()).unwrap(), other);
        assert!(!String::from_utf8(other.emit()).unwrap().contains("recoveries"));
        check(vault, &other).unwrap();
    }
}

#[test]
fn a_vault_that_lost_records_of_its_own_stream_goes_on_with_the_note() {
    let mut story = story(1);
    let old = story.vault.clone();
    let fault = ClockFault { drift_ms: 1 };
    story.vault.say(By::Vault, draft(Kind::ClockFault, fault.to_data()));
    let newer = std::mem::replace(&mut story.vault, old);
    story.vault.recover(&newer);
    let gap = story.vault.lost.gaps[0];
    let receipt = story.vault.receipt(gap.to);
    assert_ne!(receipt.entry.tag, newer.receipt(gap.from).entry.tag);
    check(&story.vault, &receipt).unwrap();
}

#[test]
fn two_losses_after_each_other_need_the_second_recovery_only() {
    let (mut story, _) = recovered();
    // What had gone on after the first recovery is lost as well: its note is the only one that is left of it.
    let gap = story.vault.lost.gaps[0];
    story.vault.said.retain(|said| said.records[0].record.log_index <= gap.to);
    for (sequence, head) in [Sequence::Item(story.items[2]), Sequence::Case(story.case)].map(|sequence| {
        let last = story.vault.records().filter(|(_, built)| built.record.sequences().any(|s| s == sequence));
        let (_, built) = last.last().unwrap();
        (sequence, built.heads.iter().find(|(of, _)| *of == sequence).unwrap().1)
    }) {
        story.vault.heads.insert(sequence, head);
    }
    lose(&mut story);
    view(&mut story);
    let receipt = first_after(&story.vault);
    let noted = story.vault.lost.gaps[1].record;
    assert_eq!(receipt.recoveries.len(), 1);
    assert_eq!(custody::record::record_hash(&receipt.recoveries[0].record), noted);
    check(&story.vault, &receipt).unwrap();
}

#[test]
fn what_a_receipt_says_of_a_recovery_must_hold_and_be_needed() {
    use ReceiptError as E;
    let (mut story, _) = recovered();
    lose(&mut story);
    let vault = &story.vault;
    let [first, second] = [0, 1].map(|at| vault.recovery(&vault.lost.gaps[at]));
    let good = vault.receipt(vault.lost.gaps[0].to + 1);
    let refused = |change: &dyn Fn(&mut Receipt)| {
        let mut receipt = good.clone();
        change(&mut receipt);
        check(vault, &receipt).unwrap_err()
    };
    assert!(matches!(refused(&|r| r.recoveries.clear()), E::Tag(_)));
    assert!(matches!(refused(&|r| r.recoveries = vec![second.clone()]), E::Tag(_)));
    assert!(matches!(refused(&|r| r.recoveries.push(first.clone())), E::Recovery(_)));
    assert!(matches!(refused(&|r| r.recoveries.push(second.clone())), E::Recovery(_)));
    assert!(matches!(refused(&|r| r.recoveries.insert(0, second.clone())), E::Recovery(_)));
    assert!(matches!(refused(&|r| r.recoveries[0].salt = vault.id()), E::Commitment));
    assert!(matches!(refused(&|r| r.recoveries[0].proof = second.proof.clone()), E::OtherPlace));
    assert!(matches!(
        refused(&|r| r.recoveries[0].envelope.clone_from(&r.envelope.clone())),
        E::OtherStatement
    ));
    assert!(matches!(refused(&|r| r.recoveries[0].entry.case_tag = vault.id()), E::Proof(_)));
    let not_one = |r: &mut Receipt| {
        let founding = vault.receipt(0);
        let noted = &mut r.recoveries[0];
        (noted.record, noted.envelope) = (founding.record, founding.envelope);
        (noted.salt, noted.entry, noted.proof) = (founding.salt, founding.entry, founding.proof);
    };
    assert!(matches!(refused(&not_one), E::Recovery(_)));
    // A record that lost nothing brings none along.
    let mut plain = vault.receipt(3);
    plain.recoveries.push(first);
    assert!(matches!(check(vault, &plain), Err(E::Recovery(_))));
    assert!(Receipt::parse(&[b"{\"", &good.emit()[2..]].concat()).is_ok());
    let empty = String::from_utf8(vault.receipt(3).emit())
        .unwrap()
        .replace(",\"salt\"", ",\"recoveries\":[],\"salt\"");
    assert!(Receipt::parse(empty.as_bytes()).is_err(), "one spelling");
}

#[test]
fn a_recovery_that_the_vault_has_not_signed_does_not_count() {
    let (story, _) = recovered();
    let mut receipt = first_after(&story.vault);
    let key = story.vault.key.verifying_key();
    receipt.check_recoveries(&key).unwrap();
    let said = story.vault.said.iter().find(|said| said.statement.kind == Kind::RecoveryNoted).unwrap();
    let stranger = ed25519_dalek::SigningKey::from_bytes(&[99; 32]);
    receipt.recoveries[0].envelope = custody::envelope::sign(
        custody::envelope::PayloadType::Statement,
        &said.statement.to_bytes(),
        &[&stranger],
    )
    .into();
    assert!(matches!(receipt.check_recoveries(&key), Err(ReceiptError::Envelope(_))));
}

#[test]
fn a_recovery_names_entries_and_never_record_0() {
    let story = story(1);
    for (from, to) in [(0, 5), (5, 5), (6, 5)] {
        let mut said = story.vault.said[0].statement.clone();
        (said.kind, said.vault) = (Kind::RecoveryNoted, Some(story.vault.id()));
        said.data = RecoveryNoted { from, log_key: None, to }.to_data();
        assert!(matches!(Act::parse(&said), Err(StatementError::Shape { .. })), "{from} {to}");
    }
}
