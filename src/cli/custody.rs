//! `custos custody`

use custody::act::Act;
use custody::id::{CaseId, ItemId, PersonId};
use custody::kind::Kind;
use custody::record::Sequence;

use super::failure::{Exit, Failure};
use super::table::{printable, table};
use super::{Global, Out, session};
use crate::api::{Bytes64, RecordView};

/// Whose custody.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Action {
    /// Of an item
    Item {
        /// The item
        item: ItemId,
    },
    /// Of a case and all its items
    Case {
        /// The case
        case: CaseId,
    },
    /// Of the vault itself; for auditors
    Vault,
    /// Of what people were refused who are no members of the case, or outside any case; for auditors
    Refusals,
    /// Of a person: roles, keys, suspensions; for auditors
    Person {
        /// The person
        person: PersonId,
    },
}

pub(super) async fn run(global: &Global, action: &Action, out: Out) -> Result<Exit, Failure> {
    let client = session::reader(global)?;
    let (mut rows, mut next) = (Vec::new(), None::<String>);
    loop {
        let page = match action {
            Action::Item { item } => client.item_custody(*item, next.as_deref()).await?,
            Action::Case { case } => client.case_custody(*case, next.as_deref()).await?,
            Action::Vault => client.audit(Sequence::Vault, next.as_deref()).await?,
            Action::Refusals => client.audit(Sequence::Refusals, next.as_deref()).await?,
            Action::Person { person } => client.audit(Sequence::Person(*person), next.as_deref()).await?,
        };
        if out.json() {
            page.records.iter().for_each(|record| out.document(record));
        } else {
            let words = |record: &RecordView| words(record, page.envelopes.get(&record.stmt));
            rows.extend(page.records.iter().map(|record| row(record, words(record))));
        }
        next = page.next;
        if next.is_none() {
            break;
        }
    }
    if !out.json() {
        let head = ["index", "received (UTC)", "what", "who", "signed", "why", "words"];
        out.data(&table(head, &rows));
    }
    Ok(Exit::Valid)
}

fn row(record: &RecordView, words: String) -> [String; 7] {
    let signed = match record.assurance.as_str() {
        "user-key" => "own key",
        "session" => "on behalf",
        _ => "vault",
    };
    [
        record.index.to_string(),
        record.received.clone(),
        record.kind.clone(),
        record.actor_name.clone().unwrap_or_else(|| record.actor.clone()),
        signed.to_owned(),
        record.purpose.clone().unwrap_or_default(),
        words,
    ]
}

/// What was said beside the kind: fields, or for a refusal whom it met, of what, by which rule.
fn words(record: &RecordView, envelope: Option<&Bytes64>) -> String {
    let act = envelope.filter(|_| record.kind == Kind::AccessDenied.spec().name);
    if let Some(Act::AccessDenied(_, _, d)) = act.and_then(|envelope| Act::of_envelope(&envelope.0)) {
        return format!("{} {}: {}, {}×", d.person, d.act, d.rule, d.count);
    }
    let words: Vec<_> = record.fields.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    let line = printable(&words.join("; "));
    match line.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}
