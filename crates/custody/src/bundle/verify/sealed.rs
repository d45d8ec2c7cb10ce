//! Which exhibits were sealed to other pairs.

use std::collections::HashMap;

use super::exhibits::Exhibits;
use crate::act::ResealStep;
use crate::bundle::layout::exhibit_label;
use crate::bundle::report::Resealed;
use crate::digest::Digest;
use crate::id::PersonId;

/// What was sealed anew so far.
#[derive(Debug, Default)]
pub(super) struct Sealed {
    all: Vec<(u64, u32, Option<PersonId>, Option<PersonId>)>,
    /// Where each is, by its record.
    at: HashMap<Digest, usize>,
}

impl Sealed {
    /// Takes in a step that a person made about an exhibit, recorded at this index under this hash.
    pub(super) fn learn(
        &mut self,
        step: &ResealStep,
        person: Option<PersonId>,
        (exhibit, index, record): (u32, u64, Digest),
    ) {
        match step {
            ResealStep::Resealed(_) => {
                self.at.insert(record, self.all.len());
                self.all.push((index, exhibit, person, None));
            }
            ResealStep::Confirmed(d) => {
                if let Some(found) = self.at.get(&d.reseal).and_then(|at| self.all.get_mut(*at)) {
                    found.3 = person;
                }
            }
            ResealStep::Withdrawn(_) => {}
        }
    }

    /// For the report, oldest first.
    pub(super) fn report(&self, exhibits: &Exhibits) -> Vec<Resealed> {
        let name = |person: PersonId| {
            let name = exhibits.name(Some(person));
            if name.is_empty() { person.to_string() } else { name }
        };
        let resealed =
            |&(index, exhibit, by, confirmed): &(u64, u32, Option<PersonId>, Option<PersonId>)| Resealed {
                by: by.map(name).unwrap_or_default(),
                confirmed_by: confirmed.map(name),
                exhibit: exhibit_label(exhibit),
                index,
            };
        self.all.iter().map(resealed).collect()
    }
}
