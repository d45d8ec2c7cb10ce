//! `custody/timeline.csv`: the history as a table, one row a record (RFC 4180).
//!
//! Exporter and verifier make it with the same code from the same records, so that a table which tells another story
//! than the records is found.

use std::collections::HashMap;

use super::layout::{FIELD_FILE_NAME, FIELD_NAME, FIELD_TITLE, exhibit_label};
use crate::act::{Act, Carrier, Subject, TransferStep};
use crate::commitment::FieldOpening;
use crate::digest::Digest;
use crate::id::{ItemId, PersonId};
use crate::record::{Record, Sequence};
use crate::statement::{Assurance, CheckedBy, Statement};

/// The first row.
pub const HEADER: &str = "index,received,claimed,kind,actor,actor name,assurance,exhibit,title,person,person name,\
                          purpose,sha256,bytes,record\r\n";

/// Makes rows; remembers the names and titles that were disclosed on the way. Rows must be made in log order.
#[derive(Debug, Clone, Default)]
pub struct Timeline {
    names: HashMap<PersonId, String>,
    titles: HashMap<ItemId, String>,
}

/// What a row is made from.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    /// The record.
    pub record: &'a Record,
    /// Its hash.
    pub hash: &'a Digest,
    /// The statement, unless withheld, with its typed act.
    pub said: Option<(&'a Statement, &'a Act)>,
    /// The exhibit number of the record's item, where it has one.
    pub exhibit: Option<u32>,
}

impl Timeline {
    /// Takes in the disclosed fields of a statement, before its rows are made.
    pub fn learn(&mut self, statement: &Statement, openings: &[FieldOpening]) {
        let value = |name: &str| openings.iter().find(|opening| opening.name.as_str() == name);
        let title = value(FIELD_TITLE).or_else(|| value(FIELD_FILE_NAME));
        if let (Some(item), Some(title)) = (statement.item, title) {
            self.titles.entry(item).or_insert_with(|| title.value.clone());
        }
        if let (Some(person), Some(name)) = (statement.person, value(FIELD_NAME)) {
            self.names.entry(person).or_insert_with(|| name.value.clone());
        }
    }

    /// The row of a record, with its line end.
    pub fn row(&self, row: &Row<'_>) -> String {
        let record = row.record;
        let item = match record.own.map(|link| link.sequence) {
            Some(Sequence::Item(item)) => Some(item),
            _ => None,
        };
        let mut cells = vec![record.log_index.to_string(), record.received.to_string()];
        let statement = row.said.map(|(statement, _)| statement);
        let actor = statement.and_then(|s| s.actor.person());
        let about = row.said.and_then(|(statement, act)| person_concerned(statement, act));
        let content = statement.and_then(|s| s.content);
        cells.push(statement.map_or_else(String::new, |s| s.actor_time.to_string()));
        cells.push(record.kind.to_string());
        cells.push(statement.map_or_else(|| "withheld".to_owned(), |s| s.actor.to_string()));
        cells.push(self.name(actor));
        let unseen = content.is_some_and(|content| content.checked_by == CheckedBy::None) && actor.is_none();
        let assured = statement.map_or("", |s| assurance(s.assurance));
        cells.push(if unseen { format!("{assured}, sha256 as its sender says") } else { assured.to_owned() });
        cells.push(row.exhibit.map_or_else(String::new, exhibit_label));
        cells.push(item.and_then(|item| self.titles.get(&item)).cloned().unwrap_or_default());
        cells.push(about.map_or_else(String::new, |person| person.to_string()));
        cells.push(self.name(about));
        cells.push(statement.and_then(|s| s.purpose.as_ref()).map_or_else(String::new, ToString::to_string));
        cells.push(content.map_or_else(String::new, |content| content.digest.to_hex()));
        cells.push(content.map_or_else(String::new, |content| content.size.to_string()));
        cells.push(row.hash.to_hex());
        let cells: Vec<_> = cells.iter().map(|cell| csv_cell(cell)).collect();
        cells.join(",") + "\r\n"
    }

    /// The disclosed name of a person; empty if there is none.
    pub fn name(&self, person: Option<PersonId>) -> String {
        person.and_then(|person| self.names.get(&person)).cloned().unwrap_or_default()
    }
}

/// Whom an act is about, beside its actor.
fn person_concerned(statement: &Statement, act: &Act) -> Option<PersonId> {
    match act {
        Act::MemberAdded(_, d) => Some(d.member),
        Act::MemberRemoved(_, d) => Some(d.member),
        Act::Transfer(_, TransferStep::Offered(d), _) => Some(d.to),
        Act::Transfer(_, TransferStep::Accepted(from), _) => from.and_then(Carrier::person),
        Act::AccessDenied(_, _, d) => Some(d.person),
        Act::CorrectionNoted(Subject::Person(person), _) => Some(*person),
        _ => statement.person,
    }
}

const fn assurance(assurance: Assurance) -> &'static str {
    match assurance {
        Assurance::UserKey => "own key",
        Assurance::Session => "signed in",
        Assurance::System => "vault",
    }
}

/// Quoted where RFC 4180 asks for it. A leading `=`, `+`, `-`, `@` would be a formula to a spreadsheet: it gets an
/// apostrophe before it.
fn csv_cell(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let text = if formula { format!("'{text}") } else { text.to_owned() };
    if text.contains(['"', ',', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_and_formulas_disarmed() {
        assert_eq!(csv_cell("plain"), "plain");
        assert_eq!(csv_cell("a \"b\", c"), "\"a \"\"b\"\", c\"");
        assert_eq!(csv_cell("=HYPERLINK(1)"), "'=HYPERLINK(1)");
    }
}
