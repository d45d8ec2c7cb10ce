//! Which exhibits are on their way, with whom, and to whom.

use super::exhibits::Exhibits;
use super::statements::Rules;
use crate::act::Carrier;
use crate::bundle::layout::exhibit_label;
use crate::bundle::report::{BY_OUTSIDE, Carried};

impl Rules {
    /// Every exhibit that a carrier has, by its number.
    pub(super) fn carriage(&self, exhibits: &Exhibits) -> Vec<Carried> {
        let name = |person| {
            let name = exhibits.name(Some(person));
            if name.is_empty() { person.to_string() } else { name }
        };
        let mut offered: Vec<_> = self.state.items.values().filter(|item| item.offer.is_some()).collect();
        offered.sort_by_key(|item| (item.case, item.exhibit));
        let carried = |item: &&crate::rules::Item| {
            let offer = item.offer.as_ref()?;
            let by = match offer.carrier()? {
                Carrier::Person(person) => name(person),
                Carrier::Outside => BY_OUTSIDE.to_owned(),
            };
            let (exhibit, held_by) = (exhibit_label(item.exhibit), name(item.custodian));
            Some(Carried { by, exhibit, held_by, to: name(offer.to) })
        };
        offered.iter().filter_map(carried).collect()
    }
}
