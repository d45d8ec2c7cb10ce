//! Personal values that are not here: kept back, or destroyed on record.

use std::collections::{BTreeMap, HashMap};

use super::Notes;
use super::exhibits::Exhibits;
use super::statements::Rules;
use crate::act::Subject;
use crate::bundle::findings::Code;
use crate::bundle::layout::{OPENINGS, exhibit_label};
use crate::bundle::report::{Disposed, Held};
use crate::digest::{Digest, Domain};
use crate::id::PersonId;
use crate::kind::Kind;
use crate::rules::{Disposal, Stage, State};

/// Statements of which values are absent, by log index. That they were destroyed is said by a later record.
#[derive(Debug, Default)]
pub(super) struct Absent {
    statements: BTreeMap<u64, Values>,
    /// 16 bytes each: H(record hash).
    records: HashMap<[u8; 16], u64>,
}

#[derive(Debug)]
struct Values {
    count: usize,
    kind: Kind,
    person: Option<PersonId>,
    erased: bool,
}

impl Absent {
    /// Values of a statement are absent.
    pub(super) fn note(
        &mut self,
        at: u64,
        records: impl Iterator<Item = Digest>,
        (count, kind, person): (usize, Kind, Option<PersonId>),
    ) {
        self.statements.insert(at, Values { count, kind, person, erased: false });
        self.records.extend(records.map(|record| (short(&record), at)));
    }

    /// A record says that values were destroyed.
    pub(super) fn erased(&mut self, disposal: &Disposal) {
        for record in &disposal.records {
            let values = self.records.get(&short(record)).and_then(|at| self.statements.get_mut(at));
            if let Some(values) = values {
                values.erased = true;
            }
        }
        if let Subject::Person(person) = disposal.subject {
            let about = self.statements.values_mut().filter(|values| values.person == Some(person));
            about.for_each(|values| values.erased = true);
        }
    }

    /// Says at the end which values were kept back, and which are gone.
    pub(super) fn say(&self, notes: &mut Notes) {
        for (at, Values { count, kind, erased, .. }) in &self.statements {
            let code = if *erased { Code::Erased } else { Code::FieldWithheld };
            notes.facts.erased += if *erased { *count as u64 } else { 0 };
            notes.find(code, OPENINGS, Some(*at), format!("{count} field(s) of {kind}"));
        }
    }
}

impl Rules {
    /// Every hold, oldest first.
    pub(super) fn holds(&self) -> Vec<Held> {
        let held = |hold: &crate::rules::Hold| Held {
            exhibit: hold.item.and_then(|item| exhibit(&self.state, Subject::Item(hold.case, item))),
            placed: hold.placed,
            released: hold.released,
        };
        let mut holds: Vec<_> = self.state.holds.values().map(held).collect();
        holds.sort_by_key(|hold| hold.placed);
        holds
    }

    /// Everything that was destroyed, oldest first, with the approvers' names where they were disclosed.
    pub(super) fn disposals(&self, exhibits: &Exhibits) -> Vec<Disposed> {
        let destroyed = |found: &&Disposal| matches!(found.stage, Stage::Executed | Stage::Completed);
        let disposed = |found: &Disposal| Disposed {
            approvers: found
                .approvals
                .iter()
                .map(|given| approver(exhibits, given.person, &given.role))
                .collect(),
            executed: found.ended.unwrap_or(found.index),
            exhibit: exhibit(&self.state, found.subject),
            last: found.stage == Stage::Completed,
            left: match found.subject {
                Subject::Item(_, item) => self.left_of(item),
                _ => Vec::new(),
            },
            proposed: found.index,
            subject: match found.subject {
                Subject::Item(..) => "content".to_owned(),
                Subject::Case(_) => format!("values of {} record(s)", found.records.len()),
                Subject::Person(person) => format!("values about person {person}"),
                Subject::Vault => String::new(),
            },
        };
        let mut all: Vec<_> = self.state.disposals.values().filter(destroyed).map(disposed).collect();
        all.sort_by_key(|disposed| disposed.executed);
        all
    }
}

fn approver(exhibits: &Exhibits, person: PersonId, role: &crate::id::Code) -> String {
    let name = exhibits.name(Some(person));
    if name.is_empty() { format!("{person} as {role}") } else { format!("{name} as {role}") }
}

fn exhibit(state: &State, subject: Subject) -> Option<String> {
    let Subject::Item(_, item) = subject else { return None };
    state.items.get(&item).map(|item| exhibit_label(item.exhibit))
}

fn short(record: &Digest) -> [u8; 16] {
    let mut key = [0; 16];
    key.copy_from_slice(&Domain::Leaf.hash(&[b"absent\0", record.as_bytes()]).as_bytes()[..16]);
    key
}
