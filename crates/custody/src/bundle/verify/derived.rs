//! Which exhibits were made from which others.

use super::exhibits::Exhibits;
use super::statements::Rules;
use crate::bundle::layout::exhibit_label;
use crate::bundle::report::{MADE_BY_VAULT, Made};

impl Rules {
    /// Every link that the rules admitted, by the number of the exhibit that was made.
    pub(super) fn derived(&self, exhibits: &Exhibits) -> Vec<Made> {
        let mut linked: Vec<_> = self.state.items.values().filter(|item| item.derived.is_some()).collect();
        linked.sort_by_key(|item| (item.case, item.exhibit));
        let made = |item: &&crate::rules::Item| {
            let derived = item.derived?;
            let by = derived.by.map_or_else(
                || MADE_BY_VAULT.to_owned(),
                |person| {
                    let name = exhibits.name(Some(person));
                    if name.is_empty() { person.to_string() } else { name }
                },
            );
            let of = exhibit_label(self.state.items.get(&derived.of)?.exhibit);
            Some(Made { how: derived.how, by, exhibit: exhibit_label(item.exhibit), of })
        };
        linked.iter().filter_map(made).collect()
    }
}
