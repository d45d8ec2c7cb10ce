//! `custos custody`

use custody::id::{CaseId, ItemId};

use super::failure::{Exit, Failure};
use super::table::{printable, table};
use super::{Global, Out, session};
use crate::api::RecordView;

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
}

pub(super) async fn run(global: &Global, action: &Action, out: Out) -> Result<Exit, Failure> {
    let client = session::reader(global)?;
    let (mut records, mut next) = (Vec::new(), None::<String>);
    loop {
        let page = match action {
            Action::Item { item } => client.item_custody(*item, next.as_deref()).await?,
            Action::Case { case } => client.case_custody(*case, next.as_deref()).await?,
        };
        if out.json() {
            page.records.iter().for_each(|record| out.document(record));
        } else {
            records.extend(page.records);
        }
        next = page.next;
        if next.is_none() {
            break;
        }
    }
    if !out.json() {
        out.data(&timeline(&records));
    }
    Ok(Exit::Valid)
}

fn timeline(records: &[RecordView]) -> String {
    let row = |record: &RecordView| {
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
            words(record),
        ]
    };
    let rows: Vec<_> = records.iter().map(row).collect();
    table(["index", "received (UTC)", "what", "who", "signed", "why", "words"], &rows)
}

fn words(record: &RecordView) -> String {
    let words: Vec<_> = record.fields.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    let line = printable(&words.join("; "));
    match line.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}
